//! The job as the user writes it, interpolated: what a `.aurora` file evaluates to and, as JSON,
//! what the executor is told (`dsl.md` 5).
//!
//! The JSON is the original's: an absent field is left out, every default is written, numbers are
//! integers or floats by the field's type. Fields that a reader does not know are ignored, so that
//! an older executor can run what a newer client has sent.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// A job (`dsl.md` 5.2).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Job {
    /// The job's name within its role and environment.
    pub name: String,
    /// Who owns it, and the Unix user its processes run as.
    pub role: String,
    /// The cluster it is meant for.
    pub cluster: String,
    /// Such as `prod` or `devel`.
    pub environment: String,
    /// What each instance runs.
    pub task: Task,
    /// How many instances there are. Not part of the executor's data.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instances: Option<i64>,
    /// Whom to write to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub contact: Option<String>,
    /// The tier.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tier: Option<String>,
    /// Whether instances are replaced whenever they end.
    #[serde(default)]
    pub service: bool,
    /// Deprecated: use `tier`.
    #[serde(default)]
    pub production: bool,
    /// Compared within the role; higher is more important.
    #[serde(default)]
    pub priority: i64,
    /// Failed runs after which an instance of a batch job has failed; -1 for no limit.
    #[serde(default = "one")]
    pub max_task_failures: i64,
    /// When it runs, if it is a cron job.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cron_schedule: Option<String>,
    /// What happens to overlapping runs.
    #[serde(default = "kill_existing")]
    pub cron_collision_policy: String,
    /// How it is updated. Not part of the executor's data.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub update_config: Option<UpdateConfig>,
    /// Placement constraints by host attribute.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub constraints: Option<BTreeMap<String, String>>,
    /// Labels of the Mesos task.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metadata: Option<Vec<Metadata>>,
    /// How instances are announced.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub announce: Option<Announcer>,
    /// How instances are health-checked.
    #[serde(default)]
    pub health_check_config: HealthCheckConfig,
    /// How instances are asked to end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lifecycle: Option<LifecycleConfig>,
    /// Addresses shown with the job.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task_links: Option<BTreeMap<String, String>>,
    /// Which executor runs it.
    #[serde(default)]
    pub executor_config: ExecutorConfig,
    /// Whether the client runs the file's hooks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub enable_hooks: Option<bool>,
    /// What happens when its agent is partitioned away.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub partition_policy: Option<PartitionPolicy>,
    /// How many instances must stay up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sla_policy: Option<SlaPolicy>,
    /// The container.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub container: Option<Container>,
}

impl Job {
    /// The text the executor is given: the JSON of this job without `update_config` and
    /// `instances`, so that a change of either does not make running instances differ
    /// (`dsl.md` 8.4).
    ///
    /// # Errors
    /// The job cannot be written as JSON.
    pub fn to_executor_data(&self) -> Result<String, serde_json::Error> {
        let told = Self { update_config: None, instances: None, ..self.clone() };
        serde_json::to_value(&told).map(|json| json.to_string())
    }

    /// Reads what [`Job::to_executor_data`] has written.
    ///
    /// # Errors
    /// The text is no JSON, or a field is missing or of another type; the message names it.
    pub fn from_executor_data(text: &str) -> Result<Self, serde_json::Error> {
        serde_json::from_str(text)
    }
}

/// What one instance runs (`dsl.md` 5.1).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Task {
    /// Its name, by default that of the first process.
    pub name: String,
    /// Its processes.
    #[serde(default)]
    pub processes: Vec<Process>,
    /// The order between them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub constraints: Option<Vec<Constraint>>,
    /// What it needs; a task of a job must say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resources: Option<Resources>,
    /// Failed processes after which the task has failed; 0 for no limit.
    #[serde(default = "one")]
    pub max_failures: i64,
    /// Processes that may run at the same time; 0 for no limit.
    #[serde(default)]
    pub max_concurrency: i64,
    /// Seconds that processes get to end by themselves.
    #[serde(default = "finalization_wait")]
    pub finalization_wait: i64,
    /// The user, for tasks outside a job.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
}

