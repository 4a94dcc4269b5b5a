//! The API `aurora.v1`.

use std::collections::BTreeSet;
use std::pin::Pin;
use std::sync::Arc;

use aurora_api::convert::{ConvertError, task_state};
use aurora_api::v1;
use aurora_api::v1::cluster_server::Cluster;
use aurora_api::v1::jobs_server::Jobs;
use aurora_model::job::{JobConfiguration, TaskState};
use aurora_model::key::{AgentId, JobKey, TaskId};
use aurora_scheduler_core::{
    ErrorKind, Request as Ask, RequestError, RequestMark, Response as Answer, TaskCursor, TaskQuery,
};
use futures::Stream;
use prost::Message;
use tokio::sync::broadcast::error::RecvError;
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::CancellationToken;
use tonic::metadata::AsciiMetadataValue;
use tonic::{Code, Request, Response, Status};

use crate::actor::{Core, Ended};
use crate::backups::Keeper;
use crate::dispatch::Dispatcher;
use crate::event_log::EventLog;
use crate::marks;
use crate::pages::{MAX_PAGE, fit, page_size};
use crate::queries::{self, Found};
use crate::task_pages;

/// Messages that a watcher may leave unread.
const WATCH_BUFFER: usize = 256;
/// Agents that go into one call.
const MAX_AGENTS: usize = 1000;
/// Who asks, as long as nobody is asked who they are.
const UNSECURE: &str = "UNSECURE";

/// What the API tells about the cluster.
#[derive(Debug, Clone)]
pub(crate) struct Info {
    pub(crate) cluster: String,
    pub(crate) default_tier: String,
    pub(crate) tiers: Vec<String>,
    pub(crate) web_url: String,
    pub(crate) observer_port: u16,
    pub(crate) stats_url_prefix: String,
}

/// The services.
#[derive(Clone)]
pub(crate) struct Api {
    pub(crate) core: Core,
    pub(crate) dispatcher: Dispatcher,
    pub(crate) info: Info,
    pub(crate) stop: CancellationToken,
    pub(crate) events: EventLog,
    pub(crate) backups: Keeper,
}

/// The trailer that tells programs why a call has failed; `api.proto` lists its values.
const REASON: &str = "aurora-reason";

/// A failure with its reason for programs.
pub(crate) fn failure(code: Code, reason: &'static str, message: impl Into<String>) -> Status {
    let mut status = Status::new(code, message);
    status.metadata_mut().insert(REASON, AsciiMetadataValue::from_static(reason));
    status
}

/// Whether a failure has this reason.
pub(crate) fn has_reason(status: &Status, reason: &str) -> bool {
    status.metadata().get(REASON).is_some_and(|found| found == reason)
}

pub(crate) fn invalid(error: impl std::fmt::Display) -> Status {
    failure(Code::InvalidArgument, "INVALID", error.to_string())
}

pub(crate) fn not_found(message: impl Into<String>) -> Status {
    failure(Code::NotFound, "NOT_FOUND", message)
}

pub(crate) fn ended(_: Ended) -> Status {
    failure(Code::Unavailable, "SHUTTING_DOWN", "the scheduler is shutting down; repeat the call")
}

/// A request id was given to a request of another kind before, by a release that did not write down
/// what it was.
pub(crate) fn other_answer() -> Status {
    let message = "request_id belongs to another request";
    failure(Code::InvalidArgument, "REQUEST_ID_REUSED", message)
}

pub(crate) fn refused(error: RequestError) -> Status {
    let (code, reason) = match error.kind {
        ErrorKind::Invalid => (Code::InvalidArgument, "INVALID"),
        ErrorKind::NotFound => (Code::NotFound, "NOT_FOUND"),
        ErrorKind::JobUpdating => (Code::FailedPrecondition, "JOB_UPDATING"),
        ErrorKind::AlreadyExists => (Code::AlreadyExists, "ALREADY_EXISTS"),
        ErrorKind::FailedPrecondition => (Code::FailedPrecondition, "FAILED_PRECONDITION"),
        ErrorKind::QuotaExceeded => (Code::ResourceExhausted, "QUOTA_EXCEEDED"),
        ErrorKind::RequestIdReused => (Code::InvalidArgument, "REQUEST_ID_REUSED"),
    };
    failure(code, reason, error.message)
}

