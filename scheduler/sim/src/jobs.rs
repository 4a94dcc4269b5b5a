//! The jobs that clients think of.

use std::collections::{BTreeMap, BTreeSet};

use aurora_model::job::{
    Constraint, ConstraintRule, CronCatchUp, CronCollisionPolicy, ExecutorConfig, JobConfiguration,
    MilliCpus, PartitionPolicy, SlaPolicy, TaskConfig, TaskResources,
};
use aurora_model::key::JobKey;
use aurora_model::update::{
    Canary, InstanceRange, JobUpdateRequest, UpdateSettings, UpdateStrategy,
};

use crate::check::cron::Plan;
use crate::rng::Rng;

/// The roles.
pub(crate) const ROLES: [&str; 2] = ["www", "ads"];

/// The names; how a task behaves is in its job's name.
const NAMES: [&str; 6] = ["web", "api", "flap", "batch", "batch2", "db"];

/// A job's name.
pub(crate) fn key(rng: &mut Rng) -> Option<JobKey> {
    let role = rng.pick(&ROLES)?;
    let name = rng.pick(&NAMES)?;
    let environment = rng.pick(&["prod", "devel"])?;
    JobKey::new(role, environment, name).ok()
}

/// A cron job's name.
pub(crate) fn cron_key(rng: &mut Rng) -> Option<JobKey> {
    let role = rng.pick(&ROLES)?;
    let name = rng.pick(&["batch-nightly", "batch-often"])?;
    JobKey::new(role, "prod", name).ok()
}

/// A cron job of that name.
pub(crate) fn cron(rng: &mut Rng, key: JobKey) -> JobConfiguration {
    let plan = match rng.below(4) {
        0 => Plan::Daily(2, 30),
        1 => Plan::Daily(i64::try_from(rng.below(24)).unwrap_or(0), 15),
        2 => Plan::Every(5),
        _ => Plan::Every(30),
    };
    let mut job = job(rng, key);
    job.cron_schedule = Some(plan.schedule());
    job.cron_collision_policy = match rng.below(2) {
        0 => CronCollisionPolicy::KillExisting,
        _ => CronCollisionPolicy::CancelNew,
    };
    job.cron_time_zone = rng.chance(500).then(|| "Europe/Rome".to_owned());
    job.cron_catch_up = match rng.below(3) {
        0 => CronCatchUp::RunLatest,
        1 => CronCatchUp::RunAll,
        _ => CronCatchUp::Skip,
    };
    job.task.sla_policy = None;
    job
}

/// A job of that name.
pub(crate) fn job(rng: &mut Rng, key: JobKey) -> JobConfiguration {
    let is_batch = key.name().starts_with("batch");
    let mut task = task(rng, key.clone());
    let count = rng.range(1, if is_batch { 4 } else { 8 });
    if task.tier.as_deref() == Some("preferred") && count >= 3 && rng.chance(600) {
        task.sla_policy = Some(policy(rng, count));
    }
    JobConfiguration::unscheduled(task, u32::try_from(count).unwrap_or(1))
}

/// How many of a job's instances must stay up.
fn policy(rng: &mut Rng, count: u64) -> SlaPolicy {
    let duration_secs = rng.pick(&[0, 60, 300]).copied().unwrap_or(0);
    match rng.below(3) {
        0 => SlaPolicy::Count { count: rng.range(1, count - 1), duration_secs },
        1 => SlaPolicy::Percentage { percentage: 50.0, duration_secs },
        _ => SlaPolicy::Coordinator {
            coordinator_url: "http://coordinator/".to_owned(),
            status_key: "drain".to_owned(),
        },
    }
}

