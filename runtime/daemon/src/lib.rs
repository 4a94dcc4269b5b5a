//! What every daemon shares: logs, metrics, operational endpoints, sockets, signals, pages.
//!
//! [`telemetry`] and [`metrics`] are set up once per process, by the command; [`ops`] serves what
//! they collect. [`listen`] and [`serve`] are how a daemon gets and uses its socket, [`shutdown`]
//! how it is told to stop, [`shell`] how words are quoted, [`text`] what others say. [`web`] is
//! the look of all pages, [`beneath`] reads what lies in sandboxes, [`download`] sends it, [`deletion`]
//! deletes them.
//!
//! Nothing here knows what a task or an offer is.

#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "a shell crate: it owns sockets, signals and clocks"
)]

pub mod beneath;
pub mod deletion;
pub mod download;
pub mod fsutil;
pub mod listen;
pub mod metrics;
pub mod ops;
mod process;
pub mod serve;
pub mod shell;
pub mod shutdown;
pub mod telemetry;
pub mod text;
pub mod web;
