//! `aurora config export FILE`.

use std::io::{BufWriter, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use aurora_eval::{
    Binding, Config, Disk, ExportOptions, Inputs, Loader, MAX_FILE_LEN, Options, Report, evaluate,
    evaluate_json, evaluate_text, export,
};

use crate::failure::{Code, Failure};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The configuration, a .aurora file; - for the standard input.
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Bind a name of the configuration to a text; may be repeated.
    #[arg(long = "bind", value_name = "NAME=VALUE")]
    bindings: Vec<Binding>,
    /// The file is JSON: one job, or an object with the list `jobs`.
    #[arg(long)]
    json: bool,
    /// Also choose the job of this key.
    #[arg(long, value_name = "CLUSTER/ROLE/ENV/NAME")]
    job: Option<String>,
    /// Who submits the jobs [default: who runs this].
    #[arg(long, value_name = "NAME")]
    user: Option<String>,
    /// Let the file read an environment variable; may be repeated.
    #[arg(long = "env", value_name = "NAME")]
    env: Vec<String>,
}

impl Args {
    /// Refused jobs are part of what is written: they are no failure of the command.
    pub(crate) fn run(self) -> Result<(), Failure> {
        let args = self.repeated();
        let owner = match self.user {
            Some(user) => user,
            None => crate::job::owner()?,
        };
        let env = self.env.into_iter().map(|name| {
            let value = std::env::var(&name).ok();
            (name, value)
        });
        let options = Options {
            bindings: self.bindings,
            inputs: Inputs { user: owner.clone(), env: env.collect(), ..Inputs::default() },
            ..Options::default()
        };
        let config = read(&self.file, self.json, &options)?;
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
        for binding in &self.bindings {
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
}

/// What the file comes to. A file that cannot be evaluated is an answer, too.
fn read(
    file: &Path,
    is_json: bool,
    options: &Options,
) -> Result<Result<Arc<Config>, Report>, Failure> {
    let name = file.display().to_string();
    let unreadable =
        |error| Failure::new(Code::InvalidConfiguration, format!("cannot read {name}: {error}"));
    if name == "-" {
        let mut text = String::new();
        std::io::stdin()
            .take(MAX_FILE_LEN + 1)
            .read_to_string(&mut text)
            .map_err(|error| unreadable(error.to_string()))?;
        if text.len() as u64 > MAX_FILE_LEN {
            return Err(unreadable(format!("it is larger than {} MB", MAX_FILE_LEN >> 20)));
        }
        return Ok(if is_json {
            evaluate_json("<stdin>", &text, options)
        } else {
            evaluate_text("<stdin>", &text, &Disk, options)
        });
    }
    if is_json {
        let text = Disk.read(file).map_err(|error| unreadable(error.to_string()))?;
        return Ok(evaluate_json(&name, &text, options));
    }
    Ok(evaluate(file, &Disk, options))
}
