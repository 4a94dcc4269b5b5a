//! `aurora cron …` (`client.md` 8).

mod schedule;
mod show;
mod start;

use std::process::ExitCode;

use aurora_client::{Error, Scheduler, near};
use aurora_model::key::ClusterJobKey;
use serde_json::json;

use crate::failure::{Code, Failure};
use crate::one_job::OneJob;
use crate::output::{note, print, utc};
use crate::runtime;

/// The commands.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// Have a job of a file run by its schedule, in place of the one that there is; what runs goes on.
    Schedule(schedule::Args),
    /// Have no more runs of a job made; what runs goes on.
    Deschedule(OneJob),
    /// Make a run of a job now, as if it were due.
    Start(start::Args),
    /// Show the schedule of a job.
    Show(OneJob),
}

impl Command {
    pub(crate) fn run(self) -> Result<ExitCode, Failure> {
        runtime::block_on_until_interrupted(async {
            match self {
                Self::Schedule(args) => args.run().await,
                Self::Deschedule(of) => deschedule(of).await,
                Self::Start(args) => args.run().await,
                Self::Show(of) => show::run(of).await,
            }
            .map(|()| ExitCode::SUCCESS)
        })
    }
}

async fn deschedule(of: OneJob) -> Result<(), Failure> {
    let existed = of.scheduler().await?.deschedule_cron(&of.key.job).await?;
    if of.output.is_data() {
        return of.output.print(&json!({ "job": of.key.to_string(), "existed": existed }));
    }
    if !existed {
        note(&format!("{} was not scheduled", of.key));
    }
    print("Cron descheduling succeeded.\n")
}

/// A refusal of what was asked of a cron job, with which one may have been meant.
async fn near_of(error: Error, scheduler: &Scheduler, key: &ClusterJobKey) -> Failure {
    match error.code {
        // All that a scheduler refuses; one that cannot be asked knows no other job either.
        Code::Api | Code::InvalidParameter => {
            let near = near::hint_of(scheduler, key).await;
            Failure::new(error.code, format!("{error}{near}"))
        }
        _ => error.into(),
    }
}

/// A time as people and programs read it: of UTC, in whole seconds.
fn time(ms: i64) -> String {
    utc(ms) + "Z"
}
