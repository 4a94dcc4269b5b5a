//! Cron jobs: the service of the API.

use aurora_api::cron::told;
use aurora_api::v1;
use aurora_api::v1::cron_jobs_server::CronJobs;
use aurora_model::job::Timestamp;
use aurora_model::key::JobKey;
use aurora_scheduler_core::{
    CronRequest, CronResponse, CronStatus, Request as Ask, RequestMark, Response as Answer,
};
use prost::Message;
use tonic::{Request, Response, Status};

use crate::grpc::{Api, ended, invalid, job, mark, not_found, other_answer};
use crate::pages::{fit, page_size_within};

/// The most jobs of a page.
const MAX_PAGE: usize = 500;

fn key(key: Option<v1::JobKey>) -> Result<JobKey, Status> {
    let key = key.ok_or_else(|| invalid("job is missing"))?;
    JobKey::try_from(&key).map_err(invalid)
}

fn show(cron: &CronStatus) -> v1::CronJob {
    v1::CronJob {
        job: Some(v1::JobConfiguration::from(&*cron.job)),
        time_zone: cron.zone.clone(),
        next_ms: cron.next.map(|time| time.0),
        problem: cron.problem.clone(),
        queue: cron.queue.iter().map(Into::into).collect(),
        runs: cron
            .runs
            .iter()
            .map(|run| v1::CronRun { outcome: Some(told(&run.outcome)), ..run.into() })
            .collect(),
    }
}

impl Api {
    async fn ask_cron(
        &self,
        mark: Option<RequestMark>,
        ask: CronRequest,
    ) -> Result<CronResponse, Status> {
        match self.ask(mark, Ask::Cron(ask)).await? {
            Answer::Cron(response) => Ok(response),
            _ => Err(other_answer()),
        }
    }

    async fn schedule(
        &self,
        mark: Option<RequestMark>,
        ask: CronRequest,
    ) -> Result<(Option<v1::JobKey>, Option<i64>), Status> {
        match self.ask_cron(mark, ask).await? {
            CronResponse::Scheduled { key, next } => {
                tracing::info!(job = %key, "scheduled a cron job");
                Ok((Some(v1::JobKey::from(&key)), next.map(|Timestamp(ms)| ms)))
            }
            _ => Err(other_answer()),
        }
    }
}

#[tonic::async_trait]
impl CronJobs for Api {
    async fn schedule_cron_job(
        &self,
        request: Request<v1::ScheduleCronJobRequest>,
    ) -> Result<Response<v1::ScheduleCronJobResponse>, Status> {
        let request = request.into_inner();
        let mark = mark("ScheduleCronJob", request.request_id.as_deref(), &request)?;
        let ask = CronRequest::Schedule(job(request.job)?);
        let (key, next_ms) = self.schedule(mark, ask).await?;
        Ok(Response::new(v1::ScheduleCronJobResponse { key, next_ms }))
    }

    async fn replace_cron_job(
        &self,
        request: Request<v1::ReplaceCronJobRequest>,
    ) -> Result<Response<v1::ReplaceCronJobResponse>, Status> {
        let request = request.into_inner();
        let mark = mark("ReplaceCronJob", request.request_id.as_deref(), &request)?;
        let ask = CronRequest::Replace(job(request.job)?);
        let (key, next_ms) = self.schedule(mark, ask).await?;
        Ok(Response::new(v1::ReplaceCronJobResponse { key, next_ms }))
    }

    async fn deschedule_cron_job(
        &self,
        request: Request<v1::DescheduleCronJobRequest>,
    ) -> Result<Response<v1::DescheduleCronJobResponse>, Status> {
        let request = request.into_inner();
        let mark = mark("DescheduleCronJob", request.request_id.as_deref(), &request)?;
        let key = key(request.job)?;
        match self.ask_cron(mark, CronRequest::Deschedule(key.clone())).await? {
            CronResponse::Descheduled { existed } => {
                tracing::info!(job = %key, existed, "descheduled a cron job");
                Ok(Response::new(v1::DescheduleCronJobResponse { existed }))
            }
            _ => Err(other_answer()),
        }
    }

    async fn start_cron_job(
        &self,
        request: Request<v1::StartCronJobRequest>,
    ) -> Result<Response<v1::StartCronJobResponse>, Status> {
        let request = request.into_inner();
        let mark = mark("StartCronJob", request.request_id.as_deref(), &request)?;
        let key = key(request.job)?;
        match self.ask_cron(mark, CronRequest::Start(key)).await? {
            CronResponse::Triggered { outcome } => {
                let outcome = outcome.as_ref().map(told);
                Ok(Response::new(v1::StartCronJobResponse { outcome }))
            }
            _ => Err(other_answer()),
        }
    }

    async fn get_cron_job(
        &self,
        request: Request<v1::GetCronJobRequest>,
    ) -> Result<Response<v1::GetCronJobResponse>, Status> {
        let key = key(request.into_inner().job)?;
        let wanted = key.clone();
        let found = self.core.ask(move |scheduler| scheduler.cron(&wanted)).await.map_err(ended)?;
        let found = found.ok_or_else(|| not_found(format!("there is no cron job {key}")))?;
        Ok(Response::new(v1::GetCronJobResponse { job: Some(show(&found)) }))
    }

    async fn list_cron_jobs(
        &self,
        request: Request<v1::ListCronJobsRequest>,
    ) -> Result<Response<v1::ListCronJobsResponse>, Status> {
        let v1::ListCronJobsRequest { role, page_size, page_token } = request.into_inner();
        let after: Option<JobKey> = match page_token.as_str() {
            "" => None,
            token => Some(token.parse().map_err(|_| invalid("page_token is of no page"))?),
        };
        let size = page_size_within(page_size, MAX_PAGE, MAX_PAGE);
        let mut found: Vec<CronStatus> = self
            .core
            .ask(move |scheduler| scheduler.crons(&role, after.as_ref()).take(size + 1).collect())
            .await
            .map_err(ended)?;
        let has_more = found.len() > size;
        found.truncate(size);
        let (jobs, is_cut) = fit(found.iter().map(show), Message::encoded_len);
        let last = found.get(jobs.len().saturating_sub(1)).filter(|_| has_more || is_cut);
        Ok(Response::new(v1::ListCronJobsResponse {
            next_page_token: last.map(|cron| cron.job.key.to_string()).unwrap_or_default(),
            jobs,
        }))
    }
}
