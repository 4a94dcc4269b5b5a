//! The methods of lists, tuples, dicts and sets.

use starlark::values::Value;
use starlark::values::dict::{DictMut, DictRef};
use starlark::values::list::ListRef;
use starlark::values::tuple::TupleRef;

use super::super::builtins::sort;
use super::super::call::{Call, Res, check_items, dict, hashed, hold, refuse, work};
use super::super::comparing::equal;
use super::super::text::repr_of;
use super::super::types::set_of;
use super::{extend, native};

type Found<'v> = Res<Option<Value<'v>>>;

pub(super) fn list_method<'v>(
    name: &str,
    list: Value<'v>,
    call: &mut Call<'v, '_, '_, '_>,
) -> Found<'v> {
    let content = ListRef::from_value(list).map_or(&[][..], |list| list.content());
    let none = Some(Value::new_none());
    // These go through the list, or move what is behind the place.
    let at_the_end = name == "pop" && call.positional.is_empty();
    if let "insert" | "pop" | "remove" | "index" | "count" | "reverse" | "sort" = name
        && !at_the_end
    {
        work(content.len(), call.eval)?;
    }
    Ok(match name {
        "extend" => {
            let [more] = call.exactly(["iterable"])?;
            extend(list, more, call.eval)?;
            none
        }
        "copy" => {
            call.args([], 0)?;
            Some(call.list(content.to_vec())?)
        }
        "reverse" => {
            call.args([], 0)?;
            replace(list, content.iter().rev().copied().collect(), call)?;
            none
        }
        "sort" => {
            let [cmp, key, reverse] = call.args(["cmp", "key", "reverse"], 0)?;
            let sorted =
                sort(content.to_vec(), cmp, key, reverse.is_some_and(Value::to_bool), call)?;
            replace(list, sorted, call)?;
            none
        }
        "insert" => {
            let [index, value] = call.exactly(["index", "value"])?;
            check_items(content.len() + 1)?;
            Some(native("insert", list, &[index, value], call.eval)?)
        }
        "index" => Some(index(content, call)?),
        "count" => Some(count(content, call)?),
        _ => None,
    })
}

/// Gives a list other elements, as many as it has.
fn replace<'v>(list: Value<'v>, items: Vec<Value<'v>>, call: &mut Call<'v, '_, '_, '_>) -> Res<()> {
    if ListRef::from_value(list).is_none_or(|list| list.content().len() != items.len()) {
        return refuse("the list is changed while it is sorted");
    }
    for (index, item) in items.into_iter().enumerate() {
        let index = call.alloc(i32::try_from(index).unwrap_or(i32::MAX));
        list.set_at(index, item)?;
    }
    Ok(())
}

fn index<'v>(content: &[Value<'v>], call: &mut Call<'v, '_, '_, '_>) -> Res<Value<'v>> {
    let [value, start, end] = call.args(["value", "start", "end"], 1)?;
    let value = value.unwrap_or(Value::new_none());
    let range = bounds(content.len(), start, end, call)?;
    for (index, item) in content.iter().enumerate().take(range.end).skip(range.start) {
        if equal(*item, value, call.eval)? {
            return Ok(call.alloc(i64::try_from(index).unwrap_or(i64::MAX)));
        }
    }
    let shown = aurora_template::beginning(&repr_of(value, call.eval.heap())?);
    refuse(format!("{shown} is not in the list"))
}

/// The part of a sequence between two optional indexes, which count from the end if negative.
pub(super) fn bounds<'v>(
    len: usize,
    start: Option<Value<'v>>,
    end: Option<Value<'v>>,
    call: &Call<'v, '_, '_, '_>,
) -> Res<std::ops::Range<usize>> {
    let place = |value: Option<Value<'v>>, missing: usize| -> Res<usize> {
        let Some(value) = value.filter(|value| !value.is_none()) else { return Ok(missing) };
        let index = call.int(value)?;
        let size = i64::try_from(len).unwrap_or(i64::MAX);
        let index = if index < 0 { index.saturating_add(size).max(0) } else { index.min(size) };
        Ok(usize::try_from(index).unwrap_or(0))
    };
    let (start, end) = (place(start, 0)?, place(end, len)?);
    Ok(start..end.max(start))
}

