//! `operator`, `functools` and `copy`.

use std::cmp::Ordering;

use starlark::values::Value;
use starlark::values::dict::DictRef;
use starlark::values::list::ListRef;
use starlark::values::tuple::TupleRef;

use super::super::builtins::reduce;
use super::super::call::{Call, Res, dict, refuse};
use super::super::comparing::{compare, equal, is_in};
use super::super::methods::method;
use super::super::native::Kind::{Binary, General, Refused};
use super::super::native::{General as Function, Native, Partial};
use super::super::number::Operator;
use super::super::operators::{add, multiply, numeric, remainder, subtract};
use super::super::types::set_of;
use super::{Member, Module};

/// A comparison.
macro_rules! ordered {
    ($($order:pat_param)|+) => {
        Member::Function(Binary(|a, b, eval| {
            Ok(Value::new_bool(matches!(compare(a, b, eval)?, $($order)|+)))
        }))
    };
}

pub(super) const OPERATOR: Module = Module {
    name: "operator",
    members: &[
        ("add", Member::Function(Binary(add))),
        ("concat", Member::Function(Binary(add))),
        ("sub", Member::Function(Binary(subtract))),
        ("mul", Member::Function(Binary(multiply))),
        ("mod", Member::Function(Binary(remainder))),
        ("div", Member::Function(Binary(|a, b, e| numeric(Operator::Divide, "/", a, b, e)))),
        (
            "floordiv",
            Member::Function(Binary(|a, b, e| numeric(Operator::FloorDivide, "//", a, b, e))),
        ),
        ("pow", Member::Function(Binary(|a, b, e| numeric(Operator::Power, "**", a, b, e)))),
        ("eq", Member::Function(Binary(|a, b, eval| Ok(Value::new_bool(equal(a, b, eval)?))))),
        ("ne", Member::Function(Binary(|a, b, eval| Ok(Value::new_bool(!equal(a, b, eval)?))))),
        ("lt", ordered!(Ordering::Less)),
        ("le", ordered!(Ordering::Less | Ordering::Equal)),
        ("gt", ordered!(Ordering::Greater)),
        ("ge", ordered!(Ordering::Greater | Ordering::Equal)),
        (
            "contains",
            Member::Function(Binary(|a, b, eval| Ok(Value::new_bool(is_in(b, a, eval)?)))),
        ),
        ("getitem", Member::Function(Binary(|a, b, eval| a.at(b, eval.heap())))),
        ("not_", Member::Function(General(|call| Ok(Value::new_bool(!call.one()?.to_bool()))))),
        ("truth", Member::Function(General(|call| Ok(Value::new_bool(call.one()?.to_bool()))))),
        ("itemgetter", Member::Function(General(|call| getter(call, "itemgetter", items_of)))),
        ("attrgetter", Member::Function(General(|call| getter(call, "attrgetter", attributes_of)))),
        ("methodcaller", Member::Function(General(|call| getter(call, "methodcaller", called)))),
    ],
};

pub(super) const FUNCTOOLS: Module = Module {
    name: "functools",
    members: &[
        ("reduce", Member::Function(General(reduce))),
        ("partial", Member::Function(General(partial))),
        (
            "cmp_to_key",
            Member::Function(Refused(
                "there is no cmp_to_key()",
                "sorted() and sort() take the function itself: sorted(items, cmp = …)",
            )),
        ),
    ],
};

pub(super) const COPY: Module = Module {
    name: "copy",
    members: &[
        ("copy", Member::Function(General(|call| copy(call, 1)))),
        ("deepcopy", Member::Function(General(|call| copy(call, 64)))),
    ],
};

/// A function that gets what it works on behind the arguments of this call.
fn getter<'v>(
    call: &mut Call<'v, '_, '_, '_>,
    name: &'static str,
    run: Function,
) -> Res<Value<'v>> {
    if call.positional.is_empty() {
        return refuse(format!("{name}() takes at least one argument"));
    }
    let given = std::mem::take(&mut call.positional);
    let given = call.tuple(&given)?;
    let named = call.named_dict();
    let function = call.alloc(Native::new(name, General(run)));
    Ok(call.alloc(Partial::of(function, given, named)))
}

