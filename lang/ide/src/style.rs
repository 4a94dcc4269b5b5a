//! How a file is written, so that what is inserted looks like it.

use aurora_syntax::Kind as Word;

use crate::source::Source;

/// How many words and signs are looked at.
const MAX_TOKENS: usize = 4000;
/// How many lines are looked at for what ends them.
const MAX_LINES: usize = 1000;

/// How a file is written.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Style {
    /// The quotes around texts.
    pub(crate) quote: char,
    /// What stands between the name of an argument and its value.
    pub(crate) equals: &'static str,
    /// What ends a line.
    pub(crate) line_end: &'static str,
}

impl Style {
    /// How a file is written: as most of it, or as `aurora config fmt` lays files out.
    pub(crate) fn of(source: &Source) -> Self {
        let (mut single, mut double, mut tight, mut wide) = (0, 0, 0, 0);
        let mut depth = 0_usize;
        let tokens = source.tokens();
        for (at, token) in tokens.iter().enumerate().take(MAX_TOKENS) {
            match token.kind {
                Word::LParen | Word::LBracket | Word::LBrace => depth += 1,
                Word::RParen | Word::RBracket | Word::RBrace => depth = depth.saturating_sub(1),
                Word::Newline | Word::Broken => depth = 0,
                Word::Str => match source.slice(token.span).find(['\'', '"']) {
                    Some(at) if source.slice(token.span)[at..].starts_with('\'') => single += 1,
                    _ => double += 1,
                },
                Word::Eq if depth > 0 => {
                    let before = at.checked_sub(1).map(|before| tokens[before].span.end);
                    if before == Some(token.span.start) {
                        tight += 1;
                    } else {
                        wide += 1;
                    }
                }
                _ => {}
            }
        }
        Self {
            quote: if single > double { '\'' } else { '"' },
            equals: if wide > tight { " = " } else { "=" },
            line_end: line_end(source),
        }
    }

    /// What stands between the factors of a product.
    pub(crate) fn times(self) -> &'static str {
        if self.equals == "=" { "*" } else { " * " }
    }

    /// A text between quotes.
    pub(crate) fn quoted(self, value: &str) -> String {
        let quote = match (self.quote, value.contains(self.quote)) {
            ('"', true) => '\'',
            (_, true) => '"',
            (quote, false) => quote,
        };
        let mut text = String::from(quote);
        for character in value.chars() {
            match character {
                '\\' => text.push_str("\\\\"),
                '\n' => text.push_str("\\n"),
                '\r' => text.push_str("\\r"),
                other if other == quote => text.extend(['\\', quote]),
                other => text.push(other),
            }
        }
        text.push(quote);
        text
    }

    /// A snippet that is written as `aurora config fmt` would, in the style of the file.
    pub(crate) fn styled(self, snippet: &str) -> String {
        let mut out = String::with_capacity(snippet.len());
        let mut depth = 0_usize;
        let mut last = ' ';
        for character in snippet.chars() {
            match character {
                '(' | '[' => depth += 1,
                ')' | ']' => depth = depth.saturating_sub(1),
                _ => {}
            }
            match character {
                '"' => out.push(self.quote),
                '=' if depth > 0 && last != ' ' => out.push_str(self.equals),
                '*' if depth > 0 && last != ' ' => out.push_str(self.times()),
                other => out.push(other),
            }
            last = character;
        }
        out
    }
}

/// What ends most of the lines.
fn line_end(source: &Source) -> &'static str {
    let lines = &source.lines;
    let ends = (1..lines.count()).take(MAX_LINES).map(|line| {
        let start = lines.start(line, &source.text);
        let before = source.text.get(..start as usize).unwrap_or_default();
        ["\r\n", "\n", "\r"].into_iter().find(|end| before.ends_with(end)).unwrap_or("\n")
    });
    let mut counts = [("\n", 0), ("\r\n", 0), ("\r", 0)];
    for end in ends {
        counts.iter_mut().filter(|(known, _)| *known == end).for_each(|(_, count)| *count += 1);
    }
    // `max_by_key` takes the last of several that are as frequent.
    counts.iter().rev().max_by_key(|(_, count)| *count).map_or("\n", |(end, _)| *end)
}

/// A text as it stands in a snippet.
pub(crate) fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        if matches!(character, '$' | '}' | '\\') {
            out.push('\\');
        }
        out.push(character);
    }
    out
}
