//! The rules of updates, and what an update sends (`dsl.md` 8.1).

use aurora_model::job::DEDICATED_ATTRIBUTE;
use aurora_template::object::{Kind, Object};
use aurora_template::scope::text_form;
use aurora_template::types::Type;
use serde::Serialize;

use super::numbers::{Number, is_true};
use super::required::emptied;
use super::stage::{Fault, Stage};
use crate::codes::Code;

const STAGE: Stage = Stage::ClientValidation;

fn bad(path: &str, message: impl Into<String>) -> Fault {
    Fault::at(STAGE, path, message).coded(Code::BadUpdateConfig)
}

/// The shortest pulse interval, in seconds.
const MIN_PULSE_SECS: i128 = 60;

/// Whether a job asks for hosts that only it may use.
pub(super) fn is_dedicated(job: &Object) -> bool {
    match job.field("constraints").map(Object::kind) {
        Some(Kind::Map(entries)) => {
            entries.iter().any(|(key, _)| text_form(key) == DEDICATED_ATTRIBUTE)
        }
        _ => false,
    }
}

/// The rules that hold whether or not this is an update (step 4).
pub(super) fn check_update(job: &Object) -> Vec<Fault> {
    let mut faults = Vec::new();
    emptied(job, "", &["instances", "update_config", "health_check_config"], STAGE, &mut faults);
    if let Some(update) = job.field("update_config") {
        check_failures(job, update, &mut faults);
        not_negative(update, "update_config", &["watch_secs"], &mut faults);
    }
    if let Some(health) = job.field("health_check_config") {
        let fields = [
            "max_consecutive_failures",
            "min_consecutive_successes",
            "initial_interval_secs",
            "interval_secs",
        ];
        not_negative(health, "health_check_config", &fields, &mut faults);
    }
    if let Some(readiness) = job.field("readiness") {
        let fields = ["interval_secs", "max_consecutive_failures", "min_consecutive_successes"];
        not_negative(readiness, "readiness", &fields, &mut faults);
    }
    faults
}

fn check_failures(job: &Object, update: &Object, faults: &mut Vec<Fault>) {
    const FIELD: &str = "update_config.max_total_failures";
    emptied(update, "update_config", &["max_total_failures"], STAGE, faults);
    let (Some(instances), Some(failures)) =
        (Number::of(job, "instances"), Number::of(update, "max_total_failures"))
    else {
        return;
    };
    match (&failures, &instances) {
        (Number::Int(failures), Number::Int(instances @ ..=0)) if failures >= instances => {
            let message = format!("a job has at least 1 instance, got {instances}");
            faults.push(bad("instances", message).coded(Code::BadValue));
        }
        (Number::Int(failures), Number::Int(instances)) if failures >= instances => {
            faults.push(bad(
                FIELD,
                format!(
                    "max_total_failures in update_config must be less than the number of instances \
                     ({instances}): use {} or less",
                    instances - 1
                ),
            ));
        }
        (Number::Open(text), Number::Int(_)) => faults
            .push(bad(FIELD, format!("nothing is bound to {}", aurora_template::beginning(text)))),
        // Neither is known: the texts are compared, as ever.
        (Number::Open(failures), Number::Open(instances)) if failures >= instances => {
            faults.push(bad(
                FIELD,
                format!("nothing is bound to {}", aurora_template::beginning(failures)),
            ));
        }
        _ => {}
    }
    if !is_dedicated(job) {
        return;
    }
    match (&failures, &instances) {
        (Number::Int(failures), Number::Int(instances)) => {
            let least = two_percent(*instances);
            if *failures < least {
                faults.push(bad(
                    FIELD,
                    format!(
                        "a dedicated job of {instances} instances must tolerate the failure of 2 % \
                         of them: set max_total_failures to {least} or more"
                    ),
                ));
            }
        }
        (_, Number::Open(text)) => faults.push(bad(
            "instances",
            format!("nothing is bound to {}", aurora_template::beginning(text)),
        )),
        _ => {}
    }
}

