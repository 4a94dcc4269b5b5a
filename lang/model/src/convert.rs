//! From the job as written to the job as submitted (`dsl.md` 8.1 to 8.5).

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use crate::config;
use crate::job::{
    AURORA_EXECUTOR, Constraint, ConstraintRule, Container, CronCollisionPolicy,
    DEDICATED_ATTRIBUTE, ExecutorConfig, Image, JobConfiguration, MilliCpus, PartitionPolicy,
    SlaPolicy, TaskConfig, TaskResources, Volume,
};
use crate::key::{JobKey, KeyError};
use crate::plan::{Plan, PlanError};

const MIB: i64 = 1 << 20;

/// Why a job cannot be submitted.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("{message}")]
pub struct ConvertError {
    /// The field at fault, as an address from the job, such as `task.processes[0].name`.
    pub field: Cow<'static, str>,
    /// What is wrong with it, for people.
    pub message: String,
}

fn fail<T>(
    field: impl Into<Cow<'static, str>>,
    message: impl Into<String>,
) -> Result<T, ConvertError> {
    Err(ConvertError { field: field.into(), message: message.into() })
}

/// Makes the request of a job.
///
/// `owner` is the Unix user who runs the client. `ports` are the names of the ports that the
/// processes refer to, before aliases are followed.
///
/// # Errors
/// The first rule of `dsl.md` 8.1 to 8.3 that the job breaks.
pub fn to_job_configuration(
    job: &config::Job,
    owner: &str,
    ports: &BTreeSet<String>,
) -> Result<JobConfiguration, ConvertError> {
    let instance_count = instances(job)?;
    check_update(job)?;
    let ports = requested_ports(job, ports)?;
    let key = JobKey::new(&job.role, &job.environment, &job.name).map_err(|error| {
        let field = match &error {
            KeyError::Identifier { what: what @ ("role" | "environment"), .. } => what,
            _ => "name",
        };
        ConvertError { field: field.into(), message: error.to_string() }
    })?;
    let resources = resources(job, ports)?;
    check_plan(job)?;
    check_limits(job)?;
    let executor = if job.executor_config.name == AURORA_EXECUTOR {
        job.to_executor_data().or_else(|error| {
            fail("executor_config", format!("the job cannot be told to its executor: {error}"))
        })?
    } else {
        job.executor_config.data.clone()
    };
    let task = TaskConfig {
        job: key.clone(),
        owner: owner.to_owned(),
        is_service: job.service,
        priority: to_i32("priority", job.priority)?,
        max_task_failures: to_i32("max_task_failures", job.max_task_failures)?,
        production: job.production,
        tier: job.tier.clone(),
        resources,
        constraints: constraints(job)?,
        fetcher_uris: Vec::new(),
        task_links: BTreeMap::new(),
        contact_email: job.contact.clone(),
        executor: Some(ExecutorConfig { name: job.executor_config.name.clone(), data: executor }),
        metadata: job
            .metadata
            .iter()
            .flatten()
            .map(|label| (label.key.clone(), label.value.clone()))
            .collect(),
        partition_policy: partition_policy(job)?,
        sla_policy: sla_policy(job)?,
        container: container(job)?,
    };
    Ok(JobConfiguration {
        key,
        owner: owner.to_owned(),
        cron_schedule: job.cron_schedule.clone(),
        cron_collision_policy: cron_collision_policy(job)?,
        task,
        instance_count,
    })
}

fn instances(job: &config::Job) -> Result<u32, ConvertError> {
    let instances = job.instances.unwrap_or(1);
    match u32::try_from(instances) {
        Ok(count) if count > 0 => Ok(count),
        _ => fail(
            "instances",
            format!("a job has from 1 to {} instances, got {instances}", u32::MAX),
        ),
    }
}

fn is_dedicated(job: &config::Job) -> bool {
    job.constraints.as_ref().is_some_and(|all| all.contains_key(DEDICATED_ATTRIBUTE))
}

