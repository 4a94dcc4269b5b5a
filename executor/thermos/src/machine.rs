//! What a task does next (`executor.md` 6 and 11). Pure: it is told what has happened and when,
//! and says what is to be done.

use std::sync::Arc;
use std::time::Duration;

use crate::history::History;
use crate::planner::{Outcome, Planner};
use crate::process::children::Exit;
use crate::spec::TaskSpec;
use crate::state::{ProcessState, TaskState};

/// Something that has happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Input {
    /// The task begins.
    Begin,
    /// A run of a process has ended, in the words of `how`.
    Ended {
        /// The process's place in the task.
        process: usize,
        /// What that means for the plan.
        outcome: Outcome,
        /// How, for people: `exit code 3`.
        how: String,
    },
    /// Nothing that the task has started lives any more.
    AllGone,
    /// The task is to end.
    Kill {
        /// Why.
        reason: String,
        /// How long its processes have.
        grace: Duration,
    },
    /// The task is given up: it ends at once, without its final processes.
    Lose {
        /// Why.
        reason: String,
    },
    /// Time has passed.
    Tick,
}

/// Something to be done, in this order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Write down that the task is in this state.
    Enter {
        /// The state.
        state: TaskState,
        /// Why, for people.
        reason: String,
    },
    /// Write down that the task was told to end as this.
    Told {
        /// The state.
        state: TaskState,
        /// Why.
        reason: String,
        /// When it must have ended.
        until: Duration,
    },
    /// Start a run of a process.
    Start {
        /// The process's place in the task.
        process: usize,
        /// The run's number.
        run: u32,
    },
    /// Ask everything that lives to end, and say [`Input::AllGone`] when it has.
    Terminate,
    /// End everything that lives, at once, and go on when nothing does.
    KillAll,
}

/// How a task ends that was told to.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Forced {
    state: TaskState,
    reason: String,
}

/// A running task.
#[derive(Debug)]
pub struct Machine {
    task: Arc<TaskSpec>,
    regular: Planner,
    finals: Planner,
    state: Option<TaskState>,
    /// What the task was told to end with.
    forced: Option<Forced>,
    /// When cleaning and finalizing must be over.
    deadline: Option<Duration>,
    /// What went wrong first.
    failure: Option<String>,
    /// What ended last although it did not fail, as processes do that somebody kills.
    lost: Option<String>,
}

impl Machine {
    /// A task that has not begun.
    pub fn new(task: Arc<TaskSpec>) -> Self {
        Self {
            regular: Planner::new(&task, false),
            finals: Planner::new(&task, true),
            task,
            state: None,
            forced: None,
            deadline: None,
            failure: None,
            lost: None,
        }
    }

    /// A task that another process ran until it died. Nothing of it may live any more, and no run
    /// be without its end.
    ///
    /// Ends count as of `now`. What it was told stands until `until`; otherwise it has its full time
    /// for cleaning and finalizing once more, so that its final processes come to run.
    pub fn resume(
        task: Arc<TaskSpec>,
        history: &History,
        now: Duration,
        until: Option<Duration>,
    ) -> Self {
        let mut machine = Self::new(task.clone());
        for (index, process) in task.processes.iter().enumerate() {
            let planner = if process.is_final { &mut machine.finals } else { &mut machine.regular };
            for run in history.processes().get(&process.name).into_iter().flatten() {
                let outcome = match run.state {
                    ProcessState::Success => Outcome::Success,
                    ProcessState::Failed => Outcome::Failure,
                    _ => Outcome::Lost,
                };
                planner.replay(index, outcome, now, process);
            }
        }
        machine.failure = first_failure(&task, history);
        machine.state = history.state();
        machine.forced =
            history.told().map(|told| Forced { state: told.state, reason: told.reason.clone() });
        machine.deadline = match machine.state {
            Some(TaskState::Cleaning | TaskState::Finalizing) => {
                Some(until.unwrap_or(now + task.finalization_wait))
            }
            _ => until,
        };
        machine
    }

