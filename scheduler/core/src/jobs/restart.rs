//! Instances that are ended to begin anew.

use std::collections::BTreeSet;

use aurora_model::job::TaskState;
use aurora_model::key::{JobKey, TaskId};

use crate::input::{ErrorKind, RecordedResponse, RequestError};
use crate::scheduler::Turn;

impl Turn<'_> {
    /// Restarts instances, all of which must be active. Those that wait for a place have nothing to
    /// restart and are left out of the answer.
    pub(crate) fn restart_tasks(
        &mut self,
        job: &JobKey,
        instances: &BTreeSet<u32>,
        user: &str,
    ) -> Result<RecordedResponse, RequestError> {
        if instances.is_empty() {
            return Err(RequestError::invalid("name at least one instance to restart"));
        }
        self.scheduler.check_not_updating(job)?;
        let (mut found, mut missing) = (Vec::new(), Vec::new());
        for instance in instances {
            match self.scheduler.state.active_instance(job, *instance) {
                Some(task) => found.push((*instance, task.id().clone())),
                None => missing.push(instance.to_string()),
            }
        }
        if !missing.is_empty() {
            return Err(RequestError {
                kind: ErrorKind::NotFound,
                message: format!(
                    "{job} has no active instance {}: nothing was restarted",
                    missing.join(", ")
                ),
            });
        }
        let reason = format!("Restarted by {user}");
        let restart = |(instance, id): (u32, TaskId)| {
            self.change(&id, TaskState::Restarting, Some(&reason)).then_some(instance)
        };
        let instances = found.into_iter().filter_map(restart).collect();
        Ok(RecordedResponse::Restarted { instances })
    }
}
