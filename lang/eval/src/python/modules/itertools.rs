//! `itertools`. There are no iterators: the functions give lists.

use std::num::NonZeroI32;

use starlark::values::Value;
use starlark::values::range::Range;

use super::super::builtins::{filter, map, zip};
use super::super::call::{Call, Res, check_items, refuse, refuse_with};
use super::super::comparing::equal;
use super::super::native::Kind::{General, Refused};
use super::super::operators::add;
use super::{Member, Module};

pub(super) const ITERTOOLS: Module = Module {
    name: "itertools",
    members: &[
        ("chain", Member::Function(General(chain))),
        ("product", Member::Function(General(product))),
        ("izip", Member::Function(General(zip))),
        ("imap", Member::Function(General(map))),
        ("ifilter", Member::Function(General(filter))),
        ("ifilterfalse", Member::Function(General(filter_false))),
        ("izip_longest", Member::Function(General(zip_longest))),
        ("islice", Member::Function(General(islice))),
        ("repeat", Member::Function(General(repeat))),
        ("count", Member::Function(General(count))),
        (
            "cycle",
            Member::Function(Refused(
                "cycle() never ends",
                "take an element by its number: values[i % len(values)]",
            )),
        ),
        ("permutations", Member::Function(General(permutations))),
        ("combinations", Member::Function(General(|call| combinations(call, false)))),
        (
            "combinations_with_replacement",
            Member::Function(General(|call| combinations(call, true))),
        ),
        ("groupby", Member::Function(General(groupby))),
        ("takewhile", Member::Function(General(|call| while_true(call, true)))),
        ("dropwhile", Member::Function(General(|call| while_true(call, false)))),
        ("starmap", Member::Function(General(starmap))),
        ("accumulate", Member::Function(General(accumulate))),
        ("compress", Member::Function(General(compress))),
        ("tee", Member::Function(General(tee))),
    ],
};

fn chain<'v>(call: &mut Call<'v, '_, '_, '_>) -> Res<Value<'v>> {
    call.no_named()?;
    let rows = std::mem::take(&mut call.positional);
    concatenated(rows, call)
}

/// `chain.from_iterable(lists)`.
pub(in super::super) fn chain_of<'v>(call: &mut Call<'v, '_, '_, '_>) -> Res<Value<'v>> {
    let rows = call.one()?;
    let rows = call.iterate(rows)?;
    concatenated(rows, call)
}

fn concatenated<'v>(rows: Vec<Value<'v>>, call: &mut Call<'v, '_, '_, '_>) -> Res<Value<'v>> {
    let mut all = Vec::new();
    for row in rows {
        let mut row = call.iterate(row)?;
        check_items(all.len() + row.len())?;
        all.append(&mut row);
    }
    call.list(all)
}

fn product<'v>(call: &mut Call<'v, '_, '_, '_>) -> Res<Value<'v>> {
    let mut times = 1;
    for (name, value) in std::mem::take(&mut call.named) {
        match name.as_str() {
            "repeat" => times = call.count(value)?,
            other => return refuse(format!("product() takes no argument `{other}`")),
        }
    }
    let mut rows = Vec::new();
    for row in std::mem::take(&mut call.positional) {
        rows.push(call.iterate(row)?);
    }
    check_items(rows.len().saturating_mul(times))?;
    let rows: Vec<&Vec<Value<'v>>> = std::iter::repeat_n(&rows, times).flatten().collect();
    let count = rows.iter().fold(1_usize, |count, row| count.saturating_mul(row.len()));
    check_items(count.saturating_mul(rows.len().max(1)))?;
    let mut tuples: Vec<Vec<Value<'v>>> = vec![Vec::new()];
    for row in &rows {
        tuples = tuples
            .iter()
            .flat_map(|tuple| row.iter().map(move |item| [tuple.as_slice(), &[*item]].concat()))
            .collect();
    }
    list_of_tuples(tuples, call)
}

fn list_of_tuples<'v>(
    tuples: Vec<Vec<Value<'v>>>,
    call: &mut Call<'v, '_, '_, '_>,
) -> Res<Value<'v>> {
    let mut items = Vec::with_capacity(tuples.len());
    for tuple in tuples {
        items.push(call.tuple(&tuple)?);
    }
    call.list(items)
}

