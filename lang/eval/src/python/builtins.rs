//! Python 2's builtin functions.

use std::cmp::Ordering;
use std::num::NonZeroI32;

use num_bigint::BigInt;
use num_traits::Signed;
use starlark::values::dict::DictRef;
use starlark::values::range::Range;
use starlark::values::tuple::TupleRef;
use starlark::values::{UnpackValue, Value};

use crate::values::ObjectValue;

use super::call::{Call, MAX_ITEMS, Res, check_items, refuse, refuse_with, room};
use super::comparing::{compare, equal};
use super::native::Kind::General;
use super::number::{Number, Operator, number};
use super::operators::{add, numeric};
use super::spec::digits;
use super::text::{kind, repr_of, str_of};
use super::types::is_instance;

pub(super) const TABLE: super::Table = &[
    ("abs", General(abs)),
    ("all", General(all)),
    ("any", General(any)),
    ("bin", General(|call| in_base(call, "0b", 'b'))),
    ("callable", General(callable)),
    ("chr", General(chr)),
    ("cmp", General(cmp)),
    ("divmod", General(divmod)),
    ("enumerate", General(enumerate)),
    ("filter", General(filter)),
    ("format", General(format)),
    ("getattr", General(getattr)),
    ("hasattr", General(hasattr)),
    ("hex", General(|call| in_base(call, "0x", 'x'))),
    ("isinstance", General(isinstance)),
    ("len", General(len)),
    ("map", General(map)),
    ("max", General(|call| extreme(call, Ordering::Greater))),
    ("min", General(|call| extreme(call, Ordering::Less))),
    ("oct", General(|call| in_base(call, "0", 'o'))),
    ("ord", General(ord)),
    ("pow", General(pow)),
    ("print", General(print)),
    ("range", General(range)),
    ("reduce", General(reduce)),
    ("repr", General(repr)),
    ("reversed", General(reversed)),
    ("round", General(round)),
    ("sorted", General(sorted)),
    ("sum", General(sum)),
    ("unichr", General(chr)),
    ("xrange", General(range)),
    ("zip", General(zip)),
];

/// A stable sort that may fail.
pub(super) fn sort<'v>(
    items: Vec<Value<'v>>,
    cmp: Option<Value<'v>>,
    key: Option<Value<'v>>,
    reverse: bool,
    call: &mut Call<'v, '_, '_, '_>,
) -> Res<Vec<Value<'v>>> {
    let given = |value: Option<Value<'v>>| value.filter(|value| !value.is_none());
    let mut keyed = Vec::with_capacity(items.len());
    for item in items {
        let key = match given(key) {
            Some(key) => call.call(key, &[item])?,
            None => item,
        };
        keyed.push((key, item));
    }
    if reverse {
        keyed.reverse();
    }
    let cmp = given(cmp);
    let mut order = |a: Value<'v>, b: Value<'v>| match cmp {
        Some(cmp) => {
            let result = call.call(cmp, &[a, b])?;
            Ok(call.int(result)?.cmp(&0))
        }
        None => compare(a, b, call.eval),
    };
    // Each round merges neighbouring runs that are sorted already.
    let mut width = 1;
    while width < keyed.len() {
        let mut merged = Vec::with_capacity(keyed.len());
        for pair in keyed.chunks(width * 2) {
            let (mut left, mut right) = pair.split_at(width.min(pair.len()));
            while let ([a, left_rest @ ..], [b, right_rest @ ..]) = (left, right) {
                if order(a.0, b.0)? == Ordering::Greater {
                    merged.push(*b);
                    right = right_rest;
                } else {
                    merged.push(*a);
                    left = left_rest;
                }
            }
            merged.extend_from_slice(left);
            merged.extend_from_slice(right);
        }
        keyed = merged;
        width *= 2;
    }
    if reverse {
        keyed.reverse();
    }
    Ok(keyed.into_iter().map(|(_, item)| item).collect())
}

fn sorted<'v>(call: &mut Call<'v, '_, '_, '_>) -> Res<Value<'v>> {
    let [items, cmp, key, reverse] = call.args(["iterable", "cmp", "key", "reverse"], 1)?;
    let items = call.iterate(items.unwrap_or(Value::new_none()))?;
    let sorted = sort(items, cmp, key, reverse.is_some_and(Value::to_bool), call)?;
    call.list(sorted)
}

