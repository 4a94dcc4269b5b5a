//! What the cluster has room for, and what uses it (`api-and-http.md` 7.9).

use std::collections::BTreeMap;

use aurora_model::job::{DEDICATED_ATTRIBUTE, MilliCpus, ResourceBag};
use aurora_model::key::Role;

use crate::quota::Consumption;
use crate::scheduler::Scheduler;

/// A size of task that free room is counted in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum SlotSize {
    /// 1 core, 1 GiB of memory, 4 GiB of disk.
    Small,
    /// 4 cores, 8 GiB, 16 GiB.
    Medium,
    /// 8 cores, 16 GiB, 32 GiB.
    Large,
    /// 16 cores, 32 GiB, 64 GiB.
    Xlarge,
}

impl SlotSize {
    /// Every size, the smallest first.
    pub const ALL: [Self; 4] = [Self::Small, Self::Medium, Self::Large, Self::Xlarge];

    /// The name that metrics have.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Small => "small",
            Self::Medium => "medium",
            Self::Large => "large",
            Self::Xlarge => "xlarge",
        }
    }

    /// What a task of the size asks for.
    pub const fn resources(self) -> ResourceBag {
        let (cores, ram_gib, disk_gib) = match self {
            Self::Small => (1, 1, 4),
            Self::Medium => (4, 8, 16),
            Self::Large => (8, 16, 32),
            Self::Xlarge => (16, 32, 64),
        };
        ResourceBag {
            cpus: MilliCpus(cores * 1000),
            ram_mb: ram_gib * 1024,
            disk_mb: disk_gib * 1024,
            ports: 0,
            gpus: 0,
        }
    }
}

/// How many tasks of one size would still fit into what is on offer, on one kind of hosts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EmptySlots {
    /// Whether the hosts are dedicated.
    pub dedicated: bool,
    /// Whether the CPU may be taken away.
    pub revocable: bool,
    /// The size.
    pub size: SlotSize,
    /// How many.
    pub slots: u64,
}

impl EmptySlots {
    /// The original's name of the metric.
    pub fn name(&self) -> String {
        let dedicated = if self.dedicated { "dedicated_" } else { "" };
        let revocable = if self.revocable { "revocable_" } else { "" };
        format!("empty_slots_{dedicated}{revocable}{}", self.size.name())
    }
}

impl Scheduler {
    /// How many tasks of each size would still fit, for every kind of hosts.
    pub fn empty_slots(&self) -> Vec<EmptySlots> {
        let mut counts: BTreeMap<(bool, bool, SlotSize), u64> = BTreeMap::new();
        for offer in self.offers.iter() {
            let dedicated = offer.attributes().contains_key(DEDICATED_ATTRIBUTE);
            let revocable = ResourceBag { cpus: offer.revocable.cpus, ..offer.fixed };
            for (is_revocable, has) in [(false, offer.fixed), (true, revocable)] {
                for size in SlotSize::ALL {
                    let count = counts.entry((dedicated, is_revocable, size)).or_default();
                    *count += times(&has, &size.resources());
                }
            }
        }
        let kinds = [(false, false), (false, true), (true, false), (true, true)];
        kinds
            .into_iter()
            .flat_map(|(dedicated, revocable)| {
                SlotSize::ALL.map(|size| (dedicated, revocable, size))
            })
            .map(|(dedicated, revocable, size)| EmptySlots {
                dedicated,
                revocable,
                size,
                slots: counts.get(&(dedicated, revocable, size)).copied().unwrap_or(0),
            })
            .collect()
    }

    /// What the active tasks of each role after one use, or of all, by class. Roles that have none are
    /// not there.
    pub fn consumption_by_role(
        &self,
        after: Option<&Role>,
    ) -> impl Iterator<Item = (&Role, Consumption)> {
        self.state.usages_after(after)
    }
}

/// How often some amounts are in others.
fn times(has: &ResourceBag, slot: &ResourceBag) -> u64 {
    let kinds = [(has.cpus.0, slot.cpus.0), (has.ram_mb, slot.ram_mb), (has.disk_mb, slot.disk_mb)];
    kinds.into_iter().filter_map(|(has, slot)| has.checked_div(slot)).min().unwrap_or(0)
}
