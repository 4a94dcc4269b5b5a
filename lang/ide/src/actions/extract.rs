//! A name for a part: a variable for an expression, a binding for a part of a text.

use std::collections::BTreeSet;

use aurora_model::catalog;
use aurora_syntax::tree::{CompKind, Expr, ExprKind, PostKind, Stmt, StmtKind, StrPiece};
use aurora_syntax::{Kind as Word, Span, walk};

use super::moved::{is_first, is_fixed, is_settled};
use super::{Action, ActionKind, Place, arguments, head};
use crate::names::touches;
use crate::reached::is_sure;
use crate::sure::{Sure, scope_of};
use crate::types::expression_at;

/// The longest name that is made of a text.
const MAX_NAME: usize = 24;

/// Gives the selected expression a name, on a line before its statement. Without a selection that is
/// the struct whose name the cursor touches.
pub(super) fn variable(place: &Place<'_>, found: &mut Vec<Action>) {
    let Some((expr, what)) = chosen(place) else { return };
    let Some(stmt) = holder(&place.source.parsed.tree, expr.span) else { return };
    let Some(indent) = place.indent(stmt.span.start) else { return };
    if !is_extractable(place, stmt, expr) {
        return;
    }
    let name = free_name(place, &wish(place, expr, &what));
    let text = shifted(place, expr.span, indent);
    // Outside of the brackets around it, a value ends with its line.
    let text = if breaks(place, expr.span) { format!("({text})") } else { text };
    let line = format!("{name} = {text}{}{indent}", place.style.line_end);
    let edits = vec![place.insert(stmt.span.start, line), place.edit(expr.span, name.clone())];
    let title = match what {
        Some(what) => format!("Extract the {what} to a variable"),
        None => "Extract to a variable".to_owned(),
    };
    found.push(place.action(ActionKind::Extract, title, edits));
}

/// A part with its lines as far to the right as they are to stand behind `indent`. Lines of texts stay.
fn shifted(place: &Place<'_>, part: Span, indent: &str) -> String {
    let text = place.source.slice(part);
    let before = place.source.slice(Span::new(place.line(part.start).start, part.start));
    let old = &before[..before.len() - before.trim_start_matches([' ', '\t']).len()];
    let mut out = String::with_capacity(text.len());
    let mut at = part.start;
    for line in text.split_inclusive('\n') {
        let rest = line.strip_prefix(old).filter(|_| at > part.start && !place.in_text(at));
        match rest {
            Some(rest) => {
                out.push_str(indent);
                out.push_str(rest);
            }
            None => out.push_str(line),
        }
        at += crate::text::offset(line.len());
    }
    out
}

/// Whether a part goes over several lines without brackets of its own around these.
fn breaks(place: &Place<'_>, part: Span) -> bool {
    let tokens = place.source.tokens();
    let from = tokens.partition_point(|token| token.span.start < part.start);
    let to = tokens.partition_point(|token| token.span.end <= part.end).max(from);
    let mut depth = 0_usize;
    let mut before: Option<Span> = None;
    for token in &tokens[from..to] {
        let gap = before.map_or(token.span, |before| Span::new(before.end, token.span.start));
        if depth == 0 && before.is_some() && place.source.slice(gap).contains(['\n', '\r']) {
            return true;
        }
        match token.kind {
            Word::LParen | Word::LBracket | Word::LBrace => depth += 1,
            Word::RParen | Word::RBracket | Word::RBrace => depth = depth.saturating_sub(1),
            _ => {}
        }
        before = Some(token.span);
    }
    false
}

