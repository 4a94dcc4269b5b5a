//! What an operator can choose (`observer.md` 1).

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use aurora_daemon::listen::Listen;
use clap::value_parser;

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
    /// Where the scheduler's pages are, such as http://scheduler:8081, which those of tasks then link to.
    #[arg(long, value_name = "URL", value_parser = url)]
    pub scheduler_url: Option<String>,
    /// Look at no process and no sandbox: all figures of what tasks use are 0.
    #[arg(long)]
    pub disable_task_resource_collection: bool,
    /// How often the processes of tasks are looked at.
    #[arg(
        long,
        value_name = "SECONDS",
        default_value_t = 20,
        value_parser = value_parser!(u64).range(1..=3600)
    )]
    pub task_process_collection_interval_secs: u64,
    /// How often the sandboxes of tasks are walked through, to tell how much disk they take.
    #[arg(
        long,
        value_name = "SECONDS",
        default_value_t = 60,
        value_parser = value_parser!(u64).range(1..=86_400)
    )]
    pub task_disk_collection_interval_secs: u64,
}

/// Whatever else a link could be made of is refused: it might be a script.
fn url(text: &str) -> Result<String, &'static str> {
    if text.starts_with("http://") || text.starts_with("https://") {
        Ok(text.trim_end_matches('/').to_owned())
    } else {
        Err("it must begin with http:// or https://")
    }
}

/// What an observer needs to start.
#[derive(Debug)]
pub struct Config {
    /// Where to listen.
    pub listen: Listen,
    /// Where executors write the state of their tasks. Need not exist yet.
    pub checkpoint_root: PathBuf,
    /// Where the scheduler's pages are, without a slash at the end.
    pub scheduler_url: Option<String>,
    /// Whether it looks at what tasks use.
    pub collects: bool,
    /// How often processes are looked at.
    pub process_interval: Duration,
    /// How often sandboxes are walked through.
    pub disk_interval: Duration,
}

impl Config {
    /// What the defaults of all other flags make.
    pub fn new(listen: Listen, checkpoint_root: PathBuf) -> Self {
        Self {
            listen,
            checkpoint_root,
            scheduler_url: None,
            collects: true,
            process_interval: Duration::from_secs(20),
            disk_interval: Duration::from_secs(60),
        }
    }
}

impl From<Flags> for Config {
    fn from(flags: Flags) -> Self {
        Self {
            listen: Listen::Address(SocketAddr::new(flags.ip, flags.port)),
            checkpoint_root: flags.checkpoint_root,
            scheduler_url: flags.scheduler_url,
            collects: !flags.disable_task_resource_collection,
            process_interval: Duration::from_secs(flags.task_process_collection_interval_secs),
            disk_interval: Duration::from_secs(flags.task_disk_collection_interval_secs),
        }
    }
}
