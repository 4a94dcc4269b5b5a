//! Carries updates out (`updates.md` 4, 7 and 9).

use std::collections::BTreeSet;

use aurora_model::job::TaskState;
use aurora_model::key::TaskId;
use aurora_model::update::{InstanceAction, InstanceEvent, UpdateEvent, UpdateKey, UpdateStatus};

use super::UpdateTimer;
use super::course::Phase;
use super::diff::same;
use super::judge::{Need, Observed};
use super::plan::{AT_ONCE, Outcome, forgiven, plan};
use super::store::{Update, UpdateOp};
use super::table::{awaiting_pulse, counter, may_go, paused};
use crate::changes::TaskChange;
use crate::input::Op;
use crate::scheduler::{Scheduler, Turn};
use crate::timers::Timer;

impl Scheduler {
    /// What an update finds at an instance.
    pub(super) fn observe(
        &self,
        update: &Update,
        instance: u32,
        now: aurora_model::job::Timestamp,
    ) -> Option<Observed> {
        let task = self.state.active_instance(&update.update().key.job, instance)?;
        let since = task.latest_event().map_or(now, |event| event.timestamp);
        Some(Observed {
            is_wanted: update
                .wanted(instance)
                .is_some_and(|wanted| same(wanted, &task.assigned.task)),
            state: task.state,
            since_ms: now.ms_since(since),
        })
    }
}

