//! `aurora cron start`.

use aurora_api::v1::cron_outcome::Kind;
use serde_json::json;

use crate::failure::{Code, Failure};
use crate::one_job::OneJob;
use crate::output::note;

/// Makes a run of a job now.
pub(super) async fn run(of: OneJob) -> Result<(), Failure> {
    let scheduler = of.scheduler().await?;
    let outcome = scheduler.start_cron(&of.key.job).await?.and_then(|outcome| outcome.kind);
    let (word, instances) = match outcome {
        Some(Kind::Skipped(skipped)) => {
            return Err(Failure::new(
                Code::Api,
                format!("no run of {} was started: {}", of.key, skipped.message),
            ));
        }
        Some(Kind::Started(started)) => ("started", Some(started.instances)),
        None => ("waiting", None),
    };
    if of.output.is_data() {
        return of.output.print(&json!({
            "job": of.key.to_string(), "run": word, "instances": instances,
        }));
    }
    // As the original, it prints no result.
    note(&match instances {
        Some(count) => format!("A run of {} with {count} instances has been started", of.key),
        None => format!("The run of {} starts when the one before it has ended", of.key),
    });
    Ok(())
}
