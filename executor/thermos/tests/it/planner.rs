//! The planner beside a model that says the rules of `executor.md` 8 in the simplest way: it keeps
//! what has happened, and looks through all of it each time.

use std::time::Duration;

use aurora_thermos::planner::{Outcome, Planner};
use aurora_thermos::spec::{ProcessSpec, TaskSpec};
use proptest::prelude::*;
use serde_json::json;

#[derive(Debug, Clone)]
struct Shape {
    daemon: bool,
    ephemeral: bool,
    max_failures: u32,
    min_duration: u64,
}

/// What happens: time passes, then one of those that run ends.
#[derive(Debug, Clone)]
struct Step {
    seconds: u64,
    which: prop::sample::Index,
    outcome: Outcome,
}

#[derive(Debug, Clone)]
struct Case {
    shapes: Vec<Shape>,
    /// Pairs of places: the first before the second.
    edges: Vec<(usize, usize)>,
    max_concurrency: u32,
    max_runs: Option<u32>,
    steps: Vec<Step>,
}

fn shape() -> impl Strategy<Value = Shape> {
    (prop::bool::weighted(0.2), prop::bool::weighted(0.2), 0..4u32, 0..4u64).prop_map(
        |(daemon, ephemeral, max_failures, min_duration)| Shape {
            daemon,
            ephemeral,
            max_failures,
            min_duration,
        },
    )
}

fn step() -> impl Strategy<Value = Step> {
    let outcome = prop_oneof![Just(Outcome::Success), Just(Outcome::Failure), Just(Outcome::Lost)];
    (0..4u64, any::<prop::sample::Index>(), outcome).prop_map(|(seconds, which, outcome)| Step {
        seconds,
        which,
        outcome,
    })
}

prop_compose! {
    fn case()(
        shapes in prop::collection::vec(shape(), 1..8),
    )(
        // A random order in which the pairs go, so that there are no cycles.
        order in Just((0..shapes.len()).collect::<Vec<usize>>()).prop_shuffle(),
        pairs in prop::collection::vec((any::<prop::sample::Index>(), any::<prop::sample::Index>()), 0..12),
        max_concurrency in 0..4u32,
        max_runs in prop::option::of(3..6u32),
        steps in prop::collection::vec(step(), 1..60),
        shapes in Just(shapes),
    ) -> Case {
        let edges = pairs
            .iter()
            .map(|(a, b)| (a.index(order.len()), b.index(order.len())))
            .filter(|(a, b)| a < b)
            .map(|(a, b)| (order[a], order[b]))
            .filter(|(before, after)| {
                !shapes[*before].daemon && (!shapes[*before].ephemeral || shapes[*after].ephemeral)
            })
            .collect();
        Case { shapes, edges, max_concurrency, max_runs, steps }
    }
}

impl Case {
    fn spec(&self) -> TaskSpec {
        let processes: Vec<_> = self
            .shapes
            .iter()
            .enumerate()
            .map(|(place, shape)| {
                json!({
                    "name": place.to_string(),
                    "cmdline": "true",
                    "daemon": shape.daemon,
                    "ephemeral": shape.ephemeral,
                    "max_failures": shape.max_failures,
                    "min_duration": shape.min_duration,
                })
            })
            .collect();
        let constraints: Vec<_> = self
            .edges
            .iter()
            .map(|(before, after)| json!({ "order": [before.to_string(), after.to_string()] }))
            .collect();
        let task = json!({
            "name": "t",
            "processes": processes,
            "constraints": constraints,
            "max_concurrency": self.max_concurrency,
        });
        let mut spec = TaskSpec::new(&serde_json::from_value(task).unwrap()).unwrap();
        spec.max_runs = self.max_runs;
        spec
    }
}

/// One process, as all that has happened to it.
#[derive(Debug, Clone, Default)]
struct Past {
    ends: Vec<(Outcome, u64)>,
    running: bool,
}

struct Model<'a> {
    case: &'a Case,
    past: Vec<Past>,
}

