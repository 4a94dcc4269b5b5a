//! Where an entity is used: names, fields and their keywords, references in texts, names in quotes.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use aurora_model::catalog;
use aurora_syntax::tree::{Arg, Expr, ExprKind, PostKind, Postfix, Star};
use aurora_syntax::{Span, walk};

use crate::entity::{Entity, entity_at, home, own_of};
use crate::files::Files;
use crate::labels::{self, Role, field_kind, is_port, role, texts};
use crate::names::{DefKind, LoadedName, Reference, ScopeId, entries, plain_text};
use crate::resolve::Definitive;
use crate::source::{FileId, Location, Source};
use crate::template::{Meanings, Meant, Target, maker_of};
use crate::types::{Fields, Kind, declaring, fields_of, kind_before, kind_of};
use crate::workspace::Snapshot;

/// Names of the language that give a file its own names as a table.
const NAMES_AS_TEXT: [&str; 3] = ["vars", "globals", "locals"];

/// A place that stands for an entity.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Occurrence {
    /// Where it is.
    pub location: Location,
    /// Whether it gives the entity its meaning.
    pub is_declaration: bool,
    /// Whether it gives the entity a value, or only reads it.
    pub is_write: bool,
}

/// All places that stand for an entity.
#[derive(Debug, Clone, Default)]
pub struct Occurrences {
    /// The places, in the order of files and texts.
    pub all: Vec<Occurrence>,
    /// Places that may stand for it as well: the text alone does not tell.
    pub doubtful: Vec<Location>,
}

/// The places that mean what stands at a byte of a file, in all files that can see it; with or
/// without those that declare it.
pub fn references(
    world: &Snapshot,
    file: &FileId,
    at: u32,
    with_declarations: bool,
) -> Vec<Occurrence> {
    let Some((_, entity)) = world.file(file).and_then(|source| entity_at(world, source, at)) else {
        return Vec::new();
    };
    let mut all = occurrences(world, &entity).all;
    all.retain(|found| with_declarations || !found.is_declaration);
    all
}

/// Those of the same file. Others are not searched: this is asked at every move of the cursor.
pub fn highlights(world: &Snapshot, file: &FileId, at: u32) -> Vec<Occurrence> {
    let Some((_, entity)) = world.file(file).and_then(|source| entity_at(world, source, at)) else {
        return Vec::new();
    };
    let mut all = occurrences_in(world, &entity, Some(file)).all;
    all.retain(|found| found.location.file == *file);
    all
}

/// The places that stand for an entity.
pub fn occurrences(world: &Snapshot, entity: &Entity) -> Occurrences {
    occurrences_in(world, entity, None)
}

/// Those of one file, and maybe some of others, if only that file is asked for.
fn occurrences_in(world: &Snapshot, entity: &Entity, only: Option<&FileId>) -> Occurrences {
    let mut finder = Finder { world, only, found: BTreeMap::new(), doubtful: BTreeSet::new() };
    match entity {
        Entity::Local { source, scope, name } => finder.local(source, *scope, name),
        Entity::Global { source, name } => finder.global(source, name),
        Entity::Builtin(name) => finder.builtin(name),
        Entity::Own { class, name } => {
            finder.field(&Fields::Own(class.clone()), name, &class.source)
        }
        Entity::Field { decl, field, source } => {
            finder.field(&Fields::Declared(decl), field.name, source);
        }
        Entity::Bound { source, name } => finder.bound(source, name),
        Entity::Process { source, text } => {
            for (location, is_name) in labels::processes(world, source, *text) {
                finder.add(location, is_name, is_name);
            }
        }
        Entity::Port { source, name } => finder.port(source, name),
        Entity::Entry { source, key } => finder.add(source.at(*key), true, true),
        Entity::File(id) => finder.file(id),
        Entity::Context(name) => finder.context(name),
    }
    let all = finder.found.into_iter().map(|(location, (is_declaration, is_write))| Occurrence {
        location,
        is_declaration,
        is_write,
    });
    Occurrences { all: all.collect(), doubtful: finder.doubtful.into_iter().collect() }
}

