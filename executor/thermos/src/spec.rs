//! A task as the runner needs it: every field checked and in its own unit.

use std::collections::BTreeSet;
use std::time::Duration;

use aurora_model::config;
use aurora_model::plan::{Plan, PlanError};

/// How often one process may run, unless whoever runs the task says otherwise (`executor.md` 8).
pub const MAX_RUNS: u32 = 100;

/// A task that can be run.
#[derive(Debug, Clone)]
pub struct TaskSpec {
    /// Its processes, in the order they are written in.
    pub processes: Vec<ProcessSpec>,
    /// The order of those that are not final.
    pub regular: Plan,
    /// The order of those that are.
    pub finals: Plan,
    /// Failed processes after which the task has failed; `None` for no limit.
    pub max_failures: Option<u32>,
    /// Processes that may run at the same time; `None` for no limit.
    pub max_concurrency: Option<u32>,
    /// How long processes have to end by themselves.
    pub finalization_wait: Duration,
    /// Runs of one process after which it has failed, whatever they came to; `None` for no limit.
    pub max_runs: Option<u32>,
}

/// A process of a [`TaskSpec`].
#[derive(Debug, Clone)]
pub struct ProcessSpec {
    /// Its name.
    pub name: String,
    /// What the shell runs.
    pub command: String,
    /// Failed runs after which it has failed; `None` for no limit.
    pub max_failures: Option<u32>,
    /// Whether it is started again after it has succeeded.
    pub daemon: bool,
    /// Whether the task may end while it still runs.
    pub ephemeral: bool,
    /// Whether it runs after the others.
    pub is_final: bool,
    /// The time between the end of a run and the start of the next.
    pub min_duration: Duration,
    /// Where its output goes.
    pub logger: Logger,
}

/// Where the output of a process goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Logger {
    /// The place.
    pub destination: Destination,
    /// How files are kept.
    pub mode: Mode,
}

/// The place that output goes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Destination {
    /// Files in the sandbox.
    File,
    /// Where the runner prints to.
    Console,
    /// Both.
    Both,
    /// Nowhere.
    None,
}

/// How log files are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// They grow.
    Standard,
    /// They are rotated.
    Rotate {
        /// Bytes per file.
        size: u64,
        /// Old files.
        backups: u32,
    },
}

/// Why words do not say where output goes.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LoggerError {
    /// There is no such place.
    #[error("unknown logger destination {0:?}: it is one of file, console, both, none")]
    Destination(String),
    /// Files are not kept that way.
    #[error("unknown logger mode {0:?}: it is one of standard, rotate")]
    Mode(String),
    /// A number is out of its range.
    #[error("{what} of a logger must be from 1 to {max}, not {value}")]
    Range {
        /// The number.
        what: &'static str,
        /// What it is.
        value: u64,
        /// The most that it may be.
        max: u64,
    },
}

/// Files that grow, in the sandbox: what is done with the output of a process if nobody says
/// otherwise.
impl Default for Logger {
    fn default() -> Self {
        Self { destination: Destination::File, mode: Mode::Standard }
    }
}

impl Logger {
    /// The bytes of a rotated log file if nobody says otherwise.
    pub const ROTATE_SIZE: u64 = 100 << 20;
    /// The number of old log files if nobody says otherwise.
    pub const ROTATE_BACKUPS: u32 = 5;
    /// The most MiB of a rotated log file: more is no number of bytes.
    pub const MAX_SIZE_MIB: u64 = u64::MAX >> 20;
    /// The most old log files: each rotation renames them all.
    pub const MAX_BACKUPS: u32 = 1000;

    /// The logger that an operator's flags describe (`executor.md` 10). What is empty or 0 was not
    /// given. The size is in MiB.
    ///
    /// # Errors
    /// [`LoggerError`]: an unknown word, or a number out of its range.
    pub fn from_flags(
        destination: &str,
        mode: &str,
        size_mib: u64,
        backups: u32,
    ) -> Result<Self, LoggerError> {
        let destination = match destination {
            "" | "file" => Destination::File,
            "console" => Destination::Console,
            "both" => Destination::Both,
            "none" => Destination::None,
            other => return Err(LoggerError::Destination(other.to_owned())),
        };
        let size = match size_mib {
            0 => Self::ROTATE_SIZE,
            mib if mib <= Self::MAX_SIZE_MIB => mib << 20,
            value => {
                let what = "rotate size in MiB";
                return Err(LoggerError::Range { what, value, max: Self::MAX_SIZE_MIB });
            }
        };
        let backups = match backups {
            0 => Self::ROTATE_BACKUPS,
            few if few <= Self::MAX_BACKUPS => few,
            many => {
                let (value, max) = (many.into(), Self::MAX_BACKUPS.into());
                return Err(LoggerError::Range { what: "rotate backups", value, max });
            }
        };
        let mode = match mode {
            "" | "standard" => Mode::Standard,
            "rotate" => Mode::Rotate { size, backups },
            other => return Err(LoggerError::Mode(other.to_owned())),
        };
        Ok(Self { destination, mode })
    }
}

