//! What happens by itself, and when.

use std::collections::BTreeSet;

use aurora_model::job::{TaskState, Timestamp};
use aurora_model::key::{AgentId, JobKey, OfferId, TaskId};

use crate::admin::AdminTimer;
use crate::cron::CronTimer;
use crate::input::Effect;
use crate::maintenance::MaintenanceTimer;
use crate::scheduler::Turn;
use crate::updates::UpdateTimer;

/// Something that is due at a time. Hardly any timer is taken back: it looks whether there is still
/// something to do.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Timer {
    /// An offer has been held long enough.
    ReturnOffer(OfferId),
    /// There was more to place than one step does.
    Place,
    /// A group of tasks has waited long enough for others to make room.
    MakeRoom(u64),
    /// An agent has been kept for tasks long enough.
    EndReservation(AgentId),
    /// A penalty is over.
    Unthrottle(TaskId),
    /// A partition, which began at the time, has lasted too long.
    EndPartition(TaskId, Timestamp),
    /// A task has been in a state that should pass, since the time.
    Timeout(TaskId, TaskState, Timestamp),
    /// A kill may have been lost; the last wait was this long.
    RepeatKill(TaskId, i64),
    /// The oldest ended task of a job may be forgotten.
    Prune(JobKey),
    /// All tasks are to be asked about, those from here on.
    ReconcileExplicit { next: Option<(JobKey, u32)> },
    /// The master is to tell all it knows.
    ReconcileImplicit,
    /// See [`CronTimer`].
    Cron(CronTimer),
    /// See [`UpdateTimer`].
    Update(UpdateTimer),
    /// See [`MaintenanceTimer`].
    Maintenance(MaintenanceTimer),
    /// See [`AdminTimer`].
    Admin(AdminTimer),
}

#[derive(Debug, Default)]
pub(crate) struct Timers(BTreeSet<(Timestamp, Timer)>);

impl Timers {
    pub(crate) fn set(&mut self, at: Timestamp, timer: Timer) {
        self.0.insert((at, timer));
    }

    pub(crate) fn next(&self) -> Option<Timestamp> {
        self.0.first().map(|(at, _)| *at)
    }

    /// Takes a timer back.
    pub(crate) fn forget(&mut self, at: Timestamp, timer: &Timer) {
        self.0.remove(&(at, timer.clone()));
    }

    fn take_due(&mut self, now: Timestamp) -> Option<Timer> {
        if self.next()? > now {
            return None;
        }
        self.0.pop_first().map(|(_, timer)| timer)
    }
}

