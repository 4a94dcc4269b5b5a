//! The course of a deployment that has begun, to its end or to where it is left.

use aurora_api::v1;
use aurora_client::deploy::{Ends, ends};
use aurora_client::updates::{self, Following, before_turn, is_back, why};
use aurora_client::{Change, Scheduler, wait};
use aurora_model::key::ClusterJobKey;
use aurora_model::update::UpdateStatus;

use super::accompany::{Choice, Limits, Outcome, Signals, accompany};
use super::summary::Summary;
use crate::failure::{Code, Failure};
use crate::output::note;

/// What the history says of a choice that a timeout or a signal has made.
const INTERRUPTED: &str = "aurora deploy was interrupted";
const TIMED_OUT: &str = "the time of aurora deploy was over";

/// A deployment that has begun.
pub(super) struct Course<'a> {
    pub(super) scheduler: &'a Scheduler,
    pub(super) job: &'a ClusterJobKey,
    pub(super) followed: Followed,
}

/// What is followed.
#[derive(Debug, Clone)]
pub(super) enum Followed {
    /// An update.
    Update(v1::UpdateKey),
    /// So many instances of a batch job.
    Batch(u32),
}

impl Course<'_> {
    /// Follows it, and says how it went.
    pub(super) async fn run(
        &self,
        limits: &Limits,
        signals: &mut Signals,
        summary: &mut Summary,
    ) -> Result<(), Failure> {
        match &self.followed {
            Followed::Update(key) => {
                let followed = follow(self.scheduler, self.job, key, summary);
                match accompany(limits, signals, followed).await? {
                    Outcome::Ended(status) => self.updated(key, status, summary).await,
                    other => self.left(other, limits, summary).await,
                }
            }
            Followed::Batch(count) => match accompany(limits, signals, self.batch(*count)).await? {
                Outcome::Ended(ends) => ended(self.job, ends, summary),
                other => self.left(other, limits, summary).await,
            },
        }
    }

    async fn batch(&self, count: u32) -> Result<Ends, Failure> {
        let job = &self.job.job;
        wait::wait(self.scheduler, job, None, wait::Until::Ended).await?;
        Ok(ends(self.scheduler, job, count).await?)
    }

    /// The update is over.
    async fn updated(
        &self,
        key: &v1::UpdateKey,
        status: UpdateStatus,
        summary: &mut Summary,
    ) -> Result<(), Failure> {
        let (result, code) = match status {
            UpdateStatus::RolledForward => {
                summary.result("deployed");
                return Ok(());
            }
            UpdateStatus::RolledBack => ("rolled_back", Code::CommandFailure),
            UpdateStatus::Aborted => ("aborted", Code::Unfinished),
            _ => ("failed", Code::Unfinished),
        };
        summary.result(result);
        // What is known of it says why, if it can still be had.
        let details = self.scheduler.update(key).await.ok();
        let why = details.and_then(|details| why(&details.events));
        // It may be a sentence, and the next one follows.
        let why = why.map(|why| format!(": {}", why.trim_end_matches('.'))).unwrap_or_default();
        Err(Failure::new(
            code,
            format!(
                "{} is not what the file says: the update has ended as {status}{why}. `aurora update info {} {}` \
                 tells what happened",
                self.job, self.job, key.id
            ),
        ))
    }

    /// It is not over, and is left as was chosen.
    async fn left<T>(
        &self,
        outcome: Outcome<T>,
        limits: &Limits,
        summary: &mut Summary,
    ) -> Result<(), Failure> {
        let (choice, code, result, message) = match outcome {
            Outcome::Interrupted(choice) => (choice, Code::Interrupted, "interrupted", INTERRUPTED),
            _ => (limits.on_timeout, Code::Timeout, "timed_out", TIMED_OUT),
        };
        summary.result(result);
        let (now, status) = self.make(choice, message).await?;
        if let Some(status) = status {
            summary.status = Some(status.name());
        }
        let begun = match code {
            Code::Timeout => {
                let timeout = limits.timeout.unwrap_or_default();
                format!("it is not over after {}", crate::timeout::words(timeout))
            }
            _ => "interrupted".to_owned(),
        };
        Err(Failure::new(code, format!("{begun}: {now}")))
    }

    /// Makes what was chosen come true. Says what is now, and where that has brought the update.
    async fn make(
        &self,
        choice: Choice,
        message: &str,
    ) -> Result<(String, Option<UpdateStatus>), Failure> {
        let job = self.job;
        let key = match &self.followed {
            Followed::Update(key) => key,
            Followed::Batch(_) => {
                let now = match choice {
                    Choice::Abort => {
                        let message = Some(message.to_owned());
                        self.scheduler.kill(&job.job, Vec::new(), message).await?;
                        format!("all instances of {job} are being killed")
                    }
                    Choice::Leave | Choice::Pause => {
                        format!("{job} goes on; `aurora job status {job}` shows it")
                    }
                };
                return Ok((now, None));
            }
        };
        let id = &key.id;
        let change = match choice {
            Choice::Leave => {
                let now = format!(
                    "update {id} goes on by itself; `aurora update wait {job} {id}` follows it"
                );
                return Ok((now, None));
            }
            Choice::Pause => Change::Pause,
            Choice::Abort => Change::Abort,
        };
        let status = self.scheduler.change_update(change, key, Some(message.to_owned())).await?;
        let now = match choice {
            Choice::Pause => {
                format!("update {id} was paused; `aurora update resume {job}` lets it go on")
            }
            _ => format!("update {id} was aborted; {job} stays what it is at this moment"),
        };
        Ok((now, Some(updates::status(status)?)))
    }
}

