//! Reads words and signs as a tree, and goes on after what is wrong.

mod expr;
mod fstring;
mod postfix;
mod recover;
mod simple;
mod stmt;

use crate::error::{SyntaxError, code};
use crate::lexer::{self, MAX_ERRORS, Odd};
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
#[derive(Debug, Default)]
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
    let mut parser = Parser::new(text, &lexed.tokens);
    let tree = parser.file();
    let mut errors = lexed.errors;
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
    for error in parser.errors {
        let known = errors.iter().any(|other| {
            other.range.start <= error.range.end && error.range.start <= other.range.end
        });
        if !known && error.range.start < open && errors.len() < MAX_ERRORS {
            errors.push(error);
        }
    }
    errors.sort_by_key(|error| (error.range.start, error.range.end));
    let mut refused = parser.refused;
    refused.sort_by_key(|error| (error.range.start, error.range.end));
    Parsed { tree, comments: lexed.comments, errors, refused, odd: lexed.odd }
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
