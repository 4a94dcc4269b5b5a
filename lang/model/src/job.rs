//! The job as the scheduler sees it: what is asked for, what runs, and what has happened
//! (`scheduler.md` 2 and 3.1).
//!
//! The executor's part, the processes, is opaque text here ([`ExecutorConfig::data`]); its shape
//! is [`crate::config::Job`].

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::key::{AgentId, InstanceKey, JobKey, TaskId};

/// The name of the built-in executor.
pub const AURORA_EXECUTOR: &str = "AuroraExecutor";

/// The constraint and host attribute that reserves hosts for one role or purpose.
pub const DEDICATED_ATTRIBUTE: &str = "dedicated";

/// A point in time: milliseconds since the Unix epoch.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
pub struct Timestamp(pub i64);

impl Timestamp {
    /// The time `ms` milliseconds later (earlier if negative), at the ends of the scale clamped.
    #[must_use]
    pub fn plus_ms(self, ms: i64) -> Self {
        Self(self.0.saturating_add(ms))
    }

    /// Milliseconds from `earlier` to this time; negative if it lies before.
    pub fn ms_since(self, earlier: Self) -> i64 {
        self.0.saturating_sub(earlier.0)
    }
}

/// An amount of CPU in thousandths of a core, the precision Mesos keeps.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
pub struct MilliCpus(pub u64);

impl MilliCpus {
    /// The most that [`MilliCpus::from_cores`] takes: far above any machine, far below overflow.
    pub const MAX_CORES: f64 = 1e9;

    /// Cores, rounded to a thousandth. `None` if negative, not a number, or above
    /// [`MilliCpus::MAX_CORES`].
    pub fn from_cores(cores: f64) -> Option<Self> {
        if !(0.0..=Self::MAX_CORES).contains(&cores) {
            return None;
        }
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "the range was checked just above"
        )]
        Some(Self((cores * 1000.0).round() as u64))
    }

    /// The amount in cores.
    pub fn cores(self) -> f64 {
        #[expect(clippy::cast_precision_loss, reason = "amounts are below 2^53")]
        let millis = self.0 as f64;
        millis / 1000.0
    }
}

impl fmt::Display for MilliCpus {
    /// As the original prints it: always with a decimal point, such as `1.0` or `0.25`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.cores())
    }
}

/// Amounts of every resource that can be asked for. Missing is zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
pub struct ResourceBag {
    /// CPU.
    pub cpus: MilliCpus,
    /// Memory, in MiB (Mesos's "MB").
    pub ram_mb: u64,
    /// Disk, in MiB.
    pub disk_mb: u64,
    /// Number of ports.
    pub ports: u64,
    /// Number of GPUs.
    pub gpus: u64,
}

impl ResourceBag {
    /// The sum, kind by kind.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        self.zip(other, u64::saturating_add)
    }

    /// What is left, kind by kind, when `other` is taken away; never below zero.
    #[must_use]
    pub fn minus(self, other: Self) -> Self {
        self.zip(other, u64::saturating_sub)
    }

    /// The larger amount of each kind.
    #[must_use]
    pub fn max(self, other: Self) -> Self {
        self.zip(other, u64::max)
    }

    /// The amounts `n` times.
    #[must_use]
    pub fn times(self, n: u64) -> Self {
        self.zip(self, |a, _| a.saturating_mul(n))
    }

    /// Whether `other` fits into this, in every kind.
    pub fn covers(&self, other: &Self) -> bool {
        self.cpus >= other.cpus
            && self.ram_mb >= other.ram_mb
            && self.disk_mb >= other.disk_mb
            && self.ports >= other.ports
            && self.gpus >= other.gpus
    }

    fn zip(self, other: Self, f: impl Fn(u64, u64) -> u64) -> Self {
        Self {
            cpus: MilliCpus(f(self.cpus.0, other.cpus.0)),
            ram_mb: f(self.ram_mb, other.ram_mb),
            disk_mb: f(self.disk_mb, other.disk_mb),
            ports: f(self.ports, other.ports),
            gpus: f(self.gpus, other.gpus),
        }
    }
}

