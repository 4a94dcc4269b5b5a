//! Who may be stopped for whom.

use aurora_model::job::{ResourceBag, ScheduledTask, TaskConfig, TaskState, Timestamp};

use crate::placement::Wanted;
use crate::scheduler::Scheduler;
use crate::settings::Settings;

/// A task that may be stopped.
#[derive(Debug)]
pub(super) struct Victim<'a> {
    pub(super) task: &'a ScheduledTask,
    /// What comes free of resources that stay, ports counted.
    pub(super) fixed: ResourceBag,
    /// What comes free of those that may be taken away.
    pub(super) revocable: ResourceBag,
}

impl<'a> Victim<'a> {
    fn new(task: &'a ScheduledTask, settings: &Settings) -> Self {
        let wanted = Wanted::of(&task.assigned.task, settings);
        let (mut fixed, revocable) = wanted.split();
        fixed.ports = wanted.resources.ports;
        Self { task, fixed, revocable }
    }

    /// How much it frees, of the most telling kind first.
    pub(super) fn size(&self) -> [u64; 5] {
        let ResourceBag { cpus, ram_mb, disk_mb, ports, gpus } = self.fixed;
        [cpus.0, ram_mb, disk_mb, ports, gpus]
    }
}

impl Scheduler {
    /// The task as one that may be stopped for another of a configuration, if it may.
    pub(super) fn victim<'a>(
        &self,
        now: Timestamp,
        waiting: &TaskConfig,
        task: &'a ScheduledTask,
    ) -> Option<Victim<'a>> {
        // What is on its way out already is not stopped once more, and what is out of reach frees
        // nothing.
        let runs =
            matches!(task.state, TaskState::Assigned | TaskState::Starting | TaskState::Running);
        let config = &task.assigned.task;
        let settings = &self.settings;
        let may = runs
            && may_preempt(waiting, config, settings)
            && (settings.preempt_production || !config.production)
            && self.may_stop(task, now);
        may.then(|| Victim::new(task, settings))
    }
}

fn is_preemptible(config: &TaskConfig, settings: &Settings) -> bool {
    let tier = config.tier.as_deref().unwrap_or(&settings.default_tier);
    settings.tiers.get(tier).is_some_and(|tier| tier.preemptible)
}

/// Whether one is more important than the other: by tier, or within a role by priority.
fn may_preempt(waiting: &TaskConfig, victim: &TaskConfig, settings: &Settings) -> bool {
    let (ours, theirs) = (is_preemptible(waiting, settings), is_preemptible(victim, settings));
    if ours == theirs {
        waiting.job.role() == victim.job.role() && waiting.priority > victim.priority
    } else {
        theirs
    }
}
