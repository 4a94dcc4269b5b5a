//! Whether a task fits what an agent offers (`scheduler.md` 5.3 and 5.4).
//!
//! What speaks against a place is first found as numbers and names that are there anyway
//! ([`Refusal`]), as most of it is forgotten at once; words are made of it when somebody asks.

use std::collections::{BTreeMap, BTreeSet};

use aurora_model::job::{
    ConstraintRule, DEDICATED_ATTRIBUTE, MilliCpus, ResourceBag, TaskConfig, Timestamp,
};

use super::offers::{AgentOffer, HostUse};
use crate::settings::Settings;
use crate::state::Spread;

/// What a task of a configuration asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Wanted {
    /// Executor included.
    pub(crate) resources: ResourceBag,
    /// Whether the CPU is to be such as can be taken away.
    pub(crate) revocable_cpus: bool,
    /// Whether the memory is.
    pub(crate) revocable_ram: bool,
    pub(crate) is_dedicated: bool,
}

impl Wanted {
    pub(crate) fn of(config: &TaskConfig, settings: &Settings) -> Self {
        let tier = config.tier.as_deref().unwrap_or(&settings.default_tier);
        let revocable = settings.tiers.get(tier).is_some_and(|tier| tier.revocable);
        // Without an executor there is none that needs anything.
        let overhead = match config.executor {
            Some(_) => settings.executor_overhead,
            None => ResourceBag::default(),
        };
        Self {
            resources: config.resources.bag().plus(overhead),
            revocable_cpus: revocable && settings.revocable_cpus,
            revocable_ram: revocable && settings.revocable_ram,
            is_dedicated: config.is_dedicated(),
        }
    }

    /// Of what there is, that which the task can use.
    pub(crate) fn usable(&self, fixed: &ResourceBag, revocable: &ResourceBag) -> ResourceBag {
        let mut has = *fixed;
        if self.revocable_cpus {
            has.cpus = revocable.cpus;
        }
        if self.revocable_ram {
            has.ram_mb = revocable.ram_mb;
        }
        has
    }

    /// What the task uses of resources that stay, and of those that may be taken away. Ports are
    /// taken by number, elsewhere.
    pub(crate) fn split(&self) -> (ResourceBag, ResourceBag) {
        let mut fixed = ResourceBag { ports: 0, ..self.resources };
        let mut revocable = ResourceBag::default();
        if self.revocable_cpus {
            std::mem::swap(&mut fixed.cpus, &mut revocable.cpus);
        }
        if self.revocable_ram {
            std::mem::swap(&mut fixed.ram_mb, &mut revocable.ram_mb);
        }
        (fixed, revocable)
    }
}

/// What speaks against a place, as it is found. Of host, constraints and resources only the first
/// that does is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refusal<'a> {
    Dedicated,
    Draining,
    Drained,
    Reserved,
    Constraint(&'a str),
    Limit(&'a str),
    /// The resources do not suffice; this is what there is.
    Lacks(ResourceBag),
}

/// What is known of an agent's host when a task is to go there.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Site<'a> {
    pub(crate) attributes: &'a BTreeMap<String, BTreeSet<String>>,
    pub(crate) used: HostUse,
    pub(crate) unavailable_from: Option<Timestamp>,
    /// Of resources that the task can use.
    pub(crate) free: ResourceBag,
}

impl<'a> Site<'a> {
    pub(crate) fn of(offer: &'a AgentOffer, wanted: &Wanted) -> Self {
        Self {
            attributes: offer.attributes(),
            used: offer.used(),
            unavailable_from: offer.unavailable_from(),
            free: wanted.usable(&offer.fixed, &offer.revocable),
        }
    }
}

/// The time and the settings that a refusal may depend on.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Moment {
    pub(crate) now: Timestamp,
    pub(crate) unavailability_threshold_ms: i64,
}

