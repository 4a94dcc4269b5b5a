//! What an update does next (`updates.md` 6, 9 and 10): decided here, carried out in `act`.

use std::collections::BTreeSet;

use aurora_model::update::UpdateStatus;

use super::course::Phase;
use super::judge::{Need, Observed, judge};
use super::store::Update;
use super::strategy::group_size;

/// What an update does next.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Plan {
    /// How far instances have come, in this order.
    pub(super) phases: Vec<(u32, Phase)>,
    /// What they need.
    pub(super) needs: Vec<(u32, Need)>,
    pub(super) outcome: Outcome,
}

/// What becomes of the update.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) enum Outcome {
    /// It goes on.
    #[default]
    Going,
    /// A batch is done and the next one waits for somebody.
    Pause,
    /// Every instance is done.
    Done,
    /// Too many instances have failed; this is one of them.
    Failed(u32),
}

/// Looks at the instances that may have changed, and takes up others if there is room.
pub(super) fn plan(
    update: &Update,
    changed: &BTreeSet<u32>,
    observe: impl Fn(u32) -> Option<Observed>,
) -> Plan {
    let course = &update.course;
    let mut plan = Plan::default();
    if let Some(instance) = over_budget(update) {
        plan.outcome = Outcome::Failed(instance);
        return plan;
    }
    let mut working = course.working().len();
    for instance in changed.iter().filter(|instance| course.working().contains(instance)) {
        match need(update, *instance, &observe) {
            Need::Nothing => {
                plan.phases.push((*instance, Phase::Good));
                working -= 1;
            }
            need => plan.needs.push((*instance, need)),
        }
    }
    let mut done = course.done();
    loop {
        let group = next_group(update, done, working);
        if group.is_empty() {
            break;
        }
        let needs: Vec<(u32, Need)> =
            group.iter().map(|instance| (*instance, need(update, *instance, &observe))).collect();
        let acts = needs.iter().any(|(_, need)| *need != Need::Nothing);
        if acts && course.acted && pauses_between_batches(update) {
            plan.outcome = Outcome::Pause;
            return plan;
        }
        done += group.len();
        for (instance, need) in needs {
            if need == Need::Nothing {
                plan.phases.push((instance, Phase::Good));
            } else {
                plan.phases.push((instance, Phase::Working));
                plan.needs.push((instance, need));
                working += 1;
            }
        }
    }
    if working == 0 && done == course.order().len() {
        plan.outcome = Outcome::Done;
    }
    plan
}

/// An instance whose failure ends the update. Those that go first must not fail at all.
pub(super) fn over_budget(update: &Update) -> Option<u32> {
    let failed = update.course.failed();
    let max = usize::try_from(update.settings().max_failed_instances).unwrap_or(usize::MAX);
    let canary = failed.iter().find(|instance| update.course.is_canary(**instance));
    canary.or_else(|| failed.last().filter(|_| failed.len() > max)).copied()
}

/// How often an instance may fail.
pub(super) fn forgiven(update: &Update, instance: u32) -> u32 {
    if update.course.is_canary(instance) { 0 } else { update.settings().max_per_instance_failures }
}

/// Before the first batch there is nothing to look at, and on the way back nobody wants to wait.
fn pauses_between_batches(update: &Update) -> bool {
    update.status() == UpdateStatus::RollingForward && update.settings().strategy.autopauses()
}

/// The instances to be taken up now, after the first `done` ones, while so many are `working`.
fn next_group(update: &Update, done: usize, working: usize) -> &[u32] {
    let course = &update.course;
    let (surge, canary) = (course.surge(), course.surge() + course.canary());
    // Those that run beside the others, and those that go first, are batches of their own.
    let size = if done < canary {
        match working {
            0 if done < surge => surge - done,
            0 => canary - done,
            _ => 0,
        }
    } else if done == canary && canary > 0 && working > 0 {
        0
    } else {
        let waiting = course.order().len() - done;
        let strategy = &update.settings().strategy;
        group_size(strategy, update.is_back(), done - surge, waiting, working)
    };
    course.order().get(done..done + size).unwrap_or_default()
}

fn need(update: &Update, instance: u32, observe: impl Fn(u32) -> Option<Observed>) -> Need {
    let settings = update.settings();
    let canary = settings.canary.filter(|_| update.course.is_canary(instance));
    let watch = canary.map_or(0, |canary| canary.watch_ms).max(settings.min_wait_in_running_ms);
    judge(update.wanted(instance).is_some(), observe(instance), i64::from(watch))
}
