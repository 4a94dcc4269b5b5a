//! The server as an editor has it: messages over pipes.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests fail by panicking")]

mod client;
mod diagnostics;
mod features;
mod life;
mod storm;
