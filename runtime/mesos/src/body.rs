//! Messages as the bodies of requests and answers: protobuf, or JSON as Mesos writes it.
//!
//! Mesos's JSON shows only fields that are set, under their names in the protocol files, enums by
//! name, bytes as base64 and 64-bit integers as numbers. What it does not know it skips.

use std::fmt;
use std::sync::LazyLock;

use bytes::Bytes;
use prost::{Message, Name};
use prost_reflect::{
    Cardinality, DescriptorPool, DeserializeOptions, DynamicMessage, Kind, MessageDescriptor,
    ReflectMessage, SerializeOptions, Value,
};

static POOL: LazyLock<Option<DescriptorPool>> = LazyLock::new(|| {
    DescriptorPool::decode(include_bytes!(concat!(env!("OUT_DIR"), "/mesos.fds")).as_slice()).ok()
});

/// How a message is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ContentType {
    /// `application/x-protobuf`.
    #[default]
    Protobuf,
    /// `application/json`.
    Json,
}

impl ContentType {
    /// The media type.
    pub const fn media_type(self) -> &'static str {
        match self {
            Self::Protobuf => "application/x-protobuf",
            Self::Json => "application/json",
        }
    }

    /// The content type of a media type; parameters such as `charset` make no difference.
    pub fn of_media_type(text: &str) -> Option<Self> {
        let text = text.split(';').next().unwrap_or("").trim();
        [Self::Protobuf, Self::Json]
            .into_iter()
            .find(|ty| ty.media_type().eq_ignore_ascii_case(text))
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
    #[error("Failed to parse body into JSON: {reason}")]
    Json {
        /// What the parser says.
        reason: String,
    },
    /// The JSON is not that of the message.
    #[error("Failed to convert JSON into {message} protobuf: {reason}")]
    Convert {
        /// The message that was expected, by its short name.
        message: String,
        /// What does not fit.
        reason: String,
    },
    /// The message cannot be written; its type is not in the protocol files.
    #[error("{0} is no message of the protocol")]
    Unknown(String),
}

fn descriptor<M: Name>() -> Result<MessageDescriptor, BodyError> {
    POOL.as_ref()
        .and_then(|pool| pool.get_message_by_name(&M::full_name()))
        .ok_or_else(|| BodyError::Unknown(M::full_name()))
}

/// Writes a message.
///
/// # Errors
/// [`BodyError::Unknown`], which no message of [`crate::v1`] gives.
pub fn encode<M: Message + Name>(message: &M, ty: ContentType) -> Result<Bytes, BodyError> {
    let protobuf = Bytes::from(message.encode_to_vec());
    match ty {
        ContentType::Protobuf => Ok(protobuf),
        ContentType::Json => {
            let dynamic = DynamicMessage::decode(descriptor::<M>()?, protobuf)
                .map_err(|_| BodyError::Protobuf { message: M::NAME.to_owned() })?;
            let options = SerializeOptions::new()
                .use_proto_field_name(true)
                .stringify_64_bit_integers(false)
                .skip_default_fields(true);
            let mut json = serde_json::Serializer::new(Vec::new());
            dynamic.serialize_with_options(&mut json, &options).map_err(|error| {
                BodyError::Convert { message: M::NAME.to_owned(), reason: error.to_string() }
            })?;
            Ok(json.into_inner().into())
        }
    }
}

/// Reads a message. Fields that are required but absent are refused.
///
/// # Errors
/// [`BodyError`]: what does not fit.
pub fn decode<M: Message + Name + Default>(body: &[u8], ty: ContentType) -> Result<M, BodyError> {
    let malformed = || BodyError::Protobuf { message: M::NAME.to_owned() };
    match ty {
        ContentType::Protobuf => {
            let message = M::decode(body).map_err(|_| malformed())?;
            let dynamic =
                DynamicMessage::decode(descriptor::<M>()?, body).map_err(|_| malformed())?;
            if missing(&dynamic).is_empty() { Ok(message) } else { Err(malformed()) }
        }
        ContentType::Json => {
            let convert =
                |reason: String| BodyError::Convert { message: M::NAME.to_owned(), reason };
            let json: serde_json::Value = serde_json::from_slice(body).map_err(|error| {
                let near = near(body, &error);
                BodyError::Json {
                    reason: format!("syntax error at line {} near: {near}", error.line()),
                }
            })?;
            if !json.is_object() {
                return Err(convert("Expecting a JSON object".to_owned()));
            }
            let options = DeserializeOptions::new().deny_unknown_fields(false);
            let dynamic =
                DynamicMessage::deserialize_with_options(descriptor::<M>()?, json, &options)
                    .map_err(|error| convert(error.to_string()))?;
            let missing = missing(&dynamic);
            if !missing.is_empty() {
                return Err(convert(format!("Missing required fields: {}", missing.join(", "))));
            }
            dynamic.transcode_to().map_err(|_| malformed())
        }
    }
}

/// What stands where JSON is malformed; nothing if it ends too early.
fn near(body: &[u8], error: &serde_json::Error) -> String {
    if error.is_eof() {
        return String::new();
    }
    let line = body.split(|&byte| byte == b'\n').nth(error.line().saturating_sub(1));
    let rest = line.and_then(|line| line.get(error.column().saturating_sub(1)..));
    String::from_utf8_lossy(rest.unwrap_or_default()).chars().take(20).collect()
}

/// The addresses of required fields that are absent.
fn missing(message: &DynamicMessage) -> Vec<String> {
    let mut found = Vec::new();
    add_missing(message, "", &mut found);
    found
}

fn add_missing(message: &DynamicMessage, prefix: &str, found: &mut Vec<String>) {
    for field in message.descriptor().fields() {
        let name = format!("{prefix}{}", field.name());
        if !message.has_field(&field) {
            if field.cardinality() == Cardinality::Required {
                found.push(name);
            }
            continue;
        }
        if !matches!(field.kind(), Kind::Message(_)) {
            continue;
        }
        match message.get_field(&field).as_ref() {
            Value::Message(inner) => add_missing(inner, &format!("{name}."), found),
            Value::List(items) => {
                for (index, item) in items.iter().enumerate() {
                    if let Value::Message(inner) = item {
                        add_missing(inner, &format!("{name}[{index}]."), found);
                    }
                }
            }
            _ => {}
        }
    }
}