fn filter_false<'v>(call: &mut Call<'v, '_, '_, '_>) -> Res<Value<'v>> {
    let [function, items] = call.exactly(["predicate", "iterable"])?;
    let mut kept = Vec::new();
    for item in call.iterate(items)? {
        let drop = if function.is_none() { item } else { call.call(function, &[item])? };
        if !drop.to_bool() {
            kept.push(item);
        }
    }
    call.list(kept)
}

fn zip_longest<'v>(call: &mut Call<'v, '_, '_, '_>) -> Res<Value<'v>> {
    let mut fill = Value::new_none();
    for (name, value) in std::mem::take(&mut call.named) {
        match name.as_str() {
            "fillvalue" => fill = value,
            other => return refuse(format!("{}() takes no argument `{other}`", call.name)),
        }
    }
    let mut rows = Vec::new();
    for row in std::mem::take(&mut call.positional) {
        rows.push(call.iterate(row)?);
    }
    let len = rows.iter().map(Vec::len).max().unwrap_or(0);
    let tuples = (0..len)
        .map(|index| rows.iter().map(|row| row.get(index).copied().unwrap_or(fill)).collect())
        .collect();
    list_of_tuples(tuples, call)
}

fn islice<'v>(call: &mut Call<'v, '_, '_, '_>) -> Res<Value<'v>> {
    let [items, a, b, step] = call.args(["iterable", "start", "stop", "step"], 2)?;
    let items = items.unwrap_or(Value::new_none());
    let (start, stop) = match b {
        Some(b) => (a, Some(b)),
        None => (None, a),
    };
    let given = |value: Option<Value<'v>>| value.filter(|value| !value.is_none());
    let start = given(start).map_or(Ok(0), |value| call.count(value))?;
    let stop = given(stop).map_or(Ok(usize::MAX), |value| call.count(value))?;
    let step = given(step).map_or(Ok(1), |value| call.count(value))?.max(1);
    let items = call.iterate_up_to(items, stop)?;
    let taken = items.into_iter().skip(start).step_by(step).collect();
    call.list(taken)
}

fn repeat<'v>(call: &mut Call<'v, '_, '_, '_>) -> Res<Value<'v>> {
    let [value, times] = call.args(["object", "times"], 1)?;
    let Some(times) = times else {
        return refuse_with("repeat() without a number never ends", "write repeat(value, times)");
    };
    let times = call.count(times)?;
    check_items(times)?;
    call.list(vec![value.unwrap_or(Value::new_none()); times])
}

/// Counts for as long as anyone would go over it; [`zip`] and [`islice`] take a part.
fn count<'v>(call: &mut Call<'v, '_, '_, '_>) -> Res<Value<'v>> {
    let [start, step] = call.args(["start", "step"], 0)?;
    let start = start.map_or(Ok(0), |start| call.int(start))?;
    let step = step.map_or(Ok(1), |step| call.int(step))?;
    let (Ok(start), Some(step)) =
        (i32::try_from(start), i32::try_from(step).ok().and_then(NonZeroI32::new))
    else {
        return refuse("count() takes small whole numbers, and a step that is not 0");
    };
    let stop = if step.get() > 0 { i32::MAX } else { i32::MIN };
    Ok(call.alloc(Range::new(start, stop, step)))
}

fn permutations<'v>(call: &mut Call<'v, '_, '_, '_>) -> Res<Value<'v>> {
    let [items, len] = call.args(["iterable", "r"], 1)?;
    let items = call.iterate(items.unwrap_or(Value::new_none()))?;
    let len = match len.filter(|len| !len.is_none()) {
        Some(len) => call.count(len)?,
        None => items.len(),
    };
    if len > items.len() {
        return call.list(Vec::new());
    }
    let count =
        (items.len() - len + 1..=items.len()).fold(1_usize, |count, n| count.saturating_mul(n));
    check_items(count.saturating_mul(len.max(1)))?;
    let mut rows: Vec<Vec<usize>> = vec![Vec::new()];
    for _ in 0..len {
        rows = rows
            .iter()
            .flat_map(|row| {
                (0..items.len())
                    .filter(|index| !row.contains(index))
                    .map(move |index| [row.as_slice(), &[index]].concat())
            })
            .collect();
    }
    let rows = rows.iter().map(|row| row.iter().map(|index| items[*index]).collect()).collect();
    list_of_tuples(rows, call)
}

