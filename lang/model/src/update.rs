//! How the instances of a running job are brought to another version (`updates.md` 1).

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::config;
use crate::job::{TaskConfig, Timestamp};
use crate::key::{JobKey, UpdateId};

/// Which update: ids are unique, the job says where to look.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct UpdateKey {
    /// The job that is updated.
    pub job: JobKey,
    /// The update.
    pub id: UpdateId,
}

impl fmt::Display for UpdateKey {
    /// As in `role/environment/name update id`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} update {}", self.job, self.id)
    }
}

/// Instances from `first` to `last`, both included.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct InstanceRange {
    /// The first.
    pub first: u32,
    /// The last.
    pub last: u32,
}

impl InstanceRange {
    /// Whether the instance is one of them.
    pub const fn contains(&self, instance: u32) -> bool {
        self.first <= instance && instance <= self.last
    }

    /// How many they are; none if the ends are turned round.
    pub fn count(&self) -> u64 {
        (u64::from(self.last) + 1).saturating_sub(u64::from(self.first))
    }

    /// Each of them, in order.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = u32> + use<> {
        self.first..=self.last
    }
}

/// The fewest ranges that hold these instances.
pub fn to_ranges(instances: impl IntoIterator<Item = u32>) -> Vec<InstanceRange> {
    let sorted: BTreeSet<u32> = instances.into_iter().collect();
    let mut ranges: Vec<InstanceRange> = Vec::new();
    for instance in sorted {
        match ranges.last_mut() {
            Some(range) if range.last.checked_add(1) == Some(instance) => range.last = instance,
            _ => ranges.push(InstanceRange { first: instance, last: instance }),
        }
    }
    ranges
}

/// Where an update is in its life. An update is *active*, and keeps everything else from its job,
/// until it is in one of the last five.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum UpdateStatus {
    /// Instances go to the new version.
    RollingForward,
    /// Instances go back to what they were.
    RollingBack,
    /// Stopped on the way forward until somebody resumes it.
    RollForwardPaused,
    /// Stopped on the way back until somebody resumes it.
    RollBackPaused,
    /// Stopped on the way forward until a pulse comes.
    RollForwardAwaitingPulse,
    /// Stopped on the way back until a pulse comes.
    RollBackAwaitingPulse,
    /// Every instance has the new version.
    RolledForward,
    /// Every instance is what it was before.
    RolledBack,
    /// Given up by a user; the job is what it was at that moment.
    Aborted,
    /// Too many instances have failed, and it was not, or could not be, undone.
    Failed,
    /// The scheduler could not go on with it.
    Error,
}

impl UpdateStatus {
    /// Every status, in the order of a life.
    pub const ALL: [Self; 11] = [
        Self::RollingForward,
        Self::RollingBack,
        Self::RollForwardPaused,
        Self::RollBackPaused,
        Self::RollForwardAwaitingPulse,
        Self::RollBackAwaitingPulse,
        Self::RolledForward,
        Self::RolledBack,
        Self::Aborted,
        Self::Failed,
        Self::Error,
    ];

    /// The name in capitals, as the API, the pages and the logs show it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::RollingForward => "ROLLING_FORWARD",
            Self::RollingBack => "ROLLING_BACK",
            Self::RollForwardPaused => "ROLL_FORWARD_PAUSED",
            Self::RollBackPaused => "ROLL_BACK_PAUSED",
            Self::RollForwardAwaitingPulse => "ROLL_FORWARD_AWAITING_PULSE",
            Self::RollBackAwaitingPulse => "ROLL_BACK_AWAITING_PULSE",
            Self::RolledForward => "ROLLED_FORWARD",
            Self::RolledBack => "ROLLED_BACK",
            Self::Aborted => "ABORTED",
            Self::Failed => "FAILED",
            Self::Error => "ERROR",
        }
    }

    /// Whether the update is over.
    pub const fn is_terminal(self) -> bool {
        matches!(
            self,
            Self::RolledForward | Self::RolledBack | Self::Aborted | Self::Failed | Self::Error
        )
    }

    /// Whether instances are being changed.
    pub const fn is_rolling(self) -> bool {
        matches!(self, Self::RollingForward | Self::RollingBack)
    }

    /// Whether it stands until a pulse comes.
    pub const fn awaits_pulse(self) -> bool {
        matches!(self, Self::RollForwardAwaitingPulse | Self::RollBackAwaitingPulse)
    }
}

