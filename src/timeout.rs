//! How long commands wait.

use std::time::Duration;

/// Until when it is waited.
#[derive(Debug, Clone, Copy, clap::Args)]
pub(crate) struct Timeout {
    /// Wait no longer than this, such as 90s, 5m or 1h30m; then the status is 9. Without it there is no limit.
    #[arg(long, value_name = "TIME", value_parser = duration)]
    pub(crate) timeout: Option<Duration>,
}

/// A time such as `1h30m`; a number alone is of seconds.
pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    if let Ok(seconds) = text.parse::<u32>() {
        return Ok(Duration::from_secs(seconds.into()));
    }
    // What the parser says of a text is about its letters, not about what was to be written.
    humantime::parse_duration(text)
        .map_err(|_| "give seconds, or a time such as 90s, 5m or 1h30m".to_owned())
}

/// A time as people write it, in whole seconds if it is not shorter than one.
pub(crate) fn words(time: Duration) -> String {
    let whole =
        if time < Duration::from_secs(1) { time } else { Duration::from_secs(time.as_secs()) };
    humantime::format_duration(whole).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_alone_is_of_seconds() {
        for (text, secs) in [("90", 90), ("90s", 90), ("1h30m", 5400), ("0", 0)] {
            assert_eq!(duration(text), Ok(Duration::from_secs(secs)), "{text}");
        }
        for wrong in ["", "-1", "5 parsecs", "m"] {
            let told = duration(wrong).unwrap_err();
            assert_eq!(told, "give seconds, or a time such as 90s, 5m or 1h30m", "{wrong:?}");
        }
    }
}
