//! The one way in.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use aurora_model::job::{ScheduledTask, TaskState, Timestamp};
use aurora_model::key::{AgentId, JobKey, OfferId, TaskId};

use crate::changes::TaskChange;
use crate::counters;
use crate::cron::Timetables;
use crate::ends::Ends;
use crate::events;
use crate::input::{Effect, Input, Offer, Op, StatusUpdate, Step};
use crate::maintenance::Drains;
use crate::placement::{Groups, Offers, Piece, Reservations};
use crate::random::Random;
use crate::settings::Settings;
use crate::sla::Coordinators;
use crate::state::{Misfit, State};
use crate::timers::{Reconciling, Timer, Timers};
use crate::updates::{Affinity, Updating};

/// The scheduler: durable state, and what is made anew at every start.
#[derive(Debug)]
pub struct Scheduler {
    pub(crate) settings: Settings,
    /// The name that events are recorded under, shared by them.
    pub(crate) host_name: Arc<str>,
    pub(crate) state: State,
    pub(crate) random: Random,
    pub(crate) offers: Offers,
    pub(crate) groups: Groups,
    pub(crate) reservations: Reservations,
    pub(crate) timers: Timers,
    pub(crate) reconciling: Reconciling,
    pub(crate) ends: Ends,
    /// When cron jobs are due.
    pub(crate) timetables: Timetables,
    /// The jobs that have a [`Timer::Prune`], and when that is due.
    pub(crate) pruning: BTreeMap<JobKey, Timestamp>,
    pub(crate) updating: Updating,
    /// The agents that are kept for instances.
    pub(crate) affinity: Affinity,
    pub(crate) drains: Drains,
    pub(crate) coordinators: Coordinators,
    pub(crate) registered: bool,
    /// Before this nobody is stopped to make room for others.
    pub(crate) room_from: Option<Timestamp>,
    pub(crate) launching: bool,
    /// What each agent's last offer said of it.
    hosts: BTreeMap<AgentId, Said>,
    counters: BTreeMap<&'static str, u64>,
}

/// What an offer says of its agent.
#[derive(Debug, Clone, PartialEq)]
struct Said {
    host: String,
    address: String,
    attributes: BTreeMap<String, BTreeSet<String>>,
}

/// One input being handled.
pub(crate) struct Turn<'a> {
    pub(crate) scheduler: &'a mut Scheduler,
    pub(crate) now: Timestamp,
    pub(crate) step: Step,
    pub(crate) changes: VecDeque<TaskChange>,
    /// How much this step has done: see [`Turn::is_full`].
    effort: usize,
}

/// How much of what can wait one step does: changes of tasks, and looks that cost about as much. A step
/// is one record of the log, and while it is made nobody else is heard. What one request asks for of
/// one job is done whole all the same, so that a step is as large as this and the largest job.
pub(crate) const EFFORT_AT_ONCE: usize = 2_000;

/// Ops that belonged to nothing: see [`Scheduler::counters`]. Anything but 0 is a mistake of this
/// program.
const MISFITS: &str = "scheduler_ops_misfit";

impl Scheduler {
    /// A scheduler with what its log holds; its first input is [`Input::Started`].
    pub fn new(settings: Settings, state: State) -> Self {
        Self {
            host_name: settings.scheduler_host.as_str().into(),
            offers: Offers::new(&settings.offer_order),
            settings,
            state,
            random: Random::new(0),
            groups: Groups::default(),
            reservations: Reservations::default(),
            timers: Timers::default(),
            reconciling: Reconciling::default(),
            ends: Ends::default(),
            timetables: Timetables::default(),
            pruning: BTreeMap::new(),
            updating: Updating::default(),
            affinity: Affinity::default(),
            drains: Drains::default(),
            coordinators: Coordinators::default(),
            registered: false,
            room_from: None,
            launching: true,
            hosts: BTreeMap::new(),
            counters: counters::NAMES.map(|name| (name, 0)).into(),
        }
    }

    /// Handles an input. Timers that are due by `now` run first, as far as one step can: as long as
    /// [`Scheduler::next_wakeup`] is not later than the time, there is more to do.
    pub fn handle(&mut self, now: Timestamp, input: Input) -> Step {
        let step = Step::default();
        let mut turn = Turn { scheduler: self, now, step, changes: VecDeque::new(), effort: 0 };
        turn.run_timers();
        turn.take(input);
        turn.settle();
        turn.place();
        turn.settle();
        turn.place_again();
        turn.tell_reasons();
        turn.step
    }

    /// When [`Input::Wakeup`] is due, if ever.
    pub fn next_wakeup(&self) -> Option<Timestamp> {
        self.timers.next()
    }

    /// The host of an agent that has made an offer since the master was last found.
    pub(crate) fn host_of(&self, agent: &AgentId) -> Option<&str> {
        self.hosts.get(agent).map(|said| said.host.as_str())
    }

