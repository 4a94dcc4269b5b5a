//! Waiting until the instances of a job are in some state (`client.md` 13.1).

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use aurora_api::convert::task_state;
use aurora_api::v1::{self, ScheduledTask};
use aurora_model::job::TaskState;
use aurora_model::key::JobKey;
use tokio::time::Instant;

use crate::error::{Code, Error};
use crate::scheduler::{Scheduler, tasks_of};
use crate::watch::{Seen, Tasks};

/// Instances that are named in one message.
const NAMED: usize = 5;

/// What is waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Until {
    /// Each instance runs or has run; one that has ended for good is not waited for.
    Begun,
    /// Each instance has ended.
    Ended,
    /// Each instance runs, and all of them at the same time.
    Running,
    /// Each instance has ended well.
    Finished,
}

/// What an instance means for who waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    Met,
    NotYet,
    /// It has ended for good in another way.
    Never,
}

impl Until {
    fn judge(self, state: TaskState) -> Verdict {
        use TaskState::{Draining, Finished, Killing, Preempting, Restarting, Running};
        match (self, state) {
            (Self::Begun, Running | Killing | Restarting | Draining | Preempting)
            | (Self::Running, Running)
            | (Self::Finished, Finished) => Verdict::Met,
            (Self::Begun | Self::Ended, state) if state.is_terminal() => Verdict::Met,
            (_, state) if state.is_terminal() => Verdict::Never,
            _ => Verdict::NotYet,
        }
    }
}

/// How long is waited, and for what.
#[derive(Debug, Clone, Copy)]
pub struct Wait {
    /// For what.
    pub until: Until,
    /// For so long it must hold without a break.
    pub stable: Duration,
    /// After this it fails; never, if none.
    pub timeout: Option<Duration>,
}

impl From<Until> for Wait {
    fn from(until: Until) -> Self {
        Self { until, stable: Duration::ZERO, timeout: None }
    }
}

/// Waits for the latest task of each instance, as the scheduler tells what happens. Instances that there are
/// not are not waited for; nor, unless they are named, those that were told to end while others run.
///
/// # Errors
/// They can never come there, it takes too long, or it cannot be seen how they are, which is no mistake of who
/// waits.
pub async fn wait(
    scheduler: &Scheduler,
    job: &JobKey,
    instances: Option<&BTreeSet<u32>>,
    wait: impl Into<Wait>,
) -> Result<(), Error> {
    let wait = wait.into();
    let mut query = tasks_of(job);
    query.instances = instances.into_iter().flatten().copied().collect();
    let mut latest = Latest::of_job(instances.is_none());
    let Some(timeout) = wait.timeout else {
        return watch(scheduler, &query, wait, &mut latest).await;
    };
    match tokio::time::timeout(timeout, watch(scheduler, &query, wait, &mut latest)).await {
        Ok(ended) => ended,
        Err(_) => Err(Error::new(
            Code::Timeout,
            format!(
                "{job} is not so far after {}: {}",
                humantime::format_duration(timeout),
                latest.others(wait.until, Verdict::NotYet)
            ),
        )),
    }
}

async fn watch(
    scheduler: &Scheduler,
    query: &v1::TaskQuery,
    wait: Wait,
    latest: &mut Latest,
) -> Result<(), Error> {
    let mut tasks = Tasks::open(scheduler, query.clone()).await?;
    let mut is_whole = false;
    // Since when it holds.
    let mut since: Option<Instant> = None;
    loop {
        let seen = match since {
            None => Some(tasks.next().await?),
            Some(since) => {
                tokio::time::timeout_at(since + wait.stable, tasks.next()).await.ok().transpose()?
            }
        };
        let has_held = seen.is_none();
        match seen {
            Some(Seen::Anew) => {
                latest.runs.clear();
                (is_whole, since) = (false, None);
            }
            Some(Seen::All) => is_whole = true,
            Some(Seen::Task(task, reason)) => latest.take(&task, reason)?,
            Some(Seen::Gone(id)) => latest.forget(&id),
            None => {}
        }
        if !has_held {
            if !is_whole {
                continue;
            }
            match latest.verdict(wait.until) {
                Verdict::NotYet => {
                    since = None;
                    continue;
                }
                Verdict::Met if since.is_some() => continue,
                Verdict::Met | Verdict::Never => {}
            }
        }
        // An end and the run that replaces it are told one after the other; a look at all tasks sees both.
        let mut now = Latest::of_job(latest.is_whole_job);
        let looked = scheduler.tasks(query.clone()).await.map_err(Error::on_the_way)?;
        for task in &looked.tasks {
            now.take(task, None)?;
        }
        match now.verdict(wait.until) {
            Verdict::Met if has_held || wait.stable.is_zero() => return Ok(()),
            Verdict::Met => since = Some(Instant::now()),
            Verdict::Never => {
                return Err(Error::new(
                    Code::CommandFailure,
                    now.others(wait.until, Verdict::Never),
                ));
            }
            Verdict::NotYet => since = None,
        }
    }
}

