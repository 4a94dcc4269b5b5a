//! U1 to U7: how far updates come, and what they do on their way.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use aurora_model::job::{SlaPolicy, TaskConfig, TaskState, Timestamp};
use aurora_model::key::JobKey;
use aurora_model::update::UpdateStatus::{self, *};
use aurora_model::update::{
    InstanceRange, JobUpdate, UpdateInstructions, UpdateKey, UpdateSettings, UpdateStrategy,
};
use aurora_scheduler_core::{Op, Phase, State, UpdateOp};

use super::watch::{Task, Tasks};
use crate::cover::Coverage;
use crate::world::{Violation, broken};

/// Where an update may go, written down once more.
const ROWS: &[(UpdateStatus, &[UpdateStatus])] = &[
    (RollForwardPaused, &[RollForwardAwaitingPulse, RollingForward, RollingBack, Aborted, Error]),
    (RollBackPaused, &[RollBackAwaitingPulse, RollingBack, Aborted, Error]),
    (RollForwardAwaitingPulse, &[RollForwardPaused, RollingForward, RollingBack, Aborted, Error]),
    (RollBackAwaitingPulse, &[RollBackPaused, RollingBack, Aborted, Error]),
    (
        RollingForward,
        &[
            Aborted,
            Error,
            Failed,
            RollForwardAwaitingPulse,
            RollForwardPaused,
            RolledForward,
            RollingBack,
        ],
    ),
    (RollingBack, &[Aborted, Error, Failed, RollBackAwaitingPulse, RollBackPaused, RolledBack]),
];

/// Transitions that are in the table and that nothing leads to: no update ends in ERROR but by a
/// mistake of the program.
fn is_out_of_reach(to: UpdateStatus) -> bool {
    to == Error
}

/// Every transition that can be reached.
pub(crate) fn all() -> impl Iterator<Item = (UpdateStatus, UpdateStatus)> {
    ROWS.iter()
        .flat_map(|(from, targets)| targets.iter().map(|to| (*from, *to)))
        .filter(|(_, to)| !is_out_of_reach(*to))
}

/// The name of a transition among the paths that were taken.
pub(crate) fn path(from: UpdateStatus, to: UpdateStatus) -> String {
    format!("update: {from} -> {to}")
}

#[derive(Debug)]
struct Update {
    update: Arc<JobUpdate>,
    status: UpdateStatus,
    phases: BTreeMap<u32, (Phase, u32)>,
    last_pulse: Option<Timestamp>,
    /// The instances that were taken up first of all, and must not fail. Which these were is not
    /// known of an update that was far when its scheduler began.
    canary: BTreeSet<u32>,
    canary_unknown: bool,
    /// It began before its scheduler did.
    restored: bool,
    /// Instances that an operator has forced to end.
    excused: BTreeSet<u32>,
    /// Something was done since the last pause between two batches.
    acted: bool,
}

impl Update {
    fn settings(&self) -> &UpdateSettings {
        &self.update.instructions.settings
    }

    fn is_back(&self) -> bool {
        matches!(self.status, RollingBack | RollBackPaused | RollBackAwaitingPulse | RolledBack)
    }

    fn is_surge(&self, instance: u32) -> bool {
        self.update.instructions.surge.is_some_and(|range| range.contains(instance))
    }

    fn working(&self) -> usize {
        self.phases.values().filter(|(phase, _)| *phase == Phase::Working).count()
    }

    fn failed(&self) -> BTreeSet<u32> {
        let failed = self.phases.iter().filter(|(_, (phase, _))| *phase == Phase::Failed);
        failed.map(|(instance, _)| *instance).collect()
    }

    /// How many instances may be on their way.
    fn limit(&self) -> usize {
        let size = match &self.settings().strategy {
            UpdateStrategy::Queue { group_size } | UpdateStrategy::Batch { group_size, .. } => {
                *group_size
            }
            UpdateStrategy::VariableBatch { group_sizes, .. } => {
                group_sizes.iter().copied().max().unwrap_or(1)
            }
        };
        let surge = self.update.instructions.surge.map_or(0, |range| range.count());
        let size = u64::from(size).max(surge).max(canaries(&self.update) as u64);
        usize::try_from(size).unwrap_or(usize::MAX)
    }

