//! Brackets around a value where a list is wanted.

use aurora_model::declare::TypeDecl;
use aurora_syntax::tree::{Expr, ExprKind};

use super::{Action, ActionKind, Call, Place};

/// Puts brackets around the value at the selection if its field takes a list and it is none.
pub(super) fn in_list(place: &Place<'_>, call: &Call<'_>, found: &mut Vec<Action>) {
    let Some(decl) = call.callee.as_ref().and_then(|callee| callee.decl()) else { return };
    let at = place.selection;
    let here = call.args.iter().find(|arg| arg.span.start <= at.start && at.end <= arg.span.end);
    let Some((arg, name)) = here.and_then(|arg| Some((arg, arg.name?))) else { return };
    let Some(field) = decl.field(place.source.slice(name)) else { return };
    if !matches!(field.ty, TypeDecl::List(_)) || !is_single(place, call, &arg.value) {
        return;
    }
    let edits =
        vec![place.insert(arg.value.span.start, "["), place.insert(arg.value.span.end, "]")];
    let title = format!("Put the value of `{}` in a list", field.name);
    found.push(place.action(ActionKind::Rewrite, title, edits));
}

/// Whether a value is no list for sure.
fn is_single(place: &Place<'_>, call: &Call<'_>, value: &Expr) -> bool {
    match &value.kind {
        ExprKind::Str(_) | ExprKind::Int | ExprKind::Float | ExprKind::Dict(_) => true,
        ExprKind::Paren(inner) => is_single(place, call, inner),
        ExprKind::Name | ExprKind::Postfix(_) => {
            use crate::sure::Sure::{Own, Struct};
            matches!(place.kind(call.scope, value), Some(Struct(_) | Own(_)))
        }
        _ => false,
    }
}