/// Where a page of tasks begins.
pub(crate) fn task_cursor(token: &str) -> Result<Option<TaskCursor>, Status> {
    let unusable = || invalid("page_token is not one that this scheduler gave");
    match token {
        "" => Ok(None),
        token => TaskCursor::parse(token).map(Some).ok_or_else(unusable),
    }
}

/// What makes a call safe to repeat; nothing if it has no id.
pub(crate) fn mark(
    method: &'static str,
    id: Option<&str>,
    message: &impl prost::Message,
) -> Result<Option<RequestMark>, Status> {
    id.map(|id| marks::mark(UNSECURE, method, id, message)).transpose()
}

pub(crate) fn job_key(key: Option<v1::JobKey>) -> Result<JobKey, Status> {
    let key = key.ok_or_else(|| invalid("job is missing"))?;
    JobKey::try_from(&key).map_err(invalid)
}

pub(crate) fn job(job: Option<v1::JobConfiguration>) -> Result<Box<JobConfiguration>, Status> {
    let job = job.ok_or_else(|| invalid("job is missing"))?;
    JobConfiguration::try_from(job).map(Box::new).map_err(invalid)
}

pub(crate) fn query(query: Option<v1::TaskQuery>) -> Result<TaskQuery, Status> {
    let query = query.unwrap_or_default();
    Ok(TaskQuery {
        role: query.role,
        environment: query.environment,
        name: query.name,
        task_ids: query
            .task_ids
            .into_iter()
            .map(TaskId::new)
            .collect::<Result<_, _>>()
            .map_err(invalid)?,
        states: query
            .states
            .into_iter()
            .map(task_state)
            .collect::<Result<_, ConvertError>>()
            .map_err(invalid)?,
        instances: query.instances.into_iter().collect(),
        hosts: query.agent_hosts.into_iter().collect(),
        jobs: query
            .jobs
            .iter()
            .map(JobKey::try_from)
            .collect::<Result<_, ConvertError>>()
            .map_err(invalid)?,
    })
}

impl Api {
    pub(crate) async fn ask(&self, mark: Option<RequestMark>, ask: Ask) -> Result<Answer, Status> {
        self.dispatcher
            .request(mark, UNSECURE.to_owned(), ask)
            .await
            .map_err(ended)?
            .map_err(refused)
    }
}

#[tonic::async_trait]
impl Jobs for Api {
    async fn create_job(
        &self,
        request: Request<v1::CreateJobRequest>,
    ) -> Result<Response<v1::CreateJobResponse>, Status> {
        let request = request.into_inner();
        let mark = mark("CreateJob", request.request_id.as_deref(), &request)?;
        match self.ask(mark, Ask::CreateJob(job(request.job)?)).await? {
            Answer::Created { key, instances } => {
                metrics::counter!("thrift_workload_createJob").increment(u64::from(instances));
                Ok(Response::new(v1::CreateJobResponse {
                    key: Some(v1::JobKey::from(&key)),
                    instance_count: instances,
                }))
            }
            _ => Err(other_answer()),
        }
    }

    async fn kill_tasks(
        &self,
        request: Request<v1::KillTasksRequest>,
    ) -> Result<Response<v1::KillTasksResponse>, Status> {
        let request = request.into_inner();
        let mark = mark("KillTasks", request.request_id.as_deref(), &request)?;
        let key = request.job.ok_or_else(|| invalid("job is missing"))?;
        let ask = Ask::KillTasks {
            job: JobKey::try_from(&key).map_err(invalid)?,
            instances: request.instances.into_iter().collect(),
            message: request.message,
        };
        match self.ask(mark, ask).await? {
            Answer::Killed { instances } => {
                metrics::counter!("thrift_workload_killTasks").increment(instances.len() as u64);
                Ok(Response::new(v1::KillTasksResponse { killed: instances }))
            }
            _ => Err(other_answer()),
        }
    }

    async fn add_instances(
        &self,
        request: Request<v1::AddInstancesRequest>,
    ) -> Result<Response<v1::AddInstancesResponse>, Status> {
        let request = request.into_inner();
        let mark = mark("AddInstances", request.request_id.as_deref(), &request)?;
        let key = request.job.ok_or_else(|| invalid("job is missing"))?;
        let job = JobKey::try_from(&key).map_err(invalid)?;
        let ask = Ask::AddInstances { job, like: request.like, count: request.count };
        match self.ask(mark, ask).await? {
            Answer::Added { instances } => {
                metrics::counter!("thrift_workload_addInstances").increment(instances.len() as u64);
                Ok(Response::new(v1::AddInstancesResponse { instances }))
            }
            _ => Err(other_answer()),
        }
    }

