//! `aurora cron show`.

use aurora_api::v1;
use serde_json::json;

use super::{near_of, time};
use crate::failure::{Code, Failure};
use crate::one_job::OneJob;
use crate::output::{note, print};

/// Shows the schedule of a job.
pub(super) async fn run(of: OneJob) -> Result<(), Failure> {
    let scheduler = of.scheduler().await?;
    let job = match scheduler.cron(&of.key.job).await {
        Ok(job) => job,
        Err(error) => return Err(near_of(error, &scheduler, &of.key).await),
    };
    let known = job.job.as_ref().and_then(|known| known.cron_schedule.as_deref());
    let schedule = known.ok_or_else(|| {
        Failure::new(Code::Api, format!("the scheduler gave no schedule of {}", of.key))
    })?;
    if of.output.is_data() {
        return of.output.print(&json!({
            "job": of.key.to_string(),
            "schedule": schedule,
            "time_zone": job.time_zone,
            "next": job.next_ms.map(time),
            "problem": job.problem,
            "runs": job.runs.iter().map(as_json).collect::<Vec<_>>(),
        }));
    }
    if let Some(problem) = &job.problem {
        note(&format!("It cannot be said when it is due: {problem}"));
    } else if let Some(next) = job.next_ms {
        note(&format!("Due next at {} (time zone {})", time(next), job.time_zone));
    }
    print(&format!("{}\t {schedule}\n", of.key))
}

/// What became of a run.
fn as_json(run: &v1::CronRun) -> serde_json::Value {
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
