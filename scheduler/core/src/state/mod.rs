//! What survives a restart: the state that ops make.

mod configs;
mod index;
mod requests;
mod spread;
mod tasks;
mod touched;

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;
use std::sync::Arc;

use aurora_model::job::{AssignedTask, ScheduledTask, TaskConfig, TaskState, Timestamp};
use aurora_model::key::{AgentId, FrameworkId, JobKey, RequestId, Role, TaskId};
use aurora_model::quota::ResourceAggregate;

use crate::cron::Crons;
use crate::input::{Op, RecordedResponse, TaskRecord};
use crate::maintenance::Maintenance;
use crate::quota::{Consumption, Usage};
use crate::updates::{UpdateOp, Updates};

use self::configs::Configs;
pub(crate) use self::index::HostLoad;
use self::index::{Before, Index, JobTasks, host_of};
pub(crate) use self::requests::Answered;
use self::requests::Requests;
pub(crate) use self::spread::Spread;
use self::tasks::{Kept, Slot, Tasks};
pub use self::touched::Scope;
use self::touched::versions;

/// A host that has made offers.
#[derive(Debug, Clone, PartialEq)]
pub struct Host {
    /// The agent on it.
    pub agent: AgentId,
    /// Where the agent listens, as host:port; empty if it is not known.
    pub address: String,
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

/// Hosts by name.
pub(crate) type Hosts = BTreeMap<Arc<str>, Host>;

/// Everything that is durable.
#[derive(Debug, Clone, Default)]
pub struct State {
    /// How many changes have been made.
    version: u64,
    framework_id: Option<FrameworkId>,
    tasks: Tasks,
    index: Index,
    configs: Configs,
    /// Shared with frozen copies until it changes, which it hardly ever does.
    hosts: Arc<Hosts>,
    quotas: BTreeMap<Role, ResourceAggregate>,
    pub(crate) crons: Crons,
    pub(crate) updates: Updates,
    pub(crate) maintenance: Maintenance,
    requests: Requests,
    /// The hosts of schedulers that have recorded events.
    schedulers: BTreeSet<Arc<str>>,
}

/// The same things are durable. What is made of them alone is not looked at.
impl PartialEq for State {
    fn eq(&self, other: &Self) -> bool {
        let Self {
            version,
            framework_id,
            tasks,
            index: _,
            configs: _,
            hosts,
            quotas,
            crons,
            updates,
            maintenance,
            requests,
            schedulers: _,
        } = self;
        *version == other.version
            && *framework_id == other.framework_id
            && *tasks == other.tasks
            && *hosts == other.hosts
            && *quotas == other.quotas
            && *crons == other.crons
            && *updates == other.updates
            && *maintenance == other.maintenance
            && *requests == other.requests
    }
}

impl State {
    /// How many durable changes have been made, over all schedulers that wrote this log: grows with
    /// each, and is never the same for two.
    pub fn version(&self) -> u64 {
        self.version
    }

    /// The id the master knows this scheduler by.
    pub fn framework_id(&self) -> Option<&FrameworkId> {
        self.framework_id.as_ref()
    }

    /// A task.
    pub fn task(&self, id: &TaskId) -> Option<&ScheduledTask> {
        self.tasks.get(id)
    }

    /// Every task, by job; those of a job as [`State::tasks_of`] gives them.
    pub fn tasks(&self) -> impl Iterator<Item = &ScheduledTask> {
        self.index.jobs_from(Bound::Unbounded).flat_map(|(_, job)| self.of_job(job))
    }

    /// How many tasks there are.
    pub fn len(&self) -> usize {
        self.tasks.len()
    }

    /// Whether there is no task.
    pub fn is_empty(&self) -> bool {
        self.tasks.len() == 0
    }

    /// The active tasks from an instance of a job on, or all of them, by job and instance.
    pub(crate) fn active_from(
        &self,
        from: Option<&(JobKey, u32)>,
    ) -> impl Iterator<Item = &ScheduledTask> {
        let start = from.map_or(Bound::Unbounded, |(job, _)| Bound::Included(job));
        let skip = from.cloned();
        self.index.jobs_from(start).flat_map(move |(key, job)| {
            let first = match &skip {
                Some((job, instance)) if job == key => *instance,
                _ => 0,
            };
            job.active.range((first, 0)..).filter_map(|(_, slot)| self.at(*slot))
        })
    }