fn combinations<'v>(call: &mut Call<'v, '_, '_, '_>, again: bool) -> Res<Value<'v>> {
    let [items, len] = call.exactly(["iterable", "r"])?;
    let items = call.iterate(items)?;
    let len = call.count(len)?;
    if !again && len > items.len() || items.is_empty() && len > 0 {
        return call.list(Vec::new());
    }
    check_items(len)?;
    let mut rows: Vec<Vec<usize>> = vec![Vec::new()];
    for done in 0..len {
        let mut longer = Vec::new();
        for row in &rows {
            let from = row.last().map_or(0, |last| if again { *last } else { last + 1 });
            // No row is begun that cannot be completed.
            let to = if again { items.len() } else { items.len() - (len - done - 1) };
            for index in from..to {
                check_items((longer.len() + 1).saturating_mul(len))?;
                longer.push([row.as_slice(), &[index]].concat());
            }
        }
        rows = longer;
    }
    let rows = rows.iter().map(|row| row.iter().map(|index| items[*index]).collect()).collect();
    list_of_tuples(rows, call)
}

fn groupby<'v>(call: &mut Call<'v, '_, '_, '_>) -> Res<Value<'v>> {
    let [items, key] = call.args(["iterable", "key"], 1)?;
    let key = key.filter(|key| !key.is_none());
    let mut groups: Vec<(Value<'v>, Vec<Value<'v>>)> = Vec::new();
    for item in call.iterate(items.unwrap_or(Value::new_none()))? {
        let of = match key {
            Some(key) => call.call(key, &[item])?,
            None => item,
        };
        match groups.last_mut() {
            Some((last, group)) if equal(*last, of, call.eval)? => group.push(item),
            _ => groups.push((of, vec![item])),
        }
    }
    let mut pairs = Vec::with_capacity(groups.len());
    for (key, group) in groups {
        let group = call.list(group)?;
        pairs.push(call.tuple(&[key, group])?);
    }
    call.list(pairs)
}

fn while_true<'v>(call: &mut Call<'v, '_, '_, '_>, take: bool) -> Res<Value<'v>> {
    let [function, items] = call.exactly(["predicate", "iterable"])?;
    let items = call.iterate(items)?;
    let mut end = items.len();
    for (index, item) in items.iter().enumerate() {
        if !call.call(function, &[*item])?.to_bool() {
            end = index;
            break;
        }
    }
    call.list(if take { items[..end].to_vec() } else { items[end..].to_vec() })
}

fn starmap<'v>(call: &mut Call<'v, '_, '_, '_>) -> Res<Value<'v>> {
    let [function, rows] = call.exactly(["function", "iterable"])?;
    let mut mapped = Vec::new();
    for row in call.iterate(rows)? {
        let row = call.iterate(row)?;
        mapped.push(call.call(function, &row)?);
    }
    call.list(mapped)
}

fn accumulate<'v>(call: &mut Call<'v, '_, '_, '_>) -> Res<Value<'v>> {
    let items = call.one()?;
    let mut sums: Vec<Value<'v>> = Vec::new();
    for item in call.iterate(items)? {
        let sum = match sums.last() {
            Some(sum) => add(*sum, item, call.eval)?,
            None => item,
        };
        sums.push(sum);
    }
    call.list(sums)
}

fn compress<'v>(call: &mut Call<'v, '_, '_, '_>) -> Res<Value<'v>> {
    let [items, chosen] = call.exactly(["data", "selectors"])?;
    let (items, chosen) = (call.iterate(items)?, call.iterate(chosen)?);
    let kept =
        items.into_iter().zip(chosen).filter(|(_, chosen)| chosen.to_bool()).map(|(item, _)| item);
    call.list(kept.collect())
}

fn tee<'v>(call: &mut Call<'v, '_, '_, '_>) -> Res<Value<'v>> {
    let [items, times] = call.args(["iterable", "n"], 1)?;
    let items = call.iterate(items.unwrap_or(Value::new_none()))?;
    let times = times.map_or(Ok(2), |times| call.count(times))?;
    check_items(times.saturating_mul(items.len().max(1)))?;
    let mut copies = Vec::with_capacity(times);
    for _ in 0..times {
        copies.push(call.list(items.clone())?);
    }
    call.tuple(&copies)
}
