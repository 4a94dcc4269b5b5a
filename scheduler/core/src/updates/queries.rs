//! What can be asked of updates.

use std::collections::{BTreeMap, BTreeSet};

use aurora_model::job::Timestamp;
use aurora_model::key::JobKey;
use aurora_model::update::{UpdateKey, UpdateStatus};

use super::course::Tally;
use super::store::Update;
use crate::scheduler::Scheduler;

/// Which updates are meant: all conditions must hold, an empty one always does.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct UpdateQuery {
    /// The role of their jobs.
    pub role: String,
    /// Their job.
    pub job: Option<JobKey>,
    /// One update.
    pub key: Option<UpdateKey>,
    /// Who started them.
    pub user: String,
    /// Where they are.
    pub statuses: BTreeSet<UpdateStatus>,
}

impl UpdateQuery {
    fn matches(&self, update: &Update) -> bool {
        let UpdateQuery { role, job, key, user, statuses } = self;
        let found = update.update();
        (role.is_empty() || found.key.job.role() == role)
            && job.as_ref().is_none_or(|job| found.key.job == *job)
            && key.as_ref().is_none_or(|key| found.key == *key)
            && (user.is_empty() || found.user == *user)
            && (statuses.is_empty() || statuses.contains(&update.status()))
    }
}

/// An update without its instructions and events.
#[derive(Debug, Clone, PartialEq)]
pub struct UpdateSummary {
    /// Which one it is.
    pub key: UpdateKey,
    /// Who started it.
    pub user: String,
    /// Where it is.
    pub status: UpdateStatus,
    /// When it was started.
    pub created: Timestamp,
    /// When something last happened to it.
    pub modified: Timestamp,
    /// What its starter said of it.
    pub metadata: BTreeSet<(String, String)>,
    /// How many instances have come how far in its last direction.
    pub tally: Tally,
}

impl From<&Update> for UpdateSummary {
    fn from(update: &Update) -> Self {
        let found = update.update();
        Self {
            key: found.key.clone(),
            user: found.user.clone(),
            status: update.status(),
            created: update.created(),
            modified: update.modified(),
            metadata: found.metadata.clone(),
            tally: update.tally(),
        }
    }
}

/// Stops for updates that an SLA policy was asked about, since the start.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct SlaKills {
    /// How often it was asked (`updates_sla_kill_attempt_<job>`).
    pub attempts: u64,
    /// How often it agreed (`updates_sla_kill_success_<job>`).
    pub passed: u64,
}

impl Scheduler {
    /// The updates that are meant, the last changed first, from the one after `after` on; at most
    /// `limit`.
    pub fn updates(
        &self,
        query: &UpdateQuery,
        after: Option<&(Timestamp, UpdateKey)>,
        limit: usize,
    ) -> Vec<&Update> {
        let updates = &self.state.updates;
        let job = query.key.as_ref().map(|key| &key.job).or(query.job.as_ref());
        let Some(job) = job else {
            let found = updates.by_change(&query.role, after);
            return found.filter(|update| query.matches(update)).take(limit).collect();
        };
        // A job has few.
        let place =
            |update: &Update| (std::cmp::Reverse(update.modified()), update.update().key.clone());
        let start = after.map(|(time, key)| (std::cmp::Reverse(*time), key.clone()));
        let mut found: Vec<&Update> = updates
            .of_job(job)
            .filter(|update| query.matches(update))
            .filter(|update| start.as_ref().is_none_or(|start| place(update) > *start))
            .collect();
        found.sort_by_key(|update| place(update));
        found.truncate(limit);
        found
    }

    /// An update.
    pub fn update(&self, key: &UpdateKey) -> Option<&Update> {
        self.state.updates.get(key)
    }

    /// The update that a job is in.
    pub fn update_of(&self, job: &JobKey) -> Option<&Update> {
        self.state.updates.active_of(job)
    }

    /// Stops for updates that an SLA policy was asked about, by job.
    pub fn update_sla_kills(&self) -> &BTreeMap<JobKey, SlaKills> {
        &self.updating.asked
    }
}
