//! Seeds as they come; continuous integration runs many more.

use aurora_sim::{Coverage, simulate};

/// Long enough for faults before the quiet time at the end.
const RUN_MS: u64 = 150 * 60_000;

#[test]
fn nothing_breaks_that_must_hold() {
    let mut coverage = Coverage::default();
    for seed in 1000..1024 {
        let outcome = simulate(seed, RUN_MS, false);
        crate::hold(seed, &outcome);
        coverage.merge(&outcome.coverage);
    }
    assert!(coverage.faults.len() > 15, "{:?}", coverage.faults);
    assert!(coverage.transitions.len() > 40, "{:?}", coverage.transitions);
}

#[test]
fn the_same_seed_is_the_same_run() {
    let (one, two) = (simulate(7, RUN_MS, true), simulate(7, RUN_MS, true));
    assert_eq!(one.shown, two.shown);
    assert_eq!((one.steps, one.coverage), (two.steps, two.coverage));
    assert_ne!(one.steps, simulate(8, RUN_MS, true).steps);
}