    /// The tasks of a job: the active ones by instance, then the ended ones, oldest first.
    pub fn tasks_of(&self, job: &JobKey) -> impl Iterator<Item = &ScheduledTask> {
        self.index.job(job).into_iter().flat_map(|job| self.of_job(job))
    }

    fn of_job<'a>(&'a self, job: &'a JobTasks) -> impl Iterator<Item = &'a ScheduledTask> {
        let active = job.active.iter().filter_map(|(_, slot)| self.at(*slot));
        let ended = job.ended.iter().filter_map(|(_, id)| self.tasks.get(id));
        let others = job.others.iter().filter_map(|id| self.tasks.get(id));
        active.chain(ended).chain(others)
    }

    fn at(&self, slot: Slot) -> Option<&ScheduledTask> {
        self.tasks.at(slot).map(|kept| &kept.task)
    }

    /// The active tasks of a job, by instance.
    pub fn active_of(&self, job: &JobKey) -> impl Iterator<Item = &ScheduledTask> {
        let active = self.index.job(job).into_iter().flat_map(|job| &job.active);
        active.filter_map(|(_, slot)| self.at(*slot))
    }

    /// How many active tasks a job has.
    pub(crate) fn active_count(&self, job: &JobKey) -> usize {
        self.index.job(job).map_or(0, |job| job.active.len())
    }

    /// The active task of an instance, if it has one.
    pub fn active_instance(&self, job: &JobKey, instance: u32) -> Option<&ScheduledTask> {
        let mut found = self.index.job(job)?.active.range((instance, 0)..=(instance, Slot::MAX));
        self.at(found.next()?.1)
    }

    /// The tasks that the agents of a host have, by id.
    pub fn tasks_on(&self, host: &str) -> impl Iterator<Item = &ScheduledTask> {
        let ids = self.index.host(host).into_iter().flat_map(|host| &host.tasks);
        ids.filter_map(|id| self.tasks.get(id))
    }

    /// The tasks that were given to agents of a host: those that these have, and the ended ones.
    pub(crate) fn tasks_ever_on(&self, host: &str) -> impl Iterator<Item = &ScheduledTask> {
        let host = self.index.host(host);
        let has = host.into_iter().flat_map(|host| host.tasks.iter().chain(&host.ended));
        has.filter_map(|id| self.tasks.get(id))
    }

    /// The hosts whose agents have tasks, from after a name on or all, by name, with what these use.
    pub(crate) fn hosts_with_tasks(
        &self,
        after: Option<&str>,
    ) -> impl Iterator<Item = (&Arc<str>, HostLoad)> {
        self.index.hosts_from(after).map(|(name, host)| (name, host.load))
    }

    /// The ended tasks of a job with the time of their end, oldest first.
    pub(crate) fn ended_of(
        &self,
        job: &JobKey,
    ) -> impl ExactSizeIterator<Item = &(Timestamp, TaskId)> {
        static NONE: BTreeSet<(Timestamp, TaskId)> = BTreeSet::new();
        self.index.job(job).map_or(&NONE, |job| &job.ended).iter()
    }

    /// How the tasks of a job that are on agents are spread over the attributes it has limits on.
    pub(crate) fn spread_of(&self, job: &JobKey) -> Option<&Spread> {
        self.index.job(job).map(|job| &job.spread)
    }

    /// How many tasks are in each state; states that no task is in are not there.
    pub fn counts(&self) -> &BTreeMap<TaskState, u64> {
        &self.index.counts
    }

    /// Every job that has tasks.
    pub fn jobs(&self) -> impl Iterator<Item = &JobKey> {
        self.index.keys()
    }

