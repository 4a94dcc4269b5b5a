//! Names that stand in texts: those of processes, where they are given and where an order says which
//! comes first, those of ports, and the keys of tables that become structs.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use aurora_syntax::tree::{Arg, Expr, ExprKind, PostKind, PostOp, Postfix};
use aurora_syntax::{Span, walk};

use crate::names::{DefId, Reference, ScopeId, plain_text};
use crate::resolve::{definitions, origin};
use crate::source::{FileId, Location, Source};
use crate::template::{Meanings, Target};
use crate::types::{
    Fields, Kind, expression_at, fields_of, kind_before, kind_of, kind_of_definition, own_field,
};
use crate::workspace::Snapshot;

/// How many definitions are followed from a list of processes to the names of these.
const MAX_SEEN: usize = 200;

/// What a text says.
#[derive(Debug, Clone)]
pub enum Role {
    /// The name of a process.
    Process,
    /// The process that an order means.
    Ordered,
    /// The name of a port.
    Port,
    /// A field: the key of a table, or what `getattr` asks for.
    Key(Fields),
}

/// What the text between these quotes says, if it is the name of something.
pub fn role(world: &Snapshot, source: &Arc<Source>, text: Span) -> Option<Role> {
    Around::new(world, source, text)?.role()
}

/// Whether a reference is one to a port.
pub fn is_port(meanings: &mut Meanings<'_>, source: &Arc<Source>, reference: &Reference) -> bool {
    let [space, ports, port, ..] = reference.parts.as_slice() else { return false };
    if (source.slice(*space), source.slice(*ports)) != ("thermos", "ports") {
        return false;
    }
    let found = meanings.first(source, port.start, "thermos");
    found.iter().all(|target| matches!(target, Target::Context(..)))
}

/// The literals of a file that say exactly this, as what stands between their quotes.
pub fn texts(source: &Source, wanted: &str) -> Vec<Span> {
    if wanted.is_empty() {
        return Vec::new();
    }
    let quoted =
        |at: usize| source.text.as_bytes().get(at).is_some_and(|b| matches!(b, b'"' | b'\''));
    let all = source.text.match_indices(wanted);
    all.filter(|(at, _)| at.checked_sub(1).is_some_and(quoted) && quoted(at + wanted.len()))
        .map(|(at, _)| Span::new(crate::text::offset(at), crate::text::offset(at + wanted.len())))
        .collect()
}

/// The names of processes and the orders that mean the same process as a text that is one of these,
/// the text itself among them; each with whether it is the name.
pub fn processes(world: &Snapshot, source: &Arc<Source>, text: Span) -> Vec<(Location, bool)> {
    let name = source.slice(text);
    let mut names = Vec::new();
    let mut orders = Vec::new();
    let related = world.related(source);
    for file in related.iter().filter(|file| !file.id.is_std()) {
        for text in texts(file, name) {
            let Some(around) = Around::new(world, file, text) else { continue };
            match around.role() {
                Some(Role::Process) => names.push(file.at(text)),
                Some(Role::Ordered) => orders.push((file.at(text), around.processes_of_task())),
                _ => {}
            }
        }
    }
    // An order belongs to the processes of its task, or to all of the name if these are not in sight.
    let mut links: BTreeMap<&Location, Vec<&Location>> = BTreeMap::new();
    for (order, of_task) in &orders {
        let own: Vec<&Location> = names.iter().filter(|name| of_task.contains(name)).collect();
        let meant = if own.is_empty() { names.iter().collect() } else { own };
        for name in meant {
            links.entry(name).or_default().push(order);
            links.entry(order).or_default().push(name);
        }
    }
    // Two of a task with one name are one and the same.
    if names.len() > 1 {
        for of_task in tasks(world, &related) {
            let own: Vec<&Location> = names.iter().filter(|name| of_task.contains(name)).collect();
            for pair in own.windows(2) {
                links.entry(pair[0]).or_default().push(pair[1]);
                links.entry(pair[1]).or_default().push(pair[0]);
            }
        }
    }
    let start = source.at(text);
    let mut seen = BTreeSet::from([&start]);
    let mut open = vec![&start];
    while let Some(at) = open.pop() {
        for next in links.get(at).into_iter().flatten() {
            if seen.insert(next) {
                open.push(next);
            }
        }
    }
    seen.into_iter().map(|at| (at.clone(), names.contains(at))).collect()
}

/// The places of the names of the processes of each task.
fn tasks(world: &Snapshot, files: &[Arc<Source>]) -> Vec<BTreeSet<Location>> {
    let mut found = Vec::new();
    for file in files.iter().filter(|file| !file.id.is_std()) {
        walk::everything(&file.parsed.tree, &mut |expr| {
            let ExprKind::Postfix(postfix) = &expr.kind else { return };
            for op in &postfix.ops {
                let mut names = BTreeSet::new();
                of_call(world, file, postfix, op, &mut names);
                if names.len() > 1 {
                    found.push(names);
                }
            }
        });
    }
    found
}

