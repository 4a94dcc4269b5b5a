//! Looking at tasks without touching them: for the observer, for `aurora up`, for people.
//!
//! [`Tasks`] reads the checkpoints below a root. It keeps what it has read, so that asking again
//! costs one `stat` for a task where nothing happened and reads only what is new for the others.
//! Its calls are short reads of small files and block.

use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use crate::checkpoint::{self, ReadError, is_task_id, read_from, tasks_dir};
use crate::process::tree::{boot_id, is_alive};
use crate::spec::TaskSpec;

pub use crate::checkpoint::record::{Header, JobInstance, ProcessIdentity};
pub use crate::history::{History, Run, TaskStatus};
pub use crate::state::{ProcessState, TaskState};

/// Why tasks cannot be looked at.
#[derive(Debug, thiserror::Error)]
#[error("failed to {action} {path:?}: {source}")]
pub struct ViewError {
    action: &'static str,
    path: PathBuf,
    source: io::Error,
}

/// The tasks whose checkpoints lie below one root.
#[derive(Debug)]
pub struct Tasks {
    root: PathBuf,
    cache: Mutex<BTreeMap<String, Entry>>,
}

/// What was read of one checkpoint. The file is opened anew each time, so that thousands of tasks
/// do not hold thousands of descriptors.
#[derive(Debug)]
struct Entry {
    inode: u64,
    length: u64,
    offset: u64,
    task: Arc<Task>,
}

/// One task as its checkpoint tells it, at the time it was asked for.
#[derive(Debug, Clone)]
pub struct Task {
    id: String,
    history: History,
    damage: Option<String>,
    /// Whom the file that was read belongs to; none if it could not be opened.
    writer: Option<u32>,
}

/// Whether anybody goes on with a task, as far as can be known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Life {
    /// Its runner lives, or is about to write its header.
    Live,
    /// It has not ended, but its runner is gone.
    Abandoned,
    /// It has ended, or nothing is left of it that can be read.
    Over,
}

/// What a process prints to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Stream {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
}

impl Stream {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Stdout, Self::Stderr];

    /// The name of its file: `stdout` or `stderr`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Stdout => "stdout",
            Self::Stderr => "stderr",
        }
    }
}

/// The file that run `run` of process `process` prints to: `<log_dir>/<process>/<run>/stdout`. It
/// exists unless the process's logger sends its output elsewhere.
pub fn log_path(log_dir: &Path, process: &str, run: u32, stream: Stream) -> PathBuf {
    log_dir.join(process).join(run.to_string()).join(stream.name())
}

impl Tasks {
    /// Looks at the tasks below a checkpoint root, which need not exist yet.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into(), cache: Mutex::new(BTreeMap::new()) }
    }

    /// The checkpoint root.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The ids of all tasks that have a directory, in alphabetical order. Empty if the root does
    /// not exist.
    ///
    /// # Errors
    /// The directory cannot be read.
    pub fn ids(&self) -> Result<Vec<String>, ViewError> {
        let path = tasks_dir(&self.root);
        let failed = |source| ViewError { action: "list", path: path.clone(), source };
        let entries = match std::fs::read_dir(&path) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(failed(error)),
        };
        let mut ids = Vec::new();
        for entry in entries {
            let entry = entry.map_err(failed)?;
            if let Ok(id) = entry.file_name().into_string()
                && is_task_id(&id)
            {
                ids.push(id);
            }
        }
        ids.sort_unstable();
        Ok(ids)
    }

    /// Every task that has a checkpoint, by id. One that is damaged or cannot be opened is there as
    /// far as it can be read; see [`Task::damage`].
    ///
    /// # Errors
    /// The root cannot be listed.
    pub fn all(&self) -> Result<Vec<Arc<Task>>, ViewError> {
        let ids = self.ids()?;
        self.cache().retain(|id, _| ids.binary_search(id).is_ok());
        let mut tasks = Vec::with_capacity(ids.len());
        for id in ids {
            match self.get(&id) {
                Ok(task) => tasks.extend(task),
                // Nothing to be remembered: it may well be readable next time.
                Err(error) => tasks.push(Arc::new(Task {
                    id,
                    history: History::default(),
                    damage: Some(error.to_string()),
                    writer: None,
                })),
            }
        }
        Ok(tasks)
    }

    /// One task; `None` if it has no checkpoint.
    ///
    /// # Errors
    /// The checkpoint cannot be opened.
    pub fn get(&self, id: &str) -> Result<Option<Arc<Task>>, ViewError> {
        if !is_task_id(id) {
            return Ok(None);
        }
        use io::ErrorKind::{NotADirectory, NotFound};
        let path = checkpoint::path(&self.root, id);
        let failed = |source| ViewError { action: "read", path: path.clone(), source };
        if let Some(task) = self.unchanged(id, &path) {
            return Ok(Some(task));
        }
        let file = match checkpoint::open(&path) {
            Ok(file) => file,
            // A file among the directories of tasks is no task.
            Err(error) if matches!(error.kind(), NotFound | NotADirectory) => {
                self.cache().remove(id);
                return Ok(None);
            }
            Err(error) => return Err(failed(error)),
        };
        let metadata = file.metadata().map_err(failed)?;
        let (inode, length, writer) = {
            use std::os::unix::fs::MetadataExt as _;
            (metadata.ino(), metadata.len(), Some(metadata.uid()))
        };
        let mut cache = self.cache();
        let entry = cache.entry(id.to_owned()).or_insert_with(|| Entry::new(id, inode));
        if entry.inode != inode || length < entry.length {
            *entry = Entry::new(id, inode);
        }
        entry.advance(&file, length).map_err(failed)?;
        if entry.task.writer != writer {
            Arc::make_mut(&mut entry.task).writer = writer;
        }
        Ok(Some(Arc::clone(&entry.task)))
    }

    /// The task as it was read before, if nothing was written since.
    fn unchanged(&self, id: &str, path: &Path) -> Option<Arc<Task>> {
        use std::os::unix::fs::MetadataExt as _;
        let found = std::fs::metadata(path).ok()?;
        let cache = self.cache();
        let entry = cache.get(id)?;
        (entry.inode == found.ino() && entry.length == found.len()).then(|| Arc::clone(&entry.task))
    }

    fn cache(&self) -> std::sync::MutexGuard<'_, BTreeMap<String, Entry>> {
        // Every entry is whole at any time: a panic elsewhere does not spoil it.
        self.cache.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Entry {
    fn new(id: &str, inode: u64) -> Self {
        let (history, damage, writer) = (History::default(), None, None);
        let task = Task { id: id.to_owned(), history, damage, writer };
        Self { inode, length: 0, offset: 0, task: Arc::new(task) }
    }

    /// Reads what was appended. Behind damage nothing is believed.
    fn advance(&mut self, file: &File, length: u64) -> Result<(), io::Error> {
        if length == self.length || self.task.damage.is_some() {
            return Ok(());
        }
        let task = Arc::make_mut(&mut self.task);
        match read_from(file, self.offset, |record| task.history.apply(record)) {
            Ok(tail) => {
                self.offset = tail.offset;
                // A torn end is looked at again: it may be whole next time.
                self.length = if tail.torn { tail.offset } else { length.max(tail.offset) };
            }
            Err(ReadError::Io { source, .. }) => {
                // What was taken in is not known: begin again.
                *self = Self::new(&self.task.id, self.inode);
                return Err(source);
            }
            Err(error) => task.damage = Some(error.to_string()),
        }
        Ok(())
    }
}

