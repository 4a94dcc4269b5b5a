//! What kind of struct a call makes, where the text leaves no doubt: a name that is defined once.
//!
//! [`crate::types`] gives the likeliest kind instead, which is right for completion.

use std::collections::BTreeMap;
use std::sync::Arc;

use aurora_model::declare::{StructDecl, TypeDecl};
use aurora_syntax::tree::{Expr, ExprKind, PostKind, PostOp, Star, StmtKind};

use crate::builtin::{Builtin, builtin, struct_decl};
use crate::index::Index;
use crate::names::{DefId, DefKind, ScopeId};
use crate::resolve::{Definitive, origin};
use crate::source::Source;
use crate::types::{bases_of, body_of, expression_at};
use crate::workspace::Snapshot;

/// How many steps from one definition to the next are followed.
const MAX_STEPS: usize = 16;

/// A kind of value.
#[derive(Debug, Clone)]
pub(crate) enum Sure {
    /// What makes a struct of the language.
    Constructor(&'static StructDecl),
    /// A struct of the language.
    Struct(&'static StructDecl),
    /// A class of a file.
    OwnConstructor(Definitive),
    /// What it makes.
    Own(Definitive),
    /// What takes the fields of a struct and makes one.
    Maker(&'static StructDecl),
}

impl Sure {
    /// The struct of the language that it is or makes.
    pub(crate) fn decl(&self) -> Option<&'static StructDecl> {
        match self {
            Self::Constructor(decl) | Self::Struct(decl) | Self::Maker(decl) => Some(decl),
            Self::OwnConstructor(_) | Self::Own(_) => None,
        }
    }
}

/// Finds kinds, each definition's once.
pub(crate) struct Certain<'a> {
    world: &'a Snapshot,
    index: &'a Index<'a>,
    known: BTreeMap<(usize, DefId), Known>,
    /// How many more steps are followed.
    steps: usize,
    /// How many steps the last answer took.
    taken: usize,
    /// Whether an answer is missing for the steps that it would take.
    is_cut: bool,
}

/// What a definition was found to be, and by how many steps. Who asks from further away than is
/// followed is not answered, whether others have asked before or not.
#[derive(Debug, Clone)]
struct Known {
    kind: Option<Sure>,
    steps: usize,
}

impl<'a> Certain<'a> {
    pub(crate) fn new(world: &'a Snapshot, index: &'a Index<'a>) -> Self {
        Self { world, index, known: BTreeMap::new(), steps: MAX_STEPS, taken: 0, is_cut: false }
    }

    /// The kind of an expression in a scope of the first file of the index.
    pub(crate) fn kind(&mut self, scope: ScopeId, expr: &Expr) -> Option<Sure> {
        self.of((0, scope), self.index.source()?, expr)
    }

    /// The kind of a chain of attributes and calls before the operation number `count`.
    pub(crate) fn before(&mut self, scope: ScopeId, base: &Expr, ops: &[PostOp]) -> Option<Sure> {
        let source = self.index.source()?;
        let base = self.of((0, scope), source, base)?;
        after(source, base, ops)
    }

    fn of(
        &mut self,
        (file, scope): (usize, ScopeId),
        source: &Arc<Source>,
        expr: &Expr,
    ) -> Option<Sure> {
        match &expr.kind {
            ExprKind::Name => self.name(file, scope, source.slice(expr.span)),
            ExprKind::Paren(inner) => self.of((file, scope), source, inner),
            ExprKind::Postfix(postfix) => {
                let base = self.of((file, scope), source, &postfix.base)?;
                after(source, base, &postfix.ops)
            }
            _ => None,
        }
    }

    /// The kind of a name in a scope of the first file of the index.
    pub(crate) fn named(&mut self, scope: ScopeId, name: &str) -> Option<Sure> {
        self.name(0, scope, name)
    }

    fn name(&mut self, file: usize, scope: ScopeId, name: &str) -> Option<Sure> {
        let found = match (file, scope) {
            (0, scope) => self.index.find(scope, name),
            (_, 0) => self.index.at_top(name),
            // The scopes of the other files are not in the index.
            _ => return None,
        };
        match (&*found, builtin(name)) {
            ([], Some(Builtin::Struct(decl))) => Some(Sure::Constructor(decl)),
            ([], Some(Builtin::Object(object))) => Some(Sure::Struct(object.ty)),
            ([], Some(_)) if name == "SequentialTask" => struct_decl("Task").map(Sure::Maker),
            ([one], None) => self.defined(*one),
            _ => None,
        }
    }

