//! What a job means beyond the original's words: order, amounts, ports, checks, updates, and what is bound only
//! where an instance runs.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::{Result, Write};

use aurora_eval::ReadyJob;
use aurora_model::config::{Job, SlaPolicy, Task, UpdateConfig, UpdateStrategy};
use aurora_model::plan::Plan;
use serde_json::Value;

/// What else there is to say of a job, for people.
pub(super) fn meaning(job: &ReadyJob) -> String {
    let mut text = String::new();
    // Writing to a string cannot fail.
    let _ = write_all(&mut text, job);
    text
}

fn write_all(text: &mut String, job: &ReadyJob) -> Result {
    let config = &job.config;
    write_order(text, &config.task)?;
    write_resources(text, job)?;
    write_ports(text, job)?;
    write_health(text, job)?;
    write_place(text, config)?;
    if config.service
        && let Some(update) = &config.update_config
    {
        write_update(text, update)?;
    }
    write_later(text, config)
}

fn write_order(text: &mut String, task: &Task) -> Result {
    writeln!(text, "Order of processes")?;
    let constraints = task.constraints.as_deref().unwrap_or_default();
    for is_final in [false, true] {
        // What cannot be put in order was refused before.
        let plan = Plan::new(&task.processes, constraints, is_final).unwrap_or_default();
        for process in task.processes.iter().filter(|process| process.is_final == is_final) {
            let before: Vec<&str> = plan.predecessors(&process.name).collect();
            let when = match (before.is_empty(), is_final) {
                (true, false) => "at once".to_owned(),
                (true, true) => "when the others have ended".to_owned(),
                (false, _) => format!("when {} has succeeded", before.join(" and ")),
            };
            writeln!(text, "  {}: {when}", process.name)?;
        }
    }
    writeln!(text)
}

fn write_resources(text: &mut String, job: &ReadyJob) -> Result {
    let resources = &job.request.task.resources;
    writeln!(text, "Resources of each instance")?;
    writeln!(text, "  cpu:  {:?} core(s)", resources.cpus.cores())?;
    writeln!(text, "  ram:  {} MB", resources.ram_mb)?;
    writeln!(text, "  disk: {} MB", resources.disk_mb)?;
    if resources.gpus > 0 {
        writeln!(text, "  gpu:  {}", resources.gpus)?;
    }
    writeln!(text)
}

fn write_ports(text: &mut String, job: &ReadyJob) -> Result {
    let ports = &job.request.task.resources.ports;
    let announce = job.config.announce.as_ref();
    if ports.is_empty() && announce.is_none() {
        return Ok(());
    }
    writeln!(text, "Ports")?;
    for port in ports {
        writeln!(text, "  {port}: given by the agent")?;
    }
    if let Some(announce) = announce {
        for (alias, port) in announce.portmap.iter().filter(|(alias, port)| alias != port) {
            writeln!(text, "  {alias}: the same as {port}")?;
        }
        writeln!(text, "  announced in ZooKeeper by {}", announce.primary_port)?;
    }
    writeln!(text)
}

/// One by HTTP is none without a port of that name; other checks must have theirs.
fn write_health(text: &mut String, job: &ReadyJob) -> Result {
    let health = &job.config.health_check_config;
    let checker = &health.health_checker;
    let is_http = checker.shell.is_none() && checker.grpc.is_none() && checker.tcp.is_none();
    let announced = job.config.announce.iter().flat_map(|announce| announce.portmap.keys());
    let mut ports = job.request.task.resources.ports.iter().chain(announced);
    if is_http && !ports.any(|port| port == "health") {
        return Ok(());
    }
    writeln!(text, "Health check")?;
    let asks = if let Some(shell) = &checker.shell {
        format!("command: {}", shell.shell_command.trim())
    } else if let Some(grpc) = &checker.grpc {
        format!("gRPC on port {}", grpc.port)
    } else if let Some(tcp) = &checker.tcp {
        format!("a connection to port {}", tcp.port)
    } else {
        let http = checker.http.clone().unwrap_or_default();
        format!("GET {} on port health, expects {:?}", http.endpoint, http.expected_response)
    };
    writeln!(text, "  {asks}")?;
    writeln!(
        text,
        "  every {} s, from {} s after the start on; well after {} good, failed after {} bad answers \
         in a row; each within {} s",
        health.interval_secs,
        health.initial_interval_secs,
        health.min_consecutive_successes,
        health.max_consecutive_failures.saturating_add(1),
        health.timeout_secs
    )?;
    writeln!(text)
}

