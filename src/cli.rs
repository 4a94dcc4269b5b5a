//! What can be asked of the program.

mod complete;
mod examples;
mod man;
#[cfg(test)]
mod reference;

use std::ffi::{OsStr, OsString};
use std::path::Path;
use std::process::ExitCode;

use clap::{Arg, ArgAction, ArgMatches, CommandFactory, FromArgMatches, Parser, Subcommand};

use crate::daemons::{self, Daemon};
use crate::failure::{Code, Failure};
use crate::hooks::Hooks;
use crate::{
    admin, cluster, config, cron, deploy, job, logs, lsp, plugin, quota, runtime, sla, task,
    thermos, up, update, version, why,
};

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
    /// Say why a job is as it is: what its instances wait for, what they died of, what would help.
    Why(Box<why::Args>),
    /// Run jobs by schedule.
    #[command(subcommand)]
    Cron(Box<cron::Command>),
    /// See what tasks print, run commands beside them, copy their files.
    #[command(subcommand)]
    Task(Box<task::Command>),
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
    /// Look at the clusters that are known.
    #[command(subcommand)]
    Cluster(Box<cluster::Command>),
    /// Show the version of this program and, with a cluster, that of its scheduler.
    Version(version::Args),
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
            Self::Why(args) => return args.run(),
            Self::Cron(command) => return command.run(),
            Self::Task(command) => return command.run(),
            Self::Quota(command) => command.run(),
            Self::Sla(command) => return command.run(),
            Self::Admin(command) => return command.run(),
            Self::Config(command) => command.run(),
            Self::Cluster(command) => command.run(),
            Self::Version(args) => args.run(),
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
    let tree = NOT_OF_CLUSTERS
        .iter()
        .fold(Cli::command(), |tree, name| tree.mut_subcommand(*name, without_talk));
    examples::with_examples(with_prefixes(tree))
}

/// What is told of calls and hooks means nothing to commands that are not about a cluster: their help is silent of
/// it.
fn without_talk(command: clap::Command) -> clap::Command {
    let verbose = Arg::new("verbose").long("verbose").short('v').action(ArgAction::SetTrue);
    let skip_hooks = Arg::new("skip_hooks").long("skip-hooks").action(ArgAction::Append);
    command.args([verbose.hide(true), skip_hooks.hide(true)]).mut_subcommands(without_talk)
}

/// Long options may be cut as long as only one is meant, and the last one of several counts, as with the original's
/// (`client.md` 2).
fn with_prefixes(command: clap::Command) -> clap::Command {
    // What a variable holds may be a secret.
    let command = command.mut_args(|argument| argument.hide_env_values(true));
    command.infer_long_args(true).args_override_self(true).mut_subcommands(with_prefixes)
}

/// The tree of commands below the name that the program is called by.
fn called() -> clap::Command {
    let tree = command();
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
    if Cli::command().find_subcommand(&noun).is_none()
        && let Some(program) = plugin::find(&noun)
    {
        return Err(plugin::become_it(&program, &words[at + 1..]));
    }
    let hooks = Hooks::read();
    if !NOT_OF_CLUSTERS.contains(&noun.as_str()) {
        words = hooks.dispatch(words)?;
    }
    let (matches, cli) = match parse(&words) {
        Ok(parsed) => parsed,
        Err(told) => return Ok(told),
    };
    if NOT_OF_CLUSTERS.contains(&named(&matches).0.as_str()) {
        return cli.run();
    }
    logs::init(cli.verbose);
    // Only now, so that help is always given.
    let hooks = hooks.of_command(&cli.skip_hooks, &words, named(&matches))?;
    hooks.before()?;
    let result = cli.run();
    hooks.after(&result);
    result
}

/// What a command line asks for; how the program ends if it asks for help, or makes no sense.
fn parse(words: &[OsString]) -> Result<(ArgMatches, Cli), ExitCode> {
    let parsed = command()
        .try_get_matches_from(words)
        .and_then(|matches| Ok((Cli::from_arg_matches(&matches)?, matches)));
    match parsed {
        Ok((cli, matches)) => Ok((matches, cli)),
        Err(error) => {
            // Where nobody reads any more there is nobody to tell: the exit code says it still.
            let _ = error.print();
            Err(usage_code(words, error.exit_code()))
        }
    }
}

/// Where the first word is that is none of the options that all commands have.
fn noun_at(words: &[OsString]) -> usize {
    let mut at = 1;
    while let Some(word) = words.get(at).and_then(|word| word.to_str()) {
        at += match word {
            "--skip-hooks" => 2,
            word if word.starts_with('-') => 1,
            _ => break,
        };
    }
    at
}

/// The noun and verb of a command.
fn named(matches: &ArgMatches) -> (String, String) {
    let verb = |of: &ArgMatches| of.subcommand_name().unwrap_or_default().to_owned();
    match matches.subcommand() {
        Some((noun, of)) => (noun.to_owned(), verb(of)),
        None => (String::new(), String::new()),
    }
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

/// The daemons whose flags the originals write like `-cluster_name` and `--work_dir`.
const ORIGINALS: [&str; 5] = ["scheduler", "master", "agent", "observer", "executor"];

/// The command that the program is when it is called by the name of one of the originals.
fn original(called: &OsStr) -> Option<&'static str> {
    match Path::new(called).file_name()?.to_str()? {
        "thermos" => Some("thermos"),
        "aurora_admin" | "aurora-admin" => Some("admin"),
        _ => None,
    }
}

/// The words of a command line, with the names that the originals have spelled as they are here: a daemon's
/// `-cluster_name` as `--cluster-name`, an operator's `host-drain` as `host_drain`.
fn spelled(words: impl Iterator<Item = OsString>) -> Vec<OsString> {
    let mut words: Vec<OsString> = words.collect();
    if let Some(command) = words.first().and_then(|word| original(word)) {
        words.insert(1, command.into());
    }
    let at = noun_at(&words);
    let name = words.get(at).and_then(|word| word.to_str()).map(ToOwned::to_owned);
    let Some(name) = name.as_deref().filter(|name| ORIGINALS.contains(name) || *name == "admin")
    else {
        return words;
    };
    let command = Cli::command();
    let Some(mut spoken) = command.find_subcommand(name) else { return words };
    if name == "admin" {
        let is_help = words.get(at + 1).is_some_and(|word| word == "help");
        let Some(word) = words.get_mut(if is_help { at + 2 } else { at + 1 }) else { return words };
        let Some(name) = word.to_str().map(|word| word.replace('-', "_")) else { return words };
        let Some(found) = spoken.find_subcommand(&name) else { return words };
        *word = name.into();
        spoken = found;
    }
    for word in words.iter_mut().skip(at + 1) {
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
    command.get_arguments().find(|argument| {
        let aliases = argument.get_all_aliases().into_iter().flatten();
        argument.get_long().into_iter().chain(aliases).any(is_meant)
    })?;
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
        for name in NOT_OF_CLUSTERS {
            assert!(command().find_subcommand(name).is_some(), "{name}");
        }
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
