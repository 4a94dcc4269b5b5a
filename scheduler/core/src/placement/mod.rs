//! Puts waiting tasks into offers (`scheduler.md` 5.2).
//!
//! Nothing is tried on a timer. A group of equal tasks is tried when something has happened that
//! may let it in: tasks have joined it, an agent's offer has changed, a place of its job has come
//! free. It then looks at the agents that have changed since it last looked, each of them once,
//! however many of its tasks wait.

mod fit;
mod groups;
mod offers;
mod order;
mod reasons;
mod reservations;
mod scan;
mod survey;
mod trial;
mod wishes;

use std::collections::{BTreeMap, BTreeSet};

use aurora_model::job::{AssignedTask, TaskState, Timestamp};
use aurora_model::key::{AgentId, TaskId};
use aurora_model::maintenance::MaintenanceMode;

pub use self::fit::VetoKind;
pub(crate) use self::fit::{Moment, Site, Veto, Wanted, refusal};
pub(crate) use self::groups::{Group, Groups};
pub(crate) use self::offers::{HostUse, Offers, Piece};
pub use self::order::{OfferOrder, UnknownOrder};
pub use self::reasons::{PendingReason, VetoCount};
pub(crate) use self::reservations::Reservations;
use self::scan::{Next, Scan};
pub use self::survey::{EmptySlots, SlotSize};
pub use self::trial::Trial;
use crate::input::{Effect, Op};
use crate::scheduler::{Scheduler, Turn};
use crate::timers::Timer;

/// Tasks that are placed in one step: others than those who wait for places want to be heard too.
const TASKS_AT_ONCE: usize = 50;

/// What it costs to see whether an agent takes a task, in passes of an agent that is full.
const LOOK: u64 = 8;

/// What a step may still do to place tasks.
#[derive(Debug)]
struct Room {
    /// Tasks that it may place.
    tasks: usize,
    /// Agents that it may look at, see [`LOOK`].
    looks: u64,
}

impl Room {
    fn is_left(&self) -> bool {
        self.tasks > 0 && self.looks > 0
    }

    fn looked(&mut self, cost: u64) {
        self.looks = self.looks.saturating_sub(cost);
    }
}

/// The tasks that go to each agent, by its place among the offers.
type Launches = BTreeMap<u32, Vec<TaskId>>;

