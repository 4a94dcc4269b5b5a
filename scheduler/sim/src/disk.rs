//! A disk that does what disks do when they, the power or the process fail.
//!
//! What was written is in memory until it is synced. A loss of power leaves of what was not synced any
//! sectors, with zeros between, and of the names that were not synced a beginning. A sync that fails
//! forgets what was to be written: reading still shows it, syncing once more says that all is well, and
//! the next loss of power takes it.

use std::collections::BTreeMap;
use std::fmt::{self, Debug};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use aurora_scheduler_storage::disk::{Disk, DiskFile};

use crate::rng::Rng;

/// What a disk writes at once, in bytes.
const SECTOR: usize = 512;

/// A disk, as one process sees it.
#[derive(Clone)]
pub(crate) struct SimDisk {
    inner: Arc<Mutex<Inner>>,
    process: u64,
}

impl Debug for SimDisk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SimDisk of process {}", self.process)
    }
}

#[derive(Debug, Default)]
struct Node {
    /// What reading shows.
    cached: Vec<u8>,
    durable: Vec<u8>,
    /// What was written and is not durable: where, and what.
    dirty: Vec<(usize, Vec<u8>)>,
    /// Where the last write began.
    last: usize,
}

#[derive(Debug, Clone)]
enum Naming {
    Link(PathBuf, u64),
    Unlink(PathBuf),
    Rename(PathBuf, PathBuf),
}

/// What is wrong with the disk.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct DiskFaults {
    /// Of a thousand syncs, how many fail.
    pub(crate) sync_fails: u64,
    /// Of a thousand appends, how many fail halfway.
    pub(crate) append_fails: u64,
    /// Nothing more can be written.
    pub(crate) full: bool,
}

struct Inner {
    rng: Rng,
    nodes: BTreeMap<u64, Node>,
    next_node: u64,
    names: BTreeMap<PathBuf, u64>,
    durable_names: BTreeMap<PathBuf, u64>,
    unsynced_names: Vec<Naming>,
    /// Which process has the lock on a file.
    locks: BTreeMap<u64, u64>,
    dead: std::collections::BTreeSet<u64>,
    /// After how many more writes a process is killed.
    fuse: Option<(u64, u32)>,
    faults: DiskFaults,
    /// Faults that came about, by name.
    happened: BTreeMap<&'static str, u64>,
}

/// A bit that has turned round.
#[derive(Debug, Clone)]
pub(crate) struct Rot {
    pub(crate) path: PathBuf,
    pub(crate) at: usize,
    bit: u8,
}