impl Turn<'_> {
    /// Takes in what has become of a task.
    pub(crate) fn updates_see(&mut self, change: &TaskChange) {
        if change.to == Some(TaskState::Assigned) {
            let instance = change.config.job.instance(change.instance);
            self.end_reservation(&instance);
        }
        let Some(update) = self.scheduler.state.updates.active_of(&change.config.job) else {
            return;
        };
        let (key, instance) = (update.update().key.clone(), change.instance);
        if update.course.working().contains(&instance) {
            let is_wanted =
                update.wanted(instance).is_some_and(|wanted| same(wanted, &change.config));
            if is_wanted && self.has_failed(change) {
                // Also while the update stands: a failure is a failure.
                self.count_failure(&key, instance);
            }
            self.advance(&key, &[instance].into());
        }
        if change.changes_what_is_up() {
            self.ask_in_time(&key);
        }
    }

    /// Whether a run has ended, and not because this scheduler has ended it. A task that is lost says
    /// nothing of its version: its agent is gone, or it never came there.
    fn has_failed(&self, change: &TaskChange) -> bool {
        let has_ended = change.to.is_some_and(|to| to.is_terminal() && to != TaskState::Lost);
        let was_stopped = self.scheduler.state.task(&change.id).is_none_or(|task| {
            task.events.iter().any(|event| {
                matches!(
                    event.state,
                    TaskState::Killing
                        | TaskState::Preempting
                        | TaskState::Restarting
                        | TaskState::Draining
                )
            })
        });
        has_ended && !was_stopped
    }

    fn count_failure(&mut self, key: &UpdateKey, instance: u32) {
        self.apply(Op::Update(UpdateOp::Failure { key: key.clone(), instance }));
        let Some(update) = self.scheduler.state.updates.get(key) else { return };
        let failures = update.course.get(instance).map_or(0, |taken| taken.failures);
        if failures > forgiven(update, instance) {
            self.set_phase(key, instance, Phase::Failed);
        }
    }

    /// Takes an update up where it is: at the start of the scheduler, or when it moves again.
    pub(super) fn go_on_updating(&mut self, key: &UpdateKey) {
        self.watch_pulse(key);
        self.look_from(key, 0);
    }

    /// Looks at the instances that have been taken up, from one on, some at a time.
    pub(super) fn look_from(&mut self, key: &UpdateKey, from: u32) {
        let Some(update) = self.scheduler.state.updates.get(key) else { return };
        let mut working = update.course.working().range(from..).copied();
        let some: BTreeSet<u32> = working.by_ref().take(AT_ONCE).collect();
        let next = working.next();
        if next.is_some() {
            self.go_on_later(key, next);
        }
        self.advance(key, &some);
    }

    /// Goes on in the next step.
    pub(super) fn go_on_later(&mut self, key: &UpdateKey, from: Option<u32>) {
        self.after(1, Timer::Update(UpdateTimer::GoOn(key.clone(), from)));
    }

    /// Does what is to be done now, looking at those instances that may have changed.
    pub(super) fn advance(&mut self, key: &UpdateKey, changed: &BTreeSet<u32>) {
        let Some(update) = self.scheduler.state.updates.get(key) else { return };
        let status = update.status();
        if !status.is_rolling() {
            return;
        }
        if update.lacks_pulse(self.now) {
            let message = "Pulses from external service have timed out.".to_owned();
            return self.enter(key, awaiting_pulse(status), None, Some(message), false);
        }
        let rollback = update.settings().rollback_on_failure;
        let most = if self.is_full() { 0 } else { AT_ONCE };
        let observe = |instance| self.scheduler.observe(update, instance, self.now);
        let plan = plan(update, changed, most, observe);
        self.spend(changed.len());
        for (instance, phase) in plan.phases {
            self.set_phase(key, instance, phase);
        }
        match plan.outcome {
            Outcome::Going => {
                if plan.has_more {
                    self.go_on_later(key, None);
                }
                for (instance, need) in plan.needs {
                    self.meet(key, instance, need);
                }
            }
            Outcome::Pause => {
                let message = "Update auto paused".to_owned();
                self.enter(key, paused(status), None, Some(message), true);
            }
            Outcome::Done => {
                let done = match status {
                    UpdateStatus::RollingBack => UpdateStatus::RolledBack,
                    _ => UpdateStatus::RolledForward,
                };
                self.enter(key, done, None, None, false);
            }
            Outcome::Failed(instance) => {
                let message = format!("Latest failure: instance {instance} exited.");
                let to = match status {
                    UpdateStatus::RollingForward if rollback => UpdateStatus::RollingBack,
                    _ => UpdateStatus::Failed,
                };
                self.enter(key, to, None, Some(message), false);
            }
        }
    }

    /// Brings an update to another status.
    pub(super) fn enter(
        &mut self,
        key: &UpdateKey,
        to: UpdateStatus,
        user: Option<String>,
        message: Option<String>,
        between_batches: bool,
    ) {
        let Some(update) = self.scheduler.state.updates.get(key) else { return };
        let from = update.status();
        debug_assert!(may_go(from, to), "{from} to {to}");
        if !may_go(from, to) {
            return;
        }
        let event = UpdateEvent { status: to, timestamp: self.now, user, message };
        self.apply(Op::Update(UpdateOp::Status { key: key.clone(), event, between_batches }));
        self.scheduler.count(counter(to), 1);
        self.stop_asking(key);
        self.stop_watching(key);
        if to.is_terminal() {
            self.end_surge(key);
        } else {
            self.go_on_updating(key);
        }
    }

    /// Those that ran beside the others are no longer needed.
    fn end_surge(&mut self, key: &UpdateKey) {
        let Some(update) = self.scheduler.state.updates.get(key) else { return };
        let surge = update.update().instructions.surge;
        for instance in surge.iter().flat_map(|range| range.iter()) {
            if let Some(task) = self.scheduler.state.active_instance(&key.job, instance) {
                let id = task.id().clone();
                self.kill_for(key, &id);
            }
        }
    }

    /// An instance has come so far; it is written down for people unless nothing was done.
    fn set_phase(&mut self, key: &UpdateKey, instance: u32, phase: Phase) {
        let Some(update) = self.scheduler.state.updates.get(key) else { return };
        let was_idle = update.course.get(instance).is_none();
        let is_news = phase != Phase::Good || !was_idle || update.has_events(instance);
        let action = match (phase, update.is_back()) {
            (Phase::Working, false) => InstanceAction::InstanceUpdating,
            (Phase::Good, false) => InstanceAction::InstanceUpdated,
            (Phase::Failed, false) => InstanceAction::InstanceUpdateFailed,
            (Phase::Working, true) => InstanceAction::InstanceRollingBack,
            (Phase::Good, true) => InstanceAction::InstanceRolledBack,
            (Phase::Failed, true) => InstanceAction::InstanceRollbackFailed,
        };
        let was_recorded = update.was_recorded(instance, action);
        self.forget_watch(key, instance);
        self.apply(Op::Update(UpdateOp::Phase { key: key.clone(), instance, phase }));
        if is_news && !was_recorded {
            self.record(key, instance, action, None);
            self.scheduler.count(instance_counter(action), 1);
        }
    }

    /// Writes down for people what was done to an instance.
    pub(super) fn record(
        &mut self,
        key: &UpdateKey,
        instance: u32,
        action: InstanceAction,
        message: Option<&str>,
    ) {
        let message = message.map(str::to_owned);
        let event = InstanceEvent { instance, timestamp: self.now, action, message };
        self.apply(Op::Update(UpdateOp::Events { key: key.clone(), events: vec![event] }));
    }

    fn meet(&mut self, key: &UpdateKey, instance: u32, need: Need) {
        self.forget_watch(key, instance);
        match need {
            Need::Add => self.add(key, instance),
            Need::Kill => self.stop(key, instance),
            Need::Watch(ms) => self.watch(key, instance, ms),
            Need::Await | Need::Nothing => {}
        }
    }

    /// Looks at an instance again in so many milliseconds.
    fn watch(&mut self, key: &UpdateKey, instance: u32, ms: i64) {
        let at = self.now.plus_ms(ms.max(1));
        let Scheduler { updating, timers, .. } = &mut *self.scheduler;
        updating.watches.insert((key.clone(), instance), at);
        timers.set(at, Timer::Update(UpdateTimer::Watch(key.clone(), instance)));
    }

    /// An instance may have stayed up for long enough.
    pub(super) fn watched(&mut self, key: &UpdateKey, instance: u32) {
        self.scheduler.updating.watches.remove(&(key.clone(), instance));
        self.advance(key, &[instance].into());
    }

    /// An instance is not watched any more: it has got on, or does not run.
    fn forget_watch(&mut self, key: &UpdateKey, instance: u32) {
        let Scheduler { updating, timers, .. } = &mut *self.scheduler;
        if updating.watches.is_empty() {
            return;
        }
        if let Some(at) = updating.watches.remove(&(key.clone(), instance)) {
            timers.forget(at, Timer::Update(UpdateTimer::Watch(key.clone(), instance)));
        }
    }

    /// The update stands, or is over: it looks at its instances anew if it goes on.
    fn stop_watching(&mut self, key: &UpdateKey) {
        let all = (key.clone(), 0)..=(key.clone(), u32::MAX);
        let watches = self.scheduler.updating.watches.range(all);
        let found: Vec<u32> = watches.map(|((_, instance), _)| *instance).collect();
        for instance in found {
            self.forget_watch(key, instance);
        }
    }

    fn add(&mut self, key: &UpdateKey, instance: u32) {
        let name = key.job.instance(instance);
        let task = TaskId::for_instance(&name, &self.scheduler.random.uuid());
        self.apply(Op::Update(UpdateOp::Add { key: key.clone(), instance, task: task.clone() }));
        self.change(&task, TaskState::Pending, None);
    }

    /// Stops what an instance is, keeping its agent for what it is to be.
    pub(super) fn stop_now(&mut self, key: &UpdateKey, instance: u32) {
        let Scheduler { state, settings, .. } = &*self.scheduler;
        let Some(task) = state.active_instance(&key.job, instance) else { return };
        let Some(update) = state.updates.get(key) else { return };
        let id = task.id().clone();
        let agent = task.assigned.agent.as_ref().map(|(agent, _)| agent.clone());
        let stays = update
            .wanted(instance)
            .is_some_and(|wanted| super::fits_in_place_of(wanted, &task.assigned.task));
        if let Some(agent) = agent.filter(|_| stays && settings.enable_update_affinity) {
            self.reserve(&agent, key.job.instance(instance));
        }
        self.kill_for(key, &id);
    }

    fn kill_for(&mut self, key: &UpdateKey, task: &TaskId) {
        let message = format!("Killed for job update {}", key.id);
        self.change(task, TaskState::Killing, Some(&message));
    }

    /// Sees to it that a missing pulse is noticed.
    pub(super) fn watch_pulse(&mut self, key: &UpdateKey) {
        let Some(update) = self.scheduler.state.updates.get(key) else { return };
        let Some(Some(end)) = update.pulse_ends() else { return };
        if !update.status().is_rolling() || end <= self.now {
            return;
        }
        let Scheduler { updating, timers, .. } = &mut *self.scheduler;
        let timer = || Timer::Update(UpdateTimer::Pulse(key.clone()));
        match updating.pulses.get(key) {
            // One that comes too early finds that out; pulses would set one each otherwise.
            Some(set) if *set <= end => return,
            // The clock went back between two pulses.
            Some(set) => timers.forget(*set, timer()),
            None => {}
        }
        timers.set(end, timer());
        updating.pulses.insert(key.clone(), end);
    }

    pub(super) fn miss_pulse(&mut self, key: &UpdateKey) {
        self.scheduler.updating.pulses.remove(key);
        let Some(update) = self.scheduler.state.updates.get(key) else { return };
        if update.lacks_pulse(self.now) {
            self.advance(key, &BTreeSet::new());
        } else {
            self.watch_pulse(key);
        }
    }
}

fn instance_counter(action: InstanceAction) -> &'static str {
    match action {
        InstanceAction::InstanceUpdating => "update_instance_transition_INSTANCE_UPDATING",
        InstanceAction::InstanceUpdated => "update_instance_transition_INSTANCE_UPDATED",
        InstanceAction::InstanceUpdateFailed => "update_instance_transition_INSTANCE_UPDATE_FAILED",
        InstanceAction::InstanceRollingBack => "update_instance_transition_INSTANCE_ROLLING_BACK",
        InstanceAction::InstanceRolledBack => "update_instance_transition_INSTANCE_ROLLED_BACK",
        InstanceAction::InstanceRollbackFailed => {
            "update_instance_transition_INSTANCE_ROLLBACK_FAILED"
        }
    }
}
