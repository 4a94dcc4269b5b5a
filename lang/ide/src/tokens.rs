//! The meaning of each name of a file, for colours: what the words alone do not tell. Keywords,
//! comments, numbers and the texts around references are left to the editor's grammar.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use aurora_model::declare::Rule;
use aurora_syntax::tree::{Expr, ExprKind, PostKind, Postfix, Stmt};
use aurora_syntax::{Span, walk};

use crate::builtin::{Builtin, builtin, members, old_fields};
use crate::index::Index;
use crate::names::{DefId, DefKind, Reference, ScopeId};
use crate::resolve::{Definitive, origin};
use crate::source::{FileId, Source};
use crate::sure::{Certain, scope_of};
use crate::workspace::Snapshot;

/// The types of the language that are no structs, and what makes such.
const TYPES: [&str; 9] =
    ["String", "Integer", "Float", "Boolean", "List", "Map", "Enum", "Choice", "Struct"];

/// What a name is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum TokenKind {
    /// A module, or what stands before a dot.
    Namespace,
    /// A struct of one's own.
    Class,
    /// A struct of the language.
    Struct,
    /// An enumeration or another type of the language.
    Type,
    /// A function.
    Function,
    /// What is called of a value.
    Method,
    /// A parameter of a function, or the name by which it is given.
    Parameter,
    /// A value.
    Variable,
    /// A field, or the name by which it is given.
    Property,
    /// The braces of a reference.
    Brace,
}

impl TokenKind {
    /// All of them.
    pub const ALL: [Self; 10] = [
        Self::Namespace,
        Self::Class,
        Self::Struct,
        Self::Type,
        Self::Function,
        Self::Method,
        Self::Parameter,
        Self::Variable,
        Self::Property,
        Self::Brace,
    ];

    /// Its name in the protocol of editors.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Namespace => "namespace",
            Self::Class => "class",
            Self::Struct => "struct",
            Self::Type => "type",
            Self::Function => "function",
            Self::Method => "method",
            Self::Parameter => "parameter",
            Self::Variable => "variable",
            Self::Property => "property",
            Self::Brace => "operator",
        }
    }
}

/// What is to say of a name besides: a set of bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, PartialOrd, Ord)]
pub struct Modifiers(pub u32);

impl Modifiers {
    /// It is given its meaning here.
    pub const DECLARATION: Self = Self(1);
    /// It has one value.
    pub const READONLY: Self = Self(2);
    /// It is there for old files only.
    pub const DEPRECATED: Self = Self(4);
    /// It is of the language.
    pub const DEFAULT_LIBRARY: Self = Self(8);
    /// The names of the bits in the protocol of editors, the lowest first.
    pub const NAMES: [&'static str; 4] =
        ["declaration", "readonly", "deprecated", "defaultLibrary"];

    const fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Whether it has all of these bits.
    pub const fn has(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }
}

/// A name and its meaning.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct SemanticToken {
    /// Where it stands, on one line.
    pub span: Span,
    /// What it is.
    pub kind: TokenKind,
    /// What is to say besides.
    pub modifiers: Modifiers,
}

/// The names of a file, in order. None overlaps another.
pub fn full(world: &Snapshot, file: &FileId) -> Vec<SemanticToken> {
    range(world, file, Span::new(0, u32::MAX))
}

/// The names of a part of a file.
pub fn range(world: &Snapshot, file: &FileId, range: Span) -> Vec<SemanticToken> {
    let Some(source) = world.file(file) else { return Vec::new() };
    let files = world.namespace(source);
    let index = Index::new(world, &files);
    let mut painter = Painter {
        world,
        source,
        files: &files,
        index: &index,
        range,
        meanings: HashMap::new(),
        certain: Certain::new(world, &index),
        deprecated: old_fields(),
        found: Vec::new(),
    };
    painter.definitions();
    painter.uses();
    painter.templates();
    painter.arguments(&source.parsed.tree);
    let mut found = painter.found;
    // The sort keeps what was found first before the others at its place.
    found.sort_by_key(|token| token.span.start);
    found.dedup_by(|second, first| second.span.start < first.span.end);
    found
}

type Meaning = (TokenKind, Modifiers);