impl SimDisk {
    pub(crate) fn new(rng: Rng) -> Self {
        let inner = Inner {
            rng,
            nodes: BTreeMap::new(),
            next_node: 0,
            names: BTreeMap::new(),
            durable_names: BTreeMap::new(),
            unsynced_names: Vec::new(),
            locks: BTreeMap::new(),
            dead: std::collections::BTreeSet::new(),
            fuse: None,
            faults: DiskFaults::default(),
            happened: BTreeMap::new(),
        };
        Self { inner: Arc::new(Mutex::new(inner)), process: 0 }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The same disk for another process.
    pub(crate) fn of(&self, process: u64) -> Self {
        Self { inner: self.inner.clone(), process }
    }

    /// How it fails from now on; gives how it has until now.
    pub(crate) fn set_faults(&self, faults: DiskFaults) -> DiskFaults {
        std::mem::replace(&mut self.lock().faults, faults)
    }

    /// Kills a process in the middle of one of its next writes.
    pub(crate) fn kill_after(&self, process: u64, writes: u32) {
        self.lock().fuse = Some((process, writes));
    }

    pub(crate) fn is_dead(&self, process: u64) -> bool {
        self.lock().dead.contains(&process)
    }

    /// A process has ended: what it wrote stays, its locks go.
    pub(crate) fn kill(&self, process: u64) {
        let mut inner = self.lock();
        inner.dead.insert(process);
        inner.locks.retain(|_, holder| *holder != process);
        if inner.fuse.is_some_and(|(doomed, _)| doomed == process) {
            inner.fuse = None;
        }
    }

    /// Takes the lock away from whoever has it, as an operator does who is sure that it is gone.
    pub(crate) fn break_lock(&self, path: &Path) {
        let mut inner = self.lock();
        if inner.names.remove(path).is_some() {
            inner.unsynced_names.push(Naming::Unlink(path.to_owned()));
        }
    }

    /// The machine loses power. No process is left.
    pub(crate) fn lose_power(&self) {
        let mut inner = self.lock();
        let inner = &mut *inner;
        inner.locks.clear();
        let keep = inner.rng.below(inner.unsynced_names.len() as u64 + 1);
        let keep = usize::try_from(keep).unwrap_or(0);
        for naming in std::mem::take(&mut inner.unsynced_names).into_iter().take(keep) {
            name(&mut inner.durable_names, naming);
        }
        inner.names.clone_from(&inner.durable_names);
        for node in inner.nodes.values_mut() {
            for (at, bytes) in std::mem::take(&mut node.dirty) {
                for (index, sector) in bytes.chunks(SECTOR).enumerate() {
                    if inner.rng.chance(500) {
                        let from = at + index * SECTOR;
                        let end = from + sector.len();
                        if node.durable.len() < end {
                            node.durable.resize(end, 0);
                        }
                        node.durable[from..end].copy_from_slice(sector);
                    }
                }
            }
            node.cached.clone_from(&node.durable);
        }
        let named: std::collections::BTreeSet<u64> = inner.names.values().copied().collect();
        inner.nodes.retain(|id, _| named.contains(id));
    }

    /// Turns one bit round somewhere in the log, if there is one: not in what was written to a file
    /// last, which then looks like something unfinished.
    pub(crate) fn rot(&self, folder: &Path) -> Option<Rot> {
        let mut inner = self.lock();
        let inner = &mut *inner;
        let files: Vec<(PathBuf, u64)> = inner
            .names
            .iter()
            .filter(|(path, node)| {
                let is_log = path
                    .file_name()
                    .and_then(|name| name.to_str())
                    .is_some_and(|name| name.starts_with("log-") || name.starts_with("snapshot-"));
                let has_content = inner.nodes.get(node).is_some_and(|node| node.last > 0);
                path.parent() == Some(folder) && is_log && has_content
            })
            .map(|(path, node)| (path.clone(), *node))
            .collect();
        let (path, node) = inner.rng.pick(&files)?.clone();
        let length = inner.nodes.get(&node)?.last;
        let at = usize::try_from(inner.rng.below(length as u64)).unwrap_or(0);
        let bit = 1 << inner.rng.below(8);
        let rot = Rot { path, at, bit };
        flip(inner, &rot);
        Some(rot)
    }

    /// The file is restored from a copy.
    pub(crate) fn mend(&self, rot: &Rot) {
        flip(&mut self.lock(), rot);
    }

    /// How large the files of a folder are together, in bytes, and how many there are.
    pub(crate) fn usage(&self, folder: &Path) -> (usize, usize) {
        let inner = self.lock();
        let sizes = inner
            .names
            .iter()
            .filter(|(path, _)| path.parent() == Some(folder))
            .filter_map(|(_, node)| Some(inner.nodes.get(node)?.cached.len()));
        sizes.fold((0, 0), |(bytes, files), size| (bytes + size, files + 1))
    }

    pub(crate) fn happened(&self) -> BTreeMap<&'static str, u64> {
        self.lock().happened.clone()
    }
}

fn flip(inner: &mut Inner, rot: &Rot) {
    let Some(node) = inner.names.get(&rot.path).and_then(|node| inner.nodes.get_mut(node)) else {
        return;
    };
    for bytes in [&mut node.cached, &mut node.durable] {
        if let Some(byte) = bytes.get_mut(rot.at) {
            *byte ^= rot.bit;
        }
    }
}

