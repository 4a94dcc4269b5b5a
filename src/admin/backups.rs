//! `scheduler_backup_now`, `…_list_backups`, `…_snapshot`, and the way back to a backup (`admin.md` 7).

use aurora_api::v1;
use aurora_model::job::{ScheduledTask, TaskState};
use aurora_model::key::TaskId;
use serde_json::{Value, json};

use super::consent::Consent;
use super::target::{Stream, Target};
use super::wire;
use crate::failure::Failure;
use crate::output::{Output, note, print};

/// A cluster and the form of the result.
#[derive(Debug, clap::Args)]
struct Common {
    #[command(flatten)]
    target: Target,
    #[command(flatten)]
    output: Output,
}

impl Common {
    /// Prints the one as text, or the other as data.
    fn show(&self, text: &str, data: &Value) -> Result<(), Failure> {
        if self.output.is_data() { self.output.print(data) } else { print(&format!("{text}\n")) }
    }
}

#[derive(Debug, clap::Args)]
pub(crate) struct NowArgs {
    #[command(flatten)]
    common: Common,
}

impl NowArgs {
    pub(super) async fn run(self) -> Result<(), Failure> {
        let backup = self.common.target.scheduler().await?.back_up().await?;
        self.common.show(&backup, &json!({ "backup": backup }))
    }
}

#[derive(Debug, clap::Args)]
pub(crate) struct ListArgs {
    #[command(flatten)]
    common: Common,
}

impl ListArgs {
    pub(super) async fn run(self) -> Result<(), Failure> {
        let found = self.common.target.scheduler().await?.backups().await?;
        if self.common.output.is_data() {
            let staged = Some(&found.staged).filter(|name| !name.is_empty());
            return self
                .common
                .output
                .print(&json!({ "backups": found.backups, "staged": staged }));
        }
        if !found.staged.is_empty() {
            note(&format!("{} is staged.", found.staged));
        }
        let names: String = found.backups.iter().map(|name| format!("{name}\n")).collect();
        print(&format!("{} available backups:\n{names}", found.backups.len()))
    }
}

#[derive(Debug, clap::Args)]
pub(crate) struct SnapshotArgs {
    #[command(flatten)]
    common: Common,
}

impl SnapshotArgs {
    pub(super) async fn run(self) -> Result<(), Failure> {
        self.common.target.scheduler().await?.snapshot().await?;
        self.common.show("The scheduler has written its state down", &json!({ "snapshot": true }))
    }
}

#[derive(Debug, clap::Args)]
pub(crate) struct StageArgs {
    #[command(flatten)]
    common: Common,
    /// The backup, as scheduler_list_backups shows it.
    #[arg(value_name = "BACKUP")]
    backup: String,
}

impl StageArgs {
    pub(super) async fn run(self) -> Result<(), Failure> {
        let tasks = self.common.target.scheduler().await?.stage(&self.backup).await?;
        let backup = &self.backup;
        let text = format!("{backup} is staged with {tasks} tasks; nothing has changed yet");
        self.common.show(&text, &json!({ "staged": backup, "tasks": tasks }))
    }
}

#[derive(Debug, clap::Args)]
pub(crate) struct PrintArgs {
    #[command(flatten)]
    common: Common,
    #[command(flatten)]
    stream: Stream,
}

impl PrintArgs {
    pub(super) async fn run(self) -> Result<(), Failure> {
        let scheduler = self.common.target.scheduler().await?;
        let active = TaskState::ALL.into_iter().filter(|state| state.is_active());
        let query = v1::TaskQuery { states: wire(active), ..v1::TaskQuery::default() };
        let (_, tasks) = scheduler.staged_tasks(query).await?;
        if self.common.output.is_data() {
            let row = |task: &ScheduledTask| {
                json!({
                    "role": task.job().role(),
                    "environment": task.job().environment(),
                    "job": task.job().name(),
                    "instance": task.assigned.instance,
                    "status": task.state.name(),
                    "taskId": task.id().as_str(),
                })
            };
            return self.common.output.print(&tasks.iter().map(row).collect::<Vec<_>>());
        }
        self.stream.line("ROLE\tJOB\tSHARD\tSTATUS\tTASK ID")?;
        for task in &tasks {
            let (job, instance, state) = (task.job(), task.assigned.instance, task.state);
            self.stream.line(&format!(
                "{}\t{}\t{instance}\t{state}\t{}",
                job.role(),
                job.name(),
                task.id()
            ))?;
        }
        Ok(())
    }
}

#[derive(Debug, clap::Args)]
pub(crate) struct DeleteArgs {
    #[command(flatten)]
    common: Common,
    /// The tasks.
    #[arg(value_name = "TASK,…", value_delimiter = ',', required = true)]
    tasks: Vec<TaskId>,
}

impl DeleteArgs {
    pub(super) async fn run(self) -> Result<(), Failure> {
        let scheduler = self.common.target.scheduler().await?;
        let task_ids = self.tasks.iter().map(ToString::to_string).collect();
        let query = v1::TaskQuery { task_ids, ..v1::TaskQuery::default() };
        let deleted = scheduler.delete_staged(query).await?;
        let text = format!("{deleted} tasks are forgotten in the backup that is staged");
        self.common.show(&text, &json!({ "deleted": deleted }))
    }
}

#[derive(Debug, clap::Args)]
pub(crate) struct CommitArgs {
    #[command(flatten)]
    common: Common,
    #[command(flatten)]
    consent: Consent,
}

impl CommitArgs {
    pub(super) async fn run(self) -> Result<(), Failure> {
        let scheduler = self.common.target.scheduler().await?;
        if self.consent.dry_run || self.consent.asks() {
            let (backup, tasks) = scheduler.staged_tasks(v1::TaskQuery::default()).await?;
            let active = tasks.iter().filter(|task| task.state.is_active()).count();
            let of = format!(
                "the state of {} by {backup} with {active} active tasks",
                self.common.target.name
            );
            if self.consent.dry_run {
                let data = json!({ "wouldCommit": backup, "activeTasks": active });
                return self.common.show(&format!("Would replace {of}"), &data);
            }
            self.consent.ask(&format!(
                "This replaces {of}. All that came after the backup is lost, and tasks that it does \
                 not know are killed."
            )).await?;
        }
        scheduler.commit_staged().await?;
        let text =
            "The backup has taken the place of the live state; the scheduler begins anew with it";
        self.common.show(text, &json!({ "committed": true }))
    }
}

#[derive(Debug, clap::Args)]
pub(crate) struct UnloadArgs {
    #[command(flatten)]
    common: Common,
}

impl UnloadArgs {
    pub(super) async fn run(self) -> Result<(), Failure> {
        self.common.target.scheduler().await?.unload_staged().await?;
        self.common.show("Nothing is staged any more", &json!({ "unloaded": true }))
    }
}
