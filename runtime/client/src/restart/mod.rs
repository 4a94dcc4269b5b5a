//! Restarting the instances of a job, a batch at a time (`client.md` 13.2 and 13.3).
//!
//! [`queue`] says which instances come next and when it is enough, [`batch`] whether those of a batch run
//! well; neither does I/O.

mod batch;
mod queue;

use std::collections::BTreeSet;
use std::time::Duration;

use aurora_api::convert::task_state;
use aurora_api::v1;
use aurora_model::key::JobKey;
use tokio::time::Instant;

pub use queue::{Limits, Outcome};

use self::batch::{Batch, ENDED, Told};
use self::queue::Queue;
use crate::error::{Code, Error};
use crate::scheduler::{Scheduler, instances_of, tasks_of};
use crate::watch::{Seen, Tasks};

/// What is told on the way.
#[derive(Debug)]
pub enum Step<'a> {
    /// These instances are restarted.
    Begins(&'a [u32]),
    /// This one runs well.
    Well(u32),
    /// This one does not, for this reason.
    Failed(u32, &'a str),
}

/// A restart that goes on.
#[derive(Debug)]
pub struct Restart<'a> {
    scheduler: &'a Scheduler,
    job: &'a JobKey,
    watch: Duration,
    queue: Queue,
}

impl<'a> Restart<'a> {
    /// Of these instances, each of which counts as well when it has run for so long.
    pub fn new(
        scheduler: &'a Scheduler,
        job: &'a JobKey,
        instances: impl IntoIterator<Item = u32>,
        limits: Limits,
        watch: Duration,
    ) -> Self {
        Self { scheduler, job, watch, queue: Queue::new(instances, limits) }
    }

    /// Restarts them all, until too many have failed.
    pub async fn run<E: From<Error>>(
        &mut self,
        mut tell: impl FnMut(Step<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        loop {
            self.drop_ended().await?;
            let batch = self.queue.next();
            if batch.is_empty() {
                return Ok(());
            }
            tell(Step::Begins(&batch))?;
            let mut watched = self.one(&batch, &mut tell).await?;
            for instance in batch {
                let end = watched.iter().position(|(known, _)| *known == instance);
                if let Some(at) = end {
                    self.queue.take(instance, watched.swap_remove(at).1);
                }
            }
        }
    }

    /// What became of them so far.
    pub fn outcome(&self) -> Outcome {
        self.queue.outcome()
    }

    /// The instances that have a run.
    async fn active(&self) -> Result<BTreeSet<u32>, Error> {
        let tasks = self.scheduler.active(self.job).await.map_err(Error::on_the_way)?;
        Ok(instances_of(&tasks))
    }

    /// Those that have failed and are not started anew by the scheduler have nothing to restart.
    async fn drop_ended(&mut self) -> Result<(), Error> {
        let again: Vec<u32> =
            self.queue.next().into_iter().filter(|it| self.queue.has_failed(*it)).collect();
        if again.is_empty() {
            return Ok(());
        }
        let active = self.active().await?;
        for instance in again.into_iter().filter(|instance| !active.contains(instance)) {
            self.queue.give_up(instance, ENDED.to_owned());
        }
        Ok(())
    }

    /// Restarts a batch and watches it.
    async fn one<E: From<Error>>(
        &self,
        instances: &[u32],
        tell: &mut impl FnMut(Step<'_>) -> Result<(), E>,
    ) -> Result<Vec<(u32, Result<(), String>)>, E> {
        self.scheduler.restart(self.job, instances.to_vec()).await?;
        let query = v1::TaskQuery { instances: instances.to_vec(), ..tasks_of(self.job) };
        let mut tasks = Tasks::open(self.scheduler, query).await?;
        let mut batch = Batch::new(instances, self.watch);
        let mut told = Vec::new();
        let begin = Instant::now();
        while !batch.is_done() {
            let seen = match batch.due() {
                Some(due) => tokio::time::timeout_at(begin + due, tasks.next()).await.ok(),
                None => Some(tasks.next().await),
            };
            if let Some(seen) = seen {
                take(&mut batch, begin.elapsed(), seen?)?;
            }
            let doubtful = batch.doubtful();
            if !doubtful.is_empty() {
                let active = self.active().await?;
                for instance in doubtful.into_iter().filter(|instance| !active.contains(instance)) {
                    batch.is_no_more(instance);
                }
            }
            batch.tick(begin.elapsed());
            for (instance, end) in batch.ends() {
                if told.contains(&instance) {
                    continue;
                }
                told.push(instance);
                tell(match end {
                    Ok(()) => Step::Well(instance),
                    Err(why) => Step::Failed(instance, why),
                })?;
            }
        }
        Ok(batch.ends().map(|(instance, end)| (instance, end.clone())).collect())
    }
}

fn take(batch: &mut Batch, now: Duration, seen: Seen) -> Result<(), Error> {
    match seen {
        Seen::Anew => batch.begin(),
        Seen::All => batch.end(),
        Seen::Gone(id) => batch.gone(&id),
        Seen::Task(task, _) => {
            let Some(assigned) = &task.assigned else { return Ok(()) };
            let state =
                task_state(task.state).map_err(|error| Error::new(Code::Api, error.to_string()))?;
            let told = Told {
                instance: assigned.instance,
                task_id: &assigned.task_id,
                state,
                is_service: assigned.task.as_ref().is_some_and(|task| task.is_service),
                message: task.events.last().and_then(|event| event.message.as_deref()),
            };
            batch.see(now, &told);
        }
    }
    Ok(())
}
