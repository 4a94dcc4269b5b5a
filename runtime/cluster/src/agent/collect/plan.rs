//! What of the containers that have ended is to go, in which order and why (`executor.md` 14). No I/O
//! and no clock.
//!
//! Two rules. By age: what ended longer ago than its delay goes, and the delay of failed tasks is the
//! longer one. By disk: while less is free than the headroom, the oldest of those that ended well goes;
//! only when there is none of these, the oldest of those that failed. What is only taken to have ended,
//! because nobody knows for sure, goes by age alone.

use std::collections::VecDeque;
use std::time::Duration;

/// How long what has ended is kept, and how much of the disk is to be free.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Policy {
    /// How long those are kept that ended well.
    pub(crate) delay: Duration,
    /// How long those are kept that failed.
    pub(crate) failed_delay: Duration,
    /// How much is to be free.
    pub(crate) headroom: Share,
}

/// A share of a whole, in millionths.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Share(u32);

impl Share {
    /// A share from 0 to 1; none outside of that.
    pub fn new(share: f64) -> Option<Self> {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "it is between 0 and a million"
        )]
        let millionths = || (share * 1e6).round() as u32;
        (0.0..=1.0).contains(&share).then(millionths).map(Self)
    }

    fn of(self, whole: u64) -> u64 {
        let part = u128::from(whole) * u128::from(self.0);
        u64::try_from(part.div_ceil(1_000_000)).unwrap_or(u64::MAX)
    }
}

/// So much of something is free.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Room {
    pub(crate) free: u64,
    /// What is free and what is used; 0 where there is no limit.
    pub(crate) total: u64,
}

impl Room {
    /// The share that is used.
    pub(crate) fn usage(self) -> f64 {
        #[expect(clippy::cast_precision_loss, reason = "a share for people")]
        let share = || 1.0 - self.free as f64 / self.total as f64;
        if self.total == 0 { 0.0 } else { share() }
    }

    fn is_short(self, headroom: Share) -> bool {
        self.free < headroom.of(self.total)
    }

    fn with(self, freed: u64) -> Self {
        Self { free: self.free.saturating_add(freed).min(self.total), ..self }
    }

    fn or_more(self, other: Self) -> Self {
        Self { free: self.free.max(other.free), ..self }
    }
}

/// The file system of the sandboxes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Disk {
    pub(crate) bytes: Room,
    pub(crate) inodes: Room,
}

impl Disk {
    /// Whether less is free than there should be.
    pub(crate) fn is_short(&self, headroom: Share) -> bool {
        self.bytes.is_short(headroom) || self.inodes.is_short(headroom)
    }
}

/// A container that has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Ended {
    /// When, in milliseconds since the Unix epoch.
    pub(crate) at_ms: i64,
    /// Whether one of its tasks failed.
    pub(crate) failed: bool,
    /// Whether its end was written down, and everybody concerned has heard of it.
    pub(crate) is_certain: bool,
}

impl Ended {
    /// How long ago; one in the future has just ended.
    pub(crate) fn age(&self, now_ms: i64) -> Duration {
        Duration::from_millis(u64::try_from(now_ms.saturating_sub(self.at_ms)).unwrap_or(0))
    }
}

/// Why a container goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reason {
    /// It ended long enough ago.
    Age,
    /// The disk is short of room.
    Disk,
}

impl Reason {
    /// Each of them.
    pub(crate) const ALL: [Self; 2] = [Self::Age, Self::Disk];

    /// Its name in logs and numbers.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Age => "age",
            Self::Disk => "disk",
        }
    }
}

/// The rest of one pass over all containers.
#[derive(Debug)]
pub(crate) struct Plan {
    /// Indexes of the containers whose time is over, the oldest first.
    old: VecDeque<usize>,
    /// Those that may go for the disk, in their order.
    others: VecDeque<usize>,
    headroom: Share,
    /// The disk before the pass, and what the pass has freed of it since: some file systems tell only
    /// later what is free.
    before: Disk,
    freed: (u64, u64),
}

impl Plan {
    /// Begins a pass over `ended`.
    pub(crate) fn new(policy: &Policy, now_ms: i64, disk: Disk, ended: &[Ended]) -> Self {
        let delay = |one: &Ended| if one.failed { policy.failed_delay } else { policy.delay };
        let mut all: Vec<(usize, &Ended)> = ended.iter().enumerate().collect();
        all.sort_by_key(|(_, one)| one.at_ms);
        let (old, mut others): (Vec<_>, Vec<_>) =
            all.into_iter().partition(|(_, one)| one.age(now_ms) >= delay(one));
        others.retain(|(_, one)| one.is_certain);
        // The order by age stays within each.
        others.sort_by_key(|(_, one)| one.failed);
        let indexes = |all: Vec<(usize, &Ended)>| all.into_iter().map(|(index, _)| index).collect();
        Self {
            old: indexes(old),
            others: indexes(others),
            headroom: policy.headroom,
            before: disk,
            freed: (0, 0),
        }
    }

