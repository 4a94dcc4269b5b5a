//! What a file defines, uses, includes and loads, as its text alone says.

use aurora_syntax::tree::{
    Clause, Comp, Expr, ExprKind, FPart, Param, PostKind, Stmt, StmtKind, StrPiece,
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
    /// What such calls are given without a name: structs, whose fields become names.
    pub bound_values: Vec<Span>,
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
}

/// A reference as it is written: `{{name.field[index]}}`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reference {
    /// All of it, with its braces.
    pub span: Span,
    /// Its parts, in order: names, and what stands in brackets.
    pub parts: Vec<Span>,
}

/// A name that is bound by a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BoundName {
    /// The name: a keyword, or a key without its quotes.
    pub name: Span,
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
        out
    }

    /// The innermost scope around a byte.
    pub fn scope_at(&self, at: u32) -> ScopeId {
        let holds = |scope: &Scope| scope.span.start <= at && at <= scope.span.end;
        self.scopes.iter().rposition(holds).unwrap_or(0)
    }

    /// The scopes in which a name is looked up, innermost first. A class is looked at only from
    /// itself: its fields are no names for what stands in it.
    pub fn around(&self, scope: ScopeId) -> impl Iterator<Item = ScopeId> {
        std::iter::successors(Some(scope), |scope| self.scopes.get(*scope)?.outer)
            .filter(move |outer| *outer == scope || self.scopes[*outer].kind != ScopeKind::Class)
    }

    /// The definition whose name stands at a byte.
    pub fn definition_at(&self, at: u32) -> Option<DefId> {
        self.definitions.iter().position(|definition| touches(definition.name, at))
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
        let all = self.definitions.iter().enumerate();
        all.filter(move |(_, def)| def.scope == scope && def.name.of(text) == name)
    }
}

/// Whether a byte is in a part, or right behind it.
pub(crate) const fn touches(span: Span, at: u32) -> bool {
    span.start <= at && at <= span.end
}

/// The references in a literal. What an f-string puts in is none of them.
pub(crate) fn references(text: &str, piece: &StrPiece) -> Vec<Reference> {
    let inner = piece.inner();
    let written = inner.of(text);
    if !written.contains("{{") {
        return Vec::new();
    }
    let at = |range: std::ops::Range<usize>| {
        Span::new(inner.start + offset(range.start), inner.start + offset(range.end))
    };
    aurora_template::references(written)
        .map(|(inside, range)| {
            let parts = parts(inside)
                .into_iter()
                .map(|part| at(range.start + 2 + part.start..range.start + 2 + part.end));
            Reference { span: at(range.clone()), parts: parts.collect() }
        })
        .collect()
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
                self.expression(target, scope);
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
                    let shown = name.alias.unwrap_or(name.name);
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

    fn class(&mut self, stmts: &[Stmt], scope: ScopeId) {
        for stmt in stmts {
            match &stmt.kind {
                StmtKind::Assign { targets, value } => {
                    self.expression(value, scope);
                    for target in targets {
                        self.target(target, stmt.span, Some(value.span), scope, DefKind::Field);
                    }
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
            ExprKind::Name => self.out.uses.push(Use { name: expression.span, scope }),
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

    fn bound(&mut self, args: &[aurora_syntax::tree::Arg], call: Span) {
        for arg in args {
            if let Some(name) = arg.name {
                self.out.bound.push(BoundName { name, value: arg.value.span, call });
            } else if let ExprKind::Dict(entries) = &arg.value.kind {
                for (key, value) in entries {
                    if let ExprKind::Str(pieces) = &key.kind
                        && let [piece] = &**pieces
                    {
                        let name = piece.inner();
                        self.out.bound.push(BoundName { name, value: value.span, call });
                    }
                }
            } else {
                self.out.bound_values.push(arg.value.span);
            }
        }
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
        match &piece.fields {
            Some(fields) => self.fields(fields, scope),
            None => {
                let references = references(self.text, piece);
                if !references.is_empty() {
                    self.out.templates.push(Template { literal: piece.span, references });
                }
            }
        }
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
            let ExprKind::Str(pieces) = &arg.value.kind else { continue };
            let [piece] = &**pieces else { continue };
            let original = piece.inner();
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
