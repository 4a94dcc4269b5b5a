//! Updates between the wire and the model; see [`crate::convert`].

use std::sync::Arc;

use aurora_model::job::Timestamp;
use aurora_model::key::UpdateId;
use aurora_model::update as model;

use crate::convert::{ConvertError, required};
use crate::v1;

impl From<&model::UpdateKey> for v1::UpdateKey {
    fn from(key: &model::UpdateKey) -> Self {
        Self { job: Some((&key.job).into()), id: key.id.to_string() }
    }
}

impl TryFrom<v1::UpdateKey> for model::UpdateKey {
    type Error = ConvertError;

    fn try_from(key: v1::UpdateKey) -> Result<Self, ConvertError> {
        Ok(Self {
            job: (&required(key.job, "update.key.job")?).try_into()?,
            id: UpdateId::new(key.id)?,
        })
    }
}

impl From<model::InstanceRange> for v1::InstanceRange {
    fn from(range: model::InstanceRange) -> Self {
        Self { first: range.first, last: range.last }
    }
}

impl From<v1::InstanceRange> for model::InstanceRange {
    fn from(range: v1::InstanceRange) -> Self {
        Self { first: range.first, last: range.last }
    }
}

/// The two enums side by side: one row, one status.
const STATUSES: [(model::UpdateStatus, v1::UpdateStatus); 11] = [
    (model::UpdateStatus::RollingForward, v1::UpdateStatus::RollingForward),
    (model::UpdateStatus::RollingBack, v1::UpdateStatus::RollingBack),
    (model::UpdateStatus::RollForwardPaused, v1::UpdateStatus::RollForwardPaused),
    (model::UpdateStatus::RollBackPaused, v1::UpdateStatus::RollBackPaused),
    (model::UpdateStatus::RollForwardAwaitingPulse, v1::UpdateStatus::RollForwardAwaitingPulse),
    (model::UpdateStatus::RollBackAwaitingPulse, v1::UpdateStatus::RollBackAwaitingPulse),
    (model::UpdateStatus::RolledForward, v1::UpdateStatus::RolledForward),
    (model::UpdateStatus::RolledBack, v1::UpdateStatus::RolledBack),
    (model::UpdateStatus::Aborted, v1::UpdateStatus::Aborted),
    (model::UpdateStatus::Failed, v1::UpdateStatus::Failed),
    (model::UpdateStatus::Error, v1::UpdateStatus::Error),
];

impl From<model::UpdateStatus> for v1::UpdateStatus {
    fn from(status: model::UpdateStatus) -> Self {
        STATUSES
            .into_iter()
            .find_map(|(model, wire)| (model == status).then_some(wire))
            .unwrap_or(Self::Unspecified)
    }
}

/// The model's status for a number from the wire.
///
/// # Errors
/// [`ConvertError::Unknown`] if it has no meaning, [`v1::UpdateStatus::Unspecified`] included.
pub fn update_status(number: i32) -> Result<model::UpdateStatus, ConvertError> {
    STATUSES
        .into_iter()
        .find_map(|(model, wire)| (wire as i32 == number).then_some(model))
        .ok_or(ConvertError::Unknown { field: "update status", value: number })
}

/// The two enums side by side: one row, one action.
const ACTIONS: [(model::InstanceAction, v1::InstanceAction); 6] = [
    (model::InstanceAction::InstanceUpdating, v1::InstanceAction::Updating),
    (model::InstanceAction::InstanceUpdated, v1::InstanceAction::Updated),
    (model::InstanceAction::InstanceUpdateFailed, v1::InstanceAction::UpdateFailed),
    (model::InstanceAction::InstanceRollingBack, v1::InstanceAction::RollingBack),
    (model::InstanceAction::InstanceRolledBack, v1::InstanceAction::RolledBack),
    (model::InstanceAction::InstanceRollbackFailed, v1::InstanceAction::RollbackFailed),
];

