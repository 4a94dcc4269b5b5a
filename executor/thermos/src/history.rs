//! What a checkpoint tells, record by record: the state of a task and of every run of its
//! processes.
//!
//! Pure. A record that cannot follow those before it is refused, and changes nothing.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::checkpoint::record::{
    Event, Header, ProcessChange, ProcessEvent, ProcessIdentity, Record, RunnerEvent, TaskEvent,
    Told,
};
use crate::state::{ProcessState, TaskState};

/// A task as far as its checkpoint was read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct History {
    header: Option<Header>,
    told: Option<Told>,
    told_ms: Option<i64>,
    statuses: Vec<TaskStatus>,
    processes: BTreeMap<String, Vec<Run>>,
    started_ms: Option<i64>,
    last_ms: Option<i64>,
}

/// A state that the task was in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TaskStatus {
    /// The state.
    pub state: TaskState,
    /// Since when: wall clock, milliseconds since the Unix epoch.
    pub time_ms: i64,
    /// Why, for people. May be empty.
    pub reason: String,
}

/// One run of a process. Times are wall clock, in milliseconds since the Unix epoch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Run {
    /// Its number, from 0.
    pub number: u32,
    /// Its state.
    pub state: ProcessState,
    /// When it was decided to start it.
    pub waiting_ms: i64,
    /// When its start began.
    pub forked_ms: Option<i64>,
    /// When its shell ran.
    pub started_ms: Option<i64>,
    /// When it ended.
    pub stopped_ms: Option<i64>,
    /// Its shell, which leads its session and group.
    pub process: Option<ProcessIdentity>,
    /// Its exit code, if it ended with one.
    pub exit_code: Option<i32>,
    /// The signal that ended it, if one did.
    pub signal: Option<i32>,
    /// Why it could not be started; empty otherwise.
    pub reason: String,
}

impl Run {
    /// The return code as the original gave it: the exit code, or the signal with a minus sign.
    pub fn return_code(&self) -> Option<i32> {
        self.exit_code.or_else(|| self.signal.map(|signal| -signal))
    }
}

impl History {
    /// Takes the next record in.
    ///
    /// # Errors
    /// It cannot follow what was there before; the text says why.
    pub fn apply(&mut self, record: Record) -> Result<(), String> {
        let Record { time_ms, event } = record;
        match event {
            Event::Header(_) if self.header.is_some() => return Err("a second header".into()),
            Event::Header(header) => self.header = Some(*header),
            _ if self.header.is_none() => return Err("the first record is not a header".into()),
            Event::Task(event) => self.apply_task(time_ms, event)?,
            Event::Process(event) => self.apply_process(time_ms, event)?,
            Event::Runner(event) => self.apply_runner(event)?,
            Event::Told(_) if self.state().is_none_or(TaskState::is_terminal) => {
                return Err("a task that does not run is told to end".into());
            }
            Event::Told(told) => {
                self.told = Some(told);
                self.told_ms = Some(time_ms);
            }
        }
        self.started_ms.get_or_insert(time_ms);
        self.last_ms = Some(time_ms);
        Ok(())
    }

    fn apply_runner(&mut self, event: RunnerEvent) -> Result<(), String> {
        if self.state().is_some_and(TaskState::is_terminal) {
            return Err("a task that has ended is taken on".into());
        }
        if let Some(header) = &mut self.header {
            header.runner = event.process;
            header.boot_id = event.boot_id;
        }
        Ok(())
    }

    fn apply_task(&mut self, time_ms: i64, event: TaskEvent) -> Result<(), String> {
        let TaskEvent { state, reason } = event;
        let fits = match self.state() {
            None => state == TaskState::Active,
            Some(last) => last.next().contains(&state),
        };
        if !fits {
            let last = self.state().map_or("no state", TaskState::name);
            return Err(format!("task state {state} after {last}"));
        }
        self.statuses.push(TaskStatus { state, time_ms, reason });
        Ok(())
    }

