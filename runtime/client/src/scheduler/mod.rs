//! Calls to the scheduler, and what their failures mean (`client.md` 3 and 12).

mod admin;
mod backups;
mod crons;
mod jobs;
pub mod maintenance;
mod quotas;
mod sla;
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
use tonic::{Code as Grpc, Response, Status, TimeoutExpired};

pub use jobs::{active_states, instances_of};

use crate::address::Address;
use crate::discovery::{Cluster, Connection, Origin};
use crate::error::{Code, Error};
use crate::hooks::{self, Method};
use crate::transport::{CALL_TIMEOUT, HTTP_STATUS, LEADER, Transport, innermost};

/// The largest answer, in bytes: a cluster may have many tasks.
const MAX_ANSWER: usize = 1 << 30;
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);
/// How often it is told that the scheduler is still away.
const REMIND: Duration = Duration::from_secs(15);
/// How often one call is sent on to another scheduler that is to lead.
const MAX_REDIRECTS: u32 = 5;

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
    transport: Transport,
    jobs: JobsClient<Transport>,
    cluster: ClusterClient<Transport>,
    quotas: QuotasClient<Transport>,
    plan: PlanClient<Transport>,
    updates: UpdatesClient<Transport>,
    crons: CronJobsClient<Transport>,
    maintenance: MaintenanceClient<Transport>,
    backups: BackupsClient<Transport>,
    admin: AdminClient<Transport>,
    events: EventsClient<Transport>,
    retry_for: Duration,
}

/// Why a call has no answer yet.
enum Missed {
    /// It may never have arrived, or its answer was lost, for this reason.
    Unreachable(String),
    /// Another scheduler leads.
    Led(String),
    /// There will be no other answer.
    Failed(Error),
}

impl Scheduler {
    /// The scheduler of a cluster. One whose address was given says which cluster it is of, so that
    /// no command meant for one cluster reaches another.
    pub async fn of_cluster(cluster: &str, connection: &Connection) -> Result<Self, Error> {
        let found = connection.find(cluster)?;
        let is_given = found.origin == Origin::Given;
        let scheduler = Self::of(found, connection.patience(), connection.request_timeout);
        if connection.is_direct {
            scheduler.transport.be_direct();
        }
        if is_given {
            let info = scheduler.info().await?;
            if info.cluster != cluster {
                return Err(Error::new(
                    Code::InvalidConfiguration,
                    format!(
                        "the scheduler at {} is of cluster {}, not {cluster}; nothing was done",
                        scheduler.address(),
                        info.cluster
                    ),
                ));
            }
        }
        Ok(scheduler)
    }

    /// The scheduler at an address. Nothing is sent yet.
    pub fn at(address: &str, retry_for: Duration) -> Result<Self, Error> {
        let cluster = Cluster::at(Address::parse(address)?, "", Origin::Given);
        Ok(Self::of(cluster, retry_for, CALL_TIMEOUT))
    }

    /// The scheduler of a cluster that was found. Nothing is sent yet.
    pub fn of(cluster: Cluster, retry_for: Duration, call_timeout: Duration) -> Self {
        let transport = Transport::new(cluster, call_timeout);
        let to = || transport.clone();
        Self {
            jobs: JobsClient::new(to()).max_decoding_message_size(MAX_ANSWER),
            cluster: ClusterClient::new(to()),
            quotas: QuotasClient::new(to()),
            plan: PlanClient::new(to()).max_decoding_message_size(MAX_ANSWER),
            updates: UpdatesClient::new(to()).max_decoding_message_size(MAX_ANSWER),
            crons: CronJobsClient::new(to()),
            maintenance: MaintenanceClient::new(to()).max_decoding_message_size(MAX_ANSWER),
            backups: BackupsClient::new(to()).max_decoding_message_size(MAX_ANSWER),
            admin: AdminClient::new(to()),
            events: EventsClient::new(to()),
            transport,
            retry_for,
        }
    }

    /// The same, which tries again for at least so long while it cannot be reached.
    pub fn patient(&self, retry_for: Duration) -> Self {
        Self { retry_for: self.retry_for.max(retry_for), ..self.clone() }
    }

    /// Its address, as a URL.
    pub fn address(&self) -> String {
        self.transport.address()
    }