/// The files that share a name of their namespaces with a file: it means the same in all of them.
pub(crate) fn sharing(world: &Snapshot, source: &Arc<Source>, name: &str) -> Vec<Arc<Source>> {
    let mut seen = BTreeSet::new();
    let mut known = Lists::default();
    let mut looked_at = BTreeSet::new();
    let mut found = Vec::new();
    let mut open = vec![source.clone()];
    while let Some(file) = open.pop() {
        if !seen.insert(file.id.clone()) {
            continue;
        }
        let namespace = world.namespace_files(&file);
        if known.is_new(&namespace) {
            for other in namespace.iter() {
                if looked_at.insert(other.id.clone()) && has_global(other, name) {
                    open.push(other.clone());
                }
            }
        }
        for (loaded, target) in loads(&file) {
            if takes_as_is(&file, loaded, name)
                && let Some(target) = world.file(target)
            {
                open.push(target.clone());
            }
        }
        for (loader, is_include) in world.includers(&file.id) {
            let mut all = loads(loader).filter(|(_, target)| **target == file.id);
            if !is_include && all.any(|(loaded, _)| takes_as_is(loader, loaded, name)) {
                open.push(loader.clone());
            }
        }
        found.push(file);
    }
    found
}

/// Lists of files that have been seen, told apart by where they are.
#[derive(Default)]
struct Lists(BTreeMap<usize, Arc<Files>>);

impl Lists {
    fn is_new(&mut self, list: &Arc<Files>) -> bool {
        self.0.insert(Arc::as_ptr(list) as usize, list.clone()).is_none()
    }
}

/// The names that a file loads, each with the file it is taken from.
fn loads(source: &Source) -> impl Iterator<Item = (&LoadedName, &FileId)> {
    let all = source.names.inclusions.iter().zip(&source.targets);
    all.flat_map(|(inclusion, target)| {
        let names = inclusion.loaded.iter().flatten();
        names.filter_map(move |name| Some((name, target.as_ref()?)))
    })
}

fn takes_as_is(source: &Source, loaded: &LoadedName, name: &str) -> bool {
    loaded.local == loaded.original && source.slice(loaded.original) == name
}

/// Whether a file defines or reads a name of its namespace.
fn has_global(source: &Source, name: &str) -> bool {
    source.names.in_scope(&source.text, 0, name).next().is_some()
        || source
            .names
            .uses
            .iter()
            .any(|used| source.slice(used.name) == name && home(source, used) == 0)
}

struct Finder<'a> {
    world: &'a Snapshot,
    /// The only file that is searched, if it is not all.
    only: Option<&'a FileId>,
    /// The places, with whether they declare and whether they write.
    found: BTreeMap<Location, (bool, bool)>,
    doubtful: BTreeSet<Location>,
}

