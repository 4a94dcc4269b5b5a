//! Commands that are programs of their own: `aurora-foo` on the PATH is `aurora foo`.

use std::ffi::OsString;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::failure::{Code, Failure};

/// The program of a command that is none of this program's.
pub(crate) fn find(name: &str) -> Option<PathBuf> {
    let is_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    if name.is_empty() || name.starts_with('-') || !name.chars().all(is_name) {
        return None;
    }
    let file = format!("aurora-{name}");
    let folders = std::env::var_os("PATH")?;
    std::env::split_paths(&folders).map(|folder| folder.join(&file)).find(|path| is_program(path))
}

fn is_program(path: &Path) -> bool {
    std::fs::metadata(path)
        .is_ok_and(|found| found.is_file() && found.permissions().mode() & 0o111 != 0)
}

/// Becomes the program. Comes back only if that fails.
pub(crate) fn become_it(program: &Path, arguments: &[OsString]) -> Failure {
    let error = Command::new(program).args(arguments).exec();
    Failure::new(Code::Error, format!("failed to run {}: {error}", program.display()))
}
