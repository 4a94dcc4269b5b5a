//! The requests that have been carried out, so that none is carried out twice.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use aurora_model::job::Timestamp;
use aurora_model::key::RequestId;

use crate::input::{Fingerprint, RecordedResponse};

/// How many answered requests are remembered. Clients repeat within seconds; at a thousand changes
/// a second this is still more than any of them waits.
const MAX_REQUESTS: usize = 20_000;
/// How many bytes their ids and answers may have together, about: a request can be about ten
/// thousand hosts with long names.
const MAX_BYTES: usize = 16 << 20;
/// How long they are remembered. Nobody repeats a call of yesterday.
const MAX_AGE_MS: i64 = 24 * 60 * 60 * 1000;
/// What a record needs beside its id and its answer, about.
const RECORD: usize = 128;

/// A request that was carried out.
#[derive(Debug, Clone, PartialEq)]
struct Record {
    response: RecordedResponse,
    /// None of those that were written down before there were any.
    fingerprint: Option<Fingerprint>,
    /// When it was carried out; the same goes for this.
    at: Option<Timestamp>,
}

/// What is known of a request id.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Answered<'a> {
    pub(crate) response: &'a RecordedResponse,
    /// What was asked under the id, if that was written down.
    pub(crate) fingerprint: Option<Fingerprint>,
    /// When it was carried out, if that was.
    pub(crate) at: Option<Timestamp>,
}

/// See the module. Whatever is put in, it stays within its bounds: the oldest are forgotten.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Requests {
    records: BTreeMap<RequestId, Arc<Record>>,
    /// Oldest first.
    order: VecDeque<RequestId>,
    /// Of all records, about.
    bytes: usize,
}

impl Requests {
    pub(super) fn get(&self, id: &RequestId) -> Option<Answered<'_>> {
        self.records.get(id).map(|record| answered(record))
    }

    /// Oldest first.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&RequestId, Answered<'_>)> {
        self.order.iter().filter_map(|id| Some((id, self.get(id)?)))
    }

    pub(super) fn put(
        &mut self,
        id: &RequestId,
        fingerprint: Option<Fingerprint>,
        at: Option<Timestamp>,
        response: &RecordedResponse,
    ) {
        let record = Record { response: response.clone(), fingerprint, at };
        self.bytes += bytes(id, &record);
        match self.records.insert(id.clone(), Arc::new(record)) {
            Some(old) => self.bytes -= bytes(id, &old),
            None => self.order.push_back(id.clone()),
        }
        while self.is_beyond(at) && self.forget_oldest() {}
    }

    /// Whether the oldest must go. Of those without a time it is known only that they are older than
    /// the ones with one: they go by count.
    fn is_beyond(&self, now: Option<Timestamp>) -> bool {
        let oldest = self.order.front().and_then(|id| self.records.get(id)?.at);
        let is_old = match (oldest, now) {
            (Some(oldest), Some(now)) => now.ms_since(oldest) > MAX_AGE_MS,
            _ => false,
        };
        // The newest is remembered however large it is.
        self.order.len() > 1
            && (is_old || self.order.len() > MAX_REQUESTS || self.bytes > MAX_BYTES)
    }

    fn forget_oldest(&mut self) -> bool {
        let Some(id) = self.order.pop_front() else { return false };
        if let Some(old) = self.records.remove(&id) {
            self.bytes -= bytes(&id, &old);
        }
        true
    }
}

fn answered(record: &Record) -> Answered<'_> {
    let Record { response, fingerprint, at } = record;
    Answered { response, fingerprint: *fingerprint, at: *at }
}

/// What a record needs, about.
fn bytes(id: &RequestId, record: &Record) -> usize {
    RECORD + id.as_str().len() + record.response.bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(number: usize) -> RequestId {
        RequestId::new(format!("r{number}")).unwrap()
    }

    fn killed(count: u32) -> RecordedResponse {
        RecordedResponse::Killed { instances: (0..count).collect() }
    }

    fn put(requests: &mut Requests, number: usize, at: Option<i64>, count: u32) {
        let print = at.map(|_| Fingerprint([1; Fingerprint::LENGTH]));
        requests.put(&id(number), print, at.map(Timestamp), &killed(count));
    }

    #[test]
    fn the_oldest_go_when_there_are_too_many() {
        let mut requests = Requests::default();
        for number in 0..MAX_REQUESTS + 2 {
            put(&mut requests, number, Some(0), 1);
        }
        assert_eq!(requests.iter().count(), MAX_REQUESTS);
        assert_eq!((requests.get(&id(1)), requests.get(&id(2)).is_some()), (None, true));
    }

    #[test]
    fn the_oldest_go_when_they_are_too_large() {
        let mut requests = Requests::default();
        // A quarter of what there is room for, and a little.
        let large = u32::try_from(MAX_BYTES / 16).unwrap();
        for number in 0..4 {
            put(&mut requests, number, Some(0), large);
        }
        assert_eq!((requests.get(&id(0)), requests.iter().count()), (None, 3));
        // One that is larger than all may be together is the only one.
        put(&mut requests, 9, Some(0), large * 5);
        assert_eq!(requests.iter().map(|(id, _)| id.as_str()).collect::<Vec<_>>(), ["r9"]);
        put(&mut requests, 10, Some(0), 1);
        assert_eq!(requests.iter().map(|(id, _)| id.as_str()).collect::<Vec<_>>(), ["r10"]);
        let alone = bytes(&id(10), &requests.records[&id(10)]);
        assert_eq!(requests.bytes, alone, "what has gone is not counted");
    }

    #[test]
    fn the_oldest_go_after_a_day() {
        let mut requests = Requests::default();
        put(&mut requests, 0, Some(0), 1);
        put(&mut requests, 1, Some(1), 1);
        put(&mut requests, 2, Some(MAX_AGE_MS), 1);
        assert_eq!(requests.iter().count(), 3);
        put(&mut requests, 3, Some(MAX_AGE_MS + 1), 1);
        assert_eq!((requests.get(&id(0)), requests.get(&id(1)).is_some()), (None, true));
        // A clock that was put back forgets nothing.
        put(&mut requests, 4, Some(-MAX_AGE_MS), 1);
        assert_eq!(requests.iter().count(), 4);
    }

    #[test]
    fn what_was_written_down_without_a_time_goes_by_count() {
        let mut requests = Requests::default();
        put(&mut requests, 0, None, 1);
        for number in 1..MAX_REQUESTS {
            put(&mut requests, number, Some(10 * MAX_AGE_MS), 1);
        }
        assert!(requests.get(&id(0)).is_some_and(|found| found.fingerprint.is_none()));
        put(&mut requests, MAX_REQUESTS, Some(10 * MAX_AGE_MS), 1);
        assert_eq!(requests.get(&id(0)), None);
    }

    #[test]
    fn a_record_that_is_put_again_is_counted_once() {
        let mut requests = Requests::default();
        put(&mut requests, 0, Some(0), 100);
        put(&mut requests, 0, Some(0), 1);
        assert_eq!(requests.bytes, bytes(&id(0), &requests.records[&id(0)]));
        assert_eq!(requests.iter().count(), 1);
    }
}