impl fmt::Display for UpdateStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// A text that names no status of an update.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown update status {0:?}")]
pub struct UnknownUpdateStatus(pub String);

impl FromStr for UpdateStatus {
    type Err = UnknownUpdateStatus;

    fn from_str(text: &str) -> Result<Self, UnknownUpdateStatus> {
        Self::ALL
            .into_iter()
            .find(|status| status.name().eq_ignore_ascii_case(text))
            .ok_or_else(|| UnknownUpdateStatus(text.to_owned()))
    }
}

/// What an update has done to an instance.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum InstanceAction {
    /// It goes to the new version.
    InstanceUpdating,
    /// It has the new version, and is good.
    InstanceUpdated,
    /// It has failed with the new version.
    InstanceUpdateFailed,
    /// It goes back to what it was.
    InstanceRollingBack,
    /// It is what it was.
    InstanceRolledBack,
    /// It has failed on the way back.
    InstanceRollbackFailed,
}

impl InstanceAction {
    /// Every action.
    pub const ALL: [Self; 6] = [
        Self::InstanceUpdating,
        Self::InstanceUpdated,
        Self::InstanceUpdateFailed,
        Self::InstanceRollingBack,
        Self::InstanceRolledBack,
        Self::InstanceRollbackFailed,
    ];

    /// The name in capitals.
    pub const fn name(self) -> &'static str {
        match self {
            Self::InstanceUpdating => "INSTANCE_UPDATING",
            Self::InstanceUpdated => "INSTANCE_UPDATED",
            Self::InstanceUpdateFailed => "INSTANCE_UPDATE_FAILED",
            Self::InstanceRollingBack => "INSTANCE_ROLLING_BACK",
            Self::InstanceRolledBack => "INSTANCE_ROLLED_BACK",
            Self::InstanceRollbackFailed => "INSTANCE_ROLLBACK_FAILED",
        }
    }
}

impl fmt::Display for InstanceAction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// How instances are taken up one after the other.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum UpdateStrategy {
    /// A sliding window: the next one begins as soon as one is done.
    Queue {
        /// How many are taken up at the same time.
        group_size: u32,
    },
    /// The next batch begins when all of one are done.
    Batch {
        /// How many make a batch.
        group_size: u32,
        /// Whether the update pauses before each batch but the first.
        autopause_after_batch: bool,
    },
    /// Batches of given sizes; the last size repeats.
    VariableBatch {
        /// The sizes, first to last.
        group_sizes: Vec<u32>,
        /// Whether the update pauses before each batch but the first.
        autopause_after_batch: bool,
    },
}

impl UpdateStrategy {
    /// Whether the update pauses before each batch but the first.
    pub const fn autopauses(&self) -> bool {
        match self {
            Self::Queue { .. } => false,
            Self::Batch { autopause_after_batch, .. }
            | Self::VariableBatch { autopause_after_batch, .. } => *autopause_after_batch,
        }
    }
}

/// A few instances that try a new version before the others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Canary {
    /// How many; at least one.
    pub instances: u32,
    /// How long each must stay up before the others follow, in milliseconds.
    pub watch_ms: u32,
}

/// How an update goes about it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct UpdateSettings {
    /// How instances are taken up one after the other.
    pub strategy: UpdateStrategy,
    /// Failures that are forgiven to each instance.
    pub max_per_instance_failures: u32,
    /// Instances that may fail without the update failing.
    pub max_failed_instances: u32,
    /// How long an instance must stay up to be good, in milliseconds; 0 trusts its health check,
    /// without which it would not be up.
    pub min_wait_in_running_ms: u32,
    /// Whether an update that has failed is undone.
    pub rollback_on_failure: bool,
    /// The instances that may be changed; none means all.
    pub only_instances: Vec<InstanceRange>,
    /// How long the update goes on without a pulse, in milliseconds; without it none is needed.
    pub pulse_timeout_ms: Option<u32>,
    /// Whether instances are stopped only when their SLA policy allows it.
    pub sla_aware: bool,
    /// Instances of the new version that run beside the others until the update is over.
    pub surge: u32,
    /// Instances that go first.
    pub canary: Option<Canary>,
}

