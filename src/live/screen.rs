//! Lines on a terminal that are written over again.

use std::fmt::Write as _;
use std::io::Write as _;
use std::sync::{Mutex, MutexGuard, PoisonError};

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

impl Stream {
    fn size(self) -> Size {
        let found = match self {
            Self::Stdout => tcgetwinsize(std::io::stdout()),
            Self::Stderr => tcgetwinsize(std::io::stderr()),
        };
        match found {
            Ok(size) if size.ws_col > 0 && size.ws_row > 0 => {
                Size { columns: size.ws_col.into(), rows: size.ws_row.into() }
            }
            Ok(_) | Err(_) => UNKNOWN,
        }
    }

    fn write(self, text: &str) {
        // Who has closed the terminal sees nothing anyway; what is waited for goes on.
        let _ = match self {
            Self::Stdout => {
                let mut out = std::io::stdout().lock();
                out.write_all(text.as_bytes()).and_then(|()| out.flush())
            }
            Self::Stderr => std::io::stderr().lock().write_all(text.as_bytes()),
        };
    }
}

/// The lines that stand on the terminal now. A program shows one view at a time; whoever writes anything else there
/// meanwhile has to know of it.
static SHOWN: Mutex<Option<Shown>> = Mutex::new(None);

#[derive(Debug)]
struct Shown {
    stream: Stream,
    lines: Vec<Line>,
}

/// They are replaced as a whole, and hold after a panic too.
fn shown() -> MutexGuard<'static, Option<Shown>> {
    SHOWN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Writes on the standard error, above the view if one stands there.
pub(crate) fn above(write: impl FnOnce()) {
    let mut shown = shown();
    let Some(Shown { stream, lines }) = shown.as_mut() else { return write() };
    let size = stream.size();
    stream.write(&frame(lines, &[], size));
    write();
    stream.write(&frame(&[], lines, size));
}

/// A part of a terminal.
#[derive(Debug)]
pub(crate) struct Screen(Stream);

impl Screen {
    pub(super) fn stdout() -> Self {
        Self(Stream::Stdout)
    }

    pub(super) fn stderr() -> Self {
        Self(Stream::Stderr)
    }

    pub(super) fn draw(&mut self, lines: &mut impl FnMut(Size) -> Vec<Line>) {
        let size = self.0.size();
        // The cursor stands below the last line.
        let room = Size { rows: size.rows.saturating_sub(1).max(1), ..size };
        let mut lines = lines(room);
        lines.truncate(room.rows);
        let lines: Vec<Line> = lines.into_iter().map(|line| line.cut(room.columns)).collect();
        let mut shown = shown();
        let before = shown.take().map(|shown| shown.lines).unwrap_or_default();
        self.0.write(&frame(&before, &lines, room));
        *shown = Some(Shown { stream: self.0, lines });
    }

    /// Takes away what is drawn.
    pub(super) fn clear(&mut self) {
        if let Some(before) = shown().take() {
            self.0.write(&frame(&before.lines, &[], self.0.size()));
        }
    }
}

/// What was drawn last stays where it is, and is no view any more.
impl Drop for Screen {
    fn drop(&mut self) {
        shown().take();
    }
}

/// What draws lines, which have room, over those that were drawn before.
fn frame(before: &[Line], lines: &[Line], room: Size) -> String {
    // In a window that has become narrower a line takes several rows.
    let rows: usize = before.iter().map(|line| line.width().div_ceil(room.columns).max(1)).sum();
    let rows = rows.min(room.rows);
    let mut text = String::new();
    // Writing to a string cannot fail.
    if rows > 0 {
        let _ = write!(text, "\x1b[{rows}A\r");
    }
    for line in lines {
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
        let drawn = lines(&["ab", "cdefgh"]);
        assert_eq!(frame(&[], &drawn, room), "ab\x1b[K\r\ncdefgh\x1b[K\r\n\x1b[J");
        assert_eq!(frame(&drawn, &lines(&["x"]), room), "\x1b[2A\rx\x1b[K\r\n\x1b[J");
        assert_eq!(frame(&drawn, &[], room), "\x1b[2A\r\x1b[J");
        assert_eq!(frame(&[], &[], room), "\x1b[J");
        // Narrower than it was.
        let narrow = Size { columns: 3, rows: 9 };
        assert_eq!(frame(&lines(&["123456"]), &[], narrow), "\x1b[2A\r\x1b[J");
    }
}