    /// Where an agent listens, as host:port, if an offer has ever said so: the last one that came, or
    /// the one that is remembered of its host.
    pub fn address_of(&self, agent: &AgentId, host: &str) -> Option<&str> {
        let said = self.hosts.get(agent).map(|said| said.address.as_str());
        let remembered = || {
            let known = self.state.host(host).filter(|known| known.agent == *agent)?;
            Some(known.address.as_str())
        };
        said.or_else(remembered).filter(|address| !address.is_empty())
    }

    /// What the operator has chosen.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// The durable state.
    pub fn state(&self) -> &State {
        &self.state
    }

    /// What has been counted since the start, by the original's names: all that there is to count.
    pub fn counters(&self) -> &BTreeMap<&'static str, u64> {
        &self.counters
    }

    pub(crate) fn count(&mut self, name: &'static str, amount: u64) {
        debug_assert!(self.counters.contains_key(name), "{name} is not among the names");
        *self.counters.entry(name).or_default() += amount;
    }
}

impl Turn<'_> {
    /// Makes a durable change. One that cannot be made is not written down either, as the log
    /// could not be read again; it is counted and told.
    pub(crate) fn apply(&mut self, op: Op) {
        self.spend(match &op {
            Op::PutTasks { tasks, .. } => tasks.len().max(1),
            Op::Remove(ids) => ids.len().max(1),
            _ => 1,
        });
        let before = events::before(&self.scheduler.state, &op);
        if let Err(misfit) = self.scheduler.state.apply(&op) {
            debug_assert!(false, "a change is made of what is there: {misfit}");
            return self.tell_misfit(misfit);
        }
        let Scheduler { state, settings, .. } = &*self.scheduler;
        match &op {
            Op::PutTasks { tasks, .. } => {
                // There may be thousands: what grows by and by is moved again and again.
                self.step.events.reserve(tasks.len());
                self.step.events.extend(events::made(state, settings, self.now, tasks));
            }
            _ => self.step.events.extend(events::event(state, settings, self.now, &op, before)),
        }
        self.step.ops.push(op);
    }

    fn tell_misfit(&mut self, misfit: Misfit) {
        self.scheduler.count(MISFITS, 1);
        self.step.effects.push(Effect::Misfit(misfit));
    }

    /// Counts what was done against what a step may do.
    pub(crate) fn spend(&mut self, effort: usize) {
        self.effort = self.effort.saturating_add(effort);
    }

    /// Whether this step has done its part: what can wait is left to a timer, which is due at once.
    pub(crate) fn is_full(&self) -> bool {
        self.effort >= EFFORT_AT_ONCE
    }

    fn take(&mut self, input: Input) {
        match input {
            Input::Started { seed } => self.start(seed),
            Input::Wakeup => {}
            Input::Registered { framework_id } => {
                if self.scheduler.state.framework_id() != Some(&framework_id) {
                    self.apply(Op::SaveFrameworkId(framework_id));
                }
                self.scheduler.registered = true;
                let wait = self.scheduler.settings.preemption_initial_delay_ms;
                self.scheduler.room_from = Some(self.now.plus_ms(wait));
                self.forget_offers();
                self.scheduler.groups.all_changed();
                self.reconcile_from_start();
                self.drain_all();
            }
            Input::Disconnected => {
                self.scheduler.registered = false;
                self.forget_offers();
            }
            Input::Offers(offers) => {
                for offer in offers {
                    self.add_offer(offer);
                }
            }
            Input::Rescinded(id) => {
                if !self.remove_offer(&id) {
                    self.scheduler.count("offer_cancel_failures", 1);
                }
            }
            Input::Status(update) => self.take_status(update),
            Input::Request { ticket, mark, user, request } => {
                let result = self.request(mark, &user, request);
                self.step.effects.push(Effect::Reply { ticket, result });
            }
            Input::InverseOffers(offers) => {
                for offer in offers {
                    self.take_inverse(offer);
                }
            }
            Input::CoordinatorAnswered { id, answer } => self.coordinator_answered(id, answer),
            Input::Launching(launching) => {
                self.scheduler.launching = launching;
                self.scheduler.groups.all_untold();
                if launching {
                    self.scheduler.groups.all_changed();
                }
            }
        }
    }

    /// Makes anew what the log does not hold: groups and timers (`scheduler.md` 3.11).
    fn start(&mut self, seed: u64) {
        self.scheduler.random = Random::new(seed);
        // Who has waited longest comes first again.
        let mut tasks: Vec<&ScheduledTask> = self.scheduler.state.tasks().collect();
        tasks.sort_by_key(|task| {
            (task.latest_event().map(|event| event.timestamp), task.assigned.instance)
        });
        let tasks: Vec<(TaskId, TaskState)> = tasks
            .into_iter()
            .filter(|task| !task.state.is_terminal())
            .map(|task| (task.id().clone(), task.state))
            .collect();
        for (id, state) in tasks {
            self.entered(&id, state, true);
        }
        let jobs: Vec<JobKey> = self.scheduler.state.jobs().cloned().collect();
        let retention = self.scheduler.settings.history_min_retention_ms;
        for job in jobs {
            self.set_prune(&job, retention);
            if !self.is_full() {
                self.forget_surplus(&job);
            } else if self.surplus(&job) > 0 {
                // The settings may keep less than those before; of all jobs that is too much for one step.
                self.prune_at_once(&job);
            }
        }
        self.start_updates();
        self.start_cron();
        self.start_maintenance();
        let settings = &self.scheduler.settings;
        let first = settings.reconciliation_initial_delay_ms;
        let spread = settings.reconciliation_spread_ms;
        self.after(first, Timer::ReconcileExplicit);
        self.after(first.saturating_add(spread), Timer::ReconcileImplicit);
    }

    /// What was offered is void, and with it what has come of it.
    fn forget_offers(&mut self) {
        self.scheduler.offers.clear();
        self.scheduler.hosts.clear();
        self.scheduler.groups.forget_vetoes();
        self.scheduler.groups.all_untold();
    }

    fn add_offer(&mut self, offer: Offer) {
        let known = self.scheduler.state.host(&offer.host);
        let is_known = known.is_some_and(|host| {
            host.agent == offer.agent
                && host.address == offer.address
                && host.attributes == offer.attributes
        });
        // Agents that share a host's name take turns; what one of them said last is not news.
        let said = Said {
            host: offer.host.clone(),
            address: offer.address.clone(),
            attributes: offer.attributes.clone(),
        };
        let before = self.scheduler.hosts.insert(offer.agent.clone(), said.clone());
        if !is_known && before != Some(said) {
            let is_other = known.is_some_and(|host| host.attributes != offer.attributes);
            self.apply(Op::PutHost {
                name: offer.host.clone(),
                agent: offer.agent.clone(),
                address: offer.address.clone(),
                attributes: offer.attributes.clone(),
            });
            if is_other {
                self.attributes_changed(&offer.host);
            }
        }
        let (hold, jitter) = (
            self.scheduler.settings.min_offer_hold_ms,
            self.scheduler.settings.offer_hold_jitter_ms,
        );
        let until = (!self.scheduler.settings.hold_offers_forever).then(|| {
            // As long as the window says, its end not included; a window of nothing is one.
            let jitter = self.scheduler.random.up_to(jitter - 1);
            self.now.plus_ms(hold.saturating_add(jitter).max(1))
        });
        if let Some(until) = until {
            self.scheduler.timers.set(until, Timer::ReturnOffer(offer.id.clone()));
        }
        let used = self.scheduler.host_use(&offer.host);
        self.maintenance_sees_offer(&offer);
        let Scheduler { offers, random, .. } = &mut *self.scheduler;
        offers.add(offer, until, used, random);
    }

    /// Tasks on a host count for other values than before: where there was a limit there may be none,
    /// on whatever host.
    fn attributes_changed(&mut self, host: &str) {
        let Scheduler { state, groups, .. } = &mut *self.scheduler;
        let jobs: BTreeSet<&JobKey> = state.tasks_on(host).map(ScheduledTask::job).collect();
        jobs.into_iter().for_each(|job| groups.job_changed(job));
    }

    /// What speaks against these hosts is other than it was: every group looks at them anew.
    pub(crate) fn hosts_changed(&mut self, names: &BTreeSet<String>) {
        for agent in names.iter().flat_map(|name| self.scheduler.offers.agents_of(name)) {
            self.scheduler.groups.agent_changed(&agent);
        }
    }

    /// Takes an offer away; `false` if it is not held.
    pub(crate) fn remove_offer(&mut self, id: &OfferId) -> bool {
        let Some(piece) = self.scheduler.offers.remove(id) else { return false };
        self.forget_return(&piece);
        true
    }

    /// An offer that is not held any more is not given back.
    pub(crate) fn forget_return(&mut self, piece: &Piece) {
        if let Some(until) = piece.until {
            self.scheduler.timers.forget(until, Timer::ReturnOffer(piece.offer.id.clone()));
        }
    }

    fn take_status(&mut self, update: StatusUpdate) {
        let StatusUpdate { task, state, agent, message, reason, uuid } = update;
        let result = self.change_reported(&task, state, agent.as_ref(), message.as_deref());
        if let Some(reason) = reason {
            self.scheduler.ends.count_status(reason, result);
        }
        if let (Some(uuid), Some(agent)) = (uuid, agent) {
            self.step.effects.push(Effect::Acknowledge { task, agent, uuid });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_of_what_is_not_there_is_told_and_counted() {
        let mut scheduler = Scheduler::new(Settings::default(), State::default());
        let step = Step::default();
        let (now, changes) = (Timestamp(1), VecDeque::new());
        let mut turn = Turn { scheduler: &mut scheduler, now, step, changes, effort: 0 };
        let misfit = Misfit { what: "task x".to_owned() };
        turn.tell_misfit(misfit.clone());
        assert_eq!(turn.step.effects, [Effect::Misfit(misfit)]);
        assert!(turn.step.ops.is_empty());
        assert_eq!(scheduler.counters()[MISFITS], 1);
    }
}
