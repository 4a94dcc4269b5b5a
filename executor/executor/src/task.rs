//! The one task of an executor, from its preparation to its end (`executor.md` 2.3 and 2.5).

use std::time::Duration;

use aurora_mesos::v1;
use aurora_thermos::process::children::Children;
use aurora_thermos::runner::{self, Command, End, RunError};
use aurora_thermos::state::TaskState;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::checks::health::{self, Asker};
use crate::checks::{Checks, Verdict};
use crate::lifecycle::{Lifecycle, Limits};
use crate::prepare::{Plan, Prepared, StartError};

/// How long a task may be prepared.
const PREPARATION: Duration = Duration::from_secs(600);
/// How long checks have to stop.
const CHECKS_STOP: Duration = Duration::from_secs(5);

/// What there is to report of a task.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Happened {
    /// It is well, for the first time.
    Well(String),
    /// It is over: in which state, and why.
    Ended(v1::TaskState, String),
}

/// How a task is to end.
#[derive(Debug, Clone)]
pub(crate) struct Fate {
    /// What it will have been.
    pub(crate) state: v1::TaskState,
    /// Why, for people.
    pub(crate) reason: String,
    /// How long its processes have once they are told.
    pub(crate) grace: Duration,
}

/// The task.
pub(crate) struct Task {
    pub(crate) id: v1::TaskId,
    children: Children,
    stage: Stage,
    /// The first that was decided about its end.
    fate: Option<Fate>,
    /// By when it has to be over, if anybody has said so.
    limits: watch::Sender<Option<Limits>>,
    /// How long its processes have when its checks want it to end.
    grace: Duration,
}

enum Stage {
    Prepared { by: JoinHandle<Result<Prepared, StartError>>, until: Instant },
    Runs(Box<Runs>),
    Over,
}

/// A task whose processes run.
struct Runs {
    commands: mpsc::UnboundedSender<Command>,
    runner: JoinHandle<Result<End, RunError>>,
    /// Told when the first process runs.
    started: Option<oneshot::Receiver<()>>,
    plan: Option<Plan>,
    lifecycle: Option<Lifecycle>,
    remark: Option<String>,
    checks: Checks,
    /// Whether it was said that the task is well.
    was_well: bool,
    /// Stops the checks and, if the task does not end by itself, sees to that.
    closing: Option<JoinHandle<()>>,
    /// Cancelled when the runner has ended.
    over: CancellationToken,
    end: Option<Result<End, String>>,
}

impl Task {
    /// A task that is being prepared.
    pub(crate) fn new(
        id: v1::TaskId,
        children: Children,
        prepared: JoinHandle<Result<Prepared, StartError>>,
        grace: Duration,
    ) -> Self {
        let stage = Stage::Prepared { by: prepared, until: Instant::now() + PREPARATION };
        Self { id, children, stage, fate: None, limits: watch::Sender::new(None), grace }
    }

    /// Waits for something to report. May be dropped and called again; not after the end.
    pub(crate) async fn next(&mut self) -> Happened {
        loop {
            let happened = match &mut self.stage {
                Stage::Prepared { by, until } => {
                    if self.fate.is_some() {
                        let reason = "Task killed during initialization.".to_owned();
                        Some(Happened::Ended(v1::TaskState::TaskKilled, reason))
                    } else {
                        match prepared(by, *until).await {
                            Ok(prepared) => {
                                let runs = Runs::start(prepared, &self.children);
                                self.stage = Stage::Runs(Box::new(runs));
                                None
                            }
                            Err(why) => Some(Happened::Ended(v1::TaskState::TaskFailed, why)),
                        }
                    }
                }
                Stage::Runs(runs) => match runs.next().await {
                    Step::Well(message) => Some(Happened::Well(message)),
                    Step::Unwell(reason) => {
                        let state = v1::TaskState::TaskFailed;
                        self.end(Fate { state, reason, grace: self.grace }, None);
                        None
                    }
                    Step::Ended(end) => Some(self.ended(end)),
                },
                Stage::Over => std::future::pending().await,
            };
            if let Some(happened) = happened {
                if matches!(happened, Happened::Ended(..)) {
                    self.stage = Stage::Over;
                }
                return happened;
            }
        }
    }

    /// Has the task end; what is decided first counts. All must be over by `deadline`: a later call
    /// may only bring it nearer.
    pub(crate) fn end(&mut self, fate: Fate, deadline: Option<Instant>) {
        if let Some(deadline) = deadline {
            self.limits.send_if_modified(|limits| {
                let nearer = limits.is_none_or(|limits| deadline < limits.end_by);
                if nearer {
                    *limits = Some(Limits::new(Instant::now(), deadline));
                }
                nearer
            });
        }
        if let Stage::Runs(runs) = &mut self.stage {
            runs.close(&fate, &self.limits);
        }
        self.fate.get_or_insert(fate);
    }

    /// Ends what may still run, when nobody waits for it any more. Its processes are dead.
    pub(crate) async fn abandon(self) {
        let Stage::Runs(mut runs) = self.stage else { return };
        runs.over.cancel();
        runs.checks.stop(CHECKS_STOP).await;
        if runs.end.is_some() {
            return;
        }
        // With nothing left that lives the runner comes to its end, and writes it down.
        if tokio::time::timeout(runner::KILL_PATIENCE, &mut runs.runner).await.is_err() {
            runs.runner.abort();
        }
    }