impl From<&model::UpdateSettings> for v1::UpdateSettings {
    fn from(settings: &model::UpdateSettings) -> Self {
        use v1::update_settings::Strategy;
        let strategy = match &settings.strategy {
            model::UpdateStrategy::Queue { group_size } => {
                Strategy::Queue(v1::QueueStrategy { group_size: *group_size })
            }
            model::UpdateStrategy::Batch { group_size, autopause_after_batch } => {
                Strategy::Batch(v1::BatchStrategy {
                    group_size: *group_size,
                    autopause_after_batch: *autopause_after_batch,
                })
            }
            model::UpdateStrategy::VariableBatch { group_sizes, autopause_after_batch } => {
                Strategy::VariableBatch(v1::VariableBatchStrategy {
                    group_sizes: group_sizes.clone(),
                    autopause_after_batch: *autopause_after_batch,
                })
            }
        };
        Self {
            strategy: Some(strategy),
            max_per_instance_failures: settings.max_per_instance_failures,
            max_failed_instances: settings.max_failed_instances,
            min_wait_in_running_ms: settings.min_wait_in_running_ms,
            rollback_on_failure: settings.rollback_on_failure,
            only_instances: settings.only_instances.iter().copied().map(Into::into).collect(),
            pulse_timeout_ms: settings.pulse_timeout_ms,
            sla_aware: settings.sla_aware,
            surge: settings.surge,
            canary: settings.canary.map(|canary| v1::Canary {
                instances: canary.instances,
                watch_ms: canary.watch_ms,
            }),
        }
    }
}

impl TryFrom<v1::UpdateSettings> for model::UpdateSettings {
    type Error = ConvertError;

    fn try_from(settings: v1::UpdateSettings) -> Result<Self, ConvertError> {
        use v1::update_settings::Strategy;
        let strategy = match required(settings.strategy, "update.settings.strategy")? {
            Strategy::Queue(queue) => model::UpdateStrategy::Queue { group_size: queue.group_size },
            Strategy::Batch(batch) => model::UpdateStrategy::Batch {
                group_size: batch.group_size,
                autopause_after_batch: batch.autopause_after_batch,
            },
            Strategy::VariableBatch(batch) => model::UpdateStrategy::VariableBatch {
                group_sizes: batch.group_sizes,
                autopause_after_batch: batch.autopause_after_batch,
            },
        };
        Ok(Self {
            strategy,
            max_per_instance_failures: settings.max_per_instance_failures,
            max_failed_instances: settings.max_failed_instances,
            min_wait_in_running_ms: settings.min_wait_in_running_ms,
            rollback_on_failure: settings.rollback_on_failure,
            only_instances: settings.only_instances.into_iter().map(Into::into).collect(),
            pulse_timeout_ms: settings.pulse_timeout_ms.filter(|ms| *ms != 0),
            sla_aware: settings.sla_aware,
            surge: settings.surge,
            canary: settings.canary.map(|canary| model::Canary {
                instances: canary.instances,
                watch_ms: canary.watch_ms,
            }),
        })
    }
}

impl From<&model::InstanceConfig> for v1::InstanceConfig {
    fn from(config: &model::InstanceConfig) -> Self {
        Self {
            task: Some((&*config.task).into()),
            instances: config.instances.iter().copied().map(Into::into).collect(),
        }
    }
}

impl TryFrom<v1::InstanceConfig> for model::InstanceConfig {
    type Error = ConvertError;

    fn try_from(config: v1::InstanceConfig) -> Result<Self, ConvertError> {
        Ok(Self {
            task: Arc::new(required(config.task, "instances.task")?.try_into()?),
            instances: config.instances.into_iter().map(Into::into).collect(),
        })
    }
}

impl From<&model::JobUpdate> for v1::JobUpdate {
    fn from(update: &model::JobUpdate) -> Self {
        let model::UpdateInstructions { initial, desired, surge, settings } = &update.instructions;
        Self {
            key: Some((&update.key).into()),
            user: update.user.clone(),
            instructions: Some(v1::UpdateInstructions {
                initial: initial.iter().map(Into::into).collect(),
                desired: desired.as_ref().map(Into::into),
                surge: surge.map(Into::into),
                settings: Some(settings.into()),
            }),
            metadata: metadata(&update.metadata),
        }
    }
}

impl TryFrom<v1::JobUpdate> for model::JobUpdate {
    type Error = ConvertError;

    fn try_from(update: v1::JobUpdate) -> Result<Self, ConvertError> {
        let instructions = required(update.instructions, "update.instructions")?;
        let v1::UpdateInstructions { initial, desired, surge, settings } = instructions;
        Ok(Self {
            key: required(update.key, "update.key")?.try_into()?,
            user: update.user,
            instructions: model::UpdateInstructions {
                initial: initial.into_iter().map(TryInto::try_into).collect::<Result<_, _>>()?,
                desired: desired.map(TryInto::try_into).transpose()?,
                surge: surge.map(Into::into),
                settings: required(settings, "update.settings")?.try_into()?,
            },
            metadata: pairs(update.metadata),
        })
    }
}

impl From<&model::JobUpdateRequest> for v1::JobUpdateRequest {
    fn from(request: &model::JobUpdateRequest) -> Self {
        Self {
            task: Some((&request.task).into()),
            instance_count: request.instance_count,
            settings: Some((&request.settings).into()),
            metadata: metadata(&request.metadata),
        }
    }
}

