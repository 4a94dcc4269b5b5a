//! Splits a text into words and signs, with the ends of lines and of blocks among them.

mod number;

use crate::error::{SyntaxError, code};
use crate::parser::Line;
use crate::shift::Shift;
use crate::span::Span;
use crate::token::{Kind, Token};

/// How deep brackets may stand in brackets.
pub(crate) const MAX_BRACKETS: usize = 200;
/// How deep blocks may stand in blocks.
pub(crate) const MAX_BLOCKS: usize = 100;
/// How many errors are collected.
pub(crate) const MAX_ERRORS: usize = 50;
/// A tab goes to the next multiple of this.
const TAB: u32 = 8;

/// Layout that Python reads and Starlark does not, with what to write in its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Odd {
    pub(crate) span: Span,
    pub(crate) spaces: u32,
    pub(crate) newline: bool,
}

/// What a text is made of.
#[derive(Debug, Default)]
pub(crate) struct Lexed {
    pub(crate) tokens: Vec<Token>,
    pub(crate) comments: Vec<Span>,
    pub(crate) odd: Vec<Odd>,
    pub(crate) errors: Vec<SyntaxError>,
    /// Whether a bracket is open to the end, so that others were given up.
    pub(crate) open: bool,
    /// Which of the given lines ended it.
    pub(crate) stop: Option<usize>,
}

/// The words and signs of a text.
pub(crate) fn lex(text: &str) -> Lexed {
    let mut lexer = Lexer::new(text, 0, text.len(), false);
    lexer.out.tokens.reserve(text.len() / 6);
    lexer.run();
    if lexer.unclosed {
        // Something is open to the end. Read once more, now looking for where it should have been
        // closed.
        lexer = Lexer::new(text, 0, text.len(), true);
        lexer.run();
        lexer.out.open = true;
    }
    lexer.out
}

/// Whether a bracket is open to the end of a text.
pub(crate) fn ends_open(text: &str) -> bool {
    let mut lexer = Lexer::new(text, 0, text.len(), false);
    lexer.run();
    lexer.unclosed
}

/// The words and signs from the start of a line that stands in no bracket and no block, up to the
/// first of some lines where that is so, too: its first word is the last but one. The lines are
/// those of a text that has since moved. None if the text then would have to be read otherwise.
pub(crate) fn lex_from(
    text: &str,
    start: usize,
    recover: bool,
    lines: &[Line],
    by: i32,
) -> Option<Lexed> {
    let mut lexer = Lexer::new(text, start, text.len(), recover);
    lexer.stops = lines;
    lexer.by = by;
    lexer.run();
    (recover || !lexer.unclosed).then_some(lexer.out)
}

/// The words and signs of a text, for those who look at what stands around a place whatever is wrong
/// with it: a text without its end is [`Kind::BadStr`], and where brackets are given up that are
/// never closed stands [`Kind::Broken`]. None of a text that is too large to be read.
pub fn tokens(text: &str) -> Vec<Token> {
    if text.len() > crate::MAX_TEXT { Vec::new() } else { lex(text).tokens }
}

/// The words and signs of a part of a text that stands within brackets.
pub(crate) fn lex_within(text: &str, span: Span) -> Lexed {
    let mut lexer = Lexer::new(text, span.start as usize, span.end as usize, false);
    lexer.within = true;
    lexer.run();
    lexer.out
}

struct Lexer<'a> {
    text: &'a str,
    bytes: &'a [u8],
    at: usize,
    out: Lexed,
    /// The open brackets.
    open: Vec<Token>,
    /// The columns of the blocks.
    indents: Vec<u32>,
    line_start: bool,
    recover: bool,
    unclosed: bool,
    within: bool,
    stopped: bool,
    /// Lines before which to end, and by how much they have moved.
    stops: &'a [Line],
    by: i32,
    next_stop: usize,
}

const fn is_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

fn position(at: usize) -> u32 {
    u32::try_from(at).unwrap_or(u32::MAX)
}

fn span(start: usize, end: usize) -> Span {
    Span::new(position(start), position(end))
}

