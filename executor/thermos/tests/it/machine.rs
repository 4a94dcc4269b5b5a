//! A task under events in random order, in the presence of kills and of runners that die.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use aurora_thermos::checkpoint::record::{
    Event, Header, ProcessChange, ProcessEvent, ProcessIdentity, Record, TaskEvent, Told,
};
use aurora_thermos::history::History;
use aurora_thermos::machine::{Action, Input, Machine};
use aurora_thermos::planner::Outcome;
use aurora_thermos::spec::TaskSpec;
use aurora_thermos::state::TaskState;
use proptest::prelude::*;
use serde_json::{Value, json};

#[derive(Debug, Clone)]
enum Step {
    Pass(u64),
    End(prop::sample::Index, Outcome),
    Kill(u64),
    Lose,
    /// The runner dies before it has written so many of its last records, and another one goes on.
    Die(usize),
}

fn step() -> impl Strategy<Value = Step> {
    let outcome = prop_oneof![
        3 => Just(Outcome::Success),
        1 => Just(Outcome::Failure),
        1 => Just(Outcome::Lost),
    ];
    prop_oneof![
        8 => (0..4u64).prop_map(Step::Pass),
        8 => (any::<prop::sample::Index>(), outcome).prop_map(|(which, how)| Step::End(which, how)),
        1 => (0..9u64).prop_map(Step::Kill),
        1 => Just(Step::Lose),
        2 => (0..6usize).prop_map(Step::Die),
    ]
}

fn process() -> impl Strategy<Value = Value> {
    (prop::bool::weighted(0.2), prop::bool::weighted(0.2), prop::bool::weighted(0.3), 0..3, 0..3)
        .prop_map(|(daemon, ephemeral, is_final, max_failures, min_duration)| {
            json!({
                "name": "",
                "cmdline": "true",
                "daemon": daemon,
                "ephemeral": ephemeral,
                "final": is_final,
                "max_failures": max_failures,
                "min_duration": min_duration,
            })
        })
}

prop_compose! {
    fn task()(
        mut processes in prop::collection::vec(process(), 0..6),
        max_failures in 0..3,
        max_concurrency in 0..3,
        finalization_wait in 0..9,
    ) -> TaskSpec {
        for (number, process) in processes.iter_mut().enumerate() {
            process["name"] = number.to_string().into();
        }
        let task = json!({
            "name": "t",
            "processes": processes,
            "max_failures": max_failures,
            "max_concurrency": max_concurrency,
            "finalization_wait": finalization_wait,
        });
        TaskSpec::new(&serde_json::from_value(task).unwrap()).unwrap()
    }
}

/// What a runner does, without processes.
struct World {
    spec: Arc<TaskSpec>,
    machine: Machine,
    history: History,
    records: Vec<Record>,
    now: Duration,
    running: BTreeMap<usize, u32>,
    waits_for_all: bool,
}

impl World {
    fn new(spec: TaskSpec) -> Self {
        let spec = Arc::new(spec);
        let machine = Machine::new(spec.clone());
        let header = Header {
            task_id: "t".to_owned(),
            task_json: "{}".to_owned(),
            job: None,
            sandbox: "/s".into(),
            log_dir: "/s".into(),
            hostname: "h".to_owned(),
            user: "u".to_owned(),
            uid: 0,
            ports: [].into(),
            runner: ProcessIdentity { pid: 1, start_ticks: 1 },
            boot_id: "b".to_owned(),
        };
        let mut world = Self {
            spec,
            machine,
            history: History::default(),
            records: Vec::new(),
            now: Duration::ZERO,
            running: BTreeMap::new(),
            waits_for_all: false,
        };
        world.write(Event::Header(Box::new(header)));
        world
    }

    fn millis(&self, at: Duration) -> i64 {
        i64::try_from(at.as_millis()).unwrap()
    }

    /// Every record must follow those before it.
    fn write(&mut self, event: Event) {
        let record = Record { time_ms: self.millis(self.now), event };
        self.history.apply(record.clone()).unwrap();
        self.records.push(record);
    }

    fn change(&mut self, process: usize, run: u32, change: ProcessChange) {
        let process = self.spec.processes[process].name.clone();
        self.write(Event::Process(ProcessEvent { process, run, change }));
    }

    fn end(&mut self, process: usize, outcome: Outcome) {
        let Some(run) = self.running.remove(&process) else { return };
        let change = match outcome {
            Outcome::Success => ProcessChange::Success,
            Outcome::Failure => ProcessChange::Failed { exit_code: Some(1), reason: String::new() },
            Outcome::Lost => ProcessChange::Killed { signal: 9 },
        };
        self.change(process, run, change);
    }

