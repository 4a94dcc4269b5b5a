//! Opening, appending, snapshots.

use std::fs::{File, OpenOptions};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use aurora_scheduler_core::{Op, State};
use prost::Message;

use crate::convert::{from_proto, to_proto};
use crate::frame::{self, Frame, MAGIC};
use crate::proto::Batch;

/// The steps of the scheduler, made durable. A replicated log stands behind the same trait.
pub trait Log: Send {
    /// Makes steps durable, in order. Each is there as a whole or not at all; when this returns,
    /// all are.
    ///
    /// # Errors
    /// The log cannot be written. It is then unknown which of the steps are there, and nothing may
    /// be appended any more: the scheduler must stop.
    fn append(&mut self, steps: &[Vec<Op>]) -> Result<(), StoreError>;

    /// Writes the state after all appended steps down, so that it need not be made of them again.
    ///
    /// # Errors
    /// The snapshot cannot be written. The log is as good as before.
    fn snapshot(&mut self, state: &State) -> Result<(), StoreError>;

    /// How many bytes of steps have been appended since the last snapshot.
    fn since_snapshot(&self) -> u64;
}

/// Why a log cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// A file or folder cannot be used.
    #[error("failed to {action} {}: {source}", .path.display())]
    Io {
        /// What was being done.
        action: &'static str,
        /// To what.
        path: PathBuf,
        /// Why it failed.
        source: std::io::Error,
    },
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
    /// It was written by a program that is newer than this one.
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
    #[error("failed to {action} {}: {source}", .path.display())]
    Io {
        /// What was being done.
        action: &'static str,
        /// To what.
        path: PathBuf,
        /// Why it failed.
        source: std::io::Error,
    },
    /// A step is too large.
    #[error("a step of {length} bytes is too large for the log")]
    TooLarge {
        /// Its length.
        length: usize,
    },
    /// An earlier append has failed.
    #[error("the log in {} failed before and takes no more steps", .0.display())]
    Failed(PathBuf),
}

/// A log in a folder of this machine.
#[derive(Debug)]
pub struct Store {
    folder: PathBuf,
    /// Held for its lock.
    _lock: File,
    segment: File,
    segment_path: PathBuf,
    /// The number of the next record.
    next: u64,
    since_snapshot: u64,
    failed: bool,
    buffer: Vec<u8>,
}

impl Store {
    /// Opens the log in `folder`, which is made if it is not there, and replays it.
    ///
    /// # Errors
    /// [`OpenError`]: the folder cannot be used, or its content is damaged.
    pub fn open(folder: &Path) -> Result<(Self, State), OpenError> {
        make_folder(folder)?;
        let lock = lock(folder)?;
        let mut files = list(folder)?;
        let mut state = State::default();
        let mut next = 0;
        if let Some((number, path)) = files.snapshots.pop() {
            read_snapshot(&path, &mut state)?;
            next = number;
        }
        let mut size = 0;
        let last_segment = files.segments.last().map(|(number, _)| *number);
        for (number, path) in &files.segments {
            let is_last = Some(*number) == last_segment;
            size += read_segment(path, *number, is_last, &mut next, &mut state)?;
        }
        let (segment, segment_path) = match files.segments.last() {
            Some((_, path)) => (open_at_end(path)?, path.clone()),
            None => new_file(folder, &format!("log-{next:020}"))?,
        };
        let store = Self {
            folder: folder.to_owned(),
            _lock: lock,
            segment,
            segment_path,
            next,
            since_snapshot: size,
            failed: false,
            buffer: Vec::new(),
        };
        store.remove_superseded();
        Ok((store, state))
    }

    fn io(&self, action: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> StoreError {
        let path = path.to_owned();
        move |source| StoreError::Io { action, path, source }
    }

    fn write_steps(&mut self, steps: &[Vec<Op>]) -> Result<(), StoreError> {
        self.buffer.clear();
        for ops in steps {
            let batch = Batch { ops: ops.iter().map(to_proto).collect(), snapshot_records: None };
            frame::encode(self.next, &batch.encode_to_vec(), &mut self.buffer)
                .map_err(|length| StoreError::TooLarge { length })?;
            self.next += 1;
        }
        let path = self.segment_path.clone();
        self.segment.write_all(&self.buffer).map_err(self.io("append to", &path))?;
        self.segment.sync_data().map_err(self.io("sync", &path))?;
        self.since_snapshot += self.buffer.len() as u64;
        Ok(())
    }

    /// Removes what the newest snapshot has made superfluous. What cannot be removed now will be
    /// when the log is opened again.
    fn remove_superseded(&self) {
        let Ok(files) = list(&self.folder) else { return };
        let Some((newest, _)) = files.snapshots.last() else { return };
        let old_snapshots = files.snapshots.iter().filter(|(number, _)| number < newest);
        // A segment is superfluous when the next one begins at or before the snapshot.
        let old_segments = files
            .segments
            .windows(2)
            .filter(|pair| pair[1].0 <= *newest)
            .filter_map(|pair| pair.first());
        for (_, path) in old_snapshots.chain(old_segments) {
            if let Err(error) = std::fs::remove_file(path) {
                tracing::warn!(path = %path.display(), %error, "failed to remove an old file of the log");
            }
        }
    }
}

impl Log for Store {
    fn append(&mut self, steps: &[Vec<Op>]) -> Result<(), StoreError> {
        if self.failed {
            return Err(StoreError::Failed(self.folder.clone()));
        }
        let result = self.write_steps(steps);
        self.failed = result.is_err();
        result
    }

