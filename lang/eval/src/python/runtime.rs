//! What the desugaring calls besides operators.

use std::num::NonZeroI32;

use starlark::values::dict::DictRef;
use starlark::values::range::Range;
use starlark::values::{FrozenValue, Value};

use crate::codes::Code;
use crate::context::context;
use crate::globals::{global, global_names};
use crate::values::failure;
use aurora_template::beginning;
use aurora_template::types::nearest;

use super::call::{Call, Res, check, check_text, help_as, refuse, refuse_as};
use super::methods::method;
use super::modules;
use super::native::Kind::General;
use super::text::{kind, repr_of, str_of};
use super::types::set_of;

const ONE: NonZeroI32 = NonZeroI32::new(1).expect("it is not 0");

pub(super) const TABLE: super::Table = &[
    ("__au_tick", General(tick)),
    ("__au_iter", General(iter)),
    ("__au_call", General(call_method)),
    ("__au_name", General(name)),
    ("__au_import", General(import)),
    ("__au_forever", General(forever)),
    ("__au_assert", General(assert)),
    ("__au_raise", General(raise)),
    ("__au_set", General(set)),
    ("__au_fstr", General(concatenated)),
    ("__au_fmt", General(formatted)),
];

/// Once in each turn of a loop and each call of a function.
fn tick<'v>(call: &mut Call<'v, '_, '_, '_>) -> Res<Value<'v>> {
    check(call.eval)?;
    Ok(Value::new_bool(true))
}

/// What a `for` goes over. A list is gone over as it is, so that changing it meanwhile is noticed.
fn iter<'v>(call: &mut Call<'v, '_, '_, '_>) -> Res<Value<'v>> {
    let value = call.one()?;
    match value.get_type() {
        "list" | "tuple" | "range" | "set" => Ok(value),
        _ if DictRef::from_value(value).is_some() || value.unpack_str().is_some() => {
            let items = call.iterate(value)?;
            call.list(items)
        }
        "int" | "float" | "bool" | "NoneType" | "function" => {
            let help = match value.get_type() {
                "int" => "write range(n) to count",
                _ => "a loop goes over a list, a tuple, a dict, a set or a text",
            };
            help_as(Code::WrongType, format!("{} has no elements to go over", kind(value)), help)
        }
        _ => {
            let items = call.iterate(value)?;
            call.list(items)
        }
    }
}

fn call_method<'v>(call: &mut Call<'v, '_, '_, '_>) -> Res<Value<'v>> {
    if call.positional.len() < 2 {
        return refuse("a method needs something to work on");
    }
    let name = call.positional[0];
    let name = call.text(name)?;
    let receiver = call.positional[1];
    call.positional.drain(..2);
    method(name, receiver, call)
}

/// A name that the text before does not define: a file included in between may have.
fn name<'v>(call: &mut Call<'v, '_, '_, '_>) -> Res<Value<'v>> {
    let name = call.one()?;
    let name = call.text(name)?;
    // A function of a module that was loaded means the names of that module.
    let file = call.eval.call_stack_top_location();
    let context = context(call.eval).map_err(failure)?;
    let loaded = file.and_then(|file| context.loaded_file(file.filename()));
    let found = match &loaded {
        Some(loaded) => loaded
            .module
            .get_any_visibility(name)
            .ok()
            .map(|(value, _)| call.eval.heap().access_owned_frozen_value(&value)),
        None => call.eval.module().get(name),
    };
    if let Some(value) = found.or_else(|| global(name).map(FrozenValue::to_value)) {
        return Ok(value);
    }
    let own: Vec<String> = match &loaded {
        Some(loaded) => loaded.module.names().map(|name| name.as_str().to_owned()).collect(),
        None => call.eval.module().names().map(|name| name.as_str().to_owned()).collect(),
    };
    let message = format!("name '{}' is not defined", beginning(name));
    let mut known: Vec<&str> = global_names().collect();
    known.extend(own.iter().map(String::as_str));
    let help = match nearest(name, known.into_iter()) {
        Some(near) => format!("did you mean `{near}`?"),
        None => "define it above, or include() the file that does; names are of this file and \
                 those it includes"
            .to_owned(),
    };
    help_as(Code::UnknownName, message, help)
}

