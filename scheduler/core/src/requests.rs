//! What clients ask for (`scheduler.md` 7).

use std::collections::BTreeSet;
use std::sync::Arc;

use aurora_model::job::{JobConfiguration, TaskState};
use aurora_model::key::{JobKey, RequestId, TaskId};

use crate::input::{ErrorKind, Op, RecordedResponse, Request, RequestError, Response, TaskRecord};
use crate::scheduler::{Scheduler, Turn};
use crate::validate::validate;

impl Turn<'_> {
    pub(crate) fn request(
        &mut self,
        request_id: Option<RequestId>,
        user: &str,
        request: Request,
    ) -> Result<Response, RequestError> {
        if let Some(answered) = request_id.as_ref().and_then(|id| self.scheduler.state.answered(id))
        {
            return Ok(answered.clone().into());
        }
        let response = match request {
            Request::ValidateJob(mut job) => {
                validate(&mut job, &self.scheduler.settings)?;
                return Ok(Response::Validated(job));
            }
            // Setting it once more changes nothing: its answer need not be remembered.
            Request::SetQuota { role, quota } => return self.set_quota(role, quota),
            Request::CreateJob(job) => self.create(*job)?,
            Request::Cron(request) => RecordedResponse::Cron(self.cron_request(user, request)?),
            Request::Update(request) => {
                RecordedResponse::Update(self.updates_request(user, request)?)
            }
            Request::Maintenance(request) => {
                RecordedResponse::Maintenance(self.maintenance_request(user, request)?)
            }
            Request::Admin(request) => RecordedResponse::Admin(self.admin_request(user, request)?),
            Request::KillTasks { job, instances, message } => {
                self.kill_tasks(&job, &instances, user, message.as_deref())
            }
        };
        if let Some(id) = request_id {
            self.apply(Op::PutRequest { id, response: response.clone() });
        }
        Ok(response.into())
    }

    fn create(&mut self, mut job: JobConfiguration) -> Result<RecordedResponse, RequestError> {
        validate(&mut job, &self.scheduler.settings)?;
        if job.cron_schedule.is_some() {
            return Err(RequestError::invalid(format!(
                "{} has a cron schedule: it is scheduled, not created",
                job.key
            )));
        }
        if self.scheduler.state.active_of(&job.key).next().is_some() {
            return Err(RequestError {
                kind: ErrorKind::AlreadyExists,
                message: format!("Job already exists: {}", job.key),
            });
        }
        self.scheduler.check_quota(&job.task, job.instance_count)?;
        let tasks: Vec<TaskRecord> = (0..job.instance_count)
            .map(|instance| TaskRecord {
                id: TaskId::for_instance(
                    &job.key.instance(instance),
                    &self.scheduler.random.uuid(),
                ),
                instance,
                state: TaskState::Init,
                agent: None,
                ports: Default::default(),
                failure_count: 0,
                times_partitioned: 0,
                events: Vec::new(),
                ancestor: None,
            })
            .collect();
        let ids: Vec<TaskId> = tasks.iter().map(|task| task.id.clone()).collect();
        self.apply(Op::PutTasks { config: Arc::new(job.task), tasks });
        for id in ids {
            self.change(&id, TaskState::Pending, None);
        }
        Ok(RecordedResponse::Created { key: job.key, instances: job.instance_count })
    }

    /// Ends every active task that is meant and not being ended already.
    fn kill_tasks(
        &mut self,
        job: &JobKey,
        instances: &BTreeSet<u32>,
        user: &str,
        message: Option<&str>,
    ) -> RecordedResponse {
        let mut reason = format!("Killed by {user}");
        if let Some(text) = message.map(str::trim).filter(|text| !text.is_empty()) {
            reason.push_str(".\n");
            reason.push_str(text);
        }
        let Scheduler { state, .. } = &*self.scheduler;
        let mut doomed: Vec<(u32, TaskId)> = state
            .active_of(job)
            .filter(|task| task.state != TaskState::Killing)
            .filter(|task| instances.is_empty() || instances.contains(&task.assigned.instance))
            .map(|task| (task.assigned.instance, task.id().clone()))
            .collect();
        doomed.sort();
        let mut killed = Vec::new();
        for (instance, id) in doomed {
            if self.change(&id, TaskState::Killing, Some(&reason)) {
                killed.push(instance);
            }
        }
        RecordedResponse::Killed { instances: killed }
    }
}
