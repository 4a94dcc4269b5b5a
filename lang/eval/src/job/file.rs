//! From a file to its jobs (`dsl.md` 7.1).

use std::ops::Range;
use std::sync::Arc;

use aurora_template::object::Object;
use aurora_template::types::{Plain, Type, TypeMismatch, nearest};
use serde_json::Value;
use starlark::environment::Module;

use super::place::is_job;
use super::{Binding, Config, Content, json};
use crate::codes::Code;
use crate::context::{Context, Reads};
use crate::engine::Options;
use crate::exported::as_job;
use crate::globals::SCHEMA;
use crate::limits::on_large_stack;
use crate::report::Report;
use crate::sources::Sources;
use crate::values::plain;

/// The elements of a module's list of jobs; `file` is its name.
pub(crate) fn jobs(
    module: &Module<'_>,
    file: &str,
    context: &Context<'_>,
) -> Result<Vec<Plain>, Report> {
    let at = |report: Report| report.at_assignment(&context.sources.borrow(), file, "jobs", None);
    let Some(value) = module.get("jobs") else {
        return Err(no_jobs(module, file, context));
    };
    match plain(value, &context.budget) {
        Ok(Plain::List(items)) if items.is_empty() => Err(at(Report::new(
            Code::NoJobs,
            format!("{file} defines no jobs: its list of jobs is empty"),
        ))),
        Ok(Plain::List(items)) => Ok(items),
        Ok(other) => {
            Err(at(Report::new(Code::NotAJob, format!("{file}: jobs must be a list, got {other}")))
                .with_help("write jobs = [hello]"))
        }
        Err(error) => Err(at(Report::new(Code::NotAJob, error.message))),
    }
}

/// The jobs that the tasks of `export` become.
pub(crate) fn exported(context: &Context<'_>) -> Result<Vec<Plain>, Report> {
    let tasks = context.exported.borrow();
    let user = &context.inputs.user;
    let job = |task: &Object| as_job(task.clone(), user);
    tasks.iter().map(job).collect::<Result<_, _>>().map_err(of_task)
}

fn of_task(error: TypeMismatch) -> Report {
    Report::new(Code::TypeMismatch, "").of_mismatch(&error)
}

/// A file without `jobs`: perhaps it calls them by another name.
fn no_jobs(module: &Module<'_>, file: &str, context: &Context<'_>) -> Report {
    let report = Report::new(Code::NoJobs, format!("{file} defines no jobs"));
    if !context.exported.borrow().is_empty() {
        return report.with_help(format!(
            "it exports tasks, which need no cluster: run one with `aurora thermos run {file}`"
        ));
    }
    let names: Vec<_> = module.names().collect();
    match nearest("jobs", names.iter().map(|name| name.as_str())) {
        Some(name) => {
            let is_list = module.get(name).is_some_and(|value| value.get_type() == "list");
            let help = if is_list {
                format!("did you mean `jobs`? The list of jobs has this name, not `{name}`")
            } else {
                format!("end the file with a list of its jobs: jobs = [{name}]")
            };
            report.at_assignment(&context.sources.borrow(), file, name, None).with_help(help)
        }
        None => report.with_help("end the file with a list of its jobs: jobs = [hello]"),
    }
}

/// What an element of the list of jobs is, with everything bound on it.
pub(super) fn content(
    index: usize,
    item: Plain,
    bindings: &[Binding],
    sources: &Sources,
    file: &str,
) -> Result<Content, Report> {
    match item {
        Plain::Object(object) => Ok(if is_job(&object) {
            Content::Job(if bindings.is_empty() {
                object
            } else {
                object.bound(vec![Binding::scope(bindings)])
            })
        } else {
            Content::Other(Plain::Object(object).to_string())
        }),
        other if bindings.is_empty() => Ok(Content::Other(other.to_string())),
        other => Err(Report::new(
            Code::NotAJob,
            format!("{file}: jobs[{index}] must be a Job, got {other}: nothing can be bound on it"),
        )
        .at_assignment(sources, file, "jobs", Some(index))),
    }
}

/// Reads jobs that are written as JSON: `{"jobs": […]}` or one job. `name` is what reports call the
/// text.
///
/// # Errors
/// The text is no JSON, holds no jobs, or a job has a field that there is not.
pub fn evaluate_json(name: &str, text: &str, options: &Options) -> Result<Arc<Config>, Report> {
    on_large_stack(|| {
        let mut sources = Sources::default();
        sources.add(name, text.into());
        let json = serde_json::from_str(text).map_err(|error| {
            let at = place(text, error.line(), error.column());
            Report::new(Code::SyntaxError, format!("{name} is no JSON: {error}")).at(
                &sources,
                name,
                at..at,
                "here",
            )
        })?;
        let Some(ty) = SCHEMA.get("Job") else {
            return Err(Report::new(Code::NotAJob, "there are no jobs in this language"));
        };
        let ty = Type::Struct(ty.clone());
        let items = match json {
            Value::Object(fields) if options.tasks && json::is_task(&fields) => {
                let task = crate::exported::task(json::plain(Value::Object(fields)), None);
                let job = task.and_then(|task| as_job(task, &options.inputs.user));
                vec![job.map_err(of_task)?]
            }
            json => json_jobs(&ty, json::jobs(json), (name, text), &sources)?,
        };
        let sources = Arc::new(sources);
        Config::new(items, name, &sources, &options.bindings, (Reads::default(), Vec::new()))
            .map(Arc::new)
    })
}

/// The jobs of a list in a text of a name.
fn json_jobs(
    ty: &Type,
    items: Vec<Plain>,
    (name, text): (&str, &str),
    sources: &Sources,
) -> Result<Vec<Plain>, Report> {
    if items.is_empty() {
        let message = format!("{name} defines no jobs: its list of jobs is empty");
        return Err(Report::new(Code::NoJobs, message));
    }
    let refused = |index: usize, error: TypeMismatch| {
        let message = format!("{name}: jobs[{index}]: {}", error.message);
        let error = TypeMismatch { message, ..error };
        let report = Report::new(Code::TypeMismatch, "").of_mismatch(&error);
        let field = error.field.as_deref();
        match field.and_then(|field| Some((field, only(text, field)?))) {
            Some((field, span)) => {
                report.at(sources, name, span, "here").with_suggestion_for(field)
            }
            None => report,
        }
    };
    let build = |(index, item)| {
        ty.build(item, None).map(Plain::Object).map_err(|error| refused(index, error))
    };
    items.into_iter().enumerate().map(build).collect()
}

/// Where a name stands in JSON, with its quotes, if it does so once.
fn only(text: &str, name: &str) -> Option<Range<usize>> {
    let quoted = format!("{name:?}");
    let mut places = text.match_indices(&quoted);
    let (start, _) = places.next()?;
    places.next().is_none().then(|| start..start + quoted.len())
}

/// The offset of a line and a column, both counted from 1.
fn place(text: &str, line: usize, column: usize) -> usize {
    let before: usize = text.split_inclusive('\n').take(line.saturating_sub(1)).map(str::len).sum();
    let mut at = (before + column.saturating_sub(1)).min(text.len());
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}
