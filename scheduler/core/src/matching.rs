//! Whether a task fits what an agent offers (`scheduler.md` 5.3 and 5.4).

use std::collections::{BTreeMap, BTreeSet};

use aurora_model::job::{ConstraintRule, DEDICATED_ATTRIBUTE, ResourceBag, TaskConfig, Timestamp};
use aurora_model::maintenance::MaintenanceMode;

use crate::offers::AgentOffer;

/// Why a task cannot go to an agent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Veto {
    /// Why, for people.
    pub(crate) reason: String,
    /// How far from fitting: the least is the nearest.
    pub(crate) score: u64,
    /// Whether it stays so as long as the offer stays what it is.
    pub(crate) is_static: bool,
}

impl Veto {
    fn new(reason: impl Into<String>, score: u64) -> Self {
        Self { reason: reason.into(), score, is_static: true }
    }

    /// The reason without its numbers, which are other ones all the time.
    pub(crate) fn gist(&self) -> &str {
        self.reason.split(" (").next().unwrap_or_default()
    }
}

/// How many tasks of a job are on hosts with an attribute's value.
pub(crate) type Spread = BTreeMap<(String, String), u32>;

/// What a task asks for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Wanted<'a> {
    pub(crate) config: &'a TaskConfig,
    /// Executor included.
    pub(crate) resources: ResourceBag,
    pub(crate) revocable: bool,
}

/// Everything that speaks against the place; nothing if the task fits. Of host, constraints and
/// resources only the first that vetoes is looked at.
pub(crate) fn vetoes(
    wanted: &Wanted<'_>,
    offer: &AgentOffer,
    spread: &Spread,
    mode: MaintenanceMode,
    now: Timestamp,
    unavailability_threshold_ms: i64,
) -> Vec<Veto> {
    let Some(latest) = offer.latest() else {
        return vec![Veto::new("The offer is empty", u64::MAX)];
    };
    let attributes = &latest.attributes;
    if attributes.contains_key(DEDICATED_ATTRIBUTE) && !wanted.config.is_dedicated() {
        return vec![Veto::new("Host is dedicated", 1_000_000)];
    }
    match mode {
        MaintenanceMode::Draining => {
            return vec![Veto::new("Host draining for maintenance", 100_000)];
        }
        MaintenanceMode::Drained => {
            return vec![Veto::new("Host drained for maintenance", 100_000)];
        }
        MaintenanceMode::None | MaintenanceMode::Scheduled => {}
    }
    let draining = latest
        .unavailable_from
        .is_some_and(|start| start.plus_ms(-unavailability_threshold_ms) <= now);
    if draining {
        return vec![Veto::new("Host draining for maintenance", 100_000)];
    }
    if let Some(veto) = constraint_veto(wanted.config, attributes, spread) {
        return vec![veto];
    }
    resource_vetoes(wanted, offer)
}

/// The first constraint that is not met, those on values before those on numbers.
fn constraint_veto(
    config: &TaskConfig,
    attributes: &BTreeMap<String, BTreeSet<String>>,
    spread: &Spread,
) -> Option<Veto> {
    let none = BTreeSet::new();
    for constraint in &config.constraints {
        if let ConstraintRule::Value { negated, values } = &constraint.rule {
            let has = attributes.get(&constraint.attribute).unwrap_or(&none);
            if has.is_disjoint(values) != *negated {
                return Some(Veto::new(
                    format!("Constraint not satisfied: {}", constraint.attribute),
                    10_000,
                ));
            }
        }
    }
    for constraint in &config.constraints {
        let ConstraintRule::Limit(limit) = constraint.rule else { continue };
        let name = &constraint.attribute;
        let Some(values) = attributes.get(name) else {
            return Some(Veto::new(format!("Constraint not satisfied: {name}"), 10_000));
        };
        let limit = u32::try_from(limit).unwrap_or(0);
        let full = values
            .iter()
            .any(|value| spread.get(&(name.clone(), value.clone())).copied().unwrap_or(0) >= limit);
        if full {
            return Some(Veto {
                is_static: false,
                ..Veto::new(format!("Limit not satisfied: {name}"), 10_000)
            });
        }
    }
    None
}

fn resource_vetoes(wanted: &Wanted<'_>, offer: &AgentOffer) -> Vec<Veto> {
    let has = if wanted.revocable {
        ResourceBag { cpus: offer.revocable.cpus, ..offer.fixed }
    } else {
        offer.fixed
    };
    let asks = wanted.resources;
    // Name, what is asked, what there is, and the range that the score is scaled by.
    let kinds = [
        ("CPU", asks.cpus.0, has.cpus.0, 16_000),
        ("RAM", asks.ram_mb, has.ram_mb, 24_576),
        ("disk", asks.disk_mb, has.disk_mb, 460_800),
        ("ports", asks.ports, has.ports, 1000),
        ("GPU", asks.gpus, has.gpus, 4),
    ];
    kinds
        .into_iter()
        .filter(|(_, asks, has, _)| asks > has)
        .map(|(name, asks, has, range)| {
            let amount = |value: u64| match name {
                "CPU" => aurora_model::job::MilliCpus(value).to_string(),
                "RAM" | "disk" => format!("{value} MB"),
                _ => value.to_string(),
            };
            Veto::new(
                format!("Insufficient: {name} (asks for {}, {} free)", amount(asks), amount(has)),
                ((asks - has).saturating_mul(1000) / range).clamp(1, 1000),
            )
        })
        .collect()
}

/// Takes what a task uses out of an offer. Ports are taken by number, elsewhere.
pub(crate) fn take(wanted: &Wanted<'_>, offer: &mut AgentOffer) {
    let used = ResourceBag { ports: 0, ..wanted.resources };
    if wanted.revocable {
        let cpus = ResourceBag { cpus: used.cpus, ..ResourceBag::default() };
        offer.revocable = offer.revocable.minus(cpus);
        offer.fixed =
            offer.fixed.minus(ResourceBag { cpus: aurora_model::job::MilliCpus(0), ..used });
    } else {
        offer.fixed = offer.fixed.minus(used);
    }
}