/// One command line of a task.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Process {
    /// Its name within the task.
    pub name: String,
    /// What bash runs.
    pub cmdline: String,
    /// Failed runs after which it has failed; 0 for no limit.
    #[serde(default = "one")]
    pub max_failures: i64,
    /// Whether it is started again after it has succeeded.
    #[serde(default)]
    pub daemon: bool,
    /// Whether the task may end while it still runs.
    #[serde(default)]
    pub ephemeral: bool,
    /// Seconds between the starts of two runs.
    #[serde(default = "min_duration")]
    pub min_duration: i64,
    /// Whether it runs after all the others have ended, however they did.
    #[serde(default, rename = "final")]
    pub is_final: bool,
    /// Unused, but templates may refer to it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resources: Option<Resources>,
    /// Where its output goes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub logger: Option<Logger>,
}

/// Processes that run one after the other.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Constraint {
    /// Their names.
    #[serde(default)]
    pub order: Vec<String>,
}

/// What a task needs.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Resources {
    /// Cores.
    pub cpu: f64,
    /// Bytes of memory.
    pub ram: i64,
    /// Bytes of disk.
    pub disk: i64,
    /// GPUs.
    #[serde(default)]
    pub gpu: i64,
}

/// Where a process's output goes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Logger {
    /// The place.
    #[serde(default)]
    pub destination: LoggerDestination,
    /// Whether files are rotated.
    #[serde(default)]
    pub mode: LoggerMode,
    /// How they are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rotate: Option<RotatePolicy>,
}

/// The place of a [`Logger`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LoggerDestination {
    /// Files of the sandbox.
    #[default]
    File,
    /// The executor's own output.
    Console,
    /// Both.
    Both,
    /// Nowhere.
    None,
}

/// Whether log files are rotated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LoggerMode {
    /// They grow.
    #[default]
    Standard,
    /// They are rotated.
    Rotate,
}

/// When a log file is rotated, and how many old ones are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct RotatePolicy {
    /// Bytes per file.
    #[serde(default = "log_size")]
    pub log_size: i64,
    /// Old files.
    #[serde(default = "backups")]
    pub backups: i64,
}

/// One label of a Mesos task.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Metadata {
    /// Its key.
    pub key: String,
    /// Its value.
    pub value: String,
}

/// How a job is updated (`dsl.md` 5.3).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct UpdateConfig {
    /// Instances updated at the same time.
    #[serde(default = "one")]
    pub batch_size: i64,
    /// Seconds an instance must stay up.
    #[serde(default = "watch_secs")]
    pub watch_secs: i64,
    /// Failures of one instance that are forgiven.
    #[serde(default)]
    pub max_per_shard_failures: i64,
    /// Failed instances that are forgiven.
    #[serde(default)]
    pub max_total_failures: i64,
    /// Whether a failed update is undone.
    #[serde(default = "yes")]
    pub rollback_on_failure: bool,
    /// Whether a batch is finished before the next begins.
    #[serde(default)]
    pub wait_for_batch_completion: bool,
    /// Seconds without a heartbeat after which the update waits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pulse_interval_secs: Option<i64>,
    /// Whether instances are only stopped when the SLA allows.
    #[serde(default)]
    pub sla_aware: bool,
    /// How batches are formed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub update_strategy: Option<UpdateStrategy>,
}

/// How the batches of an update are formed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged, try_from = "Value")]
pub enum UpdateStrategy {
    /// Growing or shrinking batches.
    VariableBatch {
        /// Their sizes; the last repeats.
        batch_sizes: Vec<i64>,
        /// Whether the update pauses after each.
        autopause_after_batch: bool,
    },
    /// Batches of one size.
    Batch {
        /// The size.
        batch_size: i64,
        /// Whether the update pauses after each.
        autopause_after_batch: bool,
    },
    /// A sliding window.
    Queue {
        /// Its size.
        batch_size: i64,
    },
}