/// The rules that hold whether or not this is an update (`dsl.md` 8.1).
fn check_update(job: &config::Job) -> Result<(), ConvertError> {
    let instances = job.instances.unwrap_or(1);
    let Some(update) = &job.update_config else { return Ok(()) };
    if update.max_total_failures >= instances {
        return fail(
            "update_config.max_total_failures",
            format!(
                "max_total_failures in update_config must be less than the number of instances \
                 ({instances}): use {} or less",
                instances - 1
            ),
        );
    }
    if is_dedicated(job) && update.max_total_failures < instances / 50 {
        return fail(
            "update_config.max_total_failures",
            format!(
                "a dedicated job of {instances} instances must tolerate the failure of 2 % of \
                 them: set max_total_failures to {} or more",
                instances / 50
            ),
        );
    }
    let health = &job.health_check_config;
    #[expect(clippy::cast_precision_loss, reason = "only the sign is looked at")]
    let not_negative = [
        ("update_config.watch_secs", update.watch_secs as f64),
        ("health_check_config.max_consecutive_failures", health.max_consecutive_failures as f64),
        ("health_check_config.min_consecutive_successes", health.min_consecutive_successes as f64),
        ("health_check_config.initial_interval_secs", health.initial_interval_secs),
        ("health_check_config.interval_secs", health.interval_secs),
    ];
    for (field, value) in not_negative {
        if value < 0.0 {
            let name = field.rsplit('.').next().unwrap_or(field);
            return fail(
                field,
                format!("invalid value ({value}) for {name}: it cannot be less than 0"),
            );
        }
    }
    Ok(())
}

/// The ports to ask for: those the processes refer to and those announced, aliases followed to
/// their ends, numbers left out (`dsl.md` 8.2).
fn requested_ports(
    job: &config::Job,
    referenced: &BTreeSet<String>,
) -> Result<BTreeSet<String>, ConvertError> {
    let Some(announce) = &job.announce else { return Ok(referenced.clone()) };
    let is_number = |port: &str| port.trim().parse::<i64>().is_ok();
    if !is_dedicated(job)
        && let Some((alias, number)) = announce.portmap.iter().find(|(_, port)| is_number(port))
    {
        return fail(
            "announce.portmap",
            format!(
                "announce.portmap gives {alias:?} the static port {number}: only dedicated jobs \
                 may have static ports"
            ),
        );
    }
    let follow = |start: &str| -> Result<String, ConvertError> {
        let mut port = start;
        for _ in 0..=announce.portmap.len() {
            match announce.portmap.get(port) {
                Some(next) if !is_number(port) => port = next,
                _ => return Ok(port.to_owned()),
            }
        }
        fail("announce.portmap", format!("announce.portmap has a cycle at {start:?}"))
    };
    let numbers: BTreeSet<&String> =
        announce.portmap.values().filter(|port| is_number(port)).collect();
    let mut ports = BTreeSet::new();
    for port in announce.portmap.keys().chain(referenced) {
        ports.insert(follow(port)?);
    }
    ports.retain(|port| !numbers.contains(port));
    Ok(ports)
}

fn resources(job: &config::Job, ports: BTreeSet<String>) -> Result<TaskResources, ConvertError> {
    let Some(resources) = &job.task.resources else {
        return fail(
            "task.resources",
            "the task must say what it needs: resources = Resources(cpu=…, ram=…, disk=…)",
        );
    };
    let Some(cpus) = MilliCpus::from_cores(resources.cpu).filter(|cpus| cpus.0 > 0) else {
        return fail(
            "task.resources.cpu",
            format!(
                "cpu must be more than 0 and less than {}, got {}",
                MilliCpus::MAX_CORES,
                resources.cpu
            ),
        );
    };
    let mib = |field: &'static str, bytes: i64| -> Result<u64, ConvertError> {
        match u64::try_from(bytes / MIB) {
            Ok(mib) if mib > 0 => Ok(mib),
            _ => {
                let name = field.rsplit('.').next().unwrap_or(field);
                fail(
                    field,
                    format!(
                        "{name} must be at least 1 MB, got {bytes} bytes: sizes are in bytes, so \
                         write them with a unit such as 64 * MB"
                    ),
                )
            }
        }
    };
    Ok(TaskResources {
        cpus,
        ram_mb: mib("task.resources.ram", resources.ram)?,
        disk_mb: mib("task.resources.disk", resources.disk)?,
        gpus: u64::try_from(resources.gpu).or_else(|_| {
            fail("task.resources.gpu", format!("gpu cannot be negative, got {}", resources.gpu))
        })?,
        ports,
    })
}

