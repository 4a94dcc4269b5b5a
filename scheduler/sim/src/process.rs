//! A scheduler: the real core, the real log, the real words with Mesos, and a shell that does what the
//! one of the product does, in virtual time.

use std::collections::VecDeque;
use std::path::Path;

use aurora_mesos::v1;
use aurora_model::job::{ResourceBag, Timestamp};
use aurora_model::key::FrameworkId;
use aurora_scheduler_core::{
    CoordinatorAnswer, CoordinatorQuestion, Effect, Input, OfferOrder, Op, Scheduler, Settings,
    State,
};
use aurora_scheduler_session::{Identity, Launcher, Program, Sent, Session};
use aurora_scheduler_storage::{Log, OpenError, Snapshot, Store, StoreError, Work, commit};

use crate::check::voluntary::MIN_INSTANCES;
use crate::check::watch::Watch;
use crate::disk::{DiskFaults, SimDisk};
use crate::rng::Rng;
use crate::world::{Event, Violation, World, broken};

/// The folder of the log.
pub(crate) const FOLDER: &str = "/log";
/// How many bytes of steps there are before the state is written down.
const SNAPSHOT_AFTER: u64 = 48 << 10;
/// How many steps are written together at most.
const GROUP: usize = 512;
/// How long a scheduler is away that was ended, until it is started again.
const RESTART_MS: u64 = 2000;
/// How long a call may take.
const CALL_LIMIT_MS: u64 = 10_000;
/// The longest time between two attempts to subscribe.
const MAX_BACKOFF_MS: u64 = 5000;

/// Something that is done when a step is durable.
#[derive(Debug)]
pub(crate) struct Then {
    effects: Vec<Effect>,
}

/// How far a snapshot is, which is written while the log goes on.
enum Snapshotting {
    Idle,
    Begun(Box<dyn Snapshot>, Box<State>),
    Written(Result<(), StoreError>),
}

/// A scheduler that runs.
pub(crate) struct Process {
    pub(crate) machine: usize,
    pub(crate) scheduler: Scheduler,
    pub(crate) watch: Watch,
    session: Session,
    store: Store<SimDisk>,
    queue: VecDeque<Work<Then>>,
    writing: bool,
    snapshot_asked: bool,
    snapshot: Snapshotting,
    /// When it looks at its timers next, and which look that is.
    wake: (u64, u64),
    /// The stream it reads.
    pub(crate) stream: Option<u64>,
    /// The framework id as its session knows it.
    framework: Option<String>,
    /// Its calls arrive one after the other: when the last one does.
    calls_until: u64,
    /// How many inputs it has handled.
    handled: u64,
    /// It goes on although another one has its log.
    pub(crate) deposed: bool,
}

/// What the operator of a cluster has chosen.
pub(crate) fn settings(rng: &mut Rng) -> Settings {
    use OfferOrder::{Cpu, Memory, Random, Spread};
    let orders = [vec![Random], vec![Random], vec![Cpu, Memory], vec![Spread]];
    Settings {
        offer_order: rng.pick(&orders).cloned().unwrap_or_default(),
        enable_update_affinity: rng.chance(300),
        min_required_instances_for_sla_check: MIN_INSTANCES,
        cron_time_zone: "Europe/Rome".to_owned(),
        ..Settings::default()
    }
}

impl World {
    pub(crate) fn wall(&self, machine: usize) -> Timestamp {
        let since = i64::try_from(self.now).unwrap_or(i64::MAX);
        Timestamp(self.epoch_ms + since + self.machines[machine].skew)
    }