/// How instances are health-checked.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct HealthCheckConfig {
    /// What is asked.
    #[serde(default)]
    pub health_checker: HealthCheckerConfig,
    /// Seconds during which failures do not count.
    #[serde(default = "initial_interval_secs")]
    pub initial_interval_secs: f64,
    /// Seconds between two checks.
    #[serde(default = "interval_secs")]
    pub interval_secs: f64,
    /// Failures in a row that are forgiven.
    #[serde(default)]
    pub max_consecutive_failures: i64,
    /// Successes in a row after which the instance is running.
    #[serde(default = "one")]
    pub min_consecutive_successes: i64,
    /// Seconds one check may take.
    #[serde(default = "timeout_secs")]
    pub timeout_secs: f64,
}

impl Default for HealthCheckConfig {
    fn default() -> Self {
        Self {
            health_checker: HealthCheckerConfig::default(),
            initial_interval_secs: initial_interval_secs(),
            interval_secs: interval_secs(),
            max_consecutive_failures: 0,
            min_consecutive_successes: 1,
            timeout_secs: timeout_secs(),
        }
    }
}

/// What a health check asks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HealthCheckerConfig {
    /// An HTTP endpoint.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub http: Option<HttpHealthChecker>,
    /// A command; it wins over `http`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shell: Option<ShellHealthChecker>,
}

impl Default for HealthCheckerConfig {
    fn default() -> Self {
        Self { http: Some(HttpHealthChecker::default()), shell: None }
    }
}

/// A health check by HTTP.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HttpHealthChecker {
    /// The path.
    #[serde(default = "health_endpoint")]
    pub endpoint: String,
    /// The body, blanks and case aside; empty for any.
    #[serde(default = "ok")]
    pub expected_response: String,
    /// The status; 0 for any.
    #[serde(default)]
    pub expected_response_code: i64,
}

impl Default for HttpHealthChecker {
    fn default() -> Self {
        Self { endpoint: health_endpoint(), expected_response: ok(), expected_response_code: 0 }
    }
}

/// A health check by a command's exit status.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShellHealthChecker {
    /// The command.
    pub shell_command: String,
}

/// How instances are announced.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Announcer {
    /// The port that stands for the instance.
    #[serde(default = "http")]
    pub primary_port: String,
    /// From alias to port name or number.
    #[serde(default)]
    pub portmap: BTreeMap<String, String>,
    /// Where in ZooKeeper.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub zk_path: Option<String>,
}

/// How instances are asked to end.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct LifecycleConfig {
    /// By HTTP.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub http: Option<HttpLifecycleConfig>,
}

/// How instances are asked to end by HTTP.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HttpLifecycleConfig {
    /// The name of the port.
    #[serde(default = "health")]
    pub port: String,
    /// The path that is asked first.
    #[serde(default = "quitquitquit")]
    pub graceful_shutdown_endpoint: String,
    /// The path that is asked next.
    #[serde(default = "abortabortabort")]
    pub shutdown_endpoint: String,
    /// Seconds after the first.
    #[serde(default = "five")]
    pub graceful_shutdown_wait_secs: i64,
    /// Seconds after the second.
    #[serde(default = "five")]
    pub shutdown_wait_secs: i64,
}

/// Which executor runs the job.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExecutorConfig {
    /// Its name.
    #[serde(default = "aurora_executor")]
    pub name: String,
    /// What it is told, unless it is the built-in one.
    #[serde(default)]
    pub data: String,
}

impl Default for ExecutorConfig {
    fn default() -> Self {
        Self { name: aurora_executor(), data: String::new() }
    }
}

/// What happens when an agent is partitioned away.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct PartitionPolicy {
    /// Whether instances are replaced.
    #[serde(default = "yes")]
    pub reschedule: bool,
    /// Seconds before they are.
    #[serde(default)]
    pub delay_secs: i64,
}

