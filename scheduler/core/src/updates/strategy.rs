//! In which order instances are taken up, and how many at a time (`updates.md` 8).

use std::collections::BTreeSet;

use aurora_model::update::{UpdateInstructions, UpdateStrategy};

/// The instances of an update that goes forward, in the order in which they are taken up: those that
/// run beside the others, then those that are new, those that change and those that go. An update
/// that goes back takes them up the other way round, without the first.
pub(super) fn order(instructions: &UpdateInstructions, back: bool) -> Vec<u32> {
    let desired: BTreeSet<u32> =
        instructions.desired.iter().flat_map(|desired| desired.iter()).collect();
    let initial: BTreeSet<u32> =
        instructions.initial.iter().flat_map(|initial| initial.iter()).collect();
    let new = desired.difference(&initial);
    let changed = desired.intersection(&initial);
    let gone = initial.difference(&desired);
    let mut order: Vec<u32> = new.chain(changed).chain(gone).copied().collect();
    if back {
        order.reverse();
        return order;
    }
    let surge = instructions.surge.iter().flat_map(|range| range.iter());
    surge.chain(order).collect()
}

/// How many of the instances that wait may be taken up now. `done` have been taken up before them,
/// `working` of which are not finished.
pub fn group_size(
    strategy: &UpdateStrategy,
    back: bool,
    done: usize,
    waiting: usize,
    working: usize,
) -> usize {
    let size = match strategy {
        UpdateStrategy::Queue { group_size } => wide(*group_size).saturating_sub(working),
        _ if working > 0 => 0,
        UpdateStrategy::Batch { group_size, .. } => wide(*group_size),
        UpdateStrategy::VariableBatch { group_sizes, .. } if back => {
            size_back(group_sizes, waiting)
        }
        UpdateStrategy::VariableBatch { group_sizes, .. } => size_forward(group_sizes, done),
    };
    size.min(waiting)
}

/// The batch in which the instance after the first `done` ones is.
fn size_forward(sizes: &[u32], done: usize) -> usize {
    let mut end = 0_usize;
    for size in sizes {
        end = end.saturating_add(wide(*size));
        if end > done {
            return wide(*size);
        }
    }
    sizes.last().copied().map_or(1, wide)
}

/// What is left of the last batch of the way forward when `waiting` instances are not undone yet.
fn size_back(sizes: &[u32], waiting: usize) -> usize {
    let mut left = waiting;
    for size in sizes.iter().copied().map(wide) {
        if left <= size {
            return left;
        }
        left -= size;
    }
    let last = sizes.last().copied().map_or(1, wide).max(1);
    match left % last {
        0 => last,
        part => part,
    }
}

fn wide(size: u32) -> usize {
    usize::try_from(size).unwrap_or(usize::MAX)
}
