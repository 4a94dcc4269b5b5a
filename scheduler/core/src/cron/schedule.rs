//! What clients ask of cron jobs, with the checks in the original's order.

use std::sync::Arc;

use aurora_model::cron::{CronDue, CronTrigger};
use aurora_model::job::{CronCatchUp, CronCollisionPolicy, JobConfiguration};
use aurora_model::key::JobKey;

use super::due::{Timetable, Timetables};
use super::{CronOp, CronRequest, CronResponse};
use crate::input::{ErrorKind, Op, RequestError};
use crate::scheduler::Turn;
use crate::settings::Settings;
use crate::validate::{check_instances, validate};

impl Turn<'_> {
    pub(crate) fn cron_request(
        &mut self,
        user: &str,
        request: CronRequest,
    ) -> Result<CronResponse, RequestError> {
        match request {
            CronRequest::Schedule(job) => self.schedule(*job),
            CronRequest::Replace(job) => {
                if self.scheduler.state.crons.get(&job.key).is_none() {
                    return Err(not_found(&job.key));
                }
                self.schedule(*job)
            }
            CronRequest::Deschedule(key) => {
                let existed = self.scheduler.state.crons.get(&key).is_some();
                if existed {
                    self.scheduler.timetables.remove(&key);
                    self.apply(Op::Cron(CronOp::Remove(key)));
                }
                Ok(CronResponse::Descheduled { existed })
            }
            CronRequest::Start(key) => self.start_now(&key, user),
        }
    }

    /// Takes a job in place of the one of the same key, if there is one. Tasks that run go on.
    fn schedule(&mut self, mut job: JobConfiguration) -> Result<CronResponse, RequestError> {
        let settings = &self.scheduler.settings;
        validate(&mut job, settings)?;
        if job.cron_schedule.is_none() {
            return Err(RequestError::invalid(format!(
                "{} has no cron schedule: it is created, not scheduled",
                job.key
            )));
        }
        self.scheduler.check_not_updating(&job.key)?;
        check_instances(&job, settings)?;
        self.scheduler.check_cron_quota(&job)?;
        let is_new = self.scheduler.state.crons.get(&job.key).is_none();
        if is_new && self.scheduler.state.active_of(&job.key).next().is_some() {
            return Err(RequestError {
                kind: ErrorKind::AlreadyExists,
                message: has_other_tasks(&job.key),
            });
        }
        let table = check_timetable(&job, settings)?;
        let key = job.key.clone();
        let runs_all = job.cron_catch_up == CronCatchUp::RunAll;
        // A clock that goes back makes no due time come again.
        let handled = self.scheduler.state.crons.get(&key).map_or(self.now, |cron| cron.handled);
        let handled = handled.max(self.now);
        self.apply(Op::Cron(CronOp::Put { job: Arc::new(job), handled }));
        if !runs_all {
            self.give_up_turns(&key);
        }
        self.watch_cron(&key);
        Ok(CronResponse::Scheduled { key, next: table.next(handled) })
    }

    fn start_now(&mut self, key: &JobKey, user: &str) -> Result<CronResponse, RequestError> {
        let Some(cron) = self.scheduler.state.crons.get(key) else { return Err(not_found(key)) };
        let (handled, job) = (cron.handled, key.clone());
        if let Some(in_turn) = cron.queue.front().map(|waiting| waiting.in_turn) {
            self.scheduler.count("cron_job_concurrent_runs", 1);
            let what = match in_turn {
                true => "runs that were missed are being made up for",
                false => "a run waits for the tasks of the one before to end",
            };
            return Err(RequestError {
                kind: ErrorKind::FailedPrecondition,
                message: format!(
                    "{key} cannot be started now: {what}; try again when that is over"
                ),
            });
        }
        let trigger = CronTrigger::User(user.to_owned());
        let queued = vec![CronDue { due: self.now, trigger, in_turn: false }];
        self.scheduler.count("cron_job_triggers", 1);
        self.apply(Op::Cron(CronOp::Due { job, handled, queued }));
        self.advance_cron(key);
        let cron = self.scheduler.state.crons.get(key).filter(|cron| cron.queue.is_empty());
        let outcome = cron.and_then(|cron| cron.runs.back()).map(|run| run.outcome);
        Ok(CronResponse::Triggered { outcome })
    }
}

/// Whether it can be said when a job is due, and how runs follow each other.
pub(crate) fn check_timetable(
    job: &JobConfiguration,
    settings: &Settings,
) -> Result<Timetable, RequestError> {
    let table = Timetables::default()
        .read(job, settings)
        .map_err(|error| RequestError::invalid(format!("{}: {error}", job.key)))?;
    if job.cron_collision_policy == CronCollisionPolicy::RunOverlap {
        return Err(RequestError::invalid(
            "cron_collision_policy RUN_OVERLAP is not supported: use KILL_EXISTING or CANCEL_NEW",
        ));
    }
    Ok(table)
}

/// Why a key cannot become that of a cron job.
pub(crate) fn has_other_tasks(key: &JobKey) -> String {
    format!("{key} has active tasks of a job that is no cron job: end them first")
}

fn not_found(key: &JobKey) -> RequestError {
    RequestError { kind: ErrorKind::NotFound, message: format!("there is no cron job {key}") }
}
