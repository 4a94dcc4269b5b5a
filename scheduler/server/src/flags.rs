//! What an operator can choose. The names are the original's (`api-and-http.md` 6), with `-`.

use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

use aurora_daemon::listen::Listen;
use aurora_mesos::executor::parse_duration;
use aurora_model::cron::Zone;
use aurora_model::job::{MilliCpus, ResourceBag};
use aurora_model::quota::ResourceAggregate;
use aurora_scheduler_core::{
    Environments, MAX_CRON_CATCH_UP, MAX_TASKS_PER_JOB, Settings, SlaCategory, SlaMetrics,
};
use aurora_scheduler_session::Program;

use crate::webhook::Webhook;

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
    /// The program that runs tasks: a path on the agents, or an address such as
    /// http://files.example.com/aurora-executor from which they fetch it.
    #[arg(long, value_name = "PATH|URI")]
    pub thermos_executor_path: PathBuf,
    /// What follows the program's name on its command line.
    #[arg(long, value_name = "TEXT", default_value = "", allow_hyphen_values = true)]
    pub thermos_executor_flags: String,
    /// Whether agents fetch the program into the sandbox; if not, it is run where it is.
    #[arg(long, value_name = "BOOL", default_value_t = true, action = clap::ArgAction::Set)]
    pub thermos_executor_fetch: bool,
    /// Cores that an executor needs beside its task.
    #[arg(long, value_name = "CORES", default_value_t = 0.25)]
    pub thermos_executor_cpu: f64,
    /// Memory that an executor needs beside its task, such as 128MB; a number alone is of MB.
    #[arg(long, value_name = "SIZE", default_value = "128MB", value_parser = megabytes)]
    pub thermos_executor_ram: u64,
    /// Whether Mesos is told where tasks serve, as their DiscoveryInfo, for what looks there.
    #[arg(long, value_name = "BOOL", default_value_t = false, action = clap::ArgAction::Set,
        num_args = 0..=1, default_missing_value = "true")]
    pub populate_discovery_info: bool,
    /// The name under which Mesos shows this scheduler.
    #[arg(long, value_name = "NAME", default_value = "Aurora")]
    pub framework_name: String,
    /// How long tasks run on while no scheduler is there, such as 21days; a number alone is of
    /// seconds, here and wherever a duration is asked for.
    #[arg(long, value_name = "DURATION", default_value = "21days", value_parser = seconds)]
    pub framework_failover_timeout: f64,
    /// The Mesos role whose resources are used.
    #[arg(long, value_name = "ROLE", default_value = "*")]
    pub mesos_role: String,
    /// Whether agents offer resources that they may take back.
    #[arg(long, value_name = "BOOL", default_value_t = false, action = clap::ArgAction::Set,
        num_args = 0..=1, default_missing_value = "true")]
    pub receive_revocable_resources: bool,
    /// The user as whom agents start the executor.
    #[arg(long, value_name = "USER")]
    pub executor_user: Option<String>,
    /// A file with `principal` and `secret` of this framework, one `name=value` a line.
    #[arg(long, value_name = "FILE")]
    pub framework_authentication_file: Option<PathBuf>,
    /// Where people find how a job does: an address to which ROLE/ENVIRONMENT/JOB is appended.
    #[arg(long, value_name = "URL", default_value = "")]
    pub viz_job_url_prefix: String,
    /// Instances that a job may have, 100000 at most.
    #[arg(long, value_name = "COUNT", default_value_t = 4000,
        value_parser = clap::value_parser!(u32).range(1..=i64::from(MAX_TASKS_PER_JOB)))]
    pub max_tasks_per_job: u32,
    /// The environments that jobs may have, as a regular expression that all of the name must match.
    #[arg(long, value_name = "REGEX", default_value = Environments::DEFAULT,
        value_parser = environments)]
    pub allowed_job_environments: Environments,
    /// What the production jobs of a role may use for which no quota was set.
    #[arg(long, value_enum, value_name = "AMOUNT", default_value_t)]
    pub unset_quota: UnsetQuota,
    /// How long offers are held before they are given back.
    #[arg(long, value_name = "DURATION", default_value = "5mins", value_parser = whole_seconds)]
    pub min_offer_hold_time: u32,
    /// How long agents' resources are not offered again after they were given back.
    #[arg(long, value_name = "DURATION", default_value = "5secs", value_parser = seconds)]
    pub offer_filter_duration: f64,
    /// A run that ends sooner is flapping.
    #[arg(long, value_name = "DURATION", default_value = "5mins", value_parser = whole_seconds)]
    pub flapping_task_threshold: u32,
    /// How long the first flapping run keeps its instance waiting.
    #[arg(long, value_name = "DURATION", default_value = "30secs", value_parser = whole_seconds)]
    pub initial_flapping_task_delay: u32,
    /// How long a flapping run keeps its instance waiting at most.
    #[arg(long, value_name = "DURATION", default_value = "5mins", value_parser = whole_seconds)]
    pub max_flapping_task_delay: u32,
    /// How long a task may be on its way before it is given up.
    #[arg(long, value_name = "DURATION", default_value = "5mins", value_parser = whole_seconds)]
    pub transient_task_state_timeout: u32,
    /// A file that says where changes of tasks are sent: see docs/webhooks.md.
    #[arg(long, value_name = "FILE")]
    pub webhook_config: Option<PathBuf>,
    /// How often the numbers of this process are sampled for graphs.
    #[arg(long, value_name = "DURATION", default_value = "1secs", value_parser = whole_seconds)]
    pub stat_sampling_interval: u32,
    /// For how long these samples are kept.
    #[arg(long, value_name = "DURATION", default_value = "1hrs", value_parser = whole_seconds)]
    pub stat_retention_period: u32,
    /// How often it is added up what tasks use and roles may use.
    #[arg(long, value_name = "DURATION", default_value = "1mins", value_parser = whole_seconds)]
    pub async_task_stat_update_interval: u32,
    /// How often it is found out how many tasks of which size would still find a place.
    #[arg(long, value_name = "DURATION", default_value = "1mins", value_parser = whole_seconds)]
    pub async_slot_stat_update_interval: u32,
    /// How many past events are kept for those who read them, at most; about 64 MiB of them together.
    #[arg(long, value_name = "COUNT", default_value_t = 65_536)]
    pub event_buffer: usize,
    /// How long a kill may be unanswered before it is repeated.
    #[arg(long, value_name = "DURATION", default_value = "15secs", value_parser = whole_seconds)]
    pub initial_task_kill_retry_interval: u32,
    /// How long before its maintenance a host takes no tasks, and is left.
    #[arg(long, value_name = "DURATION", default_value = "6mins", value_parser = whole_seconds)]
    pub unavailability_threshold: u32,
    /// Whether jobs may ask for GPUs.
    #[arg(long, value_name = "BOOL", default_value_t = false, action = clap::ArgAction::Set,
        num_args = 0..=1, default_missing_value = "true")]
    pub allow_gpu_resource: bool,
    /// Whether jobs may mount folders of the machines they run on.
    #[arg(long, value_name = "BOOL", default_value_t = false, action = clap::ArgAction::Set,
        num_args = 0..=1, default_missing_value = "true")]
    pub allow_container_volumes: bool,
    /// The time zone of cron jobs that name none.
    #[arg(long, value_name = "ZONE", default_value = "GMT")]
    pub cron_timezone: Zone,
    /// Missed runs of a cron job that are made up for at most, if it asks for all; 10000 at most.
    #[arg(long, value_name = "COUNT", default_value_t = 100,
        value_parser = clap::value_parser!(u32).range(..=i64::from(MAX_CRON_CATCH_UP)))]
    pub cron_catch_up_limit: u32,
    /// How often drains are looked at again whatever has happened.
    #[arg(long, value_name = "DURATION", default_value = "1mins", value_parser = whole_seconds)]
    pub host_maintenance_polling_interval: u32,
    /// Whether SLA policies protect jobs that are not for production too.
    #[arg(long, value_name = "BOOL", default_value_t = false, action = clap::ArgAction::Set,
        num_args = 0..=1, default_missing_value = "true")]
    pub sla_aware_kill_non_prod: bool,
    /// Instances below which SLA policies by percentage or count protect nothing.
    #[arg(long, value_name = "COUNT", default_value_t = 20)]
    pub min_required_instances_for_sla_check: u32,
    /// The longest time that an SLA policy may want an instance to have run.
    #[arg(long, value_name = "DURATION", default_value = "2hrs", value_parser = whole_seconds)]
    pub max_sla_duration_secs: u32,
    /// SLA coordinators that are asked at the same time.
    #[arg(long, value_name = "COUNT", default_value_t = 10)]
    pub max_parallel_coordinated_maintenance: u32,
    /// How long an SLA coordinator may take to answer.
    #[arg(long, value_name = "DURATION", default_value = "1mins", value_parser = whole_seconds)]
    pub sla_coordinator_timeout: u32,
    /// How often it is measured how well services are served, and of how much time.
    #[arg(long, value_name = "DURATION", default_value = "1mins", value_parser = whole_seconds)]
    pub sla_stat_refresh_interval: u32,
    /// What is measured of services for production: any of JOB_UPTIMES, PLATFORM_UPTIME and MEDIANS,
    /// separated by commas.
    #[arg(long, value_name = "LIST", default_value = "JOB_UPTIMES,PLATFORM_UPTIME,MEDIANS",
        value_parser = categories)]
    pub sla_prod_metrics: Categories,
    /// What is measured of other services.
    #[arg(long, value_name = "LIST", default_value = "", value_parser = categories)]
    pub sla_non_prod_metrics: Categories,
    /// Where tasks go.
    #[command(flatten)]
    pub placement: crate::placement_flags::PlacementFlags,
    /// How updates go.
    #[command(flatten)]
    pub updates: crate::update_flags::UpdateFlags,
    /// What is done by the clock.
    #[command(flatten)]
    pub upkeep: crate::upkeep_flags::UpkeepFlags,
    /// What is kept to go back to.
    #[command(flatten)]
    pub backups: crate::backup_flags::BackupFlags,
}