    /// The task's state; none before it begins.
    pub fn state(&self) -> Option<TaskState> {
        self.state
    }

    /// Takes in what has happened at `now`, and says what is to be done.
    pub fn handle(&mut self, now: Duration, input: Input) -> Vec<Action> {
        let mut actions = Vec::new();
        match input {
            Input::Begin if self.state.is_none() => {
                self.enter(TaskState::Active, String::new(), &mut actions);
            }
            Input::Begin if self.state == Some(TaskState::Active) && self.forced.is_some() => {
                let reason = self.forced.as_ref().map_or_else(String::new, |f| f.reason.clone());
                self.enter(TaskState::Cleaning, reason, &mut actions);
                actions.push(Action::Terminate);
            }
            Input::Begin if self.state == Some(TaskState::Cleaning) => {
                actions.push(Action::Terminate);
            }
            Input::Begin | Input::Tick => {}
            Input::Ended { process, outcome, how } => self.ended(now, process, outcome, &how),
            Input::AllGone => {
                if self.state == Some(TaskState::Cleaning) {
                    self.finalize(&mut actions);
                }
            }
            Input::Kill { reason, grace } => {
                let forced = Forced { state: TaskState::Killed, reason };
                self.force(forced, now + grace, &mut actions);
            }
            Input::Lose { reason } => {
                self.force(Forced { state: TaskState::Lost, reason }, now, &mut actions);
            }
        }
        self.advance(now, &mut actions);
        actions
    }

    /// When [`Input::Tick`] is due, if ever.
    pub fn next_wakeup(&self) -> Option<Duration> {
        let start = match self.state? {
            TaskState::Active => self.regular.next_start(),
            TaskState::Finalizing => self.finals.next_start(),
            _ => None,
        };
        match (start, self.deadline) {
            (Some(start), Some(deadline)) => Some(start.min(deadline)),
            (start, deadline) => start.or(deadline),
        }
    }

    fn enter(&mut self, state: TaskState, reason: String, actions: &mut Vec<Action>) {
        self.state = Some(state);
        actions.push(Action::Enter { state, reason });
    }

    fn ended(&mut self, now: Duration, process: usize, outcome: Outcome, how: &str) {
        let Some(spec) = self.task.processes.get(process) else { return };
        if outcome == Outcome::Failure && self.failure.is_none() && !spec.is_final {
            self.failure = Some(failure(&spec.name, how));
        }
        if outcome == Outcome::Lost && !spec.is_final {
            self.lost =
                Some(format!("process {:?} ran too often; it ended last by {how}", spec.name));
        }
        let planner = if spec.is_final { &mut self.finals } else { &mut self.regular };
        planner.ended(process, outcome, now, spec);
    }

    /// What comes later may only shorten the time, and only giving up changes how the task ends.
    fn force(&mut self, forced: Forced, deadline: Duration, actions: &mut Vec<Action>) {
        let Some(state) = self.state else { return };
        if state.is_terminal() {
            return;
        }
        let is_graver = self
            .forced
            .as_ref()
            .is_none_or(|known| forced.state == TaskState::Lost && known.state != TaskState::Lost);
        let until = match self.deadline {
            Some(set) if self.forced.is_some() => set.min(deadline),
            _ => deadline,
        };
        if !is_graver && self.deadline == Some(until) {
            return;
        }
        self.deadline = Some(until);
        let told = match self.forced.take() {
            Some(known) if !is_graver => known,
            _ => forced,
        };
        let Forced { state: ending, reason } = told.clone();
        actions.push(Action::Told { state: ending, reason: reason.clone(), until });
        self.forced = Some(told);
        if state == TaskState::Active {
            self.enter(TaskState::Cleaning, reason, actions);
            actions.push(Action::Terminate);
        }
    }

    fn advance(&mut self, now: Duration, actions: &mut Vec<Action>) {
        match self.state {
            Some(TaskState::Active) => self.advance_active(now, actions),
            Some(TaskState::Finalizing) => self.advance_finalizing(now, actions),
            Some(TaskState::Cleaning) if self.is_late(now) => self.end(actions),
            _ => {}
        }
    }

