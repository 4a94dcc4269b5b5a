//! C1 and C2: every due time of a cron job is run once or recorded as skipped, and a run begins where
//! there is none.
//!
//! When a job is due is worked out here from how its schedule was made up, not from its text.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use aurora_model::cron::{CronDue, CronOutcome, CronSkip, CronTrigger};
use aurora_model::job::{CronCollisionPolicy, Timestamp};
use aurora_model::key::JobKey;
use aurora_scheduler_core::{CronOp, Op, State, Step};

use crate::cover::Coverage;
use crate::world::{Violation, broken};

const MINUTE_MS: i64 = 60_000;
const DAY_MS: i64 = 24 * 60 * MINUTE_MS;
/// When clocks went from +1 to +2 hours in Rome, in the night of 29 March 2026.
const SPRING_MS: i64 = 1_774_746_000_000;
/// When they went back, in the night of 25 October.
const AUTUMN_MS: i64 = 1_792_890_000_000;

/// When a job is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Plan {
    /// In every minute that so many divide, by any clock.
    Every(i64),
    /// Once a day, at hour and minute in Rome.
    Daily(i64, i64),
}

impl Plan {
    /// The text that says so.
    pub(crate) fn schedule(self) -> String {
        match self {
            Self::Every(minutes) => format!("*/{minutes} * * * *"),
            Self::Daily(hour, minute) => format!("{minute} {hour} * * *"),
        }
    }

    /// The plan that a text was made of.
    fn of(schedule: &str) -> Option<Self> {
        let fields: Vec<&str> = schedule.split(' ').collect();
        let (minute, hour) = (fields.first()?, fields.get(1)?);
        match minute.strip_prefix("*/") {
            Some(minutes) => minutes.parse().ok().map(Self::Every),
            None => Some(Self::Daily(hour.parse().ok()?, minute.parse().ok()?)),
        }
    }

    /// The due times after `from`, up to `to`, in milliseconds.
    fn between(self, from: i64, to: i64) -> Vec<i64> {
        match self {
            Self::Every(minutes) => {
                let step = minutes * MINUTE_MS;
                let first = (from.div_euclid(step) + 1) * step;
                (0..).map(|n| first + n * step).take_while(|due| *due <= to).collect()
            }
            Self::Daily(hour, minute) => {
                let days = from.div_euclid(DAY_MS) - 1..=to.div_euclid(DAY_MS) + 1;
                days.map(|day| instant(day * DAY_MS + (hour * 60 + minute) * MINUTE_MS))
                    .filter(|due| *due > from && *due <= to)
                    .collect()
            }
        }
    }
}

/// When the clocks in Rome show a time, the first time if they do twice; one that they leave out is the
/// moment in which they go on.
fn instant(local: i64) -> i64 {
    const HOUR: i64 = 60 * MINUTE_MS;
    let winter = local - HOUR;
    let summer = (local - 2 * HOUR).max(SPRING_MS);
    if winter < SPRING_MS || summer >= AUTUMN_MS { winter } else { summer }
}

#[derive(Debug)]
struct Job {
    plan: Plan,
    policy: CronCollisionPolicy,
    handled: i64,
    queue: VecDeque<CronDue>,
    /// Due times of which nobody has said yet what became of them.
    open: BTreeSet<i64>,
}

/// The cron jobs of one scheduler.
#[derive(Debug, Default)]
pub(crate) struct Crons(BTreeMap<JobKey, Job>);

impl Crons {
    pub(crate) fn new(state: &State) -> Self {
        let jobs = state.crons().iter().filter_map(|(key, cron)| {
            let plan = Plan::of(cron.job.cron_schedule.as_deref()?)?;
            let due = cron.queue.iter().filter(|due| !matches!(due.trigger, CronTrigger::User(_)));
            let job = Job {
                plan,
                policy: cron.job.cron_collision_policy,
                handled: cron.handled.0,
                open: due.map(|due| due.due.0).collect(),
                queue: cron.queue.clone(),
            };
            Some((key.clone(), job))
        });
        Self(jobs.collect())
    }

    /// Whether a job is run by the clock.
    pub(crate) fn has(&self, job: &JobKey) -> bool {
        self.0.contains_key(job)
    }

