//! What references in texts may mean: `{{name}}`, `{{struct.field}}`, `{{thermos.ports[name]}}`.

use std::collections::BTreeSet;

use aurora_model::declare::{Presence, TypeDecl};
use aurora_model::names::NameDecl;
use aurora_syntax::Span;

use super::describe::Origin;
use super::names::{self, Wanted};
use super::place::Place;
use super::spec::spec;
use super::{Completion, CompletionKind, List, Rank, given};
use crate::builtin::documented;
use crate::cursor::{InReference, InText};
use crate::declaration::{of_type, one_line};
use crate::names::BoundName;
use crate::source::Source;
use crate::template::{Target, names_at, targets};
use crate::text::offset;
use crate::types::{Kind, kind_of_definition};

/// How much of a bound value is shown, in bytes.
const MAX_VALUE: usize = 40;
/// Values with more fields are not shown with each of them.
const MAX_MEMBERS: usize = 40;
/// In how many files it is looked whether they give a field.
const MAX_FILES: usize = 200;

/// What may follow a name in a reference.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum More {
    /// Nothing: the reference ends.
    Nothing,
    /// A dot and a field.
    Field,
    /// An index.
    Index,
    /// The two indices of an image: its name and its tag.
    Image,
}

/// Something that a part of a reference may be.
struct Named {
    name: String,
    detail: String,
    origin: Option<Origin>,
    rank: Rank,
    more: More,
}

/// Proposes what a reference at the cursor, or what an f-string takes in, may be; [`None`] where
/// there is neither.
pub(super) fn within(place: &Place<'_>, text: InText) -> Option<List> {
    if !text.is_format {
        return Some(reference(place, text, &place.cursor.reference()?, "}}"));
    }
    let before = place.source.slice(Span::new(text.inner.start, place.at));
    let open = before.rfind('{')?;
    let inside = before.get(open + 1..)?;
    if inside.contains(['}', '\n', '\r', ':', '!']) {
        return None;
    }
    let braces = before.get(..=open)?.bytes().rev().take_while(|byte| *byte == b'{').count();
    if braces % 2 == 1 {
        return Some(expression(place, inside));
    }
    if braces < 4 {
        return None;
    }
    // In an f-string braces are doubled.
    let closing = "}}}}";
    let reference_at = place.cursor.reference_in(text, open + 1 - closing.len(), closing)?;
    Some(reference(place, text, &reference_at, closing))
}

/// Names for what stands between the braces of an f-string.
fn expression(place: &Place<'_>, inside: &str) -> List {
    let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let typed = inside.len() - inside.trim_end_matches(is_name).len();
    let start = place.at - offset(typed);
    let rest = place.source.text.get(place.at as usize..).unwrap_or_default();
    let length = rest.find(|c| !is_name(c)).unwrap_or(rest.len());
    let mut list = List::new(place, Span::new(start, place.at + offset(length)));
    let before = inside.get(..inside.len() - typed).unwrap_or_default();
    if !before.trim_end().ends_with('.') {
        names::all(place, &mut list, &Wanted::Value(None));
        // A line of its own cannot be added from within a text that is taken apart later.
        list.found.retain(|(_, proposal)| proposal.edits.is_empty());
    }
    list
}

fn reference(place: &Place<'_>, text: InText, at: &InReference, closing: &str) -> List {
    let rest = place.source.slice(Span::new(at.part.end, text.inner.end));
    let has_bracket = at.is_index && rest.starts_with(']');
    let behind = rest.get(usize::from(has_bracket)..).unwrap_or_default();
    let braces = behind.bytes().take_while(|byte| *byte == b'}').count().min(closing.len());
    let missing = if at.is_closed { "" } else { closing.get(braces..).unwrap_or_default() };
    let bracket = if at.is_index && (!has_bracket || !missing.is_empty()) { "]" } else { "" };
    let extent = u32::from(has_bracket && !missing.is_empty());
    let replaced = Span::new(at.part.start, at.part.end + extent);
    let mut list = List::new(place, replaced);
    let mut seen = BTreeSet::new();
    for Named { name, detail, origin, rank, more } in named(place, at) {
        if is_too_late(place, &at.before, &name) {
            continue;
        }
        if !seen.insert(name.clone()) {
            continue;
        }
        let mut proposal = Completion::new(&name, CompletionKind::Reference).detail(detail);
        proposal.origin = origin;
        let proposal = match more {
            More::Nothing => proposal.inserts(format!("{name}{bracket}{missing}")),
            More::Field => proposal.inserts(format!("{name}.")).again(),
            More::Image => proposal.snippet(format!("{name}[${{1:name}}][${{2:tag}}]{missing}")),
            More::Index => proposal.snippet(format!("{name}[$0]{missing}")).again(),
        };
        list.push(rank, proposal);
    }
    list
}

