//! The JSON of interpolated objects, written without making a tree of it.

use aurora_template::object::{Kind, Object};
use aurora_template::scope::text_form;
use aurora_template::types::{Plain, Type};
use serde::ser::{Serialize, SerializeMap, Serializer};

/// An interpolated object as JSON: absent fields left out.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Json<'a>(pub(crate) &'a Object);

/// The same without some fields of the object itself.
#[derive(Debug, Clone, Copy)]
pub(crate) struct JsonWithout<'a>(pub(crate) &'a Object, pub(crate) &'a [&'a str]);

/// The fields of a job that the executor is not told.
pub(crate) const NOT_TOLD: [&str; 2] = ["update_config", "instances"];

impl Serialize for Json<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0.kind() {
            Kind::Scalar(Plain::Text(text)) => serializer.serialize_str(text),
            Kind::Scalar(Plain::Int(number)) => serializer.serialize_i64(*number),
            Kind::Scalar(Plain::Float(number)) => serializer.serialize_f64(*number),
            Kind::Scalar(Plain::Bool(value)) => serializer.serialize_bool(*value),
            // A whole number with more digits than fit elsewhere.
            Kind::Scalar(other) => match other.to_string().parse::<serde_json::Number>() {
                Ok(number) => number.serialize(serializer),
                Err(_) => serializer.collect_str(other),
            },
            Kind::List(items) => serializer.collect_seq(items.iter().map(Json)),
            Kind::Map(entries) => serializer
                .collect_map(entries.iter().map(|(key, value)| (text_form(key), Json(value)))),
            Kind::Struct(_) => JsonWithout(self.0, &[]).serialize(serializer),
            Kind::Choice(value) => serializer.collect_str(value),
        }
    }
}

impl Serialize for JsonWithout<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let (Kind::Struct(fields), Type::Struct(ty)) = (self.0.kind(), self.0.ty()) else {
            return Json(self.0).serialize(serializer);
        };
        let mut map = serializer.serialize_map(None)?;
        for (value, field) in fields.iter().zip(&ty.fields) {
            if let Some(value) = value
                && !self.1.contains(&&*field.name)
            {
                map.serialize_entry(&*field.name, &Json(value))?;
            }
        }
        map.end()
    }
}

/// The JSON of an object as text.
pub(crate) fn to_text(object: &Object) -> String {
    // Writing to memory fails only if a key is no text, and all are.
    serde_json::to_string(&Json(object)).unwrap_or_default()
}
