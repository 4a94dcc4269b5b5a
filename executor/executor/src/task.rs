//! The one task of an executor, from its preparation to its end (`executor.md` 2.3 and 2.5).

use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::Duration;

use aurora_mesos::v1;
use aurora_model::config::ReadinessConfig;
use aurora_thermos::process::children::Children;
use aurora_thermos::runner::{self, Command, End, RunError};
use aurora_thermos::state::TaskState;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::autopsy::Autopsy;
use crate::checks::health::{self, Asker, Surroundings, readiness};
use crate::checks::{Checks, Verdict, disk};
use crate::lifecycle::{Lifecycle, Limits};
use crate::prepare::{Plan, Prepared, StartError};

/// How long a task may be prepared.
const PREPARATION: Duration = Duration::from_secs(600);
/// How long checks have to stop, if there is time for that: at most a quarter of what there is.
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
    /// Whether it takes work.
    ready: watch::Sender<bool>,
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
    autopsy: Option<Autopsy>,
    /// Whether its checks want it to end: what it leaves behind is looked at then, too.
    is_ill: bool,
    ready: watch::Sender<bool>,
    /// What is to be asked when it runs.
    readiness: Option<Readiness>,
    remark: Option<String>,
    checks: Checks,
    /// Whether it was said that the task is well.
    was_well: bool,
    /// Stops the checks and, if the task does not end by itself, sees to that.
    /// Gives what there is to add to the reason of its end.
    closing: Option<JoinHandle<String>>,
    /// Cancelled when the runner has ended.
    over: CancellationToken,
    end: Option<Result<End, String>>,
    /// What there is to add to it.
    more: String,
}

/// How it is found out whether a task takes work.
type Readiness = (ReadinessConfig, Asker, Arc<OwnedFd>);

