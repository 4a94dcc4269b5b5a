//! `aurora config …`: files by themselves, without a scheduler (`client.md` 7).

mod check;
mod explain;
mod export;
mod list;
mod options;
mod rewrite;

pub(crate) use options::{Outside, evaluate_json_file, is_stdin};

use crate::failure::Failure;

/// Where the pages about codes stand on the web, if the build knows.
pub(crate) const PAGES: Option<&str> = option_env!("AURORA_ERROR_PAGES");

/// The commands.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// List the keys of the jobs of a file.
    List(list::Args),
    /// Show everything that is wrong or doubtful about files.
    Check(check::Args),
    /// Write what the jobs of a file come to, as JSON.
    Export(export::Args),
    /// Explain a struct, a field, a name of the language, or the code of an error or warning.
    Explain(explain::Args),
    /// Lay files out in the common way; comments and meaning stay.
    Fmt(rewrite::FmtArgs),
    /// Rewrite files of Python 2 into the plain language; comments and meaning stay.
    Migrate(rewrite::MigrateArgs),
    /// Write the JSON Schema of jobs written as JSON.
    Schema,
}

impl Command {
    pub(crate) fn run(self) -> Result<(), Failure> {
        match self {
            Self::List(args) => args.run(),
            Self::Check(args) => args.run(),
            Self::Export(args) => args.run(),
            Self::Explain(args) => args.run(),
            Self::Fmt(args) => args.run(),
            Self::Migrate(args) => args.run(),
            Self::Schema => crate::output::print_json(&aurora_model::json_schema::json_schema()),
        }
    }
}
