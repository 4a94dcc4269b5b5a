//! Numbers and their arithmetic, as Python 2 has it: whole numbers have no bounds but that of
//! memory, and `/` of two of them rounds down.

use num_bigint::{BigInt, Sign};
use num_traits::{FromPrimitive, Signed, ToPrimitive, Zero};
use starlark::values::float::StarlarkFloat;
use starlark::values::{Heap, UnpackValue, Value, ValueLike};

use crate::codes::Code;

use super::call::{Res, refuse, refuse_as};

/// The largest whole number, in bits.
const MAX_BITS: u64 = 1 << 16;

/// A number.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Number {
    Int(i64),
    Big(BigInt),
    Float(f64),
}

/// What is done with two numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Operator {
    Add,
    Subtract,
    Multiply,
    /// Python 2's `/`.
    Divide,
    FloorDivide,
    Remainder,
    Power,
}

use Operator::{Add, Divide, FloorDivide, Multiply, Power, Remainder, Subtract};

/// A value as a number, if it is one; `True` is 1.
pub(super) fn number(value: Value<'_>) -> Option<Number> {
    if let Some(truth) = value.unpack_bool() {
        return Some(Number::Int(i64::from(truth)));
    }
    if let Some(small) = value.unpack_i32() {
        return Some(Number::Int(i64::from(small)));
    }
    if let Some(float) = value.downcast_ref::<StarlarkFloat>() {
        return Some(Number::Float(float.0));
    }
    if let Ok(Some(int)) = i64::unpack_value(value) {
        return Some(Number::Int(int));
    }
    BigInt::unpack_value(value).ok().flatten().map(Number::Big)
}

impl Number {
    pub(super) fn alloc<'v>(self, heap: Heap<'v>) -> Value<'v> {
        match self {
            Self::Int(number) => heap.alloc(number),
            Self::Big(number) => heap.alloc(number),
            Self::Float(number) => heap.alloc(number),
        }
    }

    #[expect(clippy::cast_precision_loss, reason = "a float is the nearest to a whole number")]
    pub(super) fn float(&self) -> Res<f64> {
        match self {
            Self::Int(number) => Ok(*number as f64),
            Self::Float(number) => Ok(*number),
            Self::Big(number) => match number.to_f64() {
                Some(float) if float.is_finite() => Ok(float),
                _ => refuse("the whole number is too large for a float"),
            },
        }
    }

    fn big(&self) -> Option<BigInt> {
        match self {
            Self::Int(number) => Some(BigInt::from(*number)),
            Self::Big(number) => Some(number.clone()),
            Self::Float(_) => None,
        }
    }

    /// The whole number that is left when the fraction is cut off.
    pub(super) fn truncated(self) -> Res<BigInt> {
        match self {
            Self::Float(float) => match BigInt::from_f64(float) {
                Some(number) => Ok(number),
                None => refuse(format!(
                    "the float {} is no whole number",
                    aurora_template::number::text_of_float(float)
                )),
            },
            whole => Ok(whole.big().unwrap_or_default()),
        }
    }
}

/// Arithmetic on two numbers.
pub(super) fn arithmetic(operator: Operator, a: &Number, b: &Number) -> Res<Number> {
    if let (Number::Int(a), Number::Int(b)) = (a, b)
        && let Some(result) = small(operator, *a, *b)
    {
        return Ok(Number::Int(result));
    }
    match (a.big(), b.big()) {
        (Some(a), Some(b)) => whole(operator, &a, &b),
        _ => floating(operator, a.float()?, b.float()?).map(Number::Float),
    }
}

/// The common case: whole numbers that fit, and whose result does.
fn small(operator: Operator, a: i64, b: i64) -> Option<i64> {
    match operator {
        Add => a.checked_add(b),
        Subtract => a.checked_sub(b),
        Multiply => a.checked_mul(b),
        Divide | FloorDivide => {
            let quotient = a.checked_div(b)?;
            let exact = quotient.checked_mul(b)? == a;
            Some(if !exact && (a < 0) != (b < 0) { quotient - 1 } else { quotient })
        }
        Remainder => {
            let rest = a.checked_rem(b)?;
            Some(if rest != 0 && (rest < 0) != (b < 0) { rest + b } else { rest })
        }
        Power => a.checked_pow(u32::try_from(b).ok()?),
    }
}

