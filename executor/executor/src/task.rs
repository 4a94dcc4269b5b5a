//! The one task of an executor, from its preparation to its end (`executor.md` 2.3 and 2.5).

use std::time::Duration;

use aurora_mesos::v1;
use aurora_model::config::ReadinessConfig;
use aurora_thermos::process::children::Children;
use aurora_thermos::runner;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinHandle;
use tokio::time::Instant;

use crate::autopsy::Autopsy;
use crate::checks::health::{self, Asker, readiness};
use crate::checks::{Checks, Verdict, disk};
use crate::closing::{Closed, Closing, Fate, Runner};
use crate::lifecycle::Lifecycle;
use crate::limits::Limits;
use crate::prepare::{Plan, Prepared, StartError};

/// How long a task may be prepared.
const PREPARATION: Duration = Duration::from_secs(600);

/// What there is to report of a task.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Happened {
    /// It is well, for the first time.
    Well(String),
    /// It is over: in which state, and why.
    Ended(v1::TaskState, String),
}

/// The task.
pub(crate) struct Task {
    pub(crate) id: v1::TaskId,
    children: Children,
    stage: Stage,
    /// By when it has to be over, if anybody has said so.
    limits: watch::Sender<Option<Limits>>,
    /// How long its processes have when its checks want it to end.
    grace: Duration,
    /// Whether it takes work.
    ready: watch::Sender<bool>,
}

enum Stage {
    Prepared {
        by: JoinHandle<Result<Prepared, StartError>>,
        until: Instant,
    },
    /// It was to end before it ran.
    Forestalled,
    Runs(Box<Runs>),
    Closing(JoinHandle<Closed>),
    Over,
}

/// A task whose processes run.
struct Runs {
    runner: Runner,
    /// Told when the first process runs.
    started: Option<oneshot::Receiver<()>>,
    has_run: bool,
    plan: Option<Plan>,
    lifecycle: Option<Lifecycle>,
    autopsy: Autopsy,
    ready: watch::Sender<bool>,
    /// What is to be asked when it runs.
    readiness: Option<Readiness>,
    remark: Option<String>,
    checks: Checks,
    /// Whether it was said that the task is well.
    was_well: bool,
}

/// How it is found out whether a task takes work.
type Readiness = (ReadinessConfig, Asker);

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
            limits: watch::Sender::new(None),
            grace,
            ready: watch::Sender::new(false),
        }
    }

    /// Waits for something to report. May be dropped and called again; not after the end.
    pub(crate) async fn next(&mut self) -> Happened {
        loop {
            let (state, reason) = match &mut self.stage {
                Stage::Prepared { by, until } => match prepared(by, *until).await {
                    Ok(prepared) => {
                        let runs = Runs::start(prepared, &self.children, self.ready.clone());
                        self.stage = Stage::Runs(Box::new(runs));
                        continue;
                    }
                    Err(why) => (v1::TaskState::TaskFailed, why),
                },
                Stage::Forestalled => {
                    let reason = "Task killed during initialization.".to_owned();
                    (v1::TaskState::TaskKilled, reason)
                }
                Stage::Runs(runs) => {
                    let fate = match runs.next().await {
                        Step::Well(message) => return Happened::Well(message),
                        Step::Unwell(reason) => {
                            let state = v1::TaskState::TaskFailed;
                            Some(Fate { state, reason, grace: self.grace })
                        }
                        Step::Ended => None,
                    };
                    self.close(fate);
                    continue;
                }
                Stage::Closing(closing) => closing.await.unwrap_or_else(|error| {
                    (v1::TaskState::TaskFailed, format!("The task cannot be ended: {error}"))
                }),
                Stage::Over => std::future::pending().await,
            };
            self.stage = Stage::Over;
            return Happened::Ended(state, reason);
        }
    }

    /// Has the task end; what is decided first counts. All must be over by `deadline`: a later call
    /// may only bring it nearer. If its processes have ended by themselves, that counts.
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
        match &self.stage {
            Stage::Prepared { .. } => self.stage = Stage::Forestalled,
            Stage::Runs(_) => self.close(Some(fate)),
            Stage::Forestalled | Stage::Closing(_) | Stage::Over => {}
        }
    }

    fn close(&mut self, fate: Option<Fate>) {
        match std::mem::replace(&mut self.stage, Stage::Over) {
            Stage::Runs(runs) => {
                let fate = fate.filter(|_| !runs.runner.has_ended());
                let closing = Closing {
                    runner: runs.runner,
                    checks: runs.checks,
                    lifecycle: runs.lifecycle,
                    autopsy: runs.autopsy,
                    ready: runs.ready,
                    limits: self.limits.subscribe(),
                    has_run: runs.has_run,
                };
                self.stage = Stage::Closing(closing.start(fate));
            }
            other => self.stage = other,
        }
    }

    /// Waits for its end when nobody is told of it any more, but not for long. Its processes are dead.
    pub(crate) async fn abandon(mut self) {
        let fate = Fate {
            state: v1::TaskState::TaskLost,
            reason: "The executor ends.".to_owned(),
            grace: Duration::ZERO,
        };
        let deadline = Instant::now() + runner::KILL_PATIENCE;
        self.end(fate, Some(deadline));
        let Stage::Closing(closing) = &mut self.stage else { return };
        match tokio::time::timeout_at(deadline, &mut *closing).await {
            Ok(Ok((state, reason))) => {
                tracing::info!(state = state.as_str_name(), reason, "the task has ended");
            }
            Ok(Err(error)) => tracing::error!(%error, "the task cannot be ended"),
            Err(_late) => {
                tracing::error!("the task does not end");
                // It starts nothing any more.
                closing.abort();
            }
        }
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
    Ended,
}

