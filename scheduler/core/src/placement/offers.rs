//! The offers that are held, by agent.
//!
//! Resources that come free are offered piece by piece; all pieces of an agent are seen and
//! accepted as one, so that no task waits for pieces to be merged.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;

use aurora_model::job::{ResourceBag, Timestamp};
use aurora_model::key::{AgentId, OfferId};

use super::order::{OfferOrder, OrderKey, Standing};
use crate::input::{Offer, PortRange};
use crate::random::Random;

/// What a host is used for, in the order in which hosts are tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub(crate) enum HostUse {
    /// Whatever comes.
    #[default]
    Open,
    /// It will be drained: what finds no other place.
    Last,
    /// Its tasks go elsewhere.
    Draining,
    /// It has none any more.
    Drained,
}

/// A piece, and when it is given back at the latest.
#[derive(Debug, Clone)]
pub(crate) struct Piece {
    pub(crate) offer: Offer,
    pub(crate) until: Option<Timestamp>,
}

/// What one agent offers.
#[derive(Debug, Clone)]
pub(crate) struct AgentOffer {
    /// What is left of the fixed resources, ports counted.
    pub(crate) fixed: ResourceBag,
    /// What is left of the revocable resources.
    pub(crate) revocable: ResourceBag,
    key: OrderKey,
    pub(crate) agent: AgentId,
    /// Never empty; the last one has the latest attributes.
    pub(crate) pieces: Vec<Piece>,
    ports: Vec<PortRange>,
    /// Where the agent stands in a random order.
    rank: u64,
    used: HostUse,
    /// When it was last different from before.
    version: u64,
}

impl AgentOffer {
    /// What is known of the agent: the latest word counts.
    pub(crate) fn latest(&self) -> Option<&Offer> {
        self.pieces.last().map(|piece| &piece.offer)
    }

    pub(crate) fn attributes(&self) -> &BTreeMap<String, BTreeSet<String>> {
        static NONE: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        self.latest().map_or(&NONE, |offer| &offer.attributes)
    }

    pub(crate) fn ports(&self) -> &[PortRange] {
        &self.ports
    }

    pub(crate) fn host(&self) -> &str {
        self.latest().map_or("", |offer| &offer.host)
    }

    pub(crate) fn unavailable_from(&self) -> Option<Timestamp> {
        self.latest().and_then(|offer| offer.unavailable_from)
    }

    pub(crate) fn used(&self) -> HostUse {
        self.used
    }

    pub(crate) fn key(&self) -> OrderKey {
        self.key
    }

    /// Counts what the pieces hold together.
    fn sum(&mut self) {
        self.fixed = ResourceBag::default();
        self.revocable = ResourceBag::default();
        self.ports.clear();
        for Piece { offer, .. } in &self.pieces {
            self.fixed = self.fixed.plus(ResourceBag { ports: 0, ..offer.fixed });
            self.revocable = self.revocable.plus(offer.revocable);
            self.ports.extend(offer.ports.iter().filter(|range| range.begin <= range.end));
        }
        self.fixed.ports = count(&self.ports);
    }

