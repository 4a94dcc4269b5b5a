//! What the references in templates mean: `{{name}}` may be a name that is bound, a field of what is
//! around the text, or something that is known only where the task runs (`dsl.md` 2 to 4).
//!
//! The text alone does not say which job a process ends up in: what is found here is what may be
//! meant, nearest first.

use std::collections::BTreeSet;
use std::sync::Arc;

use aurora_model::catalog;
use aurora_model::declare::{FieldDecl, StructDecl};
use aurora_syntax::tree::{Expr, ExprKind};

use crate::builtin::struct_decl;
use crate::cursor::Cursor;
use crate::names::{BoundName, ScopeKind, entries};
use crate::resolve::{self, Definitive};
use crate::source::{Location, Source};
use crate::types::{self, Fields, Kind, expression_at, kind_of, own_fields};
use crate::workspace::Snapshot;

/// The names under which templates find what is known where a task runs, with what they have.
const CONTEXTS: [(&str, &str); 2] = [("mesos", "MesosContext"), ("thermos", "ThermosContext")];

/// What a part of a reference may mean.
#[derive(Debug, Clone)]
pub enum Target {
    /// A name that a call binds.
    Bound(Arc<Source>, BoundName),
    /// A field of a class of a file.
    Own(Definitive),
    /// A field of a struct of the language, and where it is given, if that is in sight.
    Field(&'static StructDecl, &'static FieldDecl, Option<Location>),
    /// What is known where a task runs: `mesos` or `thermos`.
    Context(&'static str, &'static StructDecl),
}

impl Target {
    /// The name by which templates refer to it.
    pub fn name(&self) -> &str {
        match self {
            Self::Bound(source, bound) => source.slice(bound.name),
            Self::Own(field) => field.name(),
            Self::Field(_, field, _) => field.name,
            Self::Context(name, _) => name,
        }
    }

    /// Where it is written, if it is.
    pub fn location(&self) -> Option<Location> {
        match self {
            Self::Bound(source, bound) => Some(source.at(bound.name)),
            Self::Own(field) => Some(field.location()),
            Self::Field(_, _, location) => location.clone(),
            Self::Context(..) => None,
        }
    }

    /// What may follow it after a dot.
    pub fn members(&self, world: &Snapshot) -> Vec<Self> {
        match self {
            Self::Bound(source, bound) => {
                let scope = source.names.scope_at(bound.value.start);
                let value = expression_at(source, bound.value);
                let kind = value.map(|value| kind_of(world, source, scope, value));
                kind.map(|kind| members_of(world, &kind)).unwrap_or_default()
            }
            Self::Own(field) => members_of(world, &types::kind_of_definition(world, field)),
            Self::Field(_, field, _) => {
                field.ty.structs().into_iter().flat_map(fields_of).collect()
            }
            Self::Context(_, decl) => fields_of(decl).collect(),
        }
    }
}

fn fields_of(decl: &'static StructDecl) -> impl Iterator<Item = Target> {
    decl.fields.iter().map(move |field| Target::Field(decl, field, None))
}

fn members_of(world: &Snapshot, kind: &Kind) -> Vec<Target> {
    match kind {
        Kind::Struct(decl) | Kind::Constructor(decl) => fields_of(decl).collect(),
        Kind::Own(class) | Kind::OwnConstructor(class) => {
            own_fields(world, class).into_iter().map(Target::Own).collect()
        }
        _ => Vec::new(),
    }
}

/// What the first part of a reference in a text at `at` may mean: fields of what is around it in
/// the text, names that are bound in files of the same namespace, fields of what such values become
/// part of, and what is known where tasks run. The nearest of a name comes first; names may come
/// several times.
pub fn names_at(world: &Snapshot, source: &Arc<Source>, at: u32) -> Vec<Target> {
    let mut found = Vec::new();
    let mut decls = Vec::new();
    if let Some(class) = class_around(source, at) {
        found.extend(own_fields(world, &class).into_iter().map(Target::Own));
    }
    for call in Cursor::new(world, source, at).calls() {
        let Some(fields) = call.fields() else { continue };
        match &fields {
            Fields::Own(class) => {
                found.extend(own_fields(world, class).into_iter().map(Target::Own))
            }
            Fields::Declared(decl) => {
                decls.push(*decl);
                found.extend(decl.fields.iter().map(|field| {
                    let is_it = |name: &&aurora_syntax::Span| source.slice(**name) == field.name;
                    let given = call.named.iter().find(is_it).map(|name| source.at(*name));
                    Target::Field(decl, field, given)
                }));
            }
        }
    }
    let related = world.related(source);
    let others = related.iter().filter(|file| file.id != source.id && !file.id.is_std());
    for file in std::iter::once(source).chain(others) {
        let bound = bound_names(world, file);
        found.extend(bound.into_iter().map(|(source, bound)| Target::Bound(source, bound)));
        for value in &file.names.bound_values {
            let scope = file.names.scope_at(value.start);
            if let Some(value) = expression_at(file, *value) {
                found.extend(members_of(world, &kind_of(world, file, scope, value)));
            }
        }
    }
    for decl in owners(&decls) {
        found.extend(fields_of(decl));
    }
    let contexts = CONTEXTS.iter();
    found.extend(
        contexts.filter_map(|(name, decl)| Some(Target::Context(name, struct_decl(decl)?))),
    );
    found
}

