//! The core, the clock and the disk.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use aurora_model::job::Timestamp;
use aurora_scheduler_core::{Effect, Event, Input, Op, Scheduler, State, Step};
use aurora_scheduler_storage::{Log, StoreError, Work, commit};
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use crate::event_log::EventLog;

/// Inputs that may wait to be handled; who sends more waits.
const INBOX: usize = 4096;
/// Steps that may wait to be written; the core waits when there are more.
const UNWRITTEN: usize = 1024;
/// Steps that are written at once.
const GROUP: usize = 512;
/// Bytes of steps after which the state is written down.
const SNAPSHOT_AFTER: u64 = 64 << 20;
/// How long after a snapshot that failed another one is tried.
const SNAPSHOT_RETRY: Duration = Duration::from_secs(60);

type Query = Box<dyn FnOnce(&Scheduler) -> Answer + Send>;
/// Says what a question found, once that may be said.
type Answer = Box<dyn FnOnce() + Send>;

enum Message {
    Input(Box<Input>),
    Query(Query),
    Snapshot(Asker),
}

/// Who has asked for a snapshot, and is told how it went.
type Asker = oneshot::Sender<Result<(), String>>;

/// Those who have asked for a snapshot of a version or a later one.
#[derive(Clone, Default)]
struct Askers(Arc<Mutex<Vec<(u64, Asker)>>>);

impl Askers {
    fn put(&self, version: u64, asker: Asker) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push((version, asker));
    }

    fn tell(&self, version: u64, result: &Result<(), String>) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for (_, asker) in all.extract_if(.., |(wanted, _)| *wanted <= version) {
            // Whoever asked may have gone.
            let _ = asker.send(result.clone());
        }
    }
}

/// A way to the core. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Core {
    inbox: mpsc::Sender<Message>,
}

/// The scheduler has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the scheduler is shutting down")]
pub(crate) struct Ended;

impl Core {
    /// Gives the core an input.
    pub(crate) async fn put(&self, input: Input) -> Result<(), Ended> {
        self.inbox.send(Message::Input(Box::new(input))).await.map_err(|_| Ended)
    }

    /// Asks the core. The answer comes when everything it may rest on is durable.
    pub(crate) async fn ask<T: Send + 'static>(
        &self,
        question: impl FnOnce(&Scheduler) -> T + Send + 'static,
    ) -> Result<T, Ended> {
        let (sender, receiver) = oneshot::channel();
        let query: Query = Box::new(move |scheduler| {
            let found = question(scheduler);
            Box::new(move || {
                // Whoever asked may have gone.
                let _ = sender.send(found);
            })
        });
        self.inbox.send(Message::Query(query)).await.map_err(|_| Ended)?;
        receiver.await.map_err(|_| Ended)
    }

    /// Has the state written down now. Gives whether that went well once it is known.
    pub(crate) async fn snapshot(&self) -> Result<Result<(), String>, Ended> {
        let (sender, receiver) = oneshot::channel();
        self.inbox.send(Message::Snapshot(sender)).await.map_err(|_| Ended)?;
        receiver.await.map_err(|_| Ended)
    }
}

/// What is done once it may be.
enum Then {
    Step {
        effects: Vec<Effect>,
        events: Vec<Event>,
        /// Of the state after it.
        version: u64,
    },
    Answer(Answer),
}

fn of_step(step: Step, scheduler: &Scheduler) -> Work<Then> {
    let Step { ops, effects, events } = step;
    let version = scheduler.state().version();
    Work::Step { ops, then: Then::Step { effects, events, version } }
}

/// What runs behind a [`Core`].
pub(crate) struct Running {
    pub(crate) core: Core,
    /// Effects whose steps are durable, in order.
    pub(crate) effects: mpsc::UnboundedReceiver<Effect>,
    /// Says how the writer ended, once it has.
    pub(crate) ended: oneshot::Receiver<Result<(), StoreError>>,
}

