//! R1, R2, R4 and R6 as a scheduler sees them: an offer is used once and not after it was taken back, what
//! goes into it fits, and where it is suits the tasks.

use std::collections::{BTreeMap, BTreeSet};

use aurora_model::job::Timestamp;
use aurora_model::job::{
    AssignedTask, ConstraintRule, DEDICATED_ATTRIBUTE, ResourceBag, TaskConfig,
};
use aurora_model::key::{OfferId, TaskId};
use aurora_scheduler_core::{Effect, Input, Offer};

use super::watch::Tasks;
use crate::world::{Violation, broken};

/// How long before its maintenance a host takes no tasks (`-unavailability_threshold`), in milliseconds.
pub(crate) const UNAVAILABLE_MS: i64 = 360_000;

pub(crate) type Attributes = BTreeMap<String, BTreeSet<String>>;

/// The offers that a scheduler was made.
#[derive(Debug, Default)]
pub(crate) struct Held {
    open: BTreeMap<OfferId, Offer>,
    /// The attributes of each host, as far as known.
    pub(crate) hosts: BTreeMap<String, Attributes>,
    overhead: ResourceBag,
}

impl Held {
    pub(crate) fn new(hosts: BTreeMap<String, Attributes>, overhead: ResourceBag) -> Self {
        Self { open: BTreeMap::new(), hosts, overhead }
    }

    pub(crate) fn after(
        &mut self,
        now: Timestamp,
        input: &Input,
        effects: &[Effect],
    ) -> Result<(), Violation> {
        if let Input::InverseOffers(offers) = input {
            let is_answered = |id: &OfferId| {
                effects.iter().any(|effect| matches!(effect, Effect::AcceptInverse(of) if of == id))
            };
            if let Some(offer) = offers.iter().find(|offer| !is_answered(&offer.id)) {
                return broken("R4", format!("inverse offer {} is not answered", offer.id));
            }
        }
        // A timer that was due may have given an offer back before the master took it.
        let before = match input {
            Input::Registered { .. } | Input::Disconnected => std::mem::take(&mut self.open),
            Input::Rescinded(id) => self.open.remove_entry(id).into_iter().collect(),
            Input::Offers(offers) => {
                for offer in offers {
                    self.open.insert(offer.id.clone(), offer.clone());
                }
                BTreeMap::new()
            }
            _ => BTreeMap::new(),
        };
        for effect in effects {
            match effect {
                Effect::Decline(id)
                    if self.open.remove(id).is_none() && !before.contains_key(id) =>
                {
                    return broken("R4", format!("offer {id} is declined and was not held"));
                }
                Effect::Launch { offers, tasks: launched } => self.launch(now, offers, launched)?,
                _ => {}
            }
        }
        Ok(())
    }

    fn launch(
        &mut self,
        now: Timestamp,
        ids: &[OfferId],
        launched: &[AssignedTask],
    ) -> Result<(), Violation> {
        let mut offers = Vec::new();
        for id in ids {
            match self.open.remove(id) {
                Some(offer) => offers.push(offer),
                None => {
                    return broken(
                        "R4",
                        format!("offer {id} is used, and was used, declined or taken back before"),
                    );
                }
            }
        }
        let Some(latest) = offers.last() else {
            return broken("R4", "a launch without an offer");
        };
        if offers.iter().any(|offer| offer.agent != latest.agent) {
            return broken("R4", format!("offers of several agents are used as one: {ids:?}"));
        }
        if latest.unavailable_from.is_some_and(|from| from.ms_since(now) <= UNAVAILABLE_MS) {
            return broken(
                "R6",
                format!("{} goes into maintenance and is given tasks", latest.host),
            );
        }
        let has = offers.iter().fold(ResourceBag::default(), |sum, offer| sum.plus(offer.fixed));
        let used = launched.iter().fold(ResourceBag::default(), |sum, task| {
            sum.plus(task.task.resources.bag()).plus(self.overhead)
        });
        if used.cpus > has.cpus || used.ram_mb > has.ram_mb || used.disk_mb > has.disk_mb {
            return broken("R1", format!("{used:?} is launched in offers of {has:?}"));
        }
        let mut ports = BTreeSet::new();
        for (task, port) in
            launched.iter().flat_map(|task| task.assigned_ports.values().map(move |p| (task, *p)))
        {
            let mut ranges = offers.iter().flat_map(|offer| &offer.ports);
            if !ranges.any(|range| (range.begin..=range.end).contains(&port)) || !ports.insert(port)
            {
                return broken("R2", format!("port {port} of {} is not free", task.task_id));
            }
        }
        for task in launched {
            if task.agent.as_ref().map(|(agent, _)| agent) != Some(&latest.agent) {
                return broken("R4", format!("{} is launched on another agent", task.task_id));
            }
        }
        Ok(())
    }

    /// The hosts of offers are known before anything is put into them.
    pub(crate) fn before(&mut self, input: &Input) {
        if let Input::Offers(offers) = input {
            for offer in offers {
                self.hosts.insert(offer.host.clone(), offer.attributes.clone());
            }
        }
    }

    /// R6: a task is about to get its place.
    pub(crate) fn suits(
        &self,
        id: &TaskId,
        config: &TaskConfig,
        host: &str,
        tasks: &Tasks,
    ) -> Result<(), Violation> {
        let Some(attributes) = self.hosts.get(host) else {
            return broken("R6", format!("{id} goes to {host}, which has never made an offer"));
        };
        if let Some(why) = constraint_against(config.constraints.iter(), attributes) {
            return broken("R6", format!("{id} goes to {host}: {why}"));
        }
        if attributes.contains_key(DEDICATED_ATTRIBUTE) && !config.is_dedicated() {
            return broken("R6", format!("{id} goes to dedicated {host}"));
        }
        for constraint in &config.constraints {
            let ConstraintRule::Limit(limit) = constraint.rule else { continue };
            let name = &constraint.attribute;
            for value in attributes.get(name).into_iter().flatten() {
                let has = |host: &str| {
                    let has = self.hosts.get(host).and_then(|has| has.get(name));
                    has.is_some_and(|has| has.contains(value))
                };
                let there = tasks.on_hosts_with(&config.job, has);
                if there >= usize::try_from(limit).unwrap_or(0) {
                    return broken(
                        "R6",
                        format!(
                            "{id} joins {there} where {name} is {value}; at most {limit} may be"
                        ),
                    );
                }
            }
        }
        Ok(())
    }
}

/// The value constraint that a host does not meet, if there is one.
pub(crate) fn constraint_against<'a>(
    constraints: impl Iterator<Item = &'a aurora_model::job::Constraint>,
    attributes: &Attributes,
) -> Option<String> {
    for constraint in constraints {
        match &constraint.rule {
            ConstraintRule::Value { negated, values } => {
                let has = attributes
                    .get(&constraint.attribute)
                    .is_some_and(|has| has.iter().any(|value| values.contains(value)));
                if has == *negated {
                    return Some(format!("{constraint:?} does not hold"));
                }
            }
            ConstraintRule::Limit(_) => {
                if !attributes.contains_key(&constraint.attribute) {
                    return Some(format!("it has no {}", constraint.attribute));
                }
            }
        }
    }
    None
}
