//! The penalty for runs that end too soon (`scheduler.md` 3.5).

use aurora_model::job::{ScheduledTask, TaskEvent, TaskState};

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
    !asked
        && last.state.is_terminal()
        && began(task).is_some_and(|event| last.timestamp.ms_since(event.timestamp) < threshold_ms)
}

/// When a run began: when it ran first, or, if it never did, when it came as far as it came. A
/// partition is no beginning, nor is its end.
fn began(task: &ScheduledTask) -> Option<&TaskEvent> {
    let ran = task.events.iter().find(|event| event.state == TaskState::Running);
    ran.or_else(|| {
        let is_step =
            |event: &&TaskEvent| event.state.is_active() && event.state != TaskState::Partitioned;
        task.events.iter().rev().find(is_step)
    })
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
