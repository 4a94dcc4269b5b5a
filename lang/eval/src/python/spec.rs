//! Numbers and texts laid out by what a format asks for: what `%` and `format` have in common.

use std::fmt::Write;

use num_bigint::BigInt;
use num_traits::Signed;

use crate::codes::Code;

use super::call::{MAX_TEXT, Res, check_text, refuse, refuse_as};

/// The most digits behind the point.
const MAX_PRECISION: usize = 1000;

/// Where the blanks go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Align {
    Left,
    Right,
    Center,
    /// Between the sign and the digits.
    Inside,
}

/// Fills a text up to a width. `prefix` is the sign and such, which stays in front of filling that
/// goes inside.
pub(super) fn pad(prefix: &str, body: &str, fill: char, align: Align, width: usize) -> Res<String> {
    let len = prefix.chars().count() + body.chars().count();
    let missing = width.saturating_sub(len);
    check_text(missing.saturating_mul(fill.len_utf8()).saturating_add(prefix.len() + body.len()))?;
    let fill = |count: usize| fill.to_string().repeat(count);
    Ok(match align {
        Align::Left => format!("{prefix}{body}{}", fill(missing)),
        Align::Right => format!("{}{prefix}{body}", fill(missing)),
        Align::Inside => format!("{prefix}{}{body}", fill(missing)),
        Align::Center => {
            let left = missing / 2;
            format!("{}{prefix}{body}{}", fill(left), fill(missing - left))
        }
    })
}

/// The digits of a whole number without its sign, in one of the bases of the language.
pub(super) fn digits(number: &BigInt, conversion: char) -> String {
    let number = number.abs();
    match conversion {
        'x' => number.to_str_radix(16),
        'X' => number.to_str_radix(16).to_uppercase(),
        'o' => number.to_str_radix(8),
        'b' => number.to_str_radix(2),
        _ => number.to_string(),
    }
}

/// The digits of a float without its sign, as `e`, `f` or `g` lay them out.
pub(super) fn float_digits(
    value: f64,
    conversion: char,
    precision: Option<usize>,
    alternate: bool,
) -> Res<String> {
    let precision = precision.unwrap_or(6);
    if precision > MAX_PRECISION {
        return refuse(format!("a float is written with at most {MAX_PRECISION} digits"));
    }
    let value = value.abs();
    let upper = conversion.is_ascii_uppercase();
    let mut text = if value.is_nan() {
        "nan".to_owned()
    } else if value.is_infinite() {
        "inf".to_owned()
    } else {
        match conversion.to_ascii_lowercase() {
            'e' => exponent_form(value, precision, alternate),
            'g' => general_form(value, precision.max(1), alternate),
            _ => {
                let mut text = format!("{value:.precision$}");
                if alternate && precision == 0 {
                    text.push('.');
                }
                text
            }
        }
    };
    if upper {
        text.make_ascii_uppercase();
    }
    Ok(text)
}

fn exponent_form(value: f64, precision: usize, alternate: bool) -> String {
    let scientific = format!("{value:.precision$e}");
    let (digits, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let point = if alternate && precision == 0 { "." } else { "" };
    format!("{digits}{point}{}", exponent_suffix(exponent.parse().unwrap_or(0)))
}

fn exponent_suffix(exponent: i32) -> String {
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("e{sign}{:02}", exponent.unsigned_abs())
}

fn general_form(value: f64, precision: usize, alternate: bool) -> String {
    // Rounded first: only then is the exponent known.
    let rounded = format!("{value:.*e}", precision - 1);
    let exponent: i32 =
        rounded.split_once('e').and_then(|(_, text)| text.parse().ok()).unwrap_or(0);
    let scientific = exponent < -4 || i64::from(exponent) >= precision as i64;
    let mut text = if scientific {
        rounded.split_once('e').map_or(rounded.clone(), |(digits, _)| digits.to_owned())
    } else {
        let decimals = usize::try_from(precision as i64 - 1 - i64::from(exponent)).unwrap_or(0);
        format!("{value:.decimals$}")
    };
    if alternate {
        if !text.contains('.') {
            text.push('.');
        }
    } else if text.contains('.') {
        text.truncate(text.trim_end_matches('0').trim_end_matches('.').len());
    }
    if scientific {
        text.push_str(&exponent_suffix(exponent));
    }
    text
}

/// Puts a comma between thousands.
pub(super) fn with_commas(digits: &str) -> String {
    let whole = digits.find(|c: char| !c.is_ascii_digit()).unwrap_or(digits.len());
    let mut out = String::new();
    for (index, digit) in digits[..whole].char_indices() {
        if index > 0 && (whole - index) % 3 == 0 {
            out.push(',');
        }
        out.push(digit);
    }
    out.push_str(&digits[whole..]);
    out
}

/// A width or precision written in digits, and what follows it.
pub(super) fn leading_number(text: &str) -> Res<(Option<usize>, &str)> {
    let len = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    if len == 0 {
        return Ok((None, text));
    }
    match text[..len].parse() {
        Ok(number) if number <= MAX_TEXT => Ok((Some(number), &text[len..])),
        _ => refuse_as(
            Code::LimitExceeded,
            format!("the width {} is too large", aurora_template::beginning(&text[..len])),
        ),
    }
}

/// The sign in front of a number.
pub(super) fn sign(negative: bool, plus: bool, blank: bool) -> String {
    let mut sign = String::new();
    if negative {
        sign.push('-');
    } else if plus {
        sign.push('+');
    } else if blank {
        sign.push(' ');
    }
    let _ = write!(sign, "");
    sign
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn floats_are_laid_out_as_in_c() {
        for (value, conversion, precision, expected) in [
            (2.71428, 'f', Some(2), "2.71"),
            (2.5, 'f', Some(0), "2"),
            (1e10, 'g', None, "1e+10"),
            (100_000.0, 'g', None, "100000"),
            (1e6, 'g', None, "1e+06"),
            (1e11, 'g', Some(12), "100000000000"),
            (0.0001, 'g', None, "0.0001"),
            (0.000_01, 'g', None, "1e-05"),
            (0.0, 'g', None, "0"),
            (12345.678, 'e', Some(3), "1.235e+04"),
            (12345.678, 'E', Some(3), "1.235E+04"),
            (f64::INFINITY, 'f', None, "inf"),
            (999_999.9, 'g', None, "1e+06"),
        ] {
            assert_eq!(
                float_digits(value, conversion, precision, false).ok().as_deref(),
                Some(expected)
            );
        }
        assert_eq!(float_digits(3.0, 'g', None, true).ok().as_deref(), Some("3.00000"));
    }

    #[test]
    fn thousands_have_commas() {
        assert_eq!(with_commas("1234567.5"), "1,234,567.5");
        assert_eq!(with_commas("123"), "123");
    }
}
