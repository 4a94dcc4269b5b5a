//! A task that is ready to run, and running it.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;

use aurora_model::config::Task;
use aurora_thermos::checkpoint::record::Header;
use aurora_thermos::checkpoint::{self, is_task_id};
use aurora_thermos::names::Names;
use aurora_thermos::process::children::Children;
use aurora_thermos::process::output::create_sandbox;
use aurora_thermos::process::tree;
use aurora_thermos::process::user::Credentials;
use aurora_thermos::runner::{self, Command, Config, End, LOG_DIR};
use aurora_thermos::spec::TaskSpec;
use serde::{Deserialize, Serialize};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::{mpsc, oneshot};

use super::find::absolute;
use super::source::usage;
use crate::failure::{Code, Failure};
use crate::runtime::block_on;

/// How long processes have when the task is told to end.
const GRACE: Duration = Duration::from_secs(60);

/// What is to be run, where, and as whom.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Prepared {
    pub(super) task_id: String,
    pub(super) task: Task,
    /// Where it is written down.
    pub(super) root: PathBuf,
    /// The folder in which the sandbox is made, under the task's id.
    pub(super) sandboxes: PathBuf,
    pub(super) user: String,
    pub(super) ports: BTreeMap<String, u16>,
}

/// A task with all that it takes to run it.
pub(super) struct Ready {
    config: Config,
}

impl Prepared {
    /// Makes the sandbox. Nothing runs, and nothing is written down, unless this succeeds.
    pub(super) fn ready(self) -> Result<Ready, Failure> {
        if !is_task_id(&self.task_id) {
            return Err(usage(format!("{:?} cannot be a task's id", self.task_id)));
        }
        let user = identity(&self.user)?;
        let hostname = rustix::system::uname().nodename().to_string_lossy().into_owned();
        let invalid =
            |error: &dyn std::fmt::Display| usage(format!("the task cannot be run: {error}"));
        // It is the only instance.
        let mut names = Names::new(&self.task_id, &user.name, 0, &hostname, &self.ports);
        let (task, task_json) = names.bind(&self.task).map_err(|error| invalid(&error))?;
        if !names.unbound().is_empty() {
            let unbound: Vec<String> =
                names.unbound().iter().map(|name| format!("{{{{{name}}}}}")).collect();
            return Err(invalid(&format!("nothing is bound to {}", unbound.join(", "))));
        }
        let mut spec = TaskSpec::new(&task).map_err(|error| invalid(&error))?;
        // Somebody looks on, who can end what starts again and again.
        spec.max_runs = None;
        let failed = |what: &str, path: &Path, error: &dyn std::fmt::Display| {
            Failure::new(Code::Error, format!("failed to {what} {}: {error}", path.display()))
        };
        let root =
            absolute(&self.root).map_err(|error| failed("make the root", &self.root, &error))?;
        if checkpoint::path(&root, &self.task_id).exists() {
            return Err(Failure::new(
                Code::CommandFailure,
                format!(
                    "task {:?} has been run on this machine before, or is still running",
                    self.task_id
                ),
            ));
        }
        let sandboxes = absolute(&self.sandboxes)
            .map_err(|error| failed("make the folder", &self.sandboxes, &error))?;
        let path = sandboxes.join(&self.task_id);
        let process = |error: std::io::Error| {
            Failure::new(Code::Error, format!("failed to look at this process: {error}"))
        };
        let header = Header {
            task_id: self.task_id,
            task_json,
            job: None,
            log_dir: path.join(LOG_DIR),
            sandbox: path,
            hostname,
            user: user.name.clone(),
            uid: user.uid,
            ports: self.ports,
            runner: tree::identify(std::process::id().cast_signed()).map_err(process)?,
            boot_id: tree::boot_id().map_err(process)?,
        };
        let environment: Vec<(OsString, OsString)> =
            std::env::var_os("PATH").map(|path| ("PATH".into(), path)).into_iter().collect();
        // The last thing that is done: nothing is left of a task that cannot run.
        let sandbox = create_sandbox(&header.sandbox, Some(&user))
            .map_err(|error| failed("make the sandbox", &header.sandbox, &error))?;
        let config = Config {
            checkpoint_root: root,
            header,
            sandbox,
            task: spec,
            user: Some(user),
            image: None,
            environment,
        };
        Ok(Ready { config })
    }
}

