//! S1, S2 and R5: what stops tasks of the scheduler's own accord.

use std::collections::{BTreeMap, BTreeSet};

use aurora_model::job::{SlaPolicy, TaskConfig, TaskState, Timestamp};
use aurora_model::maintenance::{Drain, MaintenanceCause, MaintenanceMode};
use aurora_scheduler_core::{CoordinatorAnswer, Input, InverseOffer, MaintenanceOp, State};

use super::offers::UNAVAILABLE_MS;
use super::watch::{Task, Tasks};
use crate::cover::Coverage;
use crate::world::{Violation, broken};

/// Instances below which policies protect nothing, as simulated schedulers are set.
pub(crate) const MIN_INSTANCES: u32 = 3;
/// How long after its deadline a drain may take to be noticed: one look around, and a moment.
const PATIENCE_MS: i64 = 61_000;

/// The drains of one scheduler.
#[derive(Debug, Default)]
pub(crate) struct Voluntary {
    drains: BTreeMap<String, Drain>,
    /// The hosts that take no tasks, as operators or the master wish.
    left: BTreeSet<String>,
    /// When the maintenance begins that the master has announced of a host, since when that is known
    /// and when it was heard last.
    announced: BTreeMap<String, Announced>,
    registered: Option<Timestamp>,
}

#[derive(Debug, Clone, Copy)]
struct Announced {
    from: Timestamp,
    since: Timestamp,
    heard: Timestamp,
}

/// How many of a job's instances must be up.
fn needed(policy: &SlaPolicy, total: u64) -> Option<u64> {
    let all_but_one = total.saturating_sub(1);
    match policy {
        SlaPolicy::Count { count, .. } => Some((*count).min(all_but_one)),
        SlaPolicy::Percentage { percentage, .. } => {
            // The smallest number that is at least that share.
            let enough = |up: u64| {
                #[expect(clippy::cast_precision_loss, reason = "instances are few")]
                let share = up as f64 * 100.0 / total as f64;
                share + 1e-6 >= *percentage
            };
            Some((0..=total).find(|up| enough(*up)).unwrap_or(total).min(all_but_one))
        }
        SlaPolicy::Coordinator { .. } => None,
    }
}

fn duration_ms(policy: &SlaPolicy) -> i64 {
    match policy {
        SlaPolicy::Count { duration_secs, .. } | SlaPolicy::Percentage { duration_secs, .. } => {
            i64::try_from(*duration_secs).unwrap_or(0) * 1000
        }
        SlaPolicy::Coordinator { .. } => 0,
    }
}

/// Whether a task's tier lets it be stopped for others.
fn gives_way(config: &TaskConfig) -> bool {
    config.tier.as_deref() != Some("preferred")
}

impl Voluntary {
    pub(crate) fn new(state: &State) -> Self {
        let hosts = || state.maintenance().hosts();
        let left = hosts().filter(|(_, host)| !host.mode.takes_tasks());
        let left = left.map(|(name, _)| name.to_owned()).collect();
        let drains = hosts();
        let drains = drains.filter(|(_, host)| host.mode == MaintenanceMode::Draining);
        let drains = drains.filter_map(|(name, host)| Some((name.to_owned(), host.drain.clone()?)));
        Self { drains: drains.collect(), left, announced: BTreeMap::new(), registered: None }
    }

    pub(crate) fn take(&mut self, now: Timestamp, op: &MaintenanceOp, cover: &mut Coverage) {
        let MaintenanceOp::Put { host, maintenance } = op else {
            if matches!(op, MaintenanceOp::PutStandIn { .. }) {
                cover.path("drain with surge");
            }
            return;
        };
        if maintenance.cause == MaintenanceCause::Mesos && maintenance.drain.is_some() {
            cover.path("drain by the master's announcement");
        }
        if maintenance.mode.takes_tasks() {
            self.left.remove(host);
            // An operator may open it; the master asks to leave it again.
            if let Some(announced) = self.announced.get_mut(host) {
                announced.since = now;
            }
        } else {
            self.left.insert(host.clone());
        }
        match &maintenance.drain {
            Some(drain) if maintenance.mode == MaintenanceMode::Draining => {
                self.drains.insert(host.clone(), drain.clone());
            }
            _ => _ = self.drains.remove(host),
        }
    }

    fn announce(&mut self, now: Timestamp, offer: &InverseOffer) {
        let Some(host) = offer.host.clone() else { return };
        let from = offer.unavailable_from;
        let known = self.announced.get(&host).filter(|known| known.from == from);
        let since = known.map_or(now, |known| known.since);
        self.announced.insert(host, Announced { from, since, heard: now });
    }

