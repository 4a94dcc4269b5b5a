//! The names of arguments: fields of structs, parameters of functions, names to bind.

use std::collections::BTreeSet;

use aurora_model::catalog;
use aurora_model::declare::{FieldDecl, Presence, Rule, StructDecl};
use aurora_model::docs::default_in_language;

use super::describe::Origin;
use super::place::Place;
use super::spec::spec;
use super::{Completion, CompletionKind, List, Rank, names, values};
use crate::cursor::OpenCall;
use crate::declaration::of_type;
use crate::names::{DefKind, touches};
use crate::resolve::Definitive;
use crate::types::{self, Fields, Kind, own_fields};
use crate::workspace::Snapshot;

/// Fields that an object sets by itself.
const SET: [(&str, &str); 1] = [("Service", "service")];

/// Proposes the names of arguments. Says whether nothing else may stand at the place.
pub(super) fn arguments(place: &Place<'_>, list: &mut List) -> bool {
    let Some(call) = place.calls.first() else { return false };
    if !call.at_name || !place.brackets_in_call().is_empty() || place.is_in_bases() {
        return false;
    }
    let callee = call.name.map_or("", |name| place.source.slice(name));
    let others = call.named.iter().filter(|name| !touches(**name, place.at));
    let mut given: BTreeSet<&str> = others.map(|name| place.source.slice(*name)).collect();
    given.extend(SET.iter().filter(|(name, _)| *name == callee).map(|(_, field)| *field));
    given.extend(types::made_fields(&call.callee));
    match call.fields() {
        Some(Fields::Declared(decl)) => {
            declared(place, list, call, decl, &given);
            // `Tasks.concat(task, …, name = …)` takes tasks as well.
            !matches!(&call.callee, Kind::Named(name) if name != "SequentialTask")
        }
        Some(Fields::Own(class)) => {
            own(place, list, call, &class, &given);
            true
        }
        None => {
            match &call.callee {
                Kind::Function(function) => of_function(place, list, call, function, &given),
                _ if binds(callee) => bindings(place, list, call, &given),
                _ => {}
            }
            false
        }
    }
}

fn declared(
    place: &Place<'_>,
    list: &mut List,
    call: &OpenCall,
    decl: &'static StructDecl,
    given: &BTreeSet<&str>,
) {
    // What is copied has what it must have.
    let is_copy = matches!(call.callee, Kind::Struct(_)) && !is_object(place, call);
    let at_hand = names::structs_at_hand(place);
    for field in decl.fields.iter().filter(|field| !given.contains(field.name)) {
        if !list.takes(field.name) {
            continue;
        }
        let deprecated = field.rules.iter().any(|rule| matches!(rule, Rule::Deprecated(_)));
        let is_required = matches!(field.presence, Presence::Required) && !is_copy;
        let rank = match (deprecated, is_required) {
            (true, _) => Rank::Deprecated,
            (_, true) => Rank::Required,
            _ => Rank::Optional,
        };
        let is_at_hand = |decl: &StructDecl| at_hand.contains(decl.name);
        let value = values::skeleton(place, decl, field, is_at_hand);
        let detail = if is_copy { of_type(&field.ty) } else { detail(field) };
        let mut proposal = argument(place, call, field.name, value)
            .detail(detail)
            .of(Origin::Field { of: decl.name.to_owned(), name: field.name.to_owned() });
        proposal.is_deprecated = deprecated;
        list.push(rank, proposal);
    }
}

fn is_object(place: &Place<'_>, call: &OpenCall) -> bool {
    call.name.is_some_and(|name| types::is_object(place.source.slice(name)))
}

/// Type, and what holds if the field is not given.
pub(super) fn detail(field: &FieldDecl) -> String {
    let ty = of_type(&field.ty);
    match default_in_language(field) {
        Some(default) => format!("{ty} = {default}"),
        None if matches!(field.presence, Presence::Required) => format!("{ty}, required"),
        None => ty,
    }
}

fn own(
    place: &Place<'_>,
    list: &mut List,
    call: &OpenCall,
    class: &Definitive,
    given: &BTreeSet<&str>,
) {
    for field in own_fields(place.world, class).iter().filter(|field| !given.contains(field.name()))
    {
        if !list.takes(field.name()) {
            continue;
        }
        let spec = spec(place.world, field);
        let rank = if spec.is_required { Rank::Required } else { Rank::Optional };
        let detail = match &spec.default {
            _ if spec.is_required => format!("{}, required", spec.ty.shown()),
            Some(default) => format!("{} = {default}", spec.ty.shown()),
            None => spec.ty.shown(),
        };
        let value = values::skeleton_of_spec(place, &spec);
        let proposal = argument(place, call, field.name(), value).detail(detail);
        list.push(rank, proposal.of(Origin::defined(field)));
    }
}

/// The parameters of a function that may be given by name, in order.
pub(super) fn parameters(function: &Definitive) -> Vec<Definitive> {
    all_parameters(function).filter(|found| stars(found) == 0).collect()
}

fn all_parameters(function: &Definitive) -> impl Iterator<Item = Definitive> {
    let inner = function.get().inner;
    let all = function.source.names.definitions.iter().enumerate();
    all.filter(move |(_, found)| {
        found.kind == DefKind::Parameter && inner.is_some() && Some(found.scope) == inner
    })
    .map(|(id, _)| Definitive { source: function.source.clone(), id })
}

