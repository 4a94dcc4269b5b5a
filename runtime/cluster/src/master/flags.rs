//! What an operator can choose. Names and defaults are Mesos's.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use aurora_daemon::listen::Listen;
use aurora_mesos::executor::parse_duration;

/// The flags of the master.
#[derive(Debug, Clone, clap::Args)]
pub struct Flags {
    /// The address to listen on.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1")]
    pub ip: IpAddr,
    /// The port to listen on.
    #[arg(long, value_name = "PORT", default_value_t = 5050)]
    pub port: u16,
    /// The folder of the master's registry.
    #[arg(long, value_name = "DIR")]
    pub work_dir: PathBuf,
    /// The name by which others reach this master.
    #[arg(long, value_name = "NAME")]
    pub hostname: Option<String>,
    /// How long an agent may be silent, such as 15secs.
    #[arg(long, value_name = "DURATION", default_value = "15secs")]
    pub agent_ping_timeout: String,
    /// How often it may be before it is unreachable.
    #[arg(long, value_name = "COUNT", default_value_t = 5)]
    pub max_agent_ping_timeouts: u32,
    /// How long after its start the master waits for agents it does not know, such as 10mins.
    #[arg(long, value_name = "DURATION", default_value = "10mins")]
    pub agent_reregister_timeout: String,
}

/// What a master needs to start.
#[derive(Debug)]
pub struct Config {
    /// Where to listen.
    pub listen: Listen,
    /// The folder of its registry.
    pub work_dir: PathBuf,
    /// The name by which others reach it.
    pub hostname: String,
    /// How long an agent may be away before it is unreachable.
    pub agent_timeout: Duration,
    /// How long after its start it waits for agents it does not know.
    pub agent_reregister_timeout: Duration,
}

/// A flag cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("--{flag} is {value:?}, which is not {expected}")]
pub struct FlagsError {
    pub(crate) flag: &'static str,
    pub(crate) value: String,
    pub(crate) expected: &'static str,
}

/// Reads a duration of a flag.
pub(crate) fn duration(flag: &'static str, value: &str) -> Result<Duration, FlagsError> {
    parse_duration(value).ok_or_else(|| FlagsError {
        flag,
        value: value.to_owned(),
        expected: "a duration such as 15secs or 10mins",
    })
}

impl TryFrom<Flags> for Config {
    type Error = FlagsError;

    fn try_from(flags: Flags) -> Result<Self, FlagsError> {
        let ping = duration("agent-ping-timeout", &flags.agent_ping_timeout)?;
        Ok(Self {
            listen: Listen::Address(SocketAddr::new(flags.ip, flags.port)),
            work_dir: flags.work_dir,
            hostname: flags.hostname.unwrap_or_else(|| flags.ip.to_string()),
            agent_timeout: ping.saturating_mul(flags.max_agent_ping_timeouts),
            agent_reregister_timeout: duration(
                "agent-reregister-timeout",
                &flags.agent_reregister_timeout,
            )?,
        })
    }
}
