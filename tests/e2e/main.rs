//! The whole system with real processes: the built `aurora` program, its daemons, its executors.

#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::panic,
    reason = "tests talk to processes, files and sockets, and fail by panicking"
)]

mod acceptance;
mod admin;
mod announce;
mod bad_input;
mod clusters;
mod collection;
mod config;
mod crashes;
mod create;
mod cron;
mod daemons;
mod deploy;
mod diff;
mod digests;
mod editors;
mod help;
mod hooks;
mod image;
mod inspect;
mod job;
mod kills;
mod lenses;
mod life;
mod load;
mod mesos;
mod pipelines;
mod plan;
mod quota;
mod restart;
mod schemas;
mod sla;
mod status;
mod support;
mod task;
mod terminal;
mod thermos;
mod transport;
mod tutorial;
mod up;
mod update;
mod updates_answers;
mod waiting;
mod why;
