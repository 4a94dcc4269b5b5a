//! What an update does next (`updates.md` 6, 9 and 10): decided here, carried out in `act`.

use std::collections::BTreeSet;

use aurora_model::update::UpdateStatus;

use super::course::Phase;
use super::judge::{Need, Observed, judge};
use super::store::Update;
use super::strategy::{group_size, rest_of_batch};

/// Instances that one look takes up, or looks at: each is some changes, and others want to be heard too.
pub(super) const AT_ONCE: usize = 200;

/// What an update does next.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Plan {
    /// How far instances have come, in this order.
    pub(super) phases: Vec<(u32, Phase)>,
    /// What they need.
    pub(super) needs: Vec<(u32, Need)>,
    pub(super) outcome: Outcome,
    /// Whether there are more to take up than one look does.
    pub(super) has_more: bool,
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

/// Looks at the instances that may have changed, and takes up others, `most` of them, if there is room.
pub(super) fn plan(
    update: &Update,
    changed: &BTreeSet<u32>,
    most: usize,
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
    let mut room = most;
    loop {
        let Group { instances, is_begun } = next_group(update, done, working);
        if instances.is_empty() {
            break;
        }
        if room == 0 {
            plan.has_more = true;
            break;
        }
        let need_of = |instance: &u32| need(update, *instance, &observe);
        // A batch that has begun is not stopped in its middle, however it was taken up.
        if !is_begun
            && course.acted
            && pauses_between_batches(update)
            && instances.iter().any(|instance| need_of(instance) != Need::Nothing)
        {
            plan.outcome = Outcome::Pause;
            return plan;
        }
        for instance in instances.iter().take(room) {
            done += 1;
            room -= 1;
            match need_of(instance) {
                Need::Nothing => plan.phases.push((*instance, Phase::Good)),
                need => {
                    plan.phases.push((*instance, Phase::Working));
                    plan.needs.push((*instance, need));
                    working += 1;
                }
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

/// Instances that are taken up together.
struct Group<'a> {
    instances: &'a [u32],
    /// Whether they are the rest of a batch of which some have been taken up.
    is_begun: bool,
}

/// The instances to be taken up now, after the first `done` ones, while so many are `working`.
fn next_group(update: &Update, done: usize, working: usize) -> Group<'_> {
    let course = &update.course;
    let (surge, lead) = (course.surge(), course.surge() + course.canary());
    let waiting = course.order().len() - done;
    let (strategy, back) = (&update.settings().strategy, update.is_back());
    // Those that run beside the others, and those that go first, are batches of their own.
    let (size, is_begun) = if done < surge {
        (surge - done, done > 0)
    } else if done < lead {
        match (done == surge, working) {
            (true, 1..) => (0, false),
            (is_first, _) => (lead - done, !is_first),
        }
    } else if done == lead && lead > 0 && working > 0 {
        (0, false)
    } else {
        match rest_of_batch(strategy, back, lead - surge, done - surge, waiting) {
            0 => (group_size(strategy, back, done - surge, waiting, working), false),
            rest => (rest, true),
        }
    };
    Group { instances: course.order().get(done..done + size).unwrap_or_default(), is_begun }
}

fn need(update: &Update, instance: u32, observe: impl Fn(u32) -> Option<Observed>) -> Need {
    let settings = update.settings();
    let canary = settings.canary.filter(|_| update.course.is_canary(instance));
    let watch = canary.map_or(0, |canary| canary.watch_ms).max(settings.min_wait_in_running_ms);
    judge(update.wanted(instance).is_some(), observe(instance), i64::from(watch))
}
