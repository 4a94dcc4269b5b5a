//! Between the wire and the model.
//!
//! From the wire is `TryFrom`: it can fail, and says which field is at fault. To the wire is `From`:
//! it cannot.

use std::collections::BTreeSet;
use std::sync::Arc;

use aurora_model::job as model;
use aurora_model::key::{AgentId, JobKey, KeyError, TaskId};
use aurora_model::quota::{MAX_QUOTA_MB, ResourceAggregate};

use crate::v1;

/// Why a message is not a value of the model.
#[derive(Debug, thiserror::Error)]
pub enum ConvertError {
    /// A field that must be there is not.
    #[error("{0} is missing")]
    Missing(&'static str),
    /// A name or id is malformed.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// A value is out of its range.
    #[error("{field} is out of range: {value}")]
    Range {
        /// The field.
        field: &'static str,
        /// The value that was sent.
        value: String,
    },
    /// An enum's number has no meaning here.
    #[error("{field} has the unknown value {value}")]
    Unknown {
        /// The field.
        field: &'static str,
        /// The number that was sent.
        value: i32,
    },
    /// The same name stands twice where names must differ.
    #[error("{field} has {value:?} twice")]
    Duplicate {
        /// The field.
        field: &'static str,
        /// The name.
        value: String,
    },
}

/// A field that must be there.
pub(crate) fn required<T>(value: Option<T>, field: &'static str) -> Result<T, ConvertError> {
    value.ok_or(ConvertError::Missing(field))
}

impl From<&JobKey> for v1::JobKey {
    fn from(key: &JobKey) -> Self {
        Self {
            role: key.role().to_owned(),
            environment: key.environment().to_owned(),
            name: key.name().to_owned(),
        }
    }
}

impl TryFrom<&v1::JobKey> for JobKey {
    type Error = ConvertError;

    fn try_from(key: &v1::JobKey) -> Result<Self, ConvertError> {
        Ok(Self::new(&key.role, &key.environment, &key.name)?)
    }
}

impl From<&model::TaskResources> for v1::Resources {
    fn from(resources: &model::TaskResources) -> Self {
        Self {
            cpus: resources.cpus.cores(),
            ram_mb: resources.ram_mb,
            disk_mb: resources.disk_mb,
            ports: resources.ports.iter().cloned().collect(),
            gpus: resources.gpus,
        }
    }
}

impl TryFrom<v1::Resources> for model::TaskResources {
    type Error = ConvertError;

    fn try_from(resources: v1::Resources) -> Result<Self, ConvertError> {
        let cpus = model::MilliCpus::from_cores(resources.cpus).ok_or_else(|| {
            ConvertError::Range { field: "resources.cpus", value: resources.cpus.to_string() }
        })?;
        let mut ports = BTreeSet::new();
        for port in resources.ports {
            if port.is_empty() {
                return Err(ConvertError::Missing("a name in resources.ports"));
            }
            if !ports.insert(port.clone()) {
                return Err(ConvertError::Duplicate { field: "resources.ports", value: port });
            }
        }
        Ok(Self {
            cpus,
            ram_mb: resources.ram_mb,
            disk_mb: resources.disk_mb,
            gpus: resources.gpus,
            ports,
        })
    }
}

impl From<&ResourceAggregate> for v1::ResourceAggregate {
    fn from(amounts: &ResourceAggregate) -> Self {
        Self { cpus: amounts.cpus.cores(), ram_mb: amounts.ram_mb, disk_mb: amounts.disk_mb }
    }
}

/// As a quota, which has limits of its own.
impl TryFrom<v1::ResourceAggregate> for ResourceAggregate {
    type Error = ConvertError;

