//! What `query` prints of a task: a text with `%name%` in it (`admin.md` 3).

use std::str::FromStr;

use aurora_model::job::{Container, Image, ScheduledTask, SlaPolicy};
use serde_json::{Value, json};

use crate::job::task_json;

/// The original's names of what a task has, and where that is in the task's JSON. What several things would be
/// called by, such as `name`, is of the job; the others have paths only.
const FIELDS: [(&str, &str); 32] = [
    ("ancestorId", "ancestorId"),
    ("assignedPorts", "assignedTask.assignedPorts"),
    ("constraints", "assignedTask.task.constraints"),
    ("contactEmail", "assignedTask.task.contactEmail"),
    ("data", "assignedTask.task.executorConfig.data"),
    ("docker", "assignedTask.task.container.docker"),
    ("environment", "assignedTask.task.job.environment"),
    ("", "assignedTask.task.executorConfig.name"),
    ("failureCount", "failureCount"),
    ("image", "assignedTask.task.container.mesos.image"),
    ("instanceId", "assignedTask.instanceId"),
    ("isService", "assignedTask.task.isService"),
    ("maxTaskFailures", "assignedTask.task.maxTaskFailures"),
    ("mesosFetcherUris", "assignedTask.task.mesosFetcherUris"),
    ("metadata", "assignedTask.task.metadata"),
    ("name", "assignedTask.task.job.name"),
    ("partitionPolicy", "assignedTask.task.partitionPolicy"),
    ("priority", "assignedTask.task.priority"),
    ("production", "assignedTask.task.production"),
    ("resources", "assignedTask.task.resources"),
    ("role", "assignedTask.task.job.role"),
    ("slaPolicy", "assignedTask.task.slaPolicy"),
    ("slaveHost", "assignedTask.slaveHost"),
    ("slaveId", "assignedTask.slaveId"),
    ("status", "status"),
    ("taskEvents", "taskEvents"),
    ("taskId", "assignedTask.taskId"),
    ("taskLinks", "assignedTask.task.taskLinks"),
    ("tier", "assignedTask.task.tier"),
    ("timesPartitioned", "timesPartitioned"),
    ("user", "assignedTask.task.owner.user"),
    ("volumes", "assignedTask.task.container.mesos.volumes"),
];

/// A task as the original's client has it, whole but for what the executor is told.
pub(super) fn document(task: &ScheduledTask) -> Value {
    let mut document = task_json(task, None);
    let config = &task.assigned.task;
    let more = json!({
        "container": container(&config.container),
        "mesosFetcherUris": config.fetcher_uris.iter().map(|uri| json!({
            "value": uri.value,
            "extract": uri.extract,
            "cache": uri.cache,
            "outputFile": uri.output_file,
        })).collect::<Vec<_>>(),
        "partitionPolicy": config.partition_policy.as_ref().map(|policy| json!({
            "reschedule": policy.reschedule,
            "delaySecs": policy.delay_secs,
        })),
        "slaPolicy": config.sla_policy.as_ref().map(sla_policy),
    });
    if let (Some(Value::Object(to)), Value::Object(more)) =
        (document.pointer_mut("/assignedTask/task"), more)
    {
        to.extend(more);
    }
    document
}

fn container(container: &Container) -> Value {
    match container {
        Container::Mesos { image, volumes } => json!({ "mesos": {
            "image": image.as_ref().map(image_json),
            "volumes": volumes.iter().map(|volume| json!({
                "containerPath": volume.container_path,
                "hostPath": volume.host_path,
                "mode": if volume.read_only { "RO" } else { "RW" },
            })).collect::<Vec<_>>(),
        } }),
        Container::Docker { image, parameters } => json!({ "docker": {
            "image": image,
            "parameters": parameters.iter()
                .map(|(name, value)| json!({ "name": name, "value": value }))
                .collect::<Vec<_>>(),
        } }),
    }
}

fn image_json(image: &Image) -> Value {
    match image {
        Image::Docker { name, tag } => json!({ "docker": { "name": name, "tag": tag } }),
        Image::Appc { name, image_id } => json!({ "appc": { "name": name, "imageId": image_id } }),
    }
}

