//! How a job of a file differs from what runs, instance by instance. Nothing is asked here.

use std::collections::{BTreeMap, BTreeSet};

use aurora_model::job::{
    Constraint, ConstraintRule, Container, FetcherUri, Image, JobConfiguration, Preference,
    PreferenceRule, SlaPolicy, TaskConfig,
};
use serde::Serialize;
use serde_json::{Map, Value, json};

/// How a job differs from what runs.
#[derive(Debug, Default, PartialEq)]
pub struct Comparison {
    /// Instances that do not run.
    pub add: BTreeSet<u32>,
    /// Instances that run and would be no more.
    pub remove: BTreeSet<u32>,
    /// Instances that run otherwise than they would: those that run alike are one.
    pub update: Vec<Update>,
    /// Instances that run as they would.
    pub same: BTreeSet<u32>,
    /// Whether it is a cron job: its instances are those of its next run.
    pub is_cron: bool,
}

/// Instances whose configuration would be replaced.
#[derive(Debug, PartialEq)]
pub struct Update {
    /// These instances.
    pub instances: BTreeSet<u32>,
    /// What they are.
    pub running: Value,
    /// What they would be.
    pub wanted: Value,
}

/// A value that differs, `null` where there is none.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct FieldChange {
    /// The path to it: `resources.cpus`, `executor.data.task.processes[0].cmdline`.
    pub path: String,
    /// What it is.
    pub running: Value,
    /// What it would be.
    pub wanted: Value,
}

/// Compares a job, as the scheduler would keep it, with the instances that run; with some of both if
/// these are named.
pub fn compare(
    wanted: &JobConfiguration,
    running: &BTreeMap<u32, TaskConfig>,
    only: Option<&BTreeSet<u32>>,
) -> Comparison {
    let is_meant = |instance: &u32| only.is_none_or(|only| only.contains(instance));
    let is_cron = wanted.cron_schedule.is_some();
    let mut found = Comparison { is_cron, ..Comparison::default() };
    found.add = (0..wanted.instance_count)
        .filter(|instance| is_meant(instance) && !running.contains_key(instance))
        .collect();
    let meant = shown(&wanted.task);
    let mut groups: Vec<(&TaskConfig, BTreeSet<u32>)> = Vec::new();
    for (instance, task) in running.iter().filter(|(instance, _)| is_meant(instance)) {
        if *instance >= wanted.instance_count {
            found.remove.insert(*instance);
            continue;
        }
        match groups.iter_mut().find(|(of_group, _)| *of_group == task) {
            Some((_, instances)) => {
                instances.insert(*instance);
            }
            None => groups.push((task, BTreeSet::from([*instance]))),
        }
    }
    for (task, instances) in groups {
        let running = shown(task);
        if running == meant {
            found.same.extend(instances);
            continue;
        }
        // Configurations may differ in what has no meaning, such as the order of a table.
        match found.update.iter_mut().find(|update| update.running == running) {
            Some(update) => update.instances.extend(instances),
            None => found.update.push(Update { instances, running, wanted: meant.clone() }),
        }
    }
    found
}

impl Comparison {
    /// Whether anything differs.
    pub fn has_changes(&self) -> bool {
        !(self.add.is_empty() && self.remove.is_empty() && self.update.is_empty())
    }

    /// The instances of which there is something to tell.
    pub fn instances(&self) -> BTreeSet<u32> {
        let updated = self.update.iter().flat_map(|update| &update.instances);
        [&self.add, &self.remove, &self.same]
            .into_iter()
            .flatten()
            .chain(updated)
            .copied()
            .collect()
    }
}

impl Update {
    /// What differs, field by field.
    pub fn changes(&self) -> Vec<FieldChange> {
        changes(&self.running, &self.wanted)
    }
}

/// A configuration as it is compared and shown: what the executor is told is taken apart, what has
/// no order is sorted.
pub fn shown(task: &TaskConfig) -> Value {
    let TaskConfig {
        job,
        owner,
        is_service,
        priority,
        max_task_failures,
        production,
        tier,
        resources,
        constraints,
        preferences,
        fetcher_uris,
        task_links,
        contact_email,
        executor,
        metadata,
        partition_policy,
        sla_policy,
        container,
    } = task;
    let mut fetched: Vec<&FetcherUri> = fetcher_uris.iter().collect();
    fetched.sort_by_key(|uri| &uri.value);
    let fetched: Vec<Value> = fetched
        .into_iter()
        .map(|FetcherUri { value, extract, cache, output_file }| {
            json!({ "value": value, "extract": extract, "cache": cache, "output_file": output_file })
        })
        .collect();
    let executor = executor.as_ref().map(|executor| {
        // What is no JSON is for another executor, whose text it is.
        let data: Value = serde_json::from_str(&executor.data)
            .unwrap_or_else(|_| Value::from(executor.data.as_str()));
        json!({ "name": executor.name, "data": data })
    });
    without_nulls(json!({
        "job": job.to_string(),
        "owner": owner,
        "is_service": is_service,
        "priority": priority,
        "max_task_failures": max_task_failures,
        "production": production,
        "tier": tier,
        "resources": {
            "cpus": resources.cpus.cores(),
            "ram_mb": resources.ram_mb,
            "disk_mb": resources.disk_mb,
            "gpus": resources.gpus,
            "ports": resources.ports,
        },
        "constraints": constraints.iter().map(constraint).collect::<Vec<_>>(),
        // Most jobs have none.
        "preferences": (!preferences.is_empty())
            .then(|| preferences.iter().map(preference).collect::<Vec<_>>()),
        "fetcher_uris": fetched,
        "task_links": task_links,
        "contact_email": contact_email,
        "executor": executor,
        "metadata": metadata.iter().map(|(key, value)| format!("{key}: {value}")).collect::<Vec<_>>(),
        "partition_policy": partition_policy.as_ref().map(|policy| {
            json!({ "reschedule": policy.reschedule, "delay_secs": policy.delay_secs })
        }),
        "sla_policy": sla_policy.as_ref().map(sla),
        "container": in_container(container),
    }))
}

