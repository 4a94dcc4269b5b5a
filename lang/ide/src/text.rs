//! Places in a text as editors count them.

use aurora_syntax::Span;

/// What an editor counts characters in (LSP 3.17, `PositionEncodingKind`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Encoding {
    /// Bytes.
    Utf8,
    /// Units of 16 bits: what every editor can.
    #[default]
    Utf16,
    /// Characters.
    Utf32,
}

/// A place as editors say it: both numbers begin with 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Hash)]
pub struct LineColumn {
    /// Its line.
    pub line: u32,
    /// How many units stand before it on its line.
    pub column: u32,
}

/// Where the lines of a text begin. A line ends with `\n`, `\r\n` or a lone `\r`, as in the protocol.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Lines(Vec<u32>);

impl Lines {
    /// The lines of a text.
    pub fn of(text: &str) -> Self {
        let bytes = text.as_bytes();
        let mut starts = vec![0];
        for (at, byte) in bytes.iter().enumerate() {
            let ends = *byte == b'\n' || (*byte == b'\r' && bytes.get(at + 1) != Some(&b'\n'));
            if ends {
                starts.push(offset(at + 1));
            }
        }
        Self(starts)
    }

    /// How many lines there are; an empty text has one.
    pub fn count(&self) -> u32 {
        offset(self.0.len())
    }

    /// The line of a byte.
    pub fn line(&self, at: u32) -> u32 {
        offset(self.0.partition_point(|start| *start <= at).saturating_sub(1))
    }

    /// The first byte of a line; the end of the text for one behind it.
    pub fn start(&self, line: u32, text: &str) -> u32 {
        self.0.get(line as usize).copied().unwrap_or(offset(text.len()))
    }

    /// A line without what ends it.
    pub fn span(&self, line: u32, text: &str) -> Span {
        let start = self.start(line, text);
        let end = self.start(line + 1, text);
        let shown = text.get(start as usize..end as usize).unwrap_or_default();
        Span::new(start, start + offset(shown.trim_end_matches(['\n', '\r']).len()))
    }

    /// A byte's place. One within a character is that of the character.
    pub fn place(&self, text: &str, at: u32, encoding: Encoding) -> LineColumn {
        let mut at = at.min(offset(text.len()));
        while !text.is_char_boundary(at as usize) {
            at -= 1;
        }
        let line = self.line(at);
        let before = text.get(self.start(line, text) as usize..at as usize).unwrap_or_default();
        LineColumn { line, column: units(before, encoding) }
    }

    /// The byte of a place. One behind the end of its line is the end of the line, one behind the
    /// last line the end of the text; one within a character is the character's begin.
    pub fn offset(&self, text: &str, place: LineColumn, encoding: Encoding) -> u32 {
        if place.line >= self.count() {
            return offset(text.len());
        }
        let line = self.span(place.line, text);
        let shown = line.of(text);
        let mut left = place.column;
        for (at, character) in shown.char_indices() {
            let width = width(character, encoding);
            if left < width {
                return line.start + offset(at);
            }
            left -= width;
        }
        line.end
    }
}

fn width(character: char, encoding: Encoding) -> u32 {
    offset(match encoding {
        Encoding::Utf8 => character.len_utf8(),
        Encoding::Utf16 => character.len_utf16(),
        Encoding::Utf32 => 1,
    })
}

/// How many units a text has.
pub fn units(text: &str, encoding: Encoding) -> u32 {
    match encoding {
        Encoding::Utf8 => offset(text.len()),
        _ if text.is_ascii() => offset(text.len()),
        _ => text.chars().map(|character| width(character, encoding)).sum(),
    }
}

/// Offsets have 32 bits: no text is longer than [`aurora_syntax::MAX_TEXT`].
pub(crate) fn offset(at: usize) -> u32 {
    u32::try_from(at).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn places_are_counted_in_the_units_of_the_editor() {
        let text = "a\u{e9}\u{1f600}b\r\nx\ry\n";
        let lines = Lines::of(text);
        assert_eq!(lines.count(), 4);
        let at = offset(text.find('b').unwrap());
        for (encoding, column) in [(Encoding::Utf8, 7), (Encoding::Utf16, 4), (Encoding::Utf32, 3)]
        {
            let place = LineColumn { line: 0, column };
            assert_eq!(lines.place(text, at, encoding), place);
            assert_eq!(lines.offset(text, place, encoding), at);
        }
        let y = LineColumn { line: 2, column: 0 };
        assert_eq!(lines.offset(text, y, Encoding::Utf16) as usize, text.find('y').unwrap());
    }

    #[test]
    fn a_place_that_is_not_there_is_the_nearest_before_it() {
        let text = "ab\n\u{1f600}";
        let lines = Lines::of(text);
        let at = |line, column| lines.offset(text, LineColumn { line, column }, Encoding::Utf16);
        assert_eq!((at(0, 9), at(1, 1), at(1, 2), at(7, 0)), (2, 3, 7, 7));
    }

    proptest! {
        #[test]
        fn a_place_leads_back_to_its_byte(text in "[a\u{e9}\u{1f600}\r\n ]{0,40}", at in 0usize..60) {
            let lines = Lines::of(&text);
            let mut at = at.min(text.len());
            while !text.is_char_boundary(at) {
                at -= 1;
            }
            for encoding in [Encoding::Utf8, Encoding::Utf16, Encoding::Utf32] {
                let place = lines.place(&text, offset(at), encoding);
                let back = lines.offset(&text, place, encoding) as usize;
                // Between `\r` and `\n` nobody can point.
                prop_assert!(back == at || (back + 1 == at && text[back..].starts_with("\r\n")));
            }
        }
    }
}
