//! What can be asked about the maintenance of hosts without changing anything.

use std::collections::BTreeSet;
use std::ops::Bound;

use aurora_model::job::Timestamp;
use aurora_model::key::TaskId;
use aurora_model::maintenance::HostMaintenance;

use crate::scheduler::Scheduler;

/// A host, and how far its maintenance is.
#[derive(Debug, Clone, PartialEq)]
pub struct HostStatus {
    /// The host.
    pub host: String,
    /// What is done with it.
    pub maintenance: HostMaintenance,
    /// The tasks that its agents have.
    pub tasks: u32,
    /// Those of them that may not be moved now.
    pub waiting: Vec<WaitingTask>,
    /// When the master has announced that its maintenance begins.
    pub unavailable_from: Option<Timestamp>,
}

/// A task that keeps its host from being empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WaitingTask {
    /// The task.
    pub id: TaskId,
    /// Why it may not be moved now.
    pub reason: String,
}

impl Scheduler {
    /// Whether a host of this name has ever made an offer.
    pub(crate) fn is_known_host(&self, name: &str) -> bool {
        self.state.host(name).is_some() || self.state.maintenance.host(name).is_some()
    }

    /// How the maintenance of a host stands; nothing of one that is not known.
    pub fn host_status(&self, host: &str) -> Option<HostStatus> {
        if !self.is_known_host(host) {
            return None;
        }
        let waiting = self
            .drains
            .waiting_on(host)
            .map(|(id, waiting)| WaitingTask { id: id.clone(), reason: waiting.reason.clone() });
        Some(HostStatus {
            host: host.to_owned(),
            maintenance: self.state.maintenance.host(host).cloned().unwrap_or_default(),
            tasks: u32::try_from(self.state.tasks_on(host).count()).unwrap_or(u32::MAX),
            waiting: waiting.collect(),
            unavailable_from: self.drains.announced.get(host).map(|announced| announced.from),
        })
    }

    /// The next hosts after the one named, by name: all that have made offers, or those with which
    /// something is done.
    pub fn host_statuses(
        &self,
        only_in_maintenance: bool,
        after: Option<&str>,
        limit: usize,
    ) -> Vec<HostStatus> {
        let names: BTreeSet<&str> = if only_in_maintenance {
            let hosts = self.state.maintenance.hosts().map(|(name, _)| name);
            hosts.filter(|name| after.is_none_or(|after| *name > after)).take(limit).collect()
        } else {
            self.state
                .host_names(after.map_or(Bound::Unbounded, Bound::Excluded))
                .take(limit)
                .collect()
        };
        names.into_iter().filter_map(|name| self.host_status(name)).collect()
    }

    /// How long the policies of tasks on hosts that are being drained are still heeded, in
    /// milliseconds: gauges by the original's names.
    pub fn maintenance_countdowns(&self, now: Timestamp) -> Vec<(String, i64)> {
        let mut gauges = Vec::new();
        for (host, maintenance) in self.state.maintenance.hosts() {
            let Some(drain) = &maintenance.drain else { continue };
            let left = drain.deadline().ms_since(now);
            for task in self.state.tasks_on(host) {
                let instance = task.assigned.instance_key();
                gauges.push((format!("maintenance_countdown_ms_{instance}"), left));
            }
        }
        gauges
    }
}
