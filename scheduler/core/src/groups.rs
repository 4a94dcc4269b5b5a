//! Waiting tasks, grouped by configuration: what does not fit for one does not fit for any.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use aurora_model::job::{TaskConfig, Timestamp};
use aurora_model::key::{AgentId, JobKey, TaskId};

use crate::matching::Veto;

#[derive(Debug, Clone)]
pub(crate) struct Group {
    pub(crate) config: Arc<TaskConfig>,
    /// In the order in which they began to wait.
    pub(crate) tasks: VecDeque<TaskId>,
    /// Agents whose present offer cannot take these tasks, whatever else happens.
    pub(crate) banned: BTreeSet<AgentId>,
    /// The offer that came nearest to fitting.
    pub(crate) nearest: Option<Nearest>,
    /// Why these tasks wait, as far as those who watch them have been told.
    pub(crate) told: Option<String>,
}

/// What speaks against an agent's offer.
#[derive(Debug, Clone)]
pub(crate) struct Nearest {
    pub(crate) agent: AgentId,
    pub(crate) at: Timestamp,
    pub(crate) vetoes: Vec<Veto>,
}

/// How long the nearest offer is remembered while others are farther (`scheduler.md` 5.7).
const NEAREST_MS: i64 = 10 * 60 * 1000;

impl Group {
    /// Remembers what speaks against an agent's offer. What is known already stays if it is of
    /// another agent, not too old and no farther from fitting.
    fn remember(&mut self, now: Timestamp, agent: &AgentId, vetoes: Vec<Veto>) {
        if vetoes.iter().all(|veto| veto.is_static) {
            self.banned.insert(agent.clone());
        }
        let score =
            |vetoes: &[Veto]| vetoes.iter().fold(0_u64, |sum, veto| sum.saturating_add(veto.score));
        let stays = self.nearest.as_ref().is_some_and(|nearest| {
            nearest.agent != *agent
                && now.ms_since(nearest.at) < NEAREST_MS
                && score(&nearest.vetoes) <= score(&vetoes)
        });
        if !stays {
            self.nearest = Some(Nearest { agent: agent.clone(), at: now, vetoes });
        }
    }
}

/// All groups, in the order in which they were made.
#[derive(Debug, Default)]
pub(crate) struct Groups {
    groups: BTreeMap<u64, Group>,
    by_job: BTreeMap<JobKey, Vec<u64>>,
    by_task: BTreeMap<TaskId, u64>,
    /// Groups to which something has happened since they were last tried.
    changed: BTreeSet<u64>,
    /// Groups that may wait for another reason than those who watch have been told.
    untold: BTreeSet<u64>,
    made: u64,
}

impl Groups {
    pub(crate) fn add(&mut self, task: TaskId, config: &Arc<TaskConfig>) {
        let candidates = self.by_job.entry(config.job.clone()).or_default();
        let known = candidates.iter().copied().find(|id| {
            self.groups
                .get(id)
                .is_some_and(|group| Arc::ptr_eq(&group.config, config) || group.config == *config)
        });
        let id = known.unwrap_or_else(|| {
            self.made += 1;
            candidates.push(self.made);
            self.groups.insert(
                self.made,
                Group {
                    config: config.clone(),
                    tasks: VecDeque::new(),
                    banned: BTreeSet::new(),
                    nearest: None,
                    told: None,
                },
            );
            self.made
        });
        if let Some(group) = self.groups.get_mut(&id) {
            group.tasks.push_back(task.clone());
        }
        self.by_task.insert(task, id);
        self.changed.insert(id);
        self.untold.insert(id);
    }

    pub(crate) fn remove(&mut self, task: &TaskId) {
        let Some(id) = self.by_task.remove(task) else { return };
        let Some(group) = self.groups.get_mut(&id) else { return };
        // Tasks are placed from the front, so the search is short where it matters.
        if let Some(position) = group.tasks.iter().position(|waiting| waiting == task) {
            group.tasks.remove(position);
        }
        if group.tasks.is_empty() {
            let job = group.config.job.clone();
            self.groups.remove(&id);
            self.changed.remove(&id);
            self.untold.remove(&id);
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

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Group> {
        self.groups.values()
    }

    pub(crate) fn get_mut(&mut self, id: u64) -> Option<&mut Group> {
        self.groups.get_mut(&id)
    }

    /// See [`Group::remember`].
    pub(crate) fn remember(&mut self, id: u64, now: Timestamp, agent: &AgentId, vetoes: Vec<Veto>) {
        let Some(group) = self.groups.get_mut(&id) else { return };
        group.remember(now, agent, vetoes);
        self.untold.insert(id);
    }

    pub(crate) fn of_task(&self, task: &TaskId) -> Option<&Group> {
        self.groups.get(self.by_task.get(task)?)
    }

    /// What an agent offers has changed: every group looks at it anew.
    pub(crate) fn agent_changed(&mut self, agent: &AgentId) {
        for (id, group) in &mut self.groups {
            group.banned.remove(agent);
            self.changed.insert(*id);
        }
    }

    /// Every offer is void.
    pub(crate) fn forget_vetoes(&mut self) {
        for group in self.groups.values_mut() {
            group.banned.clear();
            group.nearest = None;
        }
    }

    /// A place of the job has come free: a limit may be satisfied now.
    pub(crate) fn job_changed(&mut self, job: &JobKey) {
        self.changed.extend(self.by_job.get(job).into_iter().flatten());
    }

    pub(crate) fn all_changed(&mut self) {
        self.changed.extend(self.groups.keys());
    }

    /// Every group may wait for another reason.
    pub(crate) fn all_untold(&mut self) {
        self.untold.extend(self.groups.keys());
    }

    pub(crate) fn take_untold(&mut self) -> BTreeSet<u64> {
        std::mem::take(&mut self.untold)
    }

    pub(crate) fn take_changed(&mut self) -> BTreeSet<u64> {
        std::mem::take(&mut self.changed)
    }

    pub(crate) fn has_changed(&self) -> bool {
        !self.changed.is_empty()
    }
}
