//! The server as an editor has it: messages over pipes.

#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    clippy::unwrap_used,
    clippy::panic,
    reason = "the tests are a client with files, threads and deadlines, and fail by panicking"
)]

mod client;
mod diagnostics;
mod features;
mod life;
mod storm;
