//! How records lie in a checkpoint.
//!
//! The file starts with [`MAGIC`], whose last byte is the version of the format. Then come frames:
//!
//! ```text
//! length of the payload   u32, little endian
//! CRC-32 of the length    u32, little endian
//! CRC-32 of the payload   u32, little endian
//! payload                 a `Record`
//! ```
//!
//! The length has its own checksum so that a damaged length in the middle of the file is told
//! apart from a last frame that was cut off.

/// The first bytes of a checkpoint; the last one is the version of the format.
pub const MAGIC: [u8; 8] = *b"THERMOS\x01";

/// The size of what precedes a payload, in bytes.
pub const PREFIX: usize = 12;

/// The longest payload, in bytes.
pub const MAX_PAYLOAD: usize = 64 << 20;

/// What lies at the beginning of some bytes.
#[derive(Debug, PartialEq, Eq)]
pub enum Frame<'a> {
    /// A whole frame.
    Whole {
        /// The payload.
        payload: &'a [u8],
        /// Where the next frame starts.
        next: usize,
    },
    /// Nothing, or the beginning of a frame: its end was not written, or not yet.
    Torn,
    /// Bytes that no crash of the writer leaves behind.
    Corrupt(&'static str),
}

/// Appends a frame with `payload`, or says that it is too long.
pub fn encode(payload: &[u8], out: &mut Vec<u8>) -> Result<(), usize> {
    let length = match u32::try_from(payload.len()) {
        Ok(length) if payload.len() <= MAX_PAYLOAD => length.to_le_bytes(),
        _ => return Err(payload.len()),
    };
    out.reserve(PREFIX + payload.len());
    out.extend_from_slice(&length);
    out.extend_from_slice(&crc32fast::hash(&length).to_le_bytes());
    out.extend_from_slice(&crc32fast::hash(payload).to_le_bytes());
    out.extend_from_slice(payload);
    Ok(())
}

/// Reads the frame that `bytes`, everything up to the end of the file, begins with.
pub fn decode(bytes: &[u8]) -> Frame<'_> {
    let Some((prefix, rest)) = bytes.split_first_chunk::<PREFIX>() else { return Frame::Torn };
    let [l0, l1, l2, l3, a0, a1, a2, a3, b0, b1, b2, b3] = *prefix;
    let length = [l0, l1, l2, l3];
    if crc32fast::hash(&length) != u32::from_le_bytes([a0, a1, a2, a3]) {
        // A machine that lost power may leave zeros where the last frame would have been.
        let blank = bytes.iter().all(|byte| *byte == 0);
        return if blank { Frame::Torn } else { Frame::Corrupt("damaged length") };
    }
    let length = u32::from_le_bytes(length) as usize;
    if length > MAX_PAYLOAD {
        return Frame::Corrupt("record longer than 64 MiB");
    }
    let Some(payload) = rest.get(..length) else { return Frame::Torn };
    if crc32fast::hash(payload) != u32::from_le_bytes([b0, b1, b2, b3]) {
        let last = rest.len() == length;
        return if last { Frame::Torn } else { Frame::Corrupt("damaged record") };
    }
    Frame::Whole { payload, next: PREFIX + length }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{Frame, decode, encode};

    fn frames(payloads: &[Vec<u8>]) -> Vec<u8> {
        let mut out = Vec::new();
        for payload in payloads {
            encode(payload, &mut out).unwrap();
        }
        out
    }

    fn read_all(mut bytes: &[u8]) -> (Vec<Vec<u8>>, Option<&'static str>) {
        let mut read = Vec::new();
        loop {
            match decode(bytes) {
                Frame::Whole { payload, next } => {
                    read.push(payload.to_vec());
                    bytes = &bytes[next..];
                }
                Frame::Torn => return (read, None),
                Frame::Corrupt(why) => return (read, Some(why)),
            }
        }
    }

    fn payloads() -> impl Strategy<Value = Vec<Vec<u8>>> {
        prop::collection::vec(prop::collection::vec(any::<u8>(), 1..40), 1..8)
    }

    proptest! {
        #[test]
        fn a_cut_at_any_byte_loses_only_the_last_frame(payloads in payloads(), cut: prop::sample::Index) {
            let bytes = frames(&payloads);
            let cut = cut.index(bytes.len() + 1);
            let whole = (0..=payloads.len()).rev().find(|n| frames(&payloads[..*n]).len() <= cut);
            let (read, corrupt) = read_all(&bytes[..cut]);
            prop_assert_eq!(corrupt, None);
            prop_assert_eq!(&read[..], &payloads[..whole.unwrap()]);
        }

        #[test]
        fn a_changed_byte_is_never_read_as_good(
            payloads in payloads(), at: prop::sample::Index, change in 1u8..,
        ) {
            let mut bytes = frames(&payloads);
            let at = at.index(bytes.len());
            bytes[at] ^= change;
            let whole = (0..=payloads.len()).rev().find(|n| frames(&payloads[..*n]).len() <= at).unwrap();
            let (read, corrupt) = read_all(&bytes);
            prop_assert_eq!(&read[..], &payloads[..whole], "only what precedes the change is read");
            if whole + 1 < payloads.len() {
                prop_assert!(corrupt.is_some(), "damage before the last frame is reported");
            }
        }
    }
}
