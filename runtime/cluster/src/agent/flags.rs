//! What an operator can choose. Names and defaults are Mesos's.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use aurora_daemon::listen::Listen;
use aurora_mesos::v1;

use crate::master::FlagsError;
use crate::resources::Resources;

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
    /// How long the sandboxes of ended executors are kept.
    #[arg(long, value_name = "DURATION", default_value = "1weeks")]
    pub gc_delay: String,
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
    /// How long sandboxes are kept.
    pub gc_delay: Duration,
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
            gc_delay: duration("gc-delay", &flags.gc_delay)?,
            master: flags.master,
            work_dir: flags.work_dir,
        })
    }
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
