//! Calls to the scheduler, and what their failures mean (`client.md` 3 and 12).

use std::time::{Duration, Instant};

use aurora_api::v1;
use aurora_api::v1::cluster_client::ClusterClient;
use aurora_api::v1::cron_jobs_client::CronJobsClient;
use aurora_api::v1::jobs_client::JobsClient;
use aurora_api::v1::plan_client::PlanClient;
use aurora_api::v1::quotas_client::QuotasClient;
use aurora_api::v1::updates_client::UpdatesClient;
use aurora_model::key::{JobKey, Role};
use tonic::transport::{Channel, Endpoint};
use tonic::{Code as Grpc, Response, Status, TimeoutExpired};

use crate::discovery::Connection;
use crate::failure::{Code, Failure};
use crate::update::Change;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// How long the scheduler may take to answer.
const CALL_TIMEOUT: Duration = Duration::from_secs(60);
const KEEP_ALIVE: Duration = Duration::from_secs(20);
/// The largest answer, in bytes: a cluster may have many tasks.
const MAX_ANSWER: usize = 1 << 30;
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// A scheduler that can be asked.
#[derive(Debug, Clone)]
pub(crate) struct Scheduler {
    address: String,
    jobs: JobsClient<Channel>,
    cluster: ClusterClient<Channel>,
    quotas: QuotasClient<Channel>,
    plan: PlanClient<Channel>,
    updates: UpdatesClient<Channel>,
    crons: CronJobsClient<Channel>,
    retry_for: Duration,
}

impl Scheduler {
    /// The scheduler of a cluster. One whose address was given says which cluster it is of, so that
    /// no command meant for one cluster reaches another.
    pub(crate) async fn of_cluster(
        cluster: &str,
        connection: &Connection,
    ) -> Result<Self, Failure> {
        let address = connection.find(cluster)?;
        let scheduler = Self::at(&address, Duration::from_secs(connection.retry_for.into()))?;
        if connection.scheduler.is_some() {
            let info = scheduler.info().await?;
            if info.cluster != cluster {
                return Err(Failure::new(
                    Code::InvalidConfiguration,
                    format!(
                        "the scheduler at {} is of cluster {}, not {cluster}; nothing was done",
                        scheduler.address, info.cluster
                    ),
                ));
            }
        }
        Ok(scheduler)
    }

    /// The scheduler at an address. Nothing is sent yet.
    pub(crate) fn at(address: &str, retry_for: Duration) -> Result<Self, Failure> {
        let full =
            if address.contains("://") { address.to_owned() } else { format!("http://{address}") };
        let wrong = |reason: &str| {
            Failure::new(
                Code::InvalidConfiguration,
                format!("the scheduler's address {address:?} cannot be used: {reason}"),
            )
        };
        let endpoint = Endpoint::from_shared(full.clone())
            .map_err(|_| wrong("write something like http://127.0.0.1:8081"))?;
        if endpoint.uri().scheme_str() != Some("http") {
            return Err(wrong("this client speaks http only"));
        }
        let channel = endpoint
            .connect_timeout(CONNECT_TIMEOUT)
            .timeout(CALL_TIMEOUT)
            .http2_keep_alive_interval(KEEP_ALIVE)
            .keep_alive_while_idle(true)
            .connect_lazy();
        Ok(Self {
            address: full,
            jobs: JobsClient::new(channel.clone()).max_decoding_message_size(MAX_ANSWER),
            cluster: ClusterClient::new(channel.clone()),
            quotas: QuotasClient::new(channel.clone()),
            plan: PlanClient::new(channel.clone()).max_decoding_message_size(MAX_ANSWER),
            updates: UpdatesClient::new(channel.clone()).max_decoding_message_size(MAX_ANSWER),
            crons: CronJobsClient::new(channel),
            retry_for,
        })
    }

    /// The same, which tries again for at least so long while it cannot be reached.
    pub(crate) fn patient(&self, retry_for: Duration) -> Self {
        Self { retry_for: self.retry_for.max(retry_for), ..self.clone() }
    }

    pub(crate) fn address(&self) -> &str {
        &self.address
    }

