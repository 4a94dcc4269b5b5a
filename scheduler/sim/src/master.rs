//! The master: the real one's decisions, with connections that are simulated.

use std::collections::{BTreeMap, BTreeSet};

use aurora_cluster::master::core::{Core, Output, RunningTask, Times};
use aurora_mesos::v1;
use aurora_mesos::v1::scheduler::Call;

use crate::agent::FromAgent;
use crate::faults::Fault;
use crate::world::{Event, Violation, World, broken};

/// How long an agent may be away before it is unreachable.
const AGENT_TIMEOUT_MS: u64 = 75_000;
/// How long after its start a master waits for agents it does not know.
const REREGISTRATION_MS: u64 = 600_000;
/// How long nothing may be heard of the master.
const SILENCE_MS: u64 = 45_000;
/// When the master asks again to leave an agent.
const ANNOUNCE_MS: u64 = 30_000;

/// The master.
pub(crate) struct Master {
    pub(crate) core: Core,
    pub(crate) up: bool,
    began: u64,
    number: u64,
    removed: BTreeSet<String>,
    /// Where the events of a framework go.
    streams: BTreeMap<String, Stream>,
    next: u64,
    /// The connection of each agent.
    links: BTreeMap<String, u64>,
    tick: (u64, u64),
}

struct Stream {
    id: u64,
    process: u64,
    /// When the last event that was sent arrives: none overtakes another.
    until: u64,
    /// What waits because nothing gets through.
    stalled: Vec<v1::scheduler::Event>,
}

/// Maintenance from a time of the simulation on; how long it takes is not said.
fn unavailability(epoch_ms: i64, from: u64) -> v1::Unavailability {
    let wall = epoch_ms.saturating_add(i64::try_from(from).unwrap_or(i64::MAX));
    let start = v1::TimeInfo { nanoseconds: wall.saturating_mul(1_000_000) };
    v1::Unavailability { start, duration: None }
}

fn core(number: u64, removed: BTreeSet<String>) -> Core {
    let times = Times { agent_timeout: AGENT_TIMEOUT_MS, reregistration: REREGISTRATION_MS };
    Core::new(format!("M{number}"), removed, times)
}

impl Master {
    pub(crate) fn new() -> Self {
        Self {
            core: core(0, BTreeSet::new()),
            up: true,
            began: 0,
            number: 0,
            removed: BTreeSet::new(),
            streams: BTreeMap::new(),
            next: 0,
            links: BTreeMap::new(),
            tick: (u64::MAX, 0),
        }
    }
}

impl World {
    fn master_now(&mut self) -> u64 {
        let wall = self.epoch_ms.saturating_add(i64::try_from(self.now).unwrap_or(i64::MAX));
        self.master.core.wall_ns = wall.saturating_mul(1_000_000);
        self.now - self.master.began
    }

    /// A scheduler subscribes. Whoever has the framework's stream loses it.
    pub(crate) fn open_stream(
        &mut self,
        process: u64,
        info: v1::FrameworkInfo,
    ) -> Result<(), Violation> {
        self.master.next += 1;
        let id = self.master.next;
        let known = info.id.as_ref().map(|id| id.value.clone());
        let stream = Stream { id, process, until: 0, stalled: Vec::new() };
        // The stream must be there before the first event is made.
        let key = known.clone().unwrap_or_default();
        let old = self.master.streams.insert(key.clone(), stream);
        let now = self.master_now();
        let result = self.master.core.subscribe(now, info, false, v1::MasterInfo::default(), 15.0);
        let framework = match result {
            Ok(framework) => framework,
            Err(message) => return broken("L1", format!("the master refuses: {message}")),
        };
        if known.is_none()
            && let Some(stream) = self.master.streams.remove(&key)
        {
            self.master.streams.insert(framework.clone(), stream);
        }
        if let Some(old) = old.filter(|old| old.process != process) {
            let wait = self.rng.range(1, 50);
            self.at(wait, Event::StreamEnded { stream: old.id, fenced: true });
        }
        self.note(|| format!("scheduler {process} subscribes as {framework}"));
        if let Some(process) = self.processes.get_mut(&process) {
            process.stream = Some(id);
        }
        self.flush_master();
        Ok(())
    }

