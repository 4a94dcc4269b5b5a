//! The parts of tasks that are made into one: resources, waits, processes, constraints.

use std::collections::HashSet;

use aurora_template::object::{Kind, Object, Origin};
use aurora_template::render::to_json;
use aurora_template::types::{Plain, TypeMismatch};

use super::{Call, field, is_a, make, tasks};

/// The dimensions of resources, and whether they are counted in whole numbers.
const DIMENSIONS: [(&str, bool); 4] =
    [("cpu", false), ("ram", true), ("disk", true), ("gpu", true)];

/// `Units.resources_sum(a, b, …)`.
pub(super) fn resources_sum_of(call: Call<'_>) -> Result<Object, TypeMismatch> {
    if let [Plain::List(_)] = call.given.as_slice() {
        return Err(TypeMismatch {
            help: Some(format!("write {}(*resources)", call.name)),
            ..call.wrong("takes Resources, not a list of them")
        });
    }
    sum(&resources_in(&call, &call.given)?, call.origin)
}

/// `Units.resources_max([a, b, …])`.
pub(super) fn resources_max_of(call: Call<'_>) -> Result<Object, TypeMismatch> {
    let (name, origin, budget) = (call.name, call.origin, call.budget);
    let list = call.list("Resources")?;
    let call = Call { name, given: Vec::new(), named: Vec::new(), origin, budget };
    max(&resources_in(&call, &list)?, origin)
}

fn resources_in(call: &Call<'_>, values: &[Plain]) -> Result<Vec<Object>, TypeMismatch> {
    values
        .iter()
        .filter(|value| !matches!(value, Plain::Empty))
        .map(|value| match value {
            Plain::Object(object) if is_a(object, "Resources") => Ok(object.clone()),
            other => Err(call.wrong(format_args!("takes Resources, got {other}"))),
        })
        .collect()
}

/// `Units.finalization_wait_sum([a, b, …])`.
pub(super) fn wait_sum_of(call: Call<'_>) -> Result<Plain, TypeMismatch> {
    wait_sum(&waits_in(call)?)
}

/// `Units.finalization_wait_max([a, b, …])`.
pub(super) fn wait_max_of(call: Call<'_>) -> Result<Plain, TypeMismatch> {
    wait_max(&waits_in(call)?)
}

fn waits_in(call: Call<'_>) -> Result<Vec<Plain>, TypeMismatch> {
    let name = call.name.to_owned();
    call.list("Integers")?
        .into_iter()
        .filter(|value| !matches!(value, Plain::Empty))
        .map(|value| match &value {
            Plain::Object(object) => match object.kind() {
                Kind::Scalar(number) => Ok(number.clone()),
                _ => Err(TypeMismatch::new(format!("{name} takes Integers, got {value}"))),
            },
            _ => Err(TypeMismatch {
                help: Some("take the fields of tasks: task.finalization_wait()".to_owned()),
                ..TypeMismatch::new(format!("{name} takes a list of Integers, got {value}"))
            }),
        })
        .collect()
}

/// `Units.processes_merge([a, b, …])`.
pub(super) fn processes_of(call: Call<'_>) -> Result<Vec<Object>, TypeMismatch> {
    processes(&tasks_in(call)?)
}

/// `Units.constraints_merge([a, b, …])`.
pub(super) fn constraints_of(call: Call<'_>) -> Result<Vec<Object>, TypeMismatch> {
    constraints(&tasks_in(call)?)
}

fn tasks_in(call: Call<'_>) -> Result<Vec<Object>, TypeMismatch> {
    let name = call.name.to_owned();
    call.list("tasks")?
        .into_iter()
        .map(|value| match value {
            Plain::Object(task) if is_a(&task, "Task") => Ok(task),
            other => Err(TypeMismatch::new(format!("{name} takes a list of tasks, got {other}"))),
        })
        .collect()
}

/// The processes of all tasks, equal ones once.
pub(super) fn processes(of: &[Object]) -> Result<Vec<Object>, TypeMismatch> {
    merged(of, "processes")
}

/// The constraints of all tasks, equal ones once.
pub(super) fn constraints(of: &[Object]) -> Result<Vec<Object>, TypeMismatch> {
    merged(of, "constraints")
}

