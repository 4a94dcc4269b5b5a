//! `aurora thermos tail`.

use std::collections::VecDeque;
use std::io::{self, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use aurora_thermos::logs::{Follower, tail};
use aurora_thermos::view::{Stream, Task, Tasks, log_path};

use super::find::{Found, Roots, task};
use crate::failure::{Code, Failure};
use crate::output::print;

/// How many lines are shown of what was printed before.
const LINES: usize = 10;
/// How much of what was printed is looked at for them, and how much of a line is kept, in bytes.
const MAX_LEN: u64 = 1 << 20;
/// How often it is looked for more.
const LOOK: Duration = Duration::from_millis(100);

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The task's id.
    #[arg(value_name = "TASK")]
    task: String,
    /// The process; needed if several have run.
    #[arg(value_name = "PROCESS")]
    process: Option<String>,
    /// Show standard error instead of standard output.
    #[arg(long)]
    stderr: bool,
}

impl Args {
    pub(super) fn run(self, roots: &Roots) -> Result<ExitCode, Failure> {
        let Some(found) = task(&roots.all(), &self.task)? else {
            return Err(refused("Could not find task."));
        };
        let stream = if self.stderr { Stream::Stderr } else { Stream::Stdout };
        let shown = Shown::choose(&found, self.process.as_deref(), stream)?;
        let done = if shown.is_over(&found.task) {
            print(&format!("Tail of terminal log {}\n", shown.path.display()))?;
            shown.end()
        } else {
            print(&format!("Tail of active log {}\n", shown.path.display()))?;
            shown.follow(&found)
        };
        match done {
            // A reader that has seen enough and hung up is no error.
            Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(Failure::new(
                Code::Error,
                format!("failed to read {}: {error}", shown.path.display()),
            )),
            _ => Ok(ExitCode::SUCCESS),
        }
    }
}

fn refused(message: &str) -> Failure {
    Failure::new(Code::Error, message)
}

/// What is shown: what the latest run of a process prints.
struct Shown {
    process: String,
    run: u32,
    place: (PathBuf, PathBuf),
    path: PathBuf,
}

impl Shown {
    fn choose(found: &Found, process: Option<&str>, stream: Stream) -> Result<Self, Failure> {
        let task = &found.task;
        let mut ran: Vec<String> =
            task.process_names().into_iter().filter(|name| !task.runs(name).is_empty()).collect();
        if let Some(wanted) = process {
            ran.retain(|name| name == wanted);
        }
        if ran.len() > 1 {
            return Err(Failure::new(
                Code::Error,
                format!("More than one process matches query. There is {}", ran.join(", ")),
            ));
        }
        let none = || refused("No processes found.");
        let process = ran.pop().ok_or_else(none)?;
        let run = task.runs(&process).last().ok_or_else(none)?.number;
        let place = task.log_place(&process, run, stream).ok_or_else(none)?;
        let header = task.header().ok_or_else(none)?;
        let path = log_path(&header.log_dir, &process, run, stream);
        Ok(Self { process, run, place, path })
    }

    /// Whether nothing more will be printed.
    fn is_over(&self, task: &Task) -> bool {
        let mut runs = task.runs(&self.process).iter();
        !task.is_live()
            || runs.find(|run| run.number == self.run).is_none_or(|run| run.state.is_terminal())
    }

    /// Shows the last lines.
    fn end(&self) -> io::Result<()> {
        match tail(&self.place.0, &self.place.1, MAX_LEN) {
            Ok((bytes, _)) => {
                let mut lines = Lines::default();
                lines.add(&bytes);
                write(&lines.text())
            }
            // Its output went elsewhere.
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Shows the last lines, and what comes after them until the run ends.
    fn follow(&self, found: &Found) -> io::Result<()> {
        let mut follower = Follower::near_end(&self.place.0, &self.place.1, MAX_LEN);
        let mut lines = Lines::default();
        // Who prints faster than this reads is not waited for.
        let mut left = MAX_LEN;
        while left > 0 {
            let bytes = follower.read()?;
            if bytes.is_empty() {
                break;
            }
            left = left.saturating_sub(bytes.len() as u64);
            lines.add(&bytes);
        }
        write(&lines.text())?;
        let tasks = Tasks::new(&found.root);
        loop {
            // Looked up before the rest is read: what was printed until then is shown.
            let task = tasks.get(found.task.id()).map_err(io::Error::other)?;
            let is_over = task.is_none_or(|task| self.is_over(&task));
            loop {
                let bytes = follower.read()?;
                if bytes.is_empty() {
                    break;
                }
                write(&bytes)?;
            }
            if is_over {
                return Ok(());
            }
            std::thread::sleep(LOOK);
        }
    }
}

fn write(bytes: &[u8]) -> io::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(bytes)?;
    out.flush()
}

/// The last lines of what is added.
#[derive(Debug, Default)]
struct Lines {
    /// The last of them may go on.
    kept: VecDeque<Vec<u8>>,
}

impl Lines {
    fn add(&mut self, bytes: &[u8]) {
        let max = usize::try_from(MAX_LEN).unwrap_or(usize::MAX);
        for part in bytes.split_inclusive(|byte| *byte == b'\n') {
            match self.kept.back_mut().filter(|line| line.last() != Some(&b'\n')) {
                // Only the end of a line without end is kept.
                Some(line) if line.len() + part.len() > max => *line = part.to_vec(),
                Some(line) => line.extend_from_slice(part),
                None => self.kept.push_back(part.to_vec()),
            }
            if self.kept.len() > LINES {
                self.kept.pop_front();
            }
        }
    }

    fn text(self) -> Vec<u8> {
        self.kept.into_iter().flatten().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::Lines;

    fn last(parts: &[&str]) -> String {
        let mut lines = Lines::default();
        parts.iter().for_each(|part| lines.add(part.as_bytes()));
        String::from_utf8(lines.text()).unwrap()
    }

    #[test]
    fn the_last_ten_lines_are_kept() {
        let numbers = |from: u32, to: u32| {
            (from..=to).map(|number| format!("{number}\n")).collect::<String>()
        };
        assert_eq!(last(&[&numbers(1, 20)]), numbers(11, 20));
        assert_eq!(last(&[&numbers(1, 4)]), numbers(1, 4));
        assert_eq!(last(&[&numbers(1, 15), "a", "b\nc"]), numbers(8, 15) + "ab\nc");
        assert_eq!(last(&[]), "");
    }
}
