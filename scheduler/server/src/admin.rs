//! The service `Admin`.

use aurora_api::convert::task_state;
use aurora_api::v1;
use aurora_api::v1::admin_server::Admin;
use aurora_model::job::TaskState;
use aurora_model::key::TaskId;
use aurora_scheduler_core::{
    AdminRequest, AdminResponse, Request as Ask, RequestMark, Response as Answer,
};
use tonic::{Code, Request, Response, Status};

use crate::grpc::{Api, ended, failure, invalid, mark, other_answer, query};

impl Api {
    async fn administer(
        &self,
        mark: Option<RequestMark>,
        request: AdminRequest,
    ) -> Result<AdminResponse, Status> {
        match self.ask(mark, Ask::Admin(request)).await? {
            Answer::Admin(response) => Ok(response),
            _ => Err(other_answer()),
        }
    }
}

#[tonic::async_trait]
impl Admin for Api {
    async fn force_task_state(
        &self,
        request: Request<v1::ForceTaskStateRequest>,
    ) -> Result<Response<v1::ForceTaskStateResponse>, Status> {
        let request = request.into_inner();
        let mark = mark("ForceTaskState", request.request_id.as_deref(), &request)?;
        let task = TaskId::new(request.task_id).map_err(invalid)?;
        let state = task_state(request.state).map_err(invalid)?;
        let ask = AdminRequest::ForceState { task: task.clone(), state };
        match self.administer(mark, ask).await? {
            AdminResponse::Forced { from, to } => {
                let shown = to.map_or("forgotten", TaskState::name);
                tracing::info!(%task, %from, to = shown, "a task's state was forced");
                let to = to.map_or(v1::TaskState::Unspecified, v1::TaskState::from);
                Ok(Response::new(v1::ForceTaskStateResponse {
                    from: v1::TaskState::from(from) as i32,
                    to: to as i32,
                }))
            }
            _ => Err(other_answer()),
        }
    }

    async fn reconcile_explicit(
        &self,
        request: Request<v1::ReconcileExplicitRequest>,
    ) -> Result<Response<v1::ReconcileExplicitResponse>, Status> {
        let request = request.into_inner();
        let mark = mark("ReconcileExplicit", request.request_id.as_deref(), &request)?;
        let ask = AdminRequest::ReconcileExplicit { batch_size: request.batch_size };
        match self.administer(mark, ask).await? {
            AdminResponse::Reconciling { tasks } => {
                Ok(Response::new(v1::ReconcileExplicitResponse { tasks }))
            }
            _ => Err(other_answer()),
        }
    }

    async fn reconcile_implicit(
        &self,
        request: Request<v1::ReconcileImplicitRequest>,
    ) -> Result<Response<v1::ReconcileImplicitResponse>, Status> {
        let request = request.into_inner();
        let mark = mark("ReconcileImplicit", request.request_id.as_deref(), &request)?;
        match self.administer(mark, AdminRequest::ReconcileImplicit).await? {
            AdminResponse::Reconciling { .. } => {
                Ok(Response::new(v1::ReconcileImplicitResponse {}))
            }
            _ => Err(other_answer()),
        }
    }

    async fn prune_tasks(
        &self,
        request: Request<v1::PruneTasksRequest>,
    ) -> Result<Response<v1::PruneTasksResponse>, Status> {
        let request = request.into_inner();
        let mark = mark("PruneTasks", request.request_id.as_deref(), &request)?;
        let ask = AdminRequest::Prune { query: query(request.query)?, limit: request.limit };
        match self.administer(mark, ask).await? {
            AdminResponse::Pruned { tasks, has_more } => {
                tracing::info!(tasks, "ended tasks were pruned");
                metrics::counter!("thrift_workload_pruneTasks").increment(tasks);
                Ok(Response::new(v1::PruneTasksResponse { pruned: tasks, has_more }))
            }
            _ => Err(other_answer()),
        }
    }

    async fn snapshot(
        &self,
        _request: Request<v1::SnapshotRequest>,
    ) -> Result<Response<v1::SnapshotResponse>, Status> {
        match self.core.snapshot().await.map_err(ended)? {
            Ok(()) => Ok(Response::new(v1::SnapshotResponse {})),
            Err(reason) => {
                let message = format!(
                    "the snapshot could not be written; the log goes on without it: {reason}"
                );
                Err(failure(Code::Internal, "SNAPSHOT_FAILED", message))
            }
        }
    }
}
