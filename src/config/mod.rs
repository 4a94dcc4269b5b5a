//! `aurora config …` (`client.md` 7).

mod export;

use crate::failure::Failure;

/// The commands.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// Write what the jobs of a file come to, as JSON.
    Export(export::Args),
}

impl Command {
    pub(crate) fn run(self) -> Result<(), Failure> {
        match self {
            Self::Export(args) => args.run(),
        }
    }
}