    /// A supervisor starts a scheduler, if there is none.
    pub(crate) fn start(&mut self, machine: usize) -> Result<(), Violation> {
        let running = self.leader.and_then(|leader| self.processes.get(&leader));
        if running.is_some_and(|process| !process.deposed) || machine != self.home {
            return Ok(());
        }
        let id = self.clients.next_id();
        let disk = self.disk.of(id);
        let opened = Store::open_on(disk, Path::new(FOLDER));
        let (store, state) = match opened {
            Ok(opened) => opened,
            Err(error) => return self.not_opened(machine, id, &error),
        };
        self.note(|| format!("scheduler {id} starts on machine {machine}"));
        self.cover.path("scheduler started");
        // What was turned round did no harm: it was in what nobody had been told of.
        self.rot = None;
        self.log.recovered(&state)?;
        let framework = state.framework_id().map(ToString::to_string);
        let settings =
            Settings { scheduler_host: format!("scheduler{machine}"), ..self.settings.clone() };
        let launcher = Launcher {
            executor: Program::There("/usr/bin/executor".to_owned()),
            executor_flags: String::new(),
            overhead: settings.executor_overhead,
            default_tier: settings.default_tier.clone(),
            revocable_cpus: true,
            revocable_ram: false,
            discovery: None,
            revocable_tiers: settings
                .tiers
                .iter()
                .filter(|(_, tier)| tier.revocable)
                .map(|(name, _)| name.clone())
                .collect(),
        };
        let wall = self.wall(machine);
        let watch = Watch::new(&state, wall, settings.executor_overhead);
        let process = Process {
            machine,
            watch,
            scheduler: Scheduler::new(settings, state),
            session: Session::new(launcher, 5.0),
            store,
            queue: VecDeque::new(),
            writing: false,
            snapshot_asked: false,
            snapshot: Snapshotting::Idle,
            wake: (u64::MAX, 0),
            stream: None,
            framework,
            calls_until: 0,
            handled: 0,
            deposed: false,
        };
        self.processes.insert(id, process);
        self.leader = Some(id);
        let seed = self.rng.next();
        self.feed(id, Input::Started { seed })?;
        let wait = self.rng.below(500);
        self.at(wait, Event::Subscribe { process: id, wait: 100 });
        Ok(())
    }

    /// The log cannot be opened: damage is mended from a copy, for anything else it is tried again.
    fn not_opened(&mut self, machine: usize, id: u64, error: &OpenError) -> Result<(), Violation> {
        self.disk.kill(id);
        self.note(|| format!("scheduler {id} cannot open the log: {error}"));
        match (error, self.rot.take()) {
            (
                OpenError::Corrupt { .. } | OpenError::Version { .. } | OpenError::Newer { .. },
                Some(rot),
            ) => {
                self.fault("bit rot, detected");
                self.disk.mend(&rot);
            }
            (OpenError::File(_) | OpenError::InUse { .. }, rot) => self.rot = rot,
            _ => {
                return broken(
                    "L5",
                    format!("a log that nobody damaged cannot be opened: {error}"),
                );
            }
        }
        self.at(RESTART_MS, Event::Start { machine });
        Ok(())
    }

    /// Ends a scheduler, as `kill -9` does.
    pub(crate) fn kill_process(&mut self, id: u64, why: &str) -> Result<(), Violation> {
        self.note(|| format!("scheduler {id} ends: {why}"));
        self.disk.kill(id);
        let Some(process) = self.processes.remove(&id) else { return Ok(()) };
        if self.leader == Some(id) {
            self.log.is_ahead(process.scheduler.state(), &process.unwritten())?;
            self.leader = None;
        }
        if let Some(stream) = process.stream {
            let wait = self.rng.range(1, 2000);
            self.at(wait, Event::StreamUnread { stream });
        }
        let machine = self.home;
        let wait = self.rng.range(500, 3 * RESTART_MS);
        self.at(wait, Event::Start { machine });
        Ok(())
    }

