//! What others say, made fit for a message.

/// How many lines [`last_lines`] gives, and how much of each, in bytes.
const LINES: usize = 3;
const LINE: usize = 200;
/// Where those lines are to be looked for: in this many bytes at the end of a file.
pub const LAST_LINES: u64 = 8 << 10;

/// At most `max` bytes of a text, in which nothing steers a terminal. Lines stay lines if `lines`.
pub fn printable(text: &str, max: usize, lines: bool) -> String {
    let mut out = String::new();
    for char in text.chars() {
        let before = out.len();
        if char.is_control() && !(lines && char == '\n') {
            out.extend(char.escape_default());
        } else {
            out.push(char);
        }
        if out.len() > max {
            out.truncate(before);
            out.push('…');
            break;
        }
    }
    out
}

/// What a program wrote last: some lines of text, empty ones left out, joined by ` | `. Empty if there is none.
pub fn last_lines(text: &[u8]) -> String {
    let text = String::from_utf8_lossy(text);
    let lines = text.lines().rev().map(str::trim_end).filter(|line| !line.is_empty());
    let mut lines: Vec<String> =
        lines.take(LINES).map(|line| printable(line, LINE, false)).collect();
    lines.reverse();
    lines.join(" | ")
}

/// The innermost cause of an error: what libraries say above it is no news to people.
pub fn root(error: &(dyn std::error::Error + 'static)) -> String {
    let mut cause = error;
    while let Some(next) = cause.source() {
        cause = next;
    }
    cause.to_string()
}

#[cfg(test)]
mod tests {
    use super::{last_lines, printable};

    #[test]
    fn the_last_lines_are_told_in_their_order() {
        assert_eq!(last_lines(b"one\ntwo  \n\nthree\r\n\x1bfour\n"), "two | three | \\u{1b}four");
        assert_eq!(last_lines(b"\n \n"), "");
    }

    #[test]
    fn what_steers_is_written_out_and_what_is_long_is_cut() {
        assert_eq!(printable("a\u{1b}[1m\n", 99, false), "a\\u{1b}[1m\\n");
        assert_eq!(printable("a\nb\r", 99, true), "a\nb\\r");
        assert_eq!(printable("äöü", 4, false), "äö…");
        assert_eq!(printable("äö", 4, false), "äö");
    }
}