fn import<'v>(call: &mut Call<'v, '_, '_, '_>) -> Res<Value<'v>> {
    let [module, attribute] = call.args(["module", "attribute"], 1)?;
    let module = call.text(module.unwrap_or(Value::new_none()))?;
    let attribute = match attribute {
        Some(attribute) if !attribute.is_none() => Some(call.text(attribute)?),
        _ => None,
    };
    modules::import(module, attribute, call)
}

/// What a `while` goes over: it ends by `break`, or by the bound on turns of loops.
fn forever<'v>(call: &mut Call<'v, '_, '_, '_>) -> Res<Value<'v>> {
    call.args([], 0)?;
    Ok(call.alloc(Range::new(0, i32::MAX, ONE)))
}

fn assert<'v>(call: &mut Call<'v, '_, '_, '_>) -> Res<Value<'v>> {
    let [condition, message] = call.args(["condition", "message"], 1)?;
    if condition.is_some_and(Value::to_bool) {
        return Ok(Value::new_none());
    }
    match message {
        Some(message) if !message.is_none() => {
            let text = str_of(message, call.eval.heap())?;
            refuse_as(Code::FailedByFile, format!("the assertion fails: {}", shortened(&text)))
        }
        _ => refuse_as(Code::FailedByFile, "the assertion fails"),
    }
}

fn raise<'v>(call: &mut Call<'v, '_, '_, '_>) -> Res<Value<'v>> {
    let heap = call.eval.heap();
    let mut texts = Vec::new();
    for value in call.positional.drain(..) {
        texts.push(shortened(&str_of(value, heap)?));
    }
    match texts.as_slice() {
        [] => refuse_as(Code::FailedByFile, "the file raises an error"),
        [class] => refuse_as(Code::FailedByFile, format!("the file raises {class}")),
        [class, message @ ..] => {
            refuse_as(Code::FailedByFile, format!("{class}: {}", message.join(", ")))
        }
    }
}

/// A message as long as a person reads.
fn shortened(text: &str) -> String {
    const MOST: usize = 2000;
    match text.char_indices().nth(MOST) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text.to_owned(),
    }
}

fn set<'v>(call: &mut Call<'v, '_, '_, '_>) -> Res<Value<'v>> {
    let items = call.one()?;
    let items = call.iterate(items)?;
    set_of(items, call.eval)
}

/// The text of an f-string, from its parts.
fn concatenated<'v>(call: &mut Call<'v, '_, '_, '_>) -> Res<Value<'v>> {
    let heap = call.eval.heap();
    let mut out = String::new();
    for part in std::mem::take(&mut call.positional) {
        let text = str_of(part, heap)?;
        check_text(out.len() + text.len())?;
        out.push_str(&text);
    }
    call.new_text(&out)
}

/// One value in an f-string: the value, its format, and how it becomes text before that.
fn formatted<'v>(call: &mut Call<'v, '_, '_, '_>) -> Res<Value<'v>> {
    let [value, spec, conversion] = call.args(["value", "spec", "conversion"], 1)?;
    let value = value.unwrap_or(Value::new_none());
    let heap = call.eval.heap();
    let value = match conversion.and_then(Value::unpack_str) {
        Some("r") => heap.alloc(repr_of(value, heap)?),
        Some("s") => heap.alloc(str_of(value, heap)?),
        _ => value,
    };
    let spec = match spec {
        Some(spec) => call.text(spec)?,
        None => "",
    };
    let text = super::format::format_value(value, spec, heap)?;
    call.new_text(&text)
}