    fn try_from(quota: v1::ResourceAggregate) -> Result<Self, ConvertError> {
        let cpus = model::MilliCpus::from_cores(quota.cpus).ok_or_else(|| ConvertError::Range {
            field: "quota.cpus",
            value: quota.cpus.to_string(),
        })?;
        for (field, value) in [("quota.ram_mb", quota.ram_mb), ("quota.disk_mb", quota.disk_mb)] {
            if value > MAX_QUOTA_MB {
                return Err(ConvertError::Range { field, value: value.to_string() });
            }
        }
        Ok(Self { cpus, ram_mb: quota.ram_mb, disk_mb: quota.disk_mb })
    }
}

impl From<&model::Constraint> for v1::Constraint {
    fn from(constraint: &model::Constraint) -> Self {
        use v1::constraint::Rule;
        let rule = match &constraint.rule {
            model::ConstraintRule::Value { negated, values } => Rule::Value(v1::ValueConstraint {
                negated: *negated,
                values: values.iter().cloned().collect(),
            }),
            model::ConstraintRule::Limit(limit) => {
                Rule::Limit(v1::LimitConstraint { limit: *limit })
            }
        };
        Self { name: constraint.attribute.clone(), rule: Some(rule) }
    }
}

impl TryFrom<v1::Constraint> for model::Constraint {
    type Error = ConvertError;

    fn try_from(constraint: v1::Constraint) -> Result<Self, ConvertError> {
        use v1::constraint::Rule;
        if constraint.name.is_empty() {
            return Err(ConvertError::Missing("constraint.name"));
        }
        let rule = match required(constraint.rule, "constraint.rule")? {
            Rule::Value(value) => model::ConstraintRule::Value {
                negated: value.negated,
                values: value.values.into_iter().collect(),
            },
            Rule::Limit(limit) => model::ConstraintRule::Limit(limit.limit),
        };
        Ok(Self { attribute: constraint.name, rule })
    }
}

impl From<&model::SlaPolicy> for v1::SlaPolicy {
    fn from(policy: &model::SlaPolicy) -> Self {
        use v1::sla_policy::Policy;
        let policy = match policy {
            model::SlaPolicy::Percentage { percentage, duration_secs } => {
                Policy::Percentage(v1::PercentageSlaPolicy {
                    percentage: *percentage,
                    duration_secs: *duration_secs,
                })
            }
            model::SlaPolicy::Count { count, duration_secs } => {
                Policy::Count(v1::CountSlaPolicy { count: *count, duration_secs: *duration_secs })
            }
            model::SlaPolicy::Coordinator { coordinator_url, status_key } => {
                Policy::Coordinator(v1::CoordinatorSlaPolicy {
                    coordinator_url: coordinator_url.clone(),
                    status_key: status_key.clone(),
                })
            }
        };
        Self { policy: Some(policy) }
    }
}

impl TryFrom<v1::SlaPolicy> for model::SlaPolicy {
    type Error = ConvertError;

    fn try_from(policy: v1::SlaPolicy) -> Result<Self, ConvertError> {
        use v1::sla_policy::Policy;
        Ok(match required(policy.policy, "sla_policy.policy")? {
            Policy::Percentage(policy) => {
                if !(0.0..=100.0).contains(&policy.percentage) {
                    return Err(ConvertError::Range {
                        field: "sla_policy.percentage",
                        value: policy.percentage.to_string(),
                    });
                }
                Self::Percentage {
                    percentage: policy.percentage,
                    duration_secs: policy.duration_secs,
                }
            }
            Policy::Count(policy) => {
                Self::Count { count: policy.count, duration_secs: policy.duration_secs }
            }
            Policy::Coordinator(policy) => Self::Coordinator {
                coordinator_url: policy.coordinator_url,
                status_key: policy.status_key,
            },
        })
    }
}

impl From<&model::Image> for v1::Image {
    fn from(image: &model::Image) -> Self {
        use v1::image::Kind;
        let kind = match image {
            model::Image::Docker { name, tag } => {
                Kind::Docker(v1::DockerImage { name: name.clone(), tag: tag.clone() })
            }
            model::Image::Appc { name, image_id } => {
                Kind::Appc(v1::AppcImage { name: name.clone(), image_id: image_id.clone() })
            }
        };
        Self { kind: Some(kind) }
    }
}

impl TryFrom<v1::Image> for model::Image {
    type Error = ConvertError;

