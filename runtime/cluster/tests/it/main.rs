//! A master, an agent, a framework and an executor, with real sockets and processes between them.

#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    clippy::unwrap_used,
    clippy::panic,
    reason = "tests of what talks to the network"
)]

mod collection;
mod restarts;
mod support;
