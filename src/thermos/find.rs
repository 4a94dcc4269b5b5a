//! Which tasks of this machine are meant.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use aurora_client::registry;
use aurora_thermos::checkpoint::{self, DEFAULT_ROOT};
use aurora_thermos::view::{Task, Tasks};
use regex::Regex;

use crate::failure::{Code, Failure};
use crate::output::warn;

/// Where the checkpoints of tasks are.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Roots {
    /// Where the state of tasks is written down; may be repeated where tasks are looked for
    /// [default: /var/run/thermos; status, tail and kill look at every `aurora up` of yours, too].
    #[arg(long = "root", value_name = "DIR", global = true)]
    given: Vec<PathBuf>,
}

impl Roots {
    /// Where tasks are looked for.
    pub(super) fn all(&self) -> Vec<PathBuf> {
        if !self.given.is_empty() {
            return self.given.clone();
        }
        let mut roots = self.own();
        match registry::running() {
            Ok(running) => roots.extend(running.into_iter().map(|up| up.data_dir.join("thermos"))),
            Err(error) => warn(&format!("failed to look for running `aurora up`: {error}")),
        }
        roots
    }

    /// Where any task of this machine may be, whatever was named.
    pub(super) fn everywhere(&self) -> Vec<PathBuf> {
        let mut roots = Self { given: Vec::new() }.all();
        roots.extend(
            self.given.iter().filter(|root| !roots.contains(root)).cloned().collect::<Vec<_>>(),
        );
        roots
    }

    /// Where tasks are that no cluster looks after, unless they are named.
    pub(super) fn own(&self) -> Vec<PathBuf> {
        match self.given.as_slice() {
            [] => vec![DEFAULT_ROOT.into()],
            given => given.to_vec(),
        }
    }

    /// Where a new task is written down.
    pub(super) fn one(&self) -> Result<PathBuf, Failure> {
        match self.given.as_slice() {
            [] => Ok(DEFAULT_ROOT.into()),
            [root] => Ok(root.clone()),
            _ => {
                Err(Failure::new(Code::Usage, "a task has one root, but several --root are given"))
            }
        }
    }
}

/// A task and where it is written down.
#[derive(Debug, Clone)]
pub(super) struct Found {
    pub(super) root: PathBuf,
    pub(super) task: Arc<Task>,
}

/// The tasks below some roots whose ids are matched. A root that cannot be read is told, and hides
/// nothing else.
pub(super) fn tasks(roots: &[PathBuf], ids: &Ids) -> Vec<Found> {
    let mut all = Vec::new();
    for root in roots {
        match Tasks::new(root).all() {
            Ok(tasks) => {
                let tasks = tasks.into_iter().filter(|task| ids.matches(task.id()));
                all.extend(tasks.map(|task| Found { root: root.clone(), task }));
            }
            Err(error) => warn(&error.to_string()),
        }
    }
    all
}

/// The ids that are matched and have a folder, but nothing in it that tells of a task: it is about
/// to begin, or something has deleted a part of it.
pub(super) fn without_checkpoint(roots: &[PathBuf], ids: &Ids) -> Vec<String> {
    let mut all = Vec::new();
    for root in roots {
        // A root that cannot be listed is told by those who look at its tasks.
        for id in Tasks::new(root).ids().unwrap_or_default() {
            let path = checkpoint::path(root, &id);
            let is_task = path.parent().is_some_and(Path::is_dir);
            if ids.matches(&id) && is_task && !path.exists() {
                all.push(id);
            }
        }
    }
    all
}

/// The task of exactly this id, in the first root that has it. A root that cannot be read hides no other.
pub(super) fn task(roots: &[PathBuf], id: &str) -> Result<Option<Found>, Failure> {
    let mut failed = None;
    for root in roots {
        match Tasks::new(root).get(id) {
            Ok(Some(task)) => return Ok(Some(Found { root: root.clone(), task })),
            Ok(None) => {}
            Err(error) => failed = failed.or(Some(error)),
        }
    }
    failed.map_or(Ok(None), |error| Err(Failure::new(Code::Error, error.to_string())))
}

/// Patterns of ids; none match every id. They are anchored at the start only, as the original's.
#[derive(Debug)]
pub(super) struct Ids(Vec<Regex>);

impl Ids {
    pub(super) fn new(patterns: &[String]) -> Result<Self, Failure> {
        let compile = |pattern: &String| {
            Regex::new(&format!("^(?:{pattern})")).map_err(|error| {
                Failure::new(Code::Usage, format!("{pattern:?} is no pattern: {error}"))
            })
        };
        patterns.iter().map(compile).collect::<Result<_, _>>().map(Self)
    }

    pub(super) fn matches(&self, id: &str) -> bool {
        self.0.is_empty() || self.0.iter().any(|pattern| pattern.is_match(id))
    }
}

/// The same as an absolute path without links, which goes on to mean the same folder.
pub(super) fn absolute(path: &Path) -> std::io::Result<PathBuf> {
    std::fs::create_dir_all(path)?;
    path.canonicalize()
}

#[cfg(test)]
mod tests {
    use super::Ids;

    #[test]
    fn patterns_are_anchored_at_the_start_only() {
        let ids = |patterns: &[&str]| {
            Ids::new(&patterns.iter().map(|&pattern| pattern.to_owned()).collect::<Vec<_>>())
        };
        for (patterns, id, wanted) in [
            (&["f5"][..], "kf5", false),
            (&["kf"], "kf5", true),
            (&["a|f5"], "kf5", false),
            (&[".*f5", "x"], "kf5", true),
            (&[], "kf5", true),
        ] {
            assert_eq!(ids(patterns).unwrap().matches(id), wanted, "{patterns:?} {id}");
        }
        assert!(ids(&["("]).is_err());
    }
}