    fn try_from(image: v1::Image) -> Result<Self, ConvertError> {
        use v1::image::Kind;
        Ok(match required(image.kind, "image.kind")? {
            Kind::Docker(image) => Self::Docker { name: image.name, tag: image.tag },
            Kind::Appc(image) => Self::Appc { name: image.name, image_id: image.image_id },
        })
    }
}

impl From<&model::Container> for v1::Container {
    fn from(container: &model::Container) -> Self {
        use v1::container::Kind;
        let kind = match container {
            model::Container::Mesos { image, volumes } => Kind::Mesos(v1::MesosContainer {
                image: image.as_ref().map(Into::into),
                volumes: volumes
                    .iter()
                    .map(|volume| v1::Volume {
                        container_path: volume.container_path.clone(),
                        host_path: volume.host_path.clone(),
                        read_only: volume.read_only,
                    })
                    .collect(),
            }),
            model::Container::Docker { image, parameters } => Kind::Docker(v1::DockerContainer {
                image: image.clone(),
                parameters: parameters
                    .iter()
                    .map(|(name, value)| v1::DockerParameter {
                        name: name.clone(),
                        value: value.clone(),
                    })
                    .collect(),
            }),
        };
        Self { kind: Some(kind) }
    }
}

impl TryFrom<v1::Container> for model::Container {
    type Error = ConvertError;

    fn try_from(container: v1::Container) -> Result<Self, ConvertError> {
        use v1::container::Kind;
        Ok(match required(container.kind, "container.kind")? {
            Kind::Mesos(mesos) => Self::Mesos {
                image: mesos.image.map(TryInto::try_into).transpose()?,
                volumes: mesos
                    .volumes
                    .into_iter()
                    .map(|volume| model::Volume {
                        container_path: volume.container_path,
                        host_path: volume.host_path,
                        read_only: volume.read_only,
                    })
                    .collect(),
            },
            Kind::Docker(docker) => Self::Docker {
                image: docker.image,
                parameters: docker
                    .parameters
                    .into_iter()
                    .map(|parameter| (parameter.name, parameter.value))
                    .collect(),
            },
        })
    }
}

impl From<model::CronCatchUp> for v1::CronCatchUp {
    fn from(catch_up: model::CronCatchUp) -> Self {
        match catch_up {
            model::CronCatchUp::RunLatest => Self::RunLatest,
            model::CronCatchUp::RunAll => Self::RunAll,
            model::CronCatchUp::Skip => Self::Skip,
        }
    }
}

impl From<&model::Preference> for v1::Preference {
    fn from(preference: &model::Preference) -> Self {
        use v1::preference::Rule;
        let rule = match &preference.rule {
            model::PreferenceRule::Value { negated, values } => Rule::Value(v1::ValueConstraint {
                negated: *negated,
                values: values.iter().cloned().collect(),
            }),
            model::PreferenceRule::Spread => Rule::Spread(v1::SpreadPreference {}),
        };
        Self { name: preference.attribute.clone(), rule: Some(rule), weight: preference.weight }
    }
}

impl TryFrom<v1::Preference> for model::Preference {
    type Error = ConvertError;

    fn try_from(preference: v1::Preference) -> Result<Self, ConvertError> {
        use v1::preference::Rule;
        let rule = match required(preference.rule, "preference.rule")? {
            Rule::Value(value) => model::PreferenceRule::Value {
                negated: value.negated,
                values: value.values.into_iter().collect(),
            },
            Rule::Spread(_) => model::PreferenceRule::Spread,
        };
        Ok(Self { attribute: preference.name, rule, weight: preference.weight })
    }
}

impl From<&model::TaskConfig> for v1::TaskConfig {
    fn from(task: &model::TaskConfig) -> Self {
        Self {
            job: Some((&task.job).into()),
            owner: task.owner.clone(),
            is_service: task.is_service,
            priority: task.priority,
            max_task_failures: task.max_task_failures,
            production: task.production,
            tier: task.tier.clone(),
            resources: Some((&task.resources).into()),
            constraints: task.constraints.iter().map(Into::into).collect(),
            preferences: task.preferences.iter().map(Into::into).collect(),
            fetcher_uris: task
                .fetcher_uris
                .iter()
                .map(|uri| v1::FetcherUri {
                    value: uri.value.clone(),
                    extract: uri.extract,
                    cache: uri.cache,
                    output_file: uri.output_file.clone(),
                })
                .collect(),
            task_links: task.task_links.clone().into_iter().collect(),
            contact_email: task.contact_email.clone(),
            executor: task.executor.as_ref().map(|executor| v1::ExecutorConfig {
                name: executor.name.clone(),
                data: executor.data.clone(),
            }),
            metadata: task
                .metadata
                .iter()
                .map(|(key, value)| v1::Metadata { key: key.clone(), value: value.clone() })
                .collect(),
            partition_policy: task.partition_policy.map(|policy| v1::PartitionPolicy {
                reschedule: policy.reschedule,
                delay_secs: policy.delay_secs,
            }),
            sla_policy: task.sla_policy.as_ref().map(Into::into),
            container: Some((&task.container).into()),
        }
    }
}

impl TryFrom<v1::TaskConfig> for model::TaskConfig {
    type Error = ConvertError;

