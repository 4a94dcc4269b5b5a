//! The whole: what there is, the queue of what is to happen, and the loop that lets it happen.

use std::collections::{BTreeMap, VecDeque};
use std::fmt;

use aurora_cluster::master::core::Output;
use aurora_mesos::v1;
use aurora_scheduler_core::{CoordinatorAnswer, Input, QuestionId, Settings};

use crate::agent::{Agent, ExecutorStep, FromAgent};
use crate::check::log::LogModel;
use crate::check::truth::Truth;
use crate::client::Clients;
use crate::cover::Coverage;
use crate::disk::{Rot, SimDisk};
use crate::faults::{Breakage, Fault, Profile};
use crate::master::Master;
use crate::process::{Process, settings};
use crate::rng::Rng;

/// The wall clock at the beginning of a run, in milliseconds since the Unix epoch: in the evening before
/// clocks change in Europe, in spring or in autumn of 2026.
const EPOCHS_MS: [i64; 2] = [1_774_728_000_000, 1_792_872_000_000];

/// How many of the last events a failure shows.
const SHOWN: usize = 50;

/// An invariant does not hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// Which: the id that the list of invariants gives it.
    pub invariant: &'static str,
    /// What was seen.
    pub message: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.invariant, self.message)
    }
}

/// Says that an invariant does not hold.
pub(crate) fn broken<T>(
    invariant: &'static str,
    message: impl Into<String>,
) -> Result<T, Violation> {
    Err(Violation { invariant, message: message.into() })
}

/// Something that is to happen.
#[derive(Debug)]
pub(crate) enum Event {
    /// A scheduler is started on a machine.
    Start { machine: usize },
    /// A timer of a scheduler is due.
    Wakeup { process: u64, turn: u64 },
    /// What waits to be written is written.
    Write { process: u64 },
    /// A snapshot that is being written goes on.
    Snapshot { process: u64 },
    /// A scheduler subscribes.
    Subscribe { process: u64, wait: u64 },
    /// The master's next event of a stream arrives.
    Deliver { stream: u64, event: Box<v1::scheduler::Event> },
    /// A scheduler finds that its stream has ended.
    StreamEnded { stream: u64, fenced: bool },
    /// A scheduler has heard nothing for too long.
    Silent { stream: u64 },
    /// The master finds that nobody reads a stream.
    StreamUnread { stream: u64 },
    /// A call arrives at the master.
    Call { stream: u64, call: Box<v1::scheduler::Call> },
    /// A scheduler finds that a call about offers has failed.
    GiveBack { stream: u64, call: Box<v1::scheduler::Call> },
    /// A timer of the master is due.
    MasterTick { turn: u64 },
    /// The master asks once more to leave an agent that goes into maintenance.
    Announce { agent: usize },
    /// A coordinator answers.
    Coordinator { process: u64, id: QuestionId, answer: CoordinatorAnswer },
    /// An agent calls the master.
    Join { agent: usize },
    /// A message of the master arrives at an agent.
    ToAgent { agent: usize, link: u64, message: Box<Output> },
    /// A message of an agent arrives at the master.
    FromAgent { agent: usize, link: u64, message: FromAgent },
    /// The master finds that an agent is gone.
    AgentGone { id: String, link: u64 },
    /// An executor does something.
    Executor { agent: usize, task: String, life: u64, step: ExecutorStep },
    /// An update that was not acknowledged is sent again.
    Resend { agent: usize, task: String, uuid: [u8; 16], wait: u64 },
    /// A client thinks of something to do.
    Act,
    /// A client sends a request, not for the first time perhaps.
    Send { request: u64 },
    /// A request arrives at a scheduler.
    Request { request: u64, process: u64 },
    /// An answer arrives at its client.
    Answer { request: u64, answer: Box<crate::client::Answer> },
    /// Something breaks.
    Break,
    /// Something breaks that was planned.
    Script(Breakage),
    /// Something is mended.
    Mend(Fault),
    /// From here on nothing breaks.
    Quiet,
}

/// A machine that a scheduler can run on.
#[derive(Debug, Clone, Default)]
pub(crate) struct Machine {
    /// How far its clock is off, in milliseconds.
    pub(crate) skew: i64,
    /// Nothing gets from it to the master.
    pub(crate) cut_up: bool,
    /// Nothing gets from the master to it.
    pub(crate) cut_down: bool,
    /// How much slower than usual its disk is.
    pub(crate) disk_slowness: u64,
}

