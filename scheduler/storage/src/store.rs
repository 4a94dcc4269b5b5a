//! Opening, appending, snapshots.

use std::fs::{File, OpenOptions};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use aurora_scheduler_core::{Op, State};
use prost::Message;

use crate::convert::{from_proto, to_proto};
use crate::frame::{self, Frame, MAGIC};
use crate::proto::Batch;

/// How large a record is, in bytes, that takes no further step. Without it a record of many large
/// steps could be longer than [`frame::MAX_PAYLOAD`].
const FULL: usize = 16 << 20;

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
    /// The snapshot cannot be written. The log is as good as before: steps can be appended, and a
    /// snapshot can be tried again.
    fn snapshot(&mut self, state: &State) -> Result<(), StoreError>;

    /// How many bytes of steps have been appended since the last snapshot.
    fn since_snapshot(&self) -> u64;
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
    /// How much of the segment is on disk.
    synced: u64,
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
        for path in &files.unfinished {
            remove(path);
        }
        let mut state = State::default();
        let mut next = 0;
        if let Some((number, path)) = files.snapshots.pop() {
            read_snapshot(&path, &mut state)?;
            next = number;
        }
        let mut size = 0;
        let mut last = None;
        for (index, (number, path)) in files.segments.iter().enumerate() {
            let is_last = index + 1 == files.segments.len();
            let read = read_segment(path, *number, is_last, &mut next, &mut state)?;
            size += read.replayed;
            last = Some((path, read));
        }
        // What has been read may be in memory only, left there by a program that was killed. It
        // is acted on from here on, so it must be on disk.
        let open_last = match last {
            Some((path, read)) => Some((open_at_end(path, read.end)?, path.clone(), read)),
            None => None,
        };
        let (segment, segment_path) = match open_last {
            Some((file, path, read)) if read.next == next => (file, path),
            // The records of the last segment end before those of the snapshot, or of the segment
            // before it: what is appended would not follow on them.
            _ => new_file(folder, &segment_name(next))?,
        };
        sync_folder(folder)?;
        let synced = segment.metadata().map_err(failed("look at", &segment_path))?.len();
        let store = Self {
            folder: folder.to_owned(),
            _lock: lock,
            segment,
            segment_path,
            synced,
            next,
            since_snapshot: size,
            failed: false,
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
        self.segment.write_all(&self.buffer).map_err(failed("append to", path))?;
        self.segment.sync_data().map_err(failed("sync", path))?;
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

    /// Sees to it that the next record is the first of its segment.
    fn begin_segment(&mut self) -> Result<(), FileError> {
        let name = segment_name(self.next);
        if !self.segment_path.ends_with(&name) {
            (self.segment, self.segment_path) = new_file(&self.folder, &name)?;
            self.synced = MAGIC.len() as u64;
        }
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
            remove(path);
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
        let path = self.folder.join(format!("snapshot-{:020}", self.next));
        let temporary = path.with_extension(UNFINISHED);
        // The segment that follows must be there before the snapshot says that it begins there,
        // and once it is there nothing may go into the one before.
        let written =
            write_snapshot(&temporary, state).and_then(|()| Ok(self.begin_segment()?)).and_then(
                |()| Ok(std::fs::rename(&temporary, &path).map_err(failed("rename", &temporary))?),
            );
        if written.is_err() {
            remove(&temporary);
        }
        written?;
        sync_folder(&self.folder)?;
        self.since_snapshot = 0;
        self.remove_superseded();
        Ok(())
    }

    fn since_snapshot(&self) -> u64 {
        self.since_snapshot
    }
}

/// How the name of a snapshot ends that is being written.
const UNFINISHED: &str = "tmp";

fn segment_name(first: u64) -> String {
    format!("log-{first:020}")
}

fn failed(action: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> FileError {
    let path = path.to_owned();
    move |source| FileError { action, path, source }
}

/// Removes a file that is of no use. If it cannot be removed now, opening the log will try again.
fn remove(path: &Path) {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            tracing::warn!(path = %path.display(), %error, "failed to remove a file of the log");
        }
        _ => {}
    }
}

fn make_folder(folder: &Path) -> Result<(), FileError> {
    use std::os::unix::fs::DirBuilderExt;
    let missing: Vec<&Path> = folder.ancestors().take_while(|path| !path.exists()).collect();
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(folder)
        .map_err(failed("make the folder", folder))?;
    // A folder is there after a loss of power if the one it is in is on disk.
    for parent in missing.into_iter().filter_map(Path::parent) {
        sync_folder(if parent.as_os_str().is_empty() { Path::new(".") } else { parent })?;
    }
    Ok(())
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
        Err(errno) => return Err(failed("lock", &path)(errno.into()).into()),
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
    /// Snapshots that were never finished.
    unfinished: Vec<PathBuf>,
}

