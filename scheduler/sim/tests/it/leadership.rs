//! What Jepsen found in schedulers on Mesos, as far as it applies to one scheduler with its log; leaders
//! that are elected are not simulated yet.

use aurora_sim::{Breakage, Outcome, simulate_planned};

const MINUTE_MS: u64 = 60_000;
const RUN_MS: u64 = 150 * MINUTE_MS;

fn run(plan: &[(u64, Breakage)]) -> Vec<Outcome> {
    let outcomes: Vec<Outcome> = (0..3).map(|seed| simulate_planned(seed, RUN_MS, plan)).collect();
    for (seed, outcome) in (0..).zip(&outcomes) {
        crate::hold(seed, outcome);
        assert!(outcome.coverage.answers.iter().any(|((_, granted), _)| *granted));
    }
    outcomes
}

fn starts(outcome: &Outcome) -> u64 {
    outcome.coverage.paths.get("scheduler started").copied().unwrap_or(0)
}

/// The first finding: a scheduler that registered again after a partition placed nothing more.
#[test]
fn jobs_go_on_after_a_partition() {
    for (up, down) in [(true, true), (true, false), (false, true)] {
        let ms = 10 * MINUTE_MS;
        run(&[
            (10 * MINUTE_MS, Breakage::Partition { up, down, ms }),
            (30 * MINUTE_MS, Breakage::MasterDown(2 * MINUTE_MS)),
        ]);
    }
}

/// The second: who does not lead must not answer as if it did. The one that has lost its log grants
/// nothing, and whoever asked it is served by the one that has it.
#[test]
fn who_has_lost_the_log_grants_nothing() {
    let plan: Vec<(u64, Breakage)> =
        (1..8).map(|n| (n * 5 * MINUTE_MS, Breakage::TakeOver)).collect();
    for outcome in run(&plan) {
        assert_eq!(starts(&outcome), 8);
    }
}

/// The third: being cut off ended the scheduler.
#[test]
fn being_cut_off_ends_no_scheduler() {
    let ms = 20 * MINUTE_MS;
    for outcome in run(&[(5 * MINUTE_MS, Breakage::Partition { up: true, down: true, ms })]) {
        assert_eq!(starts(&outcome), 1);
    }
}

/// The fourth: neither ended nor leading. At the end of each run a scheduler leads, is registered, and
/// has placed what fits: the run itself looks at that.
#[test]
fn somebody_leads_after_whatever_happens() {
    let ms = 5 * MINUTE_MS;
    for outcome in run(&[
        (5 * MINUTE_MS, Breakage::TakeOver),
        (5 * MINUTE_MS + 1, Breakage::Crash),
        (10 * MINUTE_MS, Breakage::Partition { up: true, down: true, ms }),
        (12 * MINUTE_MS, Breakage::TakeOver),
        (20 * MINUTE_MS, Breakage::PowerLoss),
        (25 * MINUTE_MS, Breakage::MasterDown(MINUTE_MS)),
        (26 * MINUTE_MS, Breakage::Crash),
    ]) {
        assert!(starts(&outcome) > 3);
    }
}
