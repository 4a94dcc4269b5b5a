//! What an agent keeps on disk, and where.
//!
//! ```text
//! WORK_DIR/lock
//! WORK_DIR/slaves/AGENT/frameworks/F/executors/E/runs/CONTAINER/   the sandbox
//! WORK_DIR/slaves/AGENT/frameworks/F/executors/E/runs/latest -> CONTAINER
//! WORK_DIR/meta/slaves/latest -> AGENT
//! WORK_DIR/meta/slaves/AGENT/frameworks/F/executors/E/runs/CONTAINER/container
//! ```

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use aurora_daemon::fsutil::write_atomically;
use prost::Message;

use crate::proto::Container;

/// The version of the format of [`Container`].
pub(crate) const VERSION: u32 = 1;

/// The folders of one agent.
#[derive(Debug, Clone)]
pub(crate) struct Folders {
    work_dir: PathBuf,
}

impl Folders {
    /// Makes the folders, and takes the lock that keeps other agents out as long as the file is
    /// held.
    pub(crate) fn open(work_dir: &Path) -> io::Result<(Self, File)> {
        // Users of tasks must be able to enter their sandboxes below.
        fs::DirBuilder::new().recursive(true).mode(0o755).create(work_dir)?;
        let work_dir = fs::canonicalize(work_dir)?;
        let mut lock = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(work_dir.join("lock"))?;
        if rustix::fs::flock(&lock, rustix::fs::FlockOperation::NonBlockingLockExclusive).is_err() {
            let mut holder = String::new();
            (&lock).take(32).read_to_string(&mut holder)?;
            return Err(io::Error::new(
                io::ErrorKind::ResourceBusy,
                format!("it is in use by the agent of process {}", holder.trim()),
            ));
        }
        lock.set_len(0)?;
        lock.write_all(std::process::id().to_string().as_bytes())?;
        Ok((Self { work_dir }, lock))
    }

    /// The folder of sandboxes.
    pub(crate) fn slaves(&self) -> PathBuf {
        self.work_dir.join("slaves")
    }

    /// The folder of what is remembered, which has the same folders as [`Folders::slaves`].
    pub(crate) fn meta(&self) -> PathBuf {
        self.work_dir.join("meta/slaves")
    }

