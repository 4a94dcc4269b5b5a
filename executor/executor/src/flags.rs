//! What an operator can choose (`executor.md` 20).

use std::path::PathBuf;

use aurora_thermos::spec::{Logger, LoggerError};

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
    /// Where processes print to that do not say so themselves.
    #[arg(long, value_name = "PLACE", value_parser = ["file", "console", "both", "none"])]
    pub runner_logger_destination: Option<String>,
    /// How their log files are kept.
    #[arg(long, value_name = "MODE", value_parser = ["standard", "rotate"])]
    pub runner_logger_mode: Option<String>,
    /// MiB of a log file that is rotated; 100 by default.
    #[arg(long, value_name = "MIB")]
    pub runner_rotate_log_size_mb: Option<u64>,
    /// Old log files that are kept; 5 by default.
    #[arg(long, value_name = "COUNT")]
    pub runner_rotate_log_backups: Option<u32>,
    /// Announcing tasks in ZooKeeper.
    #[command(flatten)]
    pub announce: AnnounceFlags,
}

impl Flags {
    /// What is done with the output of processes that do not say so themselves (`executor.md` 10).
    ///
    /// # Errors
    /// A number is out of its range.
    pub(crate) fn logger(&self) -> Result<Logger, LoggerError> {
        Logger::from_flags(
            self.runner_logger_destination.as_deref().unwrap_or_default(),
            self.runner_logger_mode.as_deref().unwrap_or_default(),
            self.runner_rotate_log_size_mb.unwrap_or(0),
            self.runner_rotate_log_backups.unwrap_or(0),
        )
    }
}
