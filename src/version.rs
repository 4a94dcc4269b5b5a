//! `aurora version`.

use aurora_client::{Connection, Scheduler};
use serde_json::json;

use crate::failure::Failure;
use crate::output::{Output, print};
use crate::runtime::block_on;

/// Of this program.
pub(crate) const VERSION: &str = env!("CARGO_PKG_VERSION");

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The cluster whose scheduler is asked too [default: that of a running `aurora up`].
    #[arg(value_name = "CLUSTER")]
    cluster: Option<String>,
    #[command(flatten)]
    connection: Connection,
    #[command(flatten)]
    output: Output,
}

impl Args {
    pub(crate) fn run(self) -> Result<(), Failure> {
        block_on(async {
            let Self { cluster, connection, output } = self;
            let scheduler = match &cluster {
                Some(cluster) => Some(Scheduler::of_cluster(cluster, &connection).await?),
                None => connection.given_or_here()?,
            };
            let mut server = None;
            if let Some(scheduler) = &scheduler {
                let info = scheduler.info().await?;
                server = Some((info.version, info.cluster, scheduler.address()));
            }
            if output.is_data() {
                let server = server.map(|(version, cluster, address)| {
                    json!({ "version": version, "cluster": cluster, "address": address })
                });
                return output
                    .print(&json!({ "client": { "version": VERSION }, "server": server }));
            }
            print(&format!("client: {VERSION}\n"))?;
            match server {
                Some((version, cluster, address)) => {
                    print(&format!("server: {version}, of cluster {cluster}, at {address}\n"))
                }
                None => Ok(()),
            }
        })
    }
}
