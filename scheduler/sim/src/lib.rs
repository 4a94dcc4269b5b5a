//! A whole cluster in virtual time and one thread.
//!
//! What is real: the scheduler's core, the log and what it does with a disk, the words between scheduler
//! and master, and what the embedded master decides. What is simulated: the disk, connections, clocks,
//! agents with their executors, and clients. One seed decides everything that happens, so that a run
//! that fails can be run again.
//!
//! `world` has the queue of what is to happen; `process`, `master`, `agent` and `client` are who it
//! happens to; `faults` breaks things; `check` looks on and says which invariant does not hold.
//! `docs/simulation.md` says more.

#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "a shell crate: it prints, and measures how fast it is"
)]

mod agent;
mod check;
mod client;
mod cover;
mod disk;
mod faults;
mod jobs;
mod master;
mod process;
mod report;
mod rng;
mod world;

pub use cover::{Coverage, Place};
pub use faults::Breakage;
pub use report::{Options, run};
pub use world::{Outcome, Violation};

/// Runs the cluster of one seed for a time; `tracing` keeps the last events.
pub fn simulate(seed: u64, duration_ms: u64, tracing: bool) -> Outcome {
    let tracing = if tracing { world::Tracing::Keep } else { world::Tracing::Off };
    world::World::run(seed, duration_ms, tracing, None)
}

/// Runs the cluster of one seed for a time, in which nothing breaks but what is planned: at which time,
/// in milliseconds, and what.
pub fn simulate_planned(seed: u64, duration_ms: u64, plan: &[(u64, Breakage)]) -> Outcome {
    world::World::run(seed, duration_ms, world::Tracing::Keep, Some(plan))
}
