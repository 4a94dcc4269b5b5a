//! What kind of value an expression gives, as far as the text tells.

use std::sync::Arc;

use aurora_model::catalog::OBJECTS;
use aurora_model::declare::{FieldDecl, StructDecl, TypeDecl};
use aurora_syntax::tree::{Arg, CompKind, Expr, ExprKind, PostKind, Postfix, Star, Stmt, StmtKind};
use aurora_syntax::{Kind as Word, Span, walk};

use crate::builtin::{Builtin, documented, struct_decl};
use crate::names::{DefKind, ScopeId, Use};
use crate::resolve::{self, Definitive, Meaning, meaning, origin};
use crate::source::Source;
use crate::workspace::Snapshot;

/// How many steps from one expression to the next are followed.
const MAX_STEPS: usize = 24;
/// How many expressions are looked at in all: each step may lead to several.
const MAX_EXPRESSIONS: usize = 500;
/// How many calls of a function are looked at to find what a parameter is.
const MAX_CALLS: usize = 8;
/// How many functions that call each other are looked at for that.
const MAX_CALLERS: usize = 2;

/// A kind of value.
#[derive(Debug, Clone, Default)]
pub enum Kind {
    /// A struct of the language.
    Struct(&'static StructDecl),
    /// A struct that a class of a file declares.
    Own(Definitive),
    /// What makes a struct when it is called.
    Constructor(&'static StructDecl),
    /// The same for a class of a file.
    OwnConstructor(Definitive),
    /// A function of a file.
    Function(Definitive),
    /// A name of the language, with its dots: a function, or what stands before a dot.
    Named(String),
    /// A method of a value, or a field of it that is read by a call.
    Member(Box<Self>, String),
    /// A list.
    List(Box<Self>),
    /// Text.
    Text,
    /// A number.
    Number,
    /// True or false.
    Boolean,
    /// A table.
    Table,
    /// Nothing that the text tells.
    #[default]
    Unknown,
}

impl Kind {
    /// The struct that it is, or makes, or holds.
    pub fn decl(&self) -> Option<&'static StructDecl> {
        match self {
            Self::Struct(decl) | Self::Constructor(decl) => Some(decl),
            Self::List(inner) => inner.decl(),
            _ => None,
        }
    }

    /// Its name for people, as in `List(Process)`.
    pub fn shown(&self) -> Option<String> {
        Some(match self {
            Self::Struct(decl) => decl.name.to_owned(),
            Self::Own(class) => class.name().to_owned(),
            Self::List(inner) => match inner.shown() {
                Some(inner) => format!("List({inner})"),
                None => "List".to_owned(),
            },
            Self::Text => "String".to_owned(),
            Self::Number => "Number".to_owned(),
            Self::Boolean => "Boolean".to_owned(),
            Self::Table => "Map".to_owned(),
            Self::Function(function) => format!("function {}", function.name()),
            _ => return None,
        })
    }

    /// The kind of the values of a type of the language.
    pub fn of_type(ty: &TypeDecl) -> Self {
        match ty {
            TypeDecl::String | TypeDecl::Enum(_) => Self::Text,
            TypeDecl::Integer | TypeDecl::Float => Self::Number,
            TypeDecl::Boolean => Self::Boolean,
            TypeDecl::List(inner) => Self::List(Box::new(Self::of_type(inner))),
            TypeDecl::Map(..) => Self::Table,
            TypeDecl::Struct(decl) => Self::Struct(decl),
            TypeDecl::Choice(decl) => decl
                .alternatives
                .iter()
                .find_map(|ty| match ty {
                    TypeDecl::Struct(decl) => Some(Self::Struct(decl)),
                    _ => None,
                })
                .unwrap_or_default(),
        }
    }
}

/// The kind of an expression that stands in `scope`.
pub fn kind_of(world: &Snapshot, source: &Arc<Source>, scope: ScopeId, expr: &Expr) -> Kind {
    Types::new(world).kind(source, scope, expr)
}

/// The kind of what a definition defines.
pub fn kind_of_definition(world: &Snapshot, definitive: &Definitive) -> Kind {
    Types::new(world).defined(definitive)
}

/// The kind of the value that a name means where it stands.
pub fn kind_of_name(world: &Snapshot, source: &Arc<Source>, name: Span) -> Kind {
    let scope = source.names.scope_at(name.start);
    Types::new(world).name(source, scope, name)
}

/// The kind of what a call of such a value gives.
pub fn result_of_call(world: &Snapshot, source: &Arc<Source>, callee: Kind) -> Kind {
    Types::new(world).called(source, 0, callee, &[])
}

/// The kind of what is called by the bracket that opens at `open`, the expression before it.
pub fn callee(world: &Snapshot, source: &Arc<Source>, open: u32) -> Kind {
    let mut found = Kind::Unknown;
    let place = Span::new(open, open);
    let scope = source.names.scope_at(open);
    walk::around(&source.parsed.tree, place, &mut |expr| {
        let ExprKind::Postfix(postfix) = &expr.kind else { return };
        if postfix.ops.iter().any(|op| op.span.start == open) {
            found = kind_before(world, source, scope, postfix, open);
        }
    });
    found
}

/// The kind of what stands before the dot, bracket or parenthesis at `at` in a chain of them.
pub fn kind_before(
    world: &Snapshot,
    source: &Arc<Source>,
    scope: ScopeId,
    postfix: &Postfix,
    at: u32,
) -> Kind {
    let mut types = Types::new(world);
    let base = types.kind(source, scope, &postfix.base);
    let count = postfix.ops.partition_point(|op| op.span.start < at);
    types.after(source, scope, base, &postfix.ops[..count])
}

/// The struct whose fields are the arguments of a call of such a value: a constructor, or a struct
/// that is copied.
pub fn fields_of(kind: &Kind) -> Option<Fields> {
    match kind {
        Kind::Struct(decl) | Kind::Constructor(decl) => Some(Fields::Declared(decl)),
        Kind::Own(class) | Kind::OwnConstructor(class) => Some(Fields::Own(class.clone())),
        Kind::Named(name) => match name.as_str() {
            // The keywords of the latter two replace fields.
            "SequentialTask" | "Tasks.combine" | "Tasks.concat" | "combine_tasks"
            | "concat_tasks" => struct_decl("Task").map(Fields::Declared),
            _ => None,
        },
        _ => None,
    }
}

/// The fields that a call of such a value makes itself, and does not take.
pub fn made_fields(kind: &Kind) -> &'static [&'static str] {
    match kind {
        Kind::Named(name) if name == "SequentialTask" => &["constraints"],
        kind if takes_tasks(kind) => &["resources", "constraints", "finalization_wait"],
        _ => &[],
    }
}

