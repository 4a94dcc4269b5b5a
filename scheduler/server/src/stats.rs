//! The scheduler's numbers, by the original's names (`api-and-http.md` 7; docs/metrics.md says which
//! are kept).

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::Arc;
use std::time::{Duration, Instant};

use aurora_daemon::metrics::Metrics;
use aurora_model::job::TaskState;
use aurora_model::key::JobKey;
use aurora_model::quota::ResourceAggregate;
use aurora_scheduler_core::JobEnds;
use axum::extract::Request;
use axum::middleware::Next;
use axum::response::Response;

use crate::actor::{Core, now};
use crate::history::History;
use crate::web::utilization::{self, Kind, plus};

/// How often gauges are read.
const GAUGES: Duration = Duration::from_secs(1);

/// How often numbers are made that take longer to find out, and how often all are sampled.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Intervals {
    /// What tasks use and roles may use.
    pub(crate) usage: Duration,
    /// What would still find a place.
    pub(crate) slots: Duration,
    pub(crate) sampling: Duration,
}

/// Shows the core's numbers among the process's, and keeps samples of all.
pub(crate) async fn run(core: Core, metrics: Metrics, history: History, every: Intervals) {
    let mut gauges = tokio::time::interval(GAUGES);
    let mut usage = tokio::time::interval(every.usage);
    let mut slots = tokio::time::interval(every.slots);
    let mut samples = tokio::time::interval(every.sampling);
    for timer in [&mut gauges, &mut usage, &mut slots, &mut samples] {
        // A pause of the machine is no reason to catch up.
        timer.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Skip);
    }
    metrics::gauge!("scheduler_lifecycle_ACTIVE").set(1.0);
    // There are none at first, whatever a scheduler before this one in the process has seen.
    metrics.replace("task_ends", Arc::default());
    let mut seen_ends = 0;
    loop {
        let goes_on = tokio::select! {
            _ = gauges.tick() => {
                read_gauges(&core).await && read_ends(&core, &metrics, &mut seen_ends).await
            }
            _ = usage.tick() => {
                read_usage(&core, &metrics).await && read_jobs(&core, &metrics).await
            }
            _ = slots.tick() => read_slots(&core, &metrics).await,
            _ = samples.tick() => {
                history.add(now().0, &metrics.vars());
                true
            }
        };
        if !goes_on {
            return;
        }
    }
}

/// `false` if the scheduler has ended.
async fn read_gauges(core: &Core) -> bool {
    let found = core
        .ask(|scheduler| {
            let statuses = scheduler.ends().statuses().clone();
            let version = scheduler.state().version();
            (scheduler.stats(), scheduler.counters().clone(), statuses, version)
        })
        .await;
    let Ok((stats, counters, statuses, version)) = found else { return false };
    let mut exits: BTreeMap<&'static str, u64> = BTreeMap::new();
    for ((reason, result), count) in statuses {
        let result = result.name();
        metrics::counter!("status_update", "reason" => reason, "result" => result).absolute(count);
        *exits.entry(reason).or_default() += count;
    }
    for (reason, count) in exits {
        metrics::counter!("task_exit", "reason" => reason).absolute(count);
    }
    metrics::gauge!("framework_registered").set(f64::from(u8::from(stats.registered)));
    #[expect(clippy::cast_precision_loss, reason = "gauges are floats")]
    {
        for state in TaskState::ALL {
            let count = stats.tasks.get(&state).copied().unwrap_or(0);
            metrics::gauge!("task_store", "state" => state.name()).set(count as f64);
        }
        metrics::gauge!("outstanding_offers").set(stats.offers as f64);
        metrics::gauge!("core_queue_size").set(core.waiting() as f64);
        metrics::gauge!("reservation_cache_size").set(stats.reservations as f64);
        metrics::gauge!("state_version").set(version as f64);
    }
    for (name, value) in counters {
        metrics::counter!(name).absolute(value);
    }
    true
}

