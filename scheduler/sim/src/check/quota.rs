//! R3: what the production tasks of a role use, summed over them.

use std::collections::BTreeMap;

use aurora_model::quota::ResourceAggregate;

use super::watch::Tasks;
use crate::world::{Violation, broken};

/// The quotas that were set.
#[derive(Debug, Default)]
pub(crate) struct Quotas(pub(crate) BTreeMap<String, ResourceAggregate>);

impl Quotas {
    /// Compares each role's tasks with its quota; a role without one has none.
    pub(crate) fn check(&self, tasks: &Tasks) -> Result<(), Violation> {
        let mut used: BTreeMap<&str, ResourceAggregate> = BTreeMap::new();
        for task in
            tasks.active().filter(|task| task.config.production && !task.config.is_dedicated())
        {
            let sum = used.entry(task.config.job.role()).or_default();
            sum.cpus.0 += task.config.resources.cpus.0;
            sum.ram_mb += task.config.resources.ram_mb;
            sum.disk_mb += task.config.resources.disk_mb;
        }
        for (role, used) in used {
            let limit = self.0.get(role).copied().unwrap_or_default();
            if used.cpus > limit.cpus || used.ram_mb > limit.ram_mb || used.disk_mb > limit.disk_mb
            {
                return broken("R3", format!("{role} uses {used:?} of {limit:?}"));
            }
        }
        Ok(())
    }
}
