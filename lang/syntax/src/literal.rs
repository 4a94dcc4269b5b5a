//! What the text between quotes means.

use crate::span::Span;
use crate::tree::{FPart, StrPiece};

/// What may be wrong with an escape.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Escape {
    Hex,
    Unicode,
    Named,
}

/// The value of a text, and where its parts were written.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Literal {
    /// The value.
    pub value: String,
    /// Places: a byte of the value, and the byte of the file where it is written. Between two of
    /// them both run at the same pace.
    pub places: Vec<(u32, u32)>,
}

impl Literal {
    /// Where a byte of the value is written.
    pub fn place(&self, at: usize) -> usize {
        let at = u32::try_from(at).unwrap_or(u32::MAX);
        let after = self.places.partition_point(|(value, _)| *value <= at);
        let (value, source) = after
            .checked_sub(1)
            .and_then(|before| self.places.get(before))
            .copied()
            .unwrap_or_default();
        (source + (at - value)) as usize
    }
}

/// The value of literals that stand one after the other.
pub fn value(text: &str, pieces: &[StrPiece]) -> Literal {
    let mut literal = Literal::default();
    for piece in pieces {
        let style = Style { raw: piece.raw, unicode: piece.unicode, braces: false };
        match &piece.fields {
            None => decode(text, piece.inner(), style, &mut literal),
            Some(parts) => {
                for part in parts {
                    if let FPart::Text(span) = part {
                        let style = Style { unicode: true, braces: true, ..style };
                        decode(text, *span, style, &mut literal);
                    }
                }
            }
        }
    }
    literal
}

/// How backslashes and braces are read.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Style {
    pub(crate) raw: bool,
    /// Whether `\u` names a character. In Python 2's plain text it stands for itself.
    pub(crate) unicode: bool,
    /// Whether two braces are one.
    pub(crate) braces: bool,
}

/// Whether Starlark reads a literal otherwise than Python does, its prefix aside.
pub(crate) fn differs(text: &str, piece: &StrPiece) -> bool {
    let inner = piece.inner().of(text).as_bytes();
    let mut at = 0;
    while at < inner.len() {
        match inner[at] {
            b'\r' if inner.get(at + 1) != Some(&b'\n') => return true,
            b'\\' => {
                let next = inner.get(at + 1).copied().unwrap_or(0);
                let differs = if piece.raw {
                    matches!(next, b'\'' | b'"' | b'\r')
                        || (piece.unicode && matches!(next, b'u' | b'U'))
                } else {
                    match next {
                        b'x' => inner.get(at + 2).is_none_or(|digit| *digit >= b'8'),
                        b'u' | b'U' | b'N' => true,
                        b'2'..=b'7' => {
                            matches!(inner.get(at + 2), Some(b'0'..=b'7'))
                                && matches!(inner.get(at + 3), Some(b'0'..=b'7'))
                        }
                        b'\r' => inner.get(at + 2) != Some(&b'\n'),
                        _ => false,
                    }
                };
                if differs {
                    return true;
                }
                at += 1;
            }
            _ => {}
        }
        at += 1;
    }
    false
}

/// The first escape that says nothing.
pub(crate) fn bad_escape(text: &str, piece: &StrPiece) -> Option<(Span, Escape)> {
    let inner = piece.inner();
    let bytes = inner.of(text).as_bytes();
    let mut at = 0;
    while let Some(found) = bytes.get(at..)?.iter().position(|b| *b == b'\\') {
        let start = at + found;
        let problem = match bytes.get(start + 1) {
            Some(b'x') if hex(bytes, start + 2, 2).is_none() => Some(Escape::Hex),
            Some(b'u') if piece.unicode && hex(bytes, start + 2, 4).is_none() => {
                Some(Escape::Unicode)
            }
            Some(b'U')
                if piece.unicode && hex(bytes, start + 2, 8).and_then(char::from_u32).is_none() =>
            {
                Some(Escape::Unicode)
            }
            Some(b'N') if piece.unicode => Some(Escape::Named),
            _ => None,
        };
        if let Some(problem) = problem {
            let start = inner.start + u32::try_from(start).unwrap_or(0);
            return Some((Span::new(start, start + 2), problem));
        }
        at = start + 2;
    }
    None
}

fn hex(bytes: &[u8], at: usize, count: usize) -> Option<u32> {
    let digits = bytes.get(at..at + count)?;
    digits.iter().try_fold(0_u32, |value, digit| {
        Some(value.wrapping_mul(16) + char::from(*digit).to_digit(16)?)
    })
}

