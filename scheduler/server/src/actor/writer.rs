//! The log's thread.

use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use aurora_scheduler_core::{Effect, Event, Op, State};
use aurora_scheduler_storage::{FileError, Log, Snapshot, StoreError, Work, commit};
use tokio::sync::{Notify, mpsc, oneshot};

use super::answers::Answers;
use crate::event_log::EventLog;

/// Steps that are written at once.
const GROUP: usize = 512;
/// Bytes of steps after which the state is written down.
const SNAPSHOT_AFTER: u64 = 64 << 20;
/// How long after a snapshot that failed another one is tried.
const SNAPSHOT_RETRY: Duration = Duration::from_secs(60);
/// How far a thread that writes a whole state stands back for the others.
const NICENESS: i32 = 10;

/// What the thread is told.
pub(super) enum ToWrite {
    Work(Work<Then>),
    /// A snapshot is written, or could not be.
    Snapshot(Written),
    /// Nothing but the end of a snapshot comes after it until it is answered.
    Replace(Replacement),
}

/// A state to take the place of what the log holds.
pub(super) struct Replacement {
    pub(super) state: Box<State>,
    pub(super) asker: Asker,
}

/// Why the thread has ended, its log being as it should be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ending {
    /// Nobody has anything to write.
    Told,
    /// The log holds another state.
    Replaced,
}

/// What is done once a step is durable.
pub(super) struct Then {
    pub(super) effects: Vec<Effect>,
    pub(super) events: Vec<Event>,
    /// Of the state after it.
    pub(super) version: u64,
}

/// How the writing of a snapshot went.
pub(super) struct Written {
    /// Of the state in it.
    version: u64,
    began: Instant,
    result: Result<(), StoreError>,
}

/// Who has asked for a state to be written down, and is told how it went.
pub(super) type Asker = oneshot::Sender<Result<(), String>>;

/// Those who have asked for a snapshot of a version or a later one.
#[derive(Clone, Default)]
pub(super) struct Askers(Arc<Mutex<Vec<(u64, Asker)>>>);