/// What a role may use for which no quota was set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub enum UnsetQuota {
    /// Nothing: production jobs are refused until a quota is set.
    #[default]
    Zero,
    /// As much as there is.
    Unlimited,
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
    /// What is measured.
    pub sla: SlaMetrics,
    /// Sent to the master.
    pub credential: Option<aurora_mesos::scheduler::Credential>,
    /// Where changes of tasks are sent.
    pub webhook: Option<Webhook>,
    /// The name by which others reach this scheduler.
    pub hostname: String,
    /// The program that runs tasks.
    pub executor: Program,
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
    /// A file that describes something is not as it must be.
    #[error("failed to read --{flag} {}: {reason}", .path.display())]
    File {
        /// The flag that names it.
        flag: &'static str,
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// What is to run tasks is where agents do not look for it.
    #[error(
        "--thermos-executor-path {0} is no path on the agents: leave --thermos-executor-fetch true, so that they fetch it"
    )]
    NotFetched(String),
    /// The address of what is to run tasks names no file.
    #[error("--thermos-executor-path {0} names no file")]
    NoExecutor(String),
    /// There is no name for the user who runs this.
    #[error("failed to find out who runs this: {0}; give --executor-user")]
    User(String),
}

impl Flags {
    /// The program that runs tasks.
    fn executor(&self) -> Result<Program, FlagsError> {
        let path = self.thermos_executor_path.to_string_lossy();
        if self.thermos_executor_fetch {
            return Program::fetched(&path)
                .ok_or_else(|| FlagsError::NoExecutor(path.into_owned()));
        }
        if path.contains("://") {
            return Err(FlagsError::NotFetched(path.into_owned()));
        }
        Ok(Program::There(path.into_owned()))
    }
}

