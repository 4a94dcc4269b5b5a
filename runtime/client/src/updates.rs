//! Updates of jobs: which one is meant, following one to its end, and what its end means (`client.md` 7 and 13.4).

use std::collections::BTreeSet;
use std::time::Duration;

use aurora_api::updates::update_status;
use aurora_api::v1;
use aurora_model::key::{ClusterJobKey, JobKey, UpdateId};
use aurora_model::update::UpdateStatus;
use tokio::time::Instant;

use crate::error::{Code, Error};
use crate::near;
use crate::scheduler::Scheduler;
use crate::watch::{Changes, PATIENCE};

/// How long no look follows on one, whatever happens.
const REST: Duration = Duration::from_millis(200);
/// When it is looked anew though nothing was told: instances that need nothing are not told of.
const LOOK: Duration = Duration::from_secs(5);

/// An update, as it is shown in lists.
#[derive(Debug, Clone, PartialEq)]
pub struct Update {
    /// Which one.
    pub key: v1::UpdateKey,
    /// Of which job.
    pub job: JobKey,
    /// Who started it.
    pub user: String,
    /// Where it is.
    pub status: UpdateStatus,
    /// When it was started, in milliseconds since the epoch.
    pub created_ms: i64,
    /// When something happened to it last.
    pub modified_ms: i64,
    /// How many instances have come how far.
    pub tally: v1::UpdateTally,
}

impl Update {
    /// What a scheduler tells of one.
    pub fn read(summary: &v1::UpdateSummary) -> Result<Self, Error> {
        let improper = || Error::new(Code::Api, "the scheduler told of an update without a key");
        let key = summary.key.clone().ok_or_else(improper)?;
        let job = key.job.as_ref().ok_or_else(improper)?;
        let job = JobKey::try_from(job).map_err(|_| improper())?;
        Ok(Self {
            job,
            key,
            user: summary.user.clone(),
            status: status(summary.status)?,
            created_ms: summary.created_ms,
            modified_ms: summary.modified_ms,
            tally: summary.tally.unwrap_or_default(),
        })
    }
}

/// The status that a number from a scheduler means.
pub fn status(number: i32) -> Result<UpdateStatus, Error> {
    update_status(number).map_err(|error| Error::new(Code::Api, error.to_string()))
}

/// The states in which an update is not over.
pub fn active_statuses() -> impl Iterator<Item = UpdateStatus> {
    UpdateStatus::ALL.into_iter().filter(|status| !status.is_terminal())
}

/// The updates of a job that are not over: there is at most one.
pub(crate) async fn find_active(
    scheduler: &Scheduler,
    job: &JobKey,
) -> Result<Vec<v1::UpdateSummary>, Error> {
    let query = v1::UpdateQuery {
        job: Some(job.into()),
        statuses: active_statuses().map(|status| v1::UpdateStatus::from(status) as i32).collect(),
        ..v1::UpdateQuery::default()
    };
    scheduler.updates(query).await
}

/// The active update of a job.
pub async fn active(scheduler: &Scheduler, job: &ClusterJobKey) -> Result<Update, Error> {
    match find_active(scheduler, &job.job).await?.as_slice() {
        [one] => Update::read(one),
        [] => Err(Error::new(
            Code::InvalidParameter,
            format!(
                "{job} has no active update: `aurora update list {job}` shows those that are over{}",
                near::hint_of(scheduler, job).await
            ),
        )),
        several => Err(Error::new(
            Code::Api,
            format!("the scheduler says that {job} has {} active updates", several.len()),
        )),
    }
}

/// The update of this id, or the active one.
pub async fn named(
    scheduler: &Scheduler,
    job: &ClusterJobKey,
    id: Option<&UpdateId>,
) -> Result<Update, Error> {
    let Some(id) = id else { return active(scheduler, job).await };
    let key = v1::UpdateKey { job: Some((&job.job).into()), id: id.to_string() };
    let query = v1::UpdateQuery { key: Some(key), ..v1::UpdateQuery::default() };
    match scheduler.updates(query).await?.first() {
        Some(summary) => Update::read(summary),
        None => Err(Error::new(
            Code::InvalidParameter,
            format!("there is no update {id} of {job}, or none any more"),
        )),
    }
}

/// The update of a job that changed last, whether or not it is over; none if none is remembered.
pub async fn latest(scheduler: &Scheduler, job: &JobKey) -> Result<Option<Update>, Error> {
    let query = v1::UpdateQuery { job: Some(job.into()), ..v1::UpdateQuery::default() };
    scheduler.updates(query).await?.first().map(Update::read).transpose()
}

/// An update that is followed.
#[derive(Debug)]
pub struct Following {
    scheduler: Scheduler,
    key: v1::UpdateKey,
    changes: Changes,
    /// Whether it is looked before anything is waited for.
    is_due: bool,
    looked: Option<Instant>,
    heard: Instant,
}

