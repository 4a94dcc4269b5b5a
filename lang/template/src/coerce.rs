//! What a scalar is once no references are left in it (`dsl.md` 1.1).

use crate::object::Object;
use crate::plain::Plain;
use crate::types::Type;

impl Type {
    /// A scalar without references as the value of its type.
    ///
    /// # Errors
    /// What is wrong with the value.
    pub fn coerce(&self, value: &Plain) -> Result<Plain, String> {
        self.coerced(value).ok_or_else(|| match value {
            Plain::Object(_) if !matches!(self, Self::Struct(_)) => format!(
                "expected {}, got {value}; text with a reference to it can stand here",
                self.in_words()
            ),
            Plain::Text(text) if matches!(self, Self::Integer | Self::Float) => match sized(text) {
                Some(size) => {
                    format!(
                        "expected {}, got {value}: write {size}, without quotes",
                        self.in_words()
                    )
                }
                None => format!("expected {}, got {value}", self.in_words()),
            },
            _ => format!("expected {}, got {value}", self.in_words()),
        })
    }

    fn coerced(&self, value: &Plain) -> Option<Plain> {
        match (self, value) {
            (Self::Enum(ty), Plain::Text(text)) => ty.has(text).then(|| value.clone()),
            (Self::String, Plain::Text(_)) => Some(value.clone()),
            (Self::String, Plain::Int(_) | Plain::Big(_) | Plain::Float(_) | Plain::Bool(_)) => {
                Some(Plain::Text(value.text()))
            }
            (Self::Integer, value) => integer(value),
            (Self::Float, value) => {
                float(value).filter(|number| number.is_finite()).map(Plain::Float)
            }
            (Self::Boolean, value) => boolean(value).map(Plain::Bool),
            _ => None,
        }
    }
}

/// A text such as `64MB` or `1.5 g` as the language writes sizes.
fn sized(text: &str) -> Option<String> {
    let unit = text.trim_start_matches(|c: char| c.is_ascii_digit() || c == '.');
    let number = text.strip_suffix(unit)?.trim();
    number.parse::<f64>().ok()?;
    let unit = match unit.trim().to_ascii_lowercase().as_str() {
        "k" | "kb" | "kib" => "KB",
        "m" | "mb" | "mib" => "MB",
        "g" | "gb" | "gib" => "GB",
        "t" | "tb" | "tib" => "TB",
        _ => return None,
    };
    Some(format!("{number} * {unit}"))
}

fn integer(value: &Plain) -> Option<Plain> {
    match value {
        Plain::Int(_) | Plain::Big(_) => Some(value.clone()),
        Plain::Bool(value) => Some(Plain::Int(i64::from(*value))),
        Plain::Float(number) if number.is_finite() => {
            Some(Plain::integer(&format!("{:.0}", number.trunc())))
        }
        Plain::Text(text) => {
            let digits = text.trim();
            let unsigned = digits.strip_prefix(['+', '-']).unwrap_or(digits);
            (!unsigned.is_empty() && unsigned.bytes().all(|b| b.is_ascii_digit()))
                .then(|| Plain::integer(digits))
        }
        _ => None,
    }
}

#[expect(clippy::cast_precision_loss, reason = "a number field is a float, as specified")]
fn float(value: &Plain) -> Option<f64> {
    match value {
        Plain::Int(number) => Some(*number as f64),
        Plain::Big(digits) => digits.parse().ok(),
        Plain::Float(number) => Some(*number),
        Plain::Bool(value) => Some(f64::from(u8::from(*value))),
        Plain::Text(text) => text.trim().parse().ok(),
        _ => None,
    }
}

fn boolean(value: &Plain) -> Option<bool> {
    match value {
        Plain::Bool(value) => Some(*value),
        Plain::Int(number) => Some(*number != 0),
        Plain::Big(_) => Some(true),
        Plain::Float(number) => Some(*number != 0.0),
        Plain::Text(text) => match text.as_str() {
            "1" => Some(true),
            "0" => Some(false),
            text if text.eq_ignore_ascii_case("true") => Some(true),
            text if text.eq_ignore_ascii_case("false") => Some(false),
            _ => None,
        },
        _ => None,
    }
}