impl Default for UpdateSettings {
    /// One instance after the other, no failure forgiven.
    fn default() -> Self {
        Self {
            strategy: UpdateStrategy::Queue { group_size: 1 },
            max_per_instance_failures: 0,
            max_failed_instances: 0,
            min_wait_in_running_ms: 0,
            rollback_on_failure: true,
            only_instances: Vec::new(),
            pulse_timeout_ms: None,
            sla_aware: false,
            surge: 0,
            canary: None,
        }
    }
}

impl UpdateSettings {
    /// Whether an instance may be changed.
    pub fn is_in_scope(&self, instance: u32) -> bool {
        self.only_instances.is_empty()
            || self.only_instances.iter().any(|range| range.contains(instance))
    }
}

/// A number of a job's `update_config` is out of range.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("update_config.{field} is out of range: {value}")]
pub struct SettingsError {
    /// The field.
    pub field: &'static str,
    /// Its value.
    pub value: i64,
}

fn number(field: &'static str, value: i64) -> Result<u32, SettingsError> {
    u32::try_from(value).map_err(|_| SettingsError { field, value })
}

fn millis(field: &'static str, seconds: i64) -> Result<u32, SettingsError> {
    number(field, seconds.saturating_mul(1000)).map_err(|_| SettingsError { field, value: seconds })
}

impl TryFrom<&config::UpdateConfig> for UpdateSettings {
    type Error = SettingsError;

    fn try_from(update: &config::UpdateConfig) -> Result<Self, SettingsError> {
        let group_size = number("batch_size", update.batch_size)?;
        let strategy = match &update.update_strategy {
            Some(config::UpdateStrategy::Queue(queue)) => {
                UpdateStrategy::Queue { group_size: number("batch_size", queue.batch_size)? }
            }
            Some(config::UpdateStrategy::Batch(batch)) => UpdateStrategy::Batch {
                group_size: number("batch_size", batch.batch_size)?,
                autopause_after_batch: batch.autopause_after_batch,
            },
            Some(config::UpdateStrategy::VariableBatch(batch)) => UpdateStrategy::VariableBatch {
                group_sizes: batch
                    .batch_sizes
                    .iter()
                    .map(|size| number("batch_sizes", *size))
                    .collect::<Result<_, _>>()?,
                autopause_after_batch: batch.autopause_after_batch,
            },
            None if update.wait_for_batch_completion => {
                UpdateStrategy::Batch { group_size, autopause_after_batch: false }
            }
            None => UpdateStrategy::Queue { group_size },
        };
        let max_failures = update.max_per_shard_failures;
        let pulse = update.pulse_interval_secs.filter(|seconds| *seconds != 0);
        Ok(Self {
            strategy,
            max_per_instance_failures: number("max_per_shard_failures", max_failures)?,
            max_failed_instances: number("max_total_failures", update.max_total_failures)?,
            min_wait_in_running_ms: millis("watch_secs", update.watch_secs)?,
            rollback_on_failure: update.rollback_on_failure,
            only_instances: Vec::new(),
            pulse_timeout_ms: pulse
                .map(|seconds| millis("pulse_interval_secs", seconds))
                .transpose()?,
            sla_aware: update.sla_aware,
            surge: number("surge", update.surge.unwrap_or(0))?,
            canary: match number("canary", update.canary.unwrap_or(0))? {
                0 => None,
                instances => {
                    let watch = update.canary_watch_secs.unwrap_or(update.watch_secs);
                    let watch_ms = millis("canary_watch_secs", watch)?;
                    Some(Canary { instances, watch_ms })
                }
            },
        })
    }
}

/// Some instances and what they are.
#[derive(Debug, Clone, PartialEq)]
pub struct InstanceConfig {
    /// What they are.
    pub task: Arc<TaskConfig>,
    /// Which they are, in order.
    pub instances: Vec<InstanceRange>,
}

impl InstanceConfig {
    /// Whether the instance is one of them.
    pub fn contains(&self, instance: u32) -> bool {
        self.instances.iter().any(|range| range.contains(instance))
    }