/// Starts the actor and its writer. They end when `stop` is cancelled, or when the log fails.
pub(crate) fn start(
    mut scheduler: Scheduler,
    log: Box<dyn Log>,
    event_log: EventLog,
    seed: u64,
    stop: CancellationToken,
) -> std::io::Result<Running> {
    let (inbox, messages) = mpsc::channel(INBOX);
    let (work, to_write) = mpsc::channel(UNWRITTEN);
    let (released, effects) = mpsc::unbounded_channel();
    let (report, ended) = oneshot::channel();
    let snapshot_due = Arc::new(AtomicBool::new(false));
    let askers = Askers::default();
    let to_tell = askers.clone();
    let due = snapshot_due.clone();
    let released_steps = Arc::new(AtomicU64::new(0));
    let count = released_steps.clone();
    let failed = stop.clone();
    std::thread::Builder::new().name("log".to_owned()).spawn(move || {
        let snapshots = Snapshots { askers: to_tell, ..Snapshots::default() };
        let result = write(log, to_write, &released, &event_log, snapshots, &due, &count);
        // The actor must not go on without a log.
        failed.cancel();
        let _ = report.send(result);
    })?;
    tokio::spawn(async move {
        let step = scheduler.handle(now(), Input::Started { seed });
        if work.send(of_step(step, &scheduler)).await.is_ok() {
            act(scheduler, messages, work, &snapshot_due, &released_steps, &askers, stop).await;
        }
    });
    Ok(Running { core: Core { inbox }, effects, ended })
}

/// Handles one message after the other, from after the step that begins everything.
async fn act(
    mut scheduler: Scheduler,
    mut messages: mpsc::Receiver<Message>,
    work: mpsc::Sender<Work<Then>>,
    snapshot_due: &AtomicBool,
    released_steps: &AtomicU64,
    askers: &Askers,
    stop: CancellationToken,
) {
    let mut steps = 1;
    let mut woke = false;
    loop {
        let wakeup = scheduler.next_wakeup();
        let due = wakeup.is_some_and(|at| at <= now());
        // Neither do messages without end keep timers waiting, nor timers messages.
        woke = due && !woke;
        let next = tokio::select! {
            biased;
            () = stop.cancelled() => return,
            () = std::future::ready(()), if woke => Message::Input(Box::new(Input::Wakeup)),
            message = messages.recv() => match message {
                Some(message) => message,
                None => return,
            },
            () = sleep_until(wakeup) => Message::Input(Box::new(Input::Wakeup)),
        };
        let item = match next {
            Message::Input(input) => {
                let step = scheduler.handle(now(), *input);
                if step.ops.is_empty() && step.effects.is_empty() {
                    continue;
                }
                steps += 1;
                of_step(step, &scheduler)
            }
            Message::Snapshot(asker) => {
                askers.put(scheduler.state().version(), asker);
                Work::Snapshot(Box::new(scheduler.state().frozen()))
            }
            Message::Query(query) => {
                let answer = query(&scheduler);
                // All that it may rest on is on disk, and those who watch have been told of it.
                if released_steps.load(Ordering::Acquire) == steps {
                    answer();
                    continue;
                }
                Work::Step { ops: Vec::new(), then: Then::Answer(answer) }
            }
        };
        if work.send(item).await.is_err() {
            return;
        }
        if snapshot_due.swap(false, Ordering::Relaxed) {
            let state = Box::new(scheduler.state().frozen());
            if work.send(Work::Snapshot(state)).await.is_err() {
                return;
            }
        }
    }
}

/// Makes steps durable, as many at once as there are, and then lets their effects go.
fn write(
    mut log: Box<dyn Log>,
    mut work: mpsc::Receiver<Work<Then>>,
    released: &mpsc::UnboundedSender<Effect>,
    event_log: &EventLog,
    mut snapshots: Snapshots,
    snapshot_due: &AtomicBool,
    released_steps: &AtomicU64,
) -> Result<(), StoreError> {
    let mut group = Vec::new();
    loop {
        if work.blocking_recv_many(&mut group, GROUP) == 0 {
            return Ok(());
        }
        // What was found before any of these steps was made need not wait for them.
        let is_answer = |item: &Work<Then>| matches!(item, Work::Step { ops, then: Then::Answer(_) } if ops.is_empty());
        let first = group.iter().position(|item| !is_answer(item)).unwrap_or(group.len());
        for item in group.drain(..first) {
            if let Work::Step { then: Then::Answer(answer), .. } = item {
                answer();
            }
        }
        let then = commit(log.as_mut(), group.drain(..), append, |log, state| {
            snapshots.write(log, state);
        })?;
        if snapshots.ask(log.as_ref()) {
            snapshot_due.store(true, Ordering::Relaxed);
        }
        for item in then {
            match item {
                Then::Answer(answer) => answer(),
                Then::Step { effects, events, version } => {
                    event_log.publish(events, version);
                    for effect in effects {
                        // Without a dispatcher the scheduler is ending.
                        let _ = released.send(effect);
                    }
                    released_steps.fetch_add(1, Ordering::Release);
                }
            }
        }
    }
}

