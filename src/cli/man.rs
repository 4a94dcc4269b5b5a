//! Manual pages, made from the tree of commands.

use std::path::{Path, PathBuf};

use crate::failure::{Code, Failure};
use crate::output::note;

/// `aurora man …`
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Where they are written, such as /usr/local/share/man/man1.
    #[arg(value_name = "DIR")]
    folder: PathBuf,
}

impl Args {
    /// Writes a page for each command.
    pub(super) fn run(&self, command: clap::Command) -> Result<(), Failure> {
        let failed = |path: &Path, error: &std::io::Error| {
            Failure::new(Code::Error, format!("failed to write {}: {error}", path.display()))
        };
        std::fs::create_dir_all(&self.folder).map_err(|error| failed(&self.folder, &error))?;
        let count = write(command, &self.folder).map_err(|error| failed(&self.folder, &error))?;
        note(&format!("{count} pages written; `man -l {}/aurora.1`", self.folder.display()));
        Ok(())
    }
}

/// Writes the page of a command and those of the commands below it. Gives how many.
fn write(mut command: clap::Command, folder: &Path) -> std::io::Result<usize> {
    // Names as `aurora job create`, options that all commands have, and `help` nowhere.
    command = command.disable_help_subcommand(true);
    command.build();
    let mut waiting = vec![command];
    let mut count = 0;
    while let Some(command) = waiting.pop() {
        waiting.extend(command.get_subcommands().filter(|it| !it.is_hide_set()).cloned());
        clap_mangen::Man::new(command).generate_to(folder)?;
        count += 1;
    }
    Ok(count)
}
