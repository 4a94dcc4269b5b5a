//! From the job as written to the job as the scheduler keeps it (`dsl.md` 8.4).

use std::collections::{BTreeMap, BTreeSet};

use crate::config;
use crate::cron::Schedule;
use crate::job::{
    AURORA_EXECUTOR, Container, ExecutorConfig, Image, JobConfiguration, MilliCpus,
    PartitionPolicy, SlaPolicy, TaskConfig, TaskResources, Volume,
};
pub use crate::rules::ConvertError;
use crate::rules::{Checked, check};

/// Makes the request of a job.
///
/// `owner` is the Unix user who runs the client. `ports` are the names of the ports to ask for.
///
/// # Errors
/// Every rule of `dsl.md` 8.3 that the job breaks; else every number that the scheduler or the
/// executor could not do anything with.
pub fn to_job_configuration(
    job: &config::Job,
    owner: &str,
    ports: &BTreeSet<String>,
) -> Result<JobConfiguration, Vec<ConvertError>> {
    let checked = check(job)?;
    let mut errors = Vec::new();
    check_limits(job, &mut errors);
    let (key, task, instances) =
        (checked.key.clone(), task(job, &checked, owner, ports), checked.instance_count);
    let instance_count = u32::try_from(instances).unwrap_or(0);
    if instance_count == 0 {
        let message = format!("a job has from 1 to {} instances, got {instances}", i32::MAX);
        errors.push(ConvertError::new("instances", message));
    }
    match task {
        Ok(task) if errors.is_empty() => Ok(JobConfiguration {
            key,
            owner: owner.to_owned(),
            cron_schedule: job.cron_schedule.clone(),
            cron_collision_policy: checked.cron_collision_policy,
            cron_time_zone: job.cron_time_zone.clone(),
            cron_catch_up: checked.cron_catch_up.unwrap_or_default(),
            task,
            instance_count,
        }),
        Ok(_) => Err(errors),
        Err(error) => {
            errors.push(error);
            Err(errors)
        }
    }
}

fn task(
    job: &config::Job,
    checked: &Checked,
    owner: &str,
    ports: &BTreeSet<String>,
) -> Result<TaskConfig, ConvertError> {
    let executor = if job.executor_config.name == AURORA_EXECUTOR {
        job.to_executor_data().map_err(|error| {
            let message = format!("the job cannot be told to its executor: {error}");
            ConvertError::new("executor_config", message)
        })?
    } else {
        job.executor_config.data.clone()
    };
    Ok(TaskConfig {
        job: checked.key.clone(),
        owner: owner.to_owned(),
        is_service: job.service,
        priority: checked.priority,
        max_task_failures: checked.max_task_failures,
        production: job.production,
        tier: job.tier.clone(),
        resources: resources(checked, ports)?,
        constraints: checked.constraints.clone(),
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
        preferences: checked.preferences.clone(),
        sla_policy: sla_policy(job)?,
        container: container(job)?,
    })
}

fn resources(checked: &Checked, ports: &BTreeSet<String>) -> Result<TaskResources, ConvertError> {
    let Some(cpus) = MilliCpus::from_cores(checked.cpus).filter(|cpus| cpus.0 > 0) else {
        let (cpus, most) = (checked.cpus, MilliCpus::MAX_CORES);
        let message = format!("cpu must be at least 0.001 and at most {most}, got {cpus}");
        return Err(ConvertError::new("task.resources.cpu", message));
    };
    Ok(TaskResources {
        cpus,
        ram_mb: to_u64("task.resources.ram", checked.ram_mb)?,
        disk_mb: to_u64("task.resources.disk", checked.disk_mb)?,
        gpus: to_u64("task.resources.gpu", checked.gpus)?,
        ports: ports.clone(),
    })
}