fn merged(of: &[Object], name: &str) -> Result<Vec<Object>, TypeMismatch> {
    let mut seen = HashSet::new();
    let mut merged = Vec::new();
    for task in of {
        let Some(list) = field(task, name)? else {
            return Err(TypeMismatch {
                help: Some(format!("give each task {name}, if only an empty list")),
                ..TypeMismatch::new(format!("a task without {name} cannot be joined with others"))
            });
        };
        for element in tasks::elements(Some(list)) {
            if seen.insert(to_json(&element).to_string()) {
                merged.push(element);
            }
        }
    }
    Ok(merged)
}

/// The resources of tasks that have some.
pub(super) fn resources(of: &[Object]) -> Result<Vec<Object>, TypeMismatch> {
    of.iter().filter_map(|task| field(task, "resources").transpose()).collect()
}

/// How long each task may take to finalize.
pub(super) fn waits(of: &[Object]) -> Result<Vec<Plain>, TypeMismatch> {
    of.iter()
        .filter_map(|task| field(task, "finalization_wait").transpose())
        .map(|wait| {
            wait.map(|wait| match wait.kind() {
                Kind::Scalar(number) => number.clone(),
                _ => Plain::Empty,
            })
        })
        .collect()
}

pub(super) fn wait_sum(waits: &[Plain]) -> Result<Plain, TypeMismatch> {
    total("finalization_wait", waits, true)
}

pub(super) fn wait_max(waits: &[Plain]) -> Result<Plain, TypeMismatch> {
    Ok(largest(waits, true))
}

/// Each dimension added up.
pub(super) fn sum(of: &[Object], origin: Option<&Origin>) -> Result<Object, TypeMismatch> {
    each_dimension(of, origin, total)
}

/// The largest of each dimension.
pub(super) fn max(of: &[Object], origin: Option<&Origin>) -> Result<Object, TypeMismatch> {
    each_dimension(of, origin, |_, values, whole| Ok(largest(values, whole)))
}

fn each_dimension(
    of: &[Object],
    origin: Option<&Origin>,
    join: impl Fn(&str, &[Plain], bool) -> Result<Plain, TypeMismatch>,
) -> Result<Object, TypeMismatch> {
    let mut fields = Vec::new();
    for (name, whole) in DIMENSIONS {
        let mut values = Vec::new();
        for resources in of {
            if let Some(value) = field(resources, name)?
                && let Kind::Scalar(number) = value.kind()
            {
                values.push(number.clone());
            }
        }
        fields.push((name, join(name, &values, whole)?));
    }
    make("Resources", fields, origin)
}

fn total(name: &str, values: &[Plain], whole: bool) -> Result<Plain, TypeMismatch> {
    let mut sum = (0_i64, 0.0_f64);
    for value in values {
        sum = match value {
            Plain::Int(number) if whole => match sum.0.checked_add(*number) {
                Some(next) => (next, 0.0),
                None => return Err(TypeMismatch::new(format!("the sum of {name} is too large"))),
            },
            Plain::Float(number) if !whole => (0, sum.1 + number),
            other => {
                return Err(TypeMismatch {
                    help: Some("bind the task before it is joined with others".to_owned()),
                    ..TypeMismatch::new(format!("{name} cannot be added up: {other} is no number"))
                });
            }
        };
    }
    Ok(if whole { Plain::Int(sum.0) } else { Plain::Float(sum.1) })
}

/// The largest value, at least 0. Text with open references stands above every number.
fn largest(values: &[Plain], whole: bool) -> Plain {
    let zero = if whole { Plain::Int(0) } else { Plain::Float(0.0) };
    values.iter().fold(zero, |largest, value| {
        let greater = match (value, &largest) {
            (Plain::Int(value), Plain::Int(largest)) => value > largest,
            (Plain::Float(value), Plain::Float(largest)) => value > largest,
            (Plain::Text(value), Plain::Text(largest)) => value > largest,
            (Plain::Text(_), _) => true,
            _ => false,
        };
        if greater { value.clone() } else { largest }
    })
}
