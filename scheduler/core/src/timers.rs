//! What happens by itself, and when.

use std::collections::BTreeSet;

use aurora_model::job::{TaskState, Timestamp};
use aurora_model::key::{AgentId, JobKey, OfferId, TaskId};

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
    /// All tasks are to be asked about.
    ReconcileExplicit,
    /// The next ones of them are: see [`Reconciling`].
    ReconcileNext,
    /// The master is to tell all it knows.
    ReconcileImplicit,
    /// See [`CronTimer`].
    Cron(CronTimer),
    /// See [`UpdateTimer`].
    Update(UpdateTimer),
    /// See [`MaintenanceTimer`].
    Maintenance(MaintenanceTimer),
}

/// Tasks that are asked about together, each with its agent.
pub(crate) type Batch = Vec<(TaskId, Option<AgentId>)>;

/// An instance of a job.
pub(crate) type Place = (JobKey, u32);

/// How far all tasks have been asked about. One who begins anew goes on from the start, beside nobody.
#[derive(Debug, Default)]
pub(crate) struct Reconciling {
    /// The place of the next one, if there are more.
    next: Option<Place>,
    /// How many are asked about at once.
    size: usize,
    /// Whether there is a [`Timer::ReconcileNext`].
    is_waiting: bool,
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
    pub(crate) fn forget(&mut self, at: Timestamp, timer: Timer) {
        self.0.remove(&(at, timer));
    }

    fn take_due(&mut self, now: Timestamp) -> Option<Timer> {
        if self.next()? > now {
            return None;
        }
        self.0.pop_first().map(|(_, timer)| timer)
    }
}

impl Turn<'_> {
    /// Runs what is due, the longest due first, until the step has done its part. After a pause of
    /// the process everything may be due at once.
    pub(crate) fn run_timers(&mut self) {
        while !self.is_full()
            && let Some(timer) = self.scheduler.timers.take_due(self.now)
        {
            self.spend(1);
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
            Timer::ReconcileExplicit => self.reconcile_explicit(),
            Timer::ReconcileNext => {
                self.scheduler.reconciling.is_waiting = false;
                if let Some(next) = self.scheduler.reconciling.next.take() {
                    self.reconcile_batch(Some(&next));
                }
            }
            Timer::Cron(timer) => self.run_cron_timer(timer),
            Timer::Update(timer) => self.run_updates_timer(timer),
            Timer::Maintenance(timer) => self.run_maintenance_timer(timer),
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

    /// Asks about every task that an agent should have, and does so again when it is time.
    fn reconcile_explicit(&mut self) {
        let interval = self.scheduler.settings.reconciliation_explicit_interval_ms;
        self.after(interval, Timer::ReconcileExplicit);
        if self.scheduler.registered {
            self.scheduler.count("reconciliation_explicit_runs", 1);
            self.reconcile_from_start();
        }
    }

    /// Asks about every task that an agent should have, a batch at a time: after a (re-)registration
    /// anything may have been missed.
    pub(crate) fn reconcile_from_start(&mut self) {
        self.reconcile_by(self.scheduler.settings.reconciliation_batch_size);
    }

    /// The same in batches of another size.
    pub(crate) fn reconcile_by(&mut self, size: usize) {
        self.scheduler.reconciling.size = size.max(1);
        self.reconcile_batch(None);
    }

    /// Asks about the tasks from here on, as many as at once, and sees to the next ones.
    fn reconcile_batch(&mut self, from: Option<&Place>) {
        let pause = self.scheduler.settings.reconciliation_batch_interval_ms;
        let (batch, next) = self.assigned_tasks(from, self.scheduler.reconciling.size);
        // What is left out while there is no master is asked about when there is one.
        if !batch.is_empty() && self.scheduler.registered {
            self.step.effects.push(Effect::Reconcile(batch));
        }
        let reconciling = &mut self.scheduler.reconciling;
        reconciling.next = next;
        if reconciling.next.is_some() && !reconciling.is_waiting {
            reconciling.is_waiting = true;
            self.after(pause, Timer::ReconcileNext);
        }
    }

    /// The tasks that an agent should have, from here on, as many as asked for, and the place of the
    /// one after them.
    pub(crate) fn assigned_tasks(
        &self,
        from: Option<&Place>,
        limit: usize,
    ) -> (Batch, Option<Place>) {
        let state = &self.scheduler.state;
        let mut tasks = state.active_from(from).filter(|task| task.state.is_slave_assigned());
        let batch = tasks
            .by_ref()
            .take(limit)
            .map(|task| {
                let agent = task.assigned.agent.as_ref().map(|(agent, _)| agent.clone());
                (task.id().clone(), agent)
            })
            .collect();
        let next = tasks.next().map(|task| (task.job().clone(), task.assigned.instance));
        (batch, next)
    }
}
