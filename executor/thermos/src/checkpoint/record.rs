//! What a checkpoint says, and its encoding.

use std::collections::BTreeMap;
use std::path::PathBuf;

use prost::Message as _;

use crate::state::{ProcessState, TaskState};

/// The messages of `proto/aurora/thermos/v1/checkpoint.proto`.
#[allow(clippy::all, missing_docs, unreachable_pub, reason = "generated; the file documents it")]
mod wire {
    include!(concat!(env!("OUT_DIR"), "/aurora.thermos.v1.rs"));
}

/// One entry of a checkpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// Wall clock, milliseconds since the Unix epoch.
    pub time_ms: i64,
    /// What happened then.
    pub event: Event,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// The task was taken on. Always the first record, and only that.
    Header(Box<Header>),
    /// The task changed its state.
    Task(TaskEvent),
    /// A run of a process changed its state.
    Process(ProcessEvent),
    /// Another process runs the task from here on: the one before has died.
    Runner(RunnerEvent),
    /// The task was told to end.
    Told(Told),
}

/// What is known of a task from the start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Header {
    /// The task's id.
    pub task_id: String,
    /// The task as it runs, as JSON: every reference is bound.
    pub task_json: String,
    /// The job that it belongs to, if it was started by a cluster.
    pub job: Option<JobInstance>,
    /// The working directory of its processes.
    pub sandbox: PathBuf,
    /// `<log_dir>/<process>/<run>/{stdout,stderr}` is what its processes print.
    pub log_dir: PathBuf,
    /// The machine, as the cluster names it.
    pub hostname: String,
    /// Who its processes run as.
    pub user: String,
    /// The same as a number.
    pub uid: u32,
    /// Its ports by name.
    pub ports: BTreeMap<String, u16>,
    /// The process that runs it.
    pub runner: ProcessIdentity,
    /// The boot (`/proc/sys/kernel/random/boot_id`) in which that process lives.
    pub boot_id: String,
}

/// The instance of a job that a task is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobInstance {
    /// The role.
    pub role: String,
    /// The environment.
    pub environment: String,
    /// The job's name.
    pub name: String,
    /// The instance's number.
    pub instance: u32,
}

/// A process of the operating system. The kernel gives its id to another one some time after its
/// end; together with the start time it is unique until the next boot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ProcessIdentity {
    /// The process id.
    pub pid: i32,
    /// When it started, in clock ticks since boot (`/proc/<pid>/stat`, field 22).
    pub start_ticks: u64,
}

/// The process that runs a task.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunnerEvent {
    /// The process.
    pub process: ProcessIdentity,
    /// The boot in which it lives.
    pub boot_id: String,
}

/// What a task was told to end as.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Told {
    /// [`TaskState::Killed`] or [`TaskState::Lost`].
    pub state: TaskState,
    /// Why, for people.
    pub reason: String,
    /// When it must have ended: wall clock, milliseconds since the Unix epoch.
    pub until_ms: i64,
}

/// A new state of the task.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TaskEvent {
    /// The state.
    pub state: TaskState,
    /// Why, for people. May be empty.
    pub reason: String,
}

/// A new state of one run of a process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProcessEvent {
    /// The process's name.
    pub process: String,
    /// The run, counted from 0.
    pub run: u32,
    /// The state, with what belongs to it.
    pub change: ProcessChange,
}

/// A state of a run and what is known with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ProcessChange {
    /// See [`ProcessState::Waiting`].
    Waiting,
    /// See [`ProcessState::Forked`].
    Forked,
    /// See [`ProcessState::Running`]; the shell, whose id is its session's and group's too.
    Running(ProcessIdentity),
    /// See [`ProcessState::Success`].
    Success,
    /// See [`ProcessState::Failed`].
    Failed {
        /// Its exit code; `None` if it could not be started.
        exit_code: Option<i32>,
        /// Why it could not be started; empty if it was.
        reason: String,
    },
    /// See [`ProcessState::Killed`].
    Killed {
        /// The signal.
        signal: i32,
    },
    /// See [`ProcessState::Lost`].
    Lost,
}

impl ProcessChange {
    /// The state alone.
    pub fn state(&self) -> ProcessState {
        match self {
            Self::Waiting => ProcessState::Waiting,
            Self::Forked => ProcessState::Forked,
            Self::Running(_) => ProcessState::Running,
            Self::Success => ProcessState::Success,
            Self::Failed { .. } => ProcessState::Failed,
            Self::Killed { .. } => ProcessState::Killed,
            Self::Lost => ProcessState::Lost,
        }
    }
}

