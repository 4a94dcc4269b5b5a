//! What survives a restart: the state that ops make.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::ops::Bound;
use std::sync::Arc;

use aurora_model::job::{AssignedTask, ScheduledTask, TaskConfig, TaskState, Timestamp};
use aurora_model::key::{AgentId, FrameworkId, JobKey, RequestId, Role, TaskId};
use aurora_model::quota::ResourceAggregate;

use crate::cron::Crons;
use crate::input::{Op, RecordedResponse, TaskRecord};
use crate::maintenance::Maintenance;
use crate::quota::Usage;
use crate::updates::{UpdateOp, Updates};

/// How many answered requests are remembered. Clients repeat within seconds; at a thousand changes
/// a second this is still more than any of them waits.
const MAX_REQUESTS: usize = 20_000;

/// A host that has made offers.
#[derive(Debug, Clone, PartialEq)]
pub struct Host {
    /// The agent on it.
    pub agent: AgentId,
    /// Its attributes.
    pub attributes: BTreeMap<String, BTreeSet<String>>,
}

/// An op is about something that is not there: it does not belong to this state.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what} is changed but does not exist")]
pub struct Misfit {
    /// What it is about.
    pub what: String,
}

impl Misfit {
    pub(crate) fn task(id: &TaskId) -> Self {
        Self { what: format!("task {id}") }
    }
}

/// Everything that is durable.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct State {
    framework_id: Option<FrameworkId>,
    tasks: BTreeMap<TaskId, ScheduledTask>,
    index: Index,
    hosts: BTreeMap<String, Host>,
    quotas: BTreeMap<Role, ResourceAggregate>,
    pub(crate) crons: Crons,
    pub(crate) updates: Updates,
    pub(crate) maintenance: Maintenance,
    requests: BTreeMap<RequestId, RecordedResponse>,
    /// Oldest first.
    request_order: VecDeque<RequestId>,
}

/// What can be looked up without going through all tasks. Made of the tasks alone.
#[derive(Debug, Clone, Default, PartialEq)]
struct Index {
    /// Never with a job that has no tasks.
    jobs: BTreeMap<JobKey, JobTasks>,
    /// Never with a state that no task is in.
    counts: BTreeMap<TaskState, u64>,
    /// What active tasks use. Never with a role that has none.
    usage: BTreeMap<Role, Usage>,
    /// The tasks that an agent of the host has. Never with a host that has none.
    on_host: BTreeMap<String, BTreeSet<TaskId>>,
}

/// The tasks of one job.
#[derive(Debug, Clone, Default, PartialEq)]
struct JobTasks {
    all: BTreeSet<TaskId>,
    /// The run of each instance that holds its id.
    active: BTreeMap<u32, TaskId>,
    /// The ended ones, by the time of their end.
    ended: BTreeSet<(Timestamp, TaskId)>,
}

impl Index {
    fn add(&mut self, task: &ScheduledTask) {
        self.jobs.entry(task.job().clone()).or_default().all.insert(task.id().clone());
        self.enters(task);
    }

    fn remove(&mut self, task: &ScheduledTask) {
        self.leaves(task);
        if let Some(job) = self.jobs.get_mut(task.job()) {
            job.all.remove(task.id());
            if job.all.is_empty() {
                self.jobs.remove(task.job());
            }
        }
    }

    /// The task has come to its state.
    fn enters(&mut self, task: &ScheduledTask) {
        *self.counts.entry(task.state).or_default() += 1;
        if task.state.is_active() {
            self.usage.entry(Role::from(task.job())).or_default().add(&task.assigned.task);
            if let Some(job) = self.jobs.get_mut(task.job()) {
                job.active.insert(task.assigned.instance, task.id().clone());
            }
        }
        if let Some(host) = host_of(task) {
            self.on_host.entry(host.to_owned()).or_default().insert(task.id().clone());
        }
        if task.state.is_terminal()
            && let Some(job) = self.jobs.get_mut(task.job())
        {
            job.ended.insert((end(task), task.id().clone()));
        }
    }

