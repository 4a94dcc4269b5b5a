//! Maintenance of hosts.

use std::collections::BTreeSet;
use std::time::Duration;

use aurora_api::maintenance::maintenance_mode;
use aurora_api::v1;
use aurora_model::job::{SlaPolicy, Timestamp};
use aurora_model::maintenance::{HostMaintenance, MaintenanceMode};
use tokio::time::Instant;

use super::{Scheduler, request_id};
use crate::error::{Code, Error};

/// Hosts that go into one call.
const HOSTS_PER_CALL: usize = 1000;
/// Between two looks at hosts that are being drained.
const PAUSE: Duration = Duration::from_secs(1);

/// What is to become of hosts.
#[derive(Debug, Clone, PartialEq)]
pub enum HostChange {
    /// They are used only where there is no other place.
    Start,
    /// Their tasks are moved now, whatever policies say.
    Drain,
    /// Their tasks are moved as fast as policies allow.
    SlaDrain {
        /// For jobs that have none of their own.
        default_policy: SlaPolicy,
        /// What is left then is moved whatever policies say; at least a second.
        timeout: Duration,
        /// Whether services of a single instance are started elsewhere first.
        surge: bool,
    },
    /// They are used as before.
    End,
}

/// What has become of hosts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct HostsChanged {
    /// Those that the scheduler knows, with their modes.
    pub modes: Vec<(String, MaintenanceMode)>,
    /// Those that it does not.
    pub unknown: Vec<String>,
}

/// A host, and how its maintenance stands.
#[derive(Debug, Clone, PartialEq)]
pub struct Host {
    /// Its name.
    pub name: String,
    /// What is done with it, by whom.
    pub maintenance: HostMaintenance,
    /// How many tasks it has.
    pub tasks: u32,
    /// Those of them that may not be moved now, and why.
    pub waiting: Vec<(String, String)>,
    /// When its maintenance begins, as the master has announced.
    pub unavailable_from: Option<Timestamp>,
}

impl TryFrom<v1::HostStatus> for Host {
    type Error = Error;

    fn try_from(status: v1::HostStatus) -> Result<Self, Error> {
        let wrong = |reason: String| {
            Error::new(Code::Api, format!("the scheduler told of a wrong host: {reason}"))
        };
        let maintenance = status.maintenance.ok_or_else(|| wrong("without a mode".to_owned()))?;
        Ok(Self {
            name: status.host,
            maintenance: HostMaintenance::try_from(maintenance)
                .map_err(|error| wrong(error.to_string()))?,
            tasks: status.tasks,
            waiting: status.waiting.into_iter().map(|it| (it.task_id, it.reason)).collect(),
            unavailable_from: status.unavailable_from_ms.map(Timestamp),
        })
    }
}

impl Scheduler {
    /// Changes what is done with hosts.
    pub async fn change_hosts(
        &self,
        change: &HostChange,
        hosts: &BTreeSet<String>,
    ) -> Result<HostsChanged, Error> {
        let mut all = HostsChanged::default();
        let hosts: Vec<String> = hosts.iter().cloned().collect();
        for some in hosts.chunks(HOSTS_PER_CALL) {
            let (modes, unknown) = self.change_some(change, some.to_vec()).await?;
            for v1::HostMode { host, mode } in modes {
                let mode = maintenance_mode(mode)
                    .map_err(|error| Error::new(Code::Api, error.to_string()))?;
                all.modes.push((host, mode));
            }
            all.unknown.extend(unknown);
        }
        Ok(all)
    }

    async fn change_some(
        &self,
        change: &HostChange,
        hosts: Vec<String>,
    ) -> Result<(Vec<v1::HostMode>, Vec<String>), Error> {
        let request_id = Some(request_id());
        match change {
            HostChange::Start => {
                let request = v1::StartMaintenanceRequest { request_id, hosts };
                let act = |mut to: Self| {
                    let request = request.clone();
                    async move { to.maintenance.start_maintenance(request).await }
                };
                let answer = self.call(Code::Api, act).await?;
                Ok((answer.hosts, answer.unknown_hosts))
            }
            HostChange::Drain => {
                let request = v1::DrainHostsRequest { request_id, hosts };
                let act = |mut to: Self| {
                    let request = request.clone();
                    async move { to.maintenance.drain_hosts(request).await }
                };
                let answer = self.call(Code::Api, act).await?;
                Ok((answer.hosts, answer.unknown_hosts))
            }
            HostChange::SlaDrain { default_policy, timeout, surge } => {
                let request = v1::SlaDrainHostsRequest {
                    request_id,
                    hosts,
                    default_policy: Some(v1::SlaPolicy::from(default_policy)),
                    timeout_secs: timeout.as_secs(),
                    surge: *surge,
                };
                let act = |mut to: Self| {
                    let request = request.clone();
                    async move { to.maintenance.sla_drain_hosts(request).await }
                };
                let answer = self.call(Code::Api, act).await?;
                Ok((answer.hosts, answer.unknown_hosts))
            }
            HostChange::End => {
                let request = v1::EndMaintenanceRequest { request_id, hosts };
                let act = |mut to: Self| {
                    let request = request.clone();
                    async move { to.maintenance.end_maintenance(request).await }
                };
                let answer = self.call(Code::Api, act).await?;
                Ok((answer.hosts, answer.unknown_hosts))
            }
        }
    }

