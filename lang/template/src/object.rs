//! The objects of the language: immutable values with the scopes in which their references are
//! looked up (`dsl.md` 1).

use std::sync::Arc;

use crate::environment::Environment;
use crate::types::{Plain, Type};

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

#[derive(Debug)]
struct Node {
    ty: Type,
    kind: Kind,
    /// Nearest first.
    scopes: Box<[Scope]>,
    origin: Option<Origin>,
    size: Size,
    depth: u32,
    /// Whether an interpolation would change nothing of it but its scopes.
    is_final: bool,
}

/// What an object comes to with all that it holds, counted each time that it is held.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Size {
    /// How many objects and plain values.
    pub parts: usize,
    /// How many bytes of text.
    pub text: usize,
}

/// What an object holds.
#[derive(Debug, Clone, PartialEq)]
pub enum Kind {
    /// A value that is of its type once its references are resolved.
    Scalar(Plain),
    /// The elements of a list.
    List(Vec<Object>),
    /// The entries of a map, in the order in which they were given.
    Map(Vec<(Object, Object)>),
    /// In the order of the type's fields.
    Struct(Vec<Option<Object>>),
    /// A value that has yet to find its alternative.
    Choice(Box<Plain>),
}

/// Where references are looked up.
#[derive(Debug, Clone, PartialEq)]
pub enum Scope {
    /// Names and what is bound to them.
    Names(Arc<Environment>),
    /// A struct by its fields, a list by its indices, a map by its keys.
    Object(Object),
}

/// What a name is bound to.
#[derive(Debug, Clone, PartialEq)]
pub enum Bound {
    /// Text, with references of its own.
    Text(String),
    /// An object with scopes of its own.
    Object(Object),
}

impl PartialEq for Object {
    /// Where an object was made makes no difference.
    fn eq(&self, other: &Self) -> bool {
        self.is(other)
            || (self.0.ty == other.0.ty
                && self.0.kind == other.0.kind
                && self.0.scopes == other.0.scopes)
    }
}

impl Object {
    /// An object that nothing is bound on.
    pub fn new(ty: Type, kind: Kind, origin: Option<Origin>) -> Self {
        Self::made(ty, kind, Box::default(), origin)
    }

    fn made(ty: Type, kind: Kind, scopes: Box<[Scope]>, origin: Option<Origin>) -> Self {
        let mut size = Size { parts: 1, text: 0 };
        let mut depth = 0;
        let mut is_final = true;
        let mut hold = |object: &Self| {
            size.add(object.size());
            depth = depth.max(object.0.depth);
            is_final &= object.0.is_final && object.0.scopes.is_empty();
        };
        match &kind {
            Kind::Scalar(value) => {
                each_object(value, &mut hold);
                is_final = Self::is_final(&ty, value);
                size.add(size_of_plain(value));
            }
            Kind::Choice(value) => {
                each_object(value, &mut hold);
                is_final = false;
                size.add(size_of_plain(value));
            }
            Kind::List(items) => items.iter().for_each(&mut hold),
            Kind::Map(entries) => {
                entries.iter().flat_map(|(key, value)| [key, value]).for_each(&mut hold);
            }
            Kind::Struct(fields) => fields.iter().flatten().for_each(&mut hold),
        }
        for scope in &scopes {
            match scope {
                Scope::Object(object) => depth = depth.max(object.0.depth),
                Scope::Names(names) => {
                    depth = names.objects().map(|object| object.0.depth).fold(depth, u32::max);
                }
            }
        }
        Self(Arc::new(Node { ty, kind, scopes, origin, size, depth: depth + 1, is_final }))
    }

    /// Its type.
    pub fn ty(&self) -> &Type {
        &self.0.ty
    }

    /// What it holds.
    pub fn kind(&self) -> &Kind {
        &self.0.kind
    }

    /// What is bound on it, nearest first.
    pub fn scopes(&self) -> &[Scope] {
        &self.0.scopes
    }

    /// Where it was made.
    pub fn origin(&self) -> Option<&Origin> {
        self.0.origin.as_ref()
    }

    /// How deep objects are held by this one, as its content or bound to it: 1 if none is.
    pub fn depth(&self) -> usize {
        self.0.depth as usize
    }

    /// What it comes to with all that it holds; what is bound is not counted.
    pub fn size(&self) -> Size {
        self.0.size
    }

    /// Whether an interpolation would change nothing of it but take away what is bound on it.
    pub fn is_resolved(&self) -> bool {
        self.0.is_final
    }

    /// Whether both are the very same object.
    pub fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
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
        Self::made(
            self.0.ty.clone(),
            kind,
            self.0.scopes.clone(),
            origin.or_else(|| self.0.origin.clone()),
        )
    }

    fn with_scopes(&self, scopes: Box<[Scope]>) -> Self {
        Self::made(self.0.ty.clone(), self.0.kind.clone(), scopes, self.0.origin.clone())
    }

    /// The same object with scopes put in front of its own.
    #[must_use]
    pub fn bound(&self, scopes: Vec<Scope>) -> Self {
        let scopes = scopes.into_iter().chain(self.0.scopes.iter().cloned());
        self.with_scopes(scopes.collect())
    }

    /// The same object with scopes put behind its own.
    #[must_use]
    pub fn in_scope(&self, scopes: Vec<Scope>) -> Self {
        let scopes = self.0.scopes.iter().cloned().chain(scopes);
        self.with_scopes(scopes.collect())
    }

    /// The object as its plain data would be built again: without anything that is bound on it or
    /// within it, and with defaults for what is absent.
    #[must_use]
    pub fn unbound(&self) -> Self {
        let kind = match (&self.0.kind, &self.0.ty) {
            (Kind::Struct(fields), Type::Struct(ty)) => Kind::Struct(
                fields
                    .iter()
                    .zip(&ty.fields)
                    .map(|(value, field)| match value {
                        Some(value) => Some(value.unbound()),
                        None => field.default.clone(),
                    })
                    .collect(),
            ),
            (Kind::List(items), _) => Kind::List(items.iter().map(Self::unbound).collect()),
            (Kind::Map(entries), _) => {
                Kind::Map(entries.iter().map(|(k, v)| (k.unbound(), v.unbound())).collect())
            }
            (Kind::Choice(value), _) => Kind::Choice(Box::new(match &**value {
                Plain::Object(object) => Plain::Object(object.unbound()),
                other => other.clone(),
            })),
            (kind, _) => kind.clone(),
        };
        Self::new(self.0.ty.clone(), kind, self.0.origin.clone())
    }
}

impl Size {
    fn add(&mut self, other: Self) {
        self.parts = self.parts.saturating_add(other.parts);
        self.text = self.text.saturating_add(other.text);
    }
}

fn each_object(value: &Plain, visit: &mut impl FnMut(&Object)) {
    match value {
        Plain::Object(object) => visit(object),
        Plain::List(items) => items.iter().for_each(|item| each_object(item, visit)),
        Plain::Map(entries) => {
            for (key, value) in entries {
                each_object(key, visit);
                each_object(value, visit);
            }
        }
        _ => {}
    }
}

/// The size of a plain value, objects in it left out.
fn size_of_plain(value: &Plain) -> Size {
    let mut size = Size { parts: 1, text: 0 };
    match value {
        Plain::Text(text) | Plain::Big(text) | Plain::Other(text) => size.text = text.len(),
        Plain::List(items) => items.iter().for_each(|item| size.add(size_of_plain(item))),
        Plain::Map(entries) => {
            for (key, value) in entries {
                size.add(size_of_plain(key));
                size.add(size_of_plain(value));
            }
        }
        _ => {}
    }
    size
}
