//! Pages and JSON of the tasks, processes and sandboxes on one machine (`observer.md`).
//!
//! The observer reads the checkpoints that executors write ([`aurora_thermos::view`]) and the files
//! of their sandboxes. It writes nothing and talks to nobody else, so it can be stopped and started
//! at any time. What lies in a sandbox is the job's: no path in a request, and no link in a sandbox,
//! leads out of it.

#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "a shell crate: it reads files and serves sockets"
)]

mod assets;
mod files;
mod flags;
mod follow;
mod json;
mod pages;
mod place;
mod search;
mod start;
mod tasks;
mod usage;

pub use flags::{Config, Flags};
pub use start::{Error, Handle, start};
pub use usage::ring::TooMany;