/// Whether it is a function of the language that takes tasks before fields.
pub fn takes_tasks(kind: &Kind) -> bool {
    matches!(kind, Kind::Named(name) if matches!(
        name.as_str(),
        "Tasks.combine" | "Tasks.concat" | "combine_tasks" | "concat_tasks"
    ))
}

/// The fields of a struct.
#[derive(Debug, Clone)]
pub enum Fields {
    /// A struct of the language.
    Declared(&'static StructDecl),
    /// A class of a file.
    Own(Definitive),
}

impl Fields {
    /// The name of the struct.
    pub fn name(&self) -> &str {
        match self {
            Self::Declared(decl) => decl.name,
            Self::Own(class) => class.name(),
        }
    }

    /// A field that the language declares.
    pub fn declared(&self, name: &str) -> Option<&'static FieldDecl> {
        match self {
            Self::Declared(decl) => decl.field(name),
            Self::Own(_) => None,
        }
    }

    /// The fields of a class, in order.
    pub fn own(&self, world: &Snapshot) -> Vec<Definitive> {
        match self {
            Self::Declared(_) => Vec::new(),
            Self::Own(class) => own_fields(world, class),
        }
    }
}

/// The fields that a class has, in order: those that it declares, or those of its base if that is a
/// class, too.
pub fn own_fields(world: &Snapshot, class: &Definitive) -> Vec<Definitive> {
    let class = declaring(world, class);
    let Some(inner) = class.get().inner else { return Vec::new() };
    let names = &class.source.names;
    let all = names.of_scope(inner).into_iter();
    all.filter(|id| names.definitions[*id].kind == DefKind::Field)
        .map(|id| Definitive { source: class.source.clone(), id })
        .collect()
}