fn name(names: &mut BTreeMap<PathBuf, u64>, naming: Naming) {
    match naming {
        Naming::Link(path, node) => {
            names.insert(path, node);
        }
        Naming::Unlink(path) => {
            names.remove(&path);
        }
        Naming::Rename(from, to) => {
            if let Some(node) = names.remove(&from) {
                names.insert(to, node);
            }
        }
    }
}

impl Inner {
    fn rename(&mut self, naming: Naming) {
        name(&mut self.names, naming.clone());
        self.unsynced_names.push(naming);
    }

    fn note(&mut self, what: &'static str) {
        *self.happened.entry(what).or_default() += 1;
    }

    /// Whether a process may go on; one whose time has come ends here.
    fn alive(&mut self, process: u64) -> io::Result<()> {
        if let Some((doomed, left)) = &mut self.fuse
            && *doomed == process
        {
            if *left == 0 {
                self.fuse = None;
                self.dead.insert(process);
                self.locks.retain(|_, holder| *holder != process);
            } else {
                *left -= 1;
            }
        }
        if self.dead.contains(&process) {
            return Err(io::Error::other("the process was killed"));
        }
        Ok(())
    }
}

fn missing(path: &Path) -> io::Error {
    io::Error::new(io::ErrorKind::NotFound, format!("{} is not there", path.display()))
}

/// An open file.
#[derive(Debug)]
pub(crate) struct SimFile {
    disk: SimDisk,
    node: u64,
    length: usize,
}

/// The lock on a file.
#[derive(Debug)]
pub(crate) struct SimLock {
    disk: SimDisk,
    node: u64,
}

impl Drop for SimLock {
    fn drop(&mut self) {
        let mut inner = self.disk.lock();
        if inner.locks.get(&self.node) == Some(&self.disk.process) {
            inner.locks.remove(&self.node);
        }
    }
}

impl Disk for SimDisk {
    type File = SimFile;
    type Lock = SimLock;

    fn make_folder(&self, _: &Path) -> io::Result<()> {
        self.lock().alive(self.process)
    }

    fn lock(&self, path: &Path) -> io::Result<Result<SimLock, String>> {
        let mut inner = SimDisk::lock(self);
        inner.alive(self.process)?;
        let node = match inner.names.get(path) {
            Some(node) => *node,
            None => {
                let node = inner.next_node;
                inner.next_node += 1;
                inner.nodes.insert(node, Node::default());
                inner.rename(Naming::Link(path.to_owned(), node));
                node
            }
        };
        if let Some(holder) = inner.locks.get(&node) {
            return Ok(Err(holder.to_string()));
        }
        inner.locks.insert(node, self.process);
        Ok(Ok(SimLock { disk: self.clone(), node }))
    }

    fn holds(&self, lock: &SimLock, path: &Path) -> io::Result<bool> {
        let mut inner = SimDisk::lock(self);
        inner.alive(self.process)?;
        Ok(inner.names.get(path) == Some(&lock.node))
    }

