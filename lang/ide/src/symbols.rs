//! What a file consists of: its jobs, tasks and processes, classes, functions and variables, as a
//! tree; and the same of all files by name.
//!
//! Only the file's own text is looked at, so that the symbols of a file are found once and stay as
//! they are while others change.

use std::collections::BTreeMap;
use std::sync::Arc;

use aurora_model::declare::{StructDecl, TypeDecl};
use aurora_syntax::Span;
use aurora_syntax::tree::{Arg, Expr, ExprKind, PostKind, Postfix, Stmt, StmtKind};
use aurora_syntax::walk;

use crate::builtin::{Builtin, builtin, documented, struct_decl};
use crate::names::{DefId, DefKind, Definition, ScopeId};
use crate::source::{FileId, Location, Source};
use crate::types::{body_of, expression_at};
use crate::workspace::Snapshot;

/// The structs of which each value is a symbol.
const SHOWN: [(&str, SymbolKind); 3] =
    [("Job", SymbolKind::Job), ("Task", SymbolKind::Task), ("Process", SymbolKind::Process)];
/// How many steps from one definition to the next are followed.
const MAX_STEPS: usize = 16;
/// The longest text that is shown beside a name, in characters.
const MAX_DETAIL: usize = 60;

/// What kind of thing a symbol is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SymbolKind {
    /// A job.
    Job,
    /// A task.
    Task,
    /// A process.
    Process,
    /// Another value of a struct.
    Object,
    /// A struct of one's own.
    Class,
    /// A field of such a struct.
    Field,
    /// A function.
    Function,
    /// Another value.
    Variable,
}

/// A part of a file that has a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Symbol {
    /// The name: of a variable, or what `name = "…"` says.
    pub name: String,
    /// What is to say besides: the name of what a variable holds, where a job runs, parameters.
    pub detail: String,
    /// What it is.
    pub kind: SymbolKind,
    /// All of it.
    pub whole: Span,
    /// Its name, a part of it.
    pub selection: Span,
    /// The name of a job, with where it runs if that is written: what people look for.
    pub key: Option<String>,
    /// What it consists of, in the order of the text.
    pub children: Vec<Symbol>,
}

/// A symbol of some file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// The name.
    pub name: String,
    /// What is to say besides.
    pub detail: String,
    /// What it is.
    pub kind: SymbolKind,
    /// Where its name stands.
    pub location: Location,
    /// The name of what it is a part of.
    pub container: Option<String>,
}

/// The symbols of a file.
pub fn document(world: &Snapshot, file: &FileId) -> Vec<Symbol> {
    world.file(file).map(|source| source.outline().to_vec()).unwrap_or_default()
}

/// The symbols of all files whose name, or what is said beside it, has the letters of `query` in
/// their order: those that fit best first, at most `limit`.
pub fn workspace(world: &Snapshot, query: &str, limit: usize) -> Vec<Found> {
    let mut found = Vec::new();
    for source in world.files() {
        collect(source, source.outline(), None, query, &mut found);
    }
    found.sort_by(|(score, one), (other_score, other)| {
        other_score
            .cmp(score)
            .then_with(|| one.name.len().cmp(&other.name.len()))
            .then_with(|| (&one.name, &one.location).cmp(&(&other.name, &other.location)))
    });
    found.truncate(limit);
    found.into_iter().map(|(_, found)| found).collect()
}

fn collect(
    source: &Arc<Source>,
    symbols: &[Symbol],
    container: Option<&str>,
    query: &str,
    found: &mut Vec<(i32, Found)>,
) {
    for symbol in symbols {
        let beside = Some(&symbol.detail).filter(|detail| !detail.is_empty());
        let name = symbol.key.as_ref().unwrap_or(&symbol.name);
        let score = [Some(name), Some(&symbol.name), beside];
        let score = score.into_iter().flatten().filter_map(|text| fuzzy(query, text)).max();
        if let Some(score) = score {
            // What a job is called in the file tells of it besides.
            let variable = symbol.key.as_ref().filter(|key| !key.ends_with(&symbol.name));
            let variable = variable.map(|_| symbol.name.as_str());
            let symbol = Found {
                name: name.clone(),
                detail: symbol.detail.clone(),
                kind: symbol.kind,
                location: source.at(symbol.selection),
                container: variable.or(container).map(str::to_owned),
            };
            found.push((score, symbol));
        }
        collect(source, &symbol.children, Some(&symbol.name), query, found);
    }
}

