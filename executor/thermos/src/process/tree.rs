//! Who descends from whom, as `/proc` tells it.
//!
//! The runner is a *child subreaper*: a process whose parent died becomes a child of the runner
//! instead of the machine's first process. So everything that a task ever started and that still
//! lives descends from the runner, whatever sessions and groups it made, and no search of all
//! processes of the machine is needed.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::sync::OnceLock;

use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
use tokio::time::Instant;

use crate::checkpoint::record::ProcessIdentity;

/// What `/proc/<pid>/stat` says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stat {
    /// The process, distinguished from earlier and later ones of the same id.
    pub identity: ProcessIdentity,
    /// Its parent.
    pub parent: i32,
    /// Its process group.
    pub group: i32,
    /// Its session.
    pub session: i32,
    /// Whether it is dead and only its exit status is still to be collected.
    pub zombie: bool,
}

/// Looks at one process. Fails with [`io::ErrorKind::NotFound`] if there is none of that id.
pub fn stat(pid: i32) -> io::Result<Stat> {
    let text =
        fs::read(format!("/proc/{pid}/stat")).map_err(|error| match error.raw_os_error() {
            // It ended while it was being looked at.
            Some(code) if code == nix::libc::ESRCH => io::ErrorKind::NotFound.into(),
            _ => error,
        })?;
    parse_stat(pid, &text).ok_or_else(|| io::Error::other(format!("cannot parse /proc/{pid}/stat")))
}

fn parse_stat(pid: i32, text: &[u8]) -> Option<Stat> {
    // The second field is the program's name in parentheses, which may hold anything.
    let end = text.iter().rposition(|byte| *byte == b')')?;
    let rest = std::str::from_utf8(text.get(end + 1..)?).ok()?;
    let mut fields = rest.split_ascii_whitespace();
    let state = fields.next()?;
    let parent = fields.next()?.parse().ok()?;
    let group = fields.next()?.parse().ok()?;
    let session = fields.next()?.parse().ok()?;
    // Field 22 of the file; the session was field 6.
    let start_ticks = fields.nth(15)?.parse().ok()?;
    let identity = ProcessIdentity { pid, start_ticks };
    Some(Stat { identity, parent, group, session, zombie: matches!(state, "Z" | "X") })
}

/// The identity of a process that is known to live.
pub fn identify(pid: i32) -> io::Result<ProcessIdentity> {
    stat(pid).map(|stat| stat.identity)
}

/// Whether this very process lives; a zombie does not.
pub fn is_alive(process: ProcessIdentity) -> bool {
    stat(process.pid).is_ok_and(|stat| stat.identity == process && !stat.zombie)
}

/// The identity of the machine's current boot.
pub fn boot_id() -> io::Result<String> {
    // It stays the same as long as this process lives.
    static BOOT_ID: OnceLock<String> = OnceLock::new();
    if let Some(known) = BOOT_ID.get() {
        return Ok(known.clone());
    }
    let read = fs::read_to_string("/proc/sys/kernel/random/boot_id")?.trim().to_owned();
    Ok(BOOT_ID.get_or_init(|| read).clone())
}

/// What a look at the tree of processes has found.
#[derive(Debug, Default)]
pub struct Descendants {
    /// The processes; parents before their children.
    pub found: Vec<Stat>,
    /// Whether every process was still there when its turn came. The children of one that was not
    /// may be missing.
    pub all_there: bool,
}

/// Everything that descends from `root`, except itself.
pub fn descendants(root: i32) -> io::Result<Descendants> {
    let mut found: Vec<Stat> = Vec::new();
    let mut all_there = true;
    let mut parents = vec![root];
    while let Some(parent) = parents.pop() {
        let children = match children(parent) {
            Ok(Some(children)) => children,
            // The kernel was built without these files.
            Ok(None) => return scan(root),
            Err(error) if parent == root => return Err(error),
            Err(_gone) => {
                all_there = false;
                continue;
            }
        };
        for pid in children {
            let Ok(stat) = stat(pid) else {
                all_there = false;
                continue;
            };
            // While the tree changes, a process can be met at its old and at its new place.
            if stat.identity.pid != root && !found.iter().any(|f| f.identity == stat.identity) {
                parents.push(stat.identity.pid);
                found.push(stat);
            }
        }
    }
    Ok(Descendants { found, all_there })
}

/// The children of a process; `None` if the kernel does not tell.
fn children(pid: i32) -> io::Result<Option<Vec<i32>>> {
    let mut all = Vec::new();
    for thread in fs::read_dir(format!("/proc/{pid}/task"))? {
        let path = thread?.path();
        match fs::read_to_string(path.join("children")) {
            Ok(text) => {
                all.extend(text.split_ascii_whitespace().filter_map(|pid| pid.parse::<i32>().ok()));
            }
            Err(_) if !path.exists() => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        }
    }
    Ok(Some(all))
}

