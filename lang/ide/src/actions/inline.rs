//! A value in place of the name that it was given.

use aurora_syntax::Span;
use aurora_syntax::tree::{Expr, ExprKind, PostKind, Stmt, StmtKind};
use aurora_syntax::walk;

use super::moved::{is_first, is_fixed, is_literal};
use super::{Action, ActionKind, Place};
use crate::names::{DefKind, Definition, Use};
use crate::reached::is_sure;
use crate::types::expression_at;

/// Puts the value of the name at the selection in all places where it is used, and takes the name
/// away, if it is simple: given once, in this file only, and the same wherever it stands.
pub(super) fn variable(place: &Place<'_>, found: &mut Vec<Action>) {
    if let Some(action) = inlined(place) {
        found.push(action);
    }
}

fn inlined(place: &Place<'_>) -> Option<Action> {
    let source = place.source;
    let names = &source.names;
    let at = place.selection.start;
    let definition = match names.definition_at(at) {
        Some(id) => &names.definitions[id],
        None => {
            let used = names.use_at(at)?;
            match *place.index.find(used.scope, source.slice(used.name)) {
                [(0, id)] => &names.definitions[id],
                _ => return None,
            }
        }
    };
    let name = source.slice(definition.name);
    if definition.kind != DefKind::Variable || name == "jobs" || name == "hooks" {
        return None;
    }
    // Nobody else gives the name a value, and nobody else reads it.
    if place.index.find(definition.scope, name).len() != 1 {
        return None;
    }
    let others = place.world.namespace(source);
    let is_read_elsewhere = definition.scope == 0
        && others
            .iter()
            .skip(1)
            .any(|file| file.names.uses.iter().any(|used| file.slice(used.name) == name));
    let loads = place.world.includers(&source.id).any(|(_, is_include)| !is_include);
    if is_read_elsewhere || (definition.scope == 0 && loads) {
        return None;
    }
    let value = expression_at(source, definition.value?)?;
    let stmt = whole(&source.parsed.tree, definition.whole)?;
    let StmtKind::Assign { targets, .. } = &stmt.kind else { return None };
    if targets.len() != 1 || !place.comments(place.line(stmt.span.start).to(stmt.span)).is_empty() {
        return None;
    }
    let meant = place.index.find(definition.scope, name);
    let is_it = |used: &&Use| {
        source.slice(used.name) == name && place.index.find(used.scope, name) == meant
    };
    let uses: Vec<&Use> = names.uses.iter().filter(is_it).collect();
    let is_behind = |used: &&Use| used.name.start >= stmt.span.end;
    if uses.is_empty() || !uses.iter().all(is_behind) {
        return None;
    }
    // What calls give might be another thing each time, and lists are told apart.
    let is_plain = is_literal(value) || matches!(value.kind, ExprKind::Name);
    if !is_plain && (uses.len() > 1 || !is_used_at_once(place, definition, value, uses[0])) {
        return None;
    }
    if !same_names(place, value, definition, &uses) {
        return None;
    }
    let text = atom(place, value);
    let mut edits = Vec::with_capacity(uses.len() + 1);
    for used in &uses {
        let is_target = is_written(place, used.name);
        if is_target || (!is_plain_base(value) && is_base(place, used.name)) {
            return None;
        }
        edits.push(place.edit(used.name, text.clone()));
    }
    edits.push(place.edit(source.own_lines(stmt.span)?, ""));
    Some(place.action(ActionKind::Inline, format!("Put the value of `{name}` in its place"), edits))
}

/// The statement that is a part of a file.
fn whole(stmts: &[Stmt], span: Span) -> Option<&Stmt> {
    let from = stmts.partition_point(|stmt| stmt.span.end < span.end);
    let stmt = stmts.get(from)?;
    if stmt.span == span {
        return Some(stmt);
    }
    walk::blocks(stmt).into_iter().find_map(|block| {
        // The only statement of a block cannot be taken away.
        whole(&block.stmts, span).filter(|_| block.stmts.len() > 1 || block.stmts[0].span != span)
    })
}