    fn try_from(task: v1::TaskConfig) -> Result<Self, ConvertError> {
        Ok(Self {
            job: (&required(task.job, "task.job")?).try_into()?,
            owner: task.owner,
            is_service: task.is_service,
            priority: task.priority,
            max_task_failures: task.max_task_failures,
            production: task.production,
            tier: task.tier,
            resources: required(task.resources, "task.resources")?.try_into()?,
            constraints: task
                .constraints
                .into_iter()
                .map(TryInto::try_into)
                .collect::<Result<_, _>>()?,
            preferences: task
                .preferences
                .into_iter()
                .map(TryInto::try_into)
                .collect::<Result<_, _>>()?,
            fetcher_uris: task
                .fetcher_uris
                .into_iter()
                .map(|uri| model::FetcherUri {
                    value: uri.value,
                    extract: uri.extract,
                    cache: uri.cache,
                    output_file: uri.output_file,
                })
                .collect(),
            task_links: task.task_links.into_iter().collect(),
            contact_email: task.contact_email,
            executor: task
                .executor
                .map(|executor| model::ExecutorConfig { name: executor.name, data: executor.data }),
            metadata: task.metadata.into_iter().map(|entry| (entry.key, entry.value)).collect(),
            partition_policy: task.partition_policy.map(|policy| model::PartitionPolicy {
                reschedule: policy.reschedule,
                delay_secs: policy.delay_secs,
            }),
            sla_policy: task.sla_policy.map(TryInto::try_into).transpose()?,
            container: task.container.map(TryInto::try_into).transpose()?.unwrap_or_default(),
        })
    }
}

impl From<&model::JobConfiguration> for v1::JobConfiguration {
    fn from(job: &model::JobConfiguration) -> Self {
        use v1::CronCollisionPolicy as Wire;
        let policy = match job.cron_collision_policy {
            model::CronCollisionPolicy::KillExisting => Wire::KillExisting,
            model::CronCollisionPolicy::CancelNew => Wire::CancelNew,
            model::CronCollisionPolicy::RunOverlap => Wire::RunOverlap,
        };
        Self {
            key: Some((&job.key).into()),
            owner: job.owner.clone(),
            cron_schedule: job.cron_schedule.clone(),
            cron_collision_policy: policy.into(),
            cron_time_zone: job.cron_time_zone.clone(),
            cron_catch_up: v1::CronCatchUp::from(job.cron_catch_up).into(),
            task: Some((&job.task).into()),
            instance_count: job.instance_count,
        }
    }
}

impl TryFrom<v1::JobConfiguration> for model::JobConfiguration {
    type Error = ConvertError;

