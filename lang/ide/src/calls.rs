//! Who calls whom: functions, and the jobs, tasks and processes that variables hold, which take in
//! each other the same way.

use std::collections::BTreeMap;
use std::sync::Arc;

use aurora_syntax::tree::{ExprKind, PostKind};
use aurora_syntax::{Span, walk};

use crate::entity::{Entity, entity_at, home, of_scope};
use crate::names::{DefKind, ScopeId, ScopeKind, Use};
use crate::references::occurrences;
use crate::resolve::{Definitive, definitions, nearest, origin};
use crate::source::{FileId, Source};
use crate::template::maker_of;
use crate::types::{Kind, kind_of_definition};
use crate::workspace::Snapshot;

/// What calls, or is called.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item {
    /// The kind.
    pub kind: ItemKind,
    /// Its name.
    pub name: String,
    /// Its file.
    pub file: FileId,
    /// All of it.
    pub whole: Span,
    /// Its name there; the begin of a file.
    pub selection: Span,
}

/// A kind of [`Item`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum ItemKind {
    /// A file: what it does outside of functions and the variables of the other kinds.
    File,
    /// A function.
    Function,
    /// A variable with jobs, as `jobs`.
    Jobs,
    /// A variable with a job.
    Job,
    /// A variable with a task.
    Task,
    /// A variable with a process.
    Process,
}

/// That one item calls another, or takes it in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    /// The other item: who calls, or what is called.
    pub item: Item,
    /// Where that happens, in the file of the caller.
    pub places: Vec<Span>,
}

/// The item at a byte: that which is named there.
pub fn item_at(world: &Snapshot, file: &FileId, at: u32) -> Option<Item> {
    let source = world.file(file)?;
    let found = match entity_at(world, source, at)? {
        (_, Entity::Local { source, scope, name }) => definitions(world, &source, scope, &name),
        (_, Entity::Global { source, name }) => definitions(world, &source, 0, &name),
        _ => return None,
    };
    let here = found.iter().rfind(|found| found.source.id == *file).or(found.last())?;
    item(world, &origin(world, here))
}

/// Who calls an item.
pub fn incoming(world: &Snapshot, of: &Item) -> Vec<Call> {
    let Some(source) = world.file(&of.file) else { return Vec::new() };
    let Some(definitive) = definitive(source, of) else { return Vec::new() };
    let Some(entity) = of_scope(world, source, definitive.get().scope, definitive.name()) else {
        return Vec::new();
    };
    let mut found = Grouped::default();
    for place in occurrences(world, &entity).all {
        let Some(source) = world.file(&place.location.file) else { continue };
        let span = place.location.span;
        let Some(used) = source.names.use_at(span.start).filter(|used| used.name == span) else {
            continue;
        };
        if of.kind == ItemKind::Function && !is_called(source, span) {
            continue;
        }
        let caller = caller(world, source, used);
        // What is made anew of itself does not take itself in.
        if of.kind == ItemKind::Function || !is_same(&caller, of) {
            found.add(caller, span);
        }
    }
    found.0.into_values().collect()
}

/// What an item calls.
pub fn outgoing(world: &Snapshot, of: &Item) -> Vec<Call> {
    let Some(source) = world.file(&of.file) else { return Vec::new() };
    let uses = &source.names.uses;
    let from = uses.partition_point(|used| used.name.start < of.whole.start);
    let within = uses[from..].iter().take_while(|used| used.name.end <= of.whole.end);
    let mut found = Grouped::default();
    for used in within {
        let Some(called) = called(world, source, used) else { continue };
        if is_same(&caller(world, source, used), of)
            && (called.kind == ItemKind::Function || !is_same(&called, of))
        {
            found.add(called, used.name);
        }
    }
    found.0.into_values().collect()
}

/// Calls by who is called, or calls.
#[derive(Default)]
struct Grouped(BTreeMap<(FileId, Span), Call>);

