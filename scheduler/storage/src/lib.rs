//! The scheduler's durable log.
//!
//! [`Store::open`] replays what is on disk into a [`State`] and gives the [`Store`], to which the
//! steps of the scheduler are appended: [`Store::append`] returns when a group of them is on disk,
//! all with one `fdatasync`. A snapshot, the state written down, lets the log before it go:
//! [`Log::begin_snapshot`] lets steps from there on go into a new segment, so that the state can be
//! written while they are appended, and [`Log::end_snapshot`] removes what is superfluous then. Until
//! then all that it would replace is there, so a crash between loses nothing.
//!
//! On disk are segments, `log-<n>`, `n` being the number of their first record, and snapshots,
//! `snapshot-<n>`, `n` being the number of the first record after them. A record holds the steps
//! that were appended together; see [`frame`] for how records lie in a file. One process at a time may have a
//! store open: `lock` is held by `flock`, which ends with the process.
//!
//! What a crash can leave behind, an unfinished end, is dropped. Anything else that cannot
//! be read is damage: opening refuses and says where, because a scheduler that forgot an
//! acknowledged job, or a task that runs, does harm.
//!
//! [`Log::replace`] puts another state in the place of all that: a snapshot that holds none of the records
//! before it. [`Backups`] keeps such states beside the log, each a file that a snapshot could be.
//!
//! A store that has lost its folder, because its lock was removed or another scheduler took it over,
//! appends nothing more. Whatever writes goes through [`disk::Disk`], so that all of this is tried on
//! a disk that fails.

#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "a shell crate: it writes files"
)]

mod backups;
mod commit;
mod convert;
mod convert_admin;
mod convert_cron;
mod convert_jobs;
mod convert_maintenance;
mod convert_request;
mod convert_updates;
pub mod disk;
pub mod frame;
mod store;

pub use backups::{BackupError, BackupName, Backups, BadName};
pub use commit::{Work, commit};
pub use store::{FileError, Log, OpenError, Snapshot, Store, StoreError};

#[allow(clippy::all, unreachable_pub, reason = "generated")]
mod proto {
    include!(concat!(env!("OUT_DIR"), "/aurora.log.v1.rs"));
}
