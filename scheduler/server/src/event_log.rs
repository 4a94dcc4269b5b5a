//! The last events, for those who read them at their own pace.
//!
//! The log's thread puts events in when they are durable; it never waits for a reader. Who falls
//! behind by more than is kept is told how much was missed.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use aurora_scheduler_core::{Change, Event};
use tokio::sync::watch;

use crate::webhook::Told;

/// How many events a reader is given at once.
const BATCH: usize = 512;
/// How many bytes all events may have together, about, however many are to be kept.
const MAX_BYTES: usize = 64 << 20;

/// A way to the events. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct EventLog(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    ring: Mutex<Ring>,
    /// The version up to which everything is durable.
    durable: watch::Sender<u64>,
    capacity: usize,
    /// Who is told of whole tasks.
    told: Option<Told>,
}

#[derive(Debug)]
struct Ring {
    events: VecDeque<Arc<Event>>,
    /// What all of them need, about.
    bytes: usize,
    /// The version of the last event that is no longer here.
    dropped: u64,
    durable: u64,
}

impl Ring {
    /// Takes an event in. The oldest make room for it; the newest is there however large it is.
    fn push(&mut self, event: Event, capacity: usize) {
        self.bytes += bytes(&event);
        self.events.push_back(Arc::new(event));
        while self.events.len() > 1 && (self.events.len() > capacity || self.bytes > MAX_BYTES) {
            let Some(oldest) = self.events.pop_front() else { break };
            self.bytes -= bytes(&oldest);
            self.dropped = oldest.version;
        }
    }
}

/// What an event needs, about.
fn bytes(event: &Event) -> usize {
    let message = |message: &Option<String>| message.as_ref().map_or(0, String::len);
    let more = match &event.change {
        Change::Task(moved) => moved.id.as_str().len() + message(&moved.message),
        Change::Forgotten(tasks) => {
            tasks.iter().map(|task| size_of_val(task) + task.id.as_str().len()).sum()
        }
        Change::Host { name, attributes, .. } => {
            let texts = attributes.iter().flat_map(|(name, values)| values.iter().chain([name]));
            name.len() + texts.map(|text| size_of_val(text) + text.len()).sum::<usize>()
        }
        Change::UpdateStatus { event, .. } => message(&event.message),
        Change::UpdateInstances { events, .. } => size_of_val(events.as_slice()),
        Change::CronRuns { runs, .. } => size_of_val(runs.as_slice()),
        Change::Quota { .. }
        | Change::HostMode { .. }
        | Change::CronScheduled(_)
        | Change::CronDescheduled(_) => 0,
    };
    size_of::<Event>() + more
}

/// What a reader is given.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Read {
    /// Versions that are no longer there: after the first, up to and including the second.
    pub(crate) missed: Option<(u64, u64)>,
    pub(crate) events: Vec<Arc<Event>>,
    /// Where to go on.
    pub(crate) version: u64,
}

impl EventLog {
    /// Keeps so many events. What was before `version` is not there.
    pub(crate) fn new(capacity: usize, version: u64, told: Option<Told>) -> Self {
        let ring = Ring { events: VecDeque::new(), bytes: 0, dropped: version, durable: version };
        Self(Arc::new(Shared {
            ring: Mutex::new(ring),
            durable: watch::Sender::new(version),
            capacity: capacity.max(1),
            told,
        }))
    }

    /// Takes events in that are durable, as is everything up to `version`.
    pub(crate) fn publish(&self, events: impl IntoIterator<Item = Event>, version: u64) {
        {
            let mut ring = self.lock();
            for mut event in events {
                // A whole task is kept for those who wait for it only.
                if let Change::Task(moved) = &mut event.change
                    && moved.task.is_some()
                {
                    if let Some(told) = &self.0.told {
                        told.put(moved.clone());
                    }
                    moved.task = None;
                }
                ring.push(event, self.0.capacity);
            }
            ring.durable = version;
        }
        self.0.durable.send_replace(version);
    }

    /// The version up to which everything is durable.
    pub(crate) fn version(&self) -> u64 {
        self.lock().durable
    }

