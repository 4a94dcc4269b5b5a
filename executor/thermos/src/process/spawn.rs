//! Starting one process of a task (`executor.md` 9).

#![expect(unsafe_code, reason = "between fork and exec only system calls may be made")]

use std::ffi::{CString, OsString};
use std::fs::File;
use std::io::{self, Read as _};
use std::os::fd::{AsFd as _, AsRawFd as _, BorrowedFd, OwnedFd, RawFd};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::process::CommandExt as _;
use std::process::{Command, Stdio};

use rustix::fs::{Mode, OFlags, openat};
use rustix::process::{Pid, Signal};
use rustix::thread::{Gid, LinkNameSpaceType, Uid, move_into_link_name_space};

use super::children::{Child, Children};
use super::image::Place;
use super::user::Credentials;

/// The shell of the machine.
const SHELL: &str = "/bin/bash";

/// What to start.
#[derive(Debug)]
pub struct Launch<'a> {
    /// The command line, for the shell.
    pub command: &'a str,
    /// The whole environment.
    pub environment: &'a [(OsString, OsString)],
    /// Where it runs.
    pub place: Place<'a>,
    /// Who to become; `None` to stay who this process is.
    pub user: Option<&'a Credentials>,
    /// Where standard output goes.
    pub stdout: Sink<'a>,
    /// Where standard error goes.
    pub stderr: Sink<'a>,
}

/// Where a process prints to.
#[derive(Debug, Clone, Copy)]
pub enum Sink<'a> {
    /// To a new file `name` in a directory, which the process itself creates, as its own user.
    File(BorrowedFd<'a>, &'static str),
    /// To where this process prints to.
    Inherit,
    /// To a pipe, which [`launch`] returns.
    Pipe,
}

/// A process that was started.
#[derive(Debug)]
pub struct Launched {
    /// The process.
    pub child: Child,
    /// The end of the pipe, if its standard output is one.
    pub stdout: Option<OwnedFd>,
    /// The end of the pipe, if its standard error is one.
    pub stderr: Option<OwnedFd>,
}

/// Why a process did not start.
#[derive(Debug, thiserror::Error)]
#[error("failed to {step}: {source}")]
pub struct LaunchError {
    step: String,
    source: io::Error,
}

/// What the forked copy does before it becomes the shell, in this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
enum Step {
    Session = 1,
    Image,
    Groups,
    Group,
    User,
    DeathSignal,
    Directory,
    Stdout,
    Stderr,
}

impl Step {
    const ALL: [Self; 9] = [
        Self::Session,
        Self::Image,
        Self::Groups,
        Self::Group,
        Self::User,
        Self::DeathSignal,
        Self::Directory,
        Self::Stdout,
        Self::Stderr,
    ];

    fn describe(self, launch: &Launch<'_>) -> String {
        let user = launch.user.map_or("", |user| user.name.as_str());
        match self {
            Self::Session => "start a session".to_owned(),
            Self::Image => format!("enter {}", launch.shell().1),
            Self::Groups => format!("take on the groups of user {user:?}"),
            Self::Group => format!("take on the primary group of user {user:?}"),
            Self::User => format!("become user {user:?}"),
            Self::DeathSignal => "tie the process to its runner".to_owned(),
            Self::Directory => "enter its directory".to_owned(),
            Self::Stdout => "create the file for standard output".to_owned(),
            Self::Stderr => "create the file for standard error".to_owned(),
        }
    }
}

impl Launch<'_> {
    /// The shell, and what it belongs to.
    fn shell(&self) -> (&'static str, String) {
        match self.place {
            Place::Machine(_) => (SHELL, "this machine".to_owned()),
            Place::Image(image) => (image.shell, format!("the image {}", image.path.display())),
        }
    }
}

