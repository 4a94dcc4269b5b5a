//! What a file comes to when it is evaluated: what is wrong with it, and the values of its texts.

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

use aurora_eval::{Config, Engine, Finding, Loader, Options, Severity, WrittenValue};
use aurora_syntax::Span;

use crate::source::{FileId, Source};
use crate::text::offset;
use crate::workspace::Snapshot;

/// What one file came to.
#[derive(Debug)]
pub struct Evaluated {
    /// Its jobs; [`None`] if it came to nothing.
    pub config: Option<Arc<Config>>,
    /// What is wrong or doubtful, in the file and those that it includes.
    pub findings: Vec<Finding>,
    /// The texts of the files of the editor as they were.
    texts: BTreeMap<FileId, Arc<str>>,
    values: OnceLock<BTreeMap<Arc<str>, Vec<JobValue>>>,
}

/// What a value that a file writes comes to in one job.
#[derive(Debug, Clone)]
pub struct JobValue {
    /// The job's key, `?` for what is not known of it.
    pub job: Arc<str>,
    /// What is written where, and what it comes to.
    pub value: WrittenValue,
}

/// Evaluates a file with the texts that a loader gives, and checks its jobs.
///
/// A file that defines no jobs is well if others include it, or could.
pub fn evaluate(
    snapshot: &Snapshot,
    main: &FileId,
    engine: &Engine,
    loader: &dyn Loader,
    options: &Options,
) -> Evaluated {
    let (config, reports) = match engine.evaluate(main.path(), loader, options) {
        Ok(config) => {
            let reports = config.check(&options.inputs.user, None);
            (Some(config), reports)
        }
        Err(report) => (None, report.apart()),
    };
    let defines_jobs = snapshot
        .file(main)
        .is_some_and(|source| source.names.in_scope(&source.text, 0, "jobs").next().is_some());
    let findings = reports
        .iter()
        .flat_map(aurora_eval::Report::findings)
        .filter(|finding| defines_jobs || finding.code != aurora_eval::Code::NoJobs)
        .collect();
    let texts = snapshot.files().map(|source| (source.id.clone(), source.text.clone())).collect();
    Evaluated { config, findings, texts, values: OnceLock::new() }
}

impl Evaluated {
    /// Whether something is wrong, and not only doubtful.
    pub fn has_errors(&self) -> bool {
        self.findings.iter().any(|finding| finding.severity == Severity::Error)
    }

    /// What the values of a file come to, each in every job that uses it. Worked out once, when
    /// somebody asks.
    pub fn values(&self, file: &FileId) -> &[JobValue] {
        let values = self.values.get_or_init(|| {
            let mut all: BTreeMap<Arc<str>, Vec<JobValue>> = BTreeMap::new();
            for job in self.config.iter().flat_map(|config| config.jobs()) {
                let key: Arc<str> = job.key_text().into();
                for value in job.written_values() {
                    let file = all.entry(value.file.clone()).or_default();
                    file.push(JobValue { job: key.clone(), value });
                }
            }
            all
        });
        values.get(file.name()).map(Vec::as_slice).unwrap_or_default()
    }

    /// Where a part of a text as it was evaluated stands in the text as it is now; [`None`] if it
    /// was changed since.
    pub fn now(&self, source: &Source, then: Span) -> Option<Span> {
        let old = self.texts.get(&source.id)?;
        if Arc::ptr_eq(old, &source.text) || **old == *source.text {
            return Some(then);
        }
        moved(old, &source.text, then)
    }
}

/// Where a part of an old text stands in a new one, if what is between the first and the last
/// difference of the two does not touch it.
fn moved(old: &str, new: &str, part: Span) -> Option<Span> {
    let same = |(a, b): &(u8, u8)| a == b;
    let before = offset(old.bytes().zip(new.bytes()).take_while(same).count());
    if part.end <= before {
        return Some(part);
    }
    let rest = old.len().min(new.len()) - before as usize;
    let after = old.bytes().rev().zip(new.bytes().rev()).take(rest).take_while(same).count();
    if part.start < offset(old.len() - after) {
        return None;
    }
    let place = |at: u32| offset(new.len() - (old.len() - at as usize));
    Some(Span::new(place(part.start), place(part.end)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_move_with_the_text_around_them() {
        let (old, new) = ("abc def ghi", "abc XXXX def ghi");
        for (part, wanted) in [
            (Span::new(0, 3), Some(Span::new(0, 3))),
            (Span::new(8, 11), Some(Span::new(13, 16))),
            (Span::new(2, 6), None),
        ] {
            assert_eq!(moved(old, new, part), wanted);
        }
        assert_eq!(moved("aXa", "aa", Span::new(2, 3)), Some(Span::new(1, 2)));
    }
}
