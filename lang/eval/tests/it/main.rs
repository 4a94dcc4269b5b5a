//! What files evaluate to, and what is said when they do not.

#![allow(
    clippy::disallowed_methods,
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::panic,
    reason = "the tests read fixtures, and fail by panicking"
)]

mod codes;
mod conformance;
mod diagnostics;
mod examples;
mod exports;
mod files;
mod helpers;
mod jobs;
mod modules;
mod outputs;
mod round_trip;
mod stdlib;
mod values;