/// How well a name fits what somebody types: [`None`] if it lacks a letter.
pub fn fuzzy(query: &str, name: &str) -> Option<i32> {
    let mut score = 0;
    let mut rest = name.char_indices().peekable();
    let mut before = None;
    let mut last = None;
    for wanted in query.chars().filter(|c| !c.is_whitespace()) {
        loop {
            let (at, character) = rest.next()?;
            let previous = before.replace(character);
            if !character.to_lowercase().eq(wanted.to_lowercase()) {
                continue;
            }
            let begins_word = previous.is_none_or(|before| {
                !before.is_alphanumeric() || (before.is_lowercase() && character.is_uppercase())
            });
            score += 1 + 4 * i32::from(begins_word) + i32::from(character == wanted);
            score += if last.is_some_and(|last| last + 1 == at) { 3 } else { 0 };
            score += if at == 0 { 4 } else { 0 };
            last = Some(at);
            break;
        }
    }
    Some(if rest.peek().is_none() && last.is_some() { score + 2 } else { score })
}

/// The symbols of a text.
pub(crate) fn outline(source: &Source) -> Vec<Symbol> {
    let mut reader = Reader { source, known: BTreeMap::new(), steps: MAX_STEPS };
    let mut out = Vec::new();
    reader.block(&source.parsed.tree, 0, &mut out);
    out
}

/// What the text of a file tells of a value.
#[derive(Debug, Clone, Copy)]
enum Value {
    /// A struct of the language.
    Struct(&'static StructDecl),
    /// What makes one when it is called.
    Maker(&'static StructDecl),
    /// Neither.
    Other,
}

struct Reader<'a> {
    source: &'a Source,
    /// What the definitions are, each looked at once.
    known: BTreeMap<DefId, Value>,
    steps: usize,
}

impl<'a> Reader<'a> {
    fn block(&mut self, stmts: &'a [Stmt], scope: ScopeId, out: &mut Vec<Symbol>) {
        for stmt in stmts {
            self.stmt(stmt, scope, out);
        }
    }

    fn stmt(&mut self, stmt: &'a Stmt, scope: ScopeId, out: &mut Vec<Symbol>) {
        match &stmt.kind {
            StmtKind::Assign { targets, value } => {
                self.assigned(stmt, targets, Some(value), scope, out);
            }
            StmtKind::Annotated { target, value, .. } => {
                self.assigned(stmt, std::slice::from_ref(target), value.as_ref(), scope, out);
            }
            StmtKind::Augmented { target, value, .. } => {
                let wanted = self.listed_in(target);
                self.values(value, wanted, scope, out);
            }
            StmtKind::Def { name, params, body, .. } => {
                let inner = self.inner(*name);
                let mut children = Vec::new();
                self.block(&body.stmts, inner.unwrap_or(scope), &mut children);
                let params: Vec<&str> =
                    params.iter().map(|param| self.source.slice(param.span)).collect();
                let detail = shortened(&format!("({})", params.join(", ")));
                out.extend(self.symbol(*name, detail, SymbolKind::Function, stmt.span, children));
            }
            StmtKind::Class { name, .. } => {
                let fields = self.fields(*name);
                let detail = String::new();
                out.extend(self.symbol(*name, detail, SymbolKind::Class, stmt.span, fields));
            }
            _ => {
                walk::expressions(stmt, &mut |expr| self.values(expr, None, scope, out));
                for block in walk::blocks(stmt) {
                    self.block(&block.stmts, scope, out);
                }
            }
        }
    }