    fn is_in_scope(&self, instance: u32) -> bool {
        let instructions = &self.update.instructions;
        let listed = instructions.initial.iter().chain(&instructions.desired);
        (listed.into_iter().any(|config| config.contains(instance))
            && self.settings().is_in_scope(instance))
            || self.is_surge(instance)
    }

    fn must_be_forgiven(&self, instance: u32) -> u32 {
        if !self.is_back() && self.canary.contains(&instance) {
            0
        } else {
            self.settings().max_per_instance_failures
        }
    }
}

/// The updates of one scheduler that are not over.
#[derive(Debug, Default)]
pub(crate) struct Updates {
    going: BTreeMap<UpdateKey, Update>,
    /// How many instances of each were on their way when the step began, and whether anything was
    /// done since its last pause.
    before: BTreeMap<UpdateKey, (usize, bool)>,
    touched: bool,
    /// The runs that have ended in this step while their updates were working on them, and nobody
    /// had told them to: each is a failure.
    fallen: Vec<Fallen>,
    /// The updates that have ended in this step and had instances beside the others.
    ended: Vec<(UpdateKey, InstanceRange)>,
}

/// A run that has failed its update.
#[derive(Debug, PartialEq, Eq)]
struct Fallen {
    key: UpdateKey,
    instance: u32,
    was_back: bool,
    counted: bool,
}

impl Updates {
    pub(crate) fn new(state: &State) -> Self {
        let mut updates = Self::default();
        // A snapshot tells of updates as ops do.
        for op in state.to_ops() {
            if let Op::Update(op) = op {
                // What was wrong with it was found when it was written.
                let _ = updates.take(&op, true, &Tasks::default(), &mut Coverage::default());
            }
        }
        updates
    }

    /// A step begins.
    pub(crate) fn before(&mut self) {
        let going = self.going.iter();
        self.before =
            going.map(|(key, update)| (key.clone(), (update.working(), update.acted))).collect();
        self.touched = false;
        self.fallen.clear();
        self.ended.clear();
    }

    /// A run has ended, and not because it was told to.
    pub(crate) fn fell(&mut self, job: &JobKey, instance: u32, config: &Arc<TaskConfig>) {
        let Some((key, update)) = self.going.iter().find(|(key, _)| key.job == *job) else {
            return;
        };
        let is_working =
            update.phases.get(&instance).is_some_and(|(phase, _)| *phase == Phase::Working);
        if is_working && self.wanted(key, instance).is_some_and(|wanted| wanted == *config) {
            let (key, was_back) = (key.clone(), update.is_back());
            self.fallen.push(Fallen { key, instance, was_back, counted: false });
        }
    }

    /// What an instance is to be, in the direction in which its update goes.
    pub(crate) fn wanted(&self, key: &UpdateKey, instance: u32) -> Option<Arc<TaskConfig>> {
        let update = self.going.get(key)?;
        let instructions = &update.update.instructions;
        let found = if update.is_back() {
            instructions.initial.iter().find(|config| config.contains(instance))
        } else {
            let desired = instructions.desired.as_ref();
            desired.filter(|desired| desired.contains(instance) || update.is_surge(instance))
        };
        found.map(|config| config.task.clone())
    }

    /// The policy that an update must heed when it stops an instance, if there is one.
    pub(crate) fn policy(&self, job: &JobKey, instance: u32) -> Option<SlaPolicy> {
        let (key, update) = self.going.iter().find(|(key, _)| key.job == *job)?;
        if !update.settings().sla_aware || update.is_surge(instance) {
            return None;
        }
        self.wanted(key, instance)?.sla_policy.clone()
    }

    /// An operator forces an instance to end.
    pub(crate) fn excuse(&mut self, job: &JobKey, instance: u32) {
        for (_, update) in self.going.iter_mut().filter(|(key, _)| key.job == *job) {
            update.excused.insert(instance);
        }
    }