    /// The index of the next to go, and why; none if nothing has to. `disk` is as it is now.
    pub(crate) fn next(&mut self, disk: Disk) -> Option<(usize, Reason)> {
        if let Some(index) = self.old.pop_front() {
            return Some((index, Reason::Age));
        }
        let is_short = self.expected(disk).is_short(self.headroom);
        is_short.then(|| self.others.pop_front()).flatten().map(|index| (index, Reason::Disk))
    }

    /// Whether nothing is left that could go.
    pub(crate) fn is_exhausted(&self) -> bool {
        self.old.is_empty() && self.others.is_empty()
    }

    /// Takes in what the removal of the last one has freed.
    pub(crate) fn freed(&mut self, bytes: u64, inodes: u64) {
        self.freed.0 = self.freed.0.saturating_add(bytes);
        self.freed.1 = self.freed.1.saturating_add(inodes);
    }

    /// The disk as it is, or will be when what was freed can be seen: what ends the pass too early is
    /// made up for by the next, what was removed for nothing is lost.
    fn expected(&self, disk: Disk) -> Disk {
        Disk {
            bytes: disk.bytes.or_more(self.before.bytes.with(self.freed.0)),
            inodes: disk.inodes.or_more(self.before.inodes.with(self.freed.1)),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const HOUR_MS: i64 = 3_600_000;
    const NOW_MS: i64 = 1_000_000 * HOUR_MS;

    fn policy() -> Policy {
        Policy {
            delay: Duration::from_hours(10),
            failed_delay: Duration::from_hours(20),
            headroom: Share::new(0.1).unwrap(),
        }
    }

    fn ended(hours_ago: i64, failed: bool) -> Ended {
        Ended { at_ms: NOW_MS - hours_ago * HOUR_MS, failed, is_certain: true }
    }

    fn disk(free: u64) -> Disk {
        let inodes = Room { free: 100, total: 100 };
        Disk { bytes: Room { free, total: 100 }, inodes }
    }

    /// Carries a plan out on a disk that tells at once what is free: every container frees `each`
    /// bytes and an inode.
    fn carry_out(
        policy: &Policy,
        mut disk: Disk,
        all: &[Ended],
        each: u64,
    ) -> Vec<(usize, Reason)> {
        let mut plan = Plan::new(policy, NOW_MS, disk, all);
        let mut gone = Vec::new();
        while let Some((index, reason)) = plan.next(disk) {
            gone.push((index, reason));
            disk = Disk { bytes: disk.bytes.with(each), inodes: disk.inodes.with(1) };
            plan.freed(each, 1);
        }
        gone
    }

    #[test]
    fn what_is_old_goes_and_failed_ones_are_old_later() {
        let all = [ended(9, false), ended(11, true), ended(11, false), ended(21, true)];
        let gone = carry_out(&policy(), disk(50), &all, 1);
        assert_eq!(gone, [(3, Reason::Age), (2, Reason::Age)]);
    }

    #[test]
    fn a_delay_is_reached_at_its_end_and_one_of_the_future_is_young() {
        let mut all = [ended(10, false), ended(10, false), ended(-1000, false)];
        all[1].at_ms += 1;
        assert_eq!(carry_out(&policy(), disk(50), &all, 1), [(0, Reason::Age)]);
        let at_once = Policy { delay: Duration::ZERO, ..policy() };
        assert_eq!(carry_out(&at_once, disk(50), &all, 1).len(), 3);
        let never = Policy { delay: Duration::MAX, failed_delay: Duration::MAX, ..policy() };
        let ancient = Ended { at_ms: i64::MIN, failed: true, is_certain: true };
        assert_eq!(carry_out(&never, disk(50), &[ancient], 1), []);
    }

    #[test]
    fn the_disk_takes_the_oldest_of_those_that_ended_well_until_enough_is_free() {
        let all = [ended(1, false), ended(9, true), ended(3, false), ended(2, false)];
        for (free, gone) in [(10, &[][..]), (9, &[2]), (6, &[2, 3]), (4, &[2, 3])] {
            let gone: Vec<_> = gone.iter().map(|index| (*index, Reason::Disk)).collect();
            assert_eq!(carry_out(&policy(), disk(free), &all, 3), gone, "{free}");
        }
    }

    #[test]
    fn failed_ones_go_for_the_disk_when_no_other_is_left() {
        let all = [ended(9, true), ended(1, false), ended(19, true)];
        let gone: Vec<usize> =
            carry_out(&policy(), disk(0), &all, 4).into_iter().map(|(index, _)| index).collect();
        assert_eq!(gone, [1, 2, 0]);
    }

    #[test]
    fn what_went_for_its_age_counts_before_the_disk_takes_more() {
        let all = [ended(1, false), ended(11, false)];
        assert_eq!(carry_out(&policy(), disk(5), &all, 5), [(1, Reason::Age)]);
        let gone = carry_out(&policy(), disk(5), &all, 4);
        assert_eq!(gone, [(1, Reason::Age), (0, Reason::Disk)]);
    }

    #[test]
    fn inodes_count_as_bytes_do_unless_there_is_no_limit() {
        let all = [ended(1, false), ended(2, false)];
        let few = Disk { inodes: Room { free: 9, total: 100 }, ..disk(50) };
        assert_eq!(carry_out(&policy(), few, &all, 0), [(1, Reason::Disk)]);
        let none = Disk { inodes: Room { free: 0, total: 0 }, ..disk(50) };
        assert_eq!(carry_out(&policy(), none, &all, 0), []);
    }

    #[test]
    fn what_nobody_knows_for_sure_goes_by_age_alone() {
        let unsure = |hours| Ended { is_certain: false, ..ended(hours, true) };
        let all = [unsure(19), unsure(20), ended(1, true)];
        let gone = carry_out(&policy(), disk(0), &all, 1);
        assert_eq!(gone, [(1, Reason::Age), (2, Reason::Disk)]);
    }

    #[test]
    fn a_disk_that_tells_late_what_is_free_loses_no_more_for_it() {
        let all = [ended(1, false), ended(2, false), ended(3, false)];
        let mut plan = Plan::new(&policy(), NOW_MS, disk(8), &all);
        assert_eq!(plan.next(disk(8)), Some((2, Reason::Disk)));
        plan.freed(1, 1);
        assert_eq!(plan.next(disk(8)), Some((1, Reason::Disk)));
        plan.freed(1, 1);
        assert_eq!(plan.next(disk(8)), None);
        assert!(!plan.is_exhausted(), "one is left, and stays");
    }

    #[test]
    fn shares_are_from_0_to_1() {
        for (share, of_1000) in [(0.0, 0), (0.1, 100), (0.0001, 1), (1.0, 1000)] {
            assert_eq!(Share::new(share).unwrap().of(1000), of_1000, "{share}");
        }
        for share in [-0.1, 1.1, f64::NAN, f64::INFINITY] {
            assert_eq!(Share::new(share), None, "{share}");
        }
        assert_eq!(Share::new(1.0).unwrap().of(u64::MAX), u64::MAX);
        let all = [ended(0, false), ended(0, true)];
        let nothing_kept = Policy { headroom: Share::new(1.0).unwrap(), ..policy() };
        assert_eq!(carry_out(&nothing_kept, disk(99), &all, 0).len(), 2);
        let no_matter = Policy { headroom: Share::new(0.0).unwrap(), ..policy() };
        assert_eq!(carry_out(&no_matter, disk(0), &all, 0).len(), 0);
    }

    fn any_ended() -> impl Strategy<Value = Ended> {
        (-5_i64..40, any::<bool>(), any::<bool>())
            .prop_map(|(hours, failed, is_certain)| Ended { is_certain, ..ended(hours, failed) })
    }

    proptest! {
        #[test]
        fn a_pass_keeps_the_rules(
            all in proptest::collection::vec(any_ended(), 0..40),
            free in 0_u64..=100,
            each in 0_u64..10,
        ) {
            let policy = policy();
            let gone = carry_out(&policy, disk(free), &all, each);
            let is_old = |one: &Ended| {
                one.age(NOW_MS) >= if one.failed { policy.failed_delay } else { policy.delay }
            };
            let mut is_gone = vec![false; all.len()];
            let mut room = free;
            for (count, (index, reason)) in gone.iter().enumerate() {
                let one = &all[*index];
                prop_assert!(!std::mem::replace(&mut is_gone[*index], true), "twice");
                match reason {
                    Reason::Age => prop_assert!(is_old(one)),
                    Reason::Disk => {
                        prop_assert!(room < 10, "enough was free");
                        prop_assert!(one.is_certain && !is_old(one));
                    }
                }
                // What is left at this moment and would have been the better choice.
                let better = |other: &Ended| match reason {
                    Reason::Age => is_old(other) && other.at_ms < one.at_ms,
                    Reason::Disk => {
                        let class = (other.failed, other.at_ms) < (one.failed, one.at_ms);
                        is_old(other) || (other.is_certain && class)
                    }
                };
                let later = all.iter().enumerate().filter(|(at, _)| {
                    !gone[..=count].iter().any(|(gone, _)| gone == at)
                });
                prop_assert!(!later.map(|(_, other)| other).any(better));
                room = (room + each).min(100);
            }
            for (one, is_gone) in all.iter().zip(&is_gone) {
                prop_assert!(*is_gone || !is_old(one), "an old one is left");
                prop_assert!(*is_gone || !one.is_certain || room >= 10, "the disk is full");
            }
        }
    }
}
