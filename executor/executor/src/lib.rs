//! The executor: runs one task on behalf of a Mesos agent.
//!
//! An agent starts one executor for each task. [`run`] subscribes at the agent, takes the task,
//! binds what only is known here (ports, instance, host), lets [`aurora_thermos`] run its
//! processes, checks how it is, and reports what becomes of it. It ends after the agent has the last word about its
//! task.
//!
//! It never decides whether a task is to run again: that is the scheduler's business.

#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "a shell crate: it starts processes and talks to its agent"
)]

mod announce;
mod autopsy;
mod bind;
mod checks;
mod closing;
mod flags;
mod http;
mod image;
mod lifecycle;
mod limits;
mod memory;
mod prepare;
mod run;
mod sandbox;
mod task;

pub use announce::{AnnounceFlags, AnnounceFlagsError};
pub use bind::BindError;
pub use flags::Flags;
pub use run::{Error, run};
pub use sandbox::SandboxError;
