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

/// How many instances are left of a batch that has been taken up in part, as one look does not take
/// up more than so many; 0 if the next instance begins another one. The first batch begins after
/// `start` of the `done` ones. A window has no batches.
pub(super) fn rest_of_batch(
    strategy: &UpdateStrategy,
    back: bool,
    start: usize,
    done: usize,
    waiting: usize,
) -> usize {
    let rest = match strategy {
        UpdateStrategy::Queue { .. } => 0,
        UpdateStrategy::Batch { group_size, .. } => rest(done - start, wide(*group_size)),
        UpdateStrategy::VariableBatch { group_sizes, .. } if back => match done {
            0 => 0,
            _ => rest_back(group_sizes, waiting),
        },
        UpdateStrategy::VariableBatch { group_sizes, .. } => rest_forward(group_sizes, start, done),
    };
    rest.min(waiting)
}

/// What is left of the last batch when so many are done.
fn rest(done: usize, size: usize) -> usize {
    match done % size.max(1) {
        0 => 0,
        part => size - part,
    }
}

fn rest_forward(sizes: &[u32], start: usize, done: usize) -> usize {
    // Where a batch begins, and where the size ends that it has.
    let (mut begin, mut end) = (start, 0_usize);
    for size in sizes.iter().copied().map(wide) {
        end = end.saturating_add(size);
        if begin >= end {
            continue;
        }
        let next = begin.saturating_add(size);
        if next > done {
            return if begin == done { 0 } else { next - done };
        }
        begin = next;
    }
    rest(done - begin, sizes.last().copied().map_or(1, wide))
}

fn rest_back(sizes: &[u32], waiting: usize) -> usize {
    let mut left = waiting;
    for size in sizes.iter().copied().map(wide) {
        if left <= size {
            return if left == size { 0 } else { left };
        }
        left -= size;
    }
    left % sizes.last().copied().map_or(1, wide).max(1)
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

#[cfg(test)]
mod tests {
    use super::*;

    /// Whatever a batch is cut into, the parts end where it does.
    #[test]
    fn a_batch_that_is_taken_up_in_parts_ends_where_it_would() {
        let batch = |group_size| UpdateStrategy::Batch { group_size, autopause_after_batch: false };
        let variable = |sizes: &[u32]| UpdateStrategy::VariableBatch {
            group_sizes: sizes.to_vec(),
            autopause_after_batch: false,
        };
        let strategies =
            [batch(1), batch(4), batch(7), variable(&[5]), variable(&[1, 6, 3]), variable(&[9, 2])];
        for strategy in strategies {
            for (back, start) in [(false, 0), (false, 1), (false, 3), (true, 0)] {
                let total = 40;
                let mut done = start;
                while done < total {
                    assert_eq!(rest_of_batch(&strategy, back, start, done, total - done), 0);
                    let size = group_size(&strategy, back, done, total - done, 0);
                    for part in 1..size {
                        let (done, waiting) = (done + part, total - done - part);
                        let left = rest_of_batch(&strategy, back, start, done, waiting);
                        assert_eq!(left, size - part, "{strategy:?} {back} {start} {done}");
                    }
                    done += size;
                }
            }
        }
    }
}