    async fn restart_tasks(
        &self,
        request: Request<v1::RestartTasksRequest>,
    ) -> Result<Response<v1::RestartTasksResponse>, Status> {
        let request = request.into_inner();
        let mark = mark("RestartTasks", request.request_id.as_deref(), &request)?;
        let key = request.job.ok_or_else(|| invalid("job is missing"))?;
        let job = JobKey::try_from(&key).map_err(invalid)?;
        let ask = Ask::RestartTasks { job, instances: request.instances.into_iter().collect() };
        match self.ask(mark, ask).await? {
            Answer::Restarted { instances } => {
                let count = instances.len() as u64;
                metrics::counter!("thrift_workload_restartShards").increment(count);
                Ok(Response::new(v1::RestartTasksResponse { restarted: instances }))
            }
            _ => Err(other_answer()),
        }
    }

    async fn validate_job(
        &self,
        request: Request<v1::ValidateJobRequest>,
    ) -> Result<Response<v1::ValidateJobResponse>, Status> {
        let ask = Ask::ValidateJob(job(request.into_inner().job)?);
        match self.ask(None, ask).await? {
            Answer::Validated(job) => Ok(Response::new(v1::ValidateJobResponse {
                job: Some(v1::JobConfiguration::from(&*job)),
            })),
            _ => Err(Status::internal("the scheduler gave another answer than it was asked for")),
        }
    }

    async fn list_jobs(
        &self,
        request: Request<v1::ListJobsRequest>,
    ) -> Result<Response<v1::ListJobsResponse>, Status> {
        let v1::ListJobsRequest { role, page_size: size, page_token, with_config } =
            request.into_inner();
        let after = match page_token.as_str() {
            "" => None,
            token => Some(
                token
                    .parse::<JobKey>()
                    .map_err(|_| invalid("page_token is not one that this scheduler gave"))?,
            ),
        };
        let page =
            self.core.jobs(&role, after, page_size(size), with_config).await.map_err(ended)?;
        let (jobs, is_cut) =
            fit(page.found.iter().map(queries::job_to_proto), Message::encoded_len);
        let next = match is_cut {
            true => page.found.get(jobs.len() - 1).map(|job| job.key.clone()),
            false => page.next,
        };
        Ok(Response::new(v1::ListJobsResponse {
            jobs,
            next_page_token: next.map(|key| key.to_string()).unwrap_or_default(),
            version: page.version,
        }))
    }

    async fn get_job(
        &self,
        request: Request<v1::GetJobRequest>,
    ) -> Result<Response<v1::GetJobResponse>, Status> {
        let key = job_key(request.into_inner().job)?;
        let (found, version) = self.core.job(key.clone()).await.map_err(ended)?;
        let found = found.ok_or_else(|| not_found(format!("there is no job {key}")))?;
        let job = Some(queries::job_to_proto(&found));
        Ok(Response::new(v1::GetJobResponse { job, version }))
    }

    async fn list_roles(
        &self,
        _request: Request<v1::ListRolesRequest>,
    ) -> Result<Response<v1::ListRolesResponse>, Status> {
        let roles = self.core.roles().await.map_err(ended)?;
        let roles = roles.into_iter().map(|(role, sums)| v1::RoleSummary {
            role,
            jobs: sums.jobs,
            cron_jobs: sums.cron_jobs,
            pending: sums.counts.pending,
            active: sums.counts.active,
            finished: sums.counts.finished,
            failed: sums.counts.failed,
        });
        Ok(Response::new(v1::ListRolesResponse { roles: roles.collect() }))
    }

    async fn get_config_summary(
        &self,
        request: Request<v1::GetConfigSummaryRequest>,
    ) -> Result<Response<v1::GetConfigSummaryResponse>, Status> {
        let key = job_key(request.into_inner().job)?;
        let groups = self.core.config_groups(key).await.map_err(ended)?;
        let groups = groups.iter().map(|(config, instances)| v1::ConfigGroup {
            config: Some(v1::TaskConfig::from(&**config)),
            instances: queries::ranges(instances),
        });
        Ok(Response::new(v1::GetConfigSummaryResponse { groups: groups.collect() }))
    }