    fn standing(&self, orders: &[OfferOrder]) -> OrderKey {
        let standing = Standing {
            used: self.used,
            unavailable_from: self.unavailable_from(),
            fixed: &self.fixed,
            revocable: &self.revocable,
            rank: self.rank,
            slot: self.key.slot,
        };
        OrderKey::new(&standing, orders)
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

/// What an agent had free when it was last put in the order. It never has more, as what comes free is
/// offered and puts it there anew.
#[derive(Debug, Clone, Copy)]
pub(super) struct Free {
    pub(super) fixed: ResourceBag,
    pub(super) revocable: ResourceBag,
}

/// All offers that are held.
#[derive(Debug)]
pub(crate) struct Offers {
    orders: Vec<OfferOrder>,
    slots: Vec<Option<AgentOffer>>,
    free: Vec<u32>,
    by_agent: BTreeMap<AgentId, u32>,
    by_id: BTreeMap<OfferId, AgentId>,
    /// The agents of each host, by its name in their latest word.
    by_host: BTreeMap<String, BTreeSet<AgentId>>,
    /// With what each has free, so that whoever looks for room passes those that are full without a
    /// look at their offers, which lie all over the memory.
    order: BTreeMap<OrderKey, Free>,
    /// The agents by when what they offer was last different from before.
    changes: BTreeMap<u64, u32>,
    /// Counts changes, from before the first offer on.
    version: u64,
}

impl Offers {
    pub(crate) fn new(orders: &[OfferOrder]) -> Self {
        Self {
            orders: orders.to_vec(),
            slots: Vec::new(),
            free: Vec::new(),
            by_agent: BTreeMap::new(),
            by_id: BTreeMap::new(),
            by_host: BTreeMap::new(),
            order: BTreeMap::new(),
            changes: BTreeMap::new(),
            version: 0,
        }
    }

    /// How often anything has become different that may let a task in.
    pub(crate) fn version(&self) -> u64 {
        self.version
    }

    pub(crate) fn add(
        &mut self,
        offer: Offer,
        until: Option<Timestamp>,
        used: HostUse,
        random: &mut Random,
    ) {
        self.by_id.insert(offer.id.clone(), offer.agent.clone());
        let slot = match self.by_agent.get(&offer.agent) {
            Some(slot) => *slot,
            None => self.make(&offer, random),
        };
        let host = (offer.host.clone(), offer.agent.clone());
        if let Some(held) = self.at_mut(slot) {
            let before = (held.host().to_owned(), held.agent.clone());
            held.pieces.push(Piece { offer, until });
            held.used = used;
            held.sum();
            if before != host {
                self.leave_host(&before.0, &before.1);
                self.by_host.entry(host.0).or_default().insert(host.1);
            }
        }
        self.changed(slot);
    }

    /// A place for an agent that has offered nothing yet.
    fn make(&mut self, offer: &Offer, random: &mut Random) -> u32 {
        let slot = self.free.pop().unwrap_or_else(|| {
            self.slots.push(None);
            u32::try_from(self.slots.len() - 1).unwrap_or(u32::MAX)
        });
        let (fixed, revocable, rank) =
            (ResourceBag::default(), ResourceBag::default(), random.next());
        let used = HostUse::Open;
        let standing = Standing {
            used,
            unavailable_from: None,
            fixed: &fixed,
            revocable: &revocable,
            rank,
            slot,
        };
        let key = OrderKey::new(&standing, &self.orders);
        let held = AgentOffer {
            fixed,
            revocable,
            key,
            agent: offer.agent.clone(),
            pieces: Vec::new(),
            ports: Vec::new(),
            rank,
            used,
            version: 0,
        };
        if let Some(place) = self.slots.get_mut(slot as usize) {
            *place = Some(held);
        }
        self.by_agent.insert(offer.agent.clone(), slot);
        slot
    }

    /// What an agent offers is different from before: everybody looks at it anew.
    fn changed(&mut self, slot: u32) {
        self.version += 1;
        let version = self.version;
        let Some(held) = self.at_mut(slot) else { return };
        let before = std::mem::replace(&mut held.version, version);
        self.changes.remove(&before);
        self.changes.insert(version, slot);
        self.reorder(slot);
    }

    /// Puts an agent where it now stands in the order.
    pub(crate) fn reorder(&mut self, slot: u32) {
        let Self { slots, orders, order, .. } = self;
        let Some(Some(held)) = slots.get_mut(slot as usize) else { return };
        let before = held.key;
        held.key = held.standing(orders);
        order.remove(&before);
        order.insert(held.key, Free { fixed: held.fixed, revocable: held.revocable });
    }

    /// Something apart from its offers has changed for an agent.
    pub(crate) fn touch(&mut self, agent: &AgentId, used: HostUse) {
        let Some(slot) = self.by_agent.get(agent).copied() else { return };
        if let Some(held) = self.at_mut(slot) {
            held.used = used;
        }
        self.changed(slot);
    }

    /// Takes one piece away; nothing if it is not held.
    pub(crate) fn remove(&mut self, id: &OfferId) -> Option<Piece> {
        let agent = self.by_id.remove(id)?;
        let slot = *self.by_agent.get(&agent)?;
        let held = self.at_mut(slot)?;
        let position = held.pieces.iter().position(|piece| piece.offer.id == *id)?;
        let piece = held.pieces.remove(position);
        if held.pieces.is_empty() {
            self.take(slot);
        } else {
            held.sum();
            self.changed(slot);
        }
        Some(piece)
    }

    /// Takes all that an agent offers.
    pub(crate) fn take(&mut self, slot: u32) -> Option<AgentOffer> {
        let held = self.slots.get_mut(slot as usize)?.take()?;
        self.free.push(slot);
        self.order.remove(&held.key);
        self.changes.remove(&held.version);
        self.by_agent.remove(&held.agent);
        self.leave_host(held.host(), &held.agent);
        for piece in &held.pieces {
            self.by_id.remove(&piece.offer.id);
        }
        Some(held)
    }

    /// The agents of a host that offer something.
    pub(crate) fn agents_of(&self, host: &str) -> Vec<AgentId> {
        self.by_host.get(host).into_iter().flatten().cloned().collect()
    }

    fn leave_host(&mut self, host: &str, agent: &AgentId) {
        if let Some(agents) = self.by_host.get_mut(host) {
            agents.remove(agent);
            if agents.is_empty() {
                self.by_host.remove(host);
            }
        }
    }

    pub(crate) fn clear(&mut self) {
        let version = self.version;
        *self = Self { version, ..Self::new(&self.orders) };
    }

    /// The agents in the order in which they are tried, from after one on, with what each has free at
    /// most.
    pub(super) fn from(&self, after: Option<OrderKey>) -> impl Iterator<Item = (OrderKey, &Free)> {
        let start = after.map_or(Bound::Unbounded, Bound::Excluded);
        self.order.range((start, Bound::Unbounded)).map(|(key, free)| (*key, free))
    }

    /// All agents in the order in which they are tried.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &AgentOffer> {
        self.order.keys().filter_map(|key| self.at(key.slot))
    }

    /// The agents whose offers have changed after a version.
    pub(crate) fn changed_since(&self, version: u64) -> impl Iterator<Item = &AgentOffer> {
        let range = self.changes.range((Bound::Excluded(version), Bound::Unbounded));
        range.filter_map(|(_, slot)| self.at(*slot))
    }

    pub(crate) fn at(&self, slot: u32) -> Option<&AgentOffer> {
        self.slots.get(slot as usize)?.as_ref()
    }

    pub(crate) fn at_mut(&mut self, slot: u32) -> Option<&mut AgentOffer> {
        self.slots.get_mut(slot as usize)?.as_mut()
    }

    pub(crate) fn of(&self, agent: &AgentId) -> Option<&AgentOffer> {
        self.at(*self.by_agent.get(agent)?)
    }

    /// Whether agents are looked at again after each task.
    pub(crate) fn is_spread(&self) -> bool {
        self.orders.contains(&OfferOrder::Spread)
    }

    /// How many pieces are held.
    pub(crate) fn len(&self) -> usize {
        self.by_id.len()
    }
}
