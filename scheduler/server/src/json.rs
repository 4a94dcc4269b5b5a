//! Tasks and jobs as JSON, with the names of the original's objects: what webhooks, `/structdump`
//! and `/state` give. What is not set is left out.

use aurora_model::job::{
    Constraint, ConstraintRule, Container, Image, JobConfiguration, PreferenceRule, ScheduledTask,
    SlaPolicy, TaskConfig, Volume,
};
use aurora_model::key::JobKey;
use serde_json::{Map, Value, json};

/// A task with its history.
pub(crate) fn task(task: &ScheduledTask) -> Value {
    let assigned = &task.assigned;
    let agent = assigned.agent.as_ref();
    let events = task.events.iter().map(|event| {
        set(json!({
            "timestamp": event.timestamp.0,
            "status": event.state.name(),
            "message": event.message,
            "scheduler": event.scheduler.as_deref(),
        }))
    });
    set(json!({
        "assignedTask": set(json!({
            "taskId": task.id().as_str(),
            "slaveId": agent.map(|(id, _)| id.as_str()),
            "slaveHost": agent.map(|(_, host)| &**host),
            "instanceId": assigned.instance,
            "assignedPorts": assigned.assigned_ports,
            "task": config(&assigned.task),
        })),
        "status": task.state.name(),
        "failureCount": task.failure_count,
        "timesPartitioned": task.times_partitioned,
        "taskEvents": events.collect::<Vec<_>>(),
        "ancestorId": task.ancestor.as_ref().map(|id| id.as_str()),
    }))
}

/// A job as it was submitted.
pub(crate) fn job(job: &JobConfiguration) -> Value {
    set(json!({
        "key": job_key(&job.key),
        "owner": { "user": job.owner },
        "cronSchedule": job.cron_schedule,
        "cronCollisionPolicy": job.cron_schedule.as_ref().map(|_| {
            match job.cron_collision_policy {
                aurora_model::job::CronCollisionPolicy::KillExisting => "KILL_EXISTING",
                aurora_model::job::CronCollisionPolicy::CancelNew => "CANCEL_NEW",
                aurora_model::job::CronCollisionPolicy::RunOverlap => "RUN_OVERLAP",
            }
        }),
        "cronTimeZone": job.cron_time_zone,
        "taskConfig": config(&job.task),
        "instanceCount": job.instance_count,
    }))
}

/// What each instance of a job is.
pub(crate) fn config(config: &TaskConfig) -> Value {
    let resources = &config.resources;
    let mut amounts = vec![
        json!({ "numCpus": resources.cpus.cores() }),
        json!({ "ramMb": resources.ram_mb }),
        json!({ "diskMb": resources.disk_mb }),
    ];
    amounts.extend(resources.ports.iter().map(|port| json!({ "namedPort": port })));
    if resources.gpus > 0 {
        amounts.push(json!({ "numGpus": resources.gpus }));
    }
    let uris = config.fetcher_uris.iter().map(|uri| {
        set(json!({
            "value": uri.value,
            "extract": uri.extract,
            "cache": uri.cache,
            "outputFile": uri.output_file,
        }))
    });
    let metadata = config.metadata.iter().map(|(key, value)| json!({ "key": key, "value": value }));
    let preferences = config.preferences.iter().map(|preference| {
        let rule = match &preference.rule {
            PreferenceRule::Value { negated, values } => {
                json!({ "value": { "negated": negated, "values": values } })
            }
            PreferenceRule::Spread => json!({ "spread": {} }),
        };
        json!({ "name": preference.attribute, "preference": rule, "weight": preference.weight })
    });
    set(json!({
        "job": job_key(&config.job),
        "owner": { "user": config.owner },
        "isService": config.is_service,
        "priority": config.priority,
        "maxTaskFailures": config.max_task_failures,
        "production": config.production,
        "tier": config.tier,
        "resources": amounts,
        "constraints": config.constraints.iter().map(constraint).collect::<Vec<_>>(),
        "preferences": preferences.collect::<Vec<_>>(),
        "mesosFetcherUris": uris.collect::<Vec<_>>(),
        "taskLinks": config.task_links,
        "contactEmail": config.contact_email,
        "executorConfig": config.executor.as_ref()
            .map(|executor| json!({ "name": executor.name, "data": executor.data })),
        "metadata": metadata.collect::<Vec<_>>(),
        "partitionPolicy": config.partition_policy.map(|policy| {
            json!({ "reschedule": policy.reschedule, "delaySecs": policy.delay_secs })
        }),
        "slaPolicy": config.sla_policy.as_ref().map(sla_policy),
        "container": container(&config.container),
    }))
}

fn job_key(key: &JobKey) -> Value {
    json!({ "role": key.role(), "environment": key.environment(), "name": key.name() })
}

fn constraint(constraint: &Constraint) -> Value {
    let rule = match &constraint.rule {
        ConstraintRule::Value { negated, values } => {
            json!({ "value": { "negated": negated, "values": values } })
        }
        ConstraintRule::Limit(limit) => json!({ "limit": { "limit": limit } }),
    };
    json!({ "name": constraint.attribute, "constraint": rule })
}

fn sla_policy(policy: &SlaPolicy) -> Value {
    match policy {
        SlaPolicy::Percentage { percentage, duration_secs } => json!({
            "percentageSlaPolicy": { "percentage": percentage, "durationSecs": duration_secs }
        }),
        SlaPolicy::Count { count, duration_secs } => json!({
            "countSlaPolicy": { "count": count, "durationSecs": duration_secs }
        }),
        SlaPolicy::Coordinator { coordinator_url, status_key } => json!({
            "coordinatorSlaPolicy": { "coordinatorUrl": coordinator_url, "statusKey": status_key }
        }),
    }
}

fn container(container: &Container) -> Value {
    match container {
        Container::Mesos { image, volumes } => {
            let image = image.as_ref().map(|image| match image {
                Image::Docker { name, tag } => json!({ "docker": { "name": name, "tag": tag } }),
                Image::Appc { name, image_id } => {
                    json!({ "appc": { "name": name, "imageId": image_id } })
                }
            });
            let volume = |volume: &Volume| {
                json!({
                    "containerPath": volume.container_path,
                    "hostPath": volume.host_path,
                    "mode": if volume.read_only { "RO" } else { "RW" },
                })
            };
            let volumes: Vec<Value> = volumes.iter().map(volume).collect();
            json!({ "mesos": set(json!({ "image": image, "volumes": volumes })) })
        }
        Container::Docker { image, parameters } => {
            let parameters =
                parameters.iter().map(|(name, value)| json!({ "name": name, "value": value }));
            let parameters: Vec<Value> = parameters.collect();
            json!({ "docker": { "image": image, "parameters": parameters } })
        }
    }
}

/// An object without the members that are null.
fn set(object: Value) -> Value {
    match object {
        Value::Object(members) => Value::Object(
            members.into_iter().filter(|(_, value)| !value.is_null()).collect::<Map<_, _>>(),
        ),
        other => other,
    }
}
