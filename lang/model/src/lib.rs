//! The typed job model: keys, resources, jobs, tasks and processes, with their validation.
//!
//! A job has two shapes. [`config::Job`] is what the user writes and the executor reads: processes,
//! health checks, placeholders. [`job::JobConfiguration`] is what the scheduler reads: resources,
//! constraints, counts, and the first shape as opaque text. [`convert`] makes the second of the
//! first; [`plan`] says whether the processes of a task can be put in order.
//!
//! Nothing here does I/O, reads a clock or draws a random number.

pub mod catalog;
pub mod config;
pub mod convert;
pub mod cron;
pub mod declare;
pub mod docs;
pub mod job;
pub mod json_schema;
pub mod key;
pub mod maintenance;
pub mod names;
pub mod plan;
pub mod quota;
mod reference;
pub mod request;
pub mod rules;
pub mod tiers;
pub mod update;
