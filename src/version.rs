//! `aurora version`.

use aurora_client::{Connection, Error, Scheduler};
use serde_json::json;

use crate::failure::Failure;
use crate::output::{Output, print, warn};
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

/// What a scheduler says of itself.
type Server = (String, String, String);

async fn ask(scheduler: &Scheduler) -> Result<Server, Error> {
    let info = scheduler.info().await?;
    Ok((info.version, info.cluster, scheduler.address()))
}

fn tell(error: Error) -> Option<Server> {
    warn(&error.to_string());
    None
}

impl Args {
    pub(crate) fn run(self) -> Result<(), Failure> {
        block_on(async {
            let Self { cluster, connection, output } = self;
            let named = match &cluster {
                Some(cluster) => Some(Scheduler::of_cluster(cluster, &connection).await?),
                None => connection.given()?,
            };
            let server = match &named {
                Some(scheduler) => Some(ask(scheduler).await?),
                // Nobody has asked for that one: it may be away, and this program has a version all the same.
                None => match connection.here() {
                    Ok(None) => None,
                    Ok(Some(scheduler)) => ask(&scheduler).await.map(Some).unwrap_or_else(tell),
                    Err(error) => tell(error),
                },
            };
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
