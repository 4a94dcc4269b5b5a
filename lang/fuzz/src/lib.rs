//! What the targets share.

use std::ops::Range;

use libfuzzer_sys::arbitrary::{self, Arbitrary};

/// A change of a text, at a place that may not be there.
#[derive(Debug, Arbitrary)]
pub struct Edit<'a> {
    at: u16,
    cut: u8,
    text: &'a str,
}

impl Edit<'_> {
    /// The bytes of a text that it replaces, and what comes of it.
    pub fn apply(&self, text: &str) -> (Range<usize>, String) {
        let start = text.floor_char_boundary(usize::from(self.at) % (text.len() + 1));
        let end = text.ceil_char_boundary((start + usize::from(self.cut)).min(text.len()));
        let mut new = text.to_owned();
        new.replace_range(start..end, self.text);
        (start..end, new)
    }
}

/// Whether bytes are a part of a text.
pub fn is_part(text: &str, part: Range<usize>) -> bool {
    text.get(part).is_some()
}
