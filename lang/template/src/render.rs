//! Interpolated objects: what is wrong with them, and their JSON (`dsl.md` 4).

use serde_json::{Map, Number, Value};

use crate::object::{Kind, Object};
use crate::problem::{Problem, ProblemKind};
use crate::scope::text_form;
use crate::types::{Plain, Type};

/// Everything that is missing or open where it may not be, in an object that [`crate::scope::resolve`] made.
pub fn check(object: &Object) -> Vec<Problem> {
    let mut problems = Vec::new();
    check_at(object, &mut Vec::new(), &mut problems);
    problems
}

fn check_at(object: &Object, path: &mut Vec<String>, problems: &mut Vec<Problem>) {
    let mut problem = |kind, path: &[String], message: String| {
        problems.push(Problem {
            origin: object.origin().cloned(),
            ..Problem::new(kind, path.to_vec(), message)
        });
    };
    match (object.ty(), object.kind()) {
        (Type::Struct(ty), Kind::Struct(fields)) => {
            for (value, field) in fields.iter().zip(&ty.fields) {
                match value {
                    Some(value) if value.is_resolved() && is_flat(value) => {}
                    Some(value) => {
                        path.push(field.name.to_string());
                        check_at(value, path, problems);
                        path.pop();
                    }
                    None if field.required => {
                        let mut path = path.clone();
                        path.push(field.name.to_string());
                        problems.push(Problem {
                            origin: object.origin().cloned(),
                            ..Problem::new(
                                ProblemKind::Required,
                                path,
                                format!("{}[{}] is required", ty.name, field.name),
                            )
                        });
                    }
                    None => {}
                }
            }
        }
        (_, Kind::List(items)) => {
            for (index, item) in items.iter().enumerate() {
                if item.is_resolved() && is_flat(item) {
                    continue;
                }
                path.push(format!("[{index}]"));
                check_at(item, path, problems);
                path.pop();
            }
        }
        (_, Kind::Map(entries)) => {
            for (key, value) in entries {
                path.push(format!("[{}]", crate::beginning(&text_form(key))));
                check_at(key, path, problems);
                check_at(value, path, problems);
                path.pop();
            }
        }
        (
            Type::Integer | Type::Float | Type::Boolean | Type::Enum(_),
            Kind::Scalar(Plain::Text(text)),
        ) if crate::references(text).next().is_some() => {
            let text = crate::beginning(text);
            problem(
                ProblemKind::Open,
                path,
                format!("expected {}, but nothing is bound to {text}", object.ty()),
            );
        }
        _ => {}
    }
}

/// Whether nothing can be missing within it.
fn is_flat(object: &Object) -> bool {
    matches!(object.kind(), Kind::Scalar(_))
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
        Kind::Scalar(Plain::Big(digits)) => {
            digits.parse().map_or_else(|_| Value::String(digits.clone()), Value::Number)
        }
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
                    value.as_ref().map(|value| (field.name.to_string(), to_json(value)))
                })
                .collect::<Map<_, _>>()
                .into()
        }
        Kind::Choice(value) => match &**value {
            Plain::Object(object) => to_json(object),
            other => Value::String(other.to_string()),
        },
    }
}