impl Runs {
    fn start(prepared: Prepared, children: &Children, ready: watch::Sender<bool>) -> Self {
        let Prepared { config, checks: plan, lifecycle, autopsy, remark } = prepared;
        let (commands, receiver) = mpsc::unbounded_channel();
        let (sender, started) = oneshot::channel();
        let runner = tokio::spawn(runner::run(config, children.clone(), receiver, sender));
        Self {
            runner: Runner::new(commands, runner),
            started: Some(started),
            has_run: false,
            plan: Some(plan),
            lifecycle,
            autopsy,
            ready,
            readiness: None,
            remark,
            checks: Checks::new(),
            was_well: false,
        }
    }

    async fn next(&mut self) -> Step {
        loop {
            match self.checks.verdict() {
                Verdict::Running(message) if !self.was_well => {
                    self.was_well = true;
                    self.take_work();
                    return Step::Well(self.remark.clone().unwrap_or(message));
                }
                Verdict::Failed(reason) => return Step::Unwell(reason),
                _ => {}
            }
            tokio::select! {
                biased;
                told = started(&mut self.started) => {
                    self.started = None;
                    self.has_run = told.is_ok();
                    if self.has_run && let Some(plan) = self.plan.take() {
                        self.readiness = start_checks(&mut self.checks, plan, &self.ready);
                    }
                }
                _ended = self.runner.ended() => return Step::Ended,
                () = self.checks.changed() => {}
            }
        }
    }

    /// The task runs: it takes work, or is asked whether it does.
    fn take_work(&mut self) {
        let ready = self.ready.clone();
        match self.readiness.take() {
            Some((config, asker)) => {
                self.checks.start("readiness", Verdict::None, |_, stop| {
                    readiness::watch(config, asker, ready, stop)
                });
            }
            None => drop(ready.send_replace(true)),
        }
    }
}