/// Adds the places of the names of the processes of a task, if a call makes one. Says whether it does.
fn of_call(
    world: &Snapshot,
    source: &Arc<Source>,
    postfix: &Postfix,
    op: &PostOp,
    found: &mut BTreeSet<Location>,
) -> bool {
    let PostKind::Call(args) = &op.kind else { return false };
    let is_processes = |arg: &&Arg| arg.name.is_some_and(|name| source.slice(name) == "processes");
    let list = args.iter().find(is_processes);
    let scope = source.names.scope_at(postfix.base.span.start);
    let kind = kind_before(world, source, scope, postfix, op.span.start);
    if !matches!(fields_of(&kind), Some(Fields::Declared(decl)) if decl.name == "Task") {
        return false;
    }
    if let Some(list) = list {
        let mut names = Names { world, seen: BTreeSet::new(), found };
        names.of_list(source, scope, &list.value);
    }
    true
}

/// A text and what stands around it.
struct Around<'a> {
    world: &'a Snapshot,
    source: &'a Arc<Source>,
    text: Span,
    /// The expressions around it, outer ones first, parentheses left out; the last is the literal.
    exprs: Vec<&'a Expr>,
}

/// An argument of a call.
struct Given<'a> {
    postfix: &'a Postfix,
    op: &'a PostOp,
    arg: &'a Arg,
    position: usize,
}

impl<'a> Around<'a> {
    fn new(world: &'a Snapshot, source: &'a Arc<Source>, text: Span) -> Option<Self> {
        let mut exprs = Vec::new();
        walk::around(&source.parsed.tree, text, &mut |expr| {
            if !matches!(expr.kind, ExprKind::Paren(_)) {
                exprs.push(expr);
            }
        });
        let is_it = exprs.last().and_then(|literal| plain_text(literal)) == Some(text);
        is_it.then_some(Self { world, source, text, exprs })
    }

    fn role(&self) -> Option<Role> {
        let last = self.exprs.len().checked_sub(1)?;
        if let Some((fields, field)) = self.field(last) {
            return match (fields.name(), field) {
                ("Process", "name") => Some(Role::Process),
                ("Announcer", "primary_port") | ("HttpLifecycleConfig", "port") => Some(Role::Port),
                _ => None,
            };
        }
        if let Some(given) = self.given(last) {
            return match self.called(&given)?.as_str() {
                "order" | "Processes.order" => Some(Role::Ordered),
                "SimpleTask" | "Tasks.simple" if given.position == 0 => Some(Role::Process),
                "getattr" | "hasattr" if given.position == 1 => self.asked(&given),
                _ => None,
            };
        }
        let parent = last.checked_sub(1)?;
        match &self.exprs[parent].kind {
            ExprKind::List(_) | ExprKind::Tuple { .. } => {
                if let Some((fields, field)) = self.field(parent) {
                    return (fields.name() == "Constraint" && field == "order")
                        .then_some(Role::Ordered);
                }
                let called = self.called(&self.given(parent)?)?;
                matches!(called.as_str(), "order" | "Processes.order").then_some(Role::Ordered)
            }
            ExprKind::Dict(entries) => {
                if let Some((fields, "portmap")) = self.field(parent) {
                    return (fields.name() == "Announcer").then_some(Role::Port);
                }
                let literal = self.exprs[last].span;
                let is_key = entries.iter().any(|(key, _)| key.span == literal);
                let fields = fields_of(&self.expected(parent)).filter(|_| is_key)?;
                Some(Role::Key(fields))
            }
            _ => None,
        }
    }

    /// The argument that the expression number `at` is.
    fn given(&self, at: usize) -> Option<Given<'a>> {
        let value = bare(self.exprs[at]).span;
        let ExprKind::Postfix(postfix) = &self.exprs[at.checked_sub(1)?].kind else { return None };
        postfix.ops.iter().find_map(|op| {
            let PostKind::Call(args) = &op.kind else { return None };
            let position = args.iter().position(|arg| bare(&arg.value).span == value)?;
            Some(Given { postfix, op, arg: args.get(position)?, position })
        })
    }

    /// The field of which `getattr(value, "field")` or its like asks.
    fn asked(&self, given: &Given<'_>) -> Option<Role> {
        let PostKind::Call(args) = &given.op.kind else { return None };
        let value = &args.first()?.value;
        let scope = self.source.names.scope_at(value.span.start);
        fields_of(&kind_of(self.world, self.source, scope, value)).map(Role::Key)
    }

    /// The kind of what is called.
    fn callee(&self, given: &Given<'_>) -> Kind {
        let scope = self.source.names.scope_at(given.postfix.base.span.start);
        kind_before(self.world, self.source, scope, given.postfix, given.op.span.start)
    }

    /// The function of the language that is called.
    fn called(&self, given: &Given<'_>) -> Option<String> {
        match self.callee(given) {
            Kind::Named(name) => Some(name),
            _ => None,
        }
    }

    /// The field of a struct that the expression number `at` is the value of.
    fn field(&self, at: usize) -> Option<(Fields, &'a str)> {
        if let Some(given) = self.given(at) {
            let name = given.arg.name?;
            return Some((fields_of(&self.callee(&given))?, self.source.slice(name)));
        }
        let parent = at.checked_sub(1)?;
        let ExprKind::Dict(entries) = &self.exprs[parent].kind else { return None };
        let value = self.exprs[at].span;
        let (key, _) = entries.iter().find(|(_, entry)| bare(entry).span == value)?;
        let key = plain_text(key)?;
        Some((fields_of(&self.expected(parent))?, self.source.slice(key)))
    }

    /// The kind of value that is wanted where the expression number `at` stands.
    fn expected(&self, at: usize) -> Kind {
        if let Some((fields, field)) = self.field(at) {
            return field_kind(self.world, &fields, field);
        }
        if let Some(given) = self.given(at) {
            // A table in place of fields by name.
            return match fields_of(&self.callee(&given)) {
                Some(Fields::Declared(decl)) => Kind::Struct(decl),
                Some(Fields::Own(class)) => Kind::Own(class),
                None => Kind::Unknown,
            };
        }
        let Some(parent) = at.checked_sub(1) else { return Kind::Unknown };
        match (&self.exprs[parent].kind, self.expected(parent)) {
            (ExprKind::List(_), Kind::List(inner)) => *inner,
            _ => Kind::Unknown,
        }
    }

    /// The places of the names of the processes that the task around the text has, as far as these
    /// are in sight.
    fn processes_of_task(&self) -> BTreeSet<Location> {
        let mut found = BTreeSet::new();
        for expr in self.exprs.iter().rev() {
            let ExprKind::Postfix(postfix) = &expr.kind else { continue };
            let holds =
                |op: &&PostOp| op.span.start <= self.text.start && self.text.end <= op.span.end;
            let Some(op) = postfix.ops.iter().find(holds) else { continue };
            if of_call(self.world, self.source, postfix, op, &mut found) {
                break;
            }
        }
        found
    }
}