    fn apply_process(&mut self, time_ms: i64, event: ProcessEvent) -> Result<(), String> {
        let ProcessEvent { process, run: number, change } = event;
        if self.state().is_none_or(TaskState::is_terminal) {
            return Err(format!("process {process:?} changes while its task does not run"));
        }
        let known = self.processes.get(&process).map_or(&[][..], Vec::as_slice);
        let state = change.state();
        let expected = known.len();
        if state == ProcessState::Waiting {
            let over = known.last().is_none_or(|run| run.state.is_terminal());
            if !over || usize::try_from(number) != Ok(expected) {
                return Err(format!("run {number} of process {process:?} starts out of order"));
            }
            self.processes.entry(process).or_default().push(Run::waiting(number, time_ms));
            return Ok(());
        }
        let run = self.processes.get_mut(&process).and_then(|runs| runs.last_mut());
        let run = run.filter(|run| run.number == number);
        let run = run.ok_or_else(|| format!("run {number} of process {process:?} is not known"))?;
        if !run.state.next().contains(&state) {
            let last = run.state;
            return Err(format!("state {state} after {last} in run {number} of {process:?}"));
        }
        run.change(time_ms, change);
        Ok(())
    }

    /// What the task was told to end as, if it was.
    pub fn told(&self) -> Option<&Told> {
        self.told.as_ref()
    }

    /// How long it may live on at `now_ms` (wall clock, milliseconds since the Unix epoch) after it was
    /// told to end, if it was. Never longer than it had when it was told, as the clock may have been
    /// set back since.
    pub fn time_left(&self, now_ms: i64) -> Option<Duration> {
        let until_ms = self.told.as_ref()?.until_ms;
        let since = |ms: i64| u64::try_from(until_ms.saturating_sub(ms)).unwrap_or(0);
        Some(Duration::from_millis(since(now_ms).min(since(self.told_ms?))))
    }

    /// What is known from the start, with the process that runs the task now or did so last; `None`
    /// until that much was read.
    pub fn header(&self) -> Option<&Header> {
        self.header.as_ref()
    }

    /// The task's state; `None` until it was read.
    pub fn state(&self) -> Option<TaskState> {
        self.statuses.last().map(|status| status.state)
    }

    /// The states the task went through, oldest first.
    pub fn statuses(&self) -> &[TaskStatus] {
        &self.statuses
    }

    /// The runs of each process that has ever been started, by name; oldest run first.
    pub fn processes(&self) -> &BTreeMap<String, Vec<Run>> {
        &self.processes
    }

    /// When the task was taken on, in milliseconds since the Unix epoch.
    pub fn started_ms(&self) -> Option<i64> {
        self.started_ms
    }

    /// When it ended, if it did.
    pub fn ended_ms(&self) -> Option<i64> {
        self.statuses
            .last()
            .filter(|status| status.state.is_terminal())
            .map(|status| status.time_ms)
    }

    /// When the last record was written.
    pub fn last_ms(&self) -> Option<i64> {
        self.last_ms
    }
}

impl Run {
    fn waiting(number: u32, time_ms: i64) -> Self {
        Self {
            number,
            state: ProcessState::Waiting,
            waiting_ms: time_ms,
            forked_ms: None,
            started_ms: None,
            stopped_ms: None,
            process: None,
            exit_code: None,
            signal: None,
            reason: String::new(),
        }
    }

    fn change(&mut self, time_ms: i64, change: ProcessChange) {
        self.state = change.state();
        if self.state.is_terminal() {
            self.stopped_ms = Some(time_ms);
        }
        match change {
            ProcessChange::Waiting | ProcessChange::Lost => {}
            ProcessChange::Forked => self.forked_ms = Some(time_ms),
            ProcessChange::Running(identity) => {
                self.started_ms = Some(time_ms);
                self.process = Some(identity);
            }
            ProcessChange::Success => self.exit_code = Some(0),
            ProcessChange::Failed { exit_code, reason } => {
                self.exit_code = exit_code;
                self.reason = reason;
            }
            ProcessChange::Killed { signal } => self.signal = Some(signal),
        }
    }
}