    /// The fields of a struct of the file.
    fn fields(&self, name: Span) -> Vec<Symbol> {
        let names = &self.source.names;
        let Some(id) = names.definition_at(name.start) else { return Vec::new() };
        let whole = names.definitions[id].whole;
        let Some(inner) = names.definitions[id].inner else { return Vec::new() };
        let within = names.definitions[id..].iter();
        let within = within.take_while(|found| found.name.start < whole.end);
        let fields = within.filter(|found| found.scope == inner && found.kind == DefKind::Field);
        let symbol = |field: &Definition| {
            let detail = field.value.map(|value| shortened(self.source.slice(value)));
            let whole = field.name.to(field.whole);
            self.symbol(field.name, detail.unwrap_or_default(), SymbolKind::Field, whole, vec![])
        };
        fields.filter_map(symbol).collect()
    }

    /// Names that are given a value. Those of functions are shown only if they hold a struct.
    fn assigned(
        &mut self,
        stmt: &Stmt,
        targets: &'a [Expr],
        value: Option<&'a Expr>,
        scope: ScopeId,
        out: &mut Vec<Symbol>,
    ) {
        let (mut detail, mut kind) = (String::new(), SymbolKind::Variable);
        let mut key = None;
        let mut children = Vec::new();
        let names_struct = |target: &Expr| {
            let named = self.source.names.definition_at(target.span.start);
            named.is_some_and(|id| self.source.names.definitions[id].kind == DefKind::Struct)
        };
        if let [target] = targets
            && names_struct(target)
        {
            kind = SymbolKind::Class;
            children = self.fields(target.span);
        } else if let Some(value) = value {
            match self.value(value, scope) {
                Value::Struct(decl) => {
                    kind = shown(decl).unwrap_or(SymbolKind::Object);
                    let (name, inner) = self.parts(value, decl, scope);
                    let of_job = name.as_ref().filter(|_| kind == SymbolKind::Job);
                    key = of_job.map(|(name, _)| self.key_of(value, name));
                    detail = name.map_or_else(|| decl.name.to_owned(), |(name, _)| name);
                    children = inner;
                }
                _ => {
                    let wanted = targets.first().and_then(|target| self.listed_in(target));
                    self.values(value, wanted, scope, &mut children);
                }
            }
        }
        let mut names = Vec::new();
        targets.iter().for_each(|target| names_in(target, &mut names));
        let is_shown = scope == 0 || kind != SymbolKind::Variable;
        if !is_shown || names.is_empty() {
            return out.append(&mut children);
        }
        for name in names {
            let children = std::mem::take(&mut children);
            let symbol = self.symbol(name, detail.clone(), kind, stmt.span, children);
            out.extend(symbol.map(|symbol| Symbol { key: key.clone(), ..symbol }));
        }
    }

    /// The name of a job that calls make, with where it runs if all of that is written.
    fn key_of(&self, expr: &Expr, name: &str) -> String {
        let mut expr = expr;
        while let ExprKind::Paren(inner) = &expr.kind {
            expr = inner;
        }
        let place = match &expr.kind {
            ExprKind::Postfix(postfix) => self.place_of(postfix),
            _ => String::new(),
        };
        match place.is_empty() || place.contains('?') {
            true => name.to_owned(),
            false => format!("{place}/{name}"),
        }
    }

    /// The struct of which a list has elements that is assigned to: jobs are in `jobs`.
    fn listed_in(&self, target: &Expr) -> Option<&'static StructDecl> {
        let is_jobs = target.kind == ExprKind::Name && self.source.slice(target.span) == "jobs";
        is_jobs.then(|| struct_decl("Job")).flatten()
    }

    fn symbol(
        &self,
        name: Span,
        detail: String,
        kind: SymbolKind,
        whole: Span,
        children: Vec<Symbol>,
    ) -> Option<Symbol> {
        let text = self.source.slice(name);
        let (name, selection) = (text.to_owned(), name);
        let name = Symbol { name, detail, kind, whole, selection, key: None, children };
        // A name that is missing cannot be shown; what is in it is lost with it, until it is there.
        (!text.is_empty()).then_some(name)
    }

