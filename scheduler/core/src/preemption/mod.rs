//! Makes room for tasks that have waited long, by stopping less important ones
//! (`scheduler.md` 6).
//!
//! A group of tasks that has found no place searches when its oldest task has waited long enough:
//! host after host, each once, for a set of tasks whose end would let one of its own in. What is
//! found is acted upon at once, in the same step, so that nothing found is ever out of date. The
//! agent is then kept for the group until its task has come, or for so long.

mod room;
mod victims;

use aurora_model::job::{TaskState, Timestamp};
use aurora_model::key::{AgentId, TaskId};

use self::room::{LOOKS, Room, Search};
use crate::scheduler::{Scheduler, Turn};
use crate::timers::Timer;

/// How many hosts are looked at in the time that a change of a task takes.
const LOOKS_PER_EFFORT: usize = 4;

/// How long a group that has found room for some of its tasks waits before it goes on. Others take
/// part meanwhile.
const GO_ON_MS: i64 = 1;

impl Turn<'_> {
    /// Sees to it that room is searched for when the tasks of a group have waited long enough.
    pub(crate) fn search_for_room(&mut self, id: u64) {
        let now = self.now;
        let Scheduler { groups, state, settings, timers, reservations, .. } = &mut *self.scheduler;
        if !settings.enable_preemptor {
            return;
        }
        let Some(group) = groups.get_mut(id) else { return };
        for agent in reservations.release_surplus(id, group.len()) {
            groups.agent_changed(&agent);
        }
        let Some(group) = groups.get_mut(id) else { return };
        if group.is_searching {
            return;
        }
        let oldest = group.tasks().next().and_then(|task| state.task(task));
        let Some(since) = oldest.and_then(|task| task.latest_event()) else { return };
        let due = since.timestamp.plus_ms(settings.preemption_delay_ms);
        group.is_searching = true;
        timers.set(due.max(now.plus_ms(GO_ON_MS)), Timer::MakeRoom(id));
    }

    /// Makes room for those tasks of a group that have waited long enough and for which none has
    /// been made yet.
    pub(crate) fn make_room(&mut self, id: u64) {
        let Some(group) = self.scheduler.groups.get_mut(id) else { return };
        group.is_searching = false;
        let next = match self.make_some_room(id) {
            Found::All { next } => next,
            Found::Some => Some(self.now.plus_ms(GO_ON_MS)),
            Found::NoMore => None,
        };
        let interval = self.scheduler.settings.preemption_search_interval_ms.max(1);
        let next = next.unwrap_or_else(|| self.now.plus_ms(interval));
        let Scheduler { groups, timers, .. } = &mut *self.scheduler;
        if let Some(group) = groups.get_mut(id) {
            group.is_searching = true;
            timers.set(next, Timer::MakeRoom(id));
        }
    }

    fn make_some_room(&mut self, id: u64) -> Found {
        let batch = self.scheduler.settings.preemption_batch_size.max(1);
        let (ready, next) = self.ready_for_room(id, batch);
        if let Some(from) = self.scheduler.room_from.filter(|from| *from > self.now) {
            return Found::All { next: Some(from) };
        }
        if !self.scheduler.registered || !self.scheduler.launching {
            return Found::NoMore;
        }
        let Some(group) = self.scheduler.groups.get(id) else { return Found::NoMore };
        let (config, wanted) = (group.config.clone(), group.wanted);
        let mut after = group.searched.clone();
        let mut found = if ready.len() < batch { Found::All { next } } else { Found::Some };
        let mut left = LOOKS;
        for task in ready {
            let search =
                self.scheduler.find_room(self.now, &config, &wanted, after.as_deref(), &mut left);
            if !matches!(search, Search::UpTo(_)) {
                self.count_search(&config, "preemptor_slot_search_attempts_for");
            }
            match search {
                Search::Found(room) => {
                    self.count_search(&config, "preemptor_slot_search_successful_for");
                    after = Some(room.host.clone());
                    self.clear(id, &task, room);
                }
                Search::UpTo(host) => {
                    after = Some(host);
                    found = Found::Some;
                    break;
                }
                Search::Nowhere => {
                    self.count_search(&config, "preemptor_slot_search_failed_for");
                    // The next search begins with the first host again.
                    found = Found::NoMore;
                    after = None;
                    break;
                }
            }
        }
        self.spend((LOOKS - left) / LOOKS_PER_EFFORT);
        if let Some(group) = self.scheduler.groups.get_mut(id) {
            group.searched = after;
        }
        found
    }

    /// The oldest tasks of a group that have waited long enough, as many as are asked for, those
    /// left out for which there is room already; and when another one will have.
    fn ready_for_room(&self, id: u64, batch: usize) -> (Vec<TaskId>, Option<Timestamp>) {
        let Scheduler { groups, state, settings, reservations, .. } = &*self.scheduler;
        let Some(group) = groups.get(id) else { return (Vec::new(), None) };
        let mut ready = Vec::new();
        for task in group.tasks().skip(reservations.of_group(id)) {
            let since = state.task(task).and_then(|task| task.latest_event());
            let Some(since) = since else { continue };
            let due = since.timestamp.plus_ms(settings.preemption_delay_ms);
            if due > self.now {
                return (ready, Some(due));
            }
            ready.push(task.clone());
            if ready.len() == batch {
                break;
            }
        }
        (ready, None)
    }

    /// Stops those that are in the way, and keeps their agent.
    fn clear(&mut self, group: u64, task: &TaskId, room: Room) {
        let message = format!("Stopped to make room for {task}");
        if let Some(job) = self.scheduler.groups.get(group).map(|group| group.config.job.clone()) {
            self.scheduler.ends.count_preemptor(&job);
        }
        for (victim, is_production) in &room.victims {
            let job = self.scheduler.state.task(victim).map(|victim| victim.job().clone());
            if self.change(victim, TaskState::Preempting, Some(&message)) {
                let name = match is_production {
                    true => "preemptor_tasks_preempted_prod",
                    false => "preemptor_tasks_preempted_non_prod",
                };
                self.scheduler.count(name, 1);
                if let Some(job) = job {
                    self.scheduler.ends.count_preempted(&job);
                }
            }
        }
        let duration = self.scheduler.settings.offer_reservation_ms.max(1);
        let until = self.now.plus_ms(duration);
        self.scheduler.reservations.keep(room.agent.clone(), group, until);
        self.scheduler.timers.set(until, Timer::EndReservation(room.agent));
    }

    /// An agent has been kept long enough, unless it is kept once more since.
    pub(crate) fn end_room_reservation(&mut self, agent: &AgentId) {
        if self.scheduler.reservations.until(agent).is_some_and(|until| until <= self.now) {
            self.scheduler.reservations.release(agent);
            self.scheduler.count("reservation_cache_expiration_removals", 1);
            self.scheduler.groups.agent_changed(agent);
        }
    }

    fn count_search(&mut self, config: &aurora_model::job::TaskConfig, name: &'static str) {
        let name = match (name, config.production) {
            ("preemptor_slot_search_attempts_for", true) => {
                "preemptor_slot_search_attempts_for_prod"
            }
            ("preemptor_slot_search_attempts_for", false) => {
                "preemptor_slot_search_attempts_for_non_prod"
            }
            ("preemptor_slot_search_failed_for", true) => "preemptor_slot_search_failed_for_prod",
            ("preemptor_slot_search_failed_for", false) => {
                "preemptor_slot_search_failed_for_non_prod"
            }
            (_, true) => "preemptor_slot_search_successful_for_prod",
            (_, false) => "preemptor_slot_search_successful_for_non_prod",
        };
        self.scheduler.count(name, 1);
    }
}

/// What came of a search.
enum Found {
    /// Room for all that have waited long enough; when another one will have.
    All { next: Option<Timestamp> },
    /// Room for some; others may find some too, or there is more to look at.
    Some,
    /// There is none any more.
    NoMore,
}