impl<'a> Lexer<'a> {
    fn new(text: &'a str, start: usize, end: usize, recover: bool) -> Self {
        Self {
            text,
            bytes: text.as_bytes().get(..end).unwrap_or_default(),
            at: start,
            out: Lexed::default(),
            open: Vec::new(),
            indents: Vec::new(),
            line_start: true,
            recover,
            unclosed: false,
            within: false,
            stopped: false,
            stops: &[],
            by: 0,
            next_stop: 0,
        }
    }

    fn byte(&self, ahead: usize) -> u8 {
        self.bytes.get(self.at + ahead).copied().unwrap_or(0)
    }

    fn push(&mut self, kind: Kind, start: usize, end: usize) {
        self.out.tokens.push(Token { kind, span: span(start, end) });
    }

    fn error(&mut self, error: SyntaxError) {
        if self.out.errors.len() < MAX_ERRORS {
            self.out.errors.push(error);
        }
    }

    fn stop(&mut self, message: String, at: Span) {
        self.error(
            SyntaxError::new(code::TOO_DEEP, message, at).help("give the inner parts names"),
        );
        self.stopped = true;
    }

    fn odd(&mut self, start: usize, end: usize, spaces: u32, newline: bool) {
        self.out.odd.push(Odd { span: span(start, end), spaces, newline });
    }

    fn run(&mut self) {
        if self.at == 0 && self.text.starts_with('\u{feff}') {
            self.odd(0, 3, 0, false);
            self.at = 3;
        }
        while self.at < self.bytes.len() && !self.stopped {
            if self.line_start && !self.within {
                if self.open.is_empty()
                    && let Some(first_word) = self.at_stop()
                {
                    return self.finish_before(first_word);
                }
                self.line_start = false;
                if self.open.is_empty() {
                    self.indentation();
                } else if self.recover && self.begins_statement() {
                    self.give_up_brackets(self.at);
                    continue;
                }
                continue;
            }
            self.token();
        }
        self.finish();
    }

    fn finish(&mut self) {
        let end = self.bytes.len();
        if !self.open.is_empty() && !self.stopped {
            self.unclosed = true;
            self.give_up_brackets(end);
        }
        let last = self.out.tokens.last().map(|token| token.kind);
        let complete =
            matches!(last, None | Some(Kind::Newline | Kind::Broken | Kind::Indent | Kind::Dedent));
        if !complete && !self.within {
            self.push(if self.stopped { Kind::Broken } else { Kind::Newline }, end, end);
        }
        for _ in 0..std::mem::take(&mut self.indents).len() {
            self.push(Kind::Dedent, end, end);
        }
        self.push(Kind::End, end, end);
    }

    /// The first word of the line, if it is one before which to end.
    fn at_stop(&mut self) -> Option<Token> {
        let here = position(self.at);
        while let Some(line) = self.stops.get(self.next_stop) {
            let mut token = line.token;
            token.shift(self.by);
            if token.span.start >= here {
                return (token.span.start == here).then_some(token);
            }
            self.next_stop += 1;
        }
        None
    }

    /// Ends the blocks, and adds the first word of what follows.
    fn finish_before(&mut self, first_word: Token) {
        self.out.stop = Some(self.next_stop);
        for _ in 0..std::mem::take(&mut self.indents).len() {
            self.push(Kind::Dedent, self.at, self.at);
        }
        self.out.tokens.push(first_word);
        self.push(Kind::End, self.at, self.at);
    }

    /// Ends the line although brackets are open.
    fn give_up_brackets(&mut self, at: usize) {
        if let Some(innermost) = self.open.last().copied() {
            let closer = innermost.kind.closer().map_or("", Kind::shown);
            self.error(SyntaxError::new(
                code::CLOSE,
                format!("this {} is never closed: {closer} is missing", innermost.kind.shown()),
                innermost.span,
            ));
        }
        self.open.clear();
        self.push(Kind::Broken, at, at);
        self.line_start = true;
    }

