//! Finds the references of a text (`dsl.md` 2.1).

use std::ops::Range;

/// A piece of a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fragment<'a> {
    /// Text that stands for itself.
    Text(&'a str),
    /// `{{inner}}`. Whether `inner` is an address is for [`crate::Address`] to say.
    Reference {
        /// What stands between the braces.
        inner: &'a str,
        /// Where the reference stands in the text, braces included, in bytes.
        span: Range<usize>,
    },
    /// `{{&inner}}`, which becomes `{{inner}}` at the end of an interpolation.
    Escape {
        /// What stands after the `&`, without a closing `&`.
        inner: &'a str,
    },
}

/// The pieces of a text, in order. Of nested braces the innermost pair is the reference.
pub fn split(text: &str) -> Vec<Fragment<'_>> {
    fragments(text).map(|(fragment, _)| fragment).collect()
}

/// The references of a text: what stands between the braces, and where.
pub fn references(text: &str) -> impl Iterator<Item = (&str, Range<usize>)> {
    fragments(text).filter_map(|(fragment, span)| match fragment {
        Fragment::Reference { inner, .. } => Some((inner, span)),
        Fragment::Text(_) | Fragment::Escape { .. } => None,
    })
}

/// What becomes a reference at the end of an interpolation: what stands between the braces and the
/// `&`, and where all of it stands.
pub fn escapes(text: &str) -> impl Iterator<Item = (&str, Range<usize>)> {
    fragments(text).filter_map(|(fragment, span)| match fragment {
        Fragment::Escape { inner } => Some((inner, span)),
        Fragment::Text(_) | Fragment::Reference { .. } => None,
    })
}

/// The beginnings of references that are put together when a text is evaluated: what stands between
/// opening braces and others, or the end of the text, before any that close: `zone_` of
/// `{{zone_{{x}}}}`.
pub fn beginnings(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        loop {
            let inner = &rest[rest.find("{{")? + 2..];
            rest = inner;
            let (end, next) = (inner.find("}}"), inner.find("{{"));
            let begun = match (end, next) {
                (Some(end), Some(next)) if next < end => &inner[..next],
                (None, next) => &inner[..next.unwrap_or(inner.len())],
                _ => continue,
            };
            if !begun.is_empty() {
                return Some(begun);
            }
        }
    })
}

/// The pieces of a text, each with where it stands.
pub(crate) fn fragments(text: &str) -> Fragments<'_> {
    Fragments { text, plain: 0, ready: None }
}

pub(crate) struct Fragments<'a> {
    text: &'a str,
    /// Where the text begins that is in no fragment yet.
    plain: usize,
    /// What stands between braces, found behind the plain text that was given last.
    ready: Option<(Fragment<'a>, Range<usize>)>,
}

impl<'a> Iterator for Fragments<'a> {
    type Item = (Fragment<'a>, Range<usize>);

    fn next(&mut self) -> Option<Self::Item> {
        if let Some((fragment, span)) = self.ready.take() {
            self.plain = span.end;
            return Some((fragment, span));
        }
        let plain = self.plain;
        let Some((fragment, span)) = next_pair(self.text, plain) else {
            self.plain = self.text.len();
            let rest = &self.text[plain..];
            return (!rest.is_empty()).then_some((Fragment::Text(rest), plain..self.text.len()));
        };
        if plain == span.start {
            self.plain = span.end;
            return Some((fragment, span));
        }
        self.plain = span.start;
        let before = plain..span.start;
        self.ready = Some((fragment, span));
        Some((Fragment::Text(&self.text[before.clone()]), before))
    }
}

/// The first reference or escape at or behind `at`.
fn next_pair(text: &str, mut at: usize) -> Option<(Fragment<'_>, Range<usize>)> {
    let bytes = text.as_bytes();
    // One character is found much faster than two.
    while let Some(open) = text[at..].find('{').map(|offset| at + offset) {
        let start = open + 2;
        if bytes.get(open + 1) != Some(&b'{') {
            at = open + 1;
            continue;
        }
        let brace = text[start..].find(['{', '}']).map(|offset| start + offset)?;
        let closed = brace > start && bytes[brace..].starts_with(b"}}");
        if !closed {
            // A brace of the wrong kind: the next pair may begin one byte further on, as in `{{{x}}}`.
            at = if brace == start { open + 1 } else { brace };
            continue;
        }
        let span = open..brace + 2;
        let inner = &text[start..brace];
        let fragment = match inner.strip_prefix('&') {
            Some(escaped) if !escaped.is_empty() => {
                Fragment::Escape { inner: escaped.strip_suffix('&').unwrap_or(escaped) }
            }
            _ => Fragment::Reference { inner, span: span.clone() },
        };
        return Some((fragment, span));
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str) -> String {
        split(text)
            .into_iter()
            .map(|fragment| match fragment {
                Fragment::Text(text) => format!("'{text}'"),
                Fragment::Reference { inner, .. } => format!("<{inner}>"),
                Fragment::Escape { inner } => format!("\\{inner}\\"),
            })
            .collect()
    }

    #[test]
    fn the_innermost_pair_is_the_reference() {
        let cases = [
            ("", ""),
            ("plain ${X} $((1+2)) {}", "'plain ${X} $((1+2)) {}'"),
            ("a{{b}}c", "'a'<b>'c'"),
            ("{{a{{b}}c}}", "'{{a'<b>'c}}'"),
            ("{{{x}}}", "'{'<x>'}'"),
            ("{{{{p}}}}", "'{{'<p>'}}'"),
            ("{{}}", "'{{}}'"),
            ("{{&x}}{{&&y}}{{&z&}}", "\\x\\\\&y\\\\z\\"),
            ("{{ x }}", "< x >"),
            ("{{x", "'{{x'"),
            ("{{x}", "'{{x}'"),
            ("é{{x}}é", "'é'<x>'é'"),
        ];
        for (text, expected) in cases {
            assert_eq!(shown(text), expected, "{text:?}");
        }
        assert_eq!(references("ab{{c}}").next(), Some(("c", 2..7)));
        assert_eq!(escapes("{{a}}{{&c&}}").next(), Some(("c", 5..12)));
    }
}