fn check_plan(job: &config::Job) -> Result<(), ConvertError> {
    let constraints = job.task.constraints.as_deref().unwrap_or_default();
    for is_final in [false, true] {
        Plan::new(&job.task.processes, constraints, is_final).map_err(|error| {
            let field = match &error {
                PlanError::ProcessName(bad) => job
                    .task
                    .processes
                    .iter()
                    .position(|process| process.name == *bad)
                    .map(|index| format!("task.processes[{index}].name").into()),
                PlanError::Dependencies { order, .. } => constraints
                    .iter()
                    .position(|constraint| constraint.order == *order)
                    .map(|index| format!("task.constraints[{index}].order").into()),
                _ => None,
            };
            let field = field.unwrap_or(Cow::Borrowed("task.constraints"));
            ConvertError { field, message: error.to_string() }
        })?;
    }
    Ok(())
}

/// What no executor can run: it would refuse the task only once it has been placed.
fn check_limits(job: &config::Job) -> Result<(), ConvertError> {
    // At most a century, as the executor has it, so that sums of times cannot overflow.
    let (count, seconds) = (i64::from(u32::MAX), 3_155_760_000);
    let task = &job.task;
    let within = |field: String, value: i64, most: i64| {
        if (0..=most).contains(&value) {
            return Ok(());
        }
        let name = field.rsplit('.').next().unwrap_or(&field);
        let message = format!("{name} must be from 0 to {most}, got {value}");
        fail(field, message)
    };
    within("task.max_failures".to_owned(), task.max_failures, count)?;
    within("task.max_concurrency".to_owned(), task.max_concurrency, count)?;
    within("task.finalization_wait".to_owned(), task.finalization_wait, seconds)?;
    for (index, process) in task.processes.iter().enumerate() {
        let place = |field: &str| format!("task.processes[{index}].{field}");
        within(place("max_failures"), process.max_failures, count)?;
        within(place("min_duration"), process.min_duration, seconds)?;
        if process.cmdline.contains('\0') {
            return fail(
                place("cmdline"),
                format!("the cmdline of process {:?} holds a zero byte", process.name),
            );
        }
    }
    Ok(())
}

/// The little language of placement constraints (`dsl.md` 8.5).
fn constraints(job: &config::Job) -> Result<BTreeSet<Constraint>, ConvertError> {
    let mut set = BTreeSet::new();
    for (attribute, text) in job.constraints.iter().flatten() {
        let rule = if let Some(limit) = text.strip_prefix("limit:") {
            ConstraintRule::Limit(limit.trim().parse().or_else(|_| {
                fail(
                    "constraints",
                    format!("constraint {attribute:?}: {limit:?} is not a number: use limit:N"),
                )
            })?)
        } else {
            let (negated, values) = match text.strip_prefix('!') {
                Some(rest) => (true, rest),
                None => (false, text.as_str()),
            };
            ConstraintRule::Value {
                negated,
                values: values.split(',').map(str::to_owned).collect(),
            }
        };
        set.insert(Constraint { attribute: attribute.clone(), rule });
    }
    Ok(set)
}

fn cron_collision_policy(job: &config::Job) -> Result<CronCollisionPolicy, ConvertError> {
    match job.cron_collision_policy.to_ascii_uppercase().as_str() {
        "KILL_EXISTING" => Ok(CronCollisionPolicy::KillExisting),
        "CANCEL_NEW" => Ok(CronCollisionPolicy::CancelNew),
        "RUN_OVERLAP" => Ok(CronCollisionPolicy::RunOverlap),
        other => fail(
            "cron_collision_policy",
            format!("unknown cron_collision_policy {other:?}: use KILL_EXISTING or CANCEL_NEW"),
        ),
    }
}

