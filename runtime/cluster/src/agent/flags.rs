//! What an operator can choose. Names and defaults are Mesos's.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use aurora_daemon::listen::Listen;
use aurora_mesos::v1;

use super::collect::plan::Share;
use crate::master::FlagsError;
use crate::resources::Resources;

/// How often the disk may be looked at: from the first to the second.
const WATCH: (Duration, Duration) = (Duration::from_millis(100), Duration::from_hours(24));

/// The flags of the agent.
#[derive(Debug, Clone, clap::Args)]
pub struct Flags {
    /// The master's address, host:port.
    #[arg(long, value_name = "HOST:PORT")]
    pub master: String,
    /// The address to listen on.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1")]
    pub ip: IpAddr,
    /// The port to listen on.
    #[arg(long, value_name = "PORT", default_value_t = 5051)]
    pub port: u16,
    /// The folder of sandboxes and checkpoints.
    #[arg(long, value_name = "DIR")]
    pub work_dir: PathBuf,
    /// The name by which others reach this agent.
    #[arg(long, value_name = "NAME")]
    pub hostname: Option<String>,
    /// What the agent offers, such as cpus:4;mem:8192;disk:20000;ports:[31000-32000]; what is left
    /// out is found out.
    #[arg(long, value_name = "RESOURCES", default_value = "")]
    pub resources: String,
    /// What is special about the agent, such as rack:a;zone:north.
    #[arg(long, value_name = "ATTRIBUTES", default_value = "")]
    pub attributes: String,
    /// How long a new executor may take to subscribe, such as 1mins.
    #[arg(long, value_name = "DURATION", default_value = "1mins")]
    pub executor_registration_timeout: String,
    /// How long executors may take to come back after the agent was restarted.
    #[arg(long, value_name = "DURATION", default_value = "2secs")]
    pub executor_reregistration_timeout: String,
    /// How long an executor has to end when it is told to.
    #[arg(long, value_name = "DURATION", default_value = "5secs")]
    pub executor_shutdown_grace_period: String,
    /// How long executors wait for the agent to come back.
    #[arg(long, value_name = "DURATION", default_value = "15mins")]
    pub recovery_timeout: String,
    /// How long the sandboxes of executors are kept that ended well, while the disk has room.
    #[arg(long, value_name = "DURATION", default_value = "1weeks")]
    pub gc_delay: String,
    /// How long those of failed tasks are kept, at least --gc-delay [default: twice that].
    #[arg(long, value_name = "DURATION")]
    pub gc_failed_delay: Option<String>,
    /// How much of the disk is to be free, from 0 to 1: while less is, the oldest sandboxes of ended
    /// executors go before their time, those of failed tasks last. 0 for none.
    #[arg(long, value_name = "SHARE", default_value = "0.1")]
    pub gc_disk_headroom: String,
    /// Run no commands in containers: `aurora task exec` is refused.
    #[arg(long)]
    pub no_exec: bool,
    /// How often it is looked how much of the disk is free, from 100ms to 1days.
    #[arg(long, value_name = "DURATION", default_value = "1mins")]
    pub disk_watch_interval: String,
}

/// What an agent needs to start.
#[derive(Debug)]
pub struct Config {
    /// The master's address.
    pub master: String,
    /// Where to listen.
    pub listen: Listen,
    /// The folder of sandboxes and checkpoints.
    pub work_dir: PathBuf,
    /// The name by which others reach it.
    pub hostname: String,
    /// What it offers; what is left out is found out.
    pub resources: Resources,
    /// What is special about it.
    pub attributes: Vec<v1::Attribute>,
    /// How long a new executor may take to subscribe.
    pub registration_timeout: Duration,
    /// How long executors may take to come back.
    pub reregistration_timeout: Duration,
    /// How long an executor has to end.
    pub shutdown_grace: Duration,
    /// How long executors wait for the agent.
    pub recovery_timeout: Duration,
    /// How long sandboxes are kept that ended well.
    pub gc_delay: Duration,
    /// How long those of failed tasks are kept.
    pub gc_failed_delay: Duration,
    /// How much of the disk is to be free.
    pub gc_disk_headroom: Share,
    /// Whether commands may be run in containers.
    pub exec: bool,
    /// How often it is looked how much is.
    pub disk_watch_interval: Duration,
}

impl TryFrom<Flags> for Config {
    type Error = FlagsError;