/// A cluster, from its beginning to its end.
pub(crate) struct World {
    pub(crate) rng: Rng,
    /// The wall clock at its beginning, see [`EPOCHS_MS`].
    pub(crate) epoch_ms: i64,
    pub(crate) now: u64,
    end: u64,
    queue: BTreeMap<(u64, u64), Event>,
    made: u64,
    pub(crate) profile: Profile,
    pub(crate) settings: Settings,
    pub(crate) calm: bool,
    pub(crate) machines: Vec<Machine>,
    pub(crate) processes: BTreeMap<u64, Process>,
    /// The process whose log it is.
    pub(crate) leader: Option<u64>,
    /// The machine that a scheduler is to run on.
    pub(crate) home: usize,
    pub(crate) disk: SimDisk,
    pub(crate) rot: Option<Rot>,
    pub(crate) log: LogModel,
    pub(crate) truth: Truth,
    pub(crate) master: Master,
    pub(crate) agents: Vec<Agent>,
    pub(crate) clients: Clients,
    pub(crate) cover: Coverage,
    pub(crate) steps: u64,
    tracing: Tracing,
    shown: VecDeque<String>,
    /// What was found to be wrong where it could not be told.
    found: Option<Violation>,
}

/// What is done with the story of a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Tracing {
    /// It is not told.
    Off,
    /// Its end is kept.
    Keep,
    /// What contains a text is printed.
    Print(String),
}

/// How a run went.
#[derive(Debug, Clone, Default)]
pub struct Outcome {
    /// How long it was in the simulation, in milliseconds.
    pub simulated_ms: u64,
    /// How many inputs schedulers have handled.
    pub steps: u64,
    /// What was reached.
    pub coverage: Coverage,
    /// What did not hold, if anything.
    pub violation: Option<Violation>,
    /// The last events, if they were asked for.
    pub shown: Vec<String>,
}

impl World {
    /// Runs the cluster of a seed for a time.
    pub(crate) fn run(
        seed: u64,
        duration_ms: u64,
        tracing: Tracing,
        script: Option<&[(u64, Breakage)]>,
    ) -> Outcome {
        let mut rng = Rng::new(seed);
        // Seeds that are next to each other have nothing else in common.
        rng.next();
        let mut profile = Profile::draw(&mut rng.fork());
        if script.is_some() {
            profile = Profile { between_acts_ms: profile.between_acts_ms, ..Profile::calm() };
        }
        let agents = Agent::some(&mut rng.fork());
        let epoch_ms = EPOCHS_MS[usize::from(rng.chance(500))];
        let settings = settings(&mut rng.fork());
        let mut world = Self {
            epoch_ms,
            settings,
            disk: SimDisk::new(rng.fork()),
            clients: Clients::new(rng.fork()),
            rng,
            now: 0,
            end: duration_ms,
            queue: BTreeMap::new(),
            made: 0,
            profile,
            calm: false,
            machines: vec![Machine::default(); 2],
            processes: BTreeMap::new(),
            leader: None,
            home: 0,
            rot: None,
            log: LogModel::default(),
            truth: Truth::default(),
            master: Master::new(),
            agents,
            cover: Coverage::default(),
            steps: 0,
            tracing,
            shown: VecDeque::new(),
            found: None,
        };
        for (at, what) in script.into_iter().flatten() {
            world.at(*at, Event::Script(*what));
        }
        let violation = world.go().err();
        for (what, times) in world.disk.happened() {
            world.cover.faults.entry(what).and_modify(|known| *known += times).or_insert(times);
        }
        Outcome {
            simulated_ms: world.now,
            steps: world.steps,
            coverage: world.cover,
            violation,
            shown: world.shown.into(),
        }
    }

    fn go(&mut self) -> Result<(), Violation> {
        self.at(0, Event::Start { machine: 0 });
        for agent in 0..self.agents.len() {
            let wait = self.rng.below(2000);
            self.at(wait, Event::Join { agent });
        }
        self.at(1000, Event::Act);
        let first = self.rng.around(self.profile.between_faults_ms);
        self.at(first, Event::Break);
        let quiet = self.end.saturating_sub(crate::faults::QUIET_MS);
        self.at(quiet, Event::Quiet);
        while let Some(((at, _), event)) = self.queue.pop_first() {
            if at > self.end {
                break;
            }
            self.now = at;
            self.happen(event)?;
            if let Some(violation) = self.found.take() {
                return Err(violation);
            }
        }
        self.now = self.end;
        self.check_end()
    }

