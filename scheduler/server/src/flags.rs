//! What an operator can choose. The names are the original's (`api-and-http.md` 6), with `-`.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

use aurora_daemon::listen::Listen;
use aurora_model::job::{MilliCpus, ResourceBag};
use aurora_scheduler_core::Settings;

/// The flags of the scheduler.
#[derive(Debug, Clone, clap::Args)]
pub struct Flags {
    /// The name of this cluster.
    #[arg(long, value_name = "NAME")]
    pub cluster_name: String,
    /// Addresses of Mesos masters, host:port, separated by commas.
    #[arg(long, value_name = "HOST:PORT", value_delimiter = ',', required = true)]
    pub mesos_master_address: Vec<String>,
    /// The folder of the scheduler's log.
    #[arg(long, value_name = "DIR")]
    pub native_log_file_path: PathBuf,
    /// The address to listen on.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1")]
    pub ip: IpAddr,
    /// The port of the API and the pages.
    #[arg(long, value_name = "PORT", default_value_t = 8081)]
    pub http_port: u16,
    /// The name by which others reach this scheduler.
    #[arg(long, value_name = "NAME")]
    pub hostname: Option<String>,
    /// The port at which each agent's observer listens.
    #[arg(long, value_name = "PORT", default_value_t = 1338)]
    pub observer_port: u16,
    /// The program that runs tasks.
    #[arg(long, value_name = "PATH")]
    pub thermos_executor_path: PathBuf,
    /// What follows the program's name on its command line.
    #[arg(long, value_name = "TEXT", default_value = "", allow_hyphen_values = true)]
    pub thermos_executor_flags: String,
    /// Whether agents copy the program into the sandbox; if not, it is run where it is.
    #[arg(long, value_name = "BOOL", default_value_t = true, action = clap::ArgAction::Set)]
    pub thermos_executor_fetch: bool,
    /// Cores that an executor needs beside its task.
    #[arg(long, value_name = "CORES", default_value_t = 0.25)]
    pub thermos_executor_cpu: f64,
    /// Memory that an executor needs beside its task, in MB.
    #[arg(long, value_name = "MB", default_value_t = 128)]
    pub thermos_executor_ram: u64,
    /// The name under which Mesos shows this scheduler.
    #[arg(long, value_name = "NAME", default_value = "Aurora")]
    pub framework_name: String,
    /// Seconds that tasks run on while no scheduler is there.
    #[arg(long, value_name = "SECONDS", default_value_t = 21.0 * 86_400.0)]
    pub framework_failover_timeout: f64,
    /// The Mesos role whose resources are used.
    #[arg(long, value_name = "ROLE", default_value = "*")]
    pub mesos_role: String,
    /// The user as whom agents start the executor.
    #[arg(long, value_name = "USER")]
    pub executor_user: Option<String>,
    /// A file with `principal` and `secret` of this framework, one `name=value` a line.
    #[arg(long, value_name = "FILE")]
    pub framework_authentication_file: Option<PathBuf>,
    /// Instances that a job may have.
    #[arg(long, value_name = "COUNT", default_value_t = 4000)]
    pub max_tasks_per_job: u32,
    /// Seconds that offers are held before they are given back.
    #[arg(long, value_name = "SECONDS", default_value_t = 300)]
    pub min_offer_hold_time: u32,
    /// Seconds that agents' resources are not offered again after they were given back.
    #[arg(long, value_name = "SECONDS", default_value_t = 5.0)]
    pub offer_filter_duration: f64,
    /// A run that ends sooner than after these seconds is flapping.
    #[arg(long, value_name = "SECONDS", default_value_t = 300)]
    pub flapping_task_threshold: u32,
    /// Seconds that the first flapping run costs.
    #[arg(long, value_name = "SECONDS", default_value_t = 30)]
    pub initial_flapping_task_delay: u32,
    /// Seconds that a flapping run costs at most.
    #[arg(long, value_name = "SECONDS", default_value_t = 300)]
    pub max_flapping_task_delay: u32,
    /// Seconds after which a task that is on its way is given up.
    #[arg(long, value_name = "SECONDS", default_value_t = 300)]
    pub transient_task_state_timeout: u32,
    /// Seconds after which an unanswered kill is repeated.
    #[arg(long, value_name = "SECONDS", default_value_t = 15)]
    pub initial_task_kill_retry_interval: u32,
}

/// What a scheduler needs to start.
#[derive(Debug)]
pub struct Config {
    /// Where to listen.
    pub listen: Listen,
    /// The flags, checked.
    pub flags: Flags,
    /// The choices of the core.
    pub settings: Settings,
    /// Sent to the master.
    pub credential: Option<aurora_mesos::scheduler::Credential>,
    /// The name by which others reach this scheduler.
    pub hostname: String,
    /// The user as whom agents start the executor.
    pub executor_user: String,
}

/// Why flags cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum FlagsError {
    /// A value is out of its range.
    #[error("--{flag} is out of range: {value}")]
    Range {
        /// The flag.
        flag: &'static str,
        /// Its value.
        value: String,
    },
    /// A file cannot be used.
    #[error("failed to read the credentials in {}: {reason}", .path.display())]
    Credentials {
        /// The file.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// There is no name for the user who runs this.
    #[error("failed to find out who runs this: {0}; give --executor-user")]
    User(String),
}