    fn ended(&self, end: Result<End, String>) -> Happened {
        if let Some(fate) = &self.fate {
            let reason = match end {
                // It may have more to say about how it came to that end.
                Ok(end) if end.reason.starts_with(&fate.reason) => end.reason,
                Ok(_) => fate.reason.clone(),
                Err(error) => format!("{}; {error}", fate.reason),
            };
            return Happened::Ended(fate.state, reason);
        }
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
        Happened::Ended(state, message)
    }
}

async fn prepared(
    by: &mut JoinHandle<Result<Prepared, StartError>>,
    until: Instant,
) -> Result<Prepared, String> {
    match tokio::time::timeout_at(until, by).await {
        Ok(Ok(Ok(prepared))) => Ok(prepared),
        Ok(Ok(Err(error))) => Err(error.to_string()),
        Ok(Err(error)) => Err(format!("Unknown exception initializing sandbox: {error}")),
        Err(_late) => Err("Timed out waiting for sandbox to initialize!".to_owned()),
    }
}

enum Step {
    Well(String),
    Unwell(String),
    Ended(Result<End, String>),
}

impl Runs {
    fn start(prepared: Prepared, children: &Children) -> Self {
        let Prepared { config, checks: plan, lifecycle, remark } = prepared;
        let (commands, receiver) = mpsc::unbounded_channel();
        let (sender, started) = oneshot::channel();
        let runner = tokio::spawn(runner::run(config, children.clone(), receiver, sender));
        Self {
            commands,
            runner,
            started: Some(started),
            plan: Some(plan),
            lifecycle,
            remark,
            checks: Checks::new(),
            was_well: false,
            closing: None,
            over: CancellationToken::new(),
            end: None,
        }
    }

    async fn next(&mut self) -> Step {
        loop {
            if let Some(end) = self.end.take_if(|_| self.closing.is_none()) {
                return Step::Ended(end);
            }
            tokio::select! {
                biased;
                told = started(&mut self.started), if self.closing.is_none() => {
                    self.started = None;
                    if told.is_ok() && let Some(plan) = self.plan.take() {
                        start_checks(&mut self.checks, plan);
                    }
                }
                ended = &mut self.runner, if self.end.is_none() => {
                    self.end = Some(flatten(ended));
                    self.over.cancel();
                    if self.closing.is_none() {
                        let mut checks = std::mem::replace(&mut self.checks, Checks::new());
                        let stopped = async move { checks.stop(CHECKS_STOP).await };
                        self.closing = Some(tokio::spawn(stopped));
                    }
                }
                () = closed(&mut self.closing), if self.end.is_some() => self.closing = None,
                () = self.checks.changed(), if self.closing.is_none() => {}
            }
            if self.closing.is_none() && self.end.is_none() {
                match self.checks.verdict() {
                    Verdict::Running(message) if !self.was_well => {
                        self.was_well = true;
                        return Step::Well(self.remark.clone().unwrap_or(message));
                    }
                    Verdict::Failed(reason) => return Step::Unwell(reason),
                    _ => {}
                }
            }
        }
    }

    /// Stops the checks, asks the task to end, and then has its processes told. If all that was
    /// done, a second call can only shorten the time they have.
    fn close(&mut self, fate: &Fate, limits: &watch::Sender<Option<Limits>>) {
        if self.end.is_some() {
            return;
        }
        let commands = self.commands.clone();
        let Fate { reason, grace, .. } = fate.clone();
        let limits = limits.subscribe();
        let tell = move |limits: &watch::Receiver<Option<Limits>>| {
            let left = |limits: Limits| limits.end_by.saturating_duration_since(Instant::now());
            let grace = limits.borrow().map_or(grace, |limits| grace.min(left(limits)));
            // A runner that has just ended takes no more commands; its end is on its way.
            let _ = commands.send(Command::Kill { reason, grace });
        };
        match &self.closing {
            Some(closing) if closing.is_finished() => tell(&limits),
            // It looks at the limits before it tells.
            Some(_) => {}
            None => {
                let mut checks = std::mem::replace(&mut self.checks, Checks::new());
                let lifecycle = self.lifecycle.take();
                let over = self.over.clone();
                self.closing = Some(tokio::spawn(async move {
                    checks.stop(CHECKS_STOP).await;
                    if let Some(lifecycle) = lifecycle {
                        tokio::select! {
                            () = over.cancelled() => return,
                            () = lifecycle.ask(limits.clone()) => {}
                        }
                    }
                    tell(&limits);
                }));
            }
        }
    }
}

fn start_checks(checks: &mut Checks, plan: Plan) {
    match plan.checker {
        Some(checker) => {
            let sandbox = plan.surroundings.sandbox.clone();
            let asker = Asker::new(checker, plan.health.timeout_secs, plan.surroundings);
            checks.start("health", Verdict::Starting, |say, stop| {
                health::watch(plan.health, asker, sandbox, say, stop)
            });
        }
        None => {
            let well = Verdict::Running(health::ASSUMED.to_owned());
            checks.start("health", well, |_, _| std::future::ready(()));
        }
    }
}

async fn started(
    started: &mut Option<oneshot::Receiver<()>>,
) -> Result<(), oneshot::error::RecvError> {
    match started {
        Some(started) => started.await,
        None => std::future::pending().await,
    }
}

async fn closed(closing: &mut Option<JoinHandle<()>>) {
    if let Some(closing) = closing
        && let Err(error) = closing.await
    {
        tracing::error!(%error, "failed to stop the checks");
    }
}

fn flatten(ended: Result<Result<End, RunError>, tokio::task::JoinError>) -> Result<End, String> {
    match ended {
        Ok(Ok(end)) => Ok(end),
        Ok(Err(error)) => Err(error.to_string()),
        Err(error) => Err(format!("the runner has failed: {error}")),
    }
}
