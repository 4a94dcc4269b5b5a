//! What the references in templates mean: `{{name}}` may be a name that is bound, a field of what is
//! around the text, or something that is known only where the task runs (`dsl.md` 2 to 4).
//!
//! The text alone does not say which job a process ends up in: what is found here is what may be
//! meant, nearest first.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use aurora_model::catalog;
use aurora_model::declare::{FieldDecl, Presence, StructDecl};
use aurora_syntax::tree::{Expr, ExprKind, PostKind, PostOp};
use aurora_syntax::{Span, walk};

use crate::builtin::struct_decl;
use crate::cursor::Cursor;
use crate::files::Files;
use crate::names::{BoundName, ScopeId, ScopeKind, entries};
use crate::resolve::{self, Definitive};
use crate::source::{Location, Source};
use crate::types::{self, Fields, Kind, expression_at, kind_of, own_field, own_fields};
use crate::workspace::Snapshot;

/// How many steps from a name to what it is a copy of are followed.
const MAX_STEPS: usize = 8;

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

    /// Whether it is not only a part of something that is bound: `{"name.part": value}`.
    fn is_whole(&self) -> bool {
        !matches!(self, Self::Bound(_, bound) if !bound.rest.is_empty())
    }

    /// The kind of its value.
    pub fn kind(&self, world: &Snapshot) -> Kind {
        match self {
            part if !part.is_whole() => Kind::Unknown,
            Self::Bound(source, bound) => kind_at(world, source, bound.value),
            Self::Own(field) => types::kind_of_definition(world, field),
            Self::Field(_, field, _) => Kind::of_type(&field.ty),
            Self::Context(_, decl) => Kind::Struct(decl),
        }
    }

    /// What may follow it after a dot.
    pub fn members(&self, world: &Snapshot) -> Vec<Self> {
        match self {
            Self::Field(_, field, _) => {
                field.ty.structs().into_iter().flat_map(fields_of).collect()
            }
            Self::Bound(source, bound) if self.is_whole() => {
                let mut members = entries_of(source, bound);
                members.extend(members_of(world, &self.kind(world)));
                members
            }
            other => members_of(world, &other.kind(world)),
        }
    }
}

/// The entries of a table that a name is bound to.
fn entries_of(source: &Arc<Source>, bound: &BoundName) -> Vec<Target> {
    let value = expression_at(source, bound.value);
    let entries = value.and_then(|value| entries(&source.text, value)).into_iter().flatten();
    let entry = |(key, value)| BoundName::of(&source.text, key, value, bound.call);
    entries.map(|entry_of| Target::Bound(source.clone(), entry(entry_of))).collect()
}

/// The kind of the value that stands at exactly this place.
fn kind_at(world: &Snapshot, source: &Arc<Source>, value: Span) -> Kind {
    let scope = source.names.scope_at(value.start);
    let value = expression_at(source, value);
    value.map(|value| kind_of(world, source, scope, value)).unwrap_or_default()
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
                    let is_it = |name: &&Span| source.slice(**name) == field.name;
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
            found.extend(members_of(world, &kind_at(world, file, *value)));
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
    if source.names.scopes.get(scope)?.kind != ScopeKind::Class {
        return None;
    }
    maker_of(source, scope)
}

