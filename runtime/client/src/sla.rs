//! How well jobs are served, and what would be left of that without some hosts (`admin.md` 6, `client.md` 10).
//!
//! The scheduler asks something else before it stops a task (`scheduler/core/src/sla`): for how long instances
//! have run without a break. Here an instance is as old as its task, as the original's clients count it.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use aurora_model::job::{ScheduledTask, TaskState, Timestamp};
use aurora_model::key::JobKey;

/// The states in which a task may be serving.
pub fn live_states() -> Vec<i32> {
    use TaskState::{Draining, Killing, Partitioned, Preempting, Restarting, Running};
    [Killing, Preempting, Restarting, Draining, Partitioned, Running]
        .into_iter()
        .map(|state| aurora_api::v1::TaskState::from(state) as i32)
        .collect()
}

/// For how many whole seconds a task has been up; nothing if it never was.
fn uptime(task: &ScheduledTask, now: Timestamp) -> Option<u64> {
    let first = task.events.iter().find(|event| event.state == TaskState::Running)?;
    Some(u64::try_from(now.ms_since(first.timestamp) / 1000).unwrap_or(0))
}

/// For how long the instances of a job have been up, in seconds, the shortest first.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Uptimes(Vec<u64>);

impl FromIterator<u64> for Uptimes {
    fn from_iter<I: IntoIterator<Item = u64>>(seconds: I) -> Self {
        let mut seconds: Vec<u64> = seconds.into_iter().collect();
        seconds.sort_unstable();
        Self(seconds)
    }
}

impl Uptimes {
    /// Those of some tasks; tasks that have never run are not counted.
    pub fn of(tasks: &[ScheduledTask], now: Timestamp) -> Self {
        tasks.iter().filter_map(|task| uptime(task, now)).collect()
    }

    /// How many instances there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// How many percent of `total` instances have been up at least so long; 0 of none.
    pub fn percent_up(&self, duration: Duration, total: usize) -> f64 {
        let up = self.0.iter().filter(|uptime| **uptime >= duration.as_secs()).count();
        if total == 0 { 0.0 } else { 100.0 * float(up) / float(total) }
    }

    /// The seconds that so many percent of the instances have been up at least.
    pub fn percentile(&self, percent: f64) -> u64 {
        let below = (float(self.len()) * percent / 100.0).floor();
        let index = index(float(self.len()) - below - 1.0);
        index.and_then(|index| self.0.get(index)).copied().unwrap_or(0)
    }

    /// In how many seconds so many percent of `total` instances will have been up for so long, if nothing else
    /// happens: 0 if they have, nothing if there are too few instances.
    pub fn wait(&self, percent: f64, duration: Duration, total: usize) -> Option<u64> {
        if self.is_empty() {
            return None;
        }
        if self.percent_up(duration, total) >= percent {
            return Some(0);
        }
        let needed = (float(total) * percent / 100.0).ceil();
        let last = self.0.get(index(float(self.len()) - needed)?)?;
        Some(duration.as_secs().saturating_sub(*last))
    }
}

/// A place in a list; nothing before its beginning.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "whole numbers as large as a list is long; what is negative has been sorted out"
)]
fn index(place: f64) -> Option<usize> {
    (place >= 0.0).then_some(place as usize)
}

#[expect(clippy::cast_precision_loss, reason = "nobody has 2^53 instances")]
fn float(count: usize) -> f64 {
    count as f64
}

/// What is demanded of a job: so many percent of its instances up for so long.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Demand {
    /// Above 0, up to 100.
    pub percent: f64,
    /// How long.
    pub duration: Duration,
}

/// An instance of a production job.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Instance {
    host: String,
    uptime: Option<u64>,
}

/// The production jobs that are large enough to be looked at, with where their instances are.
#[derive(Debug, Clone, Default)]
pub struct Fleet {
    jobs: BTreeMap<JobKey, Vec<Instance>>,
}

/// What would be left of a job.
#[derive(Debug, Clone, PartialEq)]
pub struct Prediction {
    /// The job.
    pub job: JobKey,
    /// How many percent of its instances would have been up for long enough.
    pub percent: f64,
    /// Whether that is enough.
    pub is_safe: bool,
    /// In how many seconds it will be, if ever: 0 if it is.
    pub safe_in: Option<u64>,
}

impl Fleet {
    /// The jobs of these tasks, which have all live tasks of each job. Those that are not for production, and
    /// those with fewer instances than this, are left out.
    pub fn of(tasks: &[ScheduledTask], min_instances: usize, now: Timestamp) -> Self {
        let mut jobs: BTreeMap<JobKey, Vec<Instance>> = BTreeMap::new();
        for task in tasks.iter().filter(|task| task.assigned.task.production) {
            let Some((_, host)) = &task.assigned.agent else { continue };
            let instance = Instance { host: host.to_string(), uptime: uptime(task, now) };
            jobs.entry(task.job().clone()).or_default().push(instance);
        }
        jobs.retain(|_, instances| instances.len() >= min_instances);
        Self { jobs }
    }

    /// The hosts on which the jobs are.
    pub fn hosts(&self) -> BTreeSet<String> {
        self.jobs.values().flatten().map(|instance| instance.host.clone()).collect()
    }

    /// The jobs on a host.
    pub fn jobs_on<'a>(&'a self, host: &'a str) -> impl Iterator<Item = &'a JobKey> {
        let is_there =
            move |instances: &Vec<Instance>| instances.iter().any(|instance| instance.host == host);
        self.jobs.iter().filter(move |(_, instances)| is_there(instances)).map(|(job, _)| job)
    }

    /// What would be left of a job without some hosts.
    pub fn without(&self, hosts: &BTreeSet<String>, job: &JobKey, demand: Demand) -> Prediction {
        let instances = self.jobs.get(job).map_or(&[][..], Vec::as_slice);
        let left: Uptimes = instances
            .iter()
            .filter(|instance| !hosts.contains(&instance.host))
            .filter_map(|instance| instance.uptime)
            .collect();
        let Demand { percent: wanted, duration } = demand;
        let percent = left.percent_up(duration, instances.len());
        Prediction {
            job: job.clone(),
            percent,
            is_safe: percent >= wanted,
            safe_in: left.wait(wanted, duration, instances.len()),
        }
    }

    /// What would be left of the jobs of each of these hosts if all of them were gone: by host, then by job.
    pub fn probe(
        &self,
        group: &BTreeSet<String>,
        demand: impl Fn(&JobKey) -> Demand,
    ) -> Vec<(String, Prediction)> {
        let mut found = Vec::new();
        for host in group {
            for job in self.jobs_on(host) {
                found.push((host.clone(), self.without(group, job, demand(job))));
            }
        }
        found
    }
}

#[cfg(test)]
mod tests;
