//! The clients against servers that behave as it suits the test.

#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    clippy::unwrap_used,
    reason = "tests of what talks to the network"
)]

mod scheduler;
