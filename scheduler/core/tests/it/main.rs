//! The scheduler from the outside: inputs in, ops and effects out.

#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests are tests")]

mod actions;
mod cron;
mod history;
mod properties;
mod quota;
mod restart;
mod scenarios;
mod table;
mod world;