fn count<'v>(content: &[Value<'v>], call: &mut Call<'v, '_, '_, '_>) -> Res<Value<'v>> {
    let [value] = call.exactly(["value"])?;
    let mut count = 0_i64;
    for item in content {
        count += i64::from(equal(*item, value, call.eval)?);
    }
    Ok(call.alloc(count))
}

pub(super) fn tuple_method<'v>(
    name: &str,
    tuple: Value<'v>,
    call: &mut Call<'v, '_, '_, '_>,
) -> Found<'v> {
    let content = TupleRef::from_value(tuple).map_or(&[][..], |tuple| tuple.content());
    work(content.len(), call.eval)?;
    Ok(match name {
        "index" => Some(index(content, call)?),
        "count" => Some(count(content, call)?),
        _ => None,
    })
}

pub(super) fn dict_method<'v>(
    name: &str,
    receiver: Value<'v>,
    call: &mut Call<'v, '_, '_, '_>,
) -> Found<'v> {
    let entries = || -> Vec<(Value<'v>, Value<'v>)> {
        DictRef::from_value(receiver).map_or(Vec::new(), |dict| dict.iter().collect())
    };
    Ok(Some(match name {
        "items" | "iteritems" | "viewitems" => {
            call.args([], 0)?;
            let heap = call.eval.heap();
            let items = entries().into_iter().map(|pair| heap.alloc(pair)).collect();
            call.list(items)?
        }
        "keys" | "iterkeys" | "viewkeys" => {
            call.args([], 0)?;
            call.list(entries().into_iter().map(|(key, _)| key).collect())?
        }
        "values" | "itervalues" | "viewvalues" => {
            call.args([], 0)?;
            call.list(entries().into_iter().map(|(_, value)| value).collect())?
        }
        "copy" => {
            call.args([], 0)?;
            dict(entries(), call.eval)?
        }
        "has_key" => {
            let [key] = call.exactly(["key"])?;
            let found = DictRef::from_value(receiver).map(|dict| dict.get(key)).transpose()?;
            Value::new_bool(found.flatten().is_some())
        }
        "update" => {
            let mut more = match call.positional.as_slice() {
                [] => Vec::new(),
                [more] => {
                    let more = *more;
                    call.pairs(more)?
                }
                _ => return refuse("update() takes one mapping or list of pairs, and names"),
            };
            more.extend(call.named.drain(..).map(|(name, value)| (name.to_value(), value)));
            let mut target = DictMut::from_value(receiver)?;
            check_items(target.aref.len() + more.len())?;
            for (key, value) in more {
                target.aref.insert_hashed(hashed(key)?, value);
            }
            Value::new_none()
        }
        _ => return Ok(None),
    }))
}

pub(super) fn set_method<'v>(
    name: &str,
    set: Value<'v>,
    call: &mut Call<'v, '_, '_, '_>,
) -> Found<'v> {
    if let "union" | "intersection" | "difference" | "symmetric_difference" = name {
        let mut len = call.iterate(set)?.len();
        for more in call.positional.clone() {
            len += call.iterate(more)?.len();
        }
        hold(len, call.eval)?;
    }
    Ok(match name {
        "copy" => {
            call.args([], 0)?;
            let items = call.iterate(set)?;
            Some(set_of(items, call.eval)?)
        }
        "update" => {
            for more in std::mem::take(&mut call.positional) {
                for item in call.iterate(more)? {
                    native("add", set, &[item], call.eval)?;
                }
            }
            Some(Value::new_none())
        }
        _ => None,
    })
}
