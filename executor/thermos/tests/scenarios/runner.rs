//! The runner of a scenario: the shell that a command line would be.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::Duration;

use aurora_thermos::checkpoint::record::Header;
use aurora_thermos::process::children::Children;
use aurora_thermos::process::tree::{boot_id, identify};
use aurora_thermos::process::user::Credentials;
use aurora_thermos::runner::{self, Command, Config, LOG_DIR};
use aurora_thermos::spec::{Logger, TaskSpec};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{mpsc, oneshot};

/// What a runner is told.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Setup {
    pub(crate) root: PathBuf,
    pub(crate) id: String,
    pub(crate) sandbox: PathBuf,
    pub(crate) task: Value,
    pub(crate) user: Option<String>,
    pub(crate) ports: BTreeMap<String, u16>,
    /// How long a kill leaves the processes, in milliseconds.
    pub(crate) grace_ms: u64,
    pub(crate) without_run_limit: bool,
    /// Destination, mode, MiB and backups.
    pub(crate) logger: (String, String, u64, u32),
}

/// Runs a task and ends this process: with 0 if the task has come to an end, with 1 and a message
/// if there was none to be had, with 2 if what it was told makes no sense.
///
/// SIGUSR1 and SIGINT kill the task, SIGUSR2 gives it up.
pub(crate) fn be_runner(setup: &Path) -> ! {
    // A line of its own behind what the test program has printed.
    println!();
    let setup: Setup = serde_json::from_str(&std::fs::read_to_string(setup).unwrap()).unwrap();
    let code = match config(&setup) {
        Ok(config) => {
            // One thread: the task's processes end with the thread that starts them.
            let runtime =
                tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            match runtime.block_on(run(config, Duration::from_millis(setup.grace_ms))) {
                Ok(()) => 0,
                Err(error) => {
                    eprintln!("{error}");
                    1
                }
            }
        }
        Err(error) => {
            eprintln!("{error}");
            2
        }
    };
    std::process::exit(code);
}

fn config(setup: &Setup) -> Result<Config, String> {
    let (destination, mode, mib, backups) = &setup.logger;
    let logger = Logger::from_flags(destination, mode, *mib, *backups);
    let logger = logger.map_err(|error| error.to_string())?;
    let task = serde_json::from_value(setup.task.clone()).map_err(|error| error.to_string())?;
    let mut task = TaskSpec::with_logger(&task, logger).map_err(|error| error.to_string())?;
    if setup.without_run_limit {
        task.max_runs = None;
    }
    let user = setup.user.as_deref().map_or_else(Credentials::current, Credentials::lookup);
    let user = user.map_err(|error| error.to_string())?;
    let header = Header {
        task_id: setup.id.clone(),
        task_json: setup.task.to_string(),
        job: None,
        log_dir: setup.sandbox.join(LOG_DIR),
        hostname: "box".to_owned(),
        user: user.name.clone(),
        uid: user.uid,
        ports: setup.ports.clone(),
        runner: identify(std::process::id().cast_signed()).unwrap(),
        boot_id: boot_id().unwrap(),
        sandbox: setup.sandbox.clone(),
    };
    Ok(Config {
        checkpoint_root: setup.root.clone(),
        header,
        sandbox: File::open(&setup.sandbox).unwrap().into(),
        task,
        user: Some(user),
        image: None,
        environment: vec![("PATH".into(), std::env::var_os("PATH").unwrap())],
    })
}

async fn run(config: Config, grace: Duration) -> Result<(), runner::RunError> {
    let children = Children::adopt().unwrap();
    let (commands, receiver) = mpsc::unbounded_channel();
    let (started, _unused) = oneshot::channel();
    let kinds = [SignalKind::user_defined1(), SignalKind::interrupt(), SignalKind::user_defined2()];
    let [mut kill, mut interrupt, mut lose] = kinds.map(|kind| signal(kind).unwrap());
    let run = runner::run(config, children, receiver, started);
    tokio::pin!(run);
    let killed = || Command::Kill { reason: "asked to".to_owned(), grace };
    loop {
        let command = tokio::select! {
            end = &mut run => return end.map(drop),
            _ = kill.recv() => killed(),
            _ = interrupt.recv() => killed(),
            _ = lose.recv() => Command::Lose { reason: "given up".to_owned() },
        };
        commands.send(command).unwrap();
    }
}
