//! What a file defines, uses, includes and loads, as its text alone says.

use std::borrow::Cow;
use std::hash::{DefaultHasher, Hash, Hasher};

use aurora_syntax::tree::{
    Arg, Clause, Comp, Expr, ExprKind, FPart, Param, PostKind, Stmt, StmtKind, StrPiece,
};
use aurora_syntax::{Parsed, Span};

use crate::text::offset;

/// A scope of a file, by its place in [`Names::scopes`]. The first is the file's own.
pub type ScopeId = usize;
/// A definition of a file, by its place in [`Names::definitions`].
pub type DefId = usize;

/// The names of a file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Names {
    /// Where names are looked up: a scope stands behind the one around it.
    pub scopes: Vec<Scope>,
    /// What gives names a meaning, in the order of the text.
    pub definitions: Vec<Definition>,
    /// Where names are read, in the order of the text.
    pub uses: Vec<Use>,
    /// The files that it takes in, in the order of the text.
    pub inclusions: Vec<Inclusion>,
    /// The texts that hold references, in the order of the text.
    pub templates: Vec<Template>,
    /// The names that calls of `bind`, `in_scope` and `Environment` give a value, in the order of
    /// the text.
    pub bound: Vec<BoundName>,
    /// What such calls are given without a name: structs, whose fields become names, and tables.
    pub bound_values: Vec<Span>,
    /// The definitions, in the order of their scopes and names.
    by_name: Vec<DefId>,
    /// The definitions at the top of the file, in their order, each with the hash of its name.
    top: Vec<(u64, DefId)>,
    /// The function or class that makes each scope.
    makers: Vec<Option<DefId>>,
    nesting: Nesting,
}

/// How scopes stand in each other in the text, to find those around a byte without looking at all.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Nesting {
    /// The scopes in the order of their begins; of two that begin together, the outer one first.
    by_start: Vec<ScopeId>,
    /// For each of these, which one it stands in or right behind.
    around: Vec<Option<usize>>,
}

/// A part of a file in which names have a meaning of their own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scope {
    /// The part.
    pub span: Span,
    /// The scope around it.
    pub outer: Option<ScopeId>,
    /// What makes it.
    pub kind: ScopeKind,
}

/// What makes a scope.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ScopeKind {
    /// The file.
    File,
    /// A function or `lambda`.
    Function,
    /// A comprehension.
    Comprehension,
    /// A class: its names are fields, and nobody else sees them.
    Class,
}

/// What kind of thing a name means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DefKind {
    /// A value.
    Variable,
    /// What a loop or comprehension goes over.
    Loop,
    /// A function.
    Function,
    /// A struct of one's own.
    Struct,
    /// A field of such a struct.
    Field,
    /// A parameter of a function.
    Parameter,
    /// A module of Python.
    Module,
    /// What `load` takes from another file.
    Loaded,
}

/// A place that gives a name a meaning.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Definition {
    /// The name.
    pub name: Span,
    /// The statement, parameter or clause.
    pub whole: Span,
    /// The scope in which it has the meaning.
    pub scope: ScopeId,
    /// The kind.
    pub kind: DefKind,
    /// What it is given, if that is one expression.
    pub value: Option<Span>,
    /// The scope that a function or class makes.
    pub inner: Option<ScopeId>,
}

/// A place that reads a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Use {
    /// The name.
    pub name: Span,
    /// The scope in which it is looked up first.
    pub scope: ScopeId,
    /// Whether it is given another value as well: `name += value`.
    pub is_written: bool,
}

/// A file that is taken in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Inclusion {
    /// The statement or call.
    pub whole: Span,
    /// The literal that says which, with its quotes.
    pub literal: Span,
    /// What it says; [`None`] if it is computed.
    pub path: Option<String>,
    /// The names that `load` takes; [`None`] for `include`, which takes all.
    pub loaded: Option<Vec<LoadedName>>,
}

