//! Removing checkpoints that tell of nothing any more.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use super::record::{Event, Header};
use super::{is_task_id, lock, open, path, read_from, tasks_dir};
use crate::process::tree::{boot_id, is_alive};

/// How many tasks one call looks at.
const MAX_LOOKED_AT: usize = 500;

/// Removes the checkpoints below `root` of tasks whose sandbox is gone and whose runner does not
/// live, be it the first or one that took the task over. Gives how many there were.
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
        let Ok(opened) = open(&file) else { continue };
        if !header(&opened).is_some_and(|header| is_over(&header, &boot)) {
            continue;
        }
        match remove(&opened, &file) {
            Ok(true) => removed += 1,
            Ok(false) => tracing::debug!(task = id, "somebody writes a checkpoint: it stays"),
            Err(error) => tracing::debug!(%error, task = id, "a checkpoint stays"),
        }
    }
    Ok(removed)
}

/// Removes an opened checkpoint from where it was opened, unless it has a writer, or something else
/// is there now. Gives whether it did.
fn remove(opened: &File, path: &Path) -> io::Result<bool> {
    // Kept until the file is closed: until then nobody else takes the task over.
    if !lock(opened)? {
        return Ok(false);
    }
    let (known, found) = (opened.metadata()?, fs::symlink_metadata(path)?);
    if (known.dev(), known.ino()) != (found.dev(), found.ino()) {
        return Ok(false);
    }
    fs::remove_file(path)?;
    path.parent().map_or(Ok(()), fs::remove_dir)?;
    Ok(true)
}

/// The header of a checkpoint; none while it is being written, or if it cannot be read.
fn header(file: &File) -> Option<Header> {
    let mut header = None;
    // What follows the first record is refused: it is not needed.
    let _rest_unread = read_from(file, 0, |record| match record.event {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_come_into_the_place_of_a_checkpoint_stays() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("checkpoint");
        fs::write(&path, "old").unwrap();
        let opened = open(&path).unwrap();
        fs::write(folder.path().join("new"), "new").unwrap();
        fs::rename(folder.path().join("new"), &path).unwrap();
        assert!(!remove(&opened, &path).unwrap());
        assert_eq!(fs::read_to_string(&path).unwrap(), "new");
    }
}