impl Task {
    /// Its id.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// All that its checkpoint tells.
    pub fn history(&self) -> &History {
        &self.history
    }

    /// What is known from the start: sandbox, ports, user, job, configuration. `None` while its
    /// runner is about to write it.
    pub fn header(&self) -> Option<&Header> {
        self.history.header()
    }

    /// Its last state; `None` while its runner is about to write the first.
    pub fn state(&self) -> Option<TaskState> {
        self.history.state()
    }

    /// Whether its checkpoint lacks a terminal state. See [`Task::is_abandoned`] too.
    pub fn is_active(&self) -> bool {
        !self.state().is_some_and(TaskState::is_terminal)
    }

    /// Whether anybody goes on with it. Looks at `/proc`, so that it may be another a moment later: who
    /// needs it more than once asks once.
    pub fn life(&self) -> Life {
        if !self.is_active() {
            return Life::Over;
        }
        match self.header() {
            Some(header)
                if boot_id().is_ok_and(|boot| boot != header.boot_id)
                    || !is_alive(header.runner) =>
            {
                Life::Abandoned
            }
            // Behind damage nothing is believed, and nobody is known who could go on.
            None if self.damage.is_some() => Life::Over,
            _ => Life::Live,
        }
    }

    /// Whether it is [active](Task::is_active) on paper, but its runner is gone: it crashed, or the
    /// machine was started anew. Looks at `/proc`.
    pub fn is_abandoned(&self) -> bool {
        self.life() == Life::Abandoned
    }

    /// Whether it still goes on, as far as can be known: it has not ended, is not
    /// [abandoned](Task::is_abandoned), and there is a header that says by whom it is run. Looks at
    /// `/proc`.
    pub fn is_live(&self) -> bool {
        self.life() == Life::Live
    }

    /// When it was taken on: wall clock, milliseconds since the Unix epoch.
    pub fn started_ms(&self) -> Option<i64> {
        self.history.started_ms()
    }

    /// When it ended, if it did.
    pub fn ended_ms(&self) -> Option<i64> {
        self.history.ended_ms()
    }

    /// The runs of a process, oldest first; empty if it was never started.
    pub fn runs(&self, process: &str) -> &[Run] {
        self.history.processes().get(process).map_or(&[], Vec::as_slice)
    }

    /// The names of its processes: those of its configuration in that order, then any other that
    /// was run.
    pub fn process_names(&self) -> Vec<String> {
        let json = self.header().map_or("", |header| header.task_json.as_str());
        let mut names = TaskSpec::process_names(json);
        for name in self.history.processes().keys() {
            if !names.contains(name) {
                names.push(name.clone());
            }
        }
        names
    }

    /// The same in two parts: a directory that nobody but an operator can have put elsewhere, and
    /// the path below it, which is the job's to change.
    pub fn log_place(&self, process: &str, run: u32, stream: Stream) -> Option<(PathBuf, PathBuf)> {
        let header = self.header()?;
        let path = log_path(&header.log_dir, process, run, stream);
        let root =
            if path.starts_with(&header.sandbox) { &header.sandbox } else { &header.log_dir };
        let below = path.strip_prefix(root).ok()?.to_owned();
        Some((root.clone(), below))
    }

    /// The user whose word its checkpoint is, if that is neither root nor who runs this process. What it
    /// says may be meant to have files of others shown or deleted, or processes of others ended.
    pub fn foreign_writer(&self) -> Option<u32> {
        let me = rustix::process::geteuid().as_raw();
        self.writer.filter(|writer| *writer != 0 && *writer != me)
    }

    /// Why its checkpoint cannot be read to the end, with the offset; `None` if it can.
    pub fn damage(&self) -> Option<&str> {
        self.damage.as_deref()
    }
}