fn single_or_tuple<'v>(
    mut found: Vec<Value<'v>>,
    call: &mut Call<'v, '_, '_, '_>,
) -> Res<Value<'v>> {
    match (found.len(), found.pop()) {
        (1, Some(one)) => Ok(one),
        (_, last) => {
            found.extend(last);
            call.tuple(&found)
        }
    }
}

fn items_of<'v>(call: &mut Call<'v, '_, '_, '_>) -> Res<Value<'v>> {
    let Some(object) = call.positional.pop() else {
        return refuse("there is nothing to take from");
    };
    let heap = call.eval.heap();
    let mut found = Vec::new();
    for key in std::mem::take(&mut call.positional) {
        found.push(object.at(key, heap)?);
    }
    single_or_tuple(found, call)
}

fn attributes_of<'v>(call: &mut Call<'v, '_, '_, '_>) -> Res<Value<'v>> {
    let Some(object) = call.positional.pop() else {
        return refuse("there is nothing to take from");
    };
    let heap = call.eval.heap();
    let mut found = Vec::new();
    for name in std::mem::take(&mut call.positional) {
        let mut value = object;
        for name in call.text(name)?.split('.') {
            value = value.get_attr_error(name, heap)?;
        }
        found.push(value);
    }
    single_or_tuple(found, call)
}

fn called<'v>(call: &mut Call<'v, '_, '_, '_>) -> Res<Value<'v>> {
    let Some(object) = call.positional.pop() else { return refuse("there is nothing to call") };
    if call.positional.is_empty() {
        return refuse("methodcaller() takes the name of a method");
    }
    let name = call.positional.remove(0);
    let name = call.text(name)?;
    method(name, object, call)
}

fn partial<'v>(call: &mut Call<'v, '_, '_, '_>) -> Res<Value<'v>> {
    if call.positional.is_empty() {
        return refuse("partial() takes a function, and its first arguments");
    }
    let function = call.positional.remove(0);
    let given = std::mem::take(&mut call.positional);
    let given = call.tuple(&given)?;
    let named = call.named_dict();
    Ok(call.alloc(Partial::of(function, given, named)))
}

fn copy<'v>(call: &mut Call<'v, '_, '_, '_>, depth: usize) -> Res<Value<'v>> {
    let value = call.one()?;
    copied(value, depth, depth > 1, call)
}

/// A copy down to a depth; what is deeper is shared, or refused.
fn copied<'v>(
    value: Value<'v>,
    depth: usize,
    whole: bool,
    call: &mut Call<'v, '_, '_, '_>,
) -> Res<Value<'v>> {
    let holds = matches!(value.get_type(), "list" | "tuple" | "dict" | "set");
    if !holds || depth == 0 && !whole {
        return Ok(value);
    }
    if depth == 0 {
        return refuse("the value nests too deeply to be copied");
    }
    super::super::call::check(call.eval)?;
    if let Some(list) = ListRef::from_value(value) {
        let mut items = Vec::new();
        for item in list.content().to_vec() {
            items.push(copied(item, depth - 1, whole, call)?);
        }
        return call.list(items);
    }
    if let Some(tuple) = TupleRef::from_value(value) {
        let mut items = Vec::new();
        for item in tuple.content() {
            items.push(copied(*item, depth - 1, whole, call)?);
        }
        return call.tuple(&items);
    }
    let entries: Option<Vec<_>> =
        DictRef::from_value(value).map(|entries| entries.iter().collect());
    match entries {
        Some(entries) => {
            let mut copies = Vec::new();
            for (key, value) in entries {
                copies.push((key, copied(value, depth - 1, whole, call)?));
            }
            dict(copies, call.eval)
        }
        None => {
            let items = call.iterate(value)?;
            set_of(items, call.eval)
        }
    }
}