fn whole(operator: Operator, a: &BigInt, b: &BigInt) -> Res<Number> {
    let bits = match operator {
        Multiply => a.bits() + b.bits(),
        Power if b.sign() != Sign::Minus => a.bits().saturating_mul(b.to_u64().unwrap_or(u64::MAX)),
        _ => a.bits().max(b.bits()),
    };
    // 0, 1 and -1 stay small whatever they are raised to.
    let unit = a.bits() <= 1 && operator == Power;
    if bits > MAX_BITS && !unit {
        return refuse_as(
            Code::LimitExceeded,
            format!("the result has about {bits} bits; a number may have {MAX_BITS}"),
        );
    }
    if b.is_zero() && matches!(operator, Divide | FloorDivide | Remainder) {
        return refuse("division of a whole number by zero");
    }
    Ok(Number::Big(match operator {
        Add => a + b,
        Subtract => a - b,
        Multiply => a * b,
        Divide | FloorDivide => floor_div(a, b),
        Remainder => a - floor_div(a, b) * b,
        Power if b.is_negative() => {
            return floating(
                Power,
                Number::Big(a.clone()).float()?,
                Number::Big(b.clone()).float()?,
            )
            .map(Number::Float);
        }
        Power if unit => {
            let odd = b.bit(0);
            if a.is_zero() && b.is_zero() || a.is_negative() && !odd {
                BigInt::from(1)
            } else {
                a.clone()
            }
        }
        Power => a.pow(b.to_u32().unwrap_or(0)),
    }))
}

fn floor_div(a: &BigInt, b: &BigInt) -> BigInt {
    let quotient = a / b;
    if (a.is_negative() != b.is_negative()) && &quotient * b != *a {
        quotient - 1
    } else {
        quotient
    }
}

fn floating(operator: Operator, a: f64, b: f64) -> Res<f64> {
    if b == 0.0 && matches!(operator, Divide | FloorDivide | Remainder) {
        return refuse("division of a float by zero");
    }
    let remainder = || {
        let rest = a % b;
        if rest == 0.0 {
            0.0_f64.copysign(b)
        } else if (rest < 0.0) == (b < 0.0) {
            rest
        } else {
            rest + b
        }
    };
    Ok(match operator {
        Add => a + b,
        Subtract => a - b,
        Multiply => a * b,
        Divide => a / b,
        FloorDivide => ((a - remainder()) / b).round(),
        Remainder => remainder(),
        Power => {
            if a == 0.0 && b < 0.0 {
                return refuse("zero cannot be raised to a negative power");
            }
            if a < 0.0 && b.is_finite() && b.fract() != 0.0 {
                return refuse("a negative number cannot be raised to a fractional power");
            }
            let result = a.powf(b);
            if result.is_infinite() && a.is_finite() && b.is_finite() {
                return refuse("the result is too large for a float");
            }
            result
        }
    })
}

/// `int(text, base)`: [`None`] if the text is no number. Base 0 reads the prefix.
pub(super) fn parse_int(text: &str, base: u32) -> Res<Option<BigInt>> {
    let text = text.trim();
    let (negative, digits) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let lower = digits.to_ascii_lowercase();
    let prefixed = |prefix: &str, of: u32| {
        (base == of || base == 0)
            .then(|| lower.strip_prefix(prefix))
            .flatten()
            .map(|rest| (rest, of))
    };
    let (digits, base) = prefixed("0x", 16)
        .or_else(|| prefixed("0o", 8))
        .or_else(|| prefixed("0b", 2))
        .or_else(|| (base == 0 && lower.starts_with('0')).then_some((lower.as_str(), 8)))
        .unwrap_or((lower.as_str(), if base == 0 { 10 } else { base }));
    if digits.is_empty() || !digits.chars().all(|c| c.is_digit(base)) {
        return Ok(None);
    }
    if digits.len() as u64 > MAX_BITS / 4 {
        return refuse(format!("a number may have {} digits", MAX_BITS / 4));
    }
    let number = BigInt::parse_bytes(digits.as_bytes(), base);
    Ok(number.map(|number| if negative { -number } else { number }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn division_rounds_down() {
        for (a, b, quotient, rest) in [
            (7, 2, 3, 1),
            (-7, 2, -4, 1),
            (7, -2, -4, -1),
            (-7, -2, 3, -1),
            (6, 3, 2, 0),
            (-6, 3, -2, 0),
        ] {
            let divide = |operator| {
                arithmetic(operator, &Number::Int(a), &Number::Int(b)).expect("in range")
            };
            assert_eq!(divide(Divide), Number::Int(quotient), "{a} / {b}");
            assert_eq!(divide(Remainder), Number::Int(rest), "{a} % {b}");
            let big = whole(Divide, &BigInt::from(a), &BigInt::from(b)).expect("in range");
            assert_eq!(big, Number::Big(BigInt::from(quotient)), "{a} / {b}, large");
        }
        assert!(arithmetic(Divide, &Number::Int(1), &Number::Int(0)).is_err());
        assert!(arithmetic(Remainder, &Number::Float(1.0), &Number::Int(0)).is_err());
    }

    #[test]
    fn powers_are_bounded() {
        let power = |a, b| arithmetic(Power, &Number::Int(a), &Number::Int(b));
        assert_eq!(power(2, 10).ok(), Some(Number::Int(1024)));
        assert_eq!(power(2, -1).ok(), Some(Number::Float(0.5)));
        assert_eq!(power(-1, 1 << 40).ok(), Some(Number::Big(BigInt::from(1))));
        assert_eq!(power(0, 1 << 40).ok(), Some(Number::Big(BigInt::from(0))));
        assert!(power(10, 1_000_000_000).is_err());
    }
}
