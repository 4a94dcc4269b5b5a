//! What is left of a container whose executor has ended: processes that carry its mark.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};

/// What every process of a container has in its environment, before the path of its sandbox.
const MARK: &[u8] = b"MESOS_SANDBOX=";
/// How often everything is looked for again: the dead do not fork, so a few rounds end it all.
const ROUNDS: usize = 64;

/// Ends every process that has `MESOS_SANDBOX=<sandbox>` in its environment. Gives how many there
/// were. Processes of other users are seen by root only.
pub(crate) fn end(sandbox: &Path) -> io::Result<usize> {
    let mut mark = MARK.to_vec();
    mark.extend_from_slice(sandbox.as_os_str().as_encoded_bytes());
    end_exactly(&mark)
}

/// The same with every process that has this variable with this value.
pub(crate) fn end_exactly(mark: &[u8]) -> io::Result<usize> {
    end_all(&|variable| variable == mark)
}

/// The same with every process that has a variable that begins so.
pub(crate) fn end_beginning(mark: &[u8]) -> io::Result<usize> {
    end_all(&|variable| variable.starts_with(mark))
}

fn end_all(is_mark: &dyn Fn(&[u8]) -> bool) -> io::Result<usize> {
    let mut ended = 0;
    for _ in 0..ROUNDS {
        let found = marked(is_mark)?;
        if found.is_empty() {
            break;
        }
        for pid in found {
            ended += usize::from(kill(pid, is_mark));
        }
    }
    Ok(ended)
}

/// The sandboxes of all processes that carry such a mark. Processes of other users are seen by root only.
pub(crate) fn in_use() -> io::Result<BTreeSet<PathBuf>> {
    let mut found = BTreeSet::new();
    for pid in pids()? {
        let environment = std::fs::read(environment(pid)).unwrap_or_default();
        let marks = environment.split(|byte| *byte == 0).filter_map(|var| var.strip_prefix(MARK));
        found.extend(marks.map(|sandbox| PathBuf::from(OsStr::from_bytes(sandbox))));
    }
    Ok(found)
}

fn marked(is_mark: &dyn Fn(&[u8]) -> bool) -> io::Result<Vec<i32>> {
    Ok(pids()?.into_iter().filter(|pid| has_mark(*pid, is_mark)).collect())
}

fn pids() -> io::Result<Vec<i32>> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir("/proc")? {
        let name = entry?.file_name();
        found.extend(name.to_str().and_then(|name| name.parse::<i32>().ok()));
    }
    Ok(found)
}

fn environment(pid: i32) -> String {
    format!("/proc/{pid}/environ")
}

fn has_mark(pid: i32, is_mark: &dyn Fn(&[u8]) -> bool) -> bool {
    // Gone meanwhile, another user's, or a zombie, which has no environment: nothing to end.
    std::fs::read(environment(pid))
        .is_ok_and(|environment| environment.split(|byte| *byte == 0).any(is_mark))
}

fn kill(pid: i32, is_mark: &dyn Fn(&[u8]) -> bool) -> bool {
    let Some(raw) = Pid::from_raw(pid) else { return false };
    let Ok(handle) = pidfd_open(raw, PidfdFlags::empty()) else { return false };
    // From here on the descriptor stands for one process. Is it still the one that was found?
    has_mark(pid, is_mark) && pidfd_send_signal(handle, Signal::KILL).is_ok()
}
