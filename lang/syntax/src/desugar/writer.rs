//! Writes the rewritten text: what is kept is copied, in stretches as long as possible.

use super::map::SpanMap;
use crate::lexer::Odd;
use crate::span::Span;

pub(super) struct Writer<'a> {
    text: &'a str,
    odd: &'a [Odd],
    /// Up to where the source was copied or left out.
    at: u32,
    pub(super) out: String,
    pub(super) map: SpanMap,
}

impl<'a> Writer<'a> {
    pub(super) fn new(text: &'a str, odd: &'a [Odd]) -> Self {
        Self {
            text,
            odd,
            at: 0,
            out: String::with_capacity(text.len() + text.len() / 8),
            map: SpanMap::new(text.len()),
        }
    }

    /// Copies what was not copied yet, up to a place.
    pub(super) fn copy_to(&mut self, end: u32) {
        let start = self.at;
        if end <= start {
            return;
        }
        if !self.odd.is_empty() {
            let first = self.odd.partition_point(|odd| odd.span.start < start);
            let odd = self.odd;
            for odd in odd[first..].iter().take_while(|odd| odd.span.end <= end) {
                self.raw(Span::new(self.at, odd.span.start));
                if odd.newline {
                    self.write("\n", odd.span);
                }
                for _ in 0..odd.spaces {
                    self.write(" ", odd.span);
                }
                self.at = odd.span.end;
            }
        }
        self.raw(Span::new(self.at, end));
        self.at = end;
    }

    fn raw(&mut self, span: Span) {
        if !span.is_empty() {
            self.map.copied(self.out.len(), span);
            self.out.push_str(span.of(self.text));
        }
    }

    /// Goes on at a place; what was not copied before it is left out.
    pub(super) fn skip_to(&mut self, at: u32) {
        self.at = at;
    }

    /// Writes something that stands for a range of the source.
    pub(super) fn write(&mut self, text: &str, source: Span) {
        if !text.is_empty() {
            self.map.written(self.out.len(), text.len(), source);
            self.out.push_str(text);
        }
    }

    /// Writes something in the place of a range.
    pub(super) fn replace(&mut self, span: Span, text: &str) {
        self.copy_to(span.start);
        self.write(text, span);
        self.skip_to(span.end);
    }

    /// Writes something before the place of a range.
    pub(super) fn before(&mut self, span: Span, text: &str) {
        self.copy_to(span.start);
        self.write(text, span);
    }

    /// Writes something after the place of a range.
    pub(super) fn after(&mut self, span: Span, text: &str) {
        self.copy_to(span.end);
        self.write(text, span);
    }
}
