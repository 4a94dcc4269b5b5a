//! One executor, one task (`executor.md` 2).

use std::ffi::OsString;
use std::sync::Arc;
use std::time::Duration;

use aurora_daemon::text::root;
use aurora_mesos::body::ContentType;
use aurora_mesos::executor::{self, Environment, EnvironmentError, SessionEvent, Updates};
use aurora_mesos::v1;
use aurora_thermos::checkpoint;
use aurora_thermos::process::children::Children;
use aurora_thermos::runner::{self, now_ms};
use aurora_thermos::spec::LoggerError;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::Flags;
use crate::announce::AnnounceFlagsError;
use crate::bind::assigned;
use crate::closing::Fate;
use crate::limits::sleep_until;
use crate::prepare::Preparation;
use crate::task::{Happened, Task};

/// How long the agent has to acknowledge the last update before the executor ends all the same.
const LAST_WORD: Duration = Duration::from_secs(10);
/// How long an executor waits for a task before it ends without one.
const IDLE: Duration = Duration::from_secs(10);
/// How long checkpoints may be cleaned up before the executor ends all the same.
const CLEANING: Duration = Duration::from_secs(5);
/// What is kept of the agent's grace period for the last update to go out.
const MARGIN: Duration = Duration::from_millis(500);

/// How long an answer may take when a task is asked to end, unless the variable says otherwise.
const SIGNAL_TIMEOUT: Duration = Duration::from_secs(1);
const SIGNAL_TIMEOUT_VAR: &str = "AURORA_HTTP_SIGNALER_TIMEOUT_SECS";

