//! What breaks, how often, and how it is mended.

use std::path::Path;

use aurora_scheduler_core::{MaintenanceRequest, Request};

use crate::disk::DiskFaults;
use crate::process::FOLDER;
use crate::rng::Rng;
use crate::world::{Event, Machine, World};

/// How long nothing breaks at the end of a run, in milliseconds: longer than anything that is to be
/// found and mended may take. Implicit reconciliation, every hour and half an hour later than the
/// explicit one at first, is the slowest.
pub(crate) const QUIET_MS: u64 = 100 * 60_000;

/// Something that breaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// A scheduler is killed.
    Crash,
    /// The machine with the log loses power.
    PowerLoss,
    /// Another scheduler takes over while the one that leads goes on.
    TakeOver,
    /// Nothing gets from a scheduler's machine to the master, or back, or both.
    Partition(usize),
    /// The clock of a scheduler's machine jumps.
    ClockJump(usize),
    /// The disk is slow, full, or fails.
    Disk,
    /// A bit of the log turns round while nobody reads it.
    BitRot,
    /// The master is started anew.
    MasterDown,
    /// An agent's machine starts anew, as another agent.
    AgentDown(usize),
    /// An agent's program is started anew; its tasks run on.
    AgentRestart(usize),
    /// Nothing gets from an agent to the master and back.
    AgentPartition(usize),
    /// The master announces that an agent goes into maintenance.
    AgentMaintenance(usize),
    /// An agent takes long for everything.
    AgentSlow(usize),
    /// A task of an agent is killed by nobody's wish.
    ExecutorKill(usize),
}

/// Something that breaks when it is planned to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Breakage {
    /// Nothing gets from the scheduler to the master, from the master to the scheduler, or both, for
    /// so long, in milliseconds.
    Partition {
        /// From the scheduler to the master.
        up: bool,
        /// From the master to the scheduler.
        down: bool,
        /// For how long.
        ms: u64,
    },
    /// The scheduler is killed.
    Crash,
    /// The machine with the log loses power.
    PowerLoss,
    /// Another scheduler takes over while the one that leads goes on.
    TakeOver,
    /// The master is away for so long, in milliseconds, and knows nothing when it is back.
    MasterDown(u64),
}

/// How much breaks in a run. Each run has its own: some things never break in it, others often.
#[derive(Debug, Clone)]
pub(crate) struct Profile {
    pub(crate) between_faults_ms: u64,
    pub(crate) between_acts_ms: u64,
    pub(crate) drop_per_mille: u64,
    pub(crate) delay_per_mille: u64,
    pub(crate) duplicate_per_mille: u64,
    pub(crate) crash_per_million: u64,
    pub(crate) kinds: Vec<u8>,
}

impl Profile {
    /// Nothing breaks by chance.
    pub(crate) fn calm() -> Self {
        Self {
            between_faults_ms: 60_000,
            between_acts_ms: 60_000,
            drop_per_mille: 0,
            delay_per_mille: 0,
            duplicate_per_mille: 0,
            crash_per_million: 0,
            kinds: Vec::new(),
        }
    }

    pub(crate) fn draw(rng: &mut Rng) -> Self {
        let often = |rng: &mut Rng, choices: &[u64]| rng.pick(choices).copied().unwrap_or(0);
        let kinds: Vec<u8> = (0..14).filter(|_| rng.chance(600)).collect();
        Self {
            between_faults_ms: often(rng, &[2, 5, 10, 30]) * 60_000,
            between_acts_ms: often(rng, &[20, 45, 90]) * 1000,
            drop_per_mille: often(rng, &[0, 2, 20]),
            delay_per_mille: often(rng, &[0, 5, 50]),
            duplicate_per_mille: often(rng, &[0, 5, 50]),
            crash_per_million: often(rng, &[0, 200, 2000]),
            kinds,
        }
    }
}