    /// Makes a call, and makes it again while the scheduler cannot be reached and time is left.
    /// Calls that change something carry a request id, so that none is done twice, or do nothing
    /// when they are.
    async fn call<T, F, Answering>(&self, refused: Code, act: F) -> Result<T, Failure>
    where
        F: Fn(Self) -> Answering,
        Answering: Future<Output = Result<Response<T>, Status>>,
    {
        let until = Instant::now() + self.retry_for;
        let mut pause = FIRST_PAUSE;
        loop {
            match act(self.clone()).await {
                Ok(answer) => return Ok(answer.into_inner()),
                Err(status) if is_unreachable(&status) && Instant::now() + pause < until => {
                    tokio::time::sleep(pause).await;
                    pause = (pause * 2).min(LONGEST_PAUSE);
                }
                Err(status) => return Err(self.failure(&status, refused)),
            }
        }
    }

    /// What an answer that is an error means.
    fn failure(&self, status: &Status, refused: Code) -> Failure {
        let address = &self.address;
        match status.code() {
            _ if is_unreachable(status) => Failure::new(
                Code::Network,
                format!(
                    "failed to reach the scheduler at {address}: {}; is it running?",
                    reason(status)
                ),
            ),
            Grpc::DeadlineExceeded | Grpc::Cancelled => Failure::new(
                Code::Timeout,
                format!("the scheduler at {address} did not answer in time"),
            ),
            Grpc::Unauthenticated | Grpc::PermissionDenied => Failure::new(
                Code::Auth,
                format!("the scheduler at {address} refuses access: {}", status.message()),
            ),
            Grpc::InvalidArgument
            | Grpc::AlreadyExists
            | Grpc::NotFound
            | Grpc::FailedPrecondition
            | Grpc::ResourceExhausted => Failure::new(refused, status.message().to_owned()),
            _ => Failure::new(
                Code::Api,
                format!("the scheduler at {address} has failed: {}", reason(status)),
            ),
        }
    }

    pub(crate) async fn info(&self) -> Result<v1::GetInfoResponse, Failure> {
        let act = |mut to: Self| async move { to.cluster.get_info(v1::GetInfoRequest {}).await };
        self.call(Code::Api, act).await
    }

    /// Where people see a job: a change that was made has been made whether or not the scheduler says where
    /// its pages are.
    pub(crate) async fn page_of(&self, job: &JobKey) -> String {
        let web = match self.info().await {
            Ok(info) => info.web_url,
            Err(_) => self.address.clone(),
        };
        format!("{}/scheduler/{job}", web.trim_end_matches('/'))
    }

    pub(crate) async fn create(
        &self,
        job: v1::JobConfiguration,
    ) -> Result<v1::CreateJobResponse, Failure> {
        let request = v1::CreateJobRequest { request_id: Some(request_id()), job: Some(job) };
        let act = |mut to: Self| {
            let request = request.clone();
            async move { to.jobs.create_job(request).await }
        };
        self.call(Code::CommandFailure, act).await
    }

    /// The job as the scheduler would keep it; a refusal fails with this code.
    pub(crate) async fn validate(
        &self,
        job: v1::JobConfiguration,
        refused: Code,
    ) -> Result<v1::JobConfiguration, Failure> {
        let request = v1::ValidateJobRequest { job: Some(job) };
        let act = |mut to: Self| {
            let request = request.clone();
            async move { to.jobs.validate_job(request).await }
        };
        let answer = self.call(refused, act).await?;
        answer.job.ok_or_else(|| Failure::new(Code::Api, "the scheduler gave back no job"))
    }

    /// What submitting a job would change, without changing it. Places are not looked for.
    pub(crate) async fn plan(
        &self,
        job: v1::JobConfiguration,
    ) -> Result<v1::PlanJobResponse, Failure> {
        let request = v1::PlanJobRequest {
            job: Some(job),
            without_placement: true,
            ..v1::PlanJobRequest::default()
        };
        let act = |mut to: Self| {
            let request = request.clone();
            async move { to.plan.plan_job(request).await }
        };
        self.call(Code::InvalidConfiguration, act).await
    }

    /// Kills instances, or all if none is named. Gives those that are being killed.
    pub(crate) async fn kill(
        &self,
        job: &JobKey,
        instances: Vec<u32>,
        message: Option<String>,
    ) -> Result<Vec<u32>, Failure> {
        let request = v1::KillTasksRequest {
            request_id: Some(request_id()),
            job: Some(v1::JobKey::from(job)),
            instances,
            message,
        };
        let act = |mut to: Self| {
            let request = request.clone();
            async move { to.jobs.kill_tasks(request).await }
        };
        Ok(self.call(Code::Api, act).await?.killed)
    }