/// The class in whose body a byte stands.
fn class_around(source: &Arc<Source>, at: u32) -> Option<Definitive> {
    let scope = source.names.scope_at(at);
    let is_class = source.names.scopes.get(scope)?.kind == ScopeKind::Class;
    let mut all = source.names.definitions.iter();
    let id = all.position(|class| is_class && class.inner == Some(scope))?;
    Some(Definitive { source: source.clone(), id })
}

/// The names that calls in a file bind, with where that is written: mostly there, or else where a
/// table is that they are given by name.
pub fn bound_names(world: &Snapshot, file: &Arc<Source>) -> Vec<(Arc<Source>, BoundName)> {
    let here = file.names.bound.iter().map(|bound| (file.clone(), bound.clone()));
    let mut found: Vec<_> = here.collect();
    for value in &file.names.bound_values {
        let Some(Expr { kind: ExprKind::Name, .. }) = expression_at(file, *value) else { continue };
        let scope = file.names.scope_at(value.start);
        for table in resolve::definitions(world, file, scope, file.slice(*value)) {
            let value = table.get().value.and_then(|value| expression_at(&table.source, value));
            let entries = value.and_then(|value| entries(&table.source.text, value));
            let bound = entries.into_iter().flatten().map(|(name, value)| {
                (table.source.clone(), BoundName { name, value, call: table.get().whole })
            });
            found.extend(bound);
        }
    }
    found
}

/// The structs that values of these structs, or of any if there are none, become part of: a
/// process of a task, a task of a job.
fn owners(decls: &[&'static StructDecl]) -> Vec<&'static StructDecl> {
    let mut found: Vec<&'static StructDecl> = Vec::new();
    let mut open: Vec<&'static StructDecl> = decls.to_vec();
    if open.is_empty() {
        open.extend(struct_decl("Process"));
    }
    let start = open.clone();
    let mut at = 0;
    while let Some(decl) = open.get(at).copied() {
        at += 1;
        for owner in catalog::structs() {
            let holds = owner.fields.iter().flat_map(|field| field.ty.structs());
            let is_new = open.iter().all(|known| known.name != owner.name);
            if is_new && holds.into_iter().any(|held| held.name == decl.name) {
                open.push(owner);
            }
        }
    }
    for decl in open {
        if start.iter().all(|known| known.name != decl.name) {
            found.push(decl);
        }
    }
    found
}

/// What the part number `part` of a reference may mean, nearest first.
pub fn targets(
    world: &Snapshot,
    source: &Arc<Source>,
    at: u32,
    parts: &[&str],
    part: usize,
) -> Vec<Target> {
    // `self.name` and `super.name` are looked up in some of the places in which `name` is.
    let (parts, part) = match (parts, part.checked_sub(1)) {
        (["self" | "super", rest @ ..], Some(part)) => (rest, part),
        _ => (parts, part),
    };
    let Some(first) = parts.first() else { return Vec::new() };
    let mut found: Vec<Target> =
        names_at(world, source, at).into_iter().filter(|target| target.name() == *first).collect();
    for name in parts.iter().take(part + 1).skip(1) {
        found = found
            .iter()
            .flat_map(|target| target.members(world))
            .filter(|target| target.name() == *name)
            .collect();
    }
    found
}

/// The ports that texts of the namespace refer to as `{{thermos.ports[name]}}`, and those that
/// `announce` and `Announcer` name, in the order of the alphabet.
pub fn ports(world: &Snapshot, source: &Arc<Source>) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for file in world.related(source).iter().filter(|file| !file.id.is_std()) {
        for reference in file.names.templates.iter().flat_map(|template| &template.references) {
            if let [space, ports, name] = reference.parts.as_slice()
                && file.slice(*space) == "thermos"
                && file.slice(*ports) == "ports"
            {
                found.insert(file.slice(*name).to_owned());
            }
        }
    }
    found
}
