//! Waiting until the instances of a job are in some state (`client.md` 13.1).

use std::collections::{BTreeMap, BTreeSet};

use aurora_api::convert::task_state;
use aurora_api::v1::ScheduledTask;
use aurora_model::job::TaskState;
use aurora_model::key::JobKey;

use crate::error::{Code, Error};
use crate::scheduler::{Scheduler, is_unreachable, tasks_of};

/// What is waited for. An instance that has ended for good is never waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Until {
    /// It runs.
    Running,
    /// It has ended.
    Ended,
}

impl Until {
    fn is_met(self, state: TaskState) -> bool {
        match self {
            Self::Running => {
                state.is_terminal()
                    || matches!(
                        state,
                        TaskState::Running
                            | TaskState::Killing
                            | TaskState::Restarting
                            | TaskState::Draining
                            | TaskState::Preempting
                    )
            }
            Self::Ended => state.is_terminal(),
        }
    }
}

/// Waits for the latest task of each instance, as the scheduler tells what happens.
pub async fn wait(
    scheduler: &Scheduler,
    job: &JobKey,
    instances: Option<&BTreeSet<u32>>,
    until: Until,
) -> Result<(), Error> {
    let mut query = tasks_of(job);
    query.instances = instances.into_iter().flatten().copied().collect();
    let mut stream = scheduler.watch(query.clone()).await?;
    let mut latest = Latest::new(until);
    let mut synced = false;
    loop {
        let message = match stream.message().await {
            Ok(Some(message)) => message,
            Err(status) if status.code() != tonic::Code::Aborted && !is_unreachable(&status) => {
                return Err(Error::new(
                    Code::Api,
                    format!(
                        "the scheduler at {} has failed while it was watched: {}",
                        scheduler.address(),
                        status.message()
                    ),
                ));
            }
            // It drops those who are too slow, and it may be started again: what has happened
            // meanwhile is told by the next.
            Ok(None) | Err(_) => {
                stream = scheduler.watch(query.clone()).await?;
                synced = false;
                continue;
            }
        };
        synced |= message.synced;
        if let Some(task) = message.task.filter(|_| !message.deleted) {
            latest.take(&task)?;
        }
        if synced && latest.is_met() {
            // An end and the run that replaces it are told one after the other; a look at all
            // tasks sees both.
            let mut now = Latest::new(until);
            for task in &scheduler.tasks(query.clone()).await?.tasks {
                now.take(task)?;
            }
            if now.is_met() {
                return Ok(());
            }
        }
    }
}

/// Of each instance, its latest run, and whether that one is far enough.
struct Latest {
    until: Until,
    runs: BTreeMap<u32, Run>,
}

struct Run {
    task_id: String,
    born_ms: i64,
    is_met: bool,
}

impl Latest {
    fn new(until: Until) -> Self {
        Self { until, runs: BTreeMap::new() }
    }

    fn take(&mut self, task: &ScheduledTask) -> Result<(), Error> {
        let Some(assigned) = &task.assigned else { return Ok(()) };
        let state =
            task_state(task.state).map_err(|error| Error::new(Code::Api, error.to_string()))?;
        let born_ms = task.events.first().map_or(0, |event| event.timestamp_ms);
        // A run and its replacement may come to be within a millisecond: then the one that has
        // not ended is the later one.
        let is_latest = self.runs.get(&assigned.instance).is_none_or(|known| {
            known.task_id == assigned.task_id
                || born_ms > known.born_ms
                || (born_ms == known.born_ms && !state.is_terminal())
        });
        if is_latest {
            let run = Run {
                task_id: assigned.task_id.clone(),
                born_ms,
                is_met: self.until.is_met(state),
            };
            self.runs.insert(assigned.instance, run);
        }
        Ok(())
    }

    fn is_met(&self) -> bool {
        self.runs.values().all(|run| run.is_met)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use aurora_api::v1;

    fn run(id: &str, born_ms: i64, state: TaskState) -> ScheduledTask {
        let event = v1::TaskEvent { timestamp_ms: born_ms, ..v1::TaskEvent::default() };
        ScheduledTask {
            assigned: Some(v1::AssignedTask { task_id: id.to_owned(), ..Default::default() }),
            state: v1::TaskState::from(state) as i32,
            events: vec![event],
            ..ScheduledTask::default()
        }
    }

    fn is_met(until: Until, runs: &[ScheduledTask]) -> bool {
        let mut latest = Latest::new(until);
        for run in runs {
            latest.take(run).unwrap();
        }
        latest.is_met()
    }

    #[test]
    fn the_latest_run_counts() {
        use TaskState::{Failed, Finished, Pending, Running};
        let first = |state| run("first", 5, state);
        let second = |state| run("second", 5, state);
        let later = |state| run("later", 6, state);
        for (until, runs, met) in [
            (Until::Ended, vec![first(Running), first(Finished)], true),
            (Until::Running, vec![first(Running)], true),
            (Until::Ended, vec![first(Failed), second(Pending)], false),
            (Until::Ended, vec![second(Pending), first(Failed)], false),
            (Until::Ended, vec![first(Failed), second(Pending), second(Finished)], true),
            (Until::Ended, vec![later(Running), first(Finished)], false),
            (Until::Running, vec![first(Failed), later(Pending)], false),
        ] {
            assert_eq!(is_met(until, &runs), met, "{until:?} {runs:?}");
        }
    }
}
