//! Runs one task: the shell around [`crate::machine`].

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rustix::fs::{AtFlags, statat};
use rustix::process::Signal;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::checkpoint::record::{
    Event, Header, ProcessChange, ProcessEvent, ProcessIdentity, Record, TaskEvent, Told,
};
use crate::checkpoint::{Opened, WriteError, Writer};
use crate::history::History;
use crate::machine::{Action, Input, Machine};
use crate::planner::Outcome;
use crate::process::children::{Children, Exit};
use crate::process::image::{Image, Place};
use crate::process::output::{self, RunDirectory};
use crate::process::spawn::{Launch, launch};
use crate::process::user::Credentials;
use crate::spec::TaskSpec;
use crate::state::TaskState;
use crate::takeover::{self, MARK};
use crate::view::Stream;

/// The folder of log files within the sandbox.
pub const LOG_DIR: &str = ".logs";

/// What the shell reads before it runs a command, if it is in the sandbox.
const PROFILE: &str = ".thermos_profile";

/// How often the end of everything is looked for although no child has told of its own: a process
/// may leave the tree by ending a parent that nobody waits for.
const LOOK_AGAIN: Duration = Duration::from_millis(250);

/// How long what was killed has to die. The kernel keeps it that long only if it hangs there.
pub const KILL_PATIENCE: Duration = Duration::from_secs(5);

/// How long what was printed has to arrive after everything has ended: some process that is none of
/// the task's may have been handed the other end of a pipe, and never close it.
const DRAIN: Duration = Duration::from_secs(2);

/// What is to be run, and as whom.
#[derive(Debug)]
pub struct Config {
    /// Where checkpoints are kept.
    pub checkpoint_root: PathBuf,
    /// What is written down first.
    pub header: Header,
    /// The sandbox that the header names, as it was made: its job may have put something else in
    /// its place since.
    pub sandbox: OwnedFd,
    /// The task.
    pub task: TaskSpec,
    /// Who its processes run as; nobody else than this process if absent.
    pub user: Option<Credentials>,
    /// The file system in which its processes run, and in which the sandbox is as well; that of the
    /// machine if absent.
    pub image: Option<Arc<Image>>,
    /// Variables that its processes get besides `HOME`, `USER`, `LOGNAME` and `BASH_ENV`.
    pub environment: Vec<(OsString, OsString)>,
}

/// What a runner can be told.
#[derive(Debug)]
pub enum Command {
    /// End the task.
    Kill {
        /// Why.
        reason: String,
        /// How long its processes have.
        grace: Duration,
    },
    /// Give the task up: it ends at once as LOST, without its final processes.
    Lose {
        /// Why.
        reason: String,
    },
}

/// How a task ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct End {
    /// A terminal state.
    pub state: TaskState,
    /// Why, for people. May be empty.
    pub reason: String,
    /// The ids of its processes that could not be ended: the kernel keeps them.
    pub survivors: Vec<i32>,
}

impl End {
    /// The reason together with what could not be ended; empty if there is neither.
    pub fn told(&self) -> String {
        let pids: Vec<String> = self.survivors.iter().map(i32::to_string).collect();
        let left = format!("these processes could not be ended: {}", pids.join(", "));
        match (self.reason.is_empty(), pids.is_empty()) {
            (_, true) => self.reason.clone(),
            (true, false) => left,
            (false, false) => format!("{}; {left}", self.reason),
        }
    }
}

