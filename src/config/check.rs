//! `aurora config check`: all that is wrong or doubtful about many files, for people and for CI.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::path::{Path, PathBuf};

use aurora_eval::{Checked, Engine, Finding, Report, Summary, sarif};
use aurora_model::key::ClusterJobKey;

use super::PAGES;
use super::options::{Outside, STDIN, is_stdin, user};
use crate::failure::{Code, Failure};
use crate::output::{print, print_json};

/// The form of the result.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
enum Form {
    /// For people.
    #[default]
    Text,
    /// One JSON document, of the schema docs/errors/findings.schema.json.
    Json,
    /// SARIF 2.1.0, which code hosts show beside the lines of a change.
    Sarif,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The configurations, .aurora files; - for the standard input.
    #[arg(value_name = "FILE", required = true)]
    files: Vec<PathBuf>,
    #[command(flatten)]
    outside: Outside,
    /// Check this job of each file only.
    #[arg(long, value_name = "JOB")]
    job: Option<ClusterJobKey>,
    /// Who submits the jobs [default: who runs this].
    #[arg(long, value_name = "NAME")]
    user: Option<String>,
    /// End with status 1 if there are warnings but no errors.
    #[arg(long)]
    deny_warnings: bool,
    /// The form of the result on standard output.
    #[arg(long, short = 'o', value_enum, default_value_t, value_name = "FORM")]
    output: Form,
}

impl Args {
    pub(super) fn run(self) -> Result<(), Failure> {
        if self.files.iter().filter(|file| is_stdin(file)).count() > 1 {
            let message = "the standard input can be read once: give `-` once";
            return Err(Failure::new(Code::Usage, message));
        }
        let user = user(self.user.as_ref())?;
        let engine = Engine::default();
        let mut seen = BTreeSet::new();
        let mut files = Vec::new();
        let mut text = String::new();
        for file in &self.files {
            let mut findings = Vec::new();
            for report in self.check(&engine, file, &user)? {
                for finding in report.findings() {
                    // A file that several include is wrong once.
                    if !seen.insert(identity(&finding)) {
                        continue;
                    }
                    findings.push(finding);
                    if self.output == Form::Text {
                        // Writing to a string cannot fail.
                        let _ = writeln!(text, "{:?}", miette::Report::new(report.clone()));
                    }
                }
            }
            let name = if is_stdin(file) { STDIN.to_owned() } else { file.display().to_string() };
            files.push(Checked { file: name, findings });
        }
        let summary = Summary::of(&files);
        match self.output {
            Form::Text => print(&(text + &in_words(&summary) + "\n"))?,
            Form::Json => print_json(&summary)?,
            Form::Sarif => {
                let here = std::env::current_dir().unwrap_or_default();
                print_json(&sarif(&files, &here, PAGES))?;
            }
        }
        if summary.errors > 0 {
            return Err(Failure::said(Code::InvalidConfiguration));
        }
        if self.deny_warnings && summary.warnings > 0 {
            return Err(Failure::said(Code::Error));
        }
        Ok(())
    }

    /// Each thing that is wrong with a file.
    fn check(&self, engine: &Engine, file: &Path, user: &str) -> Result<Vec<Report>, Failure> {
        Ok(match self.outside.evaluate(engine, file, user)? {
            Ok(config) => config.check(user, self.job.as_ref()),
            Err(report) => report.apart(),
        })
    }
}

/// The same for the same thing, whichever file led to it.
fn identity(finding: &Finding) -> (aurora_eval::Code, String, Option<(String, usize)>) {
    let place = finding.location.as_ref().map(|place| (place.file.clone(), place.start.offset));
    (finding.code, finding.message.clone(), place)
}

fn in_words(summary: &Summary<'_>) -> String {
    let count = |number: usize, what: &str| match number {
        0 => format!("no {what}s"),
        1 => format!("1 {what}"),
        _ => format!("{number} {what}s"),
    };
    let found = format!(
        "{}: {}, {}",
        count(summary.files.len(), "file"),
        count(summary.errors, "error"),
        count(summary.warnings, "warning")
    );
    let first = summary.files.iter().flat_map(|file| &file.findings).next();
    match first {
        Some(finding) => {
            format!("{found}; `aurora config explain {}` says more about the first", finding.code)
        }
        None => found,
    }
}
