//! The types of the language (`dsl.md` 1).

use std::fmt;
use std::sync::Arc;

pub use crate::build::{NoValue, TypeMismatch};
pub use crate::nearest::{nearest, slips};
use crate::object::Object;
pub use crate::plain::Plain;

/// How many types one type may be made of, those of its parts counted each time they occur.
const MAX_PARTS: usize = 20_000;
/// How deep types may stand in types.
const MAX_DEPTH: usize = 50;
/// The longest name of a type or field, in bytes.
const MAX_NAME: usize = 1000;

/// A type of the language. Types are the same if they are made alike, wherever they were declared.
#[derive(Debug, Clone)]
pub enum Type {
    /// Text.
    String,
    /// A whole number.
    Integer,
    /// A number.
    Float,
    /// True or False.
    Boolean,
    /// Text that is one of a few.
    Enum(Arc<EnumType>),
    /// Values of one type, in order.
    List(Arc<Type>),
    /// Values found by keys.
    Map(Arc<(Type, Type)>),
    /// Named fields.
    Struct(Arc<StructType>),
    /// One of several types.
    Choice(Arc<ChoiceType>),
}

/// Text that is one of a few.
#[derive(Debug, PartialEq)]
pub struct EnumType {
    /// Its name.
    pub name: Arc<str>,
    /// What it may be.
    pub values: Vec<Arc<str>>,
}

/// One of several types, tried in order.
#[derive(Debug, PartialEq)]
pub struct ChoiceType {
    /// Its name.
    pub name: Arc<str>,
    /// The types, in the order in which they are tried.
    pub alternatives: Vec<Type>,
}

/// A type with named fields.
#[derive(Debug, PartialEq)]
pub struct StructType {
    /// Its name.
    pub name: String,
    /// Its fields, each name once.
    pub fields: Vec<Field>,
}

/// A field of a [`StructType`].
#[derive(Debug, Clone, PartialEq)]
pub struct Field {
    /// Its name.
    pub name: Arc<str>,
    /// What it holds.
    pub ty: Type,
    /// Whether it must be given.
    pub required: bool,
    /// What it is when it is not given.
    pub default: Option<Object>,
}

impl Field {
    /// A field that may be absent.
    pub fn optional(name: &str, ty: Type) -> Self {
        Self { name: name.into(), ty, required: false, default: None }
    }

    /// A field that must be given.
    pub fn required(name: &str, ty: Type) -> Self {
        Self { required: true, ..Self::optional(name, ty) }
    }

    /// A field that is `value` when it is not given. Bindings of the value are not kept.
    ///
    /// # Errors
    /// The value is not of the type.
    pub fn with_default(name: &str, ty: Type, value: Plain) -> Result<Self, TypeMismatch> {
        let default = match value {
            Plain::Empty => None,
            value => Some(ty.build(value, None).map_err(|error| error.within(name))?.unbound()),
        };
        Ok(Self { default, ..Self::optional(name, ty) })
    }
}

impl StructType {
    /// A type with these fields; of two with the same name the last one counts.
    ///
    /// # Errors
    /// It would be too large.
    pub fn new(name: &str, fields: Vec<Field>) -> Result<Arc<Self>, TypeMismatch> {
        let mut distinct: Vec<Field> = Vec::with_capacity(fields.len());
        let mut positions = std::collections::BTreeMap::new();
        for field in fields {
            if field.name.len() > MAX_NAME {
                return Err(TypeMismatch::new("the name of a field is too long"));
            }
            match positions.get(&field.name) {
                Some(&position) => distinct[position] = field,
                None => {
                    positions.insert(field.name.clone(), distinct.len());
                    distinct.push(field);
                }
            }
        }
        let ty = Arc::new(Self { name: name.to_owned(), fields: distinct });
        Type::Struct(ty.clone()).limited()?;
        Ok(ty)
    }

