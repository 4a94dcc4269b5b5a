//! What the client asks of a job before it is submitted (`dsl.md` 8.3 and 8.5), all of it at once.

use std::borrow::Cow;
use std::collections::BTreeSet;

use crate::config;
use crate::cron::Zone;
use crate::job::{
    Constraint, ConstraintRule, CronCatchUp, CronCollisionPolicy, Preference, PreferenceRule,
};
use crate::key::{JobKey, KeyError};
use crate::plan::{Plan, PlanError};

const MIB: i64 = 1 << 20;

/// Why a job cannot be submitted.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("{message}")]
pub struct ConvertError {
    /// The field at fault, as an address from the job, such as `task.processes[0].name`.
    pub field: Cow<'static, str>,
    /// What is wrong with it, for people.
    pub message: String,
}

impl ConvertError {
    /// An error about a field.
    pub fn new(field: impl Into<Cow<'static, str>>, message: impl Into<String>) -> Self {
        Self { field: field.into(), message: message.into() }
    }
}

/// What a job comes to that obeys the rules: its texts read, its numbers of the width that the
/// request has for them.
#[derive(Debug, Clone, PartialEq)]
pub struct Checked {
    /// The job.
    pub key: JobKey,
    /// How many instances there are.
    pub instance_count: i32,
    /// Compared within the role.
    pub priority: i32,
    /// Failed runs after which an instance of a batch job has failed.
    pub max_task_failures: i32,
    /// Cores.
    pub cpus: f64,
    /// MiB of memory, rounded down.
    pub ram_mb: i64,
    /// MiB of disk, rounded down.
    pub disk_mb: i64,
    /// GPUs.
    pub gpus: i64,
    /// Placement constraints.
    pub constraints: BTreeSet<Constraint>,
    /// Placement preferences.
    pub preferences: BTreeSet<Preference>,
    /// What happens to overlapping runs.
    pub cron_collision_policy: CronCollisionPolicy,
    /// What happens to runs that were missed, if the job says so.
    pub cron_catch_up: Option<CronCatchUp>,
}

/// Reads a job by the rules.
///
/// # Errors
/// Every rule that the job breaks, in the order in which they are looked at.
pub fn check(job: &config::Job) -> Result<Checked, Vec<ConvertError>> {
    let mut errors = Vec::new();
    let key = check_key(job, &mut errors);
    let priority = fit("priority", job.priority, &mut errors);
    let max_task_failures = fit("max_task_failures", job.max_task_failures, &mut errors);
    let resources = check_resources(job, &mut errors);
    let constraints = check_constraints(job, &mut errors);
    let preferences = check_preferences(job, &mut errors);
    check_container(job, &mut errors);
    check_metadata(job, &mut errors);
    check_plan(job, &mut errors);
    let cron = check_cron(job, &mut errors);
    let cron_catch_up = check_catch_up(job, &mut errors);
    check_zone(job, &mut errors);
    let instances = fit("instances", job.instances.unwrap_or(1), &mut errors);
    // What is missing has left an error.
    match (key, priority, max_task_failures, resources, cron, instances) {
        (
            Some(key),
            Some(priority),
            Some(max_task_failures),
            Some((cpus, ram_mb, disk_mb, gpus)),
            Some(cron_collision_policy),
            Some(instance_count),
        ) if errors.is_empty() => Ok(Checked {
            key,
            instance_count,
            priority,
            max_task_failures,
            cpus,
            ram_mb,
            disk_mb,
            gpus,
            constraints,
            preferences,
            cron_collision_policy,
            cron_catch_up,
        }),
        _ => Err(errors),
    }
}

fn check_key(job: &config::Job, errors: &mut Vec<ConvertError>) -> Option<JobKey> {
    for (field, text) in
        [("role", &job.role), ("environment", &job.environment), ("name", &job.name)]
    {
        // Each part for itself, so that all that are wrong are told.
        let parts = match field {
            "role" => [text, "x", "x"],
            "environment" => ["x", text, "x"],
            _ => ["x", "x", text.as_str()],
        };
        if let Err(error) = JobKey::new(parts[0], parts[1], parts[2]) {
            let message = match error {
                KeyError::Identifier { .. } if text.ends_with('\n') => {
                    format!("invalid {field} {text:?}: it ends with a line break")
                }
                error => error.to_string(),
            };
            errors.push(ConvertError::new(field, message));
        }
    }
    JobKey::new(&job.role, &job.environment, &job.name).ok()
}