    fn try_from(flags: Flags) -> Result<Self, FlagsError> {
        let duration = |flag, value: &str| {
            aurora_mesos::executor::parse_duration(value).ok_or_else(|| FlagsError {
                flag,
                value: value.to_owned(),
                expected: "a duration such as 5secs or 15mins",
            })
        };
        let resources = Resources::parse(&flags.resources).map_err(|_| FlagsError {
            flag: "resources",
            value: flags.resources.clone(),
            expected: "resources such as cpus:4;mem:8192;disk:20000;ports:[31000-32000]",
        })?;
        let gc_delay = duration("gc-delay", &flags.gc_delay)?;
        let gc_failed_delay = match &flags.gc_failed_delay {
            None => gc_delay.saturating_mul(2),
            Some(text) => {
                let delay = duration("gc-failed-delay", text)?;
                in_range("gc-failed-delay", text, delay >= gc_delay, "at least --gc-delay")?;
                delay
            }
        };
        let headroom = &flags.gc_disk_headroom;
        let gc_disk_headroom =
            headroom.trim().parse().ok().and_then(Share::new).ok_or_else(|| FlagsError {
                flag: "gc-disk-headroom",
                value: headroom.clone(),
                expected: "a share from 0 to 1, such as 0.1",
            })?;
        let interval = &flags.disk_watch_interval;
        let disk_watch_interval = duration("disk-watch-interval", interval)?;
        in_range(
            "disk-watch-interval",
            interval,
            (WATCH.0..=WATCH.1).contains(&disk_watch_interval),
            "from 100ms to 1days",
        )?;
        Ok(Self {
            listen: Listen::Address(SocketAddr::new(flags.ip, flags.port)),
            hostname: flags.hostname.unwrap_or_else(|| flags.ip.to_string()),
            resources,
            attributes: attributes(&flags.attributes)?,
            registration_timeout: duration(
                "executor-registration-timeout",
                &flags.executor_registration_timeout,
            )?,
            reregistration_timeout: duration(
                "executor-reregistration-timeout",
                &flags.executor_reregistration_timeout,
            )?,
            shutdown_grace: duration(
                "executor-shutdown-grace-period",
                &flags.executor_shutdown_grace_period,
            )?,
            recovery_timeout: duration("recovery-timeout", &flags.recovery_timeout)?,
            gc_delay,
            gc_failed_delay,
            gc_disk_headroom,
            disk_watch_interval,
            exec: !flags.no_exec,
            master: flags.master,
            work_dir: flags.work_dir,
        })
    }
}

fn in_range(
    flag: &'static str,
    value: &str,
    is_in_range: bool,
    expected: &'static str,
) -> Result<(), FlagsError> {
    if is_in_range {
        return Ok(());
    }
    Err(FlagsError { flag, value: value.to_owned(), expected })
}

fn attributes(text: &str) -> Result<Vec<v1::Attribute>, FlagsError> {
    text.split(';')
        .map(str::trim)
        .filter(|part| !part.is_empty())
        .map(|part| {
            let (name, value) = part.split_once(':').ok_or_else(|| FlagsError {
                flag: "attributes",
                value: text.to_owned(),
                expected: "attributes such as rack:a;zone:north",
            })?;
            Ok(v1::Attribute {
                name: name.trim().to_owned(),
                r#type: v1::value::Type::Text as i32,
                text: Some(v1::value::Text { value: value.trim().to_owned() }),
                ..v1::Attribute::default()
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use clap::{Args as _, Command, FromArgMatches as _};

    use super::*;

    fn config(words: &[&str]) -> Result<Config, String> {
        let command = Flags::augment_args(Command::new("agent").no_binary_name(true));
        let needed = ["--master", "127.0.0.1:5050", "--work-dir", "/nowhere"];
        let matches = command.try_get_matches_from(needed.iter().chain(words)).unwrap();
        let flags = Flags::from_arg_matches(&matches).unwrap();
        Config::try_from(flags).map_err(|error| error.to_string())
    }

    #[test]
    fn collection_has_the_defaults_of_mesos_and_failed_tasks_twice_the_time() {
        let week = Duration::from_hours(7 * 24);
        let all = config(&[]).unwrap();
        assert_eq!((all.gc_delay, all.gc_failed_delay), (week, week * 2));
        assert_eq!(Some(all.gc_disk_headroom), Share::new(0.1));
        assert_eq!(all.disk_watch_interval, Duration::from_mins(1));
        let all = config(&["--gc-delay", "2hrs", "--gc-failed-delay", "2hrs"]).unwrap();
        assert_eq!(all.gc_failed_delay, Duration::from_hours(2));
    }

    #[test]
    fn what_is_out_of_range_is_refused_with_the_range() {
        for (flag, value, expected) in [
            ("gc-delay", "soon", "a duration such as"),
            ("gc-failed-delay", "6days", "at least --gc-delay"),
            ("gc-failed-delay", "late", "a duration such as"),
            ("gc-disk-headroom", "1.1", "a share from 0 to 1"),
            ("gc-disk-headroom", "-0.1", "a share from 0 to 1"),
            ("gc-disk-headroom", "nan", "a share from 0 to 1"),
            ("gc-disk-headroom", "10%", "a share from 0 to 1"),
            ("disk-watch-interval", "0secs", "from 100ms to 1days"),
            ("disk-watch-interval", "2days", "from 100ms to 1days"),
        ] {
            let error = config(&[&format!("--{flag}={value}")]).unwrap_err();
            assert!(error.starts_with(&format!("--{flag} is {value:?}, which is not ")), "{error}");
            assert!(error.contains(expected), "{error}");
        }
    }
}
