//! The jobs that clients think of.

use std::collections::{BTreeMap, BTreeSet};

use aurora_model::job::{
    Constraint, ConstraintRule, ExecutorConfig, JobConfiguration, MilliCpus, PartitionPolicy,
    TaskConfig, TaskResources,
};
use aurora_model::key::JobKey;

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

/// A job of that name.
pub(crate) fn job(rng: &mut Rng, key: JobKey) -> JobConfiguration {
    let is_batch = key.name().starts_with("batch");
    let task = task(rng, key.clone());
    let count = rng.range(1, if is_batch { 4 } else { 8 });
    JobConfiguration {
        key,
        owner: "me".to_owned(),
        cron_schedule: None,
        cron_collision_policy: Default::default(),
        cron_time_zone: None,
        cron_catch_up: Default::default(),
        task,
        instance_count: u32::try_from(count).unwrap_or(1),
    }
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
        max_task_failures: if is_batch { i32::try_from(rng.range(0, 3)).unwrap_or(1) } else { 1 },
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
