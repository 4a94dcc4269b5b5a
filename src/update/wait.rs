//! `aurora update wait`, and waiting for the end of an update (`client.md` 13.4).

use std::time::Duration;

use aurora_api::v1;
use aurora_client::Scheduler;
use aurora_client::updates::{self, Aim, Following, Update};
use aurora_model::key::{ClusterJobKey, UpdateId};
use aurora_model::update::UpdateStatus;
use serde_json::json;

use super::view::View;
use crate::failure::{Code, Failure};
use crate::live::Progress;
use crate::one_job::OneJob;
use crate::output::{Output, note, print};
use crate::timeout::{Timeout, words};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    of: OneJob,
    /// The update; by default the active one.
    #[arg(value_name = "ID")]
    id: Option<UpdateId>,
    #[command(flatten)]
    timeout: Timeout,
    #[command(flatten)]
    progress: Progress,
}

impl Args {
    pub(super) async fn run(self) -> Result<(), Failure> {
        let scheduler = self.of.scheduler().await?;
        let update = updates::named(&scheduler, &self.of.key, self.id.as_ref()).await?;
        let (key, output) = (&self.of.key, self.of.output);
        let followed = follow(&scheduler, key, &update.key, Aim::Forward, output, self.progress);
        within(self.timeout.timeout, &update.key.id, followed).await
    }
}

/// Follows for no longer than that.
pub(crate) async fn within(
    timeout: Option<Duration>,
    id: &str,
    followed: impl Future<Output = Result<(), Failure>>,
) -> Result<(), Failure> {
    let Some(timeout) = timeout else { return followed.await };
    tokio::time::timeout(timeout, followed).await.unwrap_or_else(|_| {
        Err(Failure::new(
            Code::Timeout,
            format!("update {id} is not over after {}; it goes on", words(timeout)),
        ))
    })
}

/// Waits for the end of an update, and tells on the way. A result as JSON is one document at the end.
pub(crate) async fn follow(
    scheduler: &Scheduler,
    job: &ClusterJobKey,
    key: &v1::UpdateKey,
    aim: Aim,
    output: Output,
    progress: Progress,
) -> Result<(), Failure> {
    let mut following = Following::open(scheduler, key).await?;
    let mut live = progress.on_stderr();
    let mut view = View::new(job.to_string());
    let mut told = Told::default();
    loop {
        let update = live.during(following.next(), |size| view.lines(size, now_ms())).await?;
        view.take(update.clone(), now_ms());
        instruct(&mut view, scheduler, key, live.is_on()).await?;
        live.touch();
        if told.status != Some(update.status) {
            live.clear();
        }
        told.tell(&update, output, live.is_on())?;
        if update.status.is_terminal() {
            live.finish(|size| view.lines(size, now_ms()));
            return end(scheduler, job, &update, aim, output).await;
        }
    }
}

/// Tells a view of the batches, if it is shown.
pub(super) async fn instruct(
    view: &mut View,
    scheduler: &Scheduler,
    key: &v1::UpdateKey,
    is_shown: bool,
) -> Result<(), Failure> {
    if is_shown && view.wants_instructions() {
        view.instruct(&scheduler.update(key).await?);
    }
    Ok(())
}

pub(super) fn now_ms() -> i64 {
    jiff::Timestamp::now().as_millisecond()
}

/// What was told last.
#[derive(Default)]
struct Told {
    status: Option<UpdateStatus>,
    tally: v1::UpdateTally,
}

impl Told {
    /// Tells what is new; how far it has come is seen where there is a view.
    fn tell(&mut self, update: &Update, output: Output, is_shown: bool) -> Result<(), Failure> {
        if self.status != Some(update.status) {
            let line = format!("Current state {}", update.status);
            if output.is_data() {
                note(&line);
            } else {
                print(&format!("{line}\n"))?;
            }
        }
        if !is_shown && self.tally != update.tally && !update.status.is_terminal() {
            note(&how_far(update.status, &update.tally));
        }
        self.status = Some(update.status);
        self.tally = update.tally;
        Ok(())
    }
}

/// How far an update has come.
fn how_far(status: UpdateStatus, tally: &v1::UpdateTally) -> String {
    let v1::UpdateTally { total, working, good, failed } = *tally;
    let failed = if failed > 0 { format!(", {failed} failed") } else { String::new() };
    let done = if updates::is_back(status) { "rolled back" } else { "done" };
    format!("{good} of {total} instances are {done}, {working} under way{failed}")
}

async fn end(
    scheduler: &Scheduler,
    job: &ClusterJobKey,
    update: &Update,
    aim: Aim,
    output: Output,
) -> Result<(), Failure> {
    let status = update.status;
    if output.is_data() {
        output.print(&json!({
            "job": job.to_string(),
            "id": update.key.id,
            "status": status.name(),
        }))?;
    }
    let Some(code) = aim.code(status) else { return Ok(()) };
    // What is known of it says why, if it can still be had.
    let details = scheduler.update(&update.key).await.ok();
    let why = details.and_then(|details| updates::why(&details.events));
    let why = why.map(|why| format!(": {why}")).unwrap_or_default();
    Err(Failure::new(code, format!("the update has ended as {status}{why}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn progress_tells_of_failures_only_if_there_are_some_and_which_way_it_goes() {
        use UpdateStatus::{RollingBack, RollingForward};
        let mut tally = v1::UpdateTally { total: 10, working: 2, good: 3, failed: 0 };
        assert_eq!(how_far(RollingForward, &tally), "3 of 10 instances are done, 2 under way");
        assert_eq!(how_far(RollingBack, &tally), "3 of 10 instances are rolled back, 2 under way");
        tally.failed = 1;
        assert_eq!(
            how_far(RollingForward, &tally),
            "3 of 10 instances are done, 2 under way, 1 failed"
        );
    }
}