impl Askers {
    pub(super) fn put(&self, version: u64, asker: Asker) {
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

/// Makes steps durable, as many at once as there are, and then lets their effects go. Ends when
/// nothing more can come, or another state has taken the place of the log's.
pub(super) fn write(
    mut log: Box<dyn Log>,
    mut work: mpsc::Receiver<ToWrite>,
    released: &mpsc::Sender<Vec<Effect>>,
    event_log: &EventLog,
    answers: &Answers,
    mut snapshots: Snapshots,
    snapshot_due: &Notify,
) -> Result<Ending, StoreError> {
    let mut group = Vec::new();
    let mut replacement = None;
    loop {
        if work.blocking_recv_many(&mut group, GROUP) == 0 {
            return Ok(Ending::Told);
        }
        let mut steps = Vec::with_capacity(group.len());
        for item in group.drain(..) {
            match item {
                ToWrite::Work(work) => steps.push(work),
                ToWrite::Snapshot(written) => snapshots.end(log.as_mut(), written),
                ToWrite::Replace(wanted) => replacement = Some(wanted),
            }
        }
        let then = commit(log.as_mut(), steps, append, |log, state| snapshots.begin(log, state))?;
        if snapshots.ask(log.as_ref()) {
            snapshot_due.notify_one();
        }
        let last = then.last().map(|then| then.version);
        for Then { effects, events, version } in then {
            event_log.publish(events, version);
            if !effects.is_empty() {
                // Without a dispatcher the scheduler is ending.
                let _ = released.blocking_send(effects);
            }
        }
        if let Some(version) = last {
            answers.release(version);
        }
        if !snapshots.is_writing
            && let Some(wanted) = replacement.take()
            && replace(log.as_mut(), wanted)?
        {
            return Ok(Ending::Replaced);
        }
    }
}

/// Puts another state in the place of what the log holds; gives whether that worked.
fn replace(log: &mut dyn Log, wanted: Replacement) -> Result<bool, StoreError> {
    let Replacement { state, asker } = wanted;
    let result = log.replace(&state);
    let is_done = result.is_ok();
    match &result {
        Ok(()) => tracing::warn!("another state has taken the place of this scheduler's"),
        Err(error) => {
            tracing::error!(%error, "failed to put another state in the place of this scheduler's");
            // If nobody knows which one is there, nothing may be appended.
            log.check()?;
        }
    }
    // Whoever asked may have gone.
    let _ = asker.send(result.map_err(|error| error.to_string()));
    Ok(is_done)
}

fn append(log: &mut dyn Log, steps: &[Vec<Op>]) -> Result<(), StoreError> {
    let began = Instant::now();
    log.append(steps)?;
    metrics::histogram!("log_append").record(began.elapsed().as_secs_f64());
    metrics::counter!("log_steps").increment(steps.len() as u64);
    Ok(())
}

/// When the state is written down: on a thread of its own, while the log goes on.
pub(super) struct Snapshots {
    /// The actor has been asked for the state and has not given it yet.
    asked: bool,
    is_writing: bool,
    /// A state came while another one was being written: it is asked for again.
    put_off: bool,
    /// None is tried before, as the last one failed.
    not_before: Option<Instant>,
    askers: Askers,
    /// Back to the log's thread, which does not wait for who writes a snapshot when it is to end.
    log_thread: mpsc::WeakSender<ToWrite>,
}

impl Snapshots {
    pub(super) fn new(askers: Askers, log_thread: mpsc::WeakSender<ToWrite>) -> Self {
        Self {
            asked: false,
            is_writing: false,
            put_off: false,
            not_before: None,
            askers,
            log_thread,
        }
    }

    /// Whether the actor is to be asked for the state now.
    fn ask(&mut self, log: &dyn Log) -> bool {
        let is_due = log.since_snapshot() > SNAPSHOT_AFTER
            && self.not_before.is_none_or(|time| Instant::now() >= time);
        let ask = !self.asked && !self.is_writing && (is_due || self.put_off);
        if ask {
            self.asked = true;
            self.put_off = false;
        }
        ask
    }

    /// Has the state written down as it is between what was appended and what will be.
    fn begin(&mut self, log: &mut dyn Log, state: Box<State>) {
        self.asked = false;
        if self.is_writing {
            self.put_off = true;
            return;
        }
        let (version, began) = (state.version(), Instant::now());
        let begun = log.begin_snapshot().and_then(|snapshot| {
            let back = self.log_thread.clone();
            spawn(snapshot, state, began, back).or_else(|error| log.end_snapshot(Err(error)))
        });
        match begun {
            Ok(()) => self.is_writing = true,
            Err(error) => self.told(Written { version, began, result: Err(error) }),
        }
    }

    fn end(&mut self, log: &mut dyn Log, written: Written) {
        self.is_writing = false;
        let result = log.end_snapshot(written.result);
        self.told(Written { result, ..written });
    }

    /// Without a snapshot the log grows, and does its work.
    fn told(&mut self, written: Written) {
        let Written { version, began, result } = written;
        self.askers.tell(version, &result.as_ref().copied().map_err(ToString::to_string));
        match result {
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

/// Writes a snapshot on a thread of its own, which tells the log's how it went.
fn spawn(
    mut snapshot: Box<dyn Snapshot>,
    state: Box<State>,
    began: Instant,
    log_thread: mpsc::WeakSender<ToWrite>,
) -> Result<(), StoreError> {
    let run = move || {
        let result = write_state(snapshot.as_mut(), &state);
        let version = state.version();
        drop(state);
        if let Some(log_thread) = log_thread.upgrade() {
            // A log that has ended needs no snapshot.
            let _ = log_thread.blocking_send(ToWrite::Snapshot(Written { version, began, result }));
        }
    };
    in_background("snapshot", run).map_err(|source| failed("start a thread for", source))
}

/// Runs something on a thread of its own that stands back for the others: the core and the log come
/// first.
pub(crate) fn in_background(
    name: &str,
    run: impl FnOnce() + Send + 'static,
) -> std::io::Result<()> {
    let run = || {
        // Without leave to stand back it does not matter much.
        let _ = rustix::process::setpriority_process(Some(rustix::thread::gettid()), NICENESS);
        run();
    };
    std::thread::Builder::new().name(name.to_owned()).spawn(run).map(drop)
}

/// Writes the state down. A panic is a failure as any other: without word of an end there would never
/// be another snapshot.
fn write_state(snapshot: &mut dyn Snapshot, state: &State) -> Result<(), StoreError> {
    let written = std::panic::catch_unwind(AssertUnwindSafe(|| snapshot.write(state)));
    written.unwrap_or_else(|_| Err(failed("write", std::io::Error::other("its thread panicked"))))
}

fn failed(action: &'static str, source: std::io::Error) -> StoreError {
    StoreError::File(FileError { action, path: "a snapshot".into(), source })
}
