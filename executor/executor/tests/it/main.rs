//! The program `aurora-executor` at an agent that does what a test says.

#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests are tests")]
#![allow(clippy::disallowed_methods, reason = "tests of a shell crate")]

mod agent;
mod announce;
mod bare;
mod health;
mod image;
mod memory;
mod session;
mod stories;
