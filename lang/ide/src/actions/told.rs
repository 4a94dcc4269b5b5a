//! What mends diagnostics: the fixes that come with them, and what their kind suggests.

use std::sync::Arc;

use aurora_eval::{Code, Severity};
use aurora_syntax::tree::{Arg, ExprKind, PostKind, PostOp};
use aurora_syntax::{Span, walk};

use super::{Action, ActionKind, Place, arguments, meets, missing, order};
use crate::diagnostics::{Diagnostic, Tag};
use crate::names::DefKind;
use crate::source::{FileId, Source};
use crate::taking::{self, Taker};
use crate::types::expression_at;

/// How many files are offered that define a name.
const MAX_FILES: usize = 5;

/// Adds what mends the diagnostics at the selection.
pub(super) fn fixes(place: &Place<'_>, told: &[Diagnostic], found: &mut Vec<Action>) {
    for (at, diagnostic) in told.iter().enumerate() {
        let is_here = diagnostic.location.file == place.source.id
            && meets(diagnostic.location.span, place.selection);
        if !is_here {
            continue;
        }
        let before = found.len();
        of_diagnostic(place, diagnostic, found);
        let is_only = found.len() == before + 1;
        for action in &mut found[before..] {
            action.mends = Some(at);
            action.kind = ActionKind::QuickFix;
            action.is_preferred = is_only;
        }
        let allowed = allow(place, diagnostic);
        found.extend(allowed.map(|action| Action { mends: Some(at), ..action }));
    }
}

fn of_diagnostic(place: &Place<'_>, diagnostic: &Diagnostic, found: &mut Vec<Action>) {
    for fix in &diagnostic.fixes {
        let title = capitalised(&fix.title);
        found.push(place.action(ActionKind::QuickFix, title, fix.edits.clone()));
    }
    let span = diagnostic.location.span;
    match (diagnostic.code, diagnostic.tag) {
        (Some(Code::SyntaxError), _) => found.extend(repeated(place, span)),
        (Some(Code::UnknownName), _) => taken(place, span, found),
        (Some(Code::UnusedBinding), _) => found.extend(unbound(place, span)),
        (Some(Code::MissingField), _) => found.extend(missing_field(place, diagnostic)),
        (None, Some(Tag::Unnecessary)) => {
            found.extend(unloaded(place, span).or_else(|| unused(place, span)));
        }
        (None, Some(Tag::Deprecated)) => found.extend(replaced(place, span)),
        _ => {}
    }
}

fn capitalised(title: &str) -> String {
    let mut rest = title.chars();
    rest.next().map_or_else(String::new, |first| first.to_uppercase().chain(rest).collect())
}

/// The argument whose name stands at a place, with its call, and what stands before that.
fn argument<'a>(
    place: &Place<'a>,
    name: Span,
) -> Option<(&'a Arg, &'a PostOp, Option<&'a PostOp>)> {
    let mut found = None;
    walk::around(&place.source.parsed.tree, name, &mut |expr| {
        let ExprKind::Postfix(postfix) = &expr.kind else { return };
        for (at, op) in postfix.ops.iter().enumerate() {
            let PostKind::Call(args) = &op.kind else { continue };
            if let Some(arg) = args.iter().find(|arg| arg.name == Some(name)) {
                found = Some((arg, op, at.checked_sub(1).map(|at| &postfix.ops[at])));
            }
        }
    });
    found
}

/// Takes away an argument whose name another has before it.
fn repeated(place: &Place<'_>, name: Span) -> Option<Action> {
    let (_, op, _) = argument(place, name)?;
    let PostKind::Call(args) = &op.kind else { return None };
    let mut names = args.iter().filter_map(|arg| arg.name).take_while(|other| *other != name);
    names.find(|other| place.source.slice(*other) == place.source.slice(name))?;
    remove(place, name, "Remove the second value")
}

fn remove(place: &Place<'_>, name: Span, title: &str) -> Option<Action> {
    let (arg, op, _) = argument(place, name)?;
    let edits = vec![arguments::remove(place, op, arg)?];
    Some(place.action(ActionKind::QuickFix, title, edits))
}

/// Takes away a binding, and the call if it is its only one.
fn unbound(place: &Place<'_>, name: Span) -> Option<Action> {
    let (arg, op, bind) = argument(place, name)?;
    let PostKind::Call(args) = &op.kind else { return None };
    let title = format!("Remove the binding `{}`", place.source.slice(name));
    let edit = match bind {
        Some(bind) if args.len() == 1 && place.comments(op.span).is_empty() => {
            place.edit(bind.span.to(op.span), "")
        }
        _ => arguments::remove(place, op, arg)?,
    };
    Some(place.action(ActionKind::QuickFix, title, vec![edit]))
}

/// Adds the field that is missing. Where it is taken away in plain words, it would be given twice.
fn missing_field(place: &Place<'_>, diagnostic: &Diagnostic) -> Option<Action> {
    let field = diagnostic.missing.as_deref()?;
    let call = place.call_around(diagnostic.location.span)?;
    let decl = call.callee.as_ref()?.decl()?;
    decl.field(field)?;
    missing::added(place, &call, decl, &[field])
}

