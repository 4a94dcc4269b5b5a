//! What operators do by hand to tasks and to the scheduler.

use aurora_api::convert::task_state;
use aurora_api::v1;
use aurora_model::job::{ScheduledTask, TaskState};
use aurora_model::key::TaskId;

use super::{Scheduler, request_id};
use crate::error::{Code, Error};

impl Scheduler {
    /// The tasks that match, without what their executors are told, which is most of them.
    pub async fn bare_tasks(&self, query: v1::TaskQuery) -> Result<Vec<ScheduledTask>, Error> {
        let mut all = Vec::new();
        let mut page_token = String::new();
        loop {
            let request = v1::ListTasksRequest {
                query: Some(query.clone()),
                page_token,
                without_executor_data: true,
                ..v1::ListTasksRequest::default()
            };
            let act = |mut to: Self| {
                let request = request.clone();
                async move { to.jobs.list_tasks(request).await }
            };
            let page = self.call(Code::Api, act).await?;
            all.extend(read(page.tasks)?);
            page_token = page.next_page_token;
            if page_token.is_empty() {
                return Ok(all);
            }
        }
    }

    /// Forgets tasks that have ended, all that match if there is no limit. Gives how many.
    pub async fn prune(&self, query: v1::TaskQuery, limit: Option<u32>) -> Result<u64, Error> {
        let mut pruned = 0_u64;
        loop {
            // As many as one call takes, if there is no limit.
            let left = limit.map(|limit| {
                u32::try_from(u64::from(limit).saturating_sub(pruned)).unwrap_or(u32::MAX)
            });
            if left == Some(0) {
                return Ok(pruned);
            }
            let request = v1::PruneTasksRequest {
                request_id: Some(request_id()),
                query: Some(query.clone()),
                limit: left,
            };
            let act = |mut to: Self| {
                let request = request.clone();
                async move { to.admin.prune_tasks(request).await }
            };
            let answer = self.call(Code::Api, act).await?;
            pruned += answer.pruned;
            if !answer.has_more || answer.pruned == 0 {
                return Ok(pruned);
            }
        }
    }

    /// Has a task go to a state, whatever Mesos says of it. Gives the state it was in, and that it is in now; none
    /// if it is no longer remembered.
    pub async fn force_state(
        &self,
        task: &TaskId,
        state: TaskState,
    ) -> Result<(TaskState, Option<TaskState>), Error> {
        let request = v1::ForceTaskStateRequest {
            request_id: Some(request_id()),
            task_id: task.to_string(),
            state: v1::TaskState::from(state) as i32,
        };
        let act = |mut to: Self| {
            let request = request.clone();
            async move { to.admin.force_task_state(request).await }
        };
        let answer = self.call(Code::InvalidParameter, act).await?;
        let read =
            |number| task_state(number).map_err(|error| Error::new(Code::Api, error.to_string()));
        let to = Some(answer.to).filter(|to| *to != v1::TaskState::Unspecified as i32);
        Ok((read(answer.from)?, to.map(read).transpose()?))
    }

    /// Asks Mesos for the state of every task, a batch at a time. Gives how many.
    pub async fn reconcile_explicit(&self, batch_size: Option<u32>) -> Result<u64, Error> {
        let request = v1::ReconcileExplicitRequest { request_id: Some(request_id()), batch_size };
        let act = |mut to: Self| {
            let request = request.clone();
            async move { to.admin.reconcile_explicit(request).await }
        };
        Ok(self.call(Code::Api, act).await?.tasks)
    }

    /// Has Mesos tell the state of every task that it knows.
    pub async fn reconcile_implicit(&self) -> Result<(), Error> {
        let request = v1::ReconcileImplicitRequest { request_id: Some(request_id()) };
        let act = |mut to: Self| {
            let request = request.clone();
            async move { to.admin.reconcile_implicit(request).await }
        };
        self.call(Code::Api, act).await.map(|_| ())
    }

    /// Writes the scheduler's state down.
    pub async fn snapshot(&self) -> Result<(), Error> {
        let act = |mut to: Self| async move { to.admin.snapshot(v1::SnapshotRequest {}).await };
        self.call(Code::Api, act).await.map(|_| ())
    }
}

/// Tasks as the model has them.
pub(super) fn read(tasks: Vec<v1::ScheduledTask>) -> Result<Vec<ScheduledTask>, Error> {
    let tasks: Result<Vec<_>, _> = tasks.into_iter().map(ScheduledTask::try_from).collect();
    tasks.map_err(|error| {
        Error::new(Code::Api, format!("the scheduler told of a wrong task: {error}"))
    })
}
