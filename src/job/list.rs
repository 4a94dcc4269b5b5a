//! `aurora job list`.

use std::time::Duration;

use aurora_api::v1::JobSummary;
use aurora_client::{Connection, Scheduler, keys::JobPattern};
use aurora_model::key::JobKey;
use futures::future::join_all;
use serde_json::json;

use crate::failure::{Code, Failure};
use crate::output::{Output, print, warn};

/// How long one of many clusters is tried again, at most.
const PATIENCE: Duration = Duration::from_secs(30);

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
        let jobs = async |cluster: &str, scheduler: &Scheduler| {
            let found = matching(scheduler, &self.pattern).await?.into_iter();
            Ok(found.map(|(key, job)| (format!("{cluster}/{key}"), job)).collect())
        };
        let (found, missed) = of_each(&self.pattern, &self.connection, jobs).await?;
        self.show(&found)?;
        missed.map_or(Ok(()), Err)
    }

    fn show(&self, found: &[(String, JobSummary)]) -> Result<(), Failure> {
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

/// The only scheduler that a pattern is for, with the name of its cluster; none if it may be for several.
pub(super) async fn only(
    pattern: &JobPattern,
    connection: &Connection,
) -> Result<Option<(String, Scheduler)>, Failure> {
    if !pattern.is_of_all_clusters() {
        let name = pattern.cluster.clone();
        let scheduler = Scheduler::of_cluster(&name, connection).await?;
        return Ok(Some((name, scheduler)));
    }
    // One that is given is the only one that is meant, whatever its cluster is called.
    if let Some(scheduler) = connection.given()? {
        return Ok(Some((scheduler.info().await?.cluster, scheduler)));
    }
    match connection.names()?.as_slice() {
        [name] => Ok(Some((name.clone(), Scheduler::of_cluster(name, connection).await?))),
        _ => Ok(None),
    }
}

/// Asks each scheduler that a pattern is for. Where these are all that are known, one that cannot be asked keeps nobody
/// from seeing what the others say: it is told, and the command fails in the end.
pub(super) async fn of_each<T>(
    pattern: &JobPattern,
    connection: &Connection,
    ask: impl AsyncFn(&str, &Scheduler) -> Result<Vec<T>, Failure>,
) -> Result<(Vec<T>, Option<Failure>), Failure> {
    if let Some((cluster, scheduler)) = only(pattern, connection).await? {
        return Ok((ask(&cluster, &scheduler).await?, None));
    }
    let names = connection.names()?;
    let connection =
        Connection { retry_for: connection.retry_for.min(PATIENCE), ..connection.clone() };
    // All at the same time, and told in their order.
    let asked = names.iter().map(async |name| {
        let scheduler = Scheduler::of_cluster(name, &connection).await?;
        ask(name, &scheduler).await
    });
    let asked: Vec<Result<Vec<T>, Failure>> = join_all(asked).await;
    let (mut found, mut missed, mut code) = (Vec::new(), Vec::new(), None);
    for (name, asked) in names.into_iter().zip(asked) {
        match asked {
            Ok(some) => found.extend(some),
            Err(failure) => {
                warn(&format!("cluster {name} could not be asked: {failure}"));
                code.get_or_insert(failure.code);
                missed.push(name);
            }
        }
    }
    let failure = |code| {
        Failure::new(code, format!("not all is shown: of {} nothing is known", missed.join(", ")))
    };
    Ok((found, code.map(failure)))
}

/// The jobs of a pattern, by key.
pub(super) async fn matching(
    scheduler: &Scheduler,
    pattern: &JobPattern,
) -> Result<Vec<(JobKey, JobSummary)>, Failure> {
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
