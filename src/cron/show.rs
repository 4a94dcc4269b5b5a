//! `aurora cron show`.

use aurora_api::v1;
use aurora_model::key::ClusterJobKey;
use serde_json::json;

use super::time;
use crate::connect::Scheduler;
use crate::discovery::Connection;
use crate::failure::{Code, Failure};
use crate::output::{Output, note, print, print_json};

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
        let job = scheduler.cron(&self.key.job).await?;
        let known = job.job.as_ref().and_then(|known| known.cron_schedule.as_deref());
        let schedule = known.ok_or_else(|| {
            Failure::new(Code::Api, format!("the scheduler gave no schedule of {}", self.key))
        })?;
        if self.output.is_json() {
            return print_json(&json!({
                "job": self.key.to_string(),
                "schedule": schedule,
                "time_zone": job.time_zone,
                "next": job.next_ms.map(time),
                "problem": job.problem,
                "runs": job.runs.iter().map(run).collect::<Vec<_>>(),
            }));
        }
        if let Some(problem) = &job.problem {
            note(&format!("It cannot be said when it is due: {problem}"));
        } else if let Some(next) = job.next_ms {
            note(&format!("Due next at {} (time zone {})", time(next), job.time_zone));
        }
        print(&format!("{}\t {schedule}\n", self.key))
    }
}

/// What became of a run.
fn run(run: &v1::CronRun) -> serde_json::Value {
    use v1::cron_outcome::Kind;
    let outcome = run.outcome.as_ref().and_then(|outcome| outcome.kind.as_ref());
    let (started, skipped) = match outcome {
        Some(Kind::Started(started)) => (Some(started.instances), None),
        Some(Kind::Skipped(skipped)) => (None, Some(&skipped.message)),
        None => (None, None),
    };
    json!({
        "due": time(run.due_ms),
        "at": time(run.at_ms),
        "instances": started,
        "skipped": skipped,
    })
}