    /// The jobs of a role; of all if it is empty.
    pub(crate) async fn list(&self, role: &str) -> Result<Vec<v1::JobSummary>, Failure> {
        let mut all = Vec::new();
        let mut page_token = String::new();
        loop {
            let request = v1::ListJobsRequest {
                role: role.to_owned(),
                page_token,
                ..v1::ListJobsRequest::default()
            };
            let act = |mut to: Self| {
                let request = request.clone();
                async move { to.jobs.list_jobs(request).await }
            };
            let page = self.call(Code::CommandFailure, act).await?;
            all.extend(page.jobs);
            page_token = page.next_page_token;
            if page_token.is_empty() {
                return Ok(all);
            }
        }
    }

    /// The tasks that match and why they wait, all pages together. The version is that of the first.
    pub(crate) async fn tasks(
        &self,
        query: v1::TaskQuery,
    ) -> Result<v1::ListTasksResponse, Failure> {
        let mut all = v1::ListTasksResponse::default();
        loop {
            let request = v1::ListTasksRequest {
                query: Some(query.clone()),
                page_token: std::mem::take(&mut all.next_page_token),
                ..v1::ListTasksRequest::default()
            };
            let act = |mut to: Self| {
                let request = request.clone();
                async move { to.jobs.list_tasks(request).await }
            };
            let page = self.call(Code::InvalidParameter, act).await?;
            if all.version == 0 {
                all.version = page.version;
            }
            all.tasks.extend(page.tasks);
            all.pending_reasons.extend(page.pending_reasons);
            all.next_page_token = page.next_page_token;
            if all.next_page_token.is_empty() {
                return Ok(all);
            }
        }
    }

    /// Starts an update. `id` makes it the same one however often this is called. None if there is nothing to
    /// change.
    pub(crate) async fn start_update(
        &self,
        update: v1::JobUpdateRequest,
        id: &str,
        message: Option<String>,
    ) -> Result<Option<v1::UpdateKey>, Failure> {
        let request = v1::StartUpdateRequest {
            request_id: Some(id.to_owned()),
            update: Some(update),
            message,
        };
        let act = |mut to: Self| {
            let request = request.clone();
            async move { to.updates.start_update(request).await }
        };
        Ok(self.call(Code::Api, act).await?.key)
    }

    /// Changes how an update goes on. Gives the number of the status that it has then.
    pub(crate) async fn change_update(
        &self,
        change: Change,
        key: &v1::UpdateKey,
        message: Option<String>,
    ) -> Result<i32, Failure> {
        let request = v1::ChangeUpdateRequest {
            request_id: Some(request_id()),
            key: Some(key.clone()),
            message,
        };
        let act = |mut to: Self| {
            let request = request.clone();
            async move {
                match change {
                    Change::Pause => to.updates.pause_update(request).await,
                    Change::Resume => to.updates.resume_update(request).await,
                    Change::Abort => to.updates.abort_update(request).await,
                    Change::Rollback => to.updates.roll_back_update(request).await,
                }
            }
        };
        Ok(self.call(Code::Api, act).await?.status)
    }

    /// The updates that match, the last changed first.
    pub(crate) async fn updates(
        &self,
        query: v1::UpdateQuery,
    ) -> Result<Vec<v1::UpdateSummary>, Failure> {
        let mut all = Vec::new();
        let mut page_token = String::new();
        loop {
            let request =
                v1::ListUpdatesRequest { query: Some(query.clone()), page_size: 1000, page_token };
            let act = |mut to: Self| {
                let request = request.clone();
                async move { to.updates.list_updates(request).await }
            };
            let page = self.call(Code::Api, act).await?;
            all.extend(page.updates);
            page_token = page.next_page_token;
            if page_token.is_empty() {
                return Ok(all);
            }
        }
    }

    /// An update with all that happened to it.
    pub(crate) async fn update(
        &self,
        key: &v1::UpdateKey,
    ) -> Result<v1::GetUpdateResponse, Failure> {
        let act = |mut to: Self| {
            let request = v1::GetUpdateRequest { key: Some(key.clone()) };
            async move { to.updates.get_update(request).await }
        };
        self.call(Code::InvalidParameter, act).await
    }

    /// Has a job run by its schedule.
    pub(crate) async fn schedule_cron(
        &self,
        job: v1::JobConfiguration,
    ) -> Result<v1::ScheduleCronJobResponse, Failure> {
        let request = v1::ScheduleCronJobRequest { request_id: Some(request_id()), job: Some(job) };
        let act = |mut to: Self| {
            let request = request.clone();
            async move { to.crons.schedule_cron_job(request).await }
        };
        self.call(Code::Api, act).await
    }

