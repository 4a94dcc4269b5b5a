//! Whole clusters, in virtual time.

mod corpus;
mod leadership;
mod seeds;

/// Says what a run has shown if it has broken something.
fn hold(seed: u64, outcome: &aurora_sim::Outcome) {
    let shown = outcome.shown.join("\n");
    assert_eq!(outcome.violation, None, "seed {seed}:\n{shown}");
}
