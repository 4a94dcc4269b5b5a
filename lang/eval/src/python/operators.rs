//! The operators, as functions that the desugaring calls.

use starlark::eval::Evaluator;
use starlark::values::list::ListRef;
use starlark::values::tuple::TupleRef;
use starlark::values::{Heap, Value};

use crate::codes::Code;
use crate::values::{ObjectValue, alloc, settled};
use aurora_template::object::{Kind as ObjectKind, Object};
use aurora_template::scope::resolve;

use super::call::{Res, check_items, check_text, help_as, hold, list, new_text, refuse, tuple};
use super::native::Kind::Binary;
use super::number::{Number, Operator, arithmetic, number};
use super::percent::percent;
use super::text::kind;

pub(super) const TABLE: super::Table = &[
    ("__au_add", Binary(add)),
    ("__au_iadd", Binary(add_in_place)),
    ("__au_sub", Binary(subtract)),
    ("__au_mul", Binary(multiply)),
    ("__au_div", Binary(|a, b, eval| numeric(Operator::Divide, "/", a, b, eval))),
    ("__au_floordiv", Binary(|a, b, eval| numeric(Operator::FloorDivide, "//", a, b, eval))),
    ("__au_mod", Binary(remainder)),
    ("__au_lshift", Binary(shift)),
    ("__au_pow", Binary(|a, b, eval| numeric(Operator::Power, "**", a, b, eval))),
    ("__au_or", Binary(|a, b, eval| of_sets(a, b, eval, Value::bit_or))),
    ("__au_and", Binary(|a, b, eval| of_sets(a, b, eval, Value::bit_and))),
    ("__au_xor", Binary(|a, b, eval| of_sets(a, b, eval, Value::bit_xor))),
];

/// An operator that numbers, sets and dicts have. What it makes of sets is measured.
fn of_sets<'v>(
    a: Value<'v>,
    b: Value<'v>,
    eval: &mut Evaluator<'v, '_, '_>,
    operator: fn(Value<'v>, Value<'v>, Heap<'v>) -> Res<Value<'v>>,
) -> Res<Value<'v>> {
    if matches!(a.get_type(), "set" | "dict") {
        let len = |value: Value<'v>| value.length().unwrap_or(0);
        hold(usize::try_from(len(a).saturating_add(len(b))).unwrap_or(0), eval)?;
    }
    operator(a, b, eval.heap())
}

pub(super) fn numeric<'v>(
    operator: Operator,
    sign: &str,
    a: Value<'v>,
    b: Value<'v>,
    eval: &mut Evaluator<'v, '_, '_>,
) -> Res<Value<'v>> {
    match (number(a), number(b)) {
        (Some(x), Some(y)) => Ok(arithmetic(operator, &x, &y)?.alloc(eval.heap())),
        _ => unsupported(sign, a, b),
    }
}

fn unsupported<'v>(sign: &str, a: Value<'v>, b: Value<'v>) -> Res<Value<'v>> {
    let message = format!("{sign} cannot work on {} and {}", kind(a), kind(b));
    let objects = [a, b].map(|value| ObjectValue::from_value(value).and_then(|o| o.0.as_ref()));
    let help = match objects.into_iter().flatten().next().map(Object::kind) {
        Some(ObjectKind::List(_)) => {
            "make a plain list of it first: list(task.processes()) + [more]"
        }
        Some(ObjectKind::Scalar(_)) => {
            "put it into a template such as '{{name}}', or take its text with str()"
        }
        _ if [a, b].iter().any(|value| kind(*value) == "method") => {
            "a field is asked for by a call: write () behind its name"
        }
        Some(_) => "objects have no arithmetic: name their fields in a template such as '{{name}}'",
        None if sign == "+" && [a, b].iter().any(|value| value.unpack_str().is_some()) => {
            "make text of a value with str(), or write '%s' % value"
        }
        None => "both must be of kinds that fit",
    };
    help_as(Code::WrongType, message, help)
}