fn partition_policy(job: &config::Job) -> Result<Option<PartitionPolicy>, ConvertError> {
    job.partition_policy
        .map(|policy| {
            Ok(PartitionPolicy {
                reschedule: policy.reschedule,
                delay_secs: to_u64("partition_policy", policy.delay_secs)?,
            })
        })
        .transpose()
}

fn sla_policy(job: &config::Job) -> Result<Option<SlaPolicy>, ConvertError> {
    let seconds = |value: i64| to_u64("sla_policy", value);
    Ok(match &job.sla_policy {
        None => None,
        Some(config::SlaPolicy::Coordinator(policy)) => Some(SlaPolicy::Coordinator {
            coordinator_url: policy.coordinator_url.clone(),
            status_key: policy.status_key.clone(),
        }),
        Some(config::SlaPolicy::Count(policy)) => Some(SlaPolicy::Count {
            count: to_u64("sla_policy", policy.count)?,
            duration_secs: seconds(policy.duration_secs)?,
        }),
        Some(config::SlaPolicy::Percentage(policy)) => Some(SlaPolicy::Percentage {
            percentage: policy.percentage,
            duration_secs: seconds(policy.duration_secs)?,
        }),
    })
}

fn container(job: &config::Job) -> Result<Container, ConvertError> {
    let docker = |docker: &config::Docker| Container::Docker {
        image: docker.image.clone(),
        parameters: docker
            .parameters
            .iter()
            .map(|parameter| (parameter.name.clone(), parameter.value.clone()))
            .collect(),
    };
    Ok(match &job.container {
        None => Container::default(),
        Some(config::Container::Docker(inner)) => docker(inner),
        Some(config::Container::Wrapped(wrapper)) => match &wrapper.docker {
            Some(inner) => docker(inner),
            None => return fail("container", "a Container needs docker: write Docker(image = …)"),
        },
        Some(config::Container::Mesos(mesos)) => Container::Mesos {
            image: mesos.image.as_ref().map(|image| match image {
                config::Image::Appc(image) => {
                    Image::Appc { name: image.name.clone(), image_id: image.image_id.clone() }
                }
                config::Image::Docker(image) => {
                    Image::Docker { name: image.name.clone(), tag: image.tag.clone() }
                }
            }),
            volumes: mesos
                .volumes
                .iter()
                .map(|volume| Volume {
                    container_path: volume.container_path.clone(),
                    host_path: volume.host_path.clone(),
                    read_only: volume.mode == config::VolumeMode::ReadOnly,
                })
                .collect(),
        },
    })
}

fn to_i32(field: &'static str, value: i64) -> Result<i32, ConvertError> {
    i32::try_from(value).or_else(|_| fail(field, format!("{field} is out of range: {value}")))
}

