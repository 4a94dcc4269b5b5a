//! References whose names stand in the text in pieces: over two literals, or with escapes. Nothing
//! that looks for a name finds these.

use std::sync::Arc;

use aurora_syntax::tree::ExprKind;
use aurora_syntax::{Span, walk};

use crate::names::parts;
use crate::source::{Location, Source};
use crate::text::offset;
use crate::workspace::Snapshot;

/// The first text of the files related to a file that refers to a name in pieces.
pub(crate) fn reference_in_pieces(
    world: &Snapshot,
    source: &Arc<Source>,
    name: &str,
) -> Option<Location> {
    let related = world.related(source);
    let mut files = related.iter().filter(|file| !file.id.is_std());
    files.find_map(|file| in_file(file, name))
}

fn in_file(file: &Source, name: &str) -> Option<Location> {
    let mut found = None;
    walk::everything(&file.parsed.tree, &mut |expr| {
        let ExprKind::Str(pieces) = &expr.kind else { return };
        let in_pieces = pieces.len() > 1 || file.slice(expr.span).contains('\\');
        if found.is_some() || !in_pieces || pieces.iter().any(|piece| piece.fields.is_some()) {
            return;
        }
        let literal = aurora_syntax::value(&file.text, pieces);
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
                    found = Some(file.at(expr.span));
                }
            }
        }
    });
    found
}
