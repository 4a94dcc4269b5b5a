//! Whether a task may be stopped without breaking what its job is promised (`scheduler.md` 11).
//!
//! All who stop tasks of their own will ask here, and act on "yes" at once: drains, updates and
//! whatever else stops a task draw on one account, which is the state itself. A task that is on its
//! way out does not run, so the next one who asks finds one fewer.

mod coordinator;
mod metrics;
mod policy;

use std::collections::BTreeMap;

use aurora_model::job::{ScheduledTask, SlaPolicy, Timestamp};
use aurora_model::key::{JobKey, TaskId};

pub(crate) use coordinator::Coordinators;
pub use coordinator::{CoordinatorAnswer, CoordinatorQuestion, QuestionId};
pub use metrics::{SlaCategory, SlaMetrics, SlaSample};
pub(crate) use policy::{duration_secs, validate, validate_policy};

use crate::scheduler::{Scheduler, Turn};

/// How many instances are looked at in the time that a change of one takes.
const LOOKS_PER_EFFORT: usize = 64;

/// What a task is to be stopped for: who is told when a coordinator has answered.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum SlaPurpose {
    /// Its host is drained.
    Drain { host: String },
    /// Its job is updated.
    Update { job: JobKey, instance: u32 },
}

/// Whether a task may be stopped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum SlaVerdict {
    /// Now, before anything else is done.
    Allowed,
    /// Not now.
    Denied(SlaDenial),
    /// A coordinator has been asked; its answer comes to the purpose's owner.
    Asked,
}

/// Why a task may not be stopped now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SlaDenial {
    /// Why, for people.
    pub(crate) reason: String,
    /// When it may be, if nothing else happens. None if something must happen first.
    pub(crate) retry_at: Option<Timestamp>,
}

impl SlaVerdict {
    fn busy(reason: String) -> Self {
        Self::Denied(SlaDenial { reason, retry_at: None })
    }
}

impl Scheduler {
    /// Whether the policy of a task's job, if it has one, lets it be stopped now. Nobody is asked for
    /// it: a coordinator's answer would come too late.
    pub(crate) fn may_stop(&self, task: &ScheduledTask, now: Timestamp) -> bool {
        let Some(policy) = &task.assigned.task.sla_policy else { return true };
        let Self { state, settings, .. } = self;
        let total = state.active_count(task.job()) as u64;
        !matches!(policy, SlaPolicy::Coordinator { .. })
            && (policy::is_broken(state, task, policy, settings, now)
                || policy::is_exempt(&task.assigned.task, total, settings)
                || policy::judge(state, task, policy, now).is_ok())
    }
}

impl Turn<'_> {
    /// Whether a task may be stopped under a policy. One that does not run serves nobody: it may.
    pub(crate) fn sla_check(
        &mut self,
        task: &TaskId,
        policy: &SlaPolicy,
        purpose: SlaPurpose,
    ) -> SlaVerdict {
        let state = &self.scheduler.state;
        let settings = &self.scheduler.settings;
        let Some(found) = state.task(task) else { return SlaVerdict::Allowed };
        if policy::is_broken(state, found, policy, settings, self.now) {
            return SlaVerdict::Allowed;
        }
        if let SlaPolicy::Coordinator { coordinator_url, status_key } = policy {
            return self.ask_coordinator(task, coordinator_url, status_key, purpose);
        }
        let total = state.active_count(found.job()) as u64;
        if policy::is_exempt(&found.assigned.task, total, settings) {
            return SlaVerdict::Allowed;
        }
        let judged = policy::judge(state, found, policy, self.now);
        // Every instance of the job was looked at.
        self.spend(usize::try_from(total).unwrap_or(usize::MAX) / LOOKS_PER_EFFORT);
        match judged {
            Ok(()) => SlaVerdict::Allowed,
            Err(denial) => SlaVerdict::Denied(denial),
        }
    }

    /// It is the turn of a purpose's owner to ask about a task.
    fn sla_may_ask(&mut self, purpose: &SlaPurpose, task: &TaskId) {
        match purpose {
            SlaPurpose::Drain { host } => self.drain_one(host, task),
            SlaPurpose::Update { job, instance } => self.update_may_ask(job, *instance),
        }
    }

    /// Tells a purpose's owner what a coordinator has answered; without a denial it may act, and
    /// must do so at once.
    fn sla_answered(&mut self, purpose: &SlaPurpose, task: &TaskId, denial: Option<String>) {
        match purpose {
            SlaPurpose::Drain { host } => self.drain_answered(host, task, denial),
            SlaPurpose::Update { job, instance } => {
                self.update_sla_answered(job, *instance, task, denial.is_none());
            }
        }
    }

    /// What a coordinator is told of the purpose.
    fn sla_params(&self, purpose: &SlaPurpose) -> BTreeMap<String, String> {
        match purpose {
            SlaPurpose::Drain { host } => self.drain_params(host),
            SlaPurpose::Update { .. } => BTreeMap::new(),
        }
    }
}
