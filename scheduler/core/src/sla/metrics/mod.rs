//! How well services are served, in numbers (`scheduler.md` 10): how long their instances have been
//! up, how much of the time the cluster kept them up, how fast they got their places.
//!
//! A cluster's tasks are many, so the numbers are made in two steps: samples are taken of the
//! scheduler a page at a time, and all else is computed from them elsewhere.

mod numbers;
mod uptime;

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;
use std::str::FromStr;
use std::sync::Arc;

use aurora_model::job::{ScheduledTask, TaskConfig, TaskState, Timestamp};
use aurora_model::key::JobKey;

use crate::scheduler::Scheduler;
use numbers::{median, quantile};

/// A kind of number that is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum SlaCategory {
    /// How long the instances of each job have been up.
    JobUptimes,
    /// How much of the time the cluster kept instances up.
    PlatformUptime,
    /// How long instances waited for a place, a start, a run.
    Medians,
}

impl SlaCategory {
    /// Every category.
    pub const ALL: [Self; 3] = [Self::JobUptimes, Self::PlatformUptime, Self::Medians];

    /// The name in capitals, as flags have it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::JobUptimes => "JOB_UPTIMES",
            Self::PlatformUptime => "PLATFORM_UPTIME",
            Self::Medians => "MEDIANS",
        }
    }
}

impl FromStr for SlaCategory {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let known = Self::ALL.into_iter().find(|category| category.name() == text);
        known.ok_or_else(|| {
            format!("unknown SLA metrics {text:?}: use JOB_UPTIMES, PLATFORM_UPTIME or MEDIANS")
        })
    }
}

/// Which numbers are made, and of how much time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SlaMetrics {
    /// The time looked at, up to now, in milliseconds (`-sla_stat_refresh_interval`).
    pub interval_ms: i64,
    /// Of services for production (`-sla_prod_metrics`).
    pub production: BTreeSet<SlaCategory>,
    /// Of other services (`-sla_non_prod_metrics`).
    pub non_production: BTreeSet<SlaCategory>,
}

impl Default for SlaMetrics {
    fn default() -> Self {
        Self {
            interval_ms: 60 * 1000,
            production: SlaCategory::ALL.into(),
            non_production: BTreeSet::new(),
        }
    }
}

/// What the numbers are made of: one task of a service.
#[derive(Debug, Clone)]
pub struct SlaSample {
    config: Arc<TaskConfig>,
    instance: u32,
    state: TaskState,
    events: Box<[(Timestamp, TaskState)]>,
}

impl SlaSample {
    fn of(task: &ScheduledTask) -> Self {
        Self {
            config: task.assigned.task.clone(),
            instance: task.assigned.instance,
            state: task.state,
            events: task.events.iter().map(|event| (event.timestamp, event.state)).collect(),
        }
    }
}

impl Scheduler {
    /// Samples of the services that are measured, of the next jobs after the one named until there
    /// are `enough`, and the job to go on after.
    pub fn sla_samples(
        &self,
        after: Option<&JobKey>,
        enough: usize,
        metrics: &SlaMetrics,
    ) -> (Vec<SlaSample>, Option<JobKey>) {
        let mut samples = Vec::new();
        let mut seen = 0;
        for (job, counts, has_services) in
            self.state.jobs_from(after.map_or(Bound::Unbounded, Bound::Excluded))
        {
            if has_services {
                let services = self.state.tasks_of(job).filter(|task| {
                    let config = &task.assigned.task;
                    config.is_service && !metrics.of(config.production).is_empty()
                });
                samples.extend(services.map(SlaSample::of));
                seen += counts.iter().map(|count| *count as usize).sum::<usize>();
            }
            // Looking at a job that is not measured costs something too.
            seen += 1;
            if seen >= enough {
                return (samples, Some(job.clone()));
            }
        }
        (samples, None)
    }
}

impl SlaMetrics {
    fn of(&self, is_production: bool) -> &BTreeSet<SlaCategory> {
        if is_production { &self.production } else { &self.non_production }
    }