    fn try_from(job: v1::JobConfiguration) -> Result<Self, ConvertError> {
        use v1::CronCollisionPolicy as Wire;
        let cron_collision_policy = match Wire::try_from(job.cron_collision_policy) {
            Ok(Wire::KillExisting) => model::CronCollisionPolicy::KillExisting,
            Ok(Wire::CancelNew) => model::CronCollisionPolicy::CancelNew,
            Ok(Wire::RunOverlap) => model::CronCollisionPolicy::RunOverlap,
            Err(_) => {
                return Err(ConvertError::Unknown {
                    field: "cron_collision_policy",
                    value: job.cron_collision_policy,
                });
            }
        };
        Ok(Self {
            key: (&required(job.key, "job.key")?).try_into()?,
            owner: job.owner,
            cron_schedule: job.cron_schedule,
            cron_collision_policy,
            cron_time_zone: job.cron_time_zone,
            cron_catch_up: match v1::CronCatchUp::try_from(job.cron_catch_up) {
                Ok(v1::CronCatchUp::RunLatest) => model::CronCatchUp::RunLatest,
                Ok(v1::CronCatchUp::RunAll) => model::CronCatchUp::RunAll,
                Ok(v1::CronCatchUp::Skip) => model::CronCatchUp::Skip,
                Err(_) => {
                    return Err(ConvertError::Unknown {
                        field: "cron_catch_up",
                        value: job.cron_catch_up,
                    });
                }
            },
            task: required(job.task, "job.task")?.try_into()?,
            instance_count: job.instance_count,
        })
    }
}

/// The two enums side by side: one row, one state.
const STATES: [(model::TaskState, v1::TaskState); 15] = [
    (model::TaskState::Init, v1::TaskState::Init),
    (model::TaskState::Throttled, v1::TaskState::Throttled),
    (model::TaskState::Pending, v1::TaskState::Pending),
    (model::TaskState::Assigned, v1::TaskState::Assigned),
    (model::TaskState::Starting, v1::TaskState::Starting),
    (model::TaskState::Running, v1::TaskState::Running),
    (model::TaskState::Preempting, v1::TaskState::Preempting),
    (model::TaskState::Restarting, v1::TaskState::Restarting),
    (model::TaskState::Draining, v1::TaskState::Draining),
    (model::TaskState::Killing, v1::TaskState::Killing),
    (model::TaskState::Partitioned, v1::TaskState::Partitioned),
    (model::TaskState::Finished, v1::TaskState::Finished),
    (model::TaskState::Failed, v1::TaskState::Failed),
    (model::TaskState::Killed, v1::TaskState::Killed),
    (model::TaskState::Lost, v1::TaskState::Lost),
];

impl From<model::TaskState> for v1::TaskState {
    fn from(state: model::TaskState) -> Self {
        STATES
            .into_iter()
            .find_map(|(model, wire)| (model == state).then_some(wire))
            .unwrap_or(Self::Unspecified)
    }
}

impl TryFrom<v1::TaskState> for model::TaskState {
    type Error = ConvertError;

    fn try_from(state: v1::TaskState) -> Result<Self, ConvertError> {
        STATES
            .into_iter()
            .find_map(|(model, wire)| (wire == state).then_some(model))
            .ok_or(ConvertError::Unknown { field: "state", value: state.into() })
    }
}

/// The model's state for a number from the wire.
///
/// # Errors
/// [`ConvertError::Unknown`] if it has no meaning, [`v1::TaskState::Unspecified`] included.
pub fn task_state(number: i32) -> Result<model::TaskState, ConvertError> {
    v1::TaskState::try_from(number)
        .map_err(|_| ConvertError::Unknown { field: "state", value: number })?
        .try_into()
}

impl From<&model::TaskEvent> for v1::TaskEvent {
    fn from(event: &model::TaskEvent) -> Self {
        Self {
            timestamp_ms: event.timestamp.0,
            state: v1::TaskState::from(event.state).into(),
            message: event.message.clone(),
            scheduler: event.scheduler.as_ref().map(ToString::to_string),
        }
    }
}

impl TryFrom<v1::TaskEvent> for model::TaskEvent {
    type Error = ConvertError;

    fn try_from(event: v1::TaskEvent) -> Result<Self, ConvertError> {
        Ok(Self {
            timestamp: model::Timestamp(event.timestamp_ms),
            state: task_state(event.state)?,
            message: event.message,
            scheduler: event.scheduler.map(Into::into),
        })
    }
}

impl From<&model::AssignedTask> for v1::AssignedTask {
    fn from(task: &model::AssignedTask) -> Self {
        let (agent_id, agent_host) = match &task.agent {
            Some((id, host)) => (id.as_str().to_owned(), host.to_string()),
            None => (String::new(), String::new()),
        };
        Self {
            task_id: task.task_id.as_str().to_owned(),
            agent_id,
            agent_host,
            task: Some(task.task.as_ref().into()),
            assigned_ports: task
                .assigned_ports
                .iter()
                .map(|(name, port)| (name.clone(), u32::from(*port)))
                .collect(),
            instance: task.instance,
        }
    }
}

impl TryFrom<v1::AssignedTask> for model::AssignedTask {
    type Error = ConvertError;

