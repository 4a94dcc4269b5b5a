//! Configurations that are there once however many share them.
//!
//! A log names a configuration with each change that brings it, and each run of a cron job is made of
//! a copy of its template. What is equal within a job is kept once, so that memory grows with
//! what differs. Nothing but memory depends on it.

use std::collections::BTreeMap;
use std::sync::{Arc, Weak};

use aurora_model::job::TaskConfig;
use aurora_model::key::JobKey;
use aurora_model::update::JobUpdate;

use crate::updates::UpdateSnapshot;

/// The configurations in use, by job.
#[derive(Debug, Clone, Default)]
pub(super) struct Configs {
    jobs: BTreeMap<JobKey, Vec<Weak<TaskConfig>>>,
    /// Looks since jobs of which nothing is left were last forgotten.
    looks: usize,
}

impl Configs {
    /// The configuration that is equal to this one and in use already, or else this one, which is in
    /// use from now on.
    pub(super) fn shared(&mut self, config: Arc<TaskConfig>) -> Arc<TaskConfig> {
        self.forget_unused();
        let known = self.jobs.entry(config.job.clone()).or_default();
        known.retain(|known| known.strong_count() > 0);
        let same = known
            .iter()
            .filter_map(Weak::upgrade)
            .find(|known| Arc::ptr_eq(known, &config) || *known == config);
        same.unwrap_or_else(|| {
            known.push(Arc::downgrade(&config));
            config
        })
    }

    /// An update whose configurations are those in use.
    pub(super) fn shared_in(&mut self, snapshot: &UpdateSnapshot) -> UpdateSnapshot {
        let mut snapshot = snapshot.clone();
        let mut update = JobUpdate::clone(&snapshot.update);
        let instructions = &mut update.instructions;
        for config in instructions.initial.iter_mut().chain(&mut instructions.desired) {
            config.task = self.shared(config.task.clone());
        }
        snapshot.update = Arc::new(update);
        snapshot
    }

    /// Forgets what is not in use, now and then, so that it costs no look more than a constant.
    fn forget_unused(&mut self) {
        self.looks += 1;
        if self.looks > self.jobs.len().max(1_000) {
            self.looks = 0;
            self.jobs.retain(|_, known| known.iter().any(|known| known.strong_count() > 0));
        }
    }
}