fn extreme<'v>(call: &mut Call<'v, '_, '_, '_>, wanted: Ordering) -> Res<Value<'v>> {
    let mut key = None;
    for (name, value) in std::mem::take(&mut call.named) {
        match name.as_str() {
            "key" => key = Some(value),
            other => return refuse(format!("{}() takes no argument `{other}`", call.name)),
        }
    }
    let items = match call.positional.as_slice() {
        [one] => {
            let one = *one;
            call.iterate(one)?
        }
        _ => std::mem::take(&mut call.positional),
    };
    let mut best: Option<(Value<'v>, Value<'v>)> = None;
    for item in items {
        let rank = match key {
            Some(key) => call.call(key, &[item])?,
            None => item,
        };
        let better = match best {
            Some((best, _)) => compare(rank, best, call.eval)? == wanted,
            None => true,
        };
        if better {
            best = Some((rank, item));
        }
    }
    match best {
        Some((_, item)) => Ok(item),
        None => refuse(format!("{}() of nothing", call.name)),
    }
}

fn cmp<'v>(call: &mut Call<'v, '_, '_, '_>) -> Res<Value<'v>> {
    let [a, b] = call.exactly(["x", "y"])?;
    let order = if equal(a, b, call.eval)? { Ordering::Equal } else { compare(a, b, call.eval)? };
    Ok(call.alloc(order as i32))
}

fn abs<'v>(call: &mut Call<'v, '_, '_, '_>) -> Res<Value<'v>> {
    let value = call.one()?;
    let heap = call.eval.heap();
    match number(value) {
        Some(Number::Float(float)) => Ok(heap.alloc(float.abs())),
        Some(whole) => Ok(heap.alloc(whole.truncated()?.abs())),
        None => refuse(format!("abs() takes a number, got {}", kind(value))),
    }
}

fn all<'v>(call: &mut Call<'v, '_, '_, '_>) -> Res<Value<'v>> {
    let items = call.one()?;
    Ok(Value::new_bool(call.iterate(items)?.into_iter().all(Value::to_bool)))
}

fn any<'v>(call: &mut Call<'v, '_, '_, '_>) -> Res<Value<'v>> {
    let items = call.one()?;
    Ok(Value::new_bool(call.iterate(items)?.into_iter().any(Value::to_bool)))
}

fn in_base<'v>(call: &mut Call<'v, '_, '_, '_>, prefix: &str, base: char) -> Res<Value<'v>> {
    let value = call.one()?;
    let Some(Some(number)) = number(value).map(|number| match number {
        Number::Float(_) => None,
        whole => whole.truncated().ok(),
    }) else {
        return refuse(format!("{}() takes a whole number, got {}", call.name, kind(value)));
    };
    let sign = if number.is_negative() { "-" } else { "" };
    let digits = digits(&number, base);
    let prefix = if digits == "0" && base == 'o' { "" } else { prefix };
    call.new_text(&format!("{sign}{prefix}{digits}"))
}

fn callable<'v>(call: &mut Call<'v, '_, '_, '_>) -> Res<Value<'v>> {
    let value = call.one()?;
    let plain = matches!(
        value.get_type(),
        "string"
            | "int"
            | "float"
            | "bool"
            | "list"
            | "dict"
            | "tuple"
            | "set"
            | "NoneType"
            | "range"
    );
    Ok(Value::new_bool(!plain))
}

fn chr<'v>(call: &mut Call<'v, '_, '_, '_>) -> Res<Value<'v>> {
    let code = call.one()?;
    let code = call.int(code)?;
    match u32::try_from(code).ok().and_then(char::from_u32) {
        Some(c) => Ok(call.alloc(c)),
        None => refuse(format!("{}() of {code}: there is no such character", call.name)),
    }
}

fn ord<'v>(call: &mut Call<'v, '_, '_, '_>) -> Res<Value<'v>> {
    let text = call.one()?;
    let text = call.text(text)?;
    let mut chars = text.chars();
    match (chars.next(), chars.next()) {
        (Some(c), None) => Ok(call.alloc(i64::from(u32::from(c)))),
        _ => refuse(format!("ord() takes one character, got {}", text.chars().count())),
    }
}

