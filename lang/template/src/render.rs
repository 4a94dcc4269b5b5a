//! Interpolated objects: what is wrong with them, and their JSON (`dsl.md` 4).

use serde_json::{Map, Number, Value};

use crate::object::{Kind, Object};
use crate::scope::{Problem, text_form};
use crate::types::{Plain, Type};

/// Everything that is missing or open where it may not be, in an object that [`crate::scope::resolve`] made.
pub fn check(object: &Object) -> Vec<Problem> {
    let mut problems = Vec::new();
    check_at(object, &mut Vec::new(), &mut problems);
    problems
}

fn check_at(object: &Object, path: &mut Vec<String>, problems: &mut Vec<Problem>) {
    let mut problem = |path: &[String], message: String| {
        problems.push(Problem {
            path: path.to_vec(),
            message,
            origin: object.origin().cloned(),
            cycle: None,
        });
    };
    match (object.ty(), object.kind()) {
        (Type::Struct(ty), Kind::Struct(fields)) => {
            for (value, field) in fields.iter().zip(&ty.fields) {
                path.push(field.name.to_owned());
                match value {
                    Some(value) => check_at(value, path, problems),
                    None if field.required => problems.push(Problem {
                        path: path.clone(),
                        message: format!("{}[{}] is required", ty.name, field.name),
                        origin: object.origin().cloned(),
                        cycle: None,
                    }),
                    None => {}
                }
                path.pop();
            }
        }
        (_, Kind::List(items)) => {
            for (index, item) in items.iter().enumerate() {
                path.push(format!("[{index}]"));
                check_at(item, path, problems);
                path.pop();
            }
        }
        (_, Kind::Map(entries)) => {
            for (key, value) in entries {
                path.push(format!("[{}]", text_form(key)));
                check_at(value, path, problems);
                path.pop();
            }
        }
        (
            Type::Integer | Type::Float | Type::Boolean | Type::Enum(_),
            Kind::Scalar(Plain::Text(text)),
        ) if crate::references(text).next().is_some() => {
            let text = crate::beginning(text);
            problem(path, format!("expected {}, but nothing is bound to {text}", object.ty()));
        }
        _ => {}
    }
}

/// The JSON of an interpolated object: absent fields left out.
pub fn to_json(object: &Object) -> Value {
    match object.kind() {
        Kind::Scalar(Plain::Text(text)) => Value::String(text.clone()),
        Kind::Scalar(Plain::Int(number)) => Value::from(*number),
        Kind::Scalar(Plain::Float(number)) => {
            Number::from_f64(*number).map_or(Value::Null, Value::Number)
        }
        Kind::Scalar(Plain::Bool(value)) => Value::Bool(*value),
        Kind::Scalar(other) => Value::String(other.to_string()),
        Kind::List(items) => items.iter().map(to_json).collect(),
        Kind::Map(entries) => entries
            .iter()
            .map(|(key, value)| (text_form(key), to_json(value)))
            .collect::<Map<_, _>>()
            .into(),
        Kind::Struct(fields) => {
            let Type::Struct(ty) = object.ty() else { return Value::Null };
            fields
                .iter()
                .zip(&ty.fields)
                .filter_map(|(value, field)| {
                    value.as_ref().map(|value| (field.name.to_owned(), to_json(value)))
                })
                .collect::<Map<_, _>>()
                .into()
        }
        Kind::Choice(value) => Value::String(value.to_string()),
    }
}