impl World {
    /// The next thing breaks.
    pub(crate) fn break_something(&mut self) {
        if self.calm {
            return;
        }
        let wait = self.rng.around(self.profile.between_faults_ms);
        self.at(wait, Event::Break);
        let machine = usize::from(self.rng.chance(500));
        let agents = self.agents.len() as u64;
        let agent = usize::try_from(self.rng.below(agents)).unwrap_or(0);
        let Some(kind) = self.rng.pick(&self.profile.kinds.clone()).copied() else { return };
        let fault = match kind {
            0 => Fault::Crash,
            1 => Fault::PowerLoss,
            2 => Fault::TakeOver,
            3 => Fault::Partition(self.home),
            4 => Fault::ClockJump(machine),
            5 => Fault::Disk,
            6 => Fault::BitRot,
            7 => Fault::MasterDown,
            8 => Fault::AgentDown(agent),
            9 => Fault::AgentRestart(agent),
            10 => Fault::AgentPartition(agent),
            11 => Fault::AgentSlow(agent),
            12 => Fault::AgentMaintenance(agent),
            _ => Fault::ExecutorKill(agent),
        };
        self.note(|| format!("breaks: {fault:?}"));
        self.break_this(fault);
    }

    fn break_this(&mut self, fault: Fault) {
        let minutes = |rng: &mut Rng, mean: u64| rng.around(mean * 60_000);
        match fault {
            Fault::Crash => {
                self.fault("scheduler killed");
                self.kill_leader("killed");
            }
            Fault::PowerLoss => {
                self.fault("power lost");
                let all: Vec<u64> = self.processes.keys().copied().collect();
                for id in all {
                    self.note_end(id, "power lost");
                }
                self.disk.lose_power();
            }
            Fault::TakeOver => {
                self.fault("leadership lost without death");
                if let Some(old) = self.leader.and_then(|id| self.processes.get_mut(&id)) {
                    old.deposed = true;
                }
                self.home = 1 - self.home;
                self.disk.break_lock(&Path::new(FOLDER).join("lock"));
                let machine = self.home;
                self.at(1, Event::Start { machine });
            }
            Fault::Partition(machine) => {
                let which = self.rng.below(3);
                if which != 0 {
                    self.fault("scheduler cut off, one way or both");
                    self.machines[machine].cut_up = true;
                }
                if which != 1 {
                    self.fault("master cut off from the scheduler");
                    self.cut_down(machine);
                }
                let wait = minutes(&mut self.rng, 3);
                self.at(wait, Event::Mend(fault));
            }
            Fault::ClockJump(machine) => {
                self.fault("clock jumped");
                let size = i64::try_from(minutes(&mut self.rng, 10)).unwrap_or(0);
                let sign = if self.rng.chance(500) { 1 } else { -1 };
                self.machines[machine].skew += sign * size;
            }
            Fault::Disk => {
                let faults = match self.rng.below(4) {
                    0 => DiskFaults { sync_fails: 100, ..DiskFaults::default() },
                    1 => DiskFaults { append_fails: 100, ..DiskFaults::default() },
                    2 => DiskFaults { full: true, ..DiskFaults::default() },
                    _ => {
                        self.fault("disk slow");
                        for machine in &mut self.machines {
                            machine.disk_slowness = 500;
                        }
                        DiskFaults::default()
                    }
                };
                self.disk.set_faults(faults);
                let wait = minutes(&mut self.rng, 2);
                self.at(wait, Event::Mend(fault));
            }
            Fault::BitRot => {
                // While the scheduler is down: what is damaged is read next.
                self.kill_leader("killed, and its log is damaged");
                if self.rot.is_none() {
                    self.rot = self.disk.rot(Path::new(FOLDER));
                    if let Some(rot) = &self.rot {
                        let text = format!("bit rot in {} at {}", rot.path.display(), rot.at);
                        self.note(|| text);
                        self.fault("bit rot");
                    }
                }
            }
            Fault::MasterDown => {
                self.fault("master restarted");
                let off = self.rng.range(1000, 120_000);
                self.restart_master(off);
            }
            Fault::AgentDown(agent) => {
                self.fault("agent rebooted with a new id");
                let off = minutes(&mut self.rng, 3);
                self.reboot(agent, off);
            }
            Fault::AgentRestart(agent) => {
                self.fault("agent restarted");
                self.break_link(agent);
            }
            Fault::AgentPartition(agent) => {
                self.fault("agent cut off");
                self.agents[agent].cut = true;
                self.break_link(agent);
                let wait = minutes(&mut self.rng, 3);
                self.at(wait, Event::Mend(fault));
            }
            Fault::AgentMaintenance(agent) => {
                self.fault("maintenance announced");
                let lead = self.rng.range(0, 30) * 60_000;
                self.agents[agent].leaves_at = Some(self.now + lead);
                self.announce(agent);
                let wait = lead + minutes(&mut self.rng, 15);
                self.at(wait, Event::Mend(fault));
            }
            Fault::AgentSlow(agent) => {
                self.fault("agent slow");
                self.agents[agent].slowness = 20;
                let wait = minutes(&mut self.rng, 10);
                self.at(wait, Event::Mend(fault));
            }
            Fault::ExecutorKill(agent) => {
                self.fault("executor killed");
                self.kill_executor(agent);
            }
        }
    }