/// What speaks against the place, reservations aside; nothing if the task fits.
pub(crate) fn refusal<'a>(
    config: &'a TaskConfig,
    wanted: &Wanted,
    site: &Site<'_>,
    spread: Option<&Spread>,
    moment: Moment,
) -> Option<Refusal<'a>> {
    if !wanted.is_dedicated && site.attributes.contains_key(DEDICATED_ATTRIBUTE) {
        return Some(Refusal::Dedicated);
    }
    match site.used {
        HostUse::Draining => return Some(Refusal::Draining),
        HostUse::Drained => return Some(Refusal::Drained),
        HostUse::Open | HostUse::Last => {}
    }
    let goes = site.unavailable_from.is_some_and(|start| {
        start.plus_ms(moment.unavailability_threshold_ms.saturating_neg()) <= moment.now
    });
    if goes {
        return Some(Refusal::Draining);
    }
    if let Some(refusal) = constraint_refusal(config, site.attributes, spread) {
        return Some(refusal);
    }
    (!site.free.covers(&wanted.resources)).then_some(Refusal::Lacks(site.free))
}

/// The first constraint that is not met, those on values before those on numbers.
fn constraint_refusal<'a>(
    config: &'a TaskConfig,
    attributes: &BTreeMap<String, BTreeSet<String>>,
    spread: Option<&Spread>,
) -> Option<Refusal<'a>> {
    for constraint in &config.constraints {
        if let ConstraintRule::Value { negated, values } = &constraint.rule {
            let has = attributes.get(&constraint.attribute);
            if has.is_none_or(|has| has.is_disjoint(values)) != *negated {
                return Some(Refusal::Constraint(&constraint.attribute));
            }
        }
    }
    for constraint in &config.constraints {
        let ConstraintRule::Limit(limit) = constraint.rule else { continue };
        let name = &constraint.attribute;
        let Some(values) = attributes.get(name) else { return Some(Refusal::Constraint(name)) };
        let limit = u32::try_from(limit).unwrap_or(0);
        let count = |value| spread.map_or(0, |spread| spread.count(name, value));
        if values.iter().any(|value| count(value) >= limit) {
            return Some(Refusal::Limit(name));
        }
    }
    None
}

/// What kind of thing speaks against a place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum VetoKind {
    /// The host is for others.
    Dedicated,
    /// The host is about to go.
    Maintenance,
    /// The place is kept for another task.
    Reserved,
    /// The host does not have the attribute that is asked for.
    Constraint,
    /// There are as many tasks of the job as may be.
    Limit,
    /// There is not enough of something.
    Resources,
}

/// Why a task cannot go to an agent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Veto {
    Dedicated,
    Draining,
    Drained,
    Reserved,
    Constraint(String),
    Limit(String),
    Lacks { what: Resource, asks: u64, has: u64 },
}

/// A kind of resource.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Resource {
    Cpu,
    Ram,
    Disk,
    Ports,
    Gpu,
}

impl Resource {
    pub(crate) const ALL: [Self; 5] = [Self::Cpu, Self::Ram, Self::Disk, Self::Ports, Self::Gpu];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Cpu => "CPU",
            Self::Ram => "RAM",
            Self::Disk => "disk",
            Self::Ports => "ports",
            Self::Gpu => "GPU",
        }
    }

    pub(crate) const fn of(self, bag: &ResourceBag) -> u64 {
        match self {
            Self::Cpu => bag.cpus.0,
            Self::Ram => bag.ram_mb,
            Self::Disk => bag.disk_mb,
            Self::Ports => bag.ports,
            Self::Gpu => bag.gpus,
        }
    }

    /// The amount that counts as all of it when it is missing.
    const fn range(self) -> u64 {
        match self {
            Self::Cpu => 16_000,
            Self::Ram => 24_576,
            Self::Disk => 460_800,
            Self::Ports => 1000,
            Self::Gpu => 4,
        }
    }

    /// An amount, for people.
    pub(crate) fn amount(self, value: u64) -> String {
        match self {
            Self::Cpu => MilliCpus(value).to_string(),
            Self::Ram | Self::Disk => format!("{value} MB"),
            Self::Ports | Self::Gpu => value.to_string(),
        }
    }
}

