//! What an operator can choose (`executor.md` 20).

use std::path::PathBuf;

use crate::announce::AnnounceFlags;

/// The flags of the executor.
#[derive(Debug, Clone, clap::Args)]
pub struct Flags {
    /// Where the state of tasks is written down, for the observer to read.
    #[arg(long, value_name = "DIR", default_value = aurora_thermos::checkpoint::DEFAULT_ROOT)]
    pub checkpoint_root: PathBuf,
    /// Run processes as this user instead of the job's role.
    #[arg(long, value_name = "USER", conflicts_with = "nosetuid")]
    pub execute_as_user: Option<String>,
    /// Run processes as the user who runs the executor.
    #[arg(long)]
    pub nosetuid: bool,
    /// Run health checks as the user who runs the executor.
    #[arg(long)]
    pub nosetuid_health_checks: bool,
    /// Run processes as the user who runs the executor if there is no user of the role's name.
    #[arg(long)]
    pub fallback_to_current_user: bool,
    /// Seconds that a task's processes have to end when it is killed.
    #[arg(long, value_name = "SECONDS", default_value_t = 60)]
    pub stop_timeout_in_secs: u64,
    /// Announcing tasks in ZooKeeper.
    #[command(flatten)]
    pub announce: AnnounceFlags,
}
