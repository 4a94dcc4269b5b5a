//! The checkpoint of a task: an append-only file to which its runner writes everything that
//! happens, and from which everyone else learns it.
//!
//! ```text
//! <root>/tasks/<task id>/checkpoint
//! ```
//!
//! [`record`] says what is written, [`frame`] how records lie in the file, [`Writer`] and
//! [`read_from`] do it. A task has one writer at a time, who holds the file's lock as long as it
//! lives; when it has died another may go on. After the record of a terminal state nothing follows.

use std::fs::{File, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Component, Path, PathBuf};

use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;

pub mod frame;
pub mod record;

mod clean;
mod read;
mod write;

pub use clean::clean;
pub use read::{ReadError, Tail, open, read_from};
pub use write::{Opened, WriteError, Writer};

/// The default checkpoint root.
pub const DEFAULT_ROOT: &str = "/var/run/thermos";

/// The longest task id, in bytes: it becomes the name of a directory.
pub const MAX_TASK_ID: usize = 255;

/// Whether `task_id` can name a directory: not empty, at most [`MAX_TASK_ID`] bytes, no `/` or
/// NUL, and neither `.` nor `..`.
pub fn is_task_id(task_id: &str) -> bool {
    let mut components = Path::new(task_id).components();
    task_id.len() <= MAX_TASK_ID
        && !task_id.contains(['/', '\0'])
        && matches!(components.next(), Some(Component::Normal(_)))
        && components.next().is_none()
}

/// The directory that holds one directory for each task.
pub fn tasks_dir(root: &Path) -> PathBuf {
    root.join("tasks")
}

/// The checkpoint of one task. The id must satisfy [`is_task_id`].
pub fn path(root: &Path, task_id: &str) -> PathBuf {
    tasks_dir(root).join(task_id).join("checkpoint")
}

/// What tells a checkpoint from every other one on the machine as long as it exists.
///
/// # Errors
/// The file cannot be looked at.
pub fn mark(path: &Path) -> io::Result<String> {
    Ok(mark_of(&std::fs::symlink_metadata(path)?))
}

fn mark_of(found: &Metadata) -> String {
    format!("{:x}.{:x}", found.dev(), found.ino())
}

/// Takes the lock that whoever writes a checkpoint holds, until the file is closed. Gives whether nobody
/// else has it.
///
/// # Errors
/// The kernel refuses.
pub fn lock(file: &File) -> io::Result<bool> {
    match flock(file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(true),
        Err(Errno::WOULDBLOCK) => Ok(false),
        Err(errno) => Err(errno.into()),
    }
}
