//! `aurora job …` (`client.md` 6).

mod add;
mod compare;
mod create;
mod diff;
pub(crate) mod images;
mod inspect;
mod kill;
mod list;
mod meaning;
mod open;
mod plan;
pub(crate) mod plan_text;
mod restart;
mod status;
mod viewer;
mod wait;
mod watch;

pub(crate) use compare::text;
pub(crate) use diff::{Args as DiffArgs, against, tell_conflicts};
pub(crate) use inspect::{Args as InspectArgs, describe};
pub(crate) use plan::{Args as PlanArgs, ask as ask_plan, dry_run};
pub(crate) use status::task_json;

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use aurora_api::v1;
use aurora_client::{Connection, Scheduler, near};
use aurora_eval::{Config, Engine, EvaluatedJob, ReadyJob, Severity};
use aurora_model::key::ClusterJobKey;

use crate::config::Outside;
use crate::failure::{Code, Failure};
use crate::output::{note, warn};
use crate::runtime;

/// The commands.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// Create a job, which must not have active tasks.
    Create(create::Args),
    /// Add instances to a job, like one that it has.
    Add(add::Args),
    /// Kill instances of a job.
    Kill(kill::KillArgs),
    /// Kill all instances of a job.
    Killall(kill::KillAllArgs),
    /// Restart instances of a job, in batches, and see whether they come up well.
    Restart(restart::Args),
    /// Wait until instances of a job are in some state.
    Wait(wait::Args),
    /// Show the tasks of jobs.
    Status(status::Args),
    /// List the keys of jobs.
    List(list::Args),
    /// The same as `aurora why`.
    Why(crate::why::Args),
    /// Show the page of a job, an environment, a role or a cluster in a browser.
    Open(open::Args),
    /// Show a job of a file as it would be submitted; nothing is submitted.
    Inspect(inspect::Args),
    /// Show what submitting a job of a file would change of what runs; nothing is submitted.
    Diff(diff::Args),
    /// Show everything that submitting a job of a file would do: to its instances, to its role's quota, and whether
    /// there is room; nothing is submitted.
    Plan(plan::Args),
}

impl Command {
    pub(crate) fn run(self) -> Result<ExitCode, Failure> {
        runtime::block_on_until_interrupted(async {
            match self {
                Self::Create(args) => args.run().await,
                Self::Add(args) => args.run().await,
                Self::Kill(args) => args.run().await,
                Self::Killall(args) => args.run().await,
                Self::Restart(args) => args.run().await,
                Self::Wait(args) => args.run().await,
                Self::Status(args) => args.run().await,
                Self::List(args) => args.run().await,
                Self::Why(args) => args.tell().await,
                Self::Open(args) => args.run().await,
                Self::Inspect(args) => args.run().await,
                Self::Diff(args) => return args.run().await,
                Self::Plan(args) => return args.run().await,
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
    /// The file is JSON: a job, or an object with a list of `jobs`.
    #[arg(long)]
    pub(crate) read_json: bool,
    #[command(flatten)]
    pub(crate) outside: Outside,
}

impl File {
    pub(crate) fn evaluate(&self) -> Result<Arc<Config>, Failure> {
        let config = match self.read_json {
            true => self.outside.evaluate_json(&self.path, &owner()?)?,
            false => self.outside.evaluate(&Engine::default(), &self.path, &owner()?)?,
        };
        config.map_err(Failure::report)
    }

    /// The job of a key, ready to be submitted. Warnings have been told.
    pub(crate) async fn job(
        &self,
        key: &ClusterJobKey,
        connection: &Connection,
    ) -> Result<ReadyJob, Failure> {
        self.checked(key, connection, |_, _| Ok(())).await
    }

    /// The same of a job that may be updated: if it is a service, what its update sends is right, too.
    pub(crate) async fn job_to_update(
        &self,
        key: &ClusterJobKey,
        connection: &Connection,
    ) -> Result<ReadyJob, Failure> {
        let check = |job: &EvaluatedJob, ready: &ReadyJob| match ready.config.service {
            true => job.check_update().map_err(Failure::report),
            false => Ok(()),
        };
        self.checked(key, connection, check).await
    }

    async fn checked(
        &self,
        key: &ClusterJobKey,
        connection: &Connection,
        check: impl FnOnce(&EvaluatedJob, &ReadyJob) -> Result<(), Failure>,
    ) -> Result<ReadyJob, Failure> {
        let config = self.evaluate()?;
        let found = config.find(key).map_err(Failure::report)?;
        let owner = owner()?;
        let (bound, job) = images::ready(found, &owner, connection).await?;
        check(bound.as_ref().unwrap_or(found), &job)?;
        tell_doubts(&config, &owner, Some(key));
        Ok(job)
    }
}

/// A configuration that is looked at before something is done to a job that is there.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Checked {
    /// Do nothing unless this configuration can be used and has the job; nothing else is made of it.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// The configuration is JSON.
    #[arg(long, requires = "config")]
    read_json: bool,
    #[command(flatten)]
    outside: Outside,
}

impl Checked {
    pub(crate) async fn check(
        &self,
        key: &ClusterJobKey,
        connection: &Connection,
    ) -> Result<(), Failure> {
        let Some(path) = self.config.clone() else { return Ok(()) };
        let (read_json, outside) = (self.read_json, self.outside.clone());
        File { path, read_json, outside }.job(key, connection).await.map(drop)
    }
}

/// The end of a sentence about instances that are not there: which job may have been meant if this one has none.
async fn near_if(is_absent: bool, scheduler: &Scheduler, key: &ClusterJobKey) -> String {
    if is_absent { near::hint_of(scheduler, key).await } else { String::new() }
}

/// Warns of an option that is taken for the sake of scripts of before.
pub(crate) fn warn_ignored(option: &str, why: &str) {
    warn(&format!("{option} has no effect: {why}"));
}

/// What is to be said of a job's SLA policy when the number of its instances changes; nothing if no task has
/// one with a number in it.
fn unadjusted_sla(tasks: &[v1::ScheduledTask]) -> Option<String> {
    use v1::sla_policy::Policy;
    let policies = tasks.iter().filter_map(|task| {
        task.assigned.as_ref()?.task.as_ref()?.sla_policy.as_ref()?.policy.as_ref()
    });
    let words = policies.into_iter().find_map(|policy| match policy {
        Policy::Count(policy) => Some(format!("{} instances", policy.count)),
        Policy::Percentage(policy) => Some(format!("{} % of the instances", policy.percentage)),
        Policy::Coordinator(_) => None,
    })?;
    Some(format!(
        "the job's SLA policy asks for {words}; it is not adjusted to the new number of instances"
    ))
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