/// Adds what a part of a text means.
pub(crate) fn decode(text: &str, span: Span, style: Style, into: &mut Literal) {
    let written = span.of(text);
    let bytes = written.as_bytes();
    // Bytes, since Python 2 may write one character as several escapes.
    let mut out: Vec<u8> = Vec::with_capacity(bytes.len());
    let base = into.value.len();
    let mut places = vec![(0_usize, 0_usize)];
    let mut at = 0;
    let mut high = 0_u32;
    while at < bytes.len() {
        let byte = bytes[at];
        match byte {
            b'\r' => {
                out.push(b'\n');
                at += if bytes.get(at + 1) == Some(&b'\n') { 2 } else { 1 };
            }
            b'{' | b'}' if style.braces && bytes.get(at + 1) == Some(&byte) => {
                out.push(byte);
                at += 2;
            }
            b'\\' if style.raw => {
                if style.unicode
                    && bytes.get(at + 1) == Some(&b'u')
                    && let Some(code) = hex(bytes, at + 2, 4).and_then(char::from_u32)
                {
                    push_char(&mut out, code);
                    at += 6;
                } else {
                    out.push(b'\\');
                    at += 1;
                    if let Some(next) = bytes.get(at)
                        && *next != b'\r'
                    {
                        out.push(*next);
                        at += 1;
                    }
                }
            }
            b'\\' => at += escape(bytes, at, style.unicode, &mut high, &mut out),
            _ => {
                out.push(byte);
                at += 1;
                continue;
            }
        }
        places.push((out.len(), at));
    }
    let base32 = u32::try_from(base).unwrap_or(u32::MAX);
    into.places.extend(places.into_iter().map(|(value, source)| {
        let place = |at: usize| u32::try_from(at).unwrap_or(u32::MAX);
        (base32 + place(value), span.start + place(source))
    }));
    match String::from_utf8(out) {
        Ok(value) if into.value.is_empty() => into.value = value,
        Ok(value) => into.value.push_str(&value),
        Err(error) => {
            for chunk in error.as_bytes().utf8_chunks() {
                into.value.push_str(chunk.valid());
                into.value.extend(chunk.invalid().iter().copied().map(char::from));
            }
        }
    }
}

fn push_char(out: &mut Vec<u8>, code: char) {
    let mut buffer = [0; 4];
    out.extend_from_slice(code.encode_utf8(&mut buffer).as_bytes());
}

/// Adds what the escape at a place means, and says how long it is.
fn escape(bytes: &[u8], at: usize, unicode: bool, high: &mut u32, out: &mut Vec<u8>) -> usize {
    let pending = std::mem::take(high);
    let Some(next) = bytes.get(at + 1).copied() else {
        out.push(b'\\');
        return 1;
    };
    // In plain text an escape gives a byte, in `u'…'` a character.
    let mut put = |code: u32| match u8::try_from(code) {
        Ok(byte) if !unicode || byte < 0x80 => out.push(byte),
        _ => push_char(out, char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER)),
    };
    match next {
        b'\n' => {}
        b'\r' => return if bytes.get(at + 2) == Some(&b'\n') { 3 } else { 2 },
        b'n' => put(10),
        b'r' => put(13),
        b't' => put(9),
        b'a' => put(7),
        b'b' => put(8),
        b'f' => put(12),
        b'v' => put(11),
        b'\\' | b'\'' | b'"' => put(u32::from(next)),
        b'x' => {
            if let Some(code) = hex(bytes, at + 2, 2) {
                put(code);
                return 4;
            }
            out.extend_from_slice(b"\\x");
        }
        b'0'..=b'7' => {
            let digits = bytes[at + 1..].iter().take(3).take_while(|b| matches!(b, b'0'..=b'7'));
            let count = digits.clone().count();
            let code = digits.fold(0_u32, |code, digit| code * 8 + u32::from(*digit - b'0'));
            put(if unicode { code } else { code & 0xff });
            return 1 + count;
        }
        b'u' | b'U' if unicode => {
            let count = if next == b'u' { 4 } else { 8 };
            if let Some(code) = hex(bytes, at + 2, count) {
                match code {
                    // Two halves make one character.
                    0xd800..=0xdbff if bytes.get(at + 6..at + 8) == Some(b"\\u") => *high = code,
                    0xdc00..=0xdfff if pending != 0 => {
                        put(0x10000 + ((pending - 0xd800) << 10) + (code - 0xdc00));
                    }
                    _ => put(code),
                }
                return 2 + count;
            }
            out.extend_from_slice(&[b'\\', next]);
        }
        _ => {
            out.push(b'\\');
            // What follows is read as it stands: it may be a part of a character.
            return 1 + usize::from({
                if next.is_ascii() {
                    out.push(next);
                }
                next.is_ascii()
            });
        }
    }
    2
}

/// Adds a text as a literal that Python and Starlark read alike.
pub(crate) fn encode(value: &str, out: &mut String) {
    use std::fmt::Write as _;

    out.push('"');
    for character in value.chars() {
        match character {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if u32::from(c) < 0x20 || c == '\x7f' => {
                let _ = write!(out, "\\x{:02x}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out.push('"');
}
