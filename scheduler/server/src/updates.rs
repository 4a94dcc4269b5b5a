//! Updates of jobs: the service of the API.

use aurora_api::updates::{metadata, update_status};
use aurora_api::v1;
use aurora_api::v1::updates_server::Updates;
use aurora_model::job::Timestamp;
use aurora_model::key::JobKey;
use aurora_model::update::{InstanceConfig, JobUpdateRequest, UpdateKey};
use aurora_scheduler_core::{
    Request as Ask, RequestMark, Response as Answer, Tally, UpdateAction, UpdateQuery,
    UpdateRequest, UpdateResponse, UpdateSummary,
};
use prost::Message;
use tonic::metadata::AsciiMetadataValue;
use tonic::{Request, Response, Status};

use crate::grpc::{Api, ended, has_reason, invalid, mark, not_found, other_answer, refused};
use crate::pages::{fit, page_size_within};

/// The trailer that names the update for which a call was refused.
const UPDATE: &str = "aurora-update";
/// Updates on a page if the caller does not say.
const PAGE: usize = 100;
/// The most updates on a page.
const MAX_PAGE: usize = 1000;

fn key(key: Option<v1::UpdateKey>) -> Result<UpdateKey, Status> {
    UpdateKey::try_from(key.ok_or_else(|| invalid("key is missing"))?).map_err(invalid)
}

fn update(update: Option<v1::JobUpdateRequest>) -> Result<JobUpdateRequest, Status> {
    let update = update.ok_or_else(|| invalid("update is missing"))?;
    JobUpdateRequest::try_from(update).map_err(invalid)
}

fn query(query: Option<v1::UpdateQuery>) -> Result<UpdateQuery, Status> {
    let query = query.unwrap_or_default();
    Ok(UpdateQuery {
        role: query.role,
        job: query.job.as_ref().map(JobKey::try_from).transpose().map_err(invalid)?,
        key: query.key.map(UpdateKey::try_from).transpose().map_err(invalid)?,
        user: query.user,
        statuses: query
            .statuses
            .into_iter()
            .map(update_status)
            .collect::<Result<_, _>>()
            .map_err(invalid)?,
    })
}

fn summary(summary: &UpdateSummary) -> v1::UpdateSummary {
    let Tally { total, working, good, failed } = summary.tally;
    v1::UpdateSummary {
        key: Some((&summary.key).into()),
        user: summary.user.clone(),
        status: v1::UpdateStatus::from(summary.status).into(),
        created_ms: summary.created.0,
        modified_ms: summary.modified.0,
        metadata: metadata(&summary.metadata),
        tally: Some(v1::UpdateTally { total, working, good, failed }),
    }
}

/// Where the next page begins: after an update that last changed at a time.
fn token((time, key): &(Timestamp, UpdateKey)) -> String {
    format!("{}/{}/{}", time.0, key.job, key.id)
}

fn place(token: &str) -> Result<Option<(Timestamp, UpdateKey)>, Status> {
    if token.is_empty() {
        return Ok(None);
    }
    let read = || {
        let (time, key) = token.split_once('/')?;
        let (job, id) = key.rsplit_once('/')?;
        let key = UpdateKey { job: job.parse().ok()?, id: id.parse().ok()? };
        Some((Timestamp(time.parse().ok()?), key))
    };
    read().map(Some).ok_or_else(|| {
        invalid("page_token is not one that this scheduler gave: begin with the first page")
    })
}

impl Api {
    async fn ask_update(
        &self,
        mark: Option<RequestMark>,
        request: UpdateRequest,
    ) -> Result<UpdateResponse, Status> {
        match self.ask(mark, Ask::Update(request)).await? {
            Answer::Update(response) => Ok(response),
            _ => Err(other_answer()),
        }
    }

    /// A refusal, with the update that is in the way if it is for that.
    async fn with_update_of(&self, job: JobKey, mut refusal: Status) -> Status {
        if !has_reason(&refusal, "JOB_UPDATING") {
            return refusal;
        }
        let found = self
            .core
            .ask(move |scheduler| scheduler.update_of(&job).map(|found| found.update().key.clone()))
            .await;
        // It may have ended meanwhile, as may have the scheduler.
        if let Ok(Some(UpdateKey { job, id })) = found
            && let Ok(name) = format!("{job}/{id}").parse::<AsciiMetadataValue>()
        {
            refusal.metadata_mut().insert(UPDATE, name);
        }
        refusal
    }

    async fn act_on_update(
        &self,
        request: v1::ChangeUpdateRequest,
        method: &'static str,
        action: UpdateAction,
    ) -> Result<Response<v1::ChangeUpdateResponse>, Status> {
        let mark = mark(method, request.request_id.as_deref(), &request)?;
        let key = key(request.key)?;
        let ask = UpdateRequest::Act { key: key.clone(), action, message: request.message };
        match self.ask_update(mark, ask).await? {
            UpdateResponse::Acted(status) => {
                tracing::info!(job = %key.job, update = %key.id, %action, %status, "changed an update");
                let status = v1::UpdateStatus::from(status).into();
                Ok(Response::new(v1::ChangeUpdateResponse { status }))
            }
            _ => Err(other_answer()),
        }
    }
}

