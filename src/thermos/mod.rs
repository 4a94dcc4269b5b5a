//! `aurora thermos …`, and `thermos` by the program's name: tasks of one machine by themselves,
//! without a cluster (`executor.md` 19).

mod detach;
mod find;
mod gc;
mod inspect;
mod kill;
mod prepared;
mod read;
mod run;
mod source;
mod status;
mod tail;
mod times;

use std::process::ExitCode;

use crate::failure::Failure;

/// The commands and what they share.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    roots: find::Roots,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Run a task of a file on this machine, and end when it does: 0 if it has succeeded, 1 if not.
    Run(run::RunArgs),
    /// Run a command line as a task.
    Simplerun(run::SimpleArgs),
    /// Show the tasks of this machine.
    Status(status::Args),
    /// Show the end of what a process prints, and what it prints from then on.
    Tail(tail::Args),
    /// Show what a checkpoint tells.
    Read(read::Args),
    /// Show a task of a file as it would run.
    Inspect(inspect::Args),
    /// Kill tasks at once.
    Kill(kill::Args),
    /// Delete what tasks that have ended left behind.
    Gc(gc::Args),
    /// Runs a prepared task for a command that has returned.
    #[command(hide = true)]
    Detached,
}

impl Args {
    pub(crate) fn run(self) -> Result<ExitCode, Failure> {
        let Self { roots, command } = self;
        match command {
            Command::Run(args) => args.run(&roots),
            Command::Simplerun(args) => args.run(&roots),
            Command::Status(args) => args.run(&roots),
            Command::Tail(args) => args.run(&roots),
            Command::Read(args) => args.run(),
            Command::Inspect(args) => args.run().map(|()| ExitCode::SUCCESS),
            Command::Kill(args) => args.run(&roots),
            Command::Gc(args) => args.run(&roots),
            Command::Detached => detach::run_here(),
        }
    }
}
