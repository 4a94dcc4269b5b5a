//! Puts waiting tasks into offers: each goes to the first agent that can take it
//! (`scheduler.md` 5.2).
//!
//! Nothing is tried on a timer. A group of equal tasks is tried when something has happened that
//! may let it in: tasks have joined it, an agent's offer has changed, a place of its job has come
//! free. An agent whose offer cannot take a group is not looked at again until the offer changes.

use std::collections::{BTreeMap, BTreeSet};

use aurora_model::job::{AssignedTask, TaskConfig, TaskState};
use aurora_model::key::{AgentId, TaskId};
use aurora_model::maintenance::MaintenanceMode;

use crate::input::{Effect, Op};
use crate::matching::{Spread, Veto, Wanted, take, vetoes};
use crate::scheduler::{Scheduler, Turn};

impl Turn<'_> {
    /// Places what can be placed: a few tasks of each group in turn, so that a large job does not
    /// take everything.
    pub(crate) fn place(&mut self) {
        if !self.scheduler.registered
            || !self.scheduler.launching
            || !self.scheduler.groups.has_changed()
        {
            return;
        }
        let mut waiting: BTreeSet<u64> = self.scheduler.groups.take_changed();
        let mut launches: BTreeMap<AgentId, Vec<TaskId>> = BTreeMap::new();
        let mut spreads: BTreeMap<u64, Spread> = BTreeMap::new();
        while !waiting.is_empty() {
            waiting.retain(|group| {
                let spread = spreads.entry(*group).or_insert_with(|| self.spread(*group));
                self.place_some(*group, spread, &mut launches)
            });
        }
        // What has been placed by this turn is no reason to try again.
        self.scheduler.groups.take_changed();
        for (agent, tasks) in launches {
            let Some(offer) = self.scheduler.offers.take(&agent) else { continue };
            self.scheduler.groups.agent_changed(&agent);
            let tasks: Vec<AssignedTask> = tasks
                .iter()
                .filter_map(|id| Some(self.scheduler.state.task(id)?.assigned.clone()))
                .collect();
            let offers = offer.parts.into_iter().map(|part| part.id).collect();
            self.step.effects.push(Effect::Launch { offers, tasks });
        }
        self.scheduler.groups.take_changed();
    }

    /// Tells those who watch of every group that now waits for another kind of reason. Numbers in
    /// a reason are no news: they would make some of every offer, for each task of a large group.
    pub(crate) fn tell_reasons(&mut self) {
        for id in self.scheduler.groups.take_untold() {
            let group = self.scheduler.groups.get(id);
            let reason = self.scheduler.group_reason(group, Veto::gist);
            let Some(group) = self.scheduler.groups.get_mut(id) else { continue };
            if group.told.as_ref() == Some(&reason) {
                continue;
            }
            // The tasks of a new group have changed in this step already.
            if group.told.replace(reason).is_some() {
                self.step.effects.extend(group.tasks.iter().cloned().map(Effect::Changed));
            }
        }
    }

    /// How the job of a group is spread over hosts, if it has limits that ask.
    fn spread(&self, group: u64) -> Spread {
        let mut spread = Spread::new();
        let Some(group) = self.scheduler.groups.get(group) else { return spread };
        let limited = group.config.constraints.iter().any(|constraint| {
            matches!(constraint.rule, aurora_model::job::ConstraintRule::Limit(_))
        });
        if !limited {
            return spread;
        }
        let state = &self.scheduler.state;
        for task in state.tasks_of(&group.config.job).filter(|task| task.state.is_slave_assigned())
        {
            let host = task.assigned.agent.as_ref().and_then(|(_, host)| state.host(host));
            if let Some(host) = host {
                add_host(&mut spread, &host.attributes);
            }
        }
        spread
    }

    /// Places a few tasks of a group. Gives whether there may be room for more.
    fn place_some(
        &mut self,
        group: u64,
        spread: &mut Spread,
        launches: &mut BTreeMap<AgentId, Vec<TaskId>>,
    ) -> bool {
        let now = self.now;
        let Scheduler { groups, offers, settings, .. } = &*self.scheduler;
        let Some(found) = groups.get(group) else { return false };
        let config = found.config.clone();
        let wanted = Wanted {
            config: &config,
            resources: config.resources.bag().plus(settings.executor_overhead),
            revocable: is_revocable(&config, settings),
        };
        let threshold = settings.unavailability_threshold_ms;
        let batch = settings.max_tasks_per_schedule_attempt.max(1);
        let ids: Vec<TaskId> = found.tasks.iter().take(batch).cloned().collect();
        let mut agents = offers_in_order(offers, found);
        self.scheduler.sort_by_mode(&mut agents);
        let mut ids = ids.into_iter().peekable();
        self.scheduler.count("schedule_attempts_fired", ids.len() as u64);
        for agent in agents {
            while let Some(id) = ids.peek() {
                let Some(offer) = self.scheduler.offers.get(&agent) else { break };
                let mode = self.scheduler.offer_mode(offer);
                let vetoes = vetoes(&wanted, offer, spread, mode, now, threshold);
                self.scheduler.count("veto_evaluated_offers", 1);
                if !vetoes.is_empty() {
                    self.scheduler.groups.remember(group, now, &agent, vetoes);
                    break;
                }
                let id = id.clone();
                if !self.assign(&id, &agent, &wanted, spread) {
                    break;
                }
                launches.entry(agent.clone()).or_default().push(id);
                ids.next();
            }
            if ids.peek().is_none() {
                return self.scheduler.groups.get(group).is_some();
            }
        }
        self.scheduler.count("schedule_attempts_no_match", ids.len() as u64);
        false
    }

    /// Gives a task its place.
    fn assign(
        &mut self,
        id: &TaskId,
        agent: &AgentId,
        wanted: &Wanted<'_>,
        spread: &mut Spread,
    ) -> bool {
        let Scheduler { state, offers, random, .. } = &mut *self.scheduler;
        // Nothing is taken for a task that does not wait.
        if state.task(id).is_none_or(|task| task.state != TaskState::Pending) {
            return false;
        }
        let Some(offer) = offers.get_mut(agent) else { return false };
        let names = &wanted.config.resources.ports;
        let Some(numbers) = offer.take_ports(names.len(), random) else { return false };
        take(wanted, offer);
        let Some(latest) = offer.latest() else { return false };
        let host = latest.host.clone();
        add_host(spread, &latest.attributes);
        let ports = names.iter().cloned().zip(numbers).collect();
        self.apply(Op::Assign { id: id.clone(), agent: agent.clone(), host, ports });
        self.change(id, TaskState::Assigned, None)
    }
}