/// Rounded down.
fn two_percent(instances: i128) -> i128 {
    instances.div_euclid(50)
}

fn not_negative(object: &Object, place: &str, fields: &[&str], faults: &mut Vec<Fault>) {
    for field in fields {
        emptied(object, place, &[field], STAGE, faults);
        if Number::of(object, field).is_some_and(|number| number.is_negative()) {
            let value = object.field(field).map(text_form).unwrap_or_default();
            faults.push(bad(
                &format!("{place}.{field}"),
                format!("invalid value ({value}) for {field}: it cannot be less than 0"),
            ));
        }
    }
}

/// What an update sends.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct UpdateSettings {
    /// Instances updated at the same time.
    pub update_group_size: i32,
    /// Failures of one instance that are forgiven.
    pub max_per_instance_failures: i32,
    /// Failed instances that are forgiven.
    pub max_failed_instances: i32,
    /// Milliseconds that an instance must stay up.
    pub min_wait_in_instance_running_ms: i32,
    /// Whether a failed update is undone.
    pub rollback_on_failure: bool,
    /// Whether a batch is finished before the next begins.
    pub wait_for_batch_completion: bool,
    /// Milliseconds without a heartbeat after which the update waits.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub block_if_no_pulses_after_ms: Option<i32>,
    /// Whether instances are only stopped when the SLA allows.
    pub sla_aware: bool,
    /// How batches are formed.
    pub update_strategy: UpdateStrategy,
}

/// How the batches of an update are formed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub enum UpdateStrategy {
    /// A sliding window.
    #[serde(rename = "queueStrategy", rename_all = "camelCase")]
    Queue {
        /// Its size.
        group_size: i32,
    },
    /// Batches of one size.
    #[serde(rename = "batchStrategy", rename_all = "camelCase")]
    Batch {
        /// The size.
        group_size: i32,
        /// Whether the update pauses after each.
        autopause_after_batch: bool,
    },
    /// Growing or shrinking batches.
    #[serde(rename = "varBatchStrategy", rename_all = "camelCase")]
    VarBatch {
        /// Their sizes; the last repeats.
        group_sizes: Vec<i32>,
        /// Whether the update pauses after each.
        autopause_after_batch: bool,
    },
}

/// What an update of an interpolated job sends.
///
/// # Errors
/// Everything that stands in its way.
pub(super) fn settings(job: &Object) -> Result<UpdateSettings, Vec<Fault>> {
    let mut faults = Vec::new();
    emptied(job, "", &["update_config"], STAGE, &mut faults);
    let Some(update) = job.field("update_config") else { return Err(faults) };
    let place = "update_config";
    let flags = ["rollback_on_failure", "wait_for_batch_completion", "sla_aware"];
    emptied(update, place, &flags, STAGE, &mut faults);
    let batch_size = number(update, place, "batch_size", 1, &mut faults);
    let watch = number(update, place, "watch_secs", 1000, &mut faults);
    let per_instance = number(update, place, "max_per_shard_failures", 1, &mut faults);
    let in_all = number(update, place, "max_total_failures", 1, &mut faults);
    let pulse = update
        .field("pulse_interval_secs")
        .and_then(|_| number(update, place, "pulse_interval_secs", 1000, &mut faults));
    let mut wrong = |field: &str, message: &str| {
        faults.push(bad(&format!("{place}.{field}"), message));
    };
    if batch_size.is_some_and(|size| size <= 0) {
        wrong("batch_size", "batch_size must be more than 0");
    }
    if watch.is_some_and(|watch| watch < 0) {
        wrong("watch_secs", "watch_secs cannot be less than 0");
    }
    if pulse.is_some_and(|pulse| i128::from(pulse) < MIN_PULSE_SECS * 1000) {
        wrong("pulse_interval_secs", "pulse_interval_secs must be at least 60");
    }
    let waits = is_true(update, "wait_for_batch_completion");
    let given = update.field("update_strategy");
    if given.is_some() && waits {
        wrong(
            "wait_for_batch_completion",
            "wait_for_batch_completion and update_strategy contradict each other: give one of them",
        );
    }
    if given.is_some() && batch_size.is_some_and(|size| size > 1) {
        wrong(
            "batch_size",
            "batch_size and update_strategy contradict each other: give the size of a batch in the \
             strategy",
        );
    }
    let strategy = match given {
        Some(given) => strategy(given, &mut faults),
        None => batch_size.map(|group_size| {
            if waits {
                UpdateStrategy::Batch { group_size, autopause_after_batch: false }
            } else {
                UpdateStrategy::Queue { group_size }
            }
        }),
    };
    match (batch_size, watch, per_instance, in_all, strategy) {
        (Some(batch_size), Some(watch), Some(per_instance), Some(in_all), Some(strategy))
            if faults.is_empty() =>
        {
            Ok(UpdateSettings {
                update_group_size: match strategy {
                    UpdateStrategy::Queue { group_size }
                    | UpdateStrategy::Batch { group_size, .. } => group_size,
                    UpdateStrategy::VarBatch { .. } => batch_size,
                },
                max_per_instance_failures: per_instance,
                max_failed_instances: in_all,
                min_wait_in_instance_running_ms: watch,
                rollback_on_failure: is_true(update, "rollback_on_failure"),
                wait_for_batch_completion: waits
                    || matches!(strategy, UpdateStrategy::Batch { .. }),
                block_if_no_pulses_after_ms: pulse,
                sla_aware: is_true(update, "sla_aware"),
                update_strategy: strategy,
            })
        }
        _ => Err(faults),
    }
}

