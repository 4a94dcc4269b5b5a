//! `aurora cron …` (`client.md` 8).

mod schedule;
mod show;
mod start;

use std::process::ExitCode;

use aurora_model::key::ClusterJobKey;
use serde_json::json;

use crate::connect::{self, Scheduler};
use crate::discovery::Connection;
use crate::failure::Failure;
use crate::output::{Output, print, print_json};

/// The commands.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// Have a job of a file run by its schedule, in place of the one that there is; what runs goes on.
    Schedule(schedule::Args),
    /// Have no more runs of a job made; what runs goes on.
    Deschedule(DescheduleArgs),
    /// Make a run of a job now, as if it were due.
    Start(start::Args),
    /// Show the schedule of a job.
    Show(show::Args),
}

impl Command {
    pub(crate) fn run(self) -> Result<ExitCode, Failure> {
        connect::run(async {
            match self {
                Self::Schedule(args) => args.run().await,
                Self::Deschedule(args) => args.run().await,
                Self::Start(args) => args.run().await,
                Self::Show(args) => args.run().await,
            }
            .map(|()| ExitCode::SUCCESS)
        })
    }
}

#[derive(Debug, clap::Args)]
pub(crate) struct DescheduleArgs {
    /// The job: cluster/role/environment/name.
    #[arg(value_name = "JOB")]
    key: ClusterJobKey,
    #[command(flatten)]
    connection: Connection,
    #[command(flatten)]
    output: Output,
}

impl DescheduleArgs {
    async fn run(self) -> Result<(), Failure> {
        let scheduler = Scheduler::of_cluster(&self.key.cluster, &self.connection).await?;
        let existed = scheduler.deschedule_cron(&self.key.job).await?;
        if self.output.is_json() {
            return print_json(&json!({ "job": self.key.to_string(), "existed": existed }));
        }
        if !existed {
            crate::output::note(&format!("{} was not scheduled", self.key));
        }
        print("Cron descheduling succeeded.\n")
    }
}

/// A time as people and programs read it: of UTC, in whole seconds.
fn time(ms: i64) -> String {
    jiff::Timestamp::from_millisecond(ms)
        .map_or_else(|_| ms.to_string(), |time| time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string())
}
