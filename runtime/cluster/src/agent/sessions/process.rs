//! The process of a command: how it becomes the task's, and how it ends with all that it has started.

#![expect(unsafe_code, reason = "between fork and exec only system calls may be made")]

use std::ffi::CString;
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, FromRawFd as _, IntoRawFd as _, OwnedFd};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::MetadataExt as _;
use std::os::unix::process::{CommandExt as _, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use aurora_mesos::v1;
use nix::fcntl::OFlag;
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
use rustix::thread::{Gid, Uid};
use tokio::sync::oneshot;

use super::Size;
use super::streams::{Streams, winsize};
use crate::agent::executors::Inside;
use crate::agent::{cgroup, leftovers};

/// The status of a command of which nobody knows how it ended.
pub(super) const UNKNOWN: i32 = -1;
/// The folder in its own that an executor gives to the user of its task.
const TASKS: &str = "sandbox";
/// What every process of a session has in its environment, before its sandbox and its id.
const MARK: &str = "MESOS_SESSION";

/// What to run.
pub(super) struct Request {
    pub(super) id: String,
    pub(super) inside: Inside,
    pub(super) command: v1::CommandInfo,
    /// The size of its terminal, if it is to have one.
    pub(super) terminal: Option<Size>,
}

/// A command that runs.
pub(super) struct Process {
    pub(super) streams: Streams,
    pub(super) end: End,
    pub(super) user: u32,
}

/// How a command ends.
pub(super) struct End {
    exit: oneshot::Receiver<i32>,
    handle: OwnedFd,
    mark: Vec<u8>,
    cgroup: Option<PathBuf>,
    killed: bool,
}

impl End {
    /// Waits for the end of the command itself. Gives its wait status, if that is known.
    pub(super) async fn exited(&mut self) -> Option<i32> {
        (&mut self.exit).await.ok()
    }

    pub(super) fn is_killed(&self) -> bool {
        self.killed
    }

    /// Ends the command with all that it has started.
    pub(super) async fn kill(&mut self) {
        self.killed = true;
        // It may have ended.
        let _ = pidfd_send_signal(&self.handle, Signal::KILL);
        self.sweep().await;
    }

    /// Ends what the command has left.
    pub(super) async fn finish(self) {
        self.sweep().await;
    }

    async fn sweep(&self) {
        let (mark, cgroup) = (self.mark.clone(), self.cgroup.clone());
        let swept = tokio::task::spawn_blocking(move || {
            if let Some(folder) = cgroup {
                cgroup::end(&folder)?;
            }
            leftovers::end_exactly(&mark)
        });
        match swept.await {
            Ok(Ok(_)) => {}
            Ok(Err(error)) => tracing::error!(%error, "failed to end what a command has left"),
            Err(error) => tracing::error!(%error, "failed to look for what a command has left"),
        }
    }
}

/// Ends what sessions have left of an agent before, whose sandboxes lie below a folder.
pub(crate) fn end_left(slaves: &Path) -> io::Result<usize> {
    leftovers::end_beginning(format!("{MARK}={}/", slaves.display()).as_bytes())
}

/// Starts a command.
///
/// The kernel ends it with the thread that started it, so that none outlives an agent that is killed: that
/// thread waits for its end.
pub(super) async fn start(request: Request) -> io::Result<Process> {
    let (started, starting) = oneshot::channel();
    std::thread::Builder::new().name("session".to_owned()).spawn(move || {
        let (exited, exit) = oneshot::channel();
        let mut child = match spawn(request, exit) {
            Ok((child, process)) => {
                // Nobody is left only when the agent ends.
                let _ = started.send(Ok(process));
                child
            }
            Err(error) => {
                let _ = started.send(Err(error));
                return;
            }
        };
        let _ = exited.send(child.wait().map_or(UNKNOWN, ExitStatusExt::into_raw));
    })?;
    starting.await.unwrap_or_else(|_| Err(io::Error::other("the agent is about to end")))
}

fn spawn(
    request: Request,
    exit: oneshot::Receiver<i32>,
) -> io::Result<(std::process::Child, Process)> {
    let Request { id, inside, command: wanted, terminal } = request;
    let user = Account::of(&inside.sandbox, inside.is_running)?;
    user.is_meant_by(wanted.user.as_deref())?;
    let value = wanted.value.clone().unwrap_or_default();
    let mut command = if wanted.shell.unwrap_or(true) {
        let mut shell = Command::new("/bin/sh");
        shell.arg("-c").arg(value);
        shell
    } else {
        let mut program = Command::new(value);
        program.args(wanted.arguments.iter().skip(1));
        program
    };
    let mark = format!("{MARK}={}/{id}", inside.sandbox.display());
    command.env_clear().envs(inside.environment);
    let sandbox = inside.sandbox.as_os_str();
    for variable in wanted.environment.iter().flat_map(|environment| &environment.variables) {
        command.env(&variable.name, variable.value.clone().unwrap_or_default());
    }
    // By these it is found when it or its task ends, whatever the caller has set.
    command.env("MESOS_SANDBOX", sandbox);
    command.env(MARK, mark.get(MARK.len() + 1..).unwrap_or_default());
    let made = match &inside.cgroup {
        None => None,
        Some(parent) => Some(cgroup::make(parent, &format!("session-{id}"))?),
    };
    let (cgroup, join) = made.map_or((None, None), |(folder, join)| (Some(folder), Some(join)));
    let cgroup = Cgroup(cgroup);
    let (ours, theirs) = ends(terminal, user.switch.then(|| Uid::from_raw(user.uid)))?;
    command.stdin(theirs.stdin).stdout(theirs.stdout).stderr(theirs.stderr);
    let child = Prepared {
        join,
        has_terminal: terminal.is_some(),
        user: user.switch.then(|| {
            let groups = user.groups.iter().map(|gid| Gid::from_raw(*gid)).collect();
            (Uid::from_raw(user.uid), Gid::from_raw(user.gid), groups)
        }),
        directory: CString::new(inside.sandbox.as_os_str().as_bytes())?,
        parent: Some(rustix::process::getpid()),
    };
    // SAFETY: the closure makes system calls only and allocates nothing: all it needs was made above.
    unsafe { command.pre_exec(move || Ok(child.become_task()?)) };
    let spawned = command.spawn();
    // It holds their ends open.
    drop(command);
    let mut child = spawned?;
    let handle = match pidfd_open(Pid::from_child(&child), PidfdFlags::empty()) {
        Ok(handle) => handle,
        Err(error) => {
            // The first failure is the one to report.
            let _ = child.kill();
            let _ = child.wait();
            return Err(error.into());
        }
    };
    let end = End { exit, handle, mark: mark.into_bytes(), cgroup: cgroup.keep(), killed: false };
    Ok((child, Process { streams: ours, end, user: user.uid }))
}

/// The cgroup of a command that has not begun: gone with it if it does not.
struct Cgroup(Option<PathBuf>);

impl Cgroup {
    fn keep(mut self) -> Option<PathBuf> {
        self.0.take()
    }
}

impl Drop for Cgroup {
    fn drop(&mut self) {
        if let Some(folder) = &self.0
            && let Err(error) = cgroup::end(folder)
        {
            tracing::error!(%error, "failed to remove the cgroup of a command that did not begin");
        }
    }
}

/// Who a command runs as: whoever the task does, which is the owner of the folder that the executor has given
/// to it, or of the executor's own.
#[derive(Debug)]
struct Account {
    uid: u32,
    gid: u32,
    name: Option<String>,
    groups: Vec<u32>,
    /// Whether it is another one than runs this agent.
    switch: bool,
}

impl Account {
    fn of(sandbox: &Path, is_running: bool) -> io::Result<Self> {
        let me = nix::unistd::Uid::effective();
        let outer = std::fs::symlink_metadata(sandbox)?;
        let (found, is_given) = match std::fs::symlink_metadata(sandbox.join(TASKS)) {
            // Where the folder around it is somebody else's, that one may have put anything there.
            Ok(inner) if outer.uid() == me.as_raw() && inner.is_dir() => (inner, is_running),
            _ => (outer, false),
        };
        let (uid, gid) = (found.uid(), found.gid());
        // An executor that is root's makes the folder first, and gives it away then.
        if uid == 0 && !is_given {
            return Err(io::Error::new(
                io::ErrorKind::PermissionDenied,
                "the task has not begun, so that it is not known whose it is; try again later",
            ));
        }
        let switch = me.is_root() && uid != 0;
        if !switch && uid != me.as_raw() {
            return Err(io::Error::new(
                io::ErrorKind::PermissionDenied,
                format!("the task runs as user {uid}, whom this agent may not become"),
            ));
        }
        let name = nix::unistd::User::from_uid(uid.into())?.map(|user| user.name);
        let groups = match &name {
            Some(name) => nix::unistd::getgrouplist(&CString::new(name.as_str())?, gid.into())?
                .into_iter()
                .map(nix::unistd::Gid::as_raw)
                .collect(),
            None => vec![gid],
        };
        Ok(Self { uid, gid, name, groups, switch })
    }

    /// Nobody gets to be another user than the task's, whoever that is.
    fn is_meant_by(&self, wanted: Option<&str>) -> io::Result<()> {
        match (wanted, &self.name) {
            (None, _) => Ok(()),
            (Some(wanted), Some(name)) if wanted == name => Ok(()),
            (Some(wanted), name) => Err(io::Error::new(
                io::ErrorKind::PermissionDenied,
                format!(
                    "commands run as the task's user, {}, and not as {wanted}",
                    name.clone().unwrap_or_else(|| self.uid.to_string())
                ),
            )),
        }
    }
}

/// The ends of a command's streams that are its own.
struct Theirs {
    stdin: Stdio,
    stdout: Stdio,
    stderr: Stdio,
}

/// The ends of the streams. The command's belong to its user, who may open them by their names in /dev.
fn ends(terminal: Option<Size>, user: Option<Uid>) -> io::Result<(Streams, Theirs)> {
    let give = |end: BorrowedFd<'_>| match user {
        Some(_) => rustix::fs::fchown(end, user, None),
        None => Ok(()),
    };
    let Some(size) = terminal else {
        let (stdin, to) = io::pipe()?;
        let (stdout_from, stdout) = io::pipe()?;
        let (stderr_from, stderr) = io::pipe()?;
        for end in [stdin.as_fd(), stdout.as_fd(), stderr.as_fd()] {
            give(end)?;
        }
        let ours = Streams::Pipes {
            stdin: to.into(),
            stdout: stdout_from.into(),
            stderr: stderr_from.into(),
        };
        let theirs = Theirs { stdin: stdin.into(), stdout: stdout.into(), stderr: stderr.into() };
        return Ok((ours, theirs));
    };
    let (ours, theirs) = open_terminal()?;
    rustix::termios::tcsetwinsize(&theirs, winsize(size))?;
    give(theirs.as_fd())?;
    let all = Theirs {
        stdin: theirs.try_clone()?.into(),
        stdout: theirs.try_clone()?.into(),
        stderr: theirs.into(),
    };
    Ok((Streams::Terminal(ours), all))
}

