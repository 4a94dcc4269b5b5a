//! `aurora job list`.

use aurora_client::{Connection, Scheduler, keys::JobPattern};
use aurora_model::key::JobKey;
use serde_json::json;

use crate::failure::{Code, Failure};
use crate::output::{Output, print};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Which jobs: cluster[/role[/environment[/name]]], with * ? [a-z] in the parts after the
    /// cluster; * alone in place of the cluster means all that are known.
    #[arg(value_name = "PATTERN")]
    pattern: JobPattern,
    #[command(flatten)]
    connection: Connection,
    #[command(flatten)]
    output: Output,
}

impl Args {
    pub(super) async fn run(self) -> Result<(), Failure> {
        let mut found = Vec::new();
        for (cluster, scheduler) in schedulers(&self.pattern, &self.connection).await? {
            for (key, job) in matching(&scheduler, &self.pattern).await? {
                found.push((format!("{cluster}/{key}"), job));
            }
        }
        if self.output.is_data() {
            let jobs: Vec<_> = found
                .iter()
                .map(|(key, job)| {
                    json!({
                        "job": key,
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
        print(&found.iter().fold(String::new(), |text, (key, _)| text + &format!("{key}\n")))
    }
}

/// The schedulers that a pattern is for, with the names of their clusters.
pub(super) async fn schedulers(
    pattern: &JobPattern,
    connection: &Connection,
) -> Result<Vec<(String, Scheduler)>, Failure> {
    if !pattern.is_of_all_clusters() {
        let name = pattern.cluster.clone();
        let scheduler = Scheduler::of_cluster(&name, connection).await?;
        return Ok(vec![(name, scheduler)]);
    }
    // One that is given is the only one that is meant, whatever its cluster is called.
    if let Some(scheduler) = connection.given()? {
        return Ok(vec![(scheduler.info().await?.cluster, scheduler)]);
    }
    let mut found = Vec::new();
    for name in connection.names()? {
        let scheduler = Scheduler::of_cluster(&name, connection).await?;
        found.push((name, scheduler));
    }
    Ok(found)
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