    pub(crate) fn after(
        &mut self,
        now: Timestamp,
        step: &Step,
        cover: &mut Coverage,
    ) -> Result<(), Violation> {
        let ops =
            || step.ops.iter().filter_map(|op| if let Op::Cron(op) = op { Some(op) } else { None });
        for op in ops() {
            match op {
                CronOp::Put { job, handled } => {
                    let Some(plan) = job.cron_schedule.as_deref().and_then(Plan::of) else {
                        return broken("C1", format!("{} has another schedule", job.key));
                    };
                    let known = self.0.entry(job.key.clone()).or_insert(Job {
                        plan,
                        policy: job.cron_collision_policy,
                        handled: handled.0,
                        queue: VecDeque::new(),
                        open: BTreeSet::new(),
                    });
                    (known.plan, known.policy, known.handled) =
                        (plan, job.cron_collision_policy, handled.0);
                }
                CronOp::Remove(job) => _ = self.0.remove(job),
                CronOp::Due { job, handled, queued } => {
                    let Some(known) = self.0.get_mut(job) else {
                        return broken("C1", format!("{job} is due and not known"));
                    };
                    let dues = known.plan.between(known.handled, handled.0);
                    let by_user = |due: &&CronDue| matches!(due.trigger, CronTrigger::User(_));
                    known.handled = known.handled.max(handled.0);
                    for due in queued.iter().filter(|due| !by_user(due)) {
                        if !dues.contains(&due.due.0) {
                            return broken(
                                "C1",
                                format!("{job} is queued for {}, when it is not due", due.due.0),
                            );
                        }
                    }
                    known.open.extend(dues);
                    known.queue.extend(queued.iter().cloned());
                }
                CronOp::Record { .. } => {}
            }
        }
        for op in ops() {
            if let CronOp::Record { job, runs, taken } = op {
                let Some(known) = self.0.get_mut(job) else { continue };
                let taken = usize::try_from(*taken).unwrap_or(usize::MAX).min(known.queue.len());
                known.queue.drain(..taken);
                for run in runs {
                    if matches!(run.trigger, CronTrigger::User(_)) {
                        cover.path("cron: run by hand");
                        continue;
                    }
                    let (count, last) = match run.outcome {
                        CronOutcome::Started { .. } => (1, run.due),
                        CronOutcome::Skipped { count, last, reason } => {
                            if reason == CronSkip::Collision
                                && known.policy != CronCollisionPolicy::CancelNew
                            {
                                return broken("C2", format!("{job} is skipped and must not be"));
                            }
                            (count, last)
                        }
                    };
                    cover.path(match run.outcome {
                        CronOutcome::Started { .. } => format!("cron: started {:?}", run.trigger),
                        CronOutcome::Skipped { reason, .. } => format!("cron: skipped {reason:?}"),
                    });
                    let settled: Vec<i64> = known.open.range(run.due.0..=last.0).copied().collect();
                    if settled.len() as u64 != count {
                        return broken(
                            "C1",
                            format!("{job}: {run:?} settles {} due times", settled.len()),
                        );
                    }
                    for due in settled {
                        known.open.remove(&due);
                    }
                }
            }
        }
        for (key, job) in &self.0 {
            let queued: BTreeSet<i64> = job
                .queue
                .iter()
                .filter(|due| !matches!(due.trigger, CronTrigger::User(_)))
                .map(|due| due.due.0)
                .collect();
            if queued != job.open {
                return broken(
                    "C1",
                    format!("{key} was due at {:?}, of which {queued:?} wait to be run", job.open),
                );
            }
            if let Some(due) = job.plan.between(job.handled, now.0 - 1000).first() {
                return broken("C1", format!("{key} was due at {due}, and nothing came of it"));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_go_by_the_clock_of_rome() {
        let day = 1_774_656_000_000;
        let at = |hour, minute| Plan::Daily(hour, minute).between(day, day + 2 * DAY_MS);
        // 05:30 in Rome is 04:30, and a day later, in summer, 03:30.
        let minute = |n: i64| day + n * MINUTE_MS;
        assert_eq!(at(5, 30), [minute(270), minute(1440 + 210)]);
        // 02:30 does not come: the clock goes on from 02:00 to 03:00.
        assert_eq!(at(2, 30), [minute(90), SPRING_MS]);
        // In autumn 02:30 comes twice, and 03:30 in winter.
        let day = 1_792_800_000_000;
        let at = |hour, minute| Plan::Daily(hour, minute).between(day, day + 2 * DAY_MS);
        let minute = |n: i64| day + n * MINUTE_MS;
        assert_eq!(at(2, 30), [minute(30), minute(1440 + 30)]);
        assert_eq!(at(3, 30), [minute(90), minute(1440 + 150)]);
        let day = 1_774_656_000_000;
        let minute = |n: i64| day + n * MINUTE_MS;
        assert_eq!(Plan::Every(15).between(day, day + 30 * MINUTE_MS), [minute(15), minute(30)]);
        assert_eq!(Plan::of(&Plan::Daily(2, 30).schedule()), Some(Plan::Daily(2, 30)));
    }
}
