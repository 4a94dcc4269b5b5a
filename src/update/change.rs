//! `aurora update pause`, `resume`, `abort` and `rollback`.

use aurora_api::v1;
use aurora_client::{
    Change, Scheduler,
    updates::{self, Aim},
};
use serde_json::json;

use super::{Message, wait};
use crate::failure::Failure;
use crate::live::Progress;
use crate::one_job::OneJob;
use crate::output::{note, print};

/// What is said when it is done.
const fn done(change: Change) -> &'static str {
    match change {
        Change::Pause => "Update has been paused.",
        Change::Resume => "Update has been resumed.",
        Change::Abort => "Update has been aborted.",
        Change::Rollback => "Update rollback has started.",
    }
}

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    of: OneJob,
    #[command(flatten)]
    message: Message,
}

#[derive(Debug, clap::Args)]
pub(crate) struct RollbackArgs {
    #[command(flatten)]
    args: Args,
    /// Wait until it is over: 0 if the job is what it was, 4 if it is what it was to become, 20 otherwise.
    #[arg(long)]
    wait: bool,
    #[command(flatten)]
    progress: Progress,
}

impl Args {
    pub(super) async fn run(self, change: Change) -> Result<(), Failure> {
        self.make(change, false).await.map(drop)
    }

    /// Changes the active update of the job, and tells; of one that is followed the result as JSON comes at its
    /// end. Gives what is needed to follow it.
    async fn make(
        &self,
        change: Change,
        followed: bool,
    ) -> Result<(Scheduler, v1::UpdateKey), Failure> {
        let scheduler = self.of.scheduler().await?;
        let key = updates::active(&scheduler, &self.of.key).await?.key;
        let message = self.message.message.clone();
        let now = updates::status(scheduler.change_update(change, &key, message).await?)?;
        if self.of.output.is_data() && followed {
            note(done(change));
        } else if self.of.output.is_data() {
            self.of.output.print(&json!({
                "job": self.of.key.to_string(),
                "id": key.id,
                "status": now.name(),
            }))?;
        } else {
            print(&format!("{}\n", done(change)))?;
        }
        Ok((scheduler, key))
    }
}

impl RollbackArgs {
    pub(super) async fn run(self) -> Result<(), Failure> {
        let (scheduler, key) = self.args.make(Change::Rollback, self.wait).await?;
        if !self.wait {
            return Ok(());
        }
        let of = &self.args.of;
        wait::follow(&scheduler, &of.key, &key, Aim::Back, of.output, self.progress).await
    }
}
