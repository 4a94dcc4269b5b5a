//! Plain values become objects of a type (`dsl.md` 1).

use std::sync::Arc;

use crate::nearest::nearest;
use crate::object::{Kind, Object, Origin};
use crate::plain::Plain;
use crate::types::{StructType, Type};

/// Why a value is not of a type.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct TypeMismatch {
    /// The field of the struct under construction that is at fault, if one is.
    pub field: Option<String>,
    /// What is wrong.
    pub message: String,
    /// What to do about it.
    pub help: Option<String>,
    /// The text that is none of an enumeration, if that is what is wrong.
    pub no_value: Option<NoValue>,
}

/// A text that is no value of an enumeration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NoValue {
    /// The value that is likely meant.
    pub meant: Option<String>,
}

impl TypeMismatch {
    /// A mismatch of no field in particular.
    pub fn new(message: impl Into<String>) -> Self {
        Self { field: None, message: message.into(), help: None, no_value: None }
    }

    /// The same with what to do about it.
    #[must_use]
    pub fn with_help(self, help: impl Into<String>) -> Self {
        Self { help: Some(help.into()), ..self }
    }

    /// The same about a field of the struct under construction.
    #[must_use]
    pub fn within(mut self, field: &str) -> Self {
        if self.field.is_none() {
            self.field = Some(field.to_owned());
        }
        self
    }
}

impl Type {
    /// Makes an object of `value`. Scalars take anything as it is: what becomes of it is only known
    /// once its references are resolved.
    ///
    /// # Errors
    /// The value cannot be of the type whatever is bound.
    pub fn build(&self, value: Plain, origin: Option<&Origin>) -> Result<Object, TypeMismatch> {
        let object = |kind| Object::new(self.clone(), kind, origin.cloned());
        let wrong =
            |value: &Plain| TypeMismatch::new(format!("expected {}, got {value}", self.in_words()));
        match (self, value) {
            (_, Plain::Object(given)) if given.ty() == self => Ok(given),
            (Self::Choice(_), value) => Ok(object(Kind::Choice(Box::new(value)))),
            (Self::Enum(ty), Plain::Text(text)) => {
                let open = crate::references(&text).next().is_some();
                if open || ty.has(&text) {
                    Ok(object(Kind::Scalar(Plain::Text(text))))
                } else {
                    let near = nearest(&text, ty.values.iter().map(|value| &**value));
                    let help = match near {
                        Some(near) => format!("did you mean {near:?}?"),
                        None => format!("use one of {}", ty.listed()),
                    };
                    let no_value = Some(NoValue { meant: near.map(str::to_owned) });
                    let message = format!("{} cannot be {}", ty.name, Plain::Text(text));
                    Err(TypeMismatch { no_value, ..TypeMismatch::new(message).with_help(help) })
                }
            }
            (Self::String | Self::Integer | Self::Float | Self::Boolean, value) => {
                Ok(object(Kind::Scalar(value)))
            }
            (Self::List(element), Plain::List(items)) => {
                let items = items
                    .into_iter()
                    .map(|item| element.build(item, origin))
                    .collect::<Result<_, _>>()?;
                Ok(object(Kind::List(items)))
            }
            (Self::List(_), value @ Plain::Text(_)) => Err(wrong(&value)
                .with_help("write the list with brackets, also if it has one element: [\"…\"]")),
            (Self::List(element), value @ Plain::Object(_)) if matches!(&value, Plain::Object(given) if given.ty() == &**element) => {
                Err(wrong(&value).with_help(
                    "write the list with brackets, also if it has one element: [\u{2026}]",
                ))
            }
            (Self::Struct(_), Plain::List(items)) if self.is_of_all(&items) => {
                let help =
                    "it is a list already, as order() gives one: take the brackets around it away";
                let help = if items.len() == 1 { help } else { "only one can be given here" };
                Err(wrong(&Plain::List(items)).with_help(help))
            }
            (Self::Map(types), Plain::Map(entries)) => {
                let mut built: Vec<(Object, Object)> = Vec::with_capacity(entries.len());
                for (key, value) in entries {
                    built.push((types.0.build(key, origin)?, types.1.build(value, origin)?));
                }
                Ok(object(Kind::Map(built)))
            }
            (Self::Struct(ty), Plain::Map(entries)) => {
                let mut named = Vec::with_capacity(entries.len());
                for (key, value) in entries {
                    let Plain::Text(name) = key else {
                        return Err(TypeMismatch::new(format!(
                            "the fields of {} have names, got {key}",
                            ty.name
                        )));
                    };
                    named.push((name, value));
                }
                Object::blank(ty, origin.cloned()).with_fields(named, origin)
            }
            (_, value) => Err(wrong(&value)),
        }
    }

    /// Whether these are objects of this type, and there are any.
    fn is_of_all(&self, items: &[Plain]) -> bool {
        !items.is_empty()
            && items.iter().all(|item| matches!(item, Plain::Object(given) if given.ty() == self))
    }
}

impl Object {
    /// A struct with nothing but its defaults.
    pub fn blank(ty: &Arc<StructType>, origin: Option<Origin>) -> Self {
        let fields = ty.fields.iter().map(|field| field.default.clone()).collect();
        Self::new(Type::Struct(ty.clone()), Kind::Struct(fields), origin)
    }

    /// A copy with these fields replaced; [`Plain::Empty`] takes a field away.
    ///
    /// # Errors
    /// The object is no struct, has no such field, or a value is not of the field's type.
    pub fn with_fields(
        &self,
        fields: Vec<(String, Plain)>,
        origin: Option<&Origin>,
    ) -> Result<Self, TypeMismatch> {
        let (object, mismatches) = self.with_fitting_fields(fields, origin)?;
        mismatches.into_iter().next().map_or(Ok(object), Err)
    }

    /// The same with those of the fields that can be replaced, and why the others cannot.
    ///
    /// # Errors
    /// The object is no struct.
    pub fn with_fitting_fields(
        &self,
        fields: Vec<(String, Plain)>,
        origin: Option<&Origin>,
    ) -> Result<(Self, Vec<TypeMismatch>), TypeMismatch> {
        let (Type::Struct(ty), Kind::Struct(current)) = (self.ty(), self.kind()) else {
            return Err(TypeMismatch::new(format!("{} has no fields", self.ty().with_article())));
        };
        let mut replaced = current.clone();
        let mut mismatches = Vec::new();
        for (name, value) in fields {
            let Some(position) = ty.position(&name) else {
                mismatches.push(unknown_field(ty, &name));
                continue;
            };
            let value = match value {
                Plain::Empty => Ok(None),
                value => ty.fields[position].ty.build(value, origin).map(Some),
            };
            match value {
                Ok(value) => replaced[position] = value,
                Err(error) => mismatches.push(error.within(&name)),
            }
        }
        Ok((self.with_kind(Kind::Struct(replaced), origin.cloned()), mismatches))
    }
}

fn unknown_field(ty: &StructType, name: &str) -> TypeMismatch {
    let known: Vec<&str> = ty.fields.iter().map(|field| &*field.name).collect();
    let help = match nearest(name, known.iter().copied()) {
        Some(near) => format!("did you mean `{near}`?"),
        None => format!("{} has the fields {}", ty.name, known.join(", ")),
    };
    TypeMismatch {
        field: Some(name.to_owned()),
        help: Some(help),
        ..TypeMismatch::new(format!("{} has no field `{}`", ty.name, crate::beginning(name)))
    }
}
