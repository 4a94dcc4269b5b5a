//! Text and numbers.

use super::Rewriter;
use crate::literal::{Literal, Style, decode, differs, encode};
use crate::span::Span;
use crate::tree::{FPart, StrPiece};

impl Rewriter<'_> {
    pub(super) fn int(&mut self, span: Span) {
        let text = self.word(span);
        let plain = !text.ends_with(['l', 'L'])
            && !text.contains('_')
            && (text.len() == 1 || !text.starts_with('0') || !text.as_bytes()[1].is_ascii_digit());
        if plain {
            return;
        }
        let digits = text.trim_end_matches(['l', 'L']).replace('_', "");
        let octal = digits.len() > 1
            && digits.starts_with('0')
            && digits.bytes().all(|byte| byte.is_ascii_digit());
        let number = if octal { format!("0o{}", &digits[1..]) } else { digits };
        self.writer.replace(span, &number);
    }

    pub(super) fn float(&mut self, span: Span) {
        let text = self.word(span);
        if text.contains('_') {
            self.writer.replace(span, &text.replace('_', ""));
        }
    }

    pub(super) fn string(&mut self, span: Span, pieces: &[StrPiece]) {
        if pieces.iter().any(|piece| piece.fields.is_some()) {
            return self.formatted(span, pieces);
        }
        if let [piece] = pieces
            && (!self.unicode || piece.unicode)
            && !differs(self.text, piece)
        {
            let kept = if piece.raw { "r" } else { "" };
            let prefix = Span::new(span.start, span.start + u32::from(piece.prefix));
            if self.word(prefix) != kept {
                self.writer.replace(prefix, kept);
            }
            return;
        }
        let mut literal = Literal::default();
        for piece in pieces {
            decode(self.text, piece.inner(), self.style(piece), &mut literal);
        }
        let mut out = String::with_capacity(literal.value.len() + 2);
        encode(&literal.value, &mut out);
        self.keep_lines(span, &mut out);
        self.writer.replace(span, &out);
    }

    fn style(&self, piece: &StrPiece) -> Style {
        let bytes = piece.span.of(self.text).starts_with(['b', 'B']);
        let unicode = piece.unicode || (self.unicode && !bytes) || piece.fields.is_some();
        Style { raw: piece.raw, unicode, braces: piece.fields.is_some() }
    }

    /// Continues a line as often as the source did, so that lines keep their numbers.
    fn keep_lines(&self, span: Span, out: &mut String) {
        let lines = self.word(span).bytes().filter(|byte| *byte == b'\n').count();
        (0..lines).for_each(|_| out.push_str("\\\n"));
    }

    /// `f'…'`: its parts as arguments.
    fn formatted(&mut self, span: Span, pieces: &[StrPiece]) {
        self.writer.before(span, "__au_fstr(");
        let mut first = true;
        for piece in pieces {
            let style = self.style(piece);
            match &piece.fields {
                Some(parts) => self.fparts(parts, style, &mut first),
                None => {
                    let inner = piece.inner();
                    self.ftext(inner, style, &mut first);
                }
            }
        }
        let mut end = String::from(")");
        self.keep_lines(span, &mut end);
        self.writer.write(&end, span);
        self.writer.skip_to(span.end);
    }

    fn separate(&mut self, span: Span, first: &mut bool) {
        if !std::mem::take(first) {
            self.writer.write(", ", span);
        }
    }

    fn ftext(&mut self, span: Span, style: Style, first: &mut bool) {
        self.separate(span, first);
        let mut literal = Literal::default();
        decode(self.text, span, style, &mut literal);
        let mut out = String::new();
        encode(&literal.value, &mut out);
        self.writer.write(&out, span);
    }

    fn fparts(&mut self, parts: &[FPart], style: Style, first: &mut bool) {
        for part in parts {
            match part {
                FPart::Text(text) => self.ftext(*text, style, first),
                FPart::Field { span, value, shown, conversion, spec } => {
                    if let Some(shown) = shown {
                        self.ftext(*shown, Style { raw: true, ..style }, first);
                    }
                    self.separate(*span, first);
                    self.writer.write("__au_fmt(", *span);
                    self.writer.skip_to(value.span.start);
                    self.value(value);
                    self.writer.copy_to(value.span.end);
                    self.writer.write(", ", *span);
                    match spec.as_slice() {
                        [] => self.writer.write("\"\"", *span),
                        [FPart::Text(text)] => {
                            self.ftext(*text, Style { braces: false, ..style }, &mut true)
                        }
                        parts => {
                            self.writer.write("__au_fstr(", *span);
                            self.fparts(parts, Style { braces: false, ..style }, &mut true);
                            self.writer.write(")", *span);
                        }
                    }
                    let conversion = match conversion {
                        Some('r' | 'a') => ", \"r\")",
                        Some(_) => ", \"s\")",
                        None => ", \"\")",
                    };
                    self.writer.write(conversion, *span);
                }
            }
        }
    }
}