    /// The task is about to go from its state.
    fn leaves(&mut self, task: &ScheduledTask) {
        if let Some(count) = self.counts.get_mut(&task.state) {
            *count -= 1;
            if *count == 0 {
                self.counts.remove(&task.state);
            }
        }
        if task.state.is_active()
            && let Some(job) = self.jobs.get_mut(task.job())
            && job.active.get(&task.assigned.instance) == Some(task.id())
        {
            job.active.remove(&task.assigned.instance);
        }
        if let Some(host) = host_of(task)
            && let Some(tasks) = self.on_host.get_mut(host)
        {
            tasks.remove(task.id());
            if tasks.is_empty() {
                self.on_host.remove(host);
            }
        }
        if task.state.is_active()
            && let Some(usage) = self.usage.get_mut(task.job().role())
        {
            usage.remove(&task.assigned.task);
            if usage.is_empty() {
                self.usage.remove(task.job().role());
            }
        }
        if task.state.is_terminal()
            && let Some(job) = self.jobs.get_mut(task.job())
        {
            job.ended.remove(&(end(task), task.id().clone()));
        }
    }
}

/// The host that has the task, or is thought to.
fn host_of(task: &ScheduledTask) -> Option<&str> {
    let (_, host) = task.assigned.agent.as_ref()?;
    task.state.is_slave_assigned().then_some(host)
}

fn end(task: &ScheduledTask) -> Timestamp {
    task.latest_event().map_or(Timestamp(0), |event| event.timestamp)
}

impl State {
    /// The id the master knows this scheduler by.
    pub fn framework_id(&self) -> Option<&FrameworkId> {
        self.framework_id.as_ref()
    }

    /// A task.
    pub fn task(&self, id: &TaskId) -> Option<&ScheduledTask> {
        self.tasks.get(id)
    }

    /// Every task, by id.
    pub fn tasks(&self) -> impl Iterator<Item = &ScheduledTask> {
        self.tasks.values()
    }

    /// The tasks from an id on, or all of them, by id.
    pub(crate) fn tasks_from(&self, from: Option<&TaskId>) -> impl Iterator<Item = &ScheduledTask> {
        let start = from.map_or(Bound::Unbounded, Bound::Included);
        self.tasks.range::<TaskId, _>((start, Bound::Unbounded)).map(|(_, task)| task)
    }

    /// The tasks of a job, by id.
    pub fn tasks_of(&self, job: &JobKey) -> impl Iterator<Item = &ScheduledTask> {
        let ids = self.index.jobs.get(job).into_iter().flat_map(|job| &job.all);
        ids.filter_map(|id| self.tasks.get(id))
    }

    /// The active tasks of a job, by instance.
    pub fn active_of(&self, job: &JobKey) -> impl Iterator<Item = &ScheduledTask> {
        let ids = self.index.jobs.get(job).into_iter().flat_map(|job| job.active.values());
        ids.filter_map(|id| self.tasks.get(id))
    }

    /// The active task of an instance, if it has one.
    pub fn active_instance(&self, job: &JobKey, instance: u32) -> Option<&ScheduledTask> {
        self.tasks.get(self.index.jobs.get(job)?.active.get(&instance)?)
    }

    /// The tasks that the agents of a host have, by id.
    pub fn tasks_on(&self, host: &str) -> impl Iterator<Item = &ScheduledTask> {
        let ids = self.index.on_host.get(host).into_iter().flatten();
        ids.filter_map(|id| self.tasks.get(id))
    }

    /// The ended tasks of a job with the time of their end, oldest first.
    pub(crate) fn ended_of(
        &self,
        job: &JobKey,
    ) -> impl ExactSizeIterator<Item = &(Timestamp, TaskId)> {
        static NONE: BTreeSet<(Timestamp, TaskId)> = BTreeSet::new();
        self.index.jobs.get(job).map_or(&NONE, |job| &job.ended).iter()
    }

    /// How many tasks are in each state; states that no task is in are not there.
    pub fn counts(&self) -> &BTreeMap<TaskState, u64> {
        &self.index.counts
    }

    /// Every job that has tasks.
    pub fn jobs(&self) -> impl Iterator<Item = &JobKey> {
        self.index.jobs.keys()
    }

    /// A host.
    pub fn host(&self, name: &str) -> Option<&Host> {
        self.hosts.get(name)
    }

