//! What can be asked of cron jobs without changing anything.

use std::sync::Arc;

use aurora_model::cron::{CronDue, CronRun};
use aurora_model::job::{JobConfiguration, Timestamp};
use aurora_model::key::JobKey;

use super::CronJob;
use super::due::zone_name;
use crate::scheduler::Scheduler;

/// A cron job, and how it goes.
#[derive(Debug, Clone, PartialEq)]
pub struct CronStatus {
    /// What each run is made of.
    pub job: Arc<JobConfiguration>,
    /// The time zone that its schedule is meant in.
    pub zone: String,
    /// When it is due next.
    pub next: Option<Timestamp>,
    /// Why it cannot be said when it is due.
    pub problem: Option<String>,
    /// Runs that are to be started.
    pub queue: Vec<CronDue>,
    /// The last runs and what became of them, oldest first.
    pub runs: Vec<CronRun>,
}

impl Scheduler {
    /// The cron jobs by key, those of a role if one is given, after the key if one is given. Each is
    /// made only when it is asked for.
    pub fn crons<'a>(
        &'a self,
        role: &'a str,
        after: Option<&JobKey>,
    ) -> impl Iterator<Item = CronStatus> + use<'a> {
        self.state.crons.of_role(role, after).map(|(_, cron)| self.cron_status(cron))
    }

    /// A cron job.
    pub fn cron(&self, key: &JobKey) -> Option<CronStatus> {
        self.state.crons.get(key).map(|cron| self.cron_status(cron))
    }

    /// How many cron jobs there are.
    pub fn cron_count(&self) -> usize {
        self.state.crons.iter().count()
    }

    fn cron_status(&self, cron: &CronJob) -> CronStatus {
        let zone = || zone_name(&cron.job, &self.settings).to_owned();
        let (zone, next, problem) = match self.timetables.get(&cron.job.key) {
            Some(Ok(table)) => (table.zone.name().to_owned(), table.next(cron.handled), None),
            Some(Err(error)) => (zone(), None, Some(error.to_string())),
            // It has not started yet.
            None => (zone(), None, None),
        };
        CronStatus {
            job: cron.job.clone(),
            zone,
            next,
            problem,
            queue: cron.queue.iter().cloned().collect(),
            runs: cron.runs.iter().cloned().collect(),
        }
    }
}