    /// Whether the line looks like a statement, for a text in which a bracket is left open.
    fn begins_statement(&self) -> bool {
        let rest = &self.bytes[self.at..];
        let blanks = rest.iter().take_while(|b| matches!(b, b' ' | b'\t')).count();
        let rest = &rest[blanks..];
        let length = rest.iter().take_while(|b| is_name(**b)).count();
        if length == 0 {
            return false;
        }
        let start = self.at + blanks;
        if let Some(word) = Kind::word(&self.text[start..start + length]) {
            return matches!(
                word,
                Kind::Def
                    | Kind::Class
                    | Kind::Return
                    | Kind::Import
                    | Kind::While
                    | Kind::With
                    | Kind::Try
                    | Kind::Raise
                    | Kind::Del
                    | Kind::Pass
                    | Kind::Assert
            ) || (blanks == 0 && matches!(word, Kind::For | Kind::If | Kind::From));
        }
        let after = &rest[length..];
        let gap = after.iter().take_while(|b| **b == b' ').count();
        // An argument may stand at the start of a line too, but is seldom written with blanks.
        blanks == 0
            && after.get(gap) == Some(&b'=')
            && after.get(gap + 1) != Some(&b'=')
            && (gap > 0 || self.open.last().is_some_and(|open| open.kind != Kind::LParen))
    }

    fn indentation(&mut self) {
        let start = self.at;
        let mut column = 0;
        loop {
            match self.byte(0) {
                b' ' => column += 1,
                b'\t' => {
                    let next = (column / TAB + 1) * TAB;
                    self.odd(self.at, self.at + 1, next - column, false);
                    column = next;
                }
                b'\x0c' => {
                    self.out.odd.retain(|odd| odd.span.start < position(start));
                    self.odd(start, self.at + 1, 0, false);
                    column = 0;
                }
                _ => break,
            }
            self.at += 1;
        }
        match self.byte(0) {
            b'\n' | b'\r' | b'#' => return,
            _ if self.at >= self.bytes.len() => return,
            _ => {}
        }
        let now = self.indents.last().copied().unwrap_or(0);
        if column > now {
            self.indents.push(column);
            self.push(Kind::Indent, start, self.at);
            if self.indents.len() > MAX_BLOCKS {
                let at = span(start, self.at);
                self.stop(format!("blocks stand more than {MAX_BLOCKS} deep in blocks"), at);
            }
        } else {
            while self.indents.last().is_some_and(|now| *now > column) {
                self.indents.pop();
                self.push(Kind::Dedent, self.at, self.at);
            }
            let now = self.indents.last().copied().unwrap_or(0);
            if now != column {
                self.error(
                    SyntaxError::new(
                        code::DEDENT,
                        "this line stands at no column of the lines around it",
                        span(start, self.at),
                    )
                    .help(format!("the block around it begins at column {}", now + 1)),
                );
            }
        }
    }

    fn line_end(&mut self, length: usize) {
        let open = !self.open.is_empty() || self.within;
        let after_token = self.out.tokens.last().is_some_and(|token| {
            !matches!(token.kind, Kind::Newline | Kind::Broken | Kind::Indent | Kind::Dedent)
        });
        if !open && after_token {
            self.push(Kind::Newline, self.at, self.at + length);
        }
        self.at += length;
        self.line_start = true;
    }

    fn token(&mut self) {
        let start = self.at;
        let byte = self.byte(0);
        match byte {
            b' ' => self.at += 1,
            b'\t' | b'\x0c' => {
                self.odd(start, start + 1, 1, false);
                self.at += 1;
            }
            b'\n' => self.line_end(1),
            b'\r' if self.byte(1) == b'\n' => self.line_end(2),
            b'\r' => {
                self.odd(start, start + 1, 0, true);
                self.line_end(1);
            }
            b'#' => self.comment(),
            b'\\' => self.continuation(),
            b'\'' | b'"' => self.string(start),
            b'0'..=b'9' => self.number(),
            b'.' if self.byte(1).is_ascii_digit() => self.number(),
            _ if is_name(byte) => self.word(),
            _ => self.sign(),
        }
    }

    fn comment(&mut self) {
        let rest = &self.bytes[self.at..];
        let length = rest.iter().position(|b| matches!(b, b'\n' | b'\r')).unwrap_or(rest.len());
        self.out.comments.push(span(self.at, self.at + length));
        self.at += length;
    }