/// What one instance of a job asks for; ports by name.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
pub struct TaskResources {
    /// CPU.
    pub cpus: MilliCpus,
    /// Memory, in MiB.
    pub ram_mb: u64,
    /// Disk, in MiB.
    pub disk_mb: u64,
    /// Number of GPUs.
    pub gpus: u64,
    /// Names of the ports to be assigned.
    pub ports: BTreeSet<String>,
}

impl TaskResources {
    /// The amounts, ports counted.
    pub fn bag(&self) -> ResourceBag {
        ResourceBag {
            cpus: self.cpus,
            ram_mb: self.ram_mb,
            disk_mb: self.disk_mb,
            ports: self.ports.len() as u64,
            gpus: self.gpus,
        }
    }
}

/// Where the instances of a job may run, by one host attribute (`scheduler.md` 2.5).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Constraint {
    /// The host attribute.
    pub attribute: String,
    /// What is asked of it.
    pub rule: ConstraintRule,
}

/// What a [`Constraint`] asks of a host attribute.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum ConstraintRule {
    /// The host has one of these values, or none of them if negated.
    Value {
        /// Whether the match is turned round.
        negated: bool,
        /// The values.
        values: BTreeSet<String>,
    },
    /// At most this many instances of the job on hosts with the same value.
    Limit(i32),
}

/// Where instances of a job should rather run, by one host attribute, where there is a choice.
/// Whether they can run there at all is said by [`Constraint`]s.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Preference {
    /// The host attribute.
    pub attribute: String,
    /// What is wished of it.
    pub rule: PreferenceRule,
    /// How much it counts beside the job's other preferences, 1 to 100.
    pub weight: u32,
}

/// What a [`Preference`] wishes of a host attribute.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum PreferenceRule {
    /// The host has one of these values, or none of them if negated.
    Value {
        /// Whether the match is turned round.
        negated: bool,
        /// The values.
        values: BTreeSet<String>,
    },
    /// As few instances of the job as possible on hosts with the same value.
    Spread,
}

/// Which executor runs the task, and what it is told.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
pub struct ExecutorConfig {
    /// The executor's name, by default [`AURORA_EXECUTOR`].
    pub name: String,
    /// For the built-in executor the JSON of [`crate::config::Job`]; opaque to the scheduler.
    pub data: String,
}

/// What happens to a task whose agent is partitioned away (`scheduler.md` 3.6).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct PartitionPolicy {
    /// Whether it is replaced.
    pub reschedule: bool,
    /// How long to wait before it is, in seconds.
    pub delay_secs: u64,
}

/// How many instances must be up before one may be stopped (`scheduler.md` 2.9).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum SlaPolicy {
    /// This share of the instances, in percent, running for so many seconds.
    Percentage {
        /// 0 to 100.
        percentage: f64,
        /// Seconds.
        duration_secs: u64,
    },
    /// This number of instances, running for so many seconds.
    Count {
        /// Instances.
        count: u64,
        /// Seconds.
        duration_secs: u64,
    },
    /// An outside service decides.
    Coordinator {
        /// Where it is asked.
        coordinator_url: String,
        /// The key of its answer that holds the verdict.
        status_key: String,
    },
}

/// How the host's file system and processes are presented to the task (`scheduler.md` 2.6).
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Container {
    /// The Mesos containerizer, with an image's root file system if one is given.
    Mesos {
        /// The image.
        image: Option<Image>,
        /// Host directories to mount.
        volumes: Vec<Volume>,
    },
    /// A Docker container.
    Docker {
        /// The image, as `docker pull` takes it.
        image: String,
        /// Parameters of the engine, in order.
        parameters: Vec<(String, String)>,
    },
}

impl Default for Container {
    fn default() -> Self {
        Self::Mesos { image: None, volumes: Vec::new() }
    }
}

/// A root file system.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Image {
    /// A Docker image that the Mesos containerizer unpacks.
    Docker {
        /// Its name.
        name: String,
        /// Its tag.
        tag: String,
    },
    /// An App Container image.
    Appc {
        /// Its name.
        name: String,
        /// Its id.
        image_id: String,
    },
}