    fn advance_active(&mut self, now: Duration, actions: &mut Vec<Action>) {
        let complete = self.regular.is_complete(&self.task);
        if !complete && self.is_healthy() {
            for (process, run) in self.regular.start(now) {
                actions.push(Action::Start { process, run });
            }
            // A task of nothing but ephemeral processes never gets here: it is complete.
            return;
        }
        let wait = self.task.finalization_wait;
        self.deadline = Some(now + wait);
        let reason = if self.is_healthy() { String::new() } else { self.why_failed() };
        self.enter(TaskState::Cleaning, reason, actions);
        if wait.is_zero() {
            self.end(actions);
        } else {
            actions.push(Action::Terminate);
        }
    }

    fn finalize(&mut self, actions: &mut Vec<Action>) {
        self.enter(TaskState::Finalizing, String::new(), actions);
        actions.push(Action::KillAll);
    }

    fn advance_finalizing(&mut self, now: Duration, actions: &mut Vec<Action>) {
        let over = self.finals.is_complete(&self.task) || self.finals.is_deadlocked(&self.task);
        if over || self.is_late(now) {
            self.end(actions);
            return;
        }
        for (process, run) in self.finals.start(now) {
            actions.push(Action::Start { process, run });
        }
    }

    fn is_late(&self, now: Duration) -> bool {
        self.deadline.is_some_and(|deadline| deadline <= now)
    }

    fn is_healthy(&self) -> bool {
        let failed = u32::try_from(self.regular.failed()).unwrap_or(u32::MAX);
        !self.regular.is_deadlocked(&self.task)
            && self.task.max_failures.is_none_or(|max| failed < max)
    }

    fn why_failed(&self) -> String {
        let why = self.failure.as_ref().or(self.lost.as_ref());
        why.cloned().unwrap_or_else(|| "a process ran too often".to_owned())
    }

    /// A task is over when nothing of it lives any more: its terminal state comes last.
    fn end(&mut self, actions: &mut Vec<Action>) {
        let (state, reason) = match &self.forced {
            Some(Forced { state, reason }) => (*state, reason.clone()),
            None if self.is_healthy() => (TaskState::Success, String::new()),
            None => (TaskState::Failed, self.why_failed()),
        };
        self.deadline = None;
        actions.push(Action::KillAll);
        self.enter(state, reason, actions);
    }
}

fn failure(process: &str, how: &str) -> String {
    format!("process {process:?} failed with {how}")
}

/// What went wrong first, as [`Machine::ended`] would have told it.
fn first_failure(task: &TaskSpec, history: &History) -> Option<String> {
    let regular = task.processes.iter().filter(|process| !process.is_final);
    regular
        .filter_map(|process| {
            let runs = history.processes().get(&process.name)?;
            let run = runs.iter().find(|run| run.state == ProcessState::Failed)?;
            let how = match run.exit_code {
                Some(code) => Exit::Code(code).to_string(),
                None => run.reason.clone(),
            };
            Some((run.stopped_ms, failure(&process.name, &how)))
        })
        .min_by_key(|(time, _)| *time)
        .map(|(_, failure)| failure)
}

#[cfg(test)]
mod tests {
    use aurora_model::config::{Constraint, Process, Task};

    use super::*;

    fn process(name: &str) -> Process {
        Process {
            name: name.to_owned(),
            cmdline: "true".to_owned(),
            max_failures: 1,
            daemon: false,
            ephemeral: false,
            min_duration: 5,
            is_final: false,
            resources: None,
            logger: None,
        }
    }

    fn task(processes: Vec<Process>, order: &[&str]) -> Task {
        let order: Vec<String> = order.iter().map(|&name| name.to_owned()).collect();
        Task {
            name: "t".to_owned(),
            processes,
            constraints: Some(if order.is_empty() { vec![] } else { vec![Constraint { order }] }),
            resources: None,
            max_failures: 1,
            max_concurrency: 0,
            finalization_wait: 30,
            user: None,
        }
    }