/// Who processes run as.
fn identity(name: &str) -> Result<Credentials, Failure> {
    let failed = |error: aurora_thermos::process::user::UserError| {
        Failure::new(Code::InvalidParameter, error.to_string())
    };
    let current = Credentials::current().map_err(failed)?;
    if current.name == name {
        return Ok(current);
    }
    if !Credentials::may_switch() {
        return Err(Failure::new(
            Code::InvalidParameter,
            format!("user {} may not run a task as {name}: only root can", current.name),
        ));
    }
    Credentials::lookup(name).map_err(failed)
}

impl Ready {
    pub(super) fn task_id(&self) -> &str {
        &self.config.header.task_id
    }

    pub(super) fn sandbox(&self) -> &Path {
        &self.config.header.sandbox
    }

    /// Runs the task to its end on this thread, with which its processes would end.
    ///
    /// The first SIGINT, SIGTERM or SIGHUP gives its processes a minute, as SIGUSR1 does; another
    /// one none, as SIGQUIT does. With SIGUSR2 the task is given up (`executor.md` 5.4).
    pub(super) fn run(self) -> Result<End, Failure> {
        let failed = |what: &str, error: &dyn std::fmt::Display| {
            Failure::new(Code::Error, format!("failed to {what}: {error}"))
        };
        block_on(async {
            let mut signals = Signals::take().map_err(|error| failed("watch signals", &error))?;
            let children = Children::adopt()
                .map_err(|error| failed("become the parent of orphaned processes", &error))?;
            let (commands, receiver) = mpsc::unbounded_channel();
            let (sender, _running) = oneshot::channel();
            let sandbox = self.config.header.sandbox.clone();
            let task = runner::run(self.config, children, receiver, sender);
            tokio::pin!(task);
            loop {
                tokio::select! {
                    end = &mut task => return end.map_err(|error| {
                        // If it did not begin there is nothing in it, and its id may be used again.
                        let _stays_if_used = std::fs::remove_dir(&sandbox);
                        failed("run the task", &error)
                    }),
                    command = signals.next() => {
                        // A runner that is about to end takes no more commands.
                        let _ = commands.send(command);
                    }
                }
            }
        })
    }
}

/// What the runner is told from outside.
struct Signals {
    interrupt: Signal,
    terminate: Signal,
    hangup: Signal,
    kill: Signal,
    quit: Signal,
    lose: Signal,
    /// Whether one of the first three has come.
    told: bool,
}

impl Signals {
    fn take() -> std::io::Result<Self> {
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            hangup: signal(SignalKind::hangup())?,
            kill: signal(SignalKind::user_defined1())?,
            quit: signal(SignalKind::quit())?,
            lose: signal(SignalKind::user_defined2())?,
            told: false,
        })
    }

    async fn next(&mut self) -> Command {
        let (name, grace) = tokio::select! {
            _ = self.interrupt.recv() => ("SIGINT", self.patience()),
            _ = self.terminate.recv() => ("SIGTERM", self.patience()),
            _ = self.hangup.recv() => ("SIGHUP", self.patience()),
            _ = self.kill.recv() => ("SIGUSR1", GRACE),
            _ = self.quit.recv() => ("SIGQUIT", Duration::ZERO),
            _ = self.lose.recv() => {
                return Command::Lose { reason: "Given up by SIGUSR2.".to_owned() };
            }
        };
        Command::Kill { reason: format!("Told to end by {name}."), grace }
    }

    fn patience(&mut self) -> Duration {
        if std::mem::replace(&mut self.told, true) { Duration::ZERO } else { GRACE }
    }
}
