//! `aurora thermos gc`: deletes what tasks that have ended left behind (`executor.md` 14).

mod plan;

use std::cell::OnceCell;
use std::ffi::OsStr;
use std::fs::File;
use std::io::{BufRead as _, Read as _};
use std::path::{Component, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, SystemTime};

use aurora_daemon::deletion::Folder;
use aurora_daemon::web;
use aurora_thermos::view::{Header, Tasks};
use aurora_thermos::{checkpoint, disk, takeover};

use super::find::{Found, Ids, Roots, tasks};
use super::times::plain;
use crate::failure::{Code, Failure};
use crate::number;
use crate::output::{note, print};
use plan::{Candidate, Policy, Reason, plan};

/// How long a task without a runner is left alone, and a checkpoint that cannot be read.
const ABANDONED: Duration = Duration::from_hours(1);
const UNREADABLE: Duration = Duration::from_mins(10);

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Patterns of the ids of tasks that go whatever their age and size, anchored at their start
    /// [default: those that the limits say].
    #[arg(value_name = "REGEX")]
    patterns: Vec<String>,
    /// Tasks older than this go, such as 2d5h.
    #[arg(long, alias = "max_age", value_name = "TIME", value_parser = age_limit)]
    max_age: Option<Duration>,
    /// The oldest go until the rest takes no more than this, such as 20G.
    #[arg(long, alias = "max_space", value_name = "SIZE", value_parser = bytes)]
    max_space: Option<u64>,
    /// The oldest go until there are no more than this.
    #[arg(long, alias = "max_tasks", value_name = "NUMBER", value_parser = number::from::<usize>(0))]
    max_tasks: Option<usize>,
    /// Delete what processes printed, too.
    #[arg(long, overrides_with = "keep_logs")]
    delete_logs: bool,
    /// Keep what processes printed, which is the default.
    #[arg(long, overrides_with = "delete_logs")]
    keep_logs: bool,
    /// Delete what is written down of the task, too.
    #[arg(long, overrides_with = "keep_metadata")]
    delete_metadata: bool,
    /// Keep what is written down of the task, which is the default.
    #[arg(long, overrides_with = "delete_metadata")]
    keep_metadata: bool,
    /// Do not ask.
    #[arg(long)]
    force: bool,
    /// Only say what would go.
    #[arg(long, alias = "dry-run")]
    dryrun: bool,
}

/// An age above which tasks go.
fn age_limit(text: &str) -> Result<Duration, String> {
    humantime::parse_duration(text).map_err(|_| "give a time such as 12h or 2d5h".to_owned())
}

/// A size in bytes: a number with K, M, G or T, or none.
fn bytes(text: &str) -> Result<u64, String> {
    let wrong = || format!("{text:?} is no size: give a number with a unit, such as 20G or 512MB");
    let digits = text.trim_end_matches(|c: char| !c.is_ascii_digit());
    let unit = text.get(digits.len()..).unwrap_or_default().trim().to_ascii_lowercase();
    let shift = match unit.trim_end_matches('b').trim_end_matches('i') {
        "" => 0,
        "k" => 10,
        "m" => 20,
        "g" => 30,
        "t" => 40,
        _ => return Err(wrong()),
    };
    let number: u64 = digits.parse().map_err(|_| wrong())?;
    number.checked_mul(1 << shift).ok_or_else(wrong)
}

/// What is deleted of each task besides its data.
#[derive(Debug, Clone, Copy)]
struct Parts {
    logs: bool,
    metadata: bool,
}

/// A task that may go.
struct Ended {
    found: Found,
    age: Duration,
    /// How many bytes go with it, once they have been counted: to do so is to look at every file.
    bytes: OnceCell<u64>,
}

