//! The `include` or `load` that takes a name from another file, where and as the file would have it.

use std::collections::BTreeSet;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use aurora_syntax::tree::{ExprKind, PostKind, Stmt, StmtKind};
use aurora_syntax::{Kind as Word, Span};

use crate::names::Inclusion;
use crate::source::{FileEdit, FileId, Source};
use crate::style::Style;
use crate::workspace::Snapshot;

/// A file that takes names from others.
pub(crate) struct Taker<'a> {
    source: &'a Source,
    style: Style,
    /// The file itself and those that take it in, which it cannot take in turn.
    above: BTreeSet<FileId>,
    /// Whether others load it: then it cannot include.
    is_loaded: bool,
}

impl<'a> Taker<'a> {
    pub(crate) fn new(world: &Snapshot, source: &'a Arc<Source>, style: Style) -> Self {
        let above = world.above(source).iter().map(|file| file.id.clone()).collect();
        let is_loaded = world.includers(&source.id).any(|(_, is_include)| !is_include);
        Self { source, style, above, is_loaded }
    }

    /// Whether names of another file are loaded, rather than all of it included.
    pub(crate) fn loads(&self, file: &Source) -> bool {
        file.id.is_std() || self.is_loaded || loads(self.source) || file.defines_jobs()
    }

    /// Whether another file can be loaded or included: it must not lead back to this one, and what is
    /// loaded cannot include.
    pub(crate) fn can_take(&self, file: &Source, is_load: bool) -> bool {
        let includes = file.names.inclusions.iter().any(|inclusion| inclusion.loaded.is_none());
        let is_possible = if is_load { !includes } else { !self.is_loaded && !file.id.is_std() };
        is_possible && !self.above.contains(&file.id)
    }

    /// The change that takes a name from another file, for what begins at `before`; [`None`] if it
    /// cannot be taken.
    pub(crate) fn take(&self, before: u32, file: &Source, name: &str) -> Option<FileEdit> {
        let is_load = self.loads(file);
        if !self.can_take(file, is_load) {
            return None;
        }
        let (source, style) = (self.source, self.style);
        let added = added_to_load(source, style, before, &file.id, name);
        Some(added.unwrap_or_else(|| {
            let quoted = style.quoted(&path_to(source, &file.id));
            let statement = if is_load {
                format!("load({quoted}, {})", style.quoted(name))
            } else {
                format!("include({quoted})")
            };
            let (at, above, below) = room(source, style.line_end, before);
            let location = source.at(Span::new(at, at));
            FileEdit { location, text: format!("{above}{statement}{below}") }
        }))
    }
}

/// Whether a file loads from others of the workspace rather than to include them.
fn loads(source: &Source) -> bool {
    let own = |inclusion: &&Inclusion| {
        !inclusion.path.as_deref().is_some_and(|path| path.starts_with(aurora_eval::STD))
    };
    let all = source.names.inclusions.iter().filter(own);
    let (loads, includes): (Vec<_>, Vec<_>) = all.partition(|found| found.loaded.is_some());
    loads.len() > includes.len()
}

/// The change that adds a name to a `load` that is there already.
fn added_to_load(
    source: &Source,
    style: Style,
    before: u32,
    file: &FileId,
    name: &str,
) -> Option<FileEdit> {
    let all = source.names.inclusions.iter().zip(&source.targets);
    let mut loads = all.filter(|(inclusion, target)| {
        inclusion.loaded.is_some() && target.as_ref() == Some(file) && inclusion.whole.end < before
    });
    let (inclusion, _) = loads.next()?;
    let tokens = source.tokens();
    let close = tokens.partition_point(|token| token.span.end < inclusion.whole.end);
    let close = tokens.get(close).filter(|token| token.kind == Word::RParen)?;
    let before = tokens.partition_point(|token| token.span.end < close.span.end);
    let last = tokens.get(before.checked_sub(1)?)?;
    let has_comma = last.kind == Word::Comma;
    let text = format!("{} {}", if has_comma { "" } else { "," }, style.quoted(name));
    let at = Span::new(last.span.end, last.span.end);
    Some(FileEdit { location: source.at(at), text })
}

/// Where an `include` or `load` is added, with what stands before and behind it.
fn room(source: &Source, line_end: &str, start: u32) -> (u32, String, String) {
    let tree = source.parsed.tree.as_slice();
    let earlier = tree.partition_point(|stmt| stmt.span.end < start);
    let earlier = tree.get(..earlier).unwrap_or_default();
    let next_line = |at: u32| source.lines.start(source.lines.line(at) + 1, &source.text);
    // Behind the last of its kind.
    if let Some(last) = earlier.iter().rev().find(|stmt| takes_file(source, stmt)) {
        let at = next_line(last.span.end);
        // Both stand on one line.
        if at > start {
            return (start, String::new(), "; ".to_owned());
        }
        return (at, String::new(), line_end.to_owned());
    }
    // Behind what the file says of itself.
    if let Some(first) = earlier.first().filter(|stmt| is_text(stmt)) {
        let at = next_line(first.span.end);
        if at > start {
            return (start, String::new(), "; ".to_owned());
        }
        let is_free = source.lines.span(source.lines.line(at), &source.text).is_empty();
        let behind = if is_free { line_end.to_owned() } else { line_end.repeat(2) };
        return (at, line_end.to_owned(), behind);
    }
    let first = earlier.first().map_or(start, |stmt| stmt.span.start.min(start));
    (above(source, first), String::new(), line_end.repeat(2))
}

/// The begin of the line of a statement, or of the comment that belongs to it.
fn above(source: &Source, at: u32) -> u32 {
    let mut line = source.lines.line(at);
    while let Some(before) = line.checked_sub(1) {
        let text = source.slice(source.line(before)).trim();
        // The first lines may be for other programs.
        if !text.starts_with('#') || text.starts_with("#!") || text.starts_with("# -*-") {
            break;
        }
        line = before;
    }
    source.line(line).start
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
pub(crate) fn path_to(from: &Source, to: &FileId) -> String {
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
