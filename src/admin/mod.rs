//! `aurora admin …`, also called as `aurora_admin` (`admin.md`).

mod amounts;
mod backups;
mod cluster;
mod consent;
mod drain;
mod force;
mod hosts;
mod prune;
mod query;
mod quota;
mod reconcile;
mod safety;
mod sla_drain;
mod target;
mod template;

use std::process::ExitCode;

use aurora_model::job::TaskState;

use crate::failure::Failure;
use crate::runtime;

/// The commands, by the names that the original's have.
#[derive(Debug, clap::Subcommand)]
#[command(rename_all = "snake_case")]
pub(crate) enum Command {
    /// List tasks, one on each line.
    Query(query::Args),
    /// Have the scheduler forget tasks that have ended.
    PruneTasks(prune::Args),
    /// Have a task go to a state, whatever Mesos says of it.
    ForceTaskState(force::Args),
    /// Set what the production jobs of a role may use together; replaces what was set before.
    SetQuota(quota::SetArgs),
    /// Add to what the production jobs of a role may use together.
    IncreaseQuota(quota::IncreaseArgs),
    /// Use hosts only where there is no other place for a task.
    HostDeactivate(hosts::DeactivateArgs),
    /// Use hosts as before.
    HostActivate(hosts::ActivateArgs),
    /// Show the maintenance of hosts.
    HostStatus(hosts::StatusArgs),
    /// List hosts and their maintenance.
    HostList(hosts::ListArgs),
    /// Empty hosts one group after the other, from here; `sla_host_drain` has the scheduler do it.
    HostDrain(drain::Args),
    /// Have the scheduler empty hosts as fast as their jobs can bear it.
    SlaHostDrain(sla_drain::Args),
    /// Show what would become of the jobs on hosts if these were gone.
    SlaProbeHosts(safety::ProbeArgs),
    /// List the hosts that can be gone without breaking what jobs must keep.
    SlaListSafeDomain(safety::DomainArgs),
    /// Write a backup of the scheduler's state now.
    SchedulerBackupNow(backups::NowArgs),
    /// List the backups that are there.
    SchedulerListBackups(backups::ListArgs),
    /// Have the scheduler write its state down, so that its log need not be replayed.
    SchedulerSnapshot(backups::SnapshotArgs),
    /// Read a backup beside the live state, to go back to it.
    SchedulerStageRecovery(backups::StageArgs),
    /// List the active tasks of the backup that is staged.
    SchedulerPrintRecoveryTasks(backups::PrintArgs),
    /// Forget tasks of the backup that is staged.
    SchedulerDeleteRecoveryTasks(backups::DeleteArgs),
    /// Put the backup that is staged in the place of the live state.
    SchedulerCommitRecovery(backups::CommitArgs),
    /// Forget the backup that is staged.
    SchedulerUnloadRecovery(backups::UnloadArgs),
    /// Have the state of tasks compared with what Mesos knows.
    ReconcileTasks(reconcile::Args),
    /// Show what clusters.json says of a cluster.
    GetClusterConfig(cluster::ConfigArgs),
    /// Show where the scheduler of a cluster is.
    GetScheduler(cluster::SchedulerArgs),
}

impl Command {
    pub(crate) fn run(self) -> Result<ExitCode, Failure> {
        runtime::block_on_until_interrupted(async {
            match self {
                Self::Query(args) => args.run().await,
                Self::PruneTasks(args) => args.run().await,
                Self::ForceTaskState(args) => args.run().await,
                Self::SetQuota(args) => args.run().await,
                Self::IncreaseQuota(args) => args.run().await,
                Self::HostDeactivate(args) => args.run().await,
                Self::HostActivate(args) => args.run().await,
                Self::HostStatus(args) => args.run().await,
                Self::HostList(args) => args.run().await,
                Self::HostDrain(args) => args.run().await,
                Self::SlaHostDrain(args) => args.run().await,
                Self::SlaProbeHosts(args) => args.run().await,
                Self::SlaListSafeDomain(args) => args.run().await,
                Self::SchedulerBackupNow(args) => args.run().await,
                Self::SchedulerListBackups(args) => args.run().await,
                Self::SchedulerSnapshot(args) => args.run().await,
                Self::SchedulerStageRecovery(args) => args.run().await,
                Self::SchedulerPrintRecoveryTasks(args) => args.run().await,
                Self::SchedulerDeleteRecoveryTasks(args) => args.run().await,
                Self::SchedulerCommitRecovery(args) => args.run().await,
                Self::SchedulerUnloadRecovery(args) => args.run().await,
                Self::ReconcileTasks(args) => args.run().await,
                Self::GetClusterConfig(args) => args.run(),
                Self::GetScheduler(args) => args.run().await,
            }
            .map(|()| ExitCode::SUCCESS)
        })
    }
}

/// A state of tasks by its name.
fn task_state(text: &str) -> Result<TaskState, String> {
    text.parse().map_err(|error: aurora_model::job::UnknownTaskState| {
        format!("{error}: the states are {}", TaskState::ALL.map(TaskState::name).join(", "))
    })
}

/// The numbers of states on the wire.
fn wire(states: impl IntoIterator<Item = TaskState>) -> Vec<i32> {
    states.into_iter().map(|state| aurora_api::v1::TaskState::from(state) as i32).collect()
}
