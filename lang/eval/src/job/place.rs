//! Faults as reports: each with its place in the file.

use aurora_template::object::Object;
use aurora_template::types::Type;

use super::{Content, EvaluatedJob, Fault};
use crate::codes::Code;
use crate::report::{MAX_REPORTS, Report};
use crate::warnings::origin_of;

impl EvaluatedJob {
    /// The reports of what is wrong with the job, as one.
    pub(super) fn all_of(&self, faults: &[Fault]) -> Option<Report> {
        let more = faults.len().saturating_sub(MAX_REPORTS);
        let mut reports: Vec<Report> =
            faults.iter().take(MAX_REPORTS).map(|fault| self.report(fault)).collect();
        if more > 0 {
            reports.push(Report::new(Code::InvalidJob, format!("and {more} more")));
        }
        Report::all(reports)
    }

    /// What is wrong, where it stands, what to do about it.
    pub(super) fn report(&self, fault: &Fault) -> Report {
        if matches!(self.content, Content::Other(_)) {
            let (file, index) = &self.place;
            let report = Report::new(fault.code, format!("{file}: {}", fault.message));
            return report.at_assignment(&self.sources, file, "jobs", Some(*index));
        }
        let field = fault.path.iter().rev().find(|step| !step.starts_with('['));
        let field = field.map(String::as_str);
        let origin = fault.origin.clone().or_else(|| origin_of(self.object()?, &fault.path));
        let message = if fault.is_nameless && !fault.path.is_empty() {
            format!("{}: {}", fault.place(), fault.message)
        } else {
            fault.message.clone()
        };
        let report = Report::new(fault.code, message).at_text(
            &self.sources,
            origin.as_ref(),
            field,
            fault.in_text.as_deref(),
        );
        let report = match (fault.code, field) {
            (Code::MissingField, Some(field)) => report.with_missing(field),
            _ => report,
        };
        let report = match &fault.help {
            Some(help) => report.with_help(help),
            None => report,
        };
        let report = report.with_rewriting();
        // What stands in another file is wrong in this job, and maybe in no other.
        let (file, index) = &self.place;
        if origin.is_none_or(|origin| origin.file == *file) {
            return report;
        }
        let label = format!("in the job {}", self.key_text());
        report.near_assignment(&self.sources, file, ("jobs", *index), &label)
    }
}

/// Whether an object is a job: of that type, or of one that has its fields.
pub(super) fn is_job(object: &Object) -> bool {
    let Type::Struct(ty) = object.ty() else { return false };
    ["cluster", "role", "environment", "name", "task", "instances", "update_config"]
        .iter()
        .all(|field| ty.position(field).is_some())
}
