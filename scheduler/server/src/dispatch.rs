//! Where effects go: answers to their clients, changes to those who watch, questions to
//! coordinators, the rest to Mesos.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use aurora_model::key::TaskId;
use aurora_scheduler_core::{Effect, Input, Request, RequestError, RequestMark, Response, Ticket};
use tokio::sync::{broadcast, mpsc, oneshot};

use crate::actor::{Core, Ended};
use crate::calls::{self, Calls};
use crate::coordinator::Coordinators;
use crate::mesos::Mesos;

/// Messages of changes that a watcher may be behind before it has to begin again.
const CHANGES: usize = 8192;
/// Changes of one step that go into a message, so that a step that changes many tasks does not
/// overrun those who watch.
const TOGETHER: usize = 256;
/// The name of the number of steps of which the effects wait to be carried out.
const DEPTH: &str = "effect_queue_size";

type Waiting = Arc<Mutex<BTreeMap<Ticket, oneshot::Sender<Result<Response, RequestError>>>>>;

/// Brings requests to the core and answers back. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Dispatcher {
    core: Core,
    waiting: Waiting,
    tickets: Arc<std::sync::atomic::AtomicU64>,
    changes: broadcast::Sender<Arc<[TaskId]>>,
}

impl Dispatcher {
    pub(crate) fn new(core: Core) -> Self {
        Self {
            core,
            waiting: Waiting::default(),
            tickets: Arc::default(),
            changes: broadcast::Sender::new(CHANGES),
        }
    }

    /// Sends a request and waits for its answer, which comes when it is durable.
    pub(crate) async fn request(
        &self,
        mark: Option<RequestMark>,
        user: String,
        request: Request,
    ) -> Result<Result<Response, RequestError>, Ended> {
        let ticket = Ticket(self.tickets.fetch_add(1, std::sync::atomic::Ordering::Relaxed));
        let (sender, receiver) = oneshot::channel();
        self.lock().insert(ticket, sender);
        let _entry = Entry { dispatcher: self, ticket };
        let sent = self.core.put(Input::Request { ticket, mark, user, request }).await;
        match sent {
            Ok(()) => receiver.await.map_err(|_| Ended),
            Err(ended) => Err(ended),
        }
    }

    /// The ids of tasks that change from now on, some at a time.
    pub(crate) fn changes(&self) -> broadcast::Receiver<Arc<[TaskId]>> {
        self.changes.subscribe()
    }

    fn lock(
        &self,
    ) -> std::sync::MutexGuard<'_, BTreeMap<Ticket, oneshot::Sender<Result<Response, RequestError>>>>
    {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Carries effects out until there are no more. Mesos gets its calls in order, beside the
    /// answers to clients: neither waits for the other.
    pub(crate) async fn run(
        self,
        mut effects: mpsc::Receiver<Vec<Effect>>,
        mesos: Mesos,
        coordinators: Coordinators,
    ) {
        let (calls, mut to_call) = calls::queue();
        let calling = tokio::spawn(async move {
            while let Some(effect) = to_call.take().await {
                mesos.carry_out(effect).await;
            }
        });
        while let Some(step) = effects.recv().await {
            self.carry_out(step, &calls, &coordinators);
            #[expect(clippy::cast_precision_loss, reason = "gauges are floats")]
            metrics::gauge!(DEPTH).set(effects.len() as f64);
        }
        // Every client that still waits is told that the scheduler ends.
        self.lock().clear();
        calling.abort();
    }

    /// Carries out the effects of a step. It waits for nobody: the log's thread would wait for it,
    /// and the core for that.
    fn carry_out(&self, step: Vec<Effect>, calls: &Calls, coordinators: &Coordinators) {
        let mut changed = Vec::new();
        for effect in step {
            match effect {
                Effect::Reply { ticket, result } => {
                    if let Some(client) = self.lock().remove(&ticket) {
                        // The client may have hung up.
                        let _ = client.send(result);
                    }
                }
                Effect::Changed(task) => changed.push(task),
                Effect::AskCoordinator(question) => {
                    coordinators.ask(*question, self.core.clone());
                }
                Effect::Misfit(misfit) => {
                    tracing::error!(%misfit, "the scheduler has left out a change: report this");
                }
                other => calls.put(other),
            }
        }
        for some in changed.chunks(TOGETHER) {
            // Nobody may be watching.
            let _ = self.changes.send(some.into());
        }
    }
}

/// A client that waits. When it has its answer, or has hung up before, nothing of it is left.
struct Entry<'a> {
    dispatcher: &'a Dispatcher,
    ticket: Ticket,
}

impl Drop for Entry<'_> {
    fn drop(&mut self) {
        self.dispatcher.lock().remove(&self.ticket);
    }
}

#[cfg(test)]
mod tests {
    use aurora_model::key::JobKey;
    use aurora_scheduler_core::{Scheduler, Settings, State};
    use aurora_scheduler_storage::Store;
    use futures::FutureExt;
    use tokio_util::sync::CancellationToken;

    use super::*;

    #[tokio::test]
    async fn a_client_that_hangs_up_leaves_nothing_behind() {
        let folder = tempfile::tempdir().unwrap();
        let (store, _) = Store::open(folder.path()).unwrap();
        let scheduler = Scheduler::new(Settings::default(), State::default());
        let stop = CancellationToken::new();
        let running = crate::actor::start(
            scheduler,
            Box::new(store),
            crate::event_log::EventLog::new(1, 0, None),
            1,
            stop.clone(),
        )
        .unwrap();
        let dispatcher = Dispatcher::new(running.core);
        let job = JobKey::new("www", "prod", "web").unwrap();
        let request = Request::KillTasks { job, instances: [].into(), message: None };
        let answer = dispatcher.request(None, "me".to_owned(), request).now_or_never();
        assert!(answer.is_none(), "nobody brings the answers");
        assert!(dispatcher.lock().is_empty());
        stop.cancel();
    }
}
