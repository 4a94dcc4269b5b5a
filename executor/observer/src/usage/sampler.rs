//! Looks at all tasks from time to time, and remembers.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use aurora_thermos::disk;
use aurora_thermos::view::{ProcessIdentity, Run, Task};
use tokio_util::sync::CancellationToken;

use super::ring::{Capacity, Ring, TooMany};
use super::{TaskUsage, Usage, tree};
use crate::place::Place;
use crate::tasks::{Parted, Seen};

/// How far back figures reach.
const SPAN: Duration = Duration::from_secs(3600);
/// The most tasks whose figures are remembered; those that ended first are forgotten first.
const MAX_TASKS: usize = 2000;
/// The most processes of one task whose figures of the past are remembered. Of others, only the last
/// are.
const MAX_PLOTTED: usize = 32;

/// The kernel counts computing in hundredths of a second, so that a rate says nothing over less than this,
/// in seconds.
const SHORTEST: f64 = 0.5;

/// What is sampled how often.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Settings {
    /// Whether anything is sampled at all. If not, all figures are 0.
    pub(crate) enabled: bool,
    /// How often processes are looked at.
    pub(crate) processes: Duration,
    /// How often sandboxes are walked through.
    pub(crate) disk: Duration,
}

/// Figures at one time.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Point {
    /// Processors kept busy.
    pub(crate) cpu: f64,
    /// Memory in bytes.
    pub(crate) ram: u64,
    /// Disk in bytes; 0 in a process's.
    pub(crate) disk: u64,
}

/// The figures of all tasks.
#[derive(Debug)]
pub(crate) struct Sampler {
    settings: Settings,
    capacity: Capacity,
    begun: Instant,
    tracks: Mutex<BTreeMap<String, Track>>,
}

/// What was seen of a task.
#[derive(Debug)]
struct Track {
    /// What its sandbox took when it was walked through last; 0 before.
    disk: u64,
    /// Whether that was after the task had ended.
    is_last_disk: bool,
    points: Ring<Point>,
    processes: BTreeMap<String, ProcessTrack>,
}

/// What was seen of a process.
#[derive(Debug)]
struct ProcessTrack {
    run: u32,
    identity: ProcessIdentity,
    at: u64,
    used: Usage,
    points: Option<Ring<Point>>,
}

/// A run that lives.
#[derive(Debug)]
struct Living<'a> {
    name: &'a str,
    run: u32,
    identity: ProcessIdentity,
}

/// The runs of a task that live, by the names of their processes.
fn living(task: &Task) -> impl Iterator<Item = Living<'_>> {
    task.history().processes().iter().filter_map(|(name, runs)| {
        let run = runs.last().filter(|run| run.state.is_live())?;
        Some(Living { name, run: run.number, identity: run.process? })
    })
}

impl Sampler {
    /// # Errors
    /// So many figures are not remembered.
    pub(crate) fn new(settings: Settings) -> Result<Self, TooMany> {
        let capacity = Capacity::of(SPAN, settings.processes)?;
        let tracks = Mutex::new(BTreeMap::new());
        Ok(Self { settings, capacity, begun: Instant::now(), tracks })
    }

    pub(crate) fn settings(&self) -> Settings {
        self.settings
    }

    fn now(&self) -> u64 {
        u64::try_from(self.begun.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    fn tracks(&self) -> MutexGuard<'_, BTreeMap<String, Track>> {
        // Every track is whole at any time: a panic elsewhere does not spoil it.
        self.tracks.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Looks at the processes of all tasks that live, and forgets those that are not among `tasks`.
    /// Blocks.
    pub(crate) fn sample(&self, tasks: &Parted) {
        for task in &tasks.active {
            self.look(task, living(task).collect(), true);
        }
        let known: BTreeSet<&str> = tasks.all().map(|task| task.id()).collect();
        let mut tracks = self.tracks();
        tracks.retain(|id, _| known.contains(id.as_str()));
        while tracks.len() > MAX_TASKS {
            let oldest = tracks.iter().min_by_key(|(_, track)| track.points.last());
            let Some(id) = oldest.map(|(id, _)| id.clone()) else { break };
            tracks.remove(&id);
        }
    }

    /// Looks at runs of a task; if `is_due`, that is a point of how it went.
    fn look(&self, task: &Seen, runs: Vec<Living<'_>>, is_due: bool) {
        let owner = task.foreign_writer();
        // Others may ask meanwhile.
        let seen: Vec<_> =
            runs.into_iter().map(|living| (tree::look(living.identity, owner), living)).collect();
        let at = self.now();
        let mut tracks = self.tracks();
        let track = self.track(&mut tracks, task);
        for (mut used, Living { name, run, identity }) in seen {
            let before = track.processes.get(name).filter(|before| before.identity == identity);
            if let Some(before) = before {
                if !is_due && before.run == run {
                    // Somebody else has looked meanwhile.
                    continue;
                }
                #[expect(clippy::cast_precision_loss, reason = "exact for ages")]
                let seconds = at.saturating_sub(before.at) as f64 / 1000.0;
                let rate = tree::rate(&before.used, &used, seconds);
                used.cpu = if seconds < SHORTEST { before.used.cpu } else { rate };
            }
            let plotted = track.processes.len() < MAX_PLOTTED;
            let process = track.processes.entry(name.to_owned()).or_insert_with(|| ProcessTrack {
                run,
                identity,
                at,
                used: Usage::NONE,
                points: plotted.then(|| Ring::new(self.capacity)),
            });
            if is_due && let Some(points) = &mut process.points {
                points.push(at, Point { cpu: used.cpu, ram: used.ram, disk: 0 });
            }
            (process.run, process.identity, process.at, process.used) = (run, identity, at, used);
        }
        if is_due {
            let sum = sum(task, track);
            let point = Point { cpu: sum.processes.cpu, ram: sum.processes.ram, disk: sum.disk };
            track.points.push(at, point);
        }
    }

    fn track<'a>(&self, tracks: &'a mut BTreeMap<String, Track>, task: &Task) -> &'a mut Track {
        tracks.entry(task.id().to_owned()).or_insert_with(|| Track {
            disk: 0,
            is_last_disk: false,
            points: Ring::new(self.capacity),
            processes: BTreeMap::new(),
        })
    }

