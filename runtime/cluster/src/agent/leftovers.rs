//! What is left of a container whose executor has ended: processes that carry its mark.

use std::io;
use std::path::Path;

use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};

/// How often everything is looked for again: the dead do not fork, so a few rounds end it all.
const ROUNDS: usize = 64;

/// Ends every process that has `MESOS_SANDBOX=<sandbox>` in its environment. Gives how many there
/// were. Processes of other users are seen by root only.
pub(crate) fn end(sandbox: &Path) -> io::Result<usize> {
    let mut mark = b"MESOS_SANDBOX=".to_vec();
    mark.extend_from_slice(sandbox.as_os_str().as_encoded_bytes());
    let mut ended = 0;
    for _ in 0..ROUNDS {
        let found = marked(&mark)?;
        if found.is_empty() {
            break;
        }
        for pid in found {
            ended += usize::from(kill(pid, &mark));
        }
    }
    Ok(ended)
}

fn marked(mark: &[u8]) -> io::Result<Vec<i32>> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir("/proc")? {
        let name = entry?.file_name();
        if let Some(pid) = name.to_str().and_then(|name| name.parse().ok())
            && has_mark(pid, mark)
        {
            found.push(pid);
        }
    }
    Ok(found)
}

fn has_mark(pid: i32, mark: &[u8]) -> bool {
    // Gone meanwhile, another user's, or a zombie, which has no environment: nothing to end.
    std::fs::read(format!("/proc/{pid}/environ"))
        .is_ok_and(|environment| environment.split(|byte| *byte == 0).any(|var| var == mark))
}

fn kill(pid: i32, mark: &[u8]) -> bool {
    let Some(raw) = Pid::from_raw(pid) else { return false };
    let Ok(handle) = pidfd_open(raw, PidfdFlags::empty()) else { return false };
    // From here on the descriptor stands for one process. Is it still the one that was found?
    has_mark(pid, mark) && pidfd_send_signal(handle, Signal::KILL).is_ok()
}