impl Turn<'_> {
    pub(crate) fn run_timers(&mut self) {
        while let Some(timer) = self.scheduler.timers.take_due(self.now) {
            self.run_timer(timer);
        }
    }

    fn run_timer(&mut self, timer: Timer) {
        match timer {
            Timer::ReturnOffer(id) => {
                if self.remove_offer(&id) {
                    self.step.effects.push(Effect::Decline(id));
                }
            }
            // Every step places.
            Timer::Place => {}
            Timer::MakeRoom(group) => self.make_room(group),
            Timer::EndReservation(agent) => self.end_room_reservation(&agent),
            Timer::Unthrottle(id) => {
                self.change_from(&id, TaskState::Throttled, TaskState::Pending, None);
            }
            Timer::EndPartition(id, since) => {
                let unchanged = self
                    .scheduler
                    .state
                    .task(&id)
                    .and_then(|task| task.latest_event())
                    .is_some_and(|event| event.timestamp == since);
                if unchanged {
                    self.change_from(
                        &id,
                        TaskState::Partitioned,
                        TaskState::Lost,
                        Some("The task was partitioned for longer than its policy allows"),
                    );
                }
            }
            Timer::Timeout(id, state, since) => {
                let unchanged = self
                    .scheduler
                    .state
                    .task(&id)
                    .and_then(|task| task.latest_event())
                    .is_some_and(|event| event.timestamp == since);
                if unchanged
                    && self.change_from(&id, state, TaskState::Lost, Some("Task timed out"))
                {
                    self.scheduler.count("timed_out_tasks", 1);
                }
            }
            Timer::RepeatKill(id, last) => self.repeat_kill(&id, last),
            Timer::Prune(job) => {
                self.scheduler.pruning.remove(&job);
                self.prune(&job);
            }
            Timer::ReconcileExplicit { next } => self.reconcile_explicit(next),
            Timer::Cron(timer) => self.run_cron_timer(timer),
            Timer::Update(timer) => self.run_updates_timer(timer),
            Timer::Maintenance(timer) => self.run_maintenance_timer(timer),
            Timer::Admin(timer) => self.run_admin_timer(timer),
            Timer::ReconcileImplicit => {
                if self.scheduler.registered {
                    self.scheduler.count("reconciliation_implicit_runs", 1);
                    self.step.effects.push(Effect::Reconcile(Vec::new()));
                }
                let next = self.scheduler.settings.reconciliation_implicit_interval_ms;
                self.after(next, Timer::ReconcileImplicit);
            }
        }
    }

    /// Sets a timer that is due later than now, whatever was asked: one that sets itself again
    /// would otherwise be due for ever.
    pub(crate) fn after(&mut self, ms: i64, timer: Timer) {
        self.scheduler.timers.set(self.now.plus_ms(ms.max(1)), timer);
    }

    fn repeat_kill(&mut self, id: &TaskId, last: i64) {
        let Some(task) = self.scheduler.state.task(id) else { return };
        if task.state != TaskState::Killing {
            return;
        }
        let agent = task.assigned.agent.as_ref().map(|(agent, _)| agent.clone());
        self.scheduler.count("task_kill_retries", 1);
        self.step.effects.push(Effect::Kill { task: id.clone(), agent });
        self.set_kill_retry(id, last);
    }

    pub(crate) fn set_kill_retry(&mut self, id: &TaskId, last: i64) {
        let settings = &self.scheduler.settings;
        let (initial, max) = (settings.initial_kill_retry_ms, settings.transient_timeout_ms);
        let wait = self.scheduler.random.backoff(last, initial, max);
        self.after(wait, Timer::RepeatKill(id.clone(), wait));
    }

    /// Asks about every task that an agent should have, a batch at a time.
    pub(crate) fn reconcile_explicit(&mut self, from: Option<(JobKey, u32)>) {
        let settings = &self.scheduler.settings;
        let (size, pause, interval) = (
            settings.reconciliation_batch_size.max(1),
            settings.reconciliation_batch_interval_ms,
            settings.reconciliation_explicit_interval_ms,
        );
        if from.is_none() {
            self.after(interval, Timer::ReconcileExplicit { next: None });
            if !self.scheduler.registered {
                return;
            }
            self.scheduler.count("reconciliation_explicit_runs", 1);
        }
        let mut batch = self.assigned_tasks(from.as_ref(), size + 1);
        if batch.len() > size
            && let Some((next, _)) = batch.pop()
            && let Some(task) = self.scheduler.state.task(&next)
        {
            let next = Some((task.job().clone(), task.assigned.instance));
            self.after(pause, Timer::ReconcileExplicit { next });
        }
        if !batch.is_empty() && self.scheduler.registered {
            self.step.effects.push(Effect::Reconcile(batch));
        }
    }

    /// Asks about everything at once: after a (re-)registration anything may have been missed.
    pub(crate) fn reconcile_now(&mut self) {
        let size = self.scheduler.settings.reconciliation_batch_size.max(1);
        let all = self.assigned_tasks(None, usize::MAX);
        for batch in all.chunks(size) {
            self.step.effects.push(Effect::Reconcile(batch.to_vec()));
        }
    }

    fn assigned_tasks(
        &self,
        from: Option<&(JobKey, u32)>,
        limit: usize,
    ) -> Vec<(TaskId, Option<AgentId>)> {
        self.scheduler
            .state
            .active_from(from)
            .filter(|task| task.state.is_slave_assigned())
            .take(limit)
            .map(|task| {
                (task.id().clone(), task.assigned.agent.as_ref().map(|(agent, _)| agent.clone()))
            })
            .collect()
    }
}
