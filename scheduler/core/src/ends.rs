//! What has become of tasks and of what was said of them, counted for those who watch over the cluster.
//! It begins anew with each scheduler.

use std::collections::BTreeMap;

use aurora_model::job::{DEDICATED_ATTRIBUTE, TaskState};
use aurora_model::key::JobKey;

use crate::changes::TaskChange;
use crate::scheduler::{Scheduler, Turn};
use crate::state::State;

/// The host attribute that losses are counted by.
const RACK_ATTRIBUTE: &str = "rack";

/// What came of a transition that was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum StatusResult {
    /// The task went there.
    Success,
    /// It was there already.
    Noop,
    /// It may not go there.
    Illegal,
    /// It may not go there, and is killed because it should not run.
    IllegalWithSideEffects,
}

impl StatusResult {
    /// The original's name, as counters have it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Success => "SUCCESS",
            Self::Noop => "NOOP",
            Self::Illegal => "ILLEGAL",
            Self::IllegalWithSideEffects => "ILLEGAL_WITH_SIDE_EFFECTS",
        }
    }
}

/// How often tasks of a job have ended badly, or had to make room.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct JobEnds {
    /// In [`TaskState::Lost`].
    pub lost: u64,
    /// In [`TaskState::Failed`].
    pub failed: u64,
    /// Stopped to make room for tasks of other jobs, or more important ones of this one.
    pub preempted: u64,
    /// How often others were stopped to make room for one of its tasks.
    pub preemptor: u64,
}

/// Counts since the start.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Ends {
    jobs: BTreeMap<JobKey, JobEnds>,
    lost_by_rack: BTreeMap<String, u64>,
    lost_by_dedicated: BTreeMap<String, u64>,
    statuses: BTreeMap<(&'static str, StatusResult), u64>,
    changes: u64,
}

impl Ends {
    /// By job; of those that are still known and had an end that counts.
    pub fn jobs(&self) -> &BTreeMap<JobKey, JobEnds> {
        &self.jobs
    }

    /// Lost tasks by the rack of the host that had them.
    pub fn lost_by_rack(&self) -> &BTreeMap<String, u64> {
        &self.lost_by_rack
    }

    /// Lost tasks by what the host that had them is dedicated to.
    pub fn lost_by_dedicated(&self) -> &BTreeMap<String, u64> {
        &self.lost_by_dedicated
    }

    /// Status updates that came with a reason, by that and by what came of them.
    pub fn statuses(&self) -> &BTreeMap<(&'static str, StatusResult), u64> {
        &self.statuses
    }

    /// How often what is counted by job, rack and dedication has changed: who has seen it at the same
    /// number need not look again.
    pub fn changes(&self) -> u64 {
        self.changes
    }

    pub(crate) fn count_status(&mut self, reason: &'static str, result: StatusResult) {
        *self.statuses.entry((reason, result)).or_default() += 1;
    }

    /// Counts a task that is stopped to make room for one of another job or of its own.
    pub(crate) fn count_preempted(&mut self, job: &JobKey) {
        self.changes += 1;
        self.jobs.entry(job.clone()).or_default().preempted += 1;
    }

    /// Counts a task for which room is made.
    pub(crate) fn count_preemptor(&mut self, job: &JobKey) {
        self.changes += 1;
        self.jobs.entry(job.clone()).or_default().preemptor += 1;
    }

    /// Forgets a job of which nothing is left.
    pub(crate) fn forget_job(&mut self, job: &JobKey, state: &State) {
        if state.tasks_of(job).next().is_none() && state.crons().get(job).is_none() {
            self.changes += u64::from(self.jobs.remove(job).is_some());
        }
    }
}

impl Scheduler {
    /// What has become of tasks and of what was said of them.
    pub fn ends(&self) -> &Ends {
        &self.ends
    }
}

impl Turn<'_> {
    /// Counts a transition if it is a bad end.
    pub(crate) fn count_end(&mut self, change: &TaskChange) {
        let Scheduler { state, ends, .. } = &mut *self.scheduler;
        match change.to {
            Some(TaskState::Failed) => {
                ends.changes += 1;
                ends.jobs.entry(change.config.job.clone()).or_default().failed += 1;
            }
            Some(TaskState::Lost) => {
                ends.changes += 1;
                ends.jobs.entry(change.config.job.clone()).or_default().lost += 1;
                let host = change.host.as_deref().and_then(|host| state.host(host));
                let values = |attribute: &str| {
                    host.and_then(|host| host.attributes.get(attribute)).into_iter().flatten()
                };
                for rack in values(RACK_ATTRIBUTE) {
                    *ends.lost_by_rack.entry(rack.clone()).or_default() += 1;
                }
                for value in values(DEDICATED_ATTRIBUTE) {
                    *ends.lost_by_dedicated.entry(value.clone()).or_default() += 1;
                }
            }
            _ => {}
        }
    }
}
