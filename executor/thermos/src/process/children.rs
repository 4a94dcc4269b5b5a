//! The children of this process: one place that starts them and collects them all.
//!
//! As a child subreaper this process becomes the parent of every orphan among its descendants and
//! has to collect it when it ends, or it stays as a zombie. The kernel's "wait for any child" can
//! be called from one place only, so a process that uses [`Children`] must start *every* child
//! through it.

#![expect(unsafe_code, reason = "nothing safe looks at a dead child without collecting it")]

use std::collections::BTreeMap;
use std::io;
use std::os::unix::process::ExitStatusExt as _;
use std::process::{self, ExitStatus};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use std::time::Duration;

use rustix::io::{Errno, retry_on_intr};
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, waitid};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{oneshot, watch};
use tokio::time::Instant;

use super::tree::{self, Stat};
use crate::checkpoint::record::ProcessIdentity;

/// How often [`Children::kill_all`] looks whether what it has killed is dead.
const LOOK_AGAIN: Duration = Duration::from_millis(10);

/// How often it is looked for living descendants until a look finds none and nothing dying.
const MAX_LOOKS: usize = 64;

/// How a process ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// By itself, with this exit code.
    Code(i32),
    /// By this signal.
    Signal(i32),
}

impl std::fmt::Display for Exit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Code(code) => write!(f, "exit code {code}"),
            Self::Signal(number) => {
                let name = nix::sys::signal::Signal::try_from(*number).map(|s| s.as_str());
                write!(f, "signal {}", name.map_or_else(|_| number.to_string(), str::to_owned))
            }
        }
    }
}

impl From<ExitStatus> for Exit {
    fn from(status: ExitStatus) -> Self {
        match (status.code(), status.signal()) {
            (Some(code), _) => Self::Code(code),
            (None, signal) => Self::Signal(signal.unwrap_or(0)),
        }
    }
}

/// A child that was started.
#[derive(Debug)]
pub struct Child {
    /// The process, which leads its own session and group.
    pub identity: ProcessIdentity,
    /// How it ended, once it has. Never closed without a value while [`Children`] lives.
    pub exit: oneshot::Receiver<Exit>,
}

/// The children of this process. Clones are the same.
#[derive(Debug, Clone)]
pub struct Children {
    shared: Arc<Shared>,
    /// Whether what is started through this is no part of the task.
    helpers: bool,
}

/// A child that has not been collected.
#[derive(Debug)]
struct Known {
    told: oneshot::Sender<Exit>,
    helper: bool,
}

#[derive(Debug)]
struct Shared {
    /// By process id, which is that of the child's session too.
    known: Mutex<BTreeMap<i32, Known>>,
    spare_sessions: AtomicBool,
    changes: watch::Sender<u64>,
}

impl Children {
    /// Makes this process a subreaper and starts to collect its children. Must be called once in a
    /// process, inside a tokio runtime, before the first child is started.
    ///
    /// # Errors
    /// The kernel refuses.
    pub fn adopt() -> io::Result<Self> {
        let me = rustix::process::getpid();
        rustix::process::set_child_subreaper(Some(me))?;
        let mut ended = signal(SignalKind::child())?;
        let shared = Arc::new(Shared {
            known: Mutex::new(BTreeMap::new()),
            spare_sessions: AtomicBool::new(false),
            changes: watch::Sender::new(0),
        });
        let weak = Arc::downgrade(&shared);
        tokio::spawn(async move {
            while ended.recv().await.is_some() {
                let Some(shared) = weak.upgrade() else { return };
                shared.collect();
            }
        });
        Ok(Self { shared, helpers: false })
    }

    /// The same children, for starting what is no part of the task, such as a health check: it is
    /// neither counted among what lives nor signalled with it, and what is left of its session is
    /// killed when it ends, whatever else is spared.
    #[must_use]
    pub fn helpers(&self) -> Self {
        Self { shared: self.shared.clone(), helpers: true }
    }