/// Starts `/bin/bash -c <command>`, or the shell of its image, as the leader of a new session.
///
/// The process has standard input from `/dev/null`, no other open file, default signal handling,
/// umask 022, and dies with the thread that calls this.
///
/// # Errors
/// It cannot be started; the error says which step failed.
pub fn launch(children: &Children, launch: &Launch<'_>) -> Result<Launched, LaunchError> {
    let failed = |step: &str| {
        let step = step.to_owned();
        move |source: io::Error| LaunchError { step, source }
    };
    // The forked copy writes the step that failed; its end is closed when it becomes the shell.
    let (mut report, reporter) = io::pipe().map_err(failed("create a pipe"))?;
    let (shell, of) = launch.shell();
    let mut command = Command::new(shell);
    command.arg("-c").arg(launch.command).env_clear();
    command.envs(launch.environment.iter().map(|(name, value)| (name, value)));
    let stdio = |sink| stdio(sink).map_err(failed("open a file for it"));
    command.stdin(nothing().map_err(failed("open its standard input"))?);
    command.stdout(stdio(launch.stdout)?).stderr(stdio(launch.stderr)?);
    let child = Prepared::new(launch, reporter.into()).map_err(failed("prepare the process"))?;
    // SAFETY: the closure makes system calls only and allocates nothing: all it needs was made
    // above, and its errors are plain numbers.
    unsafe { command.pre_exec(move || child.become_shell()) };
    let started = children.start(&mut command);
    // It holds the last open end of the pipe, but for that of the child.
    drop(command);
    match started {
        Ok((child, mut std_child)) => Ok(Launched {
            child,
            stdout: std_child.stdout.take().map(OwnedFd::from),
            stderr: std_child.stderr.take().map(OwnedFd::from),
        }),
        Err(source) => {
            let mut step = [0];
            let known = match report.read(&mut step) {
                Ok(1) => Step::ALL.into_iter().find(|known| *known as u8 == step[0]),
                _ => None,
            };
            let step = known
                .map_or_else(|| format!("start {shell} of {of}"), |step| step.describe(launch));
            Err(LaunchError { step, source })
        }
    }
}

fn stdio(sink: Sink<'_>) -> io::Result<Stdio> {
    Ok(match sink {
        // Replaced by the file before the shell starts.
        Sink::File(..) => nothing()?,
        Sink::Inherit => Stdio::inherit(),
        Sink::Pipe => Stdio::piped(),
    })
}

