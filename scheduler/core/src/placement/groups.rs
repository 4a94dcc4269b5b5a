//! Waiting tasks, grouped by configuration: what does not fit for one does not fit for any.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;
use std::sync::Arc;

use aurora_model::job::{TaskConfig, Timestamp};
use aurora_model::key::{AgentId, JobKey, TaskId};

use super::fit::{Veto, Wanted};
use super::reasons::PendingReason;
use super::scan::Scan;
use crate::settings::Settings;

#[derive(Debug)]
pub(crate) struct Group {
    pub(crate) config: Arc<TaskConfig>,
    pub(crate) wanted: Wanted,
    /// In the order in which they began to wait.
    tasks: BTreeMap<u64, TaskId>,
    /// Up to which change of offers these tasks have looked at all agents. What did not take them
    /// then does not take them now, unless it has changed since.
    pub(super) seen: u64,
    /// What it has still to look at, if a step ended before it had looked at all.
    pub(super) unfinished: Option<(Scan, u64)>,
    /// The offer that came nearest to fitting.
    pub(crate) nearest: Option<Nearest>,
    /// Why these tasks wait, as far as those who watch them have been told.
    pub(super) told: Option<String>,
    /// What was found when somebody asked, and at which change of offers.
    pub(super) found: RefCell<Option<(u64, Arc<PendingReason>)>>,
    /// The host after which the search for tasks that may make room goes on.
    pub(crate) searched: Option<Arc<str>>,
    /// Whether there is a timer for that search.
    pub(crate) is_searching: bool,
}

impl Group {
    pub(crate) fn tasks(&self) -> impl Iterator<Item = &TaskId> {
        self.tasks.values()
    }

    pub(crate) fn len(&self) -> usize {
        self.tasks.len()
    }
}

/// What speaks against an agent's offer.
#[derive(Debug, Clone)]
pub(crate) struct Nearest {
    pub(crate) agent: AgentId,
    pub(crate) host: String,
    pub(crate) at: Timestamp,
    pub(crate) score: u64,
    pub(crate) vetoes: Vec<Veto>,
}

/// How long the nearest offer is remembered while others are farther (`scheduler.md` 5.7).
pub(super) const NEAREST_MS: i64 = 10 * 60 * 1000;

/// All groups, in the order in which they were made.
#[derive(Debug, Default)]
pub(crate) struct Groups {
    groups: BTreeMap<u64, Group>,
    by_job: BTreeMap<JobKey, Vec<u64>>,
    by_task: BTreeMap<TaskId, (u64, u64)>,
    /// Groups to which something has happened since they were last tried.
    changed: BTreeSet<u64>,
    /// Groups that may wait for another reason than those who watch have been told.
    untold: BTreeSet<u64>,
    /// Agents for which something apart from their offers has changed.
    touched: BTreeSet<AgentId>,
    /// Groups that have no tasks any more.
    gone: Vec<u64>,
    /// At which change of offers all groups were last tried.
    tried_at: u64,
    /// From which group on groups are tried next: a step ended before it was its turn, or in it. Who
    /// has waited longest would otherwise take every step for itself.
    turn_of: Option<u64>,
    made: u64,
    joined: u64,
}

impl Groups {
    /// Tasks of one configuration begin to wait, in this order.
    pub(crate) fn add(
        &mut self,
        tasks: impl IntoIterator<Item = TaskId>,
        config: &Arc<TaskConfig>,
        settings: &Settings,
    ) {
        let mut tasks = tasks.into_iter().peekable();
        if tasks.peek().is_none() {
            return;
        }
        let candidates = self.by_job.entry(config.job.clone()).or_default();
        let known = candidates.iter().copied().find(|id| {
            self.groups
                .get(id)
                .is_some_and(|group| Arc::ptr_eq(&group.config, config) || group.config == *config)
        });
        let id = known.unwrap_or_else(|| {
            self.made += 1;
            candidates.push(self.made);
            self.made
        });
        let group = self.groups.entry(id).or_insert_with(|| Group {
            config: config.clone(),
            wanted: Wanted::of(config, settings),
            tasks: BTreeMap::new(),
            seen: 0,
            unfinished: None,
            nearest: None,
            told: None,
            found: RefCell::new(None),
            searched: None,
            is_searching: false,
        });
        for task in tasks {
            self.joined += 1;
            group.tasks.insert(self.joined, task.clone());
            self.by_task.insert(task, (id, self.joined));
        }
        self.changed.insert(id);
        self.untold.insert(id);
    }

    pub(crate) fn remove(&mut self, task: &TaskId) {
        let Some((id, place)) = self.by_task.remove(task) else { return };
        let Some(group) = self.groups.get_mut(&id) else { return };
        group.tasks.remove(&place);
        *group.found.get_mut() = None;
        if group.tasks.is_empty() {
            let job = group.config.job.clone();
            self.groups.remove(&id);
            self.changed.remove(&id);
            self.untold.remove(&id);
            self.gone.push(id);
            if let Some(ids) = self.by_job.get_mut(&job) {
                ids.retain(|known| *known != id);
                if ids.is_empty() {
                    self.by_job.remove(&job);
                }
            }
        }
    }