    async fn get_pending_reasons(
        &self,
        request: Request<v1::GetPendingReasonsRequest>,
    ) -> Result<Response<v1::GetPendingReasonsResponse>, Status> {
        let request = request.into_inner();
        let mut query = query(request.query)?;
        if !query.states.is_empty() || !query.hosts.is_empty() {
            return Err(invalid(
                "tasks that wait have one state and no host: leave states and agent_hosts empty",
            ));
        }
        query.states = [TaskState::Pending, TaskState::Throttled].into();
        let after = task_cursor(&request.page_token)?;
        let size = page_size(request.page_size);
        let page = self.core.tasks(&Arc::new(query), after, size).await.map_err(ended)?;
        Ok(Response::new(task_pages::reasons(&page)))
    }

    async fn list_tasks(
        &self,
        request: Request<v1::ListTasksRequest>,
    ) -> Result<Response<v1::ListTasksResponse>, Status> {
        let request = request.into_inner();
        let query = Arc::new(query(request.query)?);
        let after = task_cursor(&request.page_token)?;
        let size = page_size(request.page_size);
        let page = self.core.tasks(&query, after, size).await.map_err(ended)?;
        Ok(Response::new(task_pages::tasks(page, request.without_executor_data).0))
    }

    type StreamTasksStream =
        Pin<Box<dyn Stream<Item = Result<v1::ListTasksResponse, Status>> + Send>>;

    async fn stream_tasks(
        &self,
        request: Request<v1::ListTasksRequest>,
    ) -> Result<Response<Self::StreamTasksStream>, Status> {
        let request = request.into_inner();
        let query = Arc::new(query(request.query)?);
        let after = task_cursor(&request.page_token)?;
        let size = page_size(request.page_size);
        let core = self.core.clone();
        let begin = Some((after, None));
        let pages = futures::stream::try_unfold(begin, move |at| {
            let (core, query) = (core.clone(), query.clone());
            async move {
                let Some((after, version)) = at else { return Ok(None) };
                let page = core.tasks(&query, after, size).await.map_err(ended)?;
                let version = version.unwrap_or(page.version);
                let (mut answer, next) = task_pages::tasks(page, request.without_executor_data);
                answer.version = version;
                let next = next.map(|next| (Some(next), Some(version)));
                Ok(Some((answer, next)))
            }
        });
        Ok(Response::new(Box::pin(pages)))
    }

    type WatchTasksStream =
        Pin<Box<dyn Stream<Item = Result<v1::WatchTasksResponse, Status>> + Send>>;

    async fn watch_tasks(
        &self,
        request: Request<v1::WatchTasksRequest>,
    ) -> Result<Response<Self::WatchTasksStream>, Status> {
        let query = query(request.into_inner().query)?;
        let (sender, receiver) = tokio::sync::mpsc::channel(WATCH_BUFFER);
        let api = self.clone();
        tokio::spawn(async move {
            let watching = api.watch(query, &sender);
            let result = tokio::select! {
                result = watching => result,
                () = api.stop.cancelled() => Err(ended(Ended)),
                () = sender.closed() => return,
            };
            if let Err(status) = result {
                // The caller may have hung up.
                let _ = sender.send(Err(status)).await;
            }
        });
        Ok(Response::new(Box::pin(ReceiverStream::new(receiver))))
    }
}

type Sender = tokio::sync::mpsc::Sender<Result<v1::WatchTasksResponse, Status>>;

impl Api {
    async fn watch(&self, query: TaskQuery, sender: &Sender) -> Result<(), Status> {
        // Before the first look, so that no change is missed between the two.
        let mut changes = self.dispatcher.changes();
        let query = Arc::new(query);
        let mut known: BTreeSet<TaskId> = BTreeSet::new();
        let mut after = None;
        loop {
            let page = self.core.tasks(&query, after, MAX_PAGE).await.map_err(ended)?;
            for found in &page.found {
                known.insert(found.task.id().clone());
                send(sender, seen(found)).await?;
            }
            after = page.next;
            if after.is_none() {
                break;
            }
        }
        send(sender, v1::WatchTasksResponse { synced: true, ..Default::default() }).await?;
        loop {
            let first = match changes.recv().await {
                Ok(ids) => ids,
                Err(RecvError::Lagged(_)) => {
                    return Err(failure(
                        Code::Aborted,
                        "TOO_SLOW",
                        "too slow for the changes; begin again",
                    ));
                }
                Err(RecvError::Closed) => return Err(ended(Ended)),
            };
            // Each once, in the order in which they changed.
            let mut changed = Vec::new();
            let mut seen_ids: BTreeSet<TaskId> = BTreeSet::new();
            let mut more = Some(first);
            while let Some(ids) = more {
                changed.extend(ids.iter().filter(|id| seen_ids.insert((*id).clone())).cloned());
                more = changes.try_recv().ok();
            }
            let now = self.core.tasks_now(changed, &query).await.map_err(ended)?;
            for (id, found) in now {
                match found {
                    Some(found) => {
                        known.insert(id);
                        send(sender, seen(&found)).await?;
                    }
                    None if known.remove(&id) => send(sender, gone(&id)).await?,
                    None => {}
                }
            }
        }
    }
}

