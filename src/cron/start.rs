//! `aurora cron start`.

use aurora_api::v1::cron_outcome::Kind;
use aurora_model::key::ClusterJobKey;
use serde_json::json;

use crate::connect::Scheduler;
use crate::discovery::Connection;
use crate::failure::{Code, Failure};
use crate::output::{Output, note, print_json};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The job: cluster/role/environment/name.
    #[arg(value_name = "JOB")]
    key: ClusterJobKey,
    #[command(flatten)]
    connection: Connection,
    #[command(flatten)]
    output: Output,
}

impl Args {
    pub(super) async fn run(self) -> Result<(), Failure> {
        let scheduler = Scheduler::of_cluster(&self.key.cluster, &self.connection).await?;
        let outcome = scheduler.start_cron(&self.key.job).await?.and_then(|outcome| outcome.kind);
        let (word, instances) = match outcome {
            Some(Kind::Skipped(skipped)) => {
                return Err(Failure::new(
                    Code::Api,
                    format!("no run of {} was started: {}", self.key, skipped.message),
                ));
            }
            Some(Kind::Started(started)) => ("started", Some(started.instances)),
            None => ("waiting", None),
        };
        if self.output.is_json() {
            return print_json(&json!({
                "job": self.key.to_string(), "run": word, "instances": instances,
            }));
        }
        // As the original, it prints no result.
        note(&match instances {
            Some(count) => format!("A run of {} with {count} instances has been started", self.key),
            None => format!("The run of {} starts when the one before it has ended", self.key),
        });
        Ok(())
    }
}
