//! `aurora task …`: what tasks print, commands beside them, their files (`client.md` 9).

mod copy;
mod exec;
mod logs;
mod remote;
mod terminal;

use std::collections::BTreeSet;
use std::process::ExitCode;

use aurora_api::v1;
use aurora_client::keys::InstanceKey;
use aurora_client::sandbox::{self, Sandbox};
use aurora_client::scheduler::{active_states, tasks_of};
use aurora_client::{Connection, Scheduler, logs::latest, near};
use aurora_model::key::{ClusterJobKey, JobKey};

use crate::failure::{Code, Failure};
use crate::runtime;

/// The commands.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// Show what tasks have printed, of ended ones too while their sandbox is there.
    Logs(logs::Args),
    /// Run a command in the sandbox of a task, as its user, through its agent.
    Exec(exec::ExecArgs),
    /// Open a shell in the sandbox of a task, as its user, through its agent.
    Shell(exec::ShellArgs),
    /// Copy files out of the sandbox of a task, or into it, through its agent.
    Cp(copy::Args),
    /// Run a command in the sandboxes of all instances, through ssh.
    Run(remote::RunArgs),
    /// Open a shell on the machine of a task, or run a command there, through ssh.
    Ssh(remote::SshArgs),
    /// Copy files from and to the machines of tasks, through scp.
    Scp(remote::ScpArgs),
}

impl Command {
    pub(crate) fn run(self) -> Result<ExitCode, Failure> {
        runtime::block_on(async {
            match self {
                Self::Logs(args) => args.run().await.map(|()| ExitCode::SUCCESS),
                Self::Exec(args) => Ok(args.run().await),
                Self::Shell(args) => Ok(args.run().await),
                Self::Cp(args) => args.run().await.map(|()| ExitCode::SUCCESS),
                Self::Run(args) => args.run().await.map(|()| ExitCode::SUCCESS),
                Self::Ssh(args) => args.run().await,
                Self::Scp(args) => args.run().await,
            }
        })
    }
}

/// The tasks of instances that have an agent, by instance: the active ones, or the latest of each.
async fn tasks(
    scheduler: &Scheduler,
    job: &JobKey,
    instances: Option<&BTreeSet<u32>>,
    only_active: bool,
) -> Result<Vec<v1::ScheduledTask>, Failure> {
    let mut query = tasks_of(job);
    query.instances = instances.into_iter().flatten().copied().collect();
    if only_active {
        query.states = active_states();
    }
    Ok(latest(scheduler.tasks(query).await?.tasks))
}

/// The sandbox of an instance that runs.
async fn running(key: &InstanceKey, connection: &Connection) -> Result<Sandbox, Failure> {
    let scheduler = Scheduler::of_cluster(&key.job.cluster, connection).await?;
    let found = tasks(&scheduler, &key.job.job, Some(&[key.instance].into()), true).await?;
    if found.is_empty() {
        return Err(none(&scheduler, &key.job, Some(key.instance), "has no task that runs").await);
    }
    one(&scheduler, &found).await
}

/// The sandbox of an instance, be it that of a task that has ended.
async fn any(key: &InstanceKey, connection: &Connection) -> Result<Sandbox, Failure> {
    let scheduler = Scheduler::of_cluster(&key.job.cluster, connection).await?;
    let found = tasks(&scheduler, &key.job.job, Some(&[key.instance].into()), false).await?;
    if found.is_empty() {
        let what = "has no task that has ever run";
        return Err(none(&scheduler, &key.job, Some(key.instance), what).await);
    }
    one(&scheduler, &found).await
}

async fn one(scheduler: &Scheduler, found: &[v1::ScheduledTask]) -> Result<Sandbox, Failure> {
    let sandbox = sandbox::of_tasks(scheduler, found).await?.pop();
    Ok(sandbox.ok_or_else(|| Failure::new(Code::Api, "the scheduler named no agent"))??)
}

/// Instances are not there; nor is their job, if another one is told of.
async fn none(
    scheduler: &Scheduler,
    job: &ClusterJobKey,
    instance: Option<u32>,
    what: &str,
) -> Failure {
    let near = match scheduler.tasks(tasks_of(&job.job)).await {
        Ok(found) if found.tasks.is_empty() => near::hint_of(scheduler, job).await,
        _ => String::new(),
    };
    let of = instance.map_or_else(|| job.to_string(), |instance| format!("{job}/{instance}"));
    Failure::new(
        Code::InvalidParameter,
        format!("{of} {what}; `aurora job status {job}` tells which there are{near}"),
    )
}
