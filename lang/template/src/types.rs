//! The types of the language and how plain values become objects of them (`dsl.md` 1).

use std::fmt;
use std::sync::Arc;

use crate::object::{Kind, Object, Origin};

/// A type of the language.
#[derive(Debug, Clone, PartialEq)]
pub enum Type {
    String,
    Integer,
    Float,
    Boolean,
    Enum(Arc<EnumType>),
    List(Arc<Type>),
    Map(Arc<(Type, Type)>),
    Struct(Arc<StructType>),
    Choice(Arc<ChoiceType>),
}

/// Text that is one of a few.
#[derive(Debug, PartialEq)]
pub struct EnumType {
    pub name: &'static str,
    pub values: &'static [&'static str],
}

/// One of several types, tried in order.
#[derive(Debug, PartialEq)]
pub struct ChoiceType {
    pub name: &'static str,
    pub alternatives: Vec<Type>,
}

/// A type with named fields.
#[derive(Debug, PartialEq)]
pub struct StructType {
    pub name: String,
    pub fields: Vec<Field>,
}

/// A field of a [`StructType`].
#[derive(Debug, PartialEq)]
pub struct Field {
    pub name: &'static str,
    pub ty: Type,
    pub required: bool,
    pub default: Option<Object>,
}

impl StructType {
    pub fn position(&self, field: &str) -> Option<usize> {
        self.fields.iter().position(|known| known.name == field)
    }
}

impl fmt::Display for Type {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::String => f.write_str("String"),
            Self::Integer => f.write_str("Integer"),
            Self::Float => f.write_str("Float"),
            Self::Boolean => f.write_str("Boolean"),
            Self::Enum(ty) => f.write_str(ty.name),
            Self::List(element) => write!(f, "List({element})"),
            Self::Map(types) => write!(f, "Map({}, {})", types.0, types.1),
            Self::Struct(ty) => f.write_str(&ty.name),
            Self::Choice(ty) => f.write_str(ty.name),
        }
    }
}

/// A value as the interpreter has it, before it is of a type. Shown as messages show it, long texts
/// by their beginning.
#[derive(Debug, Clone, PartialEq)]
pub enum Plain {
    Text(String),
    Int(i64),
    Float(f64),
    Bool(bool),
    List(Vec<Plain>),
    Map(Vec<(Plain, Plain)>),
    Object(Object),
    /// The absent value.
    Empty,
    /// What no type takes, as the interpreter prints it.
    Other(String),
}

impl fmt::Display for Plain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => write!(f, "{:?}", crate::beginning(text)),
            Self::Int(value) => write!(f, "{value}"),
            Self::Float(value) => f.write_str(&crate::number::text_of_float(*value)),
            Self::Bool(true) => f.write_str("True"),
            Self::Bool(false) => f.write_str("False"),
            Self::List(items) => write!(f, "a list of {}", items.len()),
            Self::Map(entries) => write!(f, "a dict of {}", entries.len()),
            Self::Object(object) => f.write_str(&object.ty().with_article()),
            Self::Empty => f.write_str("Empty"),
            Self::Other(text) => f.write_str(text),
        }
    }
}

/// Why a value is not of a type.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct TypeMismatch {
    /// The field of the struct under construction that is at fault, if one is.
    pub field: Option<String>,
    pub message: String,
    pub help: Option<String>,
}

impl TypeMismatch {
    pub fn new(message: impl Into<String>) -> Self {
        Self { field: None, message: message.into(), help: None }
    }

    /// The same about a field of the struct under construction.
    pub fn within(mut self, field: &str) -> Self {
        if self.field.is_none() {
            self.field = Some(field.to_owned());
        }
        self
    }
}