/// Both sides of a new terminal, neither of which anything else that is started gets.
fn open_terminal() -> io::Result<(OwnedFd, OwnedFd)> {
    let flags = OFlag::O_RDWR | OFlag::O_NOCTTY | OFlag::O_CLOEXEC;
    let ours = nix::pty::posix_openpt(flags)?;
    nix::pty::grantpt(&ours)?;
    nix::pty::unlockpt(&ours)?;
    let name = nix::pty::ptsname_r(&ours)?;
    let theirs = nix::fcntl::open(name.as_str(), flags, nix::sys::stat::Mode::empty())?;
    // SAFETY: it is open and given up by its former owner.
    let ours = unsafe { OwnedFd::from_raw_fd(ours.into_raw_fd()) };
    Ok((ours, theirs))
}

/// All that the forked copy needs.
struct Prepared {
    join: Option<File>,
    has_terminal: bool,
    user: Option<(Uid, Gid, Vec<Gid>)>,
    directory: CString,
    parent: Option<Pid>,
}

impl Prepared {
    /// Runs in the forked copy.
    fn become_task(&self) -> rustix::io::Result<()> {
        if let Some(join) = &self.join {
            rustix::io::write(join, b"0")?;
        }
        rustix::process::setsid()?;
        if self.has_terminal {
            // SAFETY: standard input is the terminal, and this process leads a session without one.
            let stdin = unsafe { BorrowedFd::borrow_raw(nix::libc::STDIN_FILENO) };
            rustix::process::ioctl_tiocsctty(stdin.as_fd())?;
        }
        if let Some((uid, gid, groups)) = &self.user {
            // These change the calling thread, the only one of the forked copy.
            rustix::thread::set_thread_groups(groups)?;
            rustix::thread::set_thread_res_gid(*gid, *gid, *gid)?;
            rustix::thread::set_thread_res_uid(*uid, *uid, *uid)?;
        }
        // After the change of user, which clears it.
        rustix::process::set_parent_process_death_signal(Some(Signal::KILL))?;
        if rustix::process::getppid() != self.parent {
            return Err(rustix::io::Errno::SRCH);
        }
        rustix::process::umask(rustix::fs::Mode::WGRP | rustix::fs::Mode::WOTH);
        rustix::process::chdir(self.directory.as_c_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_becomes_root_beside_a_task_that_has_not_begun() {
        let outer = tempfile::tempdir().unwrap();
        let of = |is_running| Account::of(outer.path(), is_running).map(|account| account.uid);
        let me = nix::unistd::Uid::effective();
        if !me.is_root() {
            assert_eq!(of(false).unwrap(), me.as_raw(), "who can become nobody else");
            return;
        }
        let refused = |is_running| {
            let error = of(is_running).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::PermissionDenied);
            assert!(error.to_string().contains("the task has not begun"), "{error}");
        };
        // Before the executor has made the folder, and where it has none.
        refused(false);
        refused(true);
        // Between the making and the giving.
        let inner = outer.path().join(TASKS);
        std::fs::create_dir(&inner).unwrap();
        refused(false);
        assert_eq!(of(true).unwrap(), 0, "a task of root's");
        std::os::unix::fs::chown(&inner, Some(12_345), Some(12_345)).unwrap();
        assert_eq!(of(false).unwrap(), 12_345);
        // What others have put there counts for nothing.
        std::os::unix::fs::chown(outer.path(), Some(54_321), Some(54_321)).unwrap();
        std::os::unix::fs::chown(&inner, Some(0), Some(0)).unwrap();
        assert_eq!(of(true).unwrap(), 54_321);
    }
}
