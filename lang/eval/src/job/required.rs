//! What must be given (`dsl.md` 8, step 1), and what may not be taken away (`dsl.md` 1.3).

use aurora_template::object::{Kind, Object};
use aurora_template::types::Type;

use super::stage::{Fault, Stage};
use crate::codes::Code;

/// The fields without which nothing else can be said of a job.
pub(super) fn check_required(job: &Object) -> Vec<Fault> {
    let missing = |path: &str| {
        let field = path.rsplit('.').next().unwrap_or(path);
        Fault::at(Stage::Construct, path, format!("{path} is required"))
            .coded(Code::MissingField)
            .with_help(format!("add `{field} = …`"))
    };
    let mut faults: Vec<Fault> = ["cluster", "task", "role"]
        .into_iter()
        .filter(|field| job.field(field).is_none())
        .map(missing)
        .collect();
    if job.field("task").is_some_and(|task| task.field("processes").is_none()) {
        faults.push(missing("task.processes"));
    }
    faults
}

/// Fields with defaults that the request is made of. `Empty` takes a default away.
const READ: [(&[&str], &[&str]); 5] = [
    (
        &[],
        &[
            "name",
            "service",
            "priority",
            "max_task_failures",
            "cron_collision_policy",
            "executor_config",
        ],
    ),
    (&["executor_config"], &["name", "data"]),
    (&["task", "resources"], &["gpu"]),
    (&["partition_policy"], &["reschedule", "delay_secs"]),
    (&["sla_policy"], &["status_key"]),
];

/// Fields that were taken away although the request is made of them.
pub(super) fn check_emptied(job: &Object) -> Vec<Fault> {
    let mut faults = Vec::new();
    for (place, fields) in READ {
        let Some(object) = at(job, place) else { continue };
        emptied(object, &place.join("."), fields, Stage::Convert, &mut faults);
    }
    if let Some(processes) = job.field("task").and_then(|task| task.field("processes"))
        && let Kind::List(processes) = processes.kind()
    {
        let fields = ["max_failures", "daemon", "ephemeral", "min_duration", "final"];
        for (index, process) in processes.iter().enumerate() {
            let place = format!("task.processes[{index}]");
            emptied(process, &place, &fields, Stage::Convert, &mut faults);
        }
    }
    if let Some(container) = job.field("container") {
        check_container(container, &mut faults);
    }
    faults
}

fn check_container(container: &Object, faults: &mut Vec<Fault>) {
    let Type::Struct(ty) = container.ty() else { return };
    match ty.name.as_str() {
        "Container" => match container.field("docker") {
            Some(docker) => {
                emptied(docker, "container.docker", &["parameters"], Stage::Convert, faults);
            }
            None => faults.push(
                Fault::at(Stage::Convert, "container", "the container holds nothing")
                    .coded(Code::BadContainer)
                    .with_help("write container = Docker(image = …)"),
            ),
        },
        "Docker" => emptied(container, "container", &["parameters"], Stage::Convert, faults),
        "Mesos" => emptied(container, "container", &["volumes"], Stage::Convert, faults),
        _ => {}
    }
}

/// Notes which of the fields with defaults are absent. Those that a type does not have are not.
pub(super) fn emptied(
    object: &Object,
    place: &str,
    fields: &[&str],
    stage: Stage,
    faults: &mut Vec<Fault>,
) {
    let Type::Struct(ty) = object.ty() else { return };
    for field in fields {
        if ty.position(field).is_some() && object.field(field).is_none() {
            let path =
                if place.is_empty() { (*field).to_owned() } else { format!("{place}.{field}") };
            faults.push(
                Fault::at(stage, &path, format!("{path} may not be Empty"))
                    .coded(Code::MissingField)
                    .with_help("leave it out to have its default"),
            );
        }
    }
}

/// The value at a path of fields, if it is there.
pub(super) fn at<'a>(object: &'a Object, path: &[&str]) -> Option<&'a Object> {
    path.iter().try_fold(object, |object, field| object.field(field))
}
