//! Following the tasks of a job, whatever comes and goes.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use aurora_api::convert::task_state;
use aurora_api::v1;
use aurora_model::job::TaskState;
use aurora_model::key::JobKey;
use tokio::sync::mpsc::Sender;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::{Reading, Said, Wanted};
use crate::error::{Code, Error};
use crate::sandbox;
use crate::scheduler::{Scheduler, active_states, tasks_of};
use crate::watch::{Seen, Tasks};

/// How often it is looked for more.
const LOOK: Duration = Duration::from_millis(300);
/// How long an agent that cannot be asked is asked again.
const PATIENCE: Duration = Duration::from_mins(1);

/// Of each instance the task that began last, ended or not, those that are still waiting for a place left out.
pub fn latest(tasks: Vec<v1::ScheduledTask>) -> Vec<v1::ScheduledTask> {
    let mut latest: BTreeMap<u32, v1::ScheduledTask> = BTreeMap::new();
    for task in tasks {
        let Some(assigned) = &task.assigned else { continue };
        if assigned.agent_id.is_empty() {
            continue;
        }
        let known = latest.get(&assigned.instance);
        if known.is_none_or(|known| born_ms(known) <= born_ms(&task)) {
            latest.insert(assigned.instance, task);
        }
    }
    latest.into_values().collect()
}

fn born_ms(task: &v1::ScheduledTask) -> i64 {
    task.events.first().map_or(0, |event| event.timestamp_ms)
}

/// Passes on what the tasks of a job print, and the tasks that come in their place, until none is active.
/// Instances that cannot be read are told as [`Said::Trouble`], and the others go on.
///
/// # Errors
/// The scheduler is lost, or there is no such task.
pub async fn follow(
    scheduler: &Scheduler,
    job: &JobKey,
    instances: Option<&BTreeSet<u32>>,
    wanted: &Wanted,
    said: Sender<Said>,
) -> Result<(), Error> {
    let mut query = tasks_of(job);
    query.instances = instances.into_iter().flatten().copied().collect();
    let mut following = Following {
        scheduler: scheduler.clone(),
        wanted: wanted.clone(),
        said,
        ends: BTreeMap::new(),
        readers: JoinSet::new(),
        has_begun: false,
        told: None,
    };
    let mut tasks = Tasks::open(scheduler, query.clone()).await?;
    loop {
        let seen = tokio::select! {
            // Nobody listens any more.
            () = following.said.closed() => return Ok(()),
            seen = tasks.next() => seen?,
        };
        let may_be_over = match seen {
            Seen::Anew => {
                following.told = Some(BTreeMap::new());
                false
            }
            Seen::Task(task, _) => following.take(*task).await?,
            Seen::Gone(id) => following.forget(&id),
            Seen::All => following.compare().await?,
        };
        if following.has_begun && may_be_over && is_over(scheduler, &query).await? {
            // What is printed last is read before it ends.
            following.ends.values().for_each(CancellationToken::cancel);
            while following.readers.join_next().await.is_some() {}
            return Ok(());
        }
    }
}

/// An end and the task in its place are told one after the other; a look at all sees both.
async fn is_over(scheduler: &Scheduler, query: &v1::TaskQuery) -> Result<bool, Error> {
    let query = v1::TaskQuery { states: active_states(), ..query.clone() };
    Ok(scheduler.tasks(query).await?.tasks.is_empty())
}

struct Following {
    scheduler: Scheduler,
    wanted: Wanted,
    said: Sender<Said>,
    /// What tells the reader of each task that the task has ended.
    ends: BTreeMap<String, CancellationToken>,
    readers: JoinSet<()>,
    /// Whether all tasks have been told once.
    has_begun: bool,
    /// While all tasks are told, those that were.
    told: Option<BTreeMap<String, v1::ScheduledTask>>,
}

impl Following {
    /// All tasks have been told. At first the latest of each instance is read; later those that were forgotten
    /// while the scheduler was away have ended. Gives whether none may be left.
    async fn compare(&mut self) -> Result<bool, Error> {
        let told = self.told.take().unwrap_or_default();
        if std::mem::replace(&mut self.has_begun, true) {
            self.ends.retain(|id, end| {
                let is_known = told.contains_key(id);
                if !is_known {
                    end.cancel();
                }
                is_known
            });
            return Ok(true);
        }
        let old: Vec<String> = told.keys().cloned().collect();
        for task in latest(told.into_values().collect()) {
            self.read(task, self.wanted.clone()).await?;
        }
        // The others have ended before anybody asked, and are not read when they are told again.
        for id in old {
            self.ends.entry(id).or_default();
        }
        Ok(true)
    }

