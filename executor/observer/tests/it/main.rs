//! The observer from the outside: checkpoints and sandboxes in, pages and JSON out. Tests are named
//! after the scenarios of `observer.md`.

#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests are tests")]
#![allow(clippy::disallowed_methods, reason = "tests of a shell crate")]

mod browser;
mod confined;
mod failures;
mod files;
mod follow;
mod lists;
mod machine;
mod paths;
mod usage;
