//! What updates need of quotas (`scheduler.md` 8).
//!
//! An instance that is updated is at each moment what it was, what it is to be, or gone. The quota
//! must have room for the most of that, so that neither the update nor its undoing can exceed it.

use std::collections::BTreeMap;
use std::sync::Arc;

use aurora_model::job::{JobConfiguration, TaskConfig};
use aurora_model::key::JobKey;
use aurora_model::update::UpdateInstructions;

use crate::input::RequestError;
use crate::quota::Usage;
use crate::scheduler::Scheduler;

impl Scheduler {
    /// What a role uses, what its updates may still need included.
    pub(crate) fn role_usage(&self, role: &str) -> Usage {
        self.role_usage_with(role, None, None)
    }

    /// The same, as if a job were updated so, or a cron job were in place of that of its key.
    pub(crate) fn role_usage_with(
        &self,
        role: &str,
        more: Option<(&JobKey, &UpdateInstructions)>,
        instead: Option<&JobConfiguration>,
    ) -> Usage {
        let mut usage = self.usage_with_crons(role, instead);
        let active = self.state.updates.active_of_role(role).map(|update| {
            let update = update.update();
            (&update.key.job, &update.instructions)
        });
        let others = active.filter(|(job, _)| more.is_none_or(|(instead, _)| instead != *job));
        for (job, instructions) in others.chain(more) {
            for (instance, configs) in configs_of(instructions) {
                let task = self.state.active_instance(job, instance);
                let now = task.map(|task| &*task.assigned.task);
                if let Some(now) = now {
                    usage.remove(now);
                }
                usage.add_most(configs.iter().map(|config| &***config).chain(now));
            }
        }
        usage
    }

    /// Whether an update is within its role's quota.
    pub(super) fn check_update_quota(
        &self,
        job: &JobKey,
        instructions: &UpdateInstructions,
    ) -> Result<(), RequestError> {
        let Some(desired) = &instructions.desired else { return Ok(()) };
        let wanted = self.role_usage_with(job.role(), Some((job, instructions)), None);
        self.check_usage(&desired.task, wanted.production_shared)
    }
}

/// What each instance that an update changes may be.
fn configs_of(instructions: &UpdateInstructions) -> BTreeMap<u32, Vec<&Arc<TaskConfig>>> {
    let UpdateInstructions { initial, desired, surge, .. } = instructions;
    let mut configs: BTreeMap<u32, Vec<&Arc<TaskConfig>>> = BTreeMap::new();
    for config in initial.iter().chain(desired) {
        for instance in config.iter() {
            configs.entry(instance).or_default().push(&config.task);
        }
    }
    if let Some(desired) = desired {
        for instance in surge.iter().flat_map(|range| range.iter()) {
            configs.entry(instance).or_default().push(&desired.task);
        }
    }
    configs
}
