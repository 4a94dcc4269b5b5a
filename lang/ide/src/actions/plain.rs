//! Constructs of Python 2 in the plain form of the language, as `aurora config migrate` writes them.

use aurora_syntax::tree::{Stmt, StmtKind};
use aurora_syntax::{Edit, Span, walk};

use super::{Action, ActionKind, Place};
use crate::text::offset;

/// How long texts are that are looked through for such constructs at every place, in bytes.
const MAX_TEXT: usize = 1 << 20;

/// Rewrites the statement at the selection, or the file.
pub(super) fn rewritings(place: &Place<'_>, found: &mut Vec<Action>) {
    let source = place.source;
    if source.text.len() > MAX_TEXT || !source.parsed.errors.is_empty() {
        return;
    }
    let plain = source.plain();
    if plain.is_empty() {
        return;
    }
    if let Some(stmt) = innermost(&source.parsed.tree, place.selection.start)
        && !is_about_imports(&source.parsed.tree, source)
        && !matches!(stmt.kind, StmtKind::Import(_) | StmtKind::From { .. })
    {
        let range = Span::new(stmt.span.start, place.line(stmt.span.end).end);
        let is_here = |edit: &&Edit| {
            range.start as usize <= edit.range.start && edit.range.end <= range.end as usize
        };
        let edits: Vec<_> = plain.iter().filter(is_here).map(|edit| made(place, edit)).collect();
        if !edits.is_empty() {
            let title = match &stmt.kind {
                StmtKind::Class { name, .. } => {
                    format!("Write the class `{}` as a struct_type", source.slice(*name))
                }
                _ => "Write this in the plain language".to_owned(),
            };
            found.push(place.action(ActionKind::Rewrite, title, edits));
        }
    }
    let edits = plain.iter().map(|edit| made(place, edit)).collect();
    let title = "Write the file in the plain language";
    found.push(place.action(ActionKind::Source, title, edits));
}

fn made(place: &Place<'_>, edit: &Edit) -> crate::source::FileEdit {
    let span = Span::new(offset(edit.range.start), offset(edit.range.end));
    place.edit(span, edit.text.clone())
}

/// Whether an import changes what other statements mean, so that one cannot be rewritten without it.
fn is_about_imports(stmts: &[Stmt], source: &crate::source::Source) -> bool {
    stmts.iter().any(|stmt| {
        matches!(&stmt.kind, StmtKind::From { module, .. } if source.slice(*module) == "__future__")
    })
}

/// The smallest statement at a place. What has blocks is one only at its first line.
fn innermost(stmts: &[Stmt], at: u32) -> Option<&Stmt> {
    let from = stmts.partition_point(|stmt| stmt.span.end < at);
    let stmt = stmts.get(from).filter(|stmt| stmt.span.start <= at)?;
    if let StmtKind::Class { .. } = stmt.kind {
        return Some(stmt);
    }
    let blocks = walk::blocks(stmt);
    match blocks.iter().find_map(|block| innermost(&block.stmts, at)) {
        Some(inner) => Some(inner),
        None if blocks.is_empty() => Some(stmt),
        None => None,
    }
}
