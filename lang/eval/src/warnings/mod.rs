//! What is legal and does not do what it seems to.

mod allow;
mod job;
mod names;
mod processes;

pub(crate) use allow::without_allowed;
pub(crate) use names::of_files;

use std::sync::Arc;

use aurora_model::config::Job;
use aurora_template::object::{Kind, Object, Origin};

use crate::codes::Code;
use crate::job::ReadyJob;
use crate::report::Report;
use crate::sources::Sources;

/// A job that can be submitted, and what it was made of.
pub(crate) struct View<'a> {
    object: &'a Object,
    sources: &'a Arc<Sources>,
    ready: &'a ReadyJob,
}

/// What is doubtful about a job that can be submitted. `object` is the job as the file made it.
pub(crate) fn of_job(object: &Object, sources: &Arc<Sources>, ready: &ReadyJob) -> Vec<Report> {
    let view = View { object, sources, ready };
    let mut found = job::warnings(&view);
    found.extend(processes::warnings(&view));
    found
}

/// Two jobs that are called the same.
pub(crate) fn duplicate_job(key: &str, job: &Object, first: &Object, sources: &Sources) -> Report {
    let report = Report::new(Code::DuplicateJob, format!("two jobs are called {key}"))
        .at_field(sources, job.origin(), Some("name"))
        .with_help("commands on this key are refused: give each job a key of its own");
    match first.origin() {
        Some(origin) => report.near(sources, &origin.file, origin.span.clone(), "the other one"),
        None => report,
    }
}

impl View<'_> {
    fn job(&self) -> &Job {
        &self.ready.config
    }

    /// Whether the file gives the field: it may also be a default.
    fn is_given(&self, field: &str) -> bool {
        self.object.field(field).is_some_and(|value| value.origin().is_some())
    }

    /// A report about the last of these fields, each within the one before.
    fn report(&self, code: Code, path: &[&str], message: impl Into<String>) -> Report {
        let path: Vec<String> = path.iter().map(|step| (*step).to_owned()).collect();
        let field = path.iter().rev().find(|step| !step.starts_with('[')).map(String::as_str);
        let origin = origin_of(self.object, &path);
        Report::new(code, message).at_field(self.sources, origin.as_ref(), field)
    }
}

/// The call in which the value at `path` was given; that of what is around it for a default.
pub(crate) fn origin_of(object: &Object, path: &[String]) -> Option<Origin> {
    let mut object = object;
    let mut origin = object.origin();
    for step in path {
        let index = step.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
        let inner = match (object.kind(), index) {
            (Kind::List(items), Some(index)) => {
                index.parse::<usize>().ok().and_then(|index| items.get(index))
            }
            _ => object.field(step),
        };
        let Some(inner) = inner else { break };
        object = inner;
        origin = object.origin().or(origin);
    }
    origin.cloned()
}