    /// Gives a scheduler an input.
    pub(crate) fn feed(&mut self, id: u64, input: Input) -> Result<(), Violation> {
        let Some(process) = self.processes.get(&id) else { return Ok(()) };
        let wall = self.wall(process.machine);
        self.steps += 1;
        self.note(|| format!("scheduler {id} <- {}", summary(&input)));
        let Some(process) = self.processes.get_mut(&id) else { return Ok(()) };
        process.handled += 1;
        let step = process.scheduler.handle(wall, input.clone());
        let checked = process.watch.after(wall, &input, &step, &process.scheduler, &mut self.cover);
        let has_something = !(step.ops.is_empty() && step.effects.is_empty());
        if has_something {
            let then = Then { effects: step.effects };
            process.queue.push_back(Work::Step { ops: step.ops, then });
        }
        if process.snapshot_asked {
            process.snapshot_asked = false;
            let state = Box::new(process.scheduler.state().frozen());
            process.queue.push_back(Work::Snapshot(state));
        }
        if self.tracing_steps() && has_something {
            let shown = self.processes.get(&id).and_then(|process| {
                match process.queue.iter().rev().find(|work| matches!(work, Work::Step { .. }))? {
                    Work::Step { ops, then } => {
                        Some(format!("    {} / {}", shown_ops(ops), shown_effects(&then.effects)))
                    }
                    Work::Snapshot(_) => None,
                }
            });
            if let Some(shown) = shown {
                self.note(|| shown);
            }
        }
        checked?;
        self.write_soon(id);
        self.sleep(id);
        let crashes = !self.calm && self.rng.below(1_000_000) < self.profile.crash_per_million;
        if crashes {
            self.fault("crash between step and append");
            return self.kill_process(id, "crash after a step");
        }
        Ok(())
    }

    fn write_soon(&mut self, id: u64) {
        let Some(process) = self.processes.get_mut(&id) else { return };
        if process.writing || process.queue.is_empty() {
            return;
        }
        process.writing = true;
        let slowness = 1 + self.machines[process.machine].disk_slowness;
        let wait = self.rng.range(1, 4) * slowness;
        self.at(wait, Event::Write { process: id });
    }

    /// Sleeps until the next timer, by a clock that does not jump.
    fn sleep(&mut self, id: u64) {
        let Some(process) = self.processes.get(&id) else { return };
        let Some(at) = process.scheduler.next_wakeup() else { return };
        let wait = at.ms_since(self.wall(process.machine)).clamp(0, 3_600_000);
        let due = self.now + u64::try_from(wait).unwrap_or(0);
        let Some(process) = self.processes.get_mut(&id) else { return };
        if process.wake.0 == due {
            return;
        }
        process.wake = (due, process.wake.1 + 1);
        let turn = process.wake.1;
        self.at_time(due, Event::Wakeup { process: id, turn });
    }

    pub(crate) fn wake(&mut self, id: u64, turn: u64) -> Result<(), Violation> {
        let Some(process) = self.processes.get_mut(&id) else { return Ok(()) };
        if process.wake.1 != turn {
            return Ok(());
        }
        process.wake.0 = u64::MAX;
        self.feed(id, Input::Wakeup)
    }

    /// The writer's turn: one append for all that waits, then the effects.
    pub(crate) fn write(&mut self, id: u64) -> Result<(), Violation> {
        let dies_within = !self.calm && self.rng.below(1_000_000) < self.profile.crash_per_million;
        let dies_after = !self.calm && self.rng.below(1_000_000) < self.profile.crash_per_million;
        let is_leader = self.leader == Some(id);
        let Some(process) = self.processes.get_mut(&id) else { return Ok(()) };
        process.writing = false;
        let count = process.queue.len().min(GROUP);
        let group: Vec<Work<Then>> = process.queue.drain(..count).collect();
        let steps: Vec<Vec<Op>> = group.iter().filter_map(ops_of).cloned().collect();
        if is_leader {
            self.log.issued(&steps);
        }
        if dies_within {
            self.fault("crash within an append");
            self.disk.kill_after(id, u32::try_from(self.rng.below(3)).unwrap_or(0));
        }
        let Some(process) = self.processes.get_mut(&id) else { return Ok(()) };
        let mut begun = None;
        let result = commit(
            &mut process.store,
            group,
            |log, steps| log.append(steps),
            // A log without a snapshot is as good, only longer.
            |log, state| begun = log.begin_snapshot().ok().map(|writer| (writer, state)),
        );
        let begins = begun.is_some();
        if let Some((writer, state)) = begun {
            process.snapshot = Snapshotting::Begun(writer, state);
        }
        let wants_snapshot = process.store.since_snapshot() > SNAPSHOT_AFTER
            && matches!(process.snapshot, Snapshotting::Idle);
        let released = match result {
            Ok(released) => released,
            Err(error) => return self.kill_process(id, &error.to_string()),
        };
        if self.disk.is_dead(id) {
            return self.kill_process(id, "killed while it wrote");
        }
        if !steps.is_empty() {
            self.log.acknowledged(is_leader, steps)?;
        }
        let Some(process) = self.processes.get_mut(&id) else { return Ok(()) };
        process.snapshot_asked |= wants_snapshot;
        if begins {
            self.go_on_with_snapshot(id);
        }
        if dies_after {
            self.fault("crash between append and effects");
            return self.kill_process(id, "crash after an append");
        }
        for then in released {
            for effect in then.effects {
                self.carry_out(id, effect)?;
            }
        }
        self.write_soon(id);
        Ok(())
    }