/// The class whose fields a class has: a class that is made of another declares none of its own.
pub fn declaring(world: &Snapshot, class: &Definitive) -> Definitive {
    let mut found = class.clone();
    for _ in 0..MAX_STEPS {
        let Some([base]) = bases_of(&found.source.parsed.tree, found.get().name) else { break };
        let scope = found.get().scope;
        match kind_of(world, &found.source, scope, base) {
            Kind::OwnConstructor(base) if !base.is_same(&found) => found = base,
            _ => break,
        }
    }
    found
}

/// A field of a class by its name.
pub fn own_field(world: &Snapshot, class: &Definitive, name: &str) -> Option<Definitive> {
    let class = declaring(world, class);
    let source = &class.source;
    let mut all = source.names.in_scope(&source.text, class.get().inner?, name);
    let (id, _) = all.find(|(_, definition)| definition.kind == DefKind::Field)?;
    Some(Definitive { source: source.clone(), id })
}

/// The expression that stands at exactly this place.
pub fn expression_at(source: &Source, span: Span) -> Option<&Expr> {
    let mut found = None;
    walk::around(&source.parsed.tree, span, &mut |expr| {
        if expr.span == span {
            found = Some(expr);
        }
    });
    found
}

struct Types<'a> {
    world: &'a Snapshot,
    steps: usize,
    /// How many expressions may still be looked at.
    left: usize,
    /// How often it may still be asked what a function is called with.
    calls: usize,
}

impl<'a> Types<'a> {
    fn new(world: &'a Snapshot) -> Self {
        Self { world, steps: MAX_STEPS, left: MAX_EXPRESSIONS, calls: MAX_CALLERS }
    }
}