/// Whether the only use is evaluated exactly once, in the block of the definition: in no loop,
/// function, comprehension or branch. What may come to something else later must be used in the next
/// statement, before anything else is done there.
fn is_used_at_once(place: &Place<'_>, definition: &Definition, value: &Expr, used: &Use) -> bool {
    fn block<'t>(stmts: &'t [Stmt], definition: Span) -> Option<&'t [Stmt]> {
        if let Some(at) = stmts.iter().position(|stmt| stmt.span == definition) {
            return stmts.get(at + 1..);
        }
        let blocks = |stmt: &'t Stmt| walk::blocks(stmt);
        stmts.iter().flat_map(blocks).find_map(|inner| block(&inner.stmts, definition))
    }
    let Some(behind) = block(&place.source.parsed.tree, definition.whole) else { return false };
    let holds = |stmt: &Stmt| stmt.span.start <= used.name.start && used.name.end <= stmt.span.end;
    let Some(at) = behind.iter().position(holds) else { return false };
    let (StmtKind::Expr(whole)
    | StmtKind::Assign { value: whole, .. }
    | StmtKind::Return(Some(whole))) = &behind[at].kind
    else {
        return false;
    };
    let is_ready = is_fixed(place, value) || (at == 0 && is_first(place, whole, used.name));
    used.scope == definition.scope && is_sure(whole, used.name) && is_ready
}

/// Whether each name in the value means the same where the value is put.
fn same_names(place: &Place<'_>, value: &Expr, definition: &Definition, uses: &[&Use]) -> bool {
    let mut is_same = true;
    walk::all(value, &mut |part| {
        if part.kind != ExprKind::Name {
            return;
        }
        let name = place.source.slice(part.span);
        // What a comprehension in the value goes over.
        if place.source.names.definition_at(part.span.start).is_some() {
            return;
        }
        let inner = place.source.names.use_at(part.span.start);
        let Some(scope) = inner.filter(|used| used.name == part.span).map(|used| used.scope) else {
            is_same = false;
            return;
        };
        // Names that the value itself defines go with it.
        if scope != definition.scope {
            is_same &= matches!(
                value.kind,
                ExprKind::Comp(_) | ExprKind::Lambda(_) | ExprKind::Postfix(_)
            );
            return;
        }
        let here = place.index.find(scope, name);
        is_same &=
            here.len() <= 1
                && uses.iter().all(|used| place.index.find(used.scope, name) == here)
                && !place.source.names.uses.iter().any(|used| {
                    place.source.slice(used.name) == name && is_written(place, used.name)
                });
    });
    is_same
}

/// Whether a name is given another value, or one of its parts is.
fn is_written(place: &Place<'_>, name: Span) -> bool {
    fn written(stmts: &[Stmt], name: Span) -> bool {
        let from = stmts.partition_point(|stmt| stmt.span.end < name.end);
        let Some(stmt) = stmts.get(from).filter(|stmt| stmt.span.start <= name.start) else {
            return false;
        };
        let holds = |target: &Expr| target.span.start <= name.start && name.end <= target.span.end;
        match &stmt.kind {
            StmtKind::Augmented { target, .. } => holds(target),
            StmtKind::Assign { targets, .. } => targets.iter().any(holds),
            StmtKind::Del(values) => values.iter().any(holds),
            _ => walk::blocks(stmt).into_iter().any(|block| written(&block.stmts, name)),
        }
    }
    written(&place.source.parsed.tree, name)
}

/// Whether something is asked of a name: `name.attribute`, `name[0]`, `name()`.
fn is_base(place: &Place<'_>, name: Span) -> bool {
    let mut found = false;
    walk::around(&place.source.parsed.tree, name, &mut |expr| {
        if let ExprKind::Postfix(postfix) = &expr.kind {
            found |= postfix.base.span == name;
        }
    });
    found
}

/// Whether one may ask something of the value itself as of its name.
fn is_plain_base(value: &Expr) -> bool {
    match &value.kind {
        ExprKind::Name | ExprKind::Str(_) => true,
        // A call's value; a list would be another one each time it is looked at.
        ExprKind::Postfix(postfix) => {
            postfix.ops.iter().any(|op| matches!(op.kind, PostKind::Call(_)))
        }
        _ => false,
    }
}

/// The text of a value that may stand anywhere.
fn atom(place: &Place<'_>, value: &Expr) -> String {
    let text = place.source.slice(value.span);
    let is_atom = match &value.kind {
        ExprKind::Name
        | ExprKind::Int
        | ExprKind::Float
        | ExprKind::List(_)
        | ExprKind::Set(_)
        | ExprKind::Dict(_)
        | ExprKind::Comp(_)
        | ExprKind::Postfix(_)
        | ExprKind::Paren(_) => true,
        ExprKind::Tuple { parens, .. } => *parens,
        ExprKind::Str(pieces) => pieces.len() == 1,
        _ => false,
    };
    if is_atom { text.to_owned() } else { format!("({text})") }
}