impl Config {
    /// The same for another scheduler at the same socket, which must be bound.
    pub(crate) fn another(&self) -> std::io::Result<Self> {
        let listen = match &self.listen {
            Listen::Address(address) => Listen::Address(*address),
            Listen::Bound(listener) => Listen::Bound(listener.try_clone()?),
        };
        Ok(Self {
            listen,
            flags: self.flags.clone(),
            settings: self.settings.clone(),
            sla: self.sla.clone(),
            credential: self.credential.clone(),
            webhook: self.webhook.clone(),
            hostname: self.hostname.clone(),
            executor: self.executor.clone(),
            executor_user: self.executor_user.clone(),
        })
    }
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
        let executor = flags.executor()?;
        // What is done again and again at once keeps everything else waiting; what never gets its
        // turn is never done.
        positive(&[
            ("transient-task-state-timeout", flags.transient_task_state_timeout),
            ("initial-task-kill-retry-interval", flags.initial_task_kill_retry_interval),
            ("host-maintenance-polling-interval", flags.host_maintenance_polling_interval),
            ("sla-coordinator-timeout", flags.sla_coordinator_timeout),
            ("max-parallel-coordinated-maintenance", flags.max_parallel_coordinated_maintenance),
            ("sla-stat-refresh-interval", flags.sla_stat_refresh_interval),
            ("async-task-stat-update-interval", flags.async_task_stat_update_interval),
            ("async-slot-stat-update-interval", flags.async_slot_stat_update_interval),
            ("stat-sampling-interval", flags.stat_sampling_interval),
        ])?;
        flags.backups.check()?;
        let ms = |seconds: u32| i64::from(seconds) * 1000;
        let hostname = match &flags.hostname {
            Some(name) => name.clone(),
            None => hostname(),
        };
        let webhook = flags
            .webhook_config
            .as_ref()
            .map(|path| read_file("webhook-config", path, Webhook::parse))
            .transpose()?;
        let mut settings = Settings {
            told_whole: webhook.as_ref().map(|webhook| webhook.states.clone()).unwrap_or_default(),
            cluster_name: flags.cluster_name.clone(),
            scheduler_host: hostname.clone(),
            max_tasks_per_job: flags.max_tasks_per_job,
            environments: flags.allowed_job_environments.clone(),
            executor_overhead: ResourceBag {
                cpus,
                ram_mb: flags.thermos_executor_ram,
                ..ResourceBag::default()
            },
            unset_quota: match flags.unset_quota {
                UnsetQuota::Zero => Some(ResourceAggregate::default()),
                UnsetQuota::Unlimited => None,
            },
            min_offer_hold_ms: ms(flags.min_offer_hold_time),
            flapping_threshold_ms: ms(flags.flapping_task_threshold),
            initial_flapping_delay_ms: ms(flags.initial_flapping_task_delay),
            max_flapping_delay_ms: ms(flags.max_flapping_task_delay),
            transient_timeout_ms: ms(flags.transient_task_state_timeout),
            initial_kill_retry_ms: ms(flags.initial_task_kill_retry_interval),
            unavailability_threshold_ms: ms(flags.unavailability_threshold),
            allow_gpu_resource: flags.allow_gpu_resource,
            allow_container_volumes: flags.allow_container_volumes,
            cron_time_zone: flags.cron_timezone.name().to_owned(),
            cron_catch_up_limit: flags.cron_catch_up_limit,
            host_maintenance_polling_ms: ms(flags.host_maintenance_polling_interval),
            sla_aware_kill_non_prod: flags.sla_aware_kill_non_prod,
            min_required_instances_for_sla_check: flags.min_required_instances_for_sla_check,
            max_sla_duration_secs: u64::from(flags.max_sla_duration_secs),
            max_parallel_coordinated_maintenance: usize::try_from(
                flags.max_parallel_coordinated_maintenance,
            )
            .unwrap_or(usize::MAX),
            sla_coordinator_timeout_ms: ms(flags.sla_coordinator_timeout),
            ..Settings::default()
        };
        let sla = SlaMetrics {
            interval_ms: ms(flags.sla_stat_refresh_interval),
            production: flags.sla_prod_metrics.0.clone(),
            non_production: flags.sla_non_prod_metrics.0.clone(),
        };
        flags.placement.apply(&mut settings)?;
        let settings = flags.upkeep.choose(flags.updates.choose(settings)?)?;
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
            sla,
            webhook,
            hostname,
            executor,
            executor_user,
            flags,
        })
    }
}

