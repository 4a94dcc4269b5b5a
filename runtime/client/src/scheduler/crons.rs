//! Jobs that run by a schedule.

use aurora_api::v1;
use aurora_model::key::JobKey;

use super::{Scheduler, request_id};
use crate::error::{Code, Error};
use crate::hooks::Method;

impl Scheduler {
    /// Has a job run by its schedule.
    pub async fn schedule_cron(
        &self,
        job: v1::JobConfiguration,
    ) -> Result<v1::ScheduleCronJobResponse, Error> {
        let request = v1::ScheduleCronJobRequest { request_id: Some(request_id()), job: Some(job) };
        let act = |mut to: Self| {
            let request = request.clone();
            async move { to.crons.schedule_cron_job(request).await }
        };
        self.call(Code::Api, act).await
    }

    /// Has no more runs of a job made. Gives whether it had a schedule.
    pub async fn deschedule_cron(&self, job: &JobKey) -> Result<bool, Error> {
        let request = v1::DescheduleCronJobRequest {
            request_id: Some(request_id()),
            job: Some(v1::JobKey::from(job)),
        };
        let act = |mut to: Self| {
            let request = request.clone();
            async move { to.crons.deschedule_cron_job(request).await }
        };
        Ok(self.call(Code::Api, act).await?.existed)
    }

    /// Makes a run of a cron job. Gives what became of it; none if it waits for the run before.
    pub async fn start_cron(&self, job: &JobKey) -> Result<Option<v1::CronOutcome>, Error> {
        let request = v1::StartCronJobRequest {
            request_id: Some(request_id()),
            job: Some(v1::JobKey::from(job)),
        };
        let act = |mut to: Self| {
            let request = request.clone();
            async move { to.crons.start_cron_job(request).await }
        };
        let call = self.call(Code::Api, act);
        Ok(self.hooked(Method::StartCronjob, &request, call).await?.outcome)
    }

    /// A cron job.
    pub async fn cron(&self, job: &JobKey) -> Result<v1::CronJob, Error> {
        let act = |mut to: Self| {
            let request = v1::GetCronJobRequest { job: Some(v1::JobKey::from(job)) };
            async move { to.crons.get_cron_job(request).await }
        };
        let found = self.call(Code::InvalidParameter, act).await?.job;
        found.ok_or_else(|| Error::new(Code::Api, "the scheduler gave back no job"))
    }
}
