//! How records lie in a file.
//!
//! A file begins with [`MAGIC`], whose last byte is the version of the format. Then come frames:
//!
//! ```text
//! length of the payload    u32, little endian
//! CRC-32 of the length     u32, little endian
//! number of the record     u64, little endian
//! CRC-32 of number and payload   u32, little endian
//! payload                  a `Batch`
//! ```
//!
//! The length has a checksum of its own, so that a damaged length in the middle of a file is told
//! apart from a last frame that was cut off. The number ties a record to its place: one that was
//! copied or left over from elsewhere does not fit.

/// The first bytes of a file; the last one is the version of the format.
pub const MAGIC: [u8; 8] = *b"AURORAL\x01";

/// What precedes a payload, in bytes.
pub const PREFIX: usize = 20;

/// The longest payload, in bytes: far above the largest step, a job of 4000 instances.
pub const MAX_PAYLOAD: usize = 256 << 20;

/// What lies at the beginning of some bytes.
#[derive(Debug, PartialEq, Eq)]
pub enum Frame<'a> {
    /// A whole frame.
    Whole {
        /// The record's number.
        number: u64,
        /// The payload.
        payload: &'a [u8],
        /// Its length, prefix included.
        length: usize,
    },
    /// Nothing, or the beginning of a frame whose end was never written.
    Torn,
    /// Bytes that no crash of the writer leaves behind.
    Corrupt(&'static str),
}

/// Appends a frame.
///
/// # Errors
/// The payload is longer than [`MAX_PAYLOAD`]; its length is given.
pub fn encode(number: u64, payload: &[u8], out: &mut Vec<u8>) -> Result<(), usize> {
    let length = match u32::try_from(payload.len()) {
        Ok(length) if payload.len() <= MAX_PAYLOAD => length.to_le_bytes(),
        _ => return Err(payload.len()),
    };
    out.reserve(PREFIX + payload.len());
    out.extend_from_slice(&length);
    out.extend_from_slice(&crc32fast::hash(&length).to_le_bytes());
    out.extend_from_slice(&number.to_le_bytes());
    out.extend_from_slice(&checksum(number, payload).to_le_bytes());
    out.extend_from_slice(payload);
    Ok(())
}

/// Reads the frame that `bytes`, everything up to the end of the file, begins with.
pub fn decode(bytes: &[u8]) -> Frame<'_> {
    // A machine that lost power may leave zeros where the last frame would have been.
    if bytes.iter().all(|&byte| byte == 0) {
        return Frame::Torn;
    }
    let Some((prefix, rest)) = bytes.split_first_chunk::<PREFIX>() else { return Frame::Torn };
    let word = |at: usize| {
        u32::from_le_bytes([prefix[at], prefix[at + 1], prefix[at + 2], prefix[at + 3]])
    };
    if crc32fast::hash(&prefix[..4]) != word(4) {
        return Frame::Corrupt("the length of a record does not match its checksum");
    }
    let Ok(length) = usize::try_from(word(0)) else {
        return Frame::Corrupt("a record is longer than memory");
    };
    if length > MAX_PAYLOAD {
        return Frame::Corrupt("a record is longer than any that is written");
    }
    let number = u64::from(word(8)) | (u64::from(word(12)) << 32);
    let Some(payload) = rest.get(..length) else { return Frame::Torn };
    if checksum(number, payload) != word(16) {
        // The end of a file may be allocated before its content is written.
        return if rest.len() == length {
            Frame::Torn
        } else {
            Frame::Corrupt("a record does not match its checksum")
        };
    }
    Frame::Whole { number, payload, length: PREFIX + length }
}

fn checksum(number: u64, payload: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&number.to_le_bytes());
    hasher.update(payload);
    hasher.finalize()
}
