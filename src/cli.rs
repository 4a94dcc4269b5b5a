//! What can be asked of the program.

mod complete;
mod examples;
mod later;
mod man;
#[cfg(test)]
mod reference;
mod words;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::{CommandFactory, Parser, Subcommand};

use crate::daemons::{self, Daemon};
use crate::failure::Failure;
use crate::hooks::Hooks;
use crate::{
    admin, cluster, config, cron, deploy, job, logs, lsp, plugin, quota, runtime, sla, task,
    thermos, up, update, version, why,
};
use later::Later;
use words::{Parsed, noun_at, original, parse, spelled};

/// A service scheduler: runs the jobs of .aurora files, on one machine or a Mesos cluster.
#[derive(Debug, Parser)]
#[command(name = "aurora", version, propagate_version = false)]
struct Cli {
    /// Tell on standard error what is asked of the scheduler, and what came of it.
    #[arg(long, short = 'v', global = true)]
    verbose: bool,
    /// Leave out the hooks of commands of these names, or all of them; hooks of calls stay.
    #[arg(long, global = true, value_name = "NAME,…", value_delimiter = ',')]
    skip_hooks: Vec<String>,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the jobs of a file on this machine, with a cluster of their own.
    Up(Later<up::UpArgs>),
    /// Stop what `aurora up` runs.
    Down(Later<up::DownArgs>),
    /// Bring a job to what a file says, and tell how it went; for people and for pipelines.
    Deploy(Later<deploy::Args>),
    /// Show everything that submitting a job of a file would do; nothing is submitted.
    Plan(Later<job::PlanArgs>),
    /// Show what submitting a job of a file would change of what runs; nothing is submitted.
    Diff(Later<job::DiffArgs>),
    /// Show what a job of a file means; nothing is submitted.
    Inspect(Later<job::InspectArgs>),
    /// Create, kill and look at jobs.
    #[command(subcommand)]
    Job(Later<job::Command>),
    /// Bring jobs to another version, instance by instance, and back if it is no good.
    #[command(subcommand)]
    Update(Later<update::Command>),
    /// Say why a job is as it is: what its instances wait for, what they died of, what would help.
    Why(Later<why::Args>),
    /// Run jobs by schedule.
    #[command(subcommand)]
    Cron(Later<cron::Command>),
    /// See what tasks print, run commands beside them, copy their files.
    #[command(subcommand)]
    Task(Later<task::Command>),
    /// Look at and set what roles may use.
    #[command(subcommand)]
    Quota(Later<quota::Command>),
    /// Show for how long the instances of jobs have been up.
    #[command(subcommand)]
    Sla(Later<sla::Command>),
    /// Run a cluster: hosts, quotas, backups, tasks by hand.
    #[command(subcommand)]
    Admin(Later<admin::Command>),
    /// Look at configurations; nothing is submitted.
    #[command(subcommand)]
    Config(Later<config::Command>),
    /// Look at the clusters that are known.
    #[command(subcommand)]
    Cluster(Later<cluster::Command>),
    /// Show the version of this program, and that of a scheduler.
    Version(Later<version::Args>),
    /// Run tasks by themselves, and look at the tasks of this machine, whoever runs them.
    Thermos(Later<thermos::Args>),
    /// Run the language server, which editors start.
    Lsp(Later<lsp::Args>),
    /// Print what lets a shell complete commands, options and the keys of jobs.
    Completion(Later<complete::Args>),
    /// Write manual pages.
    Man(Later<man::Args>),
    /// Run the scheduler.
    Scheduler(Later<Daemon<aurora_scheduler_server::Flags>>),
    /// Run the embedded Mesos master.
    Master(Later<Daemon<aurora_cluster::master::Flags>>),
    /// Run the embedded Mesos agent.
    Agent(Later<Daemon<aurora_cluster::agent::Flags>>),
    /// Run the observer of this machine's tasks.
    Observer(Later<Daemon<aurora_observer::Flags>>),
    /// Run one task for a Mesos agent, which starts this command.
    Executor(Later<Daemon<aurora_executor::Flags>>),
}