    fn defined(&mut self, place: (usize, DefId)) -> Option<Sure> {
        if self.steps == MAX_STEPS {
            self.is_cut = false;
        }
        let known = self.known.get(&place);
        let needed = known.map_or(1, |known| known.steps);
        if needed > self.steps {
            self.is_cut = true;
            return None;
        }
        if let Some(known) = known {
            self.taken = known.steps;
            return known.kind.clone();
        }
        // What leads back to itself is not known.
        self.known.insert(place, Known { kind: None, steps: 0 });
        (self.steps, self.taken) = (self.steps - 1, 0);
        let kind = self.defined_here(place);
        (self.steps, self.taken) = (self.steps + 1, self.taken + 1);
        if self.is_cut {
            self.known.remove(&place);
            return None;
        }
        self.known.insert(place, Known { kind: kind.clone(), steps: self.taken });
        kind
    }

    fn defined_here(&mut self, place: (usize, DefId)) -> Option<Sure> {
        let (source, definition) = self.index.get(place);
        let here = || Definitive { source: source.clone(), id: place.1 };
        match definition.kind {
            DefKind::Variable => {
                let value = expression_at(source, definition.value?)?;
                self.of((place.0, definition.scope), source, value)
            }
            DefKind::Struct => plain_class(&here()).then(|| Sure::OwnConstructor(here())),
            DefKind::Loaded => {
                let origin = origin(self.world, &here());
                let is_class = origin.get().kind == DefKind::Struct;
                let times = origin.source.names.in_scope(&origin.source.text, 0, origin.name());
                (is_class && times.count() == 1 && plain_class(&origin))
                    .then(|| Sure::OwnConstructor(origin.clone()))
            }
            _ => None,
        }
    }
}

/// The scope in which the name is looked up that a chain of attributes and calls begins with.
pub(crate) fn scope_of(source: &Source, base: &Expr) -> ScopeId {
    match source.names.use_at(base.span.start) {
        Some(used) if used.name == base.span => used.scope,
        _ => source.names.scope_at(base.span.start),
    }
}

fn after(source: &Source, base: Sure, ops: &[PostOp]) -> Option<Sure> {
    let mut kind = base;
    let mut ops = ops.iter();
    while let Some(op) = ops.next() {
        kind = match (&op.kind, kind) {
            (
                PostKind::Call(_),
                Sure::Constructor(decl) | Sure::Struct(decl) | Sure::Maker(decl),
            ) => Sure::Struct(decl),
            (PostKind::Call(_), Sure::OwnConstructor(class) | Sure::Own(class)) => Sure::Own(class),
            (PostKind::Attr(name), Sure::Struct(decl)) => {
                let called = ops.next().is_some_and(|op| matches!(op.kind, PostKind::Call(_)));
                match source.slice(*name) {
                    _ if !called => return None,
                    "bind" | "in_scope" | "copy" => Sure::Struct(decl),
                    name => match decl.field(name)?.ty {
                        TypeDecl::Struct(inner) => Sure::Struct(inner),
                        _ => return None,
                    },
                }
            }
            _ => return None,
        };
    }
    Some(kind)
}

/// Whether a class has exactly the fields that it lists.
fn plain_class(class: &Definitive) -> bool {
    let source = &class.source;
    let name = class.get().name;
    let Some(body) = body_of(&source.parsed.tree, name) else { return is_struct_type(class) };
    let plain = body.iter().all(|stmt| match &stmt.kind {
        StmtKind::Assign { targets, .. } => {
            targets.iter().all(|target| target.kind == ExprKind::Name)
        }
        StmtKind::Pass => true,
        StmtKind::Expr(value) => matches!(value.kind, ExprKind::Str(_)),
        _ => false,
    });
    let is_struct = matches!(bases_of(&source.parsed.tree, name), Some([base])
        if base.kind == ExprKind::Name && source.slice(base.span) == "Struct");
    plain && is_struct
}

/// Whether a class is written as `struct_type("Name", field = …)`, with nothing that is unpacked.
fn is_struct_type(class: &Definitive) -> bool {
    let source = &class.source;
    let whole = class.get().whole;
    let stmts = &source.parsed.tree;
    let at = stmts.partition_point(|stmt| stmt.span.end < whole.end);
    let Some(StmtKind::Assign { value, .. }) = stmts.get(at).map(|stmt| &stmt.kind) else {
        return false;
    };
    let ExprKind::Postfix(postfix) = &value.kind else { return false };
    let [PostOp { kind: PostKind::Call(args), .. }] = postfix.ops.as_slice() else { return false };
    args.iter().all(|arg| arg.star == Star::No)
}