/// Why a task cannot be run.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SpecError {
    /// Its processes cannot be put in order.
    #[error(transparent)]
    Plan(#[from] PlanError),
    /// A process has a name that would break the lines it is written in.
    #[error("invalid process name {0:?}: it must not hold control characters")]
    ProcessName(String),
    /// An order names nothing that is there.
    #[error("order({}) names no process of this task", .0.join(", "))]
    UnknownOrder(Vec<String>),
    /// Two processes have the same name.
    #[error("two processes are called {0:?}")]
    DuplicateProcess(String),
    /// A number is out of its range.
    #[error("{field} of {of} is out of range: {value}")]
    Range {
        /// The field.
        field: &'static str,
        /// The process or task.
        of: String,
        /// What it holds.
        value: i64,
    },
}

impl TaskSpec {
    /// Checks a task whose references are all bound.
    ///
    /// # Errors
    /// [`SpecError`]: what cannot be run, and why.
    pub fn new(task: &config::Task) -> Result<Self, SpecError> {
        Self::with_logger(task, Logger::default())
    }

    /// The same, with the logger of those processes that do not have their own.
    ///
    /// # Errors
    /// [`SpecError`]: what cannot be run, and why.
    pub fn with_logger(task: &config::Task, logger: Logger) -> Result<Self, SpecError> {
        let mut names = BTreeSet::new();
        if let Some(twice) = task.processes.iter().find(|process| !names.insert(&process.name)) {
            return Err(SpecError::DuplicateProcess(twice.name.clone()));
        }
        if let Some(name) = names.iter().find(|name| name.contains(char::is_control)) {
            return Err(SpecError::ProcessName((*name).clone()));
        }
        let constraints = task.constraints.as_deref().unwrap_or_default();
        if let Some(unknown) = constraints.iter().find(|constraint| {
            !constraint.order.is_empty() && !constraint.order.iter().any(|n| names.contains(n))
        }) {
            return Err(SpecError::UnknownOrder(unknown.order.clone()));
        }
        let of = format!("task {:?}", task.name);
        Ok(Self {
            processes: task
                .processes
                .iter()
                .map(|of| process(of, logger))
                .collect::<Result<_, _>>()?,
            regular: Plan::new(&task.processes, constraints, false)?,
            finals: Plan::new(&task.processes, constraints, true)?,
            max_failures: limit("max_failures", &of, task.max_failures)?,
            max_concurrency: limit("max_concurrency", &of, task.max_concurrency)?,
            finalization_wait: seconds("finalization_wait", &of, task.finalization_wait)?,
            max_runs: Some(MAX_RUNS),
        })
    }

    /// The names of the processes of a task as JSON, in order; none if it is no task.
    pub fn process_names(json: &str) -> Vec<String> {
        serde_json::from_str::<config::Task>(json)
            .map(|task| task.processes.into_iter().map(|process| process.name).collect())
            .unwrap_or_default()
    }
}

fn process(process: &config::Process, default: Logger) -> Result<ProcessSpec, SpecError> {
    let of = format!("process {:?}", process.name);
    let logger = match &process.logger {
        None => default,
        Some(logger) => Logger {
            destination: match logger.destination {
                config::LoggerDestination::File => Destination::File,
                config::LoggerDestination::Console => Destination::Console,
                config::LoggerDestination::Both => Destination::Both,
                config::LoggerDestination::None => Destination::None,
            },
            mode: match logger.mode {
                config::LoggerMode::Standard => Mode::Standard,
                config::LoggerMode::Rotate => {
                    let policy = logger.rotate.unwrap_or_default();
                    let range = |field, value| SpecError::Range { field, of: of.clone(), value };
                    Mode::Rotate {
                        size: u64::try_from(policy.log_size)
                            .ok()
                            .filter(|size| *size > 0)
                            .ok_or_else(|| range("logger.rotate.log_size", policy.log_size))?,
                        backups: u32::try_from(policy.backups)
                            .ok()
                            .filter(|backups| (1..=Logger::MAX_BACKUPS).contains(backups))
                            .ok_or_else(|| range("logger.rotate.backups", policy.backups))?,
                    }
                }
            },
        },
    };
    Ok(ProcessSpec {
        name: process.name.clone(),
        command: process.cmdline.clone(),
        max_failures: limit("max_failures", &of, process.max_failures)?,
        daemon: process.daemon,
        ephemeral: process.ephemeral,
        is_final: process.is_final,
        min_duration: seconds("min_duration", &of, process.min_duration)?,
        logger,
    })
}

/// 0 is no limit.
fn limit(field: &'static str, of: &str, value: i64) -> Result<Option<u32>, SpecError> {
    match u32::try_from(value) {
        Ok(0) => Ok(None),
        Ok(limit) => Ok(Some(limit)),
        Err(_) => Err(SpecError::Range { field, of: of.to_owned(), value }),
    }
}

/// At most a century, so that sums of times cannot overflow.
fn seconds(field: &'static str, of: &str, value: i64) -> Result<Duration, SpecError> {
    u64::try_from(value)
        .ok()
        .filter(|seconds| *seconds <= 3_155_760_000)
        .map(Duration::from_secs)
        .ok_or_else(|| SpecError::Range { field, of: of.to_owned(), value })
}
