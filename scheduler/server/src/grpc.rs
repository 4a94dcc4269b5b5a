//! The API `aurora.v1`.

use std::collections::BTreeSet;
use std::pin::Pin;

use aurora_api::convert::{ConvertError, task_state};
use aurora_api::v1;
use aurora_api::v1::cluster_server::Cluster;
use aurora_api::v1::jobs_server::Jobs;
use aurora_model::job::{JobConfiguration, ScheduledTask};
use aurora_model::key::{JobKey, RequestId, TaskId};
use aurora_scheduler_core::{
    ErrorKind, Request as Ask, RequestError, Response as Answer, TaskQuery,
};
use futures::Stream;
use tokio::sync::broadcast::error::RecvError;
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::CancellationToken;
use tonic::{Request, Response, Status};

use crate::actor::{Core, Ended};
use crate::dispatch::Dispatcher;
use crate::event_log::EventLog;

/// The longest id of a request, in bytes.
const MAX_REQUEST_ID: usize = 128;
/// The longest message of a kill, in bytes: every task that is killed keeps it.
const MAX_KILL_MESSAGE: usize = 4 << 10;
/// Messages that a watcher may leave unread.
const WATCH_BUFFER: usize = 256;
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
}

/// The services.
#[derive(Clone)]
pub(crate) struct Api {
    pub(crate) core: Core,
    pub(crate) dispatcher: Dispatcher,
    pub(crate) info: Info,
    pub(crate) stop: CancellationToken,
    pub(crate) events: EventLog,
}

pub(crate) fn invalid(error: impl std::fmt::Display) -> Status {
    Status::invalid_argument(error.to_string())
}

pub(crate) fn ended(_: Ended) -> Status {
    Status::unavailable("the scheduler is shutting down; repeat the call")
}

pub(crate) fn refused(error: RequestError) -> Status {
    match error.kind {
        ErrorKind::Invalid => Status::invalid_argument(error.message),
        ErrorKind::NotFound => Status::not_found(error.message),
        ErrorKind::JobUpdating => Status::failed_precondition(error.message),
        ErrorKind::AlreadyExists => Status::already_exists(error.message),
        ErrorKind::FailedPrecondition => Status::failed_precondition(error.message),
        ErrorKind::QuotaExceeded => Status::resource_exhausted(error.message),
    }
}

fn request_id(id: Option<String>) -> Result<Option<RequestId>, Status> {
    match id {
        Some(id) if id.len() > MAX_REQUEST_ID => {
            Err(invalid(format!("request_id is longer than {MAX_REQUEST_ID} bytes")))
        }
        Some(id) => RequestId::new(id).map(Some).map_err(invalid),
        None => Ok(None),
    }
}

pub(crate) fn job(job: Option<v1::JobConfiguration>) -> Result<Box<JobConfiguration>, Status> {
    let job = job.ok_or_else(|| invalid("job is missing"))?;
    JobConfiguration::try_from(job).map(Box::new).map_err(invalid)
}

pub(crate) fn other_answer() -> Status {
    Status::invalid_argument("request_id belongs to another request")
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
    })
}

impl Api {
    pub(crate) async fn ask(&self, id: Option<String>, ask: Ask) -> Result<Answer, Status> {
        self.dispatcher
            .request(request_id(id)?, UNSECURE.to_owned(), ask)
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
        match self.ask(request.request_id, Ask::CreateJob(job(request.job)?)).await? {
            Answer::Created { key, instances } => Ok(Response::new(v1::CreateJobResponse {
                key: Some(v1::JobKey::from(&key)),
                instance_count: instances,
            })),
            _ => Err(Status::invalid_argument("request_id belongs to another request")),
        }
    }

    async fn kill_tasks(
        &self,
        request: Request<v1::KillTasksRequest>,
    ) -> Result<Response<v1::KillTasksResponse>, Status> {
        let request = request.into_inner();
        let key = request.job.ok_or_else(|| invalid("job is missing"))?;
        if request.message.as_ref().is_some_and(|message| message.len() > MAX_KILL_MESSAGE) {
            return Err(invalid(format!("message is longer than {MAX_KILL_MESSAGE} bytes")));
        }
        let ask = Ask::KillTasks {
            job: JobKey::try_from(&key).map_err(invalid)?,
            instances: request.instances.into_iter().collect(),
            message: request.message,
        };
        match self.ask(request.request_id, ask).await? {
            Answer::Killed { instances } => {
                Ok(Response::new(v1::KillTasksResponse { killed: instances }))
            }
            _ => Err(Status::invalid_argument("request_id belongs to another request")),
        }
    }

