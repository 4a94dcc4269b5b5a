//! Interpolated objects: what is wrong with them, and their JSON (`dsl.md` 4).

use serde_json::{Map, Number, Value};

use crate::object::{Kind, Object};
use crate::problem::{Problem, ProblemKind};
use crate::scope::{resolve, text_form};
use crate::types::{Plain, Type};

/// Everything that is missing or open where it may not be, in an object that [`crate::scope::resolve`] made.
pub fn check(object: &Object) -> Vec<Problem> {
    let mut problems = Vec::new();
    check_at(object, &mut Vec::new(), &mut problems);
    problems
}

/// Everything that is wrong with an object that stands by itself: what cannot be interpolated, and
/// what is missing or open where it may not be.
pub fn check_whole(object: &Object) -> Vec<Problem> {
    let resolved = resolve(object);
    let mut problems = resolved.problems;
    // What could not be interpolated is left open, which is no second fault.
    let open = check(&resolved.object)
        .into_iter()
        .filter(|open| problems.iter().all(|problem| problem.path != open.path))
        .collect::<Vec<_>>();
    problems.extend(open);
    problems
}

/// What a check of an object says of a problem within it: the way to it, and what is wrong there.
pub fn message_of(ty: &Type, problem: &Problem) -> String {
    let mut message = String::new();
    let mut ty = Some(ty);
    let last = problem.path.len();
    for (position, step) in problem.path.iter().enumerate() {
        let inner = step.strip_prefix('[').and_then(|step| step.strip_suffix(']'));
        ty = match (ty, inner) {
            (Some(Type::List(element)), Some(_)) => {
                message.push_str(&format!("Element in {element}List failed check: "));
                Some(element)
            }
            (Some(map @ Type::Map(types)), Some(key)) => {
                message.push_str(&format!("{map}[{key}] failed check: "));
                Some(&types.1)
            }
            (Some(Type::Struct(known)), None) => {
                if problem.kind == ProblemKind::Required && position + 1 == last {
                    return format!("{message}{}[{step}] is required.", known.name);
                }
                message.push_str(&format!("{}[{step}] failed: ", known.name));
                known.position(step).map(|at| &known.fields[at].ty)
            }
            _ => None,
        };
    }
    message + &problem.message
}

/// Whether two interpolated objects are equal: the names of struct types and the order of maps make
/// no difference.
pub fn same(a: &Object, b: &Object) -> bool {
    if a.is(b) {
        return true;
    }
    match (a.kind(), b.kind()) {
        (Kind::Scalar(a), Kind::Scalar(b)) => a == b,
        (Kind::List(a), Kind::List(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b))
        }
        (Kind::Map(a), Kind::Map(b)) => {
            let sorted = |entries: &[(Object, Object)]| {
                entries
                    .iter()
                    .map(|(key, value)| (text_form(key), value.clone()))
                    .collect::<std::collections::BTreeMap<_, _>>()
            };
            let (a, b) = (sorted(a), sorted(b));
            a.len() == b.len() && a.iter().zip(&b).all(|((k, a), (l, b))| k == l && same(a, b))
        }
        (Kind::Struct(a), Kind::Struct(b)) => {
            a.len() == b.len()
                && a.iter().zip(b).all(|pair| match pair {
                    (Some(a), Some(b)) => same(a, b),
                    (None, None) => true,
                    _ => false,
                })
        }
        (Kind::Choice(a), Kind::Choice(b)) => a == b,
        _ => false,
    }
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
