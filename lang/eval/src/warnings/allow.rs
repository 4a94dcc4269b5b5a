//! Comments that allow what would be warned of: `# aurora: allow CODE, CODE` at the end of a line or
//! on the line before it; above everything else in a file it counts for the whole file.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use crate::codes::{Code, Severity};
use crate::report::Report;
use crate::sources::Sources;

/// What such a comment begins with, behind the `#`.
const MARK: &str = "aurora: allow";

/// The reports without the warnings that the files allow, and with those of codes that the comments
/// allow in vain.
pub(crate) fn without_allowed(reports: Vec<Report>, sources: &Sources) -> Vec<Report> {
    let mut unknown = Vec::new();
    let mut allowed = BTreeMap::new();
    for (file, text) in sources.files() {
        let found = Allowed::of(text);
        for (span, word) in &found.unknown {
            unknown.push(unknown_code(sources, file, span.clone(), word));
        }
        allowed.insert(file.clone(), (text.clone(), found));
    }
    let mut kept: Vec<Report> = reports.into_iter().chain(unknown).collect();
    kept.retain(|report| {
        let Some((file, offset)) = report.place() else { return true };
        let Some((text, allowed)) = allowed.get(file) else { return true };
        report.severity() == Severity::Error || !allowed.has(report.code(), line_of(text, offset))
    });
    kept
}

fn unknown_code(sources: &Sources, file: &str, span: Range<usize>, word: &str) -> Report {
    let (message, help) = match Code::of(word) {
        Some(_) => (
            format!("`{word}` is an error, which no comment allows"),
            "take the comment away, and mend what is wrong".to_owned(),
        ),
        None => {
            let warnings = Code::ALL.iter().filter(|code| code.severity() == Severity::Warning);
            let near = aurora_template::types::nearest(word, warnings.map(|code| code.id()));
            let help = match near {
                Some(near) => format!("did you mean `{near}`?"),
                None => "the codes are those that warnings are shown with".to_owned(),
            };
            (format!("there is no warning `{word}` to allow"), help)
        }
    };
    Report::new(Code::UnknownAllow, message)
        .at(sources, file, span, "here")
        .with_help(help)
        .with_suggestion_for(word)
}

/// What the comments of a file allow.
#[derive(Debug, Default)]
struct Allowed {
    everywhere: BTreeSet<Code>,
    /// By line, from 0.
    lines: BTreeSet<(usize, Code)>,
    unknown: Vec<(Range<usize>, String)>,
}

impl Allowed {
    fn of(text: &str) -> Self {
        let mut allowed = Self::default();
        // Above all code a comment is about the file.
        let mut first_code = None;
        for comment in comments(text, &mut first_code) {
            let body = &text[comment.clone()];
            let words = body.trim_start_matches('#').trim_start();
            let Some(words) = words.strip_prefix(MARK) else { continue };
            if !words.starts_with([' ', '\t', ':']) {
                continue;
            }
            let line = line_of(text, comment.start);
            let at_top = first_code.is_none_or(|code| comment.start < code);
            // What follows the codes, behind a dash or a bracket, says why.
            let mut offset = comment.end - words.len();
            for word in words.split_inclusive([' ', ',', '\t', ':']) {
                let code = word.trim_end_matches([' ', ',', '\t', ':', '\r']);
                let span = offset..offset + code.len();
                offset += word.len();
                if code.is_empty() {
                    continue;
                }
                let is_code = code.bytes().all(|b| b.is_ascii_lowercase() || b == b'-');
                if !is_code || code.starts_with('-') {
                    break;
                }
                match Code::of(code).filter(|code| code.severity() == Severity::Warning) {
                    Some(code) if at_top => {
                        allowed.everywhere.insert(code);
                    }
                    Some(code) => {
                        allowed.lines.insert((line, code));
                    }
                    None => allowed.unknown.push((span, code.to_owned())),
                }
            }
        }
        allowed
    }

    fn has(&self, code: Code, line: usize) -> bool {
        self.everywhere.contains(&code)
            || self.lines.contains(&(line, code))
            || line.checked_sub(1).is_some_and(|before| self.lines.contains(&(before, code)))
    }
}

fn line_of(text: &str, offset: usize) -> usize {
    let before = text.as_bytes().get(..offset).unwrap_or(text.as_bytes());
    before.iter().filter(|b| **b == b'\n').count()
}

/// The comments of a text, and where its first code begins.
fn comments(text: &str, first_code: &mut Option<usize>) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    let bytes = text.as_bytes();
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'#' => {
                let end = text[at..].find('\n').map_or(text.len(), |length| at + length);
                found.push(at..end);
                at = end;
            }
            b'"' | b'\'' => {
                first_code.get_or_insert(at);
                at = end_of_text(bytes, at);
            }
            byte if byte.is_ascii_whitespace() => at += 1,
            _ => {
                first_code.get_or_insert(at);
                at += 1;
            }
        }
    }
    found
}

/// The end of the text literal that begins at `start`.
fn end_of_text(bytes: &[u8], start: usize) -> usize {
    let quote = bytes[start];
    let triple = bytes.get(start..start + 3).is_some_and(|three| three.iter().all(|b| *b == quote));
    let mut at = start + if triple { 3 } else { 1 };
    while let Some(byte) = bytes.get(at) {
        if *byte == b'\\' {
            at += 2;
        } else if triple && bytes.get(at..at + 3).is_some_and(|end| end.iter().all(|b| *b == quote))
        {
            return at + 3;
        } else if !triple && *byte == quote {
            return at + 1;
        } else if !triple && *byte == b'\n' {
            return at;
        } else {
            at += 1;
        }
    }
    bytes.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_allow_a_line_or_a_file() {
        let text = "# Ours.\n# aurora: allow shadowed-name\n'#'\nx = 1  # aurora: allow \
                    unused-binding, redefined-name - on purpose\n\n\ny = '''\n# aurora: allow \
                    short-watch\n'''\n# aurora:allow x\n# aurora: allow nothing-such bad-value\nz\n";
        let allowed = Allowed::of(text);
        for (code, line, wanted) in [
            (Code::ShadowedName, 9, true),
            (Code::UnusedBinding, 2, false),
            (Code::UnusedBinding, 3, true),
            (Code::UnusedBinding, 4, true),
            (Code::UnusedBinding, 5, false),
            (Code::RedefinedName, 3, true),
            (Code::ShortWatch, 7, false),
            (Code::ShortWatch, 8, false),
        ] {
            assert_eq!(allowed.has(code, line), wanted, "{code} in line {line}");
        }
        let unknown: Vec<&str> =
            allowed.unknown.iter().map(|(span, _)| &text[span.clone()]).collect();
        assert_eq!(unknown, ["nothing-such", "bad-value"]);
    }
}
