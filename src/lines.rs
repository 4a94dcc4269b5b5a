//! Lines on the screen: who says something, then what.

use std::collections::BTreeMap;
use std::io::Write;

use anstyle::{AnsiColor, Style};
use aurora_model::job::TaskState;

/// The longest part of a line that is kept back until the line ends, in bytes.
const LONGEST: usize = 16 << 10;

/// The colours of speakers, one after the other.
const COLOURS: [AnsiColor; 6] = [
    AnsiColor::Cyan,
    AnsiColor::Yellow,
    AnsiColor::Green,
    AnsiColor::Magenta,
    AnsiColor::Blue,
    AnsiColor::BrightCyan,
];

/// Gives each speaker a colour, and all the same width.
#[derive(Debug, Default)]
pub(crate) struct Speakers {
    colours: BTreeMap<String, AnsiColor>,
    width: usize,
}

impl Speakers {
    /// The beginning of the speaker's lines.
    pub(crate) fn prefix(&mut self, speaker: &str) -> String {
        self.width = self.width.max(speaker.chars().count());
        let next = colour_of(self.colours.len());
        let colour = *self.colours.entry(speaker.to_owned()).or_insert(next);
        let style = colour.on_default();
        format!("{style}{speaker:width$} |{style:#} ", width = self.width)
    }
}

/// The colour of the speaker of a number.
pub(crate) fn colour_of(number: usize) -> AnsiColor {
    COLOURS[number % COLOURS.len()]
}

/// The colour of a state.
pub(crate) fn state_style(state: TaskState) -> Style {
    match state {
        TaskState::Running | TaskState::Finished => AnsiColor::Green.on_default(),
        TaskState::Failed | TaskState::Lost => AnsiColor::Red.on_default().bold(),
        TaskState::Killed | TaskState::Killing => AnsiColor::BrightBlack.on_default(),
        _ => AnsiColor::Yellow.on_default(),
    }
}

/// Cuts what comes in pieces into lines.
#[derive(Debug, Default)]
pub(crate) struct Splitter {
    rest: Vec<u8>,
}

impl Splitter {
    /// The whole lines, and what is too long to be kept back.
    pub(crate) fn push(&mut self, bytes: &[u8]) -> Vec<String> {
        self.rest.extend_from_slice(bytes);
        let end = match self.rest.iter().rposition(|byte| *byte == b'\n') {
            Some(at) => at + 1,
            None if self.rest.len() > LONGEST => self.rest.len(),
            None => return Vec::new(),
        };
        let rest = self.rest.split_off(end);
        let whole = std::mem::replace(&mut self.rest, rest);
        String::from_utf8_lossy(&whole).lines().map(clean).collect()
    }

    /// What is left although no line end came.
    pub(crate) fn finish(&mut self) -> Option<String> {
        let rest = std::mem::take(&mut self.rest);
        (!rest.is_empty()).then(|| clean(&String::from_utf8_lossy(&rest)))
    }
}

/// Keeps tabs and colours, and nothing that moves the cursor or speaks to the terminal. Of several lines it
/// makes one.
pub(crate) fn clean(line: &str) -> String {
    let mut text = String::with_capacity(line.len());
    let mut chars = line.chars().peekable();
    while let Some(char) = chars.next() {
        if char == '\u{1b}' && chars.peek() == Some(&'[') {
            let sequence: String = chars
                .clone()
                .skip(1)
                .take_while(|char| char.is_ascii_digit() || *char == ';')
                .take(32)
                .collect();
            if chars.clone().nth(1 + sequence.len()) == Some('m') {
                text.push_str(&format!("\u{1b}[{sequence}m"));
                chars.nth(1 + sequence.len());
                continue;
            }
        }
        if char == '\n' {
            text.push(' ');
        } else if char == '\t' || !char.is_control() {
            text.push(char);
        }
    }
    if text.contains('\u{1b}') {
        text.push_str("\u{1b}[0m");
    }
    text
}

/// Prints lines of a speaker as it printed them: to standard output or standard error.
pub(crate) fn say(prefix: &str, lines: &[String], to_stderr: bool) {
    let text = lines.iter().fold(String::new(), |text, line| text + prefix + line + "\n");
    // A reader that has hung up is no reason to stop the tasks.
    let _ = if to_stderr {
        anstream::stderr().lock().write_all(text.as_bytes())
    } else {
        let mut out = anstream::stdout().lock();
        out.write_all(text.as_bytes()).and_then(|()| out.flush())
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_whole_and_harmless() {
        let mut lines = Splitter::default();
        assert!(lines.push(b"hel").is_empty());
        assert_eq!(lines.push(b"lo\nwor"), ["hello"]);
        assert_eq!(lines.push(b"ld\n\nx"), ["world", ""]);
        assert_eq!(lines.finish().as_deref(), Some("x"));
        assert_eq!(lines.finish(), None);
        assert_eq!(lines.push(&vec![b'a'; LONGEST + 1]).len(), 1);
        assert_eq!(clean("a\tb\r\u{7}\u{1b}]0;title\u{7}c"), "a\tb]0;titlec");
        assert_eq!(clean("\u{1b}[31mred\u{1b}[2Jx"), "\u{1b}[31mred[2Jx\u{1b}[0m");
        assert_eq!(clean("two\r\nlines"), "two lines");
    }
}