impl Finder<'_> {
    fn is_searched(&self, file: &Source) -> bool {
        self.only.is_none_or(|only| *only == file.id)
    }

    fn add(&mut self, location: Location, is_declaration: bool, is_write: bool) {
        let known = self.found.entry(location).or_default();
        *known = (known.0 || is_declaration, known.1 || is_write);
    }

    /// The definitions of a name in a scope, and what leads to them.
    fn scope(&mut self, source: &Source, scope: ScopeId, name: &str, loads_declare: bool) {
        for (_, definition) in source.names.in_scope(&source.text, scope, name) {
            let is_load = definition.kind == DefKind::Loaded;
            self.add(source.at(definition.name), !is_load || loads_declare, true);
        }
        for used in &source.names.uses {
            if source.slice(used.name) == name && home(source, used) == scope {
                self.add(source.at(used.name), false, used.is_written);
            }
        }
    }

    fn local(&mut self, source: &Arc<Source>, scope: ScopeId, name: &str) {
        self.scope(source, scope, name, true);
        self.names_as_text(source, name);
        let mut all = source.names.in_scope(&source.text, scope, name);
        if all.any(|(_, definition)| definition.kind == DefKind::Parameter)
            && let Some(function) = maker_of(source, scope)
        {
            self.arguments(&function, name);
        }
    }

    /// The keywords by which calls give a function a parameter.
    fn arguments(&mut self, function: &Definitive, name: &str) {
        for file in self.world.related(&function.source).iter() {
            if !self.is_searched(file) || !file.text.contains(name) {
                continue;
            }
            each_call(file, &mut |postfix, open, args| {
                let given = args.iter().find_map(|arg| named(file, arg, name));
                let tables = args.iter().filter(|arg| arg.star == Star::Two);
                if given.is_none() && tables.clone().next().is_none() {
                    return;
                }
                match before(self.world, file, postfix, open) {
                    Kind::Function(called) if called.is_same(function) => {}
                    _ => return,
                }
                if let Some(given) = given {
                    self.add(file.at(given), false, true);
                }
                for table in tables {
                    self.argument_in(file, &table.value, name);
                }
            });
        }
    }

    /// The key of a table by which a call gives a parameter.
    fn argument_in(&mut self, file: &Source, table: &Expr, name: &str) {
        let whole = match &table.kind {
            ExprKind::Dict(all) => Some(all.len()),
            ExprKind::Postfix(postfix) => postfix.ops.first().and_then(|op| match &op.kind {
                PostKind::Call(args) => Some(args.len()),
                _ => None,
            }),
            _ => None,
        };
        let entries = entries(&file.text, table);
        let entries = entries.filter(|entries| whole == Some(entries.len()));
        match entries {
            Some(entries) => {
                for (key, _) in entries.into_iter().filter(|(key, _)| file.slice(*key) == name) {
                    self.add(file.at(key), false, true);
                }
            }
            None => {
                self.doubtful.insert(file.at(table.span));
            }
        }
    }

    fn global(&mut self, source: &Arc<Source>, name: &str) {
        let files = sharing(self.world, source, name);
        let is_defined = files.iter().any(|file| {
            let mut all = file.names.in_scope(&file.text, 0, name);
            all.any(|(_, definition)| definition.kind != DefKind::Loaded)
        });
        for file in &files {
            self.scope(file, 0, name, !is_defined);
            self.names_as_text(file, name);
            for (loader, _) in self.world.includers(&file.id) {
                let all = loads(loader).filter(|(_, target)| **target == file.id);
                for (loaded, _) in all.filter(|(loaded, _)| loader.slice(loaded.original) == name) {
                    self.add(loader.at(loaded.original), false, false);
                }
            }
        }
    }

    /// A file that looks at its names as texts may mean any.
    fn names_as_text(&mut self, source: &Source, name: &str) {
        let all = &source.names.uses;
        let asks = all.iter().find(|used| NAMES_AS_TEXT.contains(&source.slice(used.name)));
        if let Some(used) = asks {
            let spelled = [
                format!("%({name})"),
                format!("{{{name}"),
                format!("'{name}'"),
                format!("\"{name}\""),
            ];
            if spelled.iter().any(|text| source.text.contains(text)) {
                self.doubtful.insert(source.at(used.name));
            }
        }
    }

    fn builtin(&mut self, name: &str) {
        let mut defined: BTreeSet<FileId> = BTreeSet::new();
        let has = |file: &Source| file.names.in_scope(&file.text, 0, name).next().is_some();
        for file in self.world.files().filter(|file| has(file)) {
            let namespace = self.world.namespace_files(file);
            defined.extend(namespace.iter().map(|file| file.id.clone()));
        }
        for file in self.world.files().filter(|file| !defined.contains(&file.id)) {
            if !self.is_searched(file) {
                continue;
            }
            for used in &file.names.uses {
                if file.slice(used.name) == name && home(file, used) == 0 {
                    self.add(file.at(used.name), false, used.is_written);
                }
            }
        }
    }

    fn bound(&mut self, source: &Arc<Source>, name: &str) {
        let mut meanings = Meanings::new(self.world);
        let mut seen = BTreeSet::new();
        let mut known = Lists::default();
        let mut open = vec![source.clone()];
        while let Some(file) = open.pop() {
            if !seen.insert(file.id.clone()) {
                continue;
            }
            let bindings = meanings.bindings(&file);
            if known.is_new(bindings.files()) {
                for target in bindings.named(name) {
                    if let Target::Bound(source, bound) = target {
                        self.add(source.at(bound.name), true, true);
                        open.push(source.clone());
                    }
                }
                let all = bindings.files().iter();
                let may_refer = all.filter(|file| !file.id.is_std() && file.text.contains(name));
                open.extend(may_refer.cloned());
            }
            self.bound_in(&mut meanings, &file, name);
        }
    }

    fn bound_in(&mut self, meanings: &mut Meanings<'_>, file: &Arc<Source>, name: &str) {
        for reference in references_of(file) {
            let parts: Vec<&str> = reference.parts.iter().map(|part| file.slice(*part)).collect();
            let first =
                usize::from(parts.len() > 1 && matches!(parts.first(), Some(&("self" | "super"))));
            if parts.get(first) != Some(&name) {
                continue;
            }
            let place = reference.parts[first];
            let meant = meanings.first(file, place.start, name);
            let is_bound = |target: &Target| matches!(target, Target::Bound(..));
            if !meant.is_empty() && !meant.iter().any(is_bound) {
                continue;
            }
            self.add(file.at(place), false, false);
            if !meant.iter().all(is_bound) {
                self.doubtful.insert(file.at(place));
            }
        }
    }

    fn field(&mut self, owner: &Fields, name: &str, source: &Arc<Source>) {
        if let Fields::Own(class) = owner {
            self.scope(&class.source, class.get().inner.unwrap_or_default(), name, true);
        }
        let mut search = FieldSearch {
            world: self.world,
            owner,
            name,
            meanings: Meanings::new(self.world),
            found: Vec::new(),
            open: Vec::new(),
            others: Vec::new(),
        };
        for file in self.world.related(source).iter() {
            if self.is_searched(file) && file.text.contains(name) {
                search.file(file);
            }
        }
        let FieldSearch { found, open, others, .. } = search;
        for (location, is_write) in found {
            self.add(location, false, is_write);
        }
        self.doubtful.extend(others);
        if let Fields::Own(_) = owner {
            // A value of which nothing is known has the field if nothing else has one of its name.
            let is_only = catalog::structs().all(|decl| decl.field(name).is_none())
                && self.classes_with(source, name) == 1;
            for (location, is_write) in open {
                if is_only {
                    self.add(location, false, is_write);
                } else {
                    self.doubtful.insert(location);
                }
            }
        }
    }

    /// How many classes declare a field of this name.
    fn classes_with(&self, source: &Arc<Source>, name: &str) -> usize {
        let related = self.world.related(source);
        let scopes = related.iter().map(|file| {
            let all = file.names.definitions.iter();
            let fields = all
                .filter(|found| found.kind == DefKind::Field && found.name.of(&file.text) == name);
            fields.map(|field| field.scope).collect::<BTreeSet<_>>().len()
        });
        scopes.sum()
    }

    fn port(&mut self, source: &Arc<Source>, name: &str) {
        let mut meanings = Meanings::new(self.world);
        for file in self.world.related(source).iter().filter(|file| !file.id.is_std()) {
            if !self.is_searched(file) {
                continue;
            }
            for text in texts(file, name) {
                if let Some(Role::Port) = role(self.world, file, text) {
                    self.add(file.at(text), true, true);
                }
            }
            for reference in references_of(file) {
                if let Some(port) = reference.parts.get(2)
                    && file.slice(*port) == name
                    && is_port(&mut meanings, file, &reference)
                {
                    self.add(file.at(*port), false, false);
                }
            }
        }
    }

    fn file(&mut self, id: &FileId) {
        for (includer, _) in self.world.includers(id) {
            let all = includer.names.inclusions.iter().zip(&includer.targets);
            for (inclusion, _) in all.filter(|(_, target)| target.as_ref() == Some(id)) {
                self.add(includer.at(inclusion.literal), false, false);
            }
        }
    }

    fn context(&mut self, name: &str) {
        let mut meanings = Meanings::new(self.world);
        for file in self.world.files() {
            if !self.is_searched(file) {
                continue;
            }
            for reference in references_of(file) {
                let Some(first) = reference.parts.first() else { continue };
                if file.slice(*first) != name {
                    continue;
                }
                let meant = meanings.first(file, first.start, name);
                if meant.iter().all(|target| matches!(target, Target::Context(..))) {
                    self.add(file.at(*first), false, false);
                }
            }
        }
    }
}

