//! What is due, and what was missed.

use std::collections::{BTreeMap, VecDeque};

use aurora_model::cron::{
    CronDue, CronOutcome, CronRun, CronSkip, CronTrigger, Schedule, ScheduleError, UnknownZone,
    Zone,
};
use aurora_model::job::{CronCatchUp, JobConfiguration, Timestamp};
use aurora_model::key::JobKey;

use super::CronOp;
use crate::input::Op;
use crate::scheduler::{Scheduler, Turn};
use crate::settings::Settings;
use crate::timers::Timer;

/// A run that is started no later than this after it was due is on time: nobody need make up for
/// it.
const ON_TIME_MS: i64 = 60_000;

/// Due times of one job that are looked at in one step. A job that is due each minute misses half a
/// million in a year.
const DUES_AT_ONCE: usize = 1_000;

/// Something that is due at a time.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum CronTimer {
    /// A run of a job.
    Due(JobKey),
}

/// When a job is due, in which zone.
#[derive(Debug, Clone)]
pub(crate) struct Timetable {
    schedule: Schedule,
    pub(crate) zone: Zone,
}

/// Why it cannot be said when a job is due.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum TimetableError {
    #[error("it has no cron schedule: jobs without one are created, not scheduled")]
    Missing,
    #[error(transparent)]
    Schedule(#[from] ScheduleError),
    #[error(transparent)]
    Zone(#[from] UnknownZone),
}

impl Timetable {
    pub(crate) fn next(&self, after: Timestamp) -> Option<Timestamp> {
        self.schedule.after(after, &self.zone).next()
    }
}

/// The timetables of all cron jobs, read once.
#[derive(Debug, Default)]
pub(crate) struct Timetables {
    /// By the names that jobs and the settings have for them.
    zones: BTreeMap<String, Zone>,
    jobs: BTreeMap<JobKey, Result<Timetable, TimetableError>>,
    /// What was found so far of the due times of jobs that missed more than one step looks at.
    rows: BTreeMap<JobKey, Row>,
}

impl Timetables {
    pub(crate) fn read(
        &mut self,
        job: &JobConfiguration,
        settings: &Settings,
    ) -> Result<Timetable, TimetableError> {
        let schedule = job.cron_schedule.as_deref().ok_or(TimetableError::Missing)?.parse()?;
        let name = zone_name(job, settings);
        let zone = match self.zones.get(name) {
            Some(zone) => zone.clone(),
            None => {
                let zone: Zone = name.parse()?;
                self.zones.insert(name.to_owned(), zone.clone());
                zone
            }
        };
        Ok(Timetable { schedule, zone })
    }

    fn put(&mut self, job: &JobConfiguration, settings: &Settings) {
        let table = self.read(job, settings);
        self.rows.remove(&job.key);
        self.jobs.insert(job.key.clone(), table);
    }

    pub(crate) fn get(&self, job: &JobKey) -> Option<&Result<Timetable, TimetableError>> {
        self.jobs.get(job)
    }

    pub(crate) fn remove(&mut self, job: &JobKey) {
        self.rows.remove(job);
        self.jobs.remove(job);
    }
}

/// The name of the zone that a job's schedule is meant in.
pub(crate) fn zone_name<'a>(job: &'a JobConfiguration, settings: &'a Settings) -> &'a str {
    let own = job.cron_time_zone.as_deref().filter(|zone| !zone.is_empty());
    own.unwrap_or(&settings.cron_time_zone)
}

/// Due times in a row.
#[derive(Debug, Clone, Default)]
struct Row {
    first: Option<Timestamp>,
    count: u64,
    /// The last of them, as many as may be wanted.
    last: VecDeque<Timestamp>,
}

impl Row {
    /// Adds the due times that come next, after `after` if there are none yet, up to a time and
    /// [`DUES_AT_ONCE`] of them; the last `wanted` are kept. Gives how many these were.
    fn extend(
        &mut self,
        table: &Timetable,
        after: Timestamp,
        until: Timestamp,
        wanted: usize,
    ) -> usize {
        let before = self.count;
        let after = self.last.back().copied().unwrap_or(after);
        let dues = table.schedule.after(after, &table.zone);
        for due in dues.take_while(|due| *due <= until).take(DUES_AT_ONCE) {
            self.first.get_or_insert(due);
            self.count += 1;
            if self.last.len() == wanted {
                self.last.pop_front();
            }
            self.last.push_back(due);
        }
        usize::try_from(self.count - before).unwrap_or(usize::MAX)
    }

    /// Takes the last one away.
    fn pop(&mut self) -> Option<Timestamp> {
        let due = self.last.pop_back()?;
        self.count -= 1;
        Some(due)
    }

    /// What is recorded of all of them but the last `kept`.
    fn skipped(
        &self,
        kept: usize,
        end: Timestamp,
        at: Timestamp,
        reason: CronSkip,
    ) -> Option<CronRun> {
        let count = self.count.checked_sub(kept as u64).filter(|count| *count > 0)?;
        let outcome = CronOutcome::Skipped { reason, count, last: end };
        Some(CronRun { due: self.first?, at, trigger: CronTrigger::CatchUp, outcome })
    }
}

impl Turn<'_> {
    /// Makes anew what the log does not hold, and sees to what was missed meanwhile: in this step as
    /// far as that goes, as each missed run may start a whole job.
    pub(crate) fn start_cron(&mut self) {
        let jobs: Vec<JobKey> =
            self.scheduler.state.crons.iter().map(|(key, _)| key.clone()).collect();
        for job in jobs {
            self.read_timetable(&job);
            self.cron_in_time(&job);
        }
    }

    fn cron_in_time(&mut self, key: &JobKey) {
        if self.is_full() {
            self.after(1, Timer::Cron(CronTimer::Due(key.clone())));
            return;
        }
        self.advance_cron(key);
        self.cron_due(key);
    }

    pub(crate) fn run_cron_timer(&mut self, timer: CronTimer) {
        let CronTimer::Due(job) = timer;
        self.cron_in_time(&job);
    }

    /// Begins to see to the due times of a job that is new, replaced, or known from the log.
    pub(super) fn watch_cron(&mut self, key: &JobKey) {
        self.read_timetable(key);
        self.cron_due(key);
    }

    fn read_timetable(&mut self, key: &JobKey) {
        let Scheduler { state, settings, timetables, .. } = &mut *self.scheduler;
        let Some(cron) = state.crons.get(key) else { return };
        timetables.put(&cron.job, settings);
        if let Some(Err(_)) = timetables.get(key) {
            // It was accepted by a scheduler with other time zones; `query` says what is wrong.
            self.scheduler.count("cron_job_launch_failures", 1);
        }
    }

    /// Sees to all due times of a job up to now, and sets the timer for the next.
    fn cron_due(&mut self, key: &JobKey) {
        let Some(cron) = self.scheduler.state.crons.get(key) else { return };
        let Some(Ok(table)) = self.scheduler.timetables.get(key) else { return };
        let (handled, table) = (cron.handled, table.clone());
        let limit =
            usize::try_from(self.scheduler.settings.cron_catch_up_limit).unwrap_or(usize::MAX);
        let mut row = self.scheduler.timetables.rows.remove(key).unwrap_or_default();
        let found = row.extend(&table, handled, self.now, limit.saturating_add(1).max(2));
        self.spend(found);
        if found == DUES_AT_ONCE {
            self.scheduler.timetables.rows.insert(key.clone(), row);
            self.after(1, Timer::Cron(CronTimer::Due(key.clone())));
            return;
        }
        if let Some(latest) = row.last.back().copied() {
            self.take_row(key, row, latest, limit);
            self.advance_cron(key);
        }
        let handled = self.scheduler.state.crons.get(key).map_or(handled, |cron| cron.handled);
        if let Some(next) = table.next(handled) {
            let at = next.max(self.now.plus_ms(1));
            self.scheduler.timers.set(at, Timer::Cron(CronTimer::Due(key.clone())));
        }
    }

    /// Decides what is to become of due times in a row, of which `latest` is the last.
    fn take_row(&mut self, key: &JobKey, mut row: Row, latest: Timestamp, limit: usize) {
        let Some(cron) = self.scheduler.state.crons.get(key) else { return };
        let (now, policy, waiting) = (self.now, cron.job.cron_catch_up, cron.queue.len());
        let in_turn = cron.queue.iter().any(|due| due.in_turn);
        let is_on_time = now.ms_since(latest) <= ON_TIME_MS;
        let missed = if is_on_time { row.count - 1 } else { row.count };
        let mut queued = Vec::new();
        let mut records = Vec::new();
        let due = |due, trigger, in_turn| CronDue { due, trigger, in_turn };
        // Where none is made up for, those that are on time run all the same.
        let makes_up = policy == CronCatchUp::RunAll && limit > 0;
        if makes_up && (in_turn || missed > 0) {
            // All in order: also one that is on time waits until those before it have been made up
            // for.
            let room = limit.saturating_sub(waiting).min(row.last.len());
            let kept: Vec<Timestamp> =
                row.last.iter().skip(row.last.len() - room).copied().collect();
            let skipped = row.last.iter().rev().nth(room).copied();
            records.extend(
                skipped.and_then(|last| row.skipped(room, last, now, CronSkip::CatchUpLimit)),
            );
            queued.extend(kept.into_iter().map(|time| due(time, CronTrigger::CatchUp, true)));
        } else {
            // What is to be run now is the last one, if any.
            let run = match (is_on_time, policy) {
                (true, _) => row.pop().map(|time| due(time, CronTrigger::Schedule, false)),
                (false, CronCatchUp::Skip | CronCatchUp::RunAll) => None,
                (false, CronCatchUp::RunLatest) => {
                    row.pop().map(|time| due(time, CronTrigger::CatchUp, false))
                }
            };
            let reason = match policy {
                CronCatchUp::Skip => CronSkip::Policy,
                CronCatchUp::RunLatest => CronSkip::Superseded,
                // Of those it is only here what was missed beyond a limit of none.
                CronCatchUp::RunAll => CronSkip::CatchUpLimit,
            };
            let last = row.last.back().copied();
            records.extend(last.and_then(|last| row.skipped(0, last, now, reason)));
            match run {
                Some(run) if waiting > 0 => {
                    self.scheduler.count("cron_job_concurrent_runs", 1);
                    let outcome =
                        CronOutcome::Skipped { reason: CronSkip::Waiting, count: 1, last: run.due };
                    let CronDue { due, trigger, .. } = run;
                    records.push(CronRun { due, at: now, trigger, outcome });
                }
                run => queued.extend(run),
            }
        }
        self.scheduler.count("cron_job_misfires", missed);
        self.scheduler.count("cron_job_triggers", queued.len() as u64);
        self.apply(Op::Cron(CronOp::Due { job: key.clone(), handled: latest, queued }));
        if !records.is_empty() {
            let (job, runs) = (key.clone(), records);
            self.apply(Op::Cron(CronOp::Record { job, runs, taken: 0 }));
        }
    }
}
