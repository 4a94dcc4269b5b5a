//! What people write for amounts of memory and disk.

use aurora_model::quota::MAX_QUOTA_MB;

/// A number with its unit, as MB. Apache Aurora takes a number alone for bytes, its scheduler's flags
/// for MB: here it must say which.
pub(super) fn megabytes(text: &str) -> Result<u64, String> {
    let wrong =
        || format!("{text:?} is no size: give a number with a unit, such as 512MB or 1.5GB");
    let digits = text.trim_start_matches(|c: char| c.is_ascii_digit() || c == '.');
    let (number, unit) = text.split_at(text.len() - digits.len());
    let number: f64 = number.parse().map_err(|_| wrong())?;
    let scale = match unit.trim_start().to_ascii_lowercase().as_str() {
        "" if number == 0.0 => 1.0,
        "" => return Err(format!("{text} of which unit? Give {text}MB or {text}B (bytes)")),
        "b" => 1.0 / f64::from(1 << 20),
        "k" | "kb" | "kib" => 1.0 / f64::from(1 << 10),
        "m" | "mb" | "mib" => 1.0,
        "g" | "gb" | "gib" => f64::from(1 << 10),
        "t" | "tb" | "tib" => f64::from(1 << 20),
        _ => return Err(wrong()),
    };
    let megabytes = number * scale;
    #[expect(clippy::cast_precision_loss, reason = "a power of two")]
    let max = MAX_QUOTA_MB as f64;
    if megabytes > max {
        return Err(format!("{text} is more than the {MAX_QUOTA_MB} MB that can be counted"));
    }
    if megabytes.fract() != 0.0 {
        return Err(format!("{text} is {megabytes} MB: give a whole number of MB"));
    }
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "it has been checked; a number without a sign is not negative"
    )]
    Ok(megabytes as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_have_a_unit_and_are_whole_megabytes() {
        for (text, wanted) in [
            ("0", 0),
            ("0m", 0),
            ("512MB", 512),
            ("512 mib", 512),
            ("1.5GB", 1536),
            ("2g", 2048),
            ("1T", 1 << 20),
            ("2048KB", 2),
            ("1048576B", 1),
        ] {
            assert_eq!(megabytes(text), Ok(wanted), "{text}");
        }
        for (text, wanted) in [
            ("20480", "20480 of which unit? Give 20480MB or 20480B (bytes)"),
            ("0.1GB", "0.1GB is 102.4 MB: give a whole number of MB"),
            ("1500KB", "1500KB is 1.46484375 MB: give a whole number of MB"),
            (
                "9999999999TB",
                "9999999999TB is more than the 1125899906842624 MB that can be counted",
            ),
        ] {
            assert_eq!(megabytes(text).unwrap_err(), wanted);
        }
        for text in ["", "MB", "-1MB", "1e3MB", "1.2.3MB", "NaN", "20XB", ".", "1MBps"] {
            let refused = megabytes(text).unwrap_err();
            assert!(refused.ends_with("such as 512MB or 1.5GB"), "{text}: {refused}");
        }
    }
}
