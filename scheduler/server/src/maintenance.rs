//! Maintenance of hosts: the service of the API.

use std::collections::BTreeSet;

use aurora_api::v1;
use aurora_api::v1::maintenance_server::Maintenance;
use aurora_model::job::SlaPolicy;
use aurora_scheduler_core::{
    HostStatus, MaintenanceRequest, MaintenanceResponse, Request as Ask, Response as Answer,
};
use tonic::{Request, Response, Status};

use crate::grpc::{Api, ended, invalid, other_answer};

/// Hosts that go into one call.
const MAX_HOSTS: usize = 10_000;
/// The longest name of a host, in bytes.
const MAX_HOST: usize = 255;
/// Hosts of a page.
const MAX_PAGE: usize = 1000;

/// The names of hosts, each once.
fn hosts(names: Vec<String>) -> Result<BTreeSet<String>, Status> {
    if names.len() > MAX_HOSTS {
        let count = names.len();
        return Err(invalid(format!(
            "{count} hosts are named; at most {MAX_HOSTS} go into a call"
        )));
    }
    if names.is_empty() {
        return Err(invalid("hosts is empty: name at least one"));
    }
    for name in &names {
        if name.is_empty() {
            return Err(invalid("hosts has an empty name"));
        }
        if name.len() > MAX_HOST {
            return Err(invalid(format!("hosts has a name of more than {MAX_HOST} bytes")));
        }
    }
    Ok(names.into_iter().collect())
}

fn status(found: HostStatus) -> v1::HostStatus {
    v1::HostStatus {
        host: found.host,
        maintenance: Some(v1::HostMaintenance::from(&found.maintenance)),
        tasks: found.tasks,
        waiting: found
            .waiting
            .into_iter()
            .map(|task| v1::WaitingTask { task_id: task.id.to_string(), reason: task.reason })
            .collect(),
        unavailable_from_ms: found.unavailable_from.map(|time| time.0),
    }
}

impl Api {
    async fn maintain(
        &self,
        id: Option<String>,
        ask: MaintenanceRequest,
    ) -> Result<(Vec<v1::HostMode>, Vec<String>), Status> {
        match self.ask(id, Ask::Maintenance(ask)).await? {
            Answer::Maintenance(MaintenanceResponse::Hosts { modes, unknown }) => {
                let modes = modes
                    .into_iter()
                    .map(|(host, mode)| {
                        tracing::info!(host, %mode, "changed the maintenance of a host");
                        v1::HostMode { host, mode: v1::MaintenanceMode::from(mode) as i32 }
                    })
                    .collect();
                Ok((modes, unknown))
            }
            _ => Err(other_answer()),
        }
    }
}

#[tonic::async_trait]
impl Maintenance for Api {
    async fn start_maintenance(
        &self,
        request: Request<v1::StartMaintenanceRequest>,
    ) -> Result<Response<v1::StartMaintenanceResponse>, Status> {
        let request = request.into_inner();
        let ask = MaintenanceRequest::Start { hosts: hosts(request.hosts)? };
        let (hosts, unknown_hosts) = self.maintain(request.request_id, ask).await?;
        Ok(Response::new(v1::StartMaintenanceResponse { hosts, unknown_hosts }))
    }

    async fn drain_hosts(
        &self,
        request: Request<v1::DrainHostsRequest>,
    ) -> Result<Response<v1::DrainHostsResponse>, Status> {
        let request = request.into_inner();
        let ask = MaintenanceRequest::Drain { hosts: hosts(request.hosts)? };
        let (hosts, unknown_hosts) = self.maintain(request.request_id, ask).await?;
        Ok(Response::new(v1::DrainHostsResponse { hosts, unknown_hosts }))
    }

    async fn sla_drain_hosts(
        &self,
        request: Request<v1::SlaDrainHostsRequest>,
    ) -> Result<Response<v1::SlaDrainHostsResponse>, Status> {
        let request = request.into_inner();
        let policy = request.default_policy.ok_or_else(|| invalid("default_policy is missing"))?;
        if request.timeout_secs == 0 {
            return Err(invalid("timeout_secs must be at least 1: DrainHosts drains at once"));
        }
        let ask = MaintenanceRequest::SlaDrain {
            hosts: hosts(request.hosts)?,
            default_policy: SlaPolicy::try_from(policy).map_err(invalid)?,
            timeout_secs: request.timeout_secs,
            surge: request.surge,
        };
        let (hosts, unknown_hosts) = self.maintain(request.request_id, ask).await?;
        Ok(Response::new(v1::SlaDrainHostsResponse { hosts, unknown_hosts }))
    }

    async fn end_maintenance(
        &self,
        request: Request<v1::EndMaintenanceRequest>,
    ) -> Result<Response<v1::EndMaintenanceResponse>, Status> {
        let request = request.into_inner();
        let ask = MaintenanceRequest::End { hosts: hosts(request.hosts)? };
        let (hosts, unknown_hosts) = self.maintain(request.request_id, ask).await?;
        Ok(Response::new(v1::EndMaintenanceResponse { hosts, unknown_hosts }))
    }

    async fn get_hosts(
        &self,
        request: Request<v1::GetHostsRequest>,
    ) -> Result<Response<v1::GetHostsResponse>, Status> {
        let names = hosts(request.into_inner().hosts)?;
        let mut answer = v1::GetHostsResponse::default();
        let names: Vec<String> = names.into_iter().collect();
        // A page at a time, so that others get their turn.
        for page in names.chunks(MAX_PAGE) {
            let page = page.to_vec();
            let look = move |scheduler: &aurora_scheduler_core::Scheduler| {
                let look = |name: String| (scheduler.host_status(&name), name);
                page.into_iter().map(look).collect::<Vec<_>>()
            };
            for (found, name) in self.core.ask(look).await.map_err(ended)? {
                match found {
                    Some(found) => answer.hosts.push(status(found)),
                    None => answer.unknown_hosts.push(name),
                }
            }
        }
        Ok(Response::new(answer))
    }

    async fn list_hosts(
        &self,
        request: Request<v1::ListHostsRequest>,
    ) -> Result<Response<v1::ListHostsResponse>, Status> {
        let request = request.into_inner();
        let limit = match usize::try_from(request.page_size) {
            Ok(size @ 1..=MAX_PAGE) => size,
            _ => MAX_PAGE,
        };
        // The name of the last host of a page is where the next one begins, whatever has come or gone
        // in between.
        let after = Some(request.page_token).filter(|token| !token.is_empty());
        let only = request.only_in_maintenance;
        let look = move |scheduler: &aurora_scheduler_core::Scheduler| {
            scheduler.host_statuses(only, after.as_deref(), limit + 1)
        };
        let mut found = self.core.ask(look).await.map_err(ended)?;
        let has_more = found.len() > limit;
        found.truncate(limit);
        let last = found.last().filter(|_| has_more).map(|found| found.host.clone());
        Ok(Response::new(v1::ListHostsResponse {
            hosts: found.into_iter().map(status).collect(),
            next_page_token: last.unwrap_or_default(),
        }))
    }
}
