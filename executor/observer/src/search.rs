//! Finding lines of a file, as far as a limit of lines and of time allows.

use std::fs::File;
use std::io;

use aurora_daemon::beneath;
use regex::bytes::{Regex, RegexBuilder};

/// The most lines that one search finds.
pub(crate) const MAX_FOUND: usize = 200;
/// The longest pattern, in bytes.
pub(crate) const MAX_PATTERN: usize = 1000;
/// What of a line is shown, in bytes.
const SHOWN: usize = 500;
/// The longest line that is looked at as a whole; a longer one is several.
const MAX_LINE: usize = 16 << 10;
/// What a pattern may need when it is made ready, in bytes.
const PATTERN_SIZE: usize = 256 << 10;

/// What is looked for.
#[derive(Debug)]
pub(crate) struct Pattern(Regex);

impl Pattern {
    /// A text, or a regular expression; in which case letters matter or not.
    ///
    /// # Errors
    /// It is too long, or no regular expression: in the words of the user's.
    pub(crate) fn new(text: &str, is_regex: bool, has_case: bool) -> Result<Self, String> {
        if text.len() > MAX_PATTERN {
            return Err(format!("It is longer than {MAX_PATTERN} bytes."));
        }
        let pattern = if is_regex { text.to_owned() } else { regex::escape(text) };
        RegexBuilder::new(&pattern)
            .case_insensitive(!has_case)
            .size_limit(PATTERN_SIZE)
            .dfa_size_limit(PATTERN_SIZE)
            .build()
            .map(Self)
            .map_err(|error| error.to_string())
    }
}

/// A line that fits.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Found {
    /// Where it begins in the file.
    pub(crate) offset: u64,
    /// What it says: around the place that fits, if it is long.
    pub(crate) text: String,
}

/// What a search has found.
#[derive(Debug, Default)]
pub(crate) struct Answer {
    pub(crate) found: Vec<Found>,
    /// How far the file was searched.
    pub(crate) until: u64,
    /// How long the file is.
    pub(crate) size: u64,
}

/// Searches a file from an offset on. `is_over` is asked after each line, and ends the search: there are
/// patterns that a long line takes long to be compared with. Blocks.
///
/// # Errors
/// The file cannot be read.
pub(crate) fn search(
    file: &File,
    pattern: &Pattern,
    from: u64,
    is_over: impl Fn() -> bool,
) -> io::Result<Answer> {
    let size = file.metadata()?.len();
    let mut answer = Answer { found: Vec::new(), until: from.min(size), size };
    // The beginning of a line whose end was not read yet.
    let mut rest: Vec<u8> = Vec::new();
    let mut read_to = answer.until;
    loop {
        let bytes = beneath::read(file, read_to, beneath::MAX_READ)?;
        let at_end = bytes.is_empty();
        read_to += bytes.len() as u64;
        rest.extend_from_slice(&bytes);
        let mut lines = rest.as_slice();
        while let Some(length) = line(lines, at_end) {
            let (line, others) = lines.split_at(length);
            let content = without_end(line);
            if let Some(fits) = pattern.0.find(content) {
                let text = excerpt(content, fits.start());
                answer.found.push(Found { offset: answer.until, text });
            }
            answer.until += length as u64;
            lines = others;
            if answer.found.len() == MAX_FOUND || is_over() {
                return Ok(answer);
            }
        }
        if at_end {
            return Ok(answer);
        }
        rest = lines.to_vec();
    }
}

/// How long the first line is, its end included; none if its end is not there.
fn line(bytes: &[u8], at_end: bool) -> Option<usize> {
    let end = bytes.iter().take(MAX_LINE).position(|byte| *byte == b'\n').map(|end| end + 1);
    let cut = (bytes.len() >= MAX_LINE).then_some(MAX_LINE);
    end.or(cut).or_else(|| (at_end && !bytes.is_empty()).then_some(bytes.len()))
}

fn without_end(line: &[u8]) -> &[u8] {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    line.strip_suffix(b"\r").unwrap_or(line)
}

/// A line; of a long one a part, in which the byte at `place` is.
fn excerpt(line: &[u8], place: usize) -> String {
    if line.len() <= SHOWN {
        return String::from_utf8_lossy(line).into_owned();
    }
    let first = place.saturating_sub(SHOWN / 4).min(line.len() - SHOWN);
    let part = line.get(first..first + SHOWN).unwrap_or_default();
    let before = if first > 0 { "…" } else { "" };
    let after = if first + SHOWN < line.len() { "…" } else { "" };
    format!("{before}{}{after}", String::from_utf8_lossy(part))
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    fn file(text: &[u8]) -> File {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(text).unwrap();
        file
    }

    fn offsets(text: &[u8], pattern: &Pattern) -> Vec<u64> {
        let answer = search(&file(text), pattern, 0, || false).unwrap();
        assert_eq!((answer.until, answer.size), (text.len() as u64, text.len() as u64));
        answer.found.iter().map(|found| found.offset).collect()
    }

    #[test]
    fn lines_are_found_by_text_and_by_expression() {
        let text = b"one\nTWO a.b\r\nthree\ntwo axb";
        let find = |text: &str, is_regex, has_case| Pattern::new(text, is_regex, has_case).unwrap();
        assert_eq!(offsets(text, &find("two", false, false)), [4, 19]);
        assert_eq!(offsets(text, &find("two", false, true)), [19]);
        assert_eq!(offsets(text, &find("a.b", false, false)), [4]);
        assert_eq!(offsets(text, &find("A.B", true, false)), [4, 19]);
        assert_eq!(offsets(text, &find("^three$", true, false)), [13]);
        assert!(Pattern::new("(", true, false).is_err());
        assert!(Pattern::new(&"a".repeat(1001), false, false).is_err());
        assert!(Pattern::new("((a{100}){100}){100}", true, false).is_err(), "too large");
        let found = search(&file(text), &find("a.b", false, false), 0, || false).unwrap().found;
        assert_eq!(found, [Found { offset: 4, text: "TWO a.b".to_owned() }]);
    }

    #[test]
    fn a_search_ends_at_its_limits_and_goes_on_from_there() {
        let pattern = Pattern::new("x", false, true).unwrap();
        let many = file("x\n".repeat(450).as_bytes());
        let mut from = 0;
        let mut counts = Vec::new();
        loop {
            let answer = search(&many, &pattern, from, || false).unwrap();
            counts.push(answer.found.len());
            from = answer.until;
            if answer.until == answer.size {
                break;
            }
        }
        assert_eq!(counts, [200, 200, 50]);
        let mut large = "y".repeat(3 << 20);
        large.push_str("\nx");
        let over = search(&file(large.as_bytes()), &pattern, 0, || true).unwrap();
        assert!(over.found.is_empty() && over.until > 0 && over.until < over.size);
        assert_eq!(offsets(large.as_bytes(), &pattern), [(3 << 20) + 1]);
        assert_eq!(search(&many, &pattern, 10_000, || false).unwrap().until, 900);
    }

    #[test]
    fn long_lines_are_shown_around_what_fits() {
        let line = format!("{}needle{}\n", "a".repeat(2000), "b".repeat(2000));
        let pattern = Pattern::new("needle", false, true).unwrap();
        let answer = search(&file(line.as_bytes()), &pattern, 0, || false).unwrap();
        let text = &answer.found[0].text;
        assert!(
            text.starts_with("…a") && text.contains("needle") && text.ends_with("b…"),
            "{text}"
        );
        assert!(text.len() < 600);
    }
}