async fn send(sender: &Sender, message: v1::WatchTasksResponse) -> Result<(), Status> {
    sender.send(Ok(message)).await.map_err(|_| Status::cancelled("the caller has hung up"))
}

fn seen(found: &Found) -> v1::WatchTasksResponse {
    v1::WatchTasksResponse {
        task: Some(v1::ScheduledTask::from(&found.task)),
        pending_reason: found.reason.as_ref().map(|reason| reason.text.clone()),
        ..Default::default()
    }
}

fn gone(id: &TaskId) -> v1::WatchTasksResponse {
    let assigned = v1::AssignedTask { task_id: id.to_string(), ..Default::default() };
    v1::WatchTasksResponse {
        task: Some(v1::ScheduledTask { assigned: Some(assigned), ..Default::default() }),
        deleted: true,
        ..Default::default()
    }
}

#[tonic::async_trait]
impl Cluster for Api {
    async fn get_info(
        &self,
        _request: Request<v1::GetInfoRequest>,
    ) -> Result<Response<v1::GetInfoResponse>, Status> {
        let (framework, stats) = self
            .core
            .ask(|scheduler| {
                (scheduler.state().framework_id().map(ToString::to_string), scheduler.stats())
            })
            .await
            .map_err(ended)?;
        Ok(Response::new(v1::GetInfoResponse {
            cluster: self.info.cluster.clone(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            framework_id: framework.unwrap_or_default(),
            registered: stats.registered,
            outstanding_offers: u32::try_from(stats.offers).unwrap_or(u32::MAX),
            default_tier: self.info.default_tier.clone(),
            tiers: self.info.tiers.clone(),
            web_url: self.info.web_url.clone(),
            observer_port: u32::from(self.info.observer_port),
            stats_url_prefix: self.info.stats_url_prefix.clone(),
        }))
    }

    async fn locate_agents(
        &self,
        request: Request<v1::LocateAgentsRequest>,
    ) -> Result<Response<v1::LocateAgentsResponse>, Status> {
        let mut agents = request.into_inner().agents;
        if agents.len() > MAX_AGENTS {
            let count = agents.len();
            return Err(invalid(format!(
                "{count} agents are named; at most {MAX_AGENTS} go into a call"
            )));
        }
        let ids: Vec<AgentId> = agents
            .iter()
            .map(|agent| AgentId::new(&agent.agent_id))
            .collect::<Result<_, _>>()
            .map_err(invalid)?;
        let answer = self.core.ask(move |scheduler| {
            for (agent, id) in agents.iter_mut().zip(&ids) {
                let address = scheduler.address_of(id, &agent.host);
                agent.address = address.unwrap_or_default().to_owned();
            }
            let framework = scheduler.state().framework_id().map(ToString::to_string);
            v1::LocateAgentsResponse { agents, framework_id: framework.unwrap_or_default() }
        });
        Ok(Response::new(answer.await.map_err(ended)?))
    }

    async fn get_tiers(
        &self,
        _request: Request<v1::GetTiersRequest>,
    ) -> Result<Response<v1::GetTiersResponse>, Status> {
        let tiers = self
            .core
            .ask(|scheduler| scheduler.settings().tiers.clone())
            .await
            .map_err(ended)?
            .into_iter()
            .map(|(name, tier)| v1::Tier {
                name,
                preemptible: tier.preemptible,
                revocable: tier.revocable,
            })
            .collect();
        let default_tier = self.info.default_tier.clone();
        Ok(Response::new(v1::GetTiersResponse { default_tier, tiers }))
    }
}