fn strategy(given: &Object, faults: &mut Vec<Fault>) -> Option<UpdateStrategy> {
    let place = "update_config.update_strategy";
    let autopause_after_batch = is_true(given, "autopause_after_batch");
    let name = match given.ty() {
        Type::Struct(ty) => ty.name.as_str(),
        _ => "",
    };
    let strategy = match name {
        "QueueUpdateStrategy" => number(given, place, "batch_size", 1, faults)
            .map(|group_size| UpdateStrategy::Queue { group_size }),
        "BatchUpdateStrategy" => number(given, place, "batch_size", 1, faults)
            .map(|group_size| UpdateStrategy::Batch { group_size, autopause_after_batch }),
        "VariableBatchUpdateStrategy" => {
            let Some(Kind::List(sizes)) = given.field("batch_sizes").map(Object::kind) else {
                faults.push(bad(place, "batch_sizes is required"));
                return None;
            };
            let sizes: Option<Vec<i32>> =
                sizes.iter().map(|size| text_form(size).parse().ok()).collect();
            sizes.map(|group_sizes| UpdateStrategy::VarBatch { group_sizes, autopause_after_batch })
        }
        _ => None,
    };
    let positive = match &strategy {
        Some(UpdateStrategy::Queue { group_size } | UpdateStrategy::Batch { group_size, .. }) => {
            *group_size > 0
        }
        Some(UpdateStrategy::VarBatch { group_sizes, .. }) => {
            !group_sizes.is_empty() && group_sizes.iter().all(|size| *size > 0)
        }
        None => false,
    };
    if !positive && faults.is_empty() {
        faults.push(bad(
            place,
            "there must be a size for batches, and each must be a number more than 0",
        ));
    }
    strategy
}

/// A number of the width that the request has for it, in its unit.
fn number(
    object: &Object,
    place: &str,
    field: &str,
    unit: i128,
    faults: &mut Vec<Fault>,
) -> Option<i32> {
    emptied(object, place, &[field], STAGE, faults);
    let number = Number::of(object, field)?;
    let fitting = number
        .whole()
        .and_then(|number| number.checked_mul(unit))
        .and_then(|number| i32::try_from(number).ok());
    if fitting.is_none() {
        let value = object.field(field).map(text_form).unwrap_or_default();
        let value = aurora_template::beginning(&value);
        faults.push(bad(
            &format!("{place}.{field}"),
            format!("{field} is no number or out of range: {value}"),
        ));
    }
    fitting
}