    /// Has no more runs of a job made. Gives whether it had a schedule.
    pub(crate) async fn deschedule_cron(&self, job: &JobKey) -> Result<bool, Failure> {
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
    pub(crate) async fn start_cron(
        &self,
        job: &JobKey,
    ) -> Result<Option<v1::CronOutcome>, Failure> {
        let request = v1::StartCronJobRequest {
            request_id: Some(request_id()),
            job: Some(v1::JobKey::from(job)),
        };
        let act = |mut to: Self| {
            let request = request.clone();
            async move { to.crons.start_cron_job(request).await }
        };
        Ok(self.call(Code::Api, act).await?.outcome)
    }

    /// A cron job.
    pub(crate) async fn cron(&self, job: &JobKey) -> Result<v1::CronJob, Failure> {
        let act = |mut to: Self| {
            let request = v1::GetCronJobRequest { job: Some(v1::JobKey::from(job)) };
            async move { to.crons.get_cron_job(request).await }
        };
        let found = self.call(Code::InvalidParameter, act).await?.job;
        found.ok_or_else(|| Failure::new(Code::Api, "the scheduler gave back no job"))
    }

    /// What a role may use, and what it uses.
    pub(crate) async fn quota(&self, role: &Role) -> Result<v1::GetQuotaResponse, Failure> {
        let act = |mut to: Self| {
            let request = v1::GetQuotaRequest { role: role.to_string() };
            async move { to.quotas.get_quota(request).await }
        };
        self.call(Code::Api, act).await
    }

    /// Sets what the production jobs of a role may use together.
    pub(crate) async fn set_quota(
        &self,
        role: &Role,
        quota: v1::ResourceAggregate,
    ) -> Result<(), Failure> {
        let request = v1::SetQuotaRequest {
            role: role.to_string(),
            quota: Some(quota),
            request_id: Some(request_id()),
        };
        let act = |mut to: Self| {
            let request = request.clone();
            async move { to.quotas.set_quota(request).await }
        };
        self.call(Code::CommandFailure, act).await.map(|_| ())
    }

    /// Everything that happens to tasks, beginning with how they are.
    pub(crate) async fn watch(
        &self,
        query: v1::TaskQuery,
    ) -> Result<tonic::Streaming<v1::WatchTasksResponse>, Failure> {
        let act = |mut to: Self| {
            let request = v1::WatchTasksRequest { query: Some(query.clone()) };
            async move { to.jobs.watch_tasks(request).await }
        };
        self.call(Code::Api, act).await
    }
}

/// The tasks of a job.
pub(crate) fn tasks_of(job: &JobKey) -> v1::TaskQuery {
    v1::TaskQuery {
        role: job.role().to_owned(),
        environment: job.environment().to_owned(),
        name: job.name().to_owned(),
        ..v1::TaskQuery::default()
    }
}

/// Whether a call may never have arrived, or its answer was lost: then it can be made again.
pub(crate) fn is_unreachable(status: &Status) -> bool {
    // What the scheduler itself says has no cause here; a broken connection has, whatever its code.
    let mut cause = std::error::Error::source(status);
    let is_local = cause.is_some();
    while let Some(error) = cause {
        if error.is::<TimeoutExpired>() {
            return false;
        }
        cause = error.source();
    }
    is_local || status.code() == Grpc::Unavailable
}

fn request_id() -> String {
    uuid::Uuid::new_v4().to_string()
}

/// The innermost cause: the outer ones only say that a transport has failed.
fn reason(status: &Status) -> String {
    let mut cause: Option<&dyn std::error::Error> = std::error::Error::source(status);
    let mut text = status.message().to_owned();
    while let Some(error) = cause {
        text = error.to_string();
        cause = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_lost_calls_are_made_again() {
        let reset = std::io::Error::from(std::io::ErrorKind::ConnectionReset);
        assert!(is_unreachable(&Status::from_error(Box::new(reset))));
        assert!(is_unreachable(&Status::unavailable("the scheduler is shutting down")));
        assert!(!is_unreachable(&Status::from_error(Box::new(TimeoutExpired(())))));
        assert!(!is_unreachable(&Status::cancelled("by the scheduler")));
        assert!(!is_unreachable(&Status::internal("a mistake")));
    }
}
