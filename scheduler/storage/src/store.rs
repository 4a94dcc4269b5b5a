//! Opening, appending, snapshots.

use std::path::{Path, PathBuf};

use aurora_scheduler_core::{Op, State};
use prost::Message;

use crate::convert::{from_proto, to_proto};
use crate::disk::{Disk, DiskFile, OsDisk};
use crate::frame::{self, Frame, MAGIC};
use crate::proto::Batch;

/// How large a record is, in bytes, that takes no further step. Without it a record of many large
/// steps could be longer than [`frame::MAX_PAYLOAD`].
const FULL: usize = 16 << 20;

/// How much of a snapshot is written at once, in bytes.
const CHUNK: usize = 1 << 20;

/// How much of a snapshot is on its way to the disk at once, in bytes: the log's own syncs may have
/// to wait for it.
const SYNC_AFTER: usize = 8 << 20;

/// The steps of the scheduler, made durable. A replicated log stands behind the same trait.
pub trait Log: Send {
    /// Makes steps durable, in order. Each is there as a whole or not at all; when this returns,
    /// all are.
    ///
    /// # Errors
    /// The log cannot be written. It is then unknown which of the steps are there, and nothing may
    /// be appended any more: the scheduler must stop.
    fn append(&mut self, steps: &[Vec<Op>]) -> Result<(), StoreError>;

    /// Whether it is still this scheduler's, which an append looks at as well.
    ///
    /// # Errors
    /// It is not, or nobody can say: the scheduler must stop.
    fn check(&mut self) -> Result<(), StoreError>;

    /// Begins to write the state after all appended steps down, so that it need not be made of them
    /// again. It is written by what this gives, on whichever thread, while more steps are appended;
    /// then comes [`Log::end_snapshot`].
    ///
    /// # Errors
    /// The snapshot cannot be written, or one is being written. The log is as good as before: steps
    /// can be appended, and a snapshot can be tried again.
    fn begin_snapshot(&mut self) -> Result<Box<dyn Snapshot>, StoreError>;

    /// Lets the snapshot that was begun count from now on, if it was written; if it was not, nothing
    /// is left of it, and the error is given back.
    ///
    /// # Errors
    /// As [`Log::begin_snapshot`]. What was appended meanwhile is there all the same.
    fn end_snapshot(&mut self, written: Result<(), StoreError>) -> Result<(), StoreError>;

    /// Writes the state after all appended steps down, at once.
    ///
    /// # Errors
    /// As [`Log::begin_snapshot`].
    fn snapshot(&mut self, state: &State) -> Result<(), StoreError> {
        let written = self.begin_snapshot()?.write(state);
        self.end_snapshot(written)
    }

    /// Puts a state in the place of everything that was appended. When this returns it is on disk, and
    /// nothing can be appended any more: whoever opens the log next begins with it. A crash meanwhile
    /// leaves the one or the other, whole.
    ///
    /// # Errors
    /// The state cannot be written, or a snapshot is being written. As long as [`Log::check`] does not
    /// fail the log is as good as before. If it does, it is unknown which of the two is there.
    fn replace(&mut self, state: &State) -> Result<(), StoreError>;

    /// How many bytes of steps have been appended that no snapshot holds.
    fn since_snapshot(&self) -> u64;
}

/// A snapshot that was begun.
pub trait Snapshot: Send {
    /// Writes the state down as it was when the snapshot was begun. When this returns, it is on disk,
    /// and of no use until [`Log::end_snapshot`] was called.
    ///
    /// # Errors
    /// It cannot be written.
    fn write(&mut self, state: &State) -> Result<(), StoreError>;
}

/// A file or folder cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("failed to {action} {}: {source}", .path.display())]
pub struct FileError {
    /// What was being done.
    pub action: &'static str,
    /// To what.
    pub path: PathBuf,
    /// Why it failed.
    pub source: std::io::Error,
}

