//! The request as JSON, in the words of the original's interface (`dsl.md` 8.4): enums by name,
//! absent fields left out, sets as sorted lists.

use std::collections::BTreeSet;

use serde::Serialize;

use crate::config;
use crate::job::{ConstraintRule, CronCatchUp, CronCollisionPolicy, PreferenceRule};
use crate::rules::Checked;

/// A job as it is submitted, to be written. `D` is what the executor is told.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Request<'a, D> {
    key: Key<'a>,
    owner: Owner<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cron_schedule: Option<&'a str>,
    cron_collision_policy: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    cron_time_zone: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cron_catch_up: Option<&'static str>,
    instance_count: i32,
    task_config: TaskConfig<'a, D>,
}

#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
struct Key<'a> {
    role: &'a str,
    environment: &'a str,
    name: &'a str,
}

#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
struct Owner<'a> {
    user: &'a str,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
struct TaskConfig<'a, D> {
    job: Key<'a>,
    owner: Owner<'a>,
    is_service: bool,
    production: bool,
    priority: i32,
    max_task_failures: i32,
    #[serde(skip_serializing_if = "Option::is_none")]
    contact_email: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tier: Option<&'a str>,
    resources: Vec<Resource<'a>>,
    constraints: Vec<Constraint<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    preferences: Vec<Preference<'a>>,
    container: Container<'a>,
    metadata: BTreeSet<Metadata<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    partition_policy: Option<PartitionPolicy>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sla_policy: Option<SlaPolicy<'a>>,
    task_links: Nothing,
    executor_config: ExecutorConfig<'a, D>,
}

/// Written as `{}`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
struct Nothing {}

#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
enum Resource<'a> {
    DiskMb(i64),
    NamedPort(&'a str),
    NumCpus(f64),
    NumGpus(i64),
    RamMb(i64),
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
struct Constraint<'a> {
    constraint: TaskConstraint<'a>,
    name: &'a str,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
enum TaskConstraint<'a> {
    Limit { limit: i32 },
    Value { negated: bool, values: &'a BTreeSet<String> },
}

#[derive(Debug, Clone, PartialEq, Serialize)]
struct Preference<'a> {
    preference: TaskPreference<'a>,
    name: &'a str,
    weight: u32,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
enum TaskPreference<'a> {
    Spread,
    Value { negated: bool, values: &'a BTreeSet<String> },
}

#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
enum Container<'a> {
    Docker {
        image: &'a str,
        parameters: &'a [config::Parameter],
    },
    Mesos {
        #[serde(skip_serializing_if = "Option::is_none")]
        image: Option<Image<'a>>,
        #[serde(skip_serializing_if = "Option::is_none")]
        volumes: Option<Vec<Volume<'a>>>,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
enum Image<'a> {
    Docker {
        name: &'a str,
        tag: &'a str,
    },
    #[serde(rename_all = "camelCase")]
    Appc {
        name: &'a str,
        image_id: &'a str,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
struct Volume<'a> {
    container_path: &'a str,
    host_path: &'a str,
    mode: config::VolumeMode,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
struct Metadata<'a> {
    key: &'a str,
    value: &'a str,
}

#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
struct PartitionPolicy {
    reschedule: bool,
    delay_secs: i64,
}

#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
enum SlaPolicy<'a> {
    #[serde(rename = "coordinatorSlaPolicy", rename_all = "camelCase")]
    Coordinator { coordinator_url: &'a str, status_key: &'a str },
    #[serde(rename = "countSlaPolicy", rename_all = "camelCase")]
    Count { count: i64, duration_secs: i64 },
    #[serde(rename = "percentageSlaPolicy", rename_all = "camelCase")]
    Percentage { percentage: f64, duration_secs: i64 },
}

#[derive(Debug, Clone, PartialEq, Serialize)]
struct ExecutorConfig<'a, D> {
    name: &'a str,
    data: D,
}

