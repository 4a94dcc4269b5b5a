//! Whether a value is the same when it is evaluated at another time.

use aurora_syntax::tree::{Expr, ExprKind, PostKind, PostOp, Postfix};
use aurora_syntax::{Span, walk};

use super::Place;
use crate::names::DefKind;
use crate::reached;
use crate::sure::{Certain, scope_of};
use crate::types::expression_at;

/// Whether it is a number or text as it is written.
pub(super) fn is_literal(value: &Expr) -> bool {
    match &value.kind {
        ExprKind::Int | ExprKind::Float => true,
        ExprKind::Str(pieces) => pieces.iter().all(|piece| piece.fields.is_none()),
        ExprKind::Paren(inner) => is_literal(inner),
        ExprKind::Unary { operand, .. } => is_literal(operand),
        _ => false,
    }
}

/// Whether a value is the same whenever it is evaluated, and evaluating it changes nothing: it is made
/// of literals and of structs, which never change.
pub(super) fn is_fixed(place: &Place<'_>, value: &Expr) -> bool {
    let is_possible = match &value.kind {
        ExprKind::Name => return is_unchanging(place, value.span),
        ExprKind::Postfix(postfix) => {
            place.kind(scope_of(place.source, &postfix.base), value).is_some()
        }
        ExprKind::Comp(_) | ExprKind::Lambda(_) | ExprKind::Backtick(_) | ExprKind::Error => false,
        _ => true,
    };
    let mut is_fixed = is_possible;
    walk::parts(value, &mut |part| is_fixed = is_fixed && self::is_fixed(place, part));
    is_fixed
}

/// Whether what a name means never changes: something of the language, a struct, or a literal.
fn is_unchanging(place: &Place<'_>, name: Span) -> bool {
    let source = place.source;
    let text = source.slice(name);
    let Some(used) = source.names.use_at(name.start).filter(|used| used.name == name) else {
        return false;
    };
    match *place.index.find(used.scope, text) {
        [] => aurora_eval::is_global(text) || matches!(text, "True" | "False" | "None"),
        [found] => {
            let (file, definition) = place.index.get(found);
            let value = definition.value.and_then(|value| expression_at(file, value));
            let is_literal = definition.kind == DefKind::Variable && value.is_some_and(is_literal);
            is_literal || Certain::new(place.world, place.index).named(used.scope, text).is_some()
        }
        _ => false,
    }
}

/// Whether a value is that of a name, or always the same.
pub(super) fn is_settled(place: &Place<'_>, value: &Expr) -> bool {
    value.kind == ExprKind::Name || is_fixed(place, value)
}

/// Whether nothing is done with an expression before a part of it is evaluated: up to there, names are
/// read and structs are made of what never changes.
pub(super) fn is_first(place: &Place<'_>, expr: &Expr, part: Span) -> bool {
    if expr.span == part {
        return true;
    }
    let mut is_ready = match &expr.kind {
        ExprKind::Postfix(postfix) => is_ready(place, postfix, part),
        _ => true,
    };
    let mut inner = None;
    reached::parts(expr, &mut |other| {
        if other.span.start <= part.start && part.end <= other.span.end {
            inner = Some(other);
        } else if other.span.end <= part.start {
            is_ready = is_ready && is_settled(place, other);
        }
    });
    is_ready && inner.is_some_and(|inner| is_first(place, inner, part))
}

/// Whether what stands in a chain before a part of it makes structs only.
fn is_ready(place: &Place<'_>, postfix: &Postfix, part: Span) -> bool {
    let count = postfix.ops.iter().take_while(|op| op.span.end <= part.start).count();
    let before = &postfix.ops[..count];
    let before = match before {
        // What is called next.
        [before @ .., PostOp { kind: PostKind::Attr(_), .. }] => before,
        before => before,
    };
    if before.iter().all(|op| matches!(op.kind, PostKind::Attr(_))) {
        return true;
    }
    let scope = scope_of(place.source, &postfix.base);
    Certain::new(place.world, place.index).before(scope, &postfix.base, before).is_some()
}
