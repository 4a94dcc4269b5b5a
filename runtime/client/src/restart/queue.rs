//! Which instances are restarted next, and when it is enough (`client.md` 13.3).

use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// How restarting goes about it, and what it puts up with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// So many instances at a time.
    pub batch_size: usize,
    /// So often an instance may fail.
    pub max_per_instance_failures: u32,
    /// So many instances may fail too often.
    pub max_total_failures: u32,
}

/// The instances of a restart.
#[derive(Debug)]
pub(super) struct Queue {
    limits: Limits,
    waiting: VecDeque<u32>,
    failures: BTreeMap<u32, u32>,
    done: BTreeSet<u32>,
    /// Those that are not tried again, and why.
    failed: BTreeMap<u32, String>,
}

impl Queue {
    pub(super) fn new(instances: impl IntoIterator<Item = u32>, limits: Limits) -> Self {
        Self {
            limits,
            waiting: instances.into_iter().collect(),
            failures: BTreeMap::new(),
            done: BTreeSet::new(),
            failed: BTreeMap::new(),
        }
    }

    /// The next batch; empty if there is none, or too many have failed.
    pub(super) fn next(&self) -> Vec<u32> {
        if self.is_enough() {
            return Vec::new();
        }
        self.waiting.iter().take(self.limits.batch_size.max(1)).copied().collect()
    }

    /// Takes in what became of an instance of the batch. One that has failed is restarted again after all
    /// others, as long as it may.
    pub(super) fn take(&mut self, instance: u32, end: Result<(), String>) {
        self.waiting.retain(|waiting| *waiting != instance);
        match end {
            Ok(()) => {
                self.done.insert(instance);
            }
            Err(why) => {
                let failures = self.failures.entry(instance).or_default();
                *failures = failures.saturating_add(1);
                if *failures > self.limits.max_per_instance_failures {
                    self.failed.insert(instance, why);
                } else {
                    self.waiting.push_back(instance);
                }
            }
        }
    }

    /// Tries an instance no more.
    pub(super) fn give_up(&mut self, instance: u32, why: String) {
        self.waiting.retain(|waiting| *waiting != instance);
        self.failed.insert(instance, why);
    }

    /// Whether an instance has failed before.
    pub(super) fn has_failed(&self, instance: u32) -> bool {
        self.failures.contains_key(&instance)
    }

    /// Whether too many have failed.
    pub(super) fn is_enough(&self) -> bool {
        self.failed.len() > usize::try_from(self.limits.max_total_failures).unwrap_or(usize::MAX)
    }

    /// What became of all of them.
    pub(super) fn outcome(&self) -> Outcome {
        Outcome {
            restarted: self.done.iter().copied().collect(),
            failed: self.failed.clone(),
            left: self.waiting.iter().copied().collect(),
            is_enough: self.is_enough(),
        }
    }
}

/// What became of the instances of a restart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// Those that run anew.
    pub restarted: Vec<u32>,
    /// Those that have failed too often, and why they did last.
    pub failed: BTreeMap<u32, String>,
    /// Those that are not done.
    pub left: Vec<u32>,
    /// Whether too many have failed, so that it went no further.
    pub is_enough: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn queue(count: u32, batch_size: usize, per_instance: u32, total: u32) -> Queue {
        let limits = Limits {
            batch_size,
            max_per_instance_failures: per_instance,
            max_total_failures: total,
        };
        Queue::new(0..count, limits)
    }

    /// The batches of a restart in which these instances fail, so often.
    fn batches(mut queue: Queue, fails: &[(u32, usize)]) -> (Vec<Vec<u32>>, Outcome) {
        let mut left: BTreeMap<u32, usize> = fails.iter().copied().collect();
        let mut batches = Vec::new();
        loop {
            let batch = queue.next();
            if batch.is_empty() {
                return (batches, queue.outcome());
            }
            for instance in &batch {
                let fails = left.get_mut(instance).filter(|left| **left > 0);
                let end = fails.map_or(Ok(()), |left| {
                    *left -= 1;
                    Err("it has ended".to_owned())
                });
                queue.take(*instance, end);
            }
            batches.push(batch);
        }
    }

    #[test]
    fn c51_twenty_instances_are_four_batches_of_five() {
        let (batches, outcome) = batches(queue(20, 5, 0, 0), &[]);
        assert_eq!(batches.iter().map(Vec::len).collect::<Vec<_>>(), [5, 5, 5, 5]);
        assert_eq!(batches.concat(), (0..20).collect::<Vec<_>>());
        assert_eq!((outcome.restarted.len(), outcome.is_enough), (20, false));
    }

    #[test]
    fn c59_an_instance_is_tried_as_often_as_it_may_fail_and_once_more() {
        for (per_instance, fails, tries, enough) in
            [(0, 9, 1, true), (2, 9, 3, true), (2, 1, 2, false), (2, 2, 3, false)]
        {
            let (batches, outcome) = batches(queue(1, 1, per_instance, 0), &[(0, fails)]);
            assert_eq!(
                (batches.len(), outcome.is_enough),
                (tries, enough),
                "{per_instance} {fails}"
            );
            assert_eq!(outcome.failed.contains_key(&0), enough);
        }
    }

    #[test]
    fn one_that_always_fails_does_not_go_on_for_ever() {
        let (batches, outcome) = batches(queue(3, 1, 1, 1), &[(0, usize::MAX)]);
        assert_eq!(batches.concat(), [0, 1, 2, 0]);
        assert_eq!((outcome.restarted, outcome.is_enough), (vec![1, 2], false));
        assert_eq!(outcome.failed.into_keys().collect::<Vec<_>>(), [0]);
    }

    #[test]
    fn too_many_failures_end_it_after_the_batch() {
        let (batches, outcome) = batches(queue(6, 2, 0, 1), &[(0, usize::MAX), (1, usize::MAX)]);
        assert_eq!(batches, [[0, 1]]);
        assert_eq!((outcome.left, outcome.is_enough), (vec![2, 3, 4, 5], true));
    }
}
