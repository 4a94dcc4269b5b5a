//! Updates of jobs.

use aurora_api::v1;

use super::{Change, Scheduler, request_id};
use crate::error::{Code, Error};
use crate::hooks::Method;

impl Scheduler {
    /// Starts an update. `id` makes it the same one however often this is called. None if there is nothing to
    /// change.
    pub async fn start_update(
        &self,
        update: v1::JobUpdateRequest,
        id: &str,
        message: Option<String>,
    ) -> Result<Option<v1::UpdateKey>, Error> {
        let request = v1::StartUpdateRequest {
            request_id: Some(id.to_owned()),
            update: Some(update),
            message,
        };
        let act = |mut to: Self| {
            let request = request.clone();
            async move { to.updates.start_update(request).await }
        };
        let call = self.call(Code::Api, act);
        Ok(self.hooked(Method::StartJobUpdate, &request, call).await?.key)
    }

    /// Changes how an update goes on. Gives the number of the status that it has then.
    pub async fn change_update(
        &self,
        change: Change,
        key: &v1::UpdateKey,
        message: Option<String>,
    ) -> Result<i32, Error> {
        let request = v1::ChangeUpdateRequest {
            request_id: Some(request_id()),
            key: Some(key.clone()),
            message,
        };
        let act = |mut to: Self| {
            let request = request.clone();
            async move {
                match change {
                    Change::Pause => to.updates.pause_update(request).await,
                    Change::Resume => to.updates.resume_update(request).await,
                    Change::Abort => to.updates.abort_update(request).await,
                    Change::Rollback => to.updates.roll_back_update(request).await,
                }
            }
        };
        Ok(self.call(Code::Api, act).await?.status)
    }

    /// The updates that match, the last changed first.
    pub async fn updates(&self, query: v1::UpdateQuery) -> Result<Vec<v1::UpdateSummary>, Error> {
        let mut all = Vec::new();
        let mut page_token = String::new();
        loop {
            let request =
                v1::ListUpdatesRequest { query: Some(query.clone()), page_size: 1000, page_token };
            let act = |mut to: Self| {
                let request = request.clone();
                async move { to.updates.list_updates(request).await }
            };
            let page = self.call(Code::Api, act).await?;
            all.extend(page.updates);
            page_token = page.next_page_token;
            if page_token.is_empty() {
                return Ok(all);
            }
        }
    }

    /// An update with all that happened to it.
    pub async fn update(&self, key: &v1::UpdateKey) -> Result<v1::GetUpdateResponse, Error> {
        let act = |mut to: Self| {
            let request = v1::GetUpdateRequest { key: Some(key.clone()) };
            async move { to.updates.get_update(request).await }
        };
        self.call(Code::InvalidParameter, act).await
    }
}