    /// An op of the step.
    pub(crate) fn live(
        &mut self,
        op: &UpdateOp,
        tasks: &Tasks,
        cover: &mut Coverage,
    ) -> Result<(), Violation> {
        self.touched = true;
        if let UpdateOp::Phase { key, instance, phase: Phase::Working } = op
            && let Some(update) = self.going.get(key)
            && update.status == RollingForward
            && update.settings().strategy.autopauses()
            && !update.is_surge(*instance)
            && self.before.get(key) == Some(&(0, true))
        {
            return broken("U7", format!("{key} goes on to the next batch and did not pause"));
        }
        self.take(op, false, tasks, cover)
    }

    /// The step is over.
    pub(crate) fn after(&self, now: Timestamp, tasks: &Tasks) -> Result<(), Violation> {
        for (key, surge) in &self.ended {
            let left = tasks
                .of_job(&key.job)
                .find(|task| surge.contains(task.instance) && task.state != TaskState::Killing);
            if let Some(Task { instance, state, .. }) = left {
                return broken(
                    "U5",
                    format!("{key} is over and {instance}, beside it, is {state}"),
                );
            }
        }
        // What an update has left behind in the same step is not counted any more.
        let missed = self.fallen.iter().find(|fallen| {
            let update = self.going.get(&fallen.key);
            !fallen.counted && update.is_some_and(|update| update.is_back() == fallen.was_back)
        });
        if let Some(Fallen { key, instance, .. }) = missed {
            return broken("U2", format!("{key}: {instance} has failed, which is not counted"));
        }
        for (key, update) in &self.going {
            if let Some(timeout) = update.settings().pulse_timeout_ms
                && update.status.is_rolling()
                && update.last_pulse.is_none_or(|last| now.ms_since(last) > i64::from(timeout) + 1)
            {
                return broken("U6", format!("{key} goes on without a pulse"));
            }
            if self.touched {
                check_budgets(key, update)?;
            }
        }
        Ok(())
    }

