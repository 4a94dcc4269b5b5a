//! What stands at a place: a name of the file or the language, a field, a name that is bound, the
//! name of a process or port in a text, the path of a file.

use std::sync::Arc;

use aurora_model::declare::{FieldDecl, StructDecl};
use aurora_syntax::Span;

use crate::builtin::builtins_named;
use crate::cursor::{Cursor, reference_at};
use crate::labels::{self, Role};
use crate::names::{BoundName, DefKind, Inclusion, LoadedName, ScopeId, ScopeKind, Use, touches};
use crate::resolve::{Definitive, definitions, file_at};
use crate::source::{FileId, Source};
use crate::template::{Meanings, Target, maker_of};
use crate::types::{Fields, Kind, declaring, own_field};
use crate::workspace::Snapshot;

/// What a place means.
#[derive(Debug, Clone)]
pub enum Entity {
    /// A name that only a part of its file knows.
    Local {
        /// The file.
        source: Arc<Source>,
        /// The scope that defines it.
        scope: ScopeId,
        /// The name.
        name: String,
    },
    /// A name that the files of a namespace share.
    Global {
        /// A file of these.
        source: Arc<Source>,
        /// The name.
        name: String,
    },
    /// A name of the language.
    Builtin(&'static str),
    /// A field of a class.
    Own {
        /// The class that declares it.
        class: Definitive,
        /// Its name.
        name: String,
    },
    /// A field of a struct of the language.
    Field {
        /// The struct.
        decl: &'static StructDecl,
        /// The field.
        field: &'static FieldDecl,
        /// The file from which it is looked at.
        source: Arc<Source>,
    },
    /// A name to which texts refer and that calls bind.
    Bound {
        /// A file that does the one or the other.
        source: Arc<Source>,
        /// The name.
        name: String,
    },
    /// An entry of a table that a call binds.
    Entry {
        /// The file.
        source: Arc<Source>,
        /// Its key, without quotes.
        key: Span,
    },
    /// What is known only where a task runs: `mesos` or `thermos`.
    Context(&'static str),
    /// The name of a process, where it is given or where an order refers to it.
    Process {
        /// The file.
        source: Arc<Source>,
        /// What stands between the quotes.
        text: Span,
    },
    /// The name of a port.
    Port {
        /// The file.
        source: Arc<Source>,
        /// The name.
        name: String,
    },
    /// A file that is taken in.
    File(FileId),
}

impl Entity {
    /// Its name.
    pub fn name(&self) -> &str {
        match self {
            Self::Local { name, .. }
            | Self::Global { name, .. }
            | Self::Own { name, .. }
            | Self::Bound { name, .. }
            | Self::Port { name, .. } => name,
            Self::Builtin(name) | Self::Context(name) => name,
            Self::Field { field, .. } => field.name,
            Self::Process { source, text: name } | Self::Entry { source, key: name } => {
                source.slice(*name)
            }
            Self::File(file) => file.name(),
        }
    }
}

/// The entity at a byte, and the part of the text that stands for it.
pub fn entity_at(world: &Snapshot, source: &Arc<Source>, at: u32) -> Option<(Span, Entity)> {
    let cursor = Cursor::new(world, source, at);
    if cursor.in_comment() {
        return None;
    }
    if let Some((literal, file)) = file_at(source, at) {
        return Some((literal, Entity::File(file)));
    }
    if reference_at(source, at).is_some() {
        return referred(world, source, at);
    }
    if let Some(found) = name_at(world, source, at) {
        return Some(found);
    }
    if let Some(found) = bound_at(world, source, at) {
        return Some(found);
    }
    if cursor.text().is_some() {
        return in_text(world, source, at);
    }
    // A cursor before a word means it as well.
    let next = source.text.get(at as usize..).and_then(|rest| rest.chars().next());
    let is_before = next.is_some_and(|next| next.is_ascii_alphabetic() || next == '_');
    of_member(&Cursor::new(world, source, at + u32::from(is_before)))
}

/// The scope whose definition of a name counts where it is read: that of the file if no other has
/// one, be it defined there or not.
pub fn home(source: &Source, used: &Use) -> ScopeId {
    let name = source.slice(used.name);
    for scope in source.names.around(used.scope).filter(|scope| *scope != 0) {
        let mut all = source.names.in_scope(&source.text, scope, name);
        let is_found = match source.names.scopes[scope].kind {
            // A field is known once it is declared.
            ScopeKind::Class => all.any(|(_, field)| field.whole.end <= used.name.start),
            _ => all.next().is_some(),
        };
        if is_found {
            return scope;
        }
    }
    0
}

/// The name of a scope.
pub(crate) fn of_scope(
    world: &Snapshot,
    source: &Arc<Source>,
    scope: ScopeId,
    name: &str,
) -> Option<Entity> {
    let is_class = source.names.scopes.get(scope)?.kind == ScopeKind::Class;
    let (source, name) = (source.clone(), name.to_owned());
    Some(match (scope, is_class) {
        (_, true) => own(world, maker_of(&source, scope)?, name),
        (0, _) => Entity::Global { source, name },
        _ => Entity::Local { source, scope, name },
    })
}

/// The field of a class, which another may declare for it.
fn own(world: &Snapshot, class: Definitive, name: String) -> Entity {
    Entity::Own { class: declaring(world, &class), name }
}

fn name_at(world: &Snapshot, source: &Arc<Source>, at: u32) -> Option<(Span, Entity)> {
    let names = &source.names;
    if let Some(id) = names.definition_at(at) {
        let found = &names.definitions[id];
        let entity = of_scope(world, source, found.scope, source.slice(found.name))?;
        return Some((found.name, entity));
    }
    if let Some(used) = names.use_at(at) {
        let name = source.slice(used.name);
        let scope = home(source, used);
        let is_builtin = || definitions(world, source, 0, name).is_empty();
        let entity = match builtins_named(name) {
            Some((name, _)) if scope == 0 && is_builtin() => Entity::Builtin(name),
            _ => of_scope(world, source, scope, name)?,
        };
        return Some((used.name, entity));
    }
    let (name, target) = loaded_at(source, at)?;
    let other = world.file(&target)?.clone();
    let original = source.slice(name.original).to_owned();
    Some((name.original, Entity::Global { source: other, name: original }))
}

/// The name in quotes at a byte that a `load` takes, and the file it takes it from.
fn loaded_at(source: &Source, at: u32) -> Option<(&LoadedName, FileId)> {
    let takes = |inclusion: &Inclusion| touches(inclusion.whole, at);
    let all = source.names.inclusions.iter().zip(&source.targets);
    all.filter(|(inclusion, _)| takes(inclusion)).find_map(|(inclusion, target)| {
        let mut names = inclusion.loaded.iter().flatten();
        Some((names.find(|name| touches(name.original, at))?, target.clone()?))
    })
}

fn referred(world: &Snapshot, source: &Arc<Source>, at: u32) -> Option<(Span, Entity)> {
    let (reference, part) = reference_at(source, at)?;
    let place = *reference.parts.get(part)?;
    let parts: Vec<&str> = reference.parts.iter().map(|part| source.slice(*part)).collect();
    let name = || parts[part].to_owned();
    let mut meanings = Meanings::new(world);
    if part == 2 && labels::is_port(&mut meanings, source, reference) {
        return Some((place, Entity::Port { source: source.clone(), name: name() }));
    }
    let meant = meanings.part(source, place.start, &parts, part);
    let of_self = matches!(parts.first(), Some(&("self" | "super"))) && parts.len() > 1;
    let entity = match meant.targets.into_iter().next() {
        Some(Target::Bound(source, entry)) if part > usize::from(of_self) => {
            Entity::Entry { source, key: entry.name }
        }
        Some(Target::Bound(..)) => Entity::Bound { source: source.clone(), name: name() },
        Some(Target::Own(field)) => own_of(world, &field)?,
        Some(Target::Field(decl, field, _)) => {
            Entity::Field { decl, field, source: source.clone() }
        }
        Some(Target::Context(name, _)) => Entity::Context(name),
        // Nothing in sight binds it.
        None if part == usize::from(of_self) => {
            Entity::Bound { source: source.clone(), name: name() }
        }
        None => return None,
    };
    Some((place, entity))
}

/// A name at a byte that a call binds, or a part of such a name.
fn bound_at(world: &Snapshot, source: &Arc<Source>, at: u32) -> Option<(Span, Entity)> {
    let parts = |bound: &BoundName| std::iter::once(bound.name).chain(bound.rest.clone());
    let mut all = source.names.bound.iter();
    let bound = all.find(|bound| parts(bound).any(|part| touches(part, at)))?;
    let part = parts(bound).position(|part| touches(part, at))?;
    let names: Vec<&str> = parts(bound).map(|part| source.slice(part)).collect();
    let place = parts(bound).nth(part)?;
    if part == 0 {
        return Some((place, Entity::Bound { source: source.clone(), name: names[0].to_owned() }));
    }
    let meant = Meanings::new(world).bound_part(source, &names, part);
    let found = meant.targets.iter().find_map(|target| match target {
        Target::Own(field) => own_of(world, field),
        Target::Field(decl, field, _) => {
            Some(Entity::Field { decl, field, source: source.clone() })
        }
        _ => None,
    })?;
    Some((place, found))
}

/// The entity of a field of a class.
pub(crate) fn own_of(world: &Snapshot, field: &Definitive) -> Option<Entity> {
    let class = maker_of(&field.source, field.get().scope)?;
    Some(own(world, class, field.name().to_owned()))
}

/// A text that says the name of something.
fn in_text(world: &Snapshot, source: &Arc<Source>, at: u32) -> Option<(Span, Entity)> {
    let text = Cursor::new(world, source, at).text()?.inner;
    let name = || source.slice(text).to_owned();
    let entity = match labels::role(world, source, text)? {
        Role::Process | Role::Ordered => Entity::Process { source: source.clone(), text },
        Role::Port => Entity::Port { source: source.clone(), name: name() },
        Role::Key(fields) => of_fields(world, source, &fields, source.slice(text))?,
    };
    Some((text, entity))
}

/// The field of a struct.
fn of_fields(
    world: &Snapshot,
    source: &Arc<Source>,
    fields: &Fields,
    name: &str,
) -> Option<Entity> {
    match fields {
        Fields::Declared(decl) => {
            let field = decl.field(name)?;
            Some(Entity::Field { decl, field, source: source.clone() })
        }
        Fields::Own(class) => own_of(world, &own_field(world, class, name)?),
    }
}

/// The name of an argument, or what stands after a dot.
fn of_member(cursor: &Cursor<'_>) -> Option<(Span, Entity)> {
    let (world, source) = (cursor.world(), cursor.source());
    let word = cursor.word();
    if let Some(owner) = cursor.owner() {
        let fields = crate::types::fields_of(&owner)
            .filter(|_| matches!(owner, Kind::Struct(_) | Kind::Own(_)))?;
        let name = source.slice(word);
        if let Some(entity) = of_fields(world, source, &fields, name) {
            return Some((word, entity));
        }
        let asked = name.strip_prefix("has_")?;
        let span = Span::new(word.start + 4, word.end);
        return Some((span, of_fields(world, source, &fields, asked)?));
    }
    let call = cursor.call_here().filter(|call| call.named.contains(&word))?;
    let name = source.slice(word);
    let entity = match (&call.callee, call.fields()) {
        (_, Some(fields)) => of_fields(world, source, &fields, name)?,
        (Kind::Function(function), None) => {
            let scope = function.get().inner?;
            let (id, _) =
                function.source.names.in_scope(&function.source.text, scope, name).next()?;
            let is_parameter = function.source.names.definitions[id].kind == DefKind::Parameter;
            if !is_parameter {
                return None;
            }
            Entity::Local { source: function.source.clone(), scope, name: name.to_owned() }
        }
        _ => return None,
    };
    Some((word, entity))
}
