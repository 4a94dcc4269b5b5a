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

/// Where the lines of a text begin, and where its characters are wide: places are found in logarithmic
/// time, however long the lines. A line ends with `\n`, `\r\n` or a lone `\r`, as in the protocol.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Lines {
    starts: Vec<u32>,
    /// The characters of several bytes, in order.
    wide: Vec<Wide>,
}

/// A character of several bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Wide {
    /// The byte behind it.
    end: u32,
    /// How many bytes more than units there are in the text up to there, in UTF-16 and UTF-32.
    lost: [u32; 2],
}

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
        let mut wide = Vec::new();
        if !text.is_ascii() {
            let mut lost = [0, 0];
            for (at, character) in text.char_indices().filter(|(_, it)| !it.is_ascii()) {
                let len = character.len_utf8();
                lost[0] += offset(len - character.len_utf16());
                lost[1] += offset(len - 1);
                wide.push(Wide { end: offset(at + len), lost });
            }
        }
        Self { starts, wide }
    }

    /// How many bytes more than units there are before a byte.
    fn lost(&self, at: u32, encoding: Encoding) -> u32 {
        let count = self.wide.partition_point(|wide| wide.end <= at);
        let last = count.checked_sub(1).and_then(|last| self.wide.get(last));
        match encoding {
            Encoding::Utf8 => 0,
            Encoding::Utf16 => last.map_or(0, |wide| wide.lost[0]),
            Encoding::Utf32 => last.map_or(0, |wide| wide.lost[1]),
        }
    }

    /// How many lines there are; an empty text has one.
    pub fn count(&self) -> u32 {
        offset(self.starts.len())
    }

    /// The line of a byte.
    pub fn line(&self, at: u32) -> u32 {
        offset(self.starts.partition_point(|start| *start <= at).saturating_sub(1))
    }

    /// The first byte of a line; the end of the text for one behind it.
    pub fn start(&self, line: u32, text: &str) -> u32 {
        self.starts.get(line as usize).copied().unwrap_or(offset(text.len()))
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
        let start = self.start(line, text);
        let lost = self.lost(at, encoding) - self.lost(start, encoding);
        LineColumn { line, column: at - start - lost }
    }

    /// The byte of a place. One behind the end of its line is the end of the line, one behind the
    /// last line the end of the text; one within a character is the character's begin.
    pub fn offset(&self, text: &str, place: LineColumn, encoding: Encoding) -> u32 {
        if place.line >= self.count() {
            return offset(text.len());
        }
        let line = self.span(place.line, text);
        let before = self.lost(line.start, encoding);
        // Of the wide characters of the line, those that end before the place.
        let is_before = |wide: &Wide| {
            let units = wide.end - line.start - (self.lost(wide.end, encoding) - before);
            units <= place.column
        };
        let from = self.wide.partition_point(|wide| wide.end <= line.start);
        let to = self.wide.partition_point(|wide| wide.end <= line.end);
        let here = self.wide.get(from..to).unwrap_or_default();
        let count = here.partition_point(is_before);
        let passed = count.checked_sub(1).and_then(|last| here.get(last));
        let start = passed.map_or(line.start, |wide| wide.end);
        let units = start - line.start - (self.lost(start, encoding) - before);
        let at = start.saturating_add(place.column - units).min(line.end);
        // Within the next wide character it is the begin of that one.
        offset(text.floor_char_boundary(at as usize))
    }
}

/// How many units a text has.
pub fn units(text: &str, encoding: Encoding) -> u32 {
    match encoding {
        Encoding::Utf8 => offset(text.len()),
        _ if text.is_ascii() => offset(text.len()),
        Encoding::Utf16 => offset(text.encode_utf16().count()),
        Encoding::Utf32 => offset(text.chars().count()),
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
            let line = text[..at].rfind('\n').max(text[..at].rfind('\r'));
            let line = line.map_or(0, |ends| ends + 1);
            for encoding in [Encoding::Utf8, Encoding::Utf16, Encoding::Utf32] {
                let place = lines.place(&text, offset(at), encoding);
                if !text[..at].ends_with('\r') {
                    prop_assert_eq!(place.column, units(&text[line..at], encoding));
                }
                let back = lines.offset(&text, place, encoding) as usize;
                // Between `\r` and `\n` nobody can point.
                prop_assert!(back == at || (back + 1 == at && text[back..].starts_with("\r\n")));
            }
        }
    }
}