/// How many instances must stay up.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged, try_from = "Value")]
pub enum SlaPolicy {
    /// An outside service decides.
    Coordinator {
        /// Where it is asked.
        coordinator_url: String,
        /// The key of its verdict.
        status_key: String,
    },
    /// A number of instances.
    Count {
        /// The number.
        count: i64,
        /// Seconds they must have been up.
        duration_secs: i64,
    },
    /// A share of the instances.
    Percentage {
        /// In percent.
        percentage: f64,
        /// Seconds they must have been up.
        duration_secs: i64,
    },
}

/// The container of a job's instances.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged, try_from = "Value")]
pub enum Container {
    /// The deprecated wrapper.
    Wrapped {
        /// What it wraps.
        docker: Docker,
    },
    /// The Docker containerizer.
    Docker(Docker),
    /// The Mesos containerizer.
    Mesos(Mesos),
}

/// A Docker container.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Docker {
    /// The image.
    pub image: String,
    /// Parameters of the engine.
    #[serde(default)]
    pub parameters: Vec<Parameter>,
}

/// A parameter of the Docker engine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Parameter {
    /// Its name.
    pub name: String,
    /// Its value.
    pub value: String,
}

/// A Mesos container.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mesos {
    /// Its root file system.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image: Option<Image>,
    /// Host directories.
    #[serde(default)]
    pub volumes: Vec<Volume>,
}

/// A root file system.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged, try_from = "Value")]
pub enum Image {
    /// An App Container image.
    Appc {
        /// Its name.
        name: String,
        /// Its id.
        image_id: String,
    },
    /// A Docker image.
    Docker {
        /// Its name.
        name: String,
        /// Its tag.
        tag: String,
    },
}

/// A host directory in a container.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Volume {
    /// Where it appears.
    pub container_path: String,
    /// What it shows.
    pub host_path: String,
    /// Whether it may be written.
    pub mode: VolumeMode,
}

/// Whether a [`Volume`] may be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum VolumeMode {
    /// It may only be read.
    #[serde(rename = "RO")]
    ReadOnly,
    /// It may be written.
    #[serde(rename = "RW")]
    ReadWrite,
}

// The alternatives of a choice carry no tag in the JSON: the fields tell them apart. serde's own
// `untagged` cannot be used for reading, because it loses floats under `arbitrary_precision`.
macro_rules! choice {
    ($type:ident { $($key:literal => |$json:ident| $read:expr),+ $(,)? }) => {
        impl TryFrom<Value> for $type {
            type Error = serde_json::Error;

            fn try_from(json: Value) -> Result<Self, serde_json::Error> {
                $(if json.get($key).is_some() {
                    let $json = json;
                    return $read;
                })+
                Err(serde::de::Error::custom(concat!(
                    "not a ", stringify!($type), ": none of the fields" $(, " ", $key)+, " is there"
                )))
            }
        }
    };
}

fn field<T: serde::de::DeserializeOwned>(json: &Value, key: &str) -> Result<T, serde_json::Error> {
    serde_json::from_value(json.get(key).cloned().unwrap_or(Value::Null)).map_err(|error| {
        serde::de::Error::custom(format!("field {key:?} is missing or of another type: {error}"))
    })
}

choice!(UpdateStrategy {
    "batch_sizes" => |json| Ok(Self::VariableBatch {
        batch_sizes: field(&json, "batch_sizes")?,
        autopause_after_batch: field(&json, "autopause_after_batch")?,
    }),
    "autopause_after_batch" => |json| Ok(Self::Batch {
        batch_size: field(&json, "batch_size")?,
        autopause_after_batch: field(&json, "autopause_after_batch")?,
    }),
    "batch_size" => |json| Ok(Self::Queue { batch_size: field(&json, "batch_size")? }),
});