/// Why a log cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// A file or folder cannot be used.
    #[error(transparent)]
    File(#[from] FileError),
    /// Another process has it open.
    #[error("the log in {} is in use by process {holder}", .folder.display())]
    InUse {
        /// The folder.
        folder: PathBuf,
        /// The process, as far as it said who it is.
        holder: String,
    },
    /// Something is damaged.
    #[error(
        "{} is damaged at byte {offset}: {reason}; restore the folder from a copy, or move it away \
         to begin with an empty cluster", .path.display()
    )]
    Corrupt {
        /// The file.
        path: PathBuf,
        /// Where in it.
        offset: u64,
        /// What is wrong.
        reason: String,
    },
    /// A record, which is as it was written, holds what this program does not know.
    #[error(
        "{} was written by a newer program: of the record at byte {offset} {reason}; use that \
         program", .path.display()
    )]
    Newer {
        /// The file.
        path: PathBuf,
        /// Where in it.
        offset: u64,
        /// What is not known.
        reason: String,
    },
    /// The whole file is of a format that this program does not read.
    #[error("{} has format {found}; this program reads format {}", .path.display(), MAGIC[7])]
    Version {
        /// The file.
        path: PathBuf,
        /// Its format.
        found: u8,
    },
}

/// Why a log cannot be written.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// A file cannot be written.
    #[error(transparent)]
    File(#[from] FileError),
    /// A step is too large.
    #[error("a step of {length} bytes is too large for the log")]
    TooLarge {
        /// Its length.
        length: usize,
    },
    /// Another scheduler has taken the log over, or somebody has removed its lock.
    #[error(
        "the log in {} is no longer this scheduler's: its file \"lock\" is another one now", .0.display()
    )]
    TakenOver(PathBuf),
    /// There can be one at a time.
    #[error("another snapshot is being written")]
    SnapshotBegun,
    /// None was begun.
    #[error("there is no snapshot that could end")]
    NoSnapshot,
    /// An earlier append has failed.
    #[error("the log in {} failed before and takes no more steps", .0.display())]
    Failed(PathBuf),
    /// Another state has taken the place of the one that this would follow on.
    #[error(
        "the log in {} holds another state by now and takes no more steps until it is opened again",
        .0.display()
    )]
    Replaced(PathBuf),
}

/// A log in a folder of a disk.
#[derive(Debug)]
pub struct Store<D: Disk = OsDisk> {
    disk: D,
    folder: PathBuf,
    lock: D::Lock,
    segment: D::File,
    segment_path: PathBuf,
    /// How much of the segment is on disk.
    synced: u64,
    /// The number of the next record.
    next: u64,
    since_snapshot: u64,
    begun: Option<Begun>,
    failed: bool,
    replaced: bool,
    buffer: Vec<u8>,
}

/// A snapshot that is being written.
#[derive(Debug)]
struct Begun {
    path: PathBuf,
    temporary: PathBuf,
    /// How much of what was appended it holds that the one before does not, in bytes.
    holds: u64,
}

/// Writes a snapshot.
#[derive(Debug)]
pub(crate) struct SnapshotFile<F: DiskFile> {
    pub(crate) file: F,
    pub(crate) path: PathBuf,
}

impl Store {
    /// Opens the log in `folder`, which is made if it is not there, and replays it.
    ///
    /// # Errors
    /// [`OpenError`]: the folder cannot be used, or its content is damaged.
    pub fn open(folder: &Path) -> Result<(Self, State), OpenError> {
        Self::open_on(OsDisk, folder)
    }
}