/// A host directory mounted into a container.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Volume {
    /// Where it appears.
    pub container_path: String,
    /// What it shows.
    pub host_path: String,
    /// Whether the task may only read it.
    pub read_only: bool,
}

/// A file the agent fetches into the sandbox before the executor starts.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct FetcherUri {
    /// Where it is.
    pub value: String,
    /// Whether an archive is unpacked.
    pub extract: Option<bool>,
    /// Whether the agent may keep a copy.
    pub cache: Option<bool>,
    /// The name it gets in the sandbox.
    pub output_file: Option<String>,
}

/// One instance's configuration. Two tasks with equal configurations are interchangeable for
/// scheduling: they form a task group (`scheduler.md` 2.3).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TaskConfig {
    /// The job.
    pub job: JobKey,
    /// The Unix user who ran the client.
    pub owner: String,
    /// Whether the task is replaced whenever it ends.
    pub is_service: bool,
    /// Compared within a role only; higher is more important.
    pub priority: i32,
    /// Failed runs after which a batch task has failed; -1 for no limit.
    pub max_task_failures: i32,
    /// Whether the tier is neither preemptible nor revocable; set by the scheduler.
    pub production: bool,
    /// The tier; the scheduler fills in its default.
    pub tier: Option<String>,
    /// What the task needs.
    pub resources: TaskResources,
    /// Where it may run.
    pub constraints: BTreeSet<Constraint>,
    /// Where it should rather run.
    pub preferences: BTreeSet<Preference>,
    /// What the agent fetches.
    pub fetcher_uris: Vec<FetcherUri>,
    /// Addresses shown with the task; may hold `%host%` and `%port:name%`.
    pub task_links: BTreeMap<String, String>,
    /// Whom to write to.
    pub contact_email: Option<String>,
    /// Which executor, and what it runs.
    pub executor: Option<ExecutorConfig>,
    /// Labels of the Mesos task.
    pub metadata: BTreeSet<(String, String)>,
    /// What to do when its agent is partitioned away.
    pub partition_policy: Option<PartitionPolicy>,
    /// How many instances must stay up.
    pub sla_policy: Option<SlaPolicy>,
    /// The container.
    pub container: Container,
}

impl TaskConfig {
    /// A task that asks for resources and nothing else, run once: what the language says of a task of
    /// which a file says no more.
    pub fn plain(job: JobKey, owner: impl Into<String>, resources: TaskResources) -> Self {
        Self {
            job,
            owner: owner.into(),
            is_service: false,
            priority: 0,
            max_task_failures: 1,
            production: false,
            tier: None,
            resources,
            constraints: BTreeSet::new(),
            preferences: BTreeSet::new(),
            fetcher_uris: Vec::new(),
            task_links: BTreeMap::new(),
            contact_email: None,
            executor: None,
            metadata: BTreeSet::new(),
            partition_policy: None,
            sla_policy: None,
            container: Container::default(),
        }
    }

    /// Whether it asks for hosts that are reserved for one role or purpose.
    pub fn is_dedicated(&self) -> bool {
        self.constraints.iter().any(|constraint| constraint.attribute == DEDICATED_ATTRIBUTE)
    }
}

/// What happens when a cron job is due while its last run is still going.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
pub enum CronCollisionPolicy {
    /// The old run is killed first.
    #[default]
    KillExisting,
    /// The new run is skipped.
    CancelNew,
    /// Both run; refused for new jobs.
    RunOverlap,
}

/// What happens to the runs of a cron job that were due while no scheduler led.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
pub enum CronCatchUp {
    /// The last of them is run once; those before it are recorded as skipped.
    #[default]
    RunLatest,
    /// Each is run, one after the other, up to a limit of the cluster.
    RunAll,
    /// All are recorded as skipped.
    Skip,
}