/// Why a task cannot be run to its end.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// What happens cannot be written down.
    #[error(transparent)]
    Checkpoint(#[from] WriteError),
    /// The kernel does not tell which processes live.
    #[error("failed to look at the processes of the task: {0}")]
    Processes(#[source] std::io::Error),
    /// What another process has left behind does not die.
    #[error("processes that were left of the task could not be ended: {0:?}")]
    Left(Vec<i32>),
}

/// Runs a task to its end. `running` is told when its first process has been started.
///
/// If the checkpoint is there already, because another process ran the task until it died, it is
/// gone on with (`executor.md` 13): what is left of its processes is killed, the runs that were
/// going on are LOST, and everything that was written down counts. A task that has ended has ended.
///
/// Must be called on a thread that lives as long as the task: its processes end with it.
///
/// # Errors
/// The checkpoint cannot be written, is that of another task, is damaged, or is being written by
/// another process; or `/proc` cannot be read. All processes are ended before.
pub async fn run(
    config: Config,
    children: Children,
    mut commands: mpsc::UnboundedReceiver<Command>,
    running: oneshot::Sender<()>,
) -> Result<End, RunError> {
    let task = Arc::new(config.task.clone());
    let began = Instant::now();
    let (writer, machine) =
        match takeover::open(Writer::open, &config.checkpoint_root, &config.header).await? {
            Opened::New(writer) => (writer, Machine::new(task.clone())),
            Opened::Existing(mut writer, history) => {
                if let Some(end) = end_of(&history) {
                    return Ok(end);
                }
                let history = takeover::take_over(&mut writer, *history, &config.header).await?;
                let until = history.time_left(now_ms()).map(|left| began.elapsed() + left);
                (writer, Machine::resume(task.clone(), &history, began.elapsed(), until))
            }
        };
    let mark = takeover::mark(&config.header.task_id, &writer.mark()?);
    let mut runner = Runner {
        machine,
        task,
        children,
        writer,
        mark,
        config,
        began,
        live: BTreeMap::new(),
        exits: JoinSet::new(),
        copies: JoinSet::new(),
        running: Some(running),
        end: None,
        waits_for_all: false,
        survivors: Vec::new(),
    };
    let result = runner.run(&mut commands).await;
    if result.is_err() {
        runner.kill_all().await;
    }
    // What was copied from pipes is whole before the task counts as ended.
    let copies = async { while runner.copies.join_next().await.is_some() {} };
    if tokio::time::timeout(DRAIN, copies).await.is_err() {
        tracing::warn!("a process that is none of the task's still holds its output open");
    }
    result
}

/// How a task has ended, if it has.
fn end_of(history: &History) -> Option<End> {
    let last = history.statuses().last()?;
    // The record tells what could not be ended, if anything, with the reason.
    let end = || End { state: last.state, reason: last.reason.clone(), survivors: Vec::new() };
    last.state.is_terminal().then(end)
}

struct Runner {
    task: Arc<TaskSpec>,
    machine: Machine,
    children: Children,
    writer: Writer,
    /// The value of [`MARK`].
    mark: String,
    config: Config,
    began: Instant,
    /// The runs that have begun and not ended: their number.
    live: BTreeMap<usize, u32>,
    exits: JoinSet<(usize, Option<Exit>)>,
    copies: JoinSet<()>,
    running: Option<oneshot::Sender<()>>,
    end: Option<End>,
    /// Whether [`Input::AllGone`] is to be said.
    waits_for_all: bool,
    /// The ids of what could not be ended.
    survivors: Vec<i32>,
}

impl Runner {
    async fn run(
        &mut self,
        commands: &mut mpsc::UnboundedReceiver<Command>,
    ) -> Result<End, RunError> {
        let mut changes = self.children.changes();
        self.handle(Input::Begin).await?;
        loop {
            if let Some(end) = &self.end
                && self.live.is_empty()
            {
                let end = end.clone();
                self.writer.sync().await?;
                return Ok(end);
            }
            if self.waits_for_all && self.live.is_empty() && self.is_alone()? {
                self.waits_for_all = false;
                self.handle(Input::AllGone).await?;
                continue;
            }
            let wakeup = self.machine.next_wakeup().map(|at| self.began + at);
            let look_again = self.waits_for_all.then(|| Instant::now() + LOOK_AGAIN);
            let wakeup = match (wakeup, look_again) {
                (Some(a), Some(b)) => Some(a.min(b)),
                (a, b) => a.or(b),
            };
            tokio::select! {
                Some(ended) = self.exits.join_next() => {
                    if let Ok((process, exit)) = ended {
                        self.ended(process, exit).await?;
                    }
                }
                Some(command) = commands.recv() => {
                    let input = match command {
                        Command::Kill { reason, grace } => Input::Kill { reason, grace },
                        Command::Lose { reason } => Input::Lose { reason },
                    };
                    self.handle(input).await?;
                }
                // What is over is not kept until the task is.
                Some(_copied) = self.copies.join_next() => {}
                Ok(()) = changes.changed(), if self.waits_for_all => {}
                () = sleep_until(wakeup) => self.handle(Input::Tick).await?,
            }
        }
    }

    async fn handle(&mut self, input: Input) -> Result<(), RunError> {
        let mut inputs = vec![input];
        while let Some(input) = inputs.pop() {
            for action in self.machine.handle(self.began.elapsed(), input) {
                match action {
                    Action::Enter { state, reason } => self.enter(state, reason)?,
                    Action::Told { state, reason, until } => self.told(state, reason, until)?,
                    Action::Start { process, run } => inputs.extend(self.start(process, run)?),
                    Action::Terminate => {
                        // What a shell leaves behind when it ends is asked to end as well.
                        self.children.spare_sessions(true);
                        if let Err(error) = self.children.signal_all(Signal::TERM) {
                            tracing::error!(%error, "failed to look for the task's processes");
                        }
                        self.waits_for_all = true;
                    }
                    Action::KillAll => {
                        self.kill_all().await;
                        self.take_ends_in().await?;
                        self.children.spare_sessions(false);
                    }
                }
            }
        }
        Ok(())
    }

    fn write(&mut self, event: Event) -> Result<(), RunError> {
        Ok(self.writer.append(&Record { time_ms: now_ms(), event })?)
    }

    fn enter(&mut self, state: TaskState, mut reason: String) -> Result<(), RunError> {
        if state.is_terminal() {
            let end = End { state, reason, survivors: self.survivors.clone() };
            reason = end.told();
            self.end = Some(end);
        }
        self.write(Event::Task(TaskEvent { state, reason }))
    }

    fn told(&mut self, state: TaskState, reason: String, until: Duration) -> Result<(), RunError> {
        let left = until.saturating_sub(self.began.elapsed());
        let left = i64::try_from(left.as_millis()).unwrap_or(i64::MAX);
        let until_ms = now_ms().saturating_add(left);
        self.write(Event::Told(Told { state, reason, until_ms }))
    }

    fn change(&mut self, process: usize, run: u32, change: ProcessChange) -> Result<(), RunError> {
        let Some(spec) = self.task.processes.get(process) else { return Ok(()) };
        let process = spec.name.clone();
        self.write(Event::Process(ProcessEvent { process, run, change }))
    }

    /// Starts a run. One that cannot be started has failed, which is told back.
    fn start(&mut self, process: usize, run: u32) -> Result<Option<Input>, RunError> {
        self.change(process, run, ProcessChange::Waiting)?;
        let started = self.try_start(process, run);
        match started {
            Ok(identity) => {
                self.change(process, run, ProcessChange::Forked)?;
                self.change(process, run, ProcessChange::Running(identity))?;
                self.live.insert(process, run);
                if let Some(running) = self.running.take() {
                    // The executor may be past caring.
                    let _ = running.send(());
                }
                Ok(None)
            }
            Err(reason) => {
                let change = ProcessChange::Failed { exit_code: None, reason: reason.clone() };
                self.change(process, run, change)?;
                Ok(Some(Input::Ended { process, outcome: Outcome::Failure, how: reason }))
            }
        }
    }

    /// The sandbox is made again if a process has removed it.
    fn run_directory(&mut self, process: &str, run: u32) -> Result<RunDirectory, String> {
        let user = self.config.user.as_ref();
        let create = |sandbox: BorrowedFd<'_>| {
            RunDirectory::create(sandbox, LOG_DIR, process, run, user)
                .map_err(|error| error.to_string())
        };
        match rustix::fs::fstat(&self.config.sandbox) {
            Ok(stat) if stat.st_nlink > 0 => return create(self.config.sandbox.as_fd()),
            // The new one would not be in the image.
            Ok(_removed) if self.config.image.is_some() => {
                return Err("the sandbox was removed".to_owned());
            }
            Ok(_removed) => {}
            Err(errno) => return Err(format!("failed to look at the sandbox: {errno}")),
        }
        let path = &self.config.header.sandbox;
        self.config.sandbox = output::create_sandbox(path, user)
            .map_err(|error| format!("the sandbox was removed; {error}"))?;
        create(self.config.sandbox.as_fd())
    }

    fn try_start(&mut self, process: usize, run: u32) -> Result<ProcessIdentity, String> {
        let task = Arc::clone(&self.task);
        let spec = task.processes.get(process).ok_or("there is no such process")?;
        let directory = Arc::new(self.run_directory(&spec.name, run)?);
        let user = self.config.user.as_ref();
        let sandbox = self.config.sandbox.as_fd();
        let image = self.config.image.as_deref();
        let environment = self.environment();
        let launched = launch(
            &self.children,
            &Launch {
                command: &spec.command,
                environment: &environment,
                place: Place::new(image, sandbox),
                user: user.filter(|user| !user.is_current()),
                stdout: directory.sink(&spec.logger, Stream::Stdout),
                stderr: directory.sink(&spec.logger, Stream::Stderr),
            },
        )
        .map_err(|error| error.to_string())?;
        for (stream, pipe) in [(Stream::Stdout, launched.stdout), (Stream::Stderr, launched.stderr)]
        {
            let Some(pipe) = pipe else { continue };
            match directory.clone().copy(&spec.logger, stream, pipe) {
                Ok(copy) => drop(self.copies.spawn(copy)),
                // The process ends when it prints: there is nobody left to take it.
                Err(error) => tracing::error!(%error, process = spec.name, "output is not taken"),
            }
        }
        let exit = launched.child.exit;
        self.exits.spawn(async move { (process, exit.await.ok()) });
        Ok(launched.child.identity)
    }

    fn environment(&self) -> Vec<(OsString, OsString)> {
        let image = self.config.image.as_deref();
        let sandbox = image.map_or(&self.config.header.sandbox, |image| &image.directory);
        let mut all = self.config.environment.clone();
        all.push((MARK.into(), self.mark.clone().into()));
        all.push(("HOME".into(), sandbox.into()));
        if let Some(user) = &self.config.user {
            all.extend(user.environment());
        }
        // A link leads somewhere else in an image than here: the shell finds out.
        let found = statat(&self.config.sandbox, PROFILE, AtFlags::SYMLINK_NOFOLLOW);
        if found.is_ok() {
            all.push(("BASH_ENV".into(), sandbox.join(PROFILE).into()));
        }
        all
    }

    async fn ended(&mut self, process: usize, exit: Option<Exit>) -> Result<(), RunError> {
        match self.write_end(process, exit)? {
            Some((outcome, how)) => self.handle(Input::Ended { process, outcome, how }).await,
            None => Ok(()),
        }
    }

    /// Writes down how a run ended. Gives what that means for the plan, and how it is told.
    fn write_end(
        &mut self,
        process: usize,
        exit: Option<Exit>,
    ) -> Result<Option<(Outcome, String)>, RunError> {
        let Some(run) = self.live.remove(&process) else { return Ok(None) };
        let (change, outcome, how) = match exit {
            Some(Exit::Code(0)) => (ProcessChange::Success, Outcome::Success, String::new()),
            Some(exit @ Exit::Code(code)) => {
                let change = ProcessChange::Failed { exit_code: Some(code), reason: String::new() };
                (change, Outcome::Failure, exit.to_string())
            }
            Some(exit @ Exit::Signal(signal)) => {
                (ProcessChange::Killed { signal }, Outcome::Lost, exit.to_string())
            }
            None => (ProcessChange::Lost, Outcome::Lost, "unknown".to_owned()),
        };
        self.change(process, run, change)?;
        Ok(Some((outcome, how)))
    }

    /// Writes down how the runs ended that were killed just now. Their ends decide nothing.
    async fn take_ends_in(&mut self) -> Result<(), RunError> {
        let deadline = Instant::now() + KILL_PATIENCE;
        while !self.live.is_empty() && self.survivors.is_empty() {
            match tokio::time::timeout_at(deadline, self.exits.join_next()).await {
                Ok(Some(Ok((process, exit)))) => drop(self.write_end(process, exit)?),
                Ok(Some(Err(_))) => {}
                Ok(None) | Err(_) => break,
            }
        }
        for (process, run) in std::mem::take(&mut self.live) {
            self.change(process, run, ProcessChange::Lost)?;
        }
        Ok(())
    }

    fn is_alone(&self) -> Result<bool, RunError> {
        self.children.living().map(|living| living.is_empty()).map_err(RunError::Processes)
    }

    /// Ends everything that lives, and what it starts meanwhile.
    async fn kill_all(&mut self) {
        match self.children.kill_all(KILL_PATIENCE).await {
            Ok(left) => {
                self.survivors = left.iter().map(|stat| stat.identity.pid).collect();
                if !left.is_empty() {
                    tracing::error!(pids = ?self.survivors, "processes do not die");
                }
            }
            Err(error) => tracing::error!(%error, "failed to look for the task's processes"),
        }
    }
}

async fn sleep_until(at: Option<Instant>) {
    match at {
        Some(at) => tokio::time::sleep_until(at).await,
        None => std::future::pending().await,
    }
}

/// Wall clock, milliseconds since the Unix epoch.
pub fn now_ms() -> i64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}
