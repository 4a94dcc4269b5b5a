//! The core, the clock and the disk.
//!
//! The core has a thread of its own, the log another one, and a snapshot that is being written a
//! third. Inputs and questions come to the core by ways of their own and share its time.

mod answers;
mod turns;
mod writer;

use std::future::ready;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use aurora_model::job::Timestamp;
use aurora_scheduler_core::{Effect, Input, Scheduler, State, Step};
use aurora_scheduler_storage::{Log, StoreError, Work};
use tokio::sync::{Notify, mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use self::answers::{Answer, Answers};
use self::turns::Turns;
use self::writer::{Asker, Askers, Replacement, Snapshots, Then, ToWrite, write};
pub(crate) use self::writer::{Ending, in_background};
use crate::event_log::EventLog;

/// Inputs that may wait to be handled; who sends more waits.
const INBOX: usize = 4096;
/// Questions that may wait to be looked at; who asks more waits.
const QUESTIONS: usize = 1024;
/// Steps that may wait to be written; the core waits when there are more.
const UNWRITTEN: usize = 1024;
/// Steps of which the effects may wait to be carried out; the log waits when there are more.
const RELEASED: usize = 1024;

/// Gives an answer, and the version that it rests on.
type Query = Box<dyn FnOnce(&Scheduler) -> (u64, Answer) + Send>;

enum Message {
    Input(Box<Input>),
    /// Wants to know when everything before it has been done.
    Settle(oneshot::Sender<()>),
    Snapshot(Asker),
    Replace(Box<State>, Asker),
}

/// A way to the core. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Core {
    inbox: mpsc::Sender<Message>,
    questions: mpsc::Sender<Query>,
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

    /// Asks the core. The answer comes when everything is durable that has changed so far, and may
    /// rest on any of it.
    pub(crate) async fn ask<T: Send + 'static>(
        &self,
        question: impl FnOnce(&Scheduler) -> T + Send + 'static,
    ) -> Result<T, Ended> {
        let asked = self.ask_of(|scheduler| (question(scheduler), scheduler.state().version()));
        asked.await.map(|(found, _)| found)
    }

    /// Asks the core something whose answer says on which version it rests: it comes when that is
    /// durable, whatever else has changed since. With it comes a version that is durable, of which
    /// the answer is as well: whoever wants to know what changes of it watches from there on.
    pub(crate) async fn ask_of<T: Send + 'static>(
        &self,
        question: impl FnOnce(&Scheduler) -> (T, u64) + Send + 'static,
    ) -> Result<(T, u64), Ended> {
        let (sender, receiver) = oneshot::channel();
        let query: Query = Box::new(move |scheduler| {
            let (found, rests_on) = question(scheduler);
            let version = scheduler.state().version();
            let answer: Answer = Box::new(move |released| {
                // Whoever asked may have gone.
                let _ = sender.send((found, version.min(released)));
            });
            (rests_on, answer)
        });
        self.questions.send(query).await.map_err(|_| Ended)?;
        receiver.await.map_err(|_| Ended)
    }

    /// Waits until everything that was put before has been handled, and what it has changed is durable.
    pub(crate) async fn settle(&self) -> Result<(), Ended> {
        let (sender, receiver) = oneshot::channel();
        self.inbox.send(Message::Settle(sender)).await.map_err(|_| Ended)?;
        receiver.await.map_err(|_| Ended)
    }

    /// How many inputs and questions wait.
    pub(crate) fn waiting(&self) -> usize {
        let inputs = self.inbox.max_capacity() - self.inbox.capacity();
        inputs + (self.questions.max_capacity() - self.questions.capacity())
    }

    /// Has the state written down now. Gives whether that went well once it is known.
    pub(crate) async fn snapshot(&self) -> Result<Result<(), String>, Ended> {
        let (sender, receiver) = oneshot::channel();
        self.inbox.send(Message::Snapshot(sender)).await.map_err(|_| Ended)?;
        receiver.await.map_err(|_| Ended)
    }

    /// Puts a state, which may be frozen, in the place of everything the log holds. If that works
    /// nothing else happens any more: the scheduler ends. If not, it goes on as before.
    pub(crate) async fn replace(&self, state: State) -> Result<Result<(), String>, Ended> {
        let (sender, receiver) = oneshot::channel();
        let message = Message::Replace(Box::new(state), sender);
        self.inbox.send(message).await.map_err(|_| Ended)?;
        receiver.await.map_err(|_| Ended)
    }
}

/// What runs behind a [`Core`].
pub(crate) struct Running {
    pub(crate) core: Core,
    /// Effects whose steps are durable, in order, those of a step together. Who takes them must not
    /// wait for the core.
    pub(crate) effects: mpsc::Receiver<Vec<Effect>>,
    /// Says how the writer ended, once it has.
    pub(crate) ended: oneshot::Receiver<Result<Ending, StoreError>>,
}