    fn take(
        &mut self,
        op: &UpdateOp,
        restored: bool,
        tasks: &Tasks,
        cover: &mut Coverage,
    ) -> Result<(), Violation> {
        match op {
            UpdateOp::Put(snapshot) => {
                let status = snapshot.events.last().map_or(Error, |event| event.status);
                let key = snapshot.update.key.clone();
                if status.is_terminal() {
                    return Ok(());
                }
                if let Some(other) = self.going.keys().find(|other| other.job == key.job) {
                    return broken("U6", format!("{key} begins while {other} goes on"));
                }
                let update = snapshot.update.clone();
                if !restored {
                    kinds(&update).for_each(|kind| cover.path(kind));
                }
                let count = canaries(&update);
                // Neither those that run beside the others nor those that go are canaries.
                let UpdateInstructions { surge, desired, .. } = &update.instructions;
                let may_be = |instance: &u32| {
                    !surge.is_some_and(|range| range.contains(*instance))
                        && desired.iter().any(|desired| desired.contains(*instance))
                };
                let first: BTreeSet<u32> =
                    snapshot.taken.iter().map(|(instance, _)| *instance).filter(may_be).collect();
                let is_far = first.len() > count;
                let canary = if is_far { BTreeSet::new() } else { first };
                let canary_unknown = count > 0 && is_far;
                let phases: BTreeMap<u32, (Phase, u32)> = snapshot
                    .taken
                    .iter()
                    .map(|(instance, taken)| (*instance, (taken.phase, taken.failures)))
                    .collect();
                let (last_pulse, acted) = (snapshot.last_pulse, snapshot.acted);
                self.going.insert(
                    key,
                    Update {
                        update,
                        status,
                        phases,
                        last_pulse,
                        canary,
                        canary_unknown,
                        restored,
                        excused: BTreeSet::new(),
                        acted,
                    },
                );
            }
            UpdateOp::Status { key, event, between_batches } => {
                let Some(update) = self.going.get_mut(key) else {
                    return broken("U6", format!("{key} goes to {} and is over", event.status));
                };
                let (from, to) = (update.status, event.status);
                let is_row = ROWS.iter().any(|(row, to_all)| *row == from && to_all.contains(&to));
                if !is_row {
                    return broken("U4", format!("{key} goes from {from} to {to}"));
                }
                cover.path(path(from, to));
                if *between_batches {
                    cover.path("update: paused between batches");
                    update.acted = false;
                }
                let by_itself = event.user.is_none();
                let has_failed = match from {
                    RollingForward => matches!(to, RollingBack | Failed),
                    RollingBack => to == Failed,
                    _ => false,
                };
                if by_itself && has_failed {
                    let failed = update.failed();
                    let max = usize::try_from(update.settings().max_failed_instances);
                    let is_canary = |instance: &u32| {
                        !update.is_back()
                            && (update.canary_unknown || update.canary.contains(instance))
                    };
                    let is_over =
                        failed.len() > max.unwrap_or(usize::MAX) || failed.iter().any(is_canary);
                    if !is_over {
                        return broken(
                            "U2",
                            format!("{key} goes to {to} with {} failed instances", failed.len()),
                        );
                    }
                }
                check_end(key, update, to, tasks)?;
                let was_back = update.is_back();
                update.status = to;
                if update.is_back() && !was_back {
                    update.phases.clear();
                    update.acted = false;
                }
                if to.is_terminal() {
                    let surge = update.update.instructions.surge;
                    self.ended.extend(surge.map(|surge| (key.clone(), surge)));
                    self.going.remove(key);
                }
            }
            UpdateOp::Phase { key, instance, phase } => {
                let Some(update) = self.going.get_mut(key) else {
                    return broken("U4", format!("{key} is over and works on {instance}"));
                };
                if *phase == Phase::Working {
                    if !update.status.is_rolling() {
                        return broken(
                            "U4",
                            format!("{key} is {} and takes up {instance}", update.status),
                        );
                    }
                    if !update.is_surge(*instance) {
                        update.acted = true;
                    }
                }
                if !update.is_in_scope(*instance) {
                    return broken("U3", format!("{key} works on {instance}"));
                }
                let is_new = !update.phases.contains_key(instance);
                let is_canary = is_new
                    && !update.is_back()
                    && !update.is_surge(*instance)
                    && update.update.instructions.desired.iter().any(|d| d.contains(*instance))
                    && update.canary.len() < canaries(&update.update);
                if is_canary {
                    update.canary.insert(*instance);
                }
                update.phases.entry(*instance).or_insert((*phase, 0)).0 = *phase;
            }
            UpdateOp::Failure { key, instance } => {
                let fallen = self.fallen.iter_mut().find(|fallen| {
                    !fallen.counted && fallen.key == *key && fallen.instance == *instance
                });
                match fallen {
                    Some(fallen) => fallen.counted = true,
                    None if restored => {}
                    None => {
                        return broken(
                            "U2",
                            format!("{key}: a failure of {instance} is counted that was none"),
                        );
                    }
                }
                if let Some(update) = self.going.get_mut(key)
                    && let Some((_, failures)) = update.phases.get_mut(instance)
                {
                    *failures += 1;
                    cover.path("update: an instance failed");
                }
            }
            UpdateOp::Pulse { key, at } => {
                if let Some(update) = self.going.get_mut(key) {
                    update.last_pulse = Some(*at);
                }
            }
            UpdateOp::Add { key, instance, .. } => {
                let Some(update) = self.going.get(key) else {
                    return broken("U4", format!("{key} is over and adds {instance}"));
                };
                if !update.status.is_rolling() {
                    return broken("U4", format!("{key} is {} and adds {instance}", update.status));
                }
                if !update.is_in_scope(*instance) {
                    return broken("U3", format!("{key} adds {instance}"));
                }
            }
            UpdateOp::Events { .. } | UpdateOp::Remove(_) => {}
        }
        Ok(())
    }
}

