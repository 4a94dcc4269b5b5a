//! Questions to the core that may have long answers: asked for a page at a time, so that none keeps
//! the core from its work. Each page says on which version it rests, so that it waits for the disk
//! only if what it tells has just changed.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use aurora_api::v1;
use aurora_model::job::{JobConfiguration, ScheduledTask, TaskConfig, TaskState, Timestamp};
use aurora_model::key::{JobKey, TaskId};
use aurora_scheduler_core::{
    CronStatus, JobCounts, PendingReason, Scheduler, Scope, TaskCursor, TaskQuery, VetoCount,
    VetoKind,
};

use crate::actor::{Core, Ended};

/// Tasks that the core is asked for at once.
const TASKS: usize = 250;
/// Jobs that the core is asked for at once.
const JOBS: usize = 500;
/// Entries of a map that the core is asked for at once.
const ENTRIES: usize = 500;
/// How long one question may keep the core: what is left is asked for anew.
pub(crate) const PATIENCE: Duration = Duration::from_micros(800);

/// A task, and why it waits if it does.
#[derive(Debug, Clone)]
pub(crate) struct Found {
    pub(crate) task: ScheduledTask,
    pub(crate) reason: Option<Arc<PendingReason>>,
}

/// Some tasks.
#[derive(Debug, Default)]
pub(crate) struct Tasks {
    pub(crate) found: Vec<Found>,
    /// Where there may be more.
    pub(crate) next: Option<TaskCursor>,
    /// Which is durable, and of which the first of them are: what changes after it is not in them.
    pub(crate) version: u64,
}

/// A job, and how it is.
#[derive(Debug, Clone)]
pub(crate) struct Job {
    pub(crate) key: JobKey,
    pub(crate) counts: JobCounts,
    /// What it is, if that was asked for.
    pub(crate) config: Option<JobConfiguration>,
    /// When it is due, if it is a cron job.
    pub(crate) cron: Option<Schedule>,
}

/// When a cron job is due.
#[derive(Debug, Clone)]
pub(crate) struct Schedule {
    pub(crate) schedule: String,
    pub(crate) next: Option<Timestamp>,
}

fn schedule(cron: CronStatus) -> Schedule {
    let CronStatus { job, next, .. } = cron;
    Schedule { schedule: job.cron_schedule.clone().unwrap_or_default(), next }
}

/// Some jobs.
#[derive(Debug, Default)]
pub(crate) struct Jobs {
    pub(crate) found: Vec<Job>,
    pub(crate) next: Option<JobKey>,
    /// As with [`Tasks::version`].
    pub(crate) version: u64,
}

/// The jobs of a role together.
#[derive(Debug, Clone, Default)]
pub(crate) struct RoleSums {
    /// Jobs that have tasks.
    pub(crate) jobs: u32,
    pub(crate) cron_jobs: u32,
    pub(crate) counts: JobCounts,
}

/// Some tasks, where there may be more, and the version that this rests on.
fn some_tasks(
    scheduler: &Scheduler,
    query: &TaskQuery,
    after: Option<&TaskCursor>,
    limit: usize,
) -> ((Vec<Found>, Option<TaskCursor>), u64) {
    let mut rests_on = scheduler.tasks_touched(query);
    let (tasks, mut next) = scheduler.tasks_page(query, after, limit);
    // Finding them costs the same however few are then taken: to take one after the other of a large
    // job would be dear.
    let began = Instant::now();
    let mut found = Vec::with_capacity(tasks.len());
    let last = tasks.len().saturating_sub(1);
    for (index, task) in tasks.into_iter().enumerate() {
        found.push(found_now(scheduler, task, &mut rests_on));
        // To find out why a task waits may take long.
        if index < last && began.elapsed() > PATIENCE {
            next = Some(TaskCursor::of(task));
            break;
        }
    }
    ((found, next), rests_on)
}

/// A task, and why it waits: which may be because of any other.
fn found_now(scheduler: &Scheduler, task: &ScheduledTask, rests_on: &mut u64) -> Found {
    let reason = scheduler.pending(task.id());
    if reason.is_some() {
        *rests_on = scheduler.state().touched(Scope::All);
    }
    Found { task: task.clone(), reason }
}

/// Some jobs, where there may be more, and the version that this rests on.
fn some_jobs(
    scheduler: &Scheduler,
    role: &str,
    after: Option<&JobKey>,
    limit: usize,
    with_config: bool,
) -> ((Vec<Job>, Option<JobKey>), u64) {
    let began = Instant::now();
    let scope = if role.is_empty() { Scope::All } else { Scope::Role(role) };
    let rests_on = scheduler.state().touched(scope);
    // Cron jobs are there also when none of their tasks is.
    let mut jobs: BTreeMap<JobKey, (JobCounts, Option<Schedule>)> = scheduler
        .jobs_page(role, after, limit)
        .into_iter()
        .map(|(key, counts)| (key, (counts, None)))
        .collect();
    for cron in scheduler.crons(role, after).take(limit) {
        let key = cron.job.key.clone();
        jobs.entry(key).or_default().1 = Some(schedule(cron));
    }
    let page: Vec<_> = jobs.into_iter().take(limit).collect();
    let mut next = (page.len() == limit).then(|| page.last().map(|(key, _)| key.clone())).flatten();
    let mut found = Vec::with_capacity(page.len());
    let last = page.len().saturating_sub(1);
    for (index, (key, (counts, cron))) in page.into_iter().enumerate() {
        let config = with_config.then(|| scheduler.job_configuration(&key)).flatten();
        found.push(Job { key: key.clone(), counts, config, cron });
        if index < last && began.elapsed() > PATIENCE {
            next = Some(key);
            break;
        }
    }
    ((found, next), rests_on)
}