    /// A snapshot takes its time; the log and everything else goes on.
    fn go_on_with_snapshot(&mut self, id: u64) {
        let wait = self.rng.range(1, 5000);
        self.at(wait, Event::Snapshot { process: id });
    }

    /// A snapshot is written, and when it is, it counts.
    pub(crate) fn snapshot(&mut self, id: u64) -> Result<(), Violation> {
        if !self.processes.contains_key(&id) {
            return Ok(());
        }
        let dies = !self.calm && self.rng.below(100_000) < self.profile.crash_per_million;
        let fails = !self.calm && self.rng.chance(self.profile.drop_per_mille);
        if dies {
            self.fault("crash within a snapshot");
            self.disk.kill_after(id, u32::try_from(self.rng.below(3)).unwrap_or(0));
        }
        let Some(process) = self.processes.get_mut(&id) else { return Ok(()) };
        match std::mem::replace(&mut process.snapshot, Snapshotting::Idle) {
            Snapshotting::Idle => {}
            Snapshotting::Begun(mut writer, state) => {
                let before = fails.then(|| {
                    self.disk.set_faults(DiskFaults { full: true, ..DiskFaults::default() })
                });
                process.snapshot = Snapshotting::Written(writer.write(&state));
                if let Some(before) = before {
                    self.fault("a snapshot that could not be written");
                    self.disk.set_faults(before);
                }
                self.go_on_with_snapshot(id);
            }
            Snapshotting::Written(result) => {
                // A log without a snapshot is as good, only longer.
                let ended = process.store.end_snapshot(result);
                self.cover.snapshots += u64::from(ended.is_ok());
            }
        }
        if self.disk.is_dead(id) {
            return self.kill_process(id, "killed while it wrote a snapshot");
        }
        Ok(())
    }

    fn carry_out(&mut self, id: u64, effect: Effect) -> Result<(), Violation> {
        if let Effect::Reply { ticket, result } = effect {
            self.log.check_reply(self.clients.request_id(ticket), &result)?;
            self.answer(ticket, result);
            return Ok(());
        }
        if let Effect::AskCoordinator(question) = effect {
            self.ask_coordinator(id, &question);
            return Ok(());
        }
        let Some(process) = self.processes.get_mut(&id) else { return Ok(()) };
        let Sent { call, lost } = process.session.send(effect);
        if let Some(call) = call {
            self.send_call(id, call);
        }
        for update in lost {
            self.feed(id, Input::Status(update))?;
        }
        Ok(())
    }

    /// A coordinator mostly says yes, now and then no, and sometimes nothing for long.
    fn ask_coordinator(&mut self, process: u64, question: &CoordinatorQuestion) {
        let fails = !self.calm && self.rng.chance(200);
        let (answer, wait) = match self.rng.below(3) {
            _ if fails => (CoordinatorAnswer::Failed("nobody answers".to_owned()), 70_000),
            0 => (CoordinatorAnswer::Denied, 500),
            _ => (CoordinatorAnswer::Allowed, 500),
        };
        self.cover.path(format!("coordinator: {answer:?}"));
        let wait = self.rng.range(10, wait);
        self.at(wait, Event::Coordinator { process, id: question.id, answer });
    }

