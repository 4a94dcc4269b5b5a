//! Reads words and signs as a tree, and goes on after what is wrong.

mod expr;
mod fstring;
mod postfix;
mod recover;
mod simple;
mod stmt;

use crate::error::{SyntaxError, code};
use crate::lexer::{self, Lexed, MAX_ERRORS, Odd};
use crate::span::Span;
use crate::token::{Kind, Token};
use crate::tree::Stmt;

/// The largest text that is read, in bytes.
pub const MAX_TEXT: usize = 64 << 20;
/// How deep expressions may stand in expressions.
const MAX_DEPTH: usize = 200;

/// What a text says. A tree is always there. Where the text is wrong, the tree has what could be read,
/// with [`ExprKind::Error`](crate::tree::ExprKind::Error),
/// [`StmtKind::Error`](crate::tree::StmtKind::Error) and empty names in place of the rest.
#[derive(Debug, Default, Clone, PartialEq)]
pub struct Parsed {
    /// The statements of the file.
    pub tree: Vec<Stmt>,
    /// Where comments stand, in order.
    pub comments: Vec<Span>,
    /// What is no Python.
    pub errors: Vec<SyntaxError>,
    /// What is Python and not in the language.
    pub refused: Vec<SyntaxError>,
    pub(crate) odd: Vec<Odd>,
    /// Where reading can begin.
    pub(crate) lines: Vec<Line>,
    pub(crate) raw: Raw,
    /// Whether a bracket is open to the end, so that others were given up.
    pub(crate) recovered: bool,
}

/// A statement of the file itself, at the first column.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Line {
    /// Its first word.
    pub(crate) token: Token,
    /// How many statements stand before it.
    pub(crate) stmts: usize,
    /// How many errors the parser had found before it.
    pub(crate) errors: usize,
    /// How much it had refused.
    pub(crate) refused: usize,
}

/// Everything that was noted, in the order in which it was.
#[derive(Debug, Default, Clone, PartialEq)]
pub(crate) struct Raw {
    /// By the lexer.
    pub(crate) lexed: Vec<SyntaxError>,
    /// By the parser.
    pub(crate) errors: Vec<SyntaxError>,
    pub(crate) refused: Vec<SyntaxError>,
}

impl Raw {
    /// Whether something may have been left out.
    pub(crate) fn is_full(&self) -> bool {
        [&self.lexed, &self.errors, &self.refused].iter().any(|notes| notes.len() >= MAX_ERRORS)
    }
}

/// What was read of a text or of a part of it.
pub(crate) struct Part {
    pub(crate) tree: Vec<Stmt>,
    pub(crate) comments: Vec<Span>,
    pub(crate) odd: Vec<Odd>,
    pub(crate) lines: Vec<Line>,
    pub(crate) raw: Raw,
}

/// Reads a text. Every error says where, and what was expected.
pub fn parse(text: &str) -> Parsed {
    if text.len() > MAX_TEXT {
        return Parsed {
            errors: vec![SyntaxError::new(
                code::TOO_LARGE,
                format!("the file is larger than {} MB", MAX_TEXT >> 20),
                Span::new(0, 0),
            )],
            ..Parsed::default()
        };
    }
    let lexed = lexer::lex(text);
    let recovered = lexed.open;
    let Part { tree, comments, odd, lines, raw } = read(text, lexed).0;
    Parsed { tree, comments, odd, lines, raw, recovered, ..Parsed::default() }.told(text)
}

/// Reads what was lexed, and whether that was all that it was to be.
pub(crate) fn read(text: &str, lexed: Lexed) -> (Part, bool) {
    let mut parser = Parser::new(text, &lexed.tokens);
    // The first word of what follows is there to be looked at.
    let end = match lexed.stop {
        Some(_) => lexed.tokens.len().saturating_sub(2),
        None => usize::MAX,
    };
    let (tree, lines) = parser.file(end);
    let complete = end == usize::MAX || parser.at == end;
    let raw = Raw { lexed: lexed.errors, errors: parser.errors, refused: parser.refused };
    (Part { tree, comments: lexed.comments, odd: lexed.odd, lines, raw }, complete)
}

