//! Calls to the scheduler, and what their failures mean (`client.md` 3 and 12).

mod admin;
mod backups;
mod crons;
mod jobs;
pub mod maintenance;
mod quotas;
mod updates;

use std::time::{Duration, Instant};

use aurora_api::v1;
use aurora_api::v1::admin_client::AdminClient;
use aurora_api::v1::backups_client::BackupsClient;
use aurora_api::v1::cluster_client::ClusterClient;
use aurora_api::v1::cron_jobs_client::CronJobsClient;
use aurora_api::v1::events_client::EventsClient;
use aurora_api::v1::jobs_client::JobsClient;
use aurora_api::v1::maintenance_client::MaintenanceClient;
use aurora_api::v1::plan_client::PlanClient;
use aurora_api::v1::quotas_client::QuotasClient;
use aurora_api::v1::updates_client::UpdatesClient;
use aurora_model::key::JobKey;
use tonic::transport::{Channel, Endpoint};
use tonic::{Code as Grpc, Response, Status, TimeoutExpired};

pub use jobs::{active_states, instances_of};

use crate::discovery::Connection;
use crate::error::{Code, Error};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// How long the scheduler may take to answer.
const CALL_TIMEOUT: Duration = Duration::from_secs(60);
const KEEP_ALIVE: Duration = Duration::from_secs(20);
/// The largest answer, in bytes: a cluster may have many tasks.
const MAX_ANSWER: usize = 1 << 30;
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// What can be done to an update that goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// What was begun goes on, nothing more is begun.
    Pause,
    /// It goes on.
    Resume,
    /// It ends, and the job stays what it is.
    Abort,
    /// It is undone.
    Rollback,
}

/// A scheduler that can be asked.
#[derive(Debug, Clone)]
pub struct Scheduler {
    address: String,
    jobs: JobsClient<Channel>,
    cluster: ClusterClient<Channel>,
    quotas: QuotasClient<Channel>,
    plan: PlanClient<Channel>,
    updates: UpdatesClient<Channel>,
    crons: CronJobsClient<Channel>,
    maintenance: MaintenanceClient<Channel>,
    backups: BackupsClient<Channel>,
    admin: AdminClient<Channel>,
    events: EventsClient<Channel>,
    retry_for: Duration,
}

impl Scheduler {
    /// The scheduler of a cluster. One whose address was given says which cluster it is of, so that
    /// no command meant for one cluster reaches another.
    pub async fn of_cluster(cluster: &str, connection: &Connection) -> Result<Self, Error> {
        let address = connection.find(cluster)?;
        let scheduler = Self::at(&address, Duration::from_secs(connection.retry_for.into()))?;
        if connection.scheduler.is_some() {
            let info = scheduler.info().await?;
            if info.cluster != cluster {
                return Err(Error::new(
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
    pub fn at(address: &str, retry_for: Duration) -> Result<Self, Error> {
        let full =
            if address.contains("://") { address.to_owned() } else { format!("http://{address}") };
        let wrong = |reason: &str| {
            Error::new(
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
            crons: CronJobsClient::new(channel.clone()),
            maintenance: MaintenanceClient::new(channel.clone())
                .max_decoding_message_size(MAX_ANSWER),
            backups: BackupsClient::new(channel.clone()).max_decoding_message_size(MAX_ANSWER),
            admin: AdminClient::new(channel.clone()),
            events: EventsClient::new(channel),
            retry_for,
        })
    }

    /// The same, which tries again for at least so long while it cannot be reached.
    pub fn patient(&self, retry_for: Duration) -> Self {
        Self { retry_for: self.retry_for.max(retry_for), ..self.clone() }
    }

    /// Its address, as a URL.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// Makes a call, and makes it again while the scheduler cannot be reached and time is left.
    /// Calls that change something carry a request id, so that none is done twice, or do nothing
    /// when they are.
    async fn call<T, F, Answering>(&self, refused: Code, act: F) -> Result<T, Error>
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
    fn failure(&self, status: &Status, refused: Code) -> Error {
        let address = &self.address;
        match status.code() {
            _ if is_unreachable(status) => Error::new(
                Code::Network,
                format!(
                    "failed to reach the scheduler at {address}: {}; is it running?",
                    reason(status)
                ),
            ),
            Grpc::DeadlineExceeded | Grpc::Cancelled => Error::new(
                Code::Timeout,
                format!("the scheduler at {address} did not answer in time"),
            ),
            Grpc::Unauthenticated | Grpc::PermissionDenied => Error::new(
                Code::Auth,
                format!("the scheduler at {address} refuses access: {}", status.message()),
            ),
            Grpc::InvalidArgument
            | Grpc::AlreadyExists
            | Grpc::NotFound
            | Grpc::FailedPrecondition
            | Grpc::ResourceExhausted => Error::new(refused, status.message().to_owned()),
            _ => Error::new(
                Code::Api,
                format!("the scheduler at {address} has failed: {}", reason(status)),
            ),
        }
    }

    /// What it says of itself.
    pub async fn info(&self) -> Result<v1::GetInfoResponse, Error> {
        let act = |mut to: Self| async move { to.cluster.get_info(v1::GetInfoRequest {}).await };
        self.call(Code::Api, act).await
    }

    /// What happens from now on.
    pub async fn watch_events(
        &self,
        request: v1::WatchEventsRequest,
    ) -> Result<tonic::Streaming<v1::WatchEventsResponse>, Error> {
        let act = |mut to: Self| {
            let request = request.clone();
            async move { to.events.watch(request).await }
        };
        self.call(Code::Api, act).await
    }

    /// Where agents listen, each given by its id and host, and whose the tasks on them are.
    pub async fn locate_agents(
        &self,
        places: &[(String, String)],
    ) -> Result<v1::LocateAgentsResponse, Error> {
        let agents = places.iter().map(|(agent_id, host)| v1::AgentPlace {
            agent_id: agent_id.clone(),
            host: host.clone(),
            address: String::new(),
        });
        let request = v1::LocateAgentsRequest { agents: agents.collect() };
        let act = |mut to: Self| {
            let request = request.clone();
            async move { to.cluster.locate_agents(request).await }
        };
        self.call(Code::Api, act).await
    }

    /// Where people see everything: a change that was made has been made whether or not the scheduler says where
    /// its pages are.
    pub async fn pages(&self) -> String {
        let web = match self.info().await {
            Ok(info) => info.web_url,
            Err(_) => self.address.clone(),
        };
        format!("{}/scheduler", web.trim_end_matches('/'))
    }

    /// Where people see a job.
    pub async fn page_of(&self, job: &JobKey) -> String {
        format!("{}/{job}", self.pages().await)
    }
}

/// The tasks of a job.
pub fn tasks_of(job: &JobKey) -> v1::TaskQuery {
    v1::TaskQuery {
        role: job.role().to_owned(),
        environment: job.environment().to_owned(),
        name: job.name().to_owned(),
        ..v1::TaskQuery::default()
    }
}

/// Whether a call may never have arrived, or its answer was lost: then it can be made again.
pub fn is_unreachable(status: &Status) -> bool {
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