impl Types<'_> {
    fn kind(&mut self, source: &Arc<Source>, scope: ScopeId, expr: &Expr) -> Kind {
        let Some(steps) = self.steps.checked_sub(1) else { return Kind::Unknown };
        let Some(left) = self.left.checked_sub(1) else { return Kind::Unknown };
        (self.steps, self.left) = (steps, left);
        let kind = self.kind_within(source, scope, expr);
        self.steps += 1;
        kind
    }

    fn kind_within(&mut self, source: &Arc<Source>, scope: ScopeId, expr: &Expr) -> Kind {
        match &expr.kind {
            ExprKind::Name => self.name(source, scope, expr.span),
            ExprKind::Int | ExprKind::Float => Kind::Number,
            ExprKind::Str(_) => Kind::Text,
            ExprKind::Paren(inner) => self.kind(source, scope, inner),
            ExprKind::List(items) => {
                let first = items.first().map(|item| self.kind(source, scope, item));
                Kind::List(Box::new(first.unwrap_or_default()))
            }
            ExprKind::Dict(_) => Kind::Table,
            ExprKind::Comp(comp) if matches!(comp.kind, CompKind::List | CompKind::Generator) => {
                let inner = source.names.scope_at(comp.element.span.start);
                Kind::List(Box::new(self.kind(source, inner, &comp.element)))
            }
            ExprKind::Chain(chain) if chain.rest.iter().any(|(op, _)| op.kind.is_comparison()) => {
                Kind::Boolean
            }
            ExprKind::Chain(chain) => self.kind(source, scope, &chain.first),
            ExprKind::Unary { op, .. } if op.kind == Word::Not => Kind::Boolean,
            ExprKind::Unary { operand, .. } => self.kind(source, scope, operand),
            ExprKind::Cond(cond) => match self.kind(source, scope, &cond.0) {
                Kind::Unknown => self.kind(source, scope, &cond.2),
                kind => kind,
            },
            ExprKind::Postfix(postfix) => {
                let base = self.kind(source, scope, &postfix.base);
                self.after(source, scope, base, &postfix.ops)
            }
            _ => Kind::Unknown,
        }
    }

    fn name(&mut self, source: &Arc<Source>, scope: ScopeId, name: Span) -> Kind {
        match source.slice(name) {
            "True" | "False" => Kind::Boolean,
            text => match meaning(self.world, source, scope, text) {
                Some(Meaning::Defined(all)) => self.nearest(source, name, &all),
                Some(Meaning::Builtin(name, builtin)) => of_builtin(name, builtin),
                None => Kind::Named(text.to_owned()),
            },
        }
    }

    fn after(
        &mut self,
        source: &Arc<Source>,
        scope: ScopeId,
        base: Kind,
        ops: &[aurora_syntax::tree::PostOp],
    ) -> Kind {
        ops.iter().fold(base, |kind, op| match (&op.kind, kind) {
            (PostKind::Attr(name), Kind::Named(space)) => {
                Kind::Named(format!("{space}.{}", name.of(&source.text)))
            }
            (PostKind::Attr(name), kind) => {
                Kind::Member(Box::new(kind), name.of(&source.text).to_owned())
            }
            (PostKind::Call(args), kind) => self.called(source, scope, kind, args),
            (PostKind::Index(_), Kind::List(inner)) => *inner,
            (PostKind::Slice(_), kind) => kind,
            (PostKind::Index(_), _) => Kind::Unknown,
        })
    }

    fn called(
        &mut self,
        source: &Arc<Source>,
        scope: ScopeId,
        kind: Kind,
        args: &[aurora_syntax::tree::Arg],
    ) -> Kind {
        match kind {
            Kind::Constructor(decl) | Kind::Struct(decl) => Kind::Struct(decl),
            Kind::OwnConstructor(class) | Kind::Own(class) => Kind::Own(class),
            Kind::Function(function) => self.returned(&function),
            Kind::Member(of, name) => match (name.as_str(), *of) {
                ("bind" | "in_scope" | "copy", kind) => kind,
                (name, Kind::Own(class)) => {
                    let field = own_field(self.world, &class, name);
                    field.map(|field| self.defined(&field)).unwrap_or_default()
                }
                (name, Kind::Struct(decl)) => {
                    decl.field(name).map(|field| Kind::of_type(&field.ty)).unwrap_or_default()
                }
                _ => Kind::Unknown,
            },
            Kind::Named(name) => match name.as_str() {
                "list" | "sorted" | "reversed" => match args.first() {
                    Some(arg) => self.kind(source, scope, &arg.value),
                    None => Kind::List(Box::default()),
                },
                _ => result_of(&name),
            },
            _ => Kind::Unknown,
        }
    }

    /// The kind that the definition has which counts at a place.
    fn nearest(&mut self, source: &Arc<Source>, at: Span, all: &[Definitive]) -> Kind {
        resolve::nearest(source, at, all).map(|found| self.defined(found)).unwrap_or_default()
    }

    fn defined(&mut self, definitive: &Definitive) -> Kind {
        let definitive = origin(self.world, definitive);
        let definition = definitive.get();
        match definition.kind {
            DefKind::Function => Kind::Function(definitive),
            DefKind::Struct => Kind::OwnConstructor(definitive),
            DefKind::Variable => self.value(&definitive),
            DefKind::Parameter => match self.value(&definitive) {
                Kind::Unknown | Kind::Named(_) => self.given(&definitive),
                kind => kind,
            },
            DefKind::Field => match of_spec(self.value(&definitive)) {
                Some(kind) => kind,
                None => self.spec(&definitive),
            },
            DefKind::Loop => self.element(&definitive),
            DefKind::Module => Kind::Named(definitive.name().to_owned()),
            DefKind::Loaded => Kind::Unknown,
        }
    }

    fn value(&mut self, definitive: &Definitive) -> Kind {
        let definition = definitive.get();
        let value = definition.value.and_then(|span| expression_at(&definitive.source, span));
        value
            .map(|value| self.kind(&definitive.source, definition.scope, value))
            .unwrap_or_default()
    }

    /// The kind of a field whose type is `Required(type)`, `Default(type, value)` or `List(type)`.
    fn spec(&mut self, field: &Definitive) -> Kind {
        let value = field.get().value.and_then(|span| expression_at(&field.source, span));
        value.map(|value| self.declared(field, value)).unwrap_or_default()
    }

    fn declared(&mut self, field: &Definitive, spec: &Expr) -> Kind {
        let scope = field.get().scope;
        let Some(steps) = self.steps.checked_sub(1) else { return Kind::Unknown };
        let ExprKind::Postfix(postfix) = &spec.kind else {
            return of_spec(self.kind(&field.source, scope, spec)).unwrap_or_default();
        };
        let [op] = postfix.ops.as_slice() else { return Kind::Unknown };
        let PostKind::Call(args) = &op.kind else { return Kind::Unknown };
        let Kind::Named(name) = self.kind(&field.source, scope, &postfix.base) else {
            return Kind::Unknown;
        };
        self.steps = steps;
        let first = args.first().map(|arg| self.declared(field, &arg.value)).unwrap_or_default();
        self.steps += 1;
        match name.as_str() {
            "Required" | "Default" => first,
            "List" => Kind::List(Box::new(first)),
            "Map" => Kind::Table,
            "Enum" => Kind::Text,
            _ => Kind::Unknown,
        }
    }

    /// What a parameter is given by the calls of its function that are in sight: the first whose kind
    /// the text tells.
    fn given(&mut self, parameter: &Definitive) -> Kind {
        let Some(calls) = self.calls.checked_sub(1) else { return Kind::Unknown };
        let Some((function, position)) = function_of(parameter) else { return Kind::Unknown };
        self.calls = calls;
        let found = self.given_by(&function, parameter.name(), position);
        self.calls += 1;
        found.unwrap_or_default()
    }

    fn given_by(&mut self, function: &Definitive, name: &str, position: usize) -> Option<Kind> {
        let mut left = MAX_CALLS;
        for file in self.world.related(&function.source).iter() {
            let uses =
                file.names.uses.iter().filter(|used| file.slice(used.name) == function.name());
            for used in uses {
                let mut found = None;
                walk::around(&file.parsed.tree, used.name, &mut |expr| {
                    if let ExprKind::Postfix(postfix) = &expr.kind
                        && postfix.base.span == used.name
                        && let Some(PostKind::Call(args)) = postfix.ops.first().map(|op| &op.kind)
                    {
                        let named = |arg: &&Arg| arg.name.is_some_and(|n| file.slice(n) == name);
                        let plain = |arg: &Arg| arg.name.is_none() && arg.star == Star::No;
                        let before = args.iter().take(position + 1);
                        let in_order =
                            before.clone().all(plain).then(|| args.get(position)).flatten();
                        found = args.iter().find(named).or(in_order);
                    }
                });
                let Some(arg) = found else { continue };
                left = left.checked_sub(1)?;
                if !self.is_of(function, file, used) {
                    continue;
                }
                match self.kind(file, used.scope, &arg.value) {
                    Kind::Unknown | Kind::Named(_) => {}
                    kind => return Some(kind),
                }
            }
        }
        None
    }

    /// Whether a name is that of a function.
    fn is_of(&mut self, function: &Definitive, file: &Arc<Source>, used: &Use) -> bool {
        match self.name(file, used.scope, used.name) {
            Kind::Function(called) => called.is_same(function),
            _ => false,
        }
    }

    /// What a loop's name goes over.
    fn element(&mut self, definitive: &Definitive) -> Kind {
        let source = &definitive.source;
        let definition = definitive.get();
        let mut iterable = None;
        each_loop(&source.parsed.tree, &mut |target, over| {
            if target.span == definition.name {
                iterable = Some(over);
            }
        });
        match iterable.map(|over| self.kind(source, definition.scope, over)) {
            Some(Kind::List(inner)) => *inner,
            _ => Kind::Unknown,
        }
    }

    /// What a function gives back: what its first `return` with a kind says.
    fn returned(&mut self, function: &Definitive) -> Kind {
        let source = &function.source;
        let Some(inner) = function.get().inner else { return Kind::Unknown };
        let mut values = Vec::new();
        if let Some(body) = body_of(&source.parsed.tree, function.get().name) {
            returns(body, &mut values);
        }
        values
            .into_iter()
            .map(|value| self.kind(source, inner, value))
            .find(|kind| !matches!(kind, Kind::Unknown | Kind::Named(_)))
            .unwrap_or_default()
    }
}

