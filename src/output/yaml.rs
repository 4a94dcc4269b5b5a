//! Results as YAML.

use serde::{Serialize, Serializer};
use serde_json::Value;

use crate::failure::{Code, Failure};

/// A value as one YAML document.
pub(super) fn write(value: &impl Serialize) -> Result<String, Failure> {
    let failed = |error: &dyn std::fmt::Display| {
        Failure::new(Code::Error, format!("failed to print the result: {error}"))
    };
    let value = serde_json::to_value(value).map_err(|error| failed(&error))?;
    serde_saphyr::to_string(&Plain(&value)).map_err(|error| failed(&error))
}

/// A value of JSON for any format: a number of `serde_json` is one to `serde_json` alone, as it keeps all digits.
struct Plain<'a>(&'a Value);

impl Serialize for Plain<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            Value::Null => serializer.serialize_unit(),
            Value::Bool(value) => serializer.serialize_bool(*value),
            Value::String(text) => serializer.serialize_str(text),
            Value::Array(values) => serializer.collect_seq(values.iter().map(Plain)),
            Value::Object(fields) => {
                serializer.collect_map(fields.iter().map(|(key, value)| (key, Plain(value))))
            }
            Value::Number(number) => match (number.as_i64(), number.as_u64(), number.as_f64()) {
                (Some(number), ..) => serializer.serialize_i64(number),
                (None, Some(number), _) => serializer.serialize_u64(number),
                (None, None, Some(number)) => serializer.serialize_f64(number),
                (None, None, None) => serializer.serialize_str(&number.to_string()),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn yaml_says_what_json_does() {
        let value = json!({
            "a": [1, -2, 0.5, u64::MAX, true, null],
            "b": {"no": "no", "number": "12", "empty": "", "lines": "a\nb\n", "colon": "a: b"},
            "c": [],
        });
        let text = write(&value).unwrap();
        let back: serde_json::Value = serde_saphyr::from_str(&text).unwrap();
        assert_eq!(back.to_string(), value.to_string(), "{text}");
    }
}
