//! Looks at all tasks from time to time, and remembers.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use aurora_thermos::disk;
use aurora_thermos::view::{ProcessIdentity, Run, Task};
use tokio_util::sync::CancellationToken;

use super::ring::{Capacity, Ring, TooMany};
use super::{TaskUsage, Usage, tree};
use crate::place::Place;

/// How far back figures reach.
const SPAN: Duration = Duration::from_secs(3600);
/// The most tasks whose figures are remembered; those that ended first are forgotten first.
const MAX_TASKS: usize = 2000;
/// The most processes of one task whose figures of the past are remembered. Of others, only the last
/// are.
const MAX_PLOTTED: usize = 32;

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
    disk: u64,
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

/// The runs of a task that live, by the names of their processes.
fn living(task: &Task) -> impl Iterator<Item = (&str, &Run, ProcessIdentity)> {
    task.history().processes().iter().filter_map(|(name, runs)| {
        let run = runs.last().filter(|run| run.state.is_live())?;
        Some((name.as_str(), run, run.process?))
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
    pub(crate) fn sample(&self, tasks: &[Arc<Task>]) {
        let known: BTreeSet<&str> = tasks.iter().map(|task| task.id()).collect();
        for task in tasks.iter().filter(|task| task.is_live()) {
            self.sample_task(task);
        }
        let mut tracks = self.tracks();
        tracks.retain(|id, _| known.contains(id.as_str()));
        while tracks.len() > MAX_TASKS {
            let oldest = tracks.iter().min_by_key(|(_, track)| track.points.last());
            let Some(id) = oldest.map(|(id, _)| id.clone()) else { break };
            tracks.remove(&id);
        }
    }

    fn sample_task(&self, task: &Task) {
        // Others may ask meanwhile.
        let seen: Vec<_> = living(task)
            .map(|(name, run, identity)| (name, run.number, identity, tree::look(identity)))
            .collect();
        let at = self.now();
        let mut tracks = self.tracks();
        let track = tracks.entry(task.id().to_owned()).or_insert_with(|| Track {
            disk: 0,
            points: Ring::new(self.capacity),
            processes: BTreeMap::new(),
        });
        for (name, run, identity, mut used) in seen {
            let before = track.processes.get(name).filter(|before| before.identity == identity);
            if let Some(before) = before {
                #[expect(clippy::cast_precision_loss, reason = "exact for ages")]
                let seconds = at.saturating_sub(before.at) as f64 / 1000.0;
                used.cpu = tree::rate(&before.used, &used, seconds);
            }
            let plotted = track.processes.len() < MAX_PLOTTED;
            let process = track.processes.entry(name.to_owned()).or_insert_with(|| ProcessTrack {
                run,
                identity,
                at,
                used: Usage::NONE,
                points: plotted.then(|| Ring::new(self.capacity)),
            });
            if let Some(points) = &mut process.points {
                points.push(at, Point { cpu: used.cpu, ram: used.ram, disk: 0 });
            }
            (process.run, process.identity, process.at, process.used) = (run, identity, at, used);
        }
        let sum = sum(task, track);
        let point = Point { cpu: sum.processes.cpu, ram: sum.processes.ram, disk: sum.disk };
        track.points.push(at, point);
    }

    /// Walks through the sandboxes of all tasks that live, one after the other. Blocks, until `stop`
    /// is cancelled.
    pub(crate) fn measure_disks(&self, tasks: &[Arc<Task>], stop: &CancellationToken) {
        for task in tasks.iter().filter(|task| task.is_live()) {
            let measured = Place::in_sandbox(task, "")
                .and_then(|place| place.folder()?.reading())
                .and_then(|folder| disk::used(folder, None, || stop.is_cancelled()));
            match measured {
                Ok(Some(used)) => {
                    if let Some(track) = self.tracks().get_mut(task.id()) {
                        track.disk = used.bytes;
                    }
                }
                Ok(None) => return,
                Err(error) => {
                    tracing::debug!(%error, task = task.id(), "its sandbox cannot be measured");
                }
            }
        }
    }

    /// What a run used when it was looked at last; none unless it lives. One that was not looked at
    /// yet is now, with its task. Blocks.
    pub(crate) fn of_run(&self, task: &Task, process: &str, run: &Run) -> Option<Usage> {
        run.process.filter(|_| run.state.is_live() && task.is_live())?;
        if !self.settings.enabled {
            return Some(Usage::NONE);
        }
        self.look_at_new(task);
        let tracks = self.tracks();
        let seen = tracks.get(task.id())?.processes.get(process)?;
        (seen.run == run.number).then(|| seen.used.clone())
    }

    /// What a task used when it was looked at last; nothing unless it lives. Blocks.
    pub(crate) fn of_task(&self, task: &Task) -> TaskUsage {
        if !self.settings.enabled || !task.is_live() {
            return TaskUsage::NONE;
        }
        self.look_at_new(task);
        self.tracks().get(task.id()).map_or(TaskUsage::NONE, |track| sum(task, track))
    }

    fn look_at_new(&self, task: &Task) {
        let is_new = {
            let tracks = self.tracks();
            let seen = tracks.get(task.id());
            seen.is_none_or(|track| {
                living(task).any(|(name, run, _)| {
                    track.processes.get(name).is_none_or(|seen| seen.run != run.number)
                })
            })
        };
        if is_new {
            self.sample_task(task);
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
fn sum(task: &Task, track: &Track) -> TaskUsage {
    let mut sum = TaskUsage { processes: Usage::NONE, disk: track.disk };
    for (name, run, _) in living(task) {
        if let Some(seen) = track.processes.get(name).filter(|seen| seen.run == run.number) {
            sum.processes.merge(&seen.used);
        }
    }
    sum
}