#[tonic::async_trait]
impl Updates for Api {
    async fn start_update(
        &self,
        request: Request<v1::StartUpdateRequest>,
    ) -> Result<Response<v1::StartUpdateResponse>, Status> {
        let request = request.into_inner();
        let mark = mark("StartUpdate", request.request_id.as_deref(), &request)?;
        let update = Box::new(update(request.update)?);
        let job = update.task.job.clone();
        let ask = UpdateRequest::Start { request: update, message: request.message };
        let answer = match self.ask_update(mark, ask).await {
            Err(refusal) => return Err(self.with_update_of(job, refusal).await),
            Ok(answer) => answer,
        };
        let key = match answer {
            UpdateResponse::Started(key) => {
                tracing::info!(job = %key.job, update = %key.id, "started an update");
                Some((&key).into())
            }
            UpdateResponse::Unchanged => None,
            _ => return Err(other_answer()),
        };
        Ok(Response::new(v1::StartUpdateResponse { key }))
    }

    async fn pause_update(
        &self,
        request: Request<v1::ChangeUpdateRequest>,
    ) -> Result<Response<v1::ChangeUpdateResponse>, Status> {
        self.act_on_update(request.into_inner(), "PauseUpdate", UpdateAction::Pause).await
    }

    async fn resume_update(
        &self,
        request: Request<v1::ChangeUpdateRequest>,
    ) -> Result<Response<v1::ChangeUpdateResponse>, Status> {
        self.act_on_update(request.into_inner(), "ResumeUpdate", UpdateAction::Resume).await
    }

    async fn abort_update(
        &self,
        request: Request<v1::ChangeUpdateRequest>,
    ) -> Result<Response<v1::ChangeUpdateResponse>, Status> {
        self.act_on_update(request.into_inner(), "AbortUpdate", UpdateAction::Abort).await
    }

    async fn roll_back_update(
        &self,
        request: Request<v1::ChangeUpdateRequest>,
    ) -> Result<Response<v1::ChangeUpdateResponse>, Status> {
        self.act_on_update(request.into_inner(), "RollBackUpdate", UpdateAction::RollBack).await
    }

    async fn pulse_update(
        &self,
        request: Request<v1::PulseUpdateRequest>,
    ) -> Result<Response<v1::PulseUpdateResponse>, Status> {
        let key = key(request.into_inner().key)?;
        match self.ask_update(None, UpdateRequest::Pulse(key)).await? {
            UpdateResponse::Pulsed { finished } => {
                Ok(Response::new(v1::PulseUpdateResponse { finished }))
            }
            _ => Err(Status::internal("the scheduler gave another answer than it was asked for")),
        }
    }

    async fn list_updates(
        &self,
        request: Request<v1::ListUpdatesRequest>,
    ) -> Result<Response<v1::ListUpdatesResponse>, Status> {
        let request = request.into_inner();
        let query = query(request.query)?;
        let after = place(&request.page_token)?;
        let size = page_size_within(request.page_size, PAGE, MAX_PAGE);
        let mut found = self
            .core
            .ask(move |scheduler| {
                // One more tells whether there is another page.
                let found = scheduler.updates(&query, after.as_ref(), size + 1);
                found.into_iter().map(UpdateSummary::from).collect::<Vec<_>>()
            })
            .await
            .map_err(ended)?;
        let has_more = found.len() > size;
        found.truncate(size);
        let (updates, is_cut) = fit(found.iter().map(summary), Message::encoded_len);
        let last = found.get(updates.len().saturating_sub(1)).filter(|_| has_more || is_cut);
        Ok(Response::new(v1::ListUpdatesResponse {
            next_page_token: last
                .map(|last| token(&(last.modified, last.key.clone())))
                .unwrap_or_default(),
            updates,
        }))
    }

    async fn get_update(
        &self,
        request: Request<v1::GetUpdateRequest>,
    ) -> Result<Response<v1::GetUpdateResponse>, Status> {
        let key = key(request.into_inner().key)?;
        let wanted = key.clone();
        let found = self.core.ask(move |scheduler| scheduler.update(&wanted).cloned()).await;
        let Some(found) = found.map_err(ended)? else {
            return Err(not_found(format!("{} has no update {}", key.job, key.id)));
        };
        Ok(Response::new(v1::GetUpdateResponse {
            summary: Some(summary(&UpdateSummary::from(&found))),
            update: Some(found.update().into()),
            events: found.events().iter().map(Into::into).collect(),
            instance_events: found.instance_events().iter().map(Into::into).collect(),
        }))
    }

    async fn get_update_diff(
        &self,
        request: Request<v1::GetUpdateDiffRequest>,
    ) -> Result<Response<v1::GetUpdateDiffResponse>, Status> {
        let update = update(request.into_inner().update)?;
        let found = self
            .core
            .ask(move |scheduler| scheduler.update_diff(update))
            .await
            .map_err(ended)?
            .map_err(refused)?;
        let configs = |configs: &[InstanceConfig]| configs.iter().map(Into::into).collect();
        Ok(Response::new(v1::GetUpdateDiffResponse {
            add: configs(&found.add),
            remove: configs(&found.remove),
            update: configs(&found.update),
            unchanged: configs(&found.unchanged),
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_begins_where_the_last_one_ended() {
        let key = UpdateKey {
            job: JobKey::new("www", "prod", "web").unwrap(),
            id: "4a-b".parse().unwrap(),
        };
        let at = (Timestamp(-5), key);
        assert_eq!(place(&token(&at)).unwrap(), Some(at));
        assert_eq!(place("").unwrap(), None);
        for bad in ["1", "x/a/b/c/d", "1/a/b/c", "1/a/b/c/"] {
            assert!(place(bad).is_err(), "{bad}");
        }
    }
}
