//! What operators ask for.

use std::collections::BTreeSet;

use aurora_model::maintenance::{Drain, HostMaintenance, MaintenanceCause, MaintenanceMode};

use super::{MaintenanceRequest, MaintenanceResponse};
use crate::input::RequestError;
use crate::scheduler::Turn;
use crate::sla::validate_policy;

impl Turn<'_> {
    pub(crate) fn maintenance_request(
        &mut self,
        _user: &str,
        request: MaintenanceRequest,
    ) -> Result<MaintenanceResponse, RequestError> {
        let operator =
            |mode, drain| HostMaintenance { mode, cause: MaintenanceCause::Operator, drain };
        let (hosts, maintenance) = match request {
            MaintenanceRequest::Start { hosts } => {
                (hosts, operator(MaintenanceMode::Scheduled, None))
            }
            MaintenanceRequest::Drain { hosts } => {
                (hosts, operator(MaintenanceMode::Draining, Some(Drain::at_once(self.now))))
            }
            MaintenanceRequest::SlaDrain { hosts, default_policy, timeout_secs, surge } => {
                validate_policy(&default_policy, &self.scheduler.settings)?;
                let drain = Drain { default_policy, created: self.now, timeout_secs, surge };
                (hosts, operator(MaintenanceMode::Draining, Some(drain)))
            }
            MaintenanceRequest::End { hosts } => (hosts, HostMaintenance::default()),
        };
        if hosts.is_empty() {
            return Err(RequestError::invalid("no hosts are given: name at least one"));
        }
        let (known, unknown): (BTreeSet<String>, BTreeSet<String>) =
            hosts.into_iter().partition(|host| self.scheduler.is_known_host(host));
        for host in &known {
            self.put_host(host, maintenance.clone());
        }
        self.hosts_changed(&known);
        // All hosts take no more tasks before the first is left, so that none moves from one to the
        // next.
        for host in &known {
            self.drain_in_time(host);
        }
        self.look_at_stand_ins();
        let modes = known
            .into_iter()
            .map(|host| {
                let mode = self.scheduler.state.host_mode(&host);
                (host, mode)
            })
            .collect();
        Ok(MaintenanceResponse::Hosts { modes, unknown: unknown.into_iter().collect() })
    }
}
