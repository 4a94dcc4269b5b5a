//! Empties hosts: task by task, as policies allow, and all of them at the deadline.
//!
//! A host is looked at again when something has happened that may let it go on: a task of a job it
//! waits for runs, or has ended for good; the time has come that a policy wants; a coordinator has
//! answered. Now and then it is looked at whatever has happened.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;

use aurora_model::job::{ScheduledTask, SlaPolicy, TaskState, Timestamp};
use aurora_model::key::{JobKey, TaskId};
use aurora_model::maintenance::{Drain, HostMaintenance, MaintenanceMode};

use super::MaintenanceTimer;
use super::surge::Cover;
use crate::changes::TaskChange;
use crate::scheduler::Turn;
use crate::sla::{SlaPurpose, SlaVerdict};
use crate::timers::Timer;

/// Hosts on which a job's tasks are looked at in one step because something has become of the job.
const HOSTS_AT_ONCE: usize = 100;

/// What a task's history says of its being moved.
const MESSAGE: &str = "Draining machine for maintenance.";

/// What is known of the hosts that are being drained.
#[derive(Debug, Default)]
pub(crate) struct Drains {
    /// The tasks that may not be moved now, by host. Never with a host that has none.
    waiting: BTreeMap<String, BTreeMap<TaskId, Waiting>>,
    /// The hosts that wait for a job. Never with a job that none waits for.
    by_job: BTreeMap<JobKey, BTreeSet<String>>,
    /// What the master has announced, by host.
    pub(super) announced: BTreeMap<String, super::inverse::Announced>,
    polling: bool,
}

/// A task that may not be moved now.
#[derive(Debug, Clone)]
pub(super) struct Waiting {
    job: JobKey,
    pub(super) reason: String,
    /// Its coordinator is not asked again before.
    not_before: Option<Timestamp>,
}

impl Drains {
    /// Forgets what a host waits for.
    pub(super) fn forget(&mut self, host: &str) {
        let Some(tasks) = self.waiting.remove(host) else { return };
        for waiting in tasks.into_values() {
            self.leave_job(host, &waiting.job);
        }
    }

    fn add(&mut self, host: &str, task: &TaskId, waiting: Waiting) {
        self.by_job.entry(waiting.job.clone()).or_default().insert(host.to_owned());
        self.waiting.entry(host.to_owned()).or_default().insert(task.clone(), waiting);
    }

    fn remove(&mut self, host: &str, task: &TaskId) -> Option<Waiting> {
        let tasks = self.waiting.get_mut(host)?;
        let waiting = tasks.remove(task)?;
        if !tasks.values().any(|other| other.job == waiting.job) {
            self.leave_job(host, &waiting.job);
        }
        if self.waiting.get(host).is_some_and(BTreeMap::is_empty) {
            self.waiting.remove(host);
        }
        Some(waiting)
    }

    fn leave_job(&mut self, host: &str, job: &JobKey) {
        if let Some(hosts) = self.by_job.get_mut(job) {
            hosts.remove(host);
            if hosts.is_empty() {
                self.by_job.remove(job);
            }
        }
    }

    /// What keeps a host from being empty.
    pub(super) fn waiting_on(&self, host: &str) -> impl Iterator<Item = (&TaskId, &Waiting)> {
        self.waiting.get(host).into_iter().flatten()
    }
}

/// Whether a task is there to be moved; one that is on its way out is waited for.
fn can_be_moved(task: &ScheduledTask) -> bool {
    matches!(
        task.state,
        TaskState::Assigned | TaskState::Starting | TaskState::Running | TaskState::Partitioned
    )
}

