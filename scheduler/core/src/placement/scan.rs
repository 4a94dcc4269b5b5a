//! Which agents a group looks at in a round, and in which order.

use std::collections::BTreeSet;

use aurora_model::job::{ResourceBag, TaskConfig};

use super::fit::{Refusal, Site, Wanted, lack_score, refusal};
use super::groups::{NEAREST_MS, Nearest};
use super::offers::{AgentOffer, HostUse};
use super::order::OrderKey;
use super::wishes::cost;
use super::{LOOK, Room};
use crate::scheduler::{Scheduler, Turn};

/// The agents that a group has still to look at. What has refused one of its tasks is left out for
/// the rest of the round: resources become less, and tasks of the job more.
#[derive(Debug)]
pub(super) enum Scan {
    /// All that come after one in the order.
    After(Option<OrderKey>),
    /// These.
    Listed(BTreeSet<OrderKey>),
    /// These, by what they cost and then in the order.
    Wished(BTreeSet<(HostUse, u64, OrderKey)>),
}

/// What a search has come to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Next {
    /// This agent takes a task; its place among the offers.
    Fits(u32),
    /// No agent does.
    None,
    /// The step has looked at enough; the rest is looked at in another one.
    Later,
}

/// What was found while looking.
#[derive(Debug, Default)]
struct Looked<'a> {
    agents: u64,
    /// How many of them were seen to be full at first glance.
    passed: u64,
    /// The refusal of the least score, and whose it is.
    best: Option<(u64, u32, Refusal<'a>)>,
    /// Whether what is remembered is not so any more.
    is_stale: bool,
}

impl<'a> Looked<'a> {
    fn cost(&self) -> u64 {
        self.passed + LOOK * (self.agents - self.passed)
    }

    fn note(&mut self, score: u64, slot: u32, refusal: Refusal<'a>) {
        if self.best.is_none_or(|(best, ..)| score < best) {
            self.best = Some((score, slot, refusal));
        }
    }
}

/// What a search is for.
struct Search<'a> {
    group: u64,
    config: &'a TaskConfig,
    wanted: &'a Wanted,
    /// From this score on a lack of resources is no news.
    known_score: u64,
    /// The agent whose refusal is remembered: it is looked at whatever its score.
    known_slot: Option<u32>,
}

impl Search<'_> {
    /// Whether an agent with so much free lacks something, and is no nearer to taking a task than
    /// what is known. Most agents are full, and of those nothing else is looked at: it lies elsewhere
    /// in memory. Whatever else speaks against one counts more than a lack.
    ///
    /// With more than the agent has, this may be false where it would be true, and never the other
    /// way round.
    fn is_short(
        &self,
        slot: u32,
        fixed: &ResourceBag,
        revocable: &ResourceBag,
        looked: &Looked<'_>,
    ) -> bool {
        let asks = &self.wanted.resources;
        let free = self.wanted.usable(fixed, revocable);
        if free.covers(asks) || self.known_slot == Some(slot) {
            return false;
        }
        let best = looked.best.map_or(self.known_score, |(best, ..)| best.min(self.known_score));
        best <= 10_000 && lack_score(asks, &free) >= best
    }
}

impl Turn<'_> {
    /// What a group looks at: the agents that have changed since it last looked.
    pub(super) fn scan(&mut self, group: u64, room: &mut Room) -> Scan {
        let Some(found) = self.scheduler.groups.get(group) else {
            return Scan::Listed(BTreeSet::new());
        };
        let (seen, config, wanted) = (found.seen, found.config.clone(), found.wanted);
        if config.preferences.is_empty() {
            if seen == 0 {
                return Scan::After(None);
            }
            let changed = self.scheduler.offers.changed_since(seen);
            let listed: BTreeSet<OrderKey> = changed.map(AgentOffer::key).collect();
            room.looked(listed.len() as u64);
            return Scan::Listed(listed);
        }
        let mut looked = Looked::default();
        let search = self.search(group, &config, &wanted);
        let spread = self.scheduler.state.spread_of(&config.job);
        let moment = self.scheduler.moment(self.now);
        let mut candidates = BTreeSet::new();
        for offer in self.scheduler.offers.changed_since(seen) {
            let fits = self.scheduler.try_agent(&search, offer, moment, &mut looked);
            if fits {
                let cost = cost(&config, offer.attributes(), spread);
                candidates.insert((offer.used(), cost, offer.key()));
            }
        }
        room.looked(looked.cost());
        self.remember(&search, &looked);
        Scan::Wished(candidates)
    }

    fn search<'a>(&self, group: u64, config: &'a TaskConfig, wanted: &'a Wanted) -> Search<'a> {
        let nearest = self.scheduler.groups.get(group).and_then(|group| group.nearest.as_ref());
        let known = nearest.filter(|nearest| self.now.ms_since(nearest.at) < NEAREST_MS);
        Search {
            group,
            config,
            wanted,
            known_score: known.map_or(u64::MAX, |nearest| nearest.score),
            known_slot: known
                .and_then(|nearest| self.scheduler.offers.of(&nearest.agent))
                .map(|offer| offer.key().slot),
        }
    }

    /// The next agent that takes a task of the group.
    pub(super) fn find(
        &mut self,
        group: u64,
        config: &TaskConfig,
        wanted: &Wanted,
        scan: &mut Scan,
        room: &mut Room,
    ) -> Next {
        let mut looked = Looked::default();
        let search = self.search(group, config, wanted);
        let moment = self.scheduler.moment(self.now);
        let found = self.scheduler.next_fit(&search, scan, moment, &mut looked, room.looks);
        room.looked(looked.cost());
        self.remember(&search, &looked);
        found
    }

    /// Keeps the refusal that came nearest.
    fn remember(&mut self, search: &Search<'_>, looked: &Looked<'_>) {
        self.scheduler.count("veto_evaluated_offers", looked.agents);
        let Some((score, slot, refusal)) = &looked.best else { return };
        let Some(offer) = self.scheduler.offers.at(*slot) else { return };
        let vetoes = refusal.vetoes(&search.wanted.resources);
        let nearest = Nearest {
            agent: offer.agent.clone(),
            host: offer.host().to_owned(),
            at: self.now,
            score: *score,
            vetoes,
        };
        for veto in &nearest.vetoes {
            self.scheduler.count(veto.counter(), 1);
        }
        let kind = if matches!(refusal, Refusal::Limit(_)) {
            "scheduling_veto_dynamic"
        } else {
            "scheduling_veto_static"
        };
        self.scheduler.count(kind, 1);
        self.scheduler.groups.remember(search.group, nearest, looked.is_stale);
    }

    /// A task of the group has gone to an agent, which may be taken again.
    pub(super) fn placed(&mut self, group: u64, slot: u32, config: &TaskConfig, scan: &mut Scan) {
        if self.scheduler.groups.get(group).is_none() {
            return;
        }
        let Some(offer) = self.scheduler.offers.at(slot) else { return };
        match scan {
            Scan::After(_) => {}
            Scan::Listed(listed) => {
                // It was the first; it may stand elsewhere now.
                listed.pop_first();
                listed.insert(offer.key());
            }
            Scan::Wished(wished) => {
                wished.pop_first();
                let spread = self.scheduler.state.spread_of(&config.job);
                let cost = cost(config, offer.attributes(), spread);
                wished.insert((offer.used(), cost, offer.key()));
            }
        }
    }
}

