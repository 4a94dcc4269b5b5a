//! How numbers look as text (`dsl.md` 1.1): a float with 12 significant digits.

/// A float as text: `3.0`, `0.333333333333`, `1e+11`, `1e-05`.
pub fn text_of_float(value: f64) -> String {
    if value.is_nan() {
        return "nan".to_owned();
    }
    if value.is_infinite() {
        return if value > 0.0 { "inf" } else { "-inf" }.to_owned();
    }
    if value == 0.0 {
        return if value.is_sign_negative() { "-0.0" } else { "0.0" }.to_owned();
    }
    // Rounded to 12 digits first: only then is the exponent known (9.999999999999e10 is 1e+11).
    let scientific = format!("{value:.11e}");
    let (digits, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    let digits = digits.trim_end_matches('0').trim_end_matches('.');
    if !(-4..11).contains(&exponent) {
        let sign = if exponent < 0 { '-' } else { '+' };
        return format!("{digits}e{sign}{:02}", exponent.unsigned_abs());
    }
    let decimals = usize::try_from(11 - exponent).unwrap_or(0);
    let plain = format!("{value:.decimals$}");
    let plain = plain.trim_end_matches('0');
    if plain.ends_with('.') { format!("{plain}0") } else { plain.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn floats_have_twelve_digits() {
        let cases = [
            (3.0, "3.0"),
            (1.0 / 3.0, "0.333333333333"),
            (2.0 / 3.0, "0.666666666667"),
            (1e10, "10000000000.0"),
            (1e11, "1e+11"),
            (123_456_789_012.0, "1.23456789012e+11"),
            (1e-5, "1e-05"),
            (0.0001, "0.0001"),
            (-1.5, "-1.5"),
            (0.1, "0.1"),
            (1.5e300, "1.5e+300"),
            (1_610_612_736.0, "1610612736.0"),
            (-0.0, "-0.0"),
            (99_999_999_999.96, "1e+11"),
        ];
        for (value, text) in cases {
            assert_eq!(text_of_float(value), text);
        }
    }
}