fn list(folder: &Path) -> Result<Files, FileError> {
    let mut files = Files::default();
    for entry in std::fs::read_dir(folder).map_err(failed("read the folder", folder))? {
        let entry = entry.map_err(failed("read the folder", folder))?;
        let name = entry.file_name();
        let Some((kind, number)) = name.to_str().and_then(|name| name.split_once('-')) else {
            continue;
        };
        let (number, is_finished) = match number.strip_suffix(UNFINISHED) {
            Some(number) => (number.trim_end_matches('.'), false),
            None => (number, true),
        };
        let Ok(number) = number.parse::<u64>() else { continue };
        match kind {
            "snapshot" if !is_finished => files.unfinished.push(entry.path()),
            "snapshot" => files.snapshots.push((number, entry.path())),
            "log" if is_finished => files.segments.push((number, entry.path())),
            _ => {}
        }
    }
    files.snapshots.sort();
    files.segments.sort();
    Ok(files)
}

/// The content of a file; none if it was never finished being made.
fn read_file(path: &Path) -> Result<Vec<u8>, OpenError> {
    let bytes = std::fs::read(path).map_err(failed("read", path))?;
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
    /// Where its whole records end; 0 if not even its head is whole.
    end: usize,
    /// The number after its last record's.
    next: u64,
    /// The size of those of its records that no snapshot holds.
    replayed: u64,
}

/// Replays a segment. An unfinished end of the last segment is left out.
fn read_segment(
    path: &Path,
    first: u64,
    is_last: bool,
    next: &mut u64,
    state: &mut State,
) -> Result<Segment, OpenError> {
    let bytes = read_file(path)?;
    let end = MAGIC.len().min(bytes.len());
    let mut read = Segment { end, next: first, replayed: 0 };
    if first > *next {
        return Err(corrupt(path, 0, format!("records {next} to {} are missing", first - 1)));
    }
    loop {
        match frame::decode(&bytes[read.end..]) {
            Frame::End => break,
            Frame::Whole { number, payload, length, .. } => {
                if number != read.next {
                    return Err(corrupt(
                        path,
                        read.end,
                        format!("record {number} is where {} should be", read.next),
                    ));
                }
                // What a snapshot holds already is only checked.
                if number >= *next {
                    apply(payload, path, read.end, state)?;
                    *next = number + 1;
                    read.replayed += length as u64;
                }
                read.next += 1;
                read.end += length;
            }
            Frame::Bad(_) if is_last && !frame::was_synced(&bytes, read.end) => {
                let dropped = bytes.len() - read.end;
                tracing::warn!(path = %path.display(), offset = read.end, dropped, "dropping an unfinished record");
                break;
            }
            Frame::Bad(reason) => return Err(corrupt(path, read.end, reason)),
        }
    }
    Ok(read)
}

fn write_snapshot(path: &Path, state: &State) -> Result<(), StoreError> {
    let file = File::create(path).map_err(failed("make", path))?;
    let mut file = std::io::BufWriter::with_capacity(1 << 20, file);
    file.write_all(&MAGIC).map_err(failed("write", path))?;
    let mut buffer = Vec::new();
    let mut records = 0;
    let mut write = |batch: &Batch, number: u64| {
        buffer.clear();
        frame::encode(number, 0, &batch.encode_to_vec(), &mut buffer)
            .map_err(|length| StoreError::TooLarge { length })?;
        file.write_all(&buffer).map_err(failed("write", path))?;
        Ok::<_, StoreError>(())
    };
    for op in state.to_ops() {
        write(&Batch { ops: vec![to_proto(&op)], snapshot_records: None }, records)?;
        records += 1;
    }
    write(&Batch { ops: Vec::new(), snapshot_records: Some(records) }, records)?;
    let file = file.into_inner().map_err(|error| failed("write", path)(error.into_error()))?;
    file.sync_all().map_err(failed("sync", path))?;
    Ok(())
}

fn read_snapshot(path: &Path, state: &mut State) -> Result<(), OpenError> {
    let bytes = read_file(path)?;
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

/// Opens a segment to append to. Its whole records end at `end`: what follows is cut off, and a
/// head that is not whole is written again. When this returns, all of it is on disk.
fn open_at_end(path: &Path, end: usize) -> Result<File, FileError> {
    let mut file = OpenOptions::new().write(true).open(path).map_err(failed("open", path))?;
    file.set_len(end as u64).map_err(failed("shorten", path))?;
    file.seek(SeekFrom::End(0)).map_err(failed("read", path))?;
    if end < MAGIC.len() {
        file.write_all(&MAGIC).map_err(failed("write", path))?;
    }
    file.sync_all().map_err(failed("sync", path))?;
    Ok(file)
}

fn new_file(folder: &Path, name: &str) -> Result<(File, PathBuf), FileError> {
    let path = folder.join(name);
    let mut file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .open(&path)
        .map_err(failed("make", &path))?;
    let written = file
        .write_all(&MAGIC)
        .and_then(|()| file.sync_all())
        .map_err(failed("write", &path))
        .and_then(|()| sync_folder(folder));
    if let Err(error) = written {
        remove(&path);
        return Err(error);
    }
    Ok((file, path))
}

fn sync_folder(folder: &Path) -> Result<(), FileError> {
    File::open(folder).and_then(|file| file.sync_all()).map_err(failed("sync", folder))
}