impl Model<'_> {
    fn failures(&self, place: usize) -> usize {
        self.past[place].ends.iter().filter(|(outcome, _)| *outcome == Outcome::Failure).count()
    }

    fn has_failed_too_often(&self, place: usize) -> bool {
        let max = self.case.shapes[place].max_failures as usize;
        max > 0 && self.failures(place) >= max
    }

    fn is_finished(&self, place: usize) -> bool {
        let shape = &self.case.shapes[place];
        let succeeded =
            self.past[place].ends.iter().any(|(outcome, _)| *outcome == Outcome::Success);
        (succeeded && !shape.daemon) || (shape.ephemeral && self.has_failed_too_often(place))
    }

    fn is_failed(&self, place: usize) -> bool {
        let too_many_runs =
            self.case.max_runs.is_some_and(|max| self.past[place].ends.len() >= max as usize);
        !self.is_finished(place) && (self.has_failed_too_often(place) || too_many_runs)
    }

    fn is_over(&self, place: usize) -> bool {
        self.is_finished(place) || self.is_failed(place)
    }

    /// From when on a process may run that waits for nothing but the time.
    fn ready_at(&self, place: usize) -> Option<u64> {
        let free = self
            .case
            .edges
            .iter()
            .filter(|(_, after)| *after == place)
            .all(|(before, _)| self.is_finished(*before));
        let past = &self.past[place];
        let last = past.ends.last().map_or(0, |(_, at)| at + self.case.shapes[place].min_duration);
        (free && !past.running && !self.is_over(place)).then_some(last)
    }

    fn places(&self) -> std::ops::Range<usize> {
        0..self.past.len()
    }

    fn room(&self) -> usize {
        let running = self.past.iter().filter(|past| past.running).count();
        match self.case.max_concurrency {
            0 => usize::MAX,
            max => (max as usize).saturating_sub(running),
        }
    }

    fn start(&mut self, now: u64) -> Vec<(usize, u32)> {
        let ready: Vec<usize> = self
            .places()
            .filter(|place| self.ready_at(*place).is_some_and(|at| at <= now))
            .take(self.room())
            .collect();
        for place in &ready {
            self.past[*place].running = true;
        }
        let number = |place: usize| u32::try_from(self.past[place].ends.len()).unwrap();
        ready.into_iter().map(|place| (place, number(place))).collect()
    }

    fn next_start(&self) -> Option<u64> {
        if self.room() == 0 {
            return None;
        }
        self.places().filter_map(|place| self.ready_at(place)).min()
    }

    fn is_complete(&self) -> bool {
        self.places().all(|place| self.is_over(place) || self.case.shapes[place].ephemeral)
    }

    fn is_deadlocked(&self) -> bool {
        let nothing =
            self.places().all(|place| !self.past[place].running && self.ready_at(place).is_none());
        nothing && !self.is_complete()
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn the_planner_does_what_the_rules_say(case in case()) {
        let spec = case.spec();
        let mut planner = Planner::new(&spec, false);
        let mut model = Model { case: &case, past: vec![Past::default(); case.shapes.len()] };
        let mut now = 0;
        for step in &case.steps {
            now += step.seconds;
            let at = Duration::from_secs(now);
            prop_assert_eq!(planner.start(at), model.start(now));
            prop_assert_eq!(planner.next_start().map(|at| at.as_secs()), model.next_start());
            let running: Vec<usize> =
                model.places().filter(|place| model.past[*place].running).collect();
            if !running.is_empty() {
                let place = running[step.which.index(running.len())];
                model.past[place].running = false;
                model.past[place].ends.push((step.outcome, now));
                let process: &ProcessSpec = &spec.processes[place];
                planner.ended(place, step.outcome, at, process);
            }
            prop_assert_eq!(planner.is_complete(&spec), model.is_complete());
            prop_assert_eq!(planner.is_deadlocked(&spec), model.is_deadlocked());
            prop_assert_eq!(
                planner.failed(),
                model.places().filter(|place| model.is_failed(*place)).count()
            );
        }
        // One that is told of the same runs later goes on in the same way.
        let mut replayed = Planner::new(&spec, false);
        if model.past.iter().all(|past| !past.running) {
            let at = Duration::from_secs(now);
            for (place, past) in model.past.iter().enumerate() {
                for (outcome, _) in &past.ends {
                    replayed.replay(place, *outcome, at, &spec.processes[place]);
                }
            }
            let later = at + Duration::from_secs(10);
            prop_assert_eq!(replayed.start(later), planner.start(later));
            prop_assert_eq!(replayed.failed(), planner.failed());
        }
    }
}
