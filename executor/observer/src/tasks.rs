//! The tasks of this machine, as lists and one by one.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use aurora_daemon::beneath::blocking;
use aurora_thermos::view::{ProcessState, Run, Task, TaskState, Tasks};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use crate::usage::Sampler;

/// How many tasks one page of a list shows.
pub(crate) const PAGE: usize = 20;

/// The most that one page of a list shows.
pub(crate) const MAX_PAGE: usize = 1000;

/// What the observer looks at, and what it has seen.
#[derive(Debug)]
pub(crate) struct Observed {
    tasks: Arc<Tasks>,
    /// What tasks use.
    pub(crate) sampler: Arc<Sampler>,
    /// Where the scheduler's pages are, if that is known.
    pub(crate) scheduler_url: Option<String>,
    /// How much may be done at a time that takes more than a moment.
    pub(crate) limits: Limits,
    /// Cancelled when the observer is to end.
    pub(crate) stop: CancellationToken,
}

/// How much of what is expensive may go on at a time.
#[derive(Debug)]
pub(crate) struct Limits {
    /// Whoever follows a file.
    pub(crate) followers: Arc<Semaphore>,
    /// Searches, and reads of many megabytes.
    pub(crate) reads: Arc<Semaphore>,
}

impl Default for Limits {
    fn default() -> Self {
        Self { followers: Arc::new(Semaphore::new(256)), reads: Arc::new(Semaphore::new(4)) }
    }
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

/// Whether nothing is left of a task but its checkpoint, which the next executor removes.
fn is_gone(task: &Task, is_live: bool) -> bool {
    let Some(header) = task.header().filter(|_| !is_live) else { return false };
    let found = std::fs::symlink_metadata(&header.sandbox);
    found.is_err_and(|error| error.kind() == io::ErrorKind::NotFound)
}

/// Where a task stands in lists: what has begun or ended last comes first. The id makes the order
/// the same each time.
fn age(task: &Task, is_live: bool) -> (Option<i64>, &str) {
    let over = || task.ended_ms().or_else(|| task.history().last_ms());
    (if is_live { task.started_ms() } else { over() }, task.id())
}

/// All tasks, those that are live apart.
#[derive(Debug)]
struct Parted {
    active: Vec<Arc<Task>>,
    finished: Vec<Arc<Task>>,
}

impl Parted {
    fn new(tasks: Vec<Arc<Task>>) -> Self {
        let (active, mut finished): (Vec<_>, Vec<_>) =
            tasks.into_iter().partition(|task| task.is_live());
        finished.retain(|task| !is_gone(task, false));
        Self { active, finished }
    }

    fn list(&self, which: Which, offset: i64, size: usize) -> Listed {
        let active = self.active.iter().map(|task| (age(task, true), task));
        let finished = self.finished.iter().map(|task| (age(task, false), task));
        let mut all: Vec<_> = match which {
            Which::Active => active.collect(),
            Which::Finished => finished.collect(),
            Which::All => active.chain(finished).collect(),
        };
        all.sort_by(|(a, _), (b, _)| b.cmp(a));
        let total = all.len();
        let size = if size == 0 { PAGE } else { size.min(MAX_PAGE) };
        let offset = match usize::try_from(offset) {
            Ok(offset) => offset,
            Err(_) => usize::try_from(offset.unsigned_abs())
                .ok()
                .and_then(|back| total.checked_sub(back))
                .unwrap_or(0),
        };
        let tasks =
            all.into_iter().skip(offset).take(size).map(|(_, task)| Arc::clone(task)).collect();
        Listed { which, tasks, offset, size, total }
    }
}

impl Observed {
    pub(crate) fn new(
        root: PathBuf,
        sampler: Sampler,
        scheduler_url: Option<String>,
        stop: CancellationToken,
    ) -> Self {
        let (tasks, sampler) = (Arc::new(Tasks::new(root)), Arc::new(sampler));
        Self { tasks, sampler, scheduler_url, limits: Limits::default(), stop }
    }

    pub(crate) fn root(&self) -> &std::path::Path {
        self.tasks.root()
    }

    async fn parted(&self) -> io::Result<Parted> {
        let tasks = Arc::clone(&self.tasks);
        blocking(move || Ok(Parted::new(tasks.all().map_err(io::Error::other)?))).await
    }

    /// A negative `offset` counts from the end (`observer.md` 5); `size` 0 is a whole page, and no
    /// page is larger than [`MAX_PAGE`].
    pub(crate) async fn list(&self, which: Which, offset: i64, size: usize) -> io::Result<Listed> {
        Ok(self.parted().await?.list(which, offset, size))
    }

    /// The first page of active and of finished tasks.
    pub(crate) async fn newest(&self) -> io::Result<(Listed, Listed)> {
        let parted = self.parted().await?;
        Ok((parted.list(Which::Active, 0, PAGE), parted.list(Which::Finished, 0, PAGE)))
    }

    /// How many tasks are active, and how many there are.
    pub(crate) async fn counts(&self) -> io::Result<(usize, usize)> {
        let parted = self.parted().await?;
        Ok((parted.active.len(), parted.active.len() + parted.finished.len()))
    }

    pub(crate) async fn task(&self, id: &str) -> io::Result<Option<Arc<Task>>> {
        let (tasks, id) = (Arc::clone(&self.tasks), id.to_owned());
        blocking(move || {
            let task = tasks.get(&id).map_err(io::Error::other)?;
            Ok(task.filter(|task| !is_gone(task, task.is_live())))
        })
        .await
    }

    /// Looks at what all tasks use, from time to time until the observer ends.
    pub(crate) async fn sample(self: Arc<Self>) {
        let every = self.sampler.settings().processes;
        self.repeat(every, |tasks, sampler, _| {
            let begun = std::time::Instant::now();
            sampler.sample(&tasks);
            metrics::histogram!("observer_sample").record(begun.elapsed().as_secs_f64());
            let live = tasks.iter().filter(|task| task.is_live()).count();
            let damaged = tasks.iter().filter(|task| task.damage().is_some()).count();
            #[expect(clippy::cast_precision_loss, reason = "gauges are floats")]
            {
                metrics::gauge!("observer_tasks", "state" => "active").set(live as f64);
                metrics::gauge!("observer_tasks", "state" => "finished")
                    .set((tasks.len() - live) as f64);
                metrics::gauge!("observer_damaged_checkpoints").set(damaged as f64);
            }
        })
        .await;
    }

    /// Walks through all sandboxes, from time to time until the observer ends.
    pub(crate) async fn measure_disks(self: Arc<Self>) {
        let every = self.sampler.settings().disk;
        self.repeat(every, |tasks, sampler, stop| sampler.measure_disks(&tasks, stop)).await;
    }

    async fn repeat(
        &self,
        every: std::time::Duration,
        act: impl Fn(Vec<Arc<Task>>, &Sampler, &CancellationToken) + Copy + Send + 'static,
    ) {
        let mut ticks = tokio::time::interval(every);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = self.stop.cancelled() => return,
                _ = ticks.tick() => {}
            }
            let (tasks, sampler) = (Arc::clone(&self.tasks), Arc::clone(&self.sampler));
            let stop = self.stop.clone();
            let done = blocking(move || {
                act(tasks.all().map_err(io::Error::other)?, &sampler, &stop);
                Ok(())
            });
            if let Err(error) = done.await {
                tracing::warn!(%error, "failed to look at what tasks use");
            }
        }
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
