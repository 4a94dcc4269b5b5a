//! Jobs and tasks.

use std::collections::BTreeSet;

use aurora_api::v1;
use aurora_model::job::TaskState;
use aurora_model::key::JobKey;
use tonic::{Code as Grpc, Response};

use super::{Scheduler, request_id, tasks_of};
use crate::error::{Code, Error};
use crate::hooks::Method;

impl Scheduler {
    /// Creates a job; that there is one already is a refusal.
    pub async fn create(&self, job: v1::JobConfiguration) -> Result<v1::CreateJobResponse, Error> {
        self.create_once(job, request_id()).await
    }

    /// The same; with one id it is done once, however often this is called.
    pub async fn create_once(
        &self,
        job: v1::JobConfiguration,
        request_id: String,
    ) -> Result<v1::CreateJobResponse, Error> {
        let request = v1::CreateJobRequest { request_id: Some(request_id), job: Some(job) };
        let act = |mut to: Self| {
            let request = request.clone();
            async move {
                match to.jobs.create_job(request).await {
                    Ok(answer) => Ok(answer.map(Ok)),
                    Err(status) if status.code() == Grpc::AlreadyExists => {
                        Ok(Response::new(Err(status.message().to_owned())))
                    }
                    Err(status) => Err(status),
                }
            }
        };
        let call = async {
            self.call(Code::CommandFailure, act).await?.map_err(|message| {
                let next = "change it with `aurora deploy`, or end it first with `aurora job killall`, \
                            a cron job with `aurora cron deschedule`";
                Error::new(Code::CommandFailure, format!("{message}; {next}"))
            })
        };
        self.hooked(Method::CreateJob, &request, call).await
    }

    /// The job as the scheduler would keep it; a refusal fails with this code.
    pub async fn validate(
        &self,
        job: v1::JobConfiguration,
        refused: Code,
    ) -> Result<v1::JobConfiguration, Error> {
        let request = v1::ValidateJobRequest { job: Some(job) };
        let act = |mut to: Self| {
            let request = request.clone();
            async move { to.jobs.validate_job(request).await }
        };
        let answer = self.call(refused, act).await?;
        answer.job.ok_or_else(|| Error::new(Code::Api, "the scheduler gave back no job"))
    }

    /// What the scheduler says of submitting a job; nothing is changed.
    pub(crate) async fn plan_job(
        &self,
        request: v1::PlanJobRequest,
    ) -> Result<v1::PlanJobResponse, Error> {
        let act = |mut to: Self| {
            let request = request.clone();
            async move { to.plan.plan_job(request).await }
        };
        self.call(Code::InvalidConfiguration, act).await
    }

    /// Kills instances, or all if none is named. Gives those that are being killed.
    pub async fn kill(
        &self,
        job: &JobKey,
        instances: Vec<u32>,
        message: Option<String>,
    ) -> Result<Vec<u32>, Error> {
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
        let call = self.call(Code::Api, act);
        Ok(self.hooked(Method::KillJob, &request, call).await?.killed)
    }

    /// Adds instances like an active one. Gives their numbers.
    pub async fn add_instances(
        &self,
        job: &JobKey,
        like: u32,
        count: u32,
    ) -> Result<Vec<u32>, Error> {
        let request = v1::AddInstancesRequest {
            request_id: Some(request_id()),
            job: Some(v1::JobKey::from(job)),
            like,
            count,
        };
        let act = |mut to: Self| {
            let request = request.clone();
            async move { to.jobs.add_instances(request).await }
        };
        let call = self.call(Code::Api, act);
        Ok(self.hooked(Method::AddInstances, &request, call).await?.instances)
    }

    /// Ends active instances so that they begin anew. Gives those that had something to end.
    pub async fn restart(&self, job: &JobKey, instances: Vec<u32>) -> Result<Vec<u32>, Error> {
        let request = v1::RestartTasksRequest {
            request_id: Some(request_id()),
            job: Some(v1::JobKey::from(job)),
            instances,
        };
        let act = |mut to: Self| {
            let request = request.clone();
            async move { to.jobs.restart_tasks(request).await }
        };
        let call = self.call(Code::Api, act);
        Ok(self.hooked(Method::Restart, &request, call).await?.restarted)
    }

    /// The tasks of a job that have not ended.
    pub async fn active(&self, job: &JobKey) -> Result<Vec<v1::ScheduledTask>, Error> {
        let query = v1::TaskQuery { states: active_states(), ..tasks_of(job) };
        Ok(self.tasks(query).await?.tasks)
    }

    /// The jobs of a role; of all if it is empty.
    pub async fn list(&self, role: &str) -> Result<Vec<v1::JobSummary>, Error> {
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

    /// The roles that have jobs or a quota, by name.
    pub async fn roles(&self) -> Result<Vec<String>, Error> {
        let act = |mut to: Self| async move { to.jobs.list_roles(v1::ListRolesRequest {}).await };
        let found = self.call(Code::CommandFailure, act).await?;
        Ok(found.roles.into_iter().map(|role| role.role).collect())
    }

    /// The tasks that match and why they wait, all pages together. The version is that of the first.
    pub async fn tasks(&self, query: v1::TaskQuery) -> Result<v1::ListTasksResponse, Error> {
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

    /// Everything that happens to tasks, beginning with how they are.
    pub async fn watch(
        &self,
        query: v1::TaskQuery,
    ) -> Result<tonic::Streaming<v1::WatchTasksResponse>, Error> {
        let act = |mut to: Self| {
            let request = v1::WatchTasksRequest { query: Some(query.clone()) };
            async move { to.jobs.watch_tasks(request).await }
        };
        self.call(Code::Api, act).await
    }
}

/// The states of tasks that have not ended.
pub fn active_states() -> Vec<i32> {
    TaskState::ALL
        .into_iter()
        .filter(|state| state.is_active())
        .map(|state| v1::TaskState::from(state) as i32)
        .collect()
}

/// The instances that tasks are of.
pub fn instances_of(tasks: &[v1::ScheduledTask]) -> BTreeSet<u32> {
    tasks.iter().filter_map(|task| Some(task.assigned.as_ref()?.instance)).collect()
}