impl<D: Disk> Store<D> {
    /// Opens the log in a folder of the disk, which is made if it is not there, and replays it.
    ///
    /// # Errors
    /// [`OpenError`]: the folder cannot be used, or its content is damaged.
    pub fn open_on(disk: D, folder: &Path) -> Result<(Self, State), OpenError> {
        disk.make_folder(folder).map_err(failed("make the folder", folder))?;
        let lock_path = folder.join(LOCK);
        let lock = match disk.lock(&lock_path).map_err(failed("lock", &lock_path))? {
            Ok(lock) => lock,
            Err(holder) => return Err(OpenError::InUse { folder: folder.to_owned(), holder }),
        };
        let mut files = list(&disk, folder)?;
        for path in &files.unfinished {
            remove(&disk, path);
        }
        let mut state = State::default();
        let mut next = 0;
        if let Some((number, path)) = files.snapshots.pop() {
            read_snapshot(&disk, &path, &mut state)?;
            next = number;
        }
        let mut size = 0;
        let mut last = None;
        for (index, (number, path)) in files.segments.iter().enumerate() {
            let is_last = index + 1 == files.segments.len();
            let read = read_segment(&disk, path, *number, is_last, &mut next, &mut state)?;
            size += read.replayed;
            last = Some((path, read));
        }
        let (segment_path, whole) = match last {
            Some((path, read)) if read.next == next => (path.clone(), read.whole),
            // The records of the last segment end before those of the snapshot, or of the segment
            // before it: what is appended would not follow on them.
            _ => (folder.join(segment_name(next)), MAGIC.to_vec()),
        };
        let segment = write_anew(&disk, folder, &segment_path, &whole)?;
        let store = Self {
            disk,
            folder: folder.to_owned(),
            lock,
            segment,
            segment_path,
            synced: whole.len() as u64,
            next,
            since_snapshot: size,
            begun: None,
            failed: false,
            replaced: false,
            buffer: Vec::new(),
        };
        store.remove_superseded();
        Ok((store, state))
    }

    fn write_steps(&mut self, steps: &[Vec<Op>]) -> Result<(), StoreError> {
        self.buffer.clear();
        let mut batch = Batch::default();
        let mut size = 0;
        for ops in steps {
            for op in ops {
                let op = to_proto(op);
                size += op.encoded_len();
                batch.ops.push(op);
            }
            if size >= FULL {
                self.encode(&std::mem::take(&mut batch))?;
                size = 0;
            }
        }
        if !batch.ops.is_empty() {
            self.encode(&batch)?;
        }
        let path = &self.segment_path;
        self.segment.append(&self.buffer).map_err(failed("append to", path))?;
        self.segment.sync().map_err(failed("sync", path))?;
        // Whoever took the log over before now may have read it before this was in it.
        self.check_lock()?;
        let written = self.buffer.len() as u64;
        self.synced += written;
        self.since_snapshot += written;
        Ok(())
    }

    fn encode(&mut self, batch: &Batch) -> Result<(), StoreError> {
        frame::encode(self.next, self.synced, &batch.encode_to_vec(), &mut self.buffer)
            .map_err(|length| StoreError::TooLarge { length })?;
        self.next += 1;
        Ok(())
    }

    fn must_be_usable(&self) -> Result<(), StoreError> {
        match () {
            () if self.replaced => Err(StoreError::Replaced(self.folder.clone())),
            () if self.failed => Err(StoreError::Failed(self.folder.clone())),
            () => Ok(()),
        }
    }

    fn check_lock(&self) -> Result<(), StoreError> {
        let path = self.folder.join(LOCK);
        match self.disk.holds(&self.lock, &path).map_err(failed("look at", &path))? {
            true => Ok(()),
            false => Err(StoreError::TakenOver(self.folder.clone())),
        }
    }

    /// Removes a snapshot that came to nothing.
    fn or_removed(
        &self,
        temporary: &Path,
        result: Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        // What has this name now may be another scheduler's.
        if matches!(&result, Err(error) if !matches!(error, StoreError::TakenOver(_))) {
            remove(&self.disk, temporary);
        }
        result
    }

    /// Sees to it that the next record is the first of its segment.
    fn begin_segment(&mut self) -> Result<(), FileError> {
        let name = segment_name(self.next);
        if !self.segment_path.ends_with(&name) {
            (self.segment, self.segment_path) = new_file(&self.disk, &self.folder, &name)?;
            self.synced = MAGIC.len() as u64;
        }
        Ok(())
    }

    /// Removes what the newest snapshot has made superfluous. What cannot be removed now will be
    /// when the log is opened again.
    fn remove_superseded(&self) {
        let Ok(files) = list(&self.disk, &self.folder) else { return };
        let Some((newest, _)) = files.snapshots.last() else { return };
        let old_snapshots = files.snapshots.iter().filter(|(number, _)| number < newest);
        // A segment is superfluous when the next one begins at or before the snapshot.
        let old_segments = files
            .segments
            .windows(2)
            .filter(|pair| pair[1].0 <= *newest)
            .filter_map(|pair| pair.first());
        for (_, path) in old_snapshots.chain(old_segments) {
            remove(&self.disk, path);
        }
    }
}