    /// Adds the structs of an expression that have names. `wanted` is what stands here if nobody
    /// knows otherwise.
    fn values(
        &mut self,
        expr: &'a Expr,
        wanted: Option<&'static StructDecl>,
        scope: ScopeId,
        out: &mut Vec<Symbol>,
    ) {
        match &expr.kind {
            ExprKind::Postfix(postfix) => {
                let calls = postfix.ops.iter().any(|op| matches!(op.kind, PostKind::Call(_)));
                let decl = match self.value(expr, scope) {
                    Value::Struct(decl) => Some(decl),
                    _ => wanted.filter(|_| calls),
                };
                let kind = decl.and_then(shown);
                let (Some(decl), Some(kind)) = (decl, kind) else {
                    return self.inner_values(postfix, decl, scope, out);
                };
                let (name, children) = self.parts(expr, decl, scope);
                let key = name.as_ref().filter(|_| kind == SymbolKind::Job);
                let key = key.map(|(name, _)| name.clone());
                let base = &postfix.base;
                let (name, selection) = match name {
                    Some(name) => name,
                    // Of a job that is computed, the name of what makes it says most.
                    None if kind == SymbolKind::Job && base.kind == ExprKind::Name => {
                        (self.source.slice(base.span).to_owned(), base.span)
                    }
                    None => return out.extend(children),
                };
                let detail = self.place_of(postfix);
                let key = key.map(|name| self.key_of(expr, &name));
                let whole = expr.span;
                out.push(Symbol { name, detail, kind, whole, selection, key, children });
            }
            ExprKind::Comp(comp) => {
                let inner = self.source.names.scope_at(comp.element.span.start);
                self.values(&comp.element, wanted, inner, out);
            }
            ExprKind::List(_)
            | ExprKind::Tuple { .. }
            | ExprKind::Paren(_)
            | ExprKind::Chain(_)
            | ExprKind::Cond(_) => {
                walk::parts(expr, &mut |part| self.values(part, wanted, scope, out));
            }
            _ => walk::parts(expr, &mut |part| self.values(part, None, scope, out)),
        }
    }

    /// The name of a struct that calls make, and what they are given.
    fn parts(
        &mut self,
        expr: &'a Expr,
        decl: &'static StructDecl,
        scope: ScopeId,
    ) -> (Option<(String, Span)>, Vec<Symbol>) {
        let mut expr = expr;
        while let ExprKind::Paren(inner) = &expr.kind {
            expr = inner;
        }
        let mut children = Vec::new();
        let ExprKind::Postfix(postfix) = &expr.kind else {
            self.values(expr, None, scope, &mut children);
            return (None, children);
        };
        self.inner_values(postfix, Some(decl), scope, &mut children);
        let calls = postfix.ops.iter().rev().filter_map(|op| match &op.kind {
            PostKind::Call(args) => Some(args),
            _ => None,
        });
        let name = calls.flatten().find_map(|arg| self.name_of(arg));
        // `SimpleTask("name", "command")`.
        let first = || match postfix.ops.first().map(|op| &op.kind) {
            Some(PostKind::Call(args)) if self.source.slice(postfix.base.span) == "SimpleTask" => {
                let first = args.first().filter(|arg| arg.name.is_none())?;
                self.literal(&first.value)
            }
            _ => None,
        };
        (name.or_else(first), children)
    }

    fn name_of(&self, arg: &Arg) -> Option<(String, Span)> {
        let is_name = arg.name.is_some_and(|name| self.source.slice(name) == "name");
        is_name.then(|| self.literal(&arg.value)).flatten()
    }

