//! The penalty for runs that end too soon (`scheduler.md` 3.5).

use aurora_model::job::{ScheduledTask, TaskState};

use crate::random::Random;
use crate::settings::Settings;
use crate::state::State;

/// Whether a run ended too soon, and nobody had asked it to.
pub(crate) fn flapped(task: &ScheduledTask, threshold_ms: i64) -> bool {
    let asked = task.events.iter().any(|event| {
        matches!(
            event.state,
            TaskState::Restarting
                | TaskState::Killing
                | TaskState::Draining
                | TaskState::Preempting
        )
    });
    let Some(last) = task.events.last() else { return false };
    let active = task.events.iter().rev().find(|event| event.state.is_active());
    !asked
        && last.state.is_terminal()
        && active.is_some_and(|event| last.timestamp.ms_since(event.timestamp) < threshold_ms)
}

/// How long a task has to wait for what the runs before it did, in milliseconds. Of `task` itself
/// nothing is counted: the first failure is free. What is random in it comes of the task's id, so that
/// it is the same whenever it is looked at: what is announced is what is waited, also over a restart.
pub(crate) fn penalty_ms(state: &State, task: &ScheduledTask, settings: &Settings) -> i64 {
    let mut random = Random::of_text(task.id().as_str());
    let mut penalty = 0;
    let mut ancestor = task.ancestor.as_ref().and_then(|id| state.task(id));
    while let Some(run) = ancestor {
        if !flapped(run, settings.flapping_threshold_ms) {
            break;
        }
        let next = random.backoff(
            penalty,
            settings.initial_flapping_delay_ms,
            settings.max_flapping_delay_ms,
        );
        if next == penalty {
            break;
        }
        penalty = next;
        ancestor = run.ancestor.as_ref().and_then(|id| state.task(id));
    }
    penalty
}
