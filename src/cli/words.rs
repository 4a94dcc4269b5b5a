//! The words of a command line: how they may be spelled, and what they ask for.

use std::ffi::{OsStr, OsString};
use std::path::Path;
use std::process::ExitCode;

use aurora_template::types::nearest;
use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{ArgMatches, FromArgMatches};

use super::later::Later;
use super::{Cli, Command, command, whole};
use crate::failure::Code;
use crate::{admin, thermos};

/// A command line that makes sense.
pub(super) struct Parsed {
    pub(super) cli: Cli,
    pub(super) noun: String,
    /// Empty of a command that is a noun alone.
    pub(super) verb: String,
}

/// What a command line asks for; how the program ends if it asks for help, or makes no sense.
pub(super) fn parse(words: &[OsString]) -> Result<Parsed, ExitCode> {
    let parsed = match called_as(words) {
        Some((noun, name)) => parse_called(words, noun, name),
        None => command().try_get_matches_from(words).and_then(|matches| {
            let (noun, verb) = named(&matches);
            Ok(Parsed { cli: Cli::from_arg_matches(&matches)?, noun, verb })
        }),
    };
    parsed.map_err(|error| {
        let code = error.exit_code();
        // Where nobody reads any more there is nobody to tell: the exit code says it still.
        let _ = with_meant(error, words).print();
        usage_code(words, code)
    })
}

/// The noun that one of the originals is, and its name, if the program was called by that.
fn called_as(words: &[OsString]) -> Option<(&'static str, &'static str)> {
    let noun = words.first().and_then(|word| original(word))?;
    let is_there = words.get(1).is_some_and(|word| word == noun);
    is_there.then_some((noun, if noun == "admin" { "aurora_admin" } else { noun }))
}

/// The same of a program that was called by the name of an original: its help and errors are of that one.
fn parse_called(words: &[OsString], noun: &str, name: &'static str) -> Result<Parsed, clap::Error> {
    let tree = command().no_binary_name(true).mut_subcommand(noun, |command| command.name(name));
    let words = [OsString::from(name)].into_iter().chain(words.iter().skip(2).cloned());
    let matches = tree.try_get_matches_from(words)?;
    let Some((_, of)) = matches.subcommand() else {
        return Err(clap::Error::new(ErrorKind::MissingSubcommand));
    };
    let command = match noun {
        "admin" => Command::Admin(Later::new(admin::Command::from_arg_matches(of)?)),
        _ => Command::Thermos(Later::new(thermos::Args::from_arg_matches(of)?)),
    };
    let cli = Cli {
        verbose: matches.get_flag("verbose"),
        skip_hooks: matches.get_many("skip_hooks").into_iter().flatten().cloned().collect(),
        command: Some(command),
    };
    Ok(Parsed { cli, noun: noun.to_owned(), verb: verb(of) })
}

/// The noun and verb of a command.
fn named(matches: &ArgMatches) -> (String, String) {
    match matches.subcommand() {
        Some((noun, of)) => (noun.to_owned(), verb(of)),
        None => (String::new(), String::new()),
    }
}

fn verb(of: &ArgMatches) -> String {
    of.subcommand_name().unwrap_or_default().to_owned()
}

/// An error with the command that was meant by one that is not there, where short names are too unlike for the parser.
fn with_meant(mut error: clap::Error, words: &[OsString]) -> clap::Error {
    let Some(ContextValue::String(wrong)) = error.get(ContextKind::InvalidSubcommand) else {
        return error;
    };
    if error.get(ContextKind::SuggestedSubcommand).is_some() {
        return error;
    }
    let tree = whole();
    let mut within = &tree;
    for word in words.iter().skip(1).filter_map(|word| word.to_str()) {
        if word == wrong {
            break;
        }
        within = within.find_subcommand(word).unwrap_or(within);
    }
    let known = within.get_subcommands().map(clap::Command::get_name);
    if let Some(meant) = nearest(wrong, known) {
        let meant = ContextValue::Strings(vec![meant.to_owned()]);
        error.insert(ContextKind::SuggestedSubcommand, meant);
    }
    error
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

/// Where the first word is that is none of the options that all commands have.
pub(super) fn noun_at(words: &[OsString]) -> usize {
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

/// The daemons whose flags the originals write like `-cluster_name` and `--work_dir`.
const ORIGINALS: [&str; 5] = ["scheduler", "master", "agent", "observer", "executor"];

/// The command that the program is when it is called by the name of one of the originals.
pub(super) fn original(called: &OsStr) -> Option<&'static str> {
    match Path::new(called).file_name()?.to_str()? {
        "thermos" => Some("thermos"),
        "aurora_admin" | "aurora-admin" => Some("admin"),
        _ => None,
    }
}

/// The words of a command line, with the names that the originals have spelled as they are here: a daemon's
/// `-cluster_name` as `--cluster-name`, an operator's `host-drain` as `host_drain`.
pub(super) fn spelled(words: impl Iterator<Item = OsString>) -> Vec<OsString> {
    let mut words: Vec<OsString> = words.collect();
    let is_version = words.get(1).is_some_and(|word| word == "--version" || word == "-V");
    if let Some(command) = words.first().and_then(|word| original(word)).filter(|_| !is_version) {
        words.insert(1, command.into());
    }
    let at = noun_at(&words);
    let name = words.get(at).and_then(|word| word.to_str()).map(ToOwned::to_owned);
    let Some(name) = name.as_deref().filter(|name| ORIGINALS.contains(name) || *name == "admin")
    else {
        return words;
    };
    let mut command = command();
    let Some(spoken) = command.find_subcommand_mut(name) else { return words };
    spoken.build();
    let mut spoken = &*spoken;
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
            ("aurora_admin --version", "aurora_admin --version"),
            ("aurora up my_file -d --bind a_b=c", "aurora up my_file -d --bind a_b=c"),
        ] {
            assert_eq!(spell(given), wanted);
        }
    }
}