/// An expression without parentheses around it.
fn bare(expr: &Expr) -> &Expr {
    match &expr.kind {
        ExprKind::Paren(inner) => bare(inner),
        _ => expr,
    }
}

/// The kind of value that a field holds.
pub(crate) fn field_kind(world: &Snapshot, fields: &Fields, name: &str) -> Kind {
    match fields {
        Fields::Declared(decl) => {
            decl.field(name).map(|field| Kind::of_type(&field.ty)).unwrap_or_default()
        }
        Fields::Own(class) => own_field(world, class, name)
            .map(|field| kind_of_definition(world, &field))
            .unwrap_or_default(),
    }
}

/// Finds where processes are given their names.
struct Names<'a> {
    world: &'a Snapshot,
    /// The definitions that were followed.
    seen: BTreeSet<(FileId, DefId)>,
    found: &'a mut BTreeSet<Location>,
}

impl Names<'_> {
    fn of_list(&mut self, source: &Arc<Source>, scope: ScopeId, list: &Expr) {
        match &bare(list).kind {
            ExprKind::List(items) | ExprKind::Tuple { items, .. } => {
                items.iter().for_each(|item| self.of_process(source, scope, item));
            }
            ExprKind::Chain(chain) => {
                self.of_list(source, scope, &chain.first);
                chain.rest.iter().for_each(|(_, operand)| self.of_list(source, scope, operand));
            }
            ExprKind::Name => self.of_name(source, scope, list, Self::of_list),
            _ => {}
        }
    }

    fn of_process(&mut self, source: &Arc<Source>, scope: ScopeId, process: &Expr) {
        let process = bare(process);
        match &process.kind {
            ExprKind::Name => self.of_name(source, scope, process, Self::of_process),
            ExprKind::Postfix(postfix) => {
                let is_name =
                    |arg: &&Arg| arg.name.is_some_and(|name| source.slice(name) == "name");
                let given = postfix.ops.iter().rev().find_map(|op| match &op.kind {
                    PostKind::Call(args) => args.iter().find(is_name),
                    _ => None,
                });
                match given.map(|arg| plain_text(&arg.value)) {
                    Some(Some(text)) => {
                        self.found.insert(source.at(text));
                    }
                    // It is computed.
                    Some(None) => {}
                    // A copy has the name of what it is copied from.
                    None => self.of_process(source, scope, &postfix.base),
                }
            }
            ExprKind::Dict(entries) => {
                let is_name =
                    |key: &Expr| plain_text(key).is_some_and(|key| source.slice(key) == "name");
                let value = entries.iter().find(|(key, _)| is_name(key)).map(|(_, value)| value);
                self.found.extend(value.and_then(plain_text).map(|text| source.at(text)));
            }
            _ => {}
        }
    }

    fn of_name(
        &mut self,
        source: &Arc<Source>,
        scope: ScopeId,
        name: &Expr,
        next: fn(&mut Self, &Arc<Source>, ScopeId, &Expr),
    ) {
        for found in definitions(self.world, source, scope, source.slice(name.span)) {
            let found = origin(self.world, &found);
            if self.seen.len() >= MAX_SEEN || !self.seen.insert((found.source.id.clone(), found.id))
            {
                continue;
            }
            let value = found.get().value;
            if let Some(value) = value.and_then(|value| expression_at(&found.source, value)) {
                next(self, &found.source, found.get().scope, value);
            }
        }
    }
}