/// Why an executor cannot do its work.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// It was not started by an agent.
    #[error(transparent)]
    Environment(#[from] EnvironmentError),
    /// The kernel does not let it see to its children.
    #[error("failed to become the parent of orphaned processes: {0}")]
    Children(#[source] std::io::Error),
    /// A variable of the operator's is malformed.
    #[error("{SIGNAL_TIMEOUT_VAR} must be a number of seconds more than 0, not {0:?}")]
    SignalTimeout(String),
    /// Output cannot be kept as the flags have it.
    #[error("--runner-rotate-log-*: {0}")]
    Logger(#[from] LoggerError),
    /// Tasks cannot be announced as the flags have it.
    #[error(transparent)]
    Announce(#[from] AnnounceFlagsError),
    /// Signals cannot be taken over.
    #[error("failed to handle signals: {0}")]
    Signals(#[source] std::io::Error),
}

/// Runs the executor to its end. `vars` are the variables its agent has set.
///
/// SIGTERM and SIGINT tell it to shut down, as its agent can.
///
/// Must be called within a runtime of one thread: the task's processes end with the thread that
/// starts them.
///
/// # Errors
/// The variables are not those of an executor, or the kernel is too old. What goes wrong with the
/// task is reported to the agent instead.
pub async fn run(
    flags: Flags,
    vars: impl IntoIterator<Item = (OsString, OsString)>,
) -> Result<(), Error> {
    let vars: Vec<(OsString, OsString)> = vars.into_iter().collect();
    let inherited = vars.iter().filter(|(name, _)| match flags.preserve_env {
        // With it whoever knows it speaks for the executor.
        true => name != "MESOS_EXECUTOR_AUTHENTICATION_TOKEN",
        false => name == "PATH",
    });
    let inherited: Vec<(OsString, OsString)> = inherited.cloned().collect();
    // What an agent sets is text; the rest is none of ours.
    let texts = vars
        .into_iter()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
    let texts: Vec<(String, String)> = texts.collect();
    let signal_timeout = signal_timeout(&texts)?;
    let announcing = flags.announce.settings()?;
    let logger = flags.logger()?;
    let environment = Environment::from_vars(texts)?;
    let terminate = signal(SignalKind::terminate()).map_err(Error::Signals)?;
    let interrupt = signal(SignalKind::interrupt()).map_err(Error::Signals)?;
    let children = Children::adopt().map_err(Error::Children)?;
    let session = CancellationToken::new();
    let (updates, events) = executor::start(&environment, ContentType::Protobuf, session.clone());
    let preparation = Preparation {
        flags,
        logger,
        announcing,
        container: environment.sandbox.clone(),
        inherited,
        signal_timeout,
        children,
    };
    let signals = [terminate, interrupt];
    let mut executor = Executor::new(environment, preparation, (updates, events), signals);
    executor.run().await;
    session.cancel();
    executor.leave_nothing().await;
    executor.clean().await;
    Ok(())
}

fn signal_timeout(vars: &[(String, String)]) -> Result<Duration, Error> {
    let Some((_, text)) = vars.iter().find(|(name, _)| name == SIGNAL_TIMEOUT_VAR) else {
        return Ok(SIGNAL_TIMEOUT);
    };
    let timeout = text.trim().parse().ok().and_then(|secs| Duration::try_from_secs_f64(secs).ok());
    timeout.filter(|timeout| !timeout.is_zero()).ok_or_else(|| Error::SignalTimeout(text.clone()))
}

struct Executor {
    environment: Environment,
    preparation: Arc<Preparation>,
    updates: Updates,
    events: mpsc::Receiver<SessionEvent>,
    signals: [Signal; 2],
    /// Whether nothing comes from the agent any more, and nothing gets to it.
    session_over: bool,
    running: Option<Task>,
    /// The task that was taken, running or not.
    task: Option<v1::TaskId>,
    /// When the executor ends unless it is given a task.
    idle_until: Option<Instant>,
    /// The uuid of the update after which nothing is left to say.
    last_update: Option<bytes::Bytes>,
    /// When the executor ends whatever is left to say.
    give_up_at: Option<Instant>,
}

impl Executor {
    /// An executor that waits for its task.
    fn new(
        environment: Environment,
        preparation: Preparation,
        (updates, events): (Updates, mpsc::Receiver<SessionEvent>),
        signals: [Signal; 2],
    ) -> Self {
        Self {
            environment,
            preparation: Arc::new(preparation),
            updates,
            events,
            signals,
            session_over: false,
            running: None,
            task: None,
            idle_until: None,
            last_update: None,
            give_up_at: None,
        }
    }

    async fn run(&mut self) {
        loop {
            if self.session_over && self.running.is_none() {
                return;
            }
            let running = self.running.as_mut();
            tokio::select! {
                event = self.events.recv(), if !self.session_over => match event {
                    Some(event) => {
                        if self.handle(event) {
                            return;
                        }
                    }
                    None => self.lost("its session has ended"),
                },
                happened = next(running) => self.happened(happened),
                () = signalled(&mut self.signals) => {
                    if self.shut_down() {
                        return;
                    }
                }
                () = sleep_until(self.idle_until) => {
                    tracing::warn!("no task has come, ending");
                    return;
                }
                () = sleep_until(self.give_up_at) => {
                    tracing::warn!("giving up: the task has not ended, or nobody has heard of it");
                    return;
                }
            }
        }
    }

    /// Ends whatever may still run.
    async fn leave_nothing(&mut self) {
        match self.preparation.children.leave_nothing(runner::KILL_PATIENCE).await {
            Ok(left) if left.is_empty() => {}
            Ok(left) => {
                let pids: Vec<i32> = left.iter().map(|stat| stat.identity.pid).collect();
                tracing::error!(?pids, "processes do not die");
            }
            Err(error) => tracing::error!(%error, "failed to look for the task's processes"),
        }
        if let Some(running) = self.running.take() {
            running.abandon().await;
        }
    }

    /// Removes checkpoints that nobody can do anything with. Nobody else does: agents know nothing
    /// of them.
    async fn clean(&self) {
        let root = self.preparation.flags.checkpoint_root.clone();
        let Some(task) = self.task.clone() else { return };
        let cleaning = tokio::task::spawn_blocking(move || checkpoint::clean(&root, &task.value));
        match tokio::time::timeout(CLEANING, cleaning).await {
            Ok(Ok(Ok(0))) => {}
            Ok(Ok(Ok(removed))) => tracing::info!(removed, "removed old checkpoints"),
            Ok(Ok(Err(error))) => tracing::warn!(%error, "failed to remove old checkpoints"),
            Ok(Err(_)) | Err(_) => tracing::warn!("removing old checkpoints takes too long"),
        }
    }

    /// Gives whether the executor is done.
    fn handle(&mut self, event: SessionEvent) -> bool {
        match event {
            SessionEvent::Subscribed(_) => {
                tracing::info!("subscribed at the agent");
                if self.task.is_none() {
                    self.idle_until.get_or_insert(Instant::now() + IDLE);
                }
            }
            SessionEvent::Launch(task) => self.launch(&task),
            SessionEvent::Kill { task_id, grace } => match &self.running {
                Some(running) if running.id == task_id => {
                    self.kill("Instructed to kill task.", grace);
                }
                _ => tracing::warn!(task = task_id.value, "told to kill a task that does not run"),
            },
            SessionEvent::Acknowledged { uuid, .. } => {
                return self.last_update.as_ref() == Some(&uuid);
            }
            SessionEvent::Shutdown => return self.shut_down(),
            SessionEvent::Lost { reason } => self.lost(&reason),
        }
        false
    }

    /// Gives whether there is nothing to shut down, and nothing left to say.
    fn shut_down(&mut self) -> bool {
        let grace = self.environment.shutdown_grace.saturating_sub(MARGIN);
        if self.running.is_none() {
            if self.last_update.is_none() {
                return true;
            }
            // The end of the task may not have got to the agent yet.
            let by = Instant::now() + grace;
            self.give_up_at = Some(self.give_up_at.map_or(by, |at| at.min(by)));
            return false;
        }
        self.kill("Told to shut down executor.", Some(grace));
        false
    }

    /// Nobody hears the last update; ending is all that is left.
    fn lost(&mut self, reason: &str) {
        tracing::error!(reason, "the agent is lost, ending");
        self.session_over = true;
        self.give_up_at = Some(Instant::now() + self.environment.shutdown_grace);
        let grace = self.environment.shutdown_grace.saturating_sub(MARGIN);
        self.kill("The executor has lost its agent.", Some(grace));
    }

    /// Has the task end, within this time if there is a limit to all of it.
    fn kill(&mut self, reason: &str, within: Option<Duration>) {
        let grace = self.stop_timeout();
        if let Some(running) = &mut self.running {
            let (state, reason) = (v1::TaskState::TaskKilled, reason.to_owned());
            let deadline = within.and_then(|within| Instant::now().checked_add(within));
            running.end(Fate { state, reason, grace }, deadline);
        }
    }

    fn stop_timeout(&self) -> Duration {
        Duration::from_secs(self.preparation.flags.stop_timeout_in_secs)
    }

    fn launch(&mut self, task: &v1::TaskInfo) {
        let id = task.task_id.clone();
        if let Some(taken) = &self.task {
            let message = format!("Task already running on this executor: {}", taken.value);
            self.report(&id, v1::TaskState::TaskLost, Some(message));
            return;
        }
        self.task = Some(id.clone());
        self.idle_until = None;
        let assigned = match assigned(task.data.as_deref().unwrap_or_default()) {
            Ok(assigned) => assigned,
            Err(error) => {
                tracing::error!(cause = root(&error), "failed to read the task");
                self.last_word(&id, v1::TaskState::TaskFailed, error.to_string());
                return;
            }
        };
        self.report(&id, v1::TaskState::TaskStarting, None);
        let preparation = self.preparation.clone();
        let prepared = tokio::task::spawn_blocking(move || preparation.prepare(&assigned));
        let children = self.preparation.children.clone();
        self.running = Some(Task::new(id, children, prepared, self.stop_timeout()));
    }

    fn happened(&mut self, happened: Happened) {
        let Some(id) = self.running.as_ref().map(|running| running.id.clone()) else { return };
        match happened {
            Happened::Well(message) => {
                self.report(&id, v1::TaskState::TaskRunning, Some(message));
            }
            Happened::Ended(state, message) => {
                self.running = None;
                self.last_word(&id, state, message);
            }
        }
    }

    fn last_word(&mut self, id: &v1::TaskId, state: v1::TaskState, message: String) {
        self.last_update = Some(self.report(id, state, Some(message)));
        // An agent that is away comes back within its recovery timeout, and has its say then.
        let patience = LAST_WORD.max(self.environment.recovery_timeout);
        self.give_up_at.get_or_insert(Instant::now() + patience);
    }

    /// Gives the uuid of the update.
    fn report(
        &self,
        id: &v1::TaskId,
        state: v1::TaskState,
        message: Option<String>,
    ) -> bytes::Bytes {
        tracing::info!(task = id.value, state = state.as_str_name(), message, "reporting");
        #[expect(
            clippy::cast_precision_loss,
            reason = "milliseconds fit for the next 200 000 years"
        )]
        let timestamp = now_ms() as f64 / 1000.0;
        self.updates.send(v1::TaskStatus {
            task_id: id.clone(),
            state: state as i32,
            message,
            timestamp: Some(timestamp),
            ..v1::TaskStatus::default()
        })
    }
}

async fn next(running: Option<&mut Task>) -> Happened {
    match running {
        Some(running) => running.next().await,
        None => std::future::pending().await,
    }
}

async fn signalled([terminate, interrupt]: &mut [Signal; 2]) {
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
}

#[cfg(test)]
mod tests {
    use aurora_thermos::spec::Logger;
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Args {
        #[command(flatten)]
        flags: Flags,
    }

    /// An executor whose agent says what it is handed, and has gone away otherwise.
    fn executor() -> (Executor, mpsc::Sender<SessionEvent>) {
        let vars = [
            ("MESOS_AGENT_ENDPOINT", "127.0.0.1:9"),
            ("MESOS_FRAMEWORK_ID", "F"),
            ("MESOS_EXECUTOR_ID", "E"),
            ("MESOS_SANDBOX", "/none"),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()));
        let environment = Environment::from_vars(vars).unwrap();
        let session = CancellationToken::new();
        session.cancel();
        let (updates, _none) = executor::start(&environment, ContentType::Protobuf, session);
        let (agent, events) = mpsc::channel(2);
        let preparation = Preparation {
            flags: Args::parse_from(["executor"]).flags,
            logger: Logger::default(),
            announcing: None,
            container: environment.sandbox.clone(),
            inherited: Vec::new(),
            signal_timeout: SIGNAL_TIMEOUT,
            children: Children::adopt().unwrap(),
        };
        let executor = Executor::new(
            environment,
            preparation,
            (updates, events),
            [SignalKind::terminate(), SignalKind::interrupt()].map(|s| signal(s).unwrap()),
        );
        (executor, agent)
    }

    #[tokio::test(start_paused = true)]
    async fn s53_an_executor_without_a_task_ends() {
        let (mut executor, agent) = executor();
        agent.send(SessionEvent::Subscribed(Box::default())).await.unwrap();
        let began = Instant::now();
        executor.run().await;
        assert_eq!(began.elapsed(), IDLE);
    }

    #[tokio::test(start_paused = true)]
    async fn s59_told_to_shut_down_it_waits_for_its_last_update_to_be_acknowledged() {
        let (mut executor, agent) = executor();
        let id = v1::TaskId { value: "a".to_owned() };
        executor.last_word(&id, v1::TaskState::TaskFinished, String::new());
        agent.send(SessionEvent::Shutdown).await.unwrap();
        let began = Instant::now();
        let moment = Duration::from_secs(1);
        assert!(tokio::time::timeout(moment, executor.run()).await.is_err());
        let uuid = executor.last_update.clone().unwrap();
        agent.send(SessionEvent::Acknowledged { task_id: id.clone(), uuid }).await.unwrap();
        executor.run().await;
        assert_eq!(began.elapsed(), moment);

        // One that is not heard does not outstay the patience of its agent.
        let (mut executor, agent) = self::executor();
        executor.last_word(&id, v1::TaskState::TaskFinished, String::new());
        agent.send(SessionEvent::Shutdown).await.unwrap();
        let began = Instant::now();
        executor.run().await;
        assert_eq!(began.elapsed(), executor.environment.shutdown_grace - MARGIN);
    }
}
