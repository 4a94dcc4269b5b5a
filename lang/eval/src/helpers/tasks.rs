//! Tasks made of commands, processes and other tasks, and orders of processes.

use aurora_template::object::{Kind, Object};
use aurora_template::scope::text_form;
use aurora_template::types::{Plain, TypeMismatch};

use super::{Call, field, is_a, make, units};

/// What each constraint between two processes counts for: it is a struct of a list of two texts.
const PAIR: usize = 10;

/// `order(a, b, …)`: one constraint over processes or their names.
pub(super) fn order(call: Call<'_>) -> Result<Object, TypeMismatch> {
    let names = call
        .given
        .into_iter()
        .map(|value| match value {
            Plain::Text(_) => Ok(value),
            Plain::Object(process) if is_a(&process, "Process") => name_of(&process),
            Plain::List(_) => Err(TypeMismatch {
                help: Some("write order(a, b), or order(*processes) with a list".to_owned()),
                ..TypeMismatch::new("order takes processes and their names, not a list of them")
            }),
            other => Err(TypeMismatch::new(format!(
                "order takes processes and their names, got {other}"
            ))),
        })
        .collect::<Result<Vec<Plain>, _>>()?;
    make("Constraint", vec![("order", Plain::List(names))], call.origin)
}

/// The interpolated name of a process.
fn name_of(process: &Object) -> Result<Plain, TypeMismatch> {
    match field(process, "name")? {
        Some(name) => Ok(Plain::Text(text_form(&name))),
        None => Err(TypeMismatch::new("a process without a name cannot be put into an order")),
    }
}

/// `SimpleTask(name, command)`: one process, with room for most things.
pub(super) fn simple(call: Call<'_>) -> Result<Object, TypeMismatch> {
    let mut slots = [None, None];
    if call.given.len() > slots.len() {
        return Err(call.wrong("takes a name and a command, and nothing else"));
    }
    for (slot, value) in slots.iter_mut().zip(&call.given) {
        *slot = Some(value.clone());
    }
    for (name, value) in &call.named {
        let slot = match name.as_str() {
            "name" => &mut slots[0],
            "command" => &mut slots[1],
            _ => {
                return Err(TypeMismatch {
                    help: Some(format!("give it to the task that is made: task({name} = …)")),
                    ..call.wrong(format_args!("takes name and command, not `{name}`")).within(name)
                });
            }
        };
        if slot.replace(value.clone()).is_some() {
            return Err(call.wrong(format_args!("is given `{name}` twice")).within(name));
        }
    }
    let [Some(name), Some(command)] = slots else {
        return Err(call.wrong("needs a name and a command"));
    };
    let origin = call.origin;
    let process = make("Process", vec![("name", name.clone()), ("cmdline", command)], origin)?;
    let gib = Plain::Int(1 << 30);
    let resources = make(
        "Resources",
        vec![("cpu", Plain::Float(1.0)), ("ram", gib.clone()), ("disk", gib)],
        origin,
    )?;
    make(
        "Task",
        vec![
            ("name", name),
            ("processes", Plain::List(vec![Plain::Object(process)])),
            ("resources", Plain::Object(resources)),
        ],
        origin,
    )
}

/// `SequentialTask(…)`, which takes what `Task` takes.
pub(super) fn sequential_fields(call: Call<'_>) -> Result<Object, TypeMismatch> {
    let mut fields = Vec::new();
    for value in &call.given {
        match value {
            Plain::Map(entries) => {
                for (key, value) in entries {
                    let Plain::Text(name) = key else {
                        return Err(call.wrong(format_args!("takes names of fields, got {key}")));
                    };
                    fields.push((name.clone(), value.clone()));
                }
            }
            Plain::Object(task) if is_a(task, "Task") => {
                return Err(TypeMismatch {
                    help: Some("write Tasks.sequential(task)".to_owned()),
                    ..call.wrong("takes the fields of a Task, not a Task")
                });
            }
            other => {
                return Err(
                    call.wrong(format_args!("takes the fields of a Task by name, got {other}"))
                );
            }
        }
    }
    fields.extend(call.named.iter().cloned());
    let task = make("Task", Vec::new(), call.origin)?.with_fields(fields, call.origin)?;
    sequential(&task, &call)
}

/// `Tasks.sequential(task)`.
pub(super) fn sequential_task(call: Call<'_>) -> Result<Object, TypeMismatch> {
    match call.given.as_slice() {
        [Plain::Object(task)] if is_a(task, "Task") => sequential(task, &call),
        [other] => Err(call.wrong(format_args!("takes one Task, got {other}"))),
        _ => Err(call.wrong("takes one Task")),
    }
}

