//! Doubts about the names of files.

use aurora_template::object::Object;

use crate::report::Report;
use crate::sources::Sources;

/// What is doubtful about the names that files define and bind.
pub(crate) fn of_files(_sources: &Sources, _jobs: &[&Object]) -> Vec<Report> {
    Vec::new()
}
