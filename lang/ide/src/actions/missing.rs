//! Adding the fields that a struct must be given.

use aurora_model::declare::StructDecl;
use aurora_syntax::tree::Star;

use super::{Action, ActionKind, Call, Place, arguments, given};

/// Adds all fields that are needed and not given.
pub(super) fn fields(place: &Place<'_>, call: &Call<'_>, found: &mut Vec<Action>) {
    let Some(decl) = call.callee.as_ref().and_then(|callee| callee.decl()) else { return };
    let is_open = call.args.iter().any(|arg| arg.name.is_none() || arg.star != Star::No);
    if !call.is_new(place) || is_open {
        return;
    }
    let missing: Vec<&str> = given::needed(decl)
        .map(|field| field.name)
        .filter(|field| call.argument(place.source, field).is_none())
        .collect();
    if missing.is_empty() {
        return;
    }
    if let Some(action) = added(place, call, decl, &missing) {
        found.push(action);
    }
}

/// Adds some fields to a call.
pub(super) fn added(
    place: &Place<'_>,
    call: &Call<'_>,
    decl: &'static StructDecl,
    fields: &[&str],
) -> Option<Action> {
    let decls: Vec<_> = fields.iter().filter_map(|field| decl.field(field)).collect();
    let structs = decls.iter().flat_map(|field| field.ty.structs());
    if structs.into_iter().any(|decl| !place.is_language(decl.name)) {
        return None;
    }
    let new: Vec<String> = decls.iter().map(|field| given::argument(place, field)).collect();
    let edits = arguments::add(place, call.op, call.args, &new)?;
    let names: Vec<String> = fields.iter().map(|field| format!("`{field}`")).collect();
    let title = format!("Add {} to `{}`", names.join(", "), decl.name);
    Some(place.action(ActionKind::Rewrite, title, edits))
}
