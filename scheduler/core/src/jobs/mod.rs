//! What clients ask of jobs that are no cron jobs (`scheduler.md` 7), and what all jobs have in common.

mod add;
mod create;
mod kill;
mod restart;

use std::sync::Arc;

use aurora_model::job::{TaskConfig, TaskEvent, TaskState};
use aurora_model::key::{JobKey, TaskId};

use crate::changes::TaskChange;
use crate::input::{Effect, ErrorKind, Op, RequestError, TaskRecord};
use crate::scheduler::{Scheduler, Turn};

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
    ///
    /// They are recorded as waiting at once, with one change for all: a job may have thousands, and
    /// whatever else is asked of the scheduler waits meanwhile.
    pub(crate) fn insert_pending(
        &mut self,
        config: Arc<TaskConfig>,
        instances: impl Iterator<Item = u32>,
    ) {
        let event = TaskEvent {
            timestamp: self.now,
            state: TaskState::Pending,
            message: None,
            scheduler: Some(self.scheduler.host_name.clone()),
        };
        let tasks: Vec<TaskRecord> = instances
            .map(|instance| {
                let uuid = self.scheduler.random.uuid();
                let id = TaskId::for_instance(&config.job.instance(instance), &uuid);
                let events = vec![event.clone()];
                TaskRecord { state: TaskState::Pending, events, ..TaskRecord::new(id, instance) }
            })
            .collect();
        let made: Vec<(TaskId, u32)> =
            tasks.iter().map(|task| (task.id.clone(), task.instance)).collect();
        self.apply(Op::PutTasks { config: config.clone(), tasks });
        let Scheduler { state, groups, settings, .. } = &mut *self.scheduler;
        // An equal one may have been in use already.
        let task = made.first().and_then(|(id, _)| state.task(id));
        let config = task.map_or(config, |task| task.assigned.task.clone());
        groups.add(made.iter().map(|(id, _)| id.clone()), &config, settings);
        self.step.effects.extend(made.iter().map(|(id, _)| Effect::Changed(id.clone())));
        self.changes.extend(made.into_iter().map(|(id, instance)| TaskChange {
            id,
            config: config.clone(),
            instance,
            host: None,
            from: TaskState::Init,
            to: Some(TaskState::Pending),
        }));
    }
}
