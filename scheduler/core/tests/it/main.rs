//! The scheduler from the outside: inputs in, ops and effects out.

#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::panic,
    reason = "helpers of tests are tests"
)]

mod actions;
mod admin;
mod bounds;
mod cron;
mod endings;
mod events;
mod history;
mod jobs;
mod maintenance;
mod orders;
mod partitions;
mod placement;
mod plan;
mod preemption;
mod properties;
mod queries;
mod quota;
mod recovery;
mod requests;
mod restart;
mod scenarios;
mod sharing;
mod sla;
mod surge;
mod table;
mod touched;
mod turns;
mod updates;
mod updates_beyond;
mod updates_properties;
mod updates_tables;
mod updates_world;
mod upkeep;
mod upkeep_properties;
mod world;
