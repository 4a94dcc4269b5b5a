//! What an edit makes of a text (LSP 3.17, `TextDocumentContentChangeEvent`).

use std::ops::Range;

use aurora_ide::text::{Encoding, LineColumn, Lines};
use tower_lsp::lsp_types::{Position, TextDocumentContentChangeEvent};

/// A text after changes, and the bytes of the old one that the last of them replaced, if there was
/// only one and it was of a part.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Changed {
    pub(crate) text: String,
    pub(crate) replaced: Option<Range<usize>>,
}

/// Carries out changes, one after the other. A place that is not there is the nearest before it, and
/// a range whose ends are the wrong way around is meant the other way.
pub(crate) fn apply(
    text: &str,
    changes: Vec<TextDocumentContentChangeEvent>,
    encoding: Encoding,
) -> Changed {
    let is_one = changes.len() == 1;
    let mut changed = Changed { text: text.to_owned(), replaced: None };
    // The lines, and how many of the first are as they were when these were counted: editors send many
    // changes from the last to the first.
    let mut counted: Option<(Lines, u32)> = None;
    for change in changes {
        let Some(range) = change.range else {
            changed = Changed { text: change.text, replaced: None };
            counted = None;
            continue;
        };
        let last = range.start.line.max(range.end.line);
        let known = counted.take().filter(|(_, same)| last < *same);
        let lines = known.map_or_else(|| Lines::of(&changed.text), |(lines, _)| lines);
        let at = |place: Position| {
            let place = LineColumn { line: place.line, column: place.character };
            lines.offset(&changed.text, place, encoding)
        };
        let (start, end) = (at(range.start), at(range.end));
        let (start, end) = (start.min(end), start.max(end));
        let replaced = start as usize..end as usize;
        changed.text.replace_range(replaced.clone(), &change.text);
        changed.replaced = is_one.then_some(replaced);
        // What ends the line before may have become one with what was put in.
        let same = lines.line(start).saturating_sub(1);
        counted = Some((lines, same));
    }
    changed
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use tower_lsp::lsp_types::Range as LspRange;

    use super::*;

    fn change(range: Option<[u32; 4]>, text: &str) -> TextDocumentContentChangeEvent {
        let range = range.map(|[line, column, end_line, end_column]| {
            LspRange::new(Position::new(line, column), Position::new(end_line, end_column))
        });
        TextDocumentContentChangeEvent { range, range_length: None, text: text.to_owned() }
    }

    #[test]
    fn changes_are_carried_out_one_after_the_other() {
        for (text, changes, wanted) in [
            ("abc", vec![change(Some([0, 1, 0, 2]), "X")], "aXc"),
            ("abc", vec![change(None, "new")], "new"),
            ("ab\ncd", vec![change(Some([0, 2, 1, 0]), "")], "abcd"),
            // The second is about what the first has made.
            ("ab", vec![change(Some([0, 0, 0, 0]), "x\n"), change(Some([1, 0, 1, 1]), "")], "x\nb"),
            ("ab", vec![change(None, "\u{1f600}z"), change(Some([0, 2, 0, 3]), "y")], "\u{1f600}y"),
            // Places that are not there.
            ("ab\ncd", vec![change(Some([0, 9, 9, 9]), "!")], "ab!"),
            ("ab", vec![change(Some([0, 2, 0, 1]), "!")], "a!"),
            ("a\u{1f600}b", vec![change(Some([0, 2, 0, 3]), "")], "ab"),
        ] {
            assert_eq!(apply(text, changes, Encoding::Utf16).text, wanted, "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn many_changes_are_those_of_one_after_the_other(
            text in "[a\u{e9}\r\n]{0,30}",
            edits in proptest::collection::vec(
                (proptest::array::uniform4(0u32..9), "[a\r\n]{0,3}"), 0..6,
            ),
        ) {
            let changes = edits.iter().map(|(range, text)| change(Some(*range), text));
            let one_by_one = changes.clone().fold(text.clone(), |text, change| {
                apply(&text, vec![change], Encoding::Utf16).text
            });
            prop_assert_eq!(apply(&text, changes.collect(), Encoding::Utf16).text, one_by_one);
        }

        #[test]
        fn any_change_of_any_text_is_carried_out(
            text in "[a\u{e9}\u{1f600}\r\n']{0,30}",
            edits in proptest::collection::vec(
                (proptest::option::of(proptest::array::uniform4(0u32..9)), "[a\u{1f600}\r\n]{0,5}"),
                0..4,
            ),
            encoding in prop_oneof![
                Just(Encoding::Utf8), Just(Encoding::Utf16), Just(Encoding::Utf32),
            ],
        ) {
            let changes: Vec<_> =
                edits.iter().map(|(range, text)| change(*range, text)).collect();
            let changed = apply(&text, changes, encoding);
            if let Some(range) = changed.replaced {
                let inserted = &edits[0].1;
                let wanted = format!("{}{inserted}{}", &text[..range.start], &text[range.end..]);
                prop_assert_eq!(changed.text, wanted);
            }
        }
    }
}