impl<D: Disk> Log for Store<D> {
    fn append(&mut self, steps: &[Vec<Op>]) -> Result<(), StoreError> {
        self.must_be_usable()?;
        let result = self.write_steps(steps);
        self.failed = result.is_err();
        result
    }

    fn check(&mut self) -> Result<(), StoreError> {
        self.must_be_usable()?;
        let result = self.check_lock();
        self.failed = result.is_err();
        result
    }

    fn begin_snapshot(&mut self) -> Result<Box<dyn Snapshot>, StoreError> {
        self.must_be_usable()?;
        if self.begun.is_some() {
            return Err(StoreError::SnapshotBegun);
        }
        self.check_lock()?;
        let path = self.folder.join(format!("snapshot-{:020}", self.next));
        let temporary = path.with_extension(UNFINISHED);
        let file = self.disk.create(&temporary).map_err(failed("make", &temporary))?;
        // What the snapshot does not hold begins with a segment of its own, which is there before
        // anything goes into it; and once it is there nothing may go into the one before.
        if let Err(error) = self.begin_segment() {
            remove(&self.disk, &temporary);
            return Err(error.into());
        }
        self.begun = Some(Begun { path, temporary: temporary.clone(), holds: self.since_snapshot });
        Ok(Box::new(SnapshotFile { file, path: temporary }))
    }

    fn end_snapshot(&mut self, written: Result<(), StoreError>) -> Result<(), StoreError> {
        let Some(begun) = self.begun.take() else { return Err(StoreError::NoSnapshot) };
        let Begun { path, temporary, holds } = begun;
        let named = written.and_then(|()| self.check_lock()).and_then(|()| {
            let renamed = self.disk.rename(&temporary, &path);
            Ok(renamed.map_err(failed("rename", &temporary))?)
        });
        self.or_removed(&temporary, named)?;
        let synced = self.disk.sync_folder(&self.folder);
        synced.map_err(failed("sync", &self.folder))?;
        self.since_snapshot -= holds;
        self.remove_superseded();
        Ok(())
    }

    fn replace(&mut self, state: &State) -> Result<(), StoreError> {
        let written = self.begin_snapshot()?.write(state);
        let Some(Begun { path, temporary, .. }) = self.begun.take() else {
            return Err(StoreError::NoSnapshot);
        };
        self.or_removed(&temporary, written.and_then(|()| self.check_lock()))?;
        // From here on it is unknown which state is there until both have worked.
        self.failed = true;
        self.disk.rename(&temporary, &path).map_err(failed("rename", &temporary))?;
        self.disk.sync_folder(&self.folder).map_err(failed("sync", &self.folder))?;
        self.replaced = true;
        self.remove_superseded();
        Ok(())
    }

    fn since_snapshot(&self) -> u64 {
        self.since_snapshot
    }
}

/// The file that stands for the right to use the folder.
const LOCK: &str = "lock";

/// How the name of a file ends that is being written.
pub(crate) const UNFINISHED: &str = "tmp";

fn segment_name(first: u64) -> String {
    format!("log-{first:020}")
}

pub(crate) fn failed(
    action: &'static str,
    path: &Path,
) -> impl FnOnce(std::io::Error) -> FileError {
    let path = path.to_owned();
    move |source| FileError { action, path, source }
}

/// Removes a file that is of no use. If it cannot be removed now, opening the log will try again.
pub(crate) fn remove(disk: &impl Disk, path: &Path) {
    match disk.remove(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            tracing::warn!(path = %path.display(), %error, "failed to remove a file of the log");
        }
        _ => {}
    }
}

#[derive(Debug, Default)]
struct Files {
    /// By the number of the first record after them.
    snapshots: Vec<(u64, PathBuf)>,
    /// By the number of their first record.
    segments: Vec<(u64, PathBuf)>,
    /// What was never finished being written.
    unfinished: Vec<PathBuf>,
}

