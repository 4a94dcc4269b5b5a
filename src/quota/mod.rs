//! `aurora quota …` (`client.md` 10).

mod get;
mod set;
mod size;

use aurora_api::v1;
use serde_json::{Value, json};

use crate::failure::Failure;
use crate::runtime;

/// The commands.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// Show what the production jobs of a role may use, and what its jobs use.
    Get(get::Args),
    /// Set what the production jobs of a role may use together; replaces what was set before.
    Set(set::Args),
}

impl Command {
    pub(crate) fn run(self) -> Result<(), Failure> {
        runtime::block_on_until_interrupted(async {
            match self {
                Self::Get(args) => args.run().await,
                Self::Set(args) => args.run().await,
            }
        })
    }
}

/// Amounts as the original's client shows them.
pub(crate) fn shown(amounts: &v1::ResourceAggregate) -> [String; 3] {
    [
        format!("CPU: {:?} core(s)", amounts.cpus),
        format!("RAM: {} MB", amounts.ram_mb),
        format!("Disk: {} MB", amounts.disk_mb),
    ]
}

/// Amounts as the original's objects have them.
pub(crate) fn as_json(amounts: &v1::ResourceAggregate) -> Value {
    json!({ "resources": [
        { "numCpus": amounts.cpus },
        { "ramMb": amounts.ram_mb },
        { "diskMb": amounts.disk_mb },
    ] })
}
