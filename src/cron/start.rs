//! `aurora cron start`.

use aurora_api::v1::cron_outcome::Kind;
use aurora_client::Scheduler;
use serde_json::json;

use super::near_of;
use crate::browser::OpenBrowser;
use crate::failure::{Code, Failure};
use crate::job::Checked;
use crate::one_job::OneJob;
use crate::output::note;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    of: OneJob,
    #[command(flatten)]
    checked: Checked,
    #[command(flatten)]
    open_browser: OpenBrowser,
}

impl Args {
    pub(super) async fn run(self) -> Result<(), Failure> {
        let Self { of, checked, open_browser } = self;
        checked.check(&of.key, &of.connection).await?;
        let scheduler = of.scheduler().await?;
        run(&of, &scheduler).await?;
        if open_browser.is_wanted() {
            open_browser.show(&scheduler.page_of(&of.key.job).await);
        }
        Ok(())
    }
}

/// Makes a run of a job now.
async fn run(of: &OneJob, scheduler: &Scheduler) -> Result<(), Failure> {
    let outcome = match scheduler.start_cron(&of.key.job).await {
        Ok(outcome) => outcome.and_then(|outcome| outcome.kind),
        Err(error) => return Err(near_of(error, scheduler, &of.key).await),
    };
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