impl Args {
    pub(super) fn run(self, roots: &Roots) -> Result<ExitCode, Failure> {
        let parts = Parts { logs: self.delete_logs, metadata: self.delete_metadata };
        let ids = Ids::new(&self.patterns)?;
        let everything = tasks(&roots.everywhere(), &Ids::new(&[])?);
        let used = used(&everything);
        let own = roots.own();
        let mut ended = Vec::new();
        let mut text = String::new();
        for found in everything {
            if !own.contains(&found.root) || !ids.matches(found.task.id()) {
                continue;
            }
            let age = age(&found);
            match kept(&found, age, &used) {
                Some(why) => text.push_str(&format!("Keeping {}: {why}\n", plain(found.task.id()))),
                None => ended.push(Ended { found, age, bytes: OnceCell::new() }),
            }
        }
        let mut going = Vec::new();
        for (task, reason) in ended.iter().zip(self.choose(&ended, parts)) {
            let id = plain(task.found.task.id());
            match reason.map(|reason| (reason, parts.of(task))) {
                None => text.push_str(&format!("Keeping {id}: within the limits\n")),
                Some((_, None)) => text.push_str(&format!("Keeping {id}: all of it has gone\n")),
                Some((reason, Some(what))) => {
                    let verb = if self.dryrun { "Would delete" } else { "Deleting" };
                    let size = web::bytes(parts.size(task));
                    text.push_str(&format!("{verb} {id}: {what} ({size}), {}\n", reason.text()));
                    going.push(task);
                }
            }
        }
        if text.is_empty() {
            text.push_str("No tasks found.\n");
        }
        print(&text)?;
        if going.is_empty() || self.dryrun || !(self.force || agrees()?) {
            return Ok(ExitCode::SUCCESS);
        }
        // It may have been a while since the tasks were looked at.
        let used = self::used(&tasks(&roots.everywhere(), &Ids::new(&[])?));
        let mut failed = false;
        for task in going {
            match delete(task, parts, &used) {
                Ok(None) => {}
                Ok(Some(why)) => {
                    print(&format!("Keeping {}: {why}\n", plain(task.found.task.id())))?;
                }
                Err(errors) => {
                    failed = true;
                    for error in errors {
                        note(&plain(&format!("{}: {error}", task.found.task.id())));
                    }
                }
            }
        }
        Ok(if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS })
    }

    /// Why each of the tasks is to go, if it is.
    fn choose(&self, ended: &[Ended], parts: Parts) -> Vec<Option<Reason>> {
        if !self.patterns.is_empty() {
            return ended.iter().map(|_| Some(Reason::Named)).collect();
        }
        let policy =
            Policy { max_age: self.max_age, max_space: self.max_space, max_tasks: self.max_tasks };
        let candidate = |task: &Ended| Candidate {
            age: task.age,
            bytes: if policy.max_space.is_some() { parts.size(task) } else { 0 },
        };
        plan(&ended.iter().map(candidate).collect::<Vec<_>>(), &policy)
    }
}

/// The sandboxes of live tasks: a folder that belongs to one too is nobody else's to delete.
fn used(tasks: &[Found]) -> Vec<PathBuf> {
    let live = tasks.iter().filter(|found| found.task.is_live());
    live.filter_map(|found| Some(found.task.header()?.sandbox.clone())).collect()
}

/// Deletes what is to go of a task, unless there is a reason now to keep it, which it gives.
fn delete(task: &Ended, parts: Parts, used: &[PathBuf]) -> Result<Option<String>, Vec<String>> {
    let found = &task.found;
    let one = |error: String| vec![error];
    // A runner has the lock as long as it lives, and takes a task over with it.
    let _locked = lock(found).map_err(one)?;
    let now = Tasks::new(&found.root).get(found.task.id());
    if let Some(now) = now.map_err(|error| one(error.to_string()))? {
        let now = Found { root: found.root.clone(), task: now };
        if let Some(why) = kept(&now, age(&now), used) {
            return Ok(Some(why));
        }
    }
    parts.delete(task).map(|()| None)
}

/// Takes the lock that whoever writes a checkpoint holds; none if there is no checkpoint.
fn lock(found: &Found) -> Result<Option<File>, String> {
    let path = checkpoint::path(&found.root, found.task.id());
    let file = match checkpoint::open(&path) {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(format!("failed to open {}: {error}", path.display())),
    };
    match checkpoint::lock(&file) {
        Ok(true) => Ok(Some(file)),
        Ok(false) => Err("its runner lives: it stays".to_owned()),
        Err(error) => Err(format!("failed to lock {}: {error}", path.display())),
    }
}

/// How long nothing was written down of a task.
fn age(found: &Found) -> Duration {
    let path = checkpoint::path(&found.root, found.task.id());
    let modified = std::fs::metadata(path).and_then(|metadata| metadata.modified());
    // One from the future, or that is not to be seen, is as young as can be.
    modified.ok().and_then(|at| SystemTime::now().duration_since(at).ok()).unwrap_or_default()
}

/// Why a task cannot go, if so.
fn kept(found: &Found, age: Duration, used: &[PathBuf]) -> Option<String> {
    let task = &found.task;
    if task.is_live() {
        return Some("it has not ended".to_owned());
    }
    let Some(header) = task.header() else {
        return (age < UNREADABLE)
            .then(|| "its checkpoint cannot be read, and is not 10 minutes old".to_owned());
    };
    if header.job.is_some() {
        return Some("it is a cluster's, whose agent deletes it".to_owned());
    }
    if task.is_active() {
        if age < ABANDONED {
            return Some(
                "its runner is gone, and an hour has not passed since its last record".to_owned(),
            );
        }
        match takeover::is_left(&found.root, task) {
            Ok(false) => {}
            Ok(true) => {
                return Some("processes of it still run; `thermos kill` ends them".to_owned());
            }
            Err(error) => return Some(format!("failed to look for its processes: {error}")),
        }
    }
    let sandbox = &header.sandbox;
    used.iter()
        .any(|used| used.starts_with(sandbox) || sandbox.starts_with(used))
        .then(|| "a task that has not ended uses its sandbox".to_owned())
}

