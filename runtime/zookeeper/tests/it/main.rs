//! Server sets in a real ZooKeeper.

#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests are tests")]
#![allow(clippy::disallowed_methods, reason = "tests of a shell crate")]

mod access;
mod ensembles;
mod joining;
mod proxy;
mod support;
mod watching;
