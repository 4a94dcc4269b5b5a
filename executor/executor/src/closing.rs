//! The end of a task from when it is sure to come (`executor.md` 2.5): the one way it takes, whoever
//! has decided it.

use std::time::Duration;

use aurora_mesos::v1;
use aurora_thermos::runner::{Command, End, RunError};
use aurora_thermos::state::TaskState;
use tokio::sync::{mpsc, watch};
use tokio::task::{JoinError, JoinHandle};

use crate::autopsy::Autopsy;
use crate::checks::Checks;
use crate::lifecycle::Lifecycle;
use crate::limits::{Watched, reached, until};

/// How long checks have to stop, if there is time for that.
const CHECKS_STOP: Duration = Duration::from_secs(5);

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

/// What a task has been, and why it has ended.
pub(crate) type Closed = (v1::TaskState, String);

/// What runs the processes of a task.
pub(crate) struct Runner {
    commands: mpsc::UnboundedSender<Command>,
    task: JoinHandle<Result<End, RunError>>,
    end: Option<Result<End, String>>,
}

/// Nobody is left to hear of its end.
impl Drop for Runner {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Runner {
    /// One that runs, and takes commands.
    pub(crate) fn new(
        commands: mpsc::UnboundedSender<Command>,
        task: JoinHandle<Result<End, RunError>>,
    ) -> Self {
        Self { commands, task, end: None }
    }

    /// Whether it has come to its end.
    pub(crate) fn has_ended(&self) -> bool {
        self.end.is_some() || self.task.is_finished()
    }

    /// Waits for its end. May be dropped and called again.
    pub(crate) async fn ended(&mut self) -> &Result<End, String> {
        match &mut self.end {
            Some(end) => end,
            none => none.insert(flatten((&mut self.task).await)),
        }
    }
}

fn flatten(ended: Result<Result<End, RunError>, JoinError>) -> Result<End, String> {
    match ended {
        Ok(Ok(end)) => Ok(end),
        Ok(Err(error)) => Err(error.to_string()),
        Err(error) => Err(format!("the runner has failed: {error}")),
    }
}

/// A task that is about to end.
pub(crate) struct Closing {
    pub(crate) runner: Runner,
    pub(crate) checks: Checks,
    /// How it is asked to end, if it is.
    pub(crate) lifecycle: Option<Lifecycle>,
    pub(crate) autopsy: Autopsy,
    /// Whether it takes work.
    pub(crate) ready: watch::Sender<bool>,
    pub(crate) limits: Watched,
    /// Whether any of its processes has run.
    pub(crate) has_run: bool,
}

impl Closing {
    /// Begins the end, as decided by `fate`, or because its processes have ended by themselves. From
    /// now on it takes no work.
    pub(crate) fn start(self, fate: Option<Fate>) -> JoinHandle<Closed> {
        self.ready.send_replace(false);
        tokio::spawn(self.run(fate))
    }

    async fn run(mut self, fate: Option<Fate>) -> Closed {
        let late = async {
            tokio::select! {
                () = tokio::time::sleep(CHECKS_STOP) => {}
                () = reached(self.limits.clone(), |limits| limits.checks_until) => {}
            }
        };
        self.checks.stop(late).await;
        // One of them may have said so before it stopped.
        self.ready.send_replace(false);
        if let Some(fate) = &fate {
            self.ask().await;
            self.tell(fate).await;
        }
        let end = self.runner.ended().await.clone();
        let more = if has_failed(fate.as_ref(), &end) {
            let looking = until(self.limits, |limits| limits.end_by, self.autopsy.look());
            looking.await.unwrap_or_else(|| {
                tracing::warn!("there is no time to look for the cause");
                String::new()
            })
        } else {
            String::new()
        };
        let (state, reason) = outcome(fate, end, self.has_run);
        (state, reason + &more)
    }

    /// Asks the task to end, unless it has.
    async fn ask(&mut self) {
        let Some(lifecycle) = &self.lifecycle else { return };
        tokio::select! {
            _ended = self.runner.ended() => {}
            () = lifecycle.ask(self.limits.clone()) => {}
        }
    }

