//! The shell around the scheduler's core: the log, the Mesos session, the API, the pages.
//!
//! [`start`] opens the log, restores the core and connects it to the world. Three things run: the
//! *actor* owns the core and handles one input after the other; the *writer*, a thread, makes the
//! steps durable, as many at a time as have come up; what was made durable goes to the
//! *dispatcher*, which answers clients and calls Mesos. A snapshot or a backup is written by a thread of
//! its own. Nothing leaves before its step is on disk, nor
//! an answer to a question before the steps are that it rests on, and the core never waits for the disk.
//!
//! What is decided is decided in [`aurora_scheduler_core`]; nothing here looks into a task's state
//! to act on it.

#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "a shell crate: it owns sockets, files, threads and the clock"
)]

mod actor;
mod admin;
mod backup_flags;
mod backups;
mod calls;
mod coordinator;
mod counters;
mod cron;
mod dispatch;
mod event_log;
mod events;
mod flags;
mod grpc;
mod history;
mod json;
mod maintenance;
mod marks;
mod mesos;
mod pages;
mod placement_flags;
mod plan;
mod queries;
mod quotas;
mod sla;
mod start;
mod stats;
mod task_pages;
mod update_flags;
mod updates;
mod upkeep_flags;
mod web;
mod webhook;

pub use backup_flags::BackupFlags;
pub use flags::{Categories, Config, Flags, FlagsError, UnsetQuota};
pub use placement_flags::PlacementFlags;
pub use start::{Error, Handle, start, start_with_log};
pub use update_flags::UpdateFlags;
pub use upkeep_flags::UpkeepFlags;
pub use webhook::Webhook;
