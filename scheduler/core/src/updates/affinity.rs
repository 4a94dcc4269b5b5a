//! Agents that are kept for instances an update replaces (`scheduler.md` 5.8).
//!
//! Nothing rests on it: after a restart none are kept, and a replacement that does not fit where it
//! was goes elsewhere when the time is over.

use std::collections::{BTreeMap, BTreeSet};

use aurora_model::job::Timestamp;
use aurora_model::key::{AgentId, InstanceKey};

use super::UpdateTimer;
use crate::scheduler::Turn;
use crate::timers::Timer;

/// Which agent is kept for which instance, and until when.
#[derive(Debug, Default)]
pub(crate) struct Affinity {
    by_instance: BTreeMap<InstanceKey, (AgentId, Timestamp)>,
    by_agent: BTreeMap<AgentId, BTreeSet<InstanceKey>>,
}

impl Affinity {
    /// Whether no agent is kept for anything.
    pub(crate) fn is_empty(&self) -> bool {
        self.by_instance.is_empty()
    }

    /// The agent that is kept for an instance.
    pub(crate) fn agent_of(&self, instance: &InstanceKey) -> Option<&AgentId> {
        self.by_instance.get(instance).map(|(agent, _)| agent)
    }

    /// Whether an agent is kept for anything: nothing else may go there.
    pub(crate) fn is_kept(&self, agent: &AgentId) -> bool {
        self.by_agent.contains_key(agent)
    }

    fn keep(&mut self, agent: &AgentId, instance: InstanceKey, until: Timestamp) {
        self.release(&instance);
        self.by_agent.entry(agent.clone()).or_default().insert(instance.clone());
        self.by_instance.insert(instance, (agent.clone(), until));
    }

    fn release(&mut self, instance: &InstanceKey) -> Option<AgentId> {
        let (agent, _) = self.by_instance.remove(instance)?;
        if let Some(instances) = self.by_agent.get_mut(&agent) {
            instances.remove(instance);
            if instances.is_empty() {
                self.by_agent.remove(&agent);
            }
        }
        Some(agent)
    }
}

impl Turn<'_> {
    pub(super) fn reserve(&mut self, agent: &AgentId, instance: InstanceKey) {
        let hold = self.scheduler.settings.update_affinity_hold_ms.max(1);
        let until = self.now.plus_ms(hold);
        self.scheduler.affinity.keep(agent, instance.clone(), until);
        self.after(hold, Timer::Update(UpdateTimer::EndReservation(instance)));
    }

    /// An instance has its place, or has waited for it long enough.
    pub(super) fn end_reservation(&mut self, instance: &InstanceKey) {
        let kept = self.scheduler.affinity.by_instance.get(instance);
        if kept.is_none() {
            return;
        }
        if let Some(agent) = self.scheduler.affinity.release(instance) {
            // Others may go there now, and the instance elsewhere.
            self.scheduler.groups.agent_changed(&agent);
            self.scheduler.groups.job_changed(&instance.job);
        }
    }

    /// The time is over, unless the agent was kept once more meanwhile.
    pub(super) fn expire_reservation(&mut self, instance: &InstanceKey) {
        let kept = self.scheduler.affinity.by_instance.get(instance);
        if kept.is_some_and(|(_, until)| *until <= self.now) {
            self.end_reservation(instance);
        }
    }
}

#[cfg(test)]
mod tests {
    use aurora_model::key::JobKey;

    use super::*;

    #[test]
    fn an_agent_is_kept_until_the_last_instance_has_let_it_go() {
        let job = JobKey::new("www", "prod", "web").unwrap();
        let (one, two) = (AgentId::new("one").unwrap(), AgentId::new("two").unwrap());
        let mut affinity = Affinity::default();
        affinity.keep(&one, job.instance(0), Timestamp(1));
        affinity.keep(&one, job.instance(1), Timestamp(1));
        assert_eq!(affinity.release(&job.instance(0)), Some(one.clone()));
        assert!(affinity.is_kept(&one));
        affinity.keep(&two, job.instance(1), Timestamp(2));
        assert!(!affinity.is_kept(&one) && affinity.is_kept(&two));
        assert_eq!(affinity.agent_of(&job.instance(1)), Some(&two));
        assert_eq!(affinity.release(&job.instance(0)), None);
        affinity.release(&job.instance(1));
        assert!(affinity.is_empty() && !affinity.is_kept(&two));
    }
}