/// The kind of the values of a field whose type is a value of this kind.
fn of_spec(ty: Kind) -> Option<Kind> {
    Some(match ty {
        Kind::OwnConstructor(class) => Kind::Own(class),
        Kind::Constructor(decl) => Kind::Struct(decl),
        Kind::Named(name) => match name.as_str() {
            "String" => Kind::Text,
            "Integer" | "Float" => Kind::Number,
            "Boolean" => Kind::Boolean,
            _ => return None,
        },
        _ => return None,
    })
}

/// The function of a parameter that an argument without a name may be for, and which that is.
fn function_of(parameter: &Definitive) -> Option<(Definitive, usize)> {
    let names = &parameter.source.names;
    let scope = parameter.get().scope;
    let id = names.maker(scope)?;
    if names.definitions[id].kind != DefKind::Function {
        return None;
    }
    let whole = parameter.get().whole;
    // `*args` and `**fields` are something else.
    if whole.start != parameter.get().name.start {
        return None;
    }
    let all = names.of_scope(scope).into_iter().map(|id| &names.definitions[id]);
    let of_function = all.filter(|found| found.kind == DefKind::Parameter);
    let position = of_function.take_while(|found| found.name != parameter.get().name).count();
    Some((Definitive { source: parameter.source.clone(), id }, position))
}

