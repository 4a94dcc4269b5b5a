//! `aurora job …` (`client.md` 6).

mod compare;
mod create;
mod diff;
mod inspect;
mod kill;
mod list;
mod status;

pub(crate) use diff::against;
pub(crate) use inspect::describe;
pub(crate) use kill::active_states;
pub(crate) use status::task_json;

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use aurora_eval::{Config, Engine, ReadyJob, Severity};
use aurora_model::key::ClusterJobKey;

use crate::config::Outside;
use crate::failure::{Code, Failure};
use crate::output::note;
use crate::runtime;

/// The commands.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// Create a job, which must not have active tasks.
    Create(create::Args),
    /// Kill instances of a job.
    Kill(kill::KillArgs),
    /// Kill all instances of a job.
    Killall(kill::KillAllArgs),
    /// Show the tasks of jobs.
    Status(status::Args),
    /// List the keys of jobs.
    List(list::Args),
    /// Show a job of a file as it would be submitted; nothing is submitted.
    Inspect(inspect::Args),
    /// Show what submitting a job of a file would change of what runs; nothing is submitted.
    Diff(diff::Args),
}

impl Command {
    pub(crate) fn run(self) -> Result<ExitCode, Failure> {
        // Needs no runtime, and is waited for by people.
        if let Self::Inspect(args) = self {
            return args.run().map(|()| ExitCode::SUCCESS);
        }
        runtime::block_on(async {
            match self {
                Self::Create(args) => args.run().await,
                Self::Kill(args) => args.run().await,
                Self::Killall(args) => args.run().await,
                Self::Status(args) => args.run().await,
                Self::List(args) => args.run().await,
                Self::Inspect(args) => args.run(),
                Self::Diff(args) => return args.run().await,
            }
            .map(|()| ExitCode::SUCCESS)
        })
    }
}

/// A configuration file and what it may see of the outside.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct File {
    /// The configuration, a .aurora file; - for the standard input.
    #[arg(value_name = "FILE")]
    pub(crate) path: PathBuf,
    #[command(flatten)]
    pub(crate) outside: Outside,
}

impl File {
    pub(crate) fn evaluate(&self) -> Result<Arc<Config>, Failure> {
        self.outside.evaluate(&Engine::default(), &self.path, &owner()?)?.map_err(Failure::report)
    }

    /// The job of a key, ready to be submitted. Warnings have been told.
    pub(crate) fn job(&self, key: &ClusterJobKey) -> Result<ReadyJob, Failure> {
        let config = self.evaluate()?;
        let job = config.find(key).map_err(Failure::report)?;
        let owner = owner()?;
        let job = job.ready(&owner).map_err(Failure::report)?;
        tell_doubts(&config, &owner, Some(key));
        Ok(job)
    }
}

/// Tells what is doubtful about a file and its jobs, or one of them.
pub(crate) fn tell_doubts(config: &Config, owner: &str, only: Option<&ClusterJobKey>) {
    for report in config.check(owner, only) {
        if report.severity() == Severity::Warning {
            note(format!("{:?}", miette::Report::new(report)).trim_end());
        }
    }
}

/// The Unix user who runs this command: the owner of what is submitted.
pub(crate) fn owner() -> Result<String, Failure> {
    let user = nix::unistd::Uid::effective();
    let found = nix::unistd::User::from_uid(user).map_err(|error| {
        Failure::new(Code::Error, format!("failed to find the name of user {user}: {error}"))
    })?;
    Ok(found.map_or_else(|| user.to_string(), |found| found.name))
}