impl Type {
    /// Makes an object of `value`. Scalars are taken as they are: whether the text is a number is
    /// only known once its references are resolved.
    pub fn build(&self, value: Plain, origin: Option<&Origin>) -> Result<Object, TypeMismatch> {
        let object = |kind| Object::new(self.clone(), kind, origin.cloned());
        let wrong =
            |value: &Plain| TypeMismatch::new(format!("expected {}, got {value}", self.in_words()));
        match (self, value) {
            (Self::Choice(_), value) => Ok(object(Kind::Choice(Box::new(value)))),
            (_, Plain::Object(given)) => {
                if given.ty() == self {
                    Ok(given)
                } else {
                    Err(wrong(&Plain::Object(given)))
                }
            }
            (Self::Enum(ty), Plain::Text(text)) => {
                let open = crate::references(&text).next().is_some();
                if open || ty.values.contains(&text.as_str()) {
                    Ok(object(Kind::Scalar(Plain::Text(text))))
                } else {
                    Err(TypeMismatch {
                        help: Some(format!("use one of {}", ty.values.join(", "))),
                        ..TypeMismatch::new(format!("{} cannot be {}", ty.name, Plain::Text(text)))
                    })
                }
            }
            (
                Self::String | Self::Integer | Self::Float | Self::Boolean,
                value @ (Plain::Text(_) | Plain::Int(_) | Plain::Float(_) | Plain::Bool(_)),
            ) => Ok(object(Kind::Scalar(value))),
            (Self::List(element), Plain::List(items)) => {
                let items = items
                    .into_iter()
                    .map(|item| element.build(item, origin))
                    .collect::<Result<_, _>>()?;
                Ok(object(Kind::List(items)))
            }
            (Self::Map(types), Plain::Map(entries)) => {
                let entries = entries
                    .into_iter()
                    .map(|(k, v)| Ok((types.0.build(k, origin)?, types.1.build(v, origin)?)))
                    .collect::<Result<_, _>>()?;
                Ok(object(Kind::Map(entries)))
            }
            (Self::Struct(ty), Plain::Map(entries)) => {
                let blank = Object::blank(ty, origin.cloned());
                let mut named = Vec::new();
                for (key, value) in entries {
                    let Plain::Text(name) = key else {
                        return Err(wrong(&Plain::Map(Vec::new())));
                    };
                    named.push((name, value));
                }
                blank.with_fields(named, origin)
            }
            (_, value) => Err(wrong(&value)),
        }
    }

    /// Such as "a Job" and "an Announcer".
    pub fn with_article(&self) -> String {
        let name = self.to_string();
        let article = if name.starts_with(['A', 'E', 'I', 'O', 'U']) { "an" } else { "a" };
        format!("{article} {name}")
    }

    fn in_words(&self) -> String {
        match self {
            Self::String => "text".to_owned(),
            Self::Integer => "a whole number".to_owned(),
            Self::Float => "a number".to_owned(),
            Self::Boolean => "True or False".to_owned(),
            Self::Enum(ty) => format!("one of {}", ty.values.join(", ")),
            Self::List(element) => format!("a list of {element}"),
            Self::Map(_) => "a dict".to_owned(),
            Self::Struct(_) => self.with_article(),
            Self::Choice(ty) => format!(
                "one of {}",
                ty.alternatives.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
            ),
        }
    }

