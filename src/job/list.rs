//! `aurora job list`.

use aurora_client::{Connection, Scheduler, keys::JobPattern};
use aurora_model::key::JobKey;
use serde_json::json;

use crate::failure::{Code, Failure};
use crate::output::{Output, print};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Which jobs: cluster[/role[/environment[/name]]], with * ? [a-z] in the parts after the
    /// cluster.
    #[arg(value_name = "PATTERN")]
    pattern: JobPattern,
    #[command(flatten)]
    connection: Connection,
    #[command(flatten)]
    output: Output,
}

impl Args {
    pub(super) async fn run(self) -> Result<(), Failure> {
        let scheduler = Scheduler::of_cluster(&self.pattern.cluster, &self.connection).await?;
        let found = matching(&scheduler, &self.pattern).await?;
        if self.output.is_data() {
            let jobs: Vec<_> = found
                .iter()
                .map(|(key, job)| {
                    json!({
                        "job": format!("{}/{key}", self.pattern.cluster),
                        "service": job.is_service,
                        "pending": job.pending,
                        "active": job.active,
                        "finished": job.finished,
                        "failed": job.failed,
                    })
                })
                .collect();
            return self.output.print(&jobs);
        }
        print(&found.iter().fold(String::new(), |text, (key, _)| {
            text + &format!("{}/{key}\n", self.pattern.cluster)
        }))
    }
}

/// The jobs of a pattern, by key.
pub(super) async fn matching(
    scheduler: &Scheduler,
    pattern: &JobPattern,
) -> Result<Vec<(JobKey, aurora_api::v1::JobSummary)>, Failure> {
    let mut found = Vec::new();
    for job in scheduler.list(pattern.role().unwrap_or_default()).await? {
        let key = job.key.as_ref().map(JobKey::try_from);
        let Some(Ok(key)) = key else {
            return Err(Failure::new(Code::Api, "the scheduler listed a job without a proper key"));
        };
        if pattern.matches(&key) {
            found.push((key, job));
        }
    }
    found.sort_by(|(a, _), (b, _)| a.cmp(b));
    Ok(found)
}
