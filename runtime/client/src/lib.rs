//! What the commands do against a cluster: where its scheduler is, calls that are made again while it
//! cannot be reached, waiting, and the keys that people write.
//!
//! A [`Scheduler`] is found by its cluster's name through a [`Connection`]. Whatever fails is an [`Error`],
//! whose [`Code`] is what scripts can tell apart.
//!
//! What a task has printed ([`logs`]), its files ([`sandbox`], [`copy`]) and commands in it ([`exec`]) are asked of its
//! agent, whose address the scheduler tells.
//!
//! Nothing here prints, reads a configuration file of jobs, or decides what a command does.

#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "a shell crate: it talks to schedulers, agents, files and the clock"
)]

mod address;
pub mod clusters;
pub mod compare;
pub mod copy;
pub mod deploy;
pub mod discovery;
pub mod drain;
pub mod duration;
mod error;
pub mod exec;
mod file;
pub mod hooks;
pub mod hosts;
pub mod images;
pub mod keys;
pub mod logs;
pub mod near;
pub mod plan;
pub mod registry;
pub mod restart;
pub mod sandbox;
pub mod scheduler;
pub mod sla;
mod transport;
pub mod updates;
pub mod wait;
pub mod watch;
pub mod why;
mod zookeeper;

pub use address::Address;
pub use discovery::{Cluster, Connection};
pub use error::{Code, Error};
pub use scheduler::{Change, Scheduler};