    pub(crate) fn break_as_planned(&mut self, what: Breakage) {
        self.note(|| format!("breaks: {what:?}"));
        match what {
            Breakage::Partition { up, down, ms } => {
                let machine = self.home;
                self.fault("scheduler cut off");
                self.machines[machine].cut_up |= up;
                if down {
                    self.cut_down(machine);
                }
                self.at(ms, Event::Mend(Fault::Partition(machine)));
            }
            Breakage::Crash => self.break_this(Fault::Crash),
            Breakage::PowerLoss => self.break_this(Fault::PowerLoss),
            Breakage::TakeOver => self.break_this(Fault::TakeOver),
            Breakage::MasterDown(ms) => self.restart_master(ms),
        }
    }

    fn kill_leader(&mut self, why: &str) {
        if let Some(leader) = self.leader {
            self.note_end(leader, why);
        }
    }

    /// Ends a scheduler; what that shows of its state is told with the next event.
    fn note_end(&mut self, id: u64, why: &str) {
        if let Err(violation) = self.kill_process(id, why) {
            self.found(violation);
        }
    }

    /// Something is mended.
    pub(crate) fn mend(&mut self, fault: Fault) {
        self.note(|| format!("mended: {fault:?}"));
        match fault {
            Fault::Partition(machine) => {
                self.machines[machine].cut_up = false;
                if self.machines[machine].cut_down {
                    self.join_down(machine);
                }
            }
            Fault::Disk => {
                self.disk.set_faults(DiskFaults::default());
                for machine in &mut self.machines {
                    machine.disk_slowness = 0;
                }
            }
            Fault::MasterDown => self.master.up = true,
            Fault::AgentDown(agent) => {
                if !self.agents[agent].up {
                    self.agents[agent].up = true;
                    self.at(1, Event::Join { agent });
                }
            }
            Fault::AgentPartition(agent) => self.agents[agent].cut = false,
            Fault::AgentMaintenance(agent) => {
                let was_announced = self.agents[agent].leaves_at.take().is_some();
                if was_announced && !self.calm && self.rng.chance(500) {
                    self.break_this(Fault::AgentDown(agent));
                }
            }
            Fault::AgentSlow(agent) => self.agents[agent].slowness = 0,
            Fault::Crash
            | Fault::PowerLoss
            | Fault::TakeOver
            | Fault::ClockJump(_)
            | Fault::BitRot
            | Fault::AgentRestart(_)
            | Fault::ExecutorKill(_) => {}
        }
    }

    /// From here on nothing breaks, and what is broken is mended.
    pub(crate) fn be_quiet(&mut self) {
        self.note(|| "nothing breaks any more".to_owned());
        self.calm = true;
        for machine in 0..self.machines.len() {
            self.mend(Fault::Partition(machine));
            let Machine { skew, .. } = &mut self.machines[machine];
            // A clock that goes back to what it should be would make the end of the quiet time later.
            *skew = (*skew).max(0);
        }
        self.mend(Fault::Disk);
        self.mend(Fault::MasterDown);
        let hosts = self.agents.iter().map(|agent| agent.host.clone()).collect();
        let end = MaintenanceRequest::End { hosts };
        self.ask(("maintenance end", Request::Maintenance(end), None));
        for agent in 0..self.agents.len() {
            self.mend(Fault::AgentDown(agent));
            self.mend(Fault::AgentPartition(agent));
            self.mend(Fault::AgentMaintenance(agent));
            self.mend(Fault::AgentSlow(agent));
        }
    }
}