    fn try_from(task: v1::AssignedTask) -> Result<Self, ConvertError> {
        let agent = if task.agent_id.is_empty() {
            None
        } else {
            Some((AgentId::new(&task.agent_id)?, task.agent_host.into()))
        };
        let mut assigned_ports = std::collections::BTreeMap::new();
        for (name, port) in task.assigned_ports {
            let port = u16::try_from(port).map_err(|_| ConvertError::Range {
                field: "assigned_ports",
                value: port.to_string(),
            })?;
            assigned_ports.insert(name, port);
        }
        Ok(Self {
            task_id: TaskId::new(&task.task_id)?,
            agent,
            task: Arc::new(required(task.task, "assigned.task")?.try_into()?),
            assigned_ports,
            instance: task.instance,
        })
    }
}

impl From<&model::ScheduledTask> for v1::ScheduledTask {
    fn from(task: &model::ScheduledTask) -> Self {
        Self {
            assigned: Some((&task.assigned).into()),
            state: v1::TaskState::from(task.state).into(),
            failure_count: task.failure_count,
            times_partitioned: task.times_partitioned,
            events: task.events.iter().map(Into::into).collect(),
            ancestor_id: task.ancestor.as_ref().map(|id| id.as_str().to_owned()),
        }
    }
}

impl TryFrom<v1::ScheduledTask> for model::ScheduledTask {
    type Error = ConvertError;

