//! The names that a file finds: types, units and helpers (`dsl.md` 5 and 6).

#![expect(
    unsafe_code,
    reason = "the derives of the interpreter's value traits expand to unsafe impls"
)]
#![allow(
    clippy::panic,
    reason = "of the derives, too: values are never written to the interpreter's page files"
)]

use std::collections::BTreeSet;
use std::sync::LazyLock;

use starlark::environment::{Globals, GlobalsBuilder};
use starlark::eval::{Arguments, Evaluator};
use starlark::starlark_simple_value;
use starlark::values::{
    NoSerialize, ProvidesStaticType, StarlarkPagablePanic, StarlarkValue, Value, starlark_value,
};

use crate::schema::{Schema, schema};
use crate::values::{ObjectValue, TypeValue, alloc, failure, here, named, positional};
use aurora_template::object::{Kind, Object, Origin};
use aurora_template::scope::{resolve, text_form};
use aurora_template::types::{Plain, Type, TypeMismatch};

/// The struct types.
pub(crate) static SCHEMA: LazyLock<Schema> = LazyLock::new(schema);

/// Sizes in bytes.
const UNITS: [(&str, i64); 5] =
    [("BYTES", 1), ("KB", 1 << 10), ("MB", 1 << 20), ("GB", 1 << 30), ("TB", 1 << 40)];

/// The globals of every file.
pub(crate) static GLOBALS: LazyLock<Globals> = LazyLock::new(|| {
    let mut builder = GlobalsBuilder::standard();
    for (name, ty) in SCHEMA.types() {
        builder.set(name, TypeValue(ty.clone()));
    }
    for (name, object) in &SCHEMA.objects {
        builder.set(name, ObjectValue(Some(object.clone())));
    }
    for (name, size) in UNITS {
        builder.set(name, size);
    }
    builder.set("AURORA_EXECUTOR_NAME", aurora_model::job::AURORA_EXECUTOR);
    builder.set("Empty", ObjectValue(None));
    for helper in Helper::ALL {
        builder.set(helper.name(), HelperValue(helper));
    }
    builder.namespace_no_docs("Processes", |names| names.set("order", HelperValue(Helper::Order)));
    builder.namespace_no_docs("Tasks", |names| {
        names.set("simple", HelperValue(Helper::SimpleTask));
        names.set("sequential", HelperValue(Helper::SequentialTask));
    });
    builder.build()
});

static NAMES: LazyLock<BTreeSet<String>> =
    LazyLock::new(|| GLOBALS.names().map(|name| name.as_str().to_owned()).collect());

/// Whether every file knows a name.
pub(crate) fn is_global(name: &str) -> bool {
    NAMES.contains(name)
}

/// The functions of the language.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Helper {
    Order,
    SimpleTask,
    SequentialTask,
    Include,
}

impl Helper {
    const ALL: [Self; 4] = [Self::Order, Self::SimpleTask, Self::SequentialTask, Self::Include];

    const fn name(self) -> &'static str {
        match self {
            Self::Order => "order",
            Self::SimpleTask => "SimpleTask",
            Self::SequentialTask => "SequentialTask",
            Self::Include => "include",
        }
    }
}

#[derive(Debug, ProvidesStaticType, NoSerialize, allocative::Allocative, StarlarkPagablePanic)]
struct HelperValue(#[allocative(skip)] Helper);
starlark_simple_value!(HelperValue);

impl std::fmt::Display for HelperValue {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.0.name())
    }
}

#[starlark_value(type = "function")]
impl<'v> StarlarkValue<'v> for HelperValue {
    fn invoke(
        &self,
        _me: Value<'v>,
        args: &Arguments<'v, '_>,
        eval: &mut Evaluator<'v, '_, '_>,
    ) -> starlark::Result<Value<'v>> {
        let origin = here(eval);
        let origin = origin.as_ref();
        let given = positional(args, eval)?;
        let named = named(args, eval)?;
        match self.0 {
            Helper::Order => {
                args.no_named_args()?;
                let constraint = order(given, origin).map_err(failure)?;
                let constraint = alloc(constraint, eval)?;
                Ok(eval.heap().alloc(vec![constraint]))
            }
            Helper::SimpleTask => alloc(simple_task(given, named, origin).map_err(failure)?, eval),
            Helper::SequentialTask => {
                alloc(sequential(given, named, origin).map_err(failure)?, eval)
            }
            Helper::Include => {
                let [Plain::Text(path)] = given.as_slice() else {
                    return Err(failure(TypeMismatch::new("include takes the path of a file")));
                };
                crate::run::include(eval, path)?;
                Ok(Value::new_none())
            }
        }
    }
}