impl TryFrom<v1::JobUpdateRequest> for model::JobUpdateRequest {
    type Error = ConvertError;

    fn try_from(request: v1::JobUpdateRequest) -> Result<Self, ConvertError> {
        Ok(Self {
            task: required(request.task, "update.task")?.try_into()?,
            instance_count: request.instance_count,
            settings: required(request.settings, "update.settings")?.try_into()?,
            metadata: pairs(request.metadata),
        })
    }
}

impl From<&model::UpdateEvent> for v1::UpdateEvent {
    fn from(event: &model::UpdateEvent) -> Self {
        Self {
            status: v1::UpdateStatus::from(event.status).into(),
            timestamp_ms: event.timestamp.0,
            user: event.user.clone(),
            message: event.message.clone(),
        }
    }
}

impl TryFrom<v1::UpdateEvent> for model::UpdateEvent {
    type Error = ConvertError;

    fn try_from(event: v1::UpdateEvent) -> Result<Self, ConvertError> {
        Ok(Self {
            status: update_status(event.status)?,
            timestamp: Timestamp(event.timestamp_ms),
            user: event.user,
            message: event.message,
        })
    }
}

impl From<&model::InstanceEvent> for v1::InstanceEvent {
    fn from(event: &model::InstanceEvent) -> Self {
        let action = ACTIONS
            .into_iter()
            .find_map(|(model, wire)| (model == event.action).then_some(wire))
            .unwrap_or(v1::InstanceAction::Unspecified);
        Self {
            instance: event.instance,
            timestamp_ms: event.timestamp.0,
            action: action.into(),
            message: event.message.clone(),
        }
    }
}

impl TryFrom<v1::InstanceEvent> for model::InstanceEvent {
    type Error = ConvertError;

    fn try_from(event: v1::InstanceEvent) -> Result<Self, ConvertError> {
        let action = ACTIONS
            .into_iter()
            .find_map(|(model, wire)| (wire as i32 == event.action).then_some(model))
            .ok_or(ConvertError::Unknown { field: "instance action", value: event.action })?;
        Ok(Self {
            instance: event.instance,
            timestamp: Timestamp(event.timestamp_ms),
            action,
            message: event.message,
        })
    }
}

/// What the starter of an update said of it, on the wire.
pub fn metadata<'a>(pairs: impl IntoIterator<Item = &'a (String, String)>) -> Vec<v1::Metadata> {
    let pairs = pairs.into_iter();
    pairs.map(|(key, value)| v1::Metadata { key: key.clone(), value: value.clone() }).collect()
}

fn pairs(metadata: Vec<v1::Metadata>) -> std::collections::BTreeSet<(String, String)> {
    metadata.into_iter().map(|entry| (entry.key, entry.value)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_no_meaning_is_refused_by_name() {
        for status in model::UpdateStatus::ALL {
            assert_eq!(update_status(v1::UpdateStatus::from(status) as i32).unwrap(), status);
        }
        for number in [0, 99] {
            let error = update_status(number).unwrap_err().to_string();
            assert_eq!(error, format!("update status has the unknown value {number}"));
        }
        let settings = model::UpdateSettings::try_from(v1::UpdateSettings::default());
        assert_eq!(settings.unwrap_err().to_string(), "update.settings.strategy is missing");
        let key = v1::UpdateKey { job: None, id: "1".into() };
        let key = model::UpdateKey::try_from(key);
        assert_eq!(key.unwrap_err().to_string(), "update.key.job is missing");
    }

    #[test]
    fn settings_come_back_as_they_were() {
        let range = model::InstanceRange { first: 1, last: 4 };
        let strategies = [
            model::UpdateStrategy::Queue { group_size: 3 },
            model::UpdateStrategy::Batch { group_size: 3, autopause_after_batch: true },
            model::UpdateStrategy::VariableBatch {
                group_sizes: vec![1, 2],
                autopause_after_batch: true,
            },
        ];
        for strategy in strategies {
            let settings = model::UpdateSettings {
                strategy,
                max_per_instance_failures: 1,
                max_failed_instances: 2,
                min_wait_in_running_ms: 3,
                rollback_on_failure: false,
                only_instances: vec![range],
                pulse_timeout_ms: Some(4),
                sla_aware: true,
                surge: 5,
                canary: Some(model::Canary { instances: 6, watch_ms: 7 }),
            };
            let wire = v1::UpdateSettings::from(&settings);
            assert_eq!(model::UpdateSettings::try_from(wire).unwrap(), settings);
        }
    }
}