impl TryFrom<Flags> for Config {
    type Error = FlagsError;

    fn try_from(flags: Flags) -> Result<Self, FlagsError> {
        let cpus =
            MilliCpus::from_cores(flags.thermos_executor_cpu).ok_or_else(|| FlagsError::Range {
                flag: "thermos-executor-cpu",
                value: flags.thermos_executor_cpu.to_string(),
            })?;
        for (flag, value) in [
            ("framework-failover-timeout", flags.framework_failover_timeout),
            ("offer-filter-duration", flags.offer_filter_duration),
        ] {
            if !(0.0..1e9).contains(&value) {
                return Err(FlagsError::Range { flag, value: value.to_string() });
            }
        }
        // A task that is given up, or told to end, again and again at once keeps everything else
        // waiting.
        for (flag, value) in [
            ("transient-task-state-timeout", flags.transient_task_state_timeout),
            ("initial-task-kill-retry-interval", flags.initial_task_kill_retry_interval),
        ] {
            if value == 0 {
                return Err(FlagsError::Range { flag, value: value.to_string() });
            }
        }
        let ms = |seconds: u32| i64::from(seconds) * 1000;
        let hostname = match &flags.hostname {
            Some(name) => name.clone(),
            None => hostname(),
        };
        let settings = Settings {
            scheduler_host: hostname.clone(),
            max_tasks_per_job: flags.max_tasks_per_job,
            executor_overhead: ResourceBag {
                cpus,
                ram_mb: flags.thermos_executor_ram,
                ..ResourceBag::default()
            },
            min_offer_hold_ms: ms(flags.min_offer_hold_time),
            flapping_threshold_ms: ms(flags.flapping_task_threshold),
            initial_flapping_delay_ms: ms(flags.initial_flapping_task_delay),
            max_flapping_delay_ms: ms(flags.max_flapping_task_delay),
            transient_timeout_ms: ms(flags.transient_task_state_timeout),
            initial_kill_retry_ms: ms(flags.initial_task_kill_retry_interval),
            ..Settings::default()
        };
        let executor_user = match &flags.executor_user {
            Some(user) => user.clone(),
            None => current_user()?,
        };
        Ok(Self {
            listen: Listen::Address(SocketAddr::new(flags.ip, flags.http_port)),
            credential: flags
                .framework_authentication_file
                .as_deref()
                .map(credential)
                .transpose()?,
            settings,
            hostname,
            executor_user,
            flags,
        })
    }
}

fn hostname() -> String {
    let name = rustix::system::uname().nodename().to_string_lossy().into_owned();
    if name.is_empty() { "localhost".to_owned() } else { name }
}

fn current_user() -> Result<String, FlagsError> {
    match nix::unistd::User::from_uid(nix::unistd::Uid::effective()) {
        Ok(Some(user)) => Ok(user.name),
        Ok(None) => {
            Err(FlagsError::User(format!("user {} has no name", nix::unistd::Uid::effective())))
        }
        Err(error) => Err(FlagsError::User(error.to_string())),
    }
}

/// Reads `aurora_authentication_principal=…` and `aurora_authentication_secret=…`, the original's
/// names, or the same without their beginning.
fn credential(path: &std::path::Path) -> Result<aurora_mesos::scheduler::Credential, FlagsError> {
    let failed = |reason: String| FlagsError::Credentials { path: path.to_owned(), reason };
    let text = std::fs::read_to_string(path).map_err(|error| failed(error.to_string()))?;
    let value = |name: &str| {
        text.lines()
            .filter_map(|line| line.split_once('='))
            .find(|(key, _)| key.trim().trim_start_matches("aurora_authentication_") == name)
            .map(|(_, value)| value.trim().to_owned())
            .ok_or_else(|| failed(format!("there is no line {name}=…")))
    };
    Ok(aurora_mesos::scheduler::Credential {
        principal: value("principal")?,
        secret: value("secret")?,
    })
}

#[cfg(test)]
mod tests {
    use clap::{Args, Command, FromArgMatches};

    use super::*;

    fn config(more: &[&str]) -> Result<Config, FlagsError> {
        let given = [
            "scheduler",
            "--cluster-name=c",
            "--mesos-master-address=localhost:5050",
            "--native-log-file-path=log",
            "--thermos-executor-path=executor",
            "--executor-user=nobody",
        ];
        let command = Flags::augment_args(Command::new("scheduler"));
        let matches = command.get_matches_from(given.iter().chain(more));
        Config::try_from(Flags::from_arg_matches(&matches).unwrap())
    }

    #[test]
    fn waits_of_no_length_are_refused() {
        assert!(config(&[]).is_ok());
        for flag in ["transient-task-state-timeout", "initial-task-kill-retry-interval"] {
            let error = config(&[&format!("--{flag}=0")]).unwrap_err().to_string();
            assert_eq!(error, format!("--{flag} is out of range: 0"));
        }
    }
}
