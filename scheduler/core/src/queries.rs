//! What can be asked without changing anything.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;

use aurora_model::job::{ScheduledTask, TaskState, Timestamp};
use aurora_model::key::{JobKey, TaskId};

use crate::placement::Veto;
use crate::scheduler::Scheduler;
use crate::state::Scope;

/// Jobs and tasks that one page looks at, give or take the tasks of a job: a query that few tasks
/// match must not go through all of them at once.
const MAX_LOOKED_AT: usize = 2_000;

/// Which tasks are meant: all conditions must hold, an empty one always does
/// (`scheduler.md` 2.11).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TaskQuery {
    /// The role.
    pub role: String,
    /// The environment.
    pub environment: String,
    /// The job's name.
    pub name: String,
    /// The tasks' ids.
    pub task_ids: BTreeSet<TaskId>,
    /// The states they are in.
    pub states: BTreeSet<TaskState>,
    /// The instances.
    pub instances: BTreeSet<u32>,
    /// The hosts they are on.
    pub hosts: BTreeSet<String>,
    /// Their jobs.
    pub jobs: BTreeSet<JobKey>,
}

impl TaskQuery {
    /// The tasks of a job.
    pub fn of_job(job: &JobKey) -> Self {
        Self {
            role: job.role().to_owned(),
            environment: job.environment().to_owned(),
            name: job.name().to_owned(),
            ..Self::default()
        }
    }

    fn matches_job(&self, job: &JobKey) -> bool {
        let is = |wanted: &str, has: &str| wanted.is_empty() || wanted == has;
        is(&self.role, job.role())
            && is(&self.environment, job.environment())
            && is(&self.name, job.name())
            && (self.jobs.is_empty() || self.jobs.contains(job))
    }

    /// Whether a job with so many tasks in each state may have one that is meant.
    fn may_match(&self, states: &[u32; TaskState::ALL.len()]) -> bool {
        let mut all = TaskState::ALL.into_iter().zip(states);
        self.states.is_empty()
            || all.any(|(state, count)| *count > 0 && self.states.contains(&state))
    }

    /// The jobs that alone can be meant, if the query names them whole.
    fn whole_jobs(&self) -> Option<BTreeSet<JobKey>> {
        match JobKey::new(&self.role, &self.environment, &self.name) {
            Ok(job) => Some(BTreeSet::from([job])),
            Err(_) => (!self.jobs.is_empty()).then(|| self.jobs.clone()),
        }
    }

    /// Whether its tasks are looked for on the hosts that it names.
    fn names_hosts(&self) -> bool {
        let has_job = !self.role.is_empty() && !self.name.is_empty();
        !self.hosts.is_empty() && !has_job && self.jobs.is_empty()
    }

    /// Whether the task is meant.
    pub fn matches(&self, task: &ScheduledTask) -> bool {
        self.matches_job(task.job())
            && (self.task_ids.is_empty() || self.task_ids.contains(task.id()))
            && (self.states.is_empty() || self.states.contains(&task.state))
            && (self.instances.is_empty() || self.instances.contains(&task.assigned.instance))
            && (self.hosts.is_empty()
                || task
                    .assigned
                    .agent
                    .as_ref()
                    .is_some_and(|(_, host)| self.hosts.contains(&**host)))
    }
}

/// How many tasks of a job are in which class of states (`scheduler.md` 3.1).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct JobCounts {
    /// Waiting.
    pub pending: u32,
    /// On an agent.
    pub active: u32,
    /// Ended well, or killed.
    pub finished: u32,
    /// Ended badly.
    pub failed: u32,
    /// Whether the job is a service.
    pub is_service: bool,
    /// Each state by itself.
    pub states: BTreeMap<TaskState, u32>,
}

impl JobCounts {
    fn new(states: &[u32; TaskState::ALL.len()], is_service: bool) -> Self {
        let mut counts = Self { is_service, ..Self::default() };
        for (state, count) in
            TaskState::ALL.into_iter().zip(states).filter(|(_, count)| **count > 0)
        {
            let class = match state {
                TaskState::Init | TaskState::Pending | TaskState::Throttled => &mut counts.pending,
                TaskState::Killed | TaskState::Finished => &mut counts.finished,
                TaskState::Lost | TaskState::Failed => &mut counts.failed,
                _ => &mut counts.active,
            };
            *class += count;
            counts.states.insert(state, *count);
        }
        counts
    }
}

