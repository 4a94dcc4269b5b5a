//! How far an update has come in the direction in which it goes.

use std::collections::{BTreeMap, BTreeSet};

use aurora_model::update::{JobUpdate, UpdateInstructions};

use super::strategy::order;

/// How far an instance has come. One that has not been taken up yet has no phase.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    /// It has been taken up.
    Working,
    /// It is what is wanted.
    Good,
    /// It has failed too often. It is left alone.
    Failed,
}

/// An instance that has been taken up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Taken {
    /// How far it has come.
    pub phase: Phase,
    /// How often it has failed.
    pub failures: u32,
}

/// How many instances have come how far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    /// All of them.
    pub total: u32,
    /// Those being worked on.
    pub working: u32,
    /// Those that are what is wanted.
    pub good: u32,
    /// Those that have failed.
    pub failed: u32,
}

/// How far an update has come on its way forward, or on its way back.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Course {
    /// The instances, in the order in which they are taken up.
    order: Vec<u32>,
    /// Those that have been taken up: always the first of the order.
    taken: BTreeMap<u32, Taken>,
    working: BTreeSet<u32>,
    failed: BTreeSet<u32>,
    /// The first, which run beside the others.
    surge: BTreeSet<u32>,
    /// Those after them, which go before the rest.
    canary: BTreeSet<u32>,
    /// Whether anything was done since the beginning or the last pause between two batches.
    pub(super) acted: bool,
}

impl Course {
    pub(super) fn new(update: &JobUpdate, back: bool) -> Self {
        let UpdateInstructions { surge, settings, desired, .. } = &update.instructions;
        let order = order(&update.instructions, back);
        let (mut beside, mut canary) = (BTreeSet::new(), BTreeSet::new());
        if !back {
            beside.extend(surge.iter().flat_map(|range| range.iter()));
            let count = settings.canary.map_or(0, |canary| canary.instances);
            let stay = order.iter().skip(beside.len()).filter(|instance| {
                desired.as_ref().is_some_and(|desired| desired.contains(**instance))
            });
            canary.extend(stay.take(usize::try_from(count).unwrap_or(usize::MAX)));
        }
        Self { order, surge: beside, canary, ..Self::default() }
    }

    /// An instance has come so far.
    pub(super) fn set(&mut self, instance: u32, phase: Phase) {
        let taken = self.taken.entry(instance).or_insert(Taken { phase, failures: 0 });
        taken.phase = phase;
        for (instances, of) in
            [(&mut self.working, Phase::Working), (&mut self.failed, Phase::Failed)]
        {
            if phase == of {
                instances.insert(instance);
            } else {
                instances.remove(&instance);
            }
        }
        if phase == Phase::Working && !self.is_surge(instance) {
            self.acted = true;
        }
    }

    /// An instance has failed once more.
    pub(super) fn count_failure(&mut self, instance: u32) {
        if let Some(taken) = self.taken.get_mut(&instance) {
            taken.failures = taken.failures.saturating_add(1);
        }
    }

    pub(super) fn restore(&mut self, instance: u32, taken: Taken) {
        self.set(instance, taken.phase);
        self.taken.insert(instance, taken);
    }

    pub(super) fn taken(&self) -> impl Iterator<Item = (u32, Taken)> + '_ {
        self.taken.iter().map(|(instance, taken)| (*instance, *taken))
    }

    pub(super) fn get(&self, instance: u32) -> Option<Taken> {
        self.taken.get(&instance).copied()
    }

    pub(super) fn working(&self) -> &BTreeSet<u32> {
        &self.working
    }

    pub(super) fn failed(&self) -> &BTreeSet<u32> {
        &self.failed
    }

    pub(super) fn order(&self) -> &[u32] {
        &self.order
    }

    /// How many have been taken up.
    pub(super) fn done(&self) -> usize {
        self.taken.len()
    }

    /// How many of the first run beside the others.
    pub(super) fn surge(&self) -> usize {
        self.surge.len()
    }

    /// How many go before the rest, after those.
    pub(super) fn canary(&self) -> usize {
        self.canary.len()
    }

    pub(super) fn is_surge(&self, instance: u32) -> bool {
        self.surge.contains(&instance)
    }

    pub(super) fn is_canary(&self, instance: u32) -> bool {
        self.canary.contains(&instance)
    }

    pub(super) fn tally(&self) -> Tally {
        let count = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
        Tally {
            total: count(self.order.len()),
            working: count(self.working.len()),
            failed: count(self.failed.len()),
            good: count(self.taken.len() - self.working.len() - self.failed.len()),
        }
    }
}