    /// Makes a call, and makes it again while the scheduler cannot be reached and time is left: where it is
    /// is found out anew each time. Calls that change something carry a request id, so that none is done
    /// twice, or do nothing when they are.
    async fn call<T, F, Answering>(&self, refused: Code, act: F) -> Result<T, Error>
    where
        F: Fn(Self) -> Answering,
        Answering: Future<Output = Result<Response<T>, Status>>,
    {
        let until = Instant::now() + self.retry_for;
        let mut pauses = Pauses::default();
        let mut told: Option<Instant> = None;
        let mut redirects = 0;
        loop {
            let reason = match self.try_once(refused, &act).await {
                Ok(answer) => return Ok(answer),
                Err(Missed::Failed(error)) => return Err(error),
                Err(Missed::Led(leader)) => {
                    self.follow(&leader, &mut redirects)?;
                    continue;
                }
                Err(Missed::Unreachable(reason)) => reason,
            };
            if self.transport.lost() {
                continue;
            }
            let pause = pauses.next();
            let left = until.saturating_duration_since(Instant::now());
            if left <= pause {
                return Err(self.gave_up(&reason));
            }
            if told.is_none_or(|told| told.elapsed() >= REMIND) {
                let left = Duration::from_secs(left.as_secs().max(1));
                tracing::warn!(
                    "scheduler unreachable, trying again for {} more: {}: {reason}",
                    humantime::format_duration(left),
                    self.address()
                );
                told = Some(Instant::now());
            }
            tokio::time::sleep(pause).await;
        }
    }

    /// Makes a call that must not be made twice: it is sent on to who leads, for then nothing was done, and
    /// otherwise not made again. Who is there is found out before it.
    async fn call_once<T, F, Answering>(
        &self,
        refused: Code,
        look: &str,
        act: F,
    ) -> Result<T, Error>
    where
        F: Fn(Self) -> Answering,
        Answering: Future<Output = Result<Response<T>, Status>>,
    {
        self.info().await?;
        let mut redirects = 0;
        loop {
            match self.try_once(refused, &act).await {
                Ok(answer) => return Ok(answer),
                Err(Missed::Failed(error)) => return Err(error),
                Err(Missed::Led(leader)) => self.follow(&leader, &mut redirects)?,
                Err(Missed::Unreachable(reason)) => {
                    return Err(Error::new(
                        Code::Network,
                        format!(
                            "failed to reach the scheduler at {}: {reason}; whether it was carried out is \
                             not known: {look}",
                            self.address()
                        ),
                    ));
                }
            }
        }
    }

    /// From now on the one is asked that is said to lead, unless that has been said too often.
    fn follow(&self, leader: &str, redirects: &mut u32) -> Result<(), Error> {
        *redirects += 1;
        if *redirects > MAX_REDIRECTS {
            return Err(Error::new(
                Code::Network,
                format!(
                    "{redirects} schedulers after each other say that another one leads, the last of \
                     them that it is {leader}"
                ),
            ));
        }
        self.transport.redirect(leader)
    }

    /// Makes a call between the hooks that are on it. A scheduler of no cluster, as that of `aurora up` is to
    /// itself, has none.
    async fn hooked<T>(
        &self,
        method: Method,
        request: &impl prost::Message,
        call: impl Future<Output = Result<T, Error>>,
    ) -> Result<T, Error> {
        match self.transport.cluster().name.as_str() {
            "" => call.await,
            cluster => hooks::around(cluster, method, request, call).await,
        }
    }

    async fn try_once<T, F, Answering>(&self, refused: Code, act: &F) -> Result<T, Missed>
    where
        F: Fn(Self) -> Answering,
        Answering: Future<Output = Result<Response<T>, Status>>,
    {
        if let Err(error) = self.transport.prepare().await {
            return Err(match error.code {
                Code::Network => Missed::Unreachable(error.to_string()),
                _ => Missed::Failed(error),
            });
        }
        // The channel's own limit ends with the head of the answer.
        match tokio::time::timeout(self.transport.longest_call(), act(self.clone())).await {
            Ok(Ok(answer)) => {
                self.transport.answered();
                Ok(answer.into_inner())
            }
            Ok(Err(status)) => Err(self.missed(&status, refused)),
            Err(_) => {
                let late = Status::deadline_exceeded("the answer did not end");
                Err(Missed::Failed(self.failure(&late, refused)))
            }
        }
    }

    /// What an answer that is an error means for the call.
    fn missed(&self, status: &Status, refused: Code) -> Missed {
        if let Some(leader) = status.metadata().get(LEADER).and_then(|name| name.to_str().ok()) {
            return Missed::Led(leader.to_owned());
        }
        if is_unreachable(status) {
            return Missed::Unreachable(reason(status));
        }
        Missed::Failed(self.failure(status, refused))
    }

    /// What is said when no more time is left.
    fn gave_up(&self, reason: &str) -> Error {
        let address = self.address();
        let message = format!("failed to reach the scheduler at {address}: {reason}");
        if self.retry_for.is_zero() {
            return Error::new(Code::Network, message + "; is it running?");
        }
        let tried = humantime::format_duration(self.retry_for);
        Error::new(Code::Timeout, format!("{message}; it was tried for {tried}; is it running?"))
    }