/// A job as it is submitted (`scheduler.md` 2.2).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct JobConfiguration {
    /// The job.
    pub key: JobKey,
    /// The Unix user who ran the client.
    pub owner: String,
    /// When it runs, if it is a cron job.
    pub cron_schedule: Option<String>,
    /// What happens to overlapping runs.
    pub cron_collision_policy: CronCollisionPolicy,
    /// The time zone of the schedule (an IANA name such as `Europe/Rome`); without one the
    /// cluster's.
    pub cron_time_zone: Option<String>,
    /// What happens to runs that were missed.
    pub cron_catch_up: CronCatchUp,
    /// What each instance is.
    pub task: TaskConfig,
    /// How many instances there are; more than zero in a valid job.
    pub instance_count: u32,
}

impl JobConfiguration {
    /// A job of these tasks that no clock runs: their job and their owner are its own.
    pub fn unscheduled(task: TaskConfig, instance_count: u32) -> Self {
        Self {
            key: task.job.clone(),
            owner: task.owner.clone(),
            cron_schedule: None,
            cron_collision_policy: CronCollisionPolicy::default(),
            cron_time_zone: None,
            cron_catch_up: CronCatchUp::default(),
            task,
            instance_count,
        }
    }
}

/// Where a task is in its life (`scheduler.md` 3.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum TaskState {
    /// Just created; never seen outside a transaction.
    Init,
    /// Waiting out a penalty for having failed too fast.
    Throttled,
    /// Waiting for a place.
    Pending,
    /// Given to an agent that has not said anything yet.
    Assigned,
    /// The executor is preparing it.
    Starting,
    /// Running.
    Running,
    /// Being stopped to make room for a more important one.
    Preempting,
    /// Being stopped at a user's request, to be started again.
    Restarting,
    /// Being stopped because its host is drained.
    Draining,
    /// Being stopped for good.
    Killing,
    /// Its agent cannot be reached.
    Partitioned,
    /// Ended with success.
    Finished,
    /// Ended with failure.
    Failed,
    /// Ended because it was asked to.
    Killed,
    /// Given up: nobody knows what became of it, or it never started.
    Lost,
}

impl TaskState {
    /// Every state, in the order of a life.
    pub const ALL: [Self; 15] = [
        Self::Init,
        Self::Throttled,
        Self::Pending,
        Self::Assigned,
        Self::Starting,
        Self::Running,
        Self::Preempting,
        Self::Restarting,
        Self::Draining,
        Self::Killing,
        Self::Partitioned,
        Self::Finished,
        Self::Failed,
        Self::Killed,
        Self::Lost,
    ];

    /// The name in capitals, as the API, the pages and the logs show it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Init => "INIT",
            Self::Throttled => "THROTTLED",
            Self::Pending => "PENDING",
            Self::Assigned => "ASSIGNED",
            Self::Starting => "STARTING",
            Self::Running => "RUNNING",
            Self::Preempting => "PREEMPTING",
            Self::Restarting => "RESTARTING",
            Self::Draining => "DRAINING",
            Self::Killing => "KILLING",
            Self::Partitioned => "PARTITIONED",
            Self::Finished => "FINISHED",
            Self::Failed => "FAILED",
            Self::Killed => "KILLED",
            Self::Lost => "LOST",
        }
    }

    /// Whether the task has ended.
    pub const fn is_terminal(self) -> bool {
        matches!(self, Self::Finished | Self::Failed | Self::Killed | Self::Lost)
    }

    /// Whether the task holds its instance id: neither [`TaskState::Init`] nor ended.
    pub const fn is_active(self) -> bool {
        !matches!(self, Self::Init) && !self.is_terminal()
    }

    /// Whether an agent has it, or is thought to.
    pub const fn is_slave_assigned(self) -> bool {
        self.is_active() && !matches!(self, Self::Throttled | Self::Pending)
    }
}

impl fmt::Display for TaskState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// A text that names no task state.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown task state {0:?}")]
pub struct UnknownTaskState(pub String);

impl FromStr for TaskState {
    type Err = UnknownTaskState;

    fn from_str(text: &str) -> Result<Self, UnknownTaskState> {
        Self::ALL
            .into_iter()
            .find(|state| state.name().eq_ignore_ascii_case(text))
            .ok_or_else(|| UnknownTaskState(text.to_owned()))
    }
}