    /// What a literal says, and where.
    fn literal(&self, value: &Expr) -> Option<(String, Span)> {
        let ExprKind::Str(pieces) = &value.kind else { return None };
        let [piece] = &**pieces else { return None };
        let text = match piece.fields {
            // The fields of an f-string are shown as they are written.
            Some(_) => self.source.slice(piece.inner()).to_owned(),
            None => aurora_syntax::value(&self.source.text, pieces).value,
        };
        let text = shortened(&text);
        (!text.is_empty()).then(|| (text, piece.inner()))
    }

    /// Where a job runs, as far as that is written: `cluster/role/environment`.
    fn place_of(&self, postfix: &Postfix) -> String {
        let given = |field: &str| {
            let calls = postfix.ops.iter().rev().filter_map(|op| match &op.kind {
                PostKind::Call(args) => Some(args),
                _ => None,
            });
            let is_it = |name: Span| self.source.slice(name) == field;
            let mut args = calls.flatten().filter(|arg| arg.name.is_some_and(is_it));
            self.literal(&args.next()?.value).map(|(text, _)| text)
        };
        let parts = ["cluster", "role", "environment"].map(given);
        if parts.iter().all(Option::is_none) {
            return String::new();
        }
        parts.map(|part| part.unwrap_or_else(|| "?".to_owned())).join("/")
    }

    /// Adds what the arguments of calls hold.
    fn inner_values(
        &mut self,
        postfix: &'a Postfix,
        decl: Option<&'static StructDecl>,
        scope: ScopeId,
        out: &mut Vec<Symbol>,
    ) {
        if postfix.base.kind != ExprKind::Name {
            self.values(&postfix.base, None, scope, out);
        }
        for op in &postfix.ops {
            match &op.kind {
                PostKind::Call(args) => {
                    for arg in args {
                        let field = arg.name.zip(decl);
                        let field =
                            field.and_then(|(name, decl)| decl.field(self.source.slice(name)));
                        let wanted = field.and_then(|field| element(&field.ty));
                        self.values(&arg.value, wanted, scope, out);
                    }
                }
                PostKind::Index(index) => self.values(index, None, scope, out),
                PostKind::Attr(_) | PostKind::Slice(_) => {}
            }
        }
    }

    fn value(&mut self, expr: &'a Expr, scope: ScopeId) -> Value {
        match &expr.kind {
            ExprKind::Name => self.named(expr.span, scope),
            ExprKind::Paren(inner) => self.value(inner, scope),
            ExprKind::Cond(cond) => match self.value(&cond.0, scope) {
                Value::Other => self.value(&cond.2, scope),
                value => value,
            },
            ExprKind::Postfix(postfix) => self.chain(postfix, scope),
            _ => Value::Other,
        }
    }

    fn chain(&mut self, postfix: &'a Postfix, scope: ScopeId) -> Value {
        let mut value = self.value(&postfix.base, scope);
        let mut ops = postfix.ops.as_slice();
        // `Tasks.concat(…)`.
        if let ([attr, rest @ ..], Value::Other, ExprKind::Name) = (ops, value, &postfix.base.kind)
            && let PostKind::Attr(_) = attr.kind
        {
            let name = self.source.slice(postfix.base.span.to(attr.span));
            if let Some(decl) = made_by(name) {
                (value, ops) = (Value::Maker(decl), rest);
            }
        }
        for op in ops {
            value = match (&op.kind, value) {
                (PostKind::Call(_), Value::Maker(decl) | Value::Struct(decl)) => {
                    Value::Struct(decl)
                }
                // What is called next gives a value like it: `job.bind(…)`.
                (PostKind::Attr(name), Value::Struct(decl)) => match self.source.slice(*name) {
                    "bind" | "in_scope" | "copy" => Value::Maker(decl),
                    name => match decl.field(name).map(|field| &field.ty) {
                        Some(TypeDecl::Struct(inner)) => Value::Maker(inner),
                        _ => Value::Other,
                    },
                },
                _ => Value::Other,
            };
        }
        value
    }

