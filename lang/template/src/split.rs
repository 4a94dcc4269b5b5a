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
    let bytes = text.as_bytes();
    let mut fragments = Vec::new();
    let mut plain = 0;
    let mut at = 0;
    while let Some(open) = text[at..].find("{{").map(|offset| at + offset) {
        let start = open + 2;
        let Some(brace) = text[start..].find(['{', '}']).map(|offset| start + offset) else {
            break;
        };
        let closed = brace > start && bytes[brace..].starts_with(b"}}");
        if !closed {
            // A brace of the wrong kind: the next pair may begin one byte further on, as in `{{{x}}}`.
            at = if brace == start { open + 1 } else { brace };
            continue;
        }
        let end = brace + 2;
        if plain < open {
            fragments.push(Fragment::Text(&text[plain..open]));
        }
        let inner = &text[start..brace];
        fragments.push(match inner.strip_prefix('&') {
            Some(escaped) if !escaped.is_empty() => {
                Fragment::Escape { inner: escaped.strip_suffix('&').unwrap_or(escaped) }
            }
            _ => Fragment::Reference { inner, span: open..end },
        });
        at = end;
        plain = end;
    }
    if plain < text.len() {
        fragments.push(Fragment::Text(&text[plain..]));
    }
    fragments
}

/// The references of a text: what stands between the braces, and where.
pub fn references(text: &str) -> impl Iterator<Item = (&str, Range<usize>)> {
    split(text).into_iter().filter_map(|fragment| match fragment {
        Fragment::Reference { inner, span } => Some((inner, span)),
        Fragment::Text(_) | Fragment::Escape { .. } => None,
    })
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
    }
}
