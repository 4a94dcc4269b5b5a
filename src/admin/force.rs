//! `force_task_state`.

use aurora_model::job::TaskState;
use aurora_model::key::TaskId;
use serde_json::json;

use super::consent::Consent;
use super::target::Target;
use super::task_state;
use crate::failure::{Code, Failure};
use crate::output::{Output, print};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    target: Target,
    /// The task.
    #[arg(value_name = "TASK")]
    task: TaskId,
    /// The state it is to go to, such as LOST.
    #[arg(value_name = "STATE", value_parser = task_state)]
    state: TaskState,
    #[command(flatten)]
    consent: Consent,
    #[command(flatten)]
    output: Output,
}

impl Args {
    pub(super) async fn run(self) -> Result<(), Failure> {
        let Self { task, state, .. } = &self;
        let scheduler = self.target.scheduler().await?;
        if self.consent.dry_run || self.consent.asks() {
            let query = aurora_api::v1::TaskQuery {
                task_ids: vec![task.to_string()],
                ..Default::default()
            };
            let found = scheduler.bare_tasks(query).await?;
            let now = found.first().ok_or_else(|| {
                Failure::new(Code::InvalidParameter, format!("there is no task {task}"))
            })?;
            if self.consent.dry_run {
                if self.output.is_data() {
                    return self.output.print(&json!({
                        "task": task.as_str(),
                        "from": now.state.name(),
                        "to": state.name(),
                        "dryRun": true,
                    }));
                }
                return print(&format!("Would have {task} go from {} to {state}\n", now.state));
            }
            self.consent.ask(&format!("This has {task} go from {} to {state}.", now.state)).await?;
        }
        let (from, to) = scheduler.force_state(task, *state).await?;
        if self.output.is_data() {
            return self.output.print(&json!({
                "task": task.as_str(),
                "from": from.name(),
                "to": to.map(TaskState::name),
                "dryRun": false,
            }));
        }
        let to = to.map_or("not remembered any more", TaskState::name);
        print(&format!("{task} was {from} and is {to}\n"))
    }
}