    /// Takes in how a task is. Gives whether it has ended.
    async fn take(&mut self, task: v1::ScheduledTask) -> Result<bool, Error> {
        let Some(assigned) = &task.assigned else { return Ok(false) };
        // One that still waits for a place is told again when it has one.
        if assigned.agent_id.is_empty() {
            return Ok(state(&task)?.is_terminal());
        }
        let id = assigned.task_id.clone();
        if let Some(told) = &mut self.told {
            told.insert(id.clone(), task.clone());
        }
        if !self.has_begun {
            return Ok(false);
        }
        let state = state(&task)?;
        if let Some(end) = self.ends.get(&id) {
            if state.is_terminal() {
                end.cancel();
            }
        } else if state != TaskState::Assigned {
            // All of what a new task prints is wanted.
            let wanted = Wanted { tail: None, since_ms: None, ..self.wanted.clone() };
            self.read(task, wanted).await?;
        }
        Ok(state.is_terminal())
    }

    /// A task is not remembered any more, so it has ended.
    fn forget(&mut self, id: &str) -> bool {
        if let Some(end) = self.ends.remove(id) {
            end.cancel();
        }
        true
    }

    async fn read(&mut self, task: v1::ScheduledTask, wanted: Wanted) -> Result<(), Error> {
        let Some(assigned) = task.assigned.clone() else { return Ok(()) };
        let end = CancellationToken::new();
        if state(&task)?.is_terminal() {
            end.cancel();
        }
        self.ends.insert(assigned.task_id, end.clone());
        let (scheduler, said) = (self.scheduler.clone(), self.said.clone());
        self.readers.spawn(async move {
            if let Err(error) = read(&scheduler, &task, wanted, &said, &end).await {
                // Who listens no more has seen enough.
                let _ = said.send(Said::Trouble(assigned.instance, error)).await;
            }
        });
        Ok(())
    }
}

fn state(task: &v1::ScheduledTask) -> Result<TaskState, Error> {
    task_state(task.state).map_err(|error| Error::new(Code::Api, error.to_string()))
}

/// Reads a task until it has ended and all is read, or nobody listens.
async fn read(
    scheduler: &Scheduler,
    task: &v1::ScheduledTask,
    wanted: Wanted,
    said: &Sender<Said>,
    end: &CancellationToken,
) -> Result<(), Error> {
    let mut reading: Option<Reading> = None;
    let mut failing: Option<Instant> = None;
    while !said.is_closed() {
        // Asked before the look: what was printed before the end is seen by it.
        let has_ended = end.is_cancelled();
        let looked = match &mut reading {
            Some(reading) => reading.look(said).await,
            None => match open(scheduler, task).await {
                Ok(sandbox) => {
                    let new = reading.insert(Reading::new(sandbox, wanted.clone()));
                    new.look(said).await
                }
                Err(error) => Err(error),
            },
        };
        match looked {
            Ok(()) => failing = None,
            Err(error) => {
                let since = *failing.get_or_insert_with(Instant::now);
                let may_pass = matches!(error.code, Code::Network | Code::Timeout | Code::Api);
                // A sandbox is made a moment after its task is known.
                let is_early = error.code == Code::InvalidParameter && !has_ended;
                if !(may_pass || is_early) || since.elapsed() > PATIENCE || has_ended {
                    return Err(error);
                }
            }
        }
        if has_ended {
            break;
        }
        tokio::select! {
            () = tokio::time::sleep(LOOK) => {}
            () = end.cancelled() => {}
            () = said.closed() => {}
        }
    }
    if let Some(reading) = &mut reading {
        reading.finish(said).await;
    }
    Ok(())
}

async fn open(scheduler: &Scheduler, task: &v1::ScheduledTask) -> Result<sandbox::Sandbox, Error> {
    let mut found = sandbox::of_tasks(scheduler, std::slice::from_ref(task)).await?;
    found.pop().unwrap_or_else(|| Err(Error::new(Code::Api, "the scheduler named no agent")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn task(id: &str, instance: u32, born_ms: i64, agent: &str) -> v1::ScheduledTask {
        v1::ScheduledTask {
            assigned: Some(v1::AssignedTask {
                task_id: id.to_owned(),
                instance,
                agent_id: agent.to_owned(),
                ..Default::default()
            }),
            events: vec![v1::TaskEvent { timestamp_ms: born_ms, ..Default::default() }],
            ..Default::default()
        }
    }

    #[test]
    fn the_task_that_began_last_counts_and_waiting_ones_do_not() {
        let tasks = vec![
            task("old", 0, 1, "a"),
            task("new", 0, 2, "a"),
            task("waits", 0, 3, ""),
            task("only", 1, 1, "a"),
            task("never", 2, 1, ""),
        ];
        let ids: Vec<String> =
            latest(tasks).into_iter().map(|task| task.assigned.unwrap().task_id).collect();
        assert_eq!(ids, ["new", "only"]);
    }
}