    fn list(&self, folder: &Path) -> io::Result<Vec<String>> {
        let mut inner = SimDisk::lock(self);
        inner.alive(self.process)?;
        let here = inner.names.keys().filter(|path| path.parent() == Some(folder));
        Ok(here.filter_map(|path| Some(path.file_name()?.to_str()?.to_owned())).collect())
    }

    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        let mut inner = SimDisk::lock(self);
        inner.alive(self.process)?;
        let node = inner.names.get(path).and_then(|node| inner.nodes.get(node));
        node.map(|node| node.cached.clone()).ok_or_else(|| missing(path))
    }

    fn create(&self, path: &Path) -> io::Result<SimFile> {
        let mut inner = SimDisk::lock(self);
        inner.alive(self.process)?;
        if inner.faults.full {
            inner.note("disk full");
            return Err(io::Error::new(io::ErrorKind::StorageFull, "no space is left"));
        }
        // A file that is there is emptied. Whether that or what was in it survives is left open by
        // making another one of that name.
        let node = inner.next_node;
        inner.next_node += 1;
        inner.nodes.insert(node, Node::default());
        inner.rename(Naming::Link(path.to_owned(), node));
        Ok(SimFile { disk: self.clone(), node, length: 0 })
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut inner = SimDisk::lock(self);
        inner.alive(self.process)?;
        if !inner.names.contains_key(from) {
            return Err(missing(from));
        }
        inner.rename(Naming::Rename(from.to_owned(), to.to_owned()));
        Ok(())
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        let mut inner = SimDisk::lock(self);
        inner.alive(self.process)?;
        if !inner.names.contains_key(path) {
            return Err(missing(path));
        }
        inner.rename(Naming::Unlink(path.to_owned()));
        Ok(())
    }

    fn sync_folder(&self, _: &Path) -> io::Result<()> {
        let mut inner = SimDisk::lock(self);
        inner.alive(self.process)?;
        for naming in std::mem::take(&mut inner.unsynced_names) {
            name(&mut inner.durable_names, naming);
        }
        // What has no name any more, and nobody can find again.
        let named: std::collections::BTreeSet<u64> =
            inner.names.values().chain(inner.durable_names.values()).copied().collect();
        let open: std::collections::BTreeSet<u64> = inner.locks.keys().copied().collect();
        inner.nodes.retain(|id, _| named.contains(id) || open.contains(id));
        Ok(())
    }
}

impl DiskFile for SimFile {
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        let process = self.disk.process;
        let disk = self.disk.clone();
        let mut inner = disk.lock();
        let inner = &mut *inner;
        let alive = inner.alive(process);
        let mut bytes = bytes;
        let mut error = None;
        if alive.is_err() {
            // It ends in the middle of this write, if it has not ended before.
            let some = inner.rng.below(bytes.len() as u64 + 1);
            bytes = &bytes[..usize::try_from(some).unwrap_or(0)];
            error = alive.err();
        } else if inner.faults.full || inner.rng.chance(inner.faults.append_fails) {
            inner.note("write failed");
            let some = inner.rng.below(bytes.len() as u64 + 1);
            bytes = &bytes[..usize::try_from(some).unwrap_or(0)];
            error = Some(io::Error::new(io::ErrorKind::StorageFull, "no space is left"));
        }
        // One that was removed is written to by nobody's leave, and read by nobody.
        if let Some(node) = inner.nodes.get_mut(&self.node) {
            let end = self.length + bytes.len();
            if node.cached.len() < end {
                node.cached.resize(end, 0);
            }
            node.cached[self.length..end].copy_from_slice(bytes);
            // Of what was there before a write that has failed, it is the last that was written.
            if error.is_none() {
                node.last = self.length;
            }
            if !bytes.is_empty() {
                node.dirty.push((self.length, bytes.to_vec()));
            }
            self.length = end;
        }
        error.map_or(Ok(()), Err)
    }

    fn sync(&mut self) -> io::Result<()> {
        let process = self.disk.process;
        let disk = self.disk.clone();
        let mut inner = disk.lock();
        let inner = &mut *inner;
        inner.alive(process)?;
        let fails = inner.rng.chance(inner.faults.sync_fails);
        if fails {
            inner.note("sync failed");
        }
        if let Some(node) = inner.nodes.get_mut(&self.node) {
            for (at, bytes) in std::mem::take(&mut node.dirty) {
                if fails {
                    continue;
                }
                let end = at + bytes.len();
                if node.durable.len() < end {
                    node.durable.resize(end, 0);
                }
                node.durable[at..end].copy_from_slice(&bytes);
            }
        }
        if fails { Err(io::Error::other("the disk has failed")) } else { Ok(()) }
    }
}
