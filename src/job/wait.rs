//! Waiting until the instances of a job are in some state (`client.md` 13.1).

use std::collections::{BTreeMap, BTreeSet};

use aurora_api::convert::task_state;
use aurora_model::job::TaskState;
use aurora_model::key::JobKey;

use crate::connect::{Scheduler, tasks_of};
use crate::failure::{Code, Failure};

/// What is waited for. An instance that has ended for good is never waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Until {
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
pub(crate) async fn wait(
    scheduler: &Scheduler,
    job: &JobKey,
    instances: Option<&BTreeSet<u32>>,
    until: Until,
) -> Result<(), Failure> {
    let mut query = tasks_of(job);
    query.instances = instances.into_iter().flatten().copied().collect();
    let mut stream = scheduler.watch(query).await?;
    // Of each instance: when its latest task came to be, and whether that one is far enough.
    let mut latest: BTreeMap<u32, (i64, bool)> = BTreeMap::new();
    let mut synced = false;
    loop {
        let message = stream.message().await.map_err(|status| {
            Failure::new(
                Code::Network,
                format!(
                    "lost the scheduler at {} while waiting: {}",
                    scheduler.address(),
                    status.message()
                ),
            )
        })?;
        let Some(message) = message else {
            return Err(Failure::new(Code::Network, "the scheduler has ended while being watched"));
        };
        synced |= message.synced;
        if let Some(task) = message.task.filter(|_| !message.deleted)
            && let Some(assigned) = &task.assigned
        {
            let state = task_state(task.state)
                .map_err(|error| Failure::new(Code::Api, error.to_string()))?;
            let born = task.events.first().map_or(0, |event| event.timestamp_ms);
            let known = latest.entry(assigned.instance).or_insert((born, false));
            if born >= known.0 {
                *known = (born, until.is_met(state));
            }
        }
        if synced && latest.values().all(|(_, met)| *met) {
            return Ok(());
        }
    }
}