    /// Has the processes told to end, and again whenever they have less time for that.
    async fn tell(&mut self, fate: &Fate) {
        loop {
            let limits = *self.limits.borrow_and_update();
            let grace = limits.map_or(fate.grace, |limits| fate.grace.min(limits.left()));
            let kill = Command::Kill { reason: fate.reason.clone(), grace };
            // A runner that has just ended takes no more commands.
            let _ = self.runner.commands.send(kill);
            tokio::select! {
                biased;
                _ended = self.runner.ended() => return,
                Ok(()) = self.limits.changed() => {}
            }
        }
    }
}

/// Whether it is asked what has gone wrong.
fn has_failed(fate: Option<&Fate>, end: &Result<End, String>) -> bool {
    match (fate, end) {
        (Some(fate), _) => fate.state == v1::TaskState::TaskFailed,
        (None, Ok(end)) => !matches!(end.state, TaskState::Success | TaskState::Killed),
        (None, Err(_)) => true,
    }
}

/// What was decided counts, and what has become of its processes is told with it.
fn outcome(fate: Option<Fate>, end: Result<End, String>, has_run: bool) -> Closed {
    match (fate, end) {
        (Some(Fate { state, reason, .. }), Ok(end)) => (state, End { reason, ..end }.told()),
        (Some(fate), Err(error)) => (fate.state, format!("{}; {error}", fate.reason)),
        (None, Ok(end)) => {
            let (state, bare) = match end.state {
                TaskState::Success => (v1::TaskState::TaskFinished, "Task finished."),
                TaskState::Killed => (v1::TaskState::TaskKilled, "Task killed."),
                TaskState::Lost => (v1::TaskState::TaskLost, "Task lost."),
                _ => (v1::TaskState::TaskFailed, "Task failed."),
            };
            let reason = if end.reason.is_empty() { bare.to_owned() } else { end.reason };
            (state, End { reason, ..end }.told())
        }
        (None, Err(error)) if has_run => (v1::TaskState::TaskFailed, error),
        (None, Err(error)) => {
            (v1::TaskState::TaskFailed, format!("Task initialization failed: {error}"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn end(state: TaskState, reason: &str, survivors: &[i32]) -> Result<End, String> {
        Ok(End { state, reason: reason.to_owned(), survivors: survivors.to_vec() })
    }

    #[test]
    fn s63_each_end_of_the_runner_has_its_state_and_its_words() {
        for (ended, state, reason) in [
            (end(TaskState::Success, "", &[]), v1::TaskState::TaskFinished, "Task finished."),
            (end(TaskState::Failed, "", &[]), v1::TaskState::TaskFailed, "Task failed."),
            (end(TaskState::Failed, "why", &[]), v1::TaskState::TaskFailed, "why"),
            (end(TaskState::Killed, "", &[]), v1::TaskState::TaskKilled, "Task killed."),
            (end(TaskState::Killed, "by thermos", &[]), v1::TaskState::TaskKilled, "by thermos"),
            (end(TaskState::Lost, "", &[]), v1::TaskState::TaskLost, "Task lost."),
            (
                end(TaskState::Success, "", &[7, 8]),
                v1::TaskState::TaskFinished,
                "Task finished.; these processes could not be ended: 7, 8",
            ),
            (Err("the disk is full".to_owned()), v1::TaskState::TaskFailed, "the disk is full"),
        ] {
            let told = format!("{ended:?}");
            assert_eq!(outcome(None, ended, true), (state, reason.to_owned()), "{told}");
        }
    }

    #[test]
    fn s61_what_goes_wrong_before_a_process_runs_is_told_as_that() {
        let failed = outcome(None, Err("no room".to_owned()), false);
        let reason = "Task initialization failed: no room".to_owned();
        assert_eq!(failed, (v1::TaskState::TaskFailed, reason));
    }

    #[test]
    fn what_was_decided_counts_whatever_has_become_of_its_processes() {
        let fate = || Fate {
            state: v1::TaskState::TaskKilled,
            reason: "asked to".to_owned(),
            grace: Duration::ZERO,
        };
        for (ended, reason) in [
            (end(TaskState::Killed, "asked to", &[]), "asked to"),
            (end(TaskState::Success, "", &[]), "asked to"),
            (end(TaskState::Failed, "process \"p\" failed", &[]), "asked to"),
            (
                end(TaskState::Killed, "asked to", &[7]),
                "asked to; these processes could not be ended: 7",
            ),
            (Err("the disk is full".to_owned()), "asked to; the disk is full"),
        ] {
            let closed = (v1::TaskState::TaskKilled, reason.to_owned());
            assert_eq!(outcome(Some(fate()), ended, true), closed);
        }
    }
}
