//! Reads what the scheduler has handed over, and binds what is known only here
//! (`executor.md` 3).

use std::collections::{BTreeMap, BTreeSet};

use aurora_api::v1;
use aurora_model::config::{Job, Task};
use aurora_model::job::AssignedTask;
use aurora_model::key::JobKey;
use aurora_template::{Address, InterpolateError, interpolate};
use prost::Message;
use serde_json::Value;

/// Why a task cannot be run, in the words that its user sees.
#[derive(Debug, thiserror::Error)]
pub enum BindError {
    /// The Mesos task carries no description.
    #[error("Task did not have a thermos config!")]
    NoData,
    /// The description is of another kind.
    #[error("Could not deserialize Thermos task from AssignedTask: {0}")]
    Malformed(String),
    /// Something that is referred to is not known.
    #[error(
        "Got invalid task: Unexpected unbound refs: {}. Make sure you are not nesting template \
         variables.", .0.iter().map(|name| format!("{{{{{name}}}}}")).collect::<Vec<_>>().join(" ")
    )]
    Unbound(BTreeSet<Address>),
    /// A text cannot be interpolated.
    #[error("Got invalid task: {0}")]
    Template(#[from] InterpolateError),
    /// Port aliases lead back to themselves.
    #[error("Found cycle in portmap!")]
    PortCycle,
}

/// A task with everything bound.
#[derive(Debug)]
pub(crate) struct BoundTask {
    pub(crate) task_id: String,
    pub(crate) job: JobKey,
    pub(crate) instance: u32,
    pub(crate) hostname: String,
    pub(crate) task: Task,
    /// The same as JSON.
    pub(crate) task_json: String,
    pub(crate) ports: BTreeMap<String, u16>,
}

/// Binds a task. `user` is who its processes will run as.
pub(crate) fn bind(assigned: &AssignedTask, user: &str) -> Result<BoundTask, BindError> {
    let executor = assigned.task.executor.as_ref().ok_or(BindError::NoData)?;
    if executor.data.is_empty() {
        return Err(BindError::NoData);
    }
    let job = Job::from_executor_data(&executor.data)
        .map_err(|error| BindError::Malformed(error.to_string()))?;
    let hostname = assigned.agent.as_ref().map(|(_, host)| host.to_string()).unwrap_or_default();
    let ports = ports(&job, &assigned.assigned_ports)?;
    let names = names(assigned, user, &hostname, &ports);
    let mut json =
        serde_json::to_value(&job.task).map_err(|error| BindError::Malformed(error.to_string()))?;
    let mut unbound = BTreeSet::new();
    bind_texts(&mut json, &names, &mut unbound)?;
    if !unbound.is_empty() {
        return Err(BindError::Unbound(unbound));
    }
    let task_json = json.to_string();
    let task =
        serde_json::from_value(json).map_err(|error| BindError::Malformed(error.to_string()))?;
    Ok(BoundTask {
        task_id: assigned.task_id.to_string(),
        job: assigned.task.job.clone(),
        instance: assigned.instance,
        hostname,
        task,
        task_json,
        ports,
    })
}

/// Reads the data of a Mesos task.
pub(crate) fn assigned(data: &[u8]) -> Result<AssignedTask, BindError> {
    if data.is_empty() {
        return Err(BindError::NoData);
    }
    v1::AssignedTask::decode(data)
        .map_err(|error| BindError::Malformed(error.to_string()))?
        .try_into()
        .map_err(|error: aurora_api::convert::ConvertError| BindError::Malformed(error.to_string()))
}

/// The assigned ports, and the aliases that lead to one.
fn ports(job: &Job, assigned: &BTreeMap<String, u16>) -> Result<BTreeMap<String, u16>, BindError> {
    let mut ports = assigned.clone();
    let Some(announce) = &job.announce else { return Ok(ports) };
    for alias in announce.portmap.keys() {
        let mut name = alias.as_str();
        let mut steps = 0;
        let number = loop {
            if let Some(number) = assigned.get(name) {
                break Some(*number);
            }
            if let Ok(number) = name.trim().parse() {
                break Some(number);
            }
            match announce.portmap.get(name) {
                Some(next) => name = next,
                None => break None,
            }
            steps += 1;
            if steps > announce.portmap.len() {
                return Err(BindError::PortCycle);
            }
        };
        match number {
            Some(number) => drop(ports.insert(alias.clone(), number)),
            None => tracing::warn!(alias, "the alias leads to no port"),
        }
    }
    Ok(ports)
}

