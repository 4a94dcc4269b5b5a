//! `math`. As in Python 2, `floor` and `ceil` give floats.

use num_bigint::BigInt;
use starlark::values::Value;

use super::super::call::{Call, Res, refuse};
use super::super::native::Kind::General;
use super::super::number::number;
use super::super::text::kind;
use super::{Member, Module};

/// A function of one number.
macro_rules! plain {
    ($run:expr) => {
        Member::Function(General(|call| one(call, $run)))
    };
}

pub(super) const MATH: Module = Module {
    name: "math",
    members: &[
        ("pi", Member::Float(std::f64::consts::PI)),
        ("e", Member::Float(std::f64::consts::E)),
        ("ceil", plain!(f64::ceil)),
        ("floor", plain!(f64::floor)),
        ("fabs", plain!(f64::abs)),
        ("sqrt", plain!(f64::sqrt)),
        ("exp", plain!(f64::exp)),
        ("expm1", plain!(f64::exp_m1)),
        ("log10", plain!(f64::log10)),
        ("log1p", plain!(f64::ln_1p)),
        ("sin", plain!(f64::sin)),
        ("cos", plain!(f64::cos)),
        ("tan", plain!(f64::tan)),
        ("asin", plain!(f64::asin)),
        ("acos", plain!(f64::acos)),
        ("atan", plain!(f64::atan)),
        ("sinh", plain!(f64::sinh)),
        ("cosh", plain!(f64::cosh)),
        ("tanh", plain!(f64::tanh)),
        ("degrees", plain!(f64::to_degrees)),
        ("radians", plain!(f64::to_radians)),
        ("pow", Member::Function(General(|call| two(call, f64::powf)))),
        ("fmod", Member::Function(General(|call| two(call, |x, y| x % y)))),
        ("hypot", Member::Function(General(|call| two(call, f64::hypot)))),
        ("atan2", Member::Function(General(|call| two(call, f64::atan2)))),
        ("copysign", Member::Function(General(|call| two(call, f64::copysign)))),
        ("log", Member::Function(General(log))),
        ("trunc", Member::Function(General(trunc))),
        ("modf", Member::Function(General(modf))),
        ("factorial", Member::Function(General(factorial))),
        ("fsum", Member::Function(General(fsum))),
        ("isnan", Member::Function(General(|call| is(call, f64::is_nan)))),
        ("isinf", Member::Function(General(|call| is(call, f64::is_infinite)))),
    ],
};

fn float<'v>(value: Value<'v>, call: &Call<'v, '_, '_, '_>) -> Res<f64> {
    match number(value) {
        Some(number) => number.float(),
        None => refuse(format!("{}() takes a number, got {}", call.name, kind(value))),
    }
}

/// The result, unless there is none.
fn result<'v>(value: f64, given: &[f64], call: &Call<'v, '_, '_, '_>) -> Res<Value<'v>> {
    let finite = given.iter().all(|x| x.is_finite());
    if value.is_nan() && !given.iter().any(|x| x.is_nan()) || value.is_infinite() && finite {
        let given: Vec<String> =
            given.iter().map(|x| aurora_template::number::text_of_float(*x)).collect();
        return refuse(format!("{}({}) has no result", call.name, given.join(", ")));
    }
    Ok(call.alloc(value))
}

fn one<'v>(call: &mut Call<'v, '_, '_, '_>, run: fn(f64) -> f64) -> Res<Value<'v>> {
    let value = call.one()?;
    let value = float(value, call)?;
    result(run(value), &[value], call)
}

fn two<'v>(call: &mut Call<'v, '_, '_, '_>, run: fn(f64, f64) -> f64) -> Res<Value<'v>> {
    let [a, b] = call.exactly(["x", "y"])?;
    let (a, b) = (float(a, call)?, float(b, call)?);
    result(run(a, b), &[a, b], call)
}

fn is<'v>(call: &mut Call<'v, '_, '_, '_>, test: fn(f64) -> bool) -> Res<Value<'v>> {
    let value = call.one()?;
    Ok(Value::new_bool(test(float(value, call)?)))
}

fn log<'v>(call: &mut Call<'v, '_, '_, '_>) -> Res<Value<'v>> {
    let [value, base] = call.args(["x", "base"], 1)?;
    let value = float(value.unwrap_or(Value::new_none()), call)?;
    match base {
        Some(base) => {
            let base = float(base, call)?;
            result(value.ln() / base.ln(), &[value, base], call)
        }
        None => result(value.ln(), &[value], call),
    }
}

fn trunc<'v>(call: &mut Call<'v, '_, '_, '_>) -> Res<Value<'v>> {
    let value = call.one()?;
    match number(value) {
        Some(number) => Ok(call.alloc(number.truncated()?)),
        None => refuse(format!("trunc() takes a number, got {}", kind(value))),
    }
}

fn modf<'v>(call: &mut Call<'v, '_, '_, '_>) -> Res<Value<'v>> {
    let value = call.one()?;
    let value = float(value, call)?;
    let parts = [call.alloc(value.fract()), call.alloc(value.trunc())];
    call.tuple(&parts)
}

fn factorial<'v>(call: &mut Call<'v, '_, '_, '_>) -> Res<Value<'v>> {
    let value = call.one()?;
    let value = call.int(value)?;
    if !(0..=1000).contains(&value) {
        return refuse("factorial() takes a whole number from 0 to 1000");
    }
    Ok(call.alloc((1..=value).map(BigInt::from).product::<BigInt>()))
}

fn fsum<'v>(call: &mut Call<'v, '_, '_, '_>) -> Res<Value<'v>> {
    let items = call.one()?;
    let mut total = 0.0;
    // What rounding loses is carried along.
    let mut lost = 0.0;
    for item in call.iterate(items)? {
        let item = float(item, call)?;
        let sum: f64 = total + item;
        lost +=
            if f64::abs(total) >= item.abs() { (total - sum) + item } else { (item - sum) + total };
        total = sum;
    }
    Ok(call.alloc(total + lost))
}