impl Core {
    /// All that a map holds, asked for some at a time: `find` gives so many entries at most, those that
    /// come after a key if there is one. What changes meanwhile may be in it or not.
    pub(crate) async fn all_of<K, V>(
        &self,
        find: impl Fn(&Scheduler, Option<&K>, usize) -> Vec<(K, V)> + Clone + Send + 'static,
    ) -> Result<Vec<(K, V)>, Ended>
    where
        K: Clone + Send + 'static,
        V: Send + 'static,
    {
        let mut all: Vec<(K, V)> = Vec::new();
        loop {
            let (find, after) = (find.clone(), all.last().map(|(key, _)| key.clone()));
            let some = self.ask(move |scheduler| find(scheduler, after.as_ref(), ENTRIES)).await?;
            let is_last = some.len() < ENTRIES;
            all.extend(some);
            if is_last {
                return Ok(all);
            }
        }
    }

    /// At most so many of the tasks that are meant, after a cursor.
    pub(crate) async fn tasks(
        &self,
        query: &Arc<TaskQuery>,
        mut after: Option<TaskCursor>,
        limit: usize,
    ) -> Result<Tasks, Ended> {
        let mut all = Tasks::default();
        let mut first = None;
        loop {
            let (query, wanted) = (query.clone(), TASKS.min(limit - all.found.len()));
            let page = self.ask_of(move |s| some_tasks(s, &query, after.as_ref(), wanted));
            let ((found, next), version) = page.await?;
            all.version = *first.get_or_insert(version);
            all.found.extend(found);
            all.next = next;
            if all.next.is_none() || all.found.len() >= limit {
                return Ok(all);
            }
            after = all.next.take();
        }
    }

    /// At most so many of the jobs of a role, or of all, after a key.
    pub(crate) async fn jobs(
        &self,
        role: &str,
        mut after: Option<JobKey>,
        limit: usize,
        with_config: bool,
    ) -> Result<Jobs, Ended> {
        let mut all = Jobs::default();
        let mut first = None;
        loop {
            let (role, wanted) = (role.to_owned(), JOBS.min(limit - all.found.len()));
            let page =
                self.ask_of(move |s| some_jobs(s, &role, after.as_ref(), wanted, with_config));
            let ((found, next), version) = page.await?;
            all.version = *first.get_or_insert(version);
            all.found.extend(found);
            all.next = next;
            if all.next.is_none() || all.found.len() >= limit {
                return Ok(all);
            }
            after = all.next.take();
        }
    }

    /// The roles that have jobs, with what their jobs are doing together.
    pub(crate) async fn roles(&self) -> Result<BTreeMap<String, RoleSums>, Ended> {
        let mut roles: BTreeMap<String, RoleSums> = BTreeMap::new();
        let mut after = None;
        loop {
            let page = self.jobs("", after, JOBS, false).await?;
            for job in page.found {
                let sums = roles.entry(job.key.role().to_owned()).or_default();
                sums.jobs += u32::from(!job.counts.states.is_empty());
                sums.cron_jobs += u32::from(job.cron.is_some());
                sums.counts.pending += job.counts.pending;
                sums.counts.active += job.counts.active;
                sums.counts.finished += job.counts.finished;
                sums.counts.failed += job.counts.failed;
            }
            after = page.next;
            if after.is_none() {
                return Ok(roles);
            }
        }
    }

    /// What the active instances of a job run as, those that are alike together.
    pub(crate) async fn config_groups(
        &self,
        job: JobKey,
    ) -> Result<Vec<(Arc<TaskConfig>, BTreeSet<u32>)>, Ended> {
        let found = self.ask_of(move |scheduler| {
            let rests_on = scheduler.state().touched(Scope::Job(&job));
            (config_groups(scheduler, &job), rests_on)
        });
        found.await.map(|(groups, _)| groups)
    }

    /// A job with what it is, nothing if there is none; and a version as [`Tasks::version`] is.
    pub(crate) async fn job(&self, key: JobKey) -> Result<(Option<Job>, u64), Ended> {
        self.ask_of(move |scheduler| {
            (job(scheduler, &key), scheduler.state().touched(Scope::Job(&key)))
        })
        .await
    }

