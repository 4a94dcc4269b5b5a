//! Durations as people write them (`client.md` 4): `1h30m`.

use std::time::Duration;

/// The longest that is taken: a thousand years.
const MAX_DAYS: u64 = 365_000;

const MINUTE: u64 = 60;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;

/// `XdYhZmWs`: each part may be left out, but not all of them.
///
/// # Errors
/// A text that says what was expected.
pub fn parse(text: &str) -> Result<Duration, String> {
    let wrong =
        || format!("{text:?} is no duration: give days, hours, minutes and seconds, such as 1h30m");
    let mut rest = text;
    let mut seconds = 0_u64;
    for (unit, length) in [('d', DAY), ('h', HOUR), ('m', MINUTE), ('s', 1)] {
        let digits = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
        let (number, after) = rest.split_at(digits);
        let mut after = after.chars();
        if !after.next().is_some_and(|found| found.eq_ignore_ascii_case(&unit)) {
            continue;
        }
        let number: u64 = number.parse().map_err(|_| wrong())?;
        seconds = seconds.saturating_add(number.saturating_mul(length));
        rest = after.as_str();
    }
    if !rest.is_empty() || text.is_empty() {
        return Err(wrong());
    }
    if seconds > MAX_DAYS * DAY {
        return Err(format!("{text} is too long: at most {MAX_DAYS} days are taken"));
    }
    Ok(Duration::from_secs(seconds))
}

/// In the largest unit in which it is a whole number, as the original's client shows it: `90 mins`.
pub fn shown(duration: Duration) -> String {
    let seconds = duration.as_secs();
    let units = [(DAY, "days"), (HOUR, "hrs"), (MINUTE, "mins")];
    let unit = units.into_iter().find(|(length, _)| seconds.is_multiple_of(*length));
    let (length, name) = unit.unwrap_or((1, "secs"));
    format!("{} {name}", seconds / length)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_units_in_order() {
        for (text, seconds) in [
            ("0s", 0),
            ("10s", 10),
            ("90S", 90),
            ("1h3m10s", 3790),
            ("7d", 604_800),
            ("1d1s", 86_401),
            ("2H30M", 9000),
        ] {
            assert_eq!(parse(text), Ok(Duration::from_secs(seconds)), "{text}");
        }
        for text in [
            "",
            "5",
            "m",
            "1m1h",
            "1h 3m",
            "-1s",
            "1.5h",
            "1h3",
            "1w",
            "1m2m",
            "99999999999999999999s",
        ] {
            let refused = parse(text).unwrap_err();
            assert!(refused.contains("such as 1h30m"), "{text}: {refused}");
        }
        let refused = parse("9999999999999d").unwrap_err();
        assert!(refused.contains("at most 365000 days"), "{refused}");
    }

    #[test]
    fn c142_durations_are_shown_in_whole_units() {
        let shown = |text: &str| shown(parse(text).unwrap());
        for (text, wanted) in [
            ("1m", "1 mins"),
            ("60m", "1 hrs"),
            ("24h", "1 days"),
            ("1h30m", "90 mins"),
            ("90s", "90 secs"),
            ("1h3m10s", "3790 secs"),
            ("0m", "0 days"),
            ("12h", "12 hrs"),
            ("7d", "7 days"),
        ] {
            assert_eq!(shown(text), wanted, "{text}");
        }
    }
}
