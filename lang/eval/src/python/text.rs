//! `str` and `repr` of values, as Python 2 prints them.

use std::fmt::Write;

use num_bigint::BigInt;
use starlark::values::dict::DictRef;
use starlark::values::float::StarlarkFloat;
use starlark::values::list::ListRef;
use starlark::values::tuple::TupleRef;
use starlark::values::{Heap, UnpackValue, Value, ValueLike};

use crate::values::{ObjectValue, TypeValue};
use aurora_template::number::text_of_float;
use aurora_template::object::Object;

use super::call::{Res, check_text, refuse};
use super::modules::Absent;

/// How deep lists stand in lists when they are printed.
const MAX_DEPTH: usize = 64;

/// The kind of a value, for messages.
pub(super) fn kind(value: Value<'_>) -> String {
    if let Some(object) = ObjectValue::from_value(value) {
        return match object.0.as_ref().map(Object::ty) {
            Some(ty) => format!("{} object", ty.with_article()),
            None => "Empty".to_owned(),
        };
    }
    if let Some(ty) = TypeValue::from_value(value) {
        return format!("the type {ty}");
    }
    type_name(value).to_owned()
}

/// The name of a value's type.
pub(super) fn type_name(value: Value<'_>) -> &str {
    match value.get_type() {
        "string" => "str",
        "native_function" => "function",
        "object_method" => "method",
        other => other,
    }
}

/// `str(value)`.
pub(super) fn str_of<'v>(value: Value<'v>, heap: Heap<'v>) -> Res<String> {
    if let Some(text) = value.unpack_str() {
        return Ok(text.to_owned());
    }
    let mut out = String::new();
    Writer { out: &mut out, open: Vec::new(), heap }.value(value, Form::Str)?;
    Ok(out)
}

/// `repr(value)`.
pub(super) fn repr_of<'v>(value: Value<'v>, heap: Heap<'v>) -> Res<String> {
    let mut out = String::new();
    Writer { out: &mut out, open: Vec::new(), heap }.value(value, Form::Repr)?;
    Ok(out)
}

#[derive(Clone, Copy, PartialEq)]
enum Form {
    Str,
    Repr,
}

struct Writer<'v, 'o> {
    out: &'o mut String,
    /// The lists and dicts that are being written, outermost first.
    open: Vec<Value<'v>>,
    heap: Heap<'v>,
}

impl<'v> Writer<'v, '_> {
    fn value(&mut self, value: Value<'v>, form: Form) -> Res<()> {
        check_text(self.out.len())?;
        if let Some(text) = value.unpack_str() {
            check_text(self.out.len() + text.len())?;
            match form {
                Form::Str => self.out.push_str(text),
                Form::Repr => write_quoted(self.out, text),
            }
        } else if let Some(truth) = value.unpack_bool() {
            self.out.push_str(if truth { "True" } else { "False" });
        } else if let Some(number) = value.unpack_i32() {
            let _ = write!(self.out, "{number}");
        } else if let Some(float) = value.downcast_ref::<StarlarkFloat>() {
            self.out.push_str(&match form {
                Form::Str => text_of_float(float.0),
                Form::Repr => repr_of_float(float.0),
            });
        } else if let Ok(Some(number)) = BigInt::unpack_value(value) {
            let _ = write!(self.out, "{number}");
        } else if let Some(object) = ObjectValue::from_value(value) {
            self.out.push_str(&object_text(object, form)?);
        } else if let Some(absent) = value.downcast_ref::<Absent>() {
            return absent.refuse();
        } else {
            if self.open.len() >= MAX_DEPTH {
                return refuse(format!("the value nests more than {MAX_DEPTH} deep"));
            }
            let cycle = self.open.iter().any(|outer| outer.ptr_eq(value));
            self.open.push(value);
            self.collection(value, cycle)?;
            self.open.pop();
        }
        Ok(())
    }

    fn collection(&mut self, value: Value<'v>, cycle: bool) -> Res<()> {
        if let Some(items) = ListRef::from_value(value) {
            if cycle {
                self.out.push_str("[...]");
                return Ok(());
            }
            self.items("[", items.iter(), "]")
        } else if let Some(items) = TupleRef::from_value(value) {
            let close = if items.len() == 1 { ",)" } else { ")" };
            self.items("(", items.iter(), close)
        } else if let Some(entries) = DictRef::from_value(value) {
            if cycle {
                self.out.push_str("{...}");
                return Ok(());
            }
            self.out.push('{');
            for (index, (key, value)) in entries.iter().enumerate() {
                if index > 0 {
                    self.out.push_str(", ");
                }
                self.value(key, Form::Repr)?;
                self.out.push_str(": ");
                self.value(value, Form::Repr)?;
            }
            self.out.push('}');
            Ok(())
        } else if value.get_type() == "set" {
            self.items("set([", value.iterate(self.heap)?, "])")
        } else {
            let text = value.to_str();
            check_text(self.out.len() + text.len())?;
            self.out.push_str(&text);
            Ok(())
        }
    }

    fn items(
        &mut self,
        before: &str,
        items: impl Iterator<Item = Value<'v>>,
        after: &str,
    ) -> Res<()> {
        self.out.push_str(before);
        for (index, item) in items.enumerate() {
            if index > 0 {
                self.out.push_str(", ");
            }
            self.value(item, Form::Repr)?;
        }
        self.out.push_str(after);
        Ok(())
    }
}

/// Objects are interpolated; scalars among the elements of a list are shown with their type.
fn object_text(object: &ObjectValue, form: Form) -> Res<String> {
    use aurora_template::object::Kind;
    let text = object.text()?;
    Ok(match (&object.0, form) {
        (Some(inner), Form::Repr) if matches!(inner.kind(), Kind::Scalar(_)) => {
            format!("{}({text})", inner.ty())
        }
        _ => text,
    })
}

/// A text in quotes, with bytes that are not printable ASCII as escapes.
fn write_quoted(out: &mut String, text: &str) {
    let quote = if text.contains('\'') && !text.contains('"') { '"' } else { '\'' };
    out.push(quote);
    for c in text.chars() {
        match c {
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if c == quote => {
                out.push('\\');
                out.push(c);
            }
            ' '..='~' => out.push(c),
            c => {
                for byte in c.encode_utf8(&mut [0; 4]).bytes() {
                    let _ = write!(out, "\\x{byte:02x}");
                }
            }
        }
    }
    out.push(quote);
}

/// `repr` of a float: the shortest text that reads back as the same number.
pub(super) fn repr_of_float(value: f64) -> String {
    if value.is_nan() || value.is_infinite() || value == 0.0 {
        return text_of_float(value);
    }
    let scientific = format!("{value:e}");
    let (digits, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    if (-4..16).contains(&exponent) {
        let plain = value.to_string();
        return if plain.contains('.') { plain } else { format!("{plain}.0") };
    }
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("{digits}e{sign}{:02}", exponent.unsigned_abs())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn floats_read_back() {
        for (value, text) in [
            (0.1, "0.1"),
            (1.0 / 3.0, "0.3333333333333333"),
            (1e16, "1e+16"),
            (1e15, "1000000000000000.0"),
            (1e-5, "1e-05"),
            (0.0001, "0.0001"),
            (2.5, "2.5"),
            (-0.0, "-0.0"),
            (1.5e300, "1.5e+300"),
        ] {
            assert_eq!(repr_of_float(value), text);
        }
    }
}