impl Turn<'_> {
    /// Places what can be placed.
    pub(crate) fn place(&mut self) {
        if !self.scheduler.registered || !self.scheduler.launching {
            return;
        }
        let looks = self.scheduler.settings.looks_per_step.max(1);
        let mut room = Room { tasks: TASKS_AT_ONCE, looks };
        // What one round lets go of, another may want.
        while room.is_left() && self.place_round(&mut room) {}
        if !room.is_left() {
            self.scheduler.timers.set(self.now, Timer::Place);
        }
    }

    /// Sees to it that what came of placing is placed too: who was told of it may have let go of
    /// something.
    pub(crate) fn place_again(&mut self) {
        let Scheduler { registered, launching, groups, timers, .. } = &mut *self.scheduler;
        if *registered && *launching && groups.has_news() {
            timers.set(self.now, Timer::Place);
        }
    }

    /// A few tasks of each group in turn, so that a large job does not take everything, until there
    /// is no `room` in this step for more. Gives whether there was any group to try.
    fn place_round(&mut self, room: &mut Room) -> bool {
        self.let_go();
        let version = self.scheduler.offers.version();
        let groups = self.scheduler.groups.take_changed(version);
        if groups.is_empty() {
            return false;
        }
        // With each, up to which change of offers it will have looked at all agents.
        let mut scans: BTreeMap<u64, (Scan, u64)> = BTreeMap::new();
        let mut launches = Launches::new();
        let mut waiting = groups.clone();
        let mut next_turn = None;
        while !waiting.is_empty() && room.is_left() {
            waiting.retain(|group| {
                if !room.is_left() {
                    return true;
                }
                let go_on = || self.go_on(*group, version, room);
                let scan = scans.entry(*group).or_insert_with(go_on);
                let goes_on = self.place_some(*group, &mut scan.0, &mut launches, room);
                if !room.is_left() {
                    // Who has not seen all agents goes on; who took the last place has had its turn.
                    next_turn = Some(if room.looks == 0 { *group } else { *group + 1 });
                }
                goes_on
            });
        }
        self.scheduler.groups.go_on_later(&waiting, next_turn);
        let left: BTreeSet<u64> = waiting.into_iter().collect();
        for (group, (scan, since)) in scans {
            let is_left = left.contains(&group);
            self.scheduler.groups.have_seen(group, since, is_left.then_some(scan));
        }
        for (slot, tasks) in launches {
            self.launch(slot, &tasks);
        }
        for group in groups {
            self.search_for_room(group);
        }
        true
    }

    /// What a group looks at: the rest of what it has not finished, or what has changed since it has.
    fn go_on(&mut self, group: u64, version: u64, room: &mut Room) -> (Scan, u64) {
        let unfinished =
            self.scheduler.groups.get_mut(group).and_then(|group| group.unfinished.take());
        unfinished.unwrap_or_else(|| (self.scan(group, room), version))
    }

    /// Lets go of what is kept for tasks that do not wait any more, and puts agents where they stand
    /// now.
    fn let_go(&mut self) {
        for group in self.scheduler.groups.take_gone() {
            for agent in self.scheduler.reservations.release_surplus(group, 0) {
                self.scheduler.groups.agent_changed(&agent);
            }
        }
        for agent in self.scheduler.groups.take_touched() {
            let used = self.scheduler.host_use_of(&agent);
            self.scheduler.offers.touch(&agent, used);
        }
    }

    /// Accepts what an agent offers with these tasks. What is left of it is offered again.
    fn launch(&mut self, slot: u32, tasks: &[TaskId]) {
        let Some(offer) = self.scheduler.offers.take(slot) else { return };
        let tasks: Vec<AssignedTask> = tasks
            .iter()
            .filter_map(|id| Some(self.scheduler.state.task(id)?.assigned.clone()))
            .collect();
        let offers = offer
            .pieces
            .into_iter()
            .map(|piece| {
                self.forget_return(&piece);
                piece.offer.id
            })
            .collect();
        self.step.effects.push(Effect::Launch { offers, tasks });
    }

    /// Places a few tasks of a group. Gives whether there may be room for more.
    fn place_some(
        &mut self,
        group: u64,
        scan: &mut Scan,
        launches: &mut Launches,
        room: &mut Room,
    ) -> bool {
        let Some(found) = self.scheduler.groups.get(group) else { return false };
        let batch = self.scheduler.settings.max_tasks_per_schedule_attempt.max(1).min(room.tasks);
        let (config, wanted) = (found.config.clone(), found.wanted);
        // Whoever waits for a place that is kept for it goes nowhere else.
        let ids: Vec<(TaskId, Option<u32>)> = found
            .tasks()
            .filter_map(|id| Some((id.clone(), self.scheduler.kept_place(id, found, self.now)?)))
            .take(batch)
            .collect();
        self.scheduler.count("schedule_attempts_fired", ids.len() as u64);
        let mut is_any_placed = false;
        for (done, (id, kept)) in ids.iter().enumerate() {
            // What does not wait any more leaves the group: nothing is taken for it.
            if self.scheduler.state.task(id).is_none_or(|task| task.state != TaskState::Pending) {
                self.scheduler.groups.remove(id);
                continue;
            }
            if let Some(slot) = *kept {
                let found = self.scheduler.groups.get(group);
                let still = found.and_then(|found| self.scheduler.kept_place(id, found, self.now));
                if still == Some(Some(slot))
                    && self.assign(id, slot, &config.resources.ports, &wanted)
                {
                    launches.entry(slot).or_default().push(id.clone());
                    room.tasks -= 1;
                    is_any_placed = true;
                }
                continue;
            }
            let slot = match self.find(group, &config, &wanted, scan, room) {
                Next::Fits(slot) => slot,
                Next::Later => return true,
                Next::None => {
                    let unmatched = ids.len() - done;
                    self.scheduler.count("schedule_attempts_no_match", unmatched as u64);
                    return false;
                }
            };
            if self.assign(id, slot, &config.resources.ports, &wanted) {
                launches.entry(slot).or_default().push(id.clone());
                room.tasks -= 1;
                is_any_placed = true;
            }
            self.placed(group, slot, &config, scan);
        }
        is_any_placed && self.scheduler.groups.get(group).is_some()
    }

    /// Gives a task its place.
    fn assign(
        &mut self,
        id: &TaskId,
        slot: u32,
        names: &BTreeSet<String>,
        wanted: &Wanted,
    ) -> bool {
        let Scheduler { offers, random, .. } = &mut *self.scheduler;
        let Some(offer) = offers.at_mut(slot) else { return false };
        let Some(numbers) = offer.take_ports(names.len(), random) else { return false };
        let (fixed, revocable) = wanted.split();
        offer.fixed = offer.fixed.minus(fixed);
        offer.revocable = offer.revocable.minus(revocable);
        let (agent, host) = (offer.agent.clone(), offer.host().to_owned());
        if offers.is_spread() {
            offers.reorder(slot);
        }
        let ports = names.iter().cloned().zip(numbers).collect();
        // What was kept for it has served its purpose.
        self.scheduler.reservations.release(&agent);
        self.apply(Op::Assign { id: id.clone(), agent, host, ports });
        self.change(id, TaskState::Assigned, None)
    }
}

impl Scheduler {
    /// Whether a task may look for a place, and where if one is kept for it because an update has
    /// stopped what it replaces: nothing if it has to wait for that.
    fn kept_place(&self, id: &TaskId, group: &Group, now: Timestamp) -> Option<Option<u32>> {
        if self.affinity.is_empty() {
            return Some(None);
        }
        let instance = self.state.task(id)?.assigned.instance_key();
        let Some(agent) = self.affinity.agent_of(&instance) else { return Some(None) };
        let offer = self.offers.of(agent)?;
        let site = Site::of(offer, &group.wanted);
        let spread = self.state.spread_of(&group.config.job);
        let fits = self.reservations.group_of(agent).is_none()
            && refusal(&group.config, &group.wanted, &site, spread, self.moment(now)).is_none();
        fits.then_some(Some(offer.key().slot))
    }

    /// What the host of an agent is used for.
    pub(crate) fn host_use_of(&self, agent: &AgentId) -> HostUse {
        self.offers.of(agent).map_or(HostUse::Open, |offer| self.host_use(offer.host()))
    }

    /// What a host is used for.
    pub(crate) fn host_use(&self, host: &str) -> HostUse {
        match self.state.host_mode(host) {
            MaintenanceMode::None => HostUse::Open,
            MaintenanceMode::Scheduled => HostUse::Last,
            MaintenanceMode::Draining => HostUse::Draining,
            MaintenanceMode::Drained => HostUse::Drained,
        }
    }

    /// What refusals depend on beside offers.
    pub(crate) fn moment(&self, now: Timestamp) -> Moment {
        Moment { now, unavailability_threshold_ms: self.settings.unavailability_threshold_ms }
    }
}
