//! Cutting what comes in pieces into lines.

use super::MAX_LINE;

/// Keeps back the beginning of a line whose end has not come.
#[derive(Debug, Default)]
pub(super) struct Splitter {
    rest: Vec<u8>,
}

impl Splitter {
    /// The lines that are whole now, and pieces of those that are too long to be kept back.
    pub(super) fn push(&mut self, bytes: &[u8]) -> Vec<Vec<u8>> {
        let mut lines = Vec::new();
        for part in bytes.split_inclusive(|byte| *byte == b'\n') {
            let (part, is_end) = match part.strip_suffix(b"\n") {
                Some(part) => (part, true),
                None => (part, false),
            };
            self.rest.extend_from_slice(part);
            while self.rest.len() > MAX_LINE {
                let rest = self.rest.split_off(MAX_LINE);
                lines.push(std::mem::replace(&mut self.rest, rest));
            }
            if is_end {
                lines.push(std::mem::take(&mut self.rest));
            }
        }
        lines
    }

    /// What is left although no end of line came.
    pub(super) fn finish(&mut self) -> Option<Vec<u8>> {
        let rest = std::mem::take(&mut self.rest);
        (!rest.is_empty()).then_some(rest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_whole_unless_they_are_huge() {
        let mut lines = Splitter::default();
        assert!(lines.push(b"hel").is_empty());
        assert_eq!(lines.push(b"lo\nwor"), [b"hello"]);
        assert_eq!(lines.push(b"ld\n\nx"), [&b"world"[..], b""]);
        assert_eq!(lines.finish().as_deref(), Some(&b"x"[..]));
        assert_eq!(lines.finish(), None);
        let huge = vec![b'a'; MAX_LINE * 2 + 5];
        let pieces: Vec<usize> = lines.push(&huge).iter().map(Vec::len).collect();
        assert_eq!(pieces, [MAX_LINE, MAX_LINE]);
        assert_eq!(lines.push(b"\n"), [b"aaaaa"]);
    }
}