impl Parsed {
    /// With the errors that are told, of all that were noted.
    pub(crate) fn told(mut self, text: &str) -> Self {
        let mut errors = self.raw.lexed.clone();
        // After a text or bracket that is never closed, the rest is read as something it is not.
        let open = errors
            .iter()
            .filter(|error| {
                let place = text.get(error.range.clone()).unwrap_or_default();
                error.code == code::TOO_DEEP
                    || (error.code == code::STRING
                        && (place.ends_with("\"\"\"") || place.ends_with("'''")))
            })
            .map(|error| error.range.start)
            .min()
            .unwrap_or(usize::MAX);
        for error in &self.raw.errors {
            let known = errors.iter().any(|other| {
                other.range.start <= error.range.end && error.range.start <= other.range.end
            });
            if !known && error.range.start < open && errors.len() < MAX_ERRORS {
                errors.push(error.clone());
            }
        }
        errors.sort_by_key(|error| (error.range.start, error.range.end));
        self.errors = errors;
        self.refused = self.raw.refused.clone();
        self.refused.sort_by_key(|error| (error.range.start, error.range.end));
        self
    }
}

/// That a limit was passed, which was noted: what is being read is given up.
struct Failed;

type Read<T> = Result<T, Failed>;

struct Parser<'a> {
    text: &'a str,
    tokens: &'a [Token],
    at: usize,
    /// Where the statement begins.
    first: usize,
    /// Whether the mistake of this line was told.
    told: bool,
    depth: usize,
    loops: usize,
    functions: usize,
    classes: usize,
    errors: Vec<SyntaxError>,
    refused: Vec<SyntaxError>,
}

impl<'a> Parser<'a> {
    fn new(text: &'a str, tokens: &'a [Token]) -> Self {
        Self {
            text,
            tokens,
            at: 0,
            first: 0,
            told: false,
            depth: 0,
            loops: 0,
            functions: 0,
            classes: 0,
            errors: Vec::new(),
            refused: Vec::new(),
        }
    }

    fn token(&self) -> Token {
        self.ahead(0)
    }

    fn ahead(&self, count: usize) -> Token {
        let end = Token { kind: Kind::End, span: Span::default() };
        self.tokens.get(self.at + count).or(self.tokens.last()).copied().unwrap_or(end)
    }

    fn kind(&self) -> Kind {
        self.token().kind
    }

    fn advance(&mut self) -> Token {
        let token = self.token();
        if self.at + 1 < self.tokens.len() {
            self.at += 1;
        }
        token
    }

    fn eat(&mut self, kind: Kind) -> Option<Span> {
        (self.kind() == kind).then(|| self.advance().span)
    }

    /// The end of the word before.
    fn before(&self) -> Span {
        self.at
            .checked_sub(1)
            .and_then(|at| self.tokens.get(at))
            .map_or(Span::default(), |t| t.span)
    }

    fn word(&self, span: Span) -> &'a str {
        span.of(self.text)
    }

    fn is_word(&self, text: &str) -> bool {
        self.kind() == Kind::Name && self.word(self.token().span) == text
    }

    fn error(&mut self, error: SyntaxError) {
        if !self.told && self.errors.len() < MAX_ERRORS {
            self.errors.push(error);
        }
    }

    /// Notes what is Python and not in the language.
    fn refuse(&mut self, code: &'static str, message: &str, help: &str, span: Span) {
        self.refuse_with(SyntaxError::new(code, message, span).help(help));
    }

    fn refuse_with(&mut self, error: SyntaxError) {
        if !self.told && self.refused.len() < MAX_ERRORS {
            self.refused.push(error);
        }
    }

    /// Goes one level deeper, if there is one.
    fn deeper<T>(&mut self, read: impl FnOnce(&mut Self) -> Read<T>) -> Read<T> {
        if self.depth >= MAX_DEPTH {
            let span = self.token().span;
            self.fail(
                SyntaxError::new(
                    code::TOO_DEEP,
                    format!("expressions stand more than {MAX_DEPTH} deep in expressions"),
                    span,
                )
                .help("give the inner parts names"),
            );
            return Err(Failed);
        }
        self.depth += 1;
        let result = read(self);
        self.depth -= 1;
        result
    }
}