    fn put(&mut self, input: Input) {
        let was_over = self.is_over();
        let actions = self.machine.handle(self.now, input);
        assert!(!was_over || actions.is_empty(), "something follows the end: {actions:?}");
        for action in actions {
            match action {
                Action::Enter { state, reason } => {
                    self.waits_for_all &= state == TaskState::Cleaning;
                    assert!(!state.is_terminal() || self.running.is_empty(), "something is left");
                    self.write(Event::Task(TaskEvent { state, reason }));
                }
                Action::Told { state, reason, until } => {
                    let until_ms = self.millis(until);
                    self.write(Event::Told(Told { state, reason, until_ms }));
                }
                Action::Start { process, run } => {
                    let stage = if self.spec.processes[process].is_final {
                        TaskState::Finalizing
                    } else {
                        TaskState::Active
                    };
                    assert_eq!(self.history.state(), Some(stage));
                    self.change(process, run, ProcessChange::Waiting);
                    self.change(process, run, ProcessChange::Forked);
                    let identity = ProcessIdentity { pid: 7, start_ticks: 7 };
                    self.change(process, run, ProcessChange::Running(identity));
                    assert_eq!(self.running.insert(process, run), None, "it runs twice");
                    let most = self.spec.max_concurrency.unwrap_or(u32::MAX) as usize;
                    assert!(self.running.len() <= most);
                }
                Action::Terminate => self.waits_for_all = true,
                Action::KillAll => {
                    for process in self.running.keys().copied().collect::<Vec<_>>() {
                        self.end(process, Outcome::Lost);
                    }
                }
            }
        }
        if self.waits_for_all && self.running.is_empty() {
            self.waits_for_all = false;
            self.put(Input::AllGone);
        }
    }

    fn die(&mut self, unwritten: usize) {
        self.running.clear();
        self.history = History::default();
        // Its header was there.
        let written = self.records.len().saturating_sub(unwritten).max(1);
        self.records.truncate(written);
        for record in &self.records {
            self.history.apply(record.clone()).unwrap();
        }
        for process in 0..self.spec.processes.len() {
            let runs = self.history.processes().get(&self.spec.processes[process].name);
            let last = runs.and_then(|runs| runs.last()).filter(|run| !run.state.is_terminal());
            if let Some(run) = last.map(|run| run.number) {
                self.change(process, run, ProcessChange::Lost);
            }
        }
        self.waits_for_all = false;
        let left = self.history.time_left(self.millis(self.now));
        let until = left.map(|left| self.now + left);
        self.machine = Machine::resume(self.spec.clone(), &self.history, self.now, until);
        self.put(Input::Begin);
    }

    fn is_over(&self) -> bool {
        self.history.state().is_some_and(TaskState::is_terminal)
    }

    fn take(&mut self, step: Step) {
        match step {
            Step::Pass(seconds) => {
                self.now += Duration::from_secs(seconds);
                self.put(Input::Tick);
            }
            Step::End(which, outcome) => {
                let running: Vec<usize> = self.running.keys().copied().collect();
                if !running.is_empty() {
                    let process = running[which.index(running.len())];
                    self.end(process, outcome);
                    let how = "exit code 1".to_owned();
                    self.put(Input::Ended { process, outcome, how });
                }
            }
            Step::Kill(seconds) => {
                let grace = Duration::from_secs(seconds);
                self.put(Input::Kill { reason: "asked to".to_owned(), grace });
            }
            Step::Lose => self.put(Input::Lose { reason: "given up".to_owned() }),
            Step::Die(unwritten) if !self.is_over() => self.die(unwritten),
            Step::Die(_) => {}
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn whatever_happens_a_task_ends_as_it_was_told(
        spec in task(),
        steps in prop::collection::vec(step(), 0..60),
    ) {
        let mut world = World::new(spec);
        world.put(Input::Begin);
        for step in steps {
            let told = world.history.told().cloned();
            let may_forget = matches!(step, Step::Die(_));
            world.take(step);
            let now = world.history.told();
            let is_graver = may_forget || told.as_ref().is_none_or(|told| {
                now.is_some_and(|now| {
                    now.until_ms <= told.until_ms
                        && (told.state == now.state || now.state == TaskState::Lost)
                })
            });
            prop_assert!(is_graver, "{told:?} became {now:?}");
            if !world.is_over() {
                prop_assert!(world.machine.next_wakeup().is_none_or(|at| at > world.now));
            }
        }
        // One that is killed is over when its time is.
        world.take(Step::Kill(60));
        world.take(Step::Pass(60));
        prop_assert!(world.is_over());
        let expected = world.history.told().map(|told| told.state);
        if let Some(told) = expected {
            prop_assert_eq!(world.history.state(), Some(told));
        }
        prop_assert_eq!(world.machine.next_wakeup(), None);
    }
}
