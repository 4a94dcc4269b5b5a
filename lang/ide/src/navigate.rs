//! Where what stands at a place comes from: its definition, its declaration, its type.

use std::sync::Arc;

use aurora_syntax::Span;
use aurora_syntax::tree::StmtKind;

use crate::cursor::reference_at;
use crate::entity::{Entity, entity_at};
use crate::references::occurrences;
use crate::resolve::{Definitive, definitions, nearest_own, origin};
use crate::source::{FileId, Location, Source};
use crate::template::{Meanings, visible};
use crate::types::{Kind, kind_of_definition, kind_of_name, own_fields};
use crate::workspace::Snapshot;

/// The way from a part of a text to where that leads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Way {
    /// The part.
    pub from: Span,
    /// Where it leads, the likeliest first.
    pub to: Vec<Destination>,
}

/// A place to go to.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Destination {
    /// The file.
    pub file: FileId,
    /// The name there.
    pub name: Span,
    /// All that belongs to it: a function, a statement, an argument.
    pub whole: Span,
}

impl From<Location> for Destination {
    fn from(location: Location) -> Self {
        Self { file: location.file, name: location.span, whole: location.span }
    }
}

impl From<&Definitive> for Destination {
    fn from(found: &Definitive) -> Self {
        let definition = found.get();
        Self {
            file: found.source.id.clone(),
            name: definition.name,
            whole: definition.name.to(definition.whole),
        }
    }
}

/// Where what stands at a byte gets its meaning: what is loaded, in the file it comes from.
pub fn definition(world: &Snapshot, file: &FileId, at: u32) -> Option<Way> {
    let source = world.file(file)?;
    let (from, entity) = entity_at(world, source, at)?;
    let to = match &entity {
        Entity::Local { source: home, scope, name } => {
            let found = definitions(world, home, *scope, name);
            let found = counting(source, from, found);
            found.iter().map(|found| Destination::from(&origin(world, found))).collect()
        }
        Entity::Global { name, .. } => global(world, source, from, &entity, name),
        Entity::Own { class, name } => {
            let fields = own_fields(world, class);
            let named = fields.iter().filter(|field| field.name() == name);
            named.map(Destination::from).collect()
        }
        Entity::Field { .. } => given(world, source, from, &entity),
        Entity::Bound { name, .. } => bound(world, source, from, &entity, name),
        Entity::Process { .. } | Entity::Port { .. } => declared(world, source, from, &entity),
        Entity::Entry { source, key } => vec![source.at(*key).into()],
        Entity::File(file) => {
            world.file(file)?;
            vec![Destination::from(Location { file: file.clone(), span: Span::new(0, 0) })]
        }
        Entity::Builtin(_) | Entity::Context(_) => Vec::new(),
    };
    way(from, to)
}

/// Where what stands at a byte is made known to its file: the `load` that takes it, or else the first
/// of its definitions.
pub fn declaration(world: &Snapshot, file: &FileId, at: u32) -> Option<Way> {
    let source = world.file(file)?;
    let (from, entity) = entity_at(world, source, at)?;
    let found = match &entity {
        Entity::Local { source, scope, name } => definitions(world, source, *scope, name),
        Entity::Global { source: home, name } => definitions(world, home, 0, name),
        _ => return definition(world, file, at),
    };
    way(from, found.first().map(Destination::from).into_iter().collect())
}

/// The class of the value at a byte. Types of the language stand in no file.
pub fn type_definition(world: &Snapshot, file: &FileId, at: u32) -> Option<Way> {
    let source = world.file(file)?;
    let (from, entity) = entity_at(world, source, at)?;
    let kind = kind(world, source, from, &entity);
    way(from, class_of(kind).iter().map(Destination::from).collect())
}

fn way(from: Span, to: Vec<Destination>) -> Option<Way> {
    (!to.is_empty()).then_some(Way { from, to })
}

fn global(
    world: &Snapshot,
    source: &Arc<Source>,
    from: Span,
    entity: &Entity,
    name: &str,
) -> Vec<Destination> {
    let Entity::Global { source: home, .. } = entity else { return Vec::new() };
    let found = definitions(world, home, 0, name);
    let found = if home.id == source.id { counting(source, from, found) } else { last(found) };
    found.iter().map(|found| Destination::from(&origin(world, found))).collect()
}

/// What a module gives: the last of its definitions.
fn last(found: Vec<Definitive>) -> Vec<Definitive> {
    let file = found.first().map(|first| first.source.id.clone());
    found.into_iter().rfind(|found| Some(&found.source.id) == file.as_ref()).into_iter().collect()
}

/// Those of the definitions of a name that count where it stands: the last before it; all of its
/// statement if that is an `if`. Functions see what is defined last.
fn counting(source: &Arc<Source>, from: Span, found: Vec<Definitive>) -> Vec<Definitive> {
    if let Some(here) = found.iter().find(|found| is_here(found, source, from)) {
        return vec![here.clone()];
    }
    let own = || found.iter().filter(|found| found.source.id == source.id);
    let Some(nearest) = nearest_own(source, from, &found) else {
        // Another file of the namespace has it.
        return last(found);
    };
    let branch = source.parsed.tree.iter().find(|stmt| {
        matches!(stmt.kind, StmtKind::If { .. })
            && stmt.span.start <= nearest.get().name.start
            && nearest.get().name.end <= stmt.span.end
            && from.start >= stmt.span.end
    });
    let Some(branch) = branch else { return vec![nearest.clone()] };
    let within = own().filter(|found| {
        branch.span.start <= found.get().name.start && found.get().name.end <= branch.span.end
    });
    within.cloned().collect()
}

