//! Maintenance of hosts (`scheduler.md` 12): which hosts are left alone or emptied, by whom it was
//! asked and how far it is.
//!
//! What is recorded of a host survives; which tasks wait for what does not, and is found out anew.

mod drain;
mod inverse;
mod requests;
mod status;
mod surge;

use std::collections::{BTreeMap, BTreeSet};

use aurora_model::job::SlaPolicy;
use aurora_model::key::JobKey;
use aurora_model::maintenance::{Drain, HostMaintenance, MaintenanceMode, StandIn};

pub(crate) use drain::Drains;
pub use inverse::InverseOffer;
pub use status::{HostStatus, WaitingTask};

use crate::changes::TaskChange;
use crate::scheduler::Turn;
use crate::sla::QuestionId;
use crate::state::{Misfit, State};
use crate::timers::Timer;

/// What the log holds of them: hosts on which nothing is done are not there.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Maintenance {
    hosts: BTreeMap<String, HostMaintenance>,
    stand_ins: BTreeMap<JobKey, StandIn>,
}

/// A durable change.
#[derive(Debug, Clone, PartialEq)]
pub enum MaintenanceOp {
    /// What is done with a host, instead of what was.
    Put {
        /// The host.
        host: String,
        /// What is done.
        maintenance: HostMaintenance,
    },
    /// A job has a stand-in for its only instance.
    PutStandIn {
        /// The job.
        job: JobKey,
        /// Which instances these are.
        stand_in: StandIn,
    },
    /// A job has none any more.
    EndStandIn {
        /// The job.
        job: JobKey,
    },
}

/// What a client can ask for. All of it is done for each host that is known.
#[derive(Debug, Clone, PartialEq)]
pub enum MaintenanceRequest {
    /// Use the hosts only where there is no other place.
    Start {
        /// By their names.
        hosts: BTreeSet<String>,
    },
    /// Empty the hosts at once.
    Drain {
        /// By their names.
        hosts: BTreeSet<String>,
    },
    /// Empty the hosts as fast as policies allow.
    SlaDrain {
        /// By their names.
        hosts: BTreeSet<String>,
        /// What is demanded for the tasks of jobs that have no policy of their own.
        default_policy: SlaPolicy,
        /// How long policies are heeded, in seconds.
        timeout_secs: u64,
        /// Whether services of a single instance are started elsewhere before they are stopped.
        surge: bool,
    },
    /// Use the hosts as before.
    End {
        /// By their names.
        hosts: BTreeSet<String>,
    },
}

/// What a client is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MaintenanceResponse {
    /// What has become of the hosts.
    Hosts {
        /// Those that are known, by name.
        modes: Vec<(String, MaintenanceMode)>,
        /// Those that have never made an offer, with which nothing was done.
        unknown: Vec<String>,
    },
}

/// Something that is due at a time.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum MaintenanceTimer {
    /// A host may be drained further: time has passed that a policy wants, or its deadline.
    Drain(String),
    /// More of a job's tasks may be moved, from a host on.
    Job(JobKey, String),
    /// All hosts that are being drained are looked at, whatever has happened.
    Poll,
    /// A host is to be left, as the master has announced.
    Leave(String),
    /// A stand-in, or who it stands in for, has run for long enough.
    StandIn(JobKey),
    /// A coordinator has not answered.
    Unanswered(QuestionId),
}

impl Maintenance {
    pub(crate) fn apply(&mut self, op: &MaintenanceOp) -> Result<(), Misfit> {
        match op {
            MaintenanceOp::Put { host, maintenance } => {
                if maintenance.mode == MaintenanceMode::None {
                    self.hosts.remove(host);
                } else {
                    self.hosts.insert(host.clone(), maintenance.clone());
                }
            }
            MaintenanceOp::PutStandIn { job, stand_in } => {
                self.stand_ins.insert(job.clone(), *stand_in);
            }
            MaintenanceOp::EndStandIn { job } => {
                if self.stand_ins.remove(job).is_none() {
                    return Err(Misfit { what: format!("the stand-in of {job}") });
                }
            }
        }
        Ok(())
    }

    pub(crate) fn to_ops(&self) -> impl Iterator<Item = MaintenanceOp> + '_ {
        let hosts = self.hosts.iter().map(|(host, maintenance)| MaintenanceOp::Put {
            host: host.clone(),
            maintenance: maintenance.clone(),
        });
        let stand_ins = self.stand_ins.iter().map(|(job, stand_in)| MaintenanceOp::PutStandIn {
            job: job.clone(),
            stand_in: *stand_in,
        });
        hosts.chain(stand_ins)
    }

    /// What is done with a host, if anything.
    pub fn host(&self, name: &str) -> Option<&HostMaintenance> {
        self.hosts.get(name)
    }

    /// Every host with which something is done, by name.
    pub fn hosts(&self) -> impl Iterator<Item = (&str, &HostMaintenance)> {
        self.hosts.iter().map(|(name, maintenance)| (name.as_str(), maintenance))
    }
}

impl State {
    /// What is done with a host.
    pub fn host_mode(&self, name: &str) -> MaintenanceMode {
        self.maintenance.host(name).map_or(MaintenanceMode::None, |host| host.mode)
    }

    /// The maintenance of hosts.
    pub fn maintenance(&self) -> &Maintenance {
        &self.maintenance
    }
}

impl Turn<'_> {
    /// Makes anew what the log does not hold: the deadlines of drains. Tasks are moved when there is
    /// a master to move them.
    pub(crate) fn start_maintenance(&mut self) {
        let draining: Vec<String> = self.draining_hosts();
        for host in draining {
            self.set_deadline(&host);
        }
    }

    pub(crate) fn run_maintenance_timer(&mut self, timer: MaintenanceTimer) {
        match timer {
            MaintenanceTimer::Drain(host) => self.drain_due(&host),
            MaintenanceTimer::Job(job, host) => self.drain_waiting(&job, Some(&host)),
            MaintenanceTimer::Poll => self.poll_drains(),
            MaintenanceTimer::Leave(host) => self.leave(&host),
            MaintenanceTimer::StandIn(job) => self.look_at_stand_in(&job),
            MaintenanceTimer::Unanswered(id) => self.coordinator_unanswered(id),
        }
    }

    /// Takes in what has become of a task.
    pub(crate) fn maintenance_see(&mut self, change: &TaskChange) {
        self.drains_see(change);
        self.stand_ins_see(change);
    }

    /// Records what is done with a host, and sees to the deadline if it is drained.
    fn put_host(&mut self, host: &str, maintenance: HostMaintenance) {
        let drains = maintenance.mode == MaintenanceMode::Draining;
        if let Some(before) = self.drain_of(host).map(Drain::deadline) {
            let timer = Timer::Maintenance(MaintenanceTimer::Drain(host.to_owned()));
            self.scheduler.timers.forget(before, timer);
        }
        let op = MaintenanceOp::Put { host: host.to_owned(), maintenance };
        self.apply(crate::input::Op::Maintenance(op));
        self.scheduler.drains.forget(host);
        if drains {
            self.set_deadline(host);
        }
    }

    fn set_deadline(&mut self, host: &str) {
        let Some(drain) = self.drain_of(host) else { return };
        let deadline = drain.deadline();
        let wait = deadline.ms_since(self.now);
        self.after(wait, Timer::Maintenance(MaintenanceTimer::Drain(host.to_owned())));
        self.set_poll();
    }
}
