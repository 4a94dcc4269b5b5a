//! `aurora job …` (`client.md` 6).

mod create;
mod inspect;
mod kill;
mod list;
mod status;
pub(crate) mod wait;

pub(crate) use kill::active_states;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use aurora_eval::{Binding, Config, Disk, Options, ReadyJob};
use aurora_model::key::ClusterJobKey;

use crate::failure::{Code, Failure};
use crate::output::warn;

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
}

impl Command {
    pub(crate) fn run(self) -> Result<(), Failure> {
        // Needs no runtime, and is waited for by editors and people.
        if let Self::Inspect(args) = self {
            return args.run();
        }
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime
            .map_err(|error| Failure::new(Code::Error, format!("failed to start: {error}")))?;
        runtime.block_on(async {
            match self {
                Self::Create(args) => args.run().await,
                Self::Kill(args) => args.run().await,
                Self::Killall(args) => args.run().await,
                Self::Status(args) => args.run().await,
                Self::List(args) => args.run().await,
                Self::Inspect(args) => args.run(),
            }
        })
    }
}

/// A configuration file and what is bound in it.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct File {
    /// The configuration, a .aurora file.
    #[arg(value_name = "FILE")]
    pub(crate) path: PathBuf,
    #[command(flatten)]
    pub(crate) bindings: Bindings,
}

/// What is bound from outside.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Bindings {
    /// Bind a name of the configuration to a text; may be repeated.
    #[arg(long = "bind", value_name = "NAME=VALUE")]
    pub(crate) bindings: Vec<Binding>,
}

impl File {
    pub(crate) fn evaluate(&self) -> Result<Arc<Config>, Failure> {
        evaluate(&self.path, &self.bindings.bindings)
    }

    /// The job of a key, ready to be submitted. Warnings have been told.
    fn job(&self, key: &ClusterJobKey) -> Result<ReadyJob, Failure> {
        let config = self.evaluate()?;
        let job = config.find(key).map_err(Failure::report)?;
        let job = job.ready(&owner()?).map_err(Failure::report)?;
        tell_warnings(&job);
        Ok(job)
    }
}

/// Tells what is doubtful about a job, and what of it has no effect so far.
pub(crate) fn tell_warnings(job: &ReadyJob) {
    for warning in &job.warnings {
        warn(warning);
    }
    let name = &job.config.name;
    let health = &job.config.health_check_config.health_checker;
    if health.shell.is_some() || job.request.task.resources.ports.contains("health") {
        warn(&format!(
            "job {name:?}: its health is not checked yet: an instance is well once it runs"
        ));
    }
    if job.config.announce.is_some() {
        warn(&format!("job {name:?}: its instances are not announced in ZooKeeper yet"));
    }
}

/// Evaluates a file.
pub(crate) fn evaluate(path: &Path, bindings: &[Binding]) -> Result<Arc<Config>, Failure> {
    let options = Options { bindings: bindings.to_vec(), ..Options::default() };
    aurora_eval::evaluate(path, &Disk, &options).map_err(Failure::report)
}

/// The Unix user who runs this command: the owner of what is submitted.
pub(crate) fn owner() -> Result<String, Failure> {
    let user = nix::unistd::Uid::effective();
    let found = nix::unistd::User::from_uid(user).map_err(|error| {
        Failure::new(Code::Error, format!("failed to find the name of user {user}: {error}"))
    })?;
    Ok(found.map_or_else(|| user.to_string(), |found| found.name))
}
