//! Quotas: the service of the API, and the page that the original's tools read.

use std::collections::BTreeMap;

use aurora_api::v1;
use aurora_api::v1::quotas_server::Quotas;
use aurora_model::key::Role;
use aurora_model::quota::ResourceAggregate;
use aurora_scheduler_core::{Request as Ask, Response as Answer, Scheduler};
use axum::extract::{Query, State};
use serde_json::json;
use tonic::{Request, Response, Status};

use crate::grpc::{Api, ended, invalid, mark, other_answer};
use crate::web::{Pages, stream};

#[tonic::async_trait]
impl Quotas for Api {
    async fn get_quota(
        &self,
        request: Request<v1::GetQuotaRequest>,
    ) -> Result<Response<v1::GetQuotaResponse>, Status> {
        let role = Role::new(&request.into_inner().role).map_err(invalid)?;
        let found = self
            .core
            .ask(move |scheduler| scheduler.role_quota(role.as_str()))
            .await
            .map_err(ended)?;
        let amounts = |amounts: &ResourceAggregate| Some(v1::ResourceAggregate::from(amounts));
        Ok(Response::new(v1::GetQuotaResponse {
            quota: amounts(&found.set.or(found.limit).unwrap_or_default()),
            is_set: found.set.is_some(),
            is_limited: found.limit.is_some(),
            production_shared: amounts(&found.consumption.production_shared),
            non_production_shared: amounts(&found.consumption.non_production_shared),
            production_dedicated: amounts(&found.consumption.production_dedicated),
            non_production_dedicated: amounts(&found.consumption.non_production_dedicated),
        }))
    }

    async fn set_quota(
        &self,
        request: Request<v1::SetQuotaRequest>,
    ) -> Result<Response<v1::SetQuotaResponse>, Status> {
        let request = request.into_inner();
        let mark = mark("SetQuota", request.request_id.as_deref(), &request)?;
        let role = Role::new(&request.role).map_err(invalid)?;
        let quota = request.quota.ok_or_else(|| invalid("quota is missing"))?;
        let quota = ResourceAggregate::try_from(quota).map_err(invalid)?;
        match self.ask(mark, Ask::SetQuota { role: role.clone(), quota }).await? {
            Answer::QuotaSet => {
                let ResourceAggregate { cpus, ram_mb, disk_mb } = quota;
                tracing::info!(%role, %cpus, ram_mb, disk_mb, "set a quota");
                Ok(Response::new(v1::SetQuotaResponse {}))
            }
            _ => Err(other_answer()),
        }
    }

    async fn remove_quota(
        &self,
        request: Request<v1::RemoveQuotaRequest>,
    ) -> Result<Response<v1::RemoveQuotaResponse>, Status> {
        let request = request.into_inner();
        let mark = mark("RemoveQuota", request.request_id.as_deref(), &request)?;
        let role = Role::new(&request.role).map_err(invalid)?;
        match self.ask(mark, Ask::RemoveQuota { role: role.clone() }).await? {
            Answer::QuotaRemoved => {
                tracing::info!(%role, "removed a quota");
                Ok(Response::new(v1::RemoveQuotaResponse {}))
            }
            _ => Err(other_answer()),
        }
    }
}

/// Quotas that the core is asked for at once.
const ROLES: usize = 500;

/// The quotas that were set, in the form that the original's tools read.
pub(crate) async fn page(
    State(Pages { core, .. }): State<Pages>,
    Query(mut asked): Query<BTreeMap<String, String>>,
) -> axum::response::Response {
    let only = asked.remove("role");
    let quotas = stream::pages(move |after: Option<Role>| {
        let (core, only) = (core.clone(), only.clone());
        async move {
            let found = core.ask(move |s| some_quotas(s, only.as_deref(), after.as_ref())).await?;
            let next = found.last().filter(|_| found.len() == ROLES).map(|(role, _)| role.clone());
            Ok((found.iter().map(quota_json).collect(), next))
        }
    });
    stream::answer(stream::elements("{", quotas, "}")).await
}

fn some_quotas(
    scheduler: &Scheduler,
    only: Option<&str>,
    after: Option<&Role>,
) -> Vec<(Role, ResourceAggregate)> {
    let state = scheduler.state();
    match only {
        Some(name) => {
            let role = Role::new(name).ok();
            role.and_then(|role| Some((role, *state.quota(name)?))).into_iter().collect()
        }
        None => state.quotas_after(after).take(ROLES).map(|(role, q)| (role.clone(), *q)).collect(),
    }
}

fn quota_json((role, quota): &(Role, ResourceAggregate)) -> String {
    let ResourceAggregate { cpus, ram_mb, disk_mb } = quota;
    let amounts = json!({ "cpu_cores": cpus.cores(), "ram_mb": ram_mb, "disk_mb": disk_mb });
    stream::member(role.as_str(), &amounts)
}