    async fn add_instances(
        &self,
        request: Request<v1::AddInstancesRequest>,
    ) -> Result<Response<v1::AddInstancesResponse>, Status> {
        let request = request.into_inner();
        let key = request.job.ok_or_else(|| invalid("job is missing"))?;
        let job = JobKey::try_from(&key).map_err(invalid)?;
        let ask = Ask::AddInstances { job, like: request.like, count: request.count };
        match self.ask(request.request_id, ask).await? {
            Answer::Added { instances } => {
                Ok(Response::new(v1::AddInstancesResponse { instances }))
            }
            _ => Err(Status::invalid_argument("request_id belongs to another request")),
        }
    }

    async fn restart_tasks(
        &self,
        request: Request<v1::RestartTasksRequest>,
    ) -> Result<Response<v1::RestartTasksResponse>, Status> {
        let request = request.into_inner();
        let key = request.job.ok_or_else(|| invalid("job is missing"))?;
        let job = JobKey::try_from(&key).map_err(invalid)?;
        let ask = Ask::RestartTasks { job, instances: request.instances.into_iter().collect() };
        match self.ask(request.request_id, ask).await? {
            Answer::Restarted { instances } => {
                Ok(Response::new(v1::RestartTasksResponse { restarted: instances }))
            }
            _ => Err(Status::invalid_argument("request_id belongs to another request")),
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
        let role = request.into_inner().role;
        let jobs = self.core.ask(move |scheduler| scheduler.jobs(&role)).await.map_err(ended)?;
        let jobs = jobs
            .into_iter()
            .map(|(key, counts)| v1::JobSummary {
                key: Some(v1::JobKey::from(&key)),
                pending: counts.pending,
                active: counts.active,
                finished: counts.finished,
                failed: counts.failed,
                is_service: counts.is_service,
                cron_schedule: None,
                states: counts
                    .states
                    .into_iter()
                    .map(|(state, count)| v1::StateCount {
                        state: v1::TaskState::from(state) as i32,
                        count,
                    })
                    .collect(),
            })
            .collect();
        Ok(Response::new(v1::ListJobsResponse { jobs }))
    }

    async fn list_tasks(
        &self,
        request: Request<v1::ListTasksRequest>,
    ) -> Result<Response<v1::ListTasksResponse>, Status> {
        let query = query(request.into_inner().query)?;
        let found = self.core.ask(move |scheduler| find(scheduler, &query)).await.map_err(ended)?;
        let mut answer = v1::ListTasksResponse::default();
        for (task, reason) in &found {
            answer.tasks.push(v1::ScheduledTask::from(task));
            if let Some(reason) = reason {
                answer.pending_reasons.push(v1::PendingReason {
                    task_id: task.id().to_string(),
                    reason: reason.clone(),
                });
            }
        }
        Ok(Response::new(answer))
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
        let all = query.clone();
        let found = self.core.ask(move |scheduler| find(scheduler, &all)).await.map_err(ended)?;
        let mut known: BTreeSet<TaskId> = BTreeSet::new();
        for (task, reason) in &found {
            known.insert(task.id().clone());
            send(sender, seen(task, reason.clone())).await?;
        }
        send(sender, v1::WatchTasksResponse { synced: true, ..Default::default() }).await?;
        loop {
            let mut changed = vec![match changes.recv().await {
                Ok(id) => id,
                Err(RecvError::Lagged(_)) => {
                    return Err(Status::aborted("too slow for the changes; begin again"));
                }
                Err(RecvError::Closed) => return Err(ended(Ended)),
            }];
            // Each once, in the order in which they changed.
            let mut seen_ids: BTreeSet<TaskId> = changed.iter().cloned().collect();
            while let Ok(id) = changes.try_recv() {
                if seen_ids.insert(id.clone()) {
                    changed.push(id);
                }
            }
            let wanted = query.clone();
            let now = self
                .core
                .ask(move |scheduler| {
                    changed
                        .into_iter()
                        .map(|id| {
                            let task = scheduler.state().task(&id).cloned();
                            let reason = scheduler.pending_reason(&id);
                            let matches = task.as_ref().is_some_and(|task| wanted.matches(task));
                            (id, task.filter(|_| matches), reason)
                        })
                        .collect::<Vec<_>>()
                })
                .await
                .map_err(ended)?;
            for (id, task, reason) in now {
                match task {
                    Some(task) => {
                        known.insert(id);
                        send(sender, seen(&task, reason)).await?;
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

fn seen(task: &ScheduledTask, reason: Option<String>) -> v1::WatchTasksResponse {
    v1::WatchTasksResponse {
        task: Some(v1::ScheduledTask::from(task)),
        pending_reason: reason,
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

fn find(
    scheduler: &aurora_scheduler_core::Scheduler,
    query: &TaskQuery,
) -> Vec<(ScheduledTask, Option<String>)> {
    scheduler
        .tasks(query)
        .into_iter()
        .map(|task| (task.clone(), scheduler.pending_reason(task.id())))
        .collect()
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
        }))
    }
}
