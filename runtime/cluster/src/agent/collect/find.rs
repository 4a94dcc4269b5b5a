//! What is on disk of containers that this agent has nothing to do with any more.

use std::collections::BTreeSet;
use std::fs::{self, Metadata};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use super::plan::Ended;
use crate::agent::checkpoint::{self, Folders};
use crate::agent::executors::Executors;
use crate::agent::leftovers;

/// A container that may go.
#[derive(Debug)]
pub(super) struct Found {
    /// `AGENT/frameworks/F/executors/E/runs/CONTAINER`, below both trees.
    pub(super) run: PathBuf,
    pub(super) ended: Ended,
}

impl Found {
    /// The executor's id and the container's.
    pub(super) fn names(&self) -> (String, String) {
        let part = |up: usize| {
            let folder = self.run.ancestors().nth(up).and_then(Path::file_name);
            folder.unwrap_or_default().to_string_lossy().into_owned()
        };
        (part(2), part(0))
    }
}

/// Every container that may go: none that runs, may be running, or of whose end somebody is still to be
/// told. What was made by an agent of another id counts too, as do remains of which only a part is
/// there.
pub(super) fn find(folders: &Folders, executors: &Executors) -> std::io::Result<Vec<Found>> {
    let runs = folders.runs();
    // Asked now: what has been made since is not among the runs, what has ended since has it on disk.
    let (held, unwritten) = (executors.containers(), executors.unwritten());
    let is_held = |run: &PathBuf| {
        run.file_name().and_then(|name| name.to_str()).is_some_and(|name| held.contains(name))
    };
    let mut found: Vec<Found> = runs
        .into_iter()
        .filter(|run| !is_held(run))
        .filter_map(|run| {
            let known = run.file_name().and_then(|name| unwritten.get(name.to_str()?));
            let ended = match known {
                Some(&(at_ms, failed)) => Ended { at_ms, failed, is_certain: true },
                None => ended(folders, &run)?,
            };
            Some(Found { ended, run })
        })
        .collect();
    if !found.is_empty() {
        // Whatever is written down: as long as a process has the sandbox for its own it runs.
        let in_use: BTreeSet<PathBuf> = leftovers::in_use()?;
        found.retain(|found| !in_use.contains(&folders.slaves().join(&found.run)));
    }
    Ok(found)
}

/// What is known of the end of a container. Of one whose end was not written down, or not told to
/// everybody, that is when something last changed in it. None if there is nothing of it.
fn ended(folders: &Folders, run: &Path) -> Option<Ended> {
    let meta = folders.meta().join(run);
    // What cannot be read was said when the agent began.
    if let Ok(Some(container)) = checkpoint::read(&meta)
        && container.ended_ms > 0
        && container.tasks.iter().all(|task| task.pending.is_empty())
    {
        let failed = container.failed;
        return Some(Ended { at_ms: container.ended_ms, failed, is_certain: true });
    }
    let changed = |path: PathBuf| fs::symlink_metadata(path).as_ref().ok().and_then(changed_ms);
    let at_ms = [checkpoint::file(&meta), meta, folders.slaves().join(run)]
        .into_iter()
        .filter_map(changed)
        .max()?;
    Some(Ended { at_ms, failed: true, is_certain: false })
}

fn changed_ms(metadata: &Metadata) -> Option<i64> {
    let changed: SystemTime = metadata.modified().ok()?;
    let since = changed.duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).ok()
}
