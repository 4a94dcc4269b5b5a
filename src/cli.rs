//! What can be asked of the program.

mod complete;
mod examples;
mod man;
#[cfg(test)]
mod reference;

use std::ffi::OsString;
use std::path::Path;
use std::process::ExitCode;

use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};

use crate::daemons::{self, Daemon};
use crate::failure::{Code, Failure};
use crate::{admin, config, cron, deploy, job, lsp, quota, runtime, sla, thermos, up, update};

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
    /// Bring a job to what a file says, and tell how it went; for people and for pipelines.
    Deploy(Box<deploy::Args>),
    /// Show everything that submitting a job of a file would do; nothing is submitted.
    Plan(Box<job::PlanArgs>),
    /// Show what submitting a job of a file would change of what runs; nothing is submitted.
    Diff(Box<job::DiffArgs>),
    /// Show what a job of a file means; nothing is submitted.
    Inspect(Box<job::InspectArgs>),
    /// Create, kill and look at jobs.
    #[command(subcommand)]
    Job(Box<job::Command>),
    /// Bring jobs to another version, instance by instance, and back if it is no good.
    #[command(subcommand)]
    Update(Box<update::Command>),
    /// Run jobs by schedule.
    #[command(subcommand)]
    Cron(Box<cron::Command>),
    /// Look at and set what roles may use.
    #[command(subcommand)]
    Quota(Box<quota::Command>),
    /// Show for how long the instances of jobs have been up.
    #[command(subcommand)]
    Sla(Box<sla::Command>),
    /// Run a cluster: hosts, quotas, backups, tasks by hand.
    #[command(subcommand)]
    Admin(Box<admin::Command>),
    /// Look at configurations; nothing is submitted.
    #[command(subcommand)]
    Config(Box<config::Command>),
    /// Run tasks by themselves, and look at the tasks of this machine, whoever runs them.
    Thermos(Box<thermos::Args>),
    /// Run the language server, which editors start.
    Lsp(lsp::Args),
    /// Print what lets a shell complete commands, options and the keys of jobs.
    Completion(complete::Args),
    /// Write manual pages.
    Man(man::Args),
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
    fn run(self) -> Result<ExitCode, Failure> {
        match self {
            Self::Up(args) => args.run(),
            Self::Down(args) => args.run(),
            Self::Deploy(args) => return runtime::block_on(args.run()),
            Self::Plan(args) => return runtime::block_on(args.run()),
            Self::Diff(args) => return runtime::block_on(args.run()),
            Self::Inspect(args) => args.run(),
            Self::Job(command) => return command.run(),
            Self::Update(command) => return command.run(),
            Self::Cron(command) => return command.run(),
            Self::Quota(command) => command.run(),
            Self::Sla(command) => return command.run(),
            Self::Admin(command) => return command.run(),
            Self::Config(command) => command.run(),
            Self::Thermos(args) => return args.run(),
            Self::Lsp(args) => return args.run(),
            Self::Completion(args) => args.run(),
            Self::Man(args) => args.run(command()),
            Self::Scheduler(args) => daemons::scheduler(*args),
            Self::Master(args) => daemons::master(*args),
            Self::Agent(args) => daemons::agent(*args),
            Self::Observer(args) => daemons::observer(*args),
            Self::Executor(args) => daemons::executor(*args),
        }
        .map(|()| ExitCode::SUCCESS)
    }
}

/// The tree of commands.
fn command() -> clap::Command {
    examples::with_examples(with_prefixes(Cli::command()))
}

/// Long options may be cut as long as only one is meant, and the last one of several counts, as with the original's
/// (`client.md` 2).
fn with_prefixes(command: clap::Command) -> clap::Command {
    // What a variable holds may be a secret.
    let command = command.mut_args(|argument| argument.hide_env_values(true));
    command.infer_long_args(true).args_override_self(true).mut_subcommands(with_prefixes)
}

pub(crate) fn main() -> ExitCode {
    complete::answer(command);
    let words = spelled(std::env::args_os());
    let parsed =
        command().try_get_matches_from(&words).and_then(|matches| Cli::from_arg_matches(&matches));
    let command = match parsed {
        Ok(Cli { command: Some(command) }) => command,
        Ok(Cli { command: None }) => {
            return match command().print_help() {
                Ok(()) => ExitCode::SUCCESS,
                Err(_) => ExitCode::FAILURE,
            };
        }
        // A wrong command line ends with status 2, --help with 0.
        Err(error) => {
            // Where nobody reads any more there is nobody to tell: the exit code says it still.
            let _ = error.print();
            return usage_code(&words, error.exit_code());
        }
    };
    match command.run() {
        Ok(status) => status,
        Err(failure) => {
            failure.print();
            failure.code.into()
        }
    }
}

