//! How much of the time in which instances should have been up the cluster kept them up: what users
//! did to them, and what they did to themselves, does not count.

use std::collections::BTreeMap;

use aurora_model::job::{TaskState, Timestamp};

use super::numbers::float;
use super::{SlaSample, Window};

/// What an instance is, as far as the cluster answers for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Standing {
    Up,
    /// The cluster has taken it down.
    Down,
    /// It is not there, and the cluster does not answer for it.
    Removed,
}

/// What becomes of an instance when one of its tasks comes to a state.
fn next(now: Standing, state: TaskState) -> Standing {
    match state {
        TaskState::Running | TaskState::Partitioned => Standing::Up,
        TaskState::Lost | TaskState::Draining | TaskState::Preempting => Standing::Down,
        // It is down until it is up again.
        TaskState::Pending | TaskState::Assigned | TaskState::Starting if now == Standing::Down => {
            Standing::Down
        }
        TaskState::Pending
        | TaskState::Assigned
        | TaskState::Starting
        | TaskState::Throttled
        | TaskState::Finished
        | TaskState::Restarting
        | TaskState::Failed
        | TaskState::Killing => Standing::Removed,
        // Nobody here has asked for it.
        TaskState::Killed if now == Standing::Up => Standing::Down,
        TaskState::Killed | TaskState::Init => now,
    }
}

/// The share in percent over all instances; all if there is nothing to measure.
pub(super) fn percent(samples: &[&SlaSample], window: Window) -> f64 {
    let mut instances: BTreeMap<_, Vec<(Timestamp, TaskState)>> = BTreeMap::new();
    for sample in samples {
        let events = instances.entry((&sample.config.job, sample.instance)).or_default();
        events.extend(sample.events.iter().copied());
    }
    let (mut up, mut wanted) = (0_i64, 0_i64);
    for events in instances.values_mut() {
        // Those of the same time stay in the order in which they are stored.
        events.sort_by_key(|(at, _)| *at);
        let mut standing = Standing::Removed;
        let mut since = Timestamp(0);
        let ends = events.iter().map(|(at, state)| (*at, Some(*state)));
        for (at, state) in ends.chain([(Timestamp(i64::MAX), None)]) {
            let length = at.min(window.to).ms_since(since.max(window.from)).max(0);
            match standing {
                Standing::Up => {
                    up = up.saturating_add(length);
                    wanted = wanted.saturating_add(length);
                }
                Standing::Down => wanted = wanted.saturating_add(length),
                Standing::Removed => {}
            }
            if let Some(state) = state {
                standing = next(standing, state);
                since = at;
            }
        }
    }
    if wanted == 0 { 100.0 } else { float(up) / float(wanted) * 100.0 }
}
