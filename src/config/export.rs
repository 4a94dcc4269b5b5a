//! `aurora config export FILE`.

use std::io::{BufWriter, Write};
use std::path::PathBuf;
use std::sync::Arc;

use aurora_eval::{Config, Engine, ExportOptions, Report, export};

use super::options::{Outside, is_stdin, user};
use crate::failure::{Code, Failure};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The configuration, a .aurora file; - for the standard input.
    #[arg(value_name = "FILE")]
    file: PathBuf,
    #[command(flatten)]
    outside: Outside,
    /// The file is JSON: one job, or an object with the list `jobs`.
    #[arg(long)]
    json: bool,
    /// Also choose the job of this key.
    #[arg(long, value_name = "CLUSTER/ROLE/ENV/NAME")]
    job: Option<String>,
    /// Who submits the jobs [default: who runs this].
    #[arg(long, value_name = "NAME")]
    user: Option<String>,
}

impl Args {
    /// Refused jobs are part of what is written: they are no failure of the command.
    pub(crate) fn run(self) -> Result<(), Failure> {
        let args = self.repeated();
        let owner = user(self.user.as_ref())?;
        let config = self.evaluate(&owner)?;
        let export_options = ExportOptions { owner, args, pick: self.job };
        let mut out = BufWriter::new(std::io::stdout());
        let written =
            export(config.as_deref(), &export_options, &mut out).and_then(|()| out.flush());
        match written {
            // Whoever reads has read enough.
            Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
            Err(error) => Err(Failure::new(Code::Error, format!("cannot write: {error}"))),
            Ok(()) => Ok(()),
        }
    }

    /// The arguments that say what is exported.
    fn repeated(&self) -> Vec<String> {
        let mut args = Vec::new();
        for binding in &self.outside.bindings {
            args.push("--bind".to_owned());
            args.push(format!("{}={}", binding.address, binding.value));
        }
        if self.json {
            args.push("--json".to_owned());
        }
        if let Some(job) = &self.job {
            args.extend(["--job".to_owned(), job.clone()]);
        }
        args
    }

    /// What the file comes to. A file that cannot be evaluated is an answer, too.
    fn evaluate(&self, owner: &str) -> Result<Result<Arc<Config>, Report>, Failure> {
        let unreadable = |error: std::io::Error| {
            let message = format!("cannot read {}: {error}", self.file.display());
            Failure::new(Code::InvalidConfiguration, message)
        };
        // That there is no file is no answer.
        if !is_stdin(&self.file) {
            std::fs::metadata(&self.file).map_err(unreadable)?;
        }
        if !self.json {
            return self.outside.evaluate(&Engine::default(), &self.file, owner);
        }
        self.outside.evaluate_json(&self.file, owner)
    }
}