fn to_u64(field: &'static str, value: i64) -> Result<u64, ConvertError> {
    u64::try_from(value)
        .or_else(|_| fail(field, format!("{field} cannot hold a negative number: {value}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn job(changes: &[(&str, serde_json::Value)]) -> config::Job {
        let mut json = serde_json::json!({
            "name": "hello", "role": "www-data", "cluster": "devcluster", "environment": "prod",
            "instances": 2, "update_config": {},
            "task": {
                "name": "hello",
                "processes": [{"name": "hello", "cmdline": "echo"}],
                "resources": {"cpu": 0.25, "ram": 16 * MIB + 1, "disk": 8 * MIB},
            },
        });
        for (pointer, value) in changes {
            match json.pointer_mut(pointer) {
                Some(place) => *place = value.clone(),
                None => {
                    let (parent, key) = pointer.rsplit_once('/').unwrap();
                    json.pointer_mut(parent).unwrap()[key] = value.clone();
                }
            }
        }
        serde_json::from_value(json).unwrap()
    }

    fn convert(changes: &[(&str, serde_json::Value)]) -> Result<JobConfiguration, ConvertError> {
        to_job_configuration(&job(changes), "me", &BTreeSet::from(["http".to_owned()]))
    }

    #[test]
    fn a_job_becomes_a_request() {
        let request = convert(&[]).unwrap();
        assert_eq!(request.key.to_string(), "www-data/prod/hello");
        assert_eq!((request.owner.as_str(), request.instance_count), ("me", 2));
        let resources = &request.task.resources;
        assert_eq!((resources.cpus, resources.ram_mb, resources.disk_mb), (MilliCpus(250), 16, 8));
        assert_eq!(resources.ports, BTreeSet::from(["http".to_owned()]));
    }

    #[test]
    fn no_instances_are_refused_whatever_the_update_says() {
        let mut job = job(&[("/instances", 0.into())]);
        job.update_config = None;
        let error = to_job_configuration(&job, "me", &BTreeSet::new()).unwrap_err();
        assert_eq!(error.field, "instances", "{error}");
    }

    #[test]
    fn what_breaks_a_rule_names_the_field() {
        let cases = [
            ("/role", "a b".into(), "role"),
            ("/environment", "".into(), "environment"),
            ("/name", "é".into(), "name"),
            ("/task/resources/cpu", 0.0.into(), "task.resources.cpu"),
            ("/task/resources/ram", 1000.into(), "task.resources.ram"),
            ("/task/resources/disk", (-5 * MIB).into(), "task.resources.disk"),
            ("/update_config/max_total_failures", 2.into(), "update_config.max_total_failures"),
            ("/update_config/watch_secs", (-1).into(), "update_config.watch_secs"),
            ("/cron_collision_policy", "SOMETIMES".into(), "cron_collision_policy"),
            ("/priority", (1_i64 << 40).into(), "priority"),
            ("/instances", 0.into(), "instances"),
            ("/instances", i64::MIN.into(), "instances"),
            ("/task/max_failures", (-1).into(), "task.max_failures"),
            ("/task/max_concurrency", (-1).into(), "task.max_concurrency"),
            ("/task/finalization_wait", (-1).into(), "task.finalization_wait"),
            ("/task/processes/0/max_failures", (-1).into(), "task.processes[0].max_failures"),
            ("/task/processes/0/min_duration", i64::MAX.into(), "task.processes[0].min_duration"),
            ("/task/processes/0/cmdline", "a\0b".into(), "task.processes[0].cmdline"),
            ("/task/processes/0/name", "a/b".into(), "task.processes[0].name"),
            ("/constraints", serde_json::json!({"host": "limit:x"}), "constraints"),
            ("/task/constraints", serde_json::json!([{"order": []}]), "task.constraints[0].order"),
            (
                "/task/constraints",
                serde_json::json!([{"order": ["hello", "hello"]}]),
                "task.constraints",
            ),
            (
                "/announce",
                serde_json::json!({"primary_port": "http", "portmap": {"a": "b", "b": "a"}}),
                "announce.portmap",
            ),
            (
                "/announce",
                serde_json::json!({"primary_port": "http", "portmap": {"a": "80"}}),
                "announce.portmap",
            ),
        ];
        for (pointer, value, field) in cases {
            let error = convert(&[(pointer, value)]).unwrap_err();
            assert_eq!(error.field, field, "{error}");
        }
    }

    #[test]
    fn constraints_are_read_as_limits_and_values() {
        let request = convert(&[(
            "/constraints",
            serde_json::json!({"host": "limit:1", "rack": "!a,b", "zone": "LIMIT:1"}),
        )])
        .unwrap();
        let rules: Vec<String> = request
            .task
            .constraints
            .iter()
            .map(|c| format!("{} {:?}", c.attribute, c.rule))
            .collect();
        assert_eq!(
            rules,
            [
                "host Limit(1)",
                "rack Value { negated: true, values: {\"a\", \"b\"} }",
                "zone Value { negated: false, values: {\"LIMIT:1\"} }"
            ]
        );
    }

    #[test]
    fn announced_ports_follow_their_aliases() {
        let request = convert(&[(
            "/announce",
            serde_json::json!({"primary_port": "http", "portmap": {"aurora": "web", "http": "web"}}),
        )])
        .unwrap();
        assert_eq!(request.task.resources.ports, BTreeSet::from(["web".to_owned()]));
    }
}
