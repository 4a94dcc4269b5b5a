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

/// Instances of a job for each millisecond that passes between two looks at all of them.
const INSTANCES_PER_MS: usize = 100;

/// When the policies of an update were last asked because something had happened.
#[derive(Debug, Clone, Copy)]
pub(super) struct Look {
    at: Timestamp,
    /// When they are to be asked again: there is an [`UpdateTimer::AskWaiting`].
    next: Option<Timestamp>,
}

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
            self.forget_asking(key, instance);
            return self.stop_now(key, instance);
        };
        if self.scheduler.updating.asking.get(&at).is_some_and(|asking| asking.task == task) {
            return;
        }
        self.forget_asking(key, instance);
        self.scheduler.updating.asking.insert(at, Asking { task, at: None, wait: 0 });
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
            timers.forget(at, Timer::Update(UpdateTimer::AskAgain(key.clone(), instance)));
        }
    }

    /// Nobody waits for the policy of an instance any more.
    fn forget_asking(&mut self, key: &UpdateKey, instance: u32) {
        self.forget_question_timer(key, instance);
        self.scheduler.updating.asking.remove(&(key.clone(), instance));
    }

    /// The policy allows it.
    fn pass(&mut self, key: &UpdateKey, instance: u32) {
        self.forget_asking(key, instance);
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
                timers.forget(at, timer.clone());
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
    /// now or when enough time has passed since the last time. An answer takes a look at every instance
    /// of the job, and in a large one something happens all the time.
    pub(super) fn ask_in_time(&mut self, key: &UpdateKey) {
        if self.next_asking(key, Bound::Included((key.clone(), 0))).is_none() {
            return;
        }
        let pause = self.pause_between_looks(key);
        let last = self.scheduler.updating.looks.get(key).copied();
        let passed = last.map_or(i64::MAX, |look| self.now.ms_since(look.at));
        // A clock that went back keeps nobody waiting.
        if (0..pause).contains(&passed) {
            self.look_in(key, pause - passed);
        } else {
            self.ask_waiting(key);
        }
    }

    /// In milliseconds: what looks cost is about a hundredth of the time at most.
    fn pause_between_looks(&self, key: &UpdateKey) -> i64 {
        let instances = self.scheduler.state.active_count(&key.job);
        i64::try_from(instances / INSTANCES_PER_MS).unwrap_or(i64::MAX)
    }

    /// Asks those that wait in so many milliseconds, unless that is done anyway.
    fn look_in(&mut self, key: &UpdateKey, ms: i64) {
        let at = self.now.plus_ms(ms.max(1));
        let Scheduler { updating, timers, .. } = &mut *self.scheduler;
        let look = updating.looks.entry(key.clone()).or_insert(Look { at: self.now, next: None });
        if look.next.is_none() {
            look.next = Some(at);
            timers.set(at, Timer::Update(UpdateTimer::AskWaiting(key.clone())));
        }
    }

    pub(super) fn look_is_due(&mut self, key: &UpdateKey) {
        if let Some(look) = self.scheduler.updating.looks.get_mut(key) {
            look.next = None;
            self.ask_waiting(key);
        }
    }

    /// Those that wait are not asked because of what has happened before.
    fn forget_look(&mut self, key: &UpdateKey) {
        let Scheduler { updating, timers, .. } = &mut *self.scheduler;
        if let Some(Look { next: Some(at), .. }) = updating.looks.remove(key) {
            timers.forget(at, Timer::Update(UpdateTimer::AskWaiting(key.clone())));
        }
    }

    /// The next instance that waits for its policy and not for an answer, from a place on.
    fn next_asking(&self, key: &UpdateKey, from: Bound<(UpdateKey, u32)>) -> Option<u32> {
        let range = (from, Bound::Included((key.clone(), u32::MAX)));
        let mut waiting = self.scheduler.updating.asking.range(range);
        waiting.find(|(_, asking)| asking.at.is_some()).map(|((_, instance), _)| *instance)
    }

    /// Asks those that wait, until one is refused, as far as one step goes. What is refused to one is
    /// refused to all of the same policy.
    fn ask_waiting(&mut self, key: &UpdateKey) {
        self.forget_look(key);
        self.scheduler.updating.looks.insert(key.clone(), Look { at: self.now, next: None });
        let mut refused: Vec<SlaPolicy> = Vec::new();
        let mut after = Bound::Included((key.clone(), 0));
        for _ in 0..AT_ONCE {
            let Some(instance) = self.next_asking(key, after) else { return };
            if self.is_full() {
                // Where something was allowed more may be; what was refused is refused for a while.
                let pause = if refused.is_empty() { 1 } else { self.pause_between_looks(key) };
                return self.look_in(key, pause);
            }
            after = Bound::Excluded((key.clone(), instance));
            let Some((_, policy)) = self.policy_to_ask(key, instance) else { continue };
            // A coordinator sees what happens itself, and is asked when it is this one's turn.
            if matches!(policy, SlaPolicy::Coordinator { .. }) || refused.contains(&policy) {
                continue;
            }
            if !self.is_to_stop(key, instance) {
                self.forget_asking(key, instance);
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
            self.forget_asking(key, instance);
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
            (false, _) => self.forget_asking(&key, instance),
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
        for (_, instance) in found {
            self.forget_asking(key, instance);
        }
        self.forget_look(key);
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