    /// The jobs that have tasks, from a key on, with how many tasks are in each state (in the
    /// order of [`TaskState::ALL`]) and whether any is of a service.
    pub(crate) fn jobs_from<'a>(
        &'a self,
        from: Bound<&JobKey>,
    ) -> impl Iterator<Item = (&'a JobKey, &'a [u32; TaskState::ALL.len()], bool)> + use<'a> {
        self.index.jobs_from(from).map(|(key, job)| (key, &job.states, job.services > 0))
    }

    /// The names of hosts that have made offers, from one on, in order.
    pub(crate) fn host_names(&self, from: Bound<&str>) -> impl Iterator<Item = &str> {
        self.hosts.range::<str, _>((from, Bound::Unbounded)).map(|(name, _)| &**name)
    }

    /// Every host that has made offers, by name.
    pub fn hosts(&self) -> impl Iterator<Item = (&str, &Host)> {
        self.hosts.iter().map(|(name, host)| (&**name, host))
    }

    /// A host.
    pub fn host(&self, name: &str) -> Option<&Host> {
        self.hosts.get(name)
    }

    /// How many hosts are known.
    pub fn host_count(&self) -> usize {
        self.hosts.len()
    }

    /// How many roles a quota was set for.
    pub fn quota_count(&self) -> usize {
        self.quotas.len()
    }

    /// The quota that was set for a role.
    pub fn quota(&self, role: &str) -> Option<&ResourceAggregate> {
        self.quotas.get(role)
    }

    /// Every quota that was set, by role.
    pub fn quotas(&self) -> impl Iterator<Item = (&Role, &ResourceAggregate)> {
        self.quotas.iter()
    }

    /// The quotas that were set, by role, of the roles after one or of all.
    pub fn quotas_after(
        &self,
        role: Option<&Role>,
    ) -> impl Iterator<Item = (&Role, &ResourceAggregate)> {
        let from = role.map_or(Bound::Unbounded, Bound::Excluded);
        self.quotas.range::<Role, _>((from, Bound::Unbounded))
    }

    /// What the active tasks of a role use.
    pub(crate) fn usage(&self, role: &str) -> Usage {
        self.index.usage.get(role).copied().unwrap_or_default()
    }

    /// What the active tasks of each role after one use, or of all.
    pub(crate) fn usages_after(
        &self,
        role: Option<&Role>,
    ) -> impl Iterator<Item = (&Role, Consumption)> {
        let from = role.map_or(Bound::Unbounded, Bound::Excluded);
        let usages = self.index.usage.range::<Role, _>((from, Bound::Unbounded));
        usages.map(|(role, usage)| (role, usage.consumption()))
    }

    /// The cron jobs.
    pub fn crons(&self) -> &Crons {
        &self.crons
    }

    /// The updates of jobs.
    pub fn updates(&self) -> &Updates {
        &self.updates
    }

    /// How a request was answered.
    pub fn answered(&self, id: &RequestId) -> Option<&RecordedResponse> {
        self.requests.get(id).map(|answered| answered.response)
    }

    /// How a request was answered, and what it was.
    pub(crate) fn answered_to(&self, id: &RequestId) -> Option<Answered<'_>> {
        self.requests.get(id)
    }

    /// Carries out a change: the only way this state changes.
    ///
    /// # Errors
    /// The op is about a task that is not there. Nothing has changed; to a log that this scheduler
    /// wrote it cannot happen.
    pub fn apply(&mut self, op: &Op) -> Result<(), Misfit> {
        let version = self.version + versions(op);
        self.index.now = version;
        match op {
            Op::SaveFrameworkId(id) => self.framework_id = Some(id.clone()),
            Op::PutTasks { config, tasks } => {
                // What is there under the same ids goes first: with it the job may go from its place.
                for record in tasks {
                    self.remove(&record.id);
                }
                if !tasks.is_empty() {
                    let config = self.configs.shared(config.clone());
                    let place = self.index.place(&config.job);
                    self.count_spread(place, &config);
                    for record in tasks {
                        let task = self.made(config.clone(), record);
                        self.insert_at(place, task);
                    }
                }
            }
            Op::Reschedule { ancestor, id } => {
                let old = self.tasks.get(ancestor).ok_or_else(|| Misfit::task(ancestor))?;
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
                let mut event = event.clone();
                if let Some(scheduler) = &mut event.scheduler {
                    share(&mut self.schedulers, scheduler);
                }
                self.change(id, |task| {
                    task.state = event.state;
                    if event.state == TaskState::Partitioned {
                        task.times_partitioned += 1;
                        compact(task);
                    }
                    task.events.push(event);
                })?;
            }
            Op::Assign { id, agent, host, ports } => {
                let place = self.shared_place(agent, host);
                self.change(id, |task| {
                    task.assigned.agent = Some(place);
                    task.assigned.assigned_ports.clone_from(ports);
                })?;
            }
            Op::CountFailure(id) => self.change(id, |task| task.failure_count += 1)?,
            Op::Remove(ids) => {
                for id in ids {
                    self.tasks.slot(id).ok_or_else(|| Misfit::task(id))?;
                }
                for id in ids {
                    self.remove(id);
                }
            }
            Op::PutHost { name, agent, address, attributes } => {
                let host = Host {
                    agent: agent.clone(),
                    address: address.clone(),
                    attributes: attributes.clone(),
                };
                self.put_host(name, host);
            }
            Op::PutQuota { role, quota } => {
                self.quotas.insert(role.clone(), *quota);
            }
            Op::RemoveQuota(role) => {
                let misfit = || Misfit { what: format!("the quota of {role}") };
                self.quotas.remove(role).ok_or_else(misfit)?;
            }
            Op::Cron(op) => self.crons.apply(op)?,
            Op::Update(UpdateOp::Put(snapshot)) => {
                let snapshot = self.configs.shared_in(snapshot);
                self.updates.apply(&UpdateOp::Put(Box::new(snapshot)))?;
            }
            Op::Update(op) => {
                self.updates.apply(op)?;
                if let UpdateOp::Add { key, instance, task: id } = op {
                    let config = self.updates.config_for(key, *instance)?;
                    let task = self.made(config, &TaskRecord::new(id.clone(), *instance));
                    self.insert(task);
                }
            }
            Op::Maintenance(op) => self.maintenance.apply(op)?,
            Op::Version(version) => {
                self.version = *version;
                return Ok(());
            }
            Op::PutRequest { id, fingerprint, at, response } => {
                self.requests.put(id, *fingerprint, *at, response);
            }
        }
        self.version = version;
        self.touch(op);
        Ok(())
    }

    /// Changes a task, and with it what is made of it.
    fn change(
        &mut self,
        id: &TaskId,
        change: impl FnOnce(&mut ScheduledTask),
    ) -> Result<(), Misfit> {
        let slot = self.tasks.slot(id).ok_or_else(|| Misfit::task(id))?;
        let kept = self.tasks.at_mut(slot).ok_or_else(|| Misfit::task(id))?;
        let before = Before::of(&kept.task);
        change(&mut kept.task);
        self.index.changed(slot, kept, &before, &self.hosts);
        Ok(())
    }

    fn insert(&mut self, task: ScheduledTask) {
        self.remove(task.id());
        let place = self.index.place(task.job());
        self.count_spread(place, &task.assigned.task);
        self.insert_at(place, task);
    }

    /// Puts a task, whose id is not there, to its job, which is at this place.
    fn insert_at(&mut self, place: u32, task: ScheduledTask) {
        let slot = self.tasks.insert(Kept { task, job: place });
        if let Some(kept) = self.tasks.at(slot) {
            self.index.add(slot, kept, &self.hosts);
        }
    }

    fn remove(&mut self, id: &TaskId) {
        if let Some((slot, kept)) = self.tasks.remove(id) {
            self.index.remove(slot, &kept, &self.hosts);
        }
    }

    /// Sees to it that what a configuration has limits on is counted for its job.
    fn count_spread(&mut self, place: u32, config: &TaskConfig) {
        let Self { index, tasks, hosts, .. } = self;
        let Some(job) = index.job_at(place) else { return };
        for attribute in job.spread.missing(config) {
            let assigned = job
                .active
                .iter()
                .filter_map(|(_, slot)| tasks.at(*slot))
                .filter_map(|kept| hosts.get(host_of(&kept.task)?));
            job.spread.track(attribute, assigned);
        }
    }

    /// A host may have other attributes than before: its tasks count for those.
    fn put_host(&mut self, name: &str, host: Host) {
        let Self { index, tasks, hosts, .. } = self;
        let old = hosts.get(name);
        if old.is_none_or(|old| old.attributes != host.attributes) {
            let ids: Vec<TaskId> =
                index.host(name).map(|host| host.tasks.clone()).unwrap_or_default();
            for id in ids {
                let Some(kept) = tasks.slot(&id).and_then(|slot| tasks.at(slot)) else { continue };
                if let Some(job) = index.job_at(kept.job)
                    && !job.spread.is_empty()
                {
                    if let Some(old) = old {
                        job.spread.remove(&old.attributes);
                    }
                    job.spread.add(&host.attributes);
                }
            }
        }
        let hosts = Arc::make_mut(hosts);
        match hosts.get_mut(name) {
            Some(known) => *known = host,
            None => {
                hosts.insert(name.into(), host);
            }
        }
    }

    /// An agent and its host as they are known already, so that tasks share them.
    fn shared_place(&self, agent: &AgentId, host: &str) -> (AgentId, Arc<str>) {
        let Some((name, known)) = self.hosts.get_key_value(host) else {
            return (agent.clone(), host.into());
        };
        let agent = if known.agent == *agent { known.agent.clone() } else { agent.clone() };
        (agent, name.clone())
    }

    /// A task as it is kept, with what it shares with others.
    fn made(&mut self, config: Arc<TaskConfig>, record: &TaskRecord) -> ScheduledTask {
        let agent = record.agent.as_ref().map(|(agent, host)| self.shared_place(agent, host));
        let mut events = record.events.clone();
        for event in &mut events {
            if let Some(scheduler) = &mut event.scheduler {
                share(&mut self.schedulers, scheduler);
            }
        }
        ScheduledTask {
            assigned: AssignedTask {
                task_id: record.id.clone(),
                agent,
                task: config,
                assigned_ports: record.ports.clone(),
                instance: record.instance,
            },
            state: record.state,
            failure_count: record.failure_count,
            times_partitioned: record.times_partitioned,
            events,
            ancestor: record.ancestor.clone(),
        }
    }

    /// A copy to be written down while this one goes on: it shares the tasks, so that it is made at
    /// once however many there are. It is good for [`State::to_ops`] only, as nothing in it can be
    /// looked up.
    #[must_use]
    pub fn frozen(&self) -> Self {
        Self {
            framework_id: self.framework_id.clone(),
            tasks: self.tasks.frozen(),
            index: Index::default(),
            configs: Configs::default(),
            hosts: self.hosts.clone(),
            quotas: self.quotas.clone(),
            crons: self.crons.clone(),
            updates: self.updates.frozen(),
            maintenance: self.maintenance.clone(),
            requests: self.requests.clone(),
            schedulers: BTreeSet::new(),
            version: self.version,
        }
    }

    /// Ops that make this state from an empty one: a snapshot. Each is of moderate size.
    pub fn to_ops(&self) -> impl Iterator<Item = Op> + '_ {
        let framework = self.framework_id.iter().cloned().map(Op::SaveFrameworkId);
        let hosts = self.hosts.iter().map(|(name, host)| Op::PutHost {
            name: name.to_string(),
            agent: host.agent.clone(),
            address: host.address.clone(),
            attributes: host.attributes.clone(),
        });
        let quotas = self
            .quotas
            .iter()
            .map(|(role, quota)| Op::PutQuota { role: role.clone(), quota: *quota });
        let tasks = self.tasks.by_job().into_iter().flat_map(job_to_ops);
        let requests = self.requests.iter().map(|(id, answered)| Op::PutRequest {
            id: id.clone(),
            fingerprint: answered.fingerprint,
            at: answered.at,
            response: answered.response.clone(),
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
            .chain(std::iter::once(Op::Version(self.version)))
    }
}