    fn send_call(&mut self, id: u64, call: v1::scheduler::Call) {
        let Some(process) = self.processes.get(&id) else { return };
        let (Some(stream), machine) = (process.stream, process.machine) else { return };
        if self.machines[machine].cut_up || !self.master.up {
            self.fault("call lost in a partition");
            return self.call_fails(stream, &call);
        }
        let accepts = call.accept.is_some();
        if !self.calm && self.rng.chance(self.profile.drop_per_mille) {
            self.fault("call dropped");
            return self.call_fails(stream, &call);
        }
        let delay = self.rng.range(1, 5);
        // A call that takes longer than its time limit is overtaken by the next ones.
        if !self.calm && self.rng.chance(self.profile.delay_per_mille) {
            self.fault("call delayed and overtaken");
            let delay = self.rng.range(100, 20_000);
            if delay > CALL_LIMIT_MS {
                self.call_fails(stream, &call);
            }
            self.at(delay, Event::Call { stream, call: Box::new(call) });
            return;
        }
        let Some(process) = self.processes.get_mut(&id) else { return };
        process.calls_until = process.calls_until.max(self.now + delay);
        let at = process.calls_until;
        if !accepts && !self.calm && self.rng.chance(self.profile.duplicate_per_mille) {
            self.fault("call duplicated");
            let later = self.rng.range(1, 5000);
            self.at_time(at + later, Event::Call { stream, call: Box::new(call.clone()) });
        }
        self.at_time(at, Event::Call { stream, call: Box::new(call) });
    }

    /// What is sent again is, after the time that a call may take.
    fn call_fails(&mut self, stream: u64, call: &v1::scheduler::Call) {
        if let Some(instead) = Session::instead(call) {
            let call = Box::new(instead);
            self.at(CALL_LIMIT_MS, Event::GiveBack { stream, call });
        }
    }

    pub(crate) fn give_back(&mut self, stream: u64, call: v1::scheduler::Call) {
        if let Some(id) = self.reader_of(stream) {
            self.fault("offers given back once more");
            self.send_call(id, call);
        }
    }

    pub(crate) fn subscribe(&mut self, id: u64, wait: u64) -> Result<(), Violation> {
        let Some(process) = self.processes.get(&id) else { return Ok(()) };
        let machine = &self.machines[process.machine];
        if machine.cut_up || machine.cut_down || !self.master.up {
            let next = self.rng.range(wait, 2 * wait).min(MAX_BACKOFF_MS);
            self.at(next, Event::Subscribe { process: id, wait: (wait * 2).min(MAX_BACKOFF_MS) });
            return Ok(());
        }
        let info = v1::FrameworkInfo::from(Identity {
            user: "root".to_owned(),
            name: "Aurora".to_owned(),
            id: process.framework.clone(),
            failover_timeout: 1_814_400.0,
            role: "*".to_owned(),
            hostname: format!("scheduler{}", process.machine),
            web_url: String::new(),
            revocable: true,
            gpus: false,
        });
        self.open_stream(id, info)
    }

    /// An event of the master arrives.
    pub(crate) fn deliver(
        &mut self,
        stream: u64,
        event: v1::scheduler::Event,
    ) -> Result<(), Violation> {
        let Some(id) = self.reader_of(stream) else { return Ok(()) };
        let Some(process) = self.processes.get_mut(&id) else { return Ok(()) };
        if let Some(subscribed) = event.subscribed {
            process.session.forget_offers();
            process.framework = Some(subscribed.framework_id.value.clone());
            let Ok(framework_id) = FrameworkId::new(subscribed.framework_id.value) else {
                return broken("L2", "the master gave an empty framework id");
            };
            return self.feed(id, Input::Registered { framework_id });
        }
        match process.session.input(event) {
            Ok(Some(input)) => self.feed(id, input),
            Ok(None) => Ok(()),
            Err(error) => broken("T1", format!("an event of the master is unusable: {error}")),
        }
    }