/// Shows how tasks have ended badly, if that has changed since it was `seen`. `false` if the scheduler
/// has ended.
async fn read_ends(core: &Core, metrics: &Metrics, seen: &mut u64) -> bool {
    let Ok(changes) = core.ask(|scheduler| scheduler.ends().changes()).await else { return false };
    if *seen == changes {
        return true;
    }
    let jobs = core.all_of(|scheduler, after: Option<&JobKey>, size| {
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        let some = scheduler.ends().jobs().range::<JobKey, _>((from, Bound::Unbounded));
        some.take(size).map(|(job, ends)| (job.clone(), *ends)).collect()
    });
    let Ok(jobs) = jobs.await else { return false };
    let places = core.ask(|scheduler| {
        let ends = scheduler.ends();
        (ends.lost_by_rack().clone(), ends.lost_by_dedicated().clone())
    });
    let Ok((racks, dedicated)) = places.await else { return false };
    metrics.replace("task_ends", Arc::new(bad_ends(&jobs, &racks, &dedicated)));
    // What has changed while this was read is read again.
    *seen = changes;
    true
}

/// What is used, and what may be used.
async fn read_usage(core: &Core, metrics: &Metrics) -> bool {
    let Ok(roles) = utilization::by_roles(core).await else { return false };
    let quotas = core.all_of(|scheduler, after, size| {
        let some = scheduler.state().quotas_after(after).take(size);
        some.map(|(role, quota)| (role.clone(), *quota)).collect()
    });
    let Ok(quotas) = quotas.await else { return false };
    let mut gauges = BTreeMap::new();
    let mut add = |prefix: &str, amounts: ResourceAggregate| {
        let ResourceAggregate { cpus, ram_mb, disk_mb } = amounts;
        // Whole numbers, as the original shows them.
        for (name, value) in
            [("cpu_cores", cpus.0 / 1000), ("ram_mb", ram_mb), ("disk_mb", disk_mb)]
        {
            #[expect(clippy::cast_precision_loss, reason = "gauges are floats")]
            gauges.insert(format!("{prefix}_{name}"), value as f64);
        }
    };
    for kind in Kind::ALL {
        let mut sum = ResourceAggregate::default();
        for (role, used) in &roles {
            let amounts = kind.of(used);
            sum = plus(sum, amounts);
            if amounts != ResourceAggregate::default() {
                add(&format!("resources_per_role_{}_{role}", kind.name()), amounts);
            }
        }
        add(&format!("resources_{}", kind.name()), sum);
    }
    let allocated = quotas.iter().fold(ResourceAggregate::default(), |sum, (_, q)| plus(sum, *q));
    add("resources_allocated_quota", allocated);
    for (role, quota) in &quotas {
        add(&format!("quota_per_role_{role}"), *quota);
    }
    metrics.replace("resources", Arc::new(gauges));
    true
}

/// How many of what there is, and stops for updates that a policy was asked about, by job.
async fn read_jobs(core: &Core, metrics: &Metrics) -> bool {
    let found = core.ask(|scheduler| {
        let state = scheduler.state();
        let sizes = [
            ("cron_jobs_loaded", scheduler.cron_count()),
            ("mem_storage_cron_size", scheduler.cron_count()),
            ("mem_storage_attribute_size", state.host_count()),
            ("mem_storage_quota_size", state.quota_count()),
            ("mem_storage_update_size", state.updates().len()),
        ];
        (sizes, scheduler.update_sla_kills().clone())
    });
    let Ok((sizes, kills)) = found.await else { return false };
    #[expect(clippy::cast_precision_loss, reason = "gauges are floats")]
    for (name, count) in sizes {
        metrics::gauge!(name).set(count as f64);
    }
    #[expect(clippy::cast_precision_loss, reason = "gauges are floats")]
    let kills = kills.iter().flat_map(|(job, kills)| {
        [("attempt", kills.attempts), ("success", kills.passed)]
            .map(|(what, count)| (plain(&format!("updates_sla_kill_{what}_{job}")), count as f64))
    });
    metrics.replace("update_sla_kills", Arc::new(kills.collect()));
    true
}

/// What there is room for.
async fn read_slots(core: &Core, metrics: &Metrics) -> bool {
    let Ok(slots) = core.ask(|scheduler| scheduler.empty_slots()).await else { return false };
    #[expect(clippy::cast_precision_loss, reason = "gauges are floats")]
    let slots = slots.into_iter().map(|slots| (slots.name(), slots.slots as f64)).collect();
    metrics.replace("empty_slots", Arc::new(slots));
    true
}