    /// Where a field stands among the fields.
    pub fn position(&self, field: &str) -> Option<usize> {
        self.fields.iter().position(|known| &*known.name == field)
    }

    /// Whether objects of both types can be equal: their names make no difference.
    pub fn same_fields(&self, other: &Self) -> bool {
        self.fields.len() == other.fields.len()
            && self.fields.iter().zip(&other.fields).all(|(a, b)| a.name == b.name && a.ty == b.ty)
    }
}

impl Type {
    /// A list of values of a type.
    ///
    /// # Errors
    /// It would be too large.
    pub fn list(element: Self) -> Result<Self, TypeMismatch> {
        Self::List(Arc::new(element)).limited()
    }

    /// A map from keys to values of these types.
    ///
    /// # Errors
    /// It would be too large.
    pub fn map(key: Self, value: Self) -> Result<Self, TypeMismatch> {
        Self::Map(Arc::new((key, value))).limited()
    }

    /// Text that is one of these; named after them if no name is given.
    ///
    /// # Errors
    /// It would be too large.
    pub fn one_of(name: Option<&str>, values: &[&str]) -> Result<Self, TypeMismatch> {
        let name = name.map_or_else(|| joined("Enum", values.iter()), str::to_owned);
        let values = values.iter().map(|value| Arc::from(*value)).collect();
        Self::Enum(Arc::new(EnumType { name: name.into(), values })).limited()
    }

    /// One of these types; named after them if no name is given.
    ///
    /// # Errors
    /// It would be too large.
    pub fn choice(name: Option<&str>, alternatives: Vec<Self>) -> Result<Self, TypeMismatch> {
        let name = name.map_or_else(|| joined("Choice", alternatives.iter()), str::to_owned);
        Self::Choice(Arc::new(ChoiceType { name: name.into(), alternatives })).limited()
    }

    /// The type, unless it is so large that going through it would take long.
    fn limited(self) -> Result<Self, TypeMismatch> {
        let name_len = match &self {
            Self::Struct(ty) => ty.name.len(),
            Self::Enum(ty) => ty.name.len(),
            Self::Choice(ty) => ty.name.len(),
            _ => 0,
        };
        if name_len > MAX_NAME {
            return Err(TypeMismatch::new("the name of a type is too long"));
        }
        let mut left = MAX_PARTS;
        if self.fits(&mut left, MAX_DEPTH) {
            Ok(self)
        } else {
            Err(TypeMismatch::new(format!(
                "a type is made of more than {MAX_PARTS} types or of types more than {MAX_DEPTH} \
                 deep"
            )))
        }
    }

    fn fits(&self, left: &mut usize, depth: usize) -> bool {
        let Some(rest) = left.checked_sub(1) else { return false };
        let Some(depth) = depth.checked_sub(1) else { return false };
        *left = rest;
        match self {
            Self::String | Self::Integer | Self::Float | Self::Boolean => true,
            Self::Enum(ty) => {
                let size = ty.values.len();
                *left = left.saturating_sub(size);
                size < MAX_PARTS
            }
            Self::List(element) => element.fits(left, depth),
            Self::Map(types) => types.0.fits(left, depth) && types.1.fits(left, depth),
            Self::Struct(ty) => ty.fields.iter().all(|field| field.ty.fits(left, depth)),
            Self::Choice(ty) => ty.alternatives.iter().all(|ty| ty.fits(left, depth)),
        }
    }

    /// Such as "a Job" and "an Announcer".
    pub fn with_article(&self) -> String {
        let name = self.to_string();
        let article = if name.starts_with(['A', 'E', 'I', 'O', 'U']) { "an" } else { "a" };
        format!("{article} {name}")
    }

    pub(crate) fn in_words(&self) -> String {
        match self {
            Self::String => "text".to_owned(),
            Self::Integer => "a whole number".to_owned(),
            Self::Float => "a number".to_owned(),
            Self::Boolean => "True or False".to_owned(),
            Self::Enum(ty) => format!("one of {}", ty.listed()),
            Self::List(element) => format!("a list of {element}"),
            Self::Map(_) => "a dict".to_owned(),
            Self::Struct(_) => self.with_article(),
            Self::Choice(ty) => format!(
                "one of {}",
                ty.alternatives.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
            ),
        }
    }
}

