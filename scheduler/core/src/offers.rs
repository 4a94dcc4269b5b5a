//! The offers that are held, by agent.
//!
//! Resources that come free are offered piece by piece; all pieces of an agent are seen and
//! accepted as one, so that no task waits for pieces to be merged.

use std::collections::BTreeMap;

use aurora_model::job::ResourceBag;
use aurora_model::key::{AgentId, OfferId};

use crate::input::{Offer, PortRange};
use crate::random::Random;

/// What one agent offers.
#[derive(Debug, Clone)]
pub(crate) struct AgentOffer {
    /// Never empty; the last one has the latest attributes.
    pub(crate) parts: Vec<Offer>,
    /// What is left of the fixed resources, ports counted.
    pub(crate) fixed: ResourceBag,
    /// What is left of the revocable resources.
    pub(crate) revocable: ResourceBag,
    ports: Vec<PortRange>,
    /// Where the agent stands in the order in which agents are tried.
    rank: u64,
}

impl AgentOffer {
    fn new(parts: Vec<Offer>, rank: u64) -> Self {
        let mut offer = Self {
            fixed: ResourceBag::default(),
            revocable: ResourceBag::default(),
            ports: Vec::new(),
            parts,
            rank,
        };
        for part in &offer.parts {
            offer.fixed = offer.fixed.plus(ResourceBag { ports: 0, ..part.fixed });
            offer.revocable = offer.revocable.plus(part.revocable);
            offer.ports.extend(part.ports.iter().copied().filter(|range| range.begin <= range.end));
        }
        offer.fixed.ports = count(&offer.ports);
        offer
    }

    /// What is known of the agent: the latest word counts.
    pub(crate) fn latest(&self) -> Option<&Offer> {
        self.parts.last()
    }

    /// Takes `amount` of the free ports, drawn at random so that a port just freed is rarely the
    /// next one used. Takes none if there are not enough.
    pub(crate) fn take_ports(&mut self, amount: usize, random: &mut Random) -> Option<Vec<u16>> {
        if count(&self.ports) < amount as u64 {
            return None;
        }
        let mut taken = Vec::with_capacity(amount);
        for _ in 0..amount {
            let free = i64::try_from(count(&self.ports)).unwrap_or(i64::MAX);
            let mut index = u64::try_from(random.up_to(free - 1)).unwrap_or(0);
            let position = self.ports.iter().position(|range| {
                let length = u64::from(range.end - range.begin) + 1;
                let here = index < length;
                if !here {
                    index -= length;
                }
                here
            })?;
            let range = self.ports.swap_remove(position);
            let port = range.begin + u16::try_from(index).ok()?;
            if range.begin < port {
                self.ports.push(PortRange { begin: range.begin, end: port - 1 });
            }
            if port < range.end {
                self.ports.push(PortRange { begin: port + 1, end: range.end });
            }
            taken.push(port);
        }
        self.fixed.ports = count(&self.ports);
        Some(taken)
    }
}

fn count(ports: &[PortRange]) -> u64 {
    ports.iter().map(|range| u64::from(range.end - range.begin) + 1).sum()
}

/// All offers that are held.
#[derive(Debug, Default)]
pub(crate) struct Offers {
    by_agent: BTreeMap<AgentId, AgentOffer>,
    order: BTreeMap<(u64, AgentId), ()>,
    agents: BTreeMap<OfferId, AgentId>,
}

impl Offers {
    pub(crate) fn add(&mut self, offer: Offer, random: &mut Random) {
        let agent = offer.agent.clone();
        let (mut parts, rank) = match self.take(&agent) {
            Some(held) => (held.parts, held.rank),
            None => (Vec::new(), random.next()),
        };
        parts.push(offer);
        self.put(AgentOffer::new(parts, rank), agent);
    }

    /// Takes one piece away; `false` if it is not held.
    pub(crate) fn remove(&mut self, id: &OfferId) -> bool {
        let Some(agent) = self.agents.get(id).cloned() else { return false };
        let Some(held) = self.take(&agent) else { return false };
        let (mut parts, rank) = (held.parts, held.rank);
        parts.retain(|part| part.id != *id);
        if !parts.is_empty() {
            self.put(AgentOffer::new(parts, rank), agent);
        }
        true
    }

    /// The agent that made an offer which is held.
    pub(crate) fn agent_of(&self, id: &OfferId) -> Option<&AgentId> {
        self.agents.get(id)
    }

    /// Takes all that an agent offers.
    pub(crate) fn take(&mut self, agent: &AgentId) -> Option<AgentOffer> {
        let held = self.by_agent.remove(agent)?;
        self.order.remove(&(held.rank, agent.clone()));
        for part in &held.parts {
            self.agents.remove(&part.id);
        }
        Some(held)
    }

    fn put(&mut self, offer: AgentOffer, agent: AgentId) {
        for part in &offer.parts {
            self.agents.insert(part.id.clone(), agent.clone());
        }
        self.order.insert((offer.rank, agent.clone()), ());
        self.by_agent.insert(agent, offer);
    }

    pub(crate) fn clear(&mut self) {
        *self = Self::default();
    }

    /// The agents in the order in which they are tried.
    pub(crate) fn agents(&self) -> Vec<AgentId> {
        self.order.keys().map(|(_, agent)| agent.clone()).collect()
    }

    pub(crate) fn get_mut(&mut self, agent: &AgentId) -> Option<&mut AgentOffer> {
        self.by_agent.get_mut(agent)
    }

    pub(crate) fn get(&self, agent: &AgentId) -> Option<&AgentOffer> {
        self.by_agent.get(agent)
    }

    /// How many pieces are held.
    pub(crate) fn len(&self) -> usize {
        self.agents.len()
    }
}