/// How the cluster treats the job among others.
fn write_place(text: &mut String, job: &Job) -> Result {
    let mut lines = Vec::new();
    lines.extend(job.tier.as_ref().map(|tier| format!("tier: {tier}")));
    if job.priority != 0 {
        lines.push(format!("priority: {}", job.priority));
    }
    lines.extend(job.sla_policy.as_ref().map(|policy| match policy {
        SlaPolicy::Coordinator(policy) => {
            format!(
                "instances are stopped as {} says by {:?}",
                policy.coordinator_url, policy.status_key
            )
        }
        SlaPolicy::Count(policy) => format!(
            "{} instances must have run for {} s when one is stopped",
            policy.count, policy.duration_secs
        ),
        SlaPolicy::Percentage(policy) => format!(
            "{} % of the instances must have run for {} s when one is stopped",
            policy.percentage, policy.duration_secs
        ),
    }));
    let metadata = job.metadata.iter().flatten();
    lines.extend(metadata.map(|pair| format!("metadata: {} = {}", pair.key, pair.value)));
    if lines.is_empty() {
        return Ok(());
    }
    writeln!(text, "In the cluster")?;
    for line in lines {
        writeln!(text, "  {line}")?;
    }
    writeln!(text)
}

fn write_update(text: &mut String, update: &UpdateConfig) -> Result {
    writeln!(text, "Updates")?;
    let sizes = |sizes: &[i64]| sizes.iter().map(i64::to_string).collect::<Vec<_>>().join(", ");
    let pauses = |does: bool| if does { ", pausing after each" } else { "" };
    let how = match &update.update_strategy {
        Some(UpdateStrategy::Queue(queue)) => format!("{} at a time", queue.batch_size),
        Some(UpdateStrategy::Batch(batch)) => {
            format!("in batches of {}{}", batch.batch_size, pauses(batch.autopause_after_batch))
        }
        Some(UpdateStrategy::VariableBatch(batch)) => format!(
            "in batches of {}{}",
            sizes(&batch.batch_sizes),
            pauses(batch.autopause_after_batch)
        ),
        None if update.wait_for_batch_completion => format!("in batches of {}", update.batch_size),
        None => format!("{} at a time", update.batch_size),
    };
    writeln!(text, "  {how}; each is good after {} s of running", update.watch_secs)?;
    writeln!(
        text,
        "  up to {} failures of an instance and {} failed instances are forgiven; else {}",
        update.max_per_shard_failures,
        update.max_total_failures,
        if update.rollback_on_failure { "it is rolled back" } else { "it stops" }
    )?;
    for (name, count) in [("new instances first", update.surge), ("canaries", update.canary)] {
        if let Some(count) = count.filter(|count| *count > 0) {
            writeln!(text, "  {name}: {count}")?;
        }
    }
    if let Some(seconds) = update.pulse_interval_secs.filter(|seconds| *seconds > 0) {
        writeln!(text, "  needs a pulse every {seconds} s")?;
    }
    if update.sla_aware {
        writeln!(text, "  stops instances only as the SLA policy allows")?;
    }
    writeln!(text)
}

/// The references that are still open, with who binds them and where they stand.
fn write_later(text: &mut String, job: &Job) -> Result {
    let later = open_references(job);
    if later.is_empty() {
        return Ok(());
    }
    writeln!(text, "Bound where an instance runs")?;
    for (reference, places) in &later {
        let places = places.iter().map(String::as_str).collect::<Vec<_>>().join(", ");
        writeln!(text, "  {{{{{reference}}}}}: {}; in {places}", source(reference))?;
    }
    writeln!(text)
}

/// What binds a reference that is left open.
fn source(reference: &str) -> &'static str {
    match reference {
        "mesos.instance" => "the number of the instance, from the scheduler",
        "mesos.hostname" => "the host, from the agent",
        "thermos.task_id" => "the id of the task, from the scheduler",
        _ if reference.starts_with("thermos.ports[") => "a port, from the agent",
        _ => "from the executor",
    }
}

/// The references of a job that nothing has been bound to, each with the fields in which it stands.
fn open_references(job: &Job) -> BTreeMap<String, BTreeSet<String>> {
    let mut found = BTreeMap::new();
    let value = serde_json::to_value(job).unwrap_or_default();
    add_references(&value, "", &mut found);
    found
}

fn add_references(value: &Value, path: &str, to: &mut BTreeMap<String, BTreeSet<String>>) {
    match value {
        Value::String(text) => {
            for (inner, _) in aurora_template::references(text) {
                to.entry(inner.to_owned()).or_default().insert(path.to_owned());
            }
        }
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                // Processes are known by their names.
                let index = match item.get("name").and_then(Value::as_str) {
                    Some(name) => name.to_owned(),
                    None => index.to_string(),
                };
                add_references(item, &format!("{path}[{index}]"), to);
            }
        }
        Value::Object(fields) => {
            for (name, item) in fields {
                let dot = if path.is_empty() { "" } else { "." };
                add_references(item, &format!("{path}{dot}{name}"), to);
            }
        }
        _ => {}
    }
}
