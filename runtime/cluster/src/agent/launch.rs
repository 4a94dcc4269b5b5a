//! Starting an executor, and waiting for the end of one.

use std::fs::{self, File};
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::chown;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use aurora_mesos::v1;
use rustix::process::{Pid, PidfdFlags, WaitId, WaitIdOptions, pidfd_open, waitid};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

use super::fetch;

/// A process, told from others of its id by its start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Process {
    pub(crate) pid: i32,
    pub(crate) start_ticks: u64,
}

/// What an executor is told through its environment.
#[derive(Debug, Clone)]
pub(crate) struct Surroundings {
    pub(crate) agent_address: std::net::SocketAddr,
    pub(crate) agent_id: String,
    pub(crate) shutdown_grace: Duration,
    pub(crate) recovery_timeout: Duration,
}

/// Starts an executor in its sandbox, which holds what was to be downloaded, and in a cgroup if there is
/// one to join. It outlives this process.
pub(crate) fn start(
    framework: &v1::FrameworkInfo,
    executor: &v1::ExecutorInfo,
    sandbox: &Path,
    cgroup: Option<File>,
    surroundings: &Surroundings,
) -> io::Result<Process> {
    let command = executor.command.clone().unwrap_or_default();
    let user = command.user.clone().unwrap_or_else(|| framework.user.clone());
    let credentials = credentials(&user)?;
    fetch::copy(&command.uris, sandbox)?;
    let stdout = File::options().create(true).append(true).open(sandbox.join("stdout"))?;
    let stderr = File::options().create(true).append(true).open(sandbox.join("stderr"))?;
    if let Some((uid, gid)) = credentials {
        for path in [sandbox, &sandbox.join("stdout"), &sandbox.join("stderr")] {
            chown(path, Some(uid), Some(gid))?;
        }
    }
    let value = command.value.clone().unwrap_or_default();
    let mut child = if command.shell.unwrap_or(true) {
        let mut shell = Command::new("/bin/sh");
        shell.arg("-c").arg(value);
        shell
    } else {
        let mut program = Command::new(value);
        program.args(command.arguments.iter().skip(1));
        program
    };
    child.env_clear().envs(environment(framework, executor, sandbox, surroundings));
    for variable in command.environment.iter().flat_map(|environment| &environment.variables) {
        child.env(&variable.name, variable.value.clone().unwrap_or_default());
    }
    child.current_dir(sandbox).stdin(Stdio::null()).stdout(stdout).stderr(stderr);
    // Signals for the agent's terminal and group are not for executors.
    child.process_group(0);
    if let Some((uid, gid)) = credentials {
        child.uid(uid).gid(gid);
    }
    if let Some(join) = cgroup {
        #[expect(unsafe_code, reason = "there is no other way to be in it before anything runs")]
        // SAFETY: Between fork and exec this makes one system call, and nothing else.
        unsafe {
            child.pre_exec(move || {
                // Without a cgroup it runs as well.
                let _ = rustix::io::write(&join, b"0");
                Ok(())
            });
        }
    }
    let child = child.spawn()?;
    let pid = child.id().cast_signed();
    Ok(Process { pid, start_ticks: start_ticks(pid)? })
}

/// Exactly what Mesos sets.
pub(crate) fn environment(
    framework: &v1::FrameworkInfo,
    executor: &v1::ExecutorInfo,
    sandbox: &Path,
    surroundings: &Surroundings,
) -> Vec<(&'static str, String)> {
    let address = surroundings.agent_address;
    let sandbox = sandbox.to_string_lossy().into_owned();
    let checkpoint = framework.checkpoint.unwrap_or(false);
    let secs = |duration: Duration| format!("{}secs", duration.as_secs_f64());
    let mut all = vec![
        ("LIBPROCESS_IP", address.ip().to_string()),
        ("LIBPROCESS_PORT", "0".to_owned()),
        ("MESOS_SLAVE_ID", surroundings.agent_id.clone()),
        ("MESOS_SLAVE_PID", format!("slave(1)@{address}")),
        ("MESOS_AGENT_ENDPOINT", address.to_string()),
        (
            "MESOS_FRAMEWORK_ID",
            framework.id.as_ref().map(|id| id.value.clone()).unwrap_or_default(),
        ),
        ("MESOS_EXECUTOR_ID", executor.executor_id.value.clone()),
        ("MESOS_DIRECTORY", sandbox.clone()),
        ("MESOS_SANDBOX", sandbox),
        ("MESOS_CHECKPOINT", u8::from(checkpoint).to_string()),
        ("MESOS_HTTP_COMMAND_EXECUTOR", "0".to_owned()),
        ("MESOS_EXECUTOR_SHUTDOWN_GRACE_PERIOD", secs(surroundings.shutdown_grace)),
        ("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin".to_owned()),
    ];
    if checkpoint {
        all.push(("MESOS_RECOVERY_TIMEOUT", secs(surroundings.recovery_timeout)));
        all.push(("MESOS_SUBSCRIPTION_BACKOFF_MAX", "2secs".to_owned()));
    }
    all
}

/// The ids of a user to become; none if this process is that user, or may not become another.
fn credentials(name: &str) -> io::Result<Option<(u32, u32)>> {
    let me = nix::unistd::Uid::effective();
    if !me.is_root() {
        return Ok(None);
    }
    let user = nix::unistd::User::from_name(name)?.ok_or_else(|| {
        io::Error::new(
            io::ErrorKind::NotFound,
            format!("there is no user {name:?} on this machine"),
        )
    })?;
    Ok((user.uid != me).then(|| (user.uid.as_raw(), user.gid.as_raw())))
}

/// When a process started, in clock ticks since boot.
fn start_ticks(pid: i32) -> io::Result<u64> {
    let process = procfs::process::Process::new(pid).map_err(io::Error::other)?;
    process.stat().map(|stat| stat.starttime).map_err(io::Error::other)
}

/// This boot of the machine.
pub(crate) fn boot_id() -> io::Result<String> {
    Ok(fs::read_to_string("/proc/sys/kernel/random/boot_id")?.trim().to_owned())
}

/// A descriptor of exactly this process; none if it has ended.
pub(crate) fn handle(process: &Process) -> Option<OwnedFd> {
    let handle = pidfd_open(Pid::from_raw(process.pid)?, PidfdFlags::NONBLOCK).ok()?;
    // From here on the descriptor stands for one process. Is it the one that is meant?
    (start_ticks(process.pid).ok()? == process.start_ticks).then_some(handle)
}

/// Waits for the end of a process. Gives its wait status, if it was a child of this one.
pub(crate) async fn ended(handle: OwnedFd) -> Option<i32> {
    #[expect(unsafe_code, reason = "the only constructor that is not deprecated")]
    // SAFETY: An `OwnedFd` always gives the same descriptor, which is open as long as it lives.
    let handle = unsafe { AsyncFd::register_with_interest(handle, Interest::READABLE) }.ok()?;
    loop {
        let mut ready = handle.readable().await.ok()?;
        let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG;
        match waitid(WaitId::PidFd(handle.get_ref().as_fd()), options) {
            Ok(Some(status)) => {
                let code = status.exit_status().map(|code| code << 8);
                return code.or_else(|| status.terminating_signal());
            }
            Ok(None) => ready.clear_ready(),
            // Somebody else's child: its end is known, its status is not.
            Err(_) => return None,
        }
    }
}
