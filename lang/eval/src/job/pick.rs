//! Choosing a job of a file by its key (`dsl.md` 7.3).

use aurora_model::key::ClusterJobKey;
use aurora_template::types::slips;

use super::{Config, EvaluatedJob, Part, Stage};
use crate::codes::Code;
use crate::limits::on_large_stack;
use crate::report::{MAX_REPORTS, Report};

impl Config {
    /// The job of a full key.
    ///
    /// # Errors
    /// There is none, with the keys that there are; or several.
    pub fn find(&self, key: &ClusterJobKey) -> Result<&EvaluatedJob, Report> {
        on_large_stack(|| self.find_text(&key.to_string()))
    }

    /// The only job, where none is named.
    ///
    /// # Errors
    /// There are several, with their keys.
    pub fn only(&self) -> Result<&EvaluatedJob, Report> {
        match self.jobs.as_slice() {
            [job] => Ok(job),
            jobs => on_large_stack(|| {
                let keys: Vec<String> =
                    jobs.iter().take(MAX_REPORTS).map(EvaluatedJob::key_text).collect();
                Err(Report::new(
                    Code::AmbiguousJob,
                    format!("the file has {} jobs: say which is meant", jobs.len()),
                )
                .with_help(format!("the file has {}", keys.join(", "))))
            }),
        }
    }

    /// The job whose key is made of these texts: `cluster/role/environment/name`.
    pub(crate) fn find_text(&self, wanted: &str) -> Result<&EvaluatedJob, Report> {
        let parts: Vec<&str> = wanted.split('/').collect();
        let [cluster, role, environment, name] = parts.as_slice() else {
            return Err(Report::new(
                Code::JobNotFound,
                format!("{wanted:?} is no job key: expected cluster/role/environment/name"),
            ));
        };
        let wanted = [*cluster, *role, *environment, *name];
        // The name first: it is what most jobs differ by.
        let mut matching = self.jobs.iter().filter(|job| {
            Part::ALL
                .into_iter()
                .zip(wanted)
                .rev()
                .all(|(part, wanted)| job.part(part) == Some(wanted))
        });
        match (matching.next(), matching.next()) {
            (Some(job), None) => Ok(job),
            (Some(_), Some(_)) => Err(Report::new(
                Code::AmbiguousJob,
                format!("several jobs are called {}", wanted.join("/")),
            )
            .with_help("give each job of the file a key of its own")),
            (None, _) => Err(self.not_found(wanted)),
        }
    }

    fn not_found(&self, wanted: [&str; 4]) -> Report {
        let mut report =
            Report::new(Code::JobNotFound, format!("could not find job {}", wanted.join("/")));
        let whole: Vec<&EvaluatedJob> =
            self.jobs.iter().filter(|job| job.key().iter().all(Option::is_some)).collect();
        let near = whole
            .iter()
            .filter_map(|job| {
                let parts = wanted.iter().zip(job.key());
                let slips = parts.map(|(wanted, known)| match known {
                    Some(known) if known == *wanted => Some(0),
                    known => slips(wanted, known?),
                });
                Some((slips.sum::<Option<usize>>()?, job.key_text()))
            })
            .min();
        let known: Vec<String> = whole.iter().take(MAX_REPORTS).map(|job| job.key_text()).collect();
        if let Some((_, near)) = near {
            report = report.with_help(format!("did you mean {near}?"));
        } else if !known.is_empty() {
            report = report.with_help(format!("the file has {}", known.join(", ")));
        }
        // A job that lacks a part of its key may be the one that is meant.
        let incomplete = self
            .jobs
            .iter()
            .filter(|job| job.key().iter().any(Option::is_none))
            .take(MAX_REPORTS)
            .filter_map(|job| {
                let examined = job.examined().ok()?;
                let of_key = |path: &[String]| {
                    matches!(path, [field] if ["cluster", "role", "environment", "name"].contains(&field.as_str()))
                };
                let fault = examined
                    .faults
                    .iter()
                    .find(|fault| of_key(&fault.path) && fault.stage != Stage::Convert)?;
                Some(job.report(fault))
            });
        let reports = std::iter::once(report).chain(incomplete).take(MAX_REPORTS).collect();
        Report::all(reports)
            .unwrap_or_else(|| Report::new(Code::JobNotFound, "could not find the job"))
    }
}
