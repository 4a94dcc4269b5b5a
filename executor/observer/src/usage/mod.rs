//! What processes and tasks use, now and over the last hour (`executor.md` 18).
//!
//! [`tree`] looks at a process with all its descendants, [`aurora_thermos::disk`] at a sandbox; [`Sampler`] does so
//! from time to time and remembers what it saw, [`ring::Ring`] how it went.

pub(crate) mod ring;
mod sampler;
mod tree;

pub(crate) use sampler::{Point, Sampler, Settings};

use serde::Serialize;
use serde_json::{Map, Value, json};

/// The sum over a tree of processes, or over all of a task's (`observer.md` 6).
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Usage {
    /// Processors kept busy since the sample before; 0 in the first.
    pub(crate) cpu: f64,
    /// Memory in bytes.
    pub(crate) ram: u64,
    /// The same, under its other name.
    pub(crate) rss: u64,
    /// Addresses in bytes.
    pub(crate) vms: u64,
    /// Seconds of computing in user mode, those of children that have ended included.
    pub(crate) user: f64,
    /// Seconds of computing in the kernel, those of children that have ended included.
    pub(crate) system: f64,
    /// The priority of one of the processes.
    pub(crate) nice: i64,
    /// What one of the processes does, in the words of the original.
    pub(crate) status: &'static str,
    /// Threads.
    pub(crate) threads: i64,
    /// Open files.
    pub(crate) open_files: u64,
    /// Processes.
    pub(crate) processes: u32,
}

impl Usage {
    /// Of nothing. The original's word for its status is Python's.
    pub(crate) const NONE: Self = Self {
        cpu: 0.0,
        ram: 0,
        rss: 0,
        vms: 0,
        user: 0.0,
        system: 0.0,
        nice: 0,
        status: "None",
        threads: 0,
        open_files: 0,
        processes: 0,
    };

    fn merge(&mut self, other: &Self) {
        self.cpu += other.cpu;
        self.ram += other.ram;
        self.rss += other.rss;
        self.vms += other.vms;
        self.user += other.user;
        self.system += other.system;
        self.threads += other.threads;
        self.open_files += other.open_files;
        self.processes += other.processes;
        if other.processes > 0 {
            (self.nice, self.status) = (other.nice, other.status);
        }
    }
}

/// What a task uses.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct TaskUsage {
    /// Its processes.
    pub(crate) processes: Usage,
    /// What its sandbox took when that was counted last, in bytes; 0 before.
    pub(crate) disk: u64,
}

impl TaskUsage {
    pub(crate) const NONE: Self = Self { processes: Usage::NONE, disk: 0 };

    /// All figures side by side.
    pub(crate) fn json(&self) -> Map<String, Value> {
        let mut figures = match json!(self.processes) {
            Value::Object(figures) => figures,
            _ => Map::new(),
        };
        figures.insert("disk".to_owned(), json!(self.disk));
        figures
    }
}
