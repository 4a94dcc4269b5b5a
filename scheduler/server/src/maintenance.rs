//! Maintenance of hosts: the service of the API.

use std::collections::BTreeSet;

use aurora_api::v1;
use aurora_api::v1::maintenance_server::Maintenance;
use aurora_model::job::SlaPolicy;
use aurora_scheduler_core::{
    HostStatus, MaintenanceRequest, MaintenanceResponse, Request as Ask, RequestMark,
    Response as Answer, Scheduler,
};
use prost::Message;
use tonic::{Request, Response, Status};

use crate::grpc::{Api, ended, invalid, mark, other_answer};
use crate::pages::{fit, page_size};

/// Hosts that go into one call.
const MAX_HOSTS: usize = 10_000;
/// The longest name of a host, in bytes.
const MAX_HOST: usize = 255;
/// Hosts that the core is asked for at once.
const SOME_HOSTS: usize = 100;

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
        mark: Option<RequestMark>,
        ask: MaintenanceRequest,
    ) -> Result<(Vec<v1::HostMode>, Vec<String>), Status> {
        match self.ask(mark, Ask::Maintenance(ask)).await? {
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
        let mark = mark("StartMaintenance", request.request_id.as_deref(), &request)?;
        let ask = MaintenanceRequest::Start { hosts: hosts(request.hosts)? };
        let (hosts, unknown_hosts) = self.maintain(mark, ask).await?;
        metrics::counter!("thrift_workload_startMaintenance").increment(hosts.len() as u64);
        Ok(Response::new(v1::StartMaintenanceResponse { hosts, unknown_hosts }))
    }

    async fn drain_hosts(
        &self,
        request: Request<v1::DrainHostsRequest>,
    ) -> Result<Response<v1::DrainHostsResponse>, Status> {
        let request = request.into_inner();
        let mark = mark("DrainHosts", request.request_id.as_deref(), &request)?;
        let ask = MaintenanceRequest::Drain { hosts: hosts(request.hosts)? };
        let (hosts, unknown_hosts) = self.maintain(mark, ask).await?;
        metrics::counter!("thrift_workload_drainHosts").increment(hosts.len() as u64);
        Ok(Response::new(v1::DrainHostsResponse { hosts, unknown_hosts }))
    }

    async fn sla_drain_hosts(
        &self,
        request: Request<v1::SlaDrainHostsRequest>,
    ) -> Result<Response<v1::SlaDrainHostsResponse>, Status> {
        let request = request.into_inner();
        let mark = mark("SlaDrainHosts", request.request_id.as_deref(), &request)?;
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
        let (hosts, unknown_hosts) = self.maintain(mark, ask).await?;
        metrics::counter!("thrift_workload_slaDrainHosts").increment(hosts.len() as u64);
        Ok(Response::new(v1::SlaDrainHostsResponse { hosts, unknown_hosts }))
    }

    async fn end_maintenance(
        &self,
        request: Request<v1::EndMaintenanceRequest>,
    ) -> Result<Response<v1::EndMaintenanceResponse>, Status> {
        let request = request.into_inner();
        let mark = mark("EndMaintenance", request.request_id.as_deref(), &request)?;
        let ask = MaintenanceRequest::End { hosts: hosts(request.hosts)? };
        let (hosts, unknown_hosts) = self.maintain(mark, ask).await?;
        metrics::counter!("thrift_workload_endMaintenance").increment(hosts.len() as u64);
        Ok(Response::new(v1::EndMaintenanceResponse { hosts, unknown_hosts }))
    }

    async fn get_hosts(
        &self,
        request: Request<v1::GetHostsRequest>,
    ) -> Result<Response<v1::GetHostsResponse>, Status> {
        let names = hosts(request.into_inner().hosts)?;
        let mut answer = v1::GetHostsResponse::default();
        let names: Vec<String> = names.into_iter().collect();
        // Some at a time, so that others get their turn.
        for some in names.chunks(SOME_HOSTS) {
            let some = some.to_vec();
            let look = move |scheduler: &Scheduler| {
                let look = |name: String| (scheduler.host_status(&name), name);
                some.into_iter().map(look).collect::<Vec<_>>()
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
        let limit = page_size(request.page_size);
        // The name of the last host of a page is where the next one begins, whatever has come or gone
        // in between.
        let mut after = Some(request.page_token).filter(|token| !token.is_empty());
        let only = request.only_in_maintenance;
        let mut found: Vec<HostStatus> = Vec::new();
        loop {
            // One more than is given tells whether there is another page.
            let wanted = SOME_HOSTS.min(limit + 1 - found.len());
            let look = move |s: &Scheduler| s.host_statuses(only, after.as_deref(), wanted);
            let some = self.core.ask(look).await.map_err(ended)?;
            let is_last = some.len() < wanted;
            found.extend(some);
            if is_last || found.len() > limit {
                break;
            }
            after = found.last().map(|found| found.host.clone());
        }
        let has_more = found.len() > limit;
        found.truncate(limit);
        let (hosts, is_cut) = fit(found.into_iter().map(status), Message::encoded_len);
        let last = hosts.last().filter(|_| has_more || is_cut).map(|last| last.host.clone());
        Ok(Response::new(v1::ListHostsResponse {
            next_page_token: last.unwrap_or_default(),
            hosts,
        }))
    }
}
