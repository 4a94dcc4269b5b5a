//! Thermos from the outside: real processes, real files.

#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests are tests")]
#![allow(clippy::disallowed_methods, reason = "tests of a shell crate")]

mod checkpoints;
mod machine;
mod planner;
mod processes;