/// Tasks that one op of a snapshot holds. A job may have ended far more than the log takes at once.
const TASKS_PER_OP: usize = 1_000;

/// One op for each configuration that the tasks of a job share, or some if these are many.
fn job_to_ops(tasks: Vec<&ScheduledTask>) -> Vec<Op> {
    let mut groups: Vec<(Arc<TaskConfig>, Vec<TaskRecord>)> = Vec::new();
    for task in tasks {
        let record = record(task);
        // The newest of a configuration is the one that is being filled.
        let group = groups.iter_mut().rev().find(|(config, records)| {
            Arc::ptr_eq(config, &task.assigned.task) && records.len() < TASKS_PER_OP
        });
        match group {
            Some((_, records)) => records.push(record),
            None => groups.push((task.assigned.task.clone(), vec![record])),
        }
    }
    groups.into_iter().map(|(config, tasks)| Op::PutTasks { config, tasks }).collect()
}

/// Lets a text be the one that is known already.
fn share(known: &mut BTreeSet<Arc<str>>, text: &mut Arc<str>) {
    match known.get(text) {
        Some(same) => *text = same.clone(),
        None => {
            known.insert(text.clone());
        }
    }
}

fn record(task: &ScheduledTask) -> TaskRecord {
    TaskRecord {
        id: task.id().clone(),
        instance: task.assigned.instance,
        state: task.state,
        agent: task.assigned.agent.as_ref().map(|(agent, host)| (agent.clone(), host.to_string())),
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
