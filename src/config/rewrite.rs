//! `aurora config fmt` and `aurora config migrate`: files rewritten.

use std::fs::{File, OpenOptions, Permissions};
use std::io::Write;
use std::ops::Range;
use std::path::{Path, PathBuf};

use aurora_eval::{Disk, Loader, syntax_report};
use aurora_syntax::SyntaxError;
use similar::TextDiff;

use super::options::{STDIN, is_stdin, read_stdin};
use crate::failure::{Code, Failure};
use crate::output::{note, print, warn};

/// How many lines around a change are shown.
const CONTEXT: usize = 3;

#[derive(Debug, clap::Args)]
pub(crate) struct FmtArgs {
    /// The configurations, .aurora files; - for the standard input, whose new text is printed.
    #[arg(value_name = "FILE", required = true)]
    files: Vec<PathBuf>,
    /// Change nothing; end with status 1 if a file would be changed.
    #[arg(long)]
    check: bool,
    /// Change nothing; show what would be changed.
    #[arg(long)]
    diff: bool,
}

#[derive(Debug, clap::Args)]
pub(crate) struct MigrateArgs {
    /// The configurations, .aurora files; - for the standard input, whose new text
    /// `--in-place` prints.
    #[arg(value_name = "FILE", required = true)]
    files: Vec<PathBuf>,
    /// Change nothing; show what would be changed. This is what happens by default.
    #[arg(long, conflicts_with = "in_place")]
    diff: bool,
    /// Write the new texts into the files.
    #[arg(long)]
    in_place: bool,
}

impl FmtArgs {
    pub(super) fn run(self) -> Result<(), Failure> {
        let mode = match (self.check, self.diff) {
            (false, false) => Mode::InPlace,
            (_, diff) => Mode::Look { diff },
        };
        let changed = rewrite(&self.files, mode, |_, text| aurora_syntax::format(text))?;
        if self.check && changed > 0 { Err(Failure::said(Code::Error)) } else { Ok(()) }
    }
}

impl MigrateArgs {
    pub(super) fn run(self) -> Result<(), Failure> {
        let mode = if self.in_place { Mode::InPlace } else { Mode::Look { diff: true } };
        rewrite(&self.files, mode, |name, text| {
            let migration = aurora_syntax::migrate(text)?;
            for found in &migration.notes {
                warn(&format!("{name}:{}: {}", line_of(text, &found.range), found.message));
            }
            Ok(migration.text)
        })?;
        Ok(())
    }
}

fn line_of(text: &str, range: &Range<usize>) -> usize {
    text.as_bytes().iter().take(range.start).filter(|byte| **byte == b'\n').count() + 1
}

/// What is done with the new text.
#[derive(Debug, Clone, Copy)]
enum Mode {
    InPlace,
    Look { diff: bool },
}

/// Rewrites each file, and says how many are not what they would be rewritten to. One that cannot be
/// read or rewritten does not keep the others from it.
fn rewrite(
    files: &[PathBuf],
    mode: Mode,
    new: impl Fn(&str, &str) -> Result<String, Vec<SyntaxError>>,
) -> Result<usize, Failure> {
    let mut changed = 0;
    let mut failed = None;
    for file in files {
        match one(file, mode, &new) {
            Ok(is_changed) => changed += usize::from(is_changed),
            Err(failure) => {
                failure.print();
                failed = Some(failure.code);
            }
        }
    }
    failed.map_or(Ok(changed), |code| Err(Failure::said(code)))
}

fn one(
    file: &Path,
    mode: Mode,
    new: impl Fn(&str, &str) -> Result<String, Vec<SyntaxError>>,
) -> Result<bool, Failure> {
    let is_stdin = is_stdin(file);
    let (name, text) = if is_stdin {
        (STDIN.to_owned(), read_stdin()?)
    } else {
        let name = file.display().to_string();
        let text = Disk.read(file).map_err(|error| {
            Failure::new(Code::InvalidConfiguration, format!("cannot read {name}: {error}"))
        })?;
        (name, text)
    };
    let rewritten = new(&name, &text)
        .map_err(|errors| Failure::report(syntax_report(&name, &text, &errors)))?;
    let is_changed = rewritten != text;
    match mode {
        Mode::InPlace if is_stdin => print(&rewritten)?,
        Mode::InPlace if is_changed => replace(file, &rewritten)
            .map_err(|error| Failure::new(Code::Error, format!("cannot write {name}: {error}")))?,
        Mode::Look { diff: true } if is_changed => {
            let diff = TextDiff::from_lines(&text, &rewritten);
            let mut diff = diff.unified_diff();
            let diff = diff.context_radius(CONTEXT).header(&name, &name).to_string();
            print(&diff)?;
        }
        Mode::Look { diff: false } if is_changed => note(&format!("{name} would be changed")),
        Mode::InPlace | Mode::Look { .. } => {}
    }
    Ok(is_changed)
}

/// Puts a text in the place of that of a file: all of it, or nothing if that fails on the way. What
/// the file may be used for stays.
fn replace(file: &Path, text: &str) -> std::io::Result<()> {
    // A link goes on leading to the file.
    let file = file.canonicalize()?;
    let permissions = file.metadata()?.permissions();
    let name = file.file_name().unwrap_or_default().to_string_lossy();
    let beside = file.with_file_name(format!(".{name}.{}.new", std::process::id()));
    let written = write(&beside, text, permissions).and_then(|()| std::fs::rename(&beside, &file));
    if written.is_err() {
        // What is left of it is of no use; the error of before is what counts.
        let _ = std::fs::remove_file(&beside);
    }
    written
}

fn write(path: &Path, text: &str, permissions: Permissions) -> std::io::Result<()> {
    let mut file: File = OpenOptions::new().write(true).create_new(true).open(path)?;
    file.write_all(text.as_bytes())?;
    file.set_permissions(permissions)?;
    file.sync_all()
}