    /// How the maintenance of some hosts stands, by name; and those that the scheduler does not know.
    pub async fn hosts(&self, names: &BTreeSet<String>) -> Result<(Vec<Host>, Vec<String>), Error> {
        let (mut hosts, mut unknown) = (Vec::new(), Vec::new());
        let names: Vec<String> = names.iter().cloned().collect();
        for some in names.chunks(HOSTS_PER_CALL) {
            let act = |mut to: Self| {
                let request = v1::GetHostsRequest { hosts: some.to_vec() };
                async move { to.maintenance.get_hosts(request).await }
            };
            let answer = self.call(Code::Api, act).await?;
            for host in answer.hosts {
                hosts.push(Host::try_from(host)?);
            }
            unknown.extend(answer.unknown_hosts);
        }
        Ok((hosts, unknown))
    }

    /// How the maintenance of all hosts stands, by name; or of those with which something is done.
    pub async fn all_hosts(&self, only_in_maintenance: bool) -> Result<Vec<Host>, Error> {
        let mut all = Vec::new();
        let mut page_token = String::new();
        loop {
            let request = v1::ListHostsRequest { page_size: 0, page_token, only_in_maintenance };
            let act = |mut to: Self| {
                let request = request.clone();
                async move { to.maintenance.list_hosts(request).await }
            };
            let page = self.call(Code::Api, act).await?;
            for host in page.hosts {
                all.push(Host::try_from(host)?);
            }
            page_token = page.next_page_token;
            if page_token.is_empty() {
                return Ok(all);
            }
        }
    }

    /// Waits until hosts are empty, for so long at most; without a limit for as long as it takes. Each host is
    /// told at first and whenever something about it has changed. Gives those that are not empty in the end: a
    /// host that is no longer drained, or of which the scheduler does not tell, is not waited for.
    pub async fn wait_drained(
        &self,
        hosts: &BTreeSet<String>,
        limit: Option<Duration>,
        mut tell: impl FnMut(&Host),
    ) -> Result<BTreeSet<String>, Error> {
        let deadline = limit.and_then(|limit| Instant::now().checked_add(limit));
        let mut drains = Drains::of(hosts);
        loop {
            let (found, _) = self.hosts(&drains.waiting).await?;
            drains.take(found).iter().for_each(&mut tell);
            let now = Instant::now();
            if drains.waiting.is_empty() || deadline.is_some_and(|deadline| deadline <= now) {
                return Ok(drains.undrained);
            }
            let next = now + PAUSE;
            tokio::time::sleep_until(deadline.map_or(next, |deadline| next.min(deadline))).await;
        }
    }
}

/// How far hosts are that are being drained.
#[derive(Debug)]
struct Drains {
    undrained: BTreeSet<String>,
    /// Those that may still become empty.
    waiting: BTreeSet<String>,
    /// What was told last.
    told: Vec<Host>,
}

impl Drains {
    fn of(hosts: &BTreeSet<String>) -> Self {
        Self { undrained: hosts.clone(), waiting: hosts.clone(), told: Vec::new() }
    }

    /// Takes what the scheduler tells of those that are waited for. Gives the hosts about which something is new.
    fn take(&mut self, found: Vec<Host>) -> Vec<Host> {
        for host in &found {
            if host.maintenance.mode == MaintenanceMode::Drained {
                self.undrained.remove(&host.name);
            }
        }
        // Of a host that takes tasks again somebody has called the drain off; one that is not told of is not known.
        let is_draining = |host: &Host| host.maintenance.mode == MaintenanceMode::Draining;
        self.waiting =
            found.iter().filter(|host| is_draining(host)).map(|host| host.name.clone()).collect();
        let new = found.iter().filter(|host| !self.told.contains(host)).cloned().collect();
        self.told = found;
        new
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn host(name: &str, mode: MaintenanceMode, tasks: u32) -> Host {
        Host {
            name: name.to_owned(),
            maintenance: HostMaintenance { mode, ..HostMaintenance::default() },
            tasks,
            waiting: Vec::new(),
            unavailable_from: None,
        }
    }

    fn names(names: &[&str]) -> BTreeSet<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn a25_only_hosts_that_are_not_drained_are_asked_about_again() {
        use MaintenanceMode::{Drained, Draining};
        let mut drains = Drains::of(&names(&["a", "b", "c"]));
        let first = vec![host("a", Draining, 2), host("b", Drained, 0), host("c", Draining, 1)];
        assert_eq!(drains.take(first.clone()), first);
        assert_eq!(drains.waiting, names(&["a", "c"]));
        // Nothing new about c.
        let news = drains.take(vec![host("a", Draining, 1), host("c", Draining, 1)]);
        assert_eq!(news, [host("a", Draining, 1)]);
        drains.take(vec![host("a", Drained, 0), host("c", Draining, 1)]);
        assert_eq!(
            (drains.waiting.clone(), drains.undrained.clone()),
            (names(&["c"]), names(&["c"]))
        );
        drains.take(vec![host("c", Drained, 0)]);
        assert_eq!((drains.waiting, drains.undrained), (names(&[]), names(&[])));
    }

    #[test]
    fn a39_a_host_that_is_not_told_of_is_not_drained() {
        use MaintenanceMode::{Drained, Draining, None, Scheduled};
        let mut drains = Drains::of(&names(&["a", "b", "c", "d"]));
        drains.take(vec![host("a", Draining, 1), host("b", None, 1), host("c", Scheduled, 1)]);
        assert_eq!(drains.waiting, names(&["a"]));
        drains.take(vec![host("a", Drained, 0)]);
        assert_eq!(drains.undrained, names(&["b", "c", "d"]));
    }
}
