//! `--daemon`: the same in a process of its own, which goes on when this one returns.

use std::fs::File;
use std::io::{Read as _, Seek as _, Write as _};
use std::os::fd::OwnedFd;
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use aurora_daemon::telemetry;
use aurora_thermos::state::TaskState;
use aurora_thermos::view::Tasks;
use rustix::fs::{MemfdFlags, memfd_create};

use super::prepared::Prepared;
use crate::failure::{Code, Failure};
use crate::output::{note, print};

/// How long the task may take to be written down.
const PATIENCE: Duration = Duration::from_secs(30);
const LOOK: Duration = Duration::from_millis(10);
/// The longest description of a task that is taken, and the most that is shown of why it did not
/// start, in bytes.
const MAX_LEN: u64 = 64 << 20;
const MAX_SHOWN: u64 = 64 << 10;

/// Starts the task and prints its id once it is written down.
pub(super) fn start(mut prepared: Prepared) -> Result<ExitCode, Failure> {
    let failed = |error: std::io::Error| {
        Failure::new(Code::Error, format!("failed to start the task: {error}"))
    };
    // The child begins elsewhere.
    prepared.root = std::path::absolute(&prepared.root).map_err(failed)?;
    prepared.sandboxes = std::path::absolute(&prepared.sandboxes).map_err(failed)?;
    let said = said().map_err(failed)?;
    let text = serde_json::to_vec(&prepared).map_err(|error| failed(error.into()))?;
    let mut command = Command::new(std::env::current_exe().map_err(failed)?);
    command
        .args(["thermos", "detached"])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(said.try_clone().map_err(failed)?)
        .current_dir("/")
        // Not of this terminal: its Ctrl-C means nothing to it.
        .process_group(0);
    let mut child = command.spawn().map_err(failed)?;
    // Its end says why it does not listen.
    let _ = child.stdin.take().map(|mut pipe| pipe.write_all(&text));
    wait(&mut child, said, &prepared)?;
    print(&format!("{}\n", prepared.task_id))?;
    Ok(ExitCode::SUCCESS)
}

/// A file without a name for what the child says before the task runs.
fn said() -> std::io::Result<File> {
    let file: OwnedFd = memfd_create("thermos", MemfdFlags::CLOEXEC)?;
    Ok(file.into())
}

fn wait(child: &mut Child, mut said: File, prepared: &Prepared) -> Result<(), Failure> {
    let tasks = Tasks::new(&prepared.root);
    let deadline = Instant::now() + PATIENCE;
    let id = child.id();
    let is_child = |pid: i32| u32::try_from(pid).is_ok_and(|pid| pid == id);
    loop {
        // Asked for first: what an ended child has written down is there.
        let ended = child.try_wait();
        let ended = ended.map_err(|error| Failure::new(Code::Error, error.to_string()))?;
        let task = tasks.get(&prepared.task_id);
        if let Ok(Some(task)) = &task
            && task.state().is_some()
            && task.header().is_some_and(|header| is_child(header.runner.pid))
        {
            return Ok(());
        }
        if let Some(status) = ended {
            let mut text = String::new();
            let read = said.rewind().and_then(|()| said.take(MAX_SHOWN).read_to_string(&mut text));
            let why = text.trim().trim_start_matches("error: ");
            return Err(Failure::new(
                status.code().and_then(Code::of).unwrap_or(Code::Error),
                match read {
                    Ok(_) if !why.is_empty() => why.to_owned(),
                    _ => format!("the task did not start ({status})"),
                },
            ));
        }
        if Instant::now() > deadline {
            // It has not begun, and is not to begin later without anybody knowing.
            if let Err(error) = child.kill().and_then(|()| child.wait()) {
                note(&format!("failed to end process {id}: {error}"));
            }
            let why = task.err().map(|error| format!(": {error}")).unwrap_or_default();
            return Err(Failure::new(
                Code::Timeout,
                format!("process {id} has not begun the task within {} s{why}", PATIENCE.as_secs()),
            ));
        }
        std::thread::sleep(LOOK);
    }
}

/// Runs the task that the standard input describes.
pub(super) fn run_here() -> Result<ExitCode, Failure> {
    let mut text = Vec::new();
    std::io::stdin()
        .lock()
        .take(MAX_LEN)
        .read_to_end(&mut text)
        .map_err(|error| Failure::new(Code::Error, format!("failed to read the task: {error}")))?;
    let prepared: Prepared = serde_json::from_slice(&text)
        .map_err(|error| Failure::new(Code::Usage, format!("this is no task: {error}")))?;
    telemetry::init(telemetry::Format::Text, "error")
        .map_err(|error| Failure::new(Code::Usage, error.to_string()))?;
    let ready = prepared.ready()?;
    // From here on nobody reads, and what the task's processes print to the console could be much.
    File::options()
        .read(true)
        .write(true)
        .open("/dev/null")
        .and_then(|null| {
            nix::unistd::dup2_stdin(&null)?;
            nix::unistd::dup2_stderr(&null)?;
            Ok(())
        })
        .map_err(|error| Failure::new(Code::Error, format!("failed to detach: {error}")))?;
    let end = ready.run()?;
    Ok(if end.state == TaskState::Success { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