impl Object {
    /// Whether a scalar of this type and value is what an interpolation would make of it.
    pub(crate) fn is_final(ty: &Type, value: &Plain) -> bool {
        match (ty, value) {
            (Type::String, Plain::Text(text)) => !text.contains("{{"),
            (Type::Integer, Plain::Int(_) | Plain::Big(_)) | (Type::Boolean, Plain::Bool(_)) => {
                true
            }
            (Type::Float, Plain::Float(number)) => number.is_finite(),
            (Type::Enum(ty), Plain::Text(text)) => ty.has(text) && !text.contains("{{"),
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &str) -> Plain {
        Plain::Text(text.to_owned())
    }

    #[test]
    fn what_each_scalar_takes() {
        use Plain::{Big, Bool, Float, Int};
        let big = "123456789012345678901234567890";
        let cases = [
            (Type::String, text(" a "), Some(text(" a "))),
            (Type::String, Int(7), Some(text("7"))),
            (Type::String, Big(big.into()), Some(text(big))),
            (Type::String, Float(1.0 / 3.0), Some(text("0.333333333333"))),
            (Type::String, Float(1e11), Some(text("1e+11"))),
            (Type::String, Bool(true), Some(text("True"))),
            (Type::String, Plain::Empty, None),
            (Type::String, Plain::List(vec![]), None),
            (Type::String, Plain::Other("None".into()), None),
            (Type::Integer, Float(2.9), Some(Int(2))),
            (Type::Integer, Float(-1.5), Some(Int(-1))),
            (Type::Integer, Float(-0.5), Some(Int(0))),
            (Type::Integer, Float(1e20), Some(Big("100000000000000000000".into()))),
            (Type::Integer, Float(f64::NAN), None),
            (Type::Integer, text(" 7 "), Some(Int(7))),
            (Type::Integer, text("+4"), Some(Int(4))),
            (Type::Integer, text("007"), Some(Int(7))),
            (Type::Integer, text("-0"), Some(Int(0))),
            (Type::Integer, text(big), Some(Big(big.into()))),
            (Type::Integer, text("2.5"), None),
            (Type::Integer, text("0x10"), None),
            (Type::Integer, text("1_000"), None),
            (Type::Integer, text("1L"), None),
            (Type::Integer, text(""), None),
            (Type::Integer, text("- 1"), None),
            (Type::Integer, text("+-1"), None),
            (Type::Integer, Bool(true), Some(Int(1))),
            (Type::Float, text("1e-1"), Some(Float(0.1))),
            (Type::Float, text(" 2.50 "), Some(Float(2.5))),
            (Type::Float, text(".5"), Some(Float(0.5))),
            (Type::Float, text("5."), Some(Float(5.0))),
            (Type::Float, text("nan"), None),
            (Type::Float, text("inf"), None),
            (Type::Float, Int(1), Some(Float(1.0))),
            (Type::Float, Bool(false), Some(Float(0.0))),
            (Type::Float, Big(big.into()), Some(Float(1.234_567_890_123_456_8e29))),
            (Type::Boolean, text("TRUE"), Some(Bool(true))),
            (Type::Boolean, text("0"), Some(Bool(false))),
            (Type::Boolean, text("yes"), None),
            (Type::Boolean, text(" true"), None),
            (Type::Boolean, Int(2), Some(Bool(true))),
            (Type::Boolean, Float(0.0), Some(Bool(false))),
            (Type::Boolean, Plain::Other("None".into()), None),
        ];
        for (ty, value, expected) in cases {
            assert_eq!(ty.coerce(&value).ok(), expected, "{ty} of {value:?}");
        }
    }

    #[test]
    fn what_is_final_is_what_coercion_makes() {
        let ty = Type::one_of(Some("E"), &["a", "b"]).unwrap();
        for ty in [Type::String, Type::Integer, Type::Float, Type::Boolean, ty] {
            for value in [text("a"), text("1"), Plain::Int(1), Plain::Float(1.0), Plain::Bool(true)]
            {
                if Object::is_final(&ty, &value) {
                    assert_eq!(ty.coerce(&value), Ok(value.clone()), "{ty} of {value:?}");
                }
                if let Ok(coerced) = ty.coerce(&value) {
                    assert!(Object::is_final(&ty, &coerced), "{ty} of {value:?}");
                }
            }
        }
    }
}