fn divmod<'v>(call: &mut Call<'v, '_, '_, '_>) -> Res<Value<'v>> {
    let [a, b] = call.exactly(["x", "y"])?;
    let quotient = numeric(Operator::FloorDivide, "divmod()", a, b, call.eval)?;
    let rest = numeric(Operator::Remainder, "divmod()", a, b, call.eval)?;
    call.tuple(&[quotient, rest])
}

fn pow<'v>(call: &mut Call<'v, '_, '_, '_>) -> Res<Value<'v>> {
    let [a, b, modulus] = call.args(["x", "y", "z"], 2)?;
    let (a, b) = (a.unwrap_or(Value::new_none()), b.unwrap_or(Value::new_none()));
    let Some(modulus) = modulus.filter(|value| !value.is_none()) else {
        return numeric(Operator::Power, "pow()", a, b, call.eval);
    };
    let whole = |value| BigInt::unpack_value(value).ok().flatten();
    match (whole(a), whole(b), whole(modulus)) {
        (Some(a), Some(b), Some(modulus))
            if !b.is_negative() && modulus.bits() > 0 && b.bits() <= 4096 =>
        {
            Ok(call.alloc(a.modpow(&b, &modulus)))
        }
        _ => refuse("pow() with three arguments takes whole numbers, the second not negative"),
    }
}

fn enumerate<'v>(call: &mut Call<'v, '_, '_, '_>) -> Res<Value<'v>> {
    let [items, start] = call.args(["sequence", "start"], 1)?;
    let start = start.map_or(Ok(0), |start| call.int(start))?;
    let items = call.iterate(items.unwrap_or(Value::new_none()))?;
    let heap = call.eval.heap();
    let pairs = (start..).zip(items).map(|(index, item)| heap.alloc((index, item))).collect();
    call.list(pairs)
}

pub(super) fn map<'v>(call: &mut Call<'v, '_, '_, '_>) -> Res<Value<'v>> {
    call.no_named()?;
    if call.positional.len() < 2 {
        return refuse("map() takes a function and what it is applied to");
    }
    let function = call.positional.remove(0);
    let mut rows = Vec::new();
    for items in std::mem::take(&mut call.positional) {
        rows.push(call.iterate(items)?);
    }
    // The shorter ones are filled with None.
    let len = rows.iter().map(Vec::len).max().unwrap_or(0);
    let mut mapped = Vec::with_capacity(len);
    for index in 0..len {
        let args: Vec<Value<'v>> =
            rows.iter().map(|row| row.get(index).copied().unwrap_or(Value::new_none())).collect();
        mapped.push(match (function.is_none(), args.as_slice()) {
            (true, [one]) => *one,
            (true, several) => call.tuple(several)?,
            (false, args) => call.call(function, args)?,
        });
    }
    call.list(mapped)
}

pub(super) fn filter<'v>(call: &mut Call<'v, '_, '_, '_>) -> Res<Value<'v>> {
    let [function, items] = call.exactly(["function", "iterable"])?;
    let mut kept = Vec::new();
    for item in call.iterate(items)? {
        let keep = if function.is_none() { item } else { call.call(function, &[item])? };
        if keep.to_bool() {
            kept.push(item);
        }
    }
    // As what it was.
    if let Some(text) = items.unpack_str() {
        let kept: String = kept.iter().filter_map(|item| item.unpack_str()).collect();
        return if kept == text { Ok(items) } else { call.new_text(&kept) };
    }
    if TupleRef::from_value(items).is_some() { call.tuple(&kept) } else { call.list(kept) }
}