    /// The names of hosts that have made offers, from one on, in order.
    pub(crate) fn host_names(&self, from: Bound<&str>) -> impl Iterator<Item = &str> {
        self.hosts.range::<str, _>((from, Bound::Unbounded)).map(|(name, _)| name.as_str())
    }

    /// The quota that was set for a role.
    pub fn quota(&self, role: &str) -> Option<&ResourceAggregate> {
        self.quotas.get(role)
    }

    /// Every quota that was set, by role.
    pub fn quotas(&self) -> impl Iterator<Item = (&Role, &ResourceAggregate)> {
        self.quotas.iter()
    }

    /// What the active tasks of a role use.
    pub(crate) fn usage(&self, role: &str) -> Usage {
        self.index.usage.get(role).copied().unwrap_or_default()
    }

    /// How a request was answered.
    pub fn answered(&self, id: &RequestId) -> Option<&RecordedResponse> {
        self.requests.get(id)
    }

    /// The updates of jobs.
    pub fn updates(&self) -> &Updates {
        &self.updates
    }

    /// Carries out a change: the only way this state changes.
    ///
    /// # Errors
    /// The op is about a task that is not there. Nothing has changed; to a log that this scheduler
    /// wrote it cannot happen.
    pub fn apply(&mut self, op: &Op) -> Result<(), Misfit> {
        match op {
            Op::SaveFrameworkId(id) => self.framework_id = Some(id.clone()),
            Op::PutTasks { config, tasks } => {
                for record in tasks {
                    self.insert(task(config.clone(), record));
                }
            }
            Op::Reschedule { ancestor, id } => {
                let old = known(&self.tasks, ancestor)?;
                let new = ScheduledTask {
                    assigned: AssignedTask {
                        task_id: id.clone(),
                        agent: None,
                        task: old.assigned.task.clone(),
                        assigned_ports: BTreeMap::new(),
                        instance: old.assigned.instance,
                    },
                    state: TaskState::Init,
                    failure_count: old.failure_count,
                    times_partitioned: 0,
                    events: Vec::new(),
                    ancestor: Some(ancestor.clone()),
                };
                self.insert(new);
            }
            Op::Transition { id, event } => {
                let task = known_mut(&mut self.tasks, id)?;
                self.index.leaves(task);
                task.state = event.state;
                if event.state == TaskState::Partitioned {
                    task.times_partitioned += 1;
                    compact(task);
                }
                task.events.push(event.clone());
                self.index.enters(task);
            }
            Op::Assign { id, agent, host, ports } => {
                let task = known_mut(&mut self.tasks, id)?;
                self.index.leaves(task);
                task.assigned.agent = Some((agent.clone(), host.clone()));
                task.assigned.assigned_ports.clone_from(ports);
                self.index.enters(task);
            }
            Op::CountFailure(id) => known_mut(&mut self.tasks, id)?.failure_count += 1,
            Op::Remove(ids) => {
                for id in ids {
                    known(&self.tasks, id)?;
                }
                for id in ids {
                    if let Some(task) = self.tasks.remove(id) {
                        self.index.remove(&task);
                    }
                }
            }
            Op::PutHost { name, agent, attributes } => {
                let host = Host { agent: agent.clone(), attributes: attributes.clone() };
                self.hosts.insert(name.clone(), host);
            }
            Op::PutQuota { role, quota } => {
                self.quotas.insert(role.clone(), *quota);
            }
            Op::Cron(op) => self.crons.apply(op)?,
            Op::Update(op) => {
                self.updates.apply(op)?;
                if let UpdateOp::Add { key, instance, task: id } = op {
                    let config = self.updates.config_for(key, *instance)?;
                    self.insert(task(config, &TaskRecord::new(id.clone(), *instance)));
                }
            }
            Op::Maintenance(op) => self.maintenance.apply(op)?,
            Op::PutRequest { id, response } => {
                if self.requests.insert(id.clone(), response.clone()).is_none() {
                    self.request_order.push_back(id.clone());
                }
                while self.request_order.len() > MAX_REQUESTS {
                    if let Some(oldest) = self.request_order.pop_front() {
                        self.requests.remove(&oldest);
                    }
                }
            }
        }
        Ok(())
    }

