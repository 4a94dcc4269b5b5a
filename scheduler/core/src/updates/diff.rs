//! What would have to change for a job to become another (`updates.md` 3).

use std::collections::BTreeMap;
use std::sync::Arc;

use aurora_model::job::TaskConfig;
use aurora_model::update::{InstanceConfig, InstanceRange, to_ranges};

/// What separates a job from what it is to be; in each group the instances that share a
/// configuration.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct JobDiff {
    /// Instances that are not there yet, with what they are to be.
    pub add: Vec<InstanceConfig>,
    /// Instances that are to go, with what they are.
    pub remove: Vec<InstanceConfig>,
    /// Instances that are to become something else, with what they are now.
    pub update: Vec<InstanceConfig>,
    /// Instances that stay what they are.
    pub unchanged: Vec<InstanceConfig>,
}

impl JobDiff {
    /// Whether there is nothing to do.
    pub fn is_empty(&self) -> bool {
        self.add.is_empty() && self.remove.is_empty() && self.update.is_empty()
    }
}

/// Compares what runs, instance by instance, with `instance_count` instances of `proposed`. Only the
/// instances in `scope`, or all if it is empty, may change; the others are unchanged.
///
/// Configurations are compared whole, so both sides must be as the scheduler stores them.
pub fn diff(
    current: &BTreeMap<u32, Arc<TaskConfig>>,
    proposed: &Arc<TaskConfig>,
    instance_count: u32,
    scope: &[InstanceRange],
) -> JobDiff {
    let scope = in_order(scope);
    let is_in_scope = |instance| {
        let begun = scope.partition_point(|range| range.first <= instance);
        let last = begun.checked_sub(1).and_then(|last| scope.get(last));
        scope.is_empty() || last.is_some_and(|range| range.contains(instance))
    };
    let mut groups = [Groups::default(), Groups::default(), Groups::default(), Groups::default()];
    let [add, remove, update, unchanged] = &mut groups;
    for (instance, config) in current {
        let group = match (*instance < instance_count, is_in_scope(*instance)) {
            (_, false) => &mut *unchanged,
            (false, true) => &mut *remove,
            (true, true) if same(config, proposed) => &mut *unchanged,
            (true, true) => &mut *update,
        };
        group.add(*instance, config);
    }
    for instance in 0..instance_count {
        if is_in_scope(instance) && !current.contains_key(&instance) {
            add.add(instance, proposed);
        }
    }
    let [add, remove, update, unchanged] = groups.map(Groups::into_configs);
    JobDiff { add, remove, update, unchanged }
}

/// The same instances in ranges that are in order and do not overlap.
fn in_order(scope: &[InstanceRange]) -> Vec<InstanceRange> {
    let mut sorted = scope.to_vec();
    sorted.sort_unstable_by_key(|range| (range.first, range.last));
    let mut ranges: Vec<InstanceRange> = Vec::with_capacity(sorted.len());
    for range in sorted {
        match ranges.last_mut() {
            Some(known) if range.first <= known.last => known.last = known.last.max(range.last),
            _ => ranges.push(range),
        }
    }
    ranges
}

/// The instances of `scope` that neither run nor are to run.
pub fn unknown_in_scope(
    current: &BTreeMap<u32, Arc<TaskConfig>>,
    instance_count: u32,
    scope: &[InstanceRange],
) -> Vec<InstanceRange> {
    let wanted = instance_count.checked_sub(1).map(|last| InstanceRange { first: 0, last });
    let beyond = current.range(instance_count..).map(|(instance, _)| *instance);
    let known: Vec<InstanceRange> = wanted.into_iter().chain(to_ranges(beyond)).collect();
    let mut unknown = Vec::new();
    for range in scope {
        // What is left of the range, after the known ones that have been passed.
        let mut first = u64::from(range.first);
        for known in known.iter().filter(|known| known.last >= range.first) {
            push(&mut unknown, first, u64::from(known.first).min(u64::from(range.last) + 1));
            first = first.max(u64::from(known.last) + 1);
        }
        push(&mut unknown, first, u64::from(range.last) + 1);
    }
    unknown
}

/// Adds the instances from `first` to before `end`, if there are any.
fn push(ranges: &mut Vec<InstanceRange>, first: u64, end: u64) {
    if first < end
        && let (Ok(first), Ok(last)) = (u32::try_from(first), u32::try_from(end - 1))
    {
        ranges.push(InstanceRange { first, last });
    }
}

/// Whether two configurations are the same. Instances mostly share theirs.
pub(super) fn same(one: &Arc<TaskConfig>, other: &Arc<TaskConfig>) -> bool {
    Arc::ptr_eq(one, other) || one == other
}

/// Instances by their configurations, in the order in which those were met.
#[derive(Debug, Default)]
struct Groups(Vec<(Arc<TaskConfig>, Vec<u32>)>);

impl Groups {
    fn add(&mut self, instance: u32, config: &Arc<TaskConfig>) {
        match self.0.iter_mut().find(|(known, _)| same(known, config)) {
            Some((_, instances)) => instances.push(instance),
            None => self.0.push((config.clone(), vec![instance])),
        }
    }

    fn into_configs(self) -> Vec<InstanceConfig> {
        let groups = self.0.into_iter();
        groups
            .map(|(task, instances)| InstanceConfig { task, instances: to_ranges(instances) })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scope_may_be_in_any_order_and_overlap() {
        let range = |first, last| InstanceRange { first, last };
        let scope = [range(7, 7), range(1, 5), range(2, 3), range(9, 4), range(5, 6)];
        let merged = in_order(&scope);
        for instance in 0..12 {
            let begun = merged.partition_point(|range| range.first <= instance);
            let found = begun.checked_sub(1).is_some_and(|last| merged[last].contains(instance));
            let expected = scope.iter().any(|range| range.contains(instance));
            assert_eq!(found, expected, "{instance} in {merged:?}");
        }
    }

    #[test]
    fn what_a_scope_names_but_nobody_knows_is_found_without_counting_to_it() {
        let range = |first, last| InstanceRange { first, last };
        let unknown =
            |count, scope: &[InstanceRange]| unknown_in_scope(&BTreeMap::new(), count, scope);
        assert_eq!(unknown(3, &[range(0, 2)]), []);
        assert_eq!(unknown(3, &[range(1, 3), range(7, 8)]), [range(3, 3), range(7, 8)]);
        assert_eq!(unknown(1, &[range(0, u32::MAX)]), [range(1, u32::MAX)]);
        assert_eq!(unknown(0, &[range(0, 1)]), [range(0, 1)]);
        assert_eq!(unknown(u32::MAX, &[range(3, u32::MAX)]), [range(u32::MAX, u32::MAX)]);
    }
}