fn of_builtin(name: &str, builtin: Builtin) -> Kind {
    match builtin {
        Builtin::Struct(decl) => Kind::Constructor(decl),
        Builtin::Object(object) => Kind::Struct(object.ty),
        Builtin::Enum(_) | Builtin::Name(_) | Builtin::Python => Kind::Named(name.to_owned()),
    }
}

/// What a function of the language gives, as its documentation says.
fn result_of(name: &str) -> Kind {
    let Some((_, result)) = documented(name).and_then(|decl| decl.signature.split_once("-> "))
    else {
        return Kind::Unknown;
    };
    let of = |name: &str| match name {
        "text" => Kind::Text,
        "Integer" | "Float" => Kind::Number,
        name => struct_decl(name).map(Kind::Struct).unwrap_or_default(),
    };
    match result.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        Some(inner) => Kind::List(Box::new(of(inner))),
        None => of(result),
    }
}

/// Whether a name is that of an object of the language that is made by calling it, as `Service`.
pub fn is_object(name: &str) -> bool {
    OBJECTS.iter().any(|object| object.name == name)
}

/// The statements of which one may hold a name.
fn until(stmts: &[Stmt], name: Span) -> impl Iterator<Item = &Stmt> {
    let from = stmts.partition_point(|stmt| stmt.span.end < name.start);
    let rest = stmts.get(from..).unwrap_or_default().iter();
    rest.take_while(move |stmt| stmt.span.start <= name.start)
}

/// The body of the function or class whose name stands at a place.
pub fn body_of(stmts: &[Stmt], name: Span) -> Option<&[Stmt]> {
    until(stmts, name).find_map(|stmt| match &stmt.kind {
        StmtKind::Def { name: here, body, .. } | StmtKind::Class { name: here, body, .. }
            if *here == name =>
        {
            Some(body.stmts.as_slice())
        }
        _ if stmt.span.start <= name.start && name.end <= stmt.span.end => {
            walk::blocks(stmt).into_iter().find_map(|block| body_of(&block.stmts, name))
        }
        _ => None,
    })
}

/// What stands in the parentheses of the class whose name stands at a place.
pub(crate) fn bases_of(stmts: &[Stmt], name: Span) -> Option<&[Expr]> {
    until(stmts, name).find_map(|stmt| match &stmt.kind {
        StmtKind::Class { name: here, bases, .. } if *here == name => Some(bases.as_slice()),
        _ if stmt.span.start <= name.start && name.end <= stmt.span.end => {
            walk::blocks(stmt).into_iter().find_map(|block| bases_of(&block.stmts, name))
        }
        _ => None,
    })
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

/// Visits the target and the iterable of each loop and comprehension.
fn each_loop<'t>(stmts: &'t [Stmt], visit: &mut dyn FnMut(&'t Expr, &'t Expr)) {
    for stmt in stmts {
        if let StmtKind::For { target, iterable, .. } = &stmt.kind {
            visit(target, iterable);
        }
        walk::expressions(stmt, &mut |expr| {
            walk::all(expr, &mut |part| {
                let ExprKind::Comp(comp) = &part.kind else { return };
                for clause in &comp.clauses {
                    if let aurora_syntax::tree::Clause::For { target, iterable } = clause {
                        visit(target, iterable);
                    }
                }
            });
        });
        for block in walk::blocks(stmt) {
            each_loop(&block.stmts, visit);
        }
    }
}

/// The kind of what a name of the language gives: of a function, its result.
pub fn kind_of_builtin(name: &str) -> Kind {
    match crate::builtin::builtin(name) {
        Some(Builtin::Object(object)) => Kind::Struct(object.ty),
        Some(Builtin::Name(_)) => result_of(name),
        _ => Kind::Unknown,
    }
}