impl Following {
    /// Begins to follow.
    pub async fn open(scheduler: &Scheduler, update: &v1::UpdateKey) -> Result<Self, Error> {
        let job = update.job.clone().unwrap_or_default();
        Ok(Self {
            scheduler: scheduler.patient(PATIENCE),
            key: update.clone(),
            changes: Changes::open(scheduler, job, &[v1::EventKind::Update]).await?,
            is_due: true,
            looked: None,
            heard: Instant::now(),
        })
    }

    /// How it is: at once at first, then when something may have changed. Nothing is lost if this is given up
    /// and called again.
    pub async fn next(&mut self) -> Result<Update, Error> {
        loop {
            if !self.is_due {
                let look = self.looked.unwrap_or_else(Instant::now) + LOOK;
                if let Ok(heard) = tokio::time::timeout_at(look, self.changes.next()).await {
                    heard?;
                }
                self.is_due = true;
            }
            if let Some(looked) = self.looked {
                tokio::time::sleep_until(looked + REST).await;
            }
            let query =
                v1::UpdateQuery { key: Some(self.key.clone()), ..v1::UpdateQuery::default() };
            let found = match self.scheduler.updates(query).await {
                // It may have gone in the midst of the answer.
                Err(error) if error.code == Code::Timeout && self.heard.elapsed() < PATIENCE => {
                    continue;
                }
                found => found?,
            };
            self.heard = Instant::now();
            self.looked = Some(self.heard);
            self.is_due = false;
            return match found.first() {
                Some(summary) => Update::read(summary),
                None => Err(Error::new(
                    Code::InvalidParameter,
                    format!(
                        "update {} is not known any more; how it has ended is not known",
                        self.key.id
                    ),
                )),
            };
        }
    }
}

/// Where an update is to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Aim {
    /// The job is what it was to become.
    Forward,
    /// The job is what it was.
    Back,
}