    /// The tasks with these ids that match, and why they wait; nothing in place of one that does not.
    pub(crate) async fn tasks_now(
        &self,
        ids: Vec<TaskId>,
        query: &Arc<TaskQuery>,
    ) -> Result<Vec<(TaskId, Option<Found>)>, Ended> {
        let mut found = Vec::with_capacity(ids.len());
        let ids = Arc::new(ids);
        loop {
            let (query, wanted, from) = (query.clone(), ids.clone(), found.len());
            let some = self.ask_of(move |scheduler| {
                let began = Instant::now();
                let mut some = Vec::new();
                let mut rests_on = 0;
                for id in wanted.iter().skip(from) {
                    let task = scheduler.state().task(id);
                    let scope = task.map_or(Scope::All, |task| Scope::Job(task.job()));
                    rests_on = rests_on.max(scheduler.state().touched(scope));
                    let task = task.filter(|task| query.matches(task));
                    let task = task.map(|task| found_now(scheduler, task, &mut rests_on));
                    some.push((id.clone(), task));
                    if began.elapsed() > PATIENCE {
                        break;
                    }
                }
                (some, rests_on)
            });
            found.extend(some.await?.0);
            if found.len() >= ids.len() {
                return Ok(found);
            }
        }
    }
}

/// A job with what it is; nothing if there is none.
pub(crate) fn job(scheduler: &Scheduler, key: &JobKey) -> Option<Job> {
    let config = scheduler.job_configuration(key)?;
    let counts = scheduler.job_counts(key).unwrap_or_default();
    let cron = scheduler.cron(key).map(schedule);
    Some(Job { key: key.clone(), counts, config: Some(config), cron })
}

/// What the active instances of a job run as, those that are alike together.
pub(crate) fn config_groups(
    scheduler: &Scheduler,
    job: &JobKey,
) -> Vec<(Arc<TaskConfig>, BTreeSet<u32>)> {
    let mut groups: Vec<(Arc<TaskConfig>, BTreeSet<u32>)> = Vec::new();
    for task in scheduler.state().active_of(job) {
        let config = &task.assigned.task;
        let alike =
            groups.iter_mut().find(|(other, _)| Arc::ptr_eq(other, config) || **other == **config);
        match alike {
            Some((_, instances)) => {
                instances.insert(task.assigned.instance);
            }
            None => groups.push((config.clone(), BTreeSet::from([task.assigned.instance]))),
        }
    }
    groups
}

/// Numbers as ranges, in order.
pub(crate) fn ranges(instances: &BTreeSet<u32>) -> Vec<v1::InstanceRange> {
    let mut all: Vec<v1::InstanceRange> = Vec::new();
    for instance in instances {
        match all.last_mut() {
            Some(range) if range.last.checked_add(1) == Some(*instance) => range.last = *instance,
            _ => all.push(v1::InstanceRange { first: *instance, last: *instance }),
        }
    }
    all
}

/// The tasks of a state as the API counts them.
fn state_counts(states: &BTreeMap<TaskState, u32>) -> Vec<v1::StateCount> {
    states
        .iter()
        .map(|(state, count)| v1::StateCount {
            state: v1::TaskState::from(*state) as i32,
            count: *count,
        })
        .collect()
}

pub(crate) fn job_to_proto(job: &Job) -> v1::JobSummary {
    let Job { key, counts, config, cron } = job;
    v1::JobSummary {
        key: Some(v1::JobKey::from(key)),
        pending: counts.pending,
        active: counts.active,
        finished: counts.finished,
        failed: counts.failed,
        is_service: counts.is_service,
        cron_schedule: cron.as_ref().map(|cron| cron.schedule.clone()),
        states: state_counts(&counts.states),
        next_cron_run_ms: cron.as_ref().and_then(|cron| Some(cron.next?.0)),
        config: config.as_ref().map(v1::JobConfiguration::from),
    }
}

pub(crate) fn reason_to_proto(id: &TaskId, reason: &PendingReason) -> v1::PendingReason {
    reason_parts(id.to_string(), reason)
}

pub(crate) fn reason_parts(task_id: String, reason: &PendingReason) -> v1::PendingReason {
    v1::PendingReason {
        task_id,
        reason: reason.text.clone(),
        vetoes: reason.vetoes.iter().map(veto_to_proto).collect(),
        nearest_host: reason.nearest.clone(),
        hint: reason.hint.clone(),
        hosts: reason.hosts,
    }
}

pub(crate) fn veto_to_proto(veto: &VetoCount) -> v1::Veto {
    let kind = match veto.kind {
        VetoKind::Dedicated => v1::VetoKind::Dedicated,
        VetoKind::Maintenance => v1::VetoKind::Maintenance,
        VetoKind::Reserved => v1::VetoKind::Reserved,
        VetoKind::Constraint => v1::VetoKind::Constraint,
        VetoKind::Limit => v1::VetoKind::Limit,
        VetoKind::Resources => v1::VetoKind::Resources,
    };
    v1::Veto { kind: kind as i32, detail: veto.detail.clone(), hosts: veto.hosts }
}
