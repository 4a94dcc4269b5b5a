//! The tasks of this machine, as lists and one by one.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use aurora_daemon::beneath::blocking;
use aurora_thermos::view::{ProcessState, Run, Task, TaskState, Tasks};

/// How many tasks one page of a list shows.
pub(crate) const PAGE: usize = 20;

/// What the observer looks at.
#[derive(Debug)]
pub(crate) struct Observed {
    tasks: Arc<Tasks>,
}

/// Which tasks a list holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Which {
    All,
    Active,
    Finished,
}

impl Which {
    pub(crate) fn parse(text: &str) -> Option<Self> {
        Some(match text {
            "all" => Self::All,
            "active" => Self::Active,
            "finished" => Self::Finished,
            _ => return None,
        })
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::All => "all",
            Self::Active => "active",
            Self::Finished => "finished",
        }
    }

    fn holds(self, task: &Task) -> bool {
        match self {
            Self::All => true,
            Self::Active => task.is_live(),
            Self::Finished => !task.is_live(),
        }
    }
}

/// A part of a list, newest task first.
#[derive(Debug)]
pub(crate) struct Listed {
    pub(crate) which: Which,
    pub(crate) tasks: Vec<Arc<Task>>,
    pub(crate) offset: usize,
    pub(crate) size: usize,
    pub(crate) total: usize,
}

impl Observed {
    pub(crate) fn new(root: PathBuf) -> Self {
        Self { tasks: Arc::new(Tasks::new(root)) }
    }

    pub(crate) fn root(&self) -> &std::path::Path {
        self.tasks.root()
    }

    /// A negative `offset` counts from the end (`observer.md` 5); `size` 0 is a whole page.
    pub(crate) async fn list(&self, which: Which, offset: i64, size: usize) -> io::Result<Listed> {
        let tasks = Arc::clone(&self.tasks);
        let mut all = blocking(move || {
            let mut all = tasks.all().map_err(io::Error::other)?;
            all.retain(|task| which.holds(task));
            Ok(all)
        })
        .await?;
        // The id makes the order the same each time.
        all.sort_by(|a, b| (b.started_ms(), b.id()).cmp(&(a.started_ms(), a.id())));
        let total = all.len();
        let size = if size == 0 { PAGE } else { size };
        let offset = match usize::try_from(offset) {
            Ok(offset) => offset,
            Err(_) => usize::try_from(offset.unsigned_abs())
                .ok()
                .and_then(|back| total.checked_sub(back))
                .unwrap_or(0),
        };
        let tasks = all.into_iter().skip(offset).take(size).collect();
        Ok(Listed { which, tasks, offset, size, total })
    }

    /// How many tasks are active, and how many there are.
    pub(crate) async fn counts(&self) -> io::Result<(usize, usize)> {
        let tasks = Arc::clone(&self.tasks);
        blocking(move || {
            let all = tasks.all().map_err(io::Error::other)?;
            Ok((all.iter().filter(|task| task.is_live()).count(), all.len()))
        })
        .await
    }

    pub(crate) async fn task(&self, id: &str) -> io::Result<Option<Arc<Task>>> {
        let (tasks, id) = (Arc::clone(&self.tasks), id.to_owned());
        blocking(move || tasks.get(&id).map_err(io::Error::other)).await
    }
}

/// The state shown for a task. One whose runner is gone is lost, though nobody was left to write
/// that down.
pub(crate) fn state_name(task: &Task) -> &'static str {
    if task.is_abandoned() {
        return TaskState::Lost.name();
    }
    task.state().map_or("unknown", TaskState::name)
}

/// The run of a process that a number stands for: negative ones count from the end.
pub(crate) fn run_numbered(runs: &[Run], number: i64) -> Option<&Run> {
    match usize::try_from(number) {
        Ok(number) => runs.get(number),
        Err(_) => {
            let back = usize::try_from(number.unsigned_abs()).ok()?;
            runs.get(runs.len().checked_sub(back)?)
        }
    }
}

/// How the original groups processes by the state of their last run (`observer.md` 3).
pub(crate) fn group(state: ProcessState) -> &'static str {
    match state {
        ProcessState::Waiting | ProcessState::Lost => "waiting",
        ProcessState::Forked | ProcessState::Running => "running",
        ProcessState::Success => "success",
        ProcessState::Failed => "failed",
        ProcessState::Killed => "killed",
    }
}

/// What a process is, in the words of its configuration.
pub(crate) fn command_line(task: &Task, process: &str) -> Option<String> {
    let config = configuration(task)?;
    let processes = config.get("processes")?.as_array()?;
    let found = processes.iter().find(|found| found.get("name").is_some_and(|n| n == process))?;
    Some(found.get("cmdline")?.as_str()?.to_owned())
}

/// The task's configuration, as its runner was given it.
pub(crate) fn configuration(task: &Task) -> Option<serde_json::Value> {
    serde_json::from_str(&task.header()?.task_json).ok()
}
