//! T2 to T6 and what goes with them, step by step: tasks as the ops of one scheduler make them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use aurora_model::job::{ResourceBag, TaskConfig, TaskState, Timestamp};
use aurora_model::key::{JobKey, TaskId};
use aurora_scheduler_core::{Effect, Input, Op, Scheduler, State, Step, UpdateOp};

use super::cron::Crons;
use super::offers::Held;
use super::quota::Quotas;
use super::rules::{Again, is_zombie, row};
use super::updates::Updates;
use super::voluntary::{self, Voluntary};
use crate::cover::Coverage;
use crate::world::{Violation, broken};

/// How long a task may be on its way (`-transient_task_state_timeout`), in milliseconds.
const TRANSIENT_MS: i64 = 300_000;

/// How the message begins of a task that an update stops.
const UPDATED: &str = "Killed for job update";

/// A task.
#[derive(Debug, Clone)]
pub(crate) struct Task {
    pub(crate) config: Arc<TaskConfig>,
    pub(crate) instance: u32,
    pub(crate) state: TaskState,
    pub(crate) host: Option<String>,
    pub(crate) since: Timestamp,
    was_killed: bool,
    /// This scheduler or one before it has told it to end.
    was_stopped: bool,
    failures: u32,
}

impl Task {
    fn new(config: Arc<TaskConfig>, instance: u32, now: Timestamp) -> Self {
        let (state, host) = (TaskState::Init, None);
        let (was_killed, was_stopped) = (false, false);
        Self { config, instance, state, host, since: now, was_killed, was_stopped, failures: 0 }
    }
}

/// Tasks by id.
#[derive(Debug, Default)]
pub(crate) struct Tasks {
    by_id: BTreeMap<TaskId, Task>,
    /// The run of each instance that has not ended.
    active: BTreeMap<(JobKey, u32), BTreeSet<TaskId>>,
    /// What is on its way to somewhere else.
    transient: BTreeSet<TaskId>,
}

impl Tasks {
    /// All that are not forgotten.
    pub(crate) fn all(&self) -> impl Iterator<Item = (&TaskId, &Task)> {
        self.by_id.iter()
    }

    pub(crate) fn active(&self) -> impl Iterator<Item = &Task> {
        self.active.values().flatten().filter_map(|id| self.by_id.get(id))
    }

    /// The runs of a job that have not ended.
    pub(crate) fn of_job(&self, job: &JobKey) -> impl Iterator<Item = &Task> {
        let (from, to) = ((job.clone(), 0), (job.clone(), u32::MAX));
        let ids = self.active.range(from..=to).flat_map(|(_, ids)| ids);
        ids.filter_map(|id| self.by_id.get(id))
    }

    /// How many tasks of a job agents have on hosts that are meant.
    pub(crate) fn on_hosts_with(&self, job: &JobKey, is_meant: impl Fn(&str) -> bool) -> usize {
        self.of_job(job)
            .filter(|task| task.state.is_slave_assigned())
            .filter(|task| task.host.as_deref().is_some_and(&is_meant))
            .count()
    }

    fn insert(&mut self, id: TaskId, task: Task) -> Result<(), Violation> {
        if self.by_id.contains_key(&id) {
            return broken("T4", format!("{id} is made twice"));
        }
        if task.state.is_active() || task.state == TaskState::Init {
            let key = (task.config.job.clone(), task.instance);
            let runs = self.active.entry(key).or_default();
            runs.insert(id.clone());
            if runs.len() > 1 {
                return broken("T2", format!("an instance has two runs: {runs:?}"));
            }
        }
        self.by_id.insert(id, task);
        Ok(())
    }

    fn set_state(&mut self, id: &TaskId, state: TaskState, at: Timestamp) {
        let Some(task) = self.by_id.get_mut(id) else { return };
        task.state = state;
        task.since = at;
        task.was_killed |= state == TaskState::Killing;
        task.was_stopped |= is_stop(state);
        let (key, ended) = ((task.config.job.clone(), task.instance), state.is_terminal());
        if ended {
            self.not_active(&key, id);
        }
        if is_transient(state) {
            self.transient.insert(id.clone());
        } else {
            self.transient.remove(id);
        }
    }

    fn not_active(&mut self, key: &(JobKey, u32), id: &TaskId) {
        if let Some(runs) = self.active.get_mut(key) {
            runs.remove(id);
            if runs.is_empty() {
                self.active.remove(key);
            }
        }
    }

    fn remove(&mut self, id: &TaskId) -> Option<Task> {
        let task = self.by_id.remove(id)?;
        self.not_active(&(task.config.job.clone(), task.instance), id);
        self.transient.remove(id);
        Some(task)
    }
}

