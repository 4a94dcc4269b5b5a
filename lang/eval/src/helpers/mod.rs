//! The functions that stand beside the structs (`dsl.md` 6): orders of processes, tasks made of
//! tasks, the parts of those, and command-line options.

#![expect(
    unsafe_code,
    reason = "the derives of the interpreter's value traits expand to unsafe impls"
)]
#![allow(
    clippy::panic,
    reason = "of the derives, too: values are never written to the interpreter's page files"
)]

mod options;
mod tasks;
mod units;

use std::fmt;

use starlark::environment::GlobalsBuilder;
use starlark::eval::{Arguments, Evaluator};
use starlark::starlark_simple_value;
use starlark::values::{
    NoSerialize, ProvidesStaticType, StarlarkPagablePanic, StarlarkValue, Value, starlark_value,
};

use crate::globals::SCHEMA;
use crate::values::{ObjectValue, alloc, budget, failure, here, named, positional};
use aurora_template::object::{Kind, Object, Origin};
use aurora_template::scope::resolve;
use aurora_template::types::{Plain, Type, TypeMismatch};

/// The functions, each under the name that messages give it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Helper {
    Order,
    SimpleTask,
    SequentialTask,
    Sequential,
    Combine,
    Concat,
    ResourcesSum,
    ResourcesMax,
    WaitSum,
    WaitMax,
    ProcessesMerge,
    ConstraintsMerge,
    JavaOptions,
    PythonOptions,
}

/// The names of the globals.
const GLOBAL: [(&str, Helper); 7] = [
    ("order", Helper::Order),
    ("SimpleTask", Helper::SimpleTask),
    ("SequentialTask", Helper::SequentialTask),
    ("combine_tasks", Helper::Combine),
    ("concat_tasks", Helper::Concat),
    ("java_options", Helper::JavaOptions),
    ("python_options", Helper::PythonOptions),
];

/// The names within names.
const GROUPS: [(&str, &[(&str, Helper)]); 4] = [
    ("Processes", &[("order", Helper::Order)]),
    (
        "Tasks",
        &[
            ("simple", Helper::SimpleTask),
            ("sequential", Helper::Sequential),
            ("combine", Helper::Combine),
            ("concat", Helper::Concat),
        ],
    ),
    (
        "Units",
        &[
            ("resources_sum", Helper::ResourcesSum),
            ("resources_max", Helper::ResourcesMax),
            ("finalization_wait_sum", Helper::WaitSum),
            ("finalization_wait_max", Helper::WaitMax),
            ("processes_merge", Helper::ProcessesMerge),
            ("constraints_merge", Helper::ConstraintsMerge),
        ],
    ),
    ("Options", &[("java", Helper::JavaOptions), ("python", Helper::PythonOptions)]),
];

/// Adds the functions to the globals.
pub(crate) fn add(builder: &mut GlobalsBuilder) {
    for (name, helper) in GLOBAL {
        builder.set(name, HelperValue { name, helper });
    }
    for (group, members) in GROUPS {
        builder.namespace_no_docs(group, |names| {
            for (name, helper) in members {
                names.set(name, HelperValue { name, helper: *helper });
            }
        });
    }
}

#[derive(Debug, ProvidesStaticType, NoSerialize, allocative::Allocative, StarlarkPagablePanic)]
struct HelperValue {
    /// As the file calls it.
    name: &'static str,
    #[allocative(skip)]
    helper: Helper,
}
starlark_simple_value!(HelperValue);