fn sla_policy(policy: &SlaPolicy) -> Value {
    match policy {
        SlaPolicy::Percentage { percentage, duration_secs } => json!({
            "percentageSlaPolicy": { "percentage": percentage, "durationSecs": duration_secs },
        }),
        SlaPolicy::Count { count, duration_secs } => json!({
            "countSlaPolicy": { "count": count, "durationSecs": duration_secs },
        }),
        SlaPolicy::Coordinator { coordinator_url, status_key } => json!({
            "coordinatorSlaPolicy": { "coordinatorUrl": coordinator_url, "statusKey": status_key },
        }),
    }
}

/// A line with places for what a task has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Template(Vec<Piece>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Piece {
    Text(String),
    /// The path of something in a task's JSON.
    Field(&'static str),
}

impl FromStr for Template {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut parts = text.split('%');
        let mut pieces = vec![Piece::Text(parts.next().unwrap_or_default().to_owned())];
        // After a % comes a name, then text, then a name again.
        while let Some(name) = parts.next() {
            let after = parts.next().ok_or_else(|| {
                format!(
                    "{text:?} has a % without another one: write %name%, or %% for a percent sign"
                )
            })?;
            pieces.push(if name.is_empty() {
                Piece::Text("%".to_owned())
            } else {
                Piece::Field(path(name)?)
            });
            pieces.push(Piece::Text(after.to_owned()));
        }
        Ok(Self(pieces))
    }
}

fn path(name: &str) -> Result<&'static str, String> {
    let found = FIELDS.iter().find(|(short, path)| *path == name || *short == name);
    found.map(|(_, path)| *path).ok_or_else(|| {
        let known = FIELDS.map(|(short, path)| if short.is_empty() { path } else { short });
        format!(
            "a task has no {name:?}: it has {}, and paths in its JSON such as {}",
            known.join(", "),
            FIELDS[0].1
        )
    })
}

impl Template {
    /// Whether it shows what the executor is told, the largest part of a task.
    pub(super) fn needs_executor(&self) -> bool {
        self.0
            .iter()
            .any(|piece| matches!(piece, Piece::Field(path) if path.contains("executorConfig")))
    }

    /// The line of a task, by its JSON.
    pub(super) fn fill(&self, document: &Value) -> String {
        let show = |piece: &Piece| match piece {
            Piece::Text(text) => text.clone(),
            Piece::Field(path) => match document.pointer(&format!("/{}", path.replace('.', "/"))) {
                None | Some(Value::Null) => "None".to_owned(),
                Some(Value::String(text)) => text.clone(),
                Some(value) => value.to_string(),
            },
        };
        self.0.iter().map(show).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a5_names_and_paths_are_filled_in() {
        let document = json!({
            "status": "RUNNING",
            "assignedTask": {
                "taskId": "t", "slaveHost": null, "instanceId": 3, "assignedPorts": {"http": 80},
                "task": { "job": { "name": "web" }, "executorConfig": { "name": "AuroraExecutor" } },
            },
        });
        for (text, wanted) in [
            ("%taskId% %slaveHost%", "t None"),
            ("%name%/%instanceId% 100%%", "web/3 100%"),
            (
                "%assignedTask.task.executorConfig.name%%%%assignedPorts%",
                "AuroraExecutor%{\"http\":80}",
            ),
            ("%image%", "None"),
            ("", ""),
        ] {
            assert_eq!(text.parse::<Template>().unwrap().fill(&document), wanted, "{text}");
        }
    }

    #[test]
    fn a6_what_a_task_does_not_have_is_refused_with_what_it_has() {
        for name in ["job", "task", "assignedTask", "nope", "executorConfig"] {
            let refused = format!("%{name}%").parse::<Template>().unwrap_err();
            assert!(refused.contains("it has ancestorId, assignedPorts,"), "{refused}");
            assert!(refused.contains("timesPartitioned, user, volumes"), "{refused}");
        }
        assert!("50%".parse::<Template>().unwrap_err().contains("%% for a percent sign"));
    }
}
