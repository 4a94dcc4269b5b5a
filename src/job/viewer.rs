//! Differences shown by a program of the user's choice (`client.md` 6): `$DIFF_VIEWER OLD NEW`.

use std::ffi::OsString;
use std::io::Write as _;
use std::process::Command;

use aurora_client::compare::{Comparison, Update};
use serde_json::Value;

use super::compare::{heads, plain_text, tail, update_text};
use crate::failure::{Code, Failure};

/// The program: one name, no arguments.
pub(super) struct Viewer(OsString);

/// The program that `$DIFF_VIEWER` names, if it does.
pub(super) fn chosen() -> Option<Viewer> {
    std::env::var_os("DIFF_VIEWER").filter(|name| !name.is_empty()).map(Viewer)
}

impl Viewer {
    /// A comparison for people, with what the program says of each difference.
    pub(super) fn text(&self, found: &Comparison) -> Result<String, Failure> {
        let mut text = heads(found);
        for update in &found.update {
            text.push_str(&update_text(update, &self.diff(update)?));
        }
        Ok(text + &tail(found))
    }

    fn diff(&self, update: &Update) -> Result<String, Failure> {
        let (running, wanted) = (written(&update.running)?, written(&update.wanted)?);
        let name = self.0.to_string_lossy();
        let ran = Command::new(&self.0).arg(running.path()).arg(wanted.path()).output();
        let ran = ran.map_err(|error| {
            Failure::new(
                Code::CommandFailure,
                format!(
                    "failed to run {name}, which DIFF_VIEWER names: {error}. Name a program that compares \
                     two files, such as diff, or unset DIFF_VIEWER"
                ),
            )
        })?;
        // As diff has it: 1 if the files differ.
        if !matches!(ran.status.code(), Some(0 | 1)) {
            return Err(Failure::new(
                Code::CommandFailure,
                format!(
                    "{name}, which DIFF_VIEWER names, has failed ({}): {}",
                    ran.status,
                    String::from_utf8_lossy(&ran.stderr).trim()
                ),
            ));
        }
        Ok(String::from_utf8_lossy(&ran.stdout).into_owned())
    }
}

/// A configuration in a file of its own, which is gone when it is dropped.
fn written(value: &Value) -> Result<tempfile::NamedTempFile, Failure> {
    let failed = |error: std::io::Error| {
        Failure::new(Code::Error, format!("failed to write a file to compare: {error}"))
    };
    let mut file = tempfile::NamedTempFile::with_prefix("aurora-").map_err(failed)?;
    file.write_all(plain_text(value).as_bytes()).map_err(failed)?;
    Ok(file)
}