/// Of each instance, its latest run.
#[derive(Debug, Default)]
pub(crate) struct Latest {
    /// Whether no instances were named.
    is_whole_job: bool,
    runs: BTreeMap<u32, Run>,
}

#[derive(Debug)]
struct Run {
    task_id: String,
    born_ms: i64,
    state: TaskState,
    /// Why it waits, or what was said of it last.
    said: Option<String>,
}

impl Latest {
    fn of_job(is_whole_job: bool) -> Self {
        Self { is_whole_job, ..Self::default() }
    }

    /// The state of each instance's latest run.
    pub(crate) fn states(&self) -> impl Iterator<Item = (u32, TaskState)> {
        self.runs.iter().map(|(instance, run)| (*instance, run.state))
    }

    pub(crate) fn take(
        &mut self,
        task: &ScheduledTask,
        reason: Option<String>,
    ) -> Result<(), Error> {
        let Some(assigned) = &task.assigned else { return Ok(()) };
        let state =
            task_state(task.state).map_err(|error| Error::new(Code::Api, error.to_string()))?;
        let born_ms = task.events.first().map_or(0, |event| event.timestamp_ms);
        // A run and its replacement may come to be within a millisecond: then the one that has
        // not ended is the later one.
        let is_latest = self.runs.get(&assigned.instance).is_none_or(|known| {
            known.task_id == assigned.task_id
                || born_ms > known.born_ms
                || (born_ms == known.born_ms && !state.is_terminal())
        });
        if is_latest {
            let said = reason.or_else(|| task.events.last()?.message.clone());
            let run = Run { task_id: assigned.task_id.clone(), born_ms, state, said };
            self.runs.insert(assigned.instance, run);
        }
        Ok(())
    }

    fn forget(&mut self, task_id: &str) {
        self.runs.retain(|_, run| run.task_id != task_id);
    }

    /// The runs that count: an instance that was told to end, as one that a job was scaled down by, is not to
    /// run, nor to finish.
    fn counted(&self, until: Until) -> impl Iterator<Item = (&u32, &Run)> {
        let lives = |run: &Run| run.state != TaskState::Killed;
        let is_some_left = self.runs.values().any(lives);
        let is_of_those_left = matches!(until, Until::Running | Until::Finished);
        let all = !self.is_whole_job || !is_of_those_left || !is_some_left;
        self.runs.iter().filter(move |(_, run)| all || lives(run))
    }

    /// Never, if one can never come there or none is left; met, if all are there.
    fn verdict(&self, until: Until) -> Verdict {
        if self.runs.is_empty() && matches!(until, Until::Running | Until::Finished) {
            return Verdict::Never;
        }
        let mut all = Verdict::Met;
        for (_, run) in self.counted(until) {
            match until.judge(run.state) {
                Verdict::Never => return Verdict::Never,
                Verdict::NotYet => all = Verdict::NotYet,
                Verdict::Met => {}
            }
        }
        all
    }

