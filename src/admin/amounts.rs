//! Amounts as the original's `set_quota` and `increase_quota` take them (`admin.md` 4).

/// Bytes of a MB.
const MB: i128 = 1 << 20;

/// Cores in thousandths; negative ones take away.
pub(super) fn millicores(text: &str) -> Result<i64, String> {
    let cores: Option<f64> = text.parse().ok();
    let millis = cores.map(|cores| cores * 1000.0).filter(|millis| millis.abs() <= 1e12);
    let millis = millis.ok_or_else(|| format!("{text:?} is no number of cores such as 2.5"))?;
    if (millis - millis.round()).abs() > 1e-6 {
        return Err("cores are given in thousandths, such as 2.125".to_owned());
    }
    #[expect(clippy::cast_possible_truncation, reason = "it is whole and below 2^53")]
    Ok(millis.round() as i64)
}

/// A whole number with a unit as whole MB, downwards; a number alone is of bytes.
pub(super) fn megabytes(text: &str) -> Result<i64, String> {
    let wrong = || {
        format!(
            "{text:?} is no size: give a whole number with k, kb, m, mb, g, gb, t or tb, such as \
             512mb; a number alone is of bytes"
        )
    };
    let unit = text.trim_start_matches(|c: char| c.is_ascii_digit() || c == '-');
    let number: i64 = text[..text.len() - unit.len()].parse().map_err(|_| wrong())?;
    let scale = match unit.to_ascii_lowercase().as_str() {
        "" => 1,
        "k" | "kb" => 1 << 10,
        "m" | "mb" => MB,
        "g" | "gb" => 1 << 30,
        "t" | "tb" => 1 << 40,
        _ => return Err(wrong()),
    };
    let megabytes = (i128::from(number) * scale).div_euclid(MB);
    i64::try_from(megabytes).map_err(|_| format!("{text} is more than can be counted"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a7_sizes_are_whole_megabytes_and_cores_thousandths() {
        for (text, wanted) in [
            ("1048576", 1),
            ("1g", 1024),
            ("1m", 1),
            ("0m", 0),
            ("0", 0),
            ("2T", 2 << 20),
            ("1500KB", 1),
            ("1000", 0),
            ("-1m", -1),
            ("-1", -1),
        ] {
            assert_eq!(megabytes(text), Ok(wanted), "{text}");
        }
        for (text, wanted) in [("1.5", 1500), ("-1", -1000), ("0", 0), ("1e3", 1_000_000)] {
            assert_eq!(millicores(text), Ok(wanted), "{text}");
        }
        assert!(millicores("0.0001").unwrap_err().contains("thousandths"));
        for text in ["", "x", "NaN", "inf", "1e30"] {
            assert!(millicores(text).unwrap_err().contains("such as 2.5"), "{text}");
        }
    }

    #[test]
    fn a10_units_are_told() {
        for text in ["20X", "", "m", "1.5g", "--1m", "1-m", "9999999999999999999g", "1 m"] {
            let refused = megabytes(text).unwrap_err();
            assert!(refused.contains("k, kb, m, mb, g, gb, t or tb"), "{text}: {refused}");
        }
        assert!(megabytes("9999999999999t").unwrap_err().contains("more than can be counted"));
    }
}