    /// A scheduler's stream has ended; one that another has taken over ends.
    pub(crate) fn stream_ended(&mut self, stream: u64, fenced: bool) -> Result<(), Violation> {
        let Some(id) = self.reader_of(stream) else { return Ok(()) };
        if fenced {
            self.fault("scheduler told that another took over");
            return self.kill_process(id, "the master says that it failed over");
        }
        self.lose_stream(id)
    }

    pub(crate) fn silent(&mut self, stream: u64) -> Result<(), Violation> {
        let Some(id) = self.reader_of(stream) else { return Ok(()) };
        let is_cut =
            self.processes.get(&id).is_some_and(|process| self.machines[process.machine].cut_down);
        if is_cut {
            self.at(1, Event::StreamUnread { stream });
            return self.lose_stream(id);
        }
        Ok(())
    }

    fn lose_stream(&mut self, id: u64) -> Result<(), Violation> {
        let Some(process) = self.processes.get_mut(&id) else { return Ok(()) };
        process.stream = None;
        process.session.forget_offers();
        self.feed(id, Input::Disconnected)?;
        let wait = self.rng.range(100, 200);
        self.at(wait, Event::Subscribe { process: id, wait });
        Ok(())
    }

    fn reader_of(&self, stream: u64) -> Option<u64> {
        self.processes.iter().find(|(_, process)| process.stream == Some(stream)).map(|(id, _)| *id)
    }
}

impl Process {
    /// Whether something waits to be written.
    pub(crate) fn has_work(&self) -> bool {
        !self.queue.is_empty()
    }

    /// What it has changed and not given to the log yet.
    fn unwritten(&self) -> Vec<Vec<Op>> {
        self.queue.iter().filter_map(ops_of).cloned().collect()
    }
}

fn ops_of(work: &Work<Then>) -> Option<&Vec<Op>> {
    match work {
        Work::Step { ops, .. } if !ops.is_empty() => Some(ops),
        _ => None,
    }
}

fn summary(input: &Input) -> String {
    match input {
        Input::Offers(offers) => {
            let shown: Vec<String> =
                offers.iter().map(|offer| format!("{}@{}", offer.id, offer.host)).collect();
            format!("offers {}", shown.join(" "))
        }
        Input::Status(update) => format!("status {} {}", update.task, update.state),
        Input::Request { mark, request, .. } => {
            let id = mark.as_ref().map(|mark| mark.id.to_string()).unwrap_or_default();
            let mut text = format!("request {id} {request:?}");
            text.truncate(160);
            text
        }
        other => {
            let mut text = format!("{other:?}");
            text.truncate(120);
            text
        }
    }
}

fn shown_ops(ops: &[Op]) -> String {
    let shown: Vec<String> = ops
        .iter()
        .map(|op| match op {
            Op::Transition { id, event } => format!("{id} -> {}", event.state),
            Op::Reschedule { ancestor, id } => format!("{ancestor} replaced by {id}"),
            Op::Assign { id, host, .. } => format!("{id} assigned to {host}"),
            Op::PutTasks { config, tasks } => format!("{} tasks of {}", tasks.len(), config.job),
            other => {
                let mut text = format!("{other:?}");
                text.truncate(100);
                text
            }
        })
        .collect();
    shown.join("; ")
}

fn shown_effects(effects: &[Effect]) -> String {
    let shown: Vec<String> = effects
        .iter()
        .filter_map(|effect| match effect {
            Effect::Changed(_) => None,
            Effect::Launch { offers, tasks } => {
                let tasks: Vec<String> =
                    tasks.iter().map(|task| task.task_id.to_string()).collect();
                Some(format!("launch {} in {offers:?}", tasks.join(" ")))
            }
            other => {
                let mut text = format!("{other:?}");
                text.truncate(100);
                Some(text)
            }
        })
        .collect();
    shown.join("; ")
}

/// What an executor needs beside its task.
pub(crate) fn overhead() -> ResourceBag {
    Settings::default().executor_overhead
}
