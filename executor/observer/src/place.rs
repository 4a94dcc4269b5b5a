//! Where a task's files are, and who says so.
//!
//! A checkpoint names the sandbox, and whoever runs an executor writes checkpoints: perhaps a user
//! with fewer rights than the observer's. Then the sandbox must be that user's own.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use aurora_daemon::beneath::{Entry, Folder};
use aurora_thermos::view::{Stream, Task};

use crate::tasks::run_numbered;

/// A path below a folder that must not be left.
#[derive(Debug, Clone)]
pub(crate) struct Place {
    root: PathBuf,
    /// The path below, which the job may have made.
    pub(crate) below: PathBuf,
    /// Whom the folder must belong to, if that matters.
    owner: Option<u32>,
}

impl Place {
    /// A file or folder of a task's sandbox.
    pub(crate) fn in_sandbox(task: &Task, path: &str) -> io::Result<Self> {
        let header = task.header().ok_or(io::ErrorKind::NotFound)?;
        Ok(Self::new(task, header.sandbox.clone(), path.into()))
    }

    /// What a run prints to. The job owns the folder it lies in, so it is opened like any file of
    /// a sandbox, from the sandbox on.
    pub(crate) fn of_log(task: &Task, process: &str, run: i64, stream: Stream) -> io::Result<Self> {
        let run = run_numbered(task.runs(process), run).ok_or(io::ErrorKind::NotFound)?;
        let place = task.log_place(process, run.number, stream);
        let (root, below) = place.ok_or(io::ErrorKind::NotFound)?;
        Ok(Self::new(task, root, below))
    }

    fn new(task: &Task, root: PathBuf, below: PathBuf) -> Self {
        Self { root, below, owner: task.foreign_writer() }
    }

    /// Opens the folder that is not left. Blocks.
    ///
    /// # Errors
    /// It is not there, not to be read, or somebody else's.
    pub(crate) fn folder(&self) -> io::Result<Folder> {
        let folder = Folder::open(&self.root)?;
        if let Some(owner) = self.owner
            && folder.owner()? != owner
        {
            return Err(io::ErrorKind::NotFound.into());
        }
        Ok(folder)
    }

    /// Opens the file. Blocks.
    ///
    /// # Errors
    /// It is not there, outside, no regular file, or not to be read.
    pub(crate) fn open(&self) -> io::Result<File> {
        self.folder()?.file(&self.below)
    }

    /// Lists the folder. Blocks.
    ///
    /// # Errors
    /// It is not there, outside, no folder, or not to be read.
    pub(crate) fn list(&self) -> io::Result<Vec<Entry>> {
        self.folder()?.list(&self.below)
    }

    /// The names of the older files that this one was rotated to, newest first. Blocks.
    pub(crate) fn rotated(&self) -> Vec<Self> {
        let (Some(folder), Some(name)) =
            (self.below.parent(), self.below.file_name().and_then(|name| name.to_str()))
        else {
            return Vec::new();
        };
        let beside = Self { below: folder.to_owned(), ..self.clone() };
        // A folder that is not there holds none.
        let mut found: Vec<(u32, String)> = beside
            .list()
            .unwrap_or_default()
            .into_iter()
            .filter_map(|entry| {
                let number = entry.name.strip_prefix(name)?.strip_prefix('.')?.parse().ok()?;
                Some((number, entry.name))
            })
            .collect();
        found.sort_unstable();
        let place = |name: String| Self { below: folder.join(name), ..self.clone() };
        found.into_iter().map(|(_, name)| place(name)).collect()
    }

    /// The path within the sandbox `header` tells of, if it lies there.
    pub(crate) fn within(&self, sandbox: &Path) -> Option<&Path> {
        (self.root == sandbox).then_some(self.below.as_path())
    }
}