/// The instances of a batch job have ended.
fn ended(job: &ClusterJobKey, ends: Ends, summary: &mut Summary) -> Result<(), Failure> {
    summary.instances(ends.total, ends.good, ends.failed);
    if ends.failed == 0 && ends.total > 0 {
        summary.result("finished");
        return Ok(());
    }
    summary.result("failed");
    Err(Failure::new(
        Code::CommandFailure,
        format!(
            "{} of {} instances of {job} did not finish; `aurora job status {job}` tells why",
            ends.total - ends.good,
            ends.total
        ),
    ))
}

/// Follows an update to its end, and tells on the way.
async fn follow(
    scheduler: &Scheduler,
    job: &ClusterJobKey,
    key: &v1::UpdateKey,
    summary: &mut Summary,
) -> Result<UpdateStatus, Failure> {
    let mut following = Following::open(scheduler, key).await?;
    let mut told: Option<(UpdateStatus, v1::UpdateTally)> = None;
    // How far it had come, once it has turned back.
    let mut turned: Option<v1::UpdateTally> = None;
    loop {
        let update = following.next().await?;
        let status = update.status;
        let may_have_turned =
            is_back(status) || (status.is_terminal() && status != UpdateStatus::RolledForward);
        if turned.is_none() && may_have_turned {
            // How it ends counts for more than that.
            let details = scheduler.update(key).await.ok();
            turned = details.and_then(|details| before_turn(&details));
        }
        let has_turned = is_back(status) || turned.is_some();
        let now = (status, update.tally);
        if told != Some(now) {
            note(&how_far(status, &update.tally, has_turned));
        }
        if told.is_none_or(|(before, _)| before != status) {
            note_pause(job, &key.id, status);
        }
        told = Some(now);
        summary.status = Some(status.name());
        if let Some(forward) = turned.or((!has_turned).then_some(update.tally)) {
            summary.instances(forward.total, forward.good, forward.failed);
        }
        if status.is_terminal() {
            return Ok(status);
        }
    }
}

/// Nothing goes on by itself while it is paused.
pub(super) fn note_pause(job: &ClusterJobKey, id: &str, status: UpdateStatus) {
    if matches!(status, UpdateStatus::RollForwardPaused | UpdateStatus::RollBackPaused) {
        note(&format!("Update {id} is paused; `aurora update resume {job}` lets it go on"));
    }
}

/// A tally is of the way back once an update has turned.
fn how_far(status: UpdateStatus, tally: &v1::UpdateTally, has_turned: bool) -> String {
    let v1::UpdateTally { total, working, good, failed } = *tally;
    let done = if has_turned { "rolled back" } else { "done" };
    let failed = if failed > 0 { format!(", {failed} failed") } else { String::new() };
    format!("{status}: {good} of {total} {done}, {working} under way{failed}")
}