/// Refuses what is nothing and must be something.
pub(crate) fn positive(flags: &[(&'static str, u32)]) -> Result<(), FlagsError> {
    match flags.iter().find(|(_, value)| *value == 0) {
        Some((flag, value)) => Err(FlagsError::Range { flag, value: value.to_string() }),
        None => Ok(()),
    }
}

fn environments(text: &str) -> Result<Environments, String> {
    Environments::new(text).map_err(|error| error.to_string())
}

/// Reads a file that a flag names.
pub(crate) fn read_file<T>(
    flag: &'static str,
    path: &std::path::Path,
    parse: impl FnOnce(&str) -> Result<T, String>,
) -> Result<T, FlagsError> {
    std::fs::read_to_string(path)
        .map_err(|error| error.to_string())
        .and_then(|text| parse(&text))
        .map_err(|reason| FlagsError::File { flag, path: path.to_owned(), reason })
}

/// What is measured of services.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Categories(BTreeSet<SlaCategory>);

fn categories(text: &str) -> Result<Categories, String> {
    let names = text.split(',').map(str::trim).filter(|name| !name.is_empty());
    names.map(str::parse).collect::<Result<_, _>>().map(Categories)
}

/// A number of seconds, or a duration with its unit.
fn seconds(text: &str) -> Result<f64, String> {
    text.parse()
        .ok()
        .or_else(|| parse_duration(text).map(|duration| duration.as_secs_f64()))
        .ok_or_else(|| "give seconds, or a number with secs, mins, hrs or days".to_owned())
}

pub(crate) fn whole_seconds(text: &str) -> Result<u32, String> {
    let seconds = seconds(text)?;
    let max = f64::from(u32::MAX);
    if seconds.fract() != 0.0 || !(0.0..=max).contains(&seconds) {
        return Err(format!("give whole seconds, from 0 to {max}"));
    }
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "it has been checked"
    )]
    Ok(seconds as u32)
}

