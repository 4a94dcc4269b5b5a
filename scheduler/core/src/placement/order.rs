//! In which order agents are tried.

use std::cmp::Reverse;
use std::str::FromStr;

use aurora_model::job::{ResourceBag, Timestamp};

use super::offers::HostUse;

/// What decides between agents (`-offer_order`); where one leaves them equal the next one in the
/// list does, and at last their random rank, so that no two are ever the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OfferOrder {
    /// A random order that stays as long as the offer does: the first that fits is taken.
    Random,
    /// The least CPU first: agents are filled one after the other.
    Cpu,
    /// The least memory first.
    Memory,
    /// The least disk first.
    Disk,
    /// The least CPU that can be taken away first, those that have none last.
    RevocableCpu,
    /// The most that is free first, looked at again after each task: agents are filled evenly.
    Spread,
}

/// The names, as `-offer_order` takes them.
const NAMES: [(&str, OfferOrder); 6] = [
    ("RANDOM", OfferOrder::Random),
    ("CPU", OfferOrder::Cpu),
    ("MEMORY", OfferOrder::Memory),
    ("DISK", OfferOrder::Disk),
    ("REVOCABLE_CPU", OfferOrder::RevocableCpu),
    ("SPREAD", OfferOrder::Spread),
];

/// A text that names no order.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown order {0:?}: give RANDOM, CPU, MEMORY, DISK, REVOCABLE_CPU or SPREAD")]
pub struct UnknownOrder(pub String);

impl FromStr for OfferOrder {
    type Err = UnknownOrder;

    fn from_str(text: &str) -> Result<Self, UnknownOrder> {
        NAMES
            .into_iter()
            .find(|(name, _)| name.eq_ignore_ascii_case(text))
            .map(|(_, order)| order)
            .ok_or_else(|| UnknownOrder(text.to_owned()))
    }
}

/// How many orders of a list count. There are no more kinds of amounts than that.
const KEYS: usize = 4;

/// Where an agent stands; the least is tried first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct OrderKey {
    used: HostUse,
    /// Those that are not about to go come first, and of the others those that go last.
    leaves: Option<Reverse<Timestamp>>,
    amounts: [u64; KEYS],
    rank: u64,
    /// The place among the offers, which no two share.
    pub(crate) slot: u32,
}

/// What an agent's place in the order is made of.
pub(crate) struct Standing<'a> {
    pub(crate) used: HostUse,
    pub(crate) unavailable_from: Option<Timestamp>,
    pub(crate) fixed: &'a ResourceBag,
    pub(crate) revocable: &'a ResourceBag,
    pub(crate) rank: u64,
    pub(crate) slot: u32,
}

impl OrderKey {
    pub(crate) fn new(standing: &Standing<'_>, orders: &[OfferOrder]) -> Self {
        let Standing { used, unavailable_from, fixed, revocable, rank, slot } = standing;
        let mut amounts = [0; KEYS];
        for (amount, order) in amounts.iter_mut().zip(orders) {
            *amount = match order {
                OfferOrder::Random => *rank,
                OfferOrder::Cpu => fixed.cpus.0,
                OfferOrder::Memory => fixed.ram_mb,
                OfferOrder::Disk => fixed.disk_mb,
                OfferOrder::RevocableCpu if revocable.cpus.0 == 0 => u64::MAX,
                OfferOrder::RevocableCpu => revocable.cpus.0,
                // Of CPU and memory, that of which there is less by what machines have of them.
                OfferOrder::Spread => u64::MAX - fixed.cpus.0.saturating_mul(4).min(fixed.ram_mb),
            };
        }
        Self {
            used: *used,
            leaves: unavailable_from.map(Reverse),
            amounts,
            rank: *rank,
            slot: *slot,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(cpus: u64, rank: u64, slot: u32, orders: &[OfferOrder]) -> OrderKey {
        let fixed = ResourceBag {
            cpus: aurora_model::job::MilliCpus(cpus),
            ram_mb: 1 << 40,
            ..ResourceBag::default()
        };
        let revocable = ResourceBag::default();
        let (used, unavailable_from) = (HostUse::Open, None);
        let standing =
            Standing { used, unavailable_from, fixed: &fixed, revocable: &revocable, rank, slot };
        OrderKey::new(&standing, orders)
    }

    #[test]
    fn agents_that_are_equal_by_the_list_are_still_two() {
        let orders = [OfferOrder::Cpu];
        assert!(key(1, 9, 0, &orders) < key(2, 1, 1, &orders));
        assert_ne!(key(1, 5, 0, &orders), key(1, 5, 1, &orders));
        assert!(key(2, 5, 0, &[OfferOrder::Spread]) < key(1, 5, 1, &[OfferOrder::Spread]));
    }

    #[test]
    fn orders_have_the_names_of_the_flag() {
        assert_eq!("revocable_cpu".parse(), Ok(OfferOrder::RevocableCpu));
        let error = "BEST".parse::<OfferOrder>().unwrap_err().to_string();
        assert!(error.starts_with("unknown order \"BEST\": give RANDOM"), "{error}");
    }
}
