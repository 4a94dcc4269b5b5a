//! Names of other files and of the library, with the `include` or `load` that takes them.

use std::collections::BTreeSet;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use aurora_syntax::tree::{ExprKind, PostKind, Stmt, StmtKind};
use aurora_syntax::{Kind as Word, Span};

use super::names::{Wanted, exported, proposal};
use super::place::Place;
use super::{Completion, List, Rank};
use crate::builtin::builtin;
use crate::names::Inclusion;
use crate::source::{FileEdit, FileId, Source};
use crate::types::{self, Kind};

/// How many names of other files are proposed.
const MAX_NAMES: usize = 100;
/// How many files are looked at.
const MAX_FILES: usize = 1000;

/// Proposes names of files that are not in the namespace: those that fit, and those that have the
/// typed letters.
pub(super) fn names(place: &Place<'_>, list: &mut List, wanted: &Wanted, known: &BTreeSet<&str>) {
    let shared = place.world.namespace(place.source);
    let shared: BTreeSet<&FileId> = shared.iter().map(|file| &file.id).collect();
    let files: Vec<&Arc<Source>> =
        place.world.library().chain(place.world.files().take(MAX_FILES)).collect();
    let mut left = MAX_NAMES;
    for file in files.into_iter().filter(|file| !shared.contains(&file.id)) {
        // Without a letter only the library is looked through, and for what fits.
        if list.typed.is_empty() && !(file.id.is_std() && wanted.is_made()) {
            continue;
        }
        for found in exported(file) {
            let name = found.name();
            if known.contains(name) || builtin(name).is_some() || !list.takes(name) {
                continue;
            }
            let kind = types::kind_of_definition(place.world, &found);
            let fits = match &kind {
                Kind::Function(_) => {
                    let result = types::result_of_call(place.world, &found.source, kind.clone());
                    wanted.is_made_by(&result)
                }
                kind => wanted.takes(kind),
            };
            if list.typed.is_empty() && !fits {
                continue;
            }
            let Some(rest) = left.checked_sub(1) else { return };
            left = rest;
            let rank = if fits { Rank::Made } else { Rank::Elsewhere };
            let path = path_to(place.source, &file.id);
            let found = proposal(place, &found, &kind).detail(path.clone());
            list.push(rank, taken(place, list.replaced, file, &path, found));
        }
    }
}

/// A name with what takes it from its file.
fn taken(
    place: &Place<'_>,
    replaced: Span,
    file: &Arc<Source>,
    path: &str,
    mut proposal: Completion,
) -> Completion {
    let name = proposal.label.clone();
    if let Some(edit) = added_to_load(place, &file.id, &name) {
        proposal.edits.push(edit);
        return proposal;
    }
    let quoted = place.style.quoted(path);
    let is_load = file.id.is_std() || loads(place) || defines_jobs(file);
    let statement = if is_load {
        format!("load({quoted}, {})", place.style.quoted(&name))
    } else {
        format!("include({quoted})")
    };
    let (at, before, after) = room(place);
    let text = format!("{before}{statement}{after}");
    if at >= replaced.start {
        // Nothing stands before the word: an edit of its own would touch it.
        let text = if proposal.is_snippet { super::style::escaped(&text) } else { text };
        proposal.text.insert_str(0, &text);
    } else {
        let location = place.source.at(Span::new(at, at));
        proposal.edits.push(FileEdit { location, text });
    }
    proposal
}

fn defines_jobs(file: &Source) -> bool {
    file.names.in_scope(&file.text, 0, "jobs").next().is_some()
}

/// Whether the file loads from others of the workspace rather than to include them.
fn loads(place: &Place<'_>) -> bool {
    let own = |inclusion: &&Inclusion| {
        !inclusion.path.as_deref().is_some_and(|path| path.starts_with(aurora_eval::STD))
    };
    let all = place.source.names.inclusions.iter().filter(own);
    let (loads, includes): (Vec<_>, Vec<_>) = all.partition(|found| found.loaded.is_some());
    loads.len() > includes.len()
}