fn list(disk: &impl Disk, folder: &Path) -> Result<Files, FileError> {
    let mut files = Files::default();
    for name in disk.list(folder).map_err(failed("read the folder", folder))? {
        let Some((kind @ ("snapshot" | "log"), number)) = name.split_once('-') else { continue };
        let (number, is_finished) = match number.strip_suffix(UNFINISHED) {
            Some(number) => (number.trim_end_matches('.'), false),
            None => (number, true),
        };
        let Ok(number) = number.parse::<u64>() else { continue };
        let path = folder.join(&name);
        match kind {
            _ if !is_finished => files.unfinished.push(path),
            "snapshot" => files.snapshots.push((number, path)),
            _ => files.segments.push((number, path)),
        }
    }
    files.snapshots.sort();
    files.segments.sort();
    Ok(files)
}

/// The content of a file; none if it was never finished being made.
fn read_file(disk: &impl Disk, path: &Path) -> Result<Vec<u8>, OpenError> {
    let bytes = disk.read(path).map_err(failed("read", path))?;
    if bytes.starts_with(&MAGIC) {
        return Ok(bytes);
    }
    // A crash while the file was made: nothing was appended by then. A machine that lost power
    // may have left zeros.
    let is_unfinished = bytes.len() <= MAGIC.len()
        && bytes.iter().zip(MAGIC).all(|(byte, magic)| *byte == magic || *byte == 0);
    match bytes.split_first_chunk::<8>() {
        _ if is_unfinished => Ok(Vec::new()),
        Some((magic, _)) if magic[..7] == MAGIC[..7] => {
            Err(OpenError::Version { path: path.to_owned(), found: magic[7] })
        }
        _ => Err(corrupt(path, 0, "it does not begin as a log of Aurora does")),
    }
}

fn corrupt(path: &Path, offset: usize, reason: impl Into<String>) -> OpenError {
    OpenError::Corrupt { path: path.to_owned(), offset: offset as u64, reason: reason.into() }
}

/// Applies a record. Gives what it says of the snapshot that it ends, if it does.
fn apply(
    payload: &[u8],
    path: &Path,
    offset: usize,
    state: &mut State,
) -> Result<Option<u64>, OpenError> {
    let batch = Batch::decode(payload).map_err(|error| corrupt(path, offset, error.to_string()))?;
    for op in batch.ops {
        // The checksum is right, so this is what was written.
        let op = from_proto(op).map_err(|error| OpenError::Newer {
            path: path.to_owned(),
            offset: offset as u64,
            reason: error.to_string(),
        })?;
        state.apply(&op).map_err(|error| corrupt(path, offset, error.to_string()))?;
    }
    Ok(batch.snapshot_records)
}

/// What a segment was found to hold.
struct Segment {
    /// Its head and its whole records.
    whole: Vec<u8>,
    /// The number after its last record's.
    next: u64,
    /// The size of those of its records that no snapshot holds.
    replayed: u64,
}

/// Replays a segment. An unfinished end of the last segment is left out.
fn read_segment(
    disk: &impl Disk,
    path: &Path,
    first: u64,
    is_last: bool,
    next: &mut u64,
    state: &mut State,
) -> Result<Segment, OpenError> {
    let mut bytes = read_file(disk, path)?;
    if bytes.is_empty() {
        bytes.extend_from_slice(&MAGIC);
    }
    let mut end = MAGIC.len();
    let mut read = Segment { whole: Vec::new(), next: first, replayed: 0 };
    if first > *next {
        return Err(corrupt(path, 0, format!("records {next} to {} are missing", first - 1)));
    }
    loop {
        match frame::decode(&bytes[end..]) {
            Frame::End => break,
            Frame::Whole { number, payload, length, .. } => {
                if number != read.next {
                    return Err(corrupt(
                        path,
                        end,
                        format!("record {number} is where {} should be", read.next),
                    ));
                }
                // What a snapshot holds already is only checked.
                if number >= *next {
                    apply(payload, path, end, state)?;
                    *next = number + 1;
                    read.replayed += length as u64;
                }
                read.next += 1;
                end += length;
            }
            Frame::Bad(_) if is_last && !frame::was_synced(&bytes, end) => {
                let dropped = bytes.len() - end;
                tracing::warn!(path = %path.display(), offset = end, dropped, "dropping an unfinished record");
                break;
            }
            Frame::Bad(reason) => return Err(corrupt(path, end, reason)),
        }
    }
    bytes.truncate(end);
    read.whole = bytes;
    Ok(read)
}

