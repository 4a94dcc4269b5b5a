//! What references mean, from wherever they stand.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests fail by panicking")]

mod choice;
mod laws;
mod limits;
mod make;
mod scopes;