    /// Each of them, in order.
    pub fn iter(&self) -> impl Iterator<Item = u32> + '_ {
        self.instances.iter().flat_map(InstanceRange::iter)
    }
}

/// What an update changes.
#[derive(Debug, Clone, PartialEq)]
pub struct UpdateInstructions {
    /// What the instances were that are replaced or removed.
    pub initial: Vec<InstanceConfig>,
    /// What is to come in their place; nothing if they are only removed.
    pub desired: Option<InstanceConfig>,
    /// Instances, numbered after all others of the job, that run the new version beside them until
    /// the update is over.
    pub surge: Option<InstanceRange>,
    /// How to go about it.
    pub settings: UpdateSettings,
}

/// A job as it is to become.
#[derive(Debug, Clone, PartialEq)]
pub struct JobUpdateRequest {
    /// What each instance is to be.
    pub task: TaskConfig,
    /// How many there are to be.
    pub instance_count: u32,
    /// How to get there.
    pub settings: UpdateSettings,
    /// For whoever asks later.
    pub metadata: BTreeSet<(String, String)>,
}

/// What does not change of an update.
#[derive(Debug, Clone, PartialEq)]
pub struct JobUpdate {
    /// Which one it is.
    pub key: UpdateKey,
    /// Who started it.
    pub user: String,
    /// What it changes.
    pub instructions: UpdateInstructions,
    /// What its starter said of it.
    pub metadata: BTreeSet<(String, String)>,
}

/// An update has come to a status.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UpdateEvent {
    /// The status.
    pub status: UpdateStatus,
    /// When.
    pub timestamp: Timestamp,
    /// Who asked for it, if somebody did.
    pub user: Option<String>,
    /// Why, for people.
    pub message: Option<String>,
}

/// Something was done to an instance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InstanceEvent {
    /// Which instance.
    pub instance: u32,
    /// When.
    pub timestamp: Timestamp,
    /// What.
    pub action: InstanceAction,
    /// More of it, for people.
    pub message: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_as_few_as_can_be() {
        let range = |first, last| InstanceRange { first, last };
        assert_eq!(to_ranges([]), []);
        assert_eq!(to_ranges([7, 3, 2, 1, 2, 5]), [range(1, 3), range(5, 5), range(7, 7)]);
        assert_eq!(to_ranges([u32::MAX, u32::MAX - 1]), [range(u32::MAX - 1, u32::MAX)]);
        assert_eq!(range(2, 4).iter().collect::<Vec<_>>(), [2, 3, 4]);
        assert_eq!((range(2, 4).count(), range(4, 2).count()), (3, 0));
        assert_eq!(range(0, u32::MAX).count(), 1 << 32);
    }

    #[test]
    fn statuses_and_actions_have_names_that_are_read_again() {
        for status in UpdateStatus::ALL {
            assert_eq!(status.name().parse(), Ok(status));
        }
        assert!("SLEEPING".parse::<UpdateStatus>().is_err());
        let terminal = UpdateStatus::ALL.into_iter().filter(|status| status.is_terminal());
        assert_eq!(terminal.count(), 5);
    }

    #[test]
    fn settings_are_made_of_what_a_job_says() {
        let config = config::UpdateConfig {
            batch_size: 3,
            wait_for_batch_completion: true,
            pulse_interval_secs: Some(60),
            surge: Some(2),
            canary: Some(1),
            ..config::UpdateConfig::default()
        };
        let settings = UpdateSettings::try_from(&config).unwrap();
        let batch = UpdateStrategy::Batch { group_size: 3, autopause_after_batch: false };
        assert_eq!(settings.strategy, batch);
        assert_eq!(settings.min_wait_in_running_ms, 45_000);
        assert_eq!(settings.pulse_timeout_ms, Some(60_000));
        assert_eq!(settings.surge, 2);
        assert_eq!(settings.canary, Some(Canary { instances: 1, watch_ms: 45_000 }));
        let config = config::UpdateConfig { watch_secs: 1 << 40, ..Default::default() };
        let error = UpdateSettings::try_from(&config).unwrap_err();
        assert_eq!(error.to_string(), "update_config.watch_secs is out of range: 1099511627776");
    }
}
