//! From a file to its jobs (`dsl.md` 7.1).

use aurora_template::object::Object;
use aurora_template::types::{Plain, Type};
use starlark::environment::Module;

use crate::codes::Code;
use crate::context::Context;
use crate::report::Report;
use crate::values::plain;

/// The jobs that a module defines; `file` is its name.
pub(crate) fn jobs(
    module: &Module<'_>,
    file: &str,
    context: &Context<'_>,
) -> Result<Vec<Object>, Report> {
    let at = |report: Report, element| {
        report.at_assignment(&context.sources.borrow(), file, "jobs", element)
    };
    let Some(value) = module.get("jobs") else {
        return Err(Report::new(Code::NoJobs, format!("{file} defines no jobs"))
            .with_help("end the file with a list of its jobs: jobs = [hello]"));
    };
    let items = match plain(value, &context.budget) {
        Ok(Plain::List(items)) => items,
        Ok(other) => {
            let report =
                Report::new(Code::NotAJob, format!("{file}: jobs must be a list, got {other}"));
            return Err(at(report, None).with_help("write jobs = [hello]"));
        }
        Err(error) => return Err(at(Report::new(Code::NotAJob, error.message), None)),
    };
    if items.is_empty() {
        let report =
            Report::new(Code::NoJobs, format!("{file} defines no jobs: its list of jobs is empty"));
        return Err(at(report, None));
    }
    items
        .into_iter()
        .enumerate()
        .map(|(index, item)| match item {
            Plain::Object(object)
                if matches!(object.ty(), Type::Struct(ty) if ty.name == "Job") =>
            {
                Ok(object)
            }
            other => {
                let report = Report::new(Code::NotAJob, format!("{file}: jobs[{index}] must be a Job, got {other}"));
                Err(at(report, Some(index)))
            }
        })
        .collect()
}