/// What is to get a name, and what it is, if it is a struct.
fn chosen<'a>(place: &Place<'a>) -> Option<(&'a Expr, Option<String>)> {
    let text = place.source.slice(place.selection);
    let start = place.selection.start + crate::text::offset(text.len() - text.trim_start().len());
    let selected = Span::new(start, start + crate::text::offset(text.trim().len()));
    let kind_of = |expr: &Expr| match &expr.kind {
        ExprKind::Postfix(postfix) => {
            let scope = scope_of(place.source, &postfix.base);
            place.kind(scope, expr)
        }
        _ => None,
    };
    let name_of = |kind: &Sure| match kind {
        Sure::Struct(decl) => Some(in_words(decl.name)),
        Sure::Own(class) => Some(class.name().to_owned()),
        _ => None,
    };
    if !selected.is_empty() {
        let expr = expression_at(place.source, selected)?;
        let is_part = match &expr.kind {
            ExprKind::Name | ExprKind::Error | ExprKind::Star(_) => false,
            ExprKind::Comp(comp) => comp.kind != CompKind::Argument,
            ExprKind::Tuple { parens, .. } => *parens,
            _ => true,
        };
        return is_part.then(|| (expr, kind_of(expr).as_ref().and_then(name_of)));
    }
    let at = place.selection.start;
    let mut found = None;
    walk::around(&place.source.parsed.tree, Span::new(at, at), &mut |expr| {
        let ExprKind::Postfix(postfix) = &expr.kind else { return };
        let calls = postfix.ops.iter().enumerate();
        let mut heads = calls
            .filter(|(_, op)| matches!(op.kind, PostKind::Call(_)))
            .map(|(at, _)| head(postfix, at));
        if heads.any(|head| !head.is_empty() && touches(head, at)) {
            found = kind_of(expr).as_ref().and_then(name_of).map(|name| (expr, Some(name)));
        }
    });
    found
}

/// `HealthCheckConfig` as words.
fn in_words(name: &str) -> String {
    let mut out = String::new();
    for character in name.chars() {
        if character.is_uppercase() && !out.is_empty() {
            out.push(' ');
        }
        out.extend(character.to_lowercase());
    }
    out
}

/// The innermost statement around a part, if the part stands in its expressions.
fn holder(stmts: &[Stmt], part: Span) -> Option<&Stmt> {
    let from = stmts.partition_point(|stmt| stmt.span.end < part.end);
    let stmt = stmts.get(from).filter(|stmt| stmt.span.start <= part.start)?;
    if let StmtKind::Class { .. } = stmt.kind {
        return None;
    }
    for block in walk::blocks(stmt) {
        if block.colon.end <= part.start
            && let Some(inner) = holder(&block.stmts, part)
        {
            // What stands on the line of its colon has no line before it.
            return (!block.inline).then_some(inner);
        }
    }
    Some(stmt)
}

/// Whether the value is the same when it is evaluated before the statement.
fn is_extractable(place: &Place<'_>, stmt: &Stmt, expr: &Expr) -> bool {
    let value = match &stmt.kind {
        StmtKind::Expr(value) => {
            // Who takes in other files says so in plain words.
            let is_taking = matches!(&value.kind, ExprKind::Postfix(postfix)
                if matches!(place.source.slice(postfix.base.span), "load" | "include"));
            Some(value).filter(|value| !is_taking && value.span != expr.span)
        }
        StmtKind::Assign { value, .. } => Some(value).filter(|value| value.span != expr.span),
        StmtKind::Annotated { value, .. } | StmtKind::Return(value) => value.as_ref(),
        // Another target than a name is read first.
        StmtKind::Augmented { target, value, .. } => {
            Some(value).filter(|_| target.kind == ExprKind::Name || is_fixed(place, expr))
        }
        StmtKind::For { iterable, .. } => Some(iterable),
        StmtKind::If { branches, .. } => branches.first().map(|(test, _)| test),
        StmtKind::Assert { test, .. } => Some(test),
        StmtKind::Print { values, .. } => {
            let at = values.iter().position(|value| is_sure(value, expr.span));
            let is_ready = |at: &usize| {
                values[..*at].iter().all(|before| is_settled(place, before))
                    || is_fixed(place, expr)
            };
            at.filter(is_ready).map(|at| &values[at])
        }
        _ => None,
    };
    let Some(value) = value else { return false };
    is_sure(value, expr.span) && (is_fixed(place, expr) || is_first(place, value, expr.span))
}