fn is_here(found: &Definitive, source: &Source, from: Span) -> bool {
    found.source.id == source.id && found.get().name == from
}

/// Where a field of a struct of the language is given: in sight of a text that refers to it, or
/// anywhere in the files that are run with it.
fn given(world: &Snapshot, source: &Arc<Source>, from: Span, entity: &Entity) -> Vec<Destination> {
    let Some(parts) = parts_at(source, from) else { return Vec::new() };
    let part = parts.iter().position(|part| *part == from).unwrap_or_default();
    let names: Vec<&str> = parts.iter().map(|part| source.slice(*part)).collect();
    let meant = Meanings::new(world).part(source, from.start, &names, part);
    let in_sight: Vec<Destination> =
        meant.targets.iter().filter_map(|target| Some(target.location()?.into())).collect();
    if !in_sight.is_empty() {
        return in_sight;
    }
    let all = occurrences(world, entity).all.into_iter();
    all.filter(|found| found.is_write).map(|found| found.location.into()).collect()
}

/// The parts of the reference in which a part of a text stands.
fn parts_at(source: &Source, from: Span) -> Option<Vec<Span>> {
    Some(reference_at(source, from.start)?.0.parts.clone())
}

fn bound(
    world: &Snapshot,
    source: &Arc<Source>,
    from: Span,
    entity: &Entity,
    name: &str,
) -> Vec<Destination> {
    if parts_at(source, from).is_some() {
        let meant = Meanings::new(world).first(source, from.start, name);
        let meant = visible(world, source, from.start, meant);
        let places = meant.iter().filter_map(|target| target.location());
        return places.map(Destination::from).collect();
    }
    declared(world, source, from, entity)
}

/// The declarations of an entity: if one stands here, it alone. The other uses if there is none.
fn declared(
    world: &Snapshot,
    source: &Arc<Source>,
    from: Span,
    entity: &Entity,
) -> Vec<Destination> {
    let here = source.at(from);
    let all = occurrences(world, entity).all;
    let is_declared = all.iter().any(|found| found.is_declaration);
    let mut places: Vec<Location> = all
        .into_iter()
        .filter(|found| found.is_declaration || !is_declared)
        .map(|found| found.location)
        .collect();
    if places.contains(&here) && is_declared {
        return vec![here.into()];
    }
    places.retain(|place| *place != here);
    places.into_iter().map(Destination::from).collect()
}

/// The kind of the value that an entity stands for at a place.
fn kind(world: &Snapshot, source: &Arc<Source>, from: Span, entity: &Entity) -> Kind {
    match entity {
        Entity::Local { source: home, scope, name } if home.id == source.id => {
            let mut found = home.names.in_scope(&home.text, *scope, name);
            let is_keyword = source.names.use_at(from.start).is_none()
                && source.names.definition_at(from.start).is_none();
            match found.next() {
                Some((id, _)) if is_keyword => {
                    kind_of_definition(world, &Definitive { source: home.clone(), id })
                }
                _ => of_name(world, source, from),
            }
        }
        Entity::Global { .. } => of_name(world, source, from),
        Entity::Local { source, scope, name } => {
            let mut found = source.names.in_scope(&source.text, *scope, name);
            let first = found.next().map(|(id, _)| Definitive { source: source.clone(), id });
            first.map(|found| kind_of_definition(world, &found)).unwrap_or_default()
        }
        Entity::Own { class, name } => {
            let field = own_fields(world, class).into_iter().find(|field| field.name() == name);
            field.map(|field| kind_of_definition(world, &field)).unwrap_or_default()
        }
        Entity::Bound { name, .. } => {
            let mut meanings = Meanings::new(world);
            let targets = match parts_at(source, from) {
                Some(_) => meanings.first(source, from.start, name),
                None => meanings.bindings(source).named(name).to_vec(),
            };
            let kinds = targets.iter().map(|target| target.kind(world));
            kinds.into_iter().find(|kind| class_of(kind.clone()).is_some()).unwrap_or_default()
        }
        _ => Kind::Unknown,
    }
}

fn of_name(world: &Snapshot, source: &Arc<Source>, from: Span) -> Kind {
    match source.names.definition_at(from.start) {
        Some(id) => kind_of_definition(world, &Definitive { source: source.clone(), id }),
        None => kind_of_name(world, source, from),
    }
}

/// The class that a value is of, or that its elements are of.
fn class_of(kind: Kind) -> Option<Definitive> {
    match kind {
        Kind::Own(class) | Kind::OwnConstructor(class) => Some(class),
        Kind::List(inner) => class_of(*inner),
        _ => None,
    }
}
