//! Messages as the bodies of requests and answers: protobuf, or JSON as Mesos writes it.
//!
//! Mesos's JSON shows only fields that are set, under their names in the protocol files, enums by
//! name, bytes as base64 and 64-bit integers as numbers. What it does not know it skips. JSON, and the look for
//! absent fields, take the feature `json`: executors do without, as each task has one.

#[cfg(feature = "json")]
mod json;

use std::fmt;

use bytes::Bytes;
use prost::{Message, Name};

/// How a message is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ContentType {
    /// `application/x-protobuf`.
    #[default]
    Protobuf,
    /// `application/json`.
    #[cfg(feature = "json")]
    Json,
}

impl ContentType {
    /// The media type.
    pub const fn media_type(self) -> &'static str {
        match self {
            Self::Protobuf => "application/x-protobuf",
            #[cfg(feature = "json")]
            Self::Json => "application/json",
        }
    }

    /// The content type of a media type; parameters such as `charset` make no difference.
    pub fn of_media_type(text: &str) -> Option<Self> {
        let text = text.split(';').next().unwrap_or("").trim();
        let known = [
            Self::Protobuf,
            #[cfg(feature = "json")]
            Self::Json,
        ];
        known.into_iter().find(|ty| ty.media_type().eq_ignore_ascii_case(text))
    }
}

impl fmt::Display for ContentType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.media_type())
    }
}

/// Why a body is no message. The texts are those with which Mesos answers.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BodyError {
    /// The protobuf is malformed.
    #[error("Failed to parse body into {message} protobuf")]
    Protobuf {
        /// The message that was expected, by its short name.
        message: String,
    },
    /// The text is no JSON.
    #[cfg(feature = "json")]
    #[error("Failed to parse body into JSON: {reason}")]
    Json {
        /// What the parser says.
        reason: String,
    },
    /// The JSON is not that of the message.
    #[cfg(feature = "json")]
    #[error("Failed to convert JSON into {message} protobuf: {reason}")]
    Convert {
        /// The message that was expected, by its short name.
        message: String,
        /// What does not fit.
        reason: String,
    },
    /// The message cannot be written; its type is not in the protocol files.
    #[cfg(feature = "json")]
    #[error("{0} is no message of the protocol")]
    Unknown(String),
}

/// Writes a message.
///
/// # Errors
/// The message is not in the protocol files, as all of [`crate::v1`] are.
pub fn encode<M: Message + Name>(message: &M, ty: ContentType) -> Result<Bytes, BodyError> {
    let protobuf = Bytes::from(message.encode_to_vec());
    match ty {
        ContentType::Protobuf => Ok(protobuf),
        #[cfg(feature = "json")]
        ContentType::Json => json::encode::<M>(protobuf),
    }
}

/// Reads a message of a master or an agent, who know what they write: protobuf without a required field has
/// its default.
///
/// # Errors
/// [`BodyError`]: what does not fit.
pub fn decode<M: Message + Name + Default>(body: &[u8], ty: ContentType) -> Result<M, BodyError> {
    match ty {
        ContentType::Protobuf => M::decode(body).map_err(|_| malformed::<M>()),
        #[cfg(feature = "json")]
        ContentType::Json => json::decode(body),
    }
}

/// Reads a message of anybody: required fields that are absent are refused.
///
/// # Errors
/// [`BodyError`]: what does not fit.
#[cfg(feature = "json")]
pub fn decode_checked<M: Message + Name + Default>(
    body: &[u8],
    ty: ContentType,
) -> Result<M, BodyError> {
    if ty == ContentType::Protobuf && !json::is_whole::<M>(body)? {
        return Err(malformed::<M>());
    }
    decode(body, ty)
}

fn malformed<M: Name>() -> BodyError {
    BodyError::Protobuf { message: M::NAME.to_owned() }
}

#[cfg(all(test, feature = "json"))]
mod tests {
    use super::*;
    use crate::v1::scheduler::Call;

    #[test]
    fn protobuf_of_anybody_must_have_its_required_fields() {
        // A kill, of a task without an id: field 6 with field 1, which is empty.
        let call = [0x32, 0x02, 0x0a, 0x00];
        let error = decode_checked::<Call>(&call, ContentType::Protobuf).unwrap_err();
        assert_eq!(error.to_string(), "Failed to parse body into Call protobuf");
        let read: Call = decode(&call, ContentType::Protobuf).unwrap();
        assert_eq!(read.kill.unwrap().task_id.value, "");
        let whole = [0x32, 0x05, 0x0a, 0x03, 0x0a, 0x01, b't'];
        let read: Call = decode_checked(&whole, ContentType::Protobuf).unwrap();
        assert_eq!(read.kill.unwrap().task_id.value, "t");
    }
}
