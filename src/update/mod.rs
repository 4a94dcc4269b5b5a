//! `aurora update …` (`client.md` 7).

mod change;
mod info;
mod list;
mod start;
mod wait;

use std::process::ExitCode;

use aurora_api::updates::update_status;
use aurora_api::v1;
use aurora_client::{Change, Scheduler};
use aurora_model::key::{ClusterJobKey, JobKey, UpdateId};
use aurora_model::update::UpdateStatus;

use crate::failure::{Code, Failure};
use crate::runtime;

/// The commands.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// Start an update of a job to what a file says.
    Start(start::Args),
    /// Pause the update of a job: what was begun goes on, nothing more is begun.
    Pause(change::Args),
    /// Let the paused update of a job go on.
    Resume(change::Args),
    /// Give the update of a job up: the job stays what it is at that moment.
    Abort(change::Args),
    /// Undo the update of a job: its instances become what they were before.
    Rollback(change::RollbackArgs),
    /// Wait until an update is over.
    Wait(wait::Args),
    /// List updates.
    List(list::Args),
    /// Show an update with all that happened to it.
    Info(info::Args),
}

impl Command {
    pub(crate) fn run(self) -> Result<ExitCode, Failure> {
        runtime::block_on(async {
            match self {
                Self::Start(args) => args.run().await,
                Self::Pause(args) => args.run(Change::Pause).await,
                Self::Resume(args) => args.run(Change::Resume).await,
                Self::Abort(args) => args.run(Change::Abort).await,
                Self::Rollback(args) => args.run().await,
                Self::Wait(args) => args.run().await,
                Self::List(args) => args.run().await,
                Self::Info(args) => args.run().await,
            }
            .map(|()| ExitCode::SUCCESS)
        })
    }
}

/// The states in which an update is not over.
fn active() -> impl Iterator<Item = UpdateStatus> {
    UpdateStatus::ALL.into_iter().filter(|status| !status.is_terminal())
}

/// The active update of a job.
async fn active_update(scheduler: &Scheduler, job: &ClusterJobKey) -> Result<Update, Failure> {
    let found = scheduler.updates(v1::UpdateQuery {
        job: Some((&job.job).into()),
        statuses: active().map(|status| v1::UpdateStatus::from(status) as i32).collect(),
        ..v1::UpdateQuery::default()
    });
    match found.await?.as_slice() {
        [one] => Update::read(one),
        [] => Err(Failure::new(
            Code::InvalidParameter,
            format!(
                "{job} has no active update: `aurora update list {job}` shows those that are over"
            ),
        )),
        several => Err(Failure::new(
            Code::Api,
            format!("the scheduler says that {job} has {} active updates", several.len()),
        )),
    }
}

/// The update of this id, or the active one.
async fn named_update(
    scheduler: &Scheduler,
    job: &ClusterJobKey,
    id: Option<&UpdateId>,
) -> Result<Update, Failure> {
    let Some(id) = id else { return active_update(scheduler, job).await };
    let key = v1::UpdateKey { job: Some((&job.job).into()), id: id.to_string() };
    let query = v1::UpdateQuery { key: Some(key), ..v1::UpdateQuery::default() };
    match scheduler.updates(query).await?.first() {
        Some(summary) => Update::read(summary),
        None => Err(Failure::new(
            Code::InvalidParameter,
            format!("there is no update {id} of {job}, or none any more"),
        )),
    }
}

/// An update, as it is shown in lists.
#[derive(Debug, Clone)]
struct Update {
    key: v1::UpdateKey,
    job: JobKey,
    user: String,
    status: UpdateStatus,
    created_ms: i64,
    modified_ms: i64,
    tally: v1::UpdateTally,
}

impl Update {
    fn read(summary: &v1::UpdateSummary) -> Result<Self, Failure> {
        let improper = || Failure::new(Code::Api, "the scheduler told of an update without a key");
        let key = summary.key.clone().ok_or_else(improper)?;
        let job = key.job.as_ref().ok_or_else(improper)?;
        let job = JobKey::try_from(job).map_err(|_| improper())?;
        Ok(Self {
            job,
            key,
            user: summary.user.clone(),
            status: status(summary.status)?,
            created_ms: summary.created_ms,
            modified_ms: summary.modified_ms,
            tally: summary.tally.unwrap_or_default(),
        })
    }
}

fn status(number: i32) -> Result<UpdateStatus, Failure> {
    update_status(number).map_err(|error| Failure::new(Code::Api, error.to_string()))
}

/// Why something is done.
#[derive(Debug, Clone, clap::Args)]
struct Message {
    /// Why, to be kept with the update.
    #[arg(long, short = 'm', value_name = "TEXT")]
    message: Option<String>,
}