impl Refusal<'_> {
    /// How far from fitting: the least is the nearest.
    pub(crate) fn score(&self, asks: &ResourceBag) -> u64 {
        match self {
            Self::Dedicated => 1_000_000,
            Self::Draining | Self::Drained => 100_000,
            Self::Reserved => 50_000,
            Self::Constraint(_) | Self::Limit(_) => 10_000,
            Self::Lacks(has) => lack_score(asks, has),
        }
    }

    /// What is said of it.
    pub(crate) fn vetoes(&self, asks: &ResourceBag) -> Vec<Veto> {
        match self {
            Self::Dedicated => vec![Veto::Dedicated],
            Self::Draining => vec![Veto::Draining],
            Self::Drained => vec![Veto::Drained],
            Self::Reserved => vec![Veto::Reserved],
            Self::Constraint(name) => vec![Veto::Constraint((*name).to_owned())],
            Self::Limit(name) => vec![Veto::Limit((*name).to_owned())],
            Self::Lacks(has) => Resource::ALL
                .into_iter()
                .map(|what| (what, what.of(asks), what.of(has)))
                .filter(|(_, asks, has)| asks > has)
                .map(|(what, asks, has)| Veto::Lacks { what, asks, has })
                .collect(),
        }
    }
}

/// How much is missing, each kind by what is much of it.
pub(crate) fn lack_score(asks: &ResourceBag, has: &ResourceBag) -> u64 {
    let mut sum = 0;
    for what in Resource::ALL {
        let (asks, has) = (what.of(asks), what.of(has));
        if asks > has {
            sum += ((asks - has).saturating_mul(1000) / what.range()).clamp(1, 1000);
        }
    }
    sum
}

impl Veto {
    pub(crate) const fn kind(&self) -> VetoKind {
        match self {
            Self::Dedicated => VetoKind::Dedicated,
            Self::Draining | Self::Drained => VetoKind::Maintenance,
            Self::Reserved => VetoKind::Reserved,
            Self::Constraint(_) => VetoKind::Constraint,
            Self::Limit(_) => VetoKind::Limit,
            Self::Lacks { .. } => VetoKind::Resources,
        }
    }

    /// Why, for people.
    pub(crate) fn reason(&self) -> String {
        match self {
            Self::Lacks { what, asks, has } => format!(
                "{} (asks for {}, {} free)",
                self.gist(),
                what.amount(*asks),
                what.amount(*has)
            ),
            _ => self.gist(),
        }
    }

    /// The reason without its numbers, which are other ones all the time.
    pub(crate) fn gist(&self) -> String {
        match self {
            Self::Dedicated => "Host is dedicated".to_owned(),
            Self::Draining => "Host draining for maintenance".to_owned(),
            Self::Drained => "Host drained for maintenance".to_owned(),
            Self::Reserved => "Host is reserved for another task".to_owned(),
            Self::Constraint(name) => format!("Constraint not satisfied: {name}"),
            Self::Limit(name) => format!("Limit not satisfied: {name}"),
            Self::Lacks { what, .. } => format!("Insufficient: {}", what.name()),
        }
    }

    /// The counter of the original's name.
    pub(crate) const fn counter(&self) -> &'static str {
        match self.kind() {
            VetoKind::Dedicated => "scheduling_veto_dedicated_constraint_mismatch",
            VetoKind::Maintenance => "scheduling_veto_maintenance",
            VetoKind::Reserved => "scheduling_veto_reserved",
            VetoKind::Constraint => "scheduling_veto_constraint_mismatch",
            VetoKind::Limit => "scheduling_veto_limit_not_satisfied",
            VetoKind::Resources => "scheduling_veto_insufficient_resources",
        }
    }
}