fn fit(field: &'static str, value: i64, errors: &mut Vec<ConvertError>) -> Option<i32> {
    let fitting = i32::try_from(value).ok();
    if fitting.is_none() {
        let message = format!(
            "{field} is out of range: {value} is not between {} and {}",
            i32::MIN,
            i32::MAX
        );
        errors.push(ConvertError::new(field, message));
    }
    fitting
}

fn check_resources(
    job: &config::Job,
    errors: &mut Vec<ConvertError>,
) -> Option<(f64, i64, i64, i64)> {
    let Some(resources) = &job.task.resources else {
        errors.push(ConvertError::new(
            "task.resources",
            "the task must say what it needs: resources = Resources(cpu=…, ram=…, disk=…)",
        ));
        return None;
    };
    if !(resources.cpu.is_finite() && resources.cpu > 0.0) {
        let message = format!("cpu must be more than 0, got {}", resources.cpu);
        errors.push(ConvertError::new("task.resources.cpu", message));
    }
    for (name, field, bytes) in [
        ("ram", "task.resources.ram", resources.ram),
        ("disk", "task.resources.disk", resources.disk),
    ] {
        if bytes < MIB {
            errors.push(ConvertError::new(
                field,
                format!(
                    "{name} must be at least 1 MB, got {bytes} bytes: sizes are in bytes, so write \
                     them with a unit such as 64 * MB"
                ),
            ));
        }
    }
    Some((
        resources.cpu,
        resources.ram.div_euclid(MIB),
        resources.disk.div_euclid(MIB),
        resources.gpu,
    ))
}

/// The little language of placement constraints (`dsl.md` 8.5).
fn check_constraints(job: &config::Job, errors: &mut Vec<ConvertError>) -> BTreeSet<Constraint> {
    let mut set = BTreeSet::new();
    for (attribute, text) in job.constraints.iter().flatten() {
        let rule = if let Some(limit) = text.strip_prefix("limit:") {
            match whole_number(limit).map(i32::try_from) {
                Some(Ok(limit)) => ConstraintRule::Limit(limit),
                found => {
                    let what = if found.is_some() { "is too large" } else { "is not a number" };
                    errors.push(ConvertError::new(
                        "constraints",
                        format!("constraint {attribute:?}: {limit:?} {what}: use limit:N"),
                    ));
                    continue;
                }
            }
        } else {
            let (negated, values) = values(text);
            ConstraintRule::Value { negated, values }
        };
        set.insert(Constraint { attribute: attribute.clone(), rule });
    }
    set
}

