//! Emptying hosts a group at a time, as far as the jobs on them can bear it (`admin.md` 5 and 6).

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use aurora_model::maintenance::MaintenanceMode;

use crate::error::Error;
use crate::scheduler::Scheduler;
use crate::scheduler::maintenance::{Host, HostChange};
use crate::sla::{Demand, Prediction};

/// Under which terms hosts are emptied.
#[derive(Debug, Clone, Copy)]
pub struct Terms {
    /// What the jobs must keep.
    pub demand: Demand,
    /// Jobs with fewer instances are not looked at.
    pub min_instances: usize,
    /// How long a group may take.
    pub patience: Duration,
}

/// What happens while a group of hosts is emptied.
#[derive(Debug)]
pub enum Told<'a> {
    /// A host stays as it is, for what would become of a job.
    Unsafe(&'a str, &'a Prediction),
    /// How a host that is being emptied stands.
    Host(&'a Host),
}

/// The hosts of a group that may be emptied at once, and why the others may not.
#[derive(Debug, Clone, Default)]
pub struct Judged {
    /// Those that may.
    pub safe: BTreeSet<String>,
    /// The others, each with the jobs that are in the way.
    pub unsafe_hosts: Vec<(String, Prediction)>,
}

/// What has become of the hosts of a group.
#[derive(Debug, Clone, Default)]
pub struct Outcome {
    /// Those that are empty.
    pub drained: BTreeSet<String>,
    /// Those that would have broken what jobs must keep.
    pub unsafe_hosts: BTreeSet<String>,
    /// Those that are not empty in time, and are being emptied still.
    pub late: BTreeSet<String>,
    /// Those that are not empty, and are not being emptied any more: somebody has called it off.
    pub called_off: BTreeSet<String>,
}

/// Which hosts of a group may be emptied at once.
pub async fn judge(
    scheduler: &Scheduler,
    group: &BTreeSet<String>,
    terms: Terms,
) -> Result<Judged, Error> {
    let fleet = scheduler.fleet(Some(group), terms.min_instances).await?;
    let mut unsafe_hosts = fleet.probe(group, |_| terms.demand);
    unsafe_hosts.retain(|(_, prediction)| !prediction.is_safe);
    let is_unsafe = |host: &String| unsafe_hosts.iter().any(|(found, _)| found == host);
    let safe = group.iter().filter(|host| !is_unsafe(host)).cloned().collect();
    Ok(Judged { safe, unsafe_hosts })
}

/// Empties the hosts of a group that may be, and waits.
pub async fn drain_group(
    scheduler: &Scheduler,
    group: &BTreeSet<String>,
    terms: Terms,
    mut tell: impl FnMut(Told<'_>),
) -> Result<Outcome, Error> {
    let Judged { safe, unsafe_hosts } = judge(scheduler, group, terms).await?;
    for (host, prediction) in &unsafe_hosts {
        tell(Told::Unsafe(host, prediction));
    }
    let unsafe_hosts = unsafe_hosts.into_iter().map(|(host, _)| host).collect();
    if safe.is_empty() {
        return Ok(Outcome { unsafe_hosts, ..Outcome::default() });
    }
    let changed = scheduler.change_hosts(&HostChange::Drain, &safe).await?;
    // A host without tasks is empty at once.
    let is_empty = |mode: MaintenanceMode| mode == MaintenanceMode::Drained;
    if changed.unknown.is_empty() && changed.modes.iter().all(|(_, mode)| is_empty(*mode)) {
        return Ok(Outcome { drained: safe, unsafe_hosts, ..Outcome::default() });
    }
    let told = |host: &Host| tell(Told::Host(host));
    let mut late = scheduler.wait_drained(&safe, Some(terms.patience), told).await?;
    let mut called_off = BTreeSet::new();
    if !late.is_empty() {
        let modes: BTreeMap<String, MaintenanceMode> =
            scheduler.hosts(&late).await?.0.into_iter().map(mode_of).collect();
        // What has become empty since is.
        late.retain(|host| modes.get(host) != Some(&MaintenanceMode::Drained));
        called_off = late
            .extract_if(.., |host| modes.get(host) != Some(&MaintenanceMode::Draining))
            .collect();
    }
    let is_left = |host: &&String| late.contains(*host) || called_off.contains(*host);
    let drained = safe.iter().filter(|host| !is_left(host)).cloned().collect();
    Ok(Outcome { drained, unsafe_hosts, late, called_off })
}

fn mode_of(host: Host) -> (String, MaintenanceMode) {
    (host.name, host.maintenance.mode)
}
