//! Numbers of a job that may not be numbers yet.

use aurora_template::object::{Kind, Object};
use aurora_template::types::Plain;

/// What a number field holds after interpolation.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Number {
    /// A whole number; one that is too large for this is the largest there is.
    Int(i128),
    Float(f64),
    /// Text with a reference that nothing is bound to.
    Open(String),
    /// Something that is reported elsewhere.
    Unknown,
}

impl Number {
    /// The number that a field holds; [`None`] if the field is absent.
    pub(super) fn of(object: &Object, field: &str) -> Option<Self> {
        let value = object.field(field)?;
        Some(match value.kind() {
            Kind::Scalar(Plain::Int(number)) => Self::Int(i128::from(*number)),
            Kind::Scalar(Plain::Float(number)) => Self::Float(*number),
            Kind::Scalar(Plain::Text(text)) => {
                if aurora_template::references(text).next().is_some() {
                    Self::Open(text.clone())
                } else {
                    Self::Unknown
                }
            }
            // A whole number with more digits shows itself by them.
            Kind::Scalar(other) => aurora_model::rules::whole_number(&other.to_string())
                .map_or(Self::Unknown, Self::Int),
            _ => Self::Unknown,
        })
    }

    /// The number, if it is a whole one.
    pub(super) fn whole(&self) -> Option<i128> {
        match self {
            Self::Int(number) => Some(*number),
            _ => None,
        }
    }

    pub(super) fn is_negative(&self) -> bool {
        match self {
            Self::Int(number) => *number < 0,
            Self::Float(number) => *number < 0.0,
            Self::Open(_) | Self::Unknown => false,
        }
    }
}

/// A field that is True; False if it is absent or anything else.
pub(super) fn is_true(object: &Object, field: &str) -> bool {
    matches!(object.field(field).map(Object::kind), Some(Kind::Scalar(Plain::Bool(true))))
}

/// The text of a field, if it has one.
pub(super) fn text<'a>(object: &'a Object, field: &str) -> Option<&'a str> {
    match object.field(field).map(Object::kind) {
        Some(Kind::Scalar(Plain::Text(text))) => Some(text),
        _ => None,
    }
}
