//! What a name means: definitions in its file, in files of the same namespace, in files that it is
//! loaded from, and the language's own (`dsl.md` 7).

use std::sync::Arc;

use aurora_syntax::Span;

use crate::builtin::{Builtin, builtin};
use crate::names::{DefId, DefKind, Definition, ScopeId, ScopeKind};
use crate::source::{FileId, Location, Source};
use crate::workspace::Snapshot;

/// How many files a name may be loaded through.
const MAX_HOPS: usize = 32;

/// A definition and its file.
#[derive(Debug, Clone)]
pub struct Definitive {
    /// The file.
    pub source: Arc<Source>,
    /// Which of its definitions.
    pub id: DefId,
}

/// What a name means.
#[derive(Debug, Clone)]
pub enum Meaning {
    /// What files define, in the order of their importance: the file's own definitions first.
    Defined(Vec<Definitive>),
    /// What every file knows.
    Builtin(&'static str, Builtin),
}

impl Definitive {
    /// The definition.
    pub fn get(&self) -> &Definition {
        &self.source.names.definitions[self.id]
    }

    /// Its name.
    pub fn name(&self) -> &str {
        self.get().name.of(&self.source.text)
    }

    /// Where its name stands.
    pub fn location(&self) -> Location {
        self.source.at(self.get().name)
    }

    /// Whether both are the same definition.
    pub fn is_same(&self, other: &Self) -> bool {
        self.id == other.id && self.source.id == other.source.id
    }
}

/// What a name means where it is looked up in `scope`.
pub fn meaning(
    world: &Snapshot,
    source: &Arc<Source>,
    scope: ScopeId,
    name: &str,
) -> Option<Meaning> {
    let found = definitions(world, source, scope, name);
    if !found.is_empty() {
        return Some(Meaning::Defined(found));
    }
    crate::builtin::builtins_named(name).map(|(name, builtin)| Meaning::Builtin(name, builtin))
}

/// What the name at a byte means, be it a definition or a use.
pub fn meaning_at(world: &Snapshot, source: &Arc<Source>, at: u32) -> Option<(Span, Meaning)> {
    if let Some(id) = source.names.definition_at(at) {
        let definition = &source.names.definitions[id];
        let name = definition.name;
        let mut all = definitions(world, source, definition.scope, name.of(&source.text));
        let here = Definitive { source: source.clone(), id };
        all.retain(|other| !other.is_same(&here));
        all.insert(0, here);
        return Some((name, Meaning::Defined(all)));
    }
    let used = source.names.use_at(at)?;
    let found = meaning(world, source, used.scope, used.name.of(&source.text))?;
    Some((used.name, found))
}

/// The definitions of a name that is looked up in `scope`, the file's own first. What is loaded is
/// the `load`, not what it leads to: see [`origin`].
pub fn definitions(
    world: &Snapshot,
    source: &Arc<Source>,
    scope: ScopeId,
    name: &str,
) -> Vec<Definitive> {
    for scope in source.names.around(scope) {
        if scope == 0 {
            break;
        }
        let found: Vec<Definitive> = of_scope(source, scope, name).collect();
        if !found.is_empty() {
            return found;
        }
    }
    let files = world.namespace_files(source);
    let at_top = files.at_top(name).map(|(file, id)| (&files[file], id));
    let others = at_top.filter(|(file, _)| !Arc::ptr_eq(file, source));
    let others = others.map(|(file, id)| Definitive { source: file.clone(), id });
    of_scope(source, 0, name).chain(others).collect()
}

fn of_scope<'a>(
    source: &'a Arc<Source>,
    scope: ScopeId,
    name: &'a str,
) -> impl Iterator<Item = Definitive> + use<'a> {
    let all = source.names.in_scope(&source.text, scope, name);
    all.map(|(id, _)| Definitive { source: source.clone(), id })
}

/// The definition that a definition leads to: for what is loaded, that of the file it comes from.
pub fn origin(world: &Snapshot, definitive: &Definitive) -> Definitive {
    let mut found = definitive.clone();
    for _ in 0..MAX_HOPS {
        let Some(next) = loaded_from(world, &found) else { break };
        found = next;
    }
    found
}

/// What a `load` takes, in the file it takes it from.
pub fn loaded_from(world: &Snapshot, definitive: &Definitive) -> Option<Definitive> {
    let Definitive { source, .. } = definitive;
    let definition = definitive.get();
    if definition.kind != DefKind::Loaded {
        return None;
    }
    let inclusions = source.names.inclusions.iter().zip(&source.targets);
    for (inclusion, target) in inclusions {
        let mut names = inclusion.loaded.iter().flatten();
        if let Some(name) = names.find(|name| name.local == definition.name) {
            let target = world.file(target.as_ref()?)?;
            // A module is run for itself, and what it defines last counts.
            return of_scope(target, 0, name.original.of(&source.text)).last();
        }
    }
    None
}

/// The file whose path stands at a byte, in `include` or `load`, with the place of the literal.
pub fn file_at(source: &Source, at: u32) -> Option<(Span, FileId)> {
    let mut all = source.names.inclusions.iter().zip(&source.targets);
    let (inclusion, target) =
        all.find(|(inclusion, _)| crate::names::touches(inclusion.literal, at))?;
    Some((inclusion.literal, target.clone()?))
}

/// Whether a name is one of the language that no file around defines anew.
pub fn is_builtin(world: &Snapshot, source: &Arc<Source>, scope: ScopeId, name: &str) -> bool {
    builtin(name).is_some() && definitions(world, source, scope, name).is_empty()
}

/// The definition of a name that counts where it is read: see [`nearest_own`]; if the file has none, the
/// last of the others.
pub fn nearest<'a>(source: &Source, at: Span, all: &'a [Definitive]) -> Option<&'a Definitive> {
    nearest_own(source, at, all).or(all.last())
}

/// The definition in the same file that counts where a name is read: the last before it. Functions are
/// called later: what is defined outside of them counts as it is at the end.
pub(crate) fn nearest_own<'a>(
    source: &Source,
    at: Span,
    all: &'a [Definitive],
) -> Option<&'a Definitive> {
    let mut own = all.iter().filter(|found| found.source.id == source.id);
    let last = own.clone().next_back()?;
    if own.clone().count() == 1 {
        return Some(last);
    }
    let used = source.names.use_at(at.start).filter(|used| used.name == at);
    let scope = used.map_or_else(|| source.names.scope_at(at.start), |used| used.scope);
    let here = function_around(source, scope);
    let is_before = |found: &&Definitive| {
        let definition = found.get();
        // What a value is made of is read before the name has it.
        let is_its_value =
            definition.value.is_some_and(|value| value.start <= at.start && at.end <= value.end);
        definition.name.end <= at.start
            && !is_its_value
            && function_around(source, definition.scope) == here
    };
    own.rfind(is_before).or(Some(last))
}

/// The function in which a scope stands, if it is in one.
fn function_around(source: &Source, scope: ScopeId) -> Option<ScopeId> {
    let mut around = source.names.around(scope);
    around.find(|scope| source.names.scopes[*scope].kind == ScopeKind::Function)
}