/// Gives what is to be asked when the task runs.
fn start_checks(checks: &mut Checks, plan: Plan, ready: &watch::Sender<bool>) -> Option<Readiness> {
    let surroundings = plan.surroundings;
    let readiness = plan.readiness.map(|(config, checker)| {
        let asker = Asker::new(checker, config.timeout_secs, surroundings.clone());
        (config, asker)
    });
    match plan.checker {
        Some(checker) => {
            let asker = Asker::new(checker, plan.health.timeout_secs, surroundings.clone());
            checks.start("health", Verdict::Starting, |say, stop| {
                health::watch(plan.health, asker, say, stop)
            });
        }
        None => {
            let well = Verdict::Running(health::ASSUMED.to_owned());
            checks.start("health", well, |_, _| std::future::ready(()));
        }
    }
    if let Some(limit) = plan.disk {
        let sandbox = surroundings.sandbox.clone();
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

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use aurora_thermos::runner::{Command, End};
    use aurora_thermos::state::TaskState;

    use super::*;
    use crate::memory::{self, Memory};

    const SECOND: Duration = Duration::from_secs(1);

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

    #[tokio::test]
    async fn s60_one_whose_preparation_breaks_down_fails() {
        let broken = tokio::spawn(std::future::pending());
        broken.abort();
        let Happened::Ended(state, reason) = task(broken).next().await else { panic!() };
        assert_eq!(state, v1::TaskState::TaskFailed);
        assert!(reason.starts_with("Unknown exception initializing sandbox: "), "{reason}");
    }

    /// A task whose runner does what it is told, and one check that takes a second to stop. Writes
    /// down what happens.
    fn running(log: &Arc<Mutex<Vec<String>>>) -> Task {
        let (commands, mut told) = mpsc::unbounded_channel();
        let seen = log.clone();
        let runner = tokio::spawn(async move {
            let Some(Command::Kill { reason, grace }) = told.recv().await else { panic!() };
            seen.lock().unwrap().push(format!("told: {reason} {grace:?}"));
            Ok(End { state: TaskState::Killed, reason, survivors: vec![7] })
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
            runner: Runner::new(commands, runner),
            started: Some(started),
            has_run: false,
            plan: None,
            lifecycle: None,
            autopsy: Autopsy {
                checkpoint_root: "/none".into(),
                task_id: "a".to_owned(),
                sandbox: "/none".into(),
                memory: None,
            },
            ready: task.ready.clone(),
            readiness: None,
            remark: None,
            checks,
            was_well: false,
        }));
        task
    }

    /// Has its processes end by themselves.
    fn finish(task: &mut Task) {
        let Stage::Runs(runs) = &mut task.stage else { panic!() };
        let end = End { state: TaskState::Success, reason: String::new(), survivors: Vec::new() };
        runs.runner =
            Runner::new(mpsc::unbounded_channel().0, tokio::spawn(std::future::ready(Ok(end))));
    }

    /// What is told of one that was told to end.
    fn killed(reason: &str) -> Happened {
        let reason = format!("{reason}; these processes could not be ended: 7");
        Happened::Ended(v1::TaskState::TaskKilled, reason)
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
        assert_eq!(task.next().await, killed("first"));
        assert_eq!(*log.lock().unwrap(), ["check stopped", "told: first 10s"]);
    }

    #[tokio::test(start_paused = true)]
    async fn s57_a_kill_after_its_end_changes_nothing_while_checks_are_slow_to_stop() {
        for is_seen in [true, false] {
            let mut task = running(&Arc::default());
            assert_eq!(task.next().await, Happened::Well("Task is healthy.".to_owned()));
            finish(&mut task);
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
    async fn s59_a_shutdown_after_its_end_waits_for_no_slow_check() {
        let mut task = running(&Arc::default());
        let Stage::Runs(runs) = &mut task.stage else { panic!() };
        runs.checks.start("deaf", Verdict::None, |_, _| std::future::pending());
        assert_eq!(task.next().await, Happened::Well("Task is healthy.".to_owned()));
        finish(&mut task);
        let began = Instant::now();
        assert!(tokio::time::timeout(Duration::from_secs(2), task.next()).await.is_err());
        task.end(kill("Told to shut down executor."), Some(Instant::now() + 4 * SECOND));
        let finished = "Task finished.".to_owned();
        assert_eq!(task.next().await, Happened::Ended(v1::TaskState::TaskFinished, finished));
        assert_eq!(began.elapsed(), 3 * SECOND);
    }

    #[tokio::test(start_paused = true)]
    async fn one_that_is_told_has_less_time_when_there_is_less() {
        let log = Arc::new(Mutex::new(Vec::new()));
        let mut task = running(&log);
        let Stage::Runs(runs) = &mut task.stage else { panic!() };
        let (commands, mut told) = mpsc::unbounded_channel();
        let runner = tokio::spawn(async move {
            let mut graces = Vec::new();
            while let Some(Command::Kill { grace, .. }) = told.recv().await {
                graces.push(grace);
                if grace < SECOND {
                    break;
                }
            }
            let reason = format!("{graces:?}");
            Ok(End { state: TaskState::Killed, reason, survivors: Vec::new() })
        });
        runs.runner = Runner::new(commands, runner);
        task.end(kill("first"), None);
        for within in [10 * SECOND, 3600 * SECOND, SECOND / 2] {
            assert!(tokio::time::timeout(2 * SECOND, task.next()).await.is_err());
            task.end(kill("again"), Some(Instant::now() + within));
        }
        let Stage::Closing(closing) = &mut task.stage else { panic!() };
        assert!(!closing.is_finished());
        assert_eq!(
            task.next().await,
            Happened::Ended(v1::TaskState::TaskKilled, "first".to_owned())
        );
    }

    #[tokio::test(start_paused = true)]
    async fn one_that_is_abandoned_is_waited_for_until_its_checks_have_stopped_but_not_for_ever() {
        let log = Arc::new(Mutex::new(Vec::new()));
        let mut task = running(&log);
        assert_eq!(task.next().await, Happened::Well("Task is healthy.".to_owned()));
        task.end(kill("first"), None);
        task.abandon().await;
        assert_eq!(*log.lock().unwrap(), ["check stopped", "told: first 4s"]);
        let mut task = running(&log);
        let Stage::Runs(runs) = &mut task.stage else { panic!() };
        let deaf = tokio::spawn(std::future::pending());
        runs.runner = Runner::new(mpsc::unbounded_channel().0, deaf);
        let began = Instant::now();
        task.abandon().await;
        assert_eq!(began.elapsed(), runner::KILL_PATIENCE);
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
        assert_eq!(task.next().await, killed("first"));
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
        runs.autopsy.memory = Memory::at(folder.path(), &memory::V2);
        write("memory.events", "oom_kill 1\n");
        runs.checks.start("ill", Verdict::Failed("ill".to_owned()), |_, _| std::future::ready(()));
        let reason = "ill; these processes could not be ended: 7; out of memory, 1 killed by the \
                      kernel: it may use 1000 bytes";
        let ended = Happened::Ended(v1::TaskState::TaskFailed, reason.to_owned());
        assert_eq!(task.next().await, ended);
    }

    #[tokio::test(start_paused = true)]
    async fn what_a_check_decides_counts_and_not_what_the_runner_makes_of_it() {
        let log = Arc::new(Mutex::new(Vec::new()));
        let mut task = running(&log);
        let Stage::Runs(runs) = &mut task.stage else { panic!() };
        runs.checks.start("ill", Verdict::Failed("ill".to_owned()), |_, _| std::future::ready(()));
        let reason = "ill; these processes could not be ended: 7".to_owned();
        assert_eq!(task.next().await, Happened::Ended(v1::TaskState::TaskFailed, reason));
    }
}
