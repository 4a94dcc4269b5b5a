//! Values as the interpreter has them, before they are of a type.

use std::fmt;
use std::sync::Arc;

use crate::environment::Environment;
use crate::number::text_of_float;
use crate::object::Object;

/// A value as the interpreter has it, before it is of a type. Shown as messages show it, long texts
/// by their beginning.
#[derive(Debug, Clone, PartialEq)]
pub enum Plain {
    /// Text.
    Text(String),
    /// A whole number.
    Int(i64),
    /// A whole number that is no [`Plain::Int`]: its sign and digits.
    Big(String),
    /// A number.
    Float(f64),
    /// True or False.
    Bool(bool),
    /// A list or a tuple.
    List(Vec<Plain>),
    /// A dict.
    Map(Vec<(Plain, Plain)>),
    /// An object of the language.
    Object(Object),
    /// A table of names.
    Names(Arc<Environment>),
    /// The absent value.
    Empty,
    /// What no type takes, as the interpreter prints it.
    Other(String),
}

impl Plain {
    /// A whole number given by its digits, with an optional sign.
    pub fn integer(digits: &str) -> Self {
        let (sign, digits) = match digits.strip_prefix('-') {
            Some(digits) => ("-", digits),
            None => ("", digits.strip_prefix('+').unwrap_or(digits)),
        };
        let digits = digits.trim_start_matches('0');
        let number = if digits.is_empty() { "0".to_owned() } else { format!("{sign}{digits}") };
        number.parse().map_or(Self::Big(number), Self::Int)
    }

    /// The value as text of the language: what a text field makes of it.
    pub fn text(&self) -> String {
        match self {
            Self::Text(text) => text.clone(),
            other => other.to_string(),
        }
    }
}

impl fmt::Display for Plain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => write!(f, "{:?}", crate::beginning(text)),
            Self::Int(value) => write!(f, "{value}"),
            Self::Big(digits) => f.write_str(digits),
            Self::Float(value) => f.write_str(&text_of_float(*value)),
            Self::Bool(true) => f.write_str("True"),
            Self::Bool(false) => f.write_str("False"),
            Self::List(items) => write!(f, "a list of {}", items.len()),
            Self::Map(entries) => write!(f, "a dict of {}", entries.len()),
            Self::Object(object) => f.write_str(&object.ty().with_article()),
            Self::Names(_) => f.write_str("an Environment"),
            Self::Empty => f.write_str("Empty"),
            Self::Other(text) => f.write_str(text),
        }
    }
}
