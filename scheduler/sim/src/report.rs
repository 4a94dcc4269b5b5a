//! The command: many seeds, and what came of them.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use crate::check::{rules, updates};
use crate::cover::{Coverage, Place};
use crate::world::Tracing;
use crate::{Outcome, simulate};

/// A cluster in virtual time under faults, its invariants checked at every step.
#[derive(Debug, Clone, clap::Parser)]
#[command(name = "aurora-sim")]
pub struct Options {
    /// How many seeds are run.
    #[arg(long, value_name = "COUNT", default_value_t = 1)]
    pub seeds: u64,
    /// The first of them.
    #[arg(long, value_name = "SEED", default_value_t = 0)]
    pub seed: u64,
    /// How long each runs, in days of the simulation; more than 0.1.
    #[arg(long, value_name = "DAYS", default_value_t = 0.5)]
    pub days: f64,
    /// How many run at a time.
    #[arg(long, value_name = "COUNT", default_value_t = 2)]
    pub jobs: u64,
    /// Print every event that contains this, of one seed.
    #[arg(long, value_name = "TEXT")]
    pub trace: Option<String>,
    /// Fail if something that can be reached was not.
    #[arg(long)]
    pub require_coverage: bool,
}

impl Options {
    fn duration_ms(&self) -> u64 {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "days of a run are few"
        )]
        let ms = (self.days.clamp(0.1, 1000.0) * 86_400_000.0) as u64;
        ms
    }
}

/// What runs have come to.
#[derive(Default)]
struct Sum {
    simulated_ms: u64,
    steps: u64,
    runs: u64,
    coverage: Coverage,
    failed: BTreeMap<u64, Outcome>,
}

/// Runs the seeds and prints what came of them; `false` if something is wrong.
pub fn run(options: &Options) -> bool {
    if let Some(text) = &options.trace {
        let outcome = crate::world::World::run(
            options.seed,
            options.duration_ms(),
            Tracing::Print(text.clone()),
            None,
        );
        println!("{:?}", outcome.violation);
        return outcome.violation.is_none();
    }
    let began = Instant::now();
    let duration = options.duration_ms();
    let next = AtomicU64::new(0);
    let sum = Mutex::new(Sum::default());
    std::thread::scope(|scope| {
        for _ in 0..options.jobs.max(1) {
            scope.spawn(|| {
                loop {
                    let index = next.fetch_add(1, Ordering::Relaxed);
                    if index >= options.seeds {
                        return;
                    }
                    let seed = options.seed.wrapping_add(index);
                    let outcome = simulate(seed, duration, false);
                    let failed = outcome.violation.is_some();
                    let mut sum = sum.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
                    sum.runs += 1;
                    sum.simulated_ms += outcome.simulated_ms;
                    sum.steps += outcome.steps;
                    sum.coverage.merge(&outcome.coverage);
                    if failed {
                        sum.failed.insert(seed, outcome);
                        // One failure is enough to work on.
                        next.store(options.seeds, Ordering::Relaxed);
                    }
                }
            });
        }
    });
    let sum = sum.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
    print_sum(&sum, began.elapsed().as_secs_f64());
    for (seed, outcome) in &sum.failed {
        print_failure(*seed, options, outcome);
    }
    let missing = missing(&sum.coverage);
    if !missing.is_empty() {
        println!("not reached: {}", missing.join(", "));
    }
    sum.failed.is_empty() && (missing.is_empty() || !options.require_coverage)
}

fn print_sum(sum: &Sum, seconds: f64) {
    #[expect(clippy::cast_precision_loss, reason = "for people")]
    let (hours, steps) = (sum.simulated_ms as f64 / 3_600_000.0, sum.steps as f64);
    println!(
        "{} runs, {hours:.0} hours simulated in {seconds:.1} s ({:.0} times real time), {} steps ({:.0}/s)",
        sum.runs,
        hours * 3600.0 / seconds.max(0.001),
        sum.steps,
        steps / seconds.max(0.001)
    );
    let faults: u64 = sum.coverage.faults.values().sum();
    println!("{faults} faults:");
    for (what, times) in &sum.coverage.faults {
        println!("  {times:>9} {what}");
    }
    println!("answers:");
    for ((what, granted), times) in &sum.coverage.answers {
        println!("  {times:>9} {what} {}", if *granted { "granted" } else { "refused" });
    }
    println!("paths:");
    for (what, times) in &sum.coverage.paths {
        println!("  {times:>9} {what}");
    }
    println!("  {:>9} snapshots", sum.coverage.snapshots);
    println!("transitions:");
    for ((from, to), times) in &sum.coverage.transitions {
        println!("  {times:>9} {} -> {}", place(*from), place(*to));
    }
}

fn place(place: Place) -> &'static str {
    place.map_or("forgotten", aurora_model::job::TaskState::name)
}

/// What else must come about, beside every transition and every kind of update.
const PATHS: [&str; 13] = [
    "update: paused between batches",
    "update: an instance failed",
    "update: stopped as a policy allows",
    "cron: run by hand",
    "cron: started Schedule",
    "cron: started CatchUp",
    "cron: skipped Collision",
    "cron: skipped Policy",
    "cron: skipped Superseded",
    "drain with surge",
    "drain by the master's announcement",
    "query",
    "misuse of an id refused: RequestIdReused",
];

/// What can be reached and was not.
fn missing(coverage: &Coverage) -> Vec<String> {
    let updates = updates::all()
        .map(|(from, to)| updates::path(from, to))
        .filter(|path| !coverage.paths.contains_key(path));
    let paths = updates::KINDS.into_iter().chain(PATHS);
    rules::all()
        .filter(|(from, to)| !rules::is_out_of_reach(*from, *to))
        .filter(|(from, to)| !coverage.transitions.contains_key(&(Some(*from), *to)))
        .map(|(from, to)| format!("{from} -> {}", place(to)))
        .chain(updates)
        .chain(
            paths.into_iter().filter(|path| !coverage.paths.contains_key(*path)).map(str::to_owned),
        )
        .collect()
}

fn print_failure(seed: u64, options: &Options, outcome: &Outcome) {
    let Some(violation) = &outcome.violation else { return };
    println!("seed {seed} breaks {violation}");
    // The same once more, with its last events.
    let again = simulate(seed, options.duration_ms(), true);
    println!("the last events:");
    for line in &again.shown {
        println!("  {line}");
    }
    if again.violation.as_ref() != Some(violation) {
        println!("THE RUN DOES NOT REPEAT ITSELF: this time {:?}", again.violation);
    }
    println!(
        "to run it again: cargo run --release -p aurora-sim -- --seed {seed} --days {}",
        options.days
    );
}