struct Painter<'a> {
    world: &'a Snapshot,
    source: &'a Arc<Source>,
    files: &'a [Arc<Source>],
    index: &'a Index<'a>,
    range: Span,
    /// What names mean in scopes.
    meanings: HashMap<(ScopeId, &'a str), Option<Meaning>>,
    certain: Certain<'a>,
    deprecated: &'static BTreeSet<&'static str>,
    found: Vec<SemanticToken>,
}

impl<'a> Painter<'a> {
    fn add(&mut self, span: Span, (kind, modifiers): Meaning) {
        let is_here = span.start < self.range.end && self.range.start < span.end;
        if is_here && !span.is_empty() {
            self.found.push(SemanticToken { span, kind, modifiers });
        }
    }

    fn definitions(&mut self) {
        for (id, definition) in self.source.names.definitions.iter().enumerate() {
            let (kind, modifiers) = self.defined((0, id));
            self.add(definition.name, (kind, modifiers.and(Modifiers::DECLARATION)));
        }
        for inclusion in &self.source.names.inclusions {
            for name in inclusion.loaded.iter().flatten() {
                let local = self.source.slice(name.local);
                if let Some(meaning) = self.meaning(0, local) {
                    self.add(name.original, meaning);
                }
            }
        }
    }

    fn uses(&mut self) {
        let uses = &self.source.names.uses;
        let from = uses.partition_point(|used| used.name.end <= self.range.start);
        let to = uses.partition_point(|used| used.name.start < self.range.end).max(from);
        for used in &uses[from..to] {
            let name = self.source.slice(used.name);
            if let Some(meaning) = self.meaning(used.scope, name) {
                self.add(used.name, meaning);
            }
        }
    }

    fn meaning(&mut self, scope: ScopeId, name: &'a str) -> Option<Meaning> {
        if let Some(known) = self.meanings.get(&(scope, name)) {
            return *known;
        }
        let meaning = match self.index.find(scope, name).last() {
            Some(place) => Some(self.defined(*place)),
            None => of_builtin(name),
        };
        self.meanings.insert((scope, name), meaning);
        meaning
    }

    fn defined(&self, place: (usize, DefId)) -> Meaning {
        let (source, definition) = self.index.get(place);
        let none = Modifiers::default();
        match definition.kind {
            DefKind::Variable if definition.scope == 0 => {
                let times = self.index.at_top(source.slice(definition.name)).len();
                let modifiers = if times == 1 { Modifiers::READONLY } else { none };
                (TokenKind::Variable, modifiers)
            }
            DefKind::Variable | DefKind::Loop => (TokenKind::Variable, none),
            DefKind::Function => (TokenKind::Function, none),
            DefKind::Struct => (TokenKind::Class, none),
            DefKind::Field => (TokenKind::Property, none),
            DefKind::Parameter => (TokenKind::Parameter, none),
            DefKind::Module => (TokenKind::Namespace, none),
            DefKind::Loaded => {
                let here = Definitive { source: source.clone(), id: place.1 };
                let origin = origin(self.world, &here);
                let of_library = origin.source.id.is_std();
                let modifiers = if of_library { Modifiers::DEFAULT_LIBRARY } else { none };
                match origin.get().kind {
                    DefKind::Function => (TokenKind::Function, modifiers),
                    DefKind::Struct => (TokenKind::Class, modifiers),
                    _ => (TokenKind::Variable, modifiers.and(Modifiers::READONLY)),
                }
            }
        }
    }

    fn templates(&mut self) {
        let templates = &self.source.names.templates;
        let mut bound: Option<BTreeSet<&str>> = None;
        for template in templates {
            let is_here =
                template.literal.start < self.range.end && self.range.start < template.literal.end;
            if !is_here {
                continue;
            }
            for reference in &template.references {
                let bound = bound.get_or_insert_with(|| bound_names(self.files));
                self.reference(reference, bound);
            }
        }
    }