/// How tasks have ended badly, by the names that the original has for jobs, racks, and what hosts are
/// dedicated to.
#[expect(clippy::cast_precision_loss, reason = "gauges are floats")]
fn bad_ends(
    jobs: &[(JobKey, JobEnds)],
    racks: &BTreeMap<String, u64>,
    dedicated: &BTreeMap<String, u64>,
) -> BTreeMap<String, f64> {
    let jobs = jobs.iter().flat_map(|(job, ends)| {
        [
            ("tasks_LOST", ends.lost),
            ("tasks_FAILED", ends.failed),
            ("preemptor_tasks_preempted", ends.preempted),
            ("preemptor_task_preemptor", ends.preemptor),
        ]
        .map(|(name, count)| (format!("{name}_{job}"), count))
    });
    let racks = racks.iter().map(|(rack, count)| (format!("tasks_lost_rack_{rack}"), *count));
    let dedicated =
        dedicated.iter().map(|(value, count)| (format!("tasks_lost_dedicated_{value}"), *count));
    jobs.filter(|(_, count)| *count > 0)
        .chain(racks)
        .chain(dedicated)
        .map(|(name, count)| (plain(&name), count as f64))
        .collect()
}

/// A name of a number without what names do not have.
fn plain(name: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "_/.-".contains(c);
    name.chars().map(|c| if is_plain(c) { c } else { '_' }).collect()
}

/// Counts and times answers: all by their status, those of the API by their method too.
pub(crate) async fn count_answer(request: Request, next: Next) -> Response {
    let path = request.uri().path();
    let method = path
        .strip_prefix("/aurora.v1.")
        .and_then(|rest| rest.split_once('/'))
        .map(|(_, method)| method.to_owned());
    let began = Instant::now();
    let answer = next.run(request).await;
    let took = u64::try_from(began.elapsed().as_nanos()).unwrap_or(u64::MAX);
    let status = answer.status().as_u16();
    metrics::counter!(format!("http_{status}_responses_events")).increment(1);
    metrics::counter!(format!("http_{status}_responses_nanos_total")).increment(took);
    let Some(method) = method else { return answer };
    let code = match answer.headers().get("grpc-status") {
        // Of a call that went well it comes after the answer.
        None => 0,
        Some(code) => code.to_str().ok().and_then(|code| code.parse().ok()).unwrap_or(2),
    };
    let code = tonic::Code::from_i32(code);
    // Anybody can make methods up.
    if code != tonic::Code::Unimplemented && status == 200 {
        let name = camel(&method);
        metrics::counter!(format!("scheduler_thrift_{name}_events")).increment(1);
        metrics::counter!(format!("scheduler_thrift_{name}_nanos_total")).increment(took);
        let response = response_code(code, &answer);
        metrics::counter!(format!("scheduler_thrift_response_{response}")).increment(1);
    }
    answer
}

/// A method's name as the original writes names.
fn camel(method: &str) -> String {
    let mut letters = method.chars();
    letters.next().map(|first| first.to_ascii_lowercase()).into_iter().chain(letters).collect()
}

/// What the original would have answered with.
fn response_code(code: tonic::Code, answer: &Response) -> &'static str {
    use tonic::Code;
    match code {
        Code::Ok => "OK",
        Code::Unavailable => "ERROR_TRANSIENT",
        Code::Unauthenticated | Code::PermissionDenied => "AUTH_FAILED",
        Code::FailedPrecondition
            if answer.headers().get("aurora-reason").is_some_and(|why| why == "JOB_UPDATING") =>
        {
            "JOB_UPDATING_ERROR"
        }
        Code::InvalidArgument
        | Code::NotFound
        | Code::AlreadyExists
        | Code::FailedPrecondition
        | Code::OutOfRange
        | Code::ResourceExhausted => "INVALID_REQUEST",
        _ => "ERROR",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_numbers_are_plain() {
        assert_eq!(plain("tasks_lost_dedicated_*/gpu a"), "tasks_lost_dedicated__/gpu_a");
        assert_eq!(plain("tasks_LOST_www/prod/a-b.c"), "tasks_LOST_www/prod/a-b.c");
    }
}
