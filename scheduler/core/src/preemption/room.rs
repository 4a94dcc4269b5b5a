//! Where there would be room if some tasks were not.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use aurora_model::job::{ResourceBag, ScheduledTask, TaskConfig, Timestamp};
use aurora_model::key::{AgentId, TaskId};

use super::victims::Victim;
use crate::placement::{Moment, Site, Wanted, refusal};
use crate::scheduler::Scheduler;
use crate::state::{Host, HostLoad};

/// An agent, and who has to go from it.
#[derive(Debug)]
pub(super) struct Room {
    pub(super) host: Arc<str>,
    pub(super) agent: AgentId,
    /// Never empty; with each whether it is production.
    pub(super) victims: Vec<(TaskId, bool)>,
}

/// What came of looking at some hosts.
#[derive(Debug)]
pub(super) enum Search {
    /// There is room here.
    Found(Room),
    /// There is none up to this host, and others have not been looked at.
    UpTo(Arc<str>),
    /// There is none on any.
    Nowhere,
}

/// What one search may cost: hosts that are done with by a look at sums.
pub(super) const LOOKS: usize = 2_000;

/// What it costs to look at the tasks of a host, each of whose policies may be asked.
const CLOSE_LOOK: usize = 20;

impl Scheduler {
    /// The first host, after one or of all, on which room can be made for a task, as far as one search
    /// goes; `left` is how much it may still cost.
    pub(super) fn find_room(
        &self,
        now: Timestamp,
        config: &TaskConfig,
        wanted: &Wanted,
        after: Option<&str>,
        left: &mut usize,
    ) -> Search {
        let moment = self.moment(now);
        for (name, load) in self.state.hosts_with_tasks(after) {
            // A host that has not said what it is gets nothing.
            let host = self.state.host(name).filter(|host| self.may_suffice(host, load, wanted));
            *left = left.saturating_sub(if host.is_some() { CLOSE_LOOK } else { 1 });
            if let Some(host) = host
                && let Some(room) = self.room_on(name, host, config, wanted, moment)
            {
                return Search::Found(room);
            }
            if *left == 0 {
                return Search::UpTo(name.clone());
            }
        }
        Search::Nowhere
    }

    fn room_on(
        &self,
        name: &Arc<str>,
        host: &Host,
        config: &TaskConfig,
        wanted: &Wanted,
        moment: Moment,
    ) -> Option<Room> {
        let mut by_agent: BTreeMap<&AgentId, Vec<&ScheduledTask>> = BTreeMap::new();
        for task in self.state.tasks_on(name) {
            if let Some((agent, _)) = &task.assigned.agent {
                by_agent.entry(agent).or_default().push(task);
            }
        }
        by_agent.into_iter().find_map(|(agent, tasks)| {
            let victims = self.victims_on(agent, name, host, &tasks, config, wanted, moment)?;
            Some(Room { host: name.clone(), agent: agent.clone(), victims })
        })
    }

    /// Whether there would be enough if everybody who could go at all went. Most hosts are done with
    /// by this look at sums.
    fn may_suffice(&self, host: &Host, load: HostLoad, wanted: &Wanted) -> bool {
        let held = self.offers.of(&host.agent);
        let (fixed, revocable) =
            held.map(|offer| (offer.fixed, offer.revocable)).unwrap_or_default();
        let load = if self.settings.preempt_production { load.all } else { load.soft };
        let freed = load.resources.plus(self.settings.executor_overhead.times(load.tasks));
        // Of either kind of resources: whose they are is not looked at here.
        let most = fixed.plus(revocable).plus(freed);
        load.tasks > 0 && most.covers(&wanted.resources)
    }

    #[expect(clippy::too_many_arguments, reason = "what a host is, and what is to go there")]
    fn victims_on(
        &self,
        agent: &AgentId,
        name: &str,
        host: &Host,
        tasks: &[&ScheduledTask],
        config: &TaskConfig,
        wanted: &Wanted,
        moment: Moment,
    ) -> Option<Vec<(TaskId, bool)>> {
        // What is kept for one is not cleared for another.
        if self.reservations.group_of(agent).is_some() || self.affinity.is_kept(agent) {
            return None;
        }
        let mut victims: Vec<Victim<'_>> =
            tasks.iter().filter_map(|task| self.victim(moment.now, config, task)).collect();
        // Each policy was asked as if its task went alone: of a job that has one, only one goes.
        let mut protected = BTreeSet::new();
        victims.retain(|victim| {
            let config = &victim.task.assigned.task;
            config.sla_policy.is_none() || protected.insert(config.job.clone())
        });
        victims.sort_by(|a, b| b.size().cmp(&a.size()).then(a.task.id().cmp(b.task.id())));
        let held = self.offers.of(agent);
        let mut free = held.map(|offer| (offer.fixed, offer.revocable)).unwrap_or_default();
        let spread = self.state.spread_of(&config.job);
        let fits = |(fixed, revocable): &(ResourceBag, ResourceBag)| {
            let site = Site {
                attributes: &host.attributes,
                used: self.host_use(name),
                unavailable_from: held.and_then(|offer| offer.unavailable_from()),
                free: wanted.usable(fixed, revocable),
            };
            refusal(config, wanted, &site, spread, moment).is_none()
        };
        // There is room: nobody has to go for it.
        if fits(&free) {
            return None;
        }
        let mut chosen = Vec::new();
        for victim in victims {
            free = (free.0.plus(victim.fixed), free.1.plus(victim.revocable));
            chosen.push(victim);
            if fits(&free) {
                return Some(needed(chosen, free, fits));
            }
        }
        None
    }
}

/// Leaves those out without whom there would still be room: who was taken first may have become
/// superfluous by who was taken later.
fn needed(
    mut chosen: Vec<Victim<'_>>,
    mut free: (ResourceBag, ResourceBag),
    fits: impl Fn(&(ResourceBag, ResourceBag)) -> bool,
) -> Vec<(TaskId, bool)> {
    chosen.retain(|victim| {
        let without = (free.0.minus(victim.fixed), free.1.minus(victim.revocable));
        let is_superfluous = fits(&without);
        if is_superfluous {
            free = without;
        }
        !is_superfluous
    });
    chosen
        .into_iter()
        .map(|victim| (victim.task.id().clone(), victim.task.assigned.task.production))
        .collect()
}
