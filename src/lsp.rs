//! `aurora lsp`: the language server, for editors.

use std::fs::OpenOptions;
use std::path::PathBuf;
use std::process::ExitCode;

use crate::config::PAGES;
use crate::discovery;
use crate::failure::{Code, Failure};
use crate::job::{describe, owner};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Write requests and the time they took to this file, for reports of mistakes.
    #[arg(long, value_name = "FILE")]
    log: Option<PathBuf>,
    /// Speak through standard input and output, which is what is done anyway: some editors add it.
    #[arg(long, hide = true)]
    stdio: bool,
}

impl Args {
    pub(crate) fn run(self) -> Result<ExitCode, Failure> {
        let log = match &self.log {
            Some(path) => {
                let file = OpenOptions::new().create(true).append(true).open(path);
                let failed = |error| {
                    let message = format!("failed to open {}: {error}", path.display());
                    Failure::new(Code::Usage, message)
                };
                Some(file.map_err(failed)?)
            }
            None => None,
        };
        let program = std::env::current_exe().unwrap_or_else(|_| PathBuf::from("aurora"));
        let options = aurora_lsp::Options {
            user: owner()?,
            cache: cache(),
            log,
            pages: PAGES,
            program,
            inspect: describe,
            clusters: discovery::names,
        };
        let ended = aurora_lsp::run(std::io::stdin(), std::io::stdout(), options)
            .map_err(|error| Failure::new(Code::Error, format!("failed to start: {error}")))?;
        // As the protocol has it: 1 if nobody has asked it to shut down.
        Ok(if ended.was_asked { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }
}

/// The user's folder for what can be made anew.
fn cache() -> Option<PathBuf> {
    let folder = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
    let folder = folder.filter(|folder| folder.is_absolute());
    let home = || std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".cache"));
    folder.or_else(home).map(|folder| folder.join("aurora"))
}
