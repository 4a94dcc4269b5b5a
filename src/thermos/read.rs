//! `aurora thermos read`: what a checkpoint tells.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use aurora_thermos::checkpoint::record::{Event, ProcessChange, Record};
use aurora_thermos::checkpoint::{self, read_from};
use aurora_thermos::view::History;

use super::source::usage;
use super::status::facts;
use super::times::{self, plain};
use crate::failure::Failure;
use crate::output::{note, print};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The checkpoint: ROOT/tasks/ID/checkpoint.
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Print each record on a line.
    #[arg(long)]
    simple: bool,
}

impl Args {
    pub(super) fn run(self) -> Result<ExitCode, Failure> {
        let unreadable = |error: std::io::Error| {
            usage(format!("failed to read {}: {error}", self.file.display()))
        };
        let file = checkpoint::open(&self.file).map_err(unreadable)?;
        let mut history = History::default();
        let mut lines = String::new();
        let read = read_from(&file, 0, |record| {
            if self.simple {
                lines.push_str(&line(&record));
                lines.push('\n');
                return Ok(());
            }
            history.apply(record)
        });
        // What was whole is told in any case.
        print(&if self.simple { lines } else { describe(&history) })?;
        match read {
            Ok(tail) => {
                if tail.torn {
                    note(&format!("The last record of {} is cut off", self.file.display()));
                }
                Ok(ExitCode::SUCCESS)
            }
            Err(error) => {
                note(&format!("Failed to recover from {}: {error}", self.file.display()));
                Ok(ExitCode::FAILURE)
            }
        }
    }
}

fn describe(history: &History) -> String {
    let mut text = String::new();
    // Writing to a string cannot fail.
    let _ = write(&mut text, history);
    text
}

fn write(text: &mut String, history: &History) -> std::fmt::Result {
    let Some(header) = history.header() else {
        return writeln!(text, "Checkpoint stream CORRUPT or outdated format");
    };
    let shown = |path: &Path| plain(&path.display().to_string());
    writeln!(text, "Recovered Task Header:")?;
    writeln!(text, "  id:      {}", plain(&header.task_id))?;
    writeln!(text, "  user:    {}", plain(&header.user))?;
    writeln!(text, "  host:    {}", plain(&header.hostname))?;
    writeln!(text, "  sandbox: {}", shown(&header.sandbox))?;
    if !header.ports.is_empty() {
        let ports: Vec<String> =
            header.ports.iter().map(|(name, port)| format!("{name}->{port}")).collect();
        writeln!(text, "  ports:   {}", plain(&ports.join(" ")))?;
    }
    writeln!(text, "Recovered Task States:")?;
    for status in history.statuses() {
        let (time, state) = (times::text(status.time_ms), status.state.name());
        write!(text, "  {time} [pid: {}] => {state}", header.runner.pid)?;
        if status.reason.is_empty() {
            writeln!(text)?;
        } else {
            writeln!(text, " ({})", plain(&status.reason))?;
        }
    }
    writeln!(text, "Recovered Processes:")?;
    for (name, runs) in history.processes() {
        writeln!(text, "  {}   runs: {}", plain(name), runs.len())?;
        for run in runs.iter().rev() {
            writeln!(text, "    {:>2}: {}", run.number, facts(run))?;
        }
    }
    Ok(())
}

fn line(record: &Record) -> String {
    let time = record.time_ms;
    match &record.event {
        Event::Header(header) => format!(
            "CKPT: {time} header task_id={} user={} host={} sandbox={} runner={}",
            plain(&header.task_id),
            plain(&header.user),
            plain(&header.hostname),
            plain(&header.sandbox.display().to_string()),
            header.runner.pid
        ),
        Event::Task(event) => {
            format!("CKPT: {time} task state={} reason={:?}", event.state.name(), event.reason)
        }
        Event::Runner(event) => format!("CKPT: {time} runner pid={}", event.process.pid),
        Event::Told(told) => format!(
            "CKPT: {time} told state={} reason={:?} until={}",
            told.state.name(),
            told.reason,
            told.until_ms
        ),
        Event::Process(event) => {
            let more = match &event.change {
                ProcessChange::Running(process) => format!(" pid={}", process.pid),
                ProcessChange::Success => " rc=0".to_owned(),
                ProcessChange::Failed { exit_code: Some(code), .. } => format!(" rc={code}"),
                ProcessChange::Failed { exit_code: None, reason } => format!(" reason={reason:?}"),
                ProcessChange::Killed { signal } => format!(" rc=-{signal}"),
                ProcessChange::Waiting | ProcessChange::Forked | ProcessChange::Lost => {
                    String::new()
                }
            };
            let state = event.change.state().name();
            format!(
                "CKPT: {time} process {:?} run={} state={state}{more}",
                event.process, event.run
            )
        }
    }
}
