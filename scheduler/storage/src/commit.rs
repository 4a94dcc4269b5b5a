//! The release rule: what is to be done because of a step is done once the step, and all before it, are
//! durable.

use aurora_scheduler_core::{Op, State};

use crate::store::{Log, StoreError};

/// Something for the log, in the order in which it came up. `T` is what is then to be done.
#[derive(Debug)]
pub enum Work<T> {
    /// A step, and what is to be done because of it.
    Step {
        /// What it has changed; perhaps nothing.
        ops: Vec<Op>,
        /// What is to be done.
        then: T,
    },
    /// The state after the steps so far, to be written down.
    Snapshot(Box<State>),
}

/// Makes the steps of a group durable, all with one append, and gives what is then to be done, in
/// order. Of several snapshots the last is taken, in its place between the steps, by `snapshot`, which
/// begins it there and may write it then or later: whether that works has no bearing on the steps.
///
/// # Errors
/// The log has failed. Nothing of the group may be done, and the log takes no more.
pub fn commit<T>(
    log: &mut dyn Log,
    group: impl IntoIterator<Item = Work<T>>,
    mut append: impl FnMut(&mut dyn Log, &[Vec<Op>]) -> Result<(), StoreError>,
    snapshot: impl FnOnce(&mut dyn Log, Box<State>),
) -> Result<Vec<T>, StoreError> {
    let mut steps = Vec::new();
    let mut released = Vec::new();
    let mut due = None;
    for work in group {
        match work {
            Work::Step { ops, then } => {
                if !ops.is_empty() {
                    steps.push(ops);
                }
                released.push(then);
            }
            Work::Snapshot(state) => due = Some((steps.len(), state)),
        }
    }
    // A snapshot is of the state between two steps.
    let position = due.as_ref().map_or(steps.len(), |(position, _)| *position);
    let (before, after) = steps.split_at(position);
    if !before.is_empty() {
        append(log, before)?;
    }
    if let Some((_, state)) = due {
        snapshot(log, state);
    }
    if !after.is_empty() {
        append(log, after)?;
    } else if before.is_empty() && !released.is_empty() {
        // What rests on a log that others write on by now is old.
        log.check()?;
    }
    Ok(released)
}
