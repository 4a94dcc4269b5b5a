//! `json`: values to text and back.

use std::fmt::Write;

use num_bigint::BigInt;
use starlark::values::dict::DictRef;
use starlark::values::float::StarlarkFloat;
use starlark::values::list::ListRef;
use starlark::values::tuple::TupleRef;
use starlark::values::{Heap, Value, ValueLike};

use aurora_template::beginning;

use super::super::call::{Call, Res, check_text, dict, refuse, refuse_with};
use super::super::comparing::compare_scalars;
use super::super::native::Kind::{self, General, Refused};
use super::super::text::{kind, repr_of_float, str_of};
use super::{Member, Module};

/// How deep values may nest.
const MAX_DEPTH: usize = 64;
const FILES: Kind = Refused(
    "files are not read or written by a configuration",
    "json.loads() and json.dumps() work on texts",
);

pub(super) const JSON: Module = Module {
    name: "json",
    members: &[
        ("dumps", Member::Function(General(dumps))),
        ("loads", Member::Function(General(loads))),
        ("dump", Member::Function(FILES)),
        ("load", Member::Function(FILES)),
    ],
};

struct Writer<'v, 'a> {
    out: String,
    heap: Heap<'v>,
    indent: Option<usize>,
    sorted: bool,
    ascii: bool,
    between: &'a str,
    after_key: &'a str,
}

fn dumps<'v>(call: &mut Call<'v, '_, '_, '_>) -> Res<Value<'v>> {
    let value = match call.positional.as_slice() {
        [value] => *value,
        _ => return refuse("dumps() takes one value, and how to write it by name"),
    };
    let mut writer = Writer {
        out: String::new(),
        heap: call.eval.heap(),
        indent: None,
        sorted: false,
        ascii: true,
        between: ", ",
        after_key: ": ",
    };
    for (name, value) in std::mem::take(&mut call.named) {
        match name.as_str() {
            "indent" if value.is_none() => {}
            "indent" => writer.indent = Some(call.count(value)?.min(100)),
            "sort_keys" => writer.sorted = value.to_bool(),
            "ensure_ascii" => writer.ascii = value.to_bool(),
            "separators" if value.is_none() => {}
            "separators" => match call.iterate(value)?.as_slice() {
                [between, after_key] => {
                    writer.between = call.text(*between)?;
                    writer.after_key = call.text(*after_key)?;
                }
                _ => return refuse("separators are two texts"),
            },
            other => return refuse(format!("dumps() takes no argument `{other}`")),
        }
    }
    writer.value(value, 0)?;
    let text = writer.out;
    call.new_text(&text)
}

