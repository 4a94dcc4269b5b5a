//! The flags of backups.

use std::path::{Path, PathBuf};

use crate::flags::{FlagsError, positive, whole_seconds};

/// What an operator can choose of backups, by the original's names.
#[derive(Debug, Clone, clap::Args)]
pub struct BackupFlags {
    /// The folder of the backups of the scheduler's state, which no other scheduler may use; without it
    /// "backups" in that of the log.
    #[arg(long, value_name = "DIR")]
    pub backup_dir: Option<PathBuf>,
    /// How often a backup is made.
    #[arg(long, value_name = "DURATION", default_value = "1hrs", value_parser = whole_seconds)]
    pub backup_interval: u32,
    /// Backups that are kept; the oldest are removed.
    #[arg(long, value_name = "COUNT", default_value_t = 48)]
    pub max_saved_backups: u32,
}

impl BackupFlags {
    /// Refuses what makes no sense.
    pub(crate) fn check(&self) -> Result<(), FlagsError> {
        positive(&[
            ("backup-interval", self.backup_interval),
            ("max-saved-backups", self.max_saved_backups),
        ])
    }

    /// Where backups are, the log being in this folder.
    pub(crate) fn folder(&self, log: &Path) -> PathBuf {
        self.backup_dir.clone().unwrap_or_else(|| log.join("backups"))
    }
}
