//! `java_options` and `python_options`: command-line options as text.

use starlark::eval::Arguments;
use starlark::values::dict::DictRef;
use starlark::values::float::StarlarkFloat;
use starlark::values::{Heap, Value, ValueLike};

use crate::values::{ObjectValue, failure};
use aurora_template::beginning;
use aurora_template::number::text_of_float;
use aurora_template::types::TypeMismatch;

/// How long the options of one call may be, in bytes: no command line is longer.
const MAX_LEN: usize = 2 << 20;

/// The options with blanks between them. An option of one letter has one dash, another has `long`
/// in front.
pub(super) fn options<'v>(
    function: &str,
    long: &str,
    args: &Arguments<'v, '_>,
    heap: Heap<'v>,
) -> starlark::Result<String> {
    let mut options = Options { function, long, text: String::new() };
    for value in args.positions(heap)? {
        if value.unpack_str().is_some() {
            options.add(value, None)?;
        } else if let Some(dict) = DictRef::from_value(value) {
            for (option, value) in dict.iter() {
                options.add(option, Some(value))?;
            }
        } else {
            return options.wrong(format_args!(
                "takes options as text or as a dict of options and values, got {}",
                shown(value)
            ));
        }
    }
    for (option, value) in args.names_map()? {
        options.add(option.to_value(), Some(value))?;
    }
    Ok(options.text)
}

struct Options<'a> {
    function: &'a str,
    long: &'a str,
    text: String,
}

impl Options<'_> {
    fn wrong<T>(&self, message: std::fmt::Arguments<'_>) -> starlark::Result<T> {
        Err(failure(TypeMismatch::new(format!("{} {message}", self.function))))
    }

    fn add(&mut self, option: Value<'_>, value: Option<Value<'_>>) -> starlark::Result<()> {
        let Some(option) = option.unpack_str() else {
            return self.wrong(format_args!("takes options as text, got {}", shown(option)));
        };
        let value = match value {
            Some(value) if value.to_bool() => match text(value) {
                Some(text) => Some(text),
                None => {
                    return self.wrong(format_args!(
                        "takes text and numbers as values, but `{}` is {}",
                        beginning(option),
                        shown(value)
                    ));
                }
            },
            _ => None,
        };
        let len = option.len() + value.as_ref().map_or(0, String::len);
        if self.text.len() + len > MAX_LEN {
            return self.wrong(format_args!("makes more than {} MB of options", MAX_LEN >> 20));
        }
        if !self.text.is_empty() {
            self.text.push(' ');
        }
        let one_letter = option.chars().nth(1).is_none() && !option.is_empty();
        self.text.push_str(if one_letter { "-" } else { self.long });
        self.text.push_str(option);
        if let Some(value) = value {
            self.text.push(' ');
            self.text.push_str(&value);
        }
        Ok(())
    }
}

/// A value as it stands in a command line. A template object has its text of this moment.
fn text(value: Value<'_>) -> Option<String> {
    if let Some(text) = value.unpack_str() {
        return Some(text.to_owned());
    }
    if let Some(float) = value.downcast_ref::<StarlarkFloat>() {
        return Some(text_of_float(float.0));
    }
    match value.downcast_ref::<ObjectValue>() {
        Some(ObjectValue(None)) => None,
        Some(object) => Some(object.to_string()),
        None => matches!(value.get_type(), "int" | "bool").then(|| value.to_str()),
    }
}

fn shown(value: Value<'_>) -> String {
    match value.get_type() {
        "list" | "tuple" | "dict" | "set" => format!("a {}", value.get_type()),
        _ => beginning(&value.to_repr()),
    }
}