pub(super) fn add<'v>(
    a: Value<'v>,
    b: Value<'v>,
    eval: &mut Evaluator<'v, '_, '_>,
) -> Res<Value<'v>> {
    if let (Some(x), Some(y)) = (a.unpack_str(), b.unpack_str()) {
        check_text(x.len() + y.len())?;
        return new_text(&[x, y].concat(), eval);
    }
    if let (Some(x), Some(y)) = (number(a), number(b)) {
        return Ok(arithmetic(Operator::Add, &x, &y)?.alloc(eval.heap()));
    }
    if let (Some(x), Some(y)) = (ListRef::from_value(a), ListRef::from_value(b)) {
        check_items(x.content().len() + y.content().len())?;
        return list([x.content(), y.content()].concat(), eval);
    }
    if let (Some(x), Some(y)) = (TupleRef::from_value(a), TupleRef::from_value(b)) {
        check_items(x.len() + y.len())?;
        return tuple(&[x.content(), y.content()].concat(), eval);
    }
    unsupported("+", a, b)
}

/// `a += b`: a list is extended by whatever has elements, and stays the same list.
fn add_in_place<'v>(
    a: Value<'v>,
    b: Value<'v>,
    eval: &mut Evaluator<'v, '_, '_>,
) -> Res<Value<'v>> {
    match ListRef::from_value(a) {
        Some(_) => {
            super::methods::extend(a, b, eval)?;
            Ok(a)
        }
        None => add(a, b, eval),
    }
}

/// `a << b`, which makes numbers as large as `**` does.
fn shift<'v>(a: Value<'v>, b: Value<'v>, eval: &mut Evaluator<'v, '_, '_>) -> Res<Value<'v>> {
    match (number(a), number(b)) {
        (Some(Number::Float(_)), _) | (_, Some(Number::Float(_))) | (None, _) | (_, None) => {
            unsupported("<<", a, b)
        }
        (Some(x), Some(y)) => {
            if y.float()? < 0.0 {
                return refuse("a number is shifted by a count that is not negative");
            }
            let power = arithmetic(Operator::Power, &Number::Int(2), &y)?;
            Ok(arithmetic(Operator::Multiply, &x, &power)?.alloc(eval.heap()))
        }
    }
}

pub(super) fn subtract<'v>(
    a: Value<'v>,
    b: Value<'v>,
    eval: &mut Evaluator<'v, '_, '_>,
) -> Res<Value<'v>> {
    if a.get_type() == "set" && b.get_type() == "set" {
        return a.sub(b, eval.heap());
    }
    numeric(Operator::Subtract, "-", a, b, eval)
}

pub(super) fn multiply<'v>(
    a: Value<'v>,
    b: Value<'v>,
    eval: &mut Evaluator<'v, '_, '_>,
) -> Res<Value<'v>> {
    if let (Some(x), Some(y)) = (number(a), number(b)) {
        return Ok(arithmetic(Operator::Multiply, &x, &y)?.alloc(eval.heap()));
    }
    let (sequence, times) = if number(a).is_some() { (b, a) } else { (a, b) };
    let Some(Number::Int(times)) = number(times) else {
        return unsupported("*", a, b);
    };
    let times = usize::try_from(times.max(0)).unwrap_or(usize::MAX);
    if let Some(text) = sequence.unpack_str() {
        check_text(text.len().saturating_mul(times))?;
        return new_text(&if text.is_empty() { String::new() } else { text.repeat(times) }, eval);
    }
    let repeated = |items: &[Value<'v>]| {
        check_items(items.len().saturating_mul(times))?;
        Ok::<_, starlark::Error>(if items.is_empty() { Vec::new() } else { items.repeat(times) })
    };
    if let Some(items) = ListRef::from_value(sequence) {
        return list(repeated(items.content())?, eval);
    }
    if let Some(items) = TupleRef::from_value(sequence) {
        return tuple(&repeated(items.content())?, eval);
    }
    unsupported("*", a, b)
}

pub(super) fn remainder<'v>(
    a: Value<'v>,
    b: Value<'v>,
    eval: &mut Evaluator<'v, '_, '_>,
) -> Res<Value<'v>> {
    if let Some(format) = a.unpack_str() {
        let text = percent(format, b, eval)?;
        return new_text(&text, eval);
    }
    // On an object it binds, and interpolates at once (`dsl.md` 2.4).
    if let Some(ObjectValue(Some(_))) = ObjectValue::from_value(a) {
        let bind = a.get_attr_error("bind", eval.heap())?;
        let bound = eval.eval_function(bind, &[b], &[])?;
        if let Some(ObjectValue(Some(object))) = ObjectValue::from_value(bound) {
            return alloc(settled(resolve(object))?, eval);
        }
    }
    numeric(Operator::Remainder, "%", a, b, eval)
}