fn names(
    assigned: &AssignedTask,
    user: &str,
    hostname: &str,
    ports: &BTreeMap<String, u16>,
) -> BTreeMap<Address, String> {
    let fixed = [
        ("thermos.task_id".to_owned(), assigned.task_id.to_string()),
        ("thermos.user".to_owned(), user.to_owned()),
        ("mesos.instance".to_owned(), assigned.instance.to_string()),
        ("mesos.hostname".to_owned(), hostname.to_owned()),
    ];
    let ports =
        ports.iter().map(|(name, port)| (format!("thermos.ports[{name}]"), port.to_string()));
    fixed
        .into_iter()
        .chain(ports)
        .filter_map(|(address, value)| Some((address.parse().ok()?, value)))
        .collect()
}

fn bind_texts(
    json: &mut Value,
    names: &BTreeMap<Address, String>,
    unbound: &mut BTreeSet<Address>,
) -> Result<(), InterpolateError> {
    match json {
        Value::String(text) if text.contains("{{") => {
            let done =
                interpolate::<InterpolateError>(text, |address| Ok(names.get(address).cloned()))?;
            unbound.extend(done.unbound);
            *text = done.text;
        }
        Value::Array(items) => {
            for item in items {
                bind_texts(item, names, unbound)?;
            }
        }
        Value::Object(fields) => {
            for (_, value) in fields {
                bind_texts(value, names, unbound)?;
            }
        }
        _ => {}
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bound(data: &[u8]) -> Result<BoundTask, BindError> {
        bind(&assigned(data)?, "me")
    }

    fn data(cmdline: &str, announce: &str) -> Vec<u8> {
        let job = format!(
            r#"{{"name":"n","role":"www","cluster":"c","environment":"prod","announce":{announce},
            "task":{{"name":"t","processes":[{{"name":"p","cmdline":"{cmdline}"}}]}}}}"#
        );
        v1::AssignedTask {
            task_id: "id".into(),
            agent_id: "A".into(),
            agent_host: "box".into(),
            instance: 2,
            assigned_ports: [("http".to_owned(), 31_001)].into(),
            task: Some(v1::TaskConfig {
                job: Some(v1::JobKey {
                    role: "www".into(),
                    environment: "prod".into(),
                    name: "n".into(),
                }),
                resources: Some(v1::Resources {
                    cpus: 1.0,
                    ram_mb: 1,
                    disk_mb: 1,
                    ..Default::default()
                }),
                executor: Some(v1::ExecutorConfig { name: "AuroraExecutor".into(), data: job }),
                ..Default::default()
            }),
        }
        .encode_to_vec()
    }

    #[test]
    fn what_is_known_here_is_bound() {
        let text = "{{thermos.task_id}} {{thermos.user}} {{mesos.instance}}@{{mesos.hostname}} \
                    {{thermos.ports[http]}} {{thermos.ports[aurora]}}";
        let announce = r#"{"primary_port":"http","portmap":{"aurora":"http"}}"#;
        let bound = bound(&data(text, announce)).unwrap();
        assert_eq!(bound.task.processes[0].cmdline, "id me 2@box 31001 31001");
        assert_eq!(bound.ports["aurora"], 31_001);
        assert_eq!(bound.job.to_string(), "www/prod/n");
    }

    #[test]
    fn what_cannot_be_bound_is_named() {
        let error = bound(&data("{{thermos.ports[admin]}}", "null")).unwrap_err().to_string();
        assert!(error.contains("{{thermos.ports[admin]}}"), "{error}");
        let cycle = r#"{"portmap":{"a":"b","b":"a"}}"#;
        assert!(matches!(bound(&data("x", cycle)), Err(BindError::PortCycle)));
        assert!(matches!(bound(b""), Err(BindError::NoData)));
        assert!(matches!(bound(b"junk"), Err(BindError::Malformed(_))));
    }
}