impl Scheduler {
    /// The next agent that takes a task, for so much looking.
    fn next_fit<'a>(
        &self,
        search: &Search<'a>,
        scan: &mut Scan,
        moment: super::Moment,
        looked: &mut Looked<'a>,
        most: u64,
    ) -> Next {
        match scan {
            Scan::After(after) => {
                let mut last = *after;
                let mut found = Next::None;
                for (key, free) in self.offers.from(*after) {
                    if looked.cost() >= most {
                        found = Next::Later;
                        break;
                    }
                    if search.is_short(key.slot, &free.fixed, &free.revocable, looked) {
                        looked.agents += 1;
                        looked.passed += 1;
                    } else if let Some(offer) = self.offers.at(key.slot)
                        && self.try_agent(search, offer, moment, looked)
                    {
                        found = Next::Fits(key.slot);
                        break;
                    }
                    last = Some(key);
                }
                *after = last;
                found
            }
            Scan::Listed(listed) => loop {
                let Some(key) = listed.first().copied() else { return Next::None };
                if looked.cost() >= most {
                    return Next::Later;
                }
                let slot = key.slot;
                // What has changed since it was listed is looked at again later.
                if let Some(offer) = self.offers.at(slot).filter(|offer| offer.key() == key)
                    && self.try_agent(search, offer, moment, looked)
                {
                    return Next::Fits(slot);
                }
                listed.pop_first();
            },
            Scan::Wished(wished) => loop {
                let Some((used, known, key)) = wished.first().copied() else { return Next::None };
                if looked.cost() >= most {
                    return Next::Later;
                }
                if let Some(offer) = self.offers.at(key.slot).filter(|offer| offer.key() == key)
                    && self.try_agent(search, offer, moment, looked)
                {
                    // Others of the job may have gone to its like since.
                    let spread = self.state.spread_of(&search.config.job);
                    let cost = cost(search.config, offer.attributes(), spread);
                    if cost <= known {
                        return Next::Fits(key.slot);
                    }
                    wished.pop_first();
                    wished.insert((used, cost, key));
                } else {
                    wished.pop_first();
                }
            },
        }
    }

    /// Whether an agent takes a task. Notes why not.
    fn try_agent<'a>(
        &self,
        search: &Search<'a>,
        offer: &AgentOffer,
        moment: super::Moment,
        looked: &mut Looked<'a>,
    ) -> bool {
        looked.agents += 1;
        let Search { group, config, wanted, known_slot, .. } = search;
        let slot = offer.key().slot;
        if search.is_short(slot, &offer.fixed, &offer.revocable, looked) {
            looked.passed += 1;
            return false;
        }
        let enough = wanted.usable(&offer.fixed, &offer.revocable).covers(&wanted.resources);
        let is_kept = self.reservations.group_of(&offer.agent).is_some_and(|kept| kept != *group)
            || (!self.affinity.is_empty() && self.affinity.is_kept(&offer.agent));
        if enough && is_kept {
            let refusal = Refusal::Reserved;
            looked.note(refusal.score(&wanted.resources), slot, refusal);
            return false;
        }
        let site = Site::of(offer, wanted);
        let spread = self.state.spread_of(&config.job);
        match refusal(config, wanted, &site, spread, moment) {
            Some(refusal) => {
                let score = refusal.score(&wanted.resources);
                looked.note(score, slot, refusal);
                looked.is_stale |= *known_slot == Some(slot);
                false
            }
            None => true,
        }
    }
}