    /// The agent's id, once it has one.
    pub(crate) fn agent_id(&self) -> io::Result<Option<String>> {
        match fs::read_link(self.meta().join("latest")) {
            Ok(target) => Ok(target.file_name().and_then(|name| name.to_str()).map(str::to_owned)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    pub(crate) fn set_agent_id(&self, id: &str) -> io::Result<()> {
        let meta = self.meta();
        fs::create_dir_all(meta.join(checked(id)?))?;
        point(&meta.join("latest"), id)
    }

    /// Where a container lives, and where it is remembered.
    pub(crate) fn container(
        &self,
        agent: &str,
        framework: &str,
        executor: &str,
        container: &str,
    ) -> io::Result<(PathBuf, PathBuf)> {
        let run: PathBuf = [
            checked(agent)?,
            "frameworks",
            checked(framework)?,
            "executors",
            checked(executor)?,
            "runs",
            checked(container)?,
        ]
        .iter()
        .collect();
        Ok((self.slaves().join(&run), self.meta().join(&run)))
    }

    /// Every container that is remembered of an agent, with its folder. One that cannot be understood
    /// is left alone and logged.
    pub(crate) fn containers(&self, agent: &str) -> io::Result<Vec<(PathBuf, Container)>> {
        let mut listing = Listing::default();
        listing.add(&self.meta(), Path::new(checked(agent)?));
        if let Some(error) = listing.errors.pop() {
            return Err(error);
        }
        let mut found = Vec::new();
        for meta in listing.runs.into_iter().map(|run| self.meta().join(run)) {
            match read(&meta) {
                Ok(container) => found.extend(container.map(|container| (meta, container))),
                Err(error) if error.kind() == io::ErrorKind::InvalidData => {
                    tracing::error!(%error, "cannot use what is remembered of a container");
                }
                Err(error) => return Err(error),
            }
        }
        Ok(found)
    }

    /// Every container of which something is there, whichever agent made it:
    /// `AGENT/frameworks/F/executors/E/runs/CONTAINER`. What cannot be listed is logged and left out.
    pub(crate) fn runs(&self) -> Vec<PathBuf> {
        let mut listing = Listing::default();
        for tree in [self.slaves(), self.meta()] {
            for agent in listing.folders(&tree) {
                listing.add(&tree, Path::new(&agent));
            }
        }
        for error in listing.errors {
            tracing::warn!(%error, "cannot look for old sandboxes everywhere");
        }
        // As texts, which is many times faster than as paths.
        listing.runs.sort_unstable_by(|a, b| a.as_os_str().cmp(b.as_os_str()));
        listing.runs.dedup_by(|a, b| a.as_os_str() == b.as_os_str());
        listing.runs
    }
}

/// A list of containers, and why it is not complete.
#[derive(Default)]
struct Listing {
    runs: Vec<PathBuf>,
    errors: Vec<io::Error>,
}

impl Listing {
    /// Adds the containers of one agent in one tree.
    fn add(&mut self, tree: &Path, agent: &Path) {
        let frameworks = agent.join("frameworks");
        for framework in self.folders(&tree.join(&frameworks)) {
            let executors = frameworks.join(framework).join("executors");
            for executor in self.folders(&tree.join(&executors)) {
                let runs = executors.join(executor).join("runs");
                let names = self.folders(&tree.join(&runs));
                self.runs.extend(names.into_iter().map(|name| runs.join(name)));
            }
        }
    }

    /// The names of the folders in a folder. Links are none.
    fn folders(&mut self, folder: &Path) -> Vec<OsString> {
        let names = fs::read_dir(folder).and_then(|entries| {
            let mut names = Vec::new();
            for entry in entries {
                let entry = entry?;
                if entry.file_type()?.is_dir() {
                    names.push(entry.file_name());
                }
            }
            Ok(names)
        });
        names.unwrap_or_else(|error| {
            if error.kind() != io::ErrorKind::NotFound {
                let text = format!("failed to list {}: {error}", folder.display());
                self.errors.push(io::Error::new(error.kind(), text));
            }
            Vec::new()
        })
    }
}

/// The file in which a container is remembered.
pub(crate) fn file(meta: &Path) -> PathBuf {
    meta.join("container")
}

/// What is remembered of a container; none if there is nothing. What cannot be understood is
/// [`io::ErrorKind::InvalidData`].
pub(crate) fn read(meta: &Path) -> io::Result<Option<Container>> {
    let path = file(meta);
    let failed = |kind, why: &dyn std::fmt::Display| {
        Err(io::Error::new(kind, format!("failed to read {}: {why}", path.display())))
    };
    let bytes = match fs::read(&path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return failed(error.kind(), &error),
    };
    match Container::decode(bytes.as_slice()) {
        Ok(container) if container.version == VERSION => Ok(Some(container)),
        Ok(container) => {
            let version = container.version;
            failed(
                io::ErrorKind::InvalidData,
                &format!("it is of version {version}, not {VERSION}"),
            )
        }
        Err(error) => failed(io::ErrorKind::InvalidData, &error),
    }
}

/// Ids become names of folders.
fn checked(id: &str) -> io::Result<&str> {
    let plain =
        !id.is_empty() && id.len() <= 255 && !id.contains(['/', '\0']) && id != "." && id != "..";
    if plain {
        Ok(id)
    } else {
        Err(io::Error::new(io::ErrorKind::InvalidInput, format!("{id:?} cannot name a folder")))
    }
}

/// Makes the folders of a container, the sandbox for its owner and their group only.
pub(crate) fn make(sandbox: &Path, meta: &Path, container: &str) -> io::Result<()> {
    fs::create_dir_all(meta)?;
    if let Some(runs) = sandbox.parent() {
        fs::DirBuilder::new().recursive(true).mode(0o755).create(runs)?;
        fs::DirBuilder::new().mode(0o750).create(sandbox)?;
        point(&runs.join("latest"), container)?;
    }
    Ok(())
}

/// Removes the folders of a container that was not started.
pub(crate) fn remove(sandbox: &Path, meta: &Path) -> io::Result<()> {
    for folder in [sandbox, meta] {
        match fs::remove_dir_all(folder) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    Ok(())
}

/// Removes the folders of the executor and the framework of a removed container, if they are
/// empty. No container may be made meanwhile.
pub(crate) fn prune(run: &Path) {
    let Some(runs) = run.parent() else { return };
    let latest = runs.join("latest");
    if !latest.exists() {
        // There may be none.
        let _ = fs::remove_file(latest);
    }
    // runs, the executor, executors, the framework.
    for folder in runs.ancestors().take(4) {
        if fs::remove_dir(folder).is_err() {
            return;
        }
    }
}

/// Writes down what is to be remembered of a container. It is on disk when this returns.
pub(crate) fn write(meta: &Path, container: &Container) -> io::Result<()> {
    write_atomically(&file(meta), &container.encode_to_vec())
}

/// Makes a symbolic link point somewhere, whatever it pointed to before.
fn point(link: &Path, target: &str) -> io::Result<()> {
    let mut temporary = link.as_os_str().to_owned();
    temporary.push(".tmp");
    match fs::remove_file(&temporary) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    std::os::unix::fs::symlink(target, &temporary)?;
    fs::rename(&temporary, link)
}
