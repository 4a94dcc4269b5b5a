//! Emptying hosts a group at a time, as far as the jobs on them can bear it (`admin.md` 5 and 6).

use std::collections::BTreeSet;
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
    /// Those that are not empty in time.
    pub late: BTreeSet<String>,
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
    let late = if changed.unknown.is_empty()
        && changed.modes.iter().all(|(_, mode)| is_empty(*mode))
    {
        BTreeSet::new()
    } else {
        scheduler.wait_drained(&safe, Some(terms.patience), |host| tell(Told::Host(host))).await?
    };
    Ok(Outcome { drained: safe.difference(&late).cloned().collect(), unsafe_hosts, late })
}
