//! A cgroup of its own for each executor, where the machine has cgroups v2 and lets the agent make
//! some: whatever a task starts stays in it and ends with it, however it tries to get away.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How often, and after how long each time, it is looked whether what was killed is gone.
const LOOKS: (u32, Duration) = (1000, Duration::from_millis(2));

/// The folder for the cgroups of executors, below the cgroup of this process; none where cgroups
/// cannot be made or cannot be killed.
pub(crate) fn parent() -> Option<PathBuf> {
    let me = procfs::process::Process::myself().ok()?;
    let mounts = me.mountinfo().ok()?;
    let mount = mounts.0.into_iter().find(|mount| mount.fs_type == "cgroup2")?;
    let mine = me.cgroups().ok()?.0.into_iter().find(|cgroup| cgroup.hierarchy == 0)?;
    let below = Path::new(&mine.pathname).strip_prefix(&mount.root).ok()?.to_owned();
    let parent = mount.mount_point.join(below).join("aurora");
    match fs::create_dir(&parent) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
            tracing::debug!(%error, path = %parent.display(), "executors get no cgroups");
            return None;
        }
        _ => {}
    }
    parent.join("cgroup.kill").exists().then_some(parent)
}

/// A cgroup: its folder, and the file through which a process joins it by writing 0.
pub(crate) fn make(parent: &Path, name: &str) -> io::Result<(PathBuf, File)> {
    let folder = parent.join(name);
    fs::create_dir(&folder)?;
    match File::options().write(true).open(folder.join("cgroup.procs")) {
        Ok(join) => Ok((folder, join)),
        Err(error) => {
            // The first failure is the one to report.
            let _ = fs::remove_dir(&folder);
            Err(error)
        }
    }
}

/// Ends every process in a cgroup, and the cgroup. Gives whether there were any.
pub(crate) fn end(folder: &Path) -> io::Result<bool> {
    let populated = match fs::read_to_string(folder.join("cgroup.events")) {
        Ok(events) => events.lines().any(|line| line == "populated 1"),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        Err(error) => return Err(error),
    };
    if populated {
        fs::write(folder.join("cgroup.kill"), "1")?;
    }
    for _ in 0..LOOKS.0 {
        match remove(folder) {
            Err(error) if error.kind() == io::ErrorKind::ResourceBusy => {
                std::thread::sleep(LOOKS.1);
            }
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => return Ok(populated),
        }
    }
    Err(io::Error::new(io::ErrorKind::TimedOut, "its processes do not end"))
}

/// Removes a cgroup with those that were made in it.
fn remove(folder: &Path) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            remove(&entry.path())?;
        }
    }
    fs::remove_dir(folder)
}