/// Values with a comma between them, and whether they are not meant.
fn values(text: &str) -> (bool, BTreeSet<String>) {
    let (negated, values) = match text.strip_prefix('!') {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    (negated, values.split(',').map(str::to_owned).collect())
}

/// What a job's placement preferences say: a wish, and a weight after a blank.
fn check_preferences(job: &config::Job, errors: &mut Vec<ConvertError>) -> BTreeSet<Preference> {
    let mut set = BTreeSet::new();
    for (attribute, text) in job.preferences.iter().flatten() {
        let (wish, weight) = match text.rsplit_once(' ') {
            Some((wish, weight)) => (wish.trim_end(), weight),
            None => (text.as_str(), "1"),
        };
        let mut wrong = |what: String| {
            let message = format!(
                "preference {attribute:?}: {what}: write \"spread\", or values such as \"a,b\" or \
                 \"!a\", with a weight from 1 to {MAX_WEIGHT} or without, as in \"spread 10\""
            );
            errors.push(ConvertError::new("preferences", message));
        };
        if wish.is_empty() {
            wrong("there is no wish".to_owned());
            continue;
        }
        let Some(weight) = whole_number(weight)
            .and_then(|weight| u32::try_from(weight).ok())
            .filter(|weight| (1..=MAX_WEIGHT).contains(weight))
        else {
            wrong(format!("{weight:?} is not a weight"));
            continue;
        };
        let rule = if wish == "spread" {
            PreferenceRule::Spread
        } else {
            let (negated, values) = values(wish);
            PreferenceRule::Value { negated, values }
        };
        set.insert(Preference { attribute: attribute.clone(), rule, weight });
    }
    set
}

/// The most that a preference counts.
const MAX_WEIGHT: u32 = 100;

/// A whole number as the language reads one from text: blanks around it, a sign, digits. One that is
/// larger than any field is the largest there is.
pub fn whole_number(text: &str) -> Option<i128> {
    let text = text.trim_matches(|c: char| c.is_ascii_whitespace() || c == '\x0b');
    let (negative, digits) = match text.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let value: i128 = digits.parse().unwrap_or(i128::MAX);
    Some(if negative { -value } else { value })
}

fn check_container(job: &config::Job, errors: &mut Vec<ConvertError>) {
    if let Some(config::Container::Wrapped(wrapper)) = &job.container
        && wrapper.docker.is_none()
    {
        let message = "a Container needs docker: write Docker(image = …)";
        errors.push(ConvertError::new("container", message));
    }
}

fn check_metadata(job: &config::Job, errors: &mut Vec<ConvertError>) {
    for (index, label) in job.metadata.iter().flatten().enumerate() {
        for (name, text) in [("key", &label.key), ("value", &label.value)] {
            if !text.is_ascii() {
                errors.push(ConvertError::new(
                    format!("metadata[{index}].{name}"),
                    format!("metadata is made of ASCII characters, got {text:?}"),
                ));
            }
        }
    }
}

fn check_plan(job: &config::Job, errors: &mut Vec<ConvertError>) {
    let constraints = job.task.constraints.as_deref().unwrap_or_default();
    for is_final in [false, true] {
        let Err(error) = Plan::new(&job.task.processes, constraints, is_final) else { continue };
        let field = match &error {
            PlanError::ProcessName(bad) => job
                .task
                .processes
                .iter()
                .position(|process| process.name == *bad)
                .map(|index| format!("task.processes[{index}].name").into()),
            PlanError::Dependencies { order, .. } => constraints
                .iter()
                .position(|constraint| constraint.order == *order)
                .map(|index| format!("task.constraints[{index}].order").into()),
            _ => None,
        };
        let field: Cow<'static, str> = field.unwrap_or(Cow::Borrowed("task.constraints"));
        let error = ConvertError::new(field, error.to_string());
        // An order that mixes both classes is wrong in each.
        if errors.last().is_none_or(|last| last.field != error.field) {
            errors.push(error);
        }
    }
}

fn check_cron(job: &config::Job, errors: &mut Vec<ConvertError>) -> Option<CronCollisionPolicy> {
    match job.cron_collision_policy.to_ascii_uppercase().as_str() {
        "KILL_EXISTING" => Some(CronCollisionPolicy::KillExisting),
        "CANCEL_NEW" => Some(CronCollisionPolicy::CancelNew),
        "RUN_OVERLAP" => Some(CronCollisionPolicy::RunOverlap),
        _ => {
            let other = &job.cron_collision_policy;
            errors.push(ConvertError::new(
                "cron_collision_policy",
                format!("unknown cron_collision_policy {other:?}: use KILL_EXISTING or CANCEL_NEW"),
            ));
            None
        }
    }
}

fn check_catch_up(job: &config::Job, errors: &mut Vec<ConvertError>) -> Option<CronCatchUp> {
    let text = job.cron_catch_up.as_ref()?;
    match text.to_ascii_uppercase().as_str() {
        "RUN_LATEST" => Some(CronCatchUp::RunLatest),
        "RUN_ALL" => Some(CronCatchUp::RunAll),
        "SKIP" => Some(CronCatchUp::Skip),
        _ => {
            errors.push(ConvertError::new(
                "cron_catch_up",
                format!("unknown cron_catch_up {text:?}: use RUN_LATEST, RUN_ALL or SKIP"),
            ));
            None
        }
    }
}

fn check_zone(job: &config::Job, errors: &mut Vec<ConvertError>) {
    let Some(name) = &job.cron_time_zone else { return };
    if let Err(error) = name.parse::<Zone>() {
        errors.push(ConvertError::new("cron_time_zone", error.to_string()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_numbers_are_read_as_python_reads_them() {
        let cases = [
            ("1", Some(1)),
            (" 7\n", Some(7)),
            ("+4", Some(4)),
            ("-3", Some(-3)),
            ("007", Some(7)),
            ("", None),
            ("-", None),
            ("1_0", None),
            ("2.5", None),
            ("0x1", None),
            ("- 1", None),
        ];
        for (text, number) in cases {
            assert_eq!(whole_number(text), number, "{text:?}");
        }
        assert!(whole_number(&"9".repeat(100)).is_some_and(|n| i64::try_from(n).is_err()));
    }
}
