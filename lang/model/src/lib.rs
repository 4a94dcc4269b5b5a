//! The typed job model: keys, resources, jobs, tasks and processes, with their validation.

pub mod job;
pub mod key;
