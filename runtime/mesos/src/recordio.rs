//! RecordIO, the framing of event streams: the length of a record in decimal digits, a line feed,
//! the record.

use bytes::{Buf, BufMut, Bytes, BytesMut};
use tokio_util::codec::{Decoder, Encoder};

/// The largest record that is read by default, in bytes.
pub const MAX_RECORD_LEN: usize = 64 << 20;

/// The longest length line: as many digits as a `u64` has.
const MAX_DIGITS: usize = 20;

/// Why a stream is no RecordIO.
#[derive(Debug, thiserror::Error)]
pub enum RecordIoError {
    /// A record does not begin with its length.
    #[error("expected the length of a record, got {0:?}")]
    Length(String),
    /// A record is larger than allowed.
    #[error("a record of {length} bytes is larger than the {max} bytes allowed")]
    TooLong {
        /// Its length.
        length: u64,
        /// What is allowed.
        max: usize,
    },
    /// The stream ends within a record.
    #[error("the stream ends within a record")]
    Truncated,
    /// The stream cannot be read.
    #[error(transparent)]
    Io(#[from] std::io::Error),
}

/// Reads and writes records.
#[derive(Debug, Clone)]
pub struct RecordIo {
    max: usize,
    /// The length of the record whose bytes are awaited.
    length: Option<usize>,
}

impl RecordIo {
    /// Takes records of at most `max` bytes.
    pub const fn new(max: usize) -> Self {
        Self { max, length: None }
    }
}

impl Default for RecordIo {
    fn default() -> Self {
        Self::new(MAX_RECORD_LEN)
    }
}

impl Decoder for RecordIo {
    type Item = Bytes;
    type Error = RecordIoError;

    fn decode(&mut self, source: &mut BytesMut) -> Result<Option<Bytes>, RecordIoError> {
        let length = match self.length {
            Some(length) => length,
            None => {
                let Some(end) = source.iter().take(MAX_DIGITS + 1).position(|&b| b == b'\n') else {
                    let bad = source.len() > MAX_DIGITS || !source.iter().all(u8::is_ascii_digit);
                    return if bad { Err(bad_length(source)) } else { Ok(None) };
                };
                let length: u64 = std::str::from_utf8(&source[..end])
                    .ok()
                    .filter(|digits| {
                        !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit())
                    })
                    .and_then(|digits| digits.parse().ok())
                    .ok_or_else(|| bad_length(&source[..end]))?;
                let max = self.max;
                let length = usize::try_from(length)
                    .ok()
                    .filter(|length| *length <= max)
                    .ok_or(RecordIoError::TooLong { length, max })?;
                source.advance(end + 1);
                self.length = Some(length);
                length
            }
        };
        if source.len() < length {
            // Room for the rest, but no more than is plausible: the length is the other side's word.
            source.reserve((length - source.len()).min(1 << 20));
            return Ok(None);
        }
        self.length = None;
        Ok(Some(source.split_to(length).freeze()))
    }

    fn decode_eof(&mut self, source: &mut BytesMut) -> Result<Option<Bytes>, RecordIoError> {
        match self.decode(source)? {
            Some(record) => Ok(Some(record)),
            None if source.is_empty() && self.length.is_none() => Ok(None),
            None => Err(RecordIoError::Truncated),
        }
    }
}

fn bad_length(bytes: &[u8]) -> RecordIoError {
    RecordIoError::Length(String::from_utf8_lossy(&bytes[..bytes.len().min(40)]).into_owned())
}

impl Encoder<&[u8]> for RecordIo {
    type Error = RecordIoError;

    fn encode(&mut self, record: &[u8], out: &mut BytesMut) -> Result<(), RecordIoError> {
        let length = record.len().to_string();
        out.reserve(length.len() + 1 + record.len());
        out.put_slice(length.as_bytes());
        out.put_u8(b'\n');
        out.put_slice(record);
        Ok(())
    }
}

/// One record, framed.
pub fn frame(record: &[u8]) -> Bytes {
    let mut out = BytesMut::with_capacity(record.len() + MAX_DIGITS + 1);
    out.put_slice(record.len().to_string().as_bytes());
    out.put_u8(b'\n');
    out.put_slice(record);
    out.freeze()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn records_survive_any_split(
            records in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..300), 0..8),
            cut in 1_usize..40,
        ) {
            let stream: Vec<u8> = records.iter().flat_map(|r| frame(r).to_vec()).collect();
            let mut codec = RecordIo::default();
            let mut buffer = BytesMut::new();
            let mut read = Vec::new();
            for piece in stream.chunks(cut) {
                buffer.extend_from_slice(piece);
                while let Some(record) = codec.decode(&mut buffer).unwrap() {
                    read.push(record.to_vec());
                }
            }
            prop_assert!(codec.decode_eof(&mut buffer).unwrap().is_none());
            prop_assert_eq!(read, records);
        }

        #[test]
        fn garbage_is_refused_without_panic(bytes in prop::collection::vec(any::<u8>(), 0..60)) {
            let mut codec = RecordIo::new(10);
            let mut buffer = BytesMut::from(bytes.as_slice());
            while let Ok(Some(record)) = codec.decode(&mut buffer) {
                prop_assert!(record.len() <= 10);
            }
        }
    }

    #[test]
    fn bad_streams_say_what_is_wrong() {
        let decode = |text: &str| {
            RecordIo::new(5)
                .decode_eof(&mut BytesMut::from(text))
                .map(|_| ())
                .unwrap_err()
                .to_string()
        };
        assert_eq!(decode("x\nabc"), "expected the length of a record, got \"x\"");
        assert_eq!(decode("6\nabcdef"), "a record of 6 bytes is larger than the 5 bytes allowed");
        assert_eq!(decode("3\nab"), "the stream ends within a record");
        assert!(decode("111111111111111111111111").starts_with("expected the length"));
    }
}
