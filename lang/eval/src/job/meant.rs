//! What was meant by a reference that nothing is bound to.

use aurora_template::object::{Bound, Kind, Object, Scope};
use aurora_template::types::{Type, nearest};

use super::stage::Fault;
use crate::codes::Code;

/// How many names are compared: where there are more, the search would take longer than it helps.
const MAX_NAMES: usize = 500;

/// Suggests, for each reference of a job that nothing is bound to, the nearest name that could have
/// stood there.
pub(super) fn suggest(job: &Object, faults: &mut [Fault]) {
    for fault in faults {
        if fault.code != Code::UnboundReference || fault.help.is_some() {
            continue;
        }
        let named = fault.message.split_once("{{").and_then(|(_, rest)| rest.split_once("}}"));
        let Some((wanted, _)) = named else { continue };
        let names = names_at(job, &fault.path);
        if names.len() > MAX_NAMES {
            continue;
        }
        if let Some(near) = nearest(wanted, names.iter().map(String::as_str)) {
            fault.help = Some(format!("did you mean {{{{{near}}}}}?"));
        }
    }
}

/// The names that a text at a path finds something under.
fn names_at(job: &Object, path: &[String]) -> Vec<String> {
    let mut names = Vec::new();
    let mut object = job;
    for (depth, step) in path.iter().enumerate() {
        of_scopes(object.scopes(), &mut names);
        // A field does not find itself.
        fields(object, |field, value| {
            if field != step || depth + 1 < path.len() {
                add(field, value, &mut names);
            }
        });
        let index = step.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
        let inner = match (object.kind(), index) {
            (Kind::List(items), Some(index)) => {
                index.parse::<usize>().ok().and_then(|index| items.get(index))
            }
            _ => object.field(step),
        };
        let Some(inner) = inner else { return names };
        object = inner;
    }
    of_scopes(object.scopes(), &mut names);
    names
}

fn of_scopes(scopes: &[Scope], names: &mut Vec<String>) {
    for scope in scopes {
        match scope {
            Scope::Names(table) => {
                for (name, bound) in table.iter().take(MAX_NAMES) {
                    match bound {
                        Bound::Object(object) => add(name, object, names),
                        Bound::Text(_) => names.push(name.to_owned()),
                    }
                }
            }
            Scope::Object(object) => fields(object, |field, value| add(field, value, names)),
        }
    }
}

/// Adds a name, and those of the fields behind it.
fn add(name: &str, object: &Object, names: &mut Vec<String>) {
    names.push(name.to_owned());
    fields(object, |field, _| names.push(format!("{name}.{field}")));
}

/// Every field of a struct that is there.
fn fields(object: &Object, mut each: impl FnMut(&str, &Object)) {
    if let (Type::Struct(ty), Kind::Struct(values)) = (object.ty(), object.kind()) {
        for (field, value) in ty.fields.iter().zip(values.iter()) {
            if let Some(value) = value {
                each(&field.name, value);
            }
        }
    }
}
