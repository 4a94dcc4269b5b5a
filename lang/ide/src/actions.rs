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
mod moved;
mod order;
mod plain;
mod service;
mod told;
mod wrap;

use std::collections::BTreeSet;
use std::sync::Arc;

use aurora_syntax::tree::{Arg, Expr, ExprKind, PostKind, PostOp, Postfix};
use aurora_syntax::{Parsed, Span, walk};

use crate::diagnostics::Diagnostic;
use crate::index::Index;
use crate::names::{ScopeId, touches};
use crate::source::{FileEdit, FileId, Source, applied};
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
    /// All of them.
    pub const ALL: [Self; 5] =
        [Self::QuickFix, Self::Extract, Self::Inline, Self::Rewrite, Self::Source];
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

/// The changes of some kinds that can be made at a selection, or at a cursor if it is empty. `told` is
/// what editors show of the file; what touches the selection is mended.
pub fn actions(
    world: &Snapshot,
    file: &FileId,
    selection: Span,
    told: &[Diagnostic],
    kinds: &[ActionKind],
) -> Vec<Action> {
    let Some(source) = world.file(file) else { return Vec::new() };
    let end = offset(source.text.len());
    let start = selection.start.min(end);
    let selection = Span::new(start, selection.end.clamp(start, end));
    let files = world.namespace(source);
    let index = Index::new(world, &files);
    let place = Place { world, source, index: &index, selection, style: Style::of(source) };
    let is_wanted = |kind: ActionKind| kinds.contains(&kind);
    let mut found = Vec::new();
    if is_wanted(ActionKind::QuickFix) {
        told::fixes(&place, told, &mut found);
    }
    if is_wanted(ActionKind::Rewrite)
        && let Some(call) = place.call_around(selection)
    {
        missing::fields(&place, &call, &mut found);
        wrap::in_list(&place, &call, &mut found);
        service::additions(&place, &call, &mut found);
        order::fields(&place, &call, &mut found);
    }
    if is_wanted(ActionKind::Extract) {
        extract::variable(&place, &mut found);
        extract::binding(&place, &mut found);
    }
    if is_wanted(ActionKind::Inline) {
        inline::variable(&place, &mut found);
    }
    if is_wanted(ActionKind::Rewrite) || is_wanted(ActionKind::Source) {
        plain::rewritings(&place, &mut found);
    }
    // What mends one diagnostic may mend others, too.
    let mut seen = BTreeSet::new();
    found.retain(|action| {
        is_wanted(action.kind) && seen.insert((action.kind, action.edits.clone()))
    });
    found.into_iter().filter(|action| is_sound(world, action)).take(MAX_ACTIONS).collect()
}

/// Whether the files parse as well with a change as they do without.
fn is_sound(world: &Snapshot, action: &Action) -> bool {
    let mistakes = |parsed: &Parsed| parsed.errors.len() + parsed.refused.len();
    let files: BTreeSet<&FileId> = action.edits.iter().map(|edit| &edit.location.file).collect();
    let is_sound = |id: &FileId| {
        let file = world.file(id)?;
        let text = applied(&file.text, id, &action.edits)?;
        let after = match action.edits.as_slice() {
            [edit] => {
                let replaced = edit.location.span.range();
                aurora_syntax::reparse(file.parsed.clone(), &file.text, replaced, &text)
            }
            _ => aurora_syntax::parse(&text),
        };
        Some(mistakes(&after) <= mistakes(&file.parsed))
    };
    !files.is_empty() && files.into_iter().all(|id| is_sound(id) == Some(true))
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

    /// The line of a byte, without its end and without a byte order mark.
    fn line(&self, at: u32) -> Span {
        self.source.line(self.source.lines.line(at))
    }

    /// The blanks before what stands first on its line; [`None`] if it does not.
    fn indent(&self, at: u32) -> Option<&'a str> {
        let before = self.source.slice(Span::new(self.line(at).start, at));
        before.trim_matches([' ', '\t']).is_empty().then_some(before)
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
