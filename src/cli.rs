//! What can be asked of the program.

use std::process::ExitCode;

use clap::{CommandFactory, Parser, Subcommand};

use crate::daemons::{self, Daemon};
use crate::failure::Failure;
use crate::{job, up};

/// A service scheduler: runs the jobs of .aurora files, on one machine or a Mesos cluster.
#[derive(Debug, Parser)]
#[command(name = "aurora", version, propagate_version = false)]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the jobs of a file on this machine, with a cluster of their own.
    Up(Box<up::UpArgs>),
    /// Stop what `aurora up` runs.
    Down(up::DownArgs),
    /// Create, kill and look at jobs.
    #[command(subcommand)]
    Job(Box<job::Command>),
    /// Run the scheduler.
    Scheduler(Box<Daemon<aurora_scheduler_server::Flags>>),
    /// Run the embedded Mesos master.
    Master(Box<Daemon<aurora_cluster::master::Flags>>),
    /// Run the embedded Mesos agent.
    Agent(Box<Daemon<aurora_cluster::agent::Flags>>),
    /// Run the observer of this machine's tasks.
    Observer(Box<Daemon<aurora_observer::Flags>>),
    /// Run one task for a Mesos agent, which starts this command.
    Executor(Box<Daemon<aurora_executor::Flags>>),
}

impl Command {
    fn run(self) -> Result<(), Failure> {
        match self {
            Self::Up(args) => args.run(),
            Self::Down(args) => args.run(),
            Self::Job(command) => command.run(),
            Self::Scheduler(args) => daemons::scheduler(*args),
            Self::Master(args) => daemons::master(*args),
            Self::Agent(args) => daemons::agent(*args),
            Self::Observer(args) => daemons::observer(*args),
            Self::Executor(args) => daemons::executor(*args),
        }
    }
}

pub(crate) fn main() -> ExitCode {
    // A wrong command line ends with status 2, --help with 0.
    let Some(command) = Cli::parse().command else {
        return match Cli::command().print_help() {
            Ok(()) => ExitCode::SUCCESS,
            Err(_) => ExitCode::FAILURE,
        };
    };
    match command.run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            failure.print();
            failure.code.into()
        }
    }
}
