//! Where a task's files are, and who says so.
//!
//! A checkpoint names the sandbox, and whoever runs an executor writes checkpoints: perhaps a user
//! with fewer rights than the observer's. Then the sandbox must be that user's own.

use std::convert::Infallible;
use std::ffi::OsString;
use std::fs::File;
use std::io;
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::path::{Path, PathBuf};

use aurora_daemon::beneath::{Folder, Listing};
use aurora_thermos::view::{Stream, Task};
use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use percent_encoding::percent_decode_str;

use crate::tasks::run_numbered;

/// A file or folder of a sandbox that an address names: `/route/ID/PATH`, byte for byte, as names of
/// files need not be text.
#[derive(Debug)]
pub(crate) struct Named {
    /// The task, if there is one of this id.
    pub(crate) id: String,
    /// The path in its sandbox; empty for the sandbox itself.
    pub(crate) path: PathBuf,
}

impl<S: Sync> FromRequestParts<S> for Named {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(Self::of(parts.uri.path()))
    }
}

impl Named {
    fn of(address: &str) -> Self {
        let mut named = address.splitn(4, '/').skip(2);
        let id = percent_decode_str(named.next().unwrap_or_default());
        let path: Vec<u8> = percent_decode_str(named.next().unwrap_or_default()).collect();
        Self { id: id.decode_utf8_lossy().into_owned(), path: OsString::from_vec(path).into() }
    }
}

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
    pub(crate) fn in_sandbox(task: &Task, path: impl Into<PathBuf>) -> io::Result<Self> {
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
    pub(crate) fn list(&self) -> io::Result<Listing> {
        self.folder()?.list(&self.below)
    }

    /// The older files that this one was rotated to, newest first. Blocks.
    ///
    /// # Errors
    /// The folder is not there, or not to be read.
    pub(crate) fn rotated(&self) -> io::Result<Vec<Self>> {
        let (Some(folder), Some(name)) = (self.below.parent(), self.below.file_name()) else {
            return Ok(Vec::new());
        };
        let beside = Self { below: folder.to_owned(), ..self.clone() };
        let mut found: Vec<u32> = beside
            .list()?
            .entries
            .into_iter()
            .filter_map(|entry| {
                let number = entry.name.as_bytes().strip_prefix(name.as_bytes())?;
                let digits = std::str::from_utf8(number.strip_prefix(b".")?).ok()?;
                digits.parse().ok().filter(|number: &u32| number.to_string() == digits)
            })
            .collect();
        found.sort_unstable();
        let place = |number: u32| {
            let mut name = name.to_owned();
            name.push(format!(".{number}"));
            Self { below: folder.join(name), ..self.clone() }
        };
        Ok(found.into_iter().map(place).collect())
    }

    /// The path within the sandbox `header` tells of, if it lies there.
    pub(crate) fn within(&self, sandbox: &Path) -> Option<&Path> {
        (self.root == sandbox).then_some(self.below.as_path())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_name_files_byte_for_byte() {
        for (address, id, path) in [
            ("/browse/t", "t", b"" as &[u8]),
            ("/browse/t/", "t", b""),
            ("/file/a%20b/c/d", "a b", b"c/d"),
            ("/file/t/%ff%0A%2e%2E%2f%25", "t", b"\xff\n../%"),
            ("/file/t//etc/", "t", b"/etc/"),
            ("/file/%ff/a%", "\u{fffd}", b"a%"),
        ] {
            let named = Named::of(address);
            assert_eq!((named.id.as_str(), named.path.as_os_str().as_bytes()), (id, path));
        }
    }
}
