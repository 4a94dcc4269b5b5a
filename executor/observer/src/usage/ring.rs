//! Figures of some time back. Pure: whoever samples says when.

use std::collections::VecDeque;
use std::time::Duration;

/// The most points that one ring may hold.
const MAX_POINTS: u128 = 10_000;

/// Why a ring cannot be had.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("figures of {span:?} each {interval:?} are more than {MAX_POINTS}")]
pub struct TooMany {
    span: Duration,
    interval: Duration,
}

/// How many points [`Ring`]s hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Capacity(usize);

impl Capacity {
    /// So many that points each `interval` reach `span` back.
    pub(crate) fn of(span: Duration, interval: Duration) -> Result<Self, TooMany> {
        let points = span.as_millis() / interval.as_millis().max(1);
        if points > MAX_POINTS {
            return Err(TooMany { span, interval });
        }
        Ok(Self(usize::try_from(points).unwrap_or(1).max(1)))
    }
}

/// The newest points of something that is sampled, oldest first. Times are in milliseconds since
/// any fixed point.
#[derive(Debug)]
pub(crate) struct Ring<T> {
    capacity: Capacity,
    points: VecDeque<(u64, T)>,
}

impl<T> Ring<T> {
    pub(crate) fn new(capacity: Capacity) -> Self {
        Self { capacity, points: VecDeque::new() }
    }

    /// Adds a point, unless it is older than the last.
    pub(crate) fn push(&mut self, at: u64, value: T) {
        if self.last().is_some_and(|last| at < last) {
            return;
        }
        if self.points.len() == self.capacity.0 {
            self.points.pop_front();
        }
        self.points.push_back((at, value));
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &(u64, T)> {
        self.points.iter()
    }

    /// When the last point was added.
    pub(crate) fn last(&self) -> Option<u64> {
        self.points.back().map(|(at, _)| *at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn os22_time_does_not_go_back() {
        let mut ring = Ring::new(Capacity::of(60 * SECOND, SECOND).unwrap());
        for at in [10, 20, 30, 29, 30] {
            ring.push(at, at);
        }
        assert_eq!(ring.iter().map(|(at, _)| *at).collect::<Vec<_>>(), [10, 20, 30, 30]);
        assert_eq!(ring.last(), Some(30));
    }

    #[test]
    fn os22_the_newest_stay_and_too_many_are_refused() {
        let mut ring = Ring::new(Capacity::of(3 * SECOND, SECOND).unwrap());
        for at in 0..10 {
            ring.push(at, ());
        }
        assert_eq!(ring.iter().map(|(at, ())| *at).collect::<Vec<_>>(), [7, 8, 9]);
        assert!(Capacity::of(86_400 * SECOND, SECOND).is_err());
        assert_eq!(Capacity::of(3600 * SECOND, 20 * SECOND), Ok(Capacity(180)));
        assert_eq!(Capacity::of(SECOND, 20 * SECOND), Ok(Capacity(1)));
    }
}
