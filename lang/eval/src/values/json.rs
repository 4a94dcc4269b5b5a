//! Objects as JSON text and back.

use std::io;

use serde::Serialize;
use serde_json::ser::{CharEscape, Formatter, Serializer};
use serde_json::{Number, Value};

use aurora_template::types::{Plain, Type, TypeMismatch};

/// JSON as Python writes it: with blanks after commas and colons, and ASCII only.
pub(super) fn text_of(json: &Value) -> String {
    let mut bytes = Vec::new();
    // Writing values to memory does not fail.
    match json.serialize(&mut Serializer::with_formatter(&mut bytes, Spaced)) {
        Ok(()) => String::from_utf8(bytes).unwrap_or_default(),
        Err(_) => String::new(),
    }
}

struct Spaced;

impl Formatter for Spaced {
    fn begin_array_value<W: ?Sized + io::Write>(
        &mut self,
        writer: &mut W,
        first: bool,
    ) -> io::Result<()> {
        if first { Ok(()) } else { writer.write_all(b", ") }
    }

    fn begin_object_key<W: ?Sized + io::Write>(
        &mut self,
        writer: &mut W,
        first: bool,
    ) -> io::Result<()> {
        if first { Ok(()) } else { writer.write_all(b", ") }
    }

    fn begin_object_value<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        writer.write_all(b": ")
    }

    fn write_string_fragment<W: ?Sized + io::Write>(
        &mut self,
        writer: &mut W,
        fragment: &str,
    ) -> io::Result<()> {
        for character in fragment.chars() {
            if character.is_ascii() {
                write!(writer, "{character}")?;
                continue;
            }
            for unit in character.encode_utf16(&mut [0; 2]) {
                write!(writer, "\\u{unit:04x}")?;
            }
        }
        Ok(())
    }

    fn write_char_escape<W: ?Sized + io::Write>(
        &mut self,
        writer: &mut W,
        escape: CharEscape,
    ) -> io::Result<()> {
        serde_json::ser::CompactFormatter.write_char_escape(writer, escape)
    }
}

/// The data of a JSON text.
pub(super) fn parse(text: &str) -> Result<Value, TypeMismatch> {
    serde_json::from_str(text)
        .map_err(|error| TypeMismatch::new(format!("this is no JSON: {error}")))
}

/// JSON as plain data for a type. Unless it is to be `strict`, what the type and the structs that
/// are its fields do not know is left out.
pub(super) fn plain(json: Value, ty: Option<&Type>, strict: bool) -> Plain {
    match json {
        Value::Null => Plain::Other("None".to_owned()),
        Value::Bool(value) => Plain::Bool(value),
        Value::Number(number) => number_of(&number),
        Value::String(text) => Plain::Text(text),
        Value::Array(items) => {
            // Structs within lists are taken as they are.
            Plain::List(items.into_iter().map(|item| plain(item, None, strict)).collect())
        }
        Value::Object(fields) => {
            let known = match ty {
                Some(Type::Struct(known)) => Some(known),
                _ => None,
            };
            let entries = fields.into_iter().filter_map(|(name, value)| {
                let position = known.and_then(|known| known.position(&name));
                if known.is_some() && position.is_none() && !strict {
                    return None;
                }
                let field = known.zip(position).map(|(known, at)| &known.fields[at].ty);
                Some((Plain::Text(name), plain(value, field, strict)))
            });
            Plain::Map(entries.collect())
        }
    }
}

fn number_of(number: &Number) -> Plain {
    let text = number.to_string();
    if text.contains(['.', 'e', 'E']) {
        number.as_f64().map_or(Plain::Other(text), Plain::Float)
    } else {
        Plain::integer(&text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_looks_like_pythons() {
        let json =
            parse(r#"{"a": [1, 2.5, "é\n\""], "b": {}, "c": 123456789012345678901}"#).unwrap();
        assert_eq!(
            text_of(&json),
            r#"{"a": [1, 2.5, "\u00e9\n\""], "b": {}, "c": 123456789012345678901}"#
        );
        assert!(parse("{").is_err());
    }
}
