//! New jobs.

use std::sync::Arc;

use aurora_model::job::JobConfiguration;

use crate::input::{ErrorKind, RecordedResponse, RequestError};
use crate::scheduler::Turn;
use crate::validate::{check_instances, validate};

impl Turn<'_> {
    pub(crate) fn create(
        &mut self,
        mut job: JobConfiguration,
    ) -> Result<RecordedResponse, RequestError> {
        validate(&mut job, &self.scheduler.settings)?;
        if job.cron_schedule.is_some() {
            return Err(RequestError::invalid(format!(
                "{} has a cron schedule: it is scheduled, not created",
                job.key
            )));
        }
        self.scheduler.check_not_updating(&job.key)?;
        let state = &self.scheduler.state;
        if state.active_of(&job.key).next().is_some() || state.crons.get(&job.key).is_some() {
            return Err(RequestError {
                kind: ErrorKind::AlreadyExists,
                message: format!("Job already exists: {}", job.key),
            });
        }
        check_instances(&job, &self.scheduler.settings)?;
        self.scheduler.check_quota(&job.task, job.instance_count)?;
        let (key, instances) = (job.key, job.instance_count);
        self.insert_pending(Arc::new(job.task), 0..instances);
        Ok(RecordedResponse::Created { key, instances })
    }
}