/// What kinds of update there are, all of which are to be begun.
pub(crate) const KINDS: [&str; 7] = [
    "update: begun",
    "update: begun with canaries",
    "update: begun with surge",
    "update: begun with pulses",
    "update: begun for some instances",
    "update: begun, heeding policies",
    "update: begun for a job that was not there",
];

/// Which of these an update is.
fn kinds(update: &JobUpdate) -> impl Iterator<Item = &'static str> {
    let UpdateInstructions { settings, surge, initial, .. } = &update.instructions;
    let is = [
        true,
        settings.canary.is_some(),
        surge.is_some(),
        settings.pulse_timeout_ms.is_some(),
        !settings.only_instances.is_empty(),
        settings.sla_aware,
        initial.is_empty(),
    ];
    KINDS.into_iter().zip(is).filter_map(|(kind, is)| is.then_some(kind))
}

/// How many instances go first.
fn canaries(update: &JobUpdate) -> usize {
    let count = update.instructions.settings.canary.map_or(0, |canary| canary.instances);
    usize::try_from(count).unwrap_or(usize::MAX)
}

/// U1 and U2, whenever something has happened.
fn check_budgets(key: &UpdateKey, update: &Update) -> Result<(), Violation> {
    if update.working() > update.limit() {
        return broken(
            "U1",
            format!(
                "{key} has {} instances on their way; at most {}",
                update.working(),
                update.limit()
            ),
        );
    }
    for (instance, (phase, failures)) in &update.phases {
        let forgiven = update.must_be_forgiven(*instance);
        if update.canary_unknown && !update.is_back() {
            continue;
        }
        if *failures > forgiven && *phase != Phase::Failed {
            return broken(
                "U2",
                format!("{key}: {instance} has failed {failures} times and is {phase:?}"),
            );
        }
        if *phase == Phase::Failed && *failures != forgiven + 1 {
            return broken(
                "U2",
                format!(
                    "{key}: {instance} is given up after {failures} failures, not {}",
                    forgiven + 1
                ),
            );
        }
    }
    let max = usize::try_from(update.settings().max_failed_instances).unwrap_or(usize::MAX);
    if update.failed().len() > max && update.status.is_rolling() {
        return broken(
            "U2",
            format!("{key} goes on with {} failed instances", update.failed().len()),
        );
    }
    Ok(())
}

/// U5, and the like for the way forward: at its end everything is as it should be.
fn check_end(
    key: &UpdateKey,
    update: &Update,
    to: UpdateStatus,
    tasks: &Tasks,
) -> Result<(), Violation> {
    let instructions = &update.instructions_of(to);
    let Some(wanted) = instructions else { return Ok(()) };
    let failed = update.failed();
    for (instance, (phase, _)) in &update.phases {
        if *phase != Phase::Good || failed.contains(instance) || update.is_surge(*instance) {
            continue;
        }
        let there = tasks.of_job(&key.job).find(|task| task.instance == *instance);
        let expected = wanted.iter().find(|config| config.contains(*instance));
        let is_right = match (there, expected) {
            (Some(task), Some(config)) => task.config == config.task,
            // One that ends by itself may be over, and one that was forced to.
            (None, Some(config)) => {
                !config.task.is_service || update.restored || update.excused.contains(instance)
            }
            (Some(task), None) => task.state == TaskState::Killing,
            (None, None) => true,
        };
        if !is_right {
            return broken("U5", format!("{key} is {to} and {instance} is not what it should be"));
        }
    }
    Ok(())
}

impl Update {
    /// What each instance is to be at the end, if that end promises anything.
    fn instructions_of(
        &self,
        to: UpdateStatus,
    ) -> Option<Vec<aurora_model::update::InstanceConfig>> {
        let instructions = &self.update.instructions;
        match to {
            RolledForward => Some(instructions.desired.iter().cloned().collect()),
            RolledBack => Some(instructions.initial.clone()),
            _ => None,
        }
    }
}
