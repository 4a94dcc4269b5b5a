//! What waits to be told to Mesos, one call after the other.
//!
//! The master may be slow, or not answer for a while; nobody waits for it. What it is asked for again
//! anyway (acknowledgements when the agent sends its update again, reconciliation by the clock) is left
//! out when too much waits. The rest cannot be too much: there is one kill of a task at a time, as most
//! are never repeated, and otherwise it is about offers, of which there are only as many as the master
//! has made and not been answered.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use aurora_model::key::{AgentId, TaskId};
use aurora_scheduler_core::Effect;
use tokio::sync::mpsc;

/// Calls that may wait before those are left out that are repeated.
const WAITING: usize = 65_536;

/// The name of the number of calls that wait.
const DEPTH: &str = "mesos_call_queue_size";

/// The tasks whose kills wait, and where they are.
type Kills = BTreeSet<(TaskId, Option<AgentId>)>;

/// Where calls are put.
pub(crate) struct Calls {
    queue: mpsc::UnboundedSender<Effect>,
    waiting: Arc<AtomicUsize>,
    kills: Arc<Mutex<Kills>>,
    most: usize,
}

/// Where they are taken from.
pub(crate) struct Waiting {
    queue: mpsc::UnboundedReceiver<Effect>,
    waiting: Arc<AtomicUsize>,
    kills: Arc<Mutex<Kills>>,
}

/// A queue for calls.
pub(crate) fn queue() -> (Calls, Waiting) {
    queue_of(WAITING)
}

fn queue_of(most: usize) -> (Calls, Waiting) {
    let (sender, receiver) = mpsc::unbounded_channel();
    let waiting = Arc::new(AtomicUsize::new(0));
    show(0);
    let kills = Arc::<Mutex<Kills>>::default();
    let calls = Calls { queue: sender, waiting: waiting.clone(), kills: kills.clone(), most };
    (calls, Waiting { queue: receiver, waiting, kills })
}

impl Calls {
    pub(crate) fn put(&self, effect: Effect) {
        if self.waiting.load(Ordering::Relaxed) >= self.most && is_repeated(&effect) {
            metrics::counter!("mesos_calls_dropped").increment(1);
            return;
        }
        if let Effect::Kill { task, agent } = &effect
            && !locked(&self.kills).insert((task.clone(), agent.clone()))
        {
            return;
        }
        show(self.waiting.fetch_add(1, Ordering::Relaxed) + 1);
        // Nobody takes them any more: the scheduler is ending.
        let _ = self.queue.send(effect);
    }
}

impl Waiting {
    /// The next one; nothing when there will be none.
    pub(crate) async fn take(&mut self) -> Option<Effect> {
        let effect = self.queue.recv().await?;
        show(self.waiting.fetch_sub(1, Ordering::Relaxed) - 1);
        if let Effect::Kill { task, agent } = &effect {
            locked(&self.kills).remove(&(task.clone(), agent.clone()));
        }
        Some(effect)
    }
}

fn locked(kills: &Mutex<Kills>) -> MutexGuard<'_, Kills> {
    kills.lock().unwrap_or_else(PoisonError::into_inner)
}

#[expect(clippy::cast_precision_loss, reason = "gauges are floats")]
fn show(waiting: usize) {
    metrics::gauge!(DEPTH).set(waiting as f64);
}

/// Whether it comes again if nothing comes of it.
fn is_repeated(effect: &Effect) -> bool {
    match effect {
        Effect::Acknowledge { .. } | Effect::Reconcile(_) => true,
        Effect::Kill { .. }
        | Effect::Launch { .. }
        | Effect::Decline(_)
        | Effect::AcceptInverse(_) => false,
        // These are not for Mesos.
        Effect::Reply { .. }
        | Effect::Changed(_)
        | Effect::AskCoordinator(_)
        | Effect::Misfit(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use aurora_model::key::{OfferId, TaskId};

    use super::*;

    #[tokio::test]
    async fn what_is_repeated_is_left_out_when_too_much_waits() {
        let kill = |id: &str| Effect::Kill { task: TaskId::new(id).unwrap(), agent: None };
        let decline = |id: &str| Effect::Decline(OfferId::new(id).unwrap());
        let reconcile = || Effect::Reconcile(vec![]);
        let (calls, mut waiting) = queue_of(2);
        for effect in [reconcile(), decline("o"), reconcile(), kill("a"), decline("p")] {
            calls.put(effect);
        }
        for expected in [reconcile(), decline("o"), kill("a")] {
            assert_eq!(waiting.take().await, Some(expected));
        }
        // There is room again.
        calls.put(reconcile());
        drop(calls);
        for expected in [Some(decline("p")), Some(reconcile()), None] {
            assert_eq!(waiting.take().await, expected);
        }
    }

    #[tokio::test]
    async fn a_kill_waits_once_and_is_never_left_out() {
        let kill = |id: &str| Effect::Kill { task: TaskId::new(id).unwrap(), agent: None };
        let (calls, mut waiting) = queue_of(1);
        for id in ["a", "b", "a", "a", "c"] {
            calls.put(kill(id));
        }
        assert_eq!(waiting.take().await, Some(kill("a")));
        calls.put(kill("a"));
        calls.put(kill("c"));
        drop(calls);
        for expected in [Some(kill("b")), Some(kill("c")), Some(kill("a")), None] {
            assert_eq!(waiting.take().await, expected);
        }
    }
}
