//! Fields in the order in which they are declared and explained.

use aurora_syntax::tree::{Arg, Expr, ExprKind, PostKind, Star};
use aurora_syntax::{Span, walk};

use super::{Action, ActionKind, Call, Place};
use crate::builtin::{Builtin, builtin};
use crate::sure::{Sure, scope_of};
use crate::types::own_fields;

/// Puts the arguments of a call in the order of the struct's fields. A comment between them belongs to
/// one of them, and nobody knows to which: then nothing is offered.
pub(super) fn fields(place: &Place<'_>, call: &Call<'_>, found: &mut Vec<Action>) {
    let source = place.source;
    let (of, order): (&str, Vec<String>) = match &call.callee {
        Some(Sure::Own(class) | Sure::OwnConstructor(class)) => {
            let fields = own_fields(place.world, class);
            (class.name(), fields.iter().map(|field| field.name().to_owned()).collect())
        }
        Some(sure) => match sure.decl() {
            Some(decl) => {
                (decl.name, decl.fields.iter().map(|field| field.name.to_owned()).collect())
            }
            None => return,
        },
        None => return,
    };
    let position = |name: Span| order.iter().position(|field| field == source.slice(name));
    let mut ranked = Vec::with_capacity(call.args.len());
    for arg in call.args {
        // What is given without a name, or is no field, has no place in the order.
        let Some(rank) = arg.name.filter(|_| arg.star == Star::No).and_then(position) else {
            return;
        };
        ranked.push((rank, arg));
    }
    ranked.sort_by_key(|(rank, _)| *rank);
    let is_sorted = ranked.iter().zip(call.args).all(|((_, one), other)| one.span == other.span);
    // What calls do besides, such as to print, stays in its order.
    let acting = |args: &mut dyn Iterator<Item = &Arg>| -> Vec<Span> {
        args.filter(|arg| acts(place, &arg.value)).map(|arg| arg.span).collect()
    };
    let before = acting(&mut call.args.iter());
    let after = acting(&mut ranked.iter().map(|(_, arg)| *arg));
    if before != after {
        return;
    }
    let is_within = |comment: &Span| {
        call.args.iter().any(|arg| arg.span.start <= comment.start && comment.end <= arg.span.end)
    };
    if is_sorted || !place.comments(call.op.span).iter().all(is_within) {
        return;
    }
    let pairs = call.args.iter().zip(&ranked).filter(|(old, (_, new))| old.span != new.span);
    let edits = pairs.map(|(old, (_, new))| place.edit(old.span, source.slice(new.span)));
    let title = format!("Sort the fields of `{of}` as they are declared");
    found.push(place.action(ActionKind::Rewrite, title, edits.collect()));
}

/// Whether an expression calls more than what makes structs of the language.
pub(super) fn acts(place: &Place<'_>, value: &Expr) -> bool {
    let mut found = false;
    walk::all(value, &mut |part| {
        let ExprKind::Postfix(postfix) = &part.kind else { return };
        if !postfix.ops.iter().any(|op| matches!(op.kind, PostKind::Call(_))) {
            return;
        }
        let name = place.source.slice(postfix.base.span);
        let scope = scope_of(place.source, &postfix.base);
        let is_struct = postfix.base.kind == ExprKind::Name
            && matches!(builtin(name), Some(Builtin::Struct(_) | Builtin::Object(_)))
            && place.index.find(scope, name).is_empty();
        found |= !is_struct;
    });
    found
}
