//! Writing a checkpoint.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::record::{Event, Header, Record};
use super::{ReadError, Tail, frame, is_task_id, path, read_from, tasks_dir};
use crate::history::History;
use crate::process::tree::is_alive;

/// Why a checkpoint cannot be written.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// The id cannot name a directory.
    #[error("invalid task id {0:?}")]
    TaskId(String),
    /// It has one already.
    #[error("task {0:?} has a checkpoint already")]
    Exists(String),
    /// Another process runs this task.
    #[error("task {0:?} is being run by another process")]
    Taken(String),
    /// The process that ran it has died, but not yet let go of it: a forked copy of it that has not
    /// become a shell ends a moment later. Worth another try.
    #[error("task {0:?} is still held by what is left of another process")]
    Held(String),
    /// Another task had the same id.
    #[error("task {0:?} differs from its copy on disk")]
    Differs(String),
    /// What was written before cannot be read.
    #[error("the checkpoint {path:?} is damaged: {source}")]
    Damaged {
        /// Which file.
        path: PathBuf,
        /// Where, and how.
        source: ReadError,
    },
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

/// A checkpoint that was opened for writing.
#[derive(Debug)]
pub enum Opened {
    /// It was created, with the header in it.
    New(Writer),
    /// It was there, with this in it. It may tell of the end of the task.
    Existing(Writer, Box<History>),
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
            io::ErrorKind::AlreadyExists => WriteError::Exists(task_id.to_owned()),
            _ => WriteError::Io { action: "create", path: path.clone(), source },
        })?;
        let mut writer = Self::lock(file, path, task_id)?;
        writer.begin(header)?;
        Ok(writer)
    }

    /// Creates the checkpoint of a task below `root`, or goes on with the one that another process
    /// has left, which must be of the same task. The beginning of a record at its end is removed.
    ///
    /// # Errors
    /// The task is being run by another process, another task had its id, or the file is damaged
    /// or cannot be written; it is as it was then.
    pub fn open(root: &Path, time_ms: i64, header: &Header) -> Result<Opened, WriteError> {
        let first = first(time_ms, header);
        match Self::create(root, &header.task_id, &first) {
            Ok(writer) => Ok(Opened::New(writer)),
            Err(WriteError::Exists(_)) => Self::go_on(root, time_ms, header),
            Err(error) => Err(error),
        }
    }

    /// The same with a checkpoint that must be there.
    ///
    /// # Errors
    /// Those of [`Writer::open`], and that there is none.
    pub fn go_on(root: &Path, time_ms: i64, header: &Header) -> Result<Opened, WriteError> {
        let task_id = &header.task_id;
        let path = path(root, task_id);
        let file = OpenOptions::new().read(true).append(true).open(&path);
        let file = file.map_err(|source| io_error("open", &path, source))?;
        // Before the lock is asked for: that a task differs is known while another one runs, too.
        let (history, _) = read(&file, &path)?;
        if history.header().is_some_and(|known| !is_same_task(known, header)) {
            return Err(WriteError::Differs(task_id.clone()));
        }
        let owner = history.header().filter(|known| known.boot_id == header.boot_id);
        let mut writer = Self::lock(file, path, task_id).map_err(|error| match error {
            WriteError::Taken(id) if !owner.is_some_and(|owner| is_alive(owner.runner)) => {
                WriteError::Held(id)
            }
            other => other,
        })?;
        // It may have been written to before the lock was had.
        let (history, tail) = read(&writer.file, &writer.path)?;
        if history.header().is_none() {
            // Its writer died before it had written down anything.
            writer.cut(0)?;
            writer.begin(&first(time_ms, header))?;
            return Ok(Opened::New(writer));
        }
        if tail.torn {
            writer.cut(tail.offset)?;
        }
        Ok(Opened::Existing(writer, Box::new(history)))
    }

    fn lock(file: File, path: PathBuf, task_id: &str) -> Result<Self, WriteError> {
        match super::lock(&file) {
            Ok(true) => Ok(Self { file: Arc::new(file), path, buffer: Vec::new() }),
            Ok(false) => Err(WriteError::Taken(task_id.to_owned())),
            Err(error) => Err(io_error("lock", &path, error)),
        }
    }

    fn begin(&mut self, header: &Record) -> Result<(), WriteError> {
        self.buffer.extend_from_slice(&frame::MAGIC);
        self.append(header)
    }

    fn cut(&self, length: u64) -> Result<(), WriteError> {
        self.file.set_len(length).map_err(|source| self.error("cut", source))
    }

    /// What tells this checkpoint from every other one on the machine as long as it exists.
    ///
    /// # Errors
    /// The file cannot be looked at.
    pub fn mark(&self) -> Result<String, WriteError> {
        let found = self.file.metadata().map_err(|source| self.error("look at", source))?;
        Ok(super::mark_of(&found))
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
        io_error(action, &self.path, source)
    }
}

/// The record that a checkpoint begins with.
fn first(time_ms: i64, header: &Header) -> Record {
    Record { time_ms, event: Event::Header(Box::new(header.clone())) }
}

fn io_error(action: &'static str, path: &Path, source: io::Error) -> WriteError {
    WriteError::Io { action, path: path.to_owned(), source }
}

fn read(file: &File, path: &Path) -> Result<(History, Tail), WriteError> {
    let mut history = History::default();
    let tail = read_from(file, 0, |record| history.apply(record));
    let tail = tail.map_err(|source| WriteError::Damaged { path: path.to_owned(), source })?;
    Ok((history, tail))
}

/// Whether one process may go on with what another has begun.
fn is_same_task(known: &Header, header: &Header) -> bool {
    known.task_json == header.task_json
        && known.sandbox == header.sandbox
        && known.uid == header.uid
}