    fn snapshot(&mut self, state: &State) -> Result<(), StoreError> {
        if self.failed {
            return Err(StoreError::Failed(self.folder.clone()));
        }
        let name = format!("snapshot-{:020}", self.next);
        let path = self.folder.join(&name);
        let temporary = self.folder.join(format!("{name}.tmp"));
        write_snapshot(&temporary, state).map_err(|error| match error {
            SnapshotError::Io(source) => {
                StoreError::Io { action: "write", path: temporary.clone(), source }
            }
            SnapshotError::TooLarge(length) => StoreError::TooLarge { length },
        })?;
        // The segment that follows must be there before the snapshot says that it begins there.
        let (segment, segment_path) =
            if self.segment_path.ends_with(format!("log-{:020}", self.next)) {
                (None, self.segment_path.clone())
            } else {
                let (file, path) = new_file(&self.folder, &format!("log-{:020}", self.next))
                    .map_err(|error| match error {
                        OpenError::Io { action, path, source } => {
                            StoreError::Io { action, path, source }
                        }
                        _ => StoreError::Failed(self.folder.clone()),
                    })?;
                (Some(file), path)
            };
        std::fs::rename(&temporary, &path).map_err(self.io("rename", &temporary))?;
        sync_folder(&self.folder).map_err(self.io("sync", &self.folder))?;
        if let Some(segment) = segment {
            self.segment = segment;
            self.segment_path = segment_path;
        }
        self.since_snapshot = 0;
        self.remove_superseded();
        Ok(())
    }