    /// Starts a child that makes itself the leader of a session, as [`super::spawn`] prepares it.
    ///
    /// Must be called from a thread that lives as long as the runner: the kernel ends the child
    /// together with the *thread* that started it.
    ///
    /// # Errors
    /// It cannot be started.
    pub fn start(&self, command: &mut process::Command) -> io::Result<(Child, process::Child)> {
        // The lock is held until the child is known, so that its end cannot be missed.
        let mut known = self.shared.known();
        let child = command.spawn()?;
        let pid = child.id().cast_signed();
        let (sender, exit) = oneshot::channel();
        known.insert(pid, Known { told: sender, helper: self.helpers });
        // Not collected yet, so it can be looked at even if it has already ended.
        let identity = tree::identify(pid).unwrap_or(ProcessIdentity { pid, start_ticks: 0 });
        Ok((Child { identity, exit }, child))
    }

    /// Changes whenever some descendant of this process was collected.
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.shared.changes.subscribe()
    }

    /// Whether the rest of a child's session may live on when the child ends. If not, as is the
    /// case in the beginning, it is killed: a process is over when its shell is.
    pub fn spare_sessions(&self, spare: bool) {
        self.shared.spare_sessions.store(spare, Ordering::Relaxed);
    }

    /// Everything that descends from this process and is neither a zombie nor a helper.
    ///
    /// # Errors
    /// `/proc` cannot be read.
    pub fn living(&self) -> io::Result<Vec<Stat>> {
        self.look(false)
    }

    /// Everything that descends from this process and is no zombie; helpers only if `helpers`.
    fn look(&self, helpers: bool) -> io::Result<Vec<Stat>> {
        let mut dead_before: Vec<ProcessIdentity> = Vec::new();
        for _ in 0..MAX_LOOKS {
            let tree::Descendants { found, all_there } =
                tree::descendants(process::id().cast_signed())?;
            let known = self.shared.known();
            let helps = |stat: &&Stat| known.get(&stat.session).is_some_and(|child| child.helper);
            let (dead, living): (Vec<Stat>, Vec<Stat>) =
                found.iter().filter(|stat| helpers || !helps(stat)).partition(|stat| stat.zombie);
            drop(known);
            if !living.is_empty() {
                return Ok(living);
            }
            // The child of one that died during the look has a new parent, who was looked at
            // before. That of one that was dead already was seen there.
            let dead: Vec<ProcessIdentity> = dead.iter().map(|stat| stat.identity).collect();
            if all_there && dead.iter().all(|dead| dead_before.contains(dead)) {
                break;
            }
            dead_before = dead;
        }
        Ok(Vec::new())
    }

    /// Sends a signal to everything that lives.
    ///
    /// # Errors
    /// `/proc` cannot be read. A single process that cannot be signalled is logged.
    pub fn signal_all(&self, signal: Signal) -> io::Result<Vec<Stat>> {
        let living = self.living()?;
        tree::signal_each(&living, signal);
        Ok(living)
    }

    /// Kills everything that lives but helpers, and what it starts meanwhile, until all of it is dead or
    /// `patience` is over. Gives what is still there then.
    ///
    /// # Errors
    /// `/proc` cannot be read.
    pub async fn kill_all(&self, patience: Duration) -> io::Result<Vec<Stat>> {
        self.kill(false, patience).await
    }

    /// The same with helpers: for the end of this process, which nothing is to outlive.
    ///
    /// # Errors
    /// `/proc` cannot be read.
    pub async fn leave_nothing(&self, patience: Duration) -> io::Result<Vec<Stat>> {
        self.kill(true, patience).await
    }

    async fn kill(&self, helpers: bool, patience: Duration) -> io::Result<Vec<Stat>> {
        let deadline = Instant::now() + patience;
        loop {
            let living = tree::kill_each(|| self.look(helpers), deadline).await?;
            if living.is_empty() || Instant::now() >= deadline {
                return Ok(living);
            }
            tokio::time::sleep(LOOK_AGAIN).await;
        }
    }
}

