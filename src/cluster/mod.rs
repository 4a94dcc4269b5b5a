//! `aurora cluster …`: the clusters that are known, and whether their schedulers answer.

mod list;
mod show;

use aurora_client::{Cluster, Connection, Error, Scheduler};
use serde_json::{Value, json};

use crate::failure::Failure;
use crate::runtime;

/// The commands.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// List the clusters that files name and that run on this machine.
    List(list::Args),
    /// Show where a cluster is, what its file says, and how its scheduler is: 7 if it cannot be reached.
    Show(show::Args),
}

impl Command {
    pub(crate) fn run(self) -> Result<(), Failure> {
        runtime::block_on_until_interrupted(async {
            match self {
                Self::List(args) => args.run().await,
                Self::Show(args) => args.run().await,
            }
        })
    }
}

/// What a scheduler says of itself.
pub(crate) struct Answer {
    pub(crate) address: String,
    cluster: String,
    version: String,
    registered: bool,
}

impl Answer {
    pub(crate) async fn of(scheduler: &Scheduler) -> Result<Self, Error> {
        let info = scheduler.info().await?;
        Ok(Self {
            // Which of several leads, only an answer tells.
            address: scheduler.address(),
            cluster: info.cluster,
            version: info.version,
            registered: info.registered,
        })
    }

    pub(crate) fn json(&self) -> Value {
        json!({
            "address": self.address,
            "cluster": self.cluster,
            "version": self.version,
            "registered": self.registered,
        })
    }
}

/// Asks the scheduler of a cluster once.
async fn ask(cluster: Cluster, connection: &Connection) -> Result<Answer, Error> {
    let scheduler = Scheduler::of(cluster, std::time::Duration::ZERO, connection.request_timeout);
    Answer::of(&scheduler).await
}