    /// The numbers by the original's names. Of jobs that have no tasks there are none.
    pub fn compute(&self, samples: &[SlaSample], now: Timestamp) -> BTreeMap<String, f64> {
        let mut gauges = BTreeMap::new();
        let window = Window { from: now.plus_ms(self.interval_ms.saturating_neg()), to: now };
        for (is_production, suffix) in [(true, ""), (false, "_nonprod")] {
            let categories = self.of(is_production);
            if categories.is_empty() {
                continue;
            }
            let meant: Vec<&SlaSample> =
                samples.iter().filter(|sample| sample.config.production == is_production).collect();
            let mut put = |group: &str, algorithm: &str, value: f64| {
                gauges.insert(format!("sla_{group}_{algorithm}{suffix}"), value);
            };
            let jobs = by_job(&meant);
            for (job, samples) in &jobs {
                let job = job.to_string();
                if categories.contains(&SlaCategory::JobUptimes) {
                    put_job_uptimes(&job, samples, now, &mut put);
                }
                if categories.contains(&SlaCategory::PlatformUptime) {
                    let uptime = uptime::percent(samples, window);
                    put(&job, "platform_uptime_percent", uptime);
                }
                if categories.contains(&SlaCategory::Medians) {
                    put_medians(&job, samples, window, &mut put);
                }
            }
            if categories.contains(&SlaCategory::PlatformUptime) {
                put("cluster", "platform_uptime_percent", uptime::percent(&meant, window));
            }
            if categories.contains(&SlaCategory::Medians) {
                put_medians("cluster", &meant, window, &mut put);
                for (group, samples) in by_size(&meant) {
                    put_medians(&group, &samples, window, &mut put);
                }
            }
        }
        gauges
    }
}

/// The time that is looked at: from its beginning to just before its end.
#[derive(Debug, Clone, Copy)]
struct Window {
    from: Timestamp,
    to: Timestamp,
}

fn by_job<'a>(samples: &[&'a SlaSample]) -> BTreeMap<&'a JobKey, Vec<&'a SlaSample>> {
    let mut jobs: BTreeMap<&JobKey, Vec<&SlaSample>> = BTreeMap::new();
    for sample in samples {
        jobs.entry(&sample.config.job).or_default().push(sample);
    }
    jobs
}

/// The names of classes of size with the most that is in each; what is above is in the last.
const SIZES: [(&str, u64, u64, u64); 4] = [
    ("small", 1_000, 1_024, 4_096),
    ("medium", 4_000, 8_192, 16_384),
    ("large", 8_000, 16_384, 32_768),
    ("xlarge", 16_000, 32_768, 65_536),
];

fn by_size<'a>(samples: &[&'a SlaSample]) -> BTreeMap<String, Vec<&'a SlaSample>> {
    let mut groups: BTreeMap<String, Vec<&SlaSample>> = BTreeMap::new();
    for sample in samples {
        let resources = &sample.config.resources;
        let class = |amount: u64, most: fn(&(&str, u64, u64, u64)) -> u64| {
            SIZES.iter().find(|size| amount <= most(size)).map_or("xxlarge", |size| size.0)
        };
        for (kind, class) in [
            ("cpu", class(resources.cpus.0, |size| size.1)),
            ("ram", class(resources.ram_mb, |size| size.2)),
            ("disk", class(resources.disk_mb, |size| size.3)),
        ] {
            groups.entry(format!("{kind}_{class}")).or_default().push(sample);
        }
    }
    groups
}

/// How long so many percent of a job's running instances have been up at least, in seconds.
fn put_job_uptimes(
    job: &str,
    samples: &[&SlaSample],
    now: Timestamp,
    put: &mut impl FnMut(&str, &str, f64),
) {
    let running = samples.iter().filter(|sample| sample.state == TaskState::Running);
    let mut seconds: Vec<i64> = running
        .filter_map(|sample| sample.events.last())
        .map(|(at, _)| now.ms_since(*at).max(0) / 1000)
        .collect();
    seconds.sort_unstable();
    for percentile in [50, 75, 90, 95, 99] {
        let value = quantile(&seconds, 100 - percentile);
        put(job, &format!("job_uptime_{percentile}.00_sec"), value);
    }
}

/// How long it took from waiting to each of three states.
fn put_medians(
    group: &str,
    samples: &[&SlaSample],
    window: Window,
    put: &mut impl FnMut(&str, &str, f64),
) {
    for (state, algorithm) in [
        (TaskState::Assigned, "mtta_ms"),
        (TaskState::Starting, "mtts_ms"),
        (TaskState::Running, "mttr_ms"),
    ] {
        let active = samples.iter().filter(|sample| sample.state.is_active());
        let mut waits: Vec<i64> =
            active.filter_map(|sample| wait_for(sample, state, window)).collect();
        waits.sort_unstable();
        put(group, algorithm, median(&waits));
    }
}

/// How long a task took from waiting to a state that it came to in the window for the first time
/// since. Nothing of one that did not, or of which it is not known since when it waited.
fn wait_for(sample: &SlaSample, state: TaskState, window: Window) -> Option<i64> {
    let mut waits_since = None;
    for (at, to) in &sample.events {
        if *to == TaskState::Pending {
            waits_since = Some(*at);
        } else if *to == state {
            let since = waits_since.take();
            if (window.from..window.to).contains(at) {
                return since.map(|since| at.ms_since(since).max(0));
            }
        }
    }
    None
}

#[cfg(test)]
mod tests;