/// Whether a task in this state has been told to end.
fn is_stop(state: TaskState) -> bool {
    use TaskState::{Draining, Killing, Preempting, Restarting};
    matches!(state, Killing | Preempting | Restarting | Draining)
}

fn is_transient(state: TaskState) -> bool {
    use TaskState::{Assigned, Draining, Killing, Preempting, Restarting};
    matches!(state, Assigned | Preempting | Restarting | Killing | Draining)
}

/// What one scheduler has done since it began.
#[derive(Debug)]
pub(crate) struct Watch {
    pub(crate) tasks: Tasks,
    held: Held,
    quotas: Quotas,
    crons: Crons,
    voluntary: Voluntary,
    updates: Updates,
    began: Timestamp,
}

/// What a step owes.
#[derive(Debug, Default)]
struct Owed {
    kills: Vec<TaskId>,
    replaced: BTreeSet<TaskId>,
    replacements: BTreeSet<TaskId>,
    launches: BTreeSet<TaskId>,
    lost: BTreeSet<TaskId>,
    failures: BTreeSet<TaskId>,
    counted: BTreeSet<TaskId>,
    quota_matters: bool,
}

impl Watch {
    pub(crate) fn new(state: &State, began: Timestamp, overhead: ResourceBag) -> Self {
        let mut tasks = Tasks::default();
        let mut hosts = BTreeMap::new();
        for task in state.tasks() {
            let known = Task {
                config: task.assigned.task.clone(),
                instance: task.assigned.instance,
                state: task.state,
                host: task.assigned.agent.as_ref().map(|(_, host)| host.to_string()),
                since: task.latest_event().map_or(began, |event| event.timestamp),
                was_killed: task.events.iter().any(|event| event.state == TaskState::Killing),
                was_stopped: task.events.iter().any(|event| is_stop(event.state)),
                failures: task.failure_count,
            };
            if let Some((_, host)) = &task.assigned.agent
                && let Some(known) = state.host(host)
            {
                hosts.insert(host.to_string(), known.attributes.clone());
            }
            let (id, transient) = (task.id().clone(), is_transient(task.state));
            // Whether there are two of one instance was looked at when they were made.
            let _ = tasks.insert(id.clone(), known);
            if transient {
                tasks.transient.insert(id);
            }
        }
        let quotas = state.quotas().map(|(role, quota)| (role.to_string(), *quota)).collect();
        let (held, quotas) = (Held::new(hosts, overhead), Quotas(quotas));
        let (crons, voluntary) = (Crons::new(state), Voluntary::new(state));
        let updates = Updates::new(state);
        Self { tasks, held, quotas, crons, voluntary, updates, began }
    }

    pub(crate) fn after(
        &mut self,
        now: Timestamp,
        input: &Input,
        step: &Step,
        scheduler: &Scheduler,
        cover: &mut Coverage,
    ) -> Result<(), Violation> {
        let mut owed = Owed::default();
        let before = match input {
            Input::Status(update) => self.tasks.by_id.get(&update.task).map(|task| task.state),
            _ => None,
        };
        self.updates.before();
        self.held.before(input);
        for op in &step.ops {
            self.take(now, input, op, &mut owed, cover)?;
        }
        self.settle(&owed, step, scheduler)?;
        if let Input::Status(update) = input {
            let known = self.tasks.by_id.get(&update.task).map(|task| task.state);
            let is_done = step.ops.iter().any(|op| {
                matches!(op, Op::Transition { id, event }
                    if *id == update.task && event.state == update.state)
            });
            if !is_done {
                if let Some(from) = known
                    && from != update.state
                    && row(from, update.state).is_some()
                {
                    return broken(
                        "L1",
                        format!(
                            "{} is {from}; that it is {} was taken and not written down",
                            update.task, update.state
                        ),
                    );
                }
                if before != Some(update.state) {
                    *cover.refused.entry((before, update.state)).or_default() += 1;
                }
                let killed = has_kill(step, &update.task);
                if before == known && is_zombie(known, update.state) && !killed {
                    return broken(
                        "T6",
                        format!("{} runs, should not, and is not killed", update.task),
                    );
                }
            }
            if update.uuid.is_some() && update.agent.is_some() {
                let is_acknowledged = step.effects.iter().any(|effect| {
                    matches!(effect, Effect::Acknowledge { task, uuid, .. }
                        if *task == update.task && Some(uuid) == update.uuid.as_ref())
                });
                if !is_acknowledged {
                    return broken(
                        "E2",
                        format!("an update of {} is not acknowledged", update.task),
                    );
                }
            }
        }
        self.held.after(now, input, &step.effects)?;
        self.crons.after(now, step, cover)?;
        self.updates.after(now, &self.tasks)?;
        self.voluntary.after(now, input, &self.tasks)?;
        if owed.quota_matters {
            self.quotas.check(&self.tasks)?;
        }
        for id in &self.tasks.transient {
            let Some(task) = self.tasks.by_id.get(id) else { continue };
            let since = task.since.max(self.began);
            if now.ms_since(since) > TRANSIENT_MS {
                return broken("T5", format!("{id} has been {} for too long", task.state));
            }
        }
        Ok(())
    }

