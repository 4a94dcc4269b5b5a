//! Starts runs, and what stands in their way.

use std::sync::Arc;

use aurora_model::cron::{CronDue, CronOutcome, CronRun, CronSkip};
use aurora_model::job::{CronCollisionPolicy, TaskState};
use aurora_model::key::{JobKey, TaskId};

use super::{CronOp, CronTimer};
use crate::changes::TaskChange;
use crate::input::Op;
use crate::scheduler::Turn;
use crate::timers::Timer;

/// How many jobs are looked at in the time that a change of a task takes.
const JOBS_PER_EFFORT: usize = 16;

/// Who ends the tasks of a run to make place for the next, in the original's words.
const KILLED: &str = "Killed by cronScheduler";

impl Turn<'_> {
    /// Takes in what has become of a task: with it a run may have ended that another waits for.
    pub(crate) fn cron_see(&mut self, change: &TaskChange) {
        let has_ended = change.to.is_none_or(TaskState::is_terminal);
        let job = &change.config.job;
        let waits = self.scheduler.state.crons.get(job).is_some_and(|cron| !cron.queue.is_empty());
        if has_ended && waits {
            self.advance_cron(job);
        }
    }

    /// Starts the runs of a job that are to be started, as far as nothing stands in their way.
    pub(crate) fn advance_cron(&mut self, key: &JobKey) {
        while let Some((due, policy)) = self.first_waiting(key) {
            if due.in_turn && self.is_full() {
                self.after(1, Timer::Cron(CronTimer::Due(key.clone())));
                return;
            }
            let is_free = || self.scheduler.state.active_of(key).next().is_none();
            if is_free() {
                self.start_run(key, due);
                continue;
            }
            if due.in_turn {
                return;
            }
            match policy {
                CronCollisionPolicy::KillExisting => {
                    if self.end_tasks(key) {
                        self.scheduler.count("cron_job_collisions", 1);
                    }
                    // Tasks that had no place yet are gone at once.
                    if self.scheduler.state.active_of(key).next().is_some() {
                        return;
                    }
                }
                CronCollisionPolicy::CancelNew | CronCollisionPolicy::RunOverlap => {
                    self.scheduler.count("cron_job_collisions", 1);
                    self.record_run(key, due, CronSkip::Collision);
                }
            }
        }
    }

    fn first_waiting(&self, key: &JobKey) -> Option<(CronDue, CronCollisionPolicy)> {
        let cron = self.scheduler.state.crons.get(key)?;
        Some((cron.queue.front()?.clone(), cron.job.cron_collision_policy))
    }

    /// Ends every task of the job that is not being ended already. Gives whether there was one.
    fn end_tasks(&mut self, key: &JobKey) -> bool {
        let doomed: Vec<TaskId> = self
            .scheduler
            .state
            .active_of(key)
            .filter(|task| task.state != TaskState::Killing)
            .map(|task| task.id().clone())
            .collect();
        for id in &doomed {
            self.change(id, TaskState::Killing, Some(KILLED));
        }
        !doomed.is_empty()
    }

    /// Starts the first run that waits. What the template needs was granted with it, but settings may
    /// have changed since.
    fn start_run(&mut self, key: &JobKey, due: CronDue) {
        let Some(cron) = self.scheduler.state.crons.get(key) else { return };
        let job = cron.job.clone();
        if job.task.production {
            // What all cron jobs of the role may need is added up.
            let jobs = self.scheduler.state.crons.of_role(key.role(), None).count();
            self.spend(jobs / JOBS_PER_EFFORT);
        }
        if self.scheduler.check_quota(&job.task, 0).is_err() {
            return self.record_run(key, due, CronSkip::Quota);
        }
        let instances = job.instance_count;
        self.record_outcome(key, due, CronOutcome::Started { instances });
        self.insert_pending(Arc::new(job.task.clone()), 0..instances);
    }

    fn record_run(&mut self, key: &JobKey, due: CronDue, reason: CronSkip) {
        let outcome = CronOutcome::Skipped { reason, count: 1, last: due.due };
        self.record_outcome(key, due, outcome);
    }

    fn record_outcome(&mut self, key: &JobKey, due: CronDue, outcome: CronOutcome) {
        let run = CronRun { due: due.due, at: self.now, trigger: due.trigger, outcome };
        self.apply(Op::Cron(CronOp::Record { job: key.clone(), runs: vec![run], taken: 1 }));
    }

    /// Gives up runs that wait for their turn.
    pub(super) fn give_up_turns(&mut self, key: &JobKey) {
        while let Some((due, _)) = self.first_waiting(key).filter(|(due, _)| due.in_turn) {
            self.record_run(key, due, CronSkip::Replaced);
        }
    }
}