    /// A scalar without references as the value of its type (`dsl.md` 1.1).
    pub fn coerce(&self, value: &Plain) -> Result<Plain, String> {
        let wrong = || Err(format!("expected {}, got {value}", self.in_words()));
        match (self, value) {
            (Self::String, Plain::Text(_)) => Ok(value.clone()),
            (Self::String, Plain::Int(_) | Plain::Float(_) | Plain::Bool(_)) => {
                Ok(Plain::Text(value.to_string()))
            }
            (Self::Integer, Plain::Int(_)) => Ok(value.clone()),
            (Self::Integer, Plain::Bool(value)) => Ok(Plain::Int(i64::from(*value))),
            (Self::Integer, Plain::Float(float)) => {
                #[expect(clippy::cast_precision_loss, reason = "the bounds only guard the cast")]
                let fits = float.is_finite() && float.abs() < i64::MAX as f64;
                #[expect(
                    clippy::cast_possible_truncation,
                    reason = "fractions are cut off, as specified"
                )]
                if fits { Ok(Plain::Int(*float as i64)) } else { wrong() }
            }
            (Self::Integer, Plain::Text(text)) => {
                let digits = text.trim();
                let unsigned = digits.strip_prefix(['+', '-']).unwrap_or(digits);
                if unsigned.is_empty() || !unsigned.bytes().all(|b| b.is_ascii_digit()) {
                    return wrong();
                }
                digits.parse().map_or_else(|_| wrong(), |number| Ok(Plain::Int(number)))
            }
            #[expect(
                clippy::cast_precision_loss,
                reason = "a number field is a float, as specified"
            )]
            (Self::Float, Plain::Int(number)) => Ok(Plain::Float(*number as f64)),
            (Self::Float, Plain::Float(number)) if number.is_finite() => Ok(value.clone()),
            (Self::Float, Plain::Bool(value)) => Ok(Plain::Float(f64::from(u8::from(*value)))),
            (Self::Float, Plain::Text(text)) => match text.trim().parse::<f64>() {
                Ok(number) if number.is_finite() => Ok(Plain::Float(number)),
                _ => wrong(),
            },
            (Self::Boolean, Plain::Bool(_)) => Ok(value.clone()),
            (Self::Boolean, Plain::Int(number)) => Ok(Plain::Bool(*number != 0)),
            (Self::Boolean, Plain::Float(number)) => Ok(Plain::Bool(*number != 0.0)),
            (Self::Boolean, Plain::Text(text)) => match text.to_ascii_lowercase().as_str() {
                "true" | "1" => Ok(Plain::Bool(true)),
                "false" | "0" => Ok(Plain::Bool(false)),
                _ => wrong(),
            },
            (Self::Enum(ty), Plain::Text(text)) if ty.values.contains(&text.as_str()) => {
                Ok(value.clone())
            }
            _ => wrong(),
        }
    }
}

impl Object {
    /// A copy with these fields replaced; [`Plain::Empty`] takes a field away.
    pub fn with_fields(
        &self,
        fields: Vec<(String, Plain)>,
        origin: Option<&Origin>,
    ) -> Result<Self, TypeMismatch> {
        let (Type::Struct(ty), Kind::Struct(current)) = (self.ty(), self.kind()) else {
            return Err(TypeMismatch::new(format!("{} has no fields", self.ty().with_article())));
        };
        let mut replaced = current.clone();
        for (name, value) in fields {
            let Some(position) = ty.position(&name) else {
                return Err(unknown_field(ty, &name));
            };
            replaced[position] = match value {
                Plain::Empty => None,
                value => Some(
                    ty.fields[position]
                        .ty
                        .build(value, origin)
                        .map_err(|error| error.within(&name))?,
                ),
            };
        }
        Ok(self.with_kind(Kind::Struct(replaced), origin.cloned()))
    }
}

fn unknown_field(ty: &StructType, name: &str) -> TypeMismatch {
    let known: Vec<&str> = ty.fields.iter().map(|field| field.name).collect();
    let help = match nearest(name, known.iter().copied()) {
        Some(near) => format!("did you mean `{near}`?"),
        None => format!("{} has the fields {}", ty.name, known.join(", ")),
    };
    TypeMismatch {
        field: Some(name.to_owned()),
        message: format!("{} has no field `{name}`", ty.name),
        help: Some(help),
    }
}

/// The known name that is most like `name`, if one is near enough to be meant.
pub fn nearest<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    known
        .filter_map(|candidate| Some((slips(name, candidate)?, candidate)))
        .min()
        .map(|(_, candidate)| candidate)
}

/// How many slips of the hand lie between two names; [`None`] if it is too many for one to be meant
/// by the other.
pub fn slips(name: &str, candidate: &str) -> Option<usize> {
    let shorter = candidate.len().min(name.len());
    let distance = edit_distance(name, candidate);
    (distance <= 1 + shorter / 4 && distance < shorter.max(1)).then_some(distance)
}

/// Levenshtein's distance, for short names.
fn edit_distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().take(64).enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, y) in b.iter().enumerate() {
            let changed = diagonal + usize::from(x != *y);
            diagonal = row[j + 1];
            row[j + 1] = changed.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_meant_is_near() {
        let fields = ["instances", "cpu", "ram", "disk", "x"];
        for (name, meant) in [
            ("instancs", Some("instances")),
            ("instence", Some("instances")),
            ("rma", None),
            ("rams", Some("ram")),
            ("y", None),
            ("gpu", Some("cpu")),
            ("priority", None),
        ] {
            assert_eq!(nearest(name, fields.into_iter()), meant, "{name}");
        }
    }
}