/// The sandbox of a task that has ended; none if it is gone, or is not known.
fn sandbox(found: &Found) -> Result<Option<Folder>, String> {
    let Some(header) = found.task.header() else { return Ok(None) };
    let path = &header.sandbox;
    // Every sandbox of ours is a folder of the task's name: nothing else is deleted, whatever a
    // checkpoint says.
    if path.file_name() != Some(OsStr::new(found.task.id())) {
        return Err(format!("{} does not have the task's name, and stays", path.display()));
    }
    let failed = |error: std::io::Error| format!("failed to open {}: {error}", path.display());
    let folder = match Folder::open(path) {
        Ok(folder) => folder,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(failed(error)),
    };
    let owner = folder.owner().map_err(failed)?;
    if owner != header.uid || found.task.foreign_writer().is_some_and(|writer| writer != owner) {
        return Err(format!("{} belongs to another user, and stays", path.display()));
    }
    Ok(Some(folder))
}

/// The entry of the sandbox that holds the logs.
fn logs(header: &Header) -> Option<&OsStr> {
    match header.log_dir.strip_prefix(&header.sandbox).ok()?.components().next()? {
        Component::Normal(name) => Some(name),
        _ => None,
    }
}

/// How many bytes of the disk the content of a folder takes, but for the entry `keep`. What cannot be
/// looked at does not count.
fn size(folder: &Folder, keep: Option<&OsStr>) -> u64 {
    let found = disk::used(folder, keep, || false).ok().flatten();
    found.map_or(0, |found| found.bytes)
}

fn delete_all(folder: &Folder, keep: Option<&OsStr>) -> Result<(), Vec<String>> {
    let deleted = folder.delete(keep, &|| false);
    if deleted.is_all() { Ok(()) } else { Err(deleted.errors) }
}

impl Parts {
    fn keep(self, task: &Ended) -> Option<&OsStr> {
        task.found.task.header().filter(|_| !self.logs).and_then(logs)
    }

    /// The folder of a task below its root, which may lie behind links; the folder itself is none.
    fn metadata(task: &Ended) -> std::io::Result<Folder> {
        let tasks = checkpoint::tasks_dir(&task.found.root).canonicalize()?;
        Folder::open(&tasks.join(task.found.task.id()))
    }

    /// The words for what goes of a task; none if nothing is left of that.
    fn of(self, task: &Ended) -> Option<String> {
        let mut what = Vec::new();
        match sandbox(&task.found) {
            Ok(Some(_)) if self.logs => what.push("data, logs"),
            Ok(Some(folder)) if folder.has_more_than(self.keep(task)) => what.push("data"),
            // It is tried, and told.
            Err(_) => what.push("data"),
            Ok(_) => {}
        }
        if self.metadata {
            what.push("metadata");
        }
        if what.is_empty() { None } else { Some(what.join(", ")) }
    }

    /// How many bytes go with a task.
    fn size(self, task: &Ended) -> u64 {
        *task.bytes.get_or_init(|| {
            let data = match sandbox(&task.found) {
                Ok(Some(folder)) => size(&folder, self.keep(task)),
                _ => 0,
            };
            let metadata = if self.metadata {
                Self::metadata(task).map_or(0, |folder| size(&folder, None))
            } else {
                0
            };
            data.saturating_add(metadata)
        })
    }

    /// Deletes what is to go of a task. What is written down of it goes last, so that what could not
    /// be deleted can be later on.
    fn delete(self, task: &Ended) -> Result<(), Vec<String>> {
        match sandbox(&task.found) {
            Ok(Some(folder)) => delete_all(&folder, self.keep(task))?,
            Ok(None) => {}
            Err(error) => return Err(vec![error]),
        }
        if self.metadata {
            let folder = Self::metadata(task).map_err(|error| {
                vec![format!("failed to open what is written down of it: {error}")]
            })?;
            delete_all(&folder, None)?;
        }
        Ok(())
    }
}

/// Asks whether to go on.
fn agrees() -> Result<bool, Failure> {
    print("Continue [y/N]? ")?;
    let mut answer = String::new();
    std::io::stdin().lock().take(64).read_line(&mut answer).map_err(|error| {
        Failure::new(Code::Error, format!("failed to read the answer: {error}"))
    })?;
    Ok(matches!(answer.trim(), "y" | "Y" | "yes"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read() {
        for (text, wanted) in [
            ("0", 0),
            ("7", 7),
            ("20G", 20 << 30),
            ("512MB", 512 << 20),
            ("3 KiB", 3 << 10),
            ("1t", 1 << 40),
        ] {
            assert_eq!(bytes(text), Ok(wanted), "{text}");
        }
        for text in ["", "G", "-1G", "1.5G", "20X", "99999999999T"] {
            assert!(bytes(text).is_err(), "{text}");
        }
    }
}
