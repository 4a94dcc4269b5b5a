//! Cron jobs (`scheduler.md` 9).
//!
//! A cron job is a template: a configuration of which a run is made whenever it is due. Of each
//! template the log holds up to when its due times have been dealt with, so that after a failover
//! none is forgotten and none is run twice; the runs that are still to be started; and what became
//! of the last ones.
//!
//! `schedule` is what clients ask for, `due` finds out what is due and what was missed, `run` starts
//! runs, `query` tells of them.

mod due;
mod query;
mod run;
mod schedule;

use std::collections::{BTreeMap, VecDeque};
use std::ops::Bound;
use std::sync::Arc;

use aurora_model::cron::{CronDue, CronOutcome, CronRun};
use aurora_model::job::{JobConfiguration, Timestamp};
use aurora_model::key::JobKey;

use crate::state::Misfit;

pub use query::CronStatus;

pub(crate) use due::{CronTimer, Timetables};
pub(crate) use schedule::{check_timetable, has_other_tasks};

/// How many runs of each job are remembered with what became of them.
const MAX_RUNS: usize = 50;

/// What the log holds of cron jobs.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Crons {
    /// Each shared with frozen copies until it changes.
    jobs: BTreeMap<JobKey, Arc<CronJob>>,
}

/// A cron job.
#[derive(Debug, Clone, PartialEq)]
pub struct CronJob {
    /// What each run is made of.
    pub job: Arc<JobConfiguration>,
    /// Due times up to here have been dealt with.
    pub handled: Timestamp,
    /// Runs that are to be started, one after the other.
    pub queue: VecDeque<CronDue>,
    /// The last runs, oldest first.
    pub runs: VecDeque<CronRun>,
}

/// A durable change of a cron job.
#[derive(Debug, Clone, PartialEq)]
pub enum CronOp {
    /// A job, new or replaced. What is known of its runs stays.
    Put {
        /// What each run is made of.
        job: Arc<JobConfiguration>,
        /// Due times up to here count as dealt with.
        handled: Timestamp,
    },
    /// A job is no more.
    Remove(JobKey),
    /// Due times have been dealt with.
    Due {
        /// The job.
        job: JobKey,
        /// Up to when.
        handled: Timestamp,
        /// Runs that are to be started for them.
        queued: Vec<CronDue>,
    },
    /// It is known what became of runs.
    Record {
        /// The job.
        job: JobKey,
        /// The runs, in order.
        runs: Vec<CronRun>,
        /// How many of those that were to be started this settles.
        taken: u32,
    },
}

/// What a client can ask for.
#[derive(Debug, Clone, PartialEq)]
pub enum CronRequest {
    /// A cron job, new or in place of the one of the same key.
    Schedule(Box<JobConfiguration>),
    /// A cron job in place of the one of the same key.
    Replace(Box<JobConfiguration>),
    /// The end of a cron job. Runs that go on do so.
    Deschedule(JobKey),
    /// A run now.
    Start(JobKey),
}

/// What a client is told.
#[derive(Debug, Clone, PartialEq)]
pub enum CronResponse {
    /// The job will be run.
    Scheduled {
        /// The job.
        key: JobKey,
        /// When it is due next.
        next: Option<Timestamp>,
    },
    /// The job is no more.
    Descheduled {
        /// Whether there was one.
        existed: bool,
    },
    /// A run has been asked for.
    Triggered {
        /// What has become of it; nothing as long as it waits for the run before to end.
        outcome: Option<CronOutcome>,
    },
}

impl Crons {
    /// A cron job.
    pub fn get(&self, job: &JobKey) -> Option<&CronJob> {
        self.jobs.get(job).map(|cron| &**cron)
    }

    /// Every cron job, by key.
    pub fn iter(&self) -> impl Iterator<Item = (&JobKey, &CronJob)> {
        self.jobs.iter().map(|(key, cron)| (key, &**cron))
    }

    /// The cron jobs by key, those of a role unless it is empty, after a key if one is given.
    pub fn of_role<'a>(
        &'a self,
        role: &'a str,
        after: Option<&JobKey>,
    ) -> impl Iterator<Item = (&'a JobKey, &'a CronJob)> + use<'a> {
        let start = match after.filter(|after| role.is_empty() || after.role() >= role) {
            Some(after) => Bound::Excluded(after.clone()),
            // No key of a role is before the one of the least identifiers.
            None => JobKey::new(role, "-", "-").map_or(Bound::Unbounded, Bound::Included),
        };
        let jobs = self.jobs.range((start, Bound::Unbounded));
        jobs.take_while(move |(key, _)| role.is_empty() || key.role() == role)
            .map(|(key, cron)| (key, &**cron))
    }

    pub(crate) fn apply(&mut self, op: &CronOp) -> Result<(), Misfit> {
        match op {
            CronOp::Put { job, handled } => match self.known(&job.key) {
                Ok(known) => {
                    known.job = job.clone();
                    known.handled = *handled;
                }
                Err(_) => {
                    let (job, handled) = (job.clone(), *handled);
                    let (queue, runs) = (VecDeque::new(), VecDeque::new());
                    let cron = CronJob { job, handled, queue, runs };
                    self.jobs.insert(cron.job.key.clone(), Arc::new(cron));
                }
            },
            CronOp::Remove(key) => {
                self.jobs.remove(key).ok_or_else(|| misfit(key))?;
            }
            CronOp::Due { job, handled, queued } => {
                let known = self.known(job)?;
                known.handled = known.handled.max(*handled);
                known.queue.extend(queued.iter().cloned());
            }
            CronOp::Record { job, runs, taken } => {
                let known = self.known(job)?;
                let taken = usize::try_from(*taken).unwrap_or(usize::MAX);
                if taken > known.queue.len() {
                    return Err(Misfit { what: format!("a run of cron job {job}") });
                }
                known.queue.drain(..taken);
                known.runs.extend(runs.iter().cloned());
                let surplus = known.runs.len().saturating_sub(MAX_RUNS);
                known.runs.drain(..surplus);
            }
        }
        Ok(())
    }

    fn known(&mut self, key: &JobKey) -> Result<&mut CronJob, Misfit> {
        // A copy that is being written down keeps what it had.
        self.jobs.get_mut(key).map(Arc::make_mut).ok_or_else(|| misfit(key))
    }

    /// Ops that make this from nothing.
    pub(crate) fn to_ops(&self) -> impl Iterator<Item = CronOp> + '_ {
        self.jobs.iter().flat_map(|(key, cron)| {
            let put = CronOp::Put { job: cron.job.clone(), handled: cron.handled };
            let due = (!cron.queue.is_empty()).then(|| CronOp::Due {
                job: key.clone(),
                handled: cron.handled,
                queued: cron.queue.iter().cloned().collect(),
            });
            let record = (!cron.runs.is_empty()).then(|| CronOp::Record {
                job: key.clone(),
                runs: cron.runs.iter().cloned().collect(),
                taken: 0,
            });
            [Some(put), due, record].into_iter().flatten()
        })
    }
}

fn misfit(job: &JobKey) -> Misfit {
    Misfit { what: format!("cron job {job}") }
}