fn build(
    name: &str,
    fields: Vec<(&str, Plain)>,
    origin: Option<&Origin>,
) -> Result<Object, TypeMismatch> {
    let Some(ty) = SCHEMA.get(name) else {
        return Err(TypeMismatch::new(format!("there is no struct {name}")));
    };
    let fields = fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
    Object::blank(ty, origin.cloned()).with_fields(fields, origin)
}

/// `order(a, b, …)`: one constraint over processes or their names.
fn order(given: Vec<Plain>, origin: Option<&Origin>) -> Result<Object, TypeMismatch> {
    let names = given
        .into_iter()
        .map(|value| match value {
            Plain::Text(_) => Ok(value),
            Plain::Object(object) if matches!(object.ty(), Type::Struct(ty) if ty.name == "Process") => {
                process_name(&object).ok_or_else(|| TypeMismatch::new("a process in order() has no name"))
            }
            other => Err(TypeMismatch::new(format!("order takes processes and their names, got {other}"))),
        })
        .collect::<Result<Vec<Plain>, _>>()?;
    build("Constraint", vec![("order", Plain::List(names))], origin)
}

fn process_name(process: &Object) -> Option<Plain> {
    resolve(process).object.field("name").map(|name| Plain::Text(text_form(name)))
}

/// `SimpleTask(name, command)`: one process with room for most things.
fn simple_task(
    given: Vec<Plain>,
    named: Vec<(String, Plain)>,
    origin: Option<&Origin>,
) -> Result<Object, TypeMismatch> {
    let mut slots = [None, None];
    for (slot, value) in slots.iter_mut().zip(given.iter()) {
        *slot = Some(value.clone());
    }
    for (name, value) in named {
        match name.as_str() {
            "name" => slots[0] = Some(value),
            "command" => slots[1] = Some(value),
            _ => {
                return Err(TypeMismatch::new(format!(
                    "SimpleTask takes name and command, not `{name}`"
                )));
            }
        }
    }
    let [Some(name), Some(command)] = slots else {
        return Err(TypeMismatch::new("SimpleTask needs a name and a command"));
    };
    if given.len() > 2 {
        return Err(TypeMismatch::new("SimpleTask takes a name and a command, and nothing else"));
    }
    let process = build("Process", vec![("name", name.clone()), ("cmdline", command)], origin)?;
    let gib = Plain::Int(1 << 30);
    let resources = build(
        "Resources",
        vec![("cpu", Plain::Float(1.0)), ("ram", gib.clone()), ("disk", gib)],
        origin,
    )?;
    build(
        "Task",
        vec![
            ("name", name),
            ("processes", Plain::List(vec![Plain::Object(process)])),
            ("resources", Plain::Object(resources)),
        ],
        origin,
    )
}

/// `SequentialTask(…)`: a task whose processes run one after the other. It takes a task, or what
/// `Task` takes.
fn sequential(
    given: Vec<Plain>,
    named: Vec<(String, Plain)>,
    origin: Option<&Origin>,
) -> Result<Object, TypeMismatch> {
    let task = match given.as_slice() {
        [] => build("Task", Vec::new(), origin)?.with_fields(named, origin)?,
        [Plain::Object(task)] if matches!(task.ty(), Type::Struct(ty) if ty.name == "Task") => {
            task.with_fields(named, origin)?
        }
        _ => {
            return Err(TypeMismatch::new(
                "SequentialTask takes the fields of a Task by name, or one Task",
            ));
        }
    };
    let has_constraints = matches!(
        task.field("constraints").map(Object::kind),
        Some(Kind::List(constraints)) if !constraints.is_empty()
    );
    if has_constraints {
        return Err(TypeMismatch {
            field: Some("constraints".to_owned()),
            message: "a SequentialTask sets its constraints itself".to_owned(),
            help: Some("use Task to give an order of your own".to_owned()),
        });
    }
    let resolved = resolve(&task).object;
    let Some(Kind::List(processes)) = resolved.field("processes").map(Object::kind) else {
        return Ok(task);
    };
    let names = processes.iter().filter_map(process_name).collect();
    let constraint = build("Constraint", vec![("order", Plain::List(names))], origin)?;
    task.with_fields(
        vec![("constraints".to_owned(), Plain::List(vec![Plain::Object(constraint)]))],
        origin,
    )
}