/// The change that adds a name to a `load` that is there already.
fn added_to_load(place: &Place<'_>, file: &FileId, name: &str) -> Option<FileEdit> {
    let source = place.source;
    let all = source.names.inclusions.iter().zip(&source.targets);
    let mut loads = all.filter(|(inclusion, target)| {
        inclusion.loaded.is_some()
            && target.as_ref() == Some(file)
            && inclusion.whole.end < place.statement_start()
    });
    let (inclusion, _) = loads.next()?;
    let tokens = source.tokens();
    let close = tokens.partition_point(|token| token.span.end < inclusion.whole.end);
    let close = tokens.get(close).filter(|token| token.kind == Word::RParen)?;
    let before = tokens.partition_point(|token| token.span.end < close.span.end);
    let last = tokens.get(before.checked_sub(1)?)?;
    let has_comma = last.kind == Word::Comma;
    let text = format!("{} {}", if has_comma { "" } else { "," }, place.style.quoted(name));
    let at = Span::new(last.span.end, last.span.end);
    Some(FileEdit { location: source.at(at), text })
}

/// Where an `include` or `load` is added, with what stands before and behind it.
fn room(place: &Place<'_>) -> (u32, &'static str, String) {
    let source = place.source;
    let line_end = place.style.line_end;
    let start = place.statement_start();
    let tree = source.parsed.tree.as_slice();
    let earlier = tree.partition_point(|stmt| stmt.span.end < start);
    let earlier = tree.get(..earlier).unwrap_or_default();
    let next_line = |at: u32| source.lines.start(source.lines.line(at) + 1, &source.text);
    // Behind the last of its kind.
    if let Some(last) = earlier.iter().rev().find(|stmt| takes_file(source, stmt)) {
        return (next_line(last.span.end), "", line_end.to_owned());
    }
    // Behind what the file says of itself.
    if let Some(first) = earlier.first().filter(|stmt| is_text(stmt)) {
        let at = next_line(first.span.end);
        let is_free = source.lines.span(source.lines.line(at), &source.text).is_empty();
        let behind = if is_free { line_end.to_owned() } else { line_end.repeat(2) };
        return (at, line_end, behind);
    }
    let first = earlier.first().map_or(start, |stmt| stmt.span.start.min(start));
    (above(source, first), "", line_end.repeat(2))
}

/// The begin of the line of a statement, or of the comment that belongs to it.
fn above(source: &Source, at: u32) -> u32 {
    let mut line = source.lines.line(at);
    while let Some(before) = line.checked_sub(1) {
        let text = source.slice(source.lines.span(before, &source.text)).trim();
        // The first lines may be for other programs.
        if !text.starts_with('#') || text.starts_with("#!") || text.starts_with("# -*-") {
            break;
        }
        line = before;
    }
    source.lines.start(line, &source.text)
}

fn is_text(stmt: &Stmt) -> bool {
    matches!(&stmt.kind, StmtKind::Expr(value) if matches!(value.kind, ExprKind::Str(_)))
}

fn takes_file(source: &Source, stmt: &Stmt) -> bool {
    let StmtKind::Expr(value) = &stmt.kind else { return false };
    let ExprKind::Postfix(postfix) = &value.kind else { return false };
    let [op] = postfix.ops.as_slice() else { return false };
    matches!(op.kind, PostKind::Call(_))
        && matches!(source.slice(postfix.base.span), "include" | "load")
}

/// How a file writes the path of another.
pub(super) fn path_to(from: &Source, to: &FileId) -> String {
    if to.is_std() {
        return to.name().to_owned();
    }
    let folder = from.id.path().parent().unwrap_or(Path::new(""));
    relative(folder, to.path())
}

fn relative(folder: &Path, to: &Path) -> String {
    let own: Vec<Component<'_>> = folder.components().collect();
    let other: Vec<Component<'_>> = to.components().collect();
    let common = own.iter().zip(&other).take_while(|(a, b)| a == b).count();
    let up = std::iter::repeat_n(Component::ParentDir, own.len() - common);
    let path: PathBuf = up.chain(other.iter().skip(common).copied()).collect();
    // Paths in files have slashes on every system.
    path.to_string_lossy().replace('\\', "/")
}