    fn take(
        &mut self,
        now: Timestamp,
        input: &Input,
        op: &Op,
        owed: &mut Owed,
        cover: &mut Coverage,
    ) -> Result<(), Violation> {
        match op {
            Op::PutTasks { config, tasks } => {
                owed.quota_matters = true;
                if self.crons.has(&config.job) && self.tasks.of_job(&config.job).next().is_some() {
                    return broken("C2", format!("{} is run while a run goes on", config.job));
                }
                for record in tasks {
                    let task = Task::new(config.clone(), record.instance, now);
                    self.tasks.insert(record.id.clone(), task)?;
                    let [event] = record.events.as_slice() else {
                        return broken(
                            "T3",
                            format!("{} begins with {:?}", record.id, record.events),
                        );
                    };
                    if record.state != TaskState::Pending || event.state != record.state {
                        return broken("T3", format!("{} begins as {}", record.id, record.state));
                    }
                    self.transition(&record.id, event.state, event.timestamp, owed, cover)?;
                }
            }
            Op::Reschedule { ancestor, id } => {
                let Some(old) = self.tasks.by_id.get(ancestor).cloned() else {
                    return broken("T4", format!("{id} replaces {ancestor}, which is not known"));
                };
                if !old.state.is_terminal() {
                    return broken(
                        "T2",
                        format!("{id} replaces {ancestor}, which is {}", old.state),
                    );
                }
                let new = Task {
                    state: TaskState::Init,
                    host: None,
                    since: now,
                    was_killed: false,
                    was_stopped: false,
                    ..old
                };
                self.tasks.insert(id.clone(), new)?;
                owed.replaced.insert(ancestor.clone());
            }
            Op::Transition { id, event } => {
                let message = event.message.as_deref().unwrap_or_default();
                let task = self.tasks.by_id.get(id);
                if let Some(task) = task
                    && event.state == TaskState::Killing
                    && message.starts_with("Transition forced")
                {
                    self.updates.excuse(&task.config.job, task.instance);
                }
                if let Some(task) = task.filter(|_| !message.starts_with("Transition forced")) {
                    let (voluntary, tasks) = (&self.voluntary, &self.tasks);
                    match event.state {
                        TaskState::Draining => voluntary.drained(now, input, task, tasks)?,
                        TaskState::Preempting => voluntary.preempted(now, input, task, tasks)?,
                        TaskState::Killing if message.starts_with(UPDATED) => {
                            let policy = self.updates.policy(&task.config.job, task.instance);
                            if let Some(policy) = policy {
                                cover.path("update: stopped as a policy allows");
                                voluntary::stopped(now, input, task, &policy, tasks)?;
                            }
                        }
                        _ => {}
                    }
                }
                self.transition(id, event.state, event.timestamp, owed, cover)?;
            }
            Op::Maintenance(op) => self.voluntary.take(now, op, cover),
            Op::Update(op) => {
                self.updates.live(op, &self.tasks, cover)?;
                if let UpdateOp::Add { key, instance, task } = op {
                    owed.quota_matters = true;
                    let Some(config) = self.updates.wanted(key, *instance) else {
                        return broken("U3", format!("{key} adds {instance}, which is not wanted"));
                    };
                    self.tasks.insert(task.clone(), Task::new(config, *instance, now))?;
                }
            }
            Op::Assign { id, host, .. } => {
                let Some(task) = self.tasks.by_id.get(id) else {
                    return broken("T3", format!("{id} is assigned and not known"));
                };
                if task.state != TaskState::Pending {
                    return broken("T3", format!("{id} is assigned while it is {}", task.state));
                }
                let config = task.config.clone();
                self.held.suits(id, &config, host, &self.tasks)?;
                let Some(task) = self.tasks.by_id.get_mut(id) else { return Ok(()) };
                task.host = Some(host.to_string());
                owed.launches.insert(id.clone());
            }
            Op::CountFailure(id) => {
                if let Some(task) = self.tasks.by_id.get_mut(id) {
                    task.failures += 1;
                }
                owed.counted.insert(id.clone());
            }
            Op::Remove(ids) => {
                for id in ids {
                    let Some(task) = self.tasks.remove(id) else {
                        return broken("T3", format!("{id} is forgotten and not known"));
                    };
                    let may_go = task.state.is_terminal()
                        || matches!(task.state, TaskState::Pending | TaskState::Throttled);
                    if !may_go {
                        return broken(
                            "T3",
                            format!("{id} is forgotten while it is {}", task.state),
                        );
                    }
                    *cover.transitions.entry((Some(task.state), None)).or_default() += 1;
                }
            }
            Op::PutQuota { role, quota } => {
                owed.quota_matters = true;
                self.quotas.0.insert(role.to_string(), *quota);
            }
            Op::RemoveQuota(role) => {
                owed.quota_matters = true;
                self.quotas.0.remove(role.as_str());
            }
            Op::PutHost { name, attributes, .. } => {
                self.held.hosts.insert(name.clone(), attributes.clone());
            }
            _ => {}
        }
        Ok(())
    }

