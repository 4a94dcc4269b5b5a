//! `aurora up -d`: the same in a process of its own, which goes on when this one returns.

use std::fs::OpenOptions;
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use aurora_client::{
    Scheduler,
    registry::{self, Registered},
};
use aurora_eval::ReadyJob;

use super::follow::Follow;
use super::{UpArgs, data};
use crate::failure::{Code, Failure};
use crate::output::note;

/// How long the cluster may take to start and to create the jobs, and the jobs then to run.
const PATIENCE: Duration = Duration::from_secs(60);
const LOOK: Duration = Duration::from_millis(20);
/// How much of the log is shown when it did not start.
const TAIL: usize = 20;

pub(super) fn run(args: &UpArgs, jobs: &[ReadyJob]) -> Result<(), Failure> {
    let folder = data::locate(args.data_dir.as_deref())?;
    let failed = |error: std::io::Error| {
        Failure::new(
            Code::Error,
            format!("failed to start the cluster in {}: {error}", folder.display()),
        )
    };
    std::fs::create_dir_all(&folder).map_err(failed)?;
    let log = data::log_file(&folder);
    // It may be that of another one that runs: the one that gets the folder empties it.
    let file =
        OpenOptions::new().create(true).append(true).mode(0o600).open(&log).map_err(failed)?;
    let before = file.metadata().map_err(failed)?.len();
    let program = std::env::current_exe().map_err(failed)?;
    let mut words: Vec<std::ffi::OsString> =
        std::env::args_os().skip(1).filter(|word| word != "-d" && word != "--detach").collect();
    // After `up`; what comes last may be a file.
    words.insert(1.min(words.len()), "--detached".into());
    let child = Command::new(program)
        .args(words)
        .stdin(Stdio::null())
        .stdout(file.try_clone().map_err(failed)?)
        .stderr(file)
        // Not of this terminal: its Ctrl-C and its end mean nothing to it.
        .process_group(0)
        .spawn()
        .map_err(failed)?;
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(failed)?;
    runtime.block_on(wait(child, jobs, &folder, (&log, before)))
}

async fn wait(
    mut child: Child,
    jobs: &[ReadyJob],
    folder: &Path,
    (log, before): (&Path, u64),
) -> Result<(), Failure> {
    let deadline = Instant::now() + PATIENCE;
    let registered = loop {
        if let Ok(Some(status)) = child.try_wait() {
            return Err(Failure::new(
                status.code().and_then(Code::of).unwrap_or(Code::Error),
                format!("the cluster did not start ({status}):\n{}", tail(log, before)),
            ));
        }
        if let Some(found) = find(&child)? {
            break found;
        }
        if Instant::now() > deadline {
            return Err(Failure::new(
                Code::Timeout,
                format!(
                    "the cluster (process {}) has not started within {} s; see {}",
                    child.id(),
                    PATIENCE.as_secs(),
                    log.display()
                ),
            ));
        }
        tokio::time::sleep(LOOK).await;
    };
    for line in tail(log, 0).lines() {
        note(line);
    }
    let scheduler = Scheduler::at(&registered.scheduler, Duration::from_secs(5))?;
    let mut follow = Follow::open(&scheduler, jobs, &folder.join("thermos"), false).await?;
    note(&format!("Scheduler  {}", registered.scheduler));
    note(&format!("Observer   {}", registered.observer));
    match tokio::time::timeout(PATIENCE, follow.until_running(&scheduler)).await {
        Ok(running) => running?,
        Err(_) => {
            return Err(Failure::new(
                Code::Timeout,
                format!(
                    "not every instance runs after {} s: `aurora job status` says why. The cluster \
                     goes on as process {}; `aurora down` stops it",
                    PATIENCE.as_secs(),
                    registered.pid
                ),
            ));
        }
    }
    note(&format!("Runs on as process {}; `aurora down` stops it", registered.pid));
    if follow.has_failed() { Err(Failure::said(Code::CommandFailure)) } else { Ok(()) }
}

fn find(child: &Child) -> Result<Option<Registered>, Failure> {
    let running = registry::running().map_err(|error| {
        Failure::new(Code::Error, format!("failed to look for running `aurora up`: {error}"))
    })?;
    Ok(running
        .into_iter()
        .find(|up| u32::try_from(up.pid).is_ok_and(|pid| pid == child.id()) && up.ready))
}

/// The last lines of the log, of what came after its first `before` bytes.
fn tail(log: &Path, before: u64) -> String {
    let bytes = std::fs::read(log).unwrap_or_default();
    // One that is shorter now was emptied.
    let before = usize::try_from(before).unwrap_or(usize::MAX);
    let text = String::from_utf8_lossy(bytes.get(before..).unwrap_or(&bytes)).into_owned();
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(TAIL)..].join("\n")
}
