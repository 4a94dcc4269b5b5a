//! Which process may run when (`executor.md` 8). Pure: time is an input, on any clock that only
//! goes forward.

use std::time::Duration;

use crate::spec::{ProcessSpec, TaskSpec};

/// How a run ended, as far as planning is concerned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It did what it should.
    Success,
    /// It did not.
    Failure,
    /// A signal ended it, or it was lost: neither counts as a failure.
    Lost,
}

/// Where a process is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Status {
    /// It may run from this time on.
    Idle(Duration),
    Running,
    Finished,
    Failed,
}

#[derive(Debug, Clone)]
struct Process {
    /// Its place in the task.
    index: usize,
    /// The places, in this planner, of those that must have finished before it.
    after: Vec<usize>,
    status: Status,
    failures: u32,
    runs: u32,
}

/// The processes of one stage of a task.
#[derive(Debug, Clone)]
pub struct Planner {
    processes: Vec<Process>,
    max_concurrency: usize,
    max_runs: Option<u32>,
}

impl Planner {
    /// The planner of the final processes of a task, or of the others.
    pub fn new(task: &TaskSpec, finals: bool) -> Self {
        let plan = if finals { &task.finals } else { &task.regular };
        let of_stage: Vec<(usize, &ProcessSpec)> = task
            .processes
            .iter()
            .enumerate()
            .filter(|(_, process)| process.is_final == finals)
            .collect();
        let place = |name: &str| of_stage.iter().position(|(_, process)| process.name == name);
        let processes = of_stage
            .iter()
            .map(|(index, process)| Process {
                index: *index,
                after: plan.predecessors(&process.name).filter_map(place).collect(),
                status: Status::Idle(Duration::ZERO),
                failures: 0,
                runs: 0,
            })
            .collect();
        Self {
            processes,
            max_runs: task.max_runs,
            max_concurrency: task
                .max_concurrency
                .map_or(usize::MAX, |max| usize::try_from(max).unwrap_or(usize::MAX)),
        }
    }

    /// Starts what may run now: gives each process's place in the task and the number of its run.
    pub fn start(&mut self, now: Duration) -> Vec<(usize, u32)> {
        let room = self.room();
        let ready: Vec<usize> = (0..self.processes.len())
            .filter(|&place| match self.processes[place].status {
                Status::Idle(from) => from <= now && self.may_follow(place),
                _ => false,
            })
            .take(room)
            .collect();
        ready
            .into_iter()
            .map(|place| {
                let process = &mut self.processes[place];
                process.status = Status::Running;
                process.runs += 1;
                (process.index, process.runs - 1)
            })
            .collect()
    }

    /// How many more may run at the same time.
    fn room(&self) -> usize {
        let running = self.processes.iter().filter(|p| p.status == Status::Running).count();
        self.max_concurrency.saturating_sub(running)
    }

    fn may_follow(&self, place: usize) -> bool {
        self.processes[place]
            .after
            .iter()
            .all(|&before| self.processes[before].status == Status::Finished)
    }

    /// When the next process may run that only waits for the time, if there is one.
    pub fn next_start(&self) -> Option<Duration> {
        if self.room() == 0 {
            return None;
        }
        (0..self.processes.len())
            .filter(|&place| self.may_follow(place))
            .filter_map(|place| match self.processes[place].status {
                Status::Idle(from) => Some(from),
                _ => None,
            })
            .min()
    }

    /// Takes the end of a run in.
    pub fn ended(&mut self, index: usize, outcome: Outcome, now: Duration, spec: &ProcessSpec) {
        let Some(process) = self.processes.iter_mut().find(|process| process.index == index) else {
            return;
        };
        if outcome == Outcome::Failure {
            process.failures += 1;
        }
        let again = Status::Idle(now + spec.min_duration);
        let too_many = spec.max_failures.is_some_and(|max| process.failures >= max);
        process.status = match outcome {
            Outcome::Success if !spec.daemon => Status::Finished,
            Outcome::Failure if too_many && spec.ephemeral => Status::Finished,
            Outcome::Failure if too_many => Status::Failed,
            _ if self.max_runs.is_some_and(|max| process.runs >= max) => Status::Failed,
            _ => again,
        };
    }

    /// Takes in a run that another planner has started, and that has ended.
    pub fn replay(&mut self, index: usize, outcome: Outcome, now: Duration, spec: &ProcessSpec) {
        if let Some(process) = self.processes.iter_mut().find(|process| process.index == index) {
            process.runs += 1;
            self.ended(index, outcome, now, spec);
        }
    }

    /// How many processes have failed.
    pub fn failed(&self) -> usize {
        self.processes.iter().filter(|process| process.status == Status::Failed).count()
    }

    /// Whether every process that counts is over.
    pub fn is_complete(&self, task: &TaskSpec) -> bool {
        self.processes.iter().all(|process| {
            matches!(process.status, Status::Finished | Status::Failed)
                || task.processes[process.index].ephemeral
        })
    }

    /// Whether processes are left, but none that runs or ever can.
    pub fn is_deadlocked(&self, task: &TaskSpec) -> bool {
        let stuck = (0..self.processes.len()).all(|place| match self.processes[place].status {
            Status::Running => false,
            Status::Idle(_) => !self.can_ever_follow(place),
            Status::Finished | Status::Failed => true,
        });
        stuck && !self.is_complete(task)
    }

    /// Whether none of those before it has failed, directly or before them. Plans have no cycles.
    fn can_ever_follow(&self, place: usize) -> bool {
        self.processes[place].after.iter().all(|&before| match self.processes[before].status {
            Status::Failed => false,
            Status::Idle(_) => self.can_ever_follow(before),
            Status::Running | Status::Finished => true,
        })
    }
}
