//! Forgets old updates (`updates.md` 15).

use aurora_model::key::JobKey;
use aurora_model::update::UpdateKey;

use super::UpdateTimer;
use super::store::{Update, UpdateOp};
use crate::input::Op;
use crate::scheduler::{Scheduler, Turn};
use crate::timers::Timer;

impl Turn<'_> {
    /// Forgets updates that are over and too old, or too many, or whose job is forgotten.
    pub(super) fn prune_updates(&mut self) {
        let Scheduler { state, settings, .. } = &*self.scheduler;
        let oldest = self.now.plus_ms(-settings.update_history_threshold_ms);
        let jobs: Vec<&JobKey> = state.updates.jobs().collect();
        let mut old: Vec<UpdateKey> = Vec::new();
        for job in jobs {
            let is_gone = state.tasks_of(job).next().is_none();
            let over = state.updates.of_job(job).filter(|update| update.status().is_terminal());
            let (expired, mut others): (Vec<&Update>, Vec<&Update>) =
                over.partition(|update| is_gone || update.created() < oldest);
            others.sort_by_key(|update| (update.created(), update.update().key.id.clone()));
            let surplus = others.len().saturating_sub(settings.update_history_per_job);
            let forgotten = expired.into_iter().chain(others.into_iter().take(surplus));
            old.extend(forgotten.map(|update| update.update().key.clone()));
        }
        let interval = settings.update_history_interval_ms;
        let Scheduler { state, updating, .. } = &mut *self.scheduler;
        updating.asked.retain(|job, _| state.updates.of_job(job).next().is_some());
        if !old.is_empty() {
            self.scheduler.count("job_updates_pruned", old.len() as u64);
            self.apply(Op::Update(UpdateOp::Remove(old)));
        }
        self.after(interval, Timer::Update(UpdateTimer::Prune));
    }
}