impl Task {
    /// A task that is being prepared.
    pub(crate) fn new(
        id: v1::TaskId,
        children: Children,
        prepared: JoinHandle<Result<Prepared, StartError>>,
        grace: Duration,
    ) -> Self {
        let stage = Stage::Prepared { by: prepared, until: Instant::now() + PREPARATION };
        Self {
            id,
            children,
            stage,
            fate: None,
            limits: watch::Sender::new(None),
            grace,
            ready: watch::Sender::new(false),
        }
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
                                let ready = self.ready.clone();
                                let runs = Runs::start(prepared, &self.children, ready);
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
                    Step::Ended(end, more) => Some(self.ended(end, &more)),
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
    /// may only bring it nearer. If its processes have ended by themselves, that counts.
    pub(crate) fn end(&mut self, fate: Fate, deadline: Option<Instant>) {
        if let Stage::Runs(runs) = &self.stage
            && (runs.end.is_some() || runs.runner.is_finished())
        {
            return;
        }
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

    fn ended(&self, end: Result<End, String>, more: &str) -> Happened {
        if let Some(fate) = &self.fate {
            let reason = match end {
                // It may have more to say about how it came to that end.
                Ok(end) if end.reason.starts_with(&fate.reason) => end.reason,
                Ok(_) => fate.reason.clone(),
                Err(error) => format!("{}; {error}", fate.reason),
            };
            return Happened::Ended(fate.state, reason + more);
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
                (state, message + more)
            }
            Err(reason) => (v1::TaskState::TaskFailed, reason + more),
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
    Ended(Result<End, String>, String),
}

impl Runs {
    fn start(prepared: Prepared, children: &Children, ready: watch::Sender<bool>) -> Self {
        let Prepared { config, checks: plan, lifecycle, autopsy, remark } = prepared;
        let (commands, receiver) = mpsc::unbounded_channel();
        let (sender, started) = oneshot::channel();
        let runner = tokio::spawn(runner::run(config, children.clone(), receiver, sender));
        Self {
            commands,
            runner,
            started: Some(started),
            plan: Some(plan),
            lifecycle,
            autopsy: Some(autopsy),
            is_ill: false,
            ready,
            readiness: None,
            remark,
            checks: Checks::new(),
            was_well: false,
            closing: None,
            over: CancellationToken::new(),
            end: None,
            more: String::new(),
        }
    }

    async fn next(&mut self) -> Step {
        loop {
            if let Some(end) = self.end.take_if(|_| self.closing.is_none()) {
                return Step::Ended(end, std::mem::take(&mut self.more));
            }
            tokio::select! {
                biased;
                told = started(&mut self.started), if self.closing.is_none() => {
                    self.started = None;
                    if told.is_ok() && let Some(plan) = self.plan.take() {
                        self.readiness = start_checks(&mut self.checks, plan, &self.ready);
                    }
                }
                ended = &mut self.runner, if self.end.is_none() => {
                    self.end = Some(flatten(ended));
                    self.over.cancel();
                    if self.closing.is_none() {
                        let mut checks = std::mem::replace(&mut self.checks, Checks::new());
                        let failed = self.has_failed();
                        let autopsy = self.autopsy.take_if(|_| failed);
                        let ready = self.ready.clone();
                        ready.send_replace(false);
                        self.closing = Some(tokio::spawn(async move {
                            checks.stop(CHECKS_STOP).await;
                            // One of them may have said so before it stopped.
                            ready.send_replace(false);
                            match autopsy {
                                Some(autopsy) => autopsy.look().await,
                                None => String::new(),
                            }
                        }));
                    }
                }
                more = closed(&mut self.closing), if self.end.is_some() => {
                    self.more.push_str(&more);
                    let autopsy = self.autopsy.take_if(|_| self.is_ill);
                    self.closing = autopsy.map(|autopsy| tokio::spawn(autopsy.look()));
                }
                () = self.checks.changed(), if self.closing.is_none() => {}
            }
            if self.closing.is_none() && self.end.is_none() {
                match self.checks.verdict() {
                    Verdict::Running(message) if !self.was_well => {
                        self.was_well = true;
                        self.take_work();
                        return Step::Well(self.remark.clone().unwrap_or(message));
                    }
                    Verdict::Failed(reason) => return Step::Unwell(reason),
                    _ => {}
                }
            }
        }
    }

    fn has_failed(&self) -> bool {
        match &self.end {
            Some(Ok(end)) => !matches!(end.state, TaskState::Success | TaskState::Killed),
            Some(Err(_)) => true,
            None => false,
        }
    }

    /// The task runs: it takes work, or is asked whether it does.
    fn take_work(&mut self) {
        let ready = self.ready.clone();
        match self.readiness.take() {
            Some((config, asker, sandbox)) => {
                self.checks.start("readiness", Verdict::None, |_, stop| {
                    readiness::watch(config, asker, sandbox, ready, stop)
                });
            }
            None => drop(ready.send_replace(true)),
        }
    }

    /// Stops the checks, asks the task to end, and then has its processes told. If all that was
    /// done, a second call can only shorten the time they have.
    fn close(&mut self, fate: &Fate, limits: &watch::Sender<Option<Limits>>) {
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
                self.is_ill = fate.state == v1::TaskState::TaskFailed;
                let ready = self.ready.clone();
                ready.send_replace(false);
                let over = self.over.clone();
                let patience = limits.borrow().map_or(CHECKS_STOP, |limits| {
                    let left = limits.end_by.saturating_duration_since(Instant::now());
                    CHECKS_STOP.min(left / 4)
                });
                self.closing = Some(tokio::spawn(async move {
                    checks.stop(patience).await;
                    // One of them may have said so before it stopped.
                    ready.send_replace(false);
                    if let Some(lifecycle) = lifecycle {
                        tokio::select! {
                            () = over.cancelled() => return String::new(),
                            () = lifecycle.ask(limits.clone()) => {}
                        }
                    }
                    tell(&limits);
                    String::new()
                }));
            }
        }
    }
}

/// Gives what is to be asked when the task runs.
fn start_checks(checks: &mut Checks, plan: Plan, ready: &watch::Sender<bool>) -> Option<Readiness> {
    let Surroundings { sandbox, .. } = &*plan.surroundings;
    let readiness = plan.readiness.map(|(config, checker)| {
        let asker = Asker::new(checker, config.timeout_secs, plan.surroundings.clone());
        (config, asker, sandbox.clone())
    });
    match plan.checker {
        Some(checker) => {
            let sandbox = sandbox.clone();
            let surroundings = plan.surroundings.clone();
            let asker = Asker::new(checker, plan.health.timeout_secs, surroundings);
            checks.start("health", Verdict::Starting, |say, stop| {
                health::watch(plan.health, asker, sandbox, say, stop)
            });
        }
        None => {
            let well = Verdict::Running(health::ASSUMED.to_owned());
            checks.start("health", well, |_, _| std::future::ready(()));
        }
    }
    if let Some(limit) = plan.disk {
        let sandbox = sandbox.clone();
        checks
            .start("disk", Verdict::None, move |say, stop| disk::watch(limit, sandbox, say, stop));
    }
    if let Some(announcement) = plan.announcement {
        let ready = ready.subscribe();
        checks.start("announcer", Verdict::None, |say, stop| announcement.check(ready, say, stop));
    }
    readiness
}

async fn started(
    started: &mut Option<oneshot::Receiver<()>>,
) -> Result<(), oneshot::error::RecvError> {
    match started {
        Some(started) => started.await,
        None => std::future::pending().await,
    }
}

async fn closed(closing: &mut Option<JoinHandle<String>>) -> String {
    let Some(closing) = closing else { return String::new() };
    closing.await.unwrap_or_else(|error| {
        tracing::error!(%error, "failed to stop the checks");
        String::new()
    })
}

fn flatten(ended: Result<Result<End, RunError>, tokio::task::JoinError>) -> Result<End, String> {
    match ended {
        Ok(Ok(end)) => Ok(end),
        Ok(Err(error)) => Err(error.to_string()),
        Err(error) => Err(format!("the runner has failed: {error}")),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;
    use crate::memory::{self, Memory};

    fn task(prepared: JoinHandle<Result<Prepared, StartError>>) -> Task {
        let id = v1::TaskId { value: "a".to_owned() };
        Task::new(id, Children::adopt().unwrap(), prepared, Duration::from_secs(60))
    }

    fn kill(reason: &str) -> Fate {
        let grace = Duration::from_secs(60);
        Fate { state: v1::TaskState::TaskKilled, reason: reason.to_owned(), grace }
    }

    #[tokio::test(start_paused = true)]
    async fn s58_one_that_is_killed_while_it_is_prepared_is_never_started() {
        let mut task = task(tokio::spawn(std::future::pending()));
        task.end(kill("Instructed to kill task."), None);
        let reason = "Task killed during initialization.".to_owned();
        assert_eq!(task.next().await, Happened::Ended(v1::TaskState::TaskKilled, reason));
    }

    #[tokio::test(start_paused = true)]
    async fn s60_one_whose_preparation_takes_too_long_fails() {
        let mut task = task(tokio::spawn(std::future::pending()));
        let began = Instant::now();
        let reason = "Timed out waiting for sandbox to initialize!".to_owned();
        assert_eq!(task.next().await, Happened::Ended(v1::TaskState::TaskFailed, reason));
        assert_eq!(began.elapsed(), PREPARATION);
    }

    /// A task whose runner does what it is told, and one check that takes a second to stop. Writes
    /// down what happens.
    fn running(log: &Arc<Mutex<Vec<String>>>) -> Task {
        let (commands, mut told) = mpsc::unbounded_channel();
        let seen = log.clone();
        let runner = tokio::spawn(async move {
            let Some(Command::Kill { reason, grace }) = told.recv().await else { panic!() };
            seen.lock().unwrap().push(format!("told: {reason} {grace:?}"));
            Ok(End { state: TaskState::Killed, reason: format!("{reason}; and more") })
        });
        let mut checks = Checks::new();
        let seen = log.clone();
        let well = Verdict::Running("Task is healthy.".to_owned());
        checks.start("slow", well, |_, stop| async move {
            stop.cancelled().await;
            tokio::time::sleep(Duration::from_secs(1)).await;
            seen.lock().unwrap().push("check stopped".to_owned());
        });
        let mut task = task(tokio::spawn(std::future::pending()));
        let (_started, started) = oneshot::channel();
        task.stage = Stage::Runs(Box::new(Runs {
            commands,
            runner,
            started: Some(started),
            plan: None,
            lifecycle: None,
            autopsy: None,
            is_ill: false,
            ready: task.ready.clone(),
            readiness: None,
            remark: None,
            checks,
            was_well: false,
            closing: None,
            over: CancellationToken::new(),
            end: None,
            more: String::new(),
        }));
        task
    }

    #[tokio::test(start_paused = true)]
    async fn s59_checks_are_stopped_before_the_runner_is_told_within_what_time_there_is() {
        let log = Arc::new(Mutex::new(Vec::new()));
        let mut task = running(&log);
        let ready = task.ready.subscribe();
        assert_eq!(task.next().await, Happened::Well("Task is healthy.".to_owned()));
        assert!(*ready.borrow(), "without another question it takes work when it runs");
        task.end(kill("first"), None);
        assert!(!*ready.borrow());
        task.end(kill("second"), Some(Instant::now() + Duration::from_secs(11)));
        let reason = "first; and more".to_owned();
        assert_eq!(task.next().await, Happened::Ended(v1::TaskState::TaskKilled, reason));
        assert_eq!(*log.lock().unwrap(), ["check stopped", "told: first 10s"]);
    }

    #[tokio::test(start_paused = true)]
    async fn s57_a_kill_after_its_end_changes_nothing_while_checks_are_slow_to_stop() {
        for is_seen in [true, false] {
            let mut task = running(&Arc::default());
            assert_eq!(task.next().await, Happened::Well("Task is healthy.".to_owned()));
            let Stage::Runs(runs) = &mut task.stage else { panic!() };
            let end = End { state: TaskState::Success, reason: String::new() };
            runs.runner = tokio::spawn(std::future::ready(Ok(end)));
            let moment = Duration::from_millis(500);
            if is_seen {
                assert!(tokio::time::timeout(moment, task.next()).await.is_err());
            } else {
                tokio::time::sleep(moment).await;
            }
            task.end(kill("Instructed to kill task."), None);
            let finished = "Task finished.".to_owned();
            let ended = Happened::Ended(v1::TaskState::TaskFinished, finished);
            assert_eq!(task.next().await, ended);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn s59_checks_have_a_quarter_of_the_time_to_stop() {
        let log = Arc::new(Mutex::new(Vec::new()));
        let mut task = running(&log);
        let Stage::Runs(runs) = &mut task.stage else { panic!() };
        runs.checks.start("deaf", Verdict::None, |_, _| std::future::pending());
        assert_eq!(task.next().await, Happened::Well("Task is healthy.".to_owned()));
        let began = Instant::now();
        task.end(kill("first"), Some(began + Duration::from_secs(8)));
        let ended = Happened::Ended(v1::TaskState::TaskKilled, "first; and more".to_owned());
        assert_eq!(task.next().await, ended);
        assert_eq!(began.elapsed(), Duration::from_secs(2));
        assert_eq!(*log.lock().unwrap(), ["check stopped", "told: first 6s"]);
    }

    #[tokio::test(start_paused = true)]
    async fn one_takes_no_work_once_it_is_to_end_whatever_a_check_says_late() {
        let mut task = running(&Arc::default());
        let ready = task.ready.clone();
        let Stage::Runs(runs) = &mut task.stage else { panic!() };
        runs.checks.start("late", Verdict::None, |_, stop| async move {
            stop.cancelled().await;
            ready.send_replace(true);
        });
        assert_eq!(task.next().await, Happened::Well("Task is healthy.".to_owned()));
        task.end(kill("first"), None);
        task.next().await;
        assert!(!*task.ready.borrow());
    }

    #[tokio::test(start_paused = true)]
    async fn one_that_its_checks_end_is_told_with_what_was_killed_for_its_memory() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| {
            std::fs::write(folder.path().join(name), text).unwrap();
        };
        write("memory.events", "oom_kill 0\n");
        write("memory.max", "1000\n");
        let mut task = running(&Arc::default());
        let Stage::Runs(runs) = &mut task.stage else { panic!() };
        runs.autopsy = Some(Autopsy {
            checkpoint_root: folder.path().to_owned(),
            task_id: "a".to_owned(),
            sandbox: Arc::new(std::fs::File::open(folder.path()).unwrap().into()),
            memory: Memory::at(folder.path(), &memory::V2),
        });
        write("memory.events", "oom_kill 1\n");
        runs.checks.start("ill", Verdict::Failed("ill".to_owned()), |_, _| std::future::ready(()));
        let reason = "ill; and more; out of memory, 1 killed by the kernel: it may use 1000 bytes";
        let ended = Happened::Ended(v1::TaskState::TaskFailed, reason.to_owned());
        assert_eq!(task.next().await, ended);
    }

    #[tokio::test(start_paused = true)]
    async fn what_a_check_decides_counts_and_not_what_the_runner_makes_of_it() {
        let log = Arc::new(Mutex::new(Vec::new()));
        let mut task = running(&log);
        let Stage::Runs(runs) = &mut task.stage else { panic!() };
        runs.checks.start("ill", Verdict::Failed("ill".to_owned()), |_, _| std::future::ready(()));
        let reason = "ill; and more".to_owned();
        assert_eq!(task.next().await, Happened::Ended(v1::TaskState::TaskFailed, reason));
    }
}