impl EnumType {
    /// The values as a message lists them.
    pub fn listed(&self) -> String {
        crate::beginning(&self.values.join(", "))
    }

    /// Whether `text` is one of the values.
    pub fn has(&self, text: &str) -> bool {
        self.values.iter().any(|value| &**value == text)
    }
}

fn joined(first: &str, parts: impl Iterator<Item = impl fmt::Display>) -> String {
    let mut name = first.to_owned();
    for part in parts {
        name.push('_');
        name.push_str(&part.to_string());
        if name.len() > MAX_NAME {
            break;
        }
    }
    name
}

impl PartialEq for Type {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::String, Self::String)
            | (Self::Integer, Self::Integer)
            | (Self::Float, Self::Float)
            | (Self::Boolean, Self::Boolean) => true,
            (Self::Enum(a), Self::Enum(b)) => Arc::ptr_eq(a, b) || a == b,
            (Self::List(a), Self::List(b)) => Arc::ptr_eq(a, b) || a == b,
            (Self::Map(a), Self::Map(b)) => Arc::ptr_eq(a, b) || a == b,
            (Self::Struct(a), Self::Struct(b)) => Arc::ptr_eq(a, b) || a == b,
            (Self::Choice(a), Self::Choice(b)) => Arc::ptr_eq(a, b) || a == b,
            _ => false,
        }
    }
}

impl fmt::Display for Type {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::String => f.write_str("String"),
            Self::Integer => f.write_str("Integer"),
            Self::Float => f.write_str("Float"),
            Self::Boolean => f.write_str("Boolean"),
            Self::Enum(ty) => f.write_str(&ty.name),
            Self::List(element) => write!(f, "{element}List"),
            Self::Map(types) => write!(f, "{}{}Map", types.0, types.1),
            Self::Struct(ty) => f.write_str(&ty.name),
            Self::Choice(ty) => f.write_str(&ty.name),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_are_named_after_their_parts() {
        let strings = Type::list(Type::String).unwrap();
        let map = Type::map(Type::String, strings.clone()).unwrap();
        assert_eq!(map.to_string(), "StringStringListMap");
        assert_eq!(Type::one_of(None, &["a", "b"]).unwrap().to_string(), "Enum_a_b");
        let choice = Type::choice(None, vec![strings, Type::Integer]).unwrap();
        assert_eq!(choice.to_string(), "Choice_StringList_Integer");
    }

    #[test]
    fn types_that_are_made_alike_are_the_same() {
        let make = |default: i64| {
            let fields = vec![
                Field::required("a", Type::list(Type::String).unwrap()),
                Field::with_default("b", Type::Integer, Plain::Int(default)).unwrap(),
            ];
            Type::Struct(StructType::new("T", fields).unwrap())
        };
        assert_eq!(make(1), make(1));
        assert_ne!(make(1), make(2));
    }

    #[test]
    fn a_field_that_is_declared_twice_is_there_once() {
        let fields = vec![Field::optional("a", Type::String), Field::required("a", Type::Integer)];
        let ty = StructType::new("T", fields).unwrap();
        assert_eq!(ty.fields, [Field::required("a", Type::Integer)]);
    }

    #[test]
    fn types_that_double_are_refused() {
        let mut ty = Type::String;
        let doubled = (0..60).find_map(|_| match Type::map(ty.clone(), ty.clone()) {
            Ok(map) => {
                ty = map;
                None
            }
            Err(error) => Some(error),
        });
        assert!(doubled.is_some());
        let mut ty = Type::String;
        assert!((0..60).any(|_| Type::list(ty.clone()).map(|list| ty = list).is_err()));
    }
}
