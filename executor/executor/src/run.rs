//! One executor, one task (`executor.md` 2).

use std::path::PathBuf;
use std::time::Duration;

use aurora_mesos::body::ContentType;
use aurora_mesos::executor::{self, Environment, EnvironmentError, SessionEvent, Updates};
use aurora_mesos::v1;
use aurora_thermos::checkpoint::record::{Header, JobInstance};
use aurora_thermos::process::children::Children;
use aurora_thermos::process::tree;
use aurora_thermos::runner::{self, Command, Config, End, RunError, now_ms};
use aurora_thermos::spec::{SpecError, TaskSpec};
use aurora_thermos::state::TaskState;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::Flags;
use crate::bind::{BindError, bind, role};
use crate::sandbox::{SandboxError, create, identity};

/// How long the agent has to acknowledge the last update before the executor ends all the same.
const LAST_WORD: Duration = Duration::from_secs(10);
/// What is kept of the agent's grace period for the last update to go out.
const MARGIN: Duration = Duration::from_millis(500);

/// Why an executor cannot do its work.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// It was not started by an agent.
    #[error(transparent)]
    Environment(#[from] EnvironmentError),
    /// The kernel does not let it see to its children.
    #[error("failed to become the parent of orphaned processes: {0}")]
    Children(#[source] std::io::Error),
}

/// Why a task cannot be started, in the words that its user sees.
#[derive(Debug, thiserror::Error)]
enum StartError {
    #[error(transparent)]
    Bind(#[from] BindError),
    #[error(transparent)]
    Sandbox(#[from] SandboxError),
    #[error("Got invalid task: {0}")]
    Spec(#[from] SpecError),
    #[error("failed to look at this process: {0}")]
    Process(#[from] std::io::Error),
}

/// A task that runs.
struct Running {
    id: v1::TaskId,
    commands: mpsc::UnboundedSender<Command>,
    runner: JoinHandle<Result<End, RunError>>,
    /// Told when the first process runs; then none.
    started: Option<oneshot::Receiver<()>>,
    remark: Option<String>,
}

/// Runs the executor to its end. `vars` are the variables its agent has set.
///
/// Must be called within a runtime of one thread: the task's processes end with the thread that
/// starts them.
///
/// # Errors
/// The variables are not those of an executor, or the kernel is too old. What goes wrong with the
/// task is reported to the agent instead.
pub async fn run(
    flags: Flags,
    vars: impl IntoIterator<Item = (String, String)>,
) -> Result<(), Error> {
    let vars: Vec<(String, String)> = vars.into_iter().collect();
    let environment = Environment::from_vars(vars.iter().cloned())?;
    let path = vars.into_iter().find(|(name, _)| name == "PATH").map(|(_, value)| value);
    let children = Children::adopt().map_err(Error::Children)?;
    let session = CancellationToken::new();
    let (updates, events) = executor::start(&environment, ContentType::Protobuf, session.clone());
    let mut executor = Executor {
        flags,
        environment,
        path,
        children,
        updates,
        events,
        running: None,
        last_update: None,
        give_up_at: None,
        taken: false,
    };
    executor.run().await;
    session.cancel();
    Ok(())
}

struct Executor {
    flags: Flags,
    environment: Environment,
    path: Option<String>,
    children: Children,
    updates: Updates,
    events: mpsc::Receiver<SessionEvent>,
    running: Option<Running>,
    /// The uuid of the update after which nothing is left to say.
    last_update: Option<bytes::Bytes>,
    /// When the executor ends whatever is left to say.
    give_up_at: Option<Instant>,
    /// Whether a task was taken.
    taken: bool,
}

impl Executor {
    async fn run(&mut self) {
        loop {
            let running = self.running.as_mut();
            tokio::select! {
                event = self.events.recv() => match event {
                    Some(event) => {
                        if self.handle(event).await {
                            return;
                        }
                    }
                    None => return,
                },
                happened = progress(running) => match happened {
                    Progress::Started => {
                        let remark = self.running.as_ref().and_then(|task| task.remark.clone());
                        self.report_running(v1::TaskState::TaskRunning, remark).await;
                    }
                    Progress::Ended(end) => self.ended(end).await,
                },
                () = sleep_until(self.give_up_at) => {
                    tracing::warn!("the agent has not acknowledged the last update in time");
                    return;
                }
            }
        }
    }

    /// Gives whether the executor is done.
    async fn handle(&mut self, event: SessionEvent) -> bool {
        match event {
            SessionEvent::Subscribed(_) => tracing::info!("subscribed at the agent"),
            SessionEvent::Launch(task) => self.launch(*task).await,
            SessionEvent::Kill { task_id, grace } => {
                let grace = grace.unwrap_or(Duration::from_secs(self.flags.stop_timeout_in_secs));
                match &self.running {
                    Some(running) if running.id == task_id => {
                        self.kill("Instructed to kill task.", grace);
                    }
                    _ => tracing::warn!(
                        task = task_id.value,
                        "told to kill a task that does not run"
                    ),
                }
            }
            SessionEvent::Acknowledged { uuid, .. } => {
                return self.last_update.as_ref() == Some(&uuid);
            }
            SessionEvent::Shutdown => {
                if self.running.is_none() {
                    return true;
                }
                let grace = self.environment.shutdown_grace.saturating_sub(MARGIN);
                self.kill("The executor was told to shut down.", grace);
            }
            SessionEvent::Lost { reason } => {
                tracing::error!(reason, "the agent is lost, ending");
                if self.running.is_none() {
                    return true;
                }
                // Nobody hears the last update; ending is all that is left.
                self.give_up_at = Some(Instant::now() + self.environment.shutdown_grace);
                let grace = self.environment.shutdown_grace.saturating_sub(MARGIN);
                self.kill("The executor has lost its agent.", grace);
            }
        }
        false
    }

    fn kill(&mut self, reason: &str, grace: Duration) {
        if let Some(running) = &self.running {
            // A runner that has just ended takes no more commands; its end is on its way.
            let _ = running.commands.send(Command::Kill { reason: reason.to_owned(), grace });
        }
    }

    async fn launch(&mut self, task: v1::TaskInfo) {
        let id = task.task_id.clone();
        if self.taken {
            let message = "An executor runs one task, and this one has another.".to_owned();
            self.report(&id, v1::TaskState::TaskFailed, Some(message)).await;
            return;
        }
        self.taken = true;
        self.report(&id, v1::TaskState::TaskStarting, Some("Initializing sandbox.".to_owned()))
            .await;
        match self.start(&task) {
            Ok(running) => self.running = Some(running),
            Err(error) => {
                tracing::error!(%error, "failed to start the task");
                self.last_word(&id, v1::TaskState::TaskFailed, error.to_string()).await;
            }
        }
    }

    fn start(&self, task: &v1::TaskInfo) -> Result<Running, StartError> {
        let data = task.data.as_deref().unwrap_or_default();
        let identity = identity(&role(data)?, &self.flags)?;
        let bound = bind(data, &identity.user.name)?;
        let spec = TaskSpec::new(&bound.task)?;
        let sandbox = create(&self.environment.sandbox, &identity.user)?;
        let header = Header {
            task_id: bound.task_id,
            task_json: bound.task_json,
            job: Some(JobInstance {
                role: bound.job.role().to_owned(),
                environment: bound.job.environment().to_owned(),
                name: bound.job.name().to_owned(),
                instance: bound.instance,
            }),
            log_dir: sandbox.path.join(runner::LOG_DIR),
            sandbox: sandbox.path,
            hostname: bound.hostname,
            user: identity.user.name.clone(),
            uid: identity.user.uid,
            ports: bound.ports,
            runner: tree::identify(std::process::id().cast_signed())?,
            boot_id: tree::boot_id()?,
        };
        let config = Config {
            checkpoint_root: self.flags.checkpoint_root.clone(),
            header,
            sandbox: sandbox.folder,
            task: spec,
            user: Some(identity.user),
            environment: self.process_environment(),
        };
        let (commands, receiver) = mpsc::unbounded_channel();
        let (sender, started) = oneshot::channel();
        let runner = tokio::spawn(runner::run(config, self.children.clone(), receiver, sender));
        Ok(Running {
            id: task.task_id.clone(),
            commands,
            runner,
            started: Some(started),
            remark: identity.remark,
        })
    }

    /// What the task's processes inherit. The agent finds by `MESOS_SANDBOX` what is left of a
    /// container whose executor has died.
    fn process_environment(&self) -> Vec<(std::ffi::OsString, std::ffi::OsString)> {
        let container: PathBuf = self.environment.sandbox.clone();
        let mut all = vec![("MESOS_SANDBOX".into(), container.into())];
        if let Some(path) = &self.path {
            all.push(("PATH".into(), path.into()));
        }
        all
    }

    async fn ended(&mut self, end: Result<End, String>) {
        let Some(running) = self.running.take() else { return };
        let (state, message) = match end {
            Ok(End { state, reason }) => {
                let state = match state {
                    TaskState::Success => v1::TaskState::TaskFinished,
                    TaskState::Killed => v1::TaskState::TaskKilled,
                    TaskState::Lost => v1::TaskState::TaskLost,
                    _ => v1::TaskState::TaskFailed,
                };
                let message = if reason.is_empty() { "Task finished.".to_owned() } else { reason };
                (state, message)
            }
            Err(reason) => (v1::TaskState::TaskFailed, reason),
        };
        self.last_word(&running.id, state, message).await;
    }

    async fn report_running(&mut self, state: v1::TaskState, message: Option<String>) {
        if let Some(id) = self.running.as_ref().map(|running| running.id.clone()) {
            self.report(&id, state, message).await;
        }
    }

    async fn last_word(&mut self, id: &v1::TaskId, state: v1::TaskState, message: String) {
        self.last_update = Some(self.report(id, state, Some(message)).await);
        // An agent that is away comes back within its recovery timeout, and has its say then.
        let patience = LAST_WORD.max(self.environment.recovery_timeout);
        self.give_up_at.get_or_insert(Instant::now() + patience);
    }

    async fn report(
        &mut self,
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
        let status = v1::TaskStatus {
            task_id: id.clone(),
            state: state as i32,
            message,
            timestamp: Some(timestamp),
            ..v1::TaskStatus::default()
        };
        let (uuid, sent) = self.updates.send(status).await;
        if let Err(error) = sent {
            tracing::warn!(%error, "failed to send an update; it goes with the next subscription");
        }
        uuid
    }
}

enum Progress {
    Started,
    Ended(Result<End, String>),
}

async fn progress(running: Option<&mut Running>) -> Progress {
    let Some(running) = running else { return std::future::pending().await };
    if let Some(started) = running.started.as_mut() {
        tokio::select! {
            biased;
            told = started => {
                running.started = None;
                if told.is_ok() {
                    return Progress::Started;
                }
            }
            ended = &mut running.runner => return Progress::Ended(flatten(ended)),
        }
    }
    Progress::Ended(flatten((&mut running.runner).await))
}

fn flatten(ended: Result<Result<End, RunError>, tokio::task::JoinError>) -> Result<End, String> {
    match ended {
        Ok(Ok(end)) => Ok(end),
        Ok(Err(error)) => Err(error.to_string()),
        Err(error) => Err(format!("the runner has failed: {error}")),
    }
}

async fn sleep_until(at: Option<Instant>) {
    match at {
        Some(at) => tokio::time::sleep_until(at).await,
        None => std::future::pending().await,
    }
}