    fn continuation(&mut self) {
        let start = self.at;
        let rest = &self.bytes[start + 1..];
        let blanks = rest.iter().take_while(|b| matches!(b, b' ' | b'\t')).count();
        let ends = |at: usize| match rest.get(at) {
            Some(b'\n') => Some(1),
            Some(b'\r') => Some(if rest.get(at + 1) == Some(&b'\n') { 2 } else { 1 }),
            None => Some(0),
            _ => None,
        };
        let Some(length) = ends(blanks) else {
            self.error(
                SyntaxError::new(
                    code::CHARACTER,
                    "a backslash continues a line only at its end",
                    span(start, start + 1),
                )
                .fix(span(start, start + 1), ""),
            );
            self.at += 1;
            return;
        };
        if length == 0 {
            self.error(SyntaxError::new(
                code::CHARACTER,
                "a backslash at the end of the file continues nothing",
                span(start, start + 1),
            ));
        } else if blanks > 0 {
            self.error(
                SyntaxError::new(
                    code::CHARACTER,
                    "blanks follow the backslash, so it does not continue the line",
                    span(start, start + 1 + blanks),
                )
                .fix(span(start + 1, start + 1 + blanks), ""),
            );
        } else if length == 1 && rest.get(blanks) == Some(&b'\r') {
            self.odd(start + 1, start + 2, 0, true);
        }
        self.at = start + 1 + blanks + length;
    }

    fn word(&mut self) {
        let start = self.at;
        let rest = &self.bytes[start..];
        let length = rest.iter().position(|b| !is_name(*b)).unwrap_or(rest.len());
        let end = start + length;
        if length <= 3
            && matches!(rest.get(length), Some(b'\'' | b'"'))
            && is_prefix(&rest[..length])
        {
            self.at = end;
            return self.string(start);
        }
        if rest.get(length).is_some_and(|b| !b.is_ascii()) {
            return self.foreign(start);
        }
        self.at = end;
        let kind = Kind::word(&self.text[start..end]).unwrap_or(Kind::Name);
        let kind = match (kind, self.out.tokens.last_mut()) {
            // Two words that are one operator.
            (Kind::Not, Some(last)) if last.kind == Kind::Is => {
                *last =
                    Token { kind: Kind::IsNot, span: Span::new(last.span.start, position(end)) };
                return;
            }
            _ => kind,
        };
        self.push(kind, start, end);
    }

    /// A name with letters outside of ASCII, or a sign that the language does not know.
    fn foreign(&mut self, start: usize) {
        let rest = &self.text[start..];
        let length: usize =
            rest.chars().take_while(|c| c.is_alphanumeric() || *c == '_').map(char::len_utf8).sum();
        if length > 0 {
            let end = start + length;
            self.error(
                SyntaxError::new(
                    code::CHARACTER,
                    "a name is made of the letters a to z, digits and `_`",
                    span(start, end),
                )
                .help("other letters may stand in text and in comments"),
            );
            self.at = end;
            return self.push(Kind::Name, start, end);
        }
        let Some(character) = rest.chars().next() else {
            self.at += 1;
            return;
        };
        let at = span(start, start + character.len_utf8());
        self.at += character.len_utf8();
        let error = SyntaxError::new(
            code::CHARACTER,
            format!("the character {character:?} has no meaning here"),
            at,
        );
        let error = match character {
            '\u{201c}' | '\u{201d}' | '\u{201e}' | '\u{2018}' | '\u{2019}' | '\u{201a}' => {
                self.fancy_quotes(error, at);
                return;
            }
            c if c.is_whitespace() => error.help("write a plain blank").fix(at, " "),
            '\u{200b}' | '\u{feff}' => error.help("remove it").fix(at, ""),
            '$' => error.help("a shell variable belongs into the text of a cmdline"),
            _ => error,
        };
        self.error(error);
    }

    /// Text between quotes as word processors write them.
    fn fancy_quotes(&mut self, error: SyntaxError, open: Span) {
        if self.out.errors.len() >= MAX_ERRORS {
            return;
        }
        let rest = &self.text[self.at..];
        let line = rest.split(['\n', '\r']).next().unwrap_or_default();
        let double = matches!(open.of(self.text), "\u{201c}" | "\u{201d}" | "\u{201e}");
        let plain = if double { "\"" } else { "'" };
        let closing: &[char] =
            if double { &['\u{201c}', '\u{201d}'] } else { &['\u{2018}', '\u{2019}'] };
        let mut error = error.help("text stands between plain quotes").fix(open, plain);
        if let Some(found) = line.find(closing) {
            let start = self.at + found;
            self.at = start + '\u{201c}'.len_utf8();
            error = error.fix(span(start, self.at), plain);
            self.push(Kind::BadStr, open.start as usize, self.at);
        }
        self.error(error);
    }