/// The references in the texts of a file, escaped ones too.
pub(crate) fn references_of(source: &Source) -> impl Iterator<Item = Reference> {
    let templates = source.names.templates.iter();
    templates.flat_map(|template| template.references.iter().chain(&template.escaped)).cloned()
}

/// Calls a function for each call of a file: what is called, the bracket's place, the arguments.
fn each_call<'t>(source: &'t Source, visit: &mut dyn FnMut(&'t Postfix, u32, &'t [Arg])) {
    walk::everything(&source.parsed.tree, &mut |expr| {
        let ExprKind::Postfix(postfix) = &expr.kind else { return };
        for op in &postfix.ops {
            if let PostKind::Call(args) = &op.kind {
                visit(postfix, op.span.start, args);
            }
        }
    });
}

/// The keyword of an argument, if it is this one.
fn named(source: &Source, arg: &Arg, name: &str) -> Option<Span> {
    arg.name.filter(|given| source.slice(*given) == name)
}

/// The kind of what stands before an operation.
fn before(world: &Snapshot, source: &Arc<Source>, postfix: &Postfix, at: u32) -> Kind {
    let start = postfix.base.span.start;
    let used = source.names.use_at(start).filter(|used| used.name.start == start);
    let scope = used.map_or_else(|| source.names.scope_at(start), |used| used.scope);
    kind_before(world, source, scope, postfix, at)
}

