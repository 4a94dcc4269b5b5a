//! What updates need of quotas (`scheduler.md` 8).
//!
//! An instance that is updated is at each moment what it was, what it is to be, or gone. The quota
//! must have room for the most of that, so that neither the update nor its undoing can exceed it.

use std::sync::Arc;

use aurora_model::job::{JobConfiguration, TaskConfig};
use aurora_model::key::JobKey;
use aurora_model::update::UpdateInstructions;

use crate::input::RequestError;
use crate::quota::{Usage, runs};
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
            let mut tasks = self.state.active_of(job).peekable();
            for Segment { first, end, configs } in segments(instructions) {
                let configs = || configs.iter().map(|config| &***config);
                while tasks.next_if(|task| u64::from(task.assigned.instance) < first).is_some() {}
                let inside = std::iter::from_fn(|| {
                    tasks.next_if(|task| u64::from(task.assigned.instance) < end)
                });
                let mut missing = end - first;
                for (now, count) in runs(inside.map(|task| &task.assigned.task)) {
                    usage.remove_all(now, count);
                    usage.add_most(configs().chain([&**now]), count);
                    missing = missing.saturating_sub(u64::from(count));
                }
                usage.add_most(configs(), u32::try_from(missing).unwrap_or(u32::MAX));
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

/// Instances in a row that an update may make the same things of.
struct Segment<'a> {
    first: u64,
    /// After the last.
    end: u64,
    /// What each of them may be.
    configs: Vec<&'a Arc<TaskConfig>>,
}

/// The instances that an update changes, by number.
fn segments(instructions: &UpdateInstructions) -> Vec<Segment<'_>> {
    let UpdateInstructions { initial, desired, surge, .. } = instructions;
    let beside =
        desired.iter().flat_map(|desired| surge.iter().map(|range| (range, &desired.task)));
    let ranges = initial
        .iter()
        .chain(desired)
        .flat_map(|config| config.instances.iter().map(|range| (range, &config.task)));
    let mut ranges: Vec<(u64, u64, &Arc<TaskConfig>)> = ranges
        .chain(beside)
        .map(|(range, task)| (u64::from(range.first), u64::from(range.last) + 1, task))
        .collect();
    ranges.sort_by_key(|(first, end, _)| (*first, *end));
    let mut edges: Vec<u64> = ranges.iter().flat_map(|(first, end, _)| [*first, *end]).collect();
    edges.sort_unstable();
    edges.dedup();
    let mut ranges = ranges.into_iter().peekable();
    // The ranges that have begun and not ended: an instance is in few.
    let mut open: Vec<(u64, &Arc<TaskConfig>)> = Vec::new();
    let mut segments = Vec::new();
    for edge in edges.windows(2) {
        let [first, end] = *edge else { continue };
        open.retain(|(last, _)| *last > first);
        while let Some((_, end, task)) = ranges.next_if(|(begin, ..)| *begin <= first) {
            open.push((end, task));
        }
        if !open.is_empty() {
            let configs = open.iter().map(|(_, task)| *task).collect();
            segments.push(Segment { first, end, configs });
        }
    }
    segments
}
