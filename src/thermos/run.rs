//! `aurora thermos run` and `simplerun`.

use std::path::PathBuf;
use std::process::ExitCode;

use aurora_daemon::telemetry;
use aurora_model::config::Task;
use aurora_thermos::state::TaskState;
use serde_json::json;

use super::detach;
use super::find::Roots;
use super::prepared::Prepared;
use super::source::{Bound, Source, usage};
use super::times::{plain, task_id};
use crate::failure::Failure;
use crate::job::owner;
use crate::output::{note, print};

/// Where sandboxes are made.
const SANDBOXES: &str = "/var/lib/thermos/sandbox";

#[derive(Debug, clap::Args)]
pub(super) struct RunArgs {
    #[command(flatten)]
    source: Source,
    #[command(flatten)]
    how: How,
    /// The folder in which the task's sandbox is made, under the task's id.
    #[arg(long, value_name = "DIR", default_value = SANDBOXES)]
    sandbox: PathBuf,
    /// Refused: processes see the whole machine. The container of an agent isolates a job.
    #[arg(long, alias = "enable_chroot", hide = true)]
    enable_chroot: bool,
}

#[derive(Debug, clap::Args)]
pub(super) struct SimpleArgs {
    /// The command line, for bash.
    #[arg(
        value_name = "WORDS",
        required = true,
        trailing_var_arg = true,
        allow_hyphen_values = true
    )]
    words: Vec<String>,
    /// The name of the task and of its process.
    #[arg(long, default_value = "simple")]
    name: String,
    #[command(flatten)]
    bound: Bound,
    #[command(flatten)]
    how: How,
}

/// As whom a task runs, and whether this command waits for its end.
#[derive(Debug, clap::Args)]
struct How {
    /// Run processes as this user [default: the task's user, or who runs this].
    #[arg(long, value_name = "USER")]
    user: Option<String>,
    /// The task's id [default: its name and the time].
    #[arg(long, alias = "task_id", value_name = "ID")]
    task_id: Option<String>,
    /// Print the task's id and return as soon as it runs.
    #[arg(long)]
    daemon: bool,
    /// What is logged to standard error, such as info.
    #[arg(long, env = "AURORA_LOG", default_value = "warn", value_name = "FILTER")]
    log_filter: String,
}

impl RunArgs {
    pub(super) fn run(self, roots: &Roots) -> Result<ExitCode, Failure> {
        if self.enable_chroot {
            return Err(usage(
                "--enable_chroot is not there: processes of `thermos run` see the whole machine; a \
                 job with an image runs in a file system of its own",
            ));
        }
        let user = self.how.user.clone().map_or_else(owner, Ok)?;
        let chosen = self.source.choose(&user)?;
        let ports = self.source.bound.ports();
        let missing: Vec<&str> = chosen
            .ports
            .iter()
            .filter(|name| !ports.contains_key(*name))
            .map(String::as_str)
            .collect();
        if !missing.is_empty() {
            return Err(usage(format!("Unbound ports: {}", missing.join(" "))));
        }
        let of_task = chosen.task.user.clone().filter(|_| self.how.user.is_none());
        let prepared = Prepared {
            task_id: self.how.id(&chosen.task.name),
            task: chosen.task,
            root: roots.one()?,
            sandboxes: self.sandbox,
            user: of_task.unwrap_or(user),
            ports,
        };
        self.how.start(prepared)
    }
}

impl SimpleArgs {
    pub(super) fn run(self, roots: &Roots) -> Result<ExitCode, Failure> {
        let line = self.words.join(" ");
        print(&format!("Running command: '{line}'\n"))?;
        let task: Task = serde_json::from_value(json!({
            "name": self.name,
            "processes": [{ "name": self.name, "cmdline": line }],
            "resources": { "cpu": 1.0, "ram": 256 << 20, "disk": 0 },
        }))
        .map_err(|error| usage(format!("the task cannot be run: {error}")))?;
        let prepared = Prepared {
            task_id: self.how.id(&self.name),
            task,
            root: roots.one()?,
            sandboxes: std::env::temp_dir(),
            user: self.how.user.clone().map_or_else(owner, Ok)?,
            ports: self.bound.ports(),
        };
        self.how.start(prepared)
    }
}

impl How {
    fn id(&self, name: &str) -> String {
        self.task_id.clone().unwrap_or_else(|| task_id(name, jiff::Timestamp::now()))
    }

    fn start(&self, prepared: Prepared) -> Result<ExitCode, Failure> {
        if self.daemon {
            return detach::start(prepared);
        }
        telemetry::init(telemetry::Format::Text, &self.log_filter)
            .map_err(|error| usage(error.to_string()))?;
        let ready = prepared.ready()?;
        let id = ready.task_id().to_owned();
        note(&format!("Task {id} runs in {}", ready.sandbox().display()));
        let end = ready.run()?;
        let told = end.told();
        let reason = if told.is_empty() { String::new() } else { format!(": {}", plain(&told)) };
        note(&format!("Task {id} is {}{reason}", end.state.name()));
        Ok(if end.state == TaskState::Success { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }
}