impl Command {
    fn run(self) -> Result<ExitCode, Failure> {
        match self {
            Self::Up(args) => args.now().run(),
            Self::Down(args) => args.now().run(),
            Self::Deploy(args) => return runtime::block_on(args.now().run()),
            Self::Plan(args) => return runtime::block_on_until_interrupted(args.now().run()),
            Self::Diff(args) => return runtime::block_on_until_interrupted(args.now().run()),
            Self::Inspect(args) => runtime::block_on_until_interrupted(args.now().run()),
            Self::Job(command) => return command.now().run(),
            Self::Update(command) => return command.now().run(),
            Self::Why(args) => return args.now().run(),
            Self::Cron(command) => return command.now().run(),
            Self::Task(command) => return command.now().run(),
            Self::Quota(command) => command.now().run(),
            Self::Sla(command) => return command.now().run(),
            Self::Admin(command) => return command.now().run(),
            Self::Config(command) => command.now().run(),
            Self::Cluster(command) => command.now().run(),
            Self::Version(args) => args.now().run(),
            Self::Thermos(args) => return args.now().run(),
            Self::Lsp(args) => return args.now().run(),
            Self::Completion(args) => args.now().run(),
            Self::Man(args) => args.now().run(command()),
            Self::Scheduler(args) => daemons::scheduler(args.now()),
            Self::Master(args) => daemons::master(args.now()),
            Self::Agent(args) => daemons::agent(args.now()),
            Self::Observer(args) => daemons::observer(args.now()),
            Self::Executor(args) => daemons::executor(args.now()),
        }
        .map(|()| ExitCode::SUCCESS)
    }
}

/// The tree of commands; those below the first level come to it when they are asked for.
fn command() -> clap::Command {
    Cli::command().infer_long_args(true).args_override_self(true)
}

/// The tree with all commands.
fn whole() -> clap::Command {
    let mut tree = command();
    tree.build();
    tree
}

/// The tree of commands below the name that the program is called by.
fn called() -> clap::Command {
    let tree = whole();
    let name = std::env::args_os().next().and_then(|word| original(&word));
    name.and_then(|name| tree.find_subcommand(name)).cloned().unwrap_or(tree)
}

pub(crate) fn main() -> ExitCode {
    complete::answer(called);
    let ended = run(spelled(std::env::args_os()));
    ended.unwrap_or_else(|failure| {
        failure.print();
        failure.status()
    })
}

fn run(mut words: Vec<OsString>) -> Result<ExitCode, Failure> {
    let at = noun_at(&words);
    let noun = words.get(at).and_then(|word| word.to_str()).unwrap_or_default().to_owned();
    if !Command::has_subcommand(&noun)
        && let Some(program) = plugin::find(&noun)
    {
        return Err(plugin::become_it(&program, &words[at + 1..]));
    }
    let hooks = Hooks::read();
    if !NOT_OF_CLUSTERS.contains(&noun.as_str()) {
        words = hooks.dispatch(words)?;
    }
    let Parsed { cli, noun, verb } = match parse(&words) {
        Ok(parsed) => parsed,
        Err(told) => return Ok(told),
    };
    if NOT_OF_CLUSTERS.contains(&noun.as_str()) {
        return cli.run();
    }
    logs::init(cli.verbose);
    // Only now, so that help is always given.
    let hooks = hooks.of_command(&cli.skip_hooks, &words, (noun, verb))?;
    hooks.before()?;
    let result = cli.run();
    hooks.after(&result);
    result
}

impl Cli {
    fn run(self) -> Result<ExitCode, Failure> {
        match self.command {
            Some(command) => command.run(),
            None => {
                let printed = command().print_help();
                Ok(if printed.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
            }
        }
    }
}

/// The commands that are not about a cluster that is somewhere: they have no hooks, and logs of their own.
const NOT_OF_CLUSTERS: [&str; 11] = [
    "up",
    "down",
    "thermos",
    "lsp",
    "completion",
    "man",
    "scheduler",
    "master",
    "agent",
    "observer",
    "executor",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_makes_sense() {
        command().debug_assert();
        for name in NOT_OF_CLUSTERS {
            assert!(command().find_subcommand(name).is_some(), "{name}");
        }
    }
}