    fn try_from(task: v1::ScheduledTask) -> Result<Self, ConvertError> {
        Ok(Self {
            assigned: required(task.assigned, "task.assigned")?.try_into()?,
            state: task_state(task.state)?,
            failure_count: task.failure_count,
            times_partitioned: task.times_partitioned,
            events: task.events.into_iter().map(TryInto::try_into).collect::<Result<_, _>>()?,
            ancestor: task.ancestor_id.map(TaskId::new).transpose()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn task_config() -> model::TaskConfig {
        model::TaskConfig {
            job: "www-data/prod/hello".parse().unwrap(),
            owner: "alice".into(),
            is_service: true,
            priority: -3,
            max_task_failures: -1,
            production: true,
            tier: Some("preferred".into()),
            resources: model::TaskResources {
                cpus: model::MilliCpus(1250),
                ram_mb: 64,
                disk_mb: 128,
                gpus: 1,
                ports: ["http".to_owned(), "health".to_owned()].into(),
            },
            constraints: [
                model::Constraint {
                    attribute: "host".into(),
                    rule: model::ConstraintRule::Limit(1),
                },
                model::Constraint {
                    attribute: "rack".into(),
                    rule: model::ConstraintRule::Value {
                        negated: true,
                        values: ["a".to_owned(), "b".to_owned()].into(),
                    },
                },
            ]
            .into(),
            fetcher_uris: vec![model::FetcherUri {
                value: "http://x/y.tgz".into(),
                extract: Some(false),
                cache: None,
                output_file: Some("y".into()),
            }],
            task_links: [("http".to_owned(), "http://%host%".to_owned())].into(),
            contact_email: Some("a@example.com".into()),
            executor: Some(model::ExecutorConfig {
                name: model::AURORA_EXECUTOR.into(),
                data: "{}".into(),
            }),
            metadata: [("k".to_owned(), "v".to_owned())].into(),
            partition_policy: Some(model::PartitionPolicy { reschedule: true, delay_secs: 30 }),
            preferences: [
                model::Preference {
                    attribute: "rack".into(),
                    rule: model::PreferenceRule::Spread,
                    weight: 10,
                },
                model::Preference {
                    attribute: "zone".into(),
                    rule: model::PreferenceRule::Value {
                        negated: false,
                        values: ["a".to_owned()].into(),
                    },
                    weight: 1,
                },
            ]
            .into(),
            sla_policy: Some(model::SlaPolicy::Percentage { percentage: 95.5, duration_secs: 60 }),
            container: model::Container::Docker {
                image: "busybox".into(),
                parameters: vec![("env".into(), "A=b".into())],
            },
        }
    }

    fn through_the_wire<M: prost::Message + Default>(message: M) -> M {
        M::decode(message.encode_to_vec().as_slice()).unwrap()
    }

    #[test]
    fn a_task_survives_the_wire() {
        let task = model::ScheduledTask {
            assigned: model::AssignedTask {
                task_id: TaskId::new("t-1").unwrap(),
                agent: Some((AgentId::new("a-1").unwrap(), "host-1".into())),
                task: Arc::new(task_config()),
                assigned_ports: BTreeMap::from([("http".to_owned(), 31000)]),
                instance: 4,
            },
            state: model::TaskState::Running,
            failure_count: 2,
            times_partitioned: 1,
            events: vec![model::TaskEvent {
                timestamp: model::Timestamp(1_700_000_000_123),
                state: model::TaskState::Pending,
                message: Some("why".into()),
                scheduler: None,
            }],
            ancestor: Some(TaskId::new("t-0").unwrap()),
        };
        let back = through_the_wire(v1::ScheduledTask::from(&task));
        assert_eq!(model::ScheduledTask::try_from(back).unwrap(), task);
    }

    #[test]
    fn a_job_survives_the_wire() {
        let job = model::JobConfiguration {
            key: "www-data/prod/hello".parse().unwrap(),
            owner: "alice".into(),
            cron_schedule: Some("* * * * *".into()),
            cron_collision_policy: model::CronCollisionPolicy::CancelNew,
            cron_time_zone: Some("Europe/Rome".into()),
            cron_catch_up: model::CronCatchUp::RunAll,
            task: task_config(),
            instance_count: 3,
        };
        let back = through_the_wire(v1::JobConfiguration::from(&job));
        assert_eq!(model::JobConfiguration::try_from(back).unwrap(), job);
    }

    #[test]
    fn what_is_malformed_is_refused_by_name() {
        let good = || v1::TaskConfig::from(&task_config());
        let refusal =
            |task: v1::TaskConfig| model::TaskConfig::try_from(task).unwrap_err().to_string();
        let with_resources = |change: fn(&mut v1::Resources)| {
            let mut task = good();
            change(task.resources.as_mut().unwrap());
            refusal(task)
        };
        assert_eq!(refusal(v1::TaskConfig { job: None, ..good() }), "task.job is missing");
        assert_eq!(
            refusal(v1::TaskConfig { resources: None, ..good() }),
            "task.resources is missing"
        );
        assert_eq!(with_resources(|r| r.cpus = -1.0), "resources.cpus is out of range: -1");
        assert_eq!(with_resources(|r| r.cpus = f64::NAN), "resources.cpus is out of range: NaN");
        assert_eq!(
            with_resources(|r| r.ports = vec!["a".into(), "a".into()]),
            "resources.ports has \"a\" twice"
        );
        assert!(task_state(0).is_err() && task_state(99).is_err());
    }

    #[test]
    fn a_quota_is_no_less_than_nothing_and_no_more_than_sums_can_hold() {
        let wire = |cpus, ram_mb, disk_mb| v1::ResourceAggregate { cpus, ram_mb, disk_mb };
        let good = ResourceAggregate { cpus: model::MilliCpus(1250), ram_mb: 1, disk_mb: 2 };
        let back = through_the_wire(v1::ResourceAggregate::from(&good));
        assert_eq!(ResourceAggregate::try_from(back).unwrap(), good);
        for (cpus, ram_mb, disk_mb, wanted) in [
            (-0.5, 0, 0, "quota.cpus is out of range: -0.5"),
            (f64::NAN, 0, 0, "quota.cpus is out of range: NaN"),
            (f64::INFINITY, 0, 0, "quota.cpus is out of range: inf"),
            (1e10, 0, 0, "quota.cpus is out of range: 10000000000"),
            (0.0, u64::MAX, 0, "quota.ram_mb is out of range: 18446744073709551615"),
            (0.0, 0, MAX_QUOTA_MB + 1, "quota.disk_mb is out of range: 1125899906842625"),
        ] {
            let refused = ResourceAggregate::try_from(wire(cpus, ram_mb, disk_mb)).unwrap_err();
            assert_eq!(refused.to_string(), wanted);
        }
        assert!(ResourceAggregate::try_from(wire(1e9, MAX_QUOTA_MB, MAX_QUOTA_MB)).is_ok());
    }

    #[test]
    fn every_state_has_a_wire_number() {
        for state in model::TaskState::ALL {
            assert_eq!(task_state(v1::TaskState::from(state).into()).unwrap(), state);
        }
    }
}
