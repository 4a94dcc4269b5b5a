//! What becomes of the jobs, line by line: their states, and what their processes print.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::{Duration, Instant};

use aurora_api::v1;
use aurora_client::Scheduler;
use aurora_client::scheduler::active_states;
use aurora_eval::ReadyJob;
use aurora_model::job::{ScheduledTask, TaskState};
use aurora_model::key::JobKey;
use aurora_thermos::logs::{self, Follower};
use aurora_thermos::view::{ProcessState, Run, Stream, Tasks};
use tonic::Streaming;

use crate::failure::{Code, Failure};
use crate::lines::{Speakers, Splitter, say, state_style};
use crate::output::note;

/// How often output is looked for.
const LOOK: Duration = Duration::from_millis(50);
/// A task that waits longer is told with the reason.
const PATIENCE: Duration = Duration::from_millis(700);
/// How much of a failed process's standard error is shown again.
const TAIL_LINES: usize = 20;
const TAIL_BYTES: u64 = 8 << 10;

/// How following ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    /// Every job was a batch job, and all of them have finished.
    Done,
    /// Every job was a batch job, and some have failed.
    Failed,
    /// Somebody wants it to end.
    Stopped,
}

/// Follows the tasks of some jobs.
pub(super) struct Follow {
    jobs: BTreeMap<JobKey, Job>,
    stream: Streaming<v1::WatchTasksResponse>,
    tasks: BTreeMap<String, Followed>,
    /// Tasks that had ended before this began.
    old: BTreeSet<String>,
    synced: bool,
    /// How the latest run of each instance ended.
    ends: BTreeMap<(JobKey, u32), TaskState>,
    view: Tasks,
    with_logs: bool,
    speakers: Speakers,
}

struct Job {
    label: String,
    is_service: bool,
    instances: u32,
}

struct Followed {
    job: JobKey,
    instance: u32,
    label: String,
    state: TaskState,
    events: usize,
    waiting: Option<Waiting>,
    /// Whether it ran before this began: then what it has printed is old.
    found: bool,
    logs: BTreeMap<(String, u32, Stream), (Follower, Splitter)>,
}

struct Waiting {
    since: Instant,
    reason: String,
    told: bool,
}

impl Follow {
    /// Begins to watch, before anything is created.
    pub(super) async fn open(
        scheduler: &Scheduler,
        jobs: &[ReadyJob],
        checkpoints: &Path,
        with_logs: bool,
    ) -> Result<Self, Failure> {
        let mut names: BTreeMap<&str, u32> = BTreeMap::new();
        for job in jobs {
            *names.entry(job.request.key.name()).or_default() += 1;
        }
        let jobs = jobs
            .iter()
            .map(|job| {
                let key = job.request.key.clone();
                let label = match names.get(key.name()) {
                    Some(1) => key.name().to_owned(),
                    _ => key.to_string(),
                };
                let is_service = job.request.task.is_service;
                (key, Job { label, is_service, instances: job.request.instance_count })
            })
            .collect();
        Ok(Self {
            jobs,
            stream: scheduler.watch(v1::TaskQuery::default()).await?,
            tasks: BTreeMap::new(),
            old: BTreeSet::new(),
            synced: false,
            ends: BTreeMap::new(),
            view: Tasks::new(checkpoints),
            with_logs,
            speakers: Speakers::default(),
        })
    }

