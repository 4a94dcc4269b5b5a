//! `aurora cluster show`.

use std::fmt::Write as _;

use aurora_client::{Connection, clusters};
use serde_json::{Value, json};

use super::ask;
use crate::failure::Failure;
use crate::output::{Output, print, warn};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The cluster.
    #[arg(value_name = "CLUSTER")]
    name: String,
    #[command(flatten)]
    connection: Connection,
    #[command(flatten)]
    output: Output,
}

impl Args {
    pub(super) async fn run(self) -> Result<(), Failure> {
        let Self { name, connection, output } = self;
        let cluster = connection.find(&name)?;
        let (from, at) = (cluster.origin.to_string(), cluster.place());
        let entry = match connection.scheduler {
            Some(_) => None,
            None => clusters::read(connection.clusters_file())?.remove(&name),
        };
        let answer = ask(cluster, &connection).await;
        if output.is_data() {
            output.print(&json!({
                "name": name,
                "from": from,
                "at": at,
                "entry": entry.map(|entry| entry.value),
                "scheduler": answer.as_ref().ok().map(super::Answer::json),
                "error": answer.as_ref().err().map(ToString::to_string),
            }))?;
        } else {
            let mut text = format!("cluster: {name}\nfrom: {from}\nat: {at}\n");
            let keys = entry.as_ref().and_then(|entry| entry.value.as_object());
            for (key, value) in keys.into_iter().flatten().filter(|(key, _)| *key != "name") {
                // Writing to a text cannot fail.
                let _ = writeln!(text, "  {key}: {}", shown(value));
            }
            if let Ok(answer) = &answer {
                let registered = if answer.registered { "registered" } else { "not registered" };
                let _ = writeln!(
                    text,
                    "scheduler: {}, version {}, {registered} with a master",
                    answer.address, answer.version
                );
            }
            print(&text)?;
        }
        match answer {
            Ok(answer) if answer.cluster != name => {
                warn(&format!(
                    "the scheduler at {} says that it is of cluster {}",
                    answer.address, answer.cluster
                ));
                Ok(())
            }
            Ok(_) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }
}

/// A text as it is, all else as JSON.
fn shown(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}