/// The name that a value would like to have.
fn wish(place: &Place<'_>, expr: &Expr, what: &Option<String>) -> String {
    let source = place.source;
    if let (ExprKind::Postfix(postfix), Some(what)) = (&expr.kind, what) {
        let calls = postfix.ops.iter().rev().filter_map(|op| match &op.kind {
            PostKind::Call(args) => Some(args),
            _ => None,
        });
        let mut args = calls.flatten();
        let name = args.find_map(|arg| {
            let is_name = arg.name.is_some_and(|name| source.slice(name) == "name");
            let ExprKind::Str(pieces) = &arg.value.kind else { return None };
            let is_plain = pieces.iter().all(|piece| piece.fields.is_none());
            (is_name && is_plain).then(|| aurora_syntax::value(&source.text, pieces).value)
        });
        return name.and_then(|name| identifier(&name)).unwrap_or_else(|| what.clone());
    }
    let mut named = None;
    walk::around(&source.parsed.tree, expr.span, &mut |around| {
        let ExprKind::Postfix(postfix) = &around.kind else { return };
        for op in &postfix.ops {
            let PostKind::Call(args) = &op.kind else { continue };
            let arg = args.iter().find(|arg| arg.value.span == expr.span);
            if let Some(name) = arg.and_then(|arg| arg.name) {
                named = Some(source.slice(name).to_owned());
            }
        }
    });
    named.unwrap_or_else(|| "value".to_owned())
}

/// A text as a name; [`None`] if nothing of it can be in one.
fn identifier(text: &str) -> Option<String> {
    let mut out = String::new();
    for character in text.chars() {
        if character.is_ascii_alphanumeric() || character == '_' {
            out.push(character.to_ascii_lowercase());
        } else if !out.ends_with('_') {
            out.push('_');
        }
        if out.len() >= MAX_NAME {
            break;
        }
    }
    let name = out.trim_matches('_');
    let is_name = name.starts_with(|c: char| c.is_ascii_alphabetic());
    is_name.then(|| name.to_owned())
}

/// A name like this that nothing in the file and its namespace has.
fn free_name(place: &Place<'_>, wish: &str) -> String {
    let wish = identifier(wish).unwrap_or_else(|| "value".to_owned());
    let source = place.source;
    let words: BTreeSet<&str> = source
        .tokens()
        .iter()
        .filter(|token| token.kind == Word::Name)
        .map(|token| source.slice(token.span))
        .collect();
    let is_keyword = |name: &str| {
        let tokens = aurora_syntax::tokens(name);
        tokens.first().is_none_or(|token| token.kind != Word::Name)
    };
    let is_free = |name: &String| {
        !is_keyword(name)
            // The name of an argument is no name of the file.
            && (!words.contains(name.as_str()) || is_argument_only(place, name))
            && place.index.at_top(name).is_empty()
            && !aurora_eval::is_global(name)
    };
    numbered(&wish, is_free)
}

fn is_argument_only(place: &Place<'_>, name: &str) -> bool {
    let names = &place.source.names;
    let is_it = |span: Span| place.source.slice(span) == name;
    !names.uses.iter().any(|used| is_it(used.name))
        && !names.definitions.iter().any(|definition| is_it(definition.name))
}

fn numbered(wish: &str, is_free: impl Fn(&String) -> bool) -> String {
    let mut name = wish.to_owned();
    let mut number = 2;
    while !is_free(&name) {
        name = format!("{wish}_{number}");
        number += 1;
    }
    name
}

/// Puts a reference in place of the selected part of a text, and binds its name at the struct around
/// it.
pub(super) fn binding(place: &Place<'_>, found: &mut Vec<Action>) {
    if let Some(action) = bound(place) {
        found.push(action);
    }
}

fn bound(place: &Place<'_>) -> Option<Action> {
    let selected = place.selection;
    if selected.is_empty() {
        return None;
    }
    let source = place.source;
    let mut around: Vec<&Expr> = Vec::new();
    walk::around(&source.parsed.tree, selected, &mut |expr| around.push(expr));
    let literal = around.iter().rposition(|expr| matches!(expr.kind, ExprKind::Str(_)))?;
    let ExprKind::Str(pieces) = &around[literal].kind else { return None };
    let holds = |piece: &&StrPiece| {
        let inner = piece.inner();
        inner.start <= selected.start && selected.end <= inner.end
    };
    let piece = pieces.iter().find(holds).filter(|piece| piece.fields.is_none())?;
    if !is_whole_part(source.slice(piece.inner()), piece, selected) {
        return None;
    }
    let value = struct_around(place, &around[..literal], around[literal])?;
    let ExprKind::Postfix(postfix) = &value.kind else { return None };
    let text = source.slice(selected);
    let name = reference_name(place, text);
    let open = source.slice(Span::new(piece.span.start, piece.inner().start));
    let close = source.slice(Span::new(piece.inner().end, piece.span.end));
    let argument = format!("{name}{}{open}{text}{close}", place.style.equals);
    let mut edits = vec![place.edit(selected, format!("{{{{{name}}}}}"))];
    // A name more for what binds names already.
    let binds = postfix.ops.windows(2).rev().find_map(|pair| match pair {
        [name, call] => match (&name.kind, &call.kind) {
            (PostKind::Attr(name), PostKind::Call(args))
                if source.slice(*name) == "bind" && call.span.start >= selected.end =>
            {
                Some((call, args))
            }
            _ => None,
        },
        _ => None,
    });
    match binds {
        Some((call, args)) => {
            edits.extend(arguments::add(place, call, args, &[argument])?);
        }
        None => edits.push(place.insert(value.span.end, format!(".bind({argument})"))),
    }
    let title = format!("Extract to a binding `{name}`");
    Some(place.action(ActionKind::Extract, title, edits))
}