/// Another version of a job, and how to get there.
pub(crate) fn update(rng: &mut Rng, key: JobKey) -> JobUpdateRequest {
    let small = |rng: &mut Rng, high| u32::try_from(rng.range(1, high)).unwrap_or(1);
    let group_size = small(rng, 3);
    let autopause_after_batch = rng.chance(400);
    let strategy = match rng.below(3) {
        0 => UpdateStrategy::Queue { group_size },
        1 => UpdateStrategy::Batch { group_size, autopause_after_batch },
        _ => {
            let group_sizes = vec![1, group_size, small(rng, 4)];
            UpdateStrategy::VariableBatch { group_sizes, autopause_after_batch }
        }
    };
    let only_instances = match rng.below(5) {
        0 => vec![InstanceRange { first: 0, last: small(rng, 3) }],
        _ => Vec::new(),
    };
    let canary = rng.chance(200).then(|| Canary { instances: small(rng, 2), watch_ms: 60_000 });
    let settings = UpdateSettings {
        strategy,
        max_per_instance_failures: u32::try_from(rng.below(3)).unwrap_or(0),
        max_failed_instances: u32::try_from(rng.below(3)).unwrap_or(0),
        min_wait_in_running_ms: u32::try_from(rng.below(4)).unwrap_or(0) * 30_000,
        rollback_on_failure: rng.chance(700),
        surge: if only_instances.is_empty() && rng.chance(200) { small(rng, 2) } else { 0 },
        only_instances,
        pulse_timeout_ms: rng.chance(250).then_some(600_000),
        sla_aware: rng.chance(200),
        canary,
    };
    // What is only asked for once more is no update.
    let mut task = task(rng, key);
    task.priority += 1;
    let mut instance_count = small(rng, 8);
    if settings.sla_aware {
        // Of those below three no policy protects any.
        instance_count = instance_count.max(3);
        task.tier = Some("preferred".to_owned());
        task.sla_policy = Some(policy(rng, u64::from(instance_count)));
    }
    JobUpdateRequest { task, instance_count, settings, metadata: BTreeSet::new() }
}

/// What the instances of a job of that name are.
pub(crate) fn task(rng: &mut Rng, key: JobKey) -> TaskConfig {
    let is_batch = key.name().starts_with("batch");
    let mut constraints = BTreeSet::new();
    let limit = |attribute: &str, limit| Constraint {
        attribute: attribute.to_owned(),
        rule: ConstraintRule::Limit(limit),
    };
    let value = |attribute: &str, value: &str, negated| Constraint {
        attribute: attribute.to_owned(),
        rule: ConstraintRule::Value { negated, values: [value.to_owned()].into() },
    };
    match rng.below(8) {
        0 => _ = constraints.insert(limit("host", 1)),
        1 => _ = constraints.insert(limit("rack", 2)),
        2 => _ = constraints.insert(limit("host", 2)),
        3 => _ = constraints.insert(value("rack", "rack1", rng.chance(500))),
        4 => _ = constraints.insert(value("disk", "ssd", rng.chance(300))),
        _ => {}
    }
    if key.name() == "db" && key.role() == "www" && rng.chance(500) {
        constraints.insert(value("dedicated", "www/db", false));
    }
    let tier = match rng.below(4) {
        0 => Some("preferred".to_owned()),
        1 => None,
        _ => Some("preemptible".to_owned()),
    };
    let partition_policy = match rng.below(6) {
        0 => Some(PartitionPolicy { reschedule: true, delay_secs: 60 }),
        1 => Some(PartitionPolicy { reschedule: true, delay_secs: 600 }),
        2 => Some(PartitionPolicy { reschedule: false, delay_secs: 0 }),
        _ => None,
    };
    let ports = ["http", "admin"].into_iter().take(usize::try_from(rng.below(3)).unwrap_or(0));
    TaskConfig {
        job: key,
        owner: "me".to_owned(),
        is_service: !is_batch,
        priority: i32::try_from(rng.below(3)).unwrap_or(0) * 10,
        max_task_failures: if is_batch {
            i32::try_from(rng.range(0, 4)).unwrap_or(1) - 1
        } else {
            1
        },
        production: false,
        tier,
        resources: TaskResources {
            cpus: MilliCpus(rng.range(1, 8) * 250),
            ram_mb: rng.range(1, 8) * 128,
            disk_mb: rng.range(1, 8) * 64,
            gpus: 0,
            ports: ports.map(str::to_owned).collect(),
        },
        constraints,
        fetcher_uris: Vec::new(),
        task_links: BTreeMap::new(),
        contact_email: None,
        executor: Some(ExecutorConfig {
            name: "AuroraExecutor".to_owned(),
            data: format!("{{\"version\": {}}}", rng.below(1000)),
        }),
        metadata: BTreeSet::new(),
        partition_policy,
        preferences: Default::default(),
        sla_policy: None,
        container: Default::default(),
    }
}
