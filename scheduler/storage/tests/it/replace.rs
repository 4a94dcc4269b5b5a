//! Another state takes the place of the log's as a whole or not at all.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use aurora_scheduler_core::{Op, State};
use aurora_scheduler_storage::disk::{Disk, DiskFile, OsDisk};
use aurora_scheduler_storage::{Log, Store, StoreError};
use tempfile::TempDir;

use crate::snapshots::crashed;
use crate::{host, state, steps};

/// A disk that keeps what a crash before each change would leave, or fails at one of them.
#[derive(Debug, Clone)]
struct Watched(Arc<Mutex<Watch>>);

#[derive(Debug)]
struct Watch {
    folder: PathBuf,
    is_on: bool,
    /// Changes that still work, if one is to fail.
    left: Option<usize>,
    moments: Vec<TempDir>,
}

impl Watched {
    fn new(folder: &Path) -> Self {
        let folder = folder.to_owned();
        Self(Arc::new(Mutex::new(Watch { folder, is_on: false, left: None, moments: Vec::new() })))
    }

    fn begin(&self, left: Option<usize>) {
        let mut watch = self.0.lock().unwrap();
        (watch.is_on, watch.left) = (true, left);
    }

    /// What was left at each moment; nothing fails from now on.
    fn end(&self) -> (Vec<TempDir>, bool) {
        let mut watch = self.0.lock().unwrap();
        watch.is_on = false;
        (std::mem::take(&mut watch.moments), watch.left.is_some())
    }

    fn change(&self) -> io::Result<()> {
        let mut watch = self.0.lock().unwrap();
        if !watch.is_on {
            return Ok(());
        }
        let moment = crashed(&watch.folder);
        watch.moments.push(moment);
        match watch.left {
            Some(0) => {
                watch.left = None;
                Err(io::Error::other("the disk fails"))
            }
            left => {
                watch.left = left.map(|left| left - 1);
                Ok(())
            }
        }
    }
}

#[derive(Debug)]
struct WatchedFile(File, Watched);

impl Disk for Watched {
    type File = WatchedFile;
    type Lock = File;

    fn make_folder(&self, folder: &Path) -> io::Result<()> {
        OsDisk.make_folder(folder)
    }

    fn lock(&self, path: &Path) -> io::Result<Result<File, String>> {
        OsDisk.lock(path)
    }

    fn holds(&self, lock: &File, path: &Path) -> io::Result<bool> {
        OsDisk.holds(lock, path)
    }

    fn list(&self, folder: &Path) -> io::Result<Vec<String>> {
        OsDisk.list(folder)
    }

    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        OsDisk.read(path)
    }

    fn create(&self, path: &Path) -> io::Result<WatchedFile> {
        self.change()?;
        Ok(WatchedFile(OsDisk.create(path)?, self.clone()))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.change()?;
        OsDisk.rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        self.change()?;
        OsDisk.remove(path)
    }

    fn sync_folder(&self, folder: &Path) -> io::Result<()> {
        self.change()?;
        OsDisk.sync_folder(folder)
    }
}

impl DiskFile for WatchedFile {
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.1.change()?;
        self.0.append(bytes)
    }

    fn sync(&mut self) -> io::Result<()> {
        self.1.change()?;
        self.0.sync()
    }
}

/// A log with a snapshot of some steps and more after it.
fn log(folder: &Path, all: &[Vec<Op>]) -> (Store<Watched>, Watched) {
    let disk = Watched::new(folder);
    let (mut store, _) = Store::open_on(disk.clone(), folder).unwrap();
    store.append(&all[..3]).unwrap();
    store.snapshot(&state(&all[..3])).unwrap();
    if all.len() > 3 {
        store.append(&all[3..]).unwrap();
    }
    (store, disk)
}

/// What is put in its place. Of the hosts of steps it has none.
fn other() -> State {
    state(&[vec![host(70), host(71)], vec![Op::Version(99)]])
}

#[test]
fn a_crash_leaves_the_one_state_or_the_other() {
    for count in [3, 6] {
        let folder = tempfile::tempdir().unwrap();
        let all = steps(count);
        let (mut store, disk) = log(folder.path(), &all);
        disk.begin(None);
        store.replace(&other().frozen()).unwrap();
        let (mut moments, _) = disk.end();
        moments.push(crashed(folder.path()));
        let found: Vec<State> =
            moments.iter().map(|moment| Store::open(moment.path()).unwrap().1).collect();
        let old = found.iter().take_while(|found| **found == state(&all)).count();
        assert!(0 < old && old < found.len(), "{old} of {}", found.len());
        assert!(found[old..].iter().all(|found| *found == other()), "count {count}");
    }
}

#[test]
fn nothing_follows_on_what_was_replaced_and_the_next_begins_with_the_other() {
    let folder = tempfile::tempdir().unwrap();
    let all = steps(6);
    let (mut store, _) = log(folder.path(), &all);
    store.replace(&other()).unwrap();
    assert!(matches!(store.append(&all[..1]), Err(StoreError::Replaced(_))));
    assert!(matches!(store.check(), Err(StoreError::Replaced(_))));
    assert!(matches!(store.snapshot(&State::default()), Err(StoreError::Replaced(_))));
    assert!(matches!(store.replace(&State::default()), Err(StoreError::Replaced(_))));
    drop(store);
    let (mut store, found) = Store::open(folder.path()).unwrap();
    assert_eq!(found, other());
    store.append(&[vec![host(1)]]).unwrap();
    drop(store);
    let mut wanted = other();
    wanted.apply(&host(1)).unwrap();
    assert_eq!(Store::open(folder.path()).unwrap().1, wanted);
}

#[test]
fn a_disk_that_fails_leaves_a_log_that_goes_on_or_ends_it() {
    let (mut went_on, mut ended) = (0, 0);
    for left in 0.. {
        let folder = tempfile::tempdir().unwrap();
        let all = steps(9);
        let (mut store, disk) = log(folder.path(), &all[..6]);
        disk.begin(Some(left));
        let result = store.replace(&other());
        let (_, is_left) = disk.end();
        if is_left {
            result.unwrap();
            break;
        }
        if result.is_ok() {
            // What is superfluous is only removed if it can be.
            assert_eq!(Store::open(crashed(folder.path()).path()).unwrap().1, other());
            continue;
        }
        let wanted = match store.check() {
            Ok(()) => {
                store.append(&all[6..]).unwrap();
                went_on += 1;
                vec![state(&all)]
            }
            Err(_) => {
                assert!(matches!(store.append(&all[6..]), Err(StoreError::Failed(_))));
                ended += 1;
                vec![state(&all[..6]), other()]
            }
        };
        drop(store);
        let found = Store::open(folder.path()).unwrap().1;
        assert!(wanted.contains(&found), "{left}");
    }
    assert!(went_on > 0 && ended > 0, "{went_on}, {ended}");
}

/// A snapshot that is being written ends first.
#[test]
fn there_is_no_replacement_while_a_snapshot_is_written() {
    let folder = tempfile::tempdir().unwrap();
    let all = steps(3);
    let (mut store, _) = log(folder.path(), &all);
    let mut snapshot = store.begin_snapshot().unwrap();
    assert!(matches!(store.replace(&other()), Err(StoreError::SnapshotBegun)));
    let written = snapshot.write(&state(&all));
    store.end_snapshot(written).unwrap();
    store.replace(&other()).unwrap();
}