impl<'v> Writer<'v, '_> {
    fn value(&mut self, value: Value<'v>, depth: usize) -> Res<()> {
        check_text(self.out.len())?;
        if depth > MAX_DEPTH {
            return refuse(format!("the value nests more than {MAX_DEPTH} deep"));
        }
        if let Some(text) = value.unpack_str() {
            self.text(text);
            return Ok(());
        }
        if let Some(items) = ListRef::from_value(value) {
            return self.items(items.content(), depth);
        }
        if let Some(items) = TupleRef::from_value(value) {
            return self.items(items.content(), depth);
        }
        if let Some(entries) = DictRef::from_value(value) {
            let entries = entries.iter().collect();
            return self.entries(entries, depth);
        }
        if let Some(float) = value.downcast_ref::<StarlarkFloat>() {
            self.out.push_str(&match float.0 {
                x if x.is_nan() => "NaN".to_owned(),
                x if x.is_infinite() => if x > 0.0 { "Infinity" } else { "-Infinity" }.to_owned(),
                x => repr_of_float(x),
            });
            return Ok(());
        }
        match value.get_type() {
            "NoneType" => self.out.push_str("null"),
            "bool" => self.out.push_str(if value.to_bool() { "true" } else { "false" }),
            "int" => self.out.push_str(&str_of(value, self.heap)?),
            _ => {
                return refuse_with(
                    format!("{} has no form in JSON", kind(value)),
                    "take its text with str(), or name its fields in a template",
                );
            }
        }
        Ok(())
    }

    fn line(&mut self, depth: usize) {
        if let Some(indent) = self.indent {
            self.out.push('\n');
            self.out.push_str(&" ".repeat(indent * depth));
        }
    }

    fn between(&mut self, index: usize, depth: usize) {
        if index > 0 {
            self.out.push_str(self.between);
        }
        self.line(depth);
    }

    fn items(&mut self, items: &[Value<'v>], depth: usize) -> Res<()> {
        self.out.push('[');
        for (index, item) in items.iter().enumerate() {
            self.between(index, depth + 1);
            self.value(*item, depth + 1)?;
        }
        if !items.is_empty() {
            self.line(depth);
        }
        self.out.push(']');
        Ok(())
    }

    fn entries(&mut self, mut entries: Vec<(Value<'v>, Value<'v>)>, depth: usize) -> Res<()> {
        if self.sorted {
            let mut failed = None;
            entries.sort_by(|(a, _), (b, _)| match (a.unpack_str(), b.unpack_str()) {
                (Some(a), Some(b)) => a.cmp(b),
                _ => match compare_scalars(*a, *b) {
                    Ok(order) => order,
                    Err(error) => {
                        failed = Some(error);
                        // Texts after others: an order as good as any.
                        a.unpack_str().is_some().cmp(&b.unpack_str().is_some())
                    }
                },
            });
            if let Some(error) = failed {
                return Err(error);
            }
        }
        self.out.push('{');
        let empty = entries.is_empty();
        for (index, (key, value)) in entries.into_iter().enumerate() {
            self.between(index, depth + 1);
            match key.get_type() {
                "string" => self.text(key.unpack_str().unwrap_or_default()),
                "NoneType" => self.text("null"),
                "bool" => self.text(if key.to_bool() { "true" } else { "false" }),
                "int" | "float" => {
                    let text = str_of(key, self.heap)?;
                    self.text(&text);
                }
                _ => return refuse(format!("{} cannot be a key in JSON", kind(key))),
            }
            self.out.push_str(self.after_key);
            self.value(value, depth + 1)?;
        }
        if !empty {
            self.line(depth);
        }
        self.out.push('}');
        Ok(())
    }

    fn text(&mut self, text: &str) {
        self.out.push('"');
        for c in text.chars() {
            match c {
                '"' => self.out.push_str("\\\""),
                '\\' => self.out.push_str("\\\\"),
                '\n' => self.out.push_str("\\n"),
                '\r' => self.out.push_str("\\r"),
                '\t' => self.out.push_str("\\t"),
                '\u{8}' => self.out.push_str("\\b"),
                '\u{c}' => self.out.push_str("\\f"),
                c if u32::from(c) < 0x20 || self.ascii && !c.is_ascii() => {
                    for unit in c.encode_utf16(&mut [0; 2]) {
                        let _ = write!(self.out, "\\u{unit:04x}");
                    }
                }
                c => self.out.push(c),
            }
        }
        self.out.push('"');
    }
}

fn loads<'v>(call: &mut Call<'v, '_, '_, '_>) -> Res<Value<'v>> {
    let text = call.one()?;
    let text = call.text(text)?;
    match serde_json::from_str(text) {
        Ok(value) => read(value, call),
        Err(error) => refuse(format!("{:?} is not JSON: {error}", beginning(text))),
    }
}

/// The parser bounds how deep values nest.
fn read<'v>(value: serde_json::Value, call: &mut Call<'v, '_, '_, '_>) -> Res<Value<'v>> {
    Ok(match value {
        serde_json::Value::Null => Value::new_none(),
        serde_json::Value::Bool(truth) => Value::new_bool(truth),
        serde_json::Value::String(text) => call.new_text(&text)?,
        serde_json::Value::Number(number) => {
            let text = number.to_string();
            match (text.parse::<i64>(), text.contains(['.', 'e', 'E'])) {
                (Ok(number), _) => call.alloc(number),
                (Err(_), false) if text.len() < 10_000 => {
                    call.alloc(text.parse::<BigInt>().unwrap_or_default())
                }
                _ => call.alloc(text.parse::<f64>().unwrap_or(f64::NAN)),
            }
        }
        serde_json::Value::Array(values) => {
            let mut items = Vec::with_capacity(values.len());
            for value in values {
                items.push(read(value, call)?);
            }
            call.list(items)?
        }
        serde_json::Value::Object(values) => {
            let mut entries = Vec::with_capacity(values.len());
            for (key, value) in values {
                let key = call.new_text(&key)?;
                entries.push((key, read(value, call)?));
            }
            dict(entries, call.eval)?
        }
    })
}