    pub(crate) fn get(&self, id: u64) -> Option<&Group> {
        self.groups.get(&id)
    }

    pub(crate) fn get_mut(&mut self, id: u64) -> Option<&mut Group> {
        self.groups.get_mut(&id)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Group> {
        self.groups.values()
    }

    /// The groups after a number, or all, each with its own.
    pub(crate) fn iter_after(&self, after: Option<u64>) -> impl Iterator<Item = (u64, &Group)> {
        let start = after.map_or(Bound::Unbounded, Bound::Excluded);
        self.groups.range((start, Bound::Unbounded)).map(|(id, group)| (*id, group))
    }

    /// The group of a task, by its number.
    pub(crate) fn id_of(&self, task: &TaskId) -> Option<u64> {
        self.by_task.get(task).map(|(group, _)| *group)
    }

    /// Remembers what speaks against an agent's offer. What is known already stays if it is still
    /// so, not too old and no farther from fitting.
    pub(super) fn remember(&mut self, id: u64, nearest: Nearest, is_stale: bool) {
        let Some(group) = self.groups.get_mut(&id) else { return };
        let stays = group.nearest.as_ref().is_some_and(|known| {
            !is_stale
                && known.agent != nearest.agent
                && nearest.at.ms_since(known.at) < NEAREST_MS
                && known.score <= nearest.score
        });
        if stays {
            return;
        }
        let kinds = |vetoes: &[Veto]| vetoes.iter().map(Veto::gist).collect::<Vec<_>>();
        let is_news = group
            .nearest
            .as_ref()
            .is_none_or(|known| kinds(&known.vetoes) != kinds(&nearest.vetoes));
        group.nearest = Some(nearest);
        *group.found.get_mut() = None;
        if is_news {
            self.untold.insert(id);
        }
    }

    /// Something apart from its offers has changed for an agent: every group looks at it anew.
    pub(crate) fn agent_changed(&mut self, agent: &AgentId) {
        self.touched.insert(agent.clone());
    }

    pub(super) fn take_touched(&mut self) -> BTreeSet<AgentId> {
        std::mem::take(&mut self.touched)
    }

    pub(super) fn take_gone(&mut self) -> Vec<u64> {
        std::mem::take(&mut self.gone)
    }

    /// Every offer is void.
    pub(crate) fn forget_vetoes(&mut self) {
        for group in self.groups.values_mut() {
            group.nearest = None;
            *group.found.get_mut() = None;
        }
    }

    /// A place of the job has come free: a limit may be satisfied now, wherever.
    pub(crate) fn job_changed(&mut self, job: &JobKey) {
        for id in self.by_job.get(job).into_iter().flatten() {
            if let Some(group) = self.groups.get_mut(id) {
                group.seen = 0;
                group.unfinished = None;
                *group.found.get_mut() = None;
            }
            self.changed.insert(*id);
        }
    }

    pub(crate) fn all_changed(&mut self) {
        self.changed.extend(self.groups.keys());
    }

    /// Every group may wait for another reason.
    pub(crate) fn all_untold(&mut self) {
        self.untold.extend(self.groups.keys());
    }

    pub(super) fn take_untold(&mut self) -> BTreeSet<u64> {
        std::mem::take(&mut self.untold)
    }

    /// Whether something has happened since groups were last tried.
    pub(super) fn has_news(&self) -> bool {
        !(self.changed.is_empty() && self.touched.is_empty() && self.gone.is_empty())
    }

    /// The groups that may find a place which they did not find before: all if any offer has
    /// changed, otherwise those to which something has happened.
    pub(super) fn take_changed(&mut self, version: u64) -> Vec<u64> {
        let changed = std::mem::take(&mut self.changed);
        let before = std::mem::replace(&mut self.tried_at, version);
        let mut ids: Vec<u64> = if before == version {
            changed.into_iter().collect()
        } else {
            self.groups.keys().copied().collect()
        };
        if let Some(first) = self.turn_of.take() {
            let others = ids.partition_point(|id| *id < first);
            ids.rotate_left(others);
        }
        ids
    }

    /// These groups are tried again in the next step, from one on if it is its turn.
    pub(super) fn go_on_later(&mut self, ids: &[u64], turn_of: Option<u64>) {
        self.turn_of = turn_of;
        self.changed.extend(ids.iter().filter(|id| self.groups.contains_key(id)));
    }

    /// A group has looked at every agent as it was at a change of offers, or will when it has looked
    /// at the rest.
    pub(super) fn have_seen(&mut self, id: u64, version: u64, rest: Option<Scan>) {
        let Some(group) = self.groups.get_mut(&id) else { return };
        match rest {
            Some(rest) => group.unfinished = Some((rest, version)),
            None => {
                // What has changed since then is looked at next.
                if version < self.tried_at {
                    self.changed.insert(id);
                }
                group.seen = version;
            }
        }
    }
}
