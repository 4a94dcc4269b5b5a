//! Asks the SLA policy of an instance before it is stopped (`updates.md` 13).

use std::ops::Bound;

use aurora_model::job::{SlaPolicy, Timestamp};
use aurora_model::key::{JobKey, TaskId};
use aurora_model::update::{InstanceAction, UpdateKey};

use super::UpdateTimer;
use super::judge::{Need, judge};
use super::plan::AT_ONCE;
use crate::scheduler::{Scheduler, Turn};
use crate::sla::{SlaPurpose, SlaVerdict};
use crate::timers::Timer;

/// A policy that says when it will allow something is asked again no sooner than this.
const SOONEST_MS: i64 = 1000;

/// An instance that waits for its policy.
#[derive(Debug, Clone)]
pub(super) struct Asking {
    /// What is asked about: an answer that is of another task is none.
    task: TaskId,
    /// When it is to be asked again; nothing while an answer is on its way.
    at: Option<Timestamp>,
    /// How long the last wait was.
    wait: i64,
}

impl Turn<'_> {
    /// Stops what an instance is, as soon as that is allowed.
    pub(super) fn stop(&mut self, key: &UpdateKey, instance: u32) {
        let at = (key.clone(), instance);
        let Some((task, _)) = self.policy_to_ask(key, instance) else {
            self.scheduler.updating.asking.remove(&at);
            return self.stop_now(key, instance);
        };
        let asking = &mut self.scheduler.updating.asking;
        if asking.get(&at).is_some_and(|asking| asking.task == task) {
            return;
        }
        asking.insert(at, Asking { task, at: None, wait: 0 });
        self.note(key, instance, "Checking SLA before continuing.");
        self.ask(key, instance);
    }

    /// The policy that protects an instance from this update. What does not run needs no protection.
    fn policy_to_ask(&self, key: &UpdateKey, instance: u32) -> Option<(TaskId, SlaPolicy)> {
        let state = &self.scheduler.state;
        let update = state.updates.get(key).filter(|update| update.settings().sla_aware)?;
        let policy = update.wanted(instance)?.sla_policy.clone()?;
        let task = state.active_instance(&key.job, instance)?;
        task.state.is_slave_assigned().then(|| (task.id().clone(), policy))
    }

    fn ask(&mut self, key: &UpdateKey, instance: u32) {
        let Some((task, policy)) = self.policy_to_ask(key, instance) else {
            return self.stop(key, instance);
        };
        self.scheduler.updating.asked.entry(key.job.clone()).or_default().attempts += 1;
        if let Some(asking) = self.scheduler.updating.asking.get_mut(&(key.clone(), instance)) {
            asking.task = task.clone();
        }
        let purpose = SlaPurpose::Update { job: key.job.clone(), instance };
        match self.sla_check(&task, &policy, purpose) {
            SlaVerdict::Allowed => self.pass(key, instance),
            SlaVerdict::Denied(denial) => self.put_off(key, instance, denial.retry_at),
            SlaVerdict::Asked => self.forget_question_timer(key, instance),
        }
    }

    /// While an answer is on its way nothing is asked again.
    fn forget_question_timer(&mut self, key: &UpdateKey, instance: u32) {
        let Scheduler { updating, timers, .. } = &mut *self.scheduler;
        let asking = updating.asking.get_mut(&(key.clone(), instance));
        if let Some(at) = asking.and_then(|asking| asking.at.take()) {
            timers.forget(at, &Timer::Update(UpdateTimer::AskAgain(key.clone(), instance)));
        }
    }

    /// The policy allows it.
    fn pass(&mut self, key: &UpdateKey, instance: u32) {
        self.forget_question_timer(key, instance);
        self.scheduler.updating.asking.remove(&(key.clone(), instance));
        self.scheduler.updating.asked.entry(key.job.clone()).or_default().passed += 1;
        self.note(key, instance, "SLA check passed, continuing.");
        self.stop_now(key, instance);
    }

    /// The policy does not allow it yet.
    fn put_off(&mut self, key: &UpdateKey, instance: u32, retry_at: Option<Timestamp>) {
        let soonest = self.now.plus_ms(SOONEST_MS);
        let Scheduler { settings, updating, random, timers, .. } = &mut *self.scheduler;
        let Some(asking) = updating.asking.get_mut(&(key.clone(), instance)) else { return };
        let timer = Timer::Update(UpdateTimer::AskAgain(key.clone(), instance));
        let latest = match asking.at.filter(|at| *at > self.now) {
            // It was asked because something has happened: it is asked in time all the same.
            Some(at) => {
                timers.forget(at, &timer);
                at
            }
            None => {
                let (min, max) = (settings.sla_retry_min_ms, settings.sla_retry_max_ms);
                asking.wait = random.backoff(asking.wait, min, max);
                self.now.plus_ms(asking.wait.max(1))
            }
        };
        let at = retry_at.map_or(latest, |at| at.max(soonest).min(latest));
        asking.at = Some(at);
        timers.set(at, timer);
    }

    /// Something has happened that may make policies allow what they did not: asks those that wait,
    /// until one is refused. What is refused to one is refused to all of the same policy.
    pub(super) fn ask_waiting(&mut self, key: &UpdateKey) {
        let mut refused: Vec<SlaPolicy> = Vec::new();
        let mut after = Bound::Included((key.clone(), 0));
        for _ in 0..AT_ONCE {
            let range = (after, Bound::Included((key.clone(), u32::MAX)));
            let waiting = self.scheduler.updating.asking.range(range);
            let next = waiting.filter(|(_, asking)| asking.at.is_some()).map(|(at, _)| at.1).next();
            let Some(instance) = next else { return };
            after = Bound::Excluded((key.clone(), instance));
            let Some((_, policy)) = self.policy_to_ask(key, instance) else { continue };
            // A coordinator sees what happens itself, and is asked when it is this one's turn.
            if matches!(policy, SlaPolicy::Coordinator { .. }) || refused.contains(&policy) {
                continue;
            }
            if !self.is_to_stop(key, instance) {
                self.scheduler.updating.asking.remove(&(key.clone(), instance));
                continue;
            }
            self.ask(key, instance);
            let waits = self.scheduler.updating.asking.contains_key(&(key.clone(), instance));
            if waits {
                refused.push(policy);
            }
        }
    }

    /// A coordinator is free for an instance that has waited for its turn.
    pub(crate) fn update_may_ask(&mut self, job: &JobKey, instance: u32) {
        let Some(update) = self.scheduler.state.updates.active_of(job) else { return };
        let key = update.update().key.clone();
        let asking = self.scheduler.updating.asking.get(&(key.clone(), instance));
        if asking.is_some_and(|asking| asking.at.is_some()) && self.is_to_stop(&key, instance) {
            self.ask(&key, instance);
        }
    }

    pub(super) fn ask_again(&mut self, key: &UpdateKey, instance: u32) {
        let asking = self.scheduler.updating.asking.get(&(key.clone(), instance));
        let due = asking.and_then(|asking| asking.at).is_some_and(|at| at <= self.now);
        if !due {
            return;
        }
        if !self.is_to_stop(key, instance) {
            self.scheduler.updating.asking.remove(&(key.clone(), instance));
            return;
        }
        self.ask(key, instance);
        let waits = self.scheduler.updating.asking.contains_key(&(key.clone(), instance));
        if !waits {
            // What has become due for one may have for others.
            self.ask_waiting(key);
        }
    }

    /// A coordinator has answered.
    pub(crate) fn update_sla_answered(
        &mut self,
        job: &JobKey,
        instance: u32,
        task: &TaskId,
        allowed: bool,
    ) {
        let state = &self.scheduler.state;
        let Some(update) = state.updates.active_of(job) else { return };
        let key = update.update().key.clone();
        let asking = self.scheduler.updating.asking.get(&(key.clone(), instance));
        if asking.is_none_or(|asking| asking.task != *task) {
            return;
        }
        let is_meant = state.active_instance(job, instance).is_some_and(|found| found.id() == task)
            && self.is_to_stop(&key, instance);
        match (is_meant, allowed) {
            (true, true) => self.pass(&key, instance),
            (true, false) => self.put_off(&key, instance, None),
            (false, _) => {
                self.scheduler.updating.asking.remove(&(key, instance));
            }
        }
    }

    /// Whether the update still moves and still wants the instance stopped.
    fn is_to_stop(&self, key: &UpdateKey, instance: u32) -> bool {
        let Some(update) = self.scheduler.state.updates.get(key) else { return false };
        update.status().is_rolling()
            && update.course.working().contains(&instance)
            && judge(
                update.wanted(instance).is_some(),
                self.scheduler.observe(update, instance, self.now),
                0,
            ) == Need::Kill
    }

    /// The update stands, or goes another way: what was to be stopped is not, or for other reasons.
    pub(super) fn stop_asking(&mut self, key: &UpdateKey) {
        let all = (key.clone(), 0)..=(key.clone(), u32::MAX);
        let asking = &mut self.scheduler.updating.asking;
        let found: Vec<(UpdateKey, u32)> = asking.range(all).map(|(at, _)| at.clone()).collect();
        for at in found {
            self.forget_question_timer(key, at.1);
            self.scheduler.updating.asking.remove(&at);
        }
    }

    fn note(&mut self, key: &UpdateKey, instance: u32, message: &str) {
        let is_back = self.scheduler.state.updates.get(key).is_some_and(|update| update.is_back());
        let action = match is_back {
            true => InstanceAction::InstanceRollingBack,
            false => InstanceAction::InstanceUpdating,
        };
        self.record(key, instance, action, Some(message));
    }
}
