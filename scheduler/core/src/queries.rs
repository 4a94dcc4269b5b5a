//! What can be asked without changing anything.

use std::collections::{BTreeMap, BTreeSet};

use aurora_model::job::{ScheduledTask, TaskState};
use aurora_model::key::{JobKey, TaskId};

use crate::groups::Group;
use crate::matching::Veto;
use crate::scheduler::Scheduler;

/// Which tasks are meant: all conditions must hold, an empty one always does
/// (`scheduler.md` 2.11).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TaskQuery {
    /// The role.
    pub role: String,
    /// The environment.
    pub environment: String,
    /// The job's name.
    pub name: String,
    /// The tasks' ids.
    pub task_ids: BTreeSet<TaskId>,
    /// The states they are in.
    pub states: BTreeSet<TaskState>,
    /// The instances.
    pub instances: BTreeSet<u32>,
    /// The hosts they are on.
    pub hosts: BTreeSet<String>,
}

impl TaskQuery {
    /// The tasks of a job.
    pub fn of_job(job: &JobKey) -> Self {
        Self {
            role: job.role().to_owned(),
            environment: job.environment().to_owned(),
            name: job.name().to_owned(),
            ..Self::default()
        }
    }

    /// Whether the task is meant.
    pub fn matches(&self, task: &ScheduledTask) -> bool {
        let is = |wanted: &str, has: &str| wanted.is_empty() || wanted == has;
        let job = task.job();
        is(&self.role, job.role())
            && is(&self.environment, job.environment())
            && is(&self.name, job.name())
            && (self.task_ids.is_empty() || self.task_ids.contains(task.id()))
            && (self.states.is_empty() || self.states.contains(&task.state))
            && (self.instances.is_empty() || self.instances.contains(&task.assigned.instance))
            && (self.hosts.is_empty()
                || task
                    .assigned
                    .agent
                    .as_ref()
                    .is_some_and(|(_, host)| self.hosts.contains(&**host)))
    }
}

/// How many tasks of a job are in which class of states (`scheduler.md` 3.1).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct JobCounts {
    /// Waiting.
    pub pending: u32,
    /// On an agent.
    pub active: u32,
    /// Ended well, or killed.
    pub finished: u32,
    /// Ended badly.
    pub failed: u32,
    /// Whether the job is a service.
    pub is_service: bool,
    /// Each state by itself.
    pub states: BTreeMap<TaskState, u32>,
}

/// Numbers about the whole.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Stats {
    /// Tasks by state.
    pub tasks: BTreeMap<TaskState, u64>,
    /// Offers that are held.
    pub offers: u64,
    /// Whether a master has taken the subscription.
    pub registered: bool,
}

/// Tasks that wait and are alike: what keeps one from a place keeps all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PendingGroup {
    /// Their job.
    pub job: JobKey,
    /// In the order in which they began to wait.
    pub tasks: Vec<TaskId>,
    /// What speaks against the offer that came nearest to fitting, if there was one.
    pub reasons: Vec<String>,
}

impl Scheduler {
    /// The tasks that are meant, by job, instance and time; the active run of an instance last.
    pub fn tasks(&self, query: &TaskQuery) -> Vec<&ScheduledTask> {
        let key = JobKey::new(&query.role, &query.environment, &query.name);
        let mut found: Vec<&ScheduledTask> = match key {
            Ok(job) => self.state.tasks_of(&job).filter(|task| query.matches(task)).collect(),
            Err(_) if !query.task_ids.is_empty() => query
                .task_ids
                .iter()
                .filter_map(|id| self.state.task(id))
                .filter(|task| query.matches(task))
                .collect(),
            Err(_) => self.state.tasks().filter(|task| query.matches(task)).collect(),
        };
        found.sort_by(|a, b| order(a).cmp(&order(b)));
        found
    }

    /// The jobs that have tasks, those of a role if one is given.
    pub fn jobs(&self, role: &str) -> Vec<(JobKey, JobCounts)> {
        self.state
            .jobs()
            .filter(|job| role.is_empty() || job.role() == role)
            .map(|job| {
                let mut counts = JobCounts::default();
                for task in self.state.tasks_of(job) {
                    counts.is_service |= task.assigned.task.is_service;
                    let class = match task.state {
                        TaskState::Init | TaskState::Pending | TaskState::Throttled => {
                            &mut counts.pending
                        }
                        TaskState::Killed | TaskState::Finished => &mut counts.finished,
                        TaskState::Lost | TaskState::Failed => &mut counts.failed,
                        _ => &mut counts.active,
                    };
                    *class += 1;
                    *counts.states.entry(task.state).or_default() += 1;
                }
                (job.clone(), counts)
            })
            .collect()
    }

    /// Why a task waits; nothing if it does not.
    pub fn pending_reason(&self, id: &TaskId) -> Option<String> {
        let task = self.state.task(id)?;
        match task.state {
            TaskState::Throttled => {
                return Some("Waiting because its last runs ended too soon".to_owned());
            }
            TaskState::Pending => {}
            _ => return None,
        }
        Some(self.group_reason(self.groups.of_task(id), |veto| &veto.reason))
    }

    /// Why the tasks of a group wait, in words that `of_veto` chooses.
    pub(crate) fn group_reason(&self, group: Option<&Group>, of_veto: fn(&Veto) -> &str) -> String {
        if !self.registered {
            return "Waiting for a Mesos master".to_owned();
        }
        if !self.launching {
            return "The scheduler is not launching tasks".to_owned();
        }
        match group.and_then(|group| group.nearest.as_ref()) {
            Some(nearest) => nearest.vetoes.iter().map(of_veto).collect::<Vec<_>>().join(", "),
            None => "Waiting for offers of resources".to_owned(),
        }
    }

    /// All tasks that wait for a place, in groups.
    pub fn pending_groups(&self) -> Vec<PendingGroup> {
        self.groups
            .iter()
            .map(|group| PendingGroup {
                job: group.config.job.clone(),
                tasks: group.tasks.iter().cloned().collect(),
                reasons: group
                    .nearest
                    .iter()
                    .flat_map(|nearest| &nearest.vetoes)
                    .map(|veto| veto.reason.clone())
                    .collect(),
            })
            .collect()
    }

    /// Numbers about the whole.
    pub fn stats(&self) -> Stats {
        let tasks = self.state.counts().clone();
        Stats { tasks, offers: self.offers.len() as u64, registered: self.registered }
    }
}

/// By job and instance, and the runs of an instance one after the other.
fn order(
    task: &ScheduledTask,
) -> (&JobKey, u32, bool, Option<aurora_model::job::Timestamp>, u32, &TaskId) {
    let began = task.events.first().map(|event| event.timestamp);
    let active = task.state.is_active();
    (task.job(), task.assigned.instance, active, began, task.failure_count, task.id())
}