/// Why some bytes are not a record.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    /// They are not a message of the protocol.
    #[error("not a checkpoint record: {0}")]
    Decode(#[from] prost::DecodeError),
    /// A field is missing, or has no value of its kind.
    #[error("checkpoint record without a valid {0}")]
    Field(&'static str),
}

impl Record {
    /// The record as bytes.
    pub fn encode(&self) -> Vec<u8> {
        let event = match &self.event {
            Event::Header(header) => wire::record::Event::Header(header_to_wire(header)),
            Event::Task(event) => wire::record::Event::Task(wire::TaskStatus {
                state: task_state_to_wire(event.state).into(),
                reason: event.reason.clone(),
            }),
            Event::Process(event) => wire::record::Event::Process(process_to_wire(event)),
            Event::Runner(event) => wire::record::Event::Runner(wire::Runner {
                pid: event.process.pid,
                start_ticks: event.process.start_ticks,
                boot_id: event.boot_id.clone(),
            }),
            Event::Told(told) => wire::record::Event::Told(wire::Told {
                state: task_state_to_wire(told.state).into(),
                reason: told.reason.clone(),
                until_ms: told.until_ms,
            }),
        };
        wire::Record { time_ms: self.time_ms, event: Some(event) }.encode_to_vec()
    }

    /// Reads what [`Record::encode`] wrote.
    ///
    /// # Errors
    /// The bytes are no message, or one with a field missing.
    pub fn decode(bytes: &[u8]) -> Result<Self, RecordError> {
        let record = wire::Record::decode(bytes)?;
        let event = match record.event.ok_or(RecordError::Field("event"))? {
            wire::record::Event::Header(header) => {
                Event::Header(Box::new(header_from_wire(header)?))
            }
            wire::record::Event::Task(status) => Event::Task(TaskEvent {
                state: task_state_from_wire(status.state())?,
                reason: status.reason,
            }),
            wire::record::Event::Process(status) => Event::Process(process_from_wire(status)?),
            wire::record::Event::Runner(runner) => Event::Runner(RunnerEvent {
                process: ProcessIdentity { pid: runner.pid, start_ticks: runner.start_ticks },
                boot_id: runner.boot_id,
            }),
            wire::record::Event::Told(told) => Event::Told(Told {
                state: match task_state_from_wire(told.state())? {
                    state @ (TaskState::Killed | TaskState::Lost) => state,
                    _ => return Err(RecordError::Field("state to end as")),
                },
                reason: told.reason,
                until_ms: told.until_ms,
            }),
        };
        Ok(Self { time_ms: record.time_ms, event })
    }
}

fn header_to_wire(header: &Header) -> wire::Header {
    wire::Header {
        task_id: header.task_id.clone(),
        task_json: header.task_json.clone(),
        job: header.job.as_ref().map(|job| wire::Job {
            role: job.role.clone(),
            environment: job.environment.clone(),
            name: job.name.clone(),
            instance: job.instance,
        }),
        sandbox: header.sandbox.to_string_lossy().into_owned(),
        log_dir: header.log_dir.to_string_lossy().into_owned(),
        hostname: header.hostname.clone(),
        user: header.user.clone(),
        uid: header.uid,
        ports: header.ports.iter().map(|(name, port)| (name.clone(), u32::from(*port))).collect(),
        runner_pid: header.runner.pid,
        runner_start_ticks: header.runner.start_ticks,
        boot_id: header.boot_id.clone(),
    }
}

fn header_from_wire(header: wire::Header) -> Result<Header, RecordError> {
    let ports = header
        .ports
        .into_iter()
        .map(|(name, port)| {
            let port = u16::try_from(port).map_err(|_| RecordError::Field("port"))?;
            Ok((name, port))
        })
        .collect::<Result<_, RecordError>>()?;
    Ok(Header {
        task_id: header.task_id,
        task_json: header.task_json,
        job: header.job.map(|job| JobInstance {
            role: job.role,
            environment: job.environment,
            name: job.name,
            instance: job.instance,
        }),
        sandbox: header.sandbox.into(),
        log_dir: header.log_dir.into(),
        hostname: header.hostname,
        user: header.user,
        uid: header.uid,
        ports,
        runner: ProcessIdentity { pid: header.runner_pid, start_ticks: header.runner_start_ticks },
        boot_id: header.boot_id,
    })
}

fn process_to_wire(event: &ProcessEvent) -> wire::ProcessStatus {
    let mut status = wire::ProcessStatus {
        process: event.process.clone(),
        run: event.run,
        state: process_state_to_wire(event.change.state()).into(),
        ..wire::ProcessStatus::default()
    };
    match &event.change {
        ProcessChange::Running(identity) => {
            status.pid = identity.pid;
            status.start_ticks = identity.start_ticks;
        }
        ProcessChange::Success => status.exit_code = Some(0),
        ProcessChange::Failed { exit_code, reason } => {
            status.exit_code = *exit_code;
            status.reason.clone_from(reason);
        }
        ProcessChange::Killed { signal } => status.signal = Some(*signal),
        ProcessChange::Waiting | ProcessChange::Forked | ProcessChange::Lost => {}
    }
    status
}

fn process_from_wire(status: wire::ProcessStatus) -> Result<ProcessEvent, RecordError> {
    use wire::ProcessState as S;
    let change = match status.state() {
        S::Unspecified => return Err(RecordError::Field("process state")),
        S::Waiting => ProcessChange::Waiting,
        S::Forked => ProcessChange::Forked,
        S::Running if status.pid <= 0 => return Err(RecordError::Field("process id")),
        S::Running => ProcessChange::Running(ProcessIdentity {
            pid: status.pid,
            start_ticks: status.start_ticks,
        }),
        S::Success => ProcessChange::Success,
        S::Failed => ProcessChange::Failed { exit_code: status.exit_code, reason: status.reason },
        S::Killed => {
            ProcessChange::Killed { signal: status.signal.ok_or(RecordError::Field("signal"))? }
        }
        S::Lost => ProcessChange::Lost,
    };
    if status.process.is_empty() {
        return Err(RecordError::Field("process name"));
    }
    Ok(ProcessEvent { process: status.process, run: status.run, change })
}

fn task_state_to_wire(state: TaskState) -> wire::TaskState {
    match state {
        TaskState::Active => wire::TaskState::Active,
        TaskState::Cleaning => wire::TaskState::Cleaning,
        TaskState::Finalizing => wire::TaskState::Finalizing,
        TaskState::Success => wire::TaskState::Success,
        TaskState::Failed => wire::TaskState::Failed,
        TaskState::Killed => wire::TaskState::Killed,
        TaskState::Lost => wire::TaskState::Lost,
    }
}

fn task_state_from_wire(state: wire::TaskState) -> Result<TaskState, RecordError> {
    Ok(match state {
        wire::TaskState::Unspecified => return Err(RecordError::Field("task state")),
        wire::TaskState::Active => TaskState::Active,
        wire::TaskState::Cleaning => TaskState::Cleaning,
        wire::TaskState::Finalizing => TaskState::Finalizing,
        wire::TaskState::Success => TaskState::Success,
        wire::TaskState::Failed => TaskState::Failed,
        wire::TaskState::Killed => TaskState::Killed,
        wire::TaskState::Lost => TaskState::Lost,
    })
}

fn process_state_to_wire(state: ProcessState) -> wire::ProcessState {
    match state {
        ProcessState::Waiting => wire::ProcessState::Waiting,
        ProcessState::Forked => wire::ProcessState::Forked,
        ProcessState::Running => wire::ProcessState::Running,
        ProcessState::Success => wire::ProcessState::Success,
        ProcessState::Failed => wire::ProcessState::Failed,
        ProcessState::Killed => wire::ProcessState::Killed,
        ProcessState::Lost => wire::ProcessState::Lost,
    }
}

#[cfg(test)]
mod tests {
    use super::{
        Event, Header, JobInstance, ProcessChange, ProcessEvent, ProcessIdentity, Record,
        RecordError, RunnerEvent, TaskEvent, Told, wire,
    };
    use crate::state::TaskState;
    use prost::Message as _;

    #[test]
    fn every_kind_of_record_survives_the_file() {
        let identity = ProcessIdentity { pid: 4242, start_ticks: 99_999_999_999 };
        let header = Header {
            task_id: "www-data-prod-hello-0-u".into(),
            task_json: r#"{"name":"café"}"#.into(),
            job: Some(JobInstance {
                role: "www-data".into(),
                environment: "prod".into(),
                name: "hello".into(),
                instance: 3,
            }),
            sandbox: "/s".into(),
            log_dir: "/s/.logs".into(),
            hostname: "h".into(),
            user: "www-data".into(),
            uid: 33,
            ports: [("http".to_owned(), 31_000)].into(),
            runner: identity,
            boot_id: "b".into(),
        };
        let changes = [
            ProcessChange::Waiting,
            ProcessChange::Forked,
            ProcessChange::Running(identity),
            ProcessChange::Success,
            ProcessChange::Failed { exit_code: Some(127), reason: String::new() },
            ProcessChange::Failed { exit_code: None, reason: "no such user".into() },
            ProcessChange::Killed { signal: 9 },
            ProcessChange::Lost,
        ];
        let mut events = vec![Event::Header(Box::new(header))];
        events.extend(
            TaskState::ALL.map(|state| Event::Task(TaskEvent { state, reason: "why".into() })),
        );
        events
            .extend(changes.map(|change| {
                Event::Process(ProcessEvent { process: "p".into(), run: 7, change })
            }));
        events.push(Event::Runner(RunnerEvent { process: identity, boot_id: "c".into() }));
        events.extend([TaskState::Killed, TaskState::Lost].map(|state| {
            Event::Told(Told { state, reason: "asked to".into(), until_ms: 1_700_000_060_000 })
        }));
        for event in events {
            let record = Record { time_ms: 1_700_000_000_123, event };
            assert_eq!(Record::decode(&record.encode()).unwrap(), record);
        }
    }

    #[test]
    fn a_running_process_must_have_an_id() {
        let record = wire::Record {
            time_ms: 0,
            event: Some(wire::record::Event::Process(wire::ProcessStatus {
                process: "p".into(),
                state: wire::ProcessState::Running.into(),
                ..wire::ProcessStatus::default()
            })),
        };
        let error = Record::decode(&record.encode_to_vec()).unwrap_err();
        assert!(matches!(error, RecordError::Field("process id")), "{error}");
    }
}
