//! Which `aurora up` run on this machine for this user, so that other commands find them with no
//! configuration: one small file for each in the user's runtime directory.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use aurora_daemon::fsutil;
use aurora_thermos::process::tree;
use aurora_thermos::view::ProcessIdentity;
use serde::{Deserialize, Serialize};

/// The longest file that is read, in bytes.
const MAX_LEN: u64 = 64 << 10;

/// A running `aurora up`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Registered {
    /// Its process id.
    pub pid: i32,
    /// When the process started, in clock ticks since boot: process ids are used again.
    pub start_ticks: u64,
    /// The clusters its file names.
    pub clusters: Vec<String>,
    /// Where its scheduler is.
    pub scheduler: String,
    /// Where its observer is.
    pub observer: String,
    /// Where its logs, sandboxes and sockets are.
    pub data_dir: PathBuf,
    /// Whether its jobs have been created.
    pub ready: bool,
}

impl Registered {
    /// Which process it is, however often its id is used.
    pub fn process(&self) -> ProcessIdentity {
        ProcessIdentity { pid: self.pid, start_ticks: self.start_ticks }
    }

    fn path(&self, folder: &Path) -> PathBuf {
        folder.join(format!("{}.json", self.pid))
    }

    /// Makes it known, or known anew.
    pub fn write(&self) -> io::Result<()> {
        let folder = folder();
        fsutil::private_folder(&folder)?;
        let text = serde_json::to_vec_pretty(self).map_err(io::Error::other)?;
        fsutil::write_atomically(&self.path(&folder), &text)
    }

    /// Makes it unknown.
    pub fn remove(&self) {
        // The next who looks removes what is left of a process that has gone.
        let _ = fs::remove_file(self.path(&folder()));
    }
}

/// The folder of the files: below `$XDG_RUNTIME_DIR`, which may be left from a user of before and
/// not be there; `/run/aurora` for root; below `/run/user`, or `/tmp`, what is this user's.
pub fn folder() -> PathBuf {
    let user = rustix::process::geteuid();
    let given = std::env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from);
    let usual = PathBuf::from(format!("/run/user/{}", user.as_raw()));
    match given.filter(|folder| folder.is_absolute() && folder.is_dir()) {
        Some(folder) => folder.join("aurora"),
        None if user.is_root() => PathBuf::from("/run/aurora"),
        None if usual.is_dir() => usual.join("aurora"),
        None => PathBuf::from(format!("/tmp/aurora-{}", user.as_raw())),
    }
}

/// All that run. Files of processes that have gone are removed.
pub fn running() -> io::Result<Vec<Registered>> {
    let folder = folder();
    match fs::symlink_metadata(&folder) {
        Ok(_) => fsutil::private_folder(&folder)?,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    }
    let mut found = Vec::new();
    for entry in fs::read_dir(&folder)? {
        let path = entry?.path();
        if path.extension().is_none_or(|extension| extension != "json") {
            continue;
        }
        let Some(registered) = read(&path) else { continue };
        if tree::is_alive(registered.process()) {
            found.push(registered);
        } else {
            // Somebody else may have removed it already.
            let _ = fs::remove_file(&path);
        }
    }
    found.sort_by_key(|registered| registered.pid);
    Ok(found)
}

fn read(path: &Path) -> Option<Registered> {
    if fs::metadata(path).ok()?.len() > MAX_LEN {
        return None;
    }
    serde_json::from_slice(&fs::read(path).ok()?).ok()
}