impl<F: DiskFile> Snapshot for SnapshotFile<F> {
    fn write(&mut self, state: &State) -> Result<(), StoreError> {
        let mut buffer = MAGIC.to_vec();
        let mut records = 0;
        let mut unsynced = 0;
        for op in state.to_ops() {
            encode_one(
                &Batch { ops: vec![to_proto(&op)], snapshot_records: None },
                records,
                &mut buffer,
            )?;
            records += 1;
            if buffer.len() >= CHUNK {
                unsynced += buffer.len();
                self.append(&mut buffer)?;
            }
            if unsynced >= SYNC_AFTER {
                self.sync()?;
                unsynced = 0;
            }
        }
        let end = Batch { ops: Vec::new(), snapshot_records: Some(records) };
        encode_one(&end, records, &mut buffer)?;
        self.append(&mut buffer)?;
        self.sync()
    }
}

impl<F: DiskFile> SnapshotFile<F> {
    fn append(&mut self, buffer: &mut Vec<u8>) -> Result<(), StoreError> {
        self.file.append(buffer).map_err(failed("write", &self.path))?;
        buffer.clear();
        Ok(())
    }

    fn sync(&mut self) -> Result<(), StoreError> {
        Ok(self.file.sync().map_err(failed("sync", &self.path))?)
    }
}

fn encode_one(batch: &Batch, number: u64, buffer: &mut Vec<u8>) -> Result<(), StoreError> {
    frame::encode(number, 0, &batch.encode_to_vec(), buffer)
        .map_err(|length| StoreError::TooLarge { length })
}

pub(crate) fn read_snapshot(
    disk: &impl Disk,
    path: &Path,
    state: &mut State,
) -> Result<(), OpenError> {
    let bytes = read_file(disk, path)?;
    let mut offset = MAGIC.len().min(bytes.len());
    for expected in 0.. {
        match frame::decode(&bytes[offset..]) {
            Frame::Whole { number, payload, length, .. } if number == expected => {
                let end = apply(payload, path, offset, state)?;
                offset += length;
                if let Some(records) = end {
                    let whole = records == number && offset == bytes.len();
                    return if whole {
                        Ok(())
                    } else {
                        Err(corrupt(path, offset, "it has the wrong end"))
                    };
                }
            }
            Frame::Whole { .. } => return Err(corrupt(path, offset, "records are out of order")),
            // A snapshot gets its name when it is whole.
            Frame::End => return Err(corrupt(path, offset, "the snapshot is cut off")),
            Frame::Bad(reason) => return Err(corrupt(path, offset, reason)),
        }
    }
    Ok(())
}

/// Writes the segment that is appended to once more, and puts it in the place of the one that was
/// read. What was read may be in memory only: left there by a program that was killed, or by a sync
/// that failed, after which syncing again would say that all is well. It is acted on from here on, so
/// it must be on disk. And whoever has the old file open no longer writes into the log.
fn write_anew<D: Disk>(
    disk: &D,
    folder: &Path,
    path: &Path,
    bytes: &[u8],
) -> Result<D::File, FileError> {
    let temporary = path.with_extension(UNFINISHED);
    let mut file = disk.create(&temporary).map_err(failed("make", &temporary))?;
    file.append(bytes).map_err(failed("write", &temporary))?;
    file.sync().map_err(failed("sync", &temporary))?;
    disk.rename(&temporary, path).map_err(failed("rename", &temporary))?;
    disk.sync_folder(folder).map_err(failed("sync", folder))?;
    Ok(file)
}

fn new_file<D: Disk>(disk: &D, folder: &Path, name: &str) -> Result<(D::File, PathBuf), FileError> {
    let path = folder.join(name);
    let mut file = disk.create(&path).map_err(failed("make", &path))?;
    let written = file
        .append(&MAGIC)
        .and_then(|()| file.sync())
        .map_err(failed("write", &path))
        .and_then(|()| disk.sync_folder(folder).map_err(failed("sync", folder)));
    if let Err(error) = written {
        remove(disk, &path);
        return Err(error);
    }
    Ok((file, path))
}
