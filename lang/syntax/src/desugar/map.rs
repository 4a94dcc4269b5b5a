//! Where the pieces of a rewritten text come from.

use std::ops::Range;

use crate::span::Span;

/// A piece of the rewritten text, up to where the next begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Piece {
    start: u32,
    source: Span,
    /// Whether it is the source's text, byte for byte; otherwise it stands for all of the source's
    /// range.
    copied: bool,
}

/// Leads from the rewritten text to the one that was written.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SpanMap {
    pieces: Vec<Piece>,
    /// How long the rewritten text is, and the one that was written.
    len: u32,
    source_len: u32,
}

impl SpanMap {
    pub(super) fn new(source_len: usize) -> Self {
        Self { source_len: u32::try_from(source_len).unwrap_or(u32::MAX), ..Self::default() }
    }

    pub(super) fn copied(&mut self, at: usize, source: Span) {
        if let Some(last) = self.pieces.last()
            && last.copied
            && last.source.end == source.start
        {
            if let Some(last) = self.pieces.last_mut() {
                last.source.end = source.end;
            }
        } else {
            self.push(at, source, true);
        }
        self.len = u32::try_from(at).unwrap_or(u32::MAX).saturating_add(source.len());
    }

    pub(super) fn written(&mut self, at: usize, len: usize, source: Span) {
        if self.pieces.last().is_none_or(|last| last.copied || last.source != source) {
            self.push(at, source, false);
        }
        self.len = u32::try_from(at + len).unwrap_or(u32::MAX);
    }

    fn push(&mut self, at: usize, source: Span, copied: bool) {
        let start = u32::try_from(at).unwrap_or(u32::MAX);
        self.pieces.push(Piece { start, source, copied });
    }

    fn piece(&self, at: u32) -> Option<&Piece> {
        let after = self.pieces.partition_point(|piece| piece.start <= at);
        after.checked_sub(1).and_then(|before| self.pieces.get(before))
    }

    /// The written range that a range of the rewritten text stands for.
    pub fn original(&self, range: Range<usize>) -> Range<usize> {
        let clamp = |at: usize| u32::try_from(at).unwrap_or(u32::MAX).min(self.len);
        let (start, end) = (clamp(range.start), clamp(range.end.max(range.start)));
        if start == self.len && start == end {
            return self.source_len as usize..self.source_len as usize;
        }
        let Some(first) = self.piece(start) else { return 0..0 };
        let from = if first.copied {
            first.source.start + (start - first.start)
        } else {
            first.source.start
        };
        if start == end {
            return from as usize..from as usize;
        }
        let last = self.piece(end - 1).unwrap_or(first);
        let to = if last.copied { last.source.start + (end - last.start) } else { last.source.end };
        // Parts may have changed places: then the range spans what it begins and ends in.
        let (from, to) = if to < from {
            (last.source.start.min(from), first.source.end.max(to))
        } else {
            (from, to)
        };
        from.min(self.source_len) as usize..to.min(self.source_len) as usize
    }

    /// The ranges of the rewritten text that were copied, and where they stood.
    pub fn copies(&self) -> impl Iterator<Item = (Range<usize>, Range<usize>)> {
        self.pieces.iter().filter(|piece| piece.copied).map(|piece| {
            let start = piece.start as usize;
            (start..start + piece.source.len() as usize, piece.source.range())
        })
    }
}