/// In the words of the configuration language.
fn constraint(constraint: &Constraint) -> String {
    let rule = match &constraint.rule {
        ConstraintRule::Limit(limit) => format!("limit:{limit}"),
        ConstraintRule::Value { negated, values } => {
            let values = values.iter().map(String::as_str).collect::<Vec<_>>().join(",");
            format!("{}{values}", if *negated { "!" } else { "" })
        }
    };
    format!("{}: {rule}", constraint.attribute)
}

fn preference(preference: &Preference) -> String {
    let rule = match &preference.rule {
        PreferenceRule::Spread => "spread".to_owned(),
        PreferenceRule::Value { negated, values } => {
            let values = values.iter().map(String::as_str).collect::<Vec<_>>().join(",");
            format!("{}{values}", if *negated { "!" } else { "" })
        }
    };
    format!("{}: {rule}, weight {}", preference.attribute, preference.weight)
}

fn sla(policy: &SlaPolicy) -> Value {
    match policy {
        SlaPolicy::Percentage { percentage, duration_secs } => {
            json!({ "percentage": percentage, "duration_secs": duration_secs })
        }
        SlaPolicy::Count { count, duration_secs } => {
            json!({ "count": count, "duration_secs": duration_secs })
        }
        SlaPolicy::Coordinator { coordinator_url, status_key } => {
            json!({ "coordinator_url": coordinator_url, "status_key": status_key })
        }
    }
}

fn in_container(container: &Container) -> Value {
    match container {
        Container::Mesos { image, volumes } => {
            let image = image.as_ref().map(|image| match image {
                Image::Docker { name, tag } => json!({ "docker": format!("{name}:{tag}") }),
                Image::Appc { name, image_id } => json!({ "appc": name, "image_id": image_id }),
            });
            let volumes: Vec<Value> = volumes
                .iter()
                .map(|volume| {
                    json!({
                        "container_path": volume.container_path,
                        "host_path": volume.host_path,
                        "read_only": volume.read_only,
                    })
                })
                .collect();
            json!({ "mesos": { "image": image, "volumes": volumes } })
        }
        Container::Docker { image, parameters } => {
            json!({ "docker": { "image": image, "parameters": parameters } })
        }
    }
}

/// A field without a value is the same as one that is not there.
fn without_nulls(value: Value) -> Value {
    match value {
        Value::Object(entries) => Value::Object(
            entries
                .into_iter()
                .filter(|(_, value)| !value.is_null())
                .map(|(name, value)| (name, without_nulls(value)))
                .collect(),
        ),
        Value::Array(items) => Value::Array(items.into_iter().map(without_nulls).collect()),
        other => other,
    }
}

/// What differs of two values.
pub fn changes(running: &Value, wanted: &Value) -> Vec<FieldChange> {
    let mut found = Vec::new();
    add_changes("", running, wanted, &mut found);
    found
}

fn add_changes(path: &str, running: &Value, wanted: &Value, to: &mut Vec<FieldChange>) {
    match (running, wanted) {
        (a, b) if a == b => {}
        (Value::Object(a), Value::Object(b)) => {
            let names: BTreeSet<&String> = a.keys().chain(b.keys()).collect();
            for name in names {
                let of =
                    |entries: &Map<String, Value>| entries.get(name).cloned().unwrap_or_default();
                let dot = if path.is_empty() { "" } else { "." };
                add_changes(&format!("{path}{dot}{name}"), &of(a), &of(b), to);
            }
        }
        (Value::Array(a), Value::Array(b)) if a.len() == b.len() => {
            for (index, (a, b)) in a.iter().zip(b).enumerate() {
                add_changes(&format!("{path}[{index}]"), a, b, to);
            }
        }
        (a, b) => {
            to.push(FieldChange { path: path.to_owned(), running: a.clone(), wanted: b.clone() })
        }
    }
}