    /// S2 for what the master announces: a host is left when its maintenance is near.
    fn check_announced(&self, now: Timestamp) -> Result<(), Violation> {
        for (host, Announced { from, since, heard }) in &self.announced {
            let due = (*since).max(from.plus_ms(-UNAVAILABLE_MS));
            // What was not heard of for a while may have been called off.
            let is_fresh = now.ms_since(*heard) <= PATIENCE_MS;
            if is_fresh && now.ms_since(due) > PATIENCE_MS && !self.left.contains(host) {
                return broken("S2", format!("{host} goes into maintenance and is not left"));
            }
        }
        Ok(())
    }

    /// A task that runs is about to be stopped so that its host is left.
    pub(crate) fn drained(
        &self,
        now: Timestamp,
        input: &Input,
        task: &Task,
        tasks: &Tasks,
    ) -> Result<(), Violation> {
        let drain = task.host.as_ref().and_then(|host| self.drains.get(host));
        let Some(drain) = drain else {
            return broken(
                "S1",
                format!("{} is drained from {:?}, which is not", task.config.job, task.host),
            );
        };
        if drain.deadline() <= now {
            return Ok(());
        }
        let policy = task.config.sla_policy.as_ref().unwrap_or(&drain.default_policy);
        stopped(now, input, task, policy, tasks)
    }

    /// A task is about to be stopped to make room.
    pub(crate) fn preempted(
        &self,
        now: Timestamp,
        input: &Input,
        task: &Task,
        tasks: &Tasks,
    ) -> Result<(), Violation> {
        let victim = &task.config;
        let may = |waiting: &TaskConfig| {
            if gives_way(waiting) == gives_way(victim) {
                waiting.job.role() == victim.job.role() && waiting.priority > victim.priority
            } else {
                gives_way(victim)
            }
        };
        let is_for_somebody =
            tasks.active().any(|other| other.state == TaskState::Pending && may(&other.config));
        if !is_for_somebody || victim.production {
            return broken(
                "R5",
                format!("a task of {} makes room for nobody who may ask", victim.job),
            );
        }
        match &victim.sla_policy {
            Some(policy) => stopped(now, input, task, policy, tasks),
            None => Ok(()),
        }
    }

    /// Looks at the drains whose time is over.
    pub(crate) fn after(
        &mut self,
        now: Timestamp,
        input: &Input,
        tasks: &Tasks,
    ) -> Result<(), Violation> {
        match input {
            Input::Registered { .. } => self.registered = Some(now),
            Input::Disconnected => self.registered = None,
            Input::InverseOffers(offers) => {
                for offer in offers {
                    self.announce(now, offer);
                }
            }
            Input::Offers(offers) => {
                for offer in offers.iter().filter(|offer| offer.unavailable_from.is_none()) {
                    self.announced.remove(&offer.host);
                }
            }
            _ => {}
        }
        // Nobody can say how old they are when the clock has gone back.
        self.announced.retain(|_, announced| announced.heard <= now);
        self.check_announced(now)?;
        let Some(registered) = self.registered else { return Ok(()) };
        for (host, drain) in &self.drains {
            if now.ms_since(drain.deadline().max(registered)) <= PATIENCE_MS {
                continue;
            }
            let left = tasks.active().find(|task| {
                use TaskState::{Assigned, Partitioned, Running, Starting};
                task.host.as_ref() == Some(host)
                    && matches!(task.state, Assigned | Starting | Running | Partitioned)
                    && now.ms_since(task.since) > PATIENCE_MS
            });
            if let Some(task) = left {
                return broken(
                    "S2",
                    format!(
                        "{host} is to be empty, and a task of {} is {} there",
                        task.config.job, task.state
                    ),
                );
            }
        }
        Ok(())
    }
}

/// S1: stopping a task that is up must leave as many up as its policy wants.
pub(crate) fn stopped(
    now: Timestamp,
    input: &Input,
    task: &Task,
    policy: &SlaPolicy,
    tasks: &Tasks,
) -> Result<(), Violation> {
    if task.state != TaskState::Running {
        return Ok(());
    }
    let job = &task.config.job;
    let of_job = || tasks.active().filter(|other| other.config.job == *job);
    let total = of_job().count() as u64;
    let is_up = |other: &Task| {
        other.state == TaskState::Running && now.ms_since(other.since) > duration_ms(policy)
    };
    match needed(policy, total) {
        None => {
            let is_allowed = matches!(
                input,
                Input::CoordinatorAnswered { answer: CoordinatorAnswer::Allowed, .. }
            );
            // One that has just begun may be flapping, and protects nothing.
            if !is_allowed && now.ms_since(task.since) > 300_000 {
                return broken("S1", format!("a task of {job} is stopped and nobody allowed it"));
            }
        }
        Some(needed) => {
            let is_protected = task.config.production && total >= u64::from(MIN_INSTANCES);
            let up = of_job().filter(|other| is_up(other)).count() as u64;
            if is_protected && is_up(task) && up - 1 < needed {
                return broken(
                    "S1",
                    format!(
                        "{} of {total} instances of {job} are left up; {needed} must be",
                        up - 1
                    ),
                );
            }
        }
    }
    Ok(())
}
