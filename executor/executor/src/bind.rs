//! Reads what the scheduler has handed over, and binds what is known only here
//! (`executor.md` 3).

use std::collections::{BTreeMap, BTreeSet};

use aurora_api::v1;
use aurora_model::config::{
    Announcer, HealthCheckConfig, HttpLifecycleConfig, Job, ReadinessConfig, Task,
};
use aurora_model::job::AssignedTask;
use aurora_model::key::JobKey;
use aurora_template::{Address, InterpolateError};
use aurora_thermos::names::{Names, NamesError};
use prost::Message;

/// Why a task cannot be run, in the words that its user sees.
#[derive(Debug, thiserror::Error)]
pub enum BindError {
    /// The Mesos task carries no description.
    #[error("Task did not have a thermos config!")]
    NoData,
    /// The description is of another kind.
    #[error("Could not deserialize thermos config: {0}")]
    Malformed(#[from] serde_json::Error),
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

impl From<NamesError> for BindError {
    fn from(error: NamesError) -> Self {
        match error {
            NamesError::Json(error) => Self::Malformed(error),
            NamesError::Template(error) => Self::Template(error),
        }
    }
}

/// What a Mesos task carries is no task of a scheduler of this kind.
#[derive(Debug, thiserror::Error)]
#[error("Could not deserialize task.")]
pub(crate) struct NoTask(#[source] Box<dyn std::error::Error + Send + Sync>);

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
    pub(crate) health: HealthCheckConfig,
    pub(crate) readiness: Option<ReadinessConfig>,
    /// How it is announced.
    pub(crate) announcer: Option<Announcer>,
    /// How it is asked to end.
    pub(crate) lifecycle: Option<HttpLifecycleConfig>,
}

/// Binds a task. `user` is who its processes will run as.
pub(crate) fn bind(assigned: &AssignedTask, user: &str) -> Result<BoundTask, BindError> {
    let executor = assigned.task.executor.as_ref().ok_or(BindError::NoData)?;
    if executor.data.is_empty() {
        return Err(BindError::NoData);
    }
    let job = Job::from_executor_data(&executor.data)?;
    let hostname = assigned.agent.as_ref().map(|(_, host)| host.to_string()).unwrap_or_default();
    let ports = ports(&job, &assigned.assigned_ports)?;
    let task_id = assigned.task_id.as_str();
    let mut names = Names::new(task_id, user, assigned.instance, &hostname, &ports);
    let (task, task_json) = names.bind(&job.task)?;
    let (health, _) = names.bind(&job.health_check_config)?;
    let (readiness, _) = names.bind(&job.readiness)?;
    // Aliases lead to ports by now, and nothing else of them is needed.
    let announcer = job.announce.map(|announce| Announcer { portmap: BTreeMap::new(), ..announce });
    let (announcer, _) = names.bind(&announcer)?;
    let (lifecycle, _) = names.bind(&job.lifecycle.and_then(|lifecycle| lifecycle.http))?;
    if !names.unbound().is_empty() {
        return Err(BindError::Unbound(names.unbound().clone()));
    }
    Ok(BoundTask {
        task_id: assigned.task_id.to_string(),
        job: assigned.task.job.clone(),
        instance: assigned.instance,
        hostname,
        task,
        task_json,
        ports,
        health,
        readiness,
        announcer,
        lifecycle,
    })
}

/// Reads the data of a Mesos task.
pub(crate) fn assigned(data: &[u8]) -> Result<AssignedTask, NoTask> {
    let task = v1::AssignedTask::decode(data).map_err(|error| NoTask(error.into()))?;
    task.try_into().map_err(|error: aurora_api::convert::ConvertError| NoTask(error.into()))
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

#[cfg(test)]
mod tests {
    use super::*;

    fn bound(data: &[u8]) -> Result<BoundTask, BindError> {
        bind(&assigned(data).unwrap(), "me")
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
    fn s75_aliases_lead_to_ports_and_those_that_lead_to_none_are_left_out() {
        let resolved = |assigned: &[(&str, u16)], portmap: &str| {
            let job = format!(
                r#"{{"name":"n","role":"www","cluster":"c","environment":"prod",
                "announce":{{"portmap":{portmap}}},"task":{{"name":"t","processes":[]}}}}"#
            );
            let assigned = assigned.iter().map(|(name, port)| ((*name).to_owned(), *port));
            ports(&Job::from_executor_data(&job).unwrap(), &assigned.collect())
        };
        let of = |pairs: &[(&str, u16)]| -> BTreeMap<String, u16> {
            pairs.iter().map(|(name, port)| ((*name).to_owned(), *port)).collect()
        };
        let chain = r#"{"aurora":"http","https":"aurora","thrift":"service"}"#;
        let all = of(&[("http", 80), ("aurora", 80), ("https", 80)]);
        assert_eq!(resolved(&[("http", 80)], chain).unwrap(), all);
        let fixed = of(&[("a", 80), ("b", 80)]);
        assert_eq!(resolved(&[], r#"{"a":"80","b":"a"}"#).unwrap(), fixed);
        assert_eq!(resolved(&[], "{}").unwrap(), of(&[]));
        for cycle in [r#"{"a":"b","b":"a"}"#, r#"{"a":"a"}"#] {
            assert!(matches!(resolved(&[], cycle), Err(BindError::PortCycle)), "{cycle}");
        }
    }

    #[test]
    fn what_cannot_be_bound_is_named() {
        let error = bound(&data("{{thermos.ports[admin]}}", "null")).unwrap_err().to_string();
        assert!(error.contains("{{thermos.ports[admin]}}"), "{error}");
        let cycle = r#"{"portmap":{"a":"b","b":"a"}}"#;
        assert!(matches!(bound(&data("x", cycle)), Err(BindError::PortCycle)));
        let junk = assigned(b"junk").unwrap_err();
        assert_eq!(junk.to_string(), "Could not deserialize task.");
        let cause = aurora_daemon::text::root(&junk);
        assert!(cause.contains("decode"), "{cause}");
    }
}