impl fmt::Display for HelperValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
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
        let budget = budget(eval)?;
        let prefix = match self.helper {
            Helper::JavaOptions => Some("-"),
            Helper::PythonOptions => Some("--"),
            _ => None,
        };
        if let Some(prefix) = prefix {
            let text = options::options(self.name, prefix, args, eval.heap())?;
            budget.take(1, text.len()).map_err(failure)?;
            return Ok(eval.heap().alloc(text));
        }
        let origin = here(eval);
        let call = Call {
            name: self.name,
            given: positional(args, eval)?,
            named: named(args, eval)?,
            origin: origin.as_ref(),
            budget,
        };
        let made = match self.helper {
            Helper::Order => {
                call.no_names().and_then(tasks::order).map(|one| Made::List(vec![one]))
            }
            Helper::SimpleTask => tasks::simple(call).map(Made::One),
            Helper::SequentialTask => tasks::sequential_fields(call).map(Made::One),
            Helper::Sequential => call.no_names().and_then(tasks::sequential_task).map(Made::One),
            Helper::Combine => tasks::combine(call).map(Made::One),
            Helper::Concat => tasks::concat(call).map(Made::One),
            Helper::ResourcesSum => {
                call.no_names().and_then(units::resources_sum_of).map(Made::One)
            }
            Helper::ResourcesMax => {
                call.no_names().and_then(units::resources_max_of).map(Made::One)
            }
            Helper::WaitSum => call.no_names().and_then(units::wait_sum_of).map(Made::Plain),
            Helper::WaitMax => call.no_names().and_then(units::wait_max_of).map(Made::Plain),
            Helper::ProcessesMerge => call.no_names().and_then(units::processes_of).map(Made::List),
            Helper::ConstraintsMerge => {
                call.no_names().and_then(units::constraints_of).map(Made::List)
            }
            Helper::JavaOptions | Helper::PythonOptions => Ok(Made::Plain(Plain::Empty)),
        };
        match made.map_err(failure)? {
            Made::One(object) => alloc(object, eval),
            Made::List(objects) => {
                let objects = objects
                    .into_iter()
                    .map(|object| alloc(object, eval))
                    .collect::<starlark::Result<Vec<_>>>()?;
                Ok(eval.heap().alloc(objects))
            }
            Made::Plain(Plain::Int(number)) => Ok(eval.heap().alloc(number)),
            Made::Plain(Plain::Text(text)) => Ok(eval.heap().alloc(text)),
            Made::Plain(_) => Ok(eval.heap().alloc(ObjectValue(None))),
        }
    }
}

/// What a function gives.
enum Made {
    One(Object),
    List(Vec<Object>),
    Plain(Plain),
}

/// A call of one of the functions.
struct Call<'a> {
    name: &'a str,
    given: Vec<Plain>,
    named: Vec<(String, Plain)>,
    origin: Option<&'a Origin>,
    budget: &'a crate::limits::Budget,
}

impl Call<'_> {
    fn wrong(&self, message: impl fmt::Display) -> TypeMismatch {
        TypeMismatch::new(format!("{} {message}", self.name))
    }

    fn no_names(self) -> Result<Self, TypeMismatch> {
        match self.named.first() {
            Some((name, _)) => {
                Err(self.wrong(format_args!("takes nothing by name, got `{name}`")).within(name))
            }
            None => Ok(self),
        }
    }

    /// The only argument, which must be a list.
    fn list(mut self, of: &str) -> Result<Vec<Plain>, TypeMismatch> {
        match (self.given.pop(), self.given.is_empty()) {
            (Some(Plain::List(items)), true) => Ok(items),
            (Some(Plain::Object(object)), true) => match resolve(&object).object.kind() {
                Kind::List(items) => Ok(items.iter().cloned().map(Plain::Object).collect()),
                _ => Err(self.wrong(format_args!("takes one list of {of}"))),
            },
            _ => Err(self.wrong(format_args!("takes one list of {of}"))),
        }
    }
}

/// An object of a struct of the schema.
fn make(
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

/// Whether an object is of a struct of the schema.
fn is_a(object: &Object, name: &str) -> bool {
    match (object.ty(), SCHEMA.get(name)) {
        (Type::Struct(ty), Some(known)) => std::sync::Arc::ptr_eq(ty, known) || ty == known,
        _ => false,
    }
}

/// A field of a struct, interpolated; [`None`] if it is absent.
fn field(object: &Object, name: &str) -> Result<Option<Object>, TypeMismatch> {
    let resolved = resolve(object);
    let problem = resolved
        .problems
        .iter()
        .find(|problem| problem.path.first().is_some_and(|step| *step == name));
    match problem {
        Some(problem) => {
            let path = problem.path.join(".").replace(".[", "[");
            Err(TypeMismatch::new(format!("{}: {path}: {}", object.ty(), problem.message)))
        }
        None => Ok(resolved.object.field(name).cloned()),
    }
}
