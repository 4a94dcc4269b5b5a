//! Ending a task whose runner is gone (`executor.md` 13): what is left of it, and its checkpoint.

use std::fs::OpenOptions;
use std::io::{self, Write as _};
use std::path::Path;
use std::time::{Duration, Instant};

use aurora_thermos::checkpoint::record::{Event, ProcessChange, ProcessEvent, Record, TaskEvent};
use aurora_thermos::checkpoint::{frame, path, read_from};
use aurora_thermos::process::tree;
use aurora_thermos::runner::now_ms;
use aurora_thermos::view::{Header, History, ProcessIdentity, ProcessState, TaskState};
use rustix::fs::{FlockOperation, flock};
use rustix::process::Signal;

/// How long what was killed has to die.
const PATIENCE: Duration = Duration::from_secs(5);
const LOOK: Duration = Duration::from_millis(10);
/// The signal that ended what is left, as it is written down.
const KILLED: i32 = 9;
/// The most of a process's environment that is looked at, in bytes.
const MAX_ENVIRONMENT: u64 = 4 << 20;

/// Kills what lives of the task, and writes its end down. Its runner must not live.
pub(super) fn end(root: &Path, task_id: &str) -> Result<(), String> {
    let path = path(root, task_id);
    let failed = |what: &str, error: io::Error| format!("failed to {what} {path:?}: {error}");
    let file = OpenOptions::new().read(true).append(true).open(&path);
    let mut file = file.map_err(|error| failed("open", error))?;
    // Its runner holds the lock as long as it lives: from here on nobody else writes.
    flock(&file, FlockOperation::NonBlockingLockExclusive)
        .map_err(|errno| failed("lock", errno.into()))?;
    let mut history = History::default();
    let read = read_from(&file, 0, |record| history.apply(record));
    let Some(header) = history.header() else { return Err(format!("{path:?} has no header")) };
    kill_all(&history, header)?;
    if history.state().is_some_and(TaskState::is_terminal) {
        return Ok(());
    }
    let tail =
        read.map_err(|error| format!("its end cannot be written down: {path:?}: {error}"))?;
    if tail.torn {
        // The beginning of a record that was never finished.
        file.set_len(tail.offset).map_err(|error| failed("cut", error))?;
    }
    let mut bytes = Vec::new();
    for event in events(&history) {
        let record = Record { time_ms: now_ms(), event };
        frame::encode(&record.encode(), &mut bytes)
            .map_err(|length| format!("a record of {length} bytes is too long"))?;
    }
    file.write_all(&bytes)
        .and_then(|()| file.sync_data())
        .map_err(|error| failed("write to", error))
}

/// What is written down of the end of a task, its runs first.
fn events(history: &History) -> Vec<Event> {
    let mut events = Vec::new();
    if history.state().is_none() {
        events.push(Event::Task(TaskEvent { state: TaskState::Active, reason: String::new() }));
    }
    for (name, runs) in history.processes() {
        let Some(last) = runs.last() else { continue };
        let change = match last.state {
            ProcessState::Forked | ProcessState::Running => {
                ProcessChange::Killed { signal: KILLED }
            }
            // It never began, and nothing is to be said of it; or it is over.
            _ => continue,
        };
        let process = name.clone();
        events.push(Event::Process(ProcessEvent { process, run: last.number, change }));
    }
    let reason = "Killed by `thermos kill` after its runner had gone.".to_owned();
    events.push(Event::Task(TaskEvent { state: TaskState::Killed, reason }));
    events
}

/// Whether processes of a task that has no runner live on.
///
/// # Errors
/// `/proc` cannot be read.
pub(super) fn is_left(history: &History, header: &Header) -> io::Result<bool> {
    Ok(tree::boot_id()? == header.boot_id && !left(&known(history), header)?.is_empty())
}

/// The shells that are written down as alive.
fn known(history: &History) -> Vec<ProcessIdentity> {
    let runs = history.processes().values().flatten();
    runs.filter(|run| !run.state.is_terminal()).filter_map(|run| run.process).collect()
}

/// Kills everything that is left of a task until there is nothing.
fn kill_all(history: &History, header: &Header) -> Result<(), String> {
    // Nothing lives across a boot, and process ids begin anew.
    let boot = tree::boot_id().map_err(|error| format!("failed to learn of the boot: {error}"))?;
    if boot != header.boot_id {
        return Ok(());
    }
    let known = known(history);
    let deadline = Instant::now() + PATIENCE;
    loop {
        let left = left(&known, header)
            .map_err(|error| format!("failed to look for its processes: {error}"))?;
        if left.is_empty() {
            return Ok(());
        }
        let pids: Vec<String> = left.iter().map(|process| process.pid.to_string()).collect();
        for process in left {
            tree::signal(process, Signal::KILL)
                .map_err(|error| format!("failed to kill process {}: {error}", process.pid))?;
        }
        if Instant::now() > deadline {
            return Err(format!("these processes do not die: {}", pids.join(", ")));
        }
        std::thread::sleep(LOOK);
    }
}

/// What lives of a task: the shells that are written down and what descends from them, and whatever
/// was started with the task's sandbox for its home, as its runner starts everything.
fn left(known: &[ProcessIdentity], header: &Header) -> io::Result<Vec<ProcessIdentity>> {
    let mut left = Vec::new();
    for process in known.iter().copied().filter(|process| tree::is_alive(*process)) {
        left.push(process);
        match tree::descendants(process.pid) {
            Ok(below) => {
                let below = below.found.into_iter().filter(|stat| !stat.zombie);
                left.extend(below.map(|stat| stat.identity));
            }
            // It has just ended.
            Err(_) if !tree::is_alive(process) => {}
            Err(error) => return Err(error),
        }
    }
    let mut home = b"HOME=".to_vec();
    home.extend(std::os::unix::ffi::OsStrExt::as_bytes(header.sandbox.as_os_str()));
    let me = std::process::id().cast_signed();
    for entry in std::fs::read_dir("/proc")? {
        let Some(pid) = entry?.file_name().to_str().and_then(|name| name.parse().ok()) else {
            continue;
        };
        // Looked at first: an environment that is read later is this process's or nobody's.
        let Ok(stat) = tree::stat(pid) else { continue };
        if pid == me || stat.zombie || left.contains(&stat.identity) {
            continue;
        }
        if environment(pid).split(|byte| *byte == 0).any(|variable| variable == home) {
            left.push(stat.identity);
        }
    }
    Ok(left)
}

/// What a process was started with; nothing if that is not to be known, or the process has gone.
fn environment(pid: i32) -> Vec<u8> {
    use std::io::Read as _;
    let mut bytes = Vec::new();
    let read = std::fs::File::open(format!("/proc/{pid}/environ"))
        .and_then(|file| file.take(MAX_ENVIRONMENT).read_to_end(&mut bytes));
    if read.is_err() {
        bytes.clear();
    }
    bytes
}