impl Turn<'_> {
    /// How a host is being drained, if it is.
    pub(super) fn drain_of(&self, host: &str) -> Option<&Drain> {
        let host = self.scheduler.state.maintenance.host(host)?;
        host.drain.as_ref().filter(|_| host.mode == MaintenanceMode::Draining)
    }

    pub(super) fn draining_hosts(&self) -> Vec<String> {
        let hosts = self.scheduler.state.maintenance.hosts();
        hosts
            .filter(|(_, host)| host.mode == MaintenanceMode::Draining)
            .map(|(name, _)| name.to_owned())
            .collect()
    }

    /// Looks at every host that is being drained.
    pub(crate) fn drain_all(&mut self) {
        for host in self.draining_hosts() {
            self.drain_in_time(&host);
        }
        self.look_at_stand_ins();
    }

    /// Moves what may be moved away from a host, in this step or one of the next: of all hosts of a
    /// cluster it is too much for one.
    pub(super) fn drain_in_time(&mut self, host: &str) {
        if self.is_full() {
            self.after(1, Timer::Maintenance(MaintenanceTimer::Drain(host.to_owned())));
        } else {
            self.drain_host(host);
        }
    }

    /// The time has come that a policy on a host wants. What has become due for one of a job's tasks
    /// may have for those on other hosts.
    pub(super) fn drain_due(&mut self, host: &str) {
        let jobs_on = |drains: &Drains| -> BTreeSet<JobKey> {
            drains.waiting_on(host).map(|(_, waiting)| waiting.job.clone()).collect()
        };
        let before = jobs_on(&self.scheduler.drains);
        self.drain_host(host);
        let still = jobs_on(&self.scheduler.drains);
        for job in before.difference(&still) {
            self.drain_waiting(job, None);
        }
    }

    /// Moves what may be moved away from a host, if it is being drained.
    pub(super) fn drain_host(&mut self, host: &str) {
        let Some(drain) = self.drain_of(host).cloned() else { return };
        let mut tasks: Vec<&ScheduledTask> = self.scheduler.state.tasks_on(host).collect();
        if tasks.is_empty() {
            self.drained(host);
            return;
        }
        tasks.retain(|task| can_be_moved(task));
        // Those that do not run cost their jobs nothing.
        tasks.sort_by_key(|task| task.state == TaskState::Running);
        let tasks: Vec<TaskId> = tasks.into_iter().map(|task| task.id().clone()).collect();
        for task in tasks {
            self.drain_task(host, &task, &drain);
        }
    }

    /// Moves one task away from a host if it may be and is there to be moved, and the host is being
    /// drained.
    pub(crate) fn drain_one(&mut self, host: &str, id: &TaskId) {
        if self.scheduler.state.task(id).is_some_and(can_be_moved)
            && let Some(drain) = self.drain_of(host).cloned()
        {
            self.drain_task(host, id, &drain);
        }
    }

    fn drain_task(&mut self, host: &str, id: &TaskId, drain: &Drain) {
        // Nobody can be told to end a task. When there is a master again, this is done again.
        if !self.scheduler.registered {
            return;
        }
        let Some(task) = self.scheduler.state.task(id) else { return };
        let config = task.assigned.task.clone();
        let before = self.scheduler.drains.remove(host, id);
        let is_forced = drain.deadline() <= self.now;
        if is_forced {
            self.move_away(id);
            return;
        }
        if let Some(waiting) = before
            && waiting.not_before.is_some_and(|time| time > self.now)
        {
            self.scheduler.drains.add(host, id, waiting);
            return;
        }
        let policy = config.sla_policy.as_ref().unwrap_or(&drain.default_policy);
        let job = config.job.clone();
        let purpose = SlaPurpose::Drain { host: host.to_owned() };
        let (reason, retry_at) = match self.sla_check(id, policy, purpose) {
            SlaVerdict::Allowed => match self.cover(id, drain) {
                Cover::Fine => return self.move_away(id),
                Cover::Wait(reason, retry_at) => (reason, retry_at),
            },
            SlaVerdict::Denied(denial) => (denial.reason, denial.retry_at),
            SlaVerdict::Asked => ("its coordinator is being asked".to_owned(), None),
        };
        let waiting = Waiting { job, reason, not_before: None };
        self.scheduler.drains.add(host, id, waiting);
        if let Some(time) = retry_at {
            let wait = time.ms_since(self.now);
            self.after(wait, Timer::Maintenance(MaintenanceTimer::Drain(host.to_owned())));
        }
    }

    fn move_away(&mut self, id: &TaskId) {
        self.change(id, TaskState::Draining, Some(MESSAGE));
    }

    /// A host has no tasks any more.
    fn drained(&mut self, host: &str) {
        let Some(maintenance) = self.scheduler.state.maintenance.host(host) else { return };
        let cause = maintenance.cause;
        let mode = MaintenanceMode::Drained;
        self.put_host(host, HostMaintenance { mode, cause, drain: None });
    }

    /// A coordinator has answered for a task.
    pub(crate) fn drain_answered(&mut self, host: &str, id: &TaskId, denial: Option<String>) {
        let there = self.scheduler.state.task(id).filter(|task| can_be_moved(task));
        let Some(task) = there.filter(|_| self.drain_of(host).is_some()) else { return };
        let job = task.job().clone();
        self.scheduler.drains.remove(host, id);
        let Some(reason) = denial else { return self.move_away(id) };
        let wait = self.scheduler.settings.host_maintenance_polling_ms.max(1);
        let not_before = Some(self.now.plus_ms(wait));
        self.scheduler.drains.add(host, id, Waiting { job, reason, not_before });
        self.after(wait, Timer::Maintenance(MaintenanceTimer::Drain(host.to_owned())));
    }

    /// What a coordinator is told of a drain, in the original's words.
    pub(crate) fn drain_params(&self, host: &str) -> BTreeMap<String, String> {
        let left = self.drain_of(host).map(|drain| drain.deadline().ms_since(self.now));
        let named = left.map(|ms| ("forceMaintenanceCountdownMs".to_owned(), ms.to_string()));
        named.into_iter().collect()
    }

    /// Takes in what has become of a task: its host may be empty, and others may go on.
    pub(super) fn drains_see(&mut self, change: &TaskChange) {
        if change.to == Some(TaskState::Draining) {
            return;
        }
        if let Some(host) = &change.host
            && self.drain_of(host).is_some()
        {
            self.scheduler.drains.remove(host, &change.id);
            self.drain_host(host);
        }
        if change.changes_what_is_up() {
            self.drain_waiting(&change.config.job, None);
        }
    }

    /// Looks at the tasks of a job that wait to be moved, from a host on or on all. Policies are the
    /// same for most of them, and what is denied to one is denied to all.
    pub(super) fn drain_waiting(&mut self, job: &JobKey, from: Option<&str>) {
        let Some(all) = self.scheduler.drains.by_job.get(job) else { return };
        let from = from.map_or(Bound::Unbounded, Bound::Included);
        let mut rest = all.range::<str, _>((from, Bound::Unbounded)).cloned();
        let hosts: Vec<String> = rest.by_ref().take(HOSTS_AT_ONCE).collect();
        let next = rest.next();
        let mut denied: Vec<SlaPolicy> = Vec::new();
        for host in hosts {
            if self.is_full() {
                return self.drain_waiting_later(job, host);
            }
            self.drain_job_on(&host, job, &mut denied);
        }
        // Most of those that are left out would be denied the same, and the poll looks at the others.
        if let Some(next) = next.filter(|_| denied.is_empty()) {
            self.drain_waiting_later(job, next);
        }
    }

    fn drain_waiting_later(&mut self, job: &JobKey, from: String) {
        self.after(1, Timer::Maintenance(MaintenanceTimer::Job(job.clone(), from)));
    }

    fn drain_job_on(&mut self, host: &str, job: &JobKey, denied: &mut Vec<SlaPolicy>) {
        let Some(drain) = self.drain_of(host).cloned() else { return };
        let waiting = self.scheduler.drains.waiting_on(host);
        let tasks: Vec<TaskId> = waiting
            .filter(|(_, waiting)| waiting.job == *job && waiting.not_before.is_none())
            .map(|(id, _)| id.clone())
            .collect();
        for id in tasks {
            let Some(task) = self.scheduler.state.task(&id) else { continue };
            let own = task.assigned.task.sla_policy.as_ref();
            let policy = own.unwrap_or(&drain.default_policy).clone();
            if denied.contains(&policy) {
                continue;
            }
            // A coordinator is asked in turn.
            let is_outside = matches!(policy, SlaPolicy::Coordinator { .. });
            if !is_outside {
                self.drain_task(host, &id, &drain);
            }
            if is_outside || self.scheduler.drains.waiting_on(host).any(|(other, _)| *other == id) {
                denied.push(policy);
            }
        }
    }

    /// Sets the poller going, unless it is.
    pub(super) fn set_poll(&mut self) {
        if !self.scheduler.drains.polling {
            self.scheduler.drains.polling = true;
            let wait = self.scheduler.settings.host_maintenance_polling_ms;
            self.after(wait, Timer::Maintenance(MaintenanceTimer::Poll));
        }
    }

    /// Looks at every host that is being drained, and goes on doing so while there is one.
    pub(super) fn poll_drains(&mut self) {
        self.scheduler.drains.polling = false;
        self.drain_all();
        if !self.draining_hosts().is_empty() {
            self.set_poll();
        }
    }
}
