//! Comparisons, within the limits: values may share their parts, so that comparing them can take
//! exponentially longer than making them.

use std::cmp::Ordering;

use starlark::eval::Evaluator;
use starlark::values::Value;
use starlark::values::dict::DictRef;
use starlark::values::list::ListRef;
use starlark::values::tuple::TupleRef;

use super::call::{Res, read, refuse, refuse_with, work};
use super::native::Kind::Binary;
use super::number::{Number, number};
use super::text::kind;

pub(super) const TABLE: super::Table = &[
    ("__au_eq", Binary(|a, b, eval| Ok(Value::new_bool(equal(a, b, eval)?)))),
    ("__au_ne", Binary(|a, b, eval| Ok(Value::new_bool(!equal(a, b, eval)?)))),
    ("__au_lt", Binary(|a, b, eval| Ok(Value::new_bool(order(a, b, eval)?.is_lt())))),
    ("__au_le", Binary(|a, b, eval| Ok(Value::new_bool(order(a, b, eval)?.is_le())))),
    ("__au_gt", Binary(|a, b, eval| Ok(Value::new_bool(order(a, b, eval)?.is_gt())))),
    ("__au_ge", Binary(|a, b, eval| Ok(Value::new_bool(order(a, b, eval)?.is_ge())))),
    ("__au_in", Binary(|a, b, eval| Ok(Value::new_bool(is_in(a, b, eval)?)))),
];

/// How deep values that are compared may nest.
const MAX_DEPTH: usize = 100;
/// How much work it is to compare two lists or dicts, beside that for their elements.
const COMPARING: usize = 64;

/// `a == b`: True and False are the numbers 1 and 0.
pub(super) fn equal<'v>(a: Value<'v>, b: Value<'v>, eval: &mut Evaluator<'v, '_, '_>) -> Res<bool> {
    equal_at(a, b, 0, eval)
}

fn equal_at<'v>(
    a: Value<'v>,
    b: Value<'v>,
    depth: usize,
    eval: &mut Evaluator<'v, '_, '_>,
) -> Res<bool> {
    if let Some(text) = a.unpack_str() {
        read(text, eval)?;
        return a.equals(b);
    }
    work(1, eval)?;
    match (a.unpack_bool(), b.unpack_bool()) {
        (Some(flag), None) => return Ok(counts_as(b, flag)),
        (None, Some(flag)) => return Ok(counts_as(a, flag)),
        _ => {}
    }
    if number(a).is_none() && a.ptr_eq(b) {
        return Ok(true);
    }
    if a.get_type() != b.get_type() {
        return a.equals(b);
    }
    if depth > MAX_DEPTH {
        return refuse(format!("the values nest more than {MAX_DEPTH} deep"));
    }
    work(COMPARING, eval)?;
    if let (Some(x), Some(y)) = (elements(a), elements(b)) {
        if x.len() != y.len() {
            return Ok(false);
        }
        for (x, y) in x.iter().zip(y) {
            if !equal_at(*x, *y, depth + 1, eval)? {
                return Ok(false);
            }
        }
        return Ok(true);
    }
    if let (Some(x), Some(y)) = (DictRef::from_value(a), DictRef::from_value(b)) {
        if x.len() != y.len() {
            return Ok(false);
        }
        for (key, value) in x.iter_hashed() {
            let Some(other) = y.get_hashed(key) else { return Ok(false) };
            if !equal_at(value, other, depth + 1, eval)? {
                return Ok(false);
            }
        }
        return Ok(true);
    }
    a.equals(b)
}

fn counts_as(value: Value<'_>, flag: bool) -> bool {
    match number(value) {
        Some(Number::Int(number)) => number == i64::from(flag),
        Some(Number::Float(number)) => number == f64::from(u8::from(flag)),
        Some(Number::Big(_)) | None => false,
    }
}

/// The elements of a list or tuple.
fn elements<'v>(value: Value<'v>) -> Option<&'v [Value<'v>]> {
    ListRef::from_value(value)
        .map(|list| list.content())
        .or_else(|| TupleRef::from_value(value).map(|tuple| tuple.content()))
}

/// How two values compare by the signs of the language.
fn order<'v>(a: Value<'v>, b: Value<'v>, eval: &mut Evaluator<'v, '_, '_>) -> Res<Ordering> {
    if elements(a).is_some() && elements(b).is_some() {
        return compare(a, b, eval);
    }
    if let Some(text) = a.unpack_str() {
        read(text, eval)?;
    }
    a.compare(b)
}

/// How two values compare. What Python 2 orders by the names of types is refused.
pub(super) fn compare<'v>(
    a: Value<'v>,
    b: Value<'v>,
    eval: &mut Evaluator<'v, '_, '_>,
) -> Res<Ordering> {
    compare_at(a, b, 0, eval)
}

fn compare_at<'v>(
    a: Value<'v>,
    b: Value<'v>,
    depth: usize,
    eval: &mut Evaluator<'v, '_, '_>,
) -> Res<Ordering> {
    match a.unpack_str() {
        Some(text) => read(text, eval)?,
        None => work(1, eval)?,
    }
    if a.get_type() == b.get_type()
        && let (Some(x), Some(y)) = (elements(a), elements(b))
    {
        if depth > MAX_DEPTH {
            return refuse(format!("the values nest more than {MAX_DEPTH} deep"));
        }
        work(COMPARING, eval)?;
        for (x, y) in x.iter().zip(y).filter(|(x, y)| !x.ptr_eq(**y)) {
            let order = compare_at(*x, *y, depth + 1, eval)?;
            if order != Ordering::Equal {
                return Ok(order);
            }
        }
        return Ok(x.len().cmp(&y.len()));
    }
    compare_scalars(a, b)
}

/// How two values compare that hold no others.
pub(super) fn compare_scalars<'v>(a: Value<'v>, b: Value<'v>) -> Res<Ordering> {
    if let (Some(x), Some(y)) = (a.unpack_str(), b.unpack_str()) {
        return Ok(x.cmp(y));
    }
    if let (Some(x), Some(y)) = (number(a), number(b)) {
        return match (&x, &y) {
            (Number::Int(x), Number::Int(y)) => Ok(x.cmp(y)),
            _ if a.unpack_bool().is_none() && b.unpack_bool().is_none() => a.compare(b),
            _ => Ok(x.float()?.total_cmp(&y.float()?)),
        };
    }
    if a.is_none() && b.is_none() {
        return Ok(Ordering::Equal);
    }
    refuse_with(
        format!("{} and {} cannot be ordered", kind(a), kind(b)),
        "give a key that makes them alike, such as key = str",
    )
}

/// `value in container`.
pub(super) fn is_in<'v>(
    value: Value<'v>,
    container: Value<'v>,
    eval: &mut Evaluator<'v, '_, '_>,
) -> Res<bool> {
    if let Some(items) = elements(container) {
        for item in items {
            if equal(*item, value, eval)? {
                return Ok(true);
            }
        }
        return Ok(false);
    }
    if let Some(text) = container.unpack_str() {
        read(text, eval)?;
    }
    container.is_in(value)
}
