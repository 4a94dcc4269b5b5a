//! Short ways to make types and objects.

use std::sync::Arc;

use aurora_template::environment::Environment;
use aurora_template::object::{Object, Scope};
use aurora_template::scope::{Resolved, resolve, text_form};
use aurora_template::types::{Field, Plain, StructType, Type};

pub(crate) fn text(text: &str) -> Plain {
    Plain::Text(text.to_owned())
}

pub(crate) fn map(entries: &[(&str, Plain)]) -> Plain {
    Plain::Map(entries.iter().map(|(key, value)| (text(key), value.clone())).collect())
}

pub(crate) fn list(items: &[Plain]) -> Plain {
    Plain::List(items.to_vec())
}

pub(crate) fn object(object: &Object) -> Plain {
    Plain::Object(object.clone())
}

pub(crate) fn structure(name: &str, fields: &[(&str, Type)]) -> Type {
    let fields = fields.iter().map(|(name, ty)| Field::optional(name, ty.clone())).collect();
    Type::Struct(StructType::new(name, fields).unwrap())
}

pub(crate) fn build(ty: &Type, value: Plain) -> Object {
    ty.build(value, None).unwrap()
}

/// Names that are bound together.
pub(crate) fn names(entries: &[(&str, Plain)]) -> Scope {
    let mut table = Environment::default();
    let Plain::Map(entries) = map(entries) else { panic!("a map") };
    table.add(entries).unwrap();
    Scope::Names(Arc::new(table))
}

pub(crate) fn bind(object: &Object, entries: &[(&str, Plain)]) -> Object {
    object.bound(vec![names(entries)])
}

/// What a text is in the scopes of what is bound.
pub(crate) fn string(value: &str) -> Object {
    build(&Type::String, text(value))
}

/// The text of an object that nothing is wrong with.
pub(crate) fn shown(object: &Object) -> String {
    text_form(&fine(object).object)
}

pub(crate) fn fine(object: &Object) -> Resolved {
    let resolved = resolve(object);
    assert_eq!(resolved.problems, [], "{object:?}");
    resolved
}

/// The text at a path of fields and indices of an interpolated object.
pub(crate) fn at(object: &Object, path: &[&str]) -> String {
    let resolved = fine(object).object;
    let mut value = &resolved;
    for step in path {
        value = match value.kind() {
            aurora_template::object::Kind::List(items) => &items[step.parse::<usize>().unwrap()],
            _ => value.field(step).unwrap(),
        };
    }
    text_form(value)
}

/// A job of tasks of processes, as small as can be.
pub(crate) struct Types {
    pub(crate) process: Type,
    pub(crate) processes: Type,
    pub(crate) task: Type,
    pub(crate) job: Type,
}

pub(crate) fn types() -> Types {
    let process = structure(
        "Process",
        &[("name", Type::String), ("cmdline", Type::String), ("cpu", Type::Float)],
    );
    let processes = Type::list(process.clone()).unwrap();
    let task = structure(
        "Task",
        &[
            ("name", Type::String),
            ("processes", processes.clone()),
            ("constraints", Type::list(Type::String).unwrap()),
        ],
    );
    let strings = Type::map(Type::String, Type::String).unwrap();
    let job = structure(
        "Job",
        &[
            ("name", Type::String),
            ("role", Type::String),
            ("task", task.clone()),
            ("instances", Type::Integer),
            ("constraints", strings),
        ],
    );
    Types { process, processes, task, job }
}

/// A job with one process that runs `cmdline`.
pub(crate) fn job(cmdline: &str) -> Object {
    let process = map(&[("name", text("p")), ("cmdline", text(cmdline))]);
    let task = map(&[
        ("name", text("t")),
        ("processes", list(&[process])),
        ("constraints", list(&[text("first")])),
    ]);
    let constraints = map(&[("host", text("limit:1"))]);
    let job = [
        ("name", text("j")),
        ("role", text("r")),
        ("task", task),
        ("instances", text("3")),
        ("constraints", constraints),
    ];
    build(&types().job, map(&job))
}

pub(crate) const CMDLINE: [&str; 4] = ["task", "processes", "0", "cmdline"];