    fn transition(
        &mut self,
        id: &TaskId,
        to: TaskState,
        at: Timestamp,
        owed: &mut Owed,
        cover: &mut Coverage,
    ) -> Result<(), Violation> {
        let Some(task) = self.tasks.by_id.get(id) else {
            return broken("T3", format!("{id} goes to {to} and is not known"));
        };
        let from = task.state;
        let Some(row) = row(from, to) else {
            return broken("T3", format!("{id} goes from {from} to {to}"));
        };
        *cover.transitions.entry((Some(from), Some(to))).or_default() += 1;
        let config = &task.config;
        // The failure is counted before the state changes.
        let counted = owed.counted.contains(id);
        let failures = i64::from(task.failures) - i64::from(counted);
        let max = i64::from(config.max_task_failures);
        let again = match row.again {
            Again::Never => false,
            Again::Always => true,
            Again::IfService => config.is_service,
            Again::IfFailuresAllow => config.is_service || max == -1 || failures < max - 1,
            Again::UnlessKilled => !task.was_killed,
        };
        if again {
            owed.replacements.insert(id.clone());
        }
        if row.kill {
            owed.kills.push(id.clone());
        }
        if row.counts {
            owed.failures.insert(id.clone());
        }
        if row.then_lost {
            owed.lost.insert(id.clone());
        }
        if to == TaskState::Lost {
            owed.lost.remove(id);
        }
        // One that is lost says nothing of its version.
        if to.is_terminal() && to != TaskState::Lost && !task.was_stopped {
            self.updates.fell(&config.job, task.instance, config);
        }
        self.tasks.set_state(id, to, at);
        Ok(())
    }

    /// Whether a step has brought all that its transitions ask for.
    fn settle(&self, owed: &Owed, step: &Step, scheduler: &Scheduler) -> Result<(), Violation> {
        if let Some(id) = owed.kills.iter().find(|id| !has_kill(step, id)) {
            return broken("T5", format!("{id} is to end and Mesos is not told"));
        }
        if owed.replaced != owed.replacements {
            return broken(
                "T1",
                format!("replaced are {:?}, to be replaced {:?}", owed.replaced, owed.replacements),
            );
        }
        if owed.failures != owed.counted {
            return broken(
                "T3",
                format!("failed are {:?}, counted {:?}", owed.failures, owed.counted),
            );
        }
        if let Some(id) = owed.lost.first() {
            return broken("T3", format!("{id} is partitioned away, is to go, and is not LOST"));
        }
        let mut launched = BTreeSet::new();
        for effect in &step.effects {
            if let Effect::Misfit(misfit) = effect {
                return broken("L3", format!("a change of {misfit} could not be made"));
            }
            if let Effect::Launch { tasks, .. } = effect {
                for task in tasks {
                    if !launched.insert(task.task_id.clone()) {
                        return broken("R4", format!("{} is launched twice", task.task_id));
                    }
                }
            }
        }
        if launched != owed.launches {
            return broken(
                "T1",
                format!("launched are {launched:?}, assigned {:?}", owed.launches),
            );
        }
        for op in &step.ops {
            if let Op::Transition { id, .. } = op {
                let live = scheduler.state().task(id).map(|task| task.state);
                let known = self.tasks.by_id.get(id).map(|task| task.state);
                if live != known {
                    return broken("L3", format!("{id} is {live:?}; its ops say {known:?}"));
                }
                if known == Some(TaskState::Init) {
                    return broken("T3", format!("{id} is left half made"));
                }
            }
        }
        Ok(())
    }
}

fn has_kill(step: &Step, id: &TaskId) -> bool {
    step.effects.iter().any(|effect| matches!(effect, Effect::Kill { task, .. } if task == id))
}