/// Whether a part of the key of a job cannot refer to a name: it leads back to the key, or is known
/// only once the job runs.
fn is_too_late(place: &Place<'_>, before: &[String], name: &str) -> bool {
    let Some(call) = place.calls.first() else { return false };
    let of_job = call.fields().is_some_and(|fields| fields.name() == "Job");
    let Some(field) = call.argument.filter(|_| of_job).map(|name| place.source.slice(name)) else {
        return false;
    };
    if !matches!(field, "cluster" | "role" | "environment" | "name") {
        return false;
    }
    let mut parts: Vec<&str> = before.iter().map(String::as_str).collect();
    parts.extend(name.split(['.', '[', ']']));
    let leads_back = match field {
        "role" => matches!(parts.as_slice(), ["mesos", "role", ..] | ["thermos", "user", ..]),
        "cluster" => matches!(parts.as_slice(), ["mesos", "cluster", ..]),
        _ => false,
    };
    let of_instance = matches!(
        parts.as_slice(),
        ["mesos", "instance" | "hostname", ..] | ["thermos", "ports" | "task_id", ..]
    );
    leads_back || of_instance
}

/// What the part at the cursor may be, the nearest of a name first.
fn named(place: &Place<'_>, at: &InReference) -> Vec<Named> {
    // Elements of lists are what the list is of.
    let is_number = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    let parts: Vec<&str> =
        at.before.iter().map(String::as_str).filter(|part| !is_number(part)).collect();
    if at.is_index {
        let ports =
            if parts == ["thermos", "ports"] { given::ports(place) } else { BTreeSet::new() };
        return ports.into_iter().map(|name| plain(name, "port", Rank::Fitting)).collect();
    }
    let all = || names_at(place.world, place.source, place.at);
    match parts.as_slice() {
        [] => first(place, all()),
        ["self" | "super"] => {
            let fields = all().into_iter();
            let fields = fields.filter(|t| matches!(t, Target::Own(_) | Target::Field(..)));
            fields.map(|target| of_target(place, &target)).collect()
        }
        ["docker"] => vec![plain("image".to_owned(), "", Rank::Fitting).with(More::Image)],
        parts => {
            let found =
                targets(place.world, place.source, place.at, parts, parts.len().saturating_sub(1));
            let members = found.iter().flat_map(|target| target.members(place.world));
            let member = |target| Named { rank: Rank::Fitting, ..of_target(place, &target) };
            let mut all: Vec<Named> = members.map(member).collect();
            if parts == ["mesos"] {
                all.extend(of_client().map(|(name, decl)| known(name, decl)));
            }
            all
        }
    }
}

fn plain(name: String, detail: &str, rank: Rank) -> Named {
    Named { name, detail: detail.to_owned(), origin: None, rank, more: More::Nothing }
}

impl Named {
    fn with(self, more: More) -> Self {
        Self { more, ..self }
    }
}

/// What is known of `mesos` before a task has a place to run, without the `mesos.`.
fn of_client() -> impl Iterator<Item = (&'static str, &'static NameDecl)> {
    crate::builtin::members("mesos")
}

fn known(name: &str, decl: &'static NameDecl) -> Named {
    let origin = Some(Origin::Named(decl.name.to_owned()));
    Named { origin, ..plain(name.to_owned(), &decl.doc.summary(), Rank::Fitting) }
}

