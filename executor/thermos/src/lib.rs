//! A task as processes: planner, runner, checkpoints and process supervision.
//!
//! A *task* is a set of named processes, shell command lines with an order between them, that runs
//! in one sandbox. This crate runs one task from its first process to the end of its last, and
//! leaves nothing of it behind on the machine.
//!
//! The decisions are pure and take time as an input: [`state`] holds the two state tables, [`planner`]
//! says which process may run, [`machine`] what to do about an event. The shell around them is
//! thin: [`runner`] owns the clock and the [`process`]es, [`checkpoint`] the file to which every
//! change is appended before it is acted upon, [`takeover`] what another process has left. Others look at tasks through [`view`] and at what
//! the processes print through [`logs`]; neither ever writes or sends a signal.
//!
//! It never talks to a network and knows nothing of Mesos.

#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "a shell crate: it starts processes, reads clocks and writes files"
)]

pub mod checkpoint;
pub mod disk;
pub mod history;
pub mod logs;
pub mod machine;
pub mod names;
pub mod planner;
pub mod process;
pub mod runner;
pub mod spec;
pub mod state;
pub mod takeover;
pub mod view;
