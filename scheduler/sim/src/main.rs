//! `aurora-sim`: see `docs/simulation.md`.

use std::process::ExitCode;

use clap::Parser as _;

fn main() -> ExitCode {
    if aurora_sim::run(&aurora_sim::Options::parse()) {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}
