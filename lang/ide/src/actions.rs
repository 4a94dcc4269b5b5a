//! Changes that an editor offers at a place: what mends a diagnostic, and what writes the same in
//! another way.
//!
//! Each change leaves a text that parses as well as before. What would change the meaning of a file is
//! not offered, and what cannot be told is taken for such.

mod arguments;
mod extract;
mod given;
mod inline;
mod missing;
mod order;
mod plain;
mod service;
mod told;
mod wrap;

use std::sync::Arc;

use aurora_syntax::tree::{Arg, Expr, ExprKind, PostKind, PostOp, Postfix};
use aurora_syntax::{Span, walk};

use crate::diagnostics::Diagnostic;
use crate::index::Index;
use crate::names::{ScopeId, touches};
use crate::source::{FileEdit, FileId, Source};
use crate::style::Style;
use crate::sure::{Certain, Sure, scope_of};
use crate::text::offset;
use crate::workspace::Snapshot;

/// How many changes are offered at one place.
const MAX_ACTIONS: usize = 40;

/// What a change is for: how editors group them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum ActionKind {
    /// It mends a diagnostic.
    QuickFix,
    /// It gives a name to a part.
    Extract,
    /// It puts a value in place of its name.
    Inline,
    /// It writes the same anew, or adds to it.
    Rewrite,
    /// It is about the whole file.
    Source,
}

impl ActionKind {
    /// Its name in the protocol of editors.
    pub const fn name(self) -> &'static str {
        match self {
            Self::QuickFix => "quickfix",
            Self::Extract => "refactor.extract",
            Self::Inline => "refactor.inline",
            Self::Rewrite => "refactor.rewrite",
            Self::Source => "source",
        }
    }
}

/// A change that is offered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Action {
    /// What it does, in words.
    pub title: String,
    /// What it is for.
    pub kind: ActionKind,
    /// What is changed; no two changes of a file overlap.
    pub edits: Vec<FileEdit>,
    /// The diagnostic that it mends, as its place among those that were given.
    pub mends: Option<usize>,
    /// Whether it is what one most likely wants.
    pub is_preferred: bool,
}

/// The changes that can be made at a selection, or at a cursor if it is empty. `told` is what editors
/// show of the file; what touches the selection is mended.
pub fn actions(
    world: &Snapshot,
    file: &FileId,
    selection: Span,
    told: &[Diagnostic],
) -> Vec<Action> {
    let Some(source) = world.file(file) else { return Vec::new() };
    let end = offset(source.text.len());
    let start = selection.start.min(end);
    let selection = Span::new(start, selection.end.clamp(start, end));
    let files = world.namespace(source);
    let index = Index::new(world, &files);
    let place = Place { world, source, index: &index, selection, style: Style::of(source) };
    let mut found = Vec::new();
    told::fixes(&place, told, &mut found);
    let call = place.call_around(selection);
    if let Some(call) = &call {
        missing::fields(&place, call, &mut found);
        wrap::in_list(&place, call, &mut found);
        service::additions(&place, call, &mut found);
        order::fields(&place, call, &mut found);
    }
    extract::variable(&place, &mut found);
    extract::binding(&place, &mut found);
    inline::variable(&place, &mut found);
    plain::rewritings(&place, &mut found);
    let mistakes = mistakes(&source.text);
    found.retain(|action| is_sound(world, source, action, mistakes));
    found.dedup_by(|second, first| first.edits == second.edits && first.mends == second.mends);
    found.truncate(MAX_ACTIONS);
    found
}

fn mistakes(text: &str) -> usize {
    let parsed = aurora_syntax::parse(text);
    parsed.errors.len() + parsed.refused.len()
}

/// Whether the text parses as well with the change as it does without.
fn is_sound(world: &Snapshot, source: &Source, action: &Action, before: usize) -> bool {
    let others = action.edits.iter().map(|edit| &edit.location.file);
    let mut files: Vec<&FileId> = others.collect();
    files.sort_unstable();
    files.dedup();
    !files.is_empty()
        && files.into_iter().all(|id| {
            let Some(file) = world.file(id) else { return false };
            let before = if file.id == source.id { before } else { mistakes(&file.text) };
            let Some(text) = applied(&file.text, id, &action.edits) else { return false };
            mistakes(&text) <= before
        })
}

/// A text with the changes of its file; [`None`] if two of them overlap or one is not of the text.
pub fn applied(text: &str, file: &FileId, edits: &[FileEdit]) -> Option<String> {
    let mut edits: Vec<&FileEdit> =
        edits.iter().filter(|edit| edit.location.file == *file).collect();
    edits.sort_by_key(|edit| (edit.location.span.start, edit.location.span.end));
    let mut out = String::with_capacity(text.len());
    let mut at = 0;
    for edit in edits {
        let range = edit.location.span.range();
        out.push_str(text.get(at..range.start)?);
        out.push_str(&edit.text);
        text.get(range.clone())?;
        at = range.end;
    }
    out.push_str(text.get(at..)?);
    Some(out)
}