/// Numbers about the whole.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Stats {
    /// Tasks by state.
    pub tasks: BTreeMap<TaskState, u64>,
    /// Offers that are held.
    pub offers: u64,
    /// Agents that are kept for tasks for which others were stopped.
    pub reservations: u64,
    /// Whether a master has taken the subscription.
    pub registered: bool,
}

/// Tasks that wait and are alike: what keeps one from a place keeps all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PendingGroup {
    /// Their job.
    pub job: JobKey,
    /// In the order in which they began to wait.
    pub tasks: Vec<TaskId>,
    /// What speaks against the offer that came nearest to fitting, if there was one.
    pub reasons: Vec<String>,
}

/// Where a page of tasks ended: the next one begins after it, whatever has changed meanwhile.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TaskCursor {
    job: JobKey,
    /// None before the first task of the job.
    place: Option<Place>,
}

impl TaskCursor {
    /// The place of a task in the order in which tasks are told.
    pub fn of(task: &ScheduledTask) -> Self {
        Self { job: task.job().clone(), place: Some(Place::of(task)) }
    }

    /// Whether a task with this place comes later.
    fn is_before(&self, job: &JobKey, place: &Place) -> bool {
        (&self.job, self.place.as_ref()) < (job, Some(place))
    }

    /// The cursor in a text, which [`TaskCursor::parse`] reads.
    pub fn to_text(&self) -> String {
        let Some(Place { instance, is_active, began, failures, id }) = &self.place else {
            return self.job.to_string();
        };
        format!(
            "{}/{instance}/{}/{}/{failures}/{id}",
            self.job,
            u8::from(*is_active),
            began.map_or(-1, |at| at.0)
        )
    }

    /// Reads what [`TaskCursor::to_text`] wrote; nothing if it did not.
    pub fn parse(text: &str) -> Option<Self> {
        if let Ok(job) = text.parse() {
            return Some(Self { job, place: None });
        }
        let parts: Vec<&str> = text.splitn(8, '/').collect();
        let [role, environment, name, instance, active, began, failures, id] = parts[..] else {
            return None;
        };
        let began: i64 = began.parse().ok()?;
        Some(Self {
            job: JobKey::new(role, environment, name).ok()?,
            place: Some(Place {
                instance: instance.parse().ok()?,
                is_active: active == "1",
                began: (began >= 0).then_some(Timestamp(began)),
                failures: failures.parse().ok()?,
                id: TaskId::new(id).ok()?,
            }),
        })
    }
}

/// Where a task of a job stands: by instance, and the runs of an instance one after the other, the
/// active one last.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Place {
    instance: u32,
    is_active: bool,
    began: Option<Timestamp>,
    failures: u32,
    id: TaskId,
}

impl Place {
    fn of(task: &ScheduledTask) -> Self {
        Self {
            instance: task.assigned.instance,
            is_active: task.state.is_active(),
            began: task.events.first().map(|event| event.timestamp),
            failures: task.failure_count,
            id: task.id().clone(),
        }
    }
}

impl Scheduler {
    /// The tasks that are meant, by job, instance and time; the active run of an instance last.
    pub fn tasks(&self, query: &TaskQuery) -> Vec<&ScheduledTask> {
        self.first_tasks(query, usize::MAX).0
    }

    /// The first tasks that are meant, and whether there are more, however many are to be looked at
    /// for that.
    pub(crate) fn first_tasks(
        &self,
        query: &TaskQuery,
        limit: usize,
    ) -> (Vec<&ScheduledTask>, bool) {
        let (mut found, mut next) = self.tasks_page(query, None, limit.saturating_add(1));
        while let Some(after) = next.filter(|_| found.len() <= limit) {
            let wanted = limit.saturating_add(1) - found.len();
            let (more, then) = self.tasks_page(query, Some(&after), wanted);
            found.extend(more);
            next = then;
        }
        let has_more = found.len() > limit;
        found.truncate(limit);
        (found, has_more)
    }

