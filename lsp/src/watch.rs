//! The files on disk: found when a folder is opened, read again when somebody says that they changed.
//!
//! It is done on a thread of its own, one thing after the other. Files are read and parsed without
//! the lock.

use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use aurora_eval::{Disk, Loader};
use aurora_ide::source::{FileId, Source};
use aurora_ide::workspace::{MAX_FILES, find_files};
use tower_lsp::lsp_types::{
    DidChangeWatchedFilesRegistrationOptions, FileSystemWatcher, GlobPattern, Registration, Url,
};

use crate::convert::path;
use crate::state::Core;

/// What files of a project are named by.
const PROJECT: &str = "aurora.toml";
/// How many files are put into the workspace at a time.
const BATCH: usize = 64;

/// Something to do.
#[derive(Debug)]
pub(crate) enum Job {
    /// A folder was opened.
    Opened(PathBuf),
    /// A folder was closed.
    Closed(PathBuf),
    /// These files may be other than they were, or gone.
    Changed(Vec<PathBuf>),
    /// A file was saved: what functions of the language read may be other than it was.
    Saved(PathBuf),
}

/// What the client is asked to watch.
pub(crate) fn registration() -> Option<Registration> {
    let watch = |pattern: &str| FileSystemWatcher {
        glob_pattern: GlobPattern::String(pattern.to_owned()),
        kind: None,
    };
    let watchers = vec![watch("**/*.aurora"), watch("**/aurora.toml")];
    let options = DidChangeWatchedFilesRegistrationOptions { watchers };
    Some(Registration {
        id: "aurora-files".to_owned(),
        method: "workspace/didChangeWatchedFiles".to_owned(),
        register_options: Some(serde_json::to_value(options).ok()?),
    })
}

/// The paths of URIs, as far as these are files.
pub(crate) fn paths(uris: impl Iterator<Item = Url>) -> Vec<PathBuf> {
    uris.filter_map(|uri| path(&uri)).collect()
}

/// Does what comes, until nobody can send anything any more.
pub(crate) fn work(core: &Core, jobs: &mpsc::Receiver<Job>) {
    for job in jobs {
        if core.lock().is_stopped {
            break;
        }
        match job {
            Job::Opened(folder) => {
                let begun = Instant::now();
                let paths = find_files(&folder);
                let count = paths.len();
                read(core, paths);
                let took = begun.elapsed().as_millis();
                core.log.line(&format!("{count} files in {} {took} ms", folder.display()));
            }
            Job::Closed(folder) => close(core, &folder),
            Job::Changed(paths) => {
                let (projects, files): (Vec<_>, Vec<_>) =
                    paths.into_iter().partition(|path| path.ends_with(PROJECT));
                read(core, files);
                let mut state = core.lock();
                state.forget_data();
                if !projects.is_empty() {
                    state.settings_generation += 1;
                }
                core.changed(&mut state, Duration::ZERO);
            }
            Job::Saved(path) => {
                let mut state = core.lock();
                let is_project = path.ends_with(PROJECT);
                if is_project {
                    state.settings_generation += 1;
                }
                if state.forget_data() || is_project {
                    core.changed(&mut state, Duration::ZERO);
                }
            }
        }
    }
}

/// Reads files that the client does not hold, and what they include.
fn read(core: &Core, paths: Vec<PathBuf>) {
    let mut has_changed = false;
    for batch in paths.chunks(BATCH) {
        let files: Vec<FileId> = {
            let state = core.lock();
            if state.is_stopped {
                return;
            }
            let ids = batch.iter().map(FileId::new);
            ids.filter(|id| !state.workspace.is_open(id)).collect()
        };
        let read: Vec<(FileId, Option<Source>)> = files
            .into_iter()
            .map(|id| {
                let text = Disk.include(id.path()).ok();
                let source = text.map(|text| {
                    let read = || Source::new(id.clone(), text.into(), None);
                    let unread = || Source::new(id.clone(), "".into(), None);
                    core.guarded(&format!("reading {id}"), read).unwrap_or_else(unread)
                });
                (id, source)
            })
            .collect();
        let mut state = core.lock();
        for (id, source) in read {
            has_changed |= match source {
                Some(source)
                    if state.workspace.has_room() || state.workspace.file(&id).is_some() =>
                {
                    state.workspace.read(source)
                }
                Some(_) => {
                    core.log.line(&format!("{id} is left out: {MAX_FILES} files are known"));
                    false
                }
                None => state.workspace.remove(&id),
            };
        }
        state.forget_snapshot();
    }
    if has_changed {
        let mut state = core.lock();
        state.workspace.follow(&Disk);
        core.changed(&mut state, Duration::ZERO);
    }
}

fn close(core: &Core, folder: &Path) {
    let mut state = core.lock();
    let folders = state.folders.clone();
    let world = state.snapshot();
    let is_elsewhere =
        |path: &Path| !path.starts_with(folder) || folders.iter().any(|it| path.starts_with(it));
    for source in world.files().filter(|source| !is_elsewhere(source.id.path())) {
        state.workspace.remove(&source.id);
    }
    // Some of them may be included by others that stay.
    state.workspace.follow(&Disk);
    core.changed(&mut state, Duration::ZERO);
}