    /// A machine with a log of what it does: `+p` starts, states by name, `term`, `kill`.
    struct Story {
        machine: Machine,
        now: Duration,
    }

    impl Story {
        fn of(task: &Task) -> Self {
            let spec = Arc::new(TaskSpec::new(task).unwrap());
            Self { machine: Machine::new(spec), now: Duration::ZERO }
        }

        fn put(&mut self, input: Input) -> String {
            let task = self.machine.task.clone();
            let actions = self.machine.handle(self.now, input);
            // One that is due already would be told without end.
            assert!(self.machine.next_wakeup().is_none_or(|at| at > self.now));
            actions
                .into_iter()
                .map(|action| match action {
                    Action::Enter { state, reason } if reason.is_empty() => state.to_string(),
                    Action::Enter { state, reason } => format!("{state}({reason})"),
                    Action::Start { process, run } => {
                        format!("+{}:{run}", task.processes[process].name)
                    }
                    Action::Told { .. } => "told".to_owned(),
                    Action::Terminate => "term".to_owned(),
                    Action::KillAll => "kill".to_owned(),
                })
                .collect::<Vec<_>>()
                .join(" ")
        }

        fn end(&mut self, name: &str, outcome: Outcome) -> String {
            let process = self
                .machine
                .task
                .processes
                .iter()
                .position(|process| process.name == name)
                .unwrap();
            self.put(Input::Ended { process, outcome, how: "exit code 3".to_owned() })
        }

        fn wait(&mut self, seconds: u64) -> String {
            self.now += Duration::from_secs(seconds);
            self.put(Input::Tick)
        }
    }

    #[test]
    fn processes_run_in_order_and_the_final_one_last() {
        let last = Process { is_final: true, ..process("last") };
        let mut story = Story::of(&task(vec![last, process("b"), process("a")], &["a", "b"]));
        assert_eq!(story.put(Input::Begin), "ACTIVE +a:0");
        assert_eq!(story.end("a", Outcome::Success), "+b:0");
        assert_eq!(story.end("b", Outcome::Success), "CLEANING term");
        assert_eq!(story.put(Input::AllGone), "FINALIZING kill +last:0");
        assert_eq!(story.end("last", Outcome::Failure), "kill SUCCESS");
    }

    #[test]
    fn a_failed_process_fails_the_task_and_the_final_one_runs_all_the_same() {
        let last = Process { is_final: true, ..process("last") };
        let mut story = Story::of(&task(vec![process("a"), process("b"), last], &["a", "b"]));
        story.put(Input::Begin);
        let failed = "process \"a\" failed with exit code 3";
        assert_eq!(story.end("a", Outcome::Failure), format!("CLEANING({failed}) term"));
        assert_eq!(story.put(Input::AllGone), "FINALIZING kill +last:0");
        assert_eq!(story.end("last", Outcome::Success), format!("kill FAILED({failed})"));
    }

    #[test]
    fn retries_wait_and_signals_do_not_count() {
        let mut story = Story::of(&task(vec![Process { max_failures: 2, ..process("a") }], &[]));
        story.put(Input::Begin);
        assert_eq!(story.end("a", Outcome::Lost), "");
        assert_eq!(story.machine.next_wakeup(), Some(Duration::from_secs(5)));
        assert_eq!(story.wait(4), "");
        assert_eq!(story.wait(1), "+a:1");
        assert_eq!(story.end("a", Outcome::Failure), "");
        assert_eq!(story.wait(5), "+a:2");
        assert!(story.end("a", Outcome::Failure).starts_with("CLEANING"));
    }

    #[test]
    fn daemons_start_again_and_ephemerals_do_not_hold_the_task() {
        let daemon = Process { daemon: true, ephemeral: true, min_duration: 1, ..process("d") };
        let mut story = Story::of(&task(vec![daemon, process("a")], &[]));
        assert_eq!(story.put(Input::Begin), "ACTIVE +d:0 +a:0");
        assert_eq!(story.end("d", Outcome::Success), "");
        assert_eq!(story.wait(1), "+d:1");
        assert_eq!(story.end("a", Outcome::Success), "CLEANING term");
    }