    /// Lets something happen in `wait` milliseconds.
    pub(crate) fn at(&mut self, wait: u64, event: Event) {
        self.made += 1;
        self.queue.insert((self.now + wait, self.made), event);
    }

    /// Lets something happen at a time; gives the time. Of two at the same time the one that was
    /// asked for first comes first.
    pub(crate) fn at_time(&mut self, time: u64, event: Event) {
        self.made += 1;
        self.queue.insert((time.max(self.now), self.made), event);
    }

    /// Writes down what happens, for who wants to read of a failure.
    pub(crate) fn note(&mut self, what: impl FnOnce() -> String) {
        if self.tracing == Tracing::Off {
            return;
        }
        let (seconds, ms) = (self.now / 1000, self.now % 1000);
        let (hours, minutes) = (seconds / 3600, seconds / 60 % 60);
        let line = format!("{hours:02}:{minutes:02}:{:02}.{ms:03} {}", seconds % 60, what());
        match &self.tracing {
            Tracing::Print(text) if line.contains(text) => println!("{line}"),
            Tracing::Print(_) | Tracing::Off => {}
            Tracing::Keep => {
                if self.shown.len() == SHOWN {
                    self.shown.pop_front();
                }
                self.shown.push_back(line);
            }
        }
    }

    pub(crate) fn tracing_steps(&self) -> bool {
        self.tracing != Tracing::Off
    }

    /// Tells of something wrong after the event that is happening.
    pub(crate) fn found(&mut self, violation: Violation) {
        self.found.get_or_insert(violation);
    }

    pub(crate) fn fault(&mut self, what: &'static str) {
        *self.cover.faults.entry(what).or_default() += 1;
    }

    fn happen(&mut self, event: Event) -> Result<(), Violation> {
        match event {
            Event::Start { machine } => self.start(machine),
            Event::Wakeup { process, turn } => self.wake(process, turn),
            Event::Write { process } => self.write(process),
            Event::Snapshot { process } => self.snapshot(process),
            Event::Subscribe { process, wait } => self.subscribe(process, wait),
            Event::Deliver { stream, event } => self.deliver(stream, *event),
            Event::StreamEnded { stream, fenced } => self.stream_ended(stream, fenced),
            Event::Silent { stream } => self.silent(stream),
            Event::StreamUnread { stream } => {
                self.stream_unread(stream);
                Ok(())
            }
            Event::Call { stream, call } => {
                self.call(stream, *call);
                Ok(())
            }
            Event::GiveBack { stream, call } => {
                self.give_back(stream, *call);
                Ok(())
            }
            Event::MasterTick { turn } => {
                self.master_tick(turn);
                Ok(())
            }
            Event::Announce { agent } => {
                self.announce(agent);
                Ok(())
            }
            Event::Coordinator { process, id, answer } => {
                self.feed(process, Input::CoordinatorAnswered { id, answer })
            }
            Event::Join { agent } => {
                self.join(agent);
                Ok(())
            }
            Event::ToAgent { agent, link, message } => self.agent_hears(agent, link, *message),
            Event::FromAgent { agent, link, message } => {
                self.master_hears(agent, link, message);
                Ok(())
            }
            Event::AgentGone { id, link } => {
                self.agent_gone(&id, link);
                Ok(())
            }
            Event::Executor { agent, task, life, step } => {
                self.executor(agent, &task, life, step);
                Ok(())
            }
            Event::Resend { agent, task, uuid, wait } => {
                self.resend(agent, &task, uuid, wait);
                Ok(())
            }
            Event::Act => {
                self.act();
                Ok(())
            }
            Event::Send { request } => {
                self.send_request(request);
                Ok(())
            }
            Event::Request { request, process } => self.take_request(request, process),
            Event::Answer { request, answer } => self.take_answer(request, *answer),
            Event::Break => {
                self.break_something();
                Ok(())
            }
            Event::Script(what) => {
                self.break_as_planned(what);
                Ok(())
            }
            Event::Mend(fault) => {
                self.mend(fault);
                Ok(())
            }
            Event::Quiet => {
                self.be_quiet();
                Ok(())
            }
        }
    }
}