    /// What has happened after a version, as far as it is there; not all at once.
    pub(crate) fn after(&self, version: u64) -> Read {
        let ring = self.lock();
        let missed = (ring.dropped > version).then_some((version, ring.dropped));
        let version = version.max(ring.dropped);
        let begin = ring.events.partition_point(|event| event.version <= version);
        let events: Vec<Arc<Event>> = ring.events.range(begin..).take(BATCH).cloned().collect();
        let is_all = begin + events.len() == ring.events.len();
        let version = match events.last() {
            _ if is_all => ring.durable.max(version),
            Some(last) => last.version,
            None => version,
        };
        Read { missed, events, version }
    }

    /// Changes whenever there may be more.
    pub(crate) fn changes(&self) -> watch::Receiver<u64> {
        self.0.durable.subscribe()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Ring> {
        self.0.ring.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use aurora_model::job::{TaskState, Timestamp};
    use aurora_model::key::{JobKey, Role, TaskId};
    use aurora_model::quota::ResourceAggregate;
    use aurora_scheduler_core::{Change, Moved};

    use super::*;

    fn event(version: u64) -> Event {
        let role = Role::new("www").unwrap();
        let change = Change::Quota { role, quota: Some(ResourceAggregate::default()) };
        Event { version, at: Timestamp(0), change }
    }

    fn versions(read: &Read) -> Vec<u64> {
        read.events.iter().map(|event| event.version).collect()
    }

    #[test]
    fn a_reader_goes_on_where_it_was_and_learns_what_is_gone() {
        let log = EventLog::new(3, 10, None);
        log.publish([event(12), event(14)], 15);
        let read = log.after(10);
        assert_eq!((versions(&read), read.missed, read.version), (vec![12, 14], None, 15));
        assert_eq!(log.after(15), Read { version: 15, ..Read::default() });
        // What was before this scheduler is not there.
        assert_eq!(log.after(4).missed, Some((4, 10)));
        log.publish([event(16), event(17), event(18)], 18);
        let read = log.after(12);
        assert_eq!((versions(&read), read.missed), (vec![16, 17, 18], Some((12, 14))));
        let read = log.after(14);
        assert_eq!((versions(&read), read.missed), (vec![16, 17, 18], None));
    }

    #[test]
    fn large_events_leave_room_for_fewer() {
        let log = EventLog::new(1000, 0, None);
        let large = |version: u64, bytes: usize| {
            let job = JobKey::new("www", "prod", "web").unwrap();
            let message = Some("x".repeat(bytes));
            let change = Change::Task(Moved {
                id: TaskId::new("t").unwrap(),
                job,
                instance: 0,
                from: TaskState::Init,
                to: TaskState::Pending,
                message,
                host: None,
                task: None,
            });
            Event { version, at: Timestamp(0), change }
        };
        log.publish((1..=5).map(|version| large(version, MAX_BYTES / 4)), 5);
        let read = log.after(0);
        assert_eq!((versions(&read), read.missed), (vec![3, 4, 5], Some((0, 2))));
        // One that is larger than all may be is there alone.
        log.publish([large(6, MAX_BYTES * 2)], 6);
        assert_eq!(versions(&log.after(5)), [6]);
        log.publish([event(7), event(8)], 8);
        let read = log.after(5);
        assert_eq!((versions(&read), read.missed), (vec![7, 8], Some((5, 6))));
        let left: usize = log.lock().events.iter().map(|event| bytes(event)).sum();
        assert_eq!(log.lock().bytes, left, "what has gone is not counted");
    }

    #[test]
    fn a_batch_ends_where_the_next_begins() {
        let log = EventLog::new(BATCH * 3, 0, None);
        let all = BATCH as u64 + 5;
        log.publish((1..=all).map(event), all);
        let first = log.after(0);
        assert_eq!((first.events.len(), first.version), (BATCH, BATCH as u64));
        let second = log.after(first.version);
        assert_eq!((second.events.len(), second.version), (5, all));
    }
}
