//! Asking before harm is done (`admin.md` 9).

use std::io::IsTerminal;

use crate::ask::{answer, is_yes};
use crate::failure::{Code, Failure};

/// Whether to ask, and whether to do anything.
#[derive(Debug, Clone, Copy, clap::Args)]
pub(super) struct Consent {
    /// Do not ask on a terminal. Scripts are never asked.
    #[arg(long, short = 'y')]
    yes: bool,
    /// Only show what would be done.
    #[arg(long, conflicts_with = "yes")]
    pub(super) dry_run: bool,
}

impl Consent {
    /// Whether people are there who are to be asked.
    pub(super) fn asks(self) -> bool {
        !self.yes && std::io::stdin().is_terminal() && std::io::stderr().is_terminal()
    }

    /// Asks whether to do what is told, if there is anybody to ask.
    pub(super) async fn ask(self, what: &str) -> Result<(), Failure> {
        if !self.asks() {
            return Ok(());
        }
        if is_yes(&answer(&format!("{what} Go on? [y/N]\n")).await?) {
            return Ok(());
        }
        Err(Failure::new(Code::CommandFailure, "not confirmed; nothing was done"))
    }
}
