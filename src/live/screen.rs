//! Lines on a terminal that are written over again.

use std::fmt::Write as _;
use std::io::Write as _;

use rustix::termios::tcgetwinsize;

use super::Line;

/// What is drawn where the terminal does not say how large it is.
const UNKNOWN: Size = Size { columns: 80, rows: 24 };

/// How large a terminal is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Size {
    pub(crate) columns: usize,
    pub(crate) rows: usize,
}

#[derive(Debug, Clone, Copy)]
enum Stream {
    Stdout,
    Stderr,
}

/// A part of a terminal.
#[derive(Debug)]
pub(crate) struct Screen {
    stream: Stream,
    /// How wide the lines are that were drawn last.
    drawn: Vec<usize>,
}

impl Screen {
    pub(super) fn stdout() -> Self {
        Self { stream: Stream::Stdout, drawn: Vec::new() }
    }

    pub(super) fn stderr() -> Self {
        Self { stream: Stream::Stderr, drawn: Vec::new() }
    }

    fn size(&self) -> Size {
        let found = match self.stream {
            Stream::Stdout => tcgetwinsize(std::io::stdout()),
            Stream::Stderr => tcgetwinsize(std::io::stderr()),
        };
        match found {
            Ok(size) if size.ws_col > 0 && size.ws_row > 0 => {
                Size { columns: size.ws_col.into(), rows: size.ws_row.into() }
            }
            Ok(_) | Err(_) => UNKNOWN,
        }
    }

    pub(super) fn draw(&mut self, lines: &mut impl FnMut(Size) -> Vec<Line>) {
        let size = self.size();
        // The cursor stands below the last line.
        let room = Size { rows: size.rows.saturating_sub(1).max(1), ..size };
        let text = frame(&mut self.drawn, lines(room), room);
        self.write(&text);
    }

    pub(super) fn clear(&mut self) {
        let size = self.size();
        let text = frame(&mut self.drawn, Vec::new(), size);
        self.write(&text);
    }

    fn write(&self, text: &str) {
        // Who has closed the terminal sees nothing anyway; what is waited for goes on.
        let _ = match self.stream {
            Stream::Stdout => {
                let mut out = std::io::stdout().lock();
                out.write_all(text.as_bytes()).and_then(|()| out.flush())
            }
            Stream::Stderr => std::io::stderr().lock().write_all(text.as_bytes()),
        };
    }
}

/// What draws lines over those that were drawn before, whose widths are known.
fn frame(drawn: &mut Vec<usize>, lines: Vec<Line>, room: Size) -> String {
    // In a window that has become narrower a line takes several rows.
    let rows: usize = drawn.iter().map(|width| width.div_ceil(room.columns).max(1)).sum();
    let rows = rows.min(room.rows);
    let mut text = String::new();
    // Writing to a string cannot fail.
    if rows > 0 {
        let _ = write!(text, "\x1b[{rows}A\r");
    }
    drawn.clear();
    for line in lines.into_iter().take(room.rows) {
        let line = line.cut(room.columns);
        drawn.push(line.width());
        let _ = write!(text, "{line}\x1b[K\r\n");
    }
    text.push_str("\x1b[J");
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_is_drawn_over_the_one_before() {
        let room = Size { columns: 6, rows: 3 };
        let lines = |texts: &[&str]| texts.iter().map(Line::new).collect::<Vec<_>>();
        let mut drawn = Vec::new();
        assert_eq!(
            frame(&mut drawn, lines(&["ab", "cdefgh!"]), room),
            "ab\x1b[K\r\ncdefgh\x1b[K\r\n\x1b[J"
        );
        assert_eq!(frame(&mut drawn, lines(&["x"]), room), "\x1b[2A\rx\x1b[K\r\n\x1b[J");
        // No more than there is room for.
        frame(&mut drawn, lines(&["1", "2", "3", "4"]), room);
        assert_eq!(drawn.len(), 3);
        assert_eq!(frame(&mut drawn, Vec::new(), room), "\x1b[3A\r\x1b[J");
        assert_eq!(frame(&mut drawn, Vec::new(), room), "\x1b[J");
        // Narrower than it was.
        frame(&mut drawn, lines(&["123456"]), room);
        let narrow = Size { columns: 3, rows: 9 };
        assert_eq!(frame(&mut drawn, Vec::new(), narrow), "\x1b[2A\r\x1b[J");
    }
}