/// Starts the actor and its writer. They end when `stop` is cancelled, or when the log fails.
pub(crate) fn start(
    scheduler: Scheduler,
    log: Box<dyn Log>,
    event_log: EventLog,
    seed: u64,
    stop: CancellationToken,
) -> std::io::Result<Running> {
    let (inbox, messages) = mpsc::channel(INBOX);
    let (questions, asked) = mpsc::channel(QUESTIONS);
    let (work, to_write) = mpsc::channel(UNWRITTEN);
    let (released, effects) = mpsc::channel(RELEASED);
    let (report, ended) = oneshot::channel();
    let askers = Askers::default();
    // What was read from the log is on disk.
    let answers = Arc::new(Answers::new(scheduler.state().version()));
    let snapshot_due = Arc::new(Notify::new());
    let snapshots = Snapshots::new(askers.clone(), work.downgrade());
    let (failed, due, to_tell) = (stop.clone(), snapshot_due.clone(), answers.clone());
    std::thread::Builder::new().name("log".to_owned()).spawn(move || {
        let result = write(log, to_write, &released, &event_log, &to_tell, snapshots, &due);
        // The actor must not go on without a log.
        failed.cancel();
        let _ = report.send(result);
    })?;
    let actor = Actor { scheduler, messages, asked, work, snapshot_due, answers, askers };
    // Of a thread of its own: a step takes long for one of those that serve clients, and what these
    // wait for would wait behind the core if it was told from among them.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build()?;
    std::thread::Builder::new().name("core".to_owned()).spawn(move || {
        runtime.block_on(actor.run(seed, stop));
    })?;
    Ok(Running { core: Core { inbox, questions }, effects, ended })
}

/// The core with its ways in and out.
struct Actor {
    scheduler: Scheduler,
    messages: mpsc::Receiver<Message>,
    asked: mpsc::Receiver<Query>,
    work: mpsc::Sender<ToWrite>,
    /// The log wants the state, to write it down.
    snapshot_due: Arc<Notify>,
    answers: Arc<Answers>,
    askers: Askers,
}

impl Actor {
    /// Handles one message after the other until it is to end.
    async fn run(mut self, seed: u64, stop: CancellationToken) {
        let step = self.scheduler.handle(now(), Input::Started { seed });
        if self.work.send(self.to_write(step)).await.is_err() {
            return;
        }
        let mut turns = Turns::default();
        let mut woke = false;
        loop {
            if turns.is_question_next()
                && let Ok(query) = self.asked.try_recv()
            {
                turns.asked(self.answer(query));
                continue;
            }
            let wakeup = self.scheduler.next_wakeup();
            let due = wakeup.is_some_and(|at| at <= now());
            // Neither do messages without end keep timers waiting, nor timers messages.
            let wakes = due && !woke;
            let Self { messages, asked, work, snapshot_due, .. } = &mut self;
            tokio::select! {
                biased;
                () = stop.cancelled() => return,
                () = snapshot_due.notified() => {
                    if self.write_state().await.is_err() {
                        return;
                    }
                }
                next = next_message(work, messages, wakeup, wakes) => {
                    let Some(next) = next else { return };
                    woke = wakes;
                    let began = Instant::now();
                    if self.take(next).await.is_err() {
                        return;
                    }
                    turns.handled(began.elapsed());
                }
                Some(query) = asked.recv() => turns.asked(self.answer(query)),
            }
        }
    }

    /// Answers a question. Gives how long that took.
    fn answer(&self, query: Query) -> Duration {
        let began = Instant::now();
        let (rests_on, answer) = query(&self.scheduler);
        self.answers.tell(rests_on, answer);
        began.elapsed()
    }

    /// Does what a message wants.
    async fn take(&mut self, message: Message) -> Result<(), Ended> {
        match message {
            Message::Input(input) => {
                let step = self.scheduler.handle(now(), *input);
                if !step.ops.is_empty() || !step.effects.is_empty() {
                    self.write(self.to_write(step)).await?;
                }
            }
            Message::Settle(asker) => {
                let version = self.scheduler.state().version();
                let answer: Answer = Box::new(|_| {
                    // Whoever asked may have gone.
                    let _ = asker.send(());
                });
                self.answers.tell(version, answer);
            }
            Message::Snapshot(asker) => {
                self.askers.put(self.scheduler.state().version(), asker);
                self.write_state().await?;
            }
            Message::Replace(state, asker) => self.replace(state, asker).await?,
        }
        Ok(())
    }

    /// Handles nothing until it is known whether the log holds the other state.
    async fn replace(&self, mut state: Box<State>, asker: Asker) -> Result<(), Ended> {
        if let Err(misfit) = state.succeed(self.scheduler.state()) {
            // Whoever asked may have gone, here and below.
            let _ = asker.send(Err(misfit.to_string()));
            return Ok(());
        }
        let (sender, replaced) = oneshot::channel();
        self.write(ToWrite::Replace(Replacement { state, asker: sender })).await?;
        let result = replaced.await.map_err(|_| Ended)?;
        let is_over = result.is_ok();
        let _ = asker.send(result);
        if is_over { Err(Ended) } else { Ok(()) }
    }

    async fn write_state(&self) -> Result<(), Ended> {
        let state = Box::new(self.scheduler.state().frozen());
        self.write(ToWrite::Work(Work::Snapshot(state))).await
    }

    async fn write(&self, item: ToWrite) -> Result<(), Ended> {
        self.work.send(item).await.map_err(|_| Ended)
    }

    fn to_write(&self, step: Step) -> ToWrite {
        let Step { ops, effects, events } = step;
        let version = self.scheduler.state().version();
        ToWrite::Work(Work::Step { ops, then: Then { effects, events, version } })
    }
}

/// The next message, once there is room for what comes of it; nothing if there will be none. A timer
/// that is due comes before others if `wakes` says so.
async fn next_message(
    work: &mpsc::Sender<ToWrite>,
    messages: &mut mpsc::Receiver<Message>,
    wakeup: Option<Timestamp>,
    wakes: bool,
) -> Option<Message> {
    // Whoever asks does not wait for a log that is behind, which the core does.
    drop(work.reserve().await.ok()?);
    tokio::select! {
        biased;
        () = ready(()), if wakes => Some(Message::Input(Box::new(Input::Wakeup))),
        message = messages.recv() => message,
        () = sleep_until(wakeup) => Some(Message::Input(Box::new(Input::Wakeup))),
    }
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
pub(crate) mod tests;
