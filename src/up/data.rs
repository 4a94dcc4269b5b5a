//! The folder of all state of one `aurora up`.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, Read, Seek, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use aurora_daemon::fsutil;
use rustix::fs::{FlockOperation, flock};

use crate::failure::{Code, Failure};

/// A data directory that no other `aurora up` uses.
#[derive(Debug)]
pub(super) struct DataDir {
    path: PathBuf,
    _lock: File,
}

impl DataDir {
    /// Makes or takes over the folder.
    pub(super) fn open(path: Option<&Path>) -> Result<Self, Failure> {
        let path = locate(path)?;
        let failed = |error: &io::Error| {
            Failure::new(
                Code::Error,
                format!(
                    "failed to use the data directory {}: {error}; choose another with --data-dir",
                    path.display()
                ),
            )
        };
        // Users of roles must pass through it to reach their sandboxes.
        DirBuilder::new()
            .recursive(true)
            .mode(0o755)
            .create(&path)
            .map_err(|error| failed(&error))?;
        let path = path.canonicalize().map_err(|error| failed(&error))?;
        let mut lock = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(path.join("lock"))
            .map_err(|error| failed(&error))?;
        match flock(&lock, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {}
            Err(rustix::io::Errno::WOULDBLOCK) => {
                let mut owner = String::new();
                // The number only helps to find it.
                let _ = Read::by_ref(&mut lock).take(16).read_to_string(&mut owner);
                return Err(Failure::new(
                    Code::CommandFailure,
                    format!(
                        "another `aurora up` (process {}) uses the data directory {}; stop it with \
                         `aurora down`, or choose another with --data-dir",
                        owner.trim(),
                        path.display()
                    ),
                ));
            }
            Err(error) => return Err(failed(&error.into())),
        }
        lock.set_len(0)
            .and_then(|()| lock.rewind())
            .and_then(|()| write!(lock, "{}", std::process::id()))
            .map_err(|error| failed(&error))?;
        Ok(Self { path, _lock: lock })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn scheduler(&self) -> PathBuf {
        self.path.join("scheduler")
    }

    pub(super) fn master(&self) -> PathBuf {
        self.path.join("master")
    }

    pub(super) fn agent(&self) -> PathBuf {
        self.path.join("agent")
    }

    /// The port that the agent got when it was last asked to be at `wanted`.
    pub(super) fn agent_port(&self, wanted: u16) -> Option<u16> {
        // Without it only those executors are lost that still run.
        let text = std::fs::read_to_string(self.agent_port_file()).ok()?;
        let mut ports = text.split_whitespace().map(str::parse);
        match (ports.next(), ports.next()) {
            (Some(Ok(asked)), Some(Ok(got))) if wanted == asked => Some(got),
            _ => None,
        }
    }

    /// Empties the log of what goes on in the background.
    pub(super) fn begin_log(&self) -> Result<(), Failure> {
        let log = log_file(&self.path);
        OpenOptions::new().write(true).open(&log).and_then(|file| file.set_len(0)).map_err(
            |error| {
                Failure::new(Code::Error, format!("failed to empty {}: {error}", log.display()))
            },
        )
    }

    /// Remembers which port the agent has got.
    pub(super) fn set_agent_port(&self, wanted: u16, got: u16) -> io::Result<()> {
        fsutil::write_atomically(&self.agent_port_file(), format!("{wanted} {got}\n").as_bytes())
    }

    fn agent_port_file(&self) -> PathBuf {
        self.path.join("agent-port")
    }

    /// The executors' checkpoint root.
    pub(super) fn thermos(&self) -> PathBuf {
        self.path.join("thermos")
    }
}

/// Where an `aurora up` in the background prints to.
pub(super) fn log_file(folder: &Path) -> PathBuf {
    folder.join("up.log")
}

/// The absolute path of the folder: the one that was asked for, or the user's own.
pub(super) fn locate(path: Option<&Path>) -> Result<PathBuf, Failure> {
    let chosen = match path {
        Some(path) => path.to_owned(),
        None => default_path()?,
    };
    std::path::absolute(&chosen).map_err(|error| {
        Failure::new(
            Code::Usage,
            format!("the data directory {} cannot be used: {error}", chosen.display()),
        )
    })
}

fn default_path() -> Result<PathBuf, Failure> {
    let absolute = |name: &str| {
        std::env::var_os(name).map(PathBuf::from).filter(|folder| folder.is_absolute())
    };
    if let Some(state) = absolute("XDG_STATE_HOME") {
        return Ok(state.join("aurora"));
    }
    // Root's home is closed to the users of roles.
    if rustix::process::geteuid().is_root() {
        return Ok(PathBuf::from("/var/lib/aurora"));
    }
    absolute("HOME").map(|home| home.join(".local/state/aurora")).ok_or_else(|| {
        Failure::new(
            Code::Usage,
            "neither XDG_STATE_HOME nor HOME is set: choose a data directory with --data-dir",
        )
    })
}
