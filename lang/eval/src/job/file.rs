//! From a file to its jobs (`dsl.md` 7.1).

use std::path::Path;
use std::sync::Arc;

use aurora_template::object::Object;
use aurora_template::types::{Plain, Type};
use starlark::environment::Module;

use super::{Binding, Config, EvaluatedJob};
use crate::limits::on_large_stack;
use crate::load::{Loader, Runner};
use crate::report::Report;
use crate::values::plain;

/// Evaluates a file and binds its jobs.
///
/// # Errors
/// The file, or one it includes, cannot be read, is no program, fails, or defines no jobs.
pub fn evaluate(path: &Path, loader: &dyn Loader, bindings: &[Binding]) -> Result<Config, Report> {
    on_large_stack(|| evaluate_here(path, loader, bindings))
}

fn evaluate_here(path: &Path, loader: &dyn Loader, bindings: &[Binding]) -> Result<Config, Report> {
    let mut runner = Runner::new(loader);
    let objects = Module::with_temp_heap(|module| {
        runner.run(&module, path)?;
        jobs(&module, path, &runner)
    })?;
    let sources = Arc::new(runner.sources);
    let outside = Binding::scope(bindings);
    let jobs = objects
        .into_iter()
        .map(|object| EvaluatedJob::new(object.bound(vec![outside.clone()]), sources.clone()))
        .collect();
    Ok(Config { jobs })
}

fn jobs(module: &Module<'_>, path: &Path, runner: &Runner<'_>) -> Result<Vec<Object>, Report> {
    let file = path.display().to_string();
    let at =
        |report: Report, element| report.at_assignment(&runner.sources, &file, "jobs", element);
    let Some(value) = module.get("jobs") else {
        return Err(Report::new(format!("{file} defines no jobs"))
            .with_help("end the file with a list of its jobs: jobs = [hello]"));
    };
    let items = match plain(value, &runner.context.budget) {
        Ok(Plain::List(items)) => items,
        Ok(other) => {
            let report = Report::new(format!("{file}: jobs must be a list, got {other}"));
            return Err(at(report, None).with_help("write jobs = [hello]"));
        }
        Err(error) => return Err(at(Report::new(error.message), None)),
    };
    if items.is_empty() {
        let report = Report::new(format!("{file} defines no jobs: its list of jobs is empty"));
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
                let report = Report::new(format!("{file}: jobs[{index}] must be a Job, got {other}"));
                Err(at(report, Some(index)))
            }
        })
        .collect()
}