/// [`descendants`], by looking at every process of the machine.
fn scan(root: i32) -> io::Result<Descendants> {
    let mut all = Vec::new();
    let mut all_there = true;
    for entry in fs::read_dir("/proc")? {
        let name = entry?.file_name();
        let Some(pid) = name.to_str().and_then(|name| name.parse().ok()) else { continue };
        match stat(pid) {
            Ok(stat) => all.push(stat),
            Err(_gone) => all_there = false,
        }
    }
    let mut found: Vec<Stat> = Vec::new();
    let mut parents = vec![root];
    while let Some(parent) = parents.pop() {
        for stat in all.iter().filter(|stat| stat.parent == parent && stat.identity.pid != root) {
            if !found.contains(stat) {
                parents.push(stat.identity.pid);
                found.push(*stat);
            }
        }
    }
    Ok(Descendants { found, all_there })
}

/// Sends a signal to this very process, never to another one that was given its id meanwhile. A
/// process that is gone is none of our business any more.
pub fn signal(process: ProcessIdentity, signal: Signal) -> io::Result<()> {
    let gone = |error: &rustix::io::Errno| *error == rustix::io::Errno::SRCH;
    let Some(pid) = Pid::from_raw(process.pid) else { return Ok(()) };
    let fd = match pidfd_open(pid, PidfdFlags::empty()) {
        Ok(fd) => fd,
        Err(error) if gone(&error) => return Ok(()),
        Err(error) => return Err(error.into()),
    };
    // From here on the descriptor stands for one process. Is it the one that is meant?
    match stat(process.pid) {
        Ok(stat) if stat.identity == process => {}
        Ok(_another) => return Ok(()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    }
    match pidfd_send_signal(fd, signal) {
        Ok(()) => Ok(()),
        Err(error) if gone(&error) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// Sends a signal to each of these. A single one that cannot be signalled is logged.
pub fn signal_each(processes: &[Stat], with: Signal) {
    for process in processes {
        if let Err(error) = signal(process.identity, with) {
            tracing::warn!(%error, pid = process.identity.pid, "failed to signal a process");
        }
    }
}

/// Stops every process that `living` gives, until it gives no other one or it is too late, and kills all
/// of them. Gives what it gave last.
///
/// What multiplies until a limit of processes is reached could outrun being killed, as each death makes
/// room for another. What is stopped starts nothing and leaves no room.
///
/// # Errors
/// Those of `living`. What it gave before is killed all the same.
pub async fn kill_each(
    mut living: impl FnMut() -> io::Result<Vec<Stat>>,
    deadline: Instant,
) -> io::Result<Vec<Stat>> {
    let mut stopped = BTreeSet::new();
    let mut all = Vec::new();
    loop {
        let found = match living() {
            Ok(found) => found,
            Err(error) => {
                signal_each(&all, Signal::KILL);
                return Err(error);
            }
        };
        all = found;
        let mut is_new = false;
        for process in &all {
            if stopped.insert((process.identity.pid, process.identity.start_ticks)) {
                is_new = true;
                // Who cannot be stopped cannot be killed either, which is told then.
                let _ = signal(process.identity, Signal::STOP);
            }
        }
        if !is_new || Instant::now() >= deadline {
            signal_each(&all, Signal::KILL);
            return Ok(all);
        }
        // Others of this thread have their turn.
        tokio::task::yield_now().await;
    }
}

#[cfg(test)]
mod tests {
    use super::{boot_id, descendants, identify, is_alive, parse_stat, scan, stat};

    #[test]
    fn a_name_with_parentheses_and_spaces_is_skipped() {
        let line = b"77 (a) R 1 (b)) S 1 70 60 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 123456 0 0\n";
        let stat = parse_stat(77, line).unwrap();
        assert_eq!((stat.parent, stat.group, stat.session), (1, 70, 60));
        assert_eq!(stat.identity.start_ticks, 123_456);
        assert!(!stat.zombie);
        assert!(parse_stat(1, b"1 (x").is_none());
    }

    #[test]
    fn s51_this_process_is_alive_and_an_older_one_of_its_id_is_not() {
        let me = identify(std::process::id().cast_signed()).unwrap();
        assert!(is_alive(me));
        let mut other = me;
        other.start_ticks += 1;
        assert!(!is_alive(other));
        assert!(!boot_id().unwrap().is_empty());
    }

    #[test]
    fn both_ways_find_a_child() {
        let me = std::process::id().cast_signed();
        let mut child = std::process::Command::new("sleep").arg("1000").spawn().unwrap();
        let pid = child.id().cast_signed();
        let by_links = descendants(me).unwrap().found;
        let by_scan = scan(me).unwrap().found;
        child.kill().unwrap();
        let is_child = |stat: &super::Stat| stat.identity.pid == pid && stat.parent == me;
        assert!(by_links.iter().any(is_child));
        assert!(by_scan.iter().any(is_child));
        child.wait().unwrap();
        assert_eq!(stat(pid).unwrap_err().kind(), std::io::ErrorKind::NotFound);
    }
}
