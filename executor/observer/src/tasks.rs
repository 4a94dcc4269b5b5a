//! The tasks of this machine, as lists and one by one.

use std::io;
use std::ops::Deref;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use aurora_daemon::beneath::blocking;
use aurora_daemon::download::Downloads;
use aurora_thermos::view::{Life, ProcessState, Run, Task, TaskState, Tasks};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;

use crate::usage::Sampler;

/// How many tasks one page of a list shows.
pub(crate) const PAGE: usize = 20;

/// The most that one page of a list shows.
pub(crate) const MAX_PAGE: usize = 1000;

/// How many files may be followed at a time.
const MAX_FOLLOWERS: usize = 256;

/// How many searches, and reads of many megabytes, may go on at a time.
const MAX_READS: usize = 4;

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
    followers: Arc<Semaphore>,
    reads: Arc<Semaphore>,
    /// Files that are sent as a whole.
    pub(crate) downloads: Downloads,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            followers: Arc::new(Semaphore::new(MAX_FOLLOWERS)),
            reads: Arc::new(Semaphore::new(MAX_READS)),
            downloads: Downloads::default(),
        }
    }
}

impl Limits {
    /// Lets somebody follow a file.
    ///
    /// # Errors
    /// [`io::ErrorKind::ResourceBusy`]
    pub(crate) fn follower(&self) -> io::Result<OwnedSemaphorePermit> {
        Arc::clone(&self.followers)
            .try_acquire_owned()
            .map_err(|_| busy("too many files are followed at the moment; try again shortly"))
    }

    /// Lets somebody search, or read many megabytes, when others have ended. They are waited for so long.
    ///
    /// # Errors
    /// [`io::ErrorKind::ResourceBusy`]
    pub(crate) async fn read(&self, wait: Duration) -> io::Result<OwnedSemaphorePermit> {
        let permit = Arc::clone(&self.reads).acquire_owned();
        let Ok(Ok(permit)) = tokio::time::timeout(wait, permit).await else {
            return Err(busy("others are searching or reading large files; try again shortly"));
        };
        Ok(permit)
    }
}

fn busy(text: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::ResourceBusy, text)
}

/// A task, and whether anybody goes on with it. That is looked at once, so that all that one answer says
/// agrees.
#[derive(Debug, Clone)]
pub(crate) struct Seen {
    task: Arc<Task>,
    life: Life,
}

impl Seen {
    fn new(task: Arc<Task>) -> Self {
        let life = task.life();
        Self { task, life }
    }

    pub(crate) fn is_live(&self) -> bool {
        self.life == Life::Live
    }

    pub(crate) fn is_abandoned(&self) -> bool {
        self.life == Life::Abandoned
    }

    /// Whether nothing is left of it but its checkpoint, which the next executor removes.
    fn is_gone(&self) -> bool {
        let Some(header) = self.header().filter(|_| !self.is_live()) else { return false };
        let found = std::fs::symlink_metadata(&header.sandbox);
        found.is_err_and(|error| error.kind() == io::ErrorKind::NotFound)
    }

    /// Where it stands in lists: what has begun or ended last comes first. The id makes the order the
    /// same each time.
    fn age(&self) -> (Option<i64>, &str) {
        let over = || self.ended_ms().or_else(|| self.history().last_ms());
        (if self.is_live() { self.started_ms() } else { over() }, self.id())
    }

    /// The state that is shown. One whose runner is gone is lost, though nobody was left to write that
    /// down.
    pub(crate) fn state_name(&self) -> &'static str {
        if self.is_abandoned() {
            return TaskState::Lost.name();
        }
        self.state().map_or("unknown", TaskState::name)
    }
}

impl Deref for Seen {
    type Target = Task;

    fn deref(&self) -> &Task {
        &self.task
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
    pub(crate) tasks: Vec<Seen>,
    pub(crate) offset: usize,
    pub(crate) size: usize,
    pub(crate) total: usize,
}

/// All tasks, those that are live apart.
#[derive(Debug)]
pub(crate) struct Parted {
    pub(crate) active: Vec<Seen>,
    pub(crate) finished: Vec<Seen>,
}

impl Parted {
    fn new(tasks: Vec<Arc<Task>>) -> Self {
        let (active, mut finished): (Vec<_>, Vec<_>) =
            tasks.into_iter().map(Seen::new).partition(Seen::is_live);
        finished.retain(|task| !task.is_gone());
        Self { active, finished }
    }

    /// Those that are live first.
    pub(crate) fn all(&self) -> impl Iterator<Item = &Seen> {
        self.active.iter().chain(&self.finished)
    }

    fn list(&self, which: Which, offset: i64, size: usize) -> Listed {
        let mut all: Vec<_> = match which {
            Which::Active => self.active.iter().collect(),
            Which::Finished => self.finished.iter().collect(),
            Which::All => self.all().collect(),
        };
        all.sort_by(|a, b| b.age().cmp(&a.age()));
        let total = all.len();
        let size = if size == 0 { PAGE } else { size.min(MAX_PAGE) };
        let offset = match usize::try_from(offset) {
            Ok(offset) => offset,
            Err(_) => usize::try_from(offset.unsigned_abs())
                .ok()
                .and_then(|back| total.checked_sub(back))
                .unwrap_or(0),
        };
        let tasks = all.into_iter().skip(offset).take(size).cloned().collect();
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

    pub(crate) async fn task(&self, id: &str) -> io::Result<Option<Seen>> {
        let (tasks, id) = (Arc::clone(&self.tasks), id.to_owned());
        blocking(move || {
            let task = tasks.get(&id).map_err(io::Error::other)?.map(Seen::new);
            Ok(task.filter(|task| !task.is_gone()))
        })
        .await
    }

    /// Counts tasks, and looks at what they use, from time to time until the observer ends.
    pub(crate) async fn watch(self: Arc<Self>) {
        let every = self.sampler.settings().processes;
        self.repeat(every, |tasks, sampler, _| {
            if sampler.settings().enabled {
                let begun = std::time::Instant::now();
                sampler.sample(tasks);
                metrics::histogram!("observer_sample").record(begun.elapsed().as_secs_f64());
            }
            let damaged = tasks.all().filter(|task| task.damage().is_some()).count();
            #[expect(clippy::cast_precision_loss, reason = "gauges are floats")]
            let gauges = [
                (metrics::gauge!("observer_tasks", "state" => "active"), tasks.active.len() as f64),
                (
                    metrics::gauge!("observer_tasks", "state" => "finished"),
                    tasks.finished.len() as f64,
                ),
                (metrics::gauge!("observer_damaged_checkpoints"), damaged as f64),
            ];
            for (gauge, value) in gauges {
                gauge.set(value);
            }
        })
        .await;
    }

    /// Walks through all sandboxes, from time to time until the observer ends.
    pub(crate) async fn measure_disks(self: Arc<Self>) {
        let every = self.sampler.settings().disk;
        self.repeat(every, |tasks, sampler, stop| sampler.measure_disks(tasks, stop)).await;
    }

    async fn repeat(
        &self,
        every: Duration,
        act: impl Fn(&Parted, &Sampler, &CancellationToken) + Copy + Send + 'static,
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
                act(&Parted::new(tasks.all().map_err(io::Error::other)?), &sampler, &stop);
                Ok(())
            });
            if let Err(error) = done.await {
                tracing::warn!(%error, "failed to look at what tasks use");
            }
        }
    }
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