/// A name that `load` takes from a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoadedName {
    /// What it is called here: the keyword, or the literal itself without its quotes.
    pub local: Span,
    /// What it is called there: within the quotes of the literal.
    pub original: Span,
}

/// A text literal with references.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Template {
    /// The literal, with its quotes.
    pub literal: Span,
    /// The references in it, in order.
    pub references: Vec<Reference>,
    /// What becomes a reference later: `{{&name}}`.
    pub escaped: Vec<Reference>,
}

/// A reference as it is written: `{{name.field[index]}}`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reference {
    /// All of it, with its braces, which are doubled in an f-string.
    pub span: Span,
    /// Its parts, in order: names, and what stands in brackets.
    pub parts: Vec<Span>,
}

/// A name that is bound by a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BoundName {
    /// The name: a keyword, or a key without its quotes, of which it is the first part.
    pub name: Span,
    /// The other parts of a key with dots or brackets: the value takes the place of a part of what
    /// the name is bound to.
    pub rest: Vec<Span>,
    /// What it is bound to.
    pub value: Span,
    /// The call that binds it, from its bracket on.
    pub call: Span,
}

impl Names {
    /// Reads the names of a text.
    pub fn of(text: &str, parsed: &Parsed) -> Self {
        let file =
            Scope { span: Span::new(0, offset(text.len())), outer: None, kind: ScopeKind::File };
        let mut reader = Reader { text, out: Self { scopes: vec![file], ..Self::default() } };
        reader.block(&parsed.tree, 0);
        let mut out = reader.out;
        out.definitions.sort_by_key(|definition| definition.name.start);
        out.uses.sort_by_key(|used| used.name.start);
        out.bound.sort_by_key(|bound| bound.name.start);
        out.templates.sort_by_key(|template| template.literal.start);
        out.by_name = (0..out.definitions.len()).collect();
        out.by_name.sort_by_key(|id| out.definitions[*id].key(text));
        let definitions = out.definitions.iter().enumerate();
        let top = definitions.clone().filter(|(_, found)| found.scope == 0);
        out.top = top.map(|(id, found)| (hash(found.name.of(text)), id)).collect();
        out.makers = vec![None; out.scopes.len()];
        for (id, found) in definitions {
            if let Some(inner) = found.inner {
                out.makers[inner].get_or_insert(id);
            }
        }
        out.nesting = Nesting::of(&out.scopes);
        out
    }

    /// The innermost scope around a byte.
    pub fn scope_at(&self, at: u32) -> ScopeId {
        let Nesting { by_start, around } = &self.nesting;
        let last = by_start.partition_point(|scope| self.scopes[*scope].span.start <= at);
        let around = std::iter::successors(last.checked_sub(1), |place| around[*place]);
        let scopes = around.map(|place| by_start[place]);
        scopes.filter(|scope| at <= self.scopes[*scope].span.end).max().unwrap_or(0)
    }

    /// The function or class that makes a scope.
    pub fn maker(&self, scope: ScopeId) -> Option<DefId> {
        self.makers.get(scope).copied().flatten()
    }

    /// The definitions of a scope, in the order of the text.
    pub fn of_scope(&self, scope: ScopeId) -> Vec<DefId> {
        let of = |id: &DefId| self.definitions[*id].scope;
        let from = self.by_name.partition_point(|id| of(id) < scope);
        let rest = self.by_name.get(from..).unwrap_or_default();
        let mut found: Vec<DefId> = rest.iter().copied().take_while(|id| of(id) == scope).collect();
        found.sort_unstable();
        found
    }

    /// The definitions at the top of the file, in the order of the text, each with the [`hash`] of its
    /// name.
    pub(crate) fn top(&self) -> &[(u64, DefId)] {
        &self.top
    }