    fn string(&mut self, start: usize) {
        let quote = self.byte(0);
        let triple = self.byte(1) == quote && self.byte(2) == quote;
        let width = if triple { 3 } else { 1 };
        let mut at = self.at + width;
        loop {
            match self.bytes.get(at) {
                None => break,
                Some(b'\\') => {
                    at += if self.bytes.get(at + 1..at + 3) == Some(b"\r\n") { 3 } else { 2 };
                }
                Some(b'\n' | b'\r') if !triple => break,
                Some(byte) if *byte == quote => {
                    let closed = !triple
                        || (self.bytes.get(at + 1) == Some(&quote)
                            && self.bytes.get(at + 2) == Some(&quote));
                    if closed {
                        self.at = at + width;
                        return self.push(Kind::Str, start, at + width);
                    }
                    at += 1;
                }
                Some(_) => at += 1,
            }
        }
        let end = at.min(self.bytes.len());
        // In a text to the end of the file, the place of the quotes says more.
        let place = if triple { span(start, self.at + width) } else { span(start, end) };
        let quotes = &self.text[self.at..self.at + width];
        let where_to = if triple { "the file" } else { "the line" };
        self.error(
            SyntaxError::new(
                code::STRING,
                format!("this text has no closing {quotes} before the end of {where_to}"),
                place,
            )
            .help("text over several lines stands between \"\"\" and \"\"\""),
        );
        self.at = end;
        self.push(Kind::BadStr, start, end);
    }

    fn sign(&mut self) {
        let start = self.at;
        let Some((kind, length)) = Kind::sign(&self.bytes[start..]) else {
            return self.foreign(start);
        };
        let end = start + length as usize;
        self.at = end;
        match kind {
            Kind::LParen | Kind::LBracket | Kind::LBrace => {
                self.open.push(Token { kind, span: span(start, end) });
                self.push(kind, start, end);
                if self.open.len() > MAX_BRACKETS {
                    self.stop(
                        format!("brackets stand more than {MAX_BRACKETS} deep in brackets"),
                        span(start, end),
                    );
                }
            }
            Kind::RParen | Kind::RBracket | Kind::RBrace => self.close(kind, start, end),
            _ => self.push(kind, start, end),
        }
    }

    fn close(&mut self, kind: Kind, start: usize, end: usize) {
        let fits = self.open.iter().rposition(|open| open.kind.closer() == Some(kind));
        let Some(fits) = fits else {
            let message = match self.open.last() {
                Some(open) => format!(
                    "{} does not close {}: {} does",
                    kind.shown(),
                    open.kind.shown(),
                    open.kind.closer().map_or("", Kind::shown)
                ),
                None => format!("{} closes nothing", kind.shown()),
            };
            self.error(SyntaxError::new(code::BRACKET, message, span(start, end)).fix(
                span(start, end),
                match self.open.last().map(|open| open.kind) {
                    Some(Kind::LParen) => ")",
                    Some(Kind::LBracket) => "]",
                    Some(Kind::LBrace) => "}",
                    _ => "",
                },
            ));
            // The bracket that is open was most likely meant.
            if let Some(closer) = self.open.pop().and_then(|open| open.kind.closer()) {
                self.push(closer, start, end);
            }
            return;
        };
        while self.open.len() > fits + 1 {
            if let Some(open) = self.open.pop()
                && let Some(closer) = open.kind.closer()
            {
                self.error(SyntaxError::new(
                    code::CLOSE,
                    format!(
                        "this {} is not closed: {} is missing",
                        open.kind.shown(),
                        closer.shown()
                    ),
                    open.span,
                ));
                self.push(closer, start, start);
            }
        }
        self.open.pop();
        self.push(kind, start, end);
    }
}

fn is_prefix(word: &[u8]) -> bool {
    match word {
        [a] => matches!(a.to_ascii_lowercase(), b'u' | b'b' | b'r' | b'f'),
        [a, b] => matches!(
            (a.to_ascii_lowercase(), b.to_ascii_lowercase()),
            (b'u' | b'b' | b'f', b'r') | (b'r', b'b' | b'f')
        ),
        _ => false,
    }
}
