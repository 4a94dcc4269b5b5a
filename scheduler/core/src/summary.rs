//! What a job is, made of what runs of it; and what is on offer.

use std::collections::{BTreeMap, BTreeSet};

use aurora_model::job::{JobConfiguration, ResourceBag, ScheduledTask, Timestamp};
use aurora_model::key::{AgentId, JobKey, OfferId, TaskId};

use crate::input::PortRange;
use crate::scheduler::Scheduler;

impl Scheduler {
    /// A job as if it had been submitted as it is: what its latest active task is, or its latest
    /// task if none is active, with as many instances as are active. A cron job is its template.
    /// Nothing if there is no such job.
    pub fn job_configuration(&self, job: &JobKey) -> Option<JobConfiguration> {
        if let Some(cron) = self.cron(job) {
            return Some((*cron.job).clone());
        }
        let state = self.state();
        let mut instances = 0_u32;
        let active = state.active_of(job).inspect(|_| instances = instances.saturating_add(1));
        let latest = active.max_by_key(|task| latest(task));
        let latest =
            latest.or_else(|| state.tasks_of(job).max_by_key(|task| latest_event(task)))?;
        Some(JobConfiguration::unscheduled((*latest.assigned.task).clone(), instances))
    }
}

/// When a run began: a job is what was started of it last.
fn latest(task: &ScheduledTask) -> Option<Timestamp> {
    task.events.first().map(|event| event.timestamp)
}

fn latest_event(task: &ScheduledTask) -> Option<Timestamp> {
    task.latest_event().map(|event| event.timestamp)
}

/// What an agent offers, as far as it is left.
#[derive(Debug, Clone, PartialEq)]
pub struct HeldOffer {
    /// The pieces that it came in.
    pub ids: Vec<OfferId>,
    /// The agent.
    pub agent: AgentId,
    /// Its host.
    pub host: String,
    /// The host's attributes.
    pub attributes: BTreeMap<String, BTreeSet<String>>,
    /// Resources that stay.
    pub fixed: ResourceBag,
    /// Resources that may be taken away.
    pub revocable: ResourceBag,
    /// Port numbers.
    pub ports: Vec<PortRange>,
    /// When the host goes into maintenance.
    pub unavailable_from: Option<Timestamp>,
}

impl Scheduler {
    /// What is on offer, agent by agent, in the order in which agents are tried: at most so many,
    /// after so many. The order changes with every offer.
    pub fn held_offers(&self, skip: usize, limit: usize) -> Vec<HeldOffer> {
        self.offers
            .iter()
            .skip(skip)
            .take(limit)
            .map(|offer| HeldOffer {
                ids: offer.pieces.iter().map(|piece| piece.offer.id.clone()).collect(),
                agent: offer.agent.clone(),
                host: offer.host().to_owned(),
                attributes: offer.attributes().clone(),
                fixed: offer.fixed,
                revocable: offer.revocable,
                ports: offer.ports().to_vec(),
                unavailable_from: offer.unavailable_from(),
            })
            .collect()
    }
}

impl Scheduler {
    /// Groups of equal tasks that wait for a place: their job, how many they are, and one of them. At
    /// most so many groups, after so many.
    pub fn waiting_groups(
        &self,
        skip: usize,
        limit: usize,
    ) -> Vec<(JobKey, usize, Option<TaskId>)> {
        self.groups
            .iter()
            .skip(skip)
            .take(limit)
            .map(|group| {
                let first = group.tasks().next().cloned();
                (group.config.job.clone(), group.tasks().count(), first)
            })
            .collect()
    }
}
