//! What has become of tasks in a turn, for those parts that wait for it: they are told after what was
//! being done is finished, so that none acts in the middle of another's act.

use std::sync::Arc;

use aurora_model::job::{TaskConfig, TaskState};
use aurora_model::key::TaskId;

use crate::scheduler::Turn;

/// A task has gone to another state, or is gone.
#[derive(Debug, Clone)]
pub(crate) struct TaskChange {
    pub(crate) id: TaskId,
    pub(crate) config: Arc<TaskConfig>,
    pub(crate) instance: u32,
    /// The host that had it, or has it now.
    pub(crate) host: Option<String>,
    pub(crate) from: TaskState,
    /// None if the task was forgotten.
    pub(crate) to: Option<TaskState>,
}

impl TaskChange {
    /// Whether the task is up now and was not, or does not count any more: policies that refused
    /// something may allow it.
    pub(crate) fn changes_what_is_up(&self) -> bool {
        let is_gone = self.from.is_active() && !self.to.is_some_and(TaskState::is_active);
        is_gone || self.to == Some(TaskState::Running)
    }
}

impl Turn<'_> {
    /// Tells all parts of what has happened, until nothing more happens of it.
    pub(crate) fn settle(&mut self) {
        while let Some(change) = self.changes.pop_front() {
            self.updates_see(&change);
            self.cron_see(&change);
            self.maintenance_see(&change);
        }
    }
}