    /// Follows until all jobs have ended, which services never do.
    pub(super) async fn run(&mut self, scheduler: &Scheduler) -> Result<Outcome, Failure> {
        let mut timer = tokio::time::interval(LOOK);
        timer.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            let has_ended = tokio::select! {
                message = self.stream.message() => self.take(message, scheduler).await?,
                _ = timer.tick() => {
                    if self.look() {
                        timer.reset_immediately();
                    }
                    false
                }
            };
            if has_ended && self.is_done(scheduler).await? {
                return Ok(if self.has_failed() { Outcome::Failed } else { Outcome::Done });
            }
        }
    }

    /// Whether an instance of a batch job has failed for good.
    pub(super) fn has_failed(&self) -> bool {
        self.ends.iter().any(|((job, _), state)| {
            matches!(state, TaskState::Failed | TaskState::Lost)
                && self.jobs.get(job).is_some_and(|job| !job.is_service)
        })
    }

    /// Follows until every instance runs or has ended.
    pub(super) async fn until_running(&mut self, scheduler: &Scheduler) -> Result<(), Failure> {
        let mut timer = tokio::time::interval(LOOK);
        loop {
            tokio::select! {
                message = self.stream.message() => { self.take(message, scheduler).await?; }
                _ = timer.tick() => if self.look() {
                    timer.reset_immediately();
                },
            }
            let wanted: u32 = self.jobs.values().map(|job| job.instances).sum();
            let mut reached: BTreeSet<(&JobKey, u32)> =
                self.ends.keys().map(|(job, instance)| (job, *instance)).collect();
            for task in self.tasks.values() {
                if task.state == TaskState::Running {
                    reached.insert((&task.job, task.instance));
                }
            }
            if self.synced && reached.len() >= wanted as usize {
                return Ok(());
            }
        }
    }

    /// Takes in what the scheduler tells. Gives whether a task has ended.
    async fn take(
        &mut self,
        message: Result<Option<v1::WatchTasksResponse>, tonic::Status>,
        scheduler: &Scheduler,
    ) -> Result<bool, Failure> {
        let message = match message {
            Ok(Some(message)) => message,
            // The scheduler drops those who are too slow; what was missed is told again.
            Err(status) if status.code() == tonic::Code::Aborted => {
                self.stream = scheduler.watch(v1::TaskQuery::default()).await?;
                return Ok(false);
            }
            Ok(None) => return Err(Failure::new(Code::Network, "the scheduler has ended")),
            Err(status) => {
                return Err(Failure::new(
                    Code::Network,
                    format!("lost the scheduler at {}: {}", scheduler.address(), status.message()),
                ));
            }
        };
        self.synced |= message.synced;
        let Some(task) = message.task else { return Ok(false) };
        if message.deleted {
            let id = task.assigned.map(|assigned| assigned.task_id).unwrap_or_default();
            self.tasks.remove(&id);
            self.old.remove(&id);
            return Ok(false);
        }
        let task = ScheduledTask::try_from(task)
            .map_err(|error| Failure::new(Code::Api, error.to_string()))?;
        Ok(self.task(&task, message.pending_reason).await)
    }

    async fn task(&mut self, task: &ScheduledTask, reason: Option<String>) -> bool {
        let Some(job) = self.jobs.get(task.job()) else { return false };
        let id = task.id().to_string();
        if self.old.contains(&id) {
            return false;
        }
        let is_new = !self.tasks.contains_key(&id);
        if is_new && !self.synced && task.state.is_terminal() {
            self.old.insert(id);
            return false;
        }
        let instance = task.assigned.instance;
        let label = format!("{}/{instance}", job.label);
        let found = is_new && !self.synced && task.assigned.agent.is_some();
        let followed = self.tasks.entry(id.clone()).or_insert_with(|| Followed {
            job: task.job().clone(),
            instance,
            label,
            state: task.state,
            // Of a task that was there before, only what is now.
            events: if self.synced { 0 } else { task.events.len().saturating_sub(1) },
            waiting: None,
            found,
            logs: BTreeMap::new(),
        });
        for event in task.events.iter().skip(followed.events) {
            tell(&followed.label, event.state, event.message.as_deref().unwrap_or_default());
        }
        followed.events = task.events.len();
        followed.state = task.state;
        followed.waiting = match (reason, followed.waiting.take()) {
            (Some(reason), Some(waiting)) if waiting.reason == reason => Some(waiting),
            (Some(reason), waiting) => {
                let since = waiting.map_or_else(Instant::now, |waiting| waiting.since);
                Some(Waiting { since, reason, told: false })
            }
            (None, _) => None,
        };
        if !task.state.is_terminal() {
            self.ends.remove(&(task.job().clone(), instance));
            return false;
        }
        // All that it has printed, however much that is; Ctrl-C is heard in between.
        while self.look_at(&id) {
            tokio::task::yield_now().await;
        }
        self.ends.insert((task.job().clone(), instance), task.state);
        if task.state == TaskState::Failed {
            self.tell_failure(&id);
        }
        self.tasks.remove(&id);
        self.old.insert(id);
        true
    }

    /// Whether all jobs have ended: each is a batch job, and nothing of it is active.
    async fn is_done(&self, scheduler: &Scheduler) -> Result<bool, Failure> {
        if self.jobs.values().any(|job| job.is_service) {
            return Ok(false);
        }
        let query = v1::TaskQuery { states: active_states(), ..v1::TaskQuery::default() };
        let active = scheduler.tasks(query).await?;
        Ok(!active.tasks.iter().any(|task| {
            let key =
                task.assigned.as_ref().and_then(|assigned| assigned.task.as_ref()?.job.as_ref());
            let key = key.and_then(|key| JobKey::try_from(key).ok());
            key.is_some_and(|key| self.jobs.contains_key(&key))
        }))
    }

    /// Prints what is new of all tasks; gives whether there is more.
    fn look(&mut self) -> bool {
        let ids: Vec<String> = self.tasks.keys().cloned().collect();
        let mut more = false;
        for id in ids {
            more |= self.look_at(&id);
            let Some(task) = self.tasks.get_mut(&id) else { continue };
            // Why a task is throttled it has said when it was.
            if let Some(waiting) = &mut task.waiting
                && task.state == TaskState::Pending
                && !waiting.told
                && waiting.since.elapsed() > PATIENCE
            {
                waiting.told = true;
                tell(&task.label, task.state, &waiting.reason);
            }
        }
        more
    }

    /// Prints what the processes of a task have printed since the last look, of each a piece at
    /// most; gives whether there is more.
    fn look_at(&mut self, id: &str) -> bool {
        let Some(followed) = self.tasks.get_mut(id).filter(|_| self.with_logs) else {
            return false;
        };
        // A checkpoint that cannot be read says so in the observer; here it only means silence.
        let Ok(Some(task)) = self.view.get(id) else { return false };
        let mut more = false;
        let ended = followed.state.is_terminal();
        let mut runs: Vec<(&String, &Run)> = task
            .history()
            .processes()
            .iter()
            .flat_map(|(process, runs)| runs.iter().map(move |run| (process, run)))
            .collect();
        // Who began first has spoken first, as far as one look can tell; who had not begun when the
        // checkpoint was read may have by now, but last.
        runs.sort_by_key(|(_, run)| (run.forked_ms.unwrap_or(i64::MAX), run.number));
        for (process, run) in runs {
            for stream in Stream::ALL {
                let place = task.log_place(process, run.number, stream);
                let Some((root, below)) = place else { continue };
                let key = (process.clone(), run.number, stream);
                let (log, lines) = followed.logs.entry(key).or_insert_with(|| {
                    let new = if followed.found { Follower::from_end } else { Follower::new };
                    (new(root, below), Splitter::default())
                });
                // An unreadable file is looked at again next time.
                let bytes = log.read().unwrap_or_default();
                more |= !bytes.is_empty();
                let mut said = lines.push(&bytes);
                if ended && bytes.is_empty() {
                    said.extend(lines.finish());
                }
                if !said.is_empty() {
                    let prefix = self.speakers.prefix(&format!("{} {process}", followed.label));
                    say(&prefix, &said, stream == Stream::Stderr);
                }
            }
        }
        // What runs from now on is new.
        followed.found = false;
        more
    }

    /// Shows the end of what the failed processes of a task printed to standard error.
    fn tell_failure(&mut self, id: &str) {
        let Ok(Some(task)) = self.view.get(id) else { return };
        let Some(followed) = self.tasks.get(id) else { return };
        for (process, runs) in task.history().processes() {
            let Some(run) = runs.last().filter(|run| run.state == ProcessState::Failed) else {
                continue;
            };
            let place = task.log_place(process, run.number, Stream::Stderr);
            let Some((root, below)) = place else { continue };
            let lines = tail(&root, &below);
            let how = match (run.exit_code, run.signal) {
                (Some(code), _) => format!("exited with status {code}"),
                (None, Some(signal)) => format!("was ended by signal {signal}"),
                (None, None) => "could not be run".to_owned(),
            };
            let end = if lines.is_empty() {
                "it printed nothing to stderr"
            } else {
                "the end of its stderr:"
            };
            note(&format!("{}: process {process} {how}; {end}", followed.label));
            for line in lines {
                note(&format!("    {line}"));
            }
        }
    }
}

/// Tells a state.
fn tell(label: &str, state: TaskState, message: &str) {
    let style = state_style(state);
    let text = format!("{label}  {style}{:<9}{style:#}  {message}", state.name());
    note(text.trim_end());
}

/// The last lines of a file in a sandbox; none if it cannot be read.
fn tail(root: &Path, below: &Path) -> Vec<String> {
    let Ok((bytes, is_all)) = logs::tail(root, below, TAIL_BYTES) else { return Vec::new() };
    let text = String::from_utf8_lossy(&bytes);
    let lines: Vec<String> = text.lines().map(crate::lines::clean).collect();
    let skip = lines.len().saturating_sub(TAIL_LINES).max(usize::from(!is_all));
    lines.into_iter().skip(skip).collect()
}
