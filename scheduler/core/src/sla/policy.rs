//! What a policy demands, and what a job has (`scheduler.md` 11).

use aurora_model::job::{ScheduledTask, SlaPolicy, TaskConfig, TaskState, Timestamp};

use super::SlaDenial;
use crate::input::RequestError;
use crate::penalty::flapped;
use crate::settings::Settings;
use crate::state::State;

/// Percentages are compared in millionths of a percent, so that no rounding of a product decides.
const PERCENT: u64 = 1_000_000;
const HUNDRED: u64 = 100 * PERCENT;

/// How many instances other than the one to be stopped must be up, of `total` active ones. A policy
/// that would never let one go is read as one that lets one go at a time. Nothing for a coordinator,
/// which decides itself.
fn needed(policy: &SlaPolicy, total: u64) -> Option<u64> {
    let all_but_one = total.saturating_sub(1);
    match *policy {
        SlaPolicy::Percentage { percentage, .. } => {
            let may_be_down = total.saturating_mul(HUNDRED - millionths(percentage)) / HUNDRED;
            Some(total.saturating_sub(may_be_down.max(1)))
        }
        SlaPolicy::Count { count, .. } => Some(count.min(all_but_one)),
        SlaPolicy::Coordinator { .. } => None,
    }
}

/// A percentage in millionths of a percent; what is none is the strictest.
fn millionths(percentage: f64) -> u64 {
    if percentage.is_nan() {
        return HUNDRED;
    }
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "it is clamped to 0..=100 before"
    )]
    let scaled = (percentage.clamp(0.0, 100.0) * 1_000_000.0).round() as u64;
    scaled.min(HUNDRED)
}

/// For how long an instance must have run to count as up, in seconds.
pub(crate) fn duration_secs(policy: &SlaPolicy) -> u64 {
    match *policy {
        SlaPolicy::Percentage { duration_secs, .. } | SlaPolicy::Count { duration_secs, .. } => {
            duration_secs
        }
        SlaPolicy::Coordinator { .. } => 0,
    }
}

fn duration_ms(policy: &SlaPolicy) -> i64 {
    i64::try_from(duration_secs(policy)).unwrap_or(i64::MAX).saturating_mul(1000)
}

/// Since when a task runs without a break; none if it does not run.
fn runs_since(task: &ScheduledTask) -> Option<Timestamp> {
    if task.state != TaskState::Running {
        return None;
    }
    let mut events = task.events.iter().rev();
    events.find(|event| event.state == TaskState::Running).map(|event| event.timestamp)
}

fn is_up(since: Timestamp, duration_ms: i64, now: Timestamp) -> bool {
    now.ms_since(since) > duration_ms
}

/// Whether the policy says nothing about the job: only the services that others rest on are
/// protected, and small ones could not be touched at all.
pub(super) fn is_exempt(config: &TaskConfig, total: u64, settings: &Settings) -> bool {
    (!config.production && !settings.sla_aware_kill_non_prod)
        || total < u64::from(settings.min_required_instances_for_sla_check)
}

/// Whether the task serves nobody anyway: stopping it takes nothing away. A run that has only just
/// begun does not count as up either, but is about to, unless the run before it shows that it is
/// not. What an agent out of reach does is known to a coordinator at most.
pub(super) fn is_broken(
    state: &State,
    task: &ScheduledTask,
    policy: &SlaPolicy,
    settings: &Settings,
    now: Timestamp,
) -> bool {
    let threshold = settings.flapping_threshold_ms;
    let (is_outside, horizon) = match policy {
        SlaPolicy::Coordinator { .. } => (true, threshold),
        _ => (false, threshold.min(duration_ms(policy))),
    };
    let Some(since) = runs_since(task) else {
        return !(is_outside && task.state == TaskState::Partitioned);
    };
    let ancestor = task.ancestor.as_ref().and_then(|id| state.task(id));
    !is_up(since, horizon, now) && ancestor.is_some_and(|run| flapped(run, threshold))
}

/// Whether the job keeps what its policy demands when the task stops. The answer holds for the
/// state as it is: who is told "yes" acts before anyone else asks.
pub(super) fn judge(
    state: &State,
    task: &ScheduledTask,
    policy: &SlaPolicy,
    now: Timestamp,
) -> Result<(), SlaDenial> {
    let total = state.active_count(task.job()) as u64;
    let Some(needed) = needed(policy, total) else { return Ok(()) };
    let duration = duration_ms(policy);
    let mut since: Vec<Timestamp> = state
        .active_of(task.job())
        .filter(|other| other.id() != task.id())
        .filter_map(runs_since)
        .collect();
    let up = since.iter().filter(|since| is_up(**since, duration, now)).count() as u64;
    if up >= needed {
        return Ok(());
    }
    // If nothing else happens, the last of the needed ones counts as up from here on.
    let last = usize::try_from(needed).ok().and_then(|needed| needed.checked_sub(1));
    let retry_at = last
        .filter(|last| *last < since.len())
        .map(|last| since.select_nth_unstable(last).1.plus_ms(duration.saturating_add(1)));
    let seconds = duration / 1000;
    let reason = format!(
        "{needed} of the {total} instances must have run for {seconds} s without this one; {up} have"
    );
    Err(SlaDenial { reason, retry_at })
}