impl Grouped {
    fn add(&mut self, item: Item, place: Span) {
        let key = (item.file.clone(), item.selection);
        self.0.entry(key).or_insert_with(|| Call { item, places: Vec::new() }).places.push(place);
    }
}

fn is_same(a: &Item, b: &Item) -> bool {
    a.kind == b.kind && a.file == b.file && a.selection == b.selection
}

fn definitive(source: &Arc<Source>, of: &Item) -> Option<Definitive> {
    let id = source.names.definition_at(of.selection.start)?;
    let found = Definitive { source: source.clone(), id };
    // Another one may stand there since the editor was told of the item.
    (of.kind != ItemKind::File && found.name() == of.name).then_some(found)
}

fn item(world: &Snapshot, found: &Definitive) -> Option<Item> {
    let definition = found.get();
    let kind = match definition.kind {
        DefKind::Function => ItemKind::Function,
        DefKind::Variable => match kind_of_definition(world, found) {
            Kind::Struct(decl) => of_struct(decl.name)?,
            Kind::List(inner) => match *inner {
                Kind::Struct(decl) if decl.name == "Job" => ItemKind::Jobs,
                _ => return None,
            },
            _ => return None,
        },
        _ => return None,
    };
    Some(Item {
        kind,
        name: found.name().to_owned(),
        file: found.source.id.clone(),
        whole: definition.name.to(definition.whole),
        selection: definition.name,
    })
}

fn of_struct(name: &str) -> Option<ItemKind> {
    Some(match name {
        "Job" => ItemKind::Job,
        "Task" => ItemKind::Task,
        "Process" => ItemKind::Process,
        _ => return None,
    })
}

/// The item in which a name is read: the function around it, or else the variable whose value it is
/// part of, or else the file.
fn caller(world: &Snapshot, source: &Arc<Source>, used: &Use) -> Item {
    let is_function = |scope: &ScopeId| source.names.scopes[*scope].kind == ScopeKind::Function;
    let functions = source.names.around(used.scope).filter(is_function);
    let mut named = functions.filter_map(|scope| maker_of(source, scope));
    if let Some(found) = named.next().and_then(|function| item(world, &function)) {
        return found;
    }
    let definitions = &source.names.definitions;
    let before = definitions.partition_point(|found| found.name.start < used.name.start);
    let statements = &source.parsed.tree;
    let count = statements.partition_point(|stmt| stmt.span.start <= used.name.start);
    let start = statements[..count].last().map_or(0, |stmt| stmt.span.start);
    let within = definitions[..before].iter().enumerate().rev();
    let found = within
        .take_while(|(_, found)| found.name.start >= start)
        .filter(|(_, found)| found.scope == 0 && found.whole.end >= used.name.end)
        .find_map(|(id, _)| item(world, &Definitive { source: source.clone(), id }));
    found.unwrap_or_else(|| of_file(source))
}

fn of_file(source: &Source) -> Item {
    let path = source.id.path();
    let name = path
        .file_name()
        .map_or_else(|| source.id.name().to_owned(), |name| name.to_string_lossy().into_owned());
    Item {
        kind: ItemKind::File,
        name,
        file: source.id.clone(),
        whole: Span::new(0, crate::text::offset(source.text.len())),
        selection: Span::new(0, 0),
    }
}

/// The item that a name means where it is read. Functions count where they are called.
fn called(world: &Snapshot, source: &Arc<Source>, used: &Use) -> Option<Item> {
    let all = definitions(world, source, home(source, used), source.slice(used.name));
    let found = item(world, &origin(world, nearest(source, used.name, &all)?))?;
    (found.kind != ItemKind::Function || is_called(source, used.name)).then_some(found)
}

/// Whether a name is called where it stands.
fn is_called(source: &Source, name: Span) -> bool {
    let mut found = false;
    walk::around(&source.parsed.tree, name, &mut |expr| {
        if let ExprKind::Postfix(postfix) = &expr.kind
            && postfix.base.span == name
        {
            found = matches!(postfix.ops.first().map(|op| &op.kind), Some(PostKind::Call(_)));
        }
    });
    found
}
