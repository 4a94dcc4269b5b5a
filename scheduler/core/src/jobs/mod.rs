//! What clients ask of jobs that are no cron jobs (`scheduler.md` 7), and what all jobs have in common.

mod add;
mod create;
mod kill;
mod restart;

use std::sync::Arc;

use aurora_model::job::{TaskConfig, TaskState};
use aurora_model::key::{JobKey, TaskId};

use crate::input::{ErrorKind, Op, RequestError, TaskRecord};
use crate::scheduler::Turn;

impl Turn<'_> {
    /// Whether a job may be changed by instances: not if it is a cron job, whose runs come and go.
    fn check_no_cron(&self, job: &JobKey) -> Result<(), RequestError> {
        if self.scheduler.state.crons.get(job).is_none() {
            return Ok(());
        }
        Err(RequestError {
            kind: ErrorKind::FailedPrecondition,
            message: format!("{job} is a cron job: replace it with another number of instances"),
        })
    }

    /// Makes new instances that wait for a place. None of them may be there already.
    pub(crate) fn insert_pending(
        &mut self,
        config: TaskConfig,
        instances: impl Iterator<Item = u32>,
    ) {
        let job = config.job.clone();
        let tasks: Vec<TaskRecord> = instances
            .map(|instance| TaskRecord {
                id: TaskId::for_instance(&job.instance(instance), &self.scheduler.random.uuid()),
                instance,
                state: TaskState::Init,
                agent: None,
                ports: Default::default(),
                failure_count: 0,
                times_partitioned: 0,
                events: Vec::new(),
                ancestor: None,
            })
            .collect();
        let ids: Vec<TaskId> = tasks.iter().map(|task| task.id.clone()).collect();
        self.apply(Op::PutTasks { config: Arc::new(config), tasks });
        for id in ids {
            self.change(&id, TaskState::Pending, None);
        }
    }
}
