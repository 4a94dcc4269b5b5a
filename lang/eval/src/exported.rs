//! `export(task)`: tasks that a file gives to be run by themselves, without a cluster
//! (`executor.md` 19).

#![expect(
    unsafe_code,
    reason = "the derives of the interpreter's value traits expand to unsafe impls"
)]
#![allow(
    clippy::panic,
    reason = "of the derives, too: values are never written to the interpreter's page files"
)]

use aurora_template::object::Object;
use aurora_template::types::{Plain, Type, TypeMismatch};
use starlark::eval::{Arguments, Evaluator};
use starlark::starlark_simple_value;
use starlark::values::{
    NoSerialize, ProvidesStaticType, StarlarkPagablePanic, StarlarkValue, Value, starlark_value,
};

use crate::context::context;
use crate::globals::SCHEMA;
use crate::values::{failure, here, positional};

/// The fields of the job that an exported task becomes, so that it is bound and checked as the
/// tasks of jobs are. Nobody is told them.
const JOB: [(&str, &str); 3] =
    [("cluster", "local"), ("environment", "devel"), ("name", "exported")];
/// What a task that does not say is taken to need: bytes of memory and of disk.
const RAM: i64 = 256 << 20;
const DISK: i64 = 1 << 20;

/// `export`: keeps a task for those who ask for tasks.
#[derive(Debug, ProvidesStaticType, NoSerialize, allocative::Allocative, StarlarkPagablePanic)]
pub(crate) struct ExportValue;
starlark_simple_value!(ExportValue);

impl std::fmt::Display for ExportValue {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("export")
    }
}

#[starlark_value(type = "function")]
impl<'v> StarlarkValue<'v> for ExportValue {
    fn invoke(
        &self,
        _me: Value<'v>,
        args: &Arguments<'v, '_>,
        eval: &mut Evaluator<'v, '_, '_>,
    ) -> starlark::Result<Value<'v>> {
        args.no_named_args()?;
        let mut given = positional(args, eval)?;
        let task = match (given.pop(), given.is_empty()) {
            (Some(Plain::Object(object)), true) if is_of(&object, "Task") => object,
            (Some(Plain::Object(object)), true) if is_of(&object, "Job") => {
                return Err(failure(TypeMismatch {
                    help: Some("jobs stand in a list: jobs = [hello]".to_owned()),
                    ..TypeMismatch::new("export takes a Task, got a Job")
                }));
            }
            (Some(fields @ Plain::Map(_)), true) => {
                task(fields, here(eval).as_ref()).map_err(failure)?
            }
            (Some(other), true) => {
                return Err(failure(TypeMismatch::new(format!(
                    "export takes a Task, got {other}"
                ))));
            }
            _ => return Err(failure(TypeMismatch::new("export takes one Task"))),
        };
        let context = context(eval).map_err(failure)?;
        // Such a module is run once for all who load it: the others would not get its tasks.
        if context.open.borrow().last().is_some_and(|file| file.is_loaded) {
            return Err(failure(TypeMismatch {
                help: Some("export the task in the file that loads this one".to_owned()),
                ..TypeMismatch::new("a module that is loaded cannot export() tasks")
            }));
        }
        context.exported.borrow_mut().push(task);
        Ok(Value::new_none())
    }
}

fn is_of(object: &Object, name: &str) -> bool {
    match (object.ty(), SCHEMA.get(name)) {
        (Type::Struct(ty), Some(known)) => ty == known,
        _ => false,
    }
}

fn build(
    name: &str,
    fields: Plain,
    origin: Option<&aurora_template::object::Origin>,
) -> Result<Object, TypeMismatch> {
    let ty =
        SCHEMA.get(name).ok_or_else(|| TypeMismatch::new(format!("there is no struct {name}")))?;
    Type::Struct(ty.clone()).build(fields, origin)
}

/// The task of these fields.
pub(crate) fn task(
    fields: Plain,
    origin: Option<&aurora_template::object::Origin>,
) -> Result<Object, TypeMismatch> {
    build("Task", fields, origin)
}

fn fields<const N: usize>(fields: [(&str, Plain); N]) -> Plain {
    Plain::Map(
        fields.into_iter().map(|(name, value)| (Plain::Text(name.to_owned()), value)).collect(),
    )
}

/// The job that a task becomes, run by `user`.
pub(crate) fn as_job(task: Object, user: &str) -> Result<Plain, TypeMismatch> {
    let origin = task.origin().cloned();
    let task = if task.field("resources").is_some() {
        task
    } else {
        let resources = fields([
            ("cpu", Plain::Float(1.0)),
            ("ram", Plain::Int(RAM)),
            ("disk", Plain::Int(DISK)),
        ]);
        let resources = build("Resources", resources, origin.as_ref())?;
        let added = vec![("resources".to_owned(), Plain::Object(resources))];
        task.with_fields(added, origin.as_ref())?
    };
    let [cluster, environment, name] =
        JOB.map(|(field, value)| (field, Plain::Text(value.to_owned())));
    let job = fields([
        cluster,
        environment,
        name,
        ("role", Plain::Text(user.to_owned())),
        ("task", Plain::Object(task)),
    ]);
    build("Job", job, origin.as_ref()).map(Plain::Object)
}