    fn reference(&mut self, reference: &Reference, bound: &BTreeSet<&str>) {
        let text = self.source.slice(reference.span);
        let braces = |sign: char| {
            let count = if sign == '{' {
                text.len() - text.trim_start_matches(sign).len()
            } else {
                text.len() - text.trim_end_matches(sign).len()
            };
            crate::text::offset(count)
        };
        let Span { start, end } = reference.span;
        let brace = (TokenKind::Brace, Modifiers::default());
        self.add(Span::new(start, start + braces('{')), brace);
        self.add(Span::new(end - braces('}'), end), brace);
        for (at, part) in reference.parts.iter().enumerate() {
            let name = self.source.slice(*part);
            if name.contains(['\n', '\r']) {
                continue;
            }
            let meaning = match (at, name) {
                (0, "mesos" | "thermos") => {
                    let modifiers = Modifiers::DEFAULT_LIBRARY.and(Modifiers::READONLY);
                    (TokenKind::Namespace, modifiers)
                }
                (0, name) if bound.contains(name) => (TokenKind::Variable, Modifiers::default()),
                _ => (TokenKind::Property, Modifiers::default()),
            };
            self.add(*part, meaning);
        }
    }

    /// The names of arguments, and what stands behind dots.
    fn arguments(&mut self, stmts: &'a [Stmt]) {
        let from = stmts.partition_point(|stmt| stmt.span.end <= self.range.start);
        let stmts = &stmts[from..];
        let to = stmts.partition_point(|stmt| stmt.span.start < self.range.end);
        walk::everything(&stmts[..to], &mut |expr: &'a Expr| {
            if let ExprKind::Postfix(postfix) = &expr.kind {
                self.postfix(postfix);
            }
        });
    }

    fn postfix(&mut self, postfix: &'a Postfix) {
        let scope = scope_of(self.source, &postfix.base);
        let base = match postfix.base.kind {
            ExprKind::Name => self.meaning(scope, self.source.slice(postfix.base.span)),
            _ => None,
        };
        for (at, op) in postfix.ops.iter().enumerate() {
            match &op.kind {
                PostKind::Attr(name) => {
                    let next = postfix.ops.get(at + 1).map(|op| &op.kind);
                    let is_called = matches!(next, Some(PostKind::Call(_)));
                    let meaning = match base {
                        Some((TokenKind::Namespace, modifiers)) if at == 0 => {
                            (TokenKind::Function, modifiers)
                        }
                        _ if is_called => (TokenKind::Method, Modifiers::default()),
                        _ => (TokenKind::Property, Modifiers::default()),
                    };
                    self.add(*name, meaning);
                }
                PostKind::Call(args) => {
                    let of_function = at == 0 && matches!(base, Some((TokenKind::Function, _)));
                    let kind = if of_function { TokenKind::Parameter } else { TokenKind::Property };
                    for name in args.iter().filter_map(|arg| arg.name) {
                        let modifiers = self.modifiers(scope, postfix, at, name);
                        self.add(name, (kind, modifiers));
                    }
                }
                PostKind::Index(_) | PostKind::Slice(_) => {}
            }
        }
    }

    fn modifiers(&mut self, scope: ScopeId, postfix: &Postfix, at: usize, name: Span) -> Modifiers {
        let name = self.source.slice(name);
        if !self.deprecated.contains(name) {
            return Modifiers::default();
        }
        let kind = self.certain.before(scope, &postfix.base, &postfix.ops[..at]);
        let field = kind.and_then(|kind| kind.decl()).and_then(|decl| decl.field(name));
        let is_old = field.is_some_and(|field| {
            field.rules.iter().any(|rule| matches!(rule, Rule::Deprecated(_)))
        });
        if is_old { Modifiers::DEPRECATED } else { Modifiers::default() }
    }
}

fn bound_names(files: &[Arc<Source>]) -> BTreeSet<&str> {
    let all = files.iter().flat_map(|file| file.names.bound.iter().map(|b| file.slice(b.name)));
    all.collect()
}

fn of_builtin(name: &str) -> Option<Meaning> {
    if matches!(name, "True" | "False" | "None") {
        return None;
    }
    let library = Modifiers::DEFAULT_LIBRARY;
    Some(match builtin(name)? {
        Builtin::Struct(_) => (TokenKind::Struct, library),
        Builtin::Enum(_) => (TokenKind::Type, library),
        Builtin::Object(_) => (TokenKind::Variable, library.and(Modifiers::READONLY)),
        _ if TYPES.contains(&name) => (TokenKind::Type, library),
        _ if members(name).next().is_some() => (TokenKind::Namespace, library),
        Builtin::Name(decl) if decl.signature.contains('(') => (TokenKind::Function, library),
        Builtin::Name(_) => (TokenKind::Variable, library.and(Modifiers::READONLY)),
        Builtin::Python => (TokenKind::Function, library),
    })
}
