//! What an operator can choose (`observer.md` 1).

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

use aurora_daemon::listen::Listen;

/// The flags of the observer.
#[derive(Debug, Clone, clap::Args)]
pub struct Flags {
    /// Where executors write the state of their tasks: their flag of the same name.
    #[arg(long, value_name = "DIR", default_value = aurora_thermos::checkpoint::DEFAULT_ROOT)]
    pub checkpoint_root: PathBuf,
    /// The address to listen on.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1")]
    pub ip: IpAddr,
    /// The port to listen on.
    #[arg(long, value_name = "PORT", default_value_t = 1338)]
    pub port: u16,
}

/// What an observer needs to start.
#[derive(Debug)]
pub struct Config {
    /// Where to listen.
    pub listen: Listen,
    /// Where executors write the state of their tasks. Need not exist yet.
    pub checkpoint_root: PathBuf,
}

impl From<Flags> for Config {
    fn from(flags: Flags) -> Self {
        Self {
            listen: Listen::Address(SocketAddr::new(flags.ip, flags.port)),
            checkpoint_root: flags.checkpoint_root,
        }
    }
}
