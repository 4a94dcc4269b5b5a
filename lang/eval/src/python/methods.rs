//! The methods of Python 2's texts, lists, tuples, dicts and sets.

mod collections;
mod text;

use starlark::eval::Evaluator;
use starlark::values::Value;
use starlark::values::list::ListRef;

use crate::codes::Code;

use super::call::{Call, Res, check, check_items, items, refuse_as};

/// Calls a method. What is not known here, or works on another kind of value, is an attribute of
/// the value.
pub(super) fn method<'v>(
    name: &str,
    receiver: Value<'v>,
    call: &mut Call<'v, '_, '_, '_>,
) -> Res<Value<'v>> {
    let found = match receiver.get_type() {
        "string" => text::method(name, receiver, call)?,
        "list" => collections::list_method(name, receiver, call)?,
        "tuple" => collections::tuple_method(name, receiver, call)?,
        "dict" => collections::dict_method(name, receiver, call)?,
        "set" => collections::set_method(name, receiver, call)?,
        _ => None,
    };
    if let Some(found) = found {
        return Ok(found);
    }
    own(name, receiver, call)
}

/// Calls the value's own method.
fn own<'v>(name: &str, receiver: Value<'v>, call: &mut Call<'v, '_, '_, '_>) -> Res<Value<'v>> {
    let Some(attribute) = receiver.get_attr(name, call.eval.heap())? else {
        let of = super::text::kind(receiver);
        let known = receiver.dir_attr();
        let near = aurora_template::types::nearest(name, known.iter().map(String::as_str));
        let message = format!("{of} has no method `{name}`");
        return match near {
            Some(near) => super::call::help_as(
                Code::UnknownAttribute,
                message,
                format!("did you mean `{near}`?"),
            ),
            None => refuse_as(Code::UnknownAttribute, message),
        };
    };
    let positional = std::mem::take(&mut call.positional);
    let named = std::mem::take(&mut call.named);
    let named: Vec<(&str, Value<'v>)> =
        named.iter().map(|(name, value)| (name.as_str(), *value)).collect();
    call.eval.eval_function(attribute, &positional, &named)
}

/// Calls a method that the interpreter has.
fn native<'v>(
    name: &str,
    receiver: Value<'v>,
    args: &[Value<'v>],
    eval: &mut Evaluator<'v, '_, '_>,
) -> Res<Value<'v>> {
    let method = receiver.get_attr_error(name, eval.heap())?;
    eval.eval_function(method, args, &[])
}

/// Puts the elements of `more` behind those of a list.
pub(super) fn extend<'v>(
    list: Value<'v>,
    more: Value<'v>,
    eval: &mut Evaluator<'v, '_, '_>,
) -> Res<()> {
    let more = items(more, eval)?;
    let len = ListRef::from_value(list).map_or(0, |list| list.content().len());
    check_items(len + more.len())?;
    check(eval)?;
    let more = eval.heap().alloc(more);
    native("extend", list, &[more], eval).map(|_| ())
}
