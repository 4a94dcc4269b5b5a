//! `aurora update wait`, and waiting for the end of an update (`client.md` 13.4).

use std::time::{Duration, Instant};

use aurora_api::updates::update_status;
use aurora_api::v1;
use aurora_client::Scheduler;
use aurora_model::key::{ClusterJobKey, UpdateId};
use aurora_model::update::UpdateStatus;
use serde_json::json;

use super::{Update, named_update};
use crate::failure::{Code, Failure};
use crate::one_job::OneJob;
use crate::output::{Output, note, print};

/// How often it is looked where an update is.
const LOOK: Duration = Duration::from_secs(1);
/// How long a scheduler may be out of reach meanwhile: another one may be about to take over.
const PATIENCE: Duration = Duration::from_secs(120);

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    of: OneJob,
    /// The update; by default the active one.
    #[arg(value_name = "ID")]
    id: Option<UpdateId>,
}

impl Args {
    pub(super) async fn run(self) -> Result<(), Failure> {
        let scheduler = self.of.scheduler().await?;
        let update = named_update(&scheduler, &self.of.key, self.id.as_ref()).await?;
        follow(&scheduler, &self.of.key, &update.key, Aim::Forward, self.of.output).await
    }
}

/// Where an update is to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Aim {
    /// The job is what it was to become.
    Forward,
    /// The job is what it was.
    Back,
}

impl Aim {
    /// How a command ends whose update has ended so: well, the other way, or neither.
    fn code(self, status: UpdateStatus) -> Option<Code> {
        match (self, status) {
            (Self::Forward, UpdateStatus::RolledForward)
            | (Self::Back, UpdateStatus::RolledBack) => None,
            (_, UpdateStatus::RolledForward | UpdateStatus::RolledBack) => {
                Some(Code::CommandFailure)
            }
            _ => Some(Code::Unfinished),
        }
    }
}

/// Waits for the end of an update, and tells on the way. A result as JSON is one document at the end.
pub(super) async fn follow(
    scheduler: &Scheduler,
    job: &ClusterJobKey,
    key: &v1::UpdateKey,
    aim: Aim,
    output: Output,
) -> Result<(), Failure> {
    let scheduler = scheduler.patient(PATIENCE);
    let query = v1::UpdateQuery { key: Some(key.clone()), ..v1::UpdateQuery::default() };
    let mut told = Told::default();
    let mut heard = Instant::now();
    loop {
        let found = match scheduler.updates(query.clone()).await {
            // It may have gone in the midst of the answer.
            Err(failure) if failure.code == Code::Timeout && heard.elapsed() < PATIENCE => continue,
            found => found?,
        };
        heard = Instant::now();
        let Some(summary) = found.into_iter().next() else {
            return Err(Failure::new(
                Code::InvalidParameter,
                format!("update {} is not known any more; how it has ended is not known", key.id),
            ));
        };
        let update = Update::read(&summary)?;
        told.tell(&update, output)?;
        if update.status.is_terminal() {
            return end(&scheduler, job, &update, aim, output).await;
        }
        tokio::time::sleep(LOOK).await;
    }
}

/// What was told last.
#[derive(Default)]
struct Told {
    status: Option<UpdateStatus>,
    tally: v1::UpdateTally,
}

impl Told {
    fn tell(&mut self, update: &Update, output: Output) -> Result<(), Failure> {
        if self.status != Some(update.status) {
            let line = format!("Current state {}", update.status);
            if output.is_data() {
                note(&line);
            } else {
                print(&format!("{line}\n"))?;
            }
        }
        if self.tally != update.tally && !update.status.is_terminal() {
            note(&progress(&update.tally));
        }
        self.status = Some(update.status);
        self.tally = update.tally;
        Ok(())
    }
}

/// How far an update has come.
fn progress(tally: &v1::UpdateTally) -> String {
    let v1::UpdateTally { total, working, good, failed } = *tally;
    let failed = if failed > 0 { format!(", {failed} failed") } else { String::new() };
    format!("{good} of {total} instances are done, {working} under way{failed}")
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
    let why = details.and_then(|details| why(&details.events));
    let why = why.map(|why| format!(": {why}")).unwrap_or_default();
    Err(Failure::new(code, format!("the update has ended as {status}{why}")))
}

/// Why an update did not come to its end: what was said when it ended, or when it turned back.
fn why(events: &[v1::UpdateEvent]) -> Option<String> {
    let is = |event: &&v1::UpdateEvent, wanted: fn(UpdateStatus) -> bool| {
        update_status(event.status).is_ok_and(wanted)
    };
    let end = events.iter().rev().find(|event| is(event, UpdateStatus::is_terminal));
    let turn = events.iter().find(|event| is(event, |status| status == UpdateStatus::RollingBack));
    end.into_iter().chain(turn).find_map(|event| event.message.clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_end_is_good_bad_or_neither() {
        use UpdateStatus::{Aborted, Error, Failed, RolledBack, RolledForward};
        for (aim, good, other) in
            [(Aim::Forward, RolledForward, RolledBack), (Aim::Back, RolledBack, RolledForward)]
        {
            assert_eq!(aim.code(good), None);
            assert_eq!(aim.code(other), Some(Code::CommandFailure));
            for status in [Aborted, Error, Failed] {
                assert_eq!(aim.code(status), Some(Code::Unfinished));
            }
        }
    }

    #[test]
    fn the_reason_is_that_of_the_end_or_the_turn() {
        use UpdateStatus::{Aborted, RollForwardPaused, RolledBack, RollingBack, RollingForward};
        let event = |status: UpdateStatus, message: &str| v1::UpdateEvent {
            status: v1::UpdateStatus::from(status) as i32,
            message: (!message.is_empty()).then(|| message.to_owned()),
            ..v1::UpdateEvent::default()
        };
        let begun = event(RollingForward, "version 7");
        let paused = event(RollForwardPaused, "lunch");
        for (rest, expected) in [
            (vec![event(Aborted, "")], None),
            (vec![event(Aborted, "no good")], Some("no good")),
            (
                vec![event(RollingBack, "too many failed"), event(RolledBack, "")],
                Some("too many failed"),
            ),
            (vec![event(RollingBack, ""), event(RolledBack, "")], None),
        ] {
            let events = [vec![begun.clone(), paused.clone()], rest].concat();
            assert_eq!(why(&events).as_deref(), expected);
        }
    }

    #[test]
    fn progress_tells_of_failures_only_if_there_are_some() {
        let mut tally = v1::UpdateTally { total: 10, working: 2, good: 3, failed: 0 };
        assert_eq!(progress(&tally), "3 of 10 instances are done, 2 under way");
        tally.failed = 1;
        assert_eq!(progress(&tally), "3 of 10 instances are done, 2 under way, 1 failed");
    }
}