/// A number of MB, or a size with its unit.
fn megabytes(text: &str) -> Result<u64, String> {
    const UNITS: [(&str, u64); 3] = [("MB", 1), ("GB", 1 << 10), ("TB", 1 << 20)];
    let (number, scale) = UNITS
        .into_iter()
        .find_map(|(unit, scale)| Some((text.strip_suffix(unit)?, scale)))
        .unwrap_or((text, 1));
    number
        .parse::<u64>()
        .ok()
        .and_then(|number| number.checked_mul(scale))
        .ok_or_else(|| "give MB, or a whole number with MB, GB or TB".to_owned())
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
mod table;
#[cfg(test)]
pub(crate) mod tests {
    use clap::{Args, Command, FromArgMatches};

    use super::*;

    pub(crate) fn parse(more: &[&str]) -> Result<Flags, clap::Error> {
        let given = [
            "scheduler",
            "--cluster-name=c",
            "--mesos-master-address=localhost:5050",
            "--native-log-file-path=log",
            "--thermos-executor-path=executor",
            "--executor-user=nobody",
        ];
        let command = Flags::augment_args(Command::new("scheduler"));
        Flags::from_arg_matches(&command.try_get_matches_from(given.iter().chain(more))?)
    }

    pub(crate) fn config(more: &[&str]) -> Result<Config, FlagsError> {
        Config::try_from(parse(more).unwrap())
    }

    #[test]
    fn waits_of_no_length_are_refused() {
        assert!(config(&[]).is_ok());
        for flag in [
            "transient-task-state-timeout",
            "initial-task-kill-retry-interval",
            "host-maintenance-polling-interval",
            "sla-coordinator-timeout",
            "max-parallel-coordinated-maintenance",
            "sla-stat-refresh-interval",
        ] {
            let error = config(&[&format!("--{flag}=0")]).unwrap_err().to_string();
            assert_eq!(error, format!("--{flag} is out of range: 0"));
        }
    }

    #[test]
    fn an_executor_that_agents_do_not_fetch_must_be_on_them() {
        let web = "--thermos-executor-path=http://files/aurora-executor";
        let given = |more: &[&str]| {
            let words = [
                "scheduler",
                "--cluster-name=c",
                "--mesos-master-address=m",
                "--native-log-file-path=l",
                "--executor-user=u",
            ];
            let command = Flags::augment_args(Command::new("scheduler"));
            let matches = command.try_get_matches_from(words.iter().chain(more)).unwrap();
            Config::try_from(Flags::from_arg_matches(&matches).unwrap())
        };
        assert!(given(&[web]).is_ok());
        let error = given(&[web, "--thermos-executor-fetch=false"]).unwrap_err().to_string();
        assert!(
            error.starts_with("--thermos-executor-path http://files/aurora-executor is no path"),
            "{error}"
        );
        for nothing in ["http://files/", "http://files", "http://files/?v=2"] {
            let error = given(&[&format!("--thermos-executor-path={nothing}")]).unwrap_err();
            let expected = format!("--thermos-executor-path {nothing} names no file");
            assert_eq!(error.to_string(), expected);
        }
    }

    #[test]
    fn roles_without_a_quota_have_none_unless_told_otherwise() {
        let unset = |more: &[&str]| config(more).unwrap().settings.unset_quota;
        assert_eq!(unset(&[]), Some(ResourceAggregate::default()));
        assert_eq!(unset(&["--unset-quota=zero"]), Some(ResourceAggregate::default()));
        assert_eq!(unset(&["--unset-quota=unlimited"]), None);
    }

    #[test]
    fn durations_and_sizes_are_given_with_and_without_a_unit() {
        let with = config(&[
            "--framework-failover-timeout=21days",
            "--thermos-executor-ram=1GB",
            "--min-offer-hold-time=5mins",
            "--offer-filter-duration=2.5secs",
        ])
        .unwrap();
        let without = config(&[
            "--framework-failover-timeout=1814400",
            "--thermos-executor-ram=1024",
            "--min-offer-hold-time=300",
            "--offer-filter-duration=2.5",
        ])
        .unwrap();
        assert_eq!(with.settings, without.settings);
        assert_eq!(with.settings.min_offer_hold_ms, 300_000);
        assert_eq!(with.settings.executor_overhead.ram_mb, 1024);
        assert_eq!(with.flags.framework_failover_timeout, 1_814_400.0);
        assert_eq!(without.flags.framework_failover_timeout, 1_814_400.0);
        assert_eq!(
            (with.flags.offer_filter_duration, without.flags.offer_filter_duration),
            (2.5, 2.5)
        );
        for text in ["", "MB", "-1MB", "1.5GB", "9KB", "99999999999999TB"] {
            assert!(megabytes(text).is_err(), "{text}");
        }
        for text in ["", "mins", "5parsecs", "-1", "1.5secs", "NaN", "inf", "200000days"] {
            assert!(whole_seconds(text).is_err(), "{text}");
        }
    }

    #[test]
    fn what_is_measured_is_given_by_name() {
        let sla = |more: &[&str]| config(more).unwrap().sla;
        assert_eq!(sla(&[]), SlaMetrics::default());
        let some = sla(&["--sla-non-prod-metrics=MEDIANS, JOB_UPTIMES", "--sla-prod-metrics="]);
        assert_eq!(some.production, [].into());
        assert_eq!(some.non_production, [SlaCategory::Medians, SlaCategory::JobUptimes].into());
        let error = categories("MEDIANS,SPEED").unwrap_err();
        assert!(error.contains("\"SPEED\""), "{error}");
    }
}