impl Aim {
    /// How a command ends whose update has ended so: well, the other way, or neither.
    pub fn code(self, status: UpdateStatus) -> Option<Code> {
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

/// Whether it goes back to what was, stands on the way there, or has got there.
pub const fn is_back(status: UpdateStatus) -> bool {
    matches!(
        status,
        UpdateStatus::RollingBack
            | UpdateStatus::RollBackPaused
            | UpdateStatus::RollBackAwaitingPulse
            | UpdateStatus::RolledBack
    )
}

/// How far an update had come when it turned back; nothing if it has not. A scheduler's tally is of the way back then.
pub fn before_turn(details: &v1::GetUpdateResponse) -> Option<v1::UpdateTally> {
    let has_turned = |event: &v1::UpdateEvent| update_status(event.status).is_ok_and(is_back);
    if !details.events.iter().any(has_turned) {
        return None;
    }
    let of = |wanted: v1::InstanceAction| -> BTreeSet<u32> {
        let events = details.instance_events.iter().filter(|event| event.action() == wanted);
        events.map(|event| event.instance).collect()
    };
    let count = |set: usize| u32::try_from(set).unwrap_or(u32::MAX);
    let failed = of(v1::InstanceAction::UpdateFailed);
    let good = &of(v1::InstanceAction::Updated) - &failed;
    let begun = of(v1::InstanceAction::Updating);
    let back = details.summary.as_ref().and_then(|summary| summary.tally).unwrap_or_default();
    let instructions = details.update.as_ref().and_then(|update| update.instructions.as_ref());
    Some(v1::UpdateTally {
        total: back.total.saturating_add(instructions.map_or(0, surge_of)),
        working: count((&(&begun - &failed) - &good).len()),
        good: count(good.len()),
        failed: count(failed.len()),
    })
}

/// Why an update did not come to its end: what was said when it ended, or when it turned back.
pub fn why(events: &[v1::UpdateEvent]) -> Option<String> {
    let is = |event: &&v1::UpdateEvent, wanted: fn(UpdateStatus) -> bool| {
        update_status(event.status).is_ok_and(wanted)
    };
    let end = events.iter().rev().find(|event| is(event, UpdateStatus::is_terminal));
    let turn = events.iter().find(|event| is(event, |status| status == UpdateStatus::RollingBack));
    end.into_iter().chain(turn).find_map(|event| event.message.clone())
}

/// The sizes of the batches in which an update goes forward, in their order; none if it goes on as a window
/// that slides over the instances. `total` is how many it changes.
pub fn batches(instructions: &v1::UpdateInstructions, total: u32) -> Vec<u32> {
    use v1::update_settings::Strategy;
    let Some(settings) = &instructions.settings else { return Vec::new() };
    let surge = surge_of(instructions);
    let canary = settings.canary.map_or(0, |canary| canary.instances);
    let mut cut = Cut { left: total, sizes: Vec::new() };
    // Those that run beside the others, and those that go first, are batches of their own.
    cut.push(surge);
    cut.push(canary);
    match &settings.strategy {
        Some(Strategy::Batch(batch)) => while cut.push(batch.group_size) {},
        Some(Strategy::VariableBatch(batches)) => {
            let mut end = 0_u32;
            let mut done = canary;
            for size in &batches.group_sizes {
                end = end.saturating_add(*size);
                // Those that went first count as a part of the batches in whose place they went.
                if end > done && cut.push(*size) {
                    done = done.saturating_add(*size);
                }
            }
            let last = batches.group_sizes.last().copied().unwrap_or(1);
            while cut.push(last) {}
        }
        Some(Strategy::Queue(_)) | None => return Vec::new(),
    }
    cut.sizes
}

/// How many instances run beside the others, which are there on the way forward only.
fn surge_of(instructions: &v1::UpdateInstructions) -> u32 {
    instructions.surge.map_or(0, |surge| surge.last.saturating_sub(surge.first).saturating_add(1))
}

struct Cut {
    left: u32,
    sizes: Vec<u32>,
}

impl Cut {
    /// Cuts a batch off. Gives whether there was something to cut.
    fn push(&mut self, size: u32) -> bool {
        let size = size.min(self.left);
        if size > 0 {
            self.left -= size;
            self.sizes.push(size);
        }
        size > 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn c92_an_end_is_good_bad_or_neither() {
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
    fn what_had_come_about_before_the_turn_is_counted() {
        use v1::InstanceAction::{RolledBack, UpdateFailed, Updated, Updating};
        let event = |instance, action: v1::InstanceAction| v1::InstanceEvent {
            instance,
            action: action as i32,
            ..v1::InstanceEvent::default()
        };
        let status = |status: UpdateStatus| v1::UpdateEvent {
            status: v1::UpdateStatus::from(status) as i32,
            ..v1::UpdateEvent::default()
        };
        let back = v1::UpdateTally { total: 4, working: 0, good: 3, failed: 0 };
        let mut details = v1::GetUpdateResponse {
            summary: Some(v1::UpdateSummary { tally: Some(back), ..Default::default() }),
            update: Some(v1::JobUpdate {
                instructions: Some(v1::UpdateInstructions {
                    surge: Some(v1::InstanceRange { first: 4, last: 5 }),
                    ..Default::default()
                }),
                ..Default::default()
            }),
            events: vec![status(UpdateStatus::RollingForward)],
            instance_events: vec![
                event(0, Updating),
                event(0, Updated),
                event(1, Updating),
                event(2, Updating),
                event(1, UpdateFailed),
                event(1, RolledBack),
                event(0, RolledBack),
            ],
        };
        assert_eq!(before_turn(&details), None);
        details.events.extend([UpdateStatus::RollingBack, UpdateStatus::Aborted].map(status));
        let forward = v1::UpdateTally { total: 6, working: 1, good: 1, failed: 1 };
        assert_eq!(before_turn(&details), Some(forward));
    }

    #[test]
    fn batches_are_cut_as_the_scheduler_takes_them_up() {
        use v1::update_settings::Strategy;
        let batch = |group_size| {
            Strategy::Batch(v1::BatchStrategy { group_size, autopause_after_batch: false })
        };
        let variable = |sizes: &[u32]| {
            Strategy::VariableBatch(v1::VariableBatchStrategy {
                group_sizes: sizes.to_vec(),
                autopause_after_batch: false,
            })
        };
        let queue = Strategy::Queue(v1::QueueStrategy { group_size: 3 });
        for (strategy, surge, canary, total, expected) in [
            (queue, 0, 0, 9, vec![]),
            (batch(3), 0, 0, 7, vec![3, 3, 1]),
            (batch(3), 2, 1, 9, vec![2, 1, 3, 3]),
            (batch(0), 0, 0, 4, vec![]),
            (variable(&[1, 2]), 0, 0, 8, vec![1, 2, 2, 2, 1]),
            (variable(&[1, 2]), 0, 1, 4, vec![1, 2, 1]),
            (variable(&[5]), 0, 0, 3, vec![3]),
        ] {
            let settings = v1::UpdateSettings {
                strategy: Some(strategy),
                canary: (canary > 0)
                    .then_some(v1::Canary { instances: canary, ..v1::Canary::default() }),
                ..v1::UpdateSettings::default()
            };
            let instructions = v1::UpdateInstructions {
                surge: (surge > 0).then_some(v1::InstanceRange { first: 5, last: 4 + surge }),
                settings: Some(settings),
                ..v1::UpdateInstructions::default()
            };
            assert_eq!(batches(&instructions, total), expected);
        }
    }
}