/// The class or function that makes a scope.
pub(crate) fn maker_of(source: &Arc<Source>, scope: ScopeId) -> Option<Definitive> {
    let id = source.names.maker(scope)?;
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
                let call = table.get().whole;
                (table.source.clone(), BoundName::of(&table.source.text, name, value, call))
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
    // A text by itself may become part of a process.
    if open.is_empty() {
        open.extend(struct_decl("Process"));
    }
    let mut at = 0;
    while let Some(decl) = open.get(at).copied() {
        at += 1;
        // What runs a task is no part of a file.
        for owner in catalog::structs().filter(|owner| owner.name != "MesosTaskInstance") {
            let holds = owner.fields.iter().flat_map(|field| field.ty.structs());
            let is_new = open.iter().all(|known| known.name != owner.name);
            if is_new && holds.into_iter().any(|held| held.name == decl.name) {
                open.push(owner);
            }
        }
    }
    for decl in open {
        if decls.iter().all(|known| known.name != decl.name) {
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

/// Those of the names that a reference at `at` may mean that it can see: what is bound on one struct is
/// nothing to another of its kind. All of them if it sees none of them for sure.
pub fn visible(
    world: &Snapshot,
    source: &Arc<Source>,
    at: u32,
    targets: Vec<Target>,
) -> Vec<Target> {
    let calls = Cursor::new(world, source, at).calls();
    let around: Vec<Made> =
        calls.iter().filter_map(|call| made_by(world, source, call.open, MAX_STEPS)).collect();
    let can_see = |target: &&Target| {
        let Target::Bound(of, bound) = target else { return true };
        let Some(on) = made_by(world, of, bound.call, MAX_STEPS) else { return true };
        let mut alike = around.iter().filter(|made| made.kind == on.kind).peekable();
        alike.peek().is_none() || alike.any(|made| made.place == on.place)
    };
    let found: Vec<Target> = targets.iter().filter(can_see).cloned().collect();
    if found.is_empty() { targets } else { found }
}

/// A struct of the language that a call makes.
struct Made {
    /// The struct.
    kind: &'static str,
    /// The brackets of the call, or of that which makes what is copied.
    place: Location,
}

/// What the chain makes in which the brackets of a call begin like this, as far as it begins with what
/// makes a struct or with the name of one.
fn made_by(world: &Snapshot, source: &Arc<Source>, call: Span, steps: usize) -> Option<Made> {
    let steps = steps.checked_sub(1)?;
    let mut found = None;
    walk::around(&source.parsed.tree, call, &mut |expr| {
        let ExprKind::Postfix(postfix) = &expr.kind else { return };
        if postfix.ops.iter().any(|op| op.span.start == call.start) {
            found = Some(postfix);
        }
    });
    let postfix = found?;
    let first = postfix.ops.first()?;
    let scope = source.names.scope_at(postfix.base.span.start);
    match kind_of(world, source, scope, &postfix.base) {
        Kind::Constructor(decl) => Some(Made { kind: decl.name, place: source.at(first.span) }),
        Kind::Struct(decl) if postfix.base.kind == ExprKind::Name => {
            let name = source.slice(postfix.base.span);
            if types::is_object(name) {
                return Some(Made { kind: decl.name, place: source.at(first.span) });
            }
            let all = resolve::definitions(world, source, scope, name);
            let [definition] = all.as_slice() else { return None };
            let value = expression_at(&definition.source, definition.get().value?)?;
            let ExprKind::Postfix(inner) = &value.kind else { return None };
            made_by(world, &definition.source, inner.ops.first()?.span, steps)
        }
        _ => None,
    }
}

/// What references mean, for many questions at once: where the text decides, the one thing that
/// wins, instead of all that may be meant as [`targets`] gives it.
#[derive(Debug)]
pub struct Meanings<'a> {
    world: &'a Snapshot,
    /// What is bound in related files, by where the list of these is.
    bindings: BTreeMap<usize, Arc<Bindings>>,
}

/// What the calls of related files bind.
#[derive(Debug)]
pub struct Bindings {
    /// The files, kept so that no other list gets their place.
    files: Arc<Files>,
    names: BTreeMap<String, Vec<Target>>,
    /// The kinds of what is bound without a name.
    values: Vec<Kind>,
}

impl Bindings {
    /// Where a name is bound.
    pub fn named(&self, name: &str) -> &[Target] {
        self.names.get(name).map(Vec::as_slice).unwrap_or_default()
    }

    /// The files whose calls these are.
    pub fn files(&self) -> &Arc<Files> {
        &self.files
    }
}

/// What a part of a reference means.
#[derive(Debug, Clone, Default)]
pub struct Meant {
    /// What it may be; all are possible.
    pub targets: Vec<Target>,
    /// Whether it belongs to a value of which nothing is known.
    pub is_open: bool,
}

impl<'a> Meanings<'a> {
    /// Nothing is looked at yet.
    pub fn new(world: &'a Snapshot) -> Self {
        Self { world, bindings: BTreeMap::new() }
    }

    /// What is bound in the files that are related to a file.
    pub fn bindings(&mut self, source: &Arc<Source>) -> Arc<Bindings> {
        let files = self.world.related(source);
        let key = Arc::as_ptr(&files) as usize;
        let world = self.world;
        self.bindings.entry(key).or_insert_with(|| Arc::new(bindings(world, files))).clone()
    }

    /// What the part number `part` of a reference means that stands in a text at `at`.
    pub fn part(&mut self, source: &Arc<Source>, at: u32, parts: &[&str], part: usize) -> Meant {
        let (parts, part) = match (parts, part.checked_sub(1)) {
            (["self" | "super", rest @ ..], Some(part)) => (rest, part),
            _ => (parts, part),
        };
        let Some(first) = parts.first() else { return Meant::default() };
        let first = self.first(source, at, first);
        self.follow(first, parts, part)
    }

    /// What the part number `part` of a key means that a call in a file binds.
    pub fn bound_part(&mut self, source: &Arc<Source>, parts: &[&str], part: usize) -> Meant {
        let Some(first) = parts.first() else { return Meant::default() };
        let first = self.bindings(source).named(first).to_vec();
        self.follow(first, parts, part)
    }

    fn follow(&self, first: Vec<Target>, parts: &[&str], part: usize) -> Meant {
        let mut meant = Meant { targets: first, is_open: false };
        // What only says something of a part tells nothing of the others.
        meant.targets.sort_by_key(|target| !target.is_whole());
        let whole = meant.targets.iter().filter(|target| target.is_whole());
        let mut kinds: Vec<Kind> = whole.map(|target| target.kind(self.world)).collect();
        for name in parts.iter().take(part + 1).skip(1) {
            let mut next = Vec::new();
            let before = std::mem::take(&mut meant).targets;
            for target in before.iter().filter(|target| target.is_whole()) {
                let Target::Bound(source, bound) = target else { continue };
                let entries = entries_of(source, bound).into_iter();
                meant.targets.extend(entries.filter(|entry| entry.name() == *name));
            }
            for kind in kinds {
                match kind {
                    Kind::List(inner) => next.push(*inner),
                    Kind::Unknown | Kind::Named(_) => meant.is_open = true,
                    kind => meant.targets.extend(member(self.world, &kind, name)),
                }
            }
            next.extend(meant.targets.iter().map(|target| target.kind(self.world)));
            kinds = next;
        }
        meant
    }

    /// What a name means with which a reference begins: the first of the places in which it is
    /// looked up that has it (`dsl.md` 3.1), as far as the text shows them.
    pub fn first(&mut self, source: &Arc<Source>, at: u32, name: &str) -> Vec<Target> {
        let mut decls = Vec::new();
        for call in Cursor::new(self.world, source, at).calls() {
            match call.fields() {
                Some(Fields::Declared(decl)) => {
                    decls.push(decl);
                    let is_it = |given: &&Span| source.slice(**given) == name;
                    let given = call.named.iter().find(is_it).map(|name| source.at(*name));
                    if let Some(field) = decl.field(name)
                        && (given.is_some() || !matches!(field.presence, Presence::Optional))
                    {
                        return vec![Target::Field(decl, field, given)];
                    }
                }
                Some(Fields::Own(class)) => {
                    if let Some(field) = own_field(self.world, &class, name) {
                        return vec![Target::Own(field)];
                    }
                }
                None => {}
            }
            let bound = bound_on(self.world, source, call.open, name);
            if !bound.is_empty() {
                return bound;
            }
        }
        if let Some(class) = class_around(source, at)
            && let Some(field) = own_field(self.world, &class, name)
        {
            return vec![Target::Own(field)];
        }
        let bindings = self.bindings(source);
        let mut found = bindings.named(name).to_vec();
        found.extend(bindings.values.iter().filter_map(|kind| member(self.world, kind, name)));
        let owners = owners(&decls);
        let mut of_owners = owners.iter().filter_map(|decl| Some((*decl, decl.field(name)?)));
        found.extend(of_owners.next().map(|(decl, field)| Target::Field(decl, field, None)));
        if found.is_empty() {
            let context = CONTEXTS.iter().find(|(context, _)| *context == name);
            found.extend(
                context.and_then(|(name, decl)| Some(Target::Context(name, struct_decl(decl)?))),
            );
        }
        found
    }
}

fn bindings(world: &Snapshot, files: Arc<Files>) -> Bindings {
    let mut names: BTreeMap<String, Vec<Target>> = BTreeMap::new();
    let mut values = Vec::new();
    for file in files.iter().filter(|file| !file.id.is_std()) {
        for (source, bound) in bound_names(world, file) {
            let target = Target::Bound(source, bound);
            names.entry(target.name().to_owned()).or_default().push(target);
        }
        values.extend(file.names.bound_values.iter().map(|value| kind_at(world, file, *value)));
    }
    Bindings { files, names, values }
}

/// What is bound on the value itself that a call makes whose bracket is `open`.
fn bound_on(world: &Snapshot, source: &Arc<Source>, open: Span, name: &str) -> Vec<Target> {
    let mut found = Vec::new();
    walk::around(&source.parsed.tree, open, &mut |expr| {
        let ExprKind::Postfix(postfix) = &expr.kind else { return };
        let Some(made) = postfix.ops.iter().position(|op| op.span.start == open.start) else {
            return;
        };
        for pair in postfix.ops[made..].windows(2) {
            let [
                PostOp { kind: PostKind::Attr(method), .. },
                PostOp { kind: PostKind::Call(args), span },
            ] = pair
            else {
                continue;
            };
            if !matches!(source.slice(*method), "bind" | "in_scope") {
                continue;
            }
            let all = &source.names.bound;
            let from = all.partition_point(|bound| bound.name.start < span.start);
            let within = all[from..].iter().take_while(|bound| bound.name.end <= span.end);
            let named =
                within.filter(|bound| bound.call == *span && source.slice(bound.name) == name);
            found.extend(named.map(|bound| Target::Bound(source.clone(), bound.clone())));
            for arg in args.iter().filter(|arg| arg.name.is_none()) {
                found.extend(member(world, &kind_at(world, source, arg.value.span), name));
            }
        }
    });
    found
}

/// The field of a value.
fn member(world: &Snapshot, kind: &Kind, name: &str) -> Option<Target> {
    match kind {
        Kind::Struct(decl) | Kind::Constructor(decl) => {
            decl.field(name).map(|field| Target::Field(decl, field, None))
        }
        Kind::Own(class) | Kind::OwnConstructor(class) => {
            own_field(world, class, name).map(Target::Own)
        }
        _ => None,
    }
}

/// The ports that texts of related files refer to as `{{thermos.ports[name]}}`, in the order of the
/// alphabet.
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
