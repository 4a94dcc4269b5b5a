//! A whole scheduler but for its Mesos: sockets, log and API are real.

#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::panic,
    reason = "tests talk to sockets and files, and fail by panicking"
)]

mod admin;
mod backups;
mod cron;
mod disk;
mod events;
mod http;
mod inverse;
mod jobs;
mod maintenance;
mod master;
mod plan;
mod queries;
mod quotas;
mod running;
mod services;
mod updates;
mod webhook;
mod world;
