//! What clients ask for, and that it is done once (`scheduler.md` 7).

use crate::cron::check_timetable;
use crate::input::{ErrorKind, Op, RecordedResponse, Request, RequestError, RequestMark, Response};
use crate::scheduler::Turn;
use crate::validate::{check_instances, validate};

impl Turn<'_> {
    pub(crate) fn request(
        &mut self,
        mark: Option<RequestMark>,
        user: &str,
        request: Request,
    ) -> Result<Response, RequestError> {
        if let Some(before) = mark.as_ref().and_then(|mark| self.answered_before(mark)) {
            return before;
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
        if let Some(RequestMark { id, fingerprint }) = mark {
            let response = response.clone();
            let (fingerprint, at) = (Some(fingerprint), Some(self.now));
            self.apply(Op::PutRequest { id, fingerprint, at, response });
        }
        Ok(response.into())
    }

    /// What is said to a request whose id was used before; nothing if it was not.
    fn answered_before(&self, mark: &RequestMark) -> Option<Result<Response, RequestError>> {
        let answered = self.scheduler.state.answered_to(&mark.id)?;
        // Of a request that was written down without one it is not known whether it is the same.
        if answered.fingerprint.is_none_or(|before| before == mark.fingerprint) {
            return Some(Ok(answered.response.clone().into()));
        }
        Some(Err(RequestError {
            kind: ErrorKind::RequestIdReused,
            message: format!(
                "another request was carried out under the request_id {:?}: give each request an id \
                 of its own, such as a UUID, and repeat an id only with the very same request",
                mark.id.as_str()
            ),
        }))
    }
}
