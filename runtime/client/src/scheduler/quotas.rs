//! What roles may use.

use aurora_api::v1;
use aurora_model::key::Role;

use super::{Scheduler, request_id};
use crate::error::{Code, Error};

impl Scheduler {
    /// What a role may use, and what it uses.
    pub async fn quota(&self, role: &Role) -> Result<v1::GetQuotaResponse, Error> {
        let act = |mut to: Self| {
            let request = v1::GetQuotaRequest { role: role.to_string() };
            async move { to.quotas.get_quota(request).await }
        };
        self.call(Code::Api, act).await
    }

    /// Sets what the production jobs of a role may use together.
    pub async fn set_quota(&self, role: &Role, quota: v1::ResourceAggregate) -> Result<(), Error> {
        let request = v1::SetQuotaRequest {
            role: role.to_string(),
            quota: Some(quota),
            request_id: Some(request_id()),
        };
        let act = |mut to: Self| {
            let request = request.clone();
            async move { to.quotas.set_quota(request).await }
        };
        self.call(Code::CommandFailure, act).await.map(|_| ())
    }
}
