//! Agents that are kept for tasks for which others were stopped (`scheduler.md` 6).
//!
//! Nothing rests on it: after a restart none are kept, and those who waited take part in what there
//! is like all others.

use std::collections::{BTreeMap, BTreeSet};

use aurora_model::job::Timestamp;
use aurora_model::key::AgentId;

/// Which agent is kept for which group of tasks, and until when.
#[derive(Debug, Default)]
pub(crate) struct Reservations {
    by_agent: BTreeMap<AgentId, (u64, Timestamp)>,
    by_group: BTreeMap<u64, BTreeSet<AgentId>>,
}

impl Reservations {
    pub(crate) fn keep(&mut self, agent: AgentId, group: u64, until: Timestamp) {
        self.release(&agent);
        self.by_group.entry(group).or_default().insert(agent.clone());
        self.by_agent.insert(agent, (group, until));
    }

    /// The group that an agent is kept for.
    pub(crate) fn group_of(&self, agent: &AgentId) -> Option<u64> {
        if self.by_agent.is_empty() {
            return None;
        }
        self.by_agent.get(agent).map(|(group, _)| *group)
    }

    /// Until when an agent is kept.
    pub(crate) fn until(&self, agent: &AgentId) -> Option<Timestamp> {
        self.by_agent.get(agent).map(|(_, until)| *until)
    }

    pub(crate) fn release(&mut self, agent: &AgentId) -> bool {
        let Some((group, _)) = self.by_agent.remove(agent) else { return false };
        if let Some(agents) = self.by_group.get_mut(&group) {
            agents.remove(agent);
            if agents.is_empty() {
                self.by_group.remove(&group);
            }
        }
        true
    }

    /// How many agents are kept for a group.
    pub(crate) fn of_group(&self, group: u64) -> usize {
        self.by_group.get(&group).map_or(0, BTreeSet::len)
    }

    /// Lets agents of a group go until there are no more than so many; gives those.
    pub(crate) fn release_surplus(&mut self, group: u64, keep: usize) -> Vec<AgentId> {
        let mut released = Vec::new();
        while self.of_group(group) > keep
            && let Some(agent) = self.by_group.get(&group).and_then(|agents| agents.last()).cloned()
        {
            self.release(&agent);
            released.push(agent);
        }
        released
    }

    pub(crate) fn len(&self) -> usize {
        self.by_agent.len()
    }
}