/// When the state is written down.
#[derive(Default)]
struct Snapshots {
    /// The actor has been asked for the state and has not given it yet.
    asked: bool,
    /// None is tried before, as the last one failed.
    not_before: Option<Instant>,
    askers: Askers,
}

impl Snapshots {
    /// Whether the actor is to be asked for the state now.
    fn ask(&mut self, log: &dyn Log) -> bool {
        let ask = !self.asked
            && log.since_snapshot() > SNAPSHOT_AFTER
            && self.not_before.is_none_or(|time| Instant::now() >= time);
        self.asked |= ask;
        ask
    }

    /// Without a snapshot the log grows, and does its work.
    fn write(&mut self, log: &mut dyn Log, state: &State) {
        self.asked = false;
        let began = Instant::now();
        let written = log.snapshot(state);
        let told = written.as_ref().copied().map_err(ToString::to_string);
        self.askers.tell(state.version(), &told);
        match written {
            Ok(()) => {
                self.not_before = None;
                tracing::info!(took = ?began.elapsed(), "wrote a snapshot");
            }
            Err(error) => {
                self.not_before = Some(Instant::now() + SNAPSHOT_RETRY);
                metrics::counter!("log_snapshot_failures").increment(1);
                tracing::error!(%error, "failed to write a snapshot; the log goes on without it");
            }
        }
    }
}

fn append(log: &mut dyn Log, steps: &[Vec<Op>]) -> Result<(), StoreError> {
    let began = Instant::now();
    log.append(steps)?;
    metrics::histogram!("log_append").record(began.elapsed().as_secs_f64());
    metrics::counter!("log_steps").increment(steps.len() as u64);
    Ok(())
}

async fn sleep_until(at: Option<Timestamp>) {
    match at {
        Some(at) => {
            let ms = at.ms_since(now()).clamp(0, 3_600_000);
            if ms == 0 {
                // Sleeping for no time takes a tick of the timers all the same.
                return;
            }
            tokio::time::sleep(Duration::from_millis(u64::try_from(ms).unwrap_or(0))).await;
        }
        None => std::future::pending().await,
    }
}

/// The time.
pub(crate) fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicU64;

    use aurora_scheduler_core::{Request, Settings, Ticket};

    use super::*;

    /// A log in which a snapshot is always due and never works.
    struct Full(Arc<AtomicU64>);

    impl Log for Full {
        fn append(&mut self, _: &[Vec<Op>]) -> Result<(), StoreError> {
            Ok(())
        }

        fn check(&mut self) -> Result<(), StoreError> {
            Ok(())
        }

        fn snapshot(&mut self, _: &State) -> Result<(), StoreError> {
            self.0.fetch_add(1, Ordering::Relaxed);
            Err(StoreError::TooLarge { length: 0 })
        }

        fn since_snapshot(&self) -> u64 {
            u64::MAX
        }
    }

    #[tokio::test]
    async fn a_failed_snapshot_ends_nothing_and_is_not_tried_at_every_step() {
        let tries = Arc::new(AtomicU64::new(0));
        let stop = CancellationToken::new();
        let scheduler = Scheduler::new(Settings::default(), State::default());
        let log = Box::new(Full(tries.clone()));
        let mut running =
            start(scheduler, log, EventLog::new(1, 0, None), 1, stop.clone()).unwrap();
        for number in 0..100 {
            let job = aurora_model::key::JobKey::new("www", "prod", "web").unwrap();
            let request = Request::KillTasks { job, instances: [].into(), message: None };
            let (ticket, user) = (Ticket(number), "me".to_owned());
            let input = Input::Request { ticket, request_id: None, user, request };
            running.core.put(input).await.unwrap();
            let reply = running.effects.recv().await;
            assert!(
                matches!(reply, Some(Effect::Reply { ticket, .. }) if ticket == Ticket(number)),
                "{reply:?}"
            );
        }
        assert_eq!(tries.load(Ordering::Relaxed), 1);
        stop.cancel();
        assert!(running.ended.await.unwrap().is_ok());
    }
}
