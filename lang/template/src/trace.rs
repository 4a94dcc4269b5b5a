//! Where the pieces of a text under interpolation come from: which references led to them, and
//! which bytes of the text as written.

use std::ops::Range;

use crate::Address;

/// How many found references are remembered one by one; those beyond count as part of the one that
/// they stand in. Few texts have more, and what has more doubles with every pass.
const MAX_FOUND: usize = 10_000;

/// A found reference, and which one's value it stood in.
#[derive(Debug)]
struct Found {
    /// Where it is in the addresses.
    address: Range<usize>,
    within: Source,
    /// Where the outermost reference stands in the text as written.
    span: Range<usize>,
}

/// What a piece of text is from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Source {
    /// The text as written, from this byte on.
    Written(usize),
    /// The value of a found reference.
    Found(usize),
}

/// A piece of the text, up to `end`.
#[derive(Debug)]
struct Piece {
    end: usize,
    source: Source,
}

/// Follows one text through its passes.
#[derive(Debug)]
pub(crate) struct Trace {
    found: Vec<Found>,
    /// The addresses of all that was found, one behind the other.
    addresses: String,
    /// Of the text as it is.
    pieces: Vec<Piece>,
    /// Of the text after the pass.
    next: Vec<Piece>,
}

impl Trace {
    pub(crate) fn new(text: &str) -> Self {
        let whole = Piece { end: text.len(), source: Source::Written(0) };
        Self { found: Vec::new(), addresses: String::new(), pieces: vec![whole], next: Vec::new() }
    }

    /// Text of the current pass is kept; it ends at `end` in the next one.
    pub(crate) fn keep(&mut self, span: Range<usize>, end: usize) {
        let mut start = span.start;
        let length = end - self.next.last().map_or(0, |piece| piece.end);
        let first = self.pieces.partition_point(|piece| piece.end <= start);
        let from = end.saturating_sub(length);
        for index in first..self.pieces.len() {
            let source = self.source_at(index, start);
            let piece_end = self.pieces[index].end.min(span.end);
            let end = (from + (piece_end - span.start)).min(end);
            self.next.push(Piece { end, source });
            start = piece_end;
            if start >= span.end {
                break;
            }
        }
        if let Some(last) = self.next.last_mut() {
            last.end = end;
        }
    }

    /// A reference of the current pass was found; its value ends at `end` in the next one.
    pub(crate) fn found(&mut self, address: &str, span: Range<usize>, end: usize) {
        let index = self.pieces.partition_point(|piece| piece.end <= span.start);
        let within = self.source_at(index, span.start);
        let source = match within {
            Source::Found(_) if self.found.len() >= MAX_FOUND => within,
            _ => {
                let start = self.addresses.len();
                self.addresses.push_str(address);
                let address = start..self.addresses.len();
                let span = self.written(&span);
                self.found.push(Found { address, within, span });
                Source::Found(self.found.len() - 1)
            }
        };
        self.next.push(Piece { end, source });
    }

    pub(crate) fn end_pass(&mut self) {
        self.pieces = std::mem::take(&mut self.next);
    }

    /// Where something of the current pass comes from in the text as written.
    pub(crate) fn written(&self, span: &Range<usize>) -> Range<usize> {
        let first = self.pieces.partition_point(|piece| piece.end <= span.start);
        let mut written: Option<Range<usize>> = None;
        let mut start = span.start;
        for index in first..self.pieces.len() {
            let end = self.pieces[index].end.min(span.end);
            let here = match self.source_at(index, start) {
                Source::Written(at) => at..at + (end - start),
                Source::Found(found) => self.found[found].span.clone(),
            };
            written = Some(match written {
                None => here,
                Some(other) => other.start.min(here.start)..other.end.max(here.end),
            });
            start = end;
            if start >= span.end {
                break;
            }
        }
        written.unwrap_or_default()
    }

    fn source_at(&self, index: usize, at: usize) -> Source {
        let start = index.checked_sub(1).map_or(0, |before| self.pieces[before].end);
        match self.pieces.get(index).map(|piece| piece.source) {
            Some(Source::Written(from)) => Source::Written(from + at.saturating_sub(start)),
            Some(found) => found,
            None => Source::Written(at),
        }
    }

    /// The references that lead to each other in a ring, in order, found from the reference that
    /// was found last; and where in the text as written the way to them begins.
    pub(crate) fn cycle(&self) -> Option<(Vec<Address>, Range<usize>)> {
        let last = self.found.last()?;
        let address = |found: &Found| self.addresses.get(found.address.clone());
        let mut way = vec![address(last)?];
        let mut at = last.within;
        while let Source::Found(index) = at {
            let found = self.found.get(index)?;
            way.push(address(found)?);
            at = found.within;
        }
        // What was found last may be beside the ring that led to it.
        let (first, period) = (0..way.len()).find_map(|first| {
            let rest = &way[first + 1..];
            Some((first, 1 + rest.iter().position(|address| *address == way[first])?))
        })?;
        let ring = way[first..first + period].to_vec();
        way.reverse();
        let entry = way.iter().position(|address| ring.contains(address))?;
        let ring = way[entry..].iter().take(period);
        let addresses = ring.filter_map(|address| address.parse().ok()).collect();
        Some((addresses, last.span.clone()))
    }
}