fn stars(parameter: &Definitive) -> usize {
    let written = parameter.source.slice(parameter.get().whole);
    written.len() - written.trim_start_matches('*').len()
}

/// The struct that a function makes of what it is given beyond its parameters.
pub(super) fn made_by(world: &Snapshot, function: &Definitive) -> Option<&'static StructDecl> {
    if !all_parameters(function).any(|found| stars(&found) == 2) {
        return None;
    }
    match types::result_of_call(world, &function.source, Kind::Function(function.clone())) {
        Kind::Struct(decl) => Some(decl),
        _ => None,
    }
}

fn of_function(
    place: &Place<'_>,
    list: &mut List,
    call: &OpenCall,
    function: &Definitive,
    given: &BTreeSet<&str>,
) {
    let all = parameters(function);
    let made = made_by(place.world, function);
    let before = call.named.iter().filter(|name| name.end < place.at).count();
    let in_order = call.position.saturating_sub(before);
    for (at, parameter) in all.iter().enumerate() {
        if at < in_order || given.contains(parameter.name()) || !list.takes(parameter.name()) {
            continue;
        }
        let default = parameter.get().value.map(|value| parameter.source.slice(value));
        let kind = types::kind_of_definition(place.world, parameter);
        let field = made.and_then(|decl| Some((decl, decl.field(parameter.name())?)));
        let value = match (field, default) {
            (Some((decl, field)), None) => values::skeleton(place, decl, field, |_| true),
            _ => values::skeleton_of_parameter(place, parameter, &kind),
        };
        let shown = kind.shown().unwrap_or_default();
        let detail = match default {
            Some(default) => format!("{shown} = {default}").trim_start().to_owned(),
            None if shown.is_empty() => "required".to_owned(),
            None => format!("{shown}, required"),
        };
        let proposal = argument(place, call, parameter.name(), value).detail(detail);
        let rank = match (default, made) {
            (None, _) => Rank::Fitting,
            // What the struct must have comes before what the function can do without.
            (Some(_), Some(_)) => Rank::Made,
            (Some(_), None) => Rank::Fitting,
        };
        list.push(rank, proposal.of(Origin::defined(parameter)));
    }
    if let Some(decl) = made {
        let names: Vec<Definitive> = all;
        let known: BTreeSet<&str> =
            given.iter().copied().chain(names.iter().map(Definitive::name)).collect();
        declared(place, list, call, decl, &known);
    }
}

/// An argument with a value to begin with: the name alone if a value is there already.
fn argument(
    place: &Place<'_>,
    call: &OpenCall,
    name: &str,
    (value, again): (String, bool),
) -> Completion {
    let proposal = Completion::new(name, CompletionKind::Field);
    let behind = place.behind(place.word);
    let line = |at: u32| place.source.lines.line(at);
    if behind.is_some_and(|token| token.kind == aurora_syntax::Kind::Eq) {
        return proposal;
    }
    // One argument a line: each ends with a comma.
    let ends_line = behind.is_none_or(|token| line(token.span.start) > line(place.at));
    let has_comma = behind.is_some_and(|token| token.kind == aurora_syntax::Kind::Comma);
    let is_alone = place.is_first_of_line() && line(call.open.start) < line(place.at);
    let value = if is_alone && ends_line && !has_comma {
        format!("{},", value.replace("$0", "$1"))
    } else {
        value
    };
    let mut proposal = proposal.snippet(format!("{name}{}{value}", place.style.equals));
    proposal.again = again;
    proposal
}

/// Whether a function of that name binds what it is given by name.
pub(super) fn binds(name: &str) -> bool {
    matches!(name, "bind" | "in_scope" | "Environment")
}

/// Proposes names to bind.
fn bindings(place: &Place<'_>, list: &mut List, call: &OpenCall, given: &BTreeSet<&str>) {
    for (name, detail, rank) in unbound(place) {
        if !given.contains(&*name) {
            let proposal = argument(place, call, &name, ("$0".to_owned(), true));
            list.push(rank, proposal.detail(detail));
        }
    }
}

/// The names that texts refer to, those first that nobody gives a value.
pub(super) fn unbound(place: &Place<'_>) -> Vec<(String, &'static str, Rank)> {
    let known = |name: &str| {
        matches!(name, "mesos" | "thermos" | "docker" | "self" | "super")
            || catalog::structs().any(|decl| {
                matches!(decl.name, "Job" | "Task" | "Process" | "Resources")
                    && decl.field(name).is_some()
            })
    };
    let is_name = |name: &str| {
        name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
            && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
    };
    let files = place.world.namespace(place.source);
    let bound: BTreeSet<&str> = files
        .iter()
        .flat_map(|file| file.names.bound.iter().map(|bound| file.slice(bound.name)))
        .collect();
    let mut seen = BTreeSet::new();
    let mut found = Vec::new();
    for file in files.iter() {
        for reference in file.names.templates.iter().flat_map(|template| &template.references) {
            let Some(name) = reference.parts.first().map(|part| file.slice(*part)) else {
                continue;
            };
            if !is_name(name) || !seen.insert(name) || known(name) {
                continue;
            }
            found.push(match bound.contains(name) {
                true => (name.to_owned(), "bound elsewhere", Rank::Optional),
                false => (name.to_owned(), "not bound yet", Rank::Fitting),
            });
        }
    }
    found
}

/// Whether a function takes anything.
pub(super) fn has_parameters(function: &Definitive) -> bool {
    all_parameters(function).next().is_some()
}
