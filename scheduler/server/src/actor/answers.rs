//! Answers that may be told when what they rest on is durable.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

/// Tells what a question found; is given the version up to which everything is durable.
pub(super) type Answer = Box<dyn FnOnce(u64) + Send>;

/// The version up to which everything is durable and those who watch have been told of it, and the
/// answers that wait for a later one.
pub(super) struct Answers(Mutex<Inner>);

struct Inner {
    released: u64,
    /// By the version that they rest on.
    waiting: BTreeMap<u64, Vec<Answer>>,
}

impl Answers {
    pub(super) fn new(released: u64) -> Self {
        Self(Mutex::new(Inner { released, waiting: BTreeMap::new() }))
    }

    /// Tells an answer that rests on a version: at once if that is durable, otherwise when it is.
    pub(super) fn tell(&self, rests_on: u64, answer: Answer) {
        let released = {
            let mut inner = self.lock();
            if inner.released < rests_on {
                inner.waiting.entry(rests_on).or_default().push(answer);
                return;
            }
            inner.released
        };
        answer(released);
    }

    /// Everything up to a version is durable.
    pub(super) fn release(&self, version: u64) {
        let due = {
            let mut inner = self.lock();
            inner.released = version;
            let later = inner.waiting.split_off(&(version + 1));
            std::mem::replace(&mut inner.waiting, later)
        };
        for answer in due.into_values().flatten() {
            answer(version);
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