/// Looks for a field of a struct.
struct FieldSearch<'a> {
    world: &'a Snapshot,
    owner: &'a Fields,
    name: &'a str,
    meanings: Meanings<'a>,
    /// The places, with whether they give a value.
    found: Vec<(Location, bool)>,
    /// Fields of values of which nothing is known.
    open: Vec<(Location, bool)>,
    /// What may be this field, or another's.
    others: Vec<Location>,
}

impl FieldSearch<'_> {
    fn is_owner(&self, fields: &Fields) -> bool {
        match (self.owner, fields) {
            (Fields::Declared(a), Fields::Declared(b)) => a.name == b.name,
            (Fields::Own(a), Fields::Own(b)) => declaring(self.world, b).is_same(a),
            _ => false,
        }
    }

    /// Notes a place where the field of a value of this kind stands.
    fn note(&mut self, kind: &Kind, location: Location, is_write: bool) {
        match fields_of(kind) {
            Some(fields) if self.is_owner(&fields) => self.found.push((location, is_write)),
            None if matches!(kind, Kind::Unknown) => self.open.push((location, is_write)),
            _ => {}
        }
    }

    fn file(&mut self, file: &Arc<Source>) {
        walk::everything(&file.parsed.tree, &mut |expr| {
            let ExprKind::Postfix(postfix) = &expr.kind else { return };
            for op in &postfix.ops {
                match &op.kind {
                    PostKind::Attr(attribute) => self.attribute(file, postfix, *attribute, op.span),
                    PostKind::Call(args) => self.call(file, postfix, op.span.start, args),
                    _ => {}
                }
            }
        });
        for reference in references_of(file) {
            self.reference(file, &reference.parts, false);
        }
        for bound in file.names.bound.iter().filter(|bound| !bound.rest.is_empty()) {
            let parts: Vec<Span> =
                std::iter::once(bound.name).chain(bound.rest.iter().copied()).collect();
            self.reference(file, &parts, true);
        }
    }

    fn attribute(&mut self, file: &Arc<Source>, postfix: &Postfix, attribute: Span, op: Span) {
        let written = file.slice(attribute);
        let rest = written.strip_prefix("has_").filter(|rest| *rest == self.name);
        let place = match rest {
            Some(_) => Span::new(attribute.start + 4, attribute.end),
            None if written == self.name => attribute,
            None => return,
        };
        let kind = before(self.world, file, postfix, op.start);
        if !matches!(kind, Kind::Constructor(_) | Kind::OwnConstructor(_)) {
            self.note(&kind, file.at(place), false);
        }
    }

    fn call(&mut self, file: &Arc<Source>, postfix: &Postfix, open: u32, args: &[Arg]) {
        let name = self.name;
        let given = args.iter().find_map(|arg| named(file, arg, name));
        let tables = args.iter().filter(|arg| holds_table(&arg.value));
        let asked = self.asked(file, postfix, args);
        if given.is_none() && asked.is_none() && tables.clone().next().is_none() {
            return;
        }
        if let Some((value, place)) = asked {
            let scope = file.names.scope_at(value.span.start);
            let kind = kind_of(self.world, file, scope, value);
            self.note(&kind, file.at(place), false);
            return;
        }
        let kind = before(self.world, file, postfix, open);
        if let Some(given) = given {
            self.note(&kind, file.at(given), true);
        }
        let Some(fields) = fields_of(&kind) else { return };
        for arg in tables {
            match arg.name {
                Some(name) => {
                    let kind = field_kind(self.world, &fields, file.slice(name));
                    self.table(file, &kind, &arg.value);
                }
                None => self.keys(file, &fields, &arg.value),
            }
        }
    }

    /// What `getattr(value, "field")` and its like ask of what.
    fn asked<'t>(
        &self,
        file: &Source,
        postfix: &Postfix,
        args: &'t [Arg],
    ) -> Option<(&'t Expr, Span)> {
        let called = postfix.base.span;
        let [value, field, ..] = args else { return None };
        let place = plain_text(&field.value).filter(|place| file.slice(*place) == self.name)?;
        matches!(file.slice(called), "getattr" | "hasattr").then_some((&value.value, place))
    }

    /// A table, or a list of these, where a value of a kind is wanted.
    fn table(&mut self, file: &Arc<Source>, kind: &Kind, value: &Expr) {
        match (&value.kind, kind) {
            (ExprKind::Paren(inner), kind) => self.table(file, kind, inner),
            (ExprKind::List(items), Kind::List(inner)) => {
                items.iter().for_each(|item| self.table(file, inner, item));
            }
            (ExprKind::Dict(_), kind) => {
                if let Some(fields) = fields_of(kind) {
                    self.keys(file, &fields, value);
                }
            }
            _ => {}
        }
    }

    fn keys(&mut self, file: &Arc<Source>, fields: &Fields, table: &Expr) {
        let ExprKind::Dict(entries) = &table.kind else { return };
        let is_owner = self.is_owner(fields);
        for (key, value) in entries {
            let Some(place) = plain_text(key) else { continue };
            let key = file.slice(place);
            if is_owner && key == self.name {
                self.found.push((file.at(place), true));
            }
            if holds_table(value) {
                let kind = field_kind(self.world, fields, key);
                self.table(file, &kind, value);
            }
        }
    }

    /// A reference, or the key of what is bound.
    fn reference(&mut self, file: &Arc<Source>, parts: &[Span], is_key: bool) {
        let names: Vec<&str> = parts.iter().map(|part| file.slice(*part)).collect();
        for (at, place) in parts.iter().enumerate() {
            if names[at] != self.name || (is_key && at == 0) {
                continue;
            }
            let Meant { targets, is_open } = if is_key {
                self.meanings.bound_part(file, &names, at)
            } else {
                self.meanings.part(file, place.start, &names, at)
            };
            let count = targets.len();
            let own = targets.iter().filter(|target| self.is_target(target)).count();
            if own > 0 {
                self.found.push((file.at(*place), is_key));
            } else if is_open {
                self.open.push((file.at(*place), is_key));
            }
            if own > 0 && own < count {
                self.others.push(file.at(*place));
            }
        }
    }

    fn is_target(&self, target: &Target) -> bool {
        match (self.owner, target) {
            (Fields::Own(class), Target::Own(field)) => match own_of(self.world, field) {
                Some(Entity::Own { class: declared, .. }) => declared.is_same(class),
                _ => false,
            },
            (Fields::Declared(decl), Target::Field(other, ..)) => decl.name == other.name,
            _ => false,
        }
    }
}

/// Whether an expression is a table, or a list that holds one.
fn holds_table(value: &Expr) -> bool {
    match &value.kind {
        ExprKind::Dict(_) => true,
        ExprKind::Paren(inner) => holds_table(inner),
        ExprKind::List(items) => items.iter().any(holds_table),
        _ => false,
    }
}