    /// The first tasks that are meant, after a cursor if there is one, and a cursor if there may be
    /// more. There may be also if these are fewer than asked for, or none: a page ends as well when
    /// it has looked at enough tasks.
    pub fn tasks_page<'a>(
        &'a self,
        query: &TaskQuery,
        after: Option<&TaskCursor>,
        limit: usize,
    ) -> (Vec<&'a ScheduledTask>, Option<TaskCursor>) {
        let (mut found, unseen) = match self.named(query) {
            Some(found) => {
                let mut found: Vec<(&JobKey, Place, &ScheduledTask)> = found
                    .into_iter()
                    .filter(|task| query.matches(task))
                    .map(|task| (task.job(), Place::of(task), task))
                    .filter(|(job, place, _)| after.is_none_or(|after| after.is_before(job, place)))
                    .collect();
                found.sort_by(|a, b| (a.0, &a.1).cmp(&(b.0, &b.1)));
                (found.into_iter().map(|(_, _, task)| task).collect(), None)
            }
            None => self.of_jobs(query, after, limit),
        };
        if found.len() <= limit {
            return (found, unseen);
        }
        found.truncate(limit);
        let next = found.last().map(|task| TaskCursor::of(task));
        (found, next)
    }

    /// The version of the last change that touched what any page of a query rests on, or a later
    /// one; see [`crate::State::touched`].
    pub fn tasks_touched(&self, query: &TaskQuery) -> u64 {
        let state = &self.state;
        let last = |scopes: &mut dyn Iterator<Item = Scope<'_>>| {
            scopes.map(|scope| state.touched(scope)).max().unwrap_or(0)
        };
        if !query.task_ids.is_empty() {
            return last(&mut query.task_ids.iter().map(|id| match state.task(id) {
                Some(task) => Scope::Job(task.job()),
                None => Scope::All,
            }));
        }
        if query.names_hosts() {
            return last(&mut query.hosts.iter().map(|host| Scope::Host(host)));
        }
        match query.whole_jobs() {
            Some(jobs) => last(&mut jobs.iter().map(Scope::Job)),
            None if query.role.is_empty() => state.touched(Scope::All),
            None => state.touched(Scope::Role(&query.role)),
        }
    }

    /// The tasks that a query names by id or host; nothing if it does neither.
    fn named<'a>(&'a self, query: &TaskQuery) -> Option<Vec<&'a ScheduledTask>> {
        if !query.task_ids.is_empty() {
            return Some(query.task_ids.iter().filter_map(|id| self.state.task(id)).collect());
        }
        if !query.names_hosts() {
            return None;
        }
        Some(query.hosts.iter().flat_map(|host| self.state.tasks_ever_on(host)).collect())
    }

    /// The tasks of jobs that are meant, one job after the other until there are more than asked
    /// for, or enough has been looked at: then also where to go on.
    fn of_jobs<'a>(
        &'a self,
        query: &TaskQuery,
        after: Option<&TaskCursor>,
        limit: usize,
    ) -> (Vec<&'a ScheduledTask>, Option<TaskCursor>) {
        let mut found = Vec::new();
        let mut looked_at = 0;
        let named = query.whole_jobs();
        let from = after.map(|after| &after.job);
        let jobs: Box<dyn Iterator<Item = (&JobKey, &[u32; TaskState::ALL.len()])>> = match &named {
            Some(named) => Box::new(
                named
                    .iter()
                    .filter(|job| from.is_none_or(|from| *job >= from))
                    .filter_map(|job| self.states_of(job).map(|(states, _)| (job, states))),
            ),
            None => Box::new(
                self.jobs_of(&query.role, from, true).map(|(job, states, _)| (job, states)),
            ),
        };
        for (job, states) in jobs {
            if looked_at >= MAX_LOOKED_AT {
                return (found, Some(TaskCursor { job: job.clone(), place: None }));
            }
            looked_at += 1;
            if !query.matches_job(job) || !query.may_match(states) {
                continue;
            }
            looked_at += states.iter().map(|count| *count as usize).sum::<usize>();
            let mut tasks: Vec<(Place, &ScheduledTask)> = self
                .state
                .tasks_of(job)
                .filter(|task| query.matches(task))
                .map(|task| (Place::of(task), task))
                .filter(|(place, _)| after.is_none_or(|after| after.is_before(job, place)))
                .collect();
            tasks.sort_by(|(a, _), (b, _)| a.cmp(b));
            found.extend(tasks.into_iter().map(|(_, task)| task));
            if found.len() > limit {
                break;
            }
        }
        (found, None)
    }

    /// How many tasks of a job are in which state, and whether it is a service; nothing if it has
    /// none.
    fn states_of(&self, job: &JobKey) -> Option<(&[u32; TaskState::ALL.len()], bool)> {
        let (key, states, is_service) = self.state.jobs_from(Bound::Included(job)).next()?;
        (key == job).then_some((states, is_service))
    }

    /// The jobs of a role, or all if none is given, from a key on or after it.
    fn jobs_of<'a, 'r>(
        &'a self,
        role: &'r str,
        from: Option<&JobKey>,
        is_included: bool,
    ) -> impl Iterator<Item = (&'a JobKey, &'a [u32; TaskState::ALL.len()], bool)> + use<'a, 'r>
    {
        // The least key of a role: a dash is the first character that a name can have.
        let first = JobKey::new(role, "-", "-").ok();
        let start = match (from, &first) {
            (Some(key), Some(first)) if key < first => Bound::Included(first),
            (Some(key), _) if is_included => Bound::Included(key),
            (Some(key), _) => Bound::Excluded(key),
            (None, Some(first)) => Bound::Included(first),
            (None, None) => Bound::Unbounded,
        };
        self.state
            .jobs_from(start)
            .take_while(move |(job, ..)| role.is_empty() || job.role() == role)
    }

    /// The jobs that have tasks, those of a role if one is given.
    pub fn jobs(&self, role: &str) -> Vec<(JobKey, JobCounts)> {
        self.jobs_page(role, None, usize::MAX)
    }

    /// The first jobs that have tasks, those of a role if one is given, after a key if one is.
    pub fn jobs_page(
        &self,
        role: &str,
        after: Option<&JobKey>,
        limit: usize,
    ) -> Vec<(JobKey, JobCounts)> {
        self.jobs_of(role, after, false)
            .take(limit)
            .map(|(job, states, is_service)| (job.clone(), JobCounts::new(states, is_service)))
            .collect()
    }

    /// What the tasks of a job are doing; nothing if it has none.
    pub fn job_counts(&self, job: &JobKey) -> Option<JobCounts> {
        self.states_of(job).map(|(states, is_service)| JobCounts::new(states, is_service))
    }

    /// All tasks that wait for a place, in groups.
    pub fn pending_groups(&self) -> Vec<PendingGroup> {
        let mut after = None;
        let mut all = Vec::new();
        loop {
            let (some, next) = self.pending_groups_page(after);
            all.extend(some);
            let Some(next) = next else { return all };
            after = Some(next);
        }
    }

    /// Some groups of tasks that wait for a place, from after a place among them or the first on,
    /// and where there are more.
    pub fn pending_groups_page(&self, after: Option<u64>) -> (Vec<PendingGroup>, Option<u64>) {
        let mut some = Vec::new();
        let mut looked_at = 0;
        let mut last = after;
        for (id, group) in self.groups.iter_after(after) {
            if looked_at >= MAX_LOOKED_AT {
                return (some, last);
            }
            looked_at += 1 + group.len();
            last = Some(id);
            some.push(PendingGroup {
                job: group.config.job.clone(),
                tasks: group.tasks().cloned().collect(),
                reasons: group
                    .nearest
                    .iter()
                    .flat_map(|nearest| &nearest.vetoes)
                    .map(Veto::reason)
                    .collect(),
            });
        }
        (some, None)
    }

    /// Numbers about the whole.
    pub fn stats(&self) -> Stats {
        let tasks = self.state.counts().clone();
        Stats {
            tasks,
            offers: self.offers.len() as u64,
            reservations: self.reservations.len() as u64,
            registered: self.registered,
        }
    }
}
