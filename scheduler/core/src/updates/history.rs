//! Forgets old updates (`updates.md` 15).

use aurora_model::key::JobKey;
use aurora_model::update::UpdateKey;

use super::UpdateTimer;
use super::store::{Update, UpdateOp};
use crate::input::Op;
use crate::scheduler::{Scheduler, Turn};
use crate::task::MAX_FORGOTTEN_AT_ONCE;
use crate::timers::Timer;

/// Jobs whose updates are looked at in one step.
const JOBS_AT_ONCE: usize = 500;

impl Turn<'_> {
    /// Forgets updates that are over and too old, or too many, or whose job is forgotten: of the jobs
    /// from one on, or of all, some jobs at a time.
    pub(super) fn prune_updates(&mut self, from: Option<&JobKey>) {
        let Scheduler { state, settings, .. } = &*self.scheduler;
        let mut some: Vec<&JobKey> = state.updates.jobs_from(from).take(JOBS_AT_ONCE + 1).collect();
        let next = (some.len() > JOBS_AT_ONCE).then(|| some.pop().cloned()).flatten();
        let old: Vec<UpdateKey> = some.into_iter().flat_map(|job| self.old_updates(job)).collect();
        let interval = settings.update_history_interval_ms;
        if !old.is_empty() {
            self.scheduler.count("job_updates_pruned", old.len() as u64);
        }
        // Each is an event, which those who read events must be able to take.
        for some in old.chunks(MAX_FORGOTTEN_AT_ONCE) {
            self.apply(Op::Update(UpdateOp::Remove(some.to_vec())));
        }
        let wait = if next.is_some() { 1 } else { interval };
        if next.is_none() {
            let Scheduler { state, updating, .. } = &mut *self.scheduler;
            updating.asked.retain(|job, _| state.updates.of_job(job).next().is_some());
        }
        self.after(wait, Timer::Update(UpdateTimer::Prune(next)));
    }

    /// The updates of a job that are to be forgotten.
    fn old_updates(&self, job: &JobKey) -> Vec<UpdateKey> {
        let Scheduler { state, settings, .. } = &*self.scheduler;
        let oldest = self.now.plus_ms(settings.update_history_threshold_ms.saturating_neg());
        let is_gone = state.tasks_of(job).next().is_none();
        let over = state.updates.of_job(job).filter(|update| update.status().is_terminal());
        let (expired, mut others): (Vec<&Update>, Vec<&Update>) =
            over.partition(|update| is_gone || update.created() < oldest);
        others.sort_by_key(|update| (update.created(), update.update().key.id.clone()));
        let surplus = others.len().saturating_sub(settings.update_history_per_job);
        let forgotten = expired.into_iter().chain(others.into_iter().take(surplus));
        forgotten.map(|update| update.update().key.clone()).collect()
    }
}