    #[test]
    fn a_process_that_only_ever_dies_is_given_up() {
        let mut story = Story::of(&task(vec![Process { min_duration: 0, ..process("a") }], &[]));
        story.put(Input::Begin);
        for _ in 0..99 {
            assert!(story.end("a", Outcome::Lost).starts_with("+a:"));
        }
        assert!(
            story
                .end("a", Outcome::Lost)
                .starts_with("CLEANING(process \"a\" ran too often; it ended last by exit code 3)")
        );
    }

    #[test]
    fn only_so_many_run_at_once() {
        let mut few = task(vec![process("a"), process("b"), process("c")], &[]);
        few.max_concurrency = 2;
        let mut story = Story::of(&few);
        assert_eq!(story.put(Input::Begin), "ACTIVE +a:0 +b:0");
        assert_eq!(story.machine.next_wakeup(), None, "only the end of a run makes room");
        assert_eq!(story.end("b", Outcome::Success), "+c:0");
    }

    #[test]
    fn a_kill_has_its_own_deadline_and_the_final_process_still_runs() {
        let last = Process { is_final: true, ..process("last") };
        let mut story = Story::of(&task(vec![process("a"), last], &[]));
        story.put(Input::Begin);
        let kill = || Input::Kill { reason: "asked to".to_owned(), grace: Duration::from_secs(60) };
        assert_eq!(story.put(kill()), "told CLEANING(asked to) term");
        assert_eq!(story.end("a", Outcome::Lost), "");
        assert_eq!(story.put(Input::AllGone), "FINALIZING kill +last:0");
        assert_eq!(story.wait(60), "kill KILLED(asked to)");
        assert_eq!(story.put(kill()), "");
    }

    #[test]
    fn giving_up_ends_a_task_at_once_even_one_that_is_being_killed() {
        let lose = || Input::Lose { reason: "gone".to_owned() };
        let kill = || Input::Kill { reason: "asked to".to_owned(), grace: Duration::from_secs(60) };
        let last = Process { is_final: true, ..process("last") };
        let story = || Story::of(&task(vec![process("a"), last.clone()], &[]));
        let mut active = story();
        active.put(Input::Begin);
        assert_eq!(active.put(lose()), "told CLEANING(gone) term kill LOST(gone)");
        let mut cleaning = story();
        cleaning.put(Input::Begin);
        cleaning.put(kill());
        assert_eq!(cleaning.put(kill()), "", "not sooner");
        assert_eq!(cleaning.put(lose()), "told kill LOST(gone)");
        assert_eq!(cleaning.put(kill()), "");
        let mut finalizing = story();
        finalizing.put(Input::Begin);
        finalizing.end("a", Outcome::Success);
        finalizing.put(Input::AllGone);
        assert_eq!(finalizing.put(kill()), "told", "final processes go on");
        assert_eq!(finalizing.machine.next_wakeup(), Some(Duration::from_secs(60)));
        assert_eq!(finalizing.put(lose()), "told kill LOST(gone)");
    }

    #[test]
    fn what_does_not_end_in_time_is_ended() {
        let mut story = Story::of(&task(vec![process("a"), process("b")], &["a", "b"]));
        story.put(Input::Begin);
        story.end("a", Outcome::Failure);
        assert_eq!(story.wait(29), "");
        assert!(story.wait(1).starts_with("kill FAILED"));
        let mut quick = task(vec![process("a")], &[]);
        quick.finalization_wait = 0;
        let mut story = Story::of(&quick);
        story.put(Input::Begin);
        assert_eq!(story.end("a", Outcome::Success), "CLEANING kill SUCCESS");
    }

    #[test]
    fn an_empty_task_succeeds() {
        let mut story = Story::of(&task(vec![], &[]));
        assert_eq!(story.put(Input::Begin), "ACTIVE CLEANING term");
        assert_eq!(story.put(Input::AllGone), "FINALIZING kill kill SUCCESS");
    }
}