/// What a reference may begin with: names, and those names with a field that it takes to use them.
fn first(place: &Place<'_>, all: Vec<Target>) -> Vec<Named> {
    // A field that refers to itself never comes to an end.
    let own = place.calls.first().and_then(|call| Some((call.fields()?, call.argument?)));
    let is_own = |target: &Target| match (target, &own) {
        (Target::Field(decl, field, _), Some((fields, name))) => {
            decl.name == fields.name() && field.name == place.source.slice(*name)
        }
        _ => false,
    };
    let mut found = Vec::new();
    let mut seen = BTreeSet::new();
    for target in all {
        let name = target.name().to_owned();
        if name.is_empty() || is_own(&target) || seen.contains(&name) || is_unset(place, &target) {
            continue;
        }
        seen.insert(name.clone());
        let is_open = matches!(target, Target::Bound(..) | Target::Context(..));
        let members = if is_open { target.members(place.world) } else { Vec::new() };
        let shown = match &target {
            Target::Bound(source, bound) => of_bound(source, bound, !members.is_empty()),
            target => of_target(place, target),
        };
        if members.len() <= MAX_MEMBERS {
            found.extend(members.iter().map(|member| {
                let shown = of_target(place, member);
                Named { name: format!("{name}.{}", shown.name), rank: Rank::Made, ..shown }
            }));
        }
        found.push(shown);
    }
    let outside = place.world.outside().iter().filter(|name| !seen.contains(*name));
    found.extend(outside.map(|name| plain(name.clone(), "bound from outside", Rank::Fitting)));
    for (name, decl) in of_client() {
        let shown = known(name, decl);
        found.push(Named { name: format!("mesos.{name}"), rank: Rank::Made, ..shown });
    }
    for port in given::ports(place) {
        found.push(plain(format!("thermos.ports[{port}]"), "port", Rank::Made));
    }
    for (name, more) in
        [("self", More::Field), ("super", More::Field), ("docker.image", More::Image)]
    {
        if let Some(decl) = documented(name) {
            found.push(Named { rank: Rank::Elsewhere, more, ..known(name, decl) });
        }
    }
    found
}

fn of_bound(source: &Source, bound: &BoundName, is_struct: bool) -> Named {
    let name = source.slice(bound.name).to_owned();
    Named {
        more: if is_struct { More::Field } else { More::Nothing },
        ..plain(name, &one_line(source, bound.value, MAX_VALUE), Rank::Fitting)
    }
}

/// Whether it is a field without a default that no call in sight of the file gives.
fn is_unset(place: &Place<'_>, target: &Target) -> bool {
    let Target::Field(_, field, None) = target else { return false };
    if !matches!(field.presence, Presence::Optional) {
        return false;
    }
    let is_name = |c: char| c.is_alphanumeric() || c == '_';
    let gives = |text: &str| {
        text.match_indices(field.name).any(|(at, name)| {
            let behind = text[at + name.len()..].trim_start_matches([' ', '"', '\'']);
            !text[..at].ends_with(is_name) && behind.starts_with(['=', ':'])
        })
    };
    let related = place.world.related(place.source);
    related.len() <= MAX_FILES
        && !related.iter().filter(|file| !file.id.is_std()).any(|file| gives(&file.text))
}

fn of_target(place: &Place<'_>, target: &Target) -> Named {
    let name = target.name().to_owned();
    match target {
        Target::Bound(source, bound) => {
            of_bound(source, bound, !target.members(place.world).is_empty())
        }
        Target::Own(field) => {
            let is_struct = matches!(
                kind_of_definition(place.world, field),
                Kind::Struct(_) | Kind::Constructor(_) | Kind::Own(_) | Kind::OwnConstructor(_)
            );
            Named {
                origin: Some(Origin::defined(field)),
                more: if is_struct { More::Field } else { More::Nothing },
                ..plain(name, &spec(place.world, field).ty.shown(), Rank::Fitting)
            }
        }
        Target::Field(decl, field, given) => {
            let rank = match (given, field.presence) {
                (Some(_), _) => Rank::Made,
                (None, Presence::Default(_)) => Rank::Optional,
                (None, _) => Rank::Builtin,
            };
            Named {
                origin: Some(Origin::Field {
                    of: decl.name.to_owned(),
                    name: field.name.to_owned(),
                }),
                more: match field.ty {
                    TypeDecl::Struct(_) => More::Field,
                    TypeDecl::Map(..) | TypeDecl::List(_) => More::Index,
                    _ => More::Nothing,
                },
                ..plain(name, &of_type(&field.ty), rank)
            }
        }
        Target::Context(space, decl) => Named {
            origin: Some(Origin::Builtin((*space).to_owned())),
            more: More::Field,
            ..plain(name, &decl.doc.summary(), Rank::Made)
        },
    }
}
