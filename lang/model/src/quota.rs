//! What quotas are about (`scheduler.md` 2.13): cores, memory and disk. Ports and GPUs are free, and
//! what the executor needs for itself does not count.

use serde::{Deserialize, Serialize};

use crate::job::{MilliCpus, TaskResources};

/// The largest amount of memory or of disk that a quota can grant, in MiB: far above any cluster, far
/// below overflow.
pub const MAX_QUOTA_MB: u64 = 1 << 50;

/// An amount of each kind of resource that a quota limits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
pub struct ResourceAggregate {
    /// CPU.
    pub cpus: MilliCpus,
    /// Memory, in MiB.
    pub ram_mb: u64,
    /// Disk, in MiB.
    pub disk_mb: u64,
}

impl From<&TaskResources> for ResourceAggregate {
    fn from(resources: &TaskResources) -> Self {
        let &TaskResources { cpus, ram_mb, disk_mb, .. } = resources;
        Self { cpus, ram_mb, disk_mb }
    }
}
