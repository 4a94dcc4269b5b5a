//! What was found as one JSON document (`docs/errors/findings.schema.json`).

use serde::Serialize;

use super::Finding;
use crate::codes::Severity;

/// The version of the form.
const VERSION: u32 = 1;

/// A file that was checked, and what was found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Checked {
    /// The file, as it was named.
    pub file: String,
    /// What was found in it and in the files that it includes.
    pub findings: Vec<Finding>,
}

impl Checked {
    /// How many findings there are of a severity.
    pub fn count(&self, severity: Severity) -> usize {
        self.findings.iter().filter(|finding| finding.severity == severity).count()
    }
}

/// What a check of several files comes to.
#[derive(Debug, Serialize)]
pub struct Summary<'a> {
    version: u32,
    /// How many errors there are.
    pub errors: usize,
    /// How many warnings there are.
    pub warnings: usize,
    /// The files.
    pub files: &'a [Checked],
}

impl<'a> Summary<'a> {
    /// Sums up.
    pub fn of(files: &'a [Checked]) -> Self {
        let count = |severity| files.iter().map(|file| file.count(severity)).sum();
        let (errors, warnings) = (count(Severity::Error), count(Severity::Warning));
        Self { version: VERSION, errors, warnings, files }
    }
}