/// Checks the policy of a job with so many instances (`scheduler.md` 2.9).
pub(crate) fn validate(
    task: &TaskConfig,
    instances: u32,
    settings: &Settings,
) -> Result<(), RequestError> {
    let Some(policy) = &task.sla_policy else { return Ok(()) };
    let refuse = |message: String| Err(RequestError::invalid(message));
    if !task.production && !settings.sla_aware_kill_non_prod {
        return refuse(format!(
            "tier {:?} is not for production: only production jobs may have an SLA policy",
            task.tier.as_deref().unwrap_or(&settings.default_tier)
        ));
    }
    validate_policy(policy, settings)?;
    let least = settings.min_required_instances_for_sla_check;
    if !matches!(policy, SlaPolicy::Coordinator { .. }) && instances < least {
        return refuse(format!(
            "an SLA policy by percentage or count needs at least {least} instances, not {instances}: \
             use a coordinator, or no policy"
        ));
    }
    let instances = u64::from(instances);
    match *policy {
        SlaPolicy::Percentage { percentage, .. }
            if instances * (HUNDRED - millionths(percentage)) < HUNDRED =>
        {
            refuse(format!(
                "an SLA policy of {percentage}% of {instances} instances lets none be stopped: ask \
                 for less"
            ))
        }
        SlaPolicy::Count { count, .. } if count >= instances => refuse(format!(
            "an SLA policy of {count} of {instances} instances lets none be stopped: ask for at most \
             {}",
            instances.saturating_sub(1)
        )),
        _ => Ok(()),
    }
}

/// Checks what must hold for a policy of any job.
pub(crate) fn validate_policy(policy: &SlaPolicy, settings: &Settings) -> Result<(), RequestError> {
    let refuse = |message: String| Err(RequestError::invalid(message));
    match policy {
        SlaPolicy::Percentage { percentage, .. } if !(0.0..=100.0).contains(percentage) => {
            return refuse(format!("SLA percentage {percentage} is not between 0 and 100"));
        }
        SlaPolicy::Coordinator { coordinator_url, .. } if coordinator_url.trim().is_empty() => {
            return refuse("the SLA coordinator has no URL".to_owned());
        }
        SlaPolicy::Coordinator { coordinator_url, .. } if !is_http(coordinator_url) => {
            return refuse(format!(
                "the SLA coordinator cannot be asked at {coordinator_url:?}: its URL must begin with \
                 http:// and a host"
            ));
        }
        SlaPolicy::Percentage { duration_secs, .. } | SlaPolicy::Count { duration_secs, .. }
            if *duration_secs > settings.max_sla_duration_secs =>
        {
            return refuse(format!(
                "an SLA duration of {duration_secs} s is too long: at most {} s are allowed",
                settings.max_sla_duration_secs
            ));
        }
        _ => {}
    }
    Ok(())
}

/// Whether a URL is one that coordinators are asked at.
fn is_http(url: &str) -> bool {
    let is_plain = !url.contains(|c: char| c.is_whitespace() || c.is_control());
    let after = url.strip_prefix("http://");
    is_plain
        && after.is_some_and(|rest| !rest.is_empty() && !rest.starts_with(['/', '?', '#', ':']))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn percentage(percentage: f64) -> SlaPolicy {
        SlaPolicy::Percentage { percentage, duration_secs: 0 }
    }

    #[test]
    fn percentages_are_exact_at_their_edges() {
        let cases = [
            (95.0, 20, 19),
            (95.0, 100, 95),
            // One of 20 may go however strict the policy is.
            (100.0, 20, 19),
            (96.0, 20, 19),
            (90.0, 20, 18),
            (0.0, 20, 0),
            // 28.999999999999996 as a product of floats.
            (29.0, 100, 29),
            (99.9, 1000, 999),
            (66.666_667, 30, 21),
            (33.3, 1000, 333),
            (f64::NAN, 20, 19),
            (1e300, 20, 19),
            (-1.0, 20, 0),
            (100.0, 1, 0),
            (100.0, 0, 0),
        ];
        for (share, total, expected) in cases {
            assert_eq!(needed(&percentage(share), total), Some(expected), "{share} of {total}");
        }
    }

    #[test]
    fn a_count_lets_one_go_whatever_it_says() {
        let count = |count| SlaPolicy::Count { count, duration_secs: 0 };
        assert_eq!(needed(&count(18), 20), Some(18));
        assert_eq!(needed(&count(20), 20), Some(19));
        assert_eq!(needed(&count(u64::MAX), 20), Some(19));
        assert_eq!(needed(&count(0), 20), Some(0));
        assert_eq!(needed(&count(3), 0), Some(0));
    }
}
