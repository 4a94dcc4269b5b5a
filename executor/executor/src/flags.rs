//! What an operator can choose (`executor.md` 20).

use std::path::{Component, Path, PathBuf};

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
    /// Add no user or group to the images of tasks.
    #[arg(long)]
    pub no_create_user: bool,
    /// Where the sandbox is in the image of a task.
    #[arg(long, value_name = "DIR", default_value = "/mnt/mesos/sandbox", value_parser = mount_point)]
    pub sandbox_mount_point: PathBuf,
    /// Seconds that a task's processes have to end when it is killed.
    #[arg(long, value_name = "SECONDS", default_value_t = 60)]
    pub stop_timeout_in_secs: u64,
    /// Give the task's processes all variables of the executor, but its secret, instead of its PATH only.
    #[arg(long, alias = "preserve_env")]
    pub preserve_env: bool,
    /// Where processes print to that do not say so themselves.
    #[arg(long, value_name = "PLACE", value_parser = ["file", "console", "both", "none"],
          default_value = "file")]
    pub runner_logger_destination: String,
    /// How their log files are kept: they grow, or are rotated.
    #[arg(long, value_name = "MODE", value_parser = ["standard", "rotate"],
          default_value = "standard")]
    pub runner_logger_mode: String,
    /// MiB of a log file that is rotated, from 1 on.
    #[arg(long, value_name = "MIB", default_value_t = Logger::ROTATE_SIZE >> 20,
          value_parser = clap::value_parser!(u64).range(1..=Logger::MAX_SIZE_MIB))]
    pub runner_rotate_log_size_mb: u64,
    /// Old log files that are kept, from 1 to 1000.
    #[arg(long, value_name = "COUNT", default_value_t = Logger::ROTATE_BACKUPS,
          value_parser = clap::value_parser!(u32).range(1..=i64::from(Logger::MAX_BACKUPS)))]
    pub runner_rotate_log_backups: u32,
    /// Announcing tasks in ZooKeeper.
    #[command(flatten)]
    pub announce: AnnounceFlags,
}

/// Reads a path that can be written down as a user's home.
fn mount_point(text: &str) -> Result<PathBuf, String> {
    let path = Path::new(text);
    let plain =
        path.components().all(|part| matches!(part, Component::RootDir | Component::Normal(_)));
    let has_name = path.is_absolute() && path.file_name().is_some();
    if plain && has_name && !text.contains(|c: char| c == ':' || c.is_control()) {
        Ok(path.to_owned())
    } else {
        Err("it must be an absolute path below /, without .., colons and control characters"
            .to_owned())
    }
}

impl Flags {
    /// What is done with the output of processes that do not say so themselves (`executor.md` 10).
    ///
    /// # Errors
    /// A number is out of its range.
    pub(crate) fn logger(&self) -> Result<Logger, LoggerError> {
        Logger::from_flags(
            &self.runner_logger_destination,
            &self.runner_logger_mode,
            self.runner_rotate_log_size_mb,
            self.runner_rotate_log_backups,
        )
    }
}

#[cfg(test)]
mod tests {
    use aurora_thermos::spec::{Destination, Mode};
    use clap::{CommandFactory as _, Parser};

    use super::*;

    #[derive(Parser)]
    struct Args {
        #[command(flatten)]
        flags: Flags,
    }

    fn logger(args: &[&str]) -> Result<Logger, String> {
        let args = ["executor"].iter().chain(args);
        let args = Args::try_parse_from(args).map_err(|error| error.to_string())?;
        args.flags.logger().map_err(|error| error.to_string())
    }

    #[test]
    fn s49_flags_say_how_output_is_kept_and_help_says_what_is_kept_without_them() {
        assert_eq!(logger(&[]), Ok(Logger::default()));
        let rotated = Mode::Rotate { size: 100 << 20, backups: 5 };
        let file = Logger { destination: Destination::File, mode: rotated };
        assert_eq!(logger(&["--runner-logger-mode=rotate"]), Ok(file));
        let help = Args::command().render_long_help().to_string();
        for default in ["file", "standard", "100", "5"] {
            assert!(help.contains(&format!("[default: {default}]")), "{help}");
        }
    }

    #[test]
    fn s49a_a_number_out_of_its_range_is_named_with_the_range() {
        for (flag, range) in [
            ("--runner-rotate-log-size-mb=0", "1..="),
            ("--runner-rotate-log-size-mb=18446744073709551615", "1..="),
            ("--runner-rotate-log-backups=0", "1..=1000"),
            ("--runner-rotate-log-backups=1001", "1..=1000"),
        ] {
            let error = logger(&[flag]).unwrap_err();
            let (name, _) = flag.split_once('=').unwrap();
            assert!(error.contains(name) && error.contains(range), "{error}");
        }
    }
}
