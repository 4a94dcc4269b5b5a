//! The task that a file gives.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::str::FromStr;

use aurora_eval::{Binding, Config, Engine, EvaluatedJob, Options};
use aurora_model::config::Task;

use crate::config::{Outside, evaluate_json_file};
use crate::failure::{Code, Failure};
use crate::output::note;

/// A file, which of its tasks, and what is bound.
#[derive(Debug, clap::Args)]
pub(super) struct Source {
    /// The configuration, a .aurora file that calls export(task) or lists jobs; - for the standard
    /// input.
    #[arg(value_name = "CONFIG")]
    configs: Vec<PathBuf>,
    /// The task's name, or that of its job; needed if there are several.
    #[arg(long, value_name = "NAME")]
    task: Option<String>,
    /// The file is JSON: a task, a job, or a list of jobs.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    pub(super) bound: Bound,
}

/// What is bound from outside.
#[derive(Debug, clap::Args)]
pub(super) struct Bound {
    /// Give the port of a name, which {{thermos.ports[NAME]}} becomes; may be repeated.
    #[arg(short = 'P', long = "port", value_name = "NAME:PORT")]
    pub(super) ports: Vec<Port>,
    /// Bind a name of the configuration to a text; may be repeated.
    #[arg(short = 'E', long = "environment", value_name = "NAME=VALUE", value_parser = binding)]
    bindings: Vec<Binding>,
    /// Let the file read this environment variable, besides those of the project's aurora.toml; may
    /// be repeated.
    #[arg(long = "env", value_name = "NAME")]
    env: Vec<String>,
}

/// A port and its name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Port {
    name: String,
    number: u16,
}

impl FromStr for Port {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("{text:?} is not of the form NAME:PORT");
        let (name, number) = text.split_once(':').ok_or_else(wrong)?;
        let number = number.parse().map_err(|_| wrong())?;
        if name.is_empty() { Err(wrong()) } else { Ok(Self { name: name.to_owned(), number }) }
    }
}

/// `NAME=VALUE` with exactly one `=`, as the original wants it.
fn binding(text: &str) -> Result<Binding, String> {
    if text.matches('=').count() != 1 {
        return Err(format!("{text:?} is not of the form NAME=VALUE, with one ="));
    }
    text.parse().map_err(|error: aurora_eval::BindingError| error.to_string())
}

/// A task of a file: all is bound that is known before it runs.
#[derive(Debug)]
pub(super) struct Chosen {
    pub(super) task: Task,
    /// The ports that it refers to.
    pub(super) ports: BTreeSet<String>,
}

impl Source {
    /// Evaluates the file for a user, and chooses the task.
    pub(super) fn choose(&self, user: &str) -> Result<Chosen, Failure> {
        let [file] = self.configs.as_slice() else {
            let got: Vec<String> =
                self.configs.iter().map(|file| file.display().to_string()).collect();
            return Err(usage(format!(
                "Should specify precisely one config, instead got: {}",
                if got.is_empty() { "none".to_owned() } else { got.join(" ") }
            )));
        };
        let config = match self.evaluate(file, user)? {
            Ok(config) => config,
            Err(report) if report.code() == aurora_eval::Code::NoJobs => {
                return Err(usage(
                    "No tasks specified! End the file with export(task), or with a list of jobs",
                ));
            }
            Err(report) => return Err(Failure::report(report)),
        };
        let job = self.pick(&config)?;
        let ready = job.ready_by_tags(user).map_err(Failure::report)?;
        for warning in &ready.warnings {
            note(warning);
        }
        Ok(Chosen { task: ready.config.task, ports: ready.request.task.resources.ports })
    }

    fn evaluate(
        &self,
        file: &Path,
        user: &str,
    ) -> Result<Result<std::sync::Arc<Config>, aurora_eval::Report>, Failure> {
        let outside =
            Outside { bindings: self.bound.bindings.clone(), env: self.bound.env.clone() };
        let options = match outside.options(file, user) {
            Ok(options) => Options { tasks: true, ..options },
            Err(report) => return Ok(Err(report)),
        };
        if self.json {
            return evaluate_json_file(file, &options);
        }
        outside.evaluate_with(&Engine::default(), file, &options)
    }

    fn pick<'a>(&self, config: &'a Config) -> Result<&'a EvaluatedJob, Failure> {
        let jobs = config.jobs();
        let Some(wanted) = &self.task else {
            return match jobs {
                [job] => Ok(job),
                jobs => Err(usage(format!(
                    "Multiple tasks in config but no task name specified! Give --task: {}",
                    names(jobs)
                ))),
            };
        };
        let mut found: Vec<&EvaluatedJob> =
            jobs.iter().filter(|job| job.task_name().as_ref() == Some(wanted)).collect();
        if found.is_empty() {
            found = jobs.iter().filter(|job| job.name() == Some(wanted)).collect();
        }
        match found.as_slice() {
            [job] => Ok(job),
            [] => Err(usage(format!("Could not find task {wanted}! There is {}", names(jobs)))),
            _ => Err(usage(format!("Several tasks are called {wanted}!"))),
        }
    }
}

impl Bound {
    /// The ports by their names; the last one of a name counts.
    pub(super) fn ports(&self) -> BTreeMap<String, u16> {
        self.ports.iter().map(|port| (port.name.clone(), port.number)).collect()
    }
}

fn names(jobs: &[EvaluatedJob]) -> String {
    let name = |job: &EvaluatedJob| job.task_name().unwrap_or_else(|| "?".to_owned());
    jobs.iter().map(name).collect::<Vec<_>>().join(", ")
}

pub(super) fn usage(message: impl Into<String>) -> Failure {
    Failure::new(Code::Usage, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_and_bindings_have_their_forms() {
        let port = |text: &str| text.parse::<Port>();
        assert_eq!(port("http:80"), Ok(Port { name: "http".to_owned(), number: 80 }));
        for text in ["http", "http:", ":80", "http:x", "http:70000", "http:80:81"] {
            assert!(port(text).is_err(), "{text}");
        }
        assert_eq!(binding("a=b").unwrap().value, "b");
        for text in ["a", "a=b=c", "=b"] {
            assert!(binding(text).is_err(), "{text}");
        }
    }
}
