//! Writing a checkpoint.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::fs::{FlockOperation, flock};

use super::record::Record;
use super::{frame, is_task_id, path, tasks_dir};

/// Why a checkpoint cannot be written.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// The id cannot name a directory.
    #[error("invalid task id {0:?}")]
    TaskId(String),
    /// Another runner has this task, or had it.
    #[error("task {0:?} has been run on this machine before, or is still running")]
    Taken(String),
    /// The operating system refused.
    #[error("failed to {action} {path:?}: {source}")]
    Io {
        /// What was being done.
        action: &'static str,
        /// To which file.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// A record does not fit into a frame.
    #[error("a checkpoint record of {0} bytes is too long")]
    TooLong(usize),
}

/// The one writer of a task's checkpoint. It holds the file's lock as long as it lives.
#[derive(Debug)]
pub struct Writer {
    // Shared with the threads that flush it.
    file: Arc<File>,
    path: PathBuf,
    buffer: Vec<u8>,
}

impl Writer {
    /// Creates the checkpoint of a task below `root`, with its first record.
    ///
    /// # Errors
    /// There is one already, or the file cannot be created.
    pub fn create(root: &Path, task_id: &str, header: &Record) -> Result<Self, WriteError> {
        if !is_task_id(task_id) {
            return Err(WriteError::TaskId(task_id.to_owned()));
        }
        let path = path(root, task_id);
        let dir = tasks_dir(root).join(task_id);
        DirBuilder::new()
            .recursive(true)
            .mode(0o755)
            .create(&dir)
            .map_err(|source| WriteError::Io { action: "create", path: dir, source })?;
        let file = OpenOptions::new().append(true).create_new(true).mode(0o644).open(&path);
        let file = file.map_err(|source| match source.kind() {
            io::ErrorKind::AlreadyExists => WriteError::Taken(task_id.to_owned()),
            _ => WriteError::Io { action: "create", path: path.clone(), source },
        })?;
        flock(&file, FlockOperation::NonBlockingLockExclusive).map_err(|errno| WriteError::Io {
            action: "lock",
            path: path.clone(),
            source: errno.into(),
        })?;
        let mut writer = Self { file: Arc::new(file), path, buffer: frame::MAGIC.to_vec() };
        writer.append(header)?;
        Ok(writer)
    }

    /// Appends one record. It is in the file when this returns, though not yet on the disk.
    ///
    /// # Errors
    /// The disk is full, for instance.
    pub fn append(&mut self, record: &Record) -> Result<(), WriteError> {
        frame::encode(&record.encode(), &mut self.buffer).map_err(WriteError::TooLong)?;
        // One write, so that a reader sees either the whole record or the beginning of it.
        let written = (&*self.file).write_all(&self.buffer);
        self.buffer.clear();
        written.map_err(|source| self.error("append to", source))
    }

    /// Brings what was appended to the disk. A crash of this process loses nothing without it; one
    /// of the machine does, and ends all that the checkpoint tells of. So it is worth its time at
    /// the end of a task only.
    ///
    /// # Errors
    /// The disk is broken, for instance.
    pub async fn sync(&self) -> Result<(), WriteError> {
        let file = Arc::clone(&self.file);
        let synced = tokio::task::spawn_blocking(move || file.sync_data()).await;
        synced.unwrap_or_else(|join| Err(io::Error::other(join))).map_err(|e| self.error("sync", e))
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    fn error(&self, action: &'static str, source: io::Error) -> WriteError {
        WriteError::Io { action, path: self.path.clone(), source }
    }
}