    /// Those of a verdict, in words.
    fn others(&self, until: Until, verdict: Verdict) -> String {
        if self.runs.is_empty() && verdict == Verdict::Never {
            return "no task of it is left".to_owned();
        }
        let mut found: Vec<String> = self
            .counted(until)
            .filter(|(_, run)| until.judge(run.state) == verdict)
            .map(|(instance, run)| {
                let said = run.said.as_ref().map(|said| format!(" ({said})")).unwrap_or_default();
                format!("instance {instance} is {}{said}", run.state.name())
            })
            .collect();
        let more = found.len().saturating_sub(NAMED);
        found.truncate(NAMED);
        if more > 0 {
            found.push(format!("{more} more"));
        }
        if found.is_empty() { "nothing was told of it".to_owned() } else { found.join(", ") }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(id: &str, born_ms: i64, state: TaskState) -> ScheduledTask {
        let event = v1::TaskEvent { timestamp_ms: born_ms, ..v1::TaskEvent::default() };
        ScheduledTask {
            assigned: Some(v1::AssignedTask { task_id: id.to_owned(), ..Default::default() }),
            state: v1::TaskState::from(state) as i32,
            events: vec![event],
            ..ScheduledTask::default()
        }
    }

    fn verdict(until: Until, runs: &[ScheduledTask]) -> Verdict {
        let mut latest = Latest::default();
        for run in runs {
            latest.take(run, None).unwrap();
        }
        latest.verdict(until)
    }

    #[test]
    fn the_latest_run_counts() {
        use TaskState::{Failed, Finished, Lost, Pending, Restarting, Running, Starting};
        use Verdict::{Met, Never, NotYet};
        let first = |state| run("first", 5, state);
        let second = |state| run("second", 5, state);
        let later = |state| run("later", 6, state);
        for (until, runs, expected) in [
            (Until::Ended, vec![first(Running), first(Finished)], Met),
            (Until::Begun, vec![first(Running)], Met),
            (Until::Ended, vec![first(Failed), second(Pending)], NotYet),
            (Until::Ended, vec![second(Pending), first(Failed)], NotYet),
            (Until::Ended, vec![first(Failed), second(Pending), second(Finished)], Met),
            (Until::Ended, vec![later(Running), first(Finished)], NotYet),
            (Until::Begun, vec![first(Failed), later(Pending)], NotYet),
            (Until::Begun, vec![first(Restarting)], Met),
            (Until::Begun, vec![first(Lost)], Met),
            (Until::Running, vec![first(Restarting)], NotYet),
            (Until::Running, vec![first(Starting)], NotYet),
            (Until::Running, vec![first(Failed)], Never),
            (Until::Running, vec![first(Failed), later(Running)], Met),
            (Until::Finished, vec![first(Running)], NotYet),
            (Until::Finished, vec![first(Failed)], Never),
            (Until::Finished, vec![first(Failed), later(Finished)], Met),
        ] {
            assert_eq!(verdict(until, &runs), expected, "{until:?} {runs:?}");
        }
    }

    #[test]
    fn nothing_neither_runs_nor_has_finished() {
        assert_eq!(verdict(Until::Ended, &[]), Verdict::Met);
        for until in [Until::Running, Until::Finished] {
            assert_eq!(verdict(until, &[]), Verdict::Never);
            let said = Latest::default().others(until, Verdict::Never);
            assert_eq!(said, "no task of it is left");
        }
    }

    #[test]
    fn what_was_told_to_end_is_not_to_run_unless_it_is_named() {
        use TaskState::{Failed, Killed, Pending, Running};
        use Verdict::{Met, Never, NotYet};
        for (states, of_job, of_named) in [
            ([Running, Killed], Met, Never),
            ([Pending, Killed], NotYet, Never),
            ([Failed, Killed], Never, Never),
            ([Killed, Killed], Never, Never),
            ([Running, Running], Met, Met),
        ] {
            for (is_whole_job, expected) in [(true, of_job), (false, of_named)] {
                let mut latest = Latest::of_job(is_whole_job);
                for (instance, state) in (0..).zip(states) {
                    let mut task = run(&instance.to_string(), 5, state);
                    task.assigned.as_mut().unwrap().instance = instance;
                    latest.take(&task, None).unwrap();
                }
                assert_eq!(latest.verdict(Until::Running), expected, "{states:?} {is_whole_job}");
                let said = latest.others(Until::Running, Never);
                assert_eq!(
                    is_whole_job && states[0] == Failed,
                    said == "instance 0 is FAILED",
                    "{said}"
                );
            }
        }
    }

    #[test]
    fn what_is_not_so_far_is_named() {
        let mut latest = Latest::default();
        for instance in 0..7 {
            let mut task = run(&instance.to_string(), 5, TaskState::Pending);
            task.assigned.as_mut().unwrap().instance = instance;
            latest.take(&task, Some("no room".to_owned())).unwrap();
        }
        latest.forget("0");
        let said = latest.others(Until::Running, Verdict::NotYet);
        assert!(said.starts_with("instance 1 is PENDING (no room), instance 2 is "), "{said}");
        assert!(said.ends_with("instance 5 is PENDING (no room), 1 more"), "{said}");
    }
}