    /// What an answer that is an error means.
    fn failure(&self, status: &Status, refused: Code) -> Error {
        let address = self.address();
        match status.code() {
            _ if is_client_refused(status) => Error::new(
                Code::Auth,
                format!(
                    "the scheduler at {address} refuses this client's certificate: {}; see \
                     tls.cert_file and tls.key_file of the cluster",
                    reason(status)
                ),
            ),
            _ if is_distrusted(status) => Error::new(
                Code::Network,
                format!(
                    "the scheduler at {address} cannot be trusted: {}; see tls.ca_file and \
                     tls.server_name of the cluster",
                    reason(status)
                ),
            ),
            _ if is_plain(status) => Error::new(
                Code::Network,
                format!(
                    "the scheduler at {address} does not speak TLS there: try {}",
                    address.replacen("https://", "http://", 1)
                ),
            ),
            Grpc::DeadlineExceeded | Grpc::Cancelled => Error::new(
                Code::Timeout,
                format!("the scheduler at {address} did not answer in time"),
            ),
            Grpc::Unauthenticated | Grpc::PermissionDenied => Error::new(
                Code::Auth,
                format!(
                    "the scheduler at {address} refuses access: {}; credentials come from \
                     $AURORA_TOKEN, the token_file of the cluster, or ~/.netrc",
                    status.message()
                ),
            ),
            Grpc::InvalidArgument
            | Grpc::AlreadyExists
            | Grpc::NotFound
            | Grpc::FailedPrecondition
            | Grpc::ResourceExhausted => Error::new(refused, status.message().to_owned()),
            _ if status.metadata().contains_key(HTTP_STATUS) => Error::new(
                Code::Network,
                format!("failed to ask the scheduler at {address}: {}", status.message()),
            ),
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
        if let Some(base) = &self.transport.cluster().pages {
            // As the original joins them: what follows the last slash is replaced.
            let begin = base.find("://").map_or(0, |at| at + 3);
            let folder = match base[begin..].rfind('/') {
                Some(at) => &base[..begin + at],
                None => base.as_str(),
            };
            return format!("{folder}/scheduler");
        }
        let web = match self.info().await {
            Ok(info) => info.web_url,
            Err(_) => self.address(),
        };
        format!("{}/scheduler", web.trim_end_matches('/'))
    }

    /// Where people see a job.
    pub async fn page_of(&self, job: &JobKey) -> String {
        format!("{}/{job}", self.pages().await)
    }
}

/// The pauses between tries: twice as long each time up to a bound, and never quite the same, so that many who
/// wait do not come back together.
#[derive(Debug, Default)]
pub(crate) struct Pauses(Duration);

impl Pauses {
    pub(crate) fn next(&mut self) -> Duration {
        self.0 = (self.0 * 2).clamp(FIRST_PAUSE, LONGEST_PAUSE);
        let [random, ..] = *uuid::Uuid::new_v4().as_bytes();
        self.0.mul_f64(0.5 + f64::from(random) / 512.0)
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
    let is_local = std::error::Error::source(status).is_some();
    let is_late = causes(status).any(|cause| cause.is::<TimeoutExpired>());
    let is_final =
        is_late || is_distrusted(status) || is_client_refused(status) || is_plain(status);
    !is_final && (is_local || status.code() == Grpc::Unavailable)
}

/// Whether the scheduler's certificate is not one that is trusted.
fn is_distrusted(status: &Status) -> bool {
    causes(status).filter_map(tls_error).any(|error| {
        matches!(
            error,
            rustls::Error::InvalidCertificate(_) | rustls::Error::NoCertificatesPresented
        )
    })
}

/// Whether what was answered to the beginning of TLS is none.
fn is_plain(status: &Status) -> bool {
    let what = rustls::InvalidMessage::InvalidContentType;
    causes(status)
        .filter_map(tls_error)
        .any(|error| matches!(error, rustls::Error::InvalidMessage(found) if *found == what))
}

/// Whether the scheduler wants another certificate of who asks. It says so after the connection is made, and
/// what it says is known as text only by then.
fn is_client_refused(status: &Status) -> bool {
    ["CertificateRequired", "BadCertificate", "UnknownCA", "CertificateUnknown", "AccessDenied"]
        .iter()
        .any(|alert| reason(status).contains(&format!("received fatal alert: {alert}")))
}

/// What went wrong with TLS, if that is what went wrong.
fn tls_error<'a>(cause: &'a (dyn std::error::Error + 'static)) -> Option<&'a rustls::Error> {
    let within = || cause.downcast_ref::<std::io::Error>()?.get_ref()?.downcast_ref();
    cause.downcast_ref().or_else(within)
}

fn causes(status: &Status) -> impl Iterator<Item = &(dyn std::error::Error + 'static)> {
    std::iter::successors(std::error::Error::source(status), |cause| cause.source())
}

fn request_id() -> String {
    uuid::Uuid::new_v4().to_string()
}

/// What the scheduler says, or what has become of the connection to it.
fn reason(status: &Status) -> String {
    match std::error::Error::source(status) {
        Some(cause) => innermost(cause),
        None => status.message().to_owned(),
    }
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
