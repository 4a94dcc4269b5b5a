//! Removing checkpoints that tell of nothing any more.

use std::fs;
use std::io;
use std::path::Path;

use super::record::{Event, Header};
use super::{is_task_id, open, path, read_from, tasks_dir};
use crate::process::tree::{boot_id, is_alive};

/// How many tasks one call looks at.
const MAX_LOOKED_AT: usize = 500;

/// Removes the checkpoints below `root` of tasks whose sandbox is gone and whose runner does not
/// live. Gives how many there were.
///
/// It looks at a bounded number of tasks, first at those whose ids follow `task_id`, which are
/// mostly earlier tasks of the same job.
///
/// # Errors
/// The root cannot be listed. A single checkpoint that cannot be read or removed stays.
pub fn clean(root: &Path, task_id: &str) -> io::Result<usize> {
    let entries = match fs::read_dir(tasks_dir(root)) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(0),
        Err(error) => return Err(error),
    };
    let mut ids: Vec<String> = entries
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .filter(|id| is_task_id(id))
        .collect();
    ids.sort_unstable();
    let first = ids.partition_point(|id| id.as_str() <= task_id);
    ids.rotate_left(first);
    ids.truncate(MAX_LOOKED_AT);
    let boot = boot_id()?;
    let mut removed = 0;
    for id in ids {
        let file = path(root, &id);
        let Some(header) = header(&file).filter(|header| is_over(header, &boot)) else { continue };
        let gone = fs::remove_file(&file).and_then(|()| fs::remove_dir(tasks_dir(root).join(&id)));
        match gone {
            Ok(()) => removed += 1,
            Err(error) => tracing::debug!(%error, task = header.task_id, "a checkpoint stays"),
        }
    }
    Ok(removed)
}

/// The header of a checkpoint; none while it is being written, or if it cannot be read.
fn header(path: &Path) -> Option<Header> {
    let file = open(path).ok()?;
    let mut header = None;
    // What follows the first record is refused: it is not needed.
    let _rest_unread = read_from(&file, 0, |record| match record.event {
        Event::Header(found) if header.is_none() => {
            header = Some(*found);
            Ok(())
        }
        _ => Err(String::new()),
    });
    header
}

fn is_over(header: &Header, boot: &str) -> bool {
    let is_gone = |error: io::Error| error.kind() == io::ErrorKind::NotFound;
    fs::symlink_metadata(&header.sandbox).is_err_and(is_gone)
        && (header.boot_id != boot || !is_alive(header.runner))
}
