//! The `aurora` command: client, daemons and `aurora up` in one program.

#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "a program: it talks to files, sockets, clocks and people"
)]

mod admin;
mod ask;
mod browser;
mod cli;
mod cluster;
mod config;
mod cron;
mod daemons;
mod deploy;
mod dry_run;
mod failure;
mod hooks;
mod job;
mod lines;
mod live;
mod logs;
mod lsp;
mod number;
mod one_job;
mod output;
mod plugin;
mod quota;
mod runtime;
mod sla;
mod task;
mod thermos;
mod timeout;
mod up;
mod update;
mod version;
mod why;

use std::process::ExitCode;

fn main() -> ExitCode {
    cli::main()
}
