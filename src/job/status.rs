//! `aurora job status`.

use std::collections::BTreeMap;
use std::fmt::Write;

use aurora_client::{
    Connection,
    keys::JobPattern,
    near,
    scheduler::{Scheduler, tasks_of},
};
use aurora_model::job::{Constraint, ConstraintRule, ScheduledTask};
use aurora_model::key::JobKey;
use jiff::tz::TimeZone;
use serde_json::{Map, Value, json};

use super::list::{matching, of_each, only};
use super::watch;
use crate::failure::{Code, Failure};
use crate::lines::clean;
use crate::live::{Live, Progress};
use crate::output::{Format, Output, print};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Which jobs: cluster[/role[/environment[/name]]], with * ? [a-z] in the parts after the
    /// cluster; * alone in place of the cluster means all that are known.
    #[arg(value_name = "PATTERN")]
    pattern: JobPattern,
    /// The same as --output json.
    #[arg(long)]
    write_json: bool,
    /// Go on and show what changes, until Ctrl-C; as JSON, a line for each change.
    #[arg(long, short = 'w')]
    watch: bool,
    #[command(flatten)]
    progress: Progress,
    #[command(flatten)]
    connection: Connection,
    #[command(flatten)]
    output: Output,
}

/// The tasks of one job, and why some of them wait.
struct Tasks {
    key: String,
    tasks: Vec<ScheduledTask>,
    reasons: BTreeMap<String, String>,
}

impl Args {
    pub(super) async fn run(self) -> Result<(), Failure> {
        if self.watch {
            let only = only(&self.pattern, &self.connection).await?;
            let (cluster, scheduler) = only
                .ok_or_else(|| Failure::new(Code::Usage, "--watch shows one cluster: name it"))?;
            return self.watch(&cluster, &scheduler).await;
        }
        let tasks = async |cluster: &str, scheduler: &Scheduler| {
            let mut found = Vec::new();
            for (key, _) in matching(scheduler, &self.pattern).await? {
                found.push(Tasks::of(cluster, scheduler, &key).await?);
            }
            Ok(found)
        };
        let (mut found, missed) = of_each(&self.pattern, &self.connection, tasks).await?;
        found.retain(|job| !job.tasks.is_empty());
        match missed {
            // That there are none is not known then.
            Some(failure) if found.is_empty() => Err(failure),
            missed => {
                self.show(&found).await?;
                missed.map_or(Ok(()), Err)
            }
        }
    }

    async fn show(&self, found: &[Tasks]) -> Result<(), Failure> {
        let is_data = self.write_json || self.output.is_data();
        if found.is_empty() {
            if is_data {
                return self.output.print(&json!({
                    "jobspec": self.pattern.to_string(),
                    "error": "No matching jobs found",
                }));
            }
            let only = only(&self.pattern, &self.connection).await?;
            return Err(Failure::new(Code::InvalidParameter, self.none(only.as_ref()).await));
        }
        if is_data {
            let jobs: Vec<Value> = found.iter().map(Tasks::json).collect();
            return self.output.print(&jobs);
        }
        let several = found.len() > 1;
        let text = found.iter().fold(String::new(), |mut text, job| {
            if several {
                text.push_str(&format!("{}\n", job.key));
            }
            text + &job.text()
        });
        print(&text)
    }
}

impl Args {
    /// That nothing matches, and which job may have been meant.
    async fn none(&self, only: Option<&(String, Scheduler)>) -> String {
        let near = match (self.pattern.literal(), only) {
            (Some(job), Some((cluster, scheduler))) => near::hint(scheduler, cluster, &job).await,
            _ => String::new(),
        };
        format!("found no jobs matching {}{near}", self.pattern)
    }

    async fn watch(&self, cluster: &str, scheduler: &Scheduler) -> Result<(), Failure> {
        if self.output.output == Format::Yaml {
            return Err(Failure::new(
                Code::Usage,
                "--watch prints text, or a line of JSON for each change",
            ));
        }
        let jobs: Vec<_> =
            matching(scheduler, &self.pattern).await?.into_iter().map(|(key, _)| key).collect();
        if jobs.is_empty() {
            let only = (cluster.to_owned(), scheduler.clone());
            return Err(Failure::new(Code::InvalidParameter, self.none(Some(&only)).await));
        }
        let is_data = self.write_json || self.output.is_data();
        let live = if is_data { Live::off() } else { self.progress.on_stdout() };
        watch::watch(scheduler, cluster, jobs, live, is_data).await
    }
}

impl Tasks {
    async fn of(cluster: &str, scheduler: &Scheduler, key: &JobKey) -> Result<Self, Failure> {
        let answer = scheduler.tasks(tasks_of(key)).await?;
        let mut tasks = answer
            .tasks
            .into_iter()
            .map(ScheduledTask::try_from)
            .collect::<Result<Vec<_>, _>>()
            .map_err(|error| Failure::new(Code::Api, error.to_string()))?;
        tasks.sort_by_key(|task| task.assigned.instance);
        let reasons =
            answer.pending_reasons.into_iter().map(|why| (why.task_id, why.reason)).collect();
        Ok(Self { key: format!("{cluster}/{key}"), tasks, reasons })
    }

    fn split(&self) -> (Vec<&ScheduledTask>, Vec<&ScheduledTask>) {
        self.tasks.iter().partition(|task| task.state.is_active())
    }

    fn text(&self) -> String {
        let (active, inactive) = self.split();
        let mut text = String::new();
        for (title, tasks) in [("Active", active), ("Inactive", inactive)] {
            text.push_str(&format!("{title} tasks ({}):\n", tasks.len()));
            for task in tasks {
                // Writing to a string cannot fail.
                let _ = self.write_task(&mut text, task);
            }
        }
        text.push('\n');
        text
    }