impl<'a, D> Request<'a, D> {
    /// The request of a job that has been [`Checked`]. `owner` is the Unix user who runs the client,
    /// `ports` are the names of the ports to ask for.
    pub fn new(
        job: &'a config::Job,
        checked: &'a Checked,
        owner: &'a str,
        ports: &'a BTreeSet<String>,
        data: D,
    ) -> Self {
        let key = Key {
            role: checked.key.role(),
            environment: checked.key.environment(),
            name: checked.key.name(),
        };
        let owner = Owner { user: owner };
        let mut resources = vec![Resource::DiskMb(checked.disk_mb)];
        resources.extend(ports.iter().map(|port| Resource::NamedPort(port)));
        resources.push(Resource::NumCpus(checked.cpus));
        if checked.gpus != 0 {
            resources.push(Resource::NumGpus(checked.gpus));
        }
        resources.push(Resource::RamMb(checked.ram_mb));
        let task_config = TaskConfig {
            job: key,
            owner,
            is_service: job.service,
            production: job.production,
            priority: checked.priority,
            max_task_failures: checked.max_task_failures,
            contact_email: job.contact.as_deref(),
            tier: job.tier.as_deref(),
            resources,
            constraints: constraints(checked),
            preferences: preferences(checked),
            container: container(job),
            metadata: job
                .metadata
                .iter()
                .flatten()
                .map(|label| Metadata { key: &label.key, value: &label.value })
                .collect(),
            partition_policy: job.partition_policy.as_ref().map(|policy| PartitionPolicy {
                reschedule: policy.reschedule,
                delay_secs: policy.delay_secs,
            }),
            sla_policy: job.sla_policy.as_ref().map(sla_policy),
            task_links: Nothing {},
            executor_config: ExecutorConfig { name: &job.executor_config.name, data },
        };
        Self {
            key,
            owner,
            cron_schedule: job.cron_schedule.as_deref(),
            cron_collision_policy: match checked.cron_collision_policy {
                CronCollisionPolicy::KillExisting => "KILL_EXISTING",
                CronCollisionPolicy::CancelNew => "CANCEL_NEW",
                CronCollisionPolicy::RunOverlap => "RUN_OVERLAP",
            },
            cron_time_zone: job.cron_time_zone.as_deref(),
            cron_catch_up: checked.cron_catch_up.map(|policy| match policy {
                CronCatchUp::RunLatest => "RUN_LATEST",
                CronCatchUp::RunAll => "RUN_ALL",
                CronCatchUp::Skip => "SKIP",
            }),
            instance_count: checked.instance_count,
            task_config,
        }
    }
}

fn preferences(checked: &Checked) -> Vec<Preference<'_>> {
    checked
        .preferences
        .iter()
        .map(|preference| Preference {
            preference: match &preference.rule {
                PreferenceRule::Spread => TaskPreference::Spread,
                PreferenceRule::Value { negated, values } => {
                    TaskPreference::Value { negated: *negated, values }
                }
            },
            name: &preference.attribute,
            weight: preference.weight,
        })
        .collect()
}

fn constraints(checked: &Checked) -> Vec<Constraint<'_>> {
    let mut constraints: Vec<Constraint<'_>> = checked
        .constraints
        .iter()
        .map(|constraint| Constraint {
            constraint: match &constraint.rule {
                ConstraintRule::Limit(limit) => TaskConstraint::Limit { limit: *limit },
                ConstraintRule::Value { negated, values } => {
                    TaskConstraint::Value { negated: *negated, values }
                }
            },
            name: &constraint.attribute,
        })
        .collect();
    constraints.sort();
    constraints
}

fn container(job: &config::Job) -> Container<'_> {
    match &job.container {
        None => Container::Mesos { image: None, volumes: None },
        Some(config::Container::Docker(inner)) => docker(inner),
        Some(config::Container::Wrapped(wrapper)) => match &wrapper.docker {
            Some(inner) => docker(inner),
            None => Container::Mesos { image: None, volumes: None },
        },
        Some(config::Container::Mesos(mesos)) => Container::Mesos {
            image: mesos.image.as_ref().map(|image| match image {
                config::Image::Appc(image) => {
                    Image::Appc { name: &image.name, image_id: &image.image_id }
                }
                config::Image::Docker(image) => {
                    Image::Docker { name: &image.name, tag: &image.tag }
                }
            }),
            volumes: Some(
                mesos
                    .volumes
                    .iter()
                    .map(|volume| Volume {
                        container_path: &volume.container_path,
                        host_path: &volume.host_path,
                        mode: volume.mode,
                    })
                    .collect(),
            ),
        },
    }
}

fn docker(docker: &config::Docker) -> Container<'_> {
    Container::Docker { image: &docker.image, parameters: &docker.parameters }
}

fn sla_policy(policy: &config::SlaPolicy) -> SlaPolicy<'_> {
    match policy {
        config::SlaPolicy::Coordinator(policy) => SlaPolicy::Coordinator {
            coordinator_url: &policy.coordinator_url,
            status_key: &policy.status_key,
        },
        config::SlaPolicy::Count(policy) => {
            SlaPolicy::Count { count: policy.count, duration_secs: policy.duration_secs }
        }
        config::SlaPolicy::Percentage(policy) => SlaPolicy::Percentage {
            percentage: policy.percentage,
            duration_secs: policy.duration_secs,
        },
    }
}