/// Whether a part of a literal can be given by itself: no half of an escape or reference.
fn is_whole_part(inner: &str, piece: &StrPiece, selected: Span) -> bool {
    let start = (selected.start - piece.inner().start) as usize;
    let end = (selected.end - piece.inner().start) as usize;
    let (Some(before), Some(text), Some(after)) =
        (inner.get(..start), inner.get(start..end), inner.get(end..))
    else {
        return false;
    };
    let in_reference = before.rfind("{{").is_some_and(|open| !before[open..].contains("}}"));
    !text.contains(['{', '}', '\\', '\n', '\r'])
        && !before.ends_with(['{', '\\'])
        && !after.starts_with('}')
        && !in_reference
        && !text.trim().is_empty()
}

/// The innermost struct that an expression becomes a part of as it is: through arguments, lists and
/// tables alone.
fn struct_around<'a>(
    place: &Place<'_>,
    around: &[&'a Expr],
    literal: &'a Expr,
) -> Option<&'a Expr> {
    let mut part = literal;
    for outer in around.iter().rev() {
        match &outer.kind {
            ExprKind::Paren(_) | ExprKind::List(_) | ExprKind::Tuple { .. } => {}
            ExprKind::Dict(entries) => {
                entries.iter().find(|(_, value)| value.span == part.span)?;
            }
            ExprKind::Postfix(postfix) => {
                let is_argument = |op: &aurora_syntax::tree::PostOp| match &op.kind {
                    PostKind::Call(args) => {
                        args.iter().any(|arg| arg.value.span == part.span && arg.name.is_some())
                    }
                    _ => false,
                };
                let at = postfix.ops.iter().position(is_argument)?;
                // What is bound here is looked up elsewhere.
                if let Some(PostKind::Attr(_)) =
                    at.checked_sub(1).map(|before| &postfix.ops[before].kind)
                {
                    return None;
                }
                let scope = scope_of(place.source, &postfix.base);
                return match place.kind(scope, outer)? {
                    Sure::Struct(_) | Sure::Own(_) => Some(outer),
                    _ => None,
                };
            }
            _ => return None,
        }
        part = outer;
    }
    None
}

/// A name for a binding that means nothing else anywhere.
fn reference_name(place: &Place<'_>, text: &str) -> String {
    let files = place.world.namespace(place.source);
    let mut taken: BTreeSet<&str> = BTreeSet::from(["mesos", "thermos", "self", "super"]);
    for decl in catalog::structs() {
        taken.extend(decl.fields.iter().map(|field| field.name));
    }
    for file in &files {
        taken.extend(file.names.bound.iter().map(|bound| file.slice(bound.name)));
        let references = file.names.templates.iter().flat_map(|template| &template.references);
        let parts = references.filter_map(|reference| reference.parts.first());
        taken.extend(parts.map(|part| file.slice(*part)));
        let fields = file.names.definitions.iter();
        let fields = fields.filter(|found| found.kind == crate::names::DefKind::Field);
        taken.extend(fields.map(|field| file.slice(field.name)));
    }
    let wish = identifier(text).unwrap_or_else(|| "text".to_owned());
    let is_free = |name: &String| {
        let tokens = aurora_syntax::tokens(name);
        let is_name = tokens.first().is_some_and(|token| token.kind == Word::Name);
        is_name && !taken.contains(name.as_str())
    };
    numbered(&wish, is_free)
}
