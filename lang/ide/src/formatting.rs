//! Laying a file out, as the changes that are needed for it: what stays is not touched, so that
//! cursors and marks keep their places.

use aurora_syntax::Span;

use crate::source::{FileEdit, FileId, Source};
use crate::style::Style;
use crate::text::offset;
use crate::workspace::Snapshot;

/// Lays a whole file out. A text that does not parse stays as it is.
pub fn document(world: &Snapshot, file: &FileId) -> Vec<FileEdit> {
    let Some(source) = world.file(file) else { return Vec::new() };
    let edits = edits_of(source).into_iter();
    edits.map(|(span, text)| FileEdit { location: source.at(span), text }).collect()
}

/// Lays out the statements at the top of a file that have a part in `range`, as wholes: half a block
/// in the new layout would mean something else.
pub fn range(world: &Snapshot, file: &FileId, range: Span) -> Vec<FileEdit> {
    let Some(source) = world.file(file) else { return Vec::new() };
    let range = whole_statements(source, range);
    edits_of(source)
        .into_iter()
        .filter(|(span, _)| range.start <= span.start && span.end <= range.end)
        .map(|(span, text)| FileEdit { location: source.at(span), text })
        .collect()
}

fn whole_statements(source: &Source, range: Span) -> Span {
    let line = |at: u32| source.lines.span(source.lines.line(at), &source.text);
    // Whole lines are selected up to the begin of the next one, which is no part of them.
    let is_begin = range.start < range.end && line(range.end).start == range.end;
    let last = if is_begin { range.end - 1 } else { range.end.max(range.start) };
    let mut range = Span::new(line(range.start).start, line(last).end);
    loop {
        let stmts = &source.parsed.tree;
        let from = stmts.partition_point(|stmt| stmt.span.end < range.start);
        let to = stmts.partition_point(|stmt| stmt.span.start < range.end);
        let Some([first, ..]) = stmts.get(from..to) else { return range };
        let last = stmts.get(from..to).and_then(<[_]>::last).unwrap_or(first);
        let start = range.start.min(line(first.span.start).start);
        let larger = Span::new(start, range.end.max(line(last.span.end).end));
        if larger == range {
            return range;
        }
        range = larger;
    }
}

fn edits_of(source: &Source) -> Vec<(Span, String)> {
    // A byte order mark stays, so that it is no difference.
    let start = source.text_start();
    let text = source.text.get(start as usize..).unwrap_or_default();
    let Ok(formatted) = aurora_syntax::format(text) else { return Vec::new() };
    let edits = match Style::of(source).line_end {
        "\n" => differences(text, &formatted),
        end => differences(text, &formatted.replace('\n', end)),
    };
    let moved =
        |(span, text): (Span, String)| (Span::new(span.start + start, span.end + start), text);
    edits.into_iter().map(moved).collect()
}

/// What the layout may change: blanks, ends of lines, commas before closing brackets.
const fn is_gap(byte: u8) -> bool {
    byte.is_ascii_whitespace() || matches!(byte, b',' | b'\\' | b';')
}

/// The changes that make one text of another, which differ in layout only, in order. Anything else
/// becomes one change of all that is not alike at both ends.
fn differences(old: &str, new: &str) -> Vec<(Span, String)> {
    let mut edits = Vec::new();
    let (a, b) = (old.as_bytes(), new.as_bytes());
    let (mut i, mut j) = (0, 0);
    loop {
        let same = a[i..].iter().zip(&b[j..]).take_while(|(x, y)| x == y).count();
        (i, j) = (i + same, j + same);
        if i == a.len() && j == b.len() {
            return edits;
        }
        let gap = |bytes: &[u8]| bytes.iter().take_while(|byte| is_gap(**byte)).count();
        let (next_i, next_j) = (i + gap(&a[i..]), j + gap(&b[j..]));
        if a.get(next_i) != b.get(next_j) {
            return vec![rest(old, new)];
        }
        // What is alike before the next word need not be replaced.
        let room = (next_i - i).min(next_j - j);
        let alike = (0..room).take_while(|n| a[next_i - 1 - n] == b[next_j - 1 - n]).count();
        let span = Span::new(offset(i), offset(next_i - alike));
        let text = new.get(j..next_j - alike).unwrap_or_default().to_owned();
        edits.push((span, text));
        (i, j) = (next_i, next_j);
    }
}

fn rest(old: &str, new: &str) -> (Span, String) {
    let mut start = old.bytes().zip(new.bytes()).take_while(|(a, b)| a == b).count();
    while !old.is_char_boundary(start) {
        start -= 1;
    }
    let room = old.len().min(new.len()) - start;
    let alike = old.bytes().rev().zip(new.bytes().rev()).take(room);
    let mut end = alike.take_while(|(a, b)| a == b).count();
    while !old.is_char_boundary(old.len() - end) {
        end -= 1;
    }
    let text = new.get(start..new.len() - end).unwrap_or_default().to_owned();
    (Span::new(offset(start), offset(old.len() - end)), text)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn applied(old: &str, edits: &[(Span, String)]) -> String {
        let mut out = old.to_owned();
        for (span, text) in edits.iter().rev() {
            out.replace_range(span.range(), text);
        }
        out
    }

    #[test]
    fn only_what_differs_is_changed() {
        let (old, new) = ("a = [1,2 ]\nb=3\n", "a = [1, 2]\nb = 3\n");
        let edits = differences(old, new);
        assert_eq!(applied(old, &edits), new);
        let shown: Vec<(&str, &str)> =
            edits.iter().map(|(span, text)| (span.of(old), text.as_str())).collect();
        assert_eq!(shown, [("", " "), (" ", ""), ("", " "), ("", " ")]);
    }

    proptest! {
        #[test]
        fn the_changes_make_the_new_text(old in "[ab, \né(]{0,30}", new in "[ab, \né(]{0,30}") {
            prop_assert_eq!(applied(&old, &differences(&old, &new)), new);
        }
    }
}