impl Scheduler {
    /// What is done with the host of an offer.
    fn offer_mode(&self, offer: &crate::offers::AgentOffer) -> MaintenanceMode {
        offer.latest().map_or(MaintenanceMode::None, |latest| self.state.host_mode(&latest.host))
    }

    /// Puts hosts that will be drained after those that will not.
    fn sort_by_mode(&self, agents: &mut [AgentId]) {
        if self.state.maintenance().hosts().next().is_some() {
            agents.sort_by_cached_key(|agent| {
                self.offers.get(agent).map_or(MaintenanceMode::None, |offer| self.offer_mode(offer))
            });
        }
    }
}

fn offers_in_order(offers: &crate::offers::Offers, group: &crate::groups::Group) -> Vec<AgentId> {
    offers.agents().into_iter().filter(|agent| !group.banned.contains(agent)).collect()
}

fn is_revocable(config: &TaskConfig, settings: &crate::settings::Settings) -> bool {
    let tier = config.tier.as_deref().unwrap_or(&settings.default_tier);
    settings.tiers.get(tier).is_some_and(|tier| tier.revocable)
}

fn add_host(spread: &mut Spread, attributes: &BTreeMap<String, BTreeSet<String>>) {
    for (name, values) in attributes {
        for value in values {
            *spread.entry((name.clone(), value.clone())).or_default() += 1;
        }
    }
}
