//! The end of instances.

use std::collections::BTreeSet;

use aurora_model::job::TaskState;
use aurora_model::key::{JobKey, TaskId};

use crate::input::{RecordedResponse, RequestError};
use crate::scheduler::Turn;

/// The longest message of a kill, in bytes. Every task that is killed keeps it, and all of them are
/// killed in one step: a client that is told so must find it so after a crash. With the largest job
/// that there may be ([`Settings::max_tasks_per_job`](crate::Settings::max_tasks_per_job)) that step is
/// no longer than what the log takes; a test of `aurora-scheduler-storage` holds it to that.
const MAX_MESSAGE: usize = 1 << 10;

impl Turn<'_> {
    /// Ends every active task that is meant and not being ended already.
    pub(crate) fn kill_tasks(
        &mut self,
        job: &JobKey,
        instances: &BTreeSet<u32>,
        user: &str,
        message: Option<&str>,
    ) -> Result<RecordedResponse, RequestError> {
        let length = message.map_or(0, str::len);
        if length > MAX_MESSAGE {
            return Err(RequestError::invalid(format!(
                "the message is {length} bytes long; at most {MAX_MESSAGE} are allowed"
            )));
        }
        self.scheduler.check_not_updating(job)?;
        let mut reason = format!("Killed by {user}");
        if let Some(text) = message.map(str::trim).filter(|text| !text.is_empty()) {
            reason.push_str(".\n");
            reason.push_str(text);
        }
        let doomed: Vec<(u32, TaskId)> = self
            .scheduler
            .state
            .active_of(job)
            .filter(|task| task.state != TaskState::Killing)
            .filter(|task| instances.is_empty() || instances.contains(&task.assigned.instance))
            .map(|task| (task.assigned.instance, task.id().clone()))
            .collect();
        let mut killed = Vec::new();
        for (instance, id) in doomed {
            if self.change(&id, TaskState::Killing, Some(&reason)) {
                killed.push(instance);
            }
        }
        Ok(RecordedResponse::Killed { instances: killed })
    }
}