    /// The scopes in which a name is looked up, innermost first. A class is looked at only from
    /// itself: its fields are no names for what stands in it.
    pub fn around(&self, scope: ScopeId) -> impl Iterator<Item = ScopeId> {
        std::iter::successors(Some(scope), |scope| self.scopes.get(*scope)?.outer)
            .filter(move |outer| *outer == scope || self.scopes[*outer].kind != ScopeKind::Class)
    }

    /// The definition whose name stands at a byte.
    pub fn definition_at(&self, at: u32) -> Option<DefId> {
        let from = self.definitions.partition_point(|definition| definition.name.end < at);
        self.definitions.get(from).filter(|found| touches(found.name, at)).map(|_| from)
    }

    /// The use at a byte.
    pub fn use_at(&self, at: u32) -> Option<&Use> {
        let from = self.uses.partition_point(|used| used.name.end < at);
        self.uses.get(from).filter(|used| touches(used.name, at))
    }

    /// The definitions of a name in a scope.
    pub fn in_scope<'a>(
        &'a self,
        text: &'a str,
        scope: ScopeId,
        name: &'a str,
    ) -> impl Iterator<Item = (DefId, &'a Definition)> {
        let key = |id: &DefId| self.definitions[*id].key(text);
        let from = self.by_name.partition_point(|id| key(id) < (scope, name));
        let rest = self.by_name.get(from..).unwrap_or_default().iter();
        rest.map(|id| (*id, &self.definitions[*id]))
            .take_while(move |(_, found)| found.key(text) == (scope, name))
    }
}

impl Nesting {
    fn of(scopes: &[Scope]) -> Self {
        let mut by_start: Vec<ScopeId> = (0..scopes.len()).collect();
        by_start.sort_by_key(|scope| scopes[*scope].span.start);
        let mut around = Vec::with_capacity(by_start.len());
        let mut open: Vec<usize> = Vec::new();
        for (place, scope) in by_start.iter().enumerate() {
            let start = scopes[*scope].span.start;
            while open.last().is_some_and(|last| scopes[by_start[*last]].span.end < start) {
                open.pop();
            }
            around.push(open.last().copied());
            open.push(place);
        }
        Self { by_start, around }
    }
}

/// What names are told apart by before they are compared.
pub(crate) fn hash(name: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    name.hash(&mut hasher);
    hasher.finish()
}

impl BoundName {
    /// What an entry of a table binds: its key is an address.
    pub(crate) fn of(text: &str, key: Span, value: Span, call: Span) -> Self {
        let at = |part: std::ops::Range<usize>| {
            Span::new(key.start + offset(part.start), key.start + offset(part.end))
        };
        let mut all = parts(key.of(text)).into_iter().map(at);
        Self { name: all.next().unwrap_or(key), rest: all.collect(), value, call }
    }
}

impl Definition {
    fn key<'a>(&self, text: &'a str) -> (ScopeId, &'a str) {
        (self.scope, self.name.of(text))
    }
}

/// Whether a byte is in a part, or right behind it.
pub(crate) const fn touches(span: Span, at: u32) -> bool {
    span.start <= at && at <= span.end
}

/// The references in a literal, and those that are escaped. What an f-string puts in is none of them.
pub(crate) fn template(text: &str, piece: &StrPiece) -> Template {
    let mut found = Template { literal: piece.span, references: Vec::new(), escaped: Vec::new() };
    match &piece.fields {
        None => found.read(text, piece.inner(), false),
        Some(parts) => {
            for part in &**parts {
                if let FPart::Text(span) = part {
                    found.read(text, *span, true);
                }
            }
        }
    }
    found
}

