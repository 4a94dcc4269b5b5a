//! The scenarios of `executor.md` 21 that a runner takes part in, by number, with real processes.
//! Each task has a runner in a process of its own, which is this program once more.

#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests are tests")]
#![allow(clippy::disallowed_methods, reason = "tests of a shell crate")]

mod control;
mod environment;
mod finals;
mod lifetimes;
mod logs;
mod names;
mod order;
mod place;
mod recovery;
mod runner;

/// What [`place`] starts as a runner. In a run of the tests there is nothing for it to do.
#[test]
fn runner_of_a_scenario() {
    if let Some(setup) = std::env::var_os(place::SETUP) {
        runner::be_runner(setup.as_ref());
    }
}
