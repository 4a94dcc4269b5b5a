//! `aurora config list`.

use std::path::PathBuf;

use aurora_eval::Engine;
use serde_json::json;

use super::options::{Outside, user};
use crate::failure::{Code, Failure};
use crate::output::{Output, print};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The configuration, a .aurora file; - for the standard input.
    #[arg(value_name = "FILE")]
    file: PathBuf,
    #[command(flatten)]
    outside: Outside,
    /// Who submits the jobs, as far as the file asks [default: who runs this].
    #[arg(long, value_name = "NAME")]
    user: Option<String>,
    /// The file is JSON: one job, or an object with the list `jobs`.
    #[arg(long)]
    read_json: bool,
    #[command(flatten)]
    output: Output,
}

impl Args {
    pub(super) fn run(self) -> Result<(), Failure> {
        let user = user(self.user.as_ref())?;
        let config = match self.read_json {
            true => self.outside.evaluate_json(&self.file, &user)?,
            false => self.outside.evaluate(&Engine::default(), &self.file, &user)?,
        };
        let keys = match &config {
            Ok(config) => {
                if let Some(job) = config.jobs().iter().find(|job| !job.has_key()) {
                    job.ready_by_tags(&user).map_err(Failure::report)?;
                    return Err(Failure::new(
                        Code::InvalidConfiguration,
                        format!("{}: a part of the key is not known", job.key_text()),
                    ));
                }
                config.jobs().iter().map(|job| job.key_text()).collect()
            }
            // A file of parts for others is fine, and has no jobs.
            Err(report) if report.code() == aurora_eval::Code::NoJobs => Vec::new(),
            Err(report) => return Err(Failure::report(report.clone())),
        };
        if self.output.is_data() {
            return self.output.print(&json!({ "jobs": keys }));
        }
        print(&format!("jobs=[{}]\n", keys.join(", ")))
    }
}