    /// A call arrives.
    pub(crate) fn call(&mut self, stream: u64, call: Call) {
        let found = self.master.streams.iter().find(|(_, known)| known.id == stream);
        let Some((framework, _)) = found else { return };
        let framework = framework.clone();
        if !self.master.up || !self.master.core.is_connected(&framework) {
            return;
        }
        self.note(|| format!("master <- {}", call.r#type().as_str_name()));
        let now = self.master_now();
        if let Err(refused) = self.master.core.call(now, &framework, call) {
            self.note(|| format!("master refuses: {refused}"));
        }
        self.flush_master();
    }

    /// The master finds that nobody reads a stream.
    pub(crate) fn stream_unread(&mut self, stream: u64) {
        let found = self.master.streams.iter().find(|(_, known)| known.id == stream);
        let Some(framework) = found.map(|(framework, _)| framework.clone()) else { return };
        self.master.streams.remove(&framework);
        let now = self.master_now();
        self.master.core.disconnected(now, &framework);
        self.flush_master();
    }

    pub(crate) fn register_agent(
        &mut self,
        index: usize,
        info: v1::AgentInfo,
        running: Vec<RunningTask>,
    ) -> (String, u64) {
        self.master.next += 1;
        let link = self.master.next;
        let now = self.master_now();
        let address = format!("10.0.0.{index}:5051");
        let id = self.master.core.agent_registered(now, info, &address, running);
        self.master.links.insert(id.clone(), link);
        (id, link)
    }

    pub(crate) fn master_hears(&mut self, index: usize, link: u64, message: FromAgent) {
        let Some(id) = self.agents[index].id.clone() else { return };
        if !self.master.up || self.master.links.get(&id) != Some(&link) {
            return;
        }
        let FromAgent::Update { framework, status } = message;
        let now = self.master_now();
        self.master.core.agent_update(now, &framework, *status);
        self.flush_master();
    }

    /// The master finds that an agent is gone.
    pub(crate) fn agent_gone(&mut self, id: &str, link: u64) {
        if self.master.links.get(id) == Some(&link) {
            self.master.links.remove(id);
            let now = self.master_now();
            self.master.core.agent_disconnected(now, id);
            self.flush_master();
        }
    }

    pub(crate) fn master_tick(&mut self, turn: u64) {
        if turn != self.master.tick.1 || !self.master.up {
            return;
        }
        self.master.tick.0 = u64::MAX;
        let now = self.master_now();
        self.master.core.tick(now);
        self.flush_master();
    }

    /// Asks every framework to leave an agent, as a master with a maintenance schedule does, and again
    /// for as long as the schedule says so.
    pub(crate) fn announce(&mut self, index: usize) {
        let Some(from) = self.agents[index].leaves_at else { return };
        self.at(ANNOUNCE_MS, Event::Announce { agent: index });
        let Some(id) = self.agents[index].id.clone() else { return };
        if !self.master.up || !self.master.links.contains_key(&id) {
            return;
        }
        let frameworks: Vec<String> = self.master.streams.keys().cloned().collect();
        for framework in frameworks {
            self.master.next += 1;
            let offer = v1::InverseOffer {
                id: v1::OfferId { value: format!("M{}-I{}", self.master.number, self.master.next) },
                agent_id: Some(v1::AgentId { value: id.clone() }),
                framework_id: v1::FrameworkId { value: framework.clone() },
                url: Some(v1::Url {
                    scheme: "http".to_owned(),
                    address: v1::Address {
                        hostname: Some(self.agents[index].host.clone()),
                        port: 5051,
                        ..v1::Address::default()
                    },
                    ..v1::Url::default()
                }),
                unavailability: unavailability(self.epoch_ms, from),
                ..v1::InverseOffer::default()
            };
            let event = v1::scheduler::Event {
                r#type: Some(v1::scheduler::event::Type::InverseOffers as i32),
                inverse_offers: Some(v1::scheduler::event::InverseOffers {
                    inverse_offers: vec![offer],
                }),
                ..v1::scheduler::Event::default()
            };
            self.send_event(&framework, event);
        }
    }

    /// What offers say of the maintenance of their agents.
    fn say_who_leaves(&self, event: &mut v1::scheduler::Event) {
        for offer in event.offers.iter_mut().flat_map(|offers| &mut offers.offers) {
            let agent = self.agents.iter().find(|agent| agent.host == offer.hostname);
            let leaves_at = agent.and_then(|agent| agent.leaves_at);
            offer.unavailability = leaves_at.map(|from| unavailability(self.epoch_ms, from));
        }
    }

    /// Sends what the master wants sent, and sees to it that its time passes.
    pub(crate) fn flush_master(&mut self) {
        for output in self.master.core.take_output() {
            match output {
                Output::Event { framework, event } => self.send_event(&framework, *event),
                Output::Close { .. } => {}
                Output::Remember { removed } => {
                    self.master.removed.insert(removed);
                }
                Output::Launch { ref agent, .. }
                | Output::Kill { ref agent, .. }
                | Output::Acknowledge { ref agent, .. }
                | Output::Shutdown { ref agent, .. }
                | Output::Resend { ref agent, .. } => {
                    let Some((index, link)) = self.agent_with(agent) else { continue };
                    if self.agents[index].cut || self.master.links.get(agent) != Some(&link) {
                        continue;
                    }
                    let delay = 3 * (1 + self.agents[index].slowness);
                    let message = Box::new(output);
                    self.at(delay, Event::ToAgent { agent: index, link, message });
                }
            }
        }
        let began = self.master.began;
        let Some(due) = self.master.core.next_wakeup() else { return };
        let due = due.saturating_add(began).max(self.now + 1);
        if self.master.tick.0 != due {
            self.master.tick = (due, self.master.tick.1 + 1);
            let turn = self.master.tick.1;
            self.at_time(due, Event::MasterTick { turn });
        }
    }

    fn send_event(&mut self, framework: &str, mut event: v1::scheduler::Event) {
        self.say_who_leaves(&mut event);
        let delay = self.rng.range(1, 4);
        let lag = !self.calm && self.rng.chance(self.profile.delay_per_mille);
        let repeats = event.update.is_some()
            && !self.calm
            && self.rng.chance(self.profile.duplicate_per_mille);
        let (extra, again) = (self.rng.range(50, 3000), self.rng.range(1, 60_000));
        let now = self.now;
        let Some(stream) = self.master.streams.get_mut(framework) else { return };
        let machine = self.processes.get(&stream.process).map(|process| process.machine);
        if machine.is_some_and(|machine| self.machines[machine].cut_down) {
            stream.stalled.push(event);
            return;
        }
        stream.until = stream.until.max(now + delay + if lag { extra } else { 0 });
        let (id, at) = (stream.id, stream.until);
        if lag {
            self.fault("event delayed");
        }
        if repeats {
            self.fault("update duplicated");
            self.at_time(at + again, Event::Deliver { stream: id, event: Box::new(event.clone()) });
        }
        self.at_time(at, Event::Deliver { stream: id, event: Box::new(event) });
    }

    /// Nothing gets from the master to a machine; who listens there notices after a while.
    pub(crate) fn cut_down(&mut self, machine: usize) {
        self.machines[machine].cut_down = true;
        let streams: Vec<u64> = self
            .processes
            .values()
            .filter(|process| process.machine == machine)
            .filter_map(|process| process.stream)
            .collect();
        for stream in streams {
            self.at(SILENCE_MS, Event::Silent { stream });
        }
    }

    /// What waited arrives late.
    pub(crate) fn join_down(&mut self, machine: usize) {
        self.machines[machine].cut_down = false;
        let mut late = Vec::new();
        for stream in self.master.streams.values_mut() {
            let reader = self.processes.get(&stream.process);
            if reader.is_some_and(|process| {
                process.machine == machine && process.stream == Some(stream.id)
            }) {
                for event in std::mem::take(&mut stream.stalled) {
                    stream.until = stream.until.max(self.now + 1);
                    late.push((stream.until, stream.id, event));
                }
            }
        }
        for (at, stream, event) in late {
            self.at_time(at, Event::Deliver { stream, event: Box::new(event) });
        }
    }

    /// The master is gone, and another one comes that knows only who was removed.
    pub(crate) fn restart_master(&mut self, off_ms: u64) {
        self.master.number += 1;
        self.master.core = core(self.master.number, self.master.removed.clone());
        self.master.began = self.now;
        self.master.up = false;
        self.master.tick = (u64::MAX, self.master.tick.1 + 1);
        self.master.links.clear();
        for (_, stream) in std::mem::take(&mut self.master.streams) {
            let wait = self.rng.range(1, 200);
            self.at(wait, Event::StreamEnded { stream: stream.id, fenced: false });
        }
        for index in 0..self.agents.len() {
            self.break_link(index);
        }
        self.at(off_ms, Event::Mend(Fault::MasterDown));
    }
}
