//! What a job is, made of what runs of it.

use aurora_model::job::{JobConfiguration, ScheduledTask, Timestamp};
use aurora_model::key::JobKey;

use crate::scheduler::Scheduler;

impl Scheduler {
    /// A job as if it had been submitted as it is: what its latest active task is, or its latest
    /// task if none is active, with as many instances as are active. A cron job is its template.
    /// Nothing if there is no such job.
    pub fn job_configuration(&self, job: &JobKey) -> Option<JobConfiguration> {
        if let Some(cron) = self.cron(job) {
            return Some((*cron.job).clone());
        }
        let state = self.state();
        let mut instances = 0_u32;
        let active = state.active_of(job).inspect(|_| instances = instances.saturating_add(1));
        let latest = active.max_by_key(|task| latest(task));
        let latest =
            latest.or_else(|| state.tasks_of(job).max_by_key(|task| latest_event(task)))?;
        let task = (*latest.assigned.task).clone();
        Some(JobConfiguration {
            key: job.clone(),
            owner: task.owner.clone(),
            cron_schedule: None,
            cron_collision_policy: Default::default(),
            cron_time_zone: None,
            cron_catch_up: Default::default(),
            task,
            instance_count: instances,
        })
    }
}

/// When a run began: a job is what was started of it last.
fn latest(task: &ScheduledTask) -> Option<Timestamp> {
    task.events.first().map(|event| event.timestamp)
}

fn latest_event(task: &ScheduledTask) -> Option<Timestamp> {
    task.latest_event().map(|event| event.timestamp)
}