/// Something that happened to a task.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TaskEvent {
    /// When.
    pub timestamp: Timestamp,
    /// The state it went to.
    pub state: TaskState,
    /// Why, for people.
    pub message: Option<String>,
    /// The host of the scheduler that recorded it. Shared: a scheduler records many.
    pub scheduler: Option<Arc<str>>,
}

/// A task with its place, as the executor is told of it.
#[derive(Debug, Clone, PartialEq)]
pub struct AssignedTask {
    /// This run.
    pub task_id: TaskId,
    /// The agent it was given to, and that agent's host name; none while it waits. Shared by the
    /// tasks of the host.
    pub agent: Option<(AgentId, Arc<str>)>,
    /// What it is. Shared by the instances of a job.
    pub task: Arc<TaskConfig>,
    /// The numbers of its named ports.
    pub assigned_ports: BTreeMap<String, u16>,
    /// Which instance of the job it is.
    pub instance: u32,
}

impl AssignedTask {
    /// The job instance this is a run of.
    pub fn instance_key(&self) -> InstanceKey {
        self.task.job.instance(self.instance)
    }
}

/// A task in the scheduler's store (`scheduler.md` 2.10).
#[derive(Debug, Clone, PartialEq)]
pub struct ScheduledTask {
    /// What and where it is.
    pub assigned: AssignedTask,
    /// Where it is in its life.
    pub state: TaskState,
    /// Failed runs so far, those of its ancestors included.
    pub failure_count: u32,
    /// How often it was partitioned away.
    pub times_partitioned: u32,
    /// What happened, oldest first; empty only within the transaction that creates it.
    pub events: Vec<TaskEvent>,
    /// The run it replaces.
    pub ancestor: Option<TaskId>,
}

impl ScheduledTask {
    /// This run's id.
    pub fn id(&self) -> &TaskId {
        &self.assigned.task_id
    }

    /// The job.
    pub fn job(&self) -> &JobKey {
        &self.assigned.task.job
    }

    /// The last thing that happened.
    pub fn latest_event(&self) -> Option<&TaskEvent> {
        self.events.last()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn states_fall_into_the_classes_of_the_specification() {
        let of = |class: fn(TaskState) -> bool| -> Vec<&str> {
            TaskState::ALL.into_iter().filter(|s| class(*s)).map(TaskState::name).collect()
        };
        assert_eq!(of(TaskState::is_terminal), ["FINISHED", "FAILED", "KILLED", "LOST"]);
        assert_eq!(
            of(TaskState::is_slave_assigned),
            [
                "ASSIGNED",
                "STARTING",
                "RUNNING",
                "PREEMPTING",
                "RESTARTING",
                "DRAINING",
                "KILLING",
                "PARTITIONED"
            ]
        );
        assert_eq!(of(TaskState::is_active).len(), 10);
        for state in TaskState::ALL {
            assert_eq!(state.name().parse(), Ok(state));
        }
    }

    #[test]
    fn cpus_keep_three_decimals_and_refuse_nonsense() {
        assert_eq!(MilliCpus::from_cores(0.1 + 0.2), Some(MilliCpus(300)));
        assert_eq!(MilliCpus(250).to_string(), "0.25");
        assert_eq!(MilliCpus(1000).to_string(), "1.0");
        for bad in [-0.1, f64::NAN, f64::INFINITY, 2e9] {
            assert_eq!(MilliCpus::from_cores(bad), None, "{bad}");
        }
    }

    #[test]
    fn bags_are_compared_kind_by_kind() {
        let small = ResourceBag { cpus: MilliCpus(100), ram_mb: 10, ..ResourceBag::default() };
        let large = ResourceBag { cpus: MilliCpus(200), ram_mb: 10, ..ResourceBag::default() };
        assert!(large.covers(&small) && !small.covers(&large));
        assert_eq!(small.times(2).minus(large).ram_mb, 10);
        assert_eq!(small.minus(large).cpus, MilliCpus(0));
    }
}