choice!(SlaPolicy {
    "coordinator_url" => |json| Ok(Self::Coordinator {
        coordinator_url: field(&json, "coordinator_url")?,
        status_key: field(&json, "status_key")?,
    }),
    "count" => |json| Ok(Self::Count {
        count: field(&json, "count")?,
        duration_secs: field(&json, "duration_secs")?,
    }),
    "percentage" => |json| Ok(Self::Percentage {
        percentage: field(&json, "percentage")?,
        duration_secs: field(&json, "duration_secs")?,
    }),
});

choice!(Container {
    "docker" => |json| Ok(Self::Wrapped { docker: field(&json, "docker")? }),
    "volumes" => |json| serde_json::from_value(json).map(Self::Mesos),
    "image" => |json| serde_json::from_value(json).map(Self::Docker),
});

choice!(Image {
    "image_id" => |json| Ok(Self::Appc {
        name: field(&json, "name")?,
        image_id: field(&json, "image_id")?,
    }),
    "tag" => |json| Ok(Self::Docker { name: field(&json, "name")?, tag: field(&json, "tag")? }),
});

fn one() -> i64 {
    1
}
fn five() -> i64 {
    5
}
fn yes() -> bool {
    true
}
fn finalization_wait() -> i64 {
    30
}
fn min_duration() -> i64 {
    5
}
fn log_size() -> i64 {
    100 << 20
}
fn backups() -> i64 {
    5
}
fn watch_secs() -> i64 {
    45
}
fn initial_interval_secs() -> f64 {
    15.0
}
fn interval_secs() -> f64 {
    10.0
}
fn timeout_secs() -> f64 {
    1.0
}
fn kill_existing() -> String {
    "KILL_EXISTING".to_owned()
}
fn health_endpoint() -> String {
    "/health".to_owned()
}
fn ok() -> String {
    "ok".to_owned()
}
fn http() -> String {
    "http".to_owned()
}
fn health() -> String {
    "health".to_owned()
}
fn quitquitquit() -> String {
    "/quitquitquit".to_owned()
}
fn abortabortabort() -> String {
    "/abortabortabort".to_owned()
}
fn aurora_executor() -> String {
    crate::job::AURORA_EXECUTOR.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn choices_are_told_apart_by_their_fields_and_keep_their_floats() {
        for text in [
            r#"{"count":2,"duration_secs":60}"#,
            r#"{"duration_secs":60,"percentage":99.5}"#,
            r#"{"coordinator_url":"http://c","status_key":"drain"}"#,
        ] {
            let policy: SlaPolicy = serde_json::from_str(text).unwrap();
            assert_eq!(serde_json::to_value(&policy).unwrap().to_string(), text);
        }
        for text in [
            r#"{"docker":{"image":"i","parameters":[]}}"#,
            r#"{"image":"i","parameters":[{"name":"n","value":"v"}]}"#,
            r#"{"image":{"name":"i","tag":"t"},"volumes":[]}"#,
            r#"{"volumes":[{"container_path":"/c","host_path":"/h","mode":"RO"}]}"#,
        ] {
            let container: Container = serde_json::from_str(text).unwrap();
            assert_eq!(serde_json::to_value(&container).unwrap().to_string(), text);
        }
        assert!(serde_json::from_str::<SlaPolicy>("{}").is_err());
        assert!(serde_json::from_str::<SlaPolicy>("3").is_err());
    }

    #[test]
    fn the_executors_data_leaves_out_what_only_the_client_needs() {
        let text = r#"{"name":"n","role":"r","cluster":"c","environment":"e","instances":3,
            "update_config":{},"task":{"name":"t","processes":[{"name":"p","cmdline":"x"}]}}"#;
        let job: Job = serde_json::from_str(text).unwrap();
        assert_eq!(job.instances, Some(3));
        let data = job.to_executor_data().unwrap();
        assert!(!data.contains("instances") && !data.contains("update_config"), "{data}");
        let back = Job::from_executor_data(&data).unwrap();
        assert_eq!(back, Job { instances: None, update_config: None, ..job });
        let error = Job::from_executor_data(r#"{"name":"n"}"#).unwrap_err().to_string();
        assert!(error.contains("role"), "{error}");
    }
}