/// The task with its processes one after the other. What it gets are their names of this moment.
fn sequential(task: &Object, call: &Call<'_>) -> Result<Object, TypeMismatch> {
    if !elements(field(task, "constraints")?).is_empty() {
        return Err(TypeMismatch {
            help: Some("use Task to give an order of your own".to_owned()),
            ..call.wrong("sets the constraints itself, so there may be none").within("constraints")
        });
    }
    let Some(processes) = field(task, "processes")? else { return Ok(task.clone()) };
    let names = elements(Some(processes)).iter().map(name_of).collect::<Result<_, _>>()?;
    let constraint = make("Constraint", vec![("order", Plain::List(names))], call.origin)?;
    let constraints = Plain::List(vec![Plain::Object(constraint)]);
    task.with_fields(vec![("constraints".to_owned(), constraints)], call.origin)
}

/// The elements of a list.
pub(super) fn elements(list: Option<Object>) -> Vec<Object> {
    match list.as_ref().map(Object::kind) {
        Some(Kind::List(items)) => items.clone(),
        _ => Vec::new(),
    }
}

/// `Tasks.combine(…)`: everything at once.
pub(super) fn combine(call: Call<'_>) -> Result<Object, TypeMismatch> {
    let tasks = tasks(&call)?;
    let Some(last) = tasks.last() else { return make("Task", Vec::new(), call.origin) };
    let processes = units::processes(&tasks)?;
    let resources = units::sum(&units::resources(&tasks)?, call.origin)?;
    let constraints = units::constraints(&tasks)?;
    let wait = units::wait_max(&units::waits(&tasks)?)?;
    joined(&call, last, processes, resources, constraints, wait)
}

/// `Tasks.concat(…)`: what is in a task before what is in the next.
pub(super) fn concat(call: Call<'_>) -> Result<Object, TypeMismatch> {
    let tasks = tasks(&call)?;
    let Some(last) = tasks.last() else { return make("Task", Vec::new(), call.origin) };
    let processes = units::processes(&tasks)?;
    let mut constraints = units::constraints(&tasks)?;
    for pair in tasks.windows(2) {
        let [before, after] = pair else { continue };
        let before = with_names(before)?;
        let after = with_names(after)?;
        for (first, first_name) in &before {
            for (second, second_name) in &after {
                if first == second {
                    continue;
                }
                let names = vec![first_name.clone(), second_name.clone()];
                call.budget.take(PAIR, names.iter().map(length).sum())?;
                let order = ("order", Plain::List(names));
                constraints.push(make("Constraint", vec![order], call.origin)?);
            }
        }
    }
    let resources = units::max(&units::resources(&tasks)?, call.origin)?;
    let wait = units::wait_sum(&units::waits(&tasks)?)?;
    joined(&call, last, processes, resources, constraints, wait)
}

/// The processes of a task, each with its name.
fn with_names(task: &Object) -> Result<Vec<(Object, Plain)>, TypeMismatch> {
    elements(field(task, "processes")?)
        .into_iter()
        .map(|process| {
            let name = name_of(&process)?;
            Ok((process, name))
        })
        .collect()
}

fn length(value: &Plain) -> usize {
    match value {
        Plain::Text(text) => text.len(),
        _ => 0,
    }
}

/// The tasks that a call joins.
fn tasks(call: &Call<'_>) -> Result<Vec<Object>, TypeMismatch> {
    call.given
        .iter()
        .map(|value| match value {
            Plain::Object(task) if is_a(task, "Task") => Ok(task.clone()),
            Plain::List(_) => Err(TypeMismatch {
                help: Some(format!("write {}(*tasks)", call.name)),
                ..call.wrong("takes tasks, not a list of them")
            }),
            other => Err(call.wrong(format_args!("takes tasks, got {other}"))),
        })
        .collect()
}

/// A copy of the last task with the parts of all, and with what the call gives by name.
fn joined(
    call: &Call<'_>,
    last: &Object,
    processes: Vec<Object>,
    resources: Object,
    constraints: Vec<Object>,
    wait: Plain,
) -> Result<Object, TypeMismatch> {
    let list = |objects: Vec<Object>| Plain::List(objects.into_iter().map(Plain::Object).collect());
    let mut fields = vec![
        ("processes".to_owned(), list(processes)),
        ("resources".to_owned(), Plain::Object(resources)),
        ("constraints".to_owned(), list(constraints)),
        ("finalization_wait".to_owned(), wait),
    ];
    let made: Vec<String> = fields.iter().skip(1).map(|(name, _)| name.clone()).collect();
    if let Some((name, _)) = call.named.iter().find(|(name, _)| made.contains(name)) {
        return Err(TypeMismatch {
            help: Some(format!("replace it in the task that is made: task({name} = …)")),
            ..call.wrong(format_args!("makes `{name}` of the tasks' own")).within(name)
        });
    }
    fields.extend(call.named.iter().cloned());
    last.with_fields(fields, call.origin)
}
