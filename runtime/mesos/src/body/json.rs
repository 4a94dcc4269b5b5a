//! JSON, and what the descriptions of messages tell that their types do not.

use std::sync::LazyLock;

use bytes::Bytes;
use prost::{Message, Name};
use prost_reflect::{
    Cardinality, DescriptorPool, DeserializeOptions, DynamicMessage, Kind, MessageDescriptor,
    ReflectMessage, SerializeOptions, Value,
};

use super::{BodyError, malformed};

static POOL: LazyLock<Option<DescriptorPool>> = LazyLock::new(|| {
    DescriptorPool::decode(include_bytes!(concat!(env!("OUT_DIR"), "/mesos.fds")).as_slice()).ok()
});

fn descriptor<M: Name>() -> Result<MessageDescriptor, BodyError> {
    POOL.as_ref()
        .and_then(|pool| pool.get_message_by_name(&M::full_name()))
        .ok_or_else(|| BodyError::Unknown(M::full_name()))
}

/// Writes a message, given as protobuf.
pub(super) fn encode<M: Name>(protobuf: Bytes) -> Result<Bytes, BodyError> {
    let dynamic =
        DynamicMessage::decode(descriptor::<M>()?, protobuf).map_err(|_| malformed::<M>())?;
    let options = SerializeOptions::new()
        .use_proto_field_name(true)
        .stringify_64_bit_integers(false)
        .skip_default_fields(true);
    let mut json = serde_json::Serializer::new(Vec::new());
    dynamic.serialize_with_options(&mut json, &options).map_err(|error| BodyError::Convert {
        message: M::NAME.to_owned(),
        reason: error.to_string(),
    })?;
    Ok(json.into_inner().into())
}

/// Reads a message. Fields that are required but absent are refused.
pub(super) fn decode<M: Message + Name + Default>(body: &[u8]) -> Result<M, BodyError> {
    let convert = |reason: String| BodyError::Convert { message: M::NAME.to_owned(), reason };
    let json: serde_json::Value = serde_json::from_slice(body).map_err(|error| {
        let near = near(body, &error);
        BodyError::Json { reason: format!("syntax error at line {} near: {near}", error.line()) }
    })?;
    if !json.is_object() {
        return Err(convert("Expecting a JSON object".to_owned()));
    }
    let options = DeserializeOptions::new().deny_unknown_fields(false);
    let dynamic = DynamicMessage::deserialize_with_options(descriptor::<M>()?, json, &options)
        .map_err(|error| convert(error.to_string()))?;
    let missing = missing(&dynamic);
    if !missing.is_empty() {
        return Err(convert(format!("Missing required fields: {}", missing.join(", "))));
    }
    dynamic.transcode_to().map_err(|_| malformed::<M>())
}

/// Whether protobuf has all fields that are required.
pub(super) fn is_whole<M: Name>(body: &[u8]) -> Result<bool, BodyError> {
    let dynamic = DynamicMessage::decode(descriptor::<M>()?, body).map_err(|_| malformed::<M>())?;
    Ok(missing(&dynamic).is_empty())
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