/// How a wrong command line ends: with 2, unless that was asked to mean that something would change.
fn usage_code(words: &[OsString], code: i32) -> ExitCode {
    let is_cut = |word: &str| word.len() > "--d".len() && "--detailed-exitcode".starts_with(word);
    let is_taken = words.iter().filter_map(|word| word.to_str()).any(is_cut);
    match code {
        0 => ExitCode::SUCCESS,
        _ if is_taken => Code::Error.into(),
        _ => Code::Usage.into(),
    }
}

/// The daemons whose flags the originals write like `-cluster_name` and `--work_dir`.
const ORIGINALS: [&str; 5] = ["scheduler", "master", "agent", "observer", "executor"];

/// The words of a command line, with the names that the originals have spelled as they are here: a daemon's
/// `-cluster_name` as `--cluster-name`, an operator's `host-drain` as `host_drain`.
fn spelled(words: impl Iterator<Item = OsString>) -> Vec<OsString> {
    let mut words: Vec<OsString> = words.collect();
    // A link of the original's name to the program.
    let called = words.first().and_then(|word| Path::new(word).file_name());
    match called.and_then(|name| name.to_str()) {
        Some("thermos") => words.insert(1, "thermos".into()),
        Some("aurora_admin" | "aurora-admin") => words.insert(1, "admin".into()),
        _ => {}
    }
    let name = words.get(1).and_then(|word| word.to_str());
    let Some(name) = name.filter(|name| ORIGINALS.contains(name) || *name == "admin") else {
        return words;
    };
    let command = Cli::command();
    let Some(mut spoken) = command.find_subcommand(name) else { return words };
    if name == "admin" {
        let is_help = words.get(2).is_some_and(|word| word == "help");
        let Some(word) = words.get_mut(if is_help { 3 } else { 2 }) else { return words };
        let Some(name) = word.to_str().map(|word| word.replace('-', "_")) else { return words };
        let Some(found) = spoken.find_subcommand(&name) else { return words };
        *word = name.into();
        spoken = found;
    }
    for word in words.iter_mut().skip(2) {
        if let Some(flag) = word.to_str().and_then(|word| flag(spoken, word)) {
            *word = flag.into();
        }
    }
    words
}

/// A flag of a command as it is spelled here; none if the word is no long one of its flags.
fn flag(command: &clap::Command, word: &str) -> Option<String> {
    let (name, value) = match word.split_once('=') {
        Some((name, value)) => (name, Some(value)),
        None => (word, None),
    };
    let name = name.strip_prefix("--").or_else(|| name.strip_prefix('-'))?.replace('_', "-");
    // One that is written with two dashes may be cut.
    let is_long = word.starts_with("--");
    let is_meant = |long: &str| long == name || (is_long && long.starts_with(&name));
    command.get_arguments().find(|argument| argument.get_long().is_some_and(is_meant))?;
    Some(match value {
        Some(value) => format!("--{name}={value}"),
        None => format!("--{name}"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_makes_sense() {
        command().debug_assert();
    }

    #[test]
    fn flags_can_be_spelled_as_the_originals_are() {
        let spell = |words: &str| {
            spelled(words.split(' ').map(OsString::from)).join(" ".as_ref()).into_string().unwrap()
        };
        for (given, wanted) in [
            (
                "aurora scheduler -cluster_name=a_b -ip 0.0.0.0",
                "aurora scheduler --cluster-name=a_b --ip 0.0.0.0",
            ),
            ("aurora agent --work_dir /a_b -h", "aurora agent --work-dir /a_b -h"),
            (
                "aurora agent --resources cpus:1 -- -a_b!",
                "aurora agent --resources cpus:1 -- -a_b!",
            ),
            // A value may look like a flag: only this daemon's own are spelled anew.
            (
                "aurora scheduler --thermos-executor-flags --my_own=x",
                "aurora scheduler --thermos-executor-flags --my_own=x",
            ),
            (
                "/bin/aurora_admin sla-host-drain --force_drain_timeout=0s --hosts h_1 c_1",
                "/bin/aurora_admin admin sla_host_drain --force-drain-timeout=0s --hosts h_1 c_1",
            ),
            (
                "aurora admin sla_host_drain --force_drain=0s --default_ c",
                "aurora admin sla_host_drain --force-drain=0s --default- c",
            ),
            ("aurora-admin help host-drain", "aurora-admin admin help host_drain"),
            ("aurora admin set-quota c r -1 -1m -1_m", "aurora admin set_quota c r -1 -1m -1_m"),
            ("aurora admin no-such --a_b", "aurora admin no-such --a_b"),
            ("/bin/thermos status --root=R", "/bin/thermos thermos status --root=R"),
            ("aurora up my_file -d --bind a_b=c", "aurora up my_file -d --bind a_b=c"),
        ] {
            assert_eq!(spell(given), wanted);
        }
    }
}