    fn since_snapshot(&self) -> u64 {
        self.since_snapshot
    }
}

fn failed(action: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> OpenError {
    let path = path.to_owned();
    move |source| OpenError::Io { action, path, source }
}

fn make_folder(folder: &Path) -> Result<(), OpenError> {
    use std::os::unix::fs::DirBuilderExt;
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(folder)
        .map_err(failed("make the folder", folder))
}

fn lock(folder: &Path) -> Result<File, OpenError> {
    let path = folder.join("lock");
    let mut file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .open(&path)
        .map_err(failed("open", &path))?;
    match rustix::fs::flock(&file, rustix::fs::FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => {}
        Err(rustix::io::Errno::WOULDBLOCK) => {
            let mut holder = String::new();
            // Only to say who it is.
            let _ = (&file).take(32).read_to_string(&mut holder);
            return Err(OpenError::InUse {
                folder: folder.to_owned(),
                holder: holder.trim().to_owned(),
            });
        }
        Err(errno) => return Err(failed("lock", &path)(errno.into())),
    }
    file.set_len(0)
        .and_then(|()| file.write_all(std::process::id().to_string().as_bytes()))
        .map_err(failed("write", &path))?;
    Ok(file)
}

#[derive(Debug, Default)]
struct Files {
    /// By the number of the first record after them.
    snapshots: Vec<(u64, PathBuf)>,
    /// By the number of their first record.
    segments: Vec<(u64, PathBuf)>,
}

fn list(folder: &Path) -> Result<Files, OpenError> {
    let mut files = Files::default();
    for entry in std::fs::read_dir(folder).map_err(failed("read the folder", folder))? {
        let entry = entry.map_err(failed("read the folder", folder))?;
        let name = entry.file_name();
        let Some((kind, number)) = name.to_str().and_then(|name| name.split_once('-')) else {
            continue;
        };
        let Ok(number) = number.parse::<u64>() else { continue };
        match kind {
            "snapshot" => files.snapshots.push((number, entry.path())),
            "log" => files.segments.push((number, entry.path())),
            _ => {}
        }
    }
    files.snapshots.sort();
    files.segments.sort();
    Ok(files)
}

fn read_file(path: &Path) -> Result<Vec<u8>, OpenError> {
    let bytes = std::fs::read(path).map_err(failed("read", path))?;
    match bytes.split_first_chunk::<8>() {
        Some((magic, _)) if *magic == MAGIC => Ok(bytes),
        Some((magic, _)) if magic[..7] == MAGIC[..7] => {
            Err(OpenError::Version { path: path.to_owned(), found: magic[7] })
        }
        // A crash while the file was made: nothing was acknowledged by then.
        _ if bytes.len() < MAGIC.len() && MAGIC.starts_with(&bytes) => Ok(bytes),
        _ => Err(corrupt(path, 0, "it does not begin as a log of Aurora does")),
    }
}

fn corrupt(path: &Path, offset: usize, reason: impl Into<String>) -> OpenError {
    OpenError::Corrupt { path: path.to_owned(), offset: offset as u64, reason: reason.into() }
}

fn apply(
    payload: &[u8],
    path: &Path,
    offset: usize,
    state: &mut State,
) -> Result<Batch, OpenError> {
    let batch = Batch::decode(payload).map_err(|error| corrupt(path, offset, error.to_string()))?;
    for op in &batch.ops {
        let op =
            from_proto(op.clone()).map_err(|error| corrupt(path, offset, error.to_string()))?;
        state.apply(&op).map_err(|error| corrupt(path, offset, error.to_string()))?;
    }
    Ok(batch)
}

/// Replays a segment. Gives the size of its records. An unfinished last record of the last segment
/// is cut off.
fn read_segment(
    path: &Path,
    first: u64,
    is_last: bool,
    next: &mut u64,
    state: &mut State,
) -> Result<u64, OpenError> {
    let bytes = read_file(path)?;
    let mut offset = MAGIC.len().min(bytes.len());
    let mut expected = first;
    if first > *next {
        return Err(corrupt(path, 0, format!("records {next} to {} are missing", first - 1)));
    }
    loop {
        match frame::decode(&bytes[offset..]) {
            Frame::Whole { number, payload, length } => {
                if number != expected {
                    return Err(corrupt(
                        path,
                        offset,
                        format!("record {number} is where {expected} should be"),
                    ));
                }
                // What a snapshot holds already is only checked.
                if number >= *next {
                    apply(payload, path, offset, state)?;
                    *next = number + 1;
                }
                expected += 1;
                offset += length;
            }
            Frame::Torn if offset == bytes.len() => break,
            Frame::Torn if is_last => {
                tracing::warn!(path = %path.display(), offset, dropped = bytes.len() - offset, "dropping an unfinished record");
                let file =
                    OpenOptions::new().write(true).open(path).map_err(failed("open", path))?;
                file.set_len(offset as u64).map_err(failed("shorten", path))?;
                file.sync_all().map_err(failed("sync", path))?;
                break;
            }
            Frame::Torn => return Err(corrupt(path, offset, "the file ends within a record")),
            Frame::Corrupt(reason) => return Err(corrupt(path, offset, reason)),
        }
    }
    Ok((offset - MAGIC.len().min(offset)) as u64)
}

enum SnapshotError {
    Io(std::io::Error),
    TooLarge(usize),
}

impl From<std::io::Error> for SnapshotError {
    fn from(error: std::io::Error) -> Self {
        Self::Io(error)
    }
}

fn write_snapshot(path: &Path, state: &State) -> Result<(), SnapshotError> {
    let mut file = std::io::BufWriter::with_capacity(1 << 20, File::create(path)?);
    file.write_all(&MAGIC)?;
    let mut buffer = Vec::new();
    let mut records = 0;
    let mut write = |batch: Batch, number: u64, file: &mut std::io::BufWriter<File>| {
        buffer.clear();
        frame::encode(number, &batch.encode_to_vec(), &mut buffer)
            .map_err(SnapshotError::TooLarge)?;
        file.write_all(&buffer).map_err(SnapshotError::Io)
    };
    for op in state.to_ops() {
        write(Batch { ops: vec![to_proto(&op)], snapshot_records: None }, records, &mut file)?;
        records += 1;
    }
    write(Batch { ops: Vec::new(), snapshot_records: Some(records) }, records, &mut file)?;
    let file = file.into_inner().map_err(|error| error.into_error())?;
    file.sync_all()?;
    Ok(())
}

fn read_snapshot(path: &Path, state: &mut State) -> Result<(), OpenError> {
    let bytes = read_file(path)?;
    let mut offset = MAGIC.len().min(bytes.len());
    for expected in 0.. {
        match frame::decode(&bytes[offset..]) {
            Frame::Whole { number, payload, length } if number == expected => {
                let batch = apply(payload, path, offset, state)?;
                offset += length;
                if let Some(records) = batch.snapshot_records {
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
            Frame::Torn => return Err(corrupt(path, offset, "the snapshot is cut off")),
            Frame::Corrupt(reason) => return Err(corrupt(path, offset, reason)),
        }
    }
    Ok(())
}

/// Opens a segment to append to, making its head whole if a crash has cut it.
fn open_at_end(path: &Path) -> Result<File, OpenError> {
    let mut file =
        OpenOptions::new().read(true).write(true).open(path).map_err(failed("open", path))?;
    let length = file.seek(SeekFrom::End(0)).map_err(failed("read", path))?;
    if length < MAGIC.len() as u64 {
        file.set_len(0)
            .and_then(|()| file.seek(SeekFrom::Start(0)))
            .and_then(|_| file.write_all(&MAGIC))
            .and_then(|()| file.sync_all())
            .map_err(failed("write", path))?;
    }
    Ok(file)
}

fn new_file(folder: &Path, name: &str) -> Result<(File, PathBuf), OpenError> {
    let path = folder.join(name);
    let mut file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .open(&path)
        .map_err(failed("make", &path))?;
    file.write_all(&MAGIC).and_then(|()| file.sync_all()).map_err(failed("write", &path))?;
    sync_folder(folder).map_err(failed("sync", folder))?;
    Ok((file, path))
}

fn sync_folder(folder: &Path) -> std::io::Result<()> {
    File::open(folder)?.sync_all()
}