/// What no executor can run, and would refuse only once the task has been placed; and when no
/// scheduler would run the job.
fn check_limits(job: &config::Job, errors: &mut Vec<ConvertError>) {
    // At most a century, as the executor has it, so that sums of times cannot overflow.
    let (count, seconds) = (i64::from(u32::MAX), 3_155_760_000);
    let task = &job.task;
    let mut within = |field: String, value: i64, most: i64| {
        if !(0..=most).contains(&value) {
            let name = field.rsplit('.').next().unwrap_or(&field);
            let message = format!("{name} must be from 0 to {most}, got {value}");
            errors.push(ConvertError::new(field, message));
        }
    };
    within("task.max_failures".to_owned(), task.max_failures, count);
    within("task.max_concurrency".to_owned(), task.max_concurrency, count);
    within("task.finalization_wait".to_owned(), task.finalization_wait, seconds);
    for (index, process) in task.processes.iter().enumerate() {
        let place = |field: &str| format!("task.processes[{index}].{field}");
        within(place("max_failures"), process.max_failures, count);
        within(place("min_duration"), process.min_duration, seconds);
    }
    if let Some(Err(error)) = job.cron_schedule.as_deref().map(str::parse::<Schedule>) {
        errors.push(ConvertError::new("cron_schedule", error.to_string()));
    }
    for (index, process) in task.processes.iter().enumerate() {
        if process.cmdline.contains('\0') {
            errors.push(ConvertError::new(
                format!("task.processes[{index}].cmdline"),
                format!("the cmdline of process {:?} holds a zero byte", process.name),
            ));
        }
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
            None => {
                let message = "a Container needs docker: write Docker(image = …)";
                return Err(ConvertError::new("container", message));
            }
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

fn to_u64(field: &'static str, value: i64) -> Result<u64, ConvertError> {
    u64::try_from(value).map_err(|_| {
        ConvertError::new(field, format!("{field} cannot hold a negative number: {value}"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: i64 = 1 << 20;

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

    fn convert(
        changes: &[(&str, serde_json::Value)],
    ) -> Result<JobConfiguration, Vec<ConvertError>> {
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
        assert_eq!(error[0].field, "instances", "{error:?}");
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
            ("/cron_collision_policy", "SOMETIMES".into(), "cron_collision_policy"),
            ("/cron_schedule", "whenever".into(), "cron_schedule"),
            ("/cron_time_zone", "Rome".into(), "cron_time_zone"),
            ("/cron_catch_up", "NEVER".into(), "cron_catch_up"),
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
            ("/preferences", serde_json::json!({"rack": "spread 0"}), "preferences"),
            ("/task/constraints", serde_json::json!([{"order": []}]), "task.constraints[0].order"),
            (
                "/task/constraints",
                serde_json::json!([{"order": ["hello", "hello"]}]),
                "task.constraints",
            ),
        ];
        for (pointer, value, field) in cases {
            let error = convert(&[(pointer, value)]).unwrap_err();
            assert_eq!(error[0].field, field, "{error:?}");
        }
    }

    #[test]
    fn preferences_are_read_as_wishes_with_weights() {
        let request = convert(&[(
            "/preferences",
            serde_json::json!({"disk": "ssd,nvme 3", "rack": "spread", "zone": "!old"}),
        )])
        .unwrap();
        let wishes: Vec<String> = request
            .task
            .preferences
            .iter()
            .map(|p| format!("{} {:?} {}", p.attribute, p.rule, p.weight))
            .collect();
        assert_eq!(
            wishes,
            [
                "disk Value { negated: false, values: {\"nvme\", \"ssd\"} } 3",
                "rack Spread 1",
                "zone Value { negated: true, values: {\"old\"} } 1"
            ]
        );
        for (text, what) in [
            ("", "there is no wish"),
            ("spread 101", "\"101\" is not a weight"),
            ("spread much", "\"much\" is not a weight"),
        ] {
            let error =
                convert(&[("/preferences", serde_json::json!({"rack": text}))]).unwrap_err();
            let message = error[0].to_string();
            assert!(message.contains(&format!("preference \"rack\": {what}")), "{message}");
        }
    }

    #[test]
    fn a_cron_job_says_when_and_where_it_is_due() {
        use crate::job::CronCatchUp;
        let request = convert(&[
            ("/cron_schedule", "0 3 * * *".into()),
            ("/cron_time_zone", "Europe/Rome".into()),
            ("/cron_catch_up", "run_all".into()),
        ])
        .unwrap();
        assert_eq!(request.cron_schedule.as_deref(), Some("0 3 * * *"));
        assert_eq!(request.cron_time_zone.as_deref(), Some("Europe/Rome"));
        assert_eq!(request.cron_catch_up, CronCatchUp::RunAll);
        let request = convert(&[]).unwrap();
        assert_eq!((request.cron_time_zone, request.cron_catch_up), (None, CronCatchUp::RunLatest));
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
}
