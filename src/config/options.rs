//! What the commands on files have in common: which file, and what it may see of the outside.

use std::collections::BTreeSet;
use std::io::Read;
use std::path::Path;
use std::sync::Arc;

use aurora_eval::{
    Binding, Config, Disk, Engine, Inputs, Loader as _, MAX_FILE_LEN, Options, Project, Report,
    evaluate_json, evaluate_text, text_of,
};

use crate::failure::{Code, Failure};
use crate::job::owner;
use crate::output::note;

/// What a text from the standard input is called.
pub(crate) const STDIN: &str = "<stdin>";

/// What a file may see of the outside.
#[derive(Debug, Clone, Default, clap::Args)]
pub(crate) struct Outside {
    /// Bind a name of the configuration to a text; may be repeated.
    #[arg(long = "bind", value_name = "NAME=VALUE")]
    pub(crate) bindings: Vec<Binding>,
    /// Let the file read this environment variable, besides those of the project's aurora.toml; may
    /// be repeated.
    #[arg(long = "env", value_name = "NAME", value_parser = variable)]
    pub(crate) env: Vec<String>,
}

/// A name that an environment variable can have.
fn variable(name: &str) -> Result<String, String> {
    match name.split_once('=') {
        Some((name, _)) => Err(format!(
            "name the variable only: its value comes from the environment; or write --bind {name}=…"
        )),
        None if name.is_empty() => Err("it has no name".to_owned()),
        None => Ok(name.to_owned()),
    }
}

/// Whether the standard input is meant.
pub(crate) fn is_stdin(file: &Path) -> bool {
    file.as_os_str() == "-"
}

impl Outside {
    /// What an evaluation of `file` is given, for a user. The outer error is one of the project's
    /// file.
    pub(crate) fn options(&self, file: &Path, user: &str) -> Result<Options, Report> {
        // A text that comes through a pipe belongs where the command runs.
        let place = if is_stdin(file) { Path::new("stdin.aurora") } else { file };
        let project = Project::of(place)?;
        let (root, declared) = project.map(|found| (found.root, found.env)).unwrap_or_default();
        let names: BTreeSet<String> = declared.into_iter().chain(self.env.clone()).collect();
        let env = names.into_iter().map(|name| {
            let value = std::env::var(&name).ok();
            (name, value)
        });
        Ok(Options {
            bindings: self.bindings.clone(),
            inputs: Inputs { user: user.to_owned(), env: env.collect(), root },
            ..Options::default()
        })
    }

    /// What [`Self::evaluate`] is for a file of JSON.
    pub(crate) fn evaluate_json(
        &self,
        file: &Path,
        user: &str,
    ) -> Result<Result<Arc<Config>, Report>, Failure> {
        match self.options(file, user) {
            Ok(options) => evaluate_json_file(file, &options),
            Err(report) => Ok(Err(report)),
        }
    }

    /// Evaluates a file, or the standard input if it is `-`. The outer error is one of the machine.
    pub(crate) fn evaluate(
        &self,
        engine: &Engine,
        file: &Path,
        user: &str,
    ) -> Result<Result<Arc<Config>, Report>, Failure> {
        match self.options(file, user) {
            Ok(options) => self.evaluate_with(engine, file, &options),
            Err(report) => Ok(Err(report)),
        }
    }

    /// The same with these options.
    pub(crate) fn evaluate_with(
        &self,
        engine: &Engine,
        file: &Path,
        options: &Options,
    ) -> Result<Result<Arc<Config>, Report>, Failure> {
        let config = if is_stdin(file) {
            evaluate_text(STDIN, &read_stdin()?, &Disk, options)
        } else {
            engine.evaluate(file, &Disk, options)
        };
        if let Ok(config) = &config {
            // It may be written to a terminal, which does what control characters say.
            let plain = |c: char| if c.is_control() && c != '\t' { ' ' } else { c };
            for line in config.printed() {
                note(&line.chars().map(plain).collect::<String>());
            }
        }
        Ok(config)
    }
}

/// Evaluates a file of JSON, or the standard input if it is `-`. The outer error is one of the machine.
pub(crate) fn evaluate_json_file(
    file: &Path,
    options: &Options,
) -> Result<Result<Arc<Config>, Report>, Failure> {
    if is_stdin(file) {
        return Ok(evaluate_json(STDIN, &read_stdin()?, options));
    }
    let name = file.display().to_string();
    let text = Disk.read(file).map_err(|error| {
        Failure::new(Code::InvalidConfiguration, format!("cannot read {name}: {error}"))
    })?;
    Ok(evaluate_json(&name, &text, options))
}

/// The text of the standard input.
pub(crate) fn read_stdin() -> Result<String, Failure> {
    let unreadable = |error: String| {
        Failure::new(Code::InvalidConfiguration, format!("cannot read the standard input: {error}"))
    };
    let mut bytes = Vec::new();
    std::io::stdin()
        .take(MAX_FILE_LEN + 1)
        .read_to_end(&mut bytes)
        .map_err(|error| unreadable(error.to_string()))?;
    if bytes.len() as u64 > MAX_FILE_LEN {
        return Err(unreadable(format!("it is larger than {} MB", MAX_FILE_LEN >> 20)));
    }
    text_of(bytes).map_err(|error| unreadable(error.to_string()))
}

/// Who uses the file: the one who is named, or who runs this command.
pub(crate) fn user(named: Option<&String>) -> Result<String, Failure> {
    named.map_or_else(owner, |name| Ok(name.clone()))
}