pub(super) fn zip<'v>(call: &mut Call<'v, '_, '_, '_>) -> Res<Value<'v>> {
    call.no_named()?;
    let given = std::mem::take(&mut call.positional);
    // What counts without end is as long as the others.
    let mut len = usize::MAX;
    let mut rows = Vec::new();
    for items in given.iter().filter(|items| items.get_type() != "range") {
        len = len.min(call.iterate(*items)?.len());
    }
    // The rows are taken apart and put together: twice a pointer for each element.
    room(len.min(MAX_ITEMS).saturating_mul(given.len() * 2 * size_of::<Value<'v>>()), call.eval)?;
    for items in given {
        rows.push(call.iterate_up_to(items, len)?);
    }
    let len = rows.iter().map(Vec::len).min().unwrap_or(0);
    let mut zipped = Vec::with_capacity(len);
    for index in 0..len {
        let row: Vec<Value<'v>> = rows.iter().map(|row| row[index]).collect();
        zipped.push(call.tuple(&row)?);
    }
    call.list(zipped)
}

pub(super) fn reduce<'v>(call: &mut Call<'v, '_, '_, '_>) -> Res<Value<'v>> {
    let [function, items, initial] = call.args(["function", "sequence", "initial"], 2)?;
    let function = function.unwrap_or(Value::new_none());
    let mut items = call.iterate(items.unwrap_or(Value::new_none()))?.into_iter();
    let Some(mut result) = initial.or_else(|| items.next()) else {
        return refuse_with("reduce() of nothing", "give it a first value as the third argument");
    };
    for item in items {
        result = call.call(function, &[result, item])?;
    }
    Ok(result)
}

fn sum<'v>(call: &mut Call<'v, '_, '_, '_>) -> Res<Value<'v>> {
    let [items, start] = call.args(["sequence", "start"], 1)?;
    let items = call.iterate(items.unwrap_or(Value::new_none()))?;
    let mut total = start.unwrap_or_else(|| call.alloc(0));
    if total.unpack_str().is_some() {
        return refuse_with("sum() adds no texts", "write ''.join(texts)");
    }
    for item in items {
        if item.unpack_str().is_some() {
            return refuse_with("sum() adds no texts", "write ''.join(texts)");
        }
        total = add(total, item, call.eval)?;
    }
    Ok(total)
}

fn range<'v>(call: &mut Call<'v, '_, '_, '_>) -> Res<Value<'v>> {
    let [a, b, step] = call.args(["start", "stop", "step"], 1)?;
    let a = call.int(a.unwrap_or(Value::new_none()))?;
    let (start, stop) = match b {
        Some(b) => (a, call.int(b)?),
        None => (0, a),
    };
    let step = step.map_or(Ok(1), |step| call.int(step))?;
    if step == 0 {
        return refuse(format!("{}() takes a step that is not 0", call.name));
    }
    let (distance, stride) = if step > 0 {
        (i128::from(stop) - i128::from(start), i128::from(step))
    } else {
        (i128::from(start) - i128::from(stop), -i128::from(step))
    };
    let count = if distance > 0 { (distance - 1) / stride + 1 } else { 0 };
    let count = usize::try_from(count).unwrap_or(usize::MAX);
    if count > MAX_ITEMS
        && let (Ok(start), Ok(stop), Ok(Some(step))) =
            (i32::try_from(start), i32::try_from(stop), i32::try_from(step).map(NonZeroI32::new))
    {
        // A loop that counts far needs no list.
        return Ok(call.alloc(Range::new(start, stop, step)));
    }
    check_items(count)?;
    let heap = call.eval.heap();
    let numbers = (0..count)
        .map(|index| {
            let index = i64::try_from(index).unwrap_or(i64::MAX);
            heap.alloc(start.wrapping_add(index.wrapping_mul(step)))
        })
        .collect();
    call.list(numbers)
}

fn reversed<'v>(call: &mut Call<'v, '_, '_, '_>) -> Res<Value<'v>> {
    let items = call.one()?;
    if DictRef::from_value(items).is_some() || items.get_type() == "set" {
        return refuse(format!("reversed() takes a sequence, got {}", kind(items)));
    }
    let mut items = call.iterate(items)?;
    items.reverse();
    call.list(items)
}

fn round<'v>(call: &mut Call<'v, '_, '_, '_>) -> Res<Value<'v>> {
    let [value, digits] = call.args(["number", "ndigits"], 1)?;
    let value = value.unwrap_or(Value::new_none());
    let Some(number) = number(value) else {
        return refuse(format!("round() takes a number, got {}", kind(value)));
    };
    let float = number.float()?;
    let digits = digits.map_or(Ok(0), |digits| call.int(digits))?;
    Ok(call.alloc(rounded(float, digits)))
}

/// Halves go away from zero, as in Python 2; what counts is the number's exact value.
fn rounded(value: f64, digits: i64) -> f64 {
    if !value.is_finite() || digits > 320 {
        return value;
    }
    if digits == 0 {
        return value.round();
    }
    let Ok(places) = usize::try_from(digits) else {
        if digits < -308 {
            return 0.0_f64.copysign(value);
        }
        let power = 10_f64.powi(i32::try_from(-digits).unwrap_or(308));
        return (value / power).round() * power;
    };
    // Written with digits to spare it is exact where a half could be.
    let exact = format!("{:.*}", 1080, value.abs());
    let point = exact.find('.').unwrap_or(exact.len());
    let cut = point + 1 + places;
    let up = exact.as_bytes().get(cut).is_some_and(|digit| *digit >= b'5');
    let kept: f64 = exact.get(..cut).and_then(|text| text.parse().ok()).unwrap_or(value.abs());
    let result = if up {
        let next = decimal_successor(exact.get(..cut).unwrap_or(&exact));
        next.parse().unwrap_or(kept)
    } else {
        kept
    };
    f64::copysign(result, value)
}

/// The next decimal number with as many digits.
fn decimal_successor(text: &str) -> String {
    let mut digits: Vec<u8> = text.bytes().collect();
    for digit in digits.iter_mut().rev() {
        match digit {
            b'.' => {}
            b'9' => *digit = b'0',
            _ => {
                *digit += 1;
                return String::from_utf8_lossy(&digits).into_owned();
            }
        }
    }
    format!("1{}", String::from_utf8_lossy(&digits))
}

fn len<'v>(call: &mut Call<'v, '_, '_, '_>) -> Res<Value<'v>> {
    let value = call.one()?;
    if let Some(text) = value.unpack_str() {
        let len = text.chars().count();
        return Ok(call.alloc(i64::try_from(len).unwrap_or(i64::MAX)));
    }
    if ObjectValue::from_value(value).is_some() {
        return refuse_with(
            format!("{} has no len()", kind(value)),
            "make a plain list of it first: len(list(task.processes()))",
        );
    }
    match value.length() {
        Ok(len) => Ok(call.alloc(len)),
        Err(_) => refuse(format!("{} has no len()", kind(value))),
    }
}

fn isinstance<'v>(call: &mut Call<'v, '_, '_, '_>) -> Res<Value<'v>> {
    let [value, ty] = call.exactly(["object", "type"])?;
    Ok(Value::new_bool(is_instance(value, ty)?))
}

fn hasattr<'v>(call: &mut Call<'v, '_, '_, '_>) -> Res<Value<'v>> {
    let [value, name] = call.exactly(["object", "name"])?;
    let name = call.text(name)?;
    Ok(Value::new_bool(value.has_attr(name, call.eval.heap())))
}

fn getattr<'v>(call: &mut Call<'v, '_, '_, '_>) -> Res<Value<'v>> {
    let [value, name, default] = call.args(["object", "name", "default"], 2)?;
    let (value, name) = (value.unwrap_or(Value::new_none()), name.unwrap_or(Value::new_none()));
    let name = call.text(name)?;
    match (value.get_attr(name, call.eval.heap())?, default) {
        (Some(found), _) | (None, Some(found)) => Ok(found),
        (None, None) => refuse(format!(
            "{} has no attribute `{}`",
            kind(value),
            aurora_template::beginning(name)
        )),
    }
}

fn repr<'v>(call: &mut Call<'v, '_, '_, '_>) -> Res<Value<'v>> {
    let value = call.one()?;
    let text = repr_of(value, call.eval.heap())?;
    call.new_text(&text)
}

fn format<'v>(call: &mut Call<'v, '_, '_, '_>) -> Res<Value<'v>> {
    let [value, spec] = call.args(["value", "format_spec"], 1)?;
    let spec = spec.map_or(Ok(""), |spec| call.text(spec))?;
    let value = value.unwrap_or(Value::new_none());
    let text = super::format::format_value(value, spec, call.eval.heap())?;
    call.new_text(&text)
}

/// Kept, to be shown with the result.
fn print<'v>(call: &mut Call<'v, '_, '_, '_>) -> Res<Value<'v>> {
    let mut separator = " ";
    for (name, value) in std::mem::take(&mut call.named) {
        match name.as_str() {
            "sep" if !value.is_none() => separator = call.text(value)?,
            "sep" | "end" | "flush" => {}
            other => return refuse(format!("print() takes no argument `{other}`")),
        }
    }
    let heap = call.eval.heap();
    let mut line = String::new();
    for (index, value) in std::mem::take(&mut call.positional).into_iter().enumerate() {
        if index > 0 {
            line.push_str(separator);
        }
        line.push_str(&str_of(value, heap)?);
        super::call::check_text(line.len())?;
    }
    call.context()?.print(&line)?;
    Ok(Value::new_none())
}
