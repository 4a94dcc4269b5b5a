//! Uses of a name that nothing that looks for the name finds: references in pieces, over two literals or
//! with escapes; those that are put together only when they are evaluated; tables behind `%`.

use std::sync::Arc;

use aurora_syntax::tree::ExprKind;
use aurora_syntax::{Kind as Word, Span, walk};

use crate::names::{entries, parts};
use crate::source::{Location, Source};
use crate::text::offset;
use crate::workspace::Snapshot;

/// Why a use of a name cannot be changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Hidden {
    /// The name of a reference stands in pieces.
    InPieces,
    /// The name of a reference comes to be when the text is evaluated.
    MadeLater,
    /// A table behind `%` gives it a value.
    Formatted,
}

/// The first of the hidden uses of a name in the files related to a file.
pub(crate) fn hidden(
    world: &Snapshot,
    source: &Arc<Source>,
    name: &str,
) -> Option<(Location, Hidden)> {
    let related = world.related(source);
    let mut files = related.iter().filter(|file| !file.id.is_std());
    files.find_map(|file| in_file(file, name))
}

fn in_file(file: &Source, name: &str) -> Option<(Location, Hidden)> {
    let mut found = None;
    walk::everything(&file.parsed.tree, &mut |expr| {
        if found.is_some() {
            return;
        }
        let pieces = match &expr.kind {
            ExprKind::Str(pieces) => pieces,
            ExprKind::Chain(chain) => {
                let operands = chain.rest.iter().filter(|(op, _)| op.kind == Word::Percent);
                let mut tables = operands.filter_map(|(_, table)| entries(&file.text, table));
                let is_given =
                    tables.any(|table| table.iter().any(|(key, _)| file.slice(*key) == name));
                found = is_given.then(|| (file.at(expr.span), Hidden::Formatted));
                return;
            }
            _ => return,
        };
        if pieces.iter().any(|piece| piece.fields.is_some()) {
            return;
        }
        let literal = aurora_syntax::value(&file.text, pieces);
        if is_made_later(&literal.value, name) {
            found = Some((file.at(expr.span), Hidden::MadeLater));
            return;
        }
        if pieces.len() == 1 && !file.slice(expr.span).contains('\\') {
            return;
        }
        let references = aurora_template::references(&literal.value);
        for (inner, range) in references.chain(aurora_template::escapes(&literal.value)) {
            let begin = range.start + literal.value[range.clone()].find(inner).unwrap_or_default();
            for part in parts(inner) {
                // A `&` escapes the reference and is no part of its name.
                let word = inner[part.clone()].trim_matches('&');
                let start = begin + part.start + inner[part].find(word).unwrap_or_default();
                if word != name {
                    continue;
                }
                let place = |at: usize| offset(literal.place(at));
                let span = Span::new(place(start), place(start + word.len() - 1) + 1);
                if file.slice(span) != name {
                    found = Some((file.at(expr.span), Hidden::InPieces));
                }
            }
        }
    });
    found
}

/// Whether a reference that only begins in a text, or has another within, may have this name as a part:
/// `{{zone_{{where}}}}`, `"{{gree" + end`.
fn is_made_later(text: &str, name: &str) -> bool {
    aurora_template::beginnings(text).any(|begun| {
        let is_open = !begun.ends_with(['.', '[', ']']);
        let parts = parts(begun);
        let last = parts.last().filter(|_| is_open);
        parts.iter().any(|part| {
            let word = begun[part.clone()].trim_matches('&');
            let may_go_on = Some(part) == last && !word.is_empty() && name.starts_with(word);
            word == name || may_go_on
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_that_are_put_together_later_are_known_by_what_is_there() {
        for (text, name, wanted) in [
            ("{{zone_{{where}}}}", "zone_a", true),
            ("{{zone_{{where}}}}", "where", false),
            ("{{t[{{where}}]}}", "t", true),
            ("{{t[{{where}}]}}", "tt", false),
            ("{{gree", "greeting", true),
            ("{{gree", "other", false),
            ("{{a.gree", "greeting", true),
            ("{{greeting}}", "greeting", false),
            ("{{{{greeting}}}}", "greeting", false),
            ("{{", "x", false),
            ("", "x", false),
        ] {
            assert_eq!(is_made_later(text, name), wanted, "{text} {name}");
        }
    }
}