impl Template {
    /// Takes the references of a part of a literal, in which braces stand for themselves or are
    /// doubled.
    fn read(&mut self, text: &str, part: Span, is_doubled: bool) {
        let written = part.of(text);
        if !written.contains("{{") {
            return;
        }
        let (shown, places) =
            if is_doubled { single(written) } else { (Cow::Borrowed(written), None) };
        let at = |at: usize| {
            let place = places.as_ref().and_then(|places| places.get(at)).copied();
            part.start + place.unwrap_or(offset(at))
        };
        let reference = |start: usize, inside: &str, range: std::ops::Range<usize>| {
            let part = |part: std::ops::Range<usize>| {
                Span::new(at(start + part.start), at(start + part.end))
            };
            let span = Span::new(at(range.start), at(range.end));
            Reference { span, parts: parts(inside).into_iter().map(part).collect() }
        };
        let all = aurora_template::references(&shown);
        self.references
            .extend(all.map(|(inside, range)| reference(range.start + 2, inside, range)));
        let all = aurora_template::escapes(&shown);
        self.escaped.extend(all.map(|(inside, range)| {
            let name = inside.trim_start_matches('&');
            reference(
                range.start + 3 + inside.len() - name.len(),
                name.trim_end_matches('&'),
                range,
            )
        }));
    }
}

/// The text of a part of an f-string, with the place of each of its bytes.
fn single(written: &str) -> (Cow<'_, str>, Option<Vec<u32>>) {
    let mut shown = String::with_capacity(written.len());
    let mut places = Vec::with_capacity(written.len());
    let mut rest = written.char_indices().peekable();
    while let Some((at, character)) = rest.next() {
        shown.push(character);
        places.resize(shown.len(), offset(at));
        if matches!(character, '{' | '}') {
            rest.next_if(|(_, next)| *next == character);
        }
    }
    places.push(offset(written.len()));
    (Cow::Owned(shown), Some(places))
}

/// Where the parts of an address stand in it: what stands between dots and brackets. What is no
/// address has its parts, too, as far as they go.
pub(crate) fn parts(address: &str) -> Vec<std::ops::Range<usize>> {
    let mut parts = Vec::new();
    let mut start = 0;
    for (at, byte) in address.bytes().enumerate() {
        if matches!(byte, b'.' | b'[' | b']') {
            if start < at {
                parts.push(start..at);
            }
            start = at + 1;
        }
    }
    if start < address.len() {
        parts.push(start..address.len());
    }
    parts
}

/// The keys and values of a table that is written as such, `{"key": value}` or `dict(key = value)`:
/// the keys without quotes.
pub(crate) fn entries(text: &str, value: &Expr) -> Option<Vec<(Span, Span)>> {
    match &value.kind {
        ExprKind::Dict(entries) => Some(
            entries
                .iter()
                .filter_map(|(key, value)| Some((plain_text(key)?, value.span)))
                .collect(),
        ),
        ExprKind::Postfix(postfix)
            if postfix.base.kind == ExprKind::Name && postfix.base.span.of(text) == "dict" =>
        {
            let [op] = postfix.ops.as_slice() else { return None };
            let PostKind::Call(args) = &op.kind else { return None };
            Some(args.iter().filter_map(|arg| Some((arg.name?, arg.value.span))).collect())
        }
        _ => None,
    }
}

/// What stands between the quotes of an expression that is one literal and no f-string.
pub(crate) fn plain_text(value: &Expr) -> Option<Span> {
    let ExprKind::Str(pieces) = &value.kind else { return None };
    let [piece] = &**pieces else { return None };
    piece.fields.is_none().then(|| piece.inner())
}

struct Reader<'a> {
    text: &'a str,
    out: Names,
}

