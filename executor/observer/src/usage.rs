//! What a process and all its descendants use at this moment.

use aurora_thermos::process::tree;
use aurora_thermos::view::{Run, Task};
use serde::Serialize;

/// The sum over a tree of processes (`observer.md` 6).
#[derive(Debug, Default, Clone, Serialize)]
pub(crate) struct Usage {
    /// Memory in bytes.
    pub(crate) ram: u64,
    /// The same, under its other name.
    pub(crate) rss: u64,
    /// Addresses in bytes.
    pub(crate) vms: u64,
    /// Seconds of computing in user mode.
    pub(crate) user: f64,
    /// Seconds of computing in the kernel.
    pub(crate) system: f64,
    /// Threads.
    pub(crate) threads: i64,
    /// Processes.
    pub(crate) processes: u32,
}

impl Usage {
    fn add(&mut self, pid: i32) {
        // A process may end while it is looked at; then it uses nothing.
        let Ok(stat) = procfs::process::Process::new(pid).and_then(|process| process.stat()) else {
            return;
        };
        #[expect(clippy::cast_precision_loss, reason = "exact for ages")]
        let seconds = |ticks: u64| ticks as f64 / rustix::param::clock_ticks_per_second() as f64;
        let rss = stat.rss * rustix::param::page_size() as u64;
        self.ram += rss;
        self.rss += rss;
        self.vms += stat.vsize;
        self.user += seconds(stat.utime);
        self.system += seconds(stat.stime);
        self.threads += stat.num_threads;
        self.processes += 1;
    }

    fn merge(&mut self, other: &Self) {
        self.ram += other.ram;
        self.rss += other.rss;
        self.vms += other.vms;
        self.user += other.user;
        self.system += other.system;
        self.threads += other.threads;
        self.processes += other.processes;
    }
}

/// What a run uses; none unless it lives.
pub(crate) fn of_run(run: &Run) -> Option<Usage> {
    let process = run.process.filter(|_| run.state.is_live())?;
    if !tree::is_alive(process) {
        return None;
    }
    let mut usage = Usage::default();
    usage.add(process.pid);
    for descendant in tree::descendants(process.pid).unwrap_or_default().found {
        usage.add(descendant.identity.pid);
    }
    Some(usage)
}

/// What all processes of a task use.
pub(crate) fn of_task(task: &Task) -> Usage {
    let mut usage = Usage::default();
    for runs in task.history().processes().values() {
        if let Some(used) = runs.last().and_then(of_run) {
            usage.merge(&used);
        }
    }
    usage
}