/// What is at its end: `/dev/null`, or in a container without one a pipe that nobody writes to.
fn nothing() -> io::Result<Stdio> {
    match File::open("/dev/null") {
        Ok(null) => Ok(null.into()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(io::pipe()?.0.into()),
        Err(error) => Err(error),
    }
}

/// A [`Place`] as the forked copy needs it.
enum Entry {
    Machine(OwnedFd),
    Image { namespace: OwnedFd, directory: CString },
}

/// All that the forked copy needs.
struct Prepared {
    reporter: OwnedFd,
    parent: Option<Pid>,
    user: Option<(Uid, Gid, Vec<Gid>)>,
    place: Entry,
    stdout: Option<(OwnedFd, CString)>,
    stderr: Option<(OwnedFd, CString)>,
}

impl Prepared {
    fn new(launch: &Launch<'_>, reporter: OwnedFd) -> io::Result<Self> {
        let file = |sink| match sink {
            Sink::File(directory, name) => {
                Ok::<_, io::Error>(Some((directory.try_clone_to_owned()?, CString::new(name)?)))
            }
            Sink::Inherit | Sink::Pipe => Ok(None),
        };
        Ok(Self {
            reporter,
            parent: Some(rustix::process::getpid()),
            user: launch.user.map(|user| {
                let groups = user.groups.iter().map(|gid| Gid::from_raw(*gid)).collect();
                (Uid::from_raw(user.uid), Gid::from_raw(user.gid), groups)
            }),
            place: match launch.place {
                Place::Machine(directory) => Entry::Machine(directory.try_clone_to_owned()?),
                Place::Image(image) => Entry::Image {
                    namespace: image.namespace.try_clone()?,
                    directory: CString::new(image.directory.as_os_str().as_bytes())?,
                },
            },
            stdout: file(launch.stdout)?,
            stderr: file(launch.stderr)?,
        })
    }

    /// Runs in the forked copy.
    fn become_shell(&self) -> io::Result<()> {
        self.take_steps().map_err(|(step, errno)| {
            // Without it the error only lacks the step.
            let _unreported = rustix::io::write(&self.reporter, &[step as u8]);
            io::Error::from(errno)
        })
    }

    fn take_steps(&self) -> Result<(), (Step, rustix::io::Errno)> {
        let at = |step: Step| move |errno| (step, errno);
        rustix::process::setsid().map_err(at(Step::Session))?;
        reset_signals();
        if let Entry::Image { namespace, .. } = &self.place {
            // Its root becomes that of the process. Nobody but root may do that.
            move_into_link_name_space(namespace.as_fd(), Some(LinkNameSpaceType::Mount))
                .map_err(at(Step::Image))?;
        }
        if let Some((uid, gid, groups)) = &self.user {
            // These change the calling thread, the only one of the forked copy.
            rustix::thread::set_thread_groups(groups).map_err(at(Step::Groups))?;
            rustix::thread::set_thread_res_gid(*gid, *gid, *gid).map_err(at(Step::Group))?;
            rustix::thread::set_thread_res_uid(*uid, *uid, *uid).map_err(at(Step::User))?;
        }
        // After the change of user, which clears it.
        rustix::process::set_parent_process_death_signal(Some(Signal::KILL))
            .map_err(at(Step::DeathSignal))?;
        if rustix::process::getppid() != self.parent {
            // The runner died before it could be noticed.
            return Err((Step::DeathSignal, rustix::io::Errno::SRCH));
        }
        rustix::process::umask(Mode::WGRP | Mode::WOTH);
        match &self.place {
            Entry::Machine(directory) => rustix::process::fchdir(directory),
            // By its name: a directory that was opened outside of the image leads out of it.
            Entry::Image { directory, .. } => rustix::process::chdir(directory.as_c_str()),
        }
        .map_err(at(Step::Directory))?;
        if let Some(file) = &self.stdout {
            redirect(file, nix::libc::STDOUT_FILENO).map_err(at(Step::Stdout))?;
        }
        if let Some(file) = &self.stderr {
            redirect(file, nix::libc::STDERR_FILENO).map_err(at(Step::Stderr))?;
        }
        close_others_on_exec();
        Ok(())
    }
}

fn redirect((directory, name): &(OwnedFd, CString), onto: RawFd) -> rustix::io::Result<()> {
    // A new file: what the job may have put there in its place, such as a link or a pipe that
    // nobody reads, is never opened.
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::APPEND | OFlags::CLOEXEC;
    let mode = Mode::RUSR | Mode::WUSR | Mode::RGRP | Mode::ROTH;
    let file = openat(directory.as_fd(), name.as_c_str(), flags, mode)?;
    // SAFETY: replaces a descriptor that nothing else in the forked copy refers to.
    match unsafe { nix::libc::dup2(file.as_raw_fd(), onto) } {
        -1 => Err(rustix::io::Errno::from_io_error(&io::Error::last_os_error())
            .unwrap_or(rustix::io::Errno::IO)),
        _ => Ok(()),
    }
}

/// Signals that this process ignores would stay ignored in the shell. The C library keeps two of
/// them to itself and refuses to change those: the kernel is asked instead.
fn reset_signals() {
    // The kernel's `struct sigaction`, on every architecture: `SIG_DFL`, no flags, an empty mask.
    let default = [0u64; 8];
    let previous = std::ptr::null::<u64>();
    for signal in 1..=64i32 {
        // SAFETY: reads the record, which is large enough, and writes nothing. It fails for the two
        // signals that cannot be changed, which is as well.
        unsafe {
            nix::libc::syscall(
                nix::libc::SYS_rt_sigaction,
                signal,
                default.as_ptr(),
                previous,
                size_of::<u64>(),
            );
        }
    }
}

/// Whatever was left open without this mark, by us or by who started us, ends at the shell. On a
/// kernel before 5.11 only our own files do, which have it from the start.
fn close_others_on_exec() {
    // SAFETY: marks descriptors; does not touch memory.
    unsafe {
        nix::libc::syscall(
            nix::libc::SYS_close_range,
            3u32,
            u32::MAX,
            nix::libc::CLOSE_RANGE_CLOEXEC,
        );
    }
}
