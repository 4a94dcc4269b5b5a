//! Reading a checkpoint, whole or from where it was read to before.

use std::fs::File;
use std::io;
use std::os::unix::fs::{FileExt as _, OpenOptionsExt as _};
use std::path::Path;

use rustix::fs::OFlags;

use super::frame::{self, Frame, MAGIC};
use super::record::{Record, RecordError};

/// Read at most this much at once beyond what a single record needs.
const CHUNK: u64 = 1 << 20;

/// Where reading ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tail {
    /// Everything before this offset was read. Go on from here.
    pub offset: u64,
    /// Whether the beginning of one more record lies behind it. Its writer is about to finish it,
    /// or never will.
    pub torn: bool,
}

/// Why a checkpoint cannot be read further.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The operating system refused.
    #[error("failed to read at offset {offset}: {source}")]
    Io {
        /// Where.
        offset: u64,
        /// The cause.
        source: io::Error,
    },
    /// The file is no checkpoint, or one of another version.
    #[error("not a checkpoint of this version")]
    Magic,
    /// Bytes in the middle of the file are damaged.
    #[error("corrupt at offset {offset}: {reason}")]
    Corrupt {
        /// Where the damaged frame starts.
        offset: u64,
        /// What is wrong with it.
        reason: String,
    },
}

/// Opens a checkpoint to read it. A pipe in its place, whose other end nobody has, is not waited for.
///
/// # Errors
/// It is not there, no regular file, or not to be read.
pub fn open(path: &Path) -> io::Result<File> {
    let flags = OFlags::NONBLOCK.bits().cast_signed();
    let file = File::options().read(true).custom_flags(flags).open(path)?;
    if file.metadata()?.is_file() { Ok(file) } else { Err(io::Error::other("it is no file")) }
}

/// Reads the records of `file` from `offset` on (0, or a [`Tail::offset`]), handing each with its
/// offset to `each`, which may refuse it with a reason.
///
/// A cut-off last record is not an error: it is left for the next time.
///
/// # Errors
/// The file cannot be read, is of another kind, or is damaged; everything before was handed out.
pub fn read_from(
    file: &File,
    mut offset: u64,
    mut each: impl FnMut(Record) -> Result<(), String>,
) -> Result<Tail, ReadError> {
    let length = file.metadata().map_err(|source| ReadError::Io { offset, source })?.len();
    if offset == 0 {
        let mut magic = vec![0; MAGIC.len().min(usize::try_from(length).unwrap_or(usize::MAX))];
        read_at(file, &mut magic, 0)?;
        if !MAGIC.starts_with(&magic) {
            return Err(ReadError::Magic);
        }
        if magic.len() < MAGIC.len() {
            return Ok(Tail { offset: 0, torn: length > 0 });
        }
        offset = MAGIC.len() as u64;
    }
    let mut want = CHUNK;
    loop {
        let left = length.saturating_sub(offset);
        let size = left.min(want);
        let mut bytes = vec![0; usize::try_from(size).unwrap_or(usize::MAX)];
        read_at(file, &mut bytes, offset)?;
        let at_end = size == left;
        let mut rest = bytes.as_slice();
        let mut progress = false;
        loop {
            let (payload, next) = match frame::decode(rest) {
                Frame::Whole { payload, next } => (payload, next),
                Frame::Torn if at_end => return Ok(Tail { offset, torn: !rest.is_empty() }),
                // The end of the chunk, not of the file.
                Frame::Torn => break,
                Frame::Corrupt(reason) => {
                    return Err(ReadError::Corrupt { offset, reason: reason.to_owned() });
                }
            };
            Record::decode(payload)
                .map_err(|error: RecordError| error.to_string())
                .and_then(&mut each)
                .map_err(|reason| ReadError::Corrupt { offset, reason })?;
            offset += next as u64;
            rest = &rest[next..];
            progress = true;
        }
        want = if progress { CHUNK } else { want.saturating_mul(2) };
    }
}

fn read_at(file: &File, bytes: &mut [u8], offset: u64) -> Result<(), ReadError> {
    file.read_exact_at(bytes, offset).map_err(|source| ReadError::Io { offset, source })
}
