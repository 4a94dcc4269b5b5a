//! What clients ask for, and that it is done once (`scheduler.md` 7).

use aurora_model::key::RequestId;

use crate::cron::check_timetable;
use crate::input::{Op, RecordedResponse, Request, RequestError, Response};
use crate::scheduler::Turn;
use crate::validate::{check_instances, validate};

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
                let settings = &self.scheduler.settings;
                validate(&mut job, settings)?;
                check_instances(&job, settings)?;
                if job.cron_schedule.is_some() {
                    check_timetable(&job, settings)?;
                }
                return Ok(Response::Validated(job));
            }
            Request::SetQuota { role, quota } => self.set_quota(role, quota)?,
            Request::RemoveQuota { role } => self.remove_quota(role)?,
            Request::CreateJob(job) => self.create(*job)?,
            Request::AddInstances { job, like, count } => self.add_instances(&job, like, count)?,
            Request::KillTasks { job, instances, message } => {
                self.kill_tasks(&job, &instances, user, message.as_deref())?
            }
            Request::RestartTasks { job, instances } => {
                self.restart_tasks(&job, &instances, user)?
            }
            Request::Cron(request) => RecordedResponse::Cron(self.cron_request(user, request)?),
            Request::Update(request) => {
                RecordedResponse::Update(self.updates_request(user, request)?)
            }
            Request::Maintenance(request) => {
                RecordedResponse::Maintenance(self.maintenance_request(user, request)?)
            }
            Request::Admin(request) => RecordedResponse::Admin(self.admin_request(user, request)?),
        };
        if let Some(id) = request_id {
            self.apply(Op::PutRequest { id, response: response.clone() });
        }
        Ok(response.into())
    }
}