/// Where changes are asked for.
struct Place<'a> {
    world: &'a Snapshot,
    source: &'a Arc<Source>,
    index: &'a Index<'a>,
    selection: Span,
    style: Style,
}

/// A call around a place.
struct Call<'a> {
    postfix: &'a Postfix,
    /// Which of the chain's operations it is.
    at: usize,
    op: &'a PostOp,
    args: &'a [Arg],
    scope: ScopeId,
    /// What is called, where there is no doubt.
    callee: Option<Sure>,
}

impl<'a> Place<'a> {
    fn edit(&self, span: Span, text: impl Into<String>) -> FileEdit {
        FileEdit { location: self.source.at(span), text: text.into() }
    }

    fn insert(&self, at: u32, text: impl Into<String>) -> FileEdit {
        self.edit(Span::new(at, at), text)
    }

    fn action(&self, kind: ActionKind, title: impl Into<String>, edits: Vec<FileEdit>) -> Action {
        Action { title: title.into(), kind, edits, mends: None, is_preferred: false }
    }

    /// The innermost call that holds a part, its name included.
    fn call_around(&self, part: Span) -> Option<Call<'a>> {
        let mut found: Option<(&'a Postfix, usize, Span)> = None;
        walk::around(&self.source.parsed.tree, part, &mut |expr| {
            let ExprKind::Postfix(postfix) = &expr.kind else { return };
            for (at, op) in postfix.ops.iter().enumerate() {
                let PostKind::Call(_) = op.kind else { continue };
                let whole = head(postfix, at).to(op.span);
                let is_smaller = found.is_none_or(|(.., known)| whole.len() < known.len());
                if whole.start <= part.start && part.end <= whole.end && is_smaller {
                    found = Some((postfix, at, whole));
                }
            }
        });
        let (postfix, at, _) = found?;
        let op = &postfix.ops[at];
        let PostKind::Call(args) = &op.kind else { return None };
        let scope = scope_of(self.source, &postfix.base);
        let mut certain = Certain::new(self.world, self.index);
        let callee = certain.before(scope, &postfix.base, &postfix.ops[..at]);
        Some(Call { postfix, at, op, args, scope, callee })
    }

    /// The kind of an expression, where there is no doubt.
    fn kind(&self, scope: ScopeId, expr: &Expr) -> Option<Sure> {
        Certain::new(self.world, self.index).kind(scope, expr)
    }

    /// Whether a name has the meaning that the language gives it.
    fn is_language(&self, name: &str) -> bool {
        self.index.at_top(name).is_empty()
    }

    /// The line of a byte, without its end.
    fn line(&self, at: u32) -> Span {
        self.source.lines.span(self.source.lines.line(at), &self.source.text)
    }

    /// The blanks before what stands first on its line; [`None`] if it does not.
    fn indent(&self, at: u32) -> Option<&'a str> {
        let before = self.source.slice(Span::new(self.line(at).start, at));
        before.trim_matches([' ', '\t', '\u{feff}']).is_empty().then_some(before)
    }

    /// The comments within a part.
    fn comments(&self, part: Span) -> &'a [Span] {
        let all = &self.source.parsed.comments;
        let from = all.partition_point(|comment| comment.end <= part.start);
        let to = all.partition_point(|comment| comment.start < part.end).max(from);
        &all[from..to]
    }

    /// Whether a byte stands between the quotes of a text.
    fn in_text(&self, at: u32) -> bool {
        let tokens = self.source.tokens();
        let from = tokens.partition_point(|token| token.span.end <= at);
        tokens.get(from).is_some_and(|token| {
            use aurora_syntax::Kind::{BadStr, Str};
            matches!(token.kind, Str | BadStr) && token.span.start < at
        })
    }
}

impl Call<'_> {
    /// The argument of a name.
    fn argument(&self, source: &Source, name: &str) -> Option<&Arg> {
        self.args.iter().find(|arg| arg.name.is_some_and(|found| source.slice(found) == name))
    }

    /// Whether it makes a struct anew, rather than to copy one that a file has.
    fn is_new(&self, place: &Place<'_>) -> bool {
        let base = &self.postfix.base;
        match self.callee {
            _ if self.at > 0 || base.kind != ExprKind::Name => false,
            Some(Sure::Constructor(_) | Sure::Maker(_) | Sure::OwnConstructor(_)) => true,
            // An object of the language, such as `Service`.
            Some(Sure::Struct(_)) => {
                place.index.find(self.scope, place.source.slice(base.span)).is_empty()
            }
            _ => false,
        }
    }
}

/// The word right before a call's bracket.
fn head(postfix: &Postfix, at: usize) -> Span {
    match at.checked_sub(1).map(|before| &postfix.ops[before]) {
        Some(PostOp { kind: PostKind::Attr(name), .. }) => *name,
        Some(op) => Span::new(op.span.end, op.span.end),
        None => postfix.base.span,
    }
}

/// Whether a diagnostic or name touches a selection.
fn meets(span: Span, selection: Span) -> bool {
    touches(span, selection.start)
        || touches(span, selection.end)
        || (selection.start <= span.start && span.end <= selection.end)
}
