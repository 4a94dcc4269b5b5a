//! How records lie in a file.
//!
//! A file begins with [`MAGIC`], whose last byte is the version of the format. Then come frames:
//!
//! ```text
//! length of the payload    u32, little endian
//! CRC-32 of the length     u32, little endian
//! number of the record     u64, little endian
//! what was synced before   u64, little endian
//! CRC-32 of the two and the payload   u32, little endian
//! payload                  a `Batch`
//! ```
//!
//! The number ties a record to its place: one that was copied or left over from elsewhere does not
//! fit.
//!
//! A machine that loses power may leave of what was not synced any part, at any place, with zeros
//! between. Every record therefore says up to which byte the file was known to be on disk when it
//! was written. What cannot be read is an unfinished end unless a later record says that it had
//! been there: see [`was_synced`].

/// The first bytes of a file; the last one is the version of the format.
pub const MAGIC: [u8; 8] = *b"AURORAL\x02";

/// What precedes a payload, in bytes.
pub const PREFIX: usize = 28;

/// The longest payload, in bytes. The largest step, which is about a job of `MAX_TASKS_PER_JOB`
/// instances, has room in it.
pub const MAX_PAYLOAD: usize = 256 << 20;

/// What lies at the beginning of some bytes.
#[derive(Debug, PartialEq, Eq)]
pub enum Frame<'a> {
    /// Nothing.
    End,
    /// A whole frame.
    Whole {
        /// The record's number.
        number: u64,
        /// How much of the file had been synced before it was written, in bytes.
        synced: u64,
        /// The payload.
        payload: &'a [u8],
        /// Its length, prefix included.
        length: usize,
    },
    /// Something else, and what is wrong with it.
    Bad(&'static str),
}

/// Appends a frame.
///
/// # Errors
/// The payload is longer than [`MAX_PAYLOAD`]; its length is given.
pub fn encode(number: u64, synced: u64, payload: &[u8], out: &mut Vec<u8>) -> Result<(), usize> {
    let length = match u32::try_from(payload.len()) {
        Ok(length) if payload.len() <= MAX_PAYLOAD => length.to_le_bytes(),
        _ => return Err(payload.len()),
    };
    out.reserve(PREFIX + payload.len());
    out.extend_from_slice(&length);
    out.extend_from_slice(&crc32fast::hash(&length).to_le_bytes());
    out.extend_from_slice(&number.to_le_bytes());
    out.extend_from_slice(&synced.to_le_bytes());
    out.extend_from_slice(&checksum(number, synced, payload).to_le_bytes());
    out.extend_from_slice(payload);
    Ok(())
}

/// Reads the frame that `bytes`, everything up to the end of the file, begins with.
pub fn decode(bytes: &[u8]) -> Frame<'_> {
    if bytes.is_empty() {
        return Frame::End;
    }
    let Some((prefix, rest)) = bytes.split_first_chunk::<PREFIX>() else {
        return Frame::Bad("the file ends within a record");
    };
    let word = |at: usize| {
        u32::from_le_bytes([prefix[at], prefix[at + 1], prefix[at + 2], prefix[at + 3]])
    };
    let long = |at: usize| u64::from(word(at)) | (u64::from(word(at + 4)) << 32);
    if crc32fast::hash(&prefix[..4]) != word(4) {
        return Frame::Bad("the length of a record does not match its checksum");
    }
    let (number, synced) = (long(8), long(16));
    let payload = usize::try_from(word(0)).ok().and_then(|length| rest.get(..length));
    let Some(payload) = payload else { return Frame::Bad("the file ends within a record") };
    if checksum(number, synced, payload) != word(24) {
        return Frame::Bad("a record does not match its checksum");
    }
    Frame::Whole { number, synced, payload, length: PREFIX + payload.len() }
}

/// Whether a whole frame after `offset`, where there is a bad one, says that what is there had
/// been synced.
pub fn was_synced(file: &[u8], offset: usize) -> bool {
    (offset + 1..file.len()).any(|at| match decode(&file[at..]) {
        Frame::Whole { synced, .. } => (offset as u64 + 1..=at as u64).contains(&synced),
        _ => false,
    })
}

fn checksum(number: u64, synced: u64, payload: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&number.to_le_bytes());
    hasher.update(&synced.to_le_bytes());
    hasher.update(payload);
    hasher.finalize()
}