    fn named(&mut self, name: Span, scope: ScopeId) -> Value {
        let text = self.source.slice(name);
        let names = &self.source.names;
        let mut around = names.around(scope);
        let found = around.find_map(|scope| {
            let all: Vec<DefId> =
                names.in_scope(&self.source.text, scope, text).map(|(id, _)| id).collect();
            let is_before = |id: &&DefId| names.definitions[**id].whole.end <= name.start;
            all.iter().rfind(is_before).or(all.last()).copied()
        });
        match found {
            Some(id) => self.defined(id),
            None => match builtin(text) {
                Some(Builtin::Struct(decl)) => Value::Maker(decl),
                Some(Builtin::Object(object)) => Value::Struct(object.ty),
                Some(Builtin::Name(_)) => made_by(text).map_or(Value::Other, Value::Maker),
                _ => Value::Other,
            },
        }
    }

    fn defined(&mut self, id: DefId) -> Value {
        if let Some(known) = self.known.get(&id) {
            return *known;
        }
        // What leads back to itself is not known.
        self.known.insert(id, Value::Other);
        let Some(steps) = self.steps.checked_sub(1) else { return Value::Other };
        self.steps = steps;
        let definition = &self.source.names.definitions[id];
        let value = match definition.kind {
            DefKind::Variable | DefKind::Parameter => {
                let value = definition.value.and_then(|at| expression_at(self.source, at));
                value.map_or(Value::Other, |value| self.value(value, definition.scope))
            }
            DefKind::Function => self.returned(id),
            _ => Value::Other,
        };
        self.steps += 1;
        self.known.insert(id, value);
        value
    }

    /// What a function makes: what its first `return` of a struct says.
    fn returned(&mut self, id: DefId) -> Value {
        let definition = &self.source.names.definitions[id];
        let Some(body) = body_of(&self.source.parsed.tree, definition.name) else {
            return Value::Other;
        };
        let mut values = Vec::new();
        returns(body, &mut values);
        let scope = definition.inner.unwrap_or(0);
        let made = values.into_iter().find_map(|value| match self.value(value, scope) {
            Value::Struct(decl) => Some(decl),
            _ => None,
        });
        made.map_or(Value::Other, Value::Maker)
    }

    /// The scope that a function makes.
    fn inner(&self, name: Span) -> Option<ScopeId> {
        let names = &self.source.names;
        names.definitions[names.definition_at(name.start)?].inner
    }
}

fn shown(decl: &StructDecl) -> Option<SymbolKind> {
    SHOWN.iter().find(|(name, _)| *name == decl.name).map(|(_, kind)| *kind)
}

/// The struct that a field holds, or of which it holds several.
fn element(ty: &TypeDecl) -> Option<&'static StructDecl> {
    match ty {
        TypeDecl::Struct(decl) => Some(decl),
        TypeDecl::List(inner) => element(inner),
        _ => None,
    }
}

/// The struct that a function of the language makes, as its documentation says.
fn made_by(name: &str) -> Option<&'static StructDecl> {
    let (_, result) = documented(name)?.signature.split_once("-> ")?;
    struct_decl(result)
}

fn names_in(target: &Expr, out: &mut Vec<Span>) {
    match &target.kind {
        ExprKind::Name => out.push(target.span),
        ExprKind::Tuple { items, .. } | ExprKind::List(items) => {
            items.iter().for_each(|item| names_in(item, out));
        }
        ExprKind::Paren(inner) => names_in(inner, out),
        _ => {}
    }
}

fn returns<'t>(stmts: &'t [Stmt], out: &mut Vec<&'t Expr>) {
    for stmt in stmts {
        match &stmt.kind {
            StmtKind::Return(Some(value)) => out.push(value),
            StmtKind::Def { .. } | StmtKind::Class { .. } => {}
            _ => walk::blocks(stmt).into_iter().for_each(|block| returns(&block.stmts, out)),
        }
    }
}

/// The begin of a text, on one line.
fn shortened(text: &str) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    match line.char_indices().nth(MAX_DETAIL) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line,
    }
}