    /// Walks through the sandboxes of all tasks that live, one after the other, and once through those of
    /// tasks that have ended. Blocks, until `stop` is cancelled.
    pub(crate) fn measure_disks(&self, tasks: &Parted, stop: &CancellationToken) {
        for task in tasks.all() {
            if !task.is_live() {
                let tracks = self.tracks();
                let has_room = tracks.len() < MAX_TASKS;
                if tracks.get(task.id()).map_or(!has_room, |track| track.is_last_disk) {
                    continue;
                }
            }
            let measured = Place::in_sandbox(task, "")
                .and_then(|place| place.folder()?.reading())
                .and_then(|folder| disk::used(folder, None, || stop.is_cancelled()));
            match measured {
                Ok(Some(used)) => {
                    let mut tracks = self.tracks();
                    let track = self.track(&mut tracks, task);
                    (track.disk, track.is_last_disk) = (used.bytes, !task.is_live());
                }
                Ok(None) => return,
                Err(error) => {
                    tracing::debug!(%error, task = task.id(), "its sandbox cannot be measured");
                }
            }
        }
    }

    /// What a run used when it was looked at last; none unless it lives. One that was not looked at
    /// yet is now. Blocks.
    pub(crate) fn of_run(&self, task: &Seen, process: &str, run: &Run) -> Option<Usage> {
        run.process.filter(|_| run.state.is_live() && task.is_live())?;
        if !self.settings.enabled {
            return Some(Usage::NONE);
        }
        self.look_at_new(task);
        let tracks = self.tracks();
        let seen = tracks.get(task.id())?.processes.get(process)?;
        (seen.run == run.number).then(|| seen.used.clone())
    }

    /// What a task used when it was looked at last: its processes nothing unless it lives, its sandbox
    /// what it took in the end. Blocks.
    pub(crate) fn of_task(&self, task: &Seen) -> TaskUsage {
        if !self.settings.enabled {
            return TaskUsage::NONE;
        }
        if task.is_live() {
            self.look_at_new(task);
        }
        self.tracks().get(task.id()).map_or(TaskUsage::NONE, |track| sum(task, track))
    }

    /// Looks at the runs that were not looked at yet. That is no point of how the task went: whoever
    /// asks often would have more of them.
    fn look_at_new(&self, task: &Seen) {
        let new: Vec<_> = {
            let tracks = self.tracks();
            let seen = |living: &Living<'_>| {
                let process = tracks.get(task.id())?.processes.get(living.name)?;
                Some(process.run == living.run)
            };
            living(task).filter(|living| seen(living) != Some(true)).collect()
        };
        if !new.is_empty() {
            self.look(task, new, false);
        }
    }

    /// The figures of a task over time, or of one of its processes, oldest first: how many
    /// milliseconds ago, and what.
    pub(crate) fn past(&self, id: &str, process: Option<&str>) -> Vec<(u64, Point)> {
        let now = self.now();
        let tracks = self.tracks();
        let points = tracks.get(id).and_then(|track| match process {
            None => Some(&track.points),
            Some(process) => track.processes.get(process)?.points.as_ref(),
        });
        points
            .into_iter()
            .flat_map(Ring::iter)
            .map(|(at, point)| (now.saturating_sub(*at), *point))
            .collect()
    }
}

/// The sum of the runs that live now, of what was seen of them last.
fn sum(task: &Seen, track: &Track) -> TaskUsage {
    let mut sum = TaskUsage { processes: Usage::NONE, disk: track.disk };
    if !task.is_live() {
        return sum;
    }
    for living in living(task) {
        if let Some(seen) = track.processes.get(living.name).filter(|seen| seen.run == living.run) {
            sum.processes.merge(&seen.used);
        }
    }
    sum
}
