//! What survives a restart: the state that ops make.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use aurora_model::job::{AssignedTask, ScheduledTask, TaskConfig, TaskState};
use aurora_model::key::{AgentId, FrameworkId, JobKey, RequestId, TaskId};

use crate::input::{Op, RecordedResponse, TaskRecord};

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

/// Everything that is durable.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct State {
    framework_id: Option<FrameworkId>,
    tasks: BTreeMap<TaskId, ScheduledTask>,
    jobs: BTreeMap<JobKey, BTreeSet<TaskId>>,
    hosts: BTreeMap<String, Host>,
    requests: BTreeMap<RequestId, RecordedResponse>,
    /// Oldest first.
    request_order: VecDeque<RequestId>,
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

    /// The tasks of a job, by id.
    pub fn tasks_of(&self, job: &JobKey) -> impl Iterator<Item = &ScheduledTask> {
        self.jobs.get(job).into_iter().flatten().filter_map(|id| self.tasks.get(id))
    }

    /// Every job that has tasks.
    pub fn jobs(&self) -> impl Iterator<Item = &JobKey> {
        self.jobs.keys()
    }

    /// A host.
    pub fn host(&self, name: &str) -> Option<&Host> {
        self.hosts.get(name)
    }

    /// How a request was answered.
    pub fn answered(&self, id: &RequestId) -> Option<&RecordedResponse> {
        self.requests.get(id)
    }

    /// Carries out a change: the only way this state changes. An op about a task that is not there
    /// changes nothing, which cannot happen to a log that this scheduler wrote.
    pub fn apply(&mut self, op: &Op) {
        match op {
            Op::SaveFrameworkId(id) => self.framework_id = Some(id.clone()),
            Op::PutTasks { config, tasks } => {
                for record in tasks {
                    self.insert(task(config.clone(), record));
                }
            }
            Op::Reschedule { ancestor, id } => {
                let Some(old) = self.tasks.get(ancestor) else { return };
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
                let Some(task) = self.tasks.get_mut(id) else { return };
                task.state = event.state;
                if event.state == TaskState::Partitioned {
                    task.times_partitioned += 1;
                    compact(task);
                }
                task.events.push(event.clone());
            }
            Op::Assign { id, agent, host, ports } => {
                let Some(task) = self.tasks.get_mut(id) else { return };
                task.assigned.agent = Some((agent.clone(), host.clone()));
                task.assigned.assigned_ports.clone_from(ports);
            }
            Op::CountFailure(id) => {
                if let Some(task) = self.tasks.get_mut(id) {
                    task.failure_count += 1;
                }
            }
            Op::Remove(ids) => {
                for id in ids {
                    let Some(task) = self.tasks.remove(id) else { continue };
                    if let Some(job) = self.jobs.get_mut(task.job()) {
                        job.remove(id);
                        if job.is_empty() {
                            self.jobs.remove(task.job());
                        }
                    }
                }
            }
            Op::PutHost { name, agent, attributes } => {
                let host = Host { agent: agent.clone(), attributes: attributes.clone() };
                self.hosts.insert(name.clone(), host);
            }
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
    }

    fn insert(&mut self, task: ScheduledTask) {
        self.jobs.entry(task.job().clone()).or_default().insert(task.id().clone());
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
        let tasks = self.jobs.keys().flat_map(|job| self.job_to_ops(job));
        let requests = self.request_order.iter().filter_map(|id| {
            Some(Op::PutRequest { id: id.clone(), response: self.requests.get(id)?.clone() })
        });
        framework.chain(hosts).chain(tasks).chain(requests)
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
