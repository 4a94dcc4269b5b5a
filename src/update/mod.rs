//! `aurora update …` (`client.md` 7).

mod change;
mod info;
mod list;
mod open;
mod start;
mod view;
mod wait;

pub(crate) use list::KINDS;
pub(crate) use start::request;
pub(crate) use wait::{follow, within};

use std::process::ExitCode;

use aurora_client::Change;

use crate::failure::Failure;
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
    /// Show the page of a job, where its updates are, in a browser.
    Open(open::Args),
}

impl Command {
    pub(crate) fn run(self) -> Result<ExitCode, Failure> {
        runtime::block_on_until_interrupted(async {
            match self {
                Self::Start(args) => args.run().await,
                Self::Pause(args) => args.run(Change::Pause).await,
                Self::Resume(args) => args.run(Change::Resume).await,
                Self::Abort(args) => args.run(Change::Abort).await,
                Self::Rollback(args) => args.run().await,
                Self::Wait(args) => args.run().await,
                Self::List(args) => args.run().await,
                Self::Info(args) => args.run().await,
                Self::Open(args) => args.run().await,
            }
            .map(|()| ExitCode::SUCCESS)
        })
    }
}

/// Why something is done.
#[derive(Debug, Clone, clap::Args)]
struct Message {
    /// Why, to be kept with the update.
    #[arg(long, short = 'm', value_name = "TEXT")]
    message: Option<String>,
}
