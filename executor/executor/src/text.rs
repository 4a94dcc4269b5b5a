//! Text of others, made fit for a message.

/// At most `max` bytes of a text, in which nothing steers a terminal. Lines stay lines if `lines`.
pub(crate) fn printable(text: &str, max: usize, lines: bool) -> String {
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

#[cfg(test)]
mod tests {
    use super::printable;

    #[test]
    fn what_steers_is_written_out_and_what_is_long_is_cut() {
        assert_eq!(printable("a\u{1b}[1m\n", 99, false), "a\\u{1b}[1m\\n");
        assert_eq!(printable("a\nb\r", 99, true), "a\nb\\r");
        assert_eq!(printable("äöü", 4, false), "äö…");
        assert_eq!(printable("äö", 4, false), "äö");
    }
}