    fn write_task(&self, text: &mut String, task: &ScheduledTask) -> std::fmt::Result {
        let assigned = &task.assigned;
        let config = &assigned.task;
        let host = assigned.agent.as_ref().map_or("None", |(_, host)| host);
        writeln!(
            text,
            "\tTask role: {}, env: {}, name: {}, instance: {}, status: {} on {host}",
            config.job.role(),
            config.job.environment(),
            config.job.name(),
            assigned.instance,
            task.state.name(),
        )?;
        if let Some(reason) = self.reasons.get(task.id().as_str()) {
            writeln!(text, "\t  waits: {}", clean(reason))?;
        }
        let resources = &config.resources;
        write!(
            text,
            "\t  CPU: {:?} core(s), RAM: {} MB, Disk: {} MB",
            resources.cpus.cores(),
            resources.ram_mb,
            resources.disk_mb
        )?;
        for port in &resources.ports {
            write!(text, ", Port: {port}")?;
        }
        if resources.gpus > 0 {
            write!(text, ", GPU: {} GPU(s)", resources.gpus)?;
        }
        writeln!(text)?;
        if !assigned.assigned_ports.is_empty() {
            let ports: Vec<String> = assigned
                .assigned_ports
                .iter()
                .map(|(name, port)| format!("{name}: {port}"))
                .collect();
            writeln!(text, "\t  assigned ports: {}", ports.join(", "))?;
        }
        writeln!(
            text,
            "\t  failure count: {} (max {})",
            task.failure_count, config.max_task_failures
        )?;
        writeln!(text, "\t  events:")?;
        for event in &task.events {
            writeln!(
                text,
                "\t   {} {}: {}",
                local_time(event.timestamp.0),
                event.state.name(),
                clean(event.message.as_deref().unwrap_or("None"))
            )?;
        }
        if !config.metadata.is_empty() {
            writeln!(text, "\t  metadata:")?;
            for metadata in &config.metadata {
                let (key, value) = (clean(&metadata.0), clean(&metadata.1));
                writeln!(text, "\t\t(key: '{key}', value: '{value}')")?;
            }
        }
        Ok(())
    }

    /// With the names of the original's objects, so that scripts go on working.
    fn json(&self) -> Value {
        let (active, inactive) = self.split();
        let list = |tasks: Vec<&ScheduledTask>| -> Vec<Value> {
            let reason = |task: &ScheduledTask| self.reasons.get(task.id().as_str());
            tasks.into_iter().map(|task| task_json(task, reason(task))).collect()
        };
        json!({ "job": self.key, "active": list(active), "inactive": list(inactive) })
    }
}

/// A task with the names of the original's objects, and why it waits.
pub(crate) fn task_json(task: &ScheduledTask, pending_reason: Option<&String>) -> Value {
    let assigned = &task.assigned;
    let config = &assigned.task;
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
    let constraints: Vec<Value> = config.constraints.iter().map(constraint_json).collect();
    let mut object = Map::new();
    object.insert("status".to_owned(), json!(task.state.name()));
    object.insert("failureCount".to_owned(), json!(task.failure_count));
    object.insert("timesPartitioned".to_owned(), json!(task.times_partitioned));
    if let Some(ancestor) = &task.ancestor {
        object.insert("ancestorId".to_owned(), json!(ancestor.as_str()));
    }
    if let Some(reason) = pending_reason {
        object.insert("pendingReason".to_owned(), json!(reason));
    }
    let events: Vec<Value> = task
        .events
        .iter()
        .map(|event| {
            json!({
                "timestamp": event.timestamp.0,
                "status": event.state.name(),
                "message": event.message,
                "scheduler": event.scheduler.as_deref(),
            })
        })
        .collect();
    object.insert("taskEvents".to_owned(), json!(events));
    object.insert(
        "assignedTask".to_owned(),
        json!({
            "taskId": task.id().as_str(),
            "slaveId": assigned.agent.as_ref().map(|(id, _)| id.as_str()),
            "slaveHost": assigned.agent.as_ref().map(|(_, host)| &**host),
            "instanceId": assigned.instance,
            "assignedPorts": assigned.assigned_ports,
            "task": {
                "job": {
                    "role": config.job.role(),
                    "environment": config.job.environment(),
                    "name": config.job.name(),
                },
                "owner": { "user": config.owner },
                "isService": config.is_service,
                "priority": config.priority,
                "maxTaskFailures": config.max_task_failures,
                "production": config.production,
                "tier": config.tier,
                "resources": amounts,
                "constraints": constraints,
                "contactEmail": config.contact_email,
                "taskLinks": config.task_links,
                "metadata": config.metadata.iter()
                    .map(|m| json!({ "key": m.0, "value": m.1 }))
                    .collect::<Vec<_>>(),
                "executorConfig": config.executor.as_ref()
                    .map(|executor| json!({ "name": executor.name, "data": executor.data })),
            },
        }),
    );
    Value::Object(object)
}

fn constraint_json(constraint: &Constraint) -> Value {
    let rule = match &constraint.rule {
        ConstraintRule::Value { negated, values } => {
            json!({ "value": { "negated": negated, "values": values } })
        }
        ConstraintRule::Limit(limit) => json!({ "limit": { "limit": limit } }),
    };
    json!({ "name": constraint.attribute, "constraint": rule })
}

/// A time as people here write it, to the second.
fn local_time(ms: i64) -> String {
    jiff::Timestamp::from_millisecond(ms)
        .map(|time| time.to_zoned(TimeZone::system()).strftime("%Y-%m-%d %H:%M:%S").to_string())
        .unwrap_or_default()
}
