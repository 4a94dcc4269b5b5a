//! `aurora thermos status`.

use std::fmt::Write as _;
use std::os::unix::fs::MetadataExt as _;
use std::process::ExitCode;

use aurora_thermos::checkpoint;
use aurora_thermos::history::Run;
use aurora_thermos::view::Task;

use super::find::{Found, Ids, Roots, tasks, without_checkpoint};
use super::times::{self, plain};
use crate::failure::Failure;
use crate::number;
use crate::output::{print, warn};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Patterns of task ids, anchored at their start [default: all tasks].
    #[arg(value_name = "REGEX")]
    patterns: Vec<String>,
    /// How much is told of each: 1 its state, 2 where it runs and as whom, 3 its processes.
    #[arg(long, default_value_t = 0, value_name = "LEVEL", value_parser = number::between::<u8>(0, 3))]
    verbosity: u8,
    /// Tell of these only.
    #[arg(long, value_enum)]
    only: Option<Only>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Only {
    /// Those that have not ended.
    Active,
    /// Those that have.
    Finished,
}

impl Args {
    pub(super) fn run(self, roots: &Roots) -> Result<ExitCode, Failure> {
        let (roots, ids) = (roots.all(), Ids::new(&self.patterns)?);
        let found = tasks(&roots, &ids);
        for id in without_checkpoint(&roots, &ids) {
            warn(&format!("task {} has no checkpoint", plain(&id)));
        }
        let mut text = String::new();
        for (kind, title, is_active) in
            [(Only::Active, "Active tasks:", true), (Only::Finished, "Finished tasks:", false)]
        {
            if self.only.is_some_and(|only| only != kind) {
                continue;
            }
            let mut tasks = found.iter().filter(|found| found.task.is_active() == is_active);
            if let Some(first) = tasks.next() {
                text.push_str(title);
                text.push('\n');
                for found in std::iter::once(first).chain(tasks) {
                    // Writing to a string cannot fail.
                    let _ = write(&mut text, found, self.verbosity);
                }
                text.push('\n');
            }
        }
        if text.is_empty() {
            print("No tasks found.\n")?;
            return Ok(ExitCode::FAILURE);
        }
        print(&text)?;
        Ok(ExitCode::SUCCESS)
    }
}

fn write(text: &mut String, found: &Found, verbosity: u8) -> std::fmt::Result {
    let task = &found.task;
    write!(text, "  {:<20} [owner: {:>8}]", plain(task.id()), owner(found))?;
    if task.is_abandoned() {
        text.push_str(" - its runner is gone");
    }
    if verbosity == 0 {
        text.push('\n');
        return Ok(());
    }
    let (Some(header), Some(state)) = (task.header(), task.state()) else {
        return match task.damage() {
            Some(why) => {
                writeln!(text, " - checkpoint stream CORRUPT or outdated format: {}", plain(why))
            }
            None => writeln!(text, " - it is about to begin"),
        };
    };
    let start = task.started_ms().map(times::text).unwrap_or_default();
    writeln!(text, "  state: {:>8} start: {start:>25}", state.name())?;
    if let Some(damage) = task.damage() {
        writeln!(text, "     - checkpoint stream CORRUPT or outdated format: {}", plain(damage))?;
    }
    if verbosity > 1 {
        let ports: Vec<String> =
            header.ports.iter().map(|(name, port)| format!("{name} -> {port}")).collect();
        let ports = if ports.is_empty() { "None".to_owned() } else { ports.join(" ") };
        writeln!(text, "     user: {} ports: {}", plain(&header.user), plain(&ports))?;
        writeln!(text, "     sandbox: {}", plain(&header.sandbox.display().to_string()))?;
    }
    if verbosity > 2 {
        text.push_str("     process table:\n");
        for name in task.process_names() {
            write_process(text, task, &name)?;
        }
    }
    Ok(())
}

fn write_process(text: &mut String, task: &Task, name: &str) -> std::fmt::Result {
    let runs = task.runs(name);
    write!(text, "       - {} runs: {}", plain(name), runs.len())?;
    match runs.last() {
        Some(last) => writeln!(text, " last: {}", facts(last)),
        None => writeln!(text),
    }
}

/// What is known of a run, on one line.
pub(super) fn facts(run: &Run) -> String {
    let pid = run.process.map(|process| process.pid.to_string()).unwrap_or_default();
    let rc = run.return_code().map(|code| code.to_string()).unwrap_or_default();
    let finish = run.stopped_ms.map_or_else(|| "None".to_owned(), times::text);
    let reason =
        if run.reason.is_empty() { String::new() } else { format!(" ({})", plain(&run.reason)) };
    format!("pid={pid}, rc={rc}, finish:{finish}, state:{}{reason}", run.state.name())
}

/// Whose task it is: who has written it down.
fn owner(found: &Found) -> String {
    let path = checkpoint::path(&found.root, found.task.id());
    match std::fs::metadata(path) {
        Ok(metadata) => {
            let uid = nix::unistd::Uid::from_raw(metadata.uid());
            let user = nix::unistd::User::from_uid(uid).ok().flatten();
            user.map_or_else(|| format!("uid:{uid}"), |user| user.name)
        }
        Err(_) => "?".to_owned(),
    }
}