impl Shared {
    fn known(&self) -> MutexGuard<'_, BTreeMap<i32, Known>> {
        // An insert or a remove is all that happens under the lock.
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Collects every child that has ended.
    fn collect(&self) {
        let mut collected = 0;
        // Held throughout: a child that fails to start is collected by `start`.
        let mut known = self.known();
        loop {
            // Look first: until it is collected, its id belongs to nobody else.
            let pid = match dead_child() {
                Ok(Some(pid)) => pid,
                Ok(None) => break,
                Err(error) => {
                    tracing::error!(%error, "failed to wait for child processes");
                    break;
                }
            };
            let waiting = known.remove(&pid.as_raw_pid());
            let spare = self.spare_sessions.load(Ordering::Relaxed);
            if waiting.as_ref().is_some_and(|child| child.helper || !spare) {
                kill_session(pid.as_raw_pid());
            }
            // It has ended, so this does not wait.
            let exit = match retry_on_intr(|| waitid(WaitId::Pid(pid), WaitIdOptions::EXITED)) {
                // As plain numbers: there are signals without a name.
                Ok(Some(status)) => match status.exit_status() {
                    Some(code) => Exit::Code(code),
                    None => Exit::Signal(status.terminating_signal().unwrap_or(0)),
                },
                Ok(None) | Err(Errno::CHILD) => {
                    tracing::error!(%pid, "a child process was collected by somebody else");
                    continue;
                }
                Err(error) => {
                    tracing::error!(%error, %pid, "failed to collect a child process");
                    break;
                }
            };
            collected += 1;
            match waiting {
                // Nobody may be interested any more.
                Some(child) => drop(child.told.send(exit)),
                None => tracing::debug!(%pid, %exit, "collected an orphan"),
            }
        }
        drop(known);
        if collected > 0 {
            self.changes.send_modify(|count| *count += 1);
        }
    }
}

/// A child that has ended and is still to be collected, if there is one.
fn dead_child() -> io::Result<Option<Pid>> {
    let options = nix::libc::WEXITED | nix::libc::WNOHANG | nix::libc::WNOWAIT;
    loop {
        // SAFETY: a record of plain numbers, for which zeros are a valid value.
        let mut found: nix::libc::siginfo_t = unsafe { std::mem::zeroed() };
        // SAFETY: `found` is a record of the right kind that nothing else refers to.
        let result = unsafe { nix::libc::waitid(nix::libc::P_ALL, 0, &raw mut found, options) };
        if result == 0 {
            // SAFETY: `waitid` has filled in that part of the record, or left it zero.
            return Ok(Pid::from_raw(unsafe { found.si_pid() }));
        }
        match Errno::from_io_error(&io::Error::last_os_error()) {
            Some(Errno::INTR) => {}
            Some(Errno::CHILD) => return Ok(None),
            other => return Err(other.unwrap_or(Errno::IO).into()),
        }
    }
}

/// Kills what is left of the session of a leader that has ended but was not collected yet.
fn kill_session(leader: i32) {
    // A member may fork while the others are killed, its child may do so too; but the dead cannot.
    for _ in 0..64 {
        let members = match tree::descendants(process::id().cast_signed()) {
            Ok(all) => all.found,
            Err(error) => {
                tracing::error!(%error, "failed to look for the rest of a session");
                return;
            }
        };
        let mut killed = false;
        for member in members.iter().filter(|stat| stat.session == leader && !stat.zombie) {
            killed = true;
            if let Err(error) = tree::signal(member.identity, Signal::KILL) {
                tracing::warn!(%error, pid = member.identity.pid, "failed to kill a process");
            }
        }
        if !killed {
            return;
        }
    }
}
