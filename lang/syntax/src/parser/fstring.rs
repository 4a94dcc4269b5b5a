//! The values within an f-string.

use super::{Parser, Read};
use crate::error::{SyntaxError, code};
use crate::lexer;
use crate::literal::{self, Escape};
use crate::span::Span;
use crate::token::Kind;
use crate::tree::{Expr, ExprKind, FPart, StrPiece};

fn offset(at: usize) -> u32 {
    u32::try_from(at).unwrap_or(u32::MAX)
}

impl Parser<'_> {
    /// Notes escapes that say nothing.
    pub(super) fn check_escapes(&mut self, piece: &StrPiece) {
        if let Some((span, problem)) = literal::bad_escape(self.text, piece) {
            let message = match problem {
                Escape::Hex => "`\\x` is followed by two hexadecimal digits",
                Escape::Unicode => {
                    "`\\u` is followed by four hexadecimal digits, `\\U` by eight, \
                                    that name a character"
                }
                Escape::Named => "characters have no names here",
            };
            self.error(
                SyntaxError::new(code::ESCAPE, message, span)
                    .help("a backslash itself is written twice, or in a raw text: r'…'"),
            );
        }
    }

    /// The parts of what stands between the quotes.
    pub(super) fn fields(&mut self, inner: Span, raw: bool) -> Read<Box<[FPart]>> {
        let mut at = inner.start as usize;
        let parts = self.parts(&mut at, inner.end as usize, raw, false)?;
        Ok(parts.into_boxed_slice())
    }

    /// Text and fields up to the end, or up to the `}` that ends a format.
    fn parts(&mut self, at: &mut usize, end: usize, raw: bool, format: bool) -> Read<Vec<FPart>> {
        let text = self.text;
        let bytes = text.as_bytes();
        let mut parts = Vec::new();
        let mut start = *at;
        while *at < end {
            match bytes[*at] {
                // Two braces are one that stands for itself.
                b'{' if !format && *at + 1 < end && bytes[*at + 1] == b'{' => *at += 2,
                b'}' if !format && *at + 1 < end && bytes[*at + 1] == b'}' => *at += 2,
                b'\\' if !raw => *at += 2,
                b'{' => {
                    self.text_part(&mut parts, start, *at);
                    let field = self.deeper(|parser| parser.field(at, end, raw))?;
                    parts.push(field);
                    start = *at;
                }
                b'}' if format => break,
                b'}' => {
                    let span = Span::new(offset(*at), offset(*at + 1));
                    self.fail(
                        SyntaxError::new(
                            code::UNEXPECTED,
                            "a `}` of an f-string that ends no value is written twice",
                            span,
                        )
                        .fix(span, "}}"),
                    );
                    *at += 1;
                }
                _ => *at += 1,
            }
        }
        *at = (*at).min(end);
        self.text_part(&mut parts, start, *at);
        Ok(parts)
    }

    fn text_part(&mut self, parts: &mut Vec<FPart>, start: usize, end: usize) {
        if start < end {
            parts.push(FPart::Text(Span::new(offset(start), offset(end))));
        }
    }

    fn field(&mut self, at: &mut usize, end: usize, raw: bool) -> Read<FPart> {
        let start = *at;
        let bytes = self.text.as_bytes();
        // The value ends at a `}`, `:` or `!` outside of brackets and quotes.
        let mut close = start + 1;
        let mut depth = 0_usize;
        let mut quote = None;
        while close < end {
            let byte = bytes[close];
            match quote {
                Some(open) if open == byte => quote = None,
                Some(_) => {}
                None => match byte {
                    b'\'' | b'"' => quote = Some(byte),
                    b'(' | b'[' | b'{' => depth += 1,
                    b')' | b']' => depth = depth.saturating_sub(1),
                    b'}' | b':' if depth == 0 => break,
                    b'!' if depth == 0 && bytes.get(close + 1) != Some(&b'=') => break,
                    b'}' => depth -= 1,
                    _ => {}
                },
            }
            close += 1;
        }
        let mut value_end = close.min(end);
        let whole = Span::new(offset(start), offset(value_end));
        if close >= end {
            self.fail(
                SyntaxError::new(
                    code::UNEXPECTED,
                    "this `{` of an f-string is never closed",
                    whole,
                )
                .help("a brace that stands for itself is written twice"),
            );
            let value = self.embedded(Span::new(offset(start + 1), offset(end)));
            *at = end;
            let span = Span::new(offset(start), offset(end));
            return Ok(FPart::Field {
                span,
                value,
                shown: None,
                conversion: None,
                spec: Vec::new(),
            });
        }
        let mut shown = None;
        let written = &self.text[start + 1..value_end];
        let trimmed = written.trim_end();
        if let Some(value) = trimmed.strip_suffix('=')
            && !value.ends_with(['=', '!', '<', '>'])
        {
            shown = Some(Span::new(offset(start + 1), offset(value_end)));
            value_end = start + 1 + value.len();
        }
        let value = self.embedded(Span::new(offset(start + 1), offset(value_end)));
        *at = close;
        let mut conversion = None;
        if bytes[*at] == b'!' {
            let letter = bytes.get(*at + 1).copied().unwrap_or(0) as char;
            if matches!(letter, 'r' | 's' | 'a') {
                conversion = Some(letter);
                *at += 2;
            } else {
                self.fail(SyntaxError::new(
                    code::UNEXPECTED,
                    "`!` in an f-string is followed by r, s or a",
                    whole,
                ));
                while *at < end && !matches!(bytes[*at], b':' | b'}') {
                    *at += 1;
                }
            }
        }
        let mut spec = Vec::new();
        if *at < end && bytes[*at] == b':' {
            *at += 1;
            spec = self.parts(at, end, raw, true)?;
        } else if shown.is_some() && conversion.is_none() {
            conversion = Some('r');
        }
        let so_far = Span::new(offset(start), offset((*at).min(end)));
        if *at < end && bytes[*at] == b'}' {
            *at += 1;
        } else {
            self.fail(SyntaxError::new(
                code::UNEXPECTED,
                "expected `}` at the end of an f-string's value",
                so_far,
            ));
        }
        let span = Span::new(offset(start), offset((*at).min(end)));
        Ok(FPart::Field { span, value, shown, conversion, spec })
    }

    /// An expression within a text.
    fn embedded(&mut self, span: Span) -> Expr {
        let unread = Expr { span, kind: ExprKind::Error };
        if span.of(self.text).trim().is_empty() {
            let around = Span::new(span.start.saturating_sub(1), span.end + 1);
            self.fail(
                SyntaxError::new(code::UNEXPECTED, "an f-string's braces hold no value", around)
                    .help("a brace that stands for itself is written twice"),
            );
            return unread;
        }
        let lexed = lexer::lex_within(self.text, span);
        if let Some(error) = lexed.errors.into_iter().next() {
            self.fail(error);
        }
        let mut inner = Parser::new(self.text, &lexed.tokens);
        inner.depth = self.depth;
        inner.told = self.told;
        let value = inner.test_list();
        if inner.kind() != Kind::End {
            inner.expected("the end of the value");
        }
        let (errors, refused, told) = (inner.errors, inner.refused, inner.told);
        errors.into_iter().for_each(|error| self.error(error));
        refused.into_iter().for_each(|error| self.refuse_with(error));
        self.told |= told;
        value.unwrap_or(unread)
    }
}
