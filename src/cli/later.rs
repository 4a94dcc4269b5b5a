//! Commands whose arguments are put together only when they are asked for: there are many, and a run is of one.

use clap::error::Error;
use clap::{ArgMatches, Args, Command, FromArgMatches, Subcommand};

use super::{NOT_OF_CLUSTERS, examples, original};

/// The arguments of a command of the first level, or the commands below it.
#[derive(Debug)]
pub(super) struct Later<T>(Box<T>);

impl<T> Later<T> {
    pub(super) fn new(value: T) -> Self {
        Self(Box::new(value))
    }

    pub(super) fn now(self) -> T {
        *self.0
    }
}

impl<T: FromArgMatches> FromArgMatches for Later<T> {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, Error> {
        T::from_arg_matches(matches).map(Self::new)
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), Error> {
        self.0.update_from_arg_matches(matches)
    }
}

impl<T: Args> Args for Later<T> {
    fn augment_args(command: Command) -> Command {
        command.defer(|command| dressed(command, T::augment_args))
    }

    fn augment_args_for_update(command: Command) -> Command {
        command.defer(|command| dressed(command, T::augment_args_for_update))
    }
}

impl<T: Subcommand> Subcommand for Later<T> {
    fn augment_subcommands(command: Command) -> Command {
        command.defer(|command| dressed(command, T::augment_subcommands))
    }

    fn augment_subcommands_for_update(command: Command) -> Command {
        command.defer(|command| dressed(command, T::augment_subcommands_for_update))
    }

    fn has_subcommand(name: &str) -> bool {
        T::has_subcommand(name)
    }
}

/// A command with all that it has, and what is done to each command here.
fn dressed(command: Command, augment: fn(Command) -> Command) -> Command {
    // What the list of commands says of it counts.
    let (about, long_about) = (command.get_about().cloned(), command.get_long_about().cloned());
    let name = command.get_name().to_owned();
    let mut command = augment(command);
    if let Some(about) = about {
        command = command.about(about);
    }
    if let Some(about) = long_about {
        command = command.long_about(about);
    }
    // What is told of calls and hooks means nothing to commands that are not about a cluster: their help is silent
    // of it.
    if NOT_OF_CLUSTERS.contains(&name.as_str()) {
        command = command.mut_args(|argument| match argument.get_id().as_str() {
            "verbose" | "skip_hooks" => argument.hide(true),
            _ => argument,
        });
    }
    // By the name of the original its examples are of that name, too.
    let noun = original(name.as_ref()).unwrap_or(&name);
    examples::with_examples(with_prefixes(command), noun, &name)
}

/// Long options may be cut as long as only one is meant, and the last one of several counts, as with the original's
/// (`client.md` 2).
pub(super) fn with_prefixes(command: Command) -> Command {
    // What a variable holds may be a secret.
    let command = command.mut_args(|argument| {
        // What is wrong with a number below zero is for its own parser to say.
        let takes_values = argument.get_action().takes_values();
        argument.hide_env_values(true).allow_negative_numbers(takes_values)
    });
    command.infer_long_args(true).args_override_self(true).mut_subcommands(with_prefixes)
}