    fn insert(&mut self, task: ScheduledTask) {
        if let Some(old) = self.tasks.get(task.id()) {
            self.index.remove(old);
        }
        self.index.add(&task);
        self.tasks.insert(task.id().clone(), task);
    }

    /// Ops that make this state from an empty one: a snapshot. Each is of moderate size.
    pub fn to_ops(&self) -> impl Iterator<Item = Op> + '_ {
        let framework = self.framework_id.iter().cloned().map(Op::SaveFrameworkId);
        let hosts = self.hosts.iter().map(|(name, host)| Op::PutHost {
            name: name.clone(),
            agent: host.agent.clone(),
            attributes: host.attributes.clone(),
        });
        let quotas = self
            .quotas
            .iter()
            .map(|(role, quota)| Op::PutQuota { role: role.clone(), quota: *quota });
        let tasks = self.index.jobs.keys().flat_map(|job| self.job_to_ops(job));
        let requests = self.request_order.iter().filter_map(|id| {
            Some(Op::PutRequest { id: id.clone(), response: self.requests.get(id)?.clone() })
        });
        let crons = self.crons.to_ops().map(Op::Cron);
        let updates = self.updates.to_ops().map(Op::Update);
        let maintenance = self.maintenance.to_ops().map(Op::Maintenance);
        framework
            .chain(hosts)
            .chain(quotas)
            .chain(tasks)
            .chain(crons)
            .chain(updates)
            .chain(maintenance)
            .chain(requests)
    }

    /// One op for each configuration that the job's tasks share.
    fn job_to_ops(&self, job: &JobKey) -> Vec<Op> {
        let mut groups: Vec<(Arc<TaskConfig>, Vec<TaskRecord>)> = Vec::new();
        for task in self.tasks_of(job) {
            let record = record(task);
            match groups.iter_mut().find(|(config, _)| Arc::ptr_eq(config, &task.assigned.task)) {
                Some((_, records)) => records.push(record),
                None => groups.push((task.assigned.task.clone(), vec![record])),
            }
        }
        groups.into_iter().map(|(config, tasks)| Op::PutTasks { config, tasks }).collect()
    }
}

fn known<'a>(
    tasks: &'a BTreeMap<TaskId, ScheduledTask>,
    id: &TaskId,
) -> Result<&'a ScheduledTask, Misfit> {
    tasks.get(id).ok_or_else(|| Misfit::task(id))
}

fn known_mut<'a>(
    tasks: &'a mut BTreeMap<TaskId, ScheduledTask>,
    id: &TaskId,
) -> Result<&'a mut ScheduledTask, Misfit> {
    tasks.get_mut(id).ok_or_else(|| Misfit::task(id))
}

fn task(config: Arc<TaskConfig>, record: &TaskRecord) -> ScheduledTask {
    ScheduledTask {
        assigned: AssignedTask {
            task_id: record.id.clone(),
            agent: record.agent.clone(),
            task: config,
            assigned_ports: record.ports.clone(),
            instance: record.instance,
        },
        state: record.state,
        failure_count: record.failure_count,
        times_partitioned: record.times_partitioned,
        events: record.events.clone(),
        ancestor: record.ancestor.clone(),
    }
}

fn record(task: &ScheduledTask) -> TaskRecord {
    TaskRecord {
        id: task.id().clone(),
        instance: task.assigned.instance,
        state: task.state,
        agent: task.assigned.agent.clone(),
        ports: task.assigned.assigned_ports.clone(),
        failure_count: task.failure_count,
        times_partitioned: task.times_partitioned,
        events: task.events.clone(),
        ancestor: task.ancestor.clone(),
    }
}

/// Keeps the history of a task that is partitioned again and again short (`scheduler.md` 3.3): of
/// "X, PARTITIONED, X" before another PARTITIONED, the last two are dropped.
fn compact(task: &mut ScheduledTask) {
    if let [.., before, partitioned, last] = task.events.as_slice()
        && partitioned.state == TaskState::Partitioned
        && before.state == last.state
    {
        let keep = task.events.len() - 2;
        task.events.truncate(keep);
    }
}