impl Reader<'_> {
    fn scope(&mut self, span: Span, outer: ScopeId, kind: ScopeKind) -> ScopeId {
        self.out.scopes.push(Scope { span, outer: Some(outer), kind });
        self.out.scopes.len() - 1
    }

    fn define(&mut self, name: Span, whole: Span, scope: ScopeId, kind: DefKind) -> DefId {
        let value = None;
        self.out.definitions.push(Definition { name, whole, scope, kind, value, inner: None });
        self.out.definitions.len() - 1
    }

    fn block(&mut self, stmts: &[Stmt], scope: ScopeId) {
        for stmt in stmts {
            self.statement(stmt, scope);
        }
    }

    fn statement(&mut self, stmt: &Stmt, scope: ScopeId) {
        match &stmt.kind {
            StmtKind::Assign { targets, value } => {
                if let [target] = targets.as_slice()
                    && target.kind == ExprKind::Name
                    && let Some((fields, call)) = self.struct_type(value)
                {
                    let id = self.define(target.span, stmt.span, scope, DefKind::Struct);
                    // The scopes of its arguments stand in it, so they come behind it.
                    let inner = self.scope(call, scope, ScopeKind::Class);
                    self.expression(value, scope);
                    self.out.definitions[id].inner = Some(inner);
                    for (name, value) in fields {
                        let id = self.define(name, name.to(value), inner, DefKind::Field);
                        self.out.definitions[id].value = Some(value);
                    }
                    return;
                }
                self.expression(value, scope);
                for target in targets {
                    self.target(target, stmt.span, Some(value.span), scope, DefKind::Variable);
                }
            }
            StmtKind::Annotated { target, annotation, value } => {
                self.expression(annotation, scope);
                value.iter().for_each(|value| self.expression(value, scope));
                let value = value.as_ref().map(|value| value.span);
                self.target(target, stmt.span, value, scope, DefKind::Variable);
            }
            StmtKind::Augmented { target, value, .. } => {
                self.expression(value, scope);
                // It reads the name as well, which has its first meaning elsewhere.
                match target.kind {
                    ExprKind::Name => {
                        self.out.uses.push(Use { name: target.span, scope, is_written: true });
                    }
                    _ => self.expression(target, scope),
                }
            }
            StmtKind::For { target, iterable, body, orelse } => {
                self.expression(iterable, scope);
                self.target(target, stmt.span, None, scope, DefKind::Loop);
                self.block(&body.stmts, scope);
                orelse.iter().for_each(|block| self.block(&block.stmts, scope));
            }
            StmtKind::Def { name, params, body, .. } => {
                let id = self.define(*name, stmt.span, scope, DefKind::Function);
                let span = Span::new(name.end, stmt.span.end);
                let inner = self.scope(span, scope, ScopeKind::Function);
                self.out.definitions[id].inner = Some(inner);
                self.params(params, scope, inner);
                self.block(&body.stmts, inner);
            }
            StmtKind::Class { name, bases, body } => {
                bases.iter().for_each(|base| self.expression(base, scope));
                let id = self.define(*name, stmt.span, scope, DefKind::Struct);
                let span = Span::new(body.colon.end, stmt.span.end);
                let inner = self.scope(span, scope, ScopeKind::Class);
                self.out.definitions[id].inner = Some(inner);
                self.class(&body.stmts, inner);
            }
            StmtKind::Import(names) => {
                for name in names {
                    // `import a.b` gives `a` a meaning.
                    let first = name.name.of(self.text).split('.').next().unwrap_or_default();
                    let first = Span::new(name.name.start, name.name.start + offset(first.len()));
                    let shown = name.alias.unwrap_or(first);
                    self.define(shown, stmt.span, scope, DefKind::Module);
                }
            }
            StmtKind::From { names, .. } => {
                for name in names {
                    // The language's own modules are there without it.
                    let local = name.alias.unwrap_or(name.name);
                    if !crate::builtin::is_known(local.of(self.text)) {
                        self.define(local, stmt.span, scope, DefKind::Module);
                    }
                }
            }
            StmtKind::Expr(value) => {
                self.load(value, scope);
                self.expression(value, scope);
            }
            _ => {
                aurora_syntax::walk::expressions(stmt, &mut |value| self.expression(value, scope));
                for block in aurora_syntax::walk::blocks(stmt) {
                    self.block(&block.stmts, scope);
                }
            }
        }
    }

    /// The fields of `struct_type("Name", field = …)`, and the place of the call's brackets.
    fn struct_type(&self, value: &Expr) -> Option<(Vec<(Span, Span)>, Span)> {
        let ExprKind::Postfix(postfix) = &value.kind else { return None };
        let [op] = postfix.ops.as_slice() else { return None };
        let PostKind::Call(args) = &op.kind else { return None };
        let is_it =
            postfix.base.kind == ExprKind::Name && postfix.base.span.of(self.text) == "struct_type";
        let fields = args.iter().filter_map(|arg| Some((arg.name?, arg.value.span)));
        is_it.then(|| (fields.collect(), op.span))
    }

    fn class(&mut self, stmts: &[Stmt], scope: ScopeId) {
        for stmt in stmts {
            match &stmt.kind {
                StmtKind::Assign { targets, value } => {
                    self.expression(value, scope);
                    for target in targets {
                        self.target(target, stmt.span, Some(value.span), scope, DefKind::Field);
                    }
                }
                StmtKind::Annotated { target, annotation, value: Some(value) } => {
                    self.expression(annotation, scope);
                    self.expression(value, scope);
                    self.target(target, stmt.span, Some(value.span), scope, DefKind::Field);
                }
                _ => self.statement(stmt, scope),
            }
        }
    }

    fn target(
        &mut self,
        target: &Expr,
        whole: Span,
        value: Option<Span>,
        scope: ScopeId,
        kind: DefKind,
    ) {
        match &target.kind {
            ExprKind::Name => {
                let id = self.define(target.span, whole, scope, kind);
                self.out.definitions[id].value = value;
            }
            ExprKind::Tuple { items, .. } | ExprKind::List(items) => {
                items.iter().for_each(|item| self.target(item, whole, None, scope, kind));
            }
            ExprKind::Paren(inner) => self.target(inner, whole, value, scope, kind),
            _ => self.expression(target, scope),
        }
    }

    fn params(&mut self, params: &[Param], outer: ScopeId, inner: ScopeId) {
        for param in params {
            param.default.iter().for_each(|value| self.expression(value, outer));
            if let Some(name) = param.name {
                let id = self.define(name, param.span, inner, DefKind::Parameter);
                self.out.definitions[id].value = param.default.as_ref().map(|value| value.span);
            }
        }
    }

    fn expression(&mut self, expression: &Expr, scope: ScopeId) {
        match &expression.kind {
            ExprKind::Name => {
                self.out.uses.push(Use { name: expression.span, scope, is_written: false });
            }
            ExprKind::Lambda(lambda) => {
                let inner = self.scope(expression.span, scope, ScopeKind::Function);
                self.params(&lambda.0, scope, inner);
                self.expression(&lambda.1, inner);
            }
            ExprKind::Comp(comp) => self.comprehension(expression.span, comp, scope),
            ExprKind::Str(pieces) => {
                for piece in pieces {
                    self.literal(piece, scope);
                }
            }
            ExprKind::Postfix(postfix) => {
                let ops = &postfix.ops;
                let base = &postfix.base;
                let is_name =
                    |name: &str| base.kind == ExprKind::Name && base.span.of(self.text) == name;
                if let Some(PostKind::Call(args)) = ops.first().map(|op| &op.kind)
                    && is_name("include")
                    && let [arg] = args.as_slice()
                {
                    let (literal, path) = (arg.value.span, self.plain(&arg.value));
                    let whole = expression.span;
                    self.out.inclusions.push(Inclusion { whole, literal, path, loaded: None });
                }
                for (at, op) in ops.iter().enumerate() {
                    let PostKind::Call(args) = &op.kind else { continue };
                    // What functions of the library bind for somebody.
                    let is_bind = |arg: &&Arg| arg.name.is_some_and(|n| n.of(self.text) == "bind");
                    let tables = args.iter().filter(is_bind);
                    for table in tables.filter_map(|arg| entries(self.text, &arg.value)) {
                        self.entries(table, op.span);
                    }
                    let binds = match at.checked_sub(1).map(|before| &ops[before].kind) {
                        Some(PostKind::Attr(name)) => {
                            matches!(name.of(self.text), "bind" | "in_scope")
                        }
                        None => is_name("Environment"),
                        _ => false,
                    };
                    if binds {
                        self.bound(args, op.span);
                    }
                }
                aurora_syntax::walk::parts(expression, &mut |part| self.expression(part, scope));
            }
            _ => aurora_syntax::walk::parts(expression, &mut |part| self.expression(part, scope)),
        }
    }

    fn bound(&mut self, args: &[Arg], call: Span) {
        for arg in args {
            if let Some(name) = arg.name {
                let value = arg.value.span;
                self.out.bound.push(BoundName { name, rest: Vec::new(), value, call });
            } else if let Some(entries) = entries(self.text, &arg.value) {
                self.entries(entries, call);
            } else {
                self.out.bound_values.push(arg.value.span);
            }
        }
    }

    fn entries(&mut self, entries: Vec<(Span, Span)>, call: Span) {
        let bound =
            entries.into_iter().map(|(key, value)| BoundName::of(self.text, key, value, call));
        self.out.bound.extend(bound);
    }

    fn comprehension(&mut self, span: Span, comp: &Comp, outer: ScopeId) {
        let inner = self.scope(span, outer, ScopeKind::Comprehension);
        for (at, clause) in comp.clauses.iter().enumerate() {
            match clause {
                Clause::For { target, iterable } => {
                    // The first is evaluated outside.
                    self.expression(iterable, if at == 0 { outer } else { inner });
                    let whole = target.span.to(iterable.span);
                    self.target(target, whole, None, inner, DefKind::Loop);
                }
                Clause::If(test) => self.expression(test, inner),
            }
        }
        self.expression(&comp.element, inner);
        comp.value.iter().for_each(|value| self.expression(value, inner));
    }

    fn literal(&mut self, piece: &StrPiece, scope: ScopeId) {
        let found = template(self.text, piece);
        if !found.references.is_empty() || !found.escaped.is_empty() {
            self.out.templates.push(found);
        }
        piece.fields.iter().for_each(|fields| self.fields(fields, scope));
    }

    fn fields(&mut self, parts: &[FPart], scope: ScopeId) {
        for part in parts {
            if let FPart::Field { value, spec, .. } = part {
                self.expression(value, scope);
                self.fields(spec, scope);
            }
        }
    }

    /// `load("file", "name", local = "name")`.
    fn load(&mut self, value: &Expr, scope: ScopeId) {
        let ExprKind::Postfix(postfix) = &value.kind else { return };
        let is_load =
            postfix.base.kind == ExprKind::Name && postfix.base.span.of(self.text) == "load";
        let [op] = postfix.ops.as_slice() else { return };
        let (true, PostKind::Call(args)) = (is_load, &op.kind) else { return };
        let Some((file, names)) = args.split_first() else { return };
        let mut loaded = Vec::new();
        for arg in names {
            let Some(original) = plain_text(&arg.value) else { continue };
            let local = arg.name.unwrap_or(original);
            self.define(local, arg.span, scope, DefKind::Loaded);
            loaded.push(LoadedName { local, original });
        }
        self.out.inclusions.push(Inclusion {
            whole: value.span,
            literal: file.value.span,
            path: self.plain(&file.value),
            loaded: Some(loaded),
        });
    }

    /// The text that an expression is, if it is written as such.
    fn plain(&self, value: &Expr) -> Option<String> {
        let ExprKind::Str(pieces) = &value.kind else { return None };
        if pieces.iter().any(|piece| piece.fields.is_some()) {
            return None;
        }
        Some(aurora_syntax::value(self.text, pieces).value)
    }
}