/// Takes away a name that is loaded in vain, and the `load` with the last of them.
fn unloaded(place: &Place<'_>, name: Span) -> Option<Action> {
    let source = place.source;
    let id = source.names.definition_at(name.start)?;
    let definition = &source.names.definitions[id];
    if definition.kind != DefKind::Loaded {
        return None;
    }
    let is_it = |inclusion: &&crate::names::Inclusion| {
        inclusion.whole.start <= name.start && name.end <= inclusion.whole.end
    };
    let inclusion = source.names.inclusions.iter().find(is_it)?;
    let title = format!("Remove `{}`, which is never used", source.slice(name));
    let edit = if inclusion.loaded.as_ref()?.len() == 1 {
        place.edit(source.own_lines(inclusion.whole)?, "")
    } else {
        let call = place.call_around(definition.whole)?;
        let arg = call.args.iter().find(|arg| arg.span == definition.whole)?;
        arguments::remove(place, call.op, arg)?
    };
    Some(place.action(ActionKind::QuickFix, title, vec![edit]))
}

/// Takes away a variable that nothing reads, if its value does nothing besides.
fn unused(place: &Place<'_>, name: Span) -> Option<Action> {
    let source = place.source;
    let definition = &source.names.definitions[source.names.definition_at(name.start)?];
    let value = expression_at(source, definition.value?)?;
    let between = source.slice(Span::new(name.end, value.span.start));
    let is_alone = name.to(value.span) == definition.whole && between.trim() == "=";
    let line = place.line(definition.whole.end);
    let rest = source.slice(Span::new(definition.whole.end, line.end));
    place.indent(definition.whole.start)?;
    if definition.kind != DefKind::Variable
        || !is_alone
        || !rest.trim().is_empty()
        || order::acts(place, value)
    {
        return None;
    }
    let end = source.lines.start(source.lines.line(line.start) + 1, &source.text);
    let edit = place.edit(Span::new(place.line(definition.whole.start).start, end), "");
    let title = format!("Remove `{}`, which is never used", source.slice(name));
    Some(place.action(ActionKind::QuickFix, title, vec![edit]))
}

/// `production` as the tier that is the same.
fn replaced(place: &Place<'_>, name: Span) -> Option<Action> {
    if place.source.slice(name) != "production" {
        return None;
    }
    let (arg, op, _) = argument(place, name)?;
    let PostKind::Call(args) = &op.kind else { return None };
    let has_tier =
        args.iter().any(|arg| arg.name.is_some_and(|name| place.source.slice(name) == "tier"));
    match place.source.slice(arg.value.span) {
        "True" if !has_tier => {
            let text = format!("tier{}{}", place.style.equals, place.style.quoted("preferred"));
            let edits = vec![place.edit(arg.span, text)];
            Some(place.action(ActionKind::QuickFix, "Write it as a tier", edits))
        }
        "False" => remove(place, name, "Remove `production`, which is the default"),
        _ => None,
    }
}

/// Includes or loads a file that defines a name.
fn taken(place: &Place<'_>, name: Span, found: &mut Vec<Action>) {
    let text = place.source.slice(name);
    let here = place.world.namespace(place.source);
    let is_here = |file: &FileId| here.iter().any(|known| known.id == *file);
    let mut all: Vec<&Arc<Source>> = place.world.library().collect();
    all.extend(place.world.files());
    let defining = all.into_iter().filter(|file| {
        let mut defined = file.names.in_scope(&file.text, 0, text);
        !is_here(&file.id)
            && defined.any(|(_, definition)| {
                matches!(definition.kind, DefKind::Variable | DefKind::Function | DefKind::Struct)
            })
    });
    let taker = Taker::new(place.world, place.source, place.style);
    // It stands before everything that may use the name.
    let first = place.source.parsed.tree.iter().find(|stmt| stmt.span.end >= name.start);
    let before = first.map_or(name.start, |stmt| stmt.span.start);
    let edits = defining.filter_map(|file| Some((file, taker.take(before, file, text)?)));
    for (file, edit) in edits.take(MAX_FILES) {
        let path = taking::path_to(place.source, &file.id);
        let title = if taker.loads(file) {
            format!("Load `{text}` from {path}")
        } else {
            format!("Include {path}, which defines `{text}`")
        };
        found.push(place.action(ActionKind::QuickFix, title, vec![edit]));
    }
}

/// Says in a comment that a warning is not wanted here.
fn allow(place: &Place<'_>, diagnostic: &Diagnostic) -> Option<Action> {
    let code = diagnostic.code.filter(|code| code.severity() == Severity::Warning)?;
    let source = place.source;
    let line = place.line(diagnostic.location.span.start);
    let text = format!("# aurora: allow {code}");
    let is_free = place.comments(Span::new(line.start, line.end + 1)).is_empty()
        && !place.in_text(line.end)
        && !source.slice(line).ends_with('\\');
    let edit = if is_free {
        place.insert(line.end, format!("  {text}"))
    } else if !place.in_text(line.start) && !continues(place, line.start) {
        let written = source.slice(line);
        let indent = &written[..written.len() - written.trim_start().len()];
        place.insert(line.start, format!("{indent}{text}{}", place.style.line_end))
    } else {
        return None;
    };
    let title = format!("Allow `{code}` here");
    Some(place.action(ActionKind::QuickFix, title, vec![edit]))
}

/// Whether the line before goes on at the begin of a line, behind a backslash that is in no comment.
fn continues(place: &Place<'_>, at: u32) -> bool {
    let Some(before) = place.source.lines.line(at).checked_sub(1) else { return false };
    let line = place.source.line(before);
    place.source.slice(line).ends_with('\\')
        && place.comments(Span::new(line.end - 1, line.end)).is_empty()
}
