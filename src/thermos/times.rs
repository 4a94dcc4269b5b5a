//! Times as the original writes them, in the machine's time zone, and other texts.

use jiff::Timestamp;
use jiff::tz::TimeZone;

/// A wall clock in milliseconds since the Unix epoch, like `Thu Jan  1 00:00:00 1970`.
pub(super) fn text(ms: i64) -> String {
    written(ms, "%a %b %e %H:%M:%S %Y").unwrap_or_else(|| format!("{ms} ms"))
}

/// A text that somebody else has chosen, on one line of a terminal, which does what control
/// characters say.
pub(super) fn plain(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '?' } else { c }).collect()
}

/// The id of a task that was not given one: its name and when it was begun. What no id may hold is
/// replaced, and a long name is cut.
pub(super) fn task_id(name: &str, now: Timestamp) -> String {
    let time = now.to_zoned(TimeZone::system()).strftime("%Y%m%d-%H%M%S.%6f").to_string();
    let room = aurora_thermos::checkpoint::MAX_TASK_ID - time.len() - 1;
    let mut id = String::new();
    for c in name.chars() {
        let c = if c == '/' || c.is_control() { '_' } else { c };
        if id.len() + c.len_utf8() > room {
            break;
        }
        id.push(c);
    }
    format!("{id}-{time}")
}

fn written(ms: i64, format: &str) -> Option<String> {
    let time = Timestamp::from_millisecond(ms).ok()?;
    Some(time.to_zoned(TimeZone::system()).strftime(format).to_string())
}

#[cfg(test)]
mod tests {
    use aurora_thermos::checkpoint::is_task_id;
    use jiff::Timestamp;

    use super::task_id;

    #[test]
    fn every_name_makes_an_id() {
        for name in ["web", "", "a/b\n", &"ü".repeat(300)] {
            let id = task_id(name, Timestamp::UNIX_EPOCH);
            assert!(is_task_id(&id) && !id.contains('\n'), "{id:?}");
        }
        let id = task_id("web", Timestamp::UNIX_EPOCH);
        assert_eq!(super::plain("a\u{1b}[2J\n"), "a?[2J?");
        assert!(id.starts_with("web-19") && id.ends_with(".000000") && id.len() == 26, "{id}");
    }
}
