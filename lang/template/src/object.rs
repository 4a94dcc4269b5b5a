//! The objects of the language: immutable values with the scopes in which their references are
//! looked up (`dsl.md` 1).

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::Address;

use crate::types::{Plain, StructType, Type};

/// Where in the source an object was made: the call that made it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    /// The file, as it was named.
    pub file: Arc<str>,
    /// Byte offsets in it.
    pub span: std::ops::Range<usize>,
}

/// A value of the language. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Object(Arc<Node>);

#[derive(Debug, Clone)]
struct Node {
    ty: Type,
    kind: Kind,
    /// Nearest first.
    scopes: Vec<Scope>,
    origin: Option<Origin>,
    /// How deep objects are held by this one.
    depth: usize,
}

/// What an object holds.
#[derive(Debug, Clone, PartialEq)]
pub enum Kind {
    Scalar(Plain),
    List(Vec<Object>),
    Map(Vec<(Object, Object)>),
    /// In the order of the type's fields.
    Struct(Vec<Option<Object>>),
    /// A value that has yet to find its alternative.
    Choice(Box<Plain>),
}

/// Where references are looked up.
#[derive(Debug, Clone, PartialEq)]
pub enum Scope {
    Names(Arc<BTreeMap<Address, Bound>>),
    Object(Object),
}

/// What a name is bound to.
#[derive(Debug, Clone, PartialEq)]
pub enum Bound {
    Text(String),
    Object(Object),
}

impl PartialEq for Object {
    /// Where an object was made makes no difference.
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
            || (self.0.ty == other.0.ty
                && self.0.kind == other.0.kind
                && self.0.scopes == other.0.scopes)
    }
}

impl Object {
    pub fn new(ty: Type, kind: Kind, origin: Option<Origin>) -> Self {
        Self::made(Node { ty, kind, scopes: Vec::new(), origin, depth: 0 })
    }

    fn made(mut node: Node) -> Self {
        let held = match &node.kind {
            Kind::Scalar(value) => depth_of_plain(value),
            Kind::Choice(value) => depth_of_plain(value),
            Kind::List(items) => deepest(items),
            Kind::Map(entries) => deepest(entries.iter().flat_map(|(key, value)| [key, value])),
            Kind::Struct(fields) => deepest(fields.iter().flatten()),
        };
        let bound = node.scopes.iter().map(|scope| match scope {
            Scope::Object(object) => object.depth(),
            Scope::Names(names) => deepest(names.values().filter_map(|bound| match bound {
                Bound::Object(object) => Some(object),
                Bound::Text(_) => None,
            })),
        });
        node.depth = 1 + bound.fold(held, usize::max);
        Self(Arc::new(node))
    }

    /// A struct with nothing but its defaults.
    pub fn blank(ty: &Arc<StructType>, origin: Option<Origin>) -> Self {
        let fields = ty.fields.iter().map(|field| field.default.clone()).collect();
        Self::new(Type::Struct(ty.clone()), Kind::Struct(fields), origin)
    }

    pub fn ty(&self) -> &Type {
        &self.0.ty
    }

    pub fn kind(&self) -> &Kind {
        &self.0.kind
    }

    pub fn scopes(&self) -> &[Scope] {
        &self.0.scopes
    }

    pub fn origin(&self) -> Option<&Origin> {
        self.0.origin.as_ref()
    }

    /// How deep objects are held by this one, as its content or bound to it: 1 if none is.
    pub fn depth(&self) -> usize {
        self.0.depth
    }

    /// The field of a struct, if it is there.
    pub fn field(&self, name: &str) -> Option<&Self> {
        match (&self.0.ty, &self.0.kind) {
            (Type::Struct(ty), Kind::Struct(fields)) => fields.get(ty.position(name)?)?.as_ref(),
            _ => None,
        }
    }

    /// The same object with other content, its scopes kept.
    pub fn with_kind(&self, kind: Kind, origin: Option<Origin>) -> Self {
        Self::made(Node {
            ty: self.0.ty.clone(),
            kind,
            scopes: self.0.scopes.clone(),
            origin: origin.or_else(|| self.0.origin.clone()),
            depth: 0,
        })
    }

    /// The same object with scopes put in front of its own.
    pub fn bound(&self, mut scopes: Vec<Scope>) -> Self {
        scopes.extend(self.0.scopes.iter().cloned());
        Self::made(Node { scopes, ..(*self.0).clone() })
    }
}

fn deepest<'a>(objects: impl IntoIterator<Item = &'a Object>) -> usize {
    objects.into_iter().map(Object::depth).max().unwrap_or(0)
}

fn depth_of_plain(value: &Plain) -> usize {
    match value {
        Plain::Object(object) => object.depth(),
        Plain::List(items) => items.iter().map(depth_of_plain).max().unwrap_or(0),
        Plain::Map(entries) => {
            entries.iter().map(|(_, value)| depth_of_plain(value)).max().unwrap_or(0)
        }
        _ => 0,
    }
}
