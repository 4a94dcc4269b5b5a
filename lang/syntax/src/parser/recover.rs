//! How reading goes on after what is wrong.
//!
//! The first mistake of a line is told, and no other of the same line: they are most likely its
//! consequences. What is missing gets an empty place ([`Parser::missing`]); what cannot be read
//! within brackets is gone over up to the next comma or the bracket's end ([`Parser::element`],
//! [`Parser::another`], [`Parser::close`]); what is left of a line is a statement that says nothing
//! ([`Parser::rest_of_line`]). Each step goes forward, so that all of it takes linear time.

use super::{Parser, Read};
use crate::error::{SyntaxError, code};
use crate::span::Span;
use crate::token::Kind;
use crate::tree::{Expr, ExprKind, PostKind, Stmt, StmtKind};

impl Parser<'_> {
    /// Notes a mistake after which the rest of the line is not to be trusted.
    pub(super) fn fail(&mut self, error: SyntaxError) {
        self.error(error);
        self.told = true;
    }

    /// Notes that something else was expected.
    pub(super) fn expected(&mut self, what: &str) {
        let token = self.token();
        if token.kind == Kind::Broken {
            // The missing bracket was noted.
            self.told = true;
            return;
        }
        let found = match token.kind {
            Kind::Name => format!("the name `{}`", self.word(token.span)),
            Kind::Int | Kind::Float => format!("the number {}", self.word(token.span)),
            kind => kind.shown().to_owned(),
        };
        let mut error = SyntaxError::new(
            code::UNEXPECTED,
            format!("expected {what}, found {found}"),
            token.span,
        );
        if token.kind.is_word() {
            error = error
                .help(format!("{found} is a word of the language, and cannot be used as a name"));
        }
        self.fail(error);
    }

    /// A sign or word that must stand here; an empty place if it does not.
    pub(super) fn expect(&mut self, kind: Kind, what: &str) -> Span {
        self.eat(kind).unwrap_or_else(|| {
            self.expected(what);
            self.behind()
        })
    }

    pub(super) fn name(&mut self, what: &str) -> Span {
        self.expect(Kind::Name, what)
    }

    /// The empty place behind what was read of this statement, or before its first word.
    pub(super) fn behind(&self) -> Span {
        let at = if self.at > self.first { self.before().end } else { self.token().span.start };
        Span::new(at, at)
    }

    /// From a place to the end of what was read.
    pub(super) fn since(&self, start: Span) -> Span {
        Span::new(start.start, self.before().end.max(start.start))
    }

    /// A value of which there is nothing.
    pub(super) fn nothing(&self) -> Expr {
        Expr { span: self.behind(), kind: ExprKind::Error }
    }

    /// Notes that a value is missing, which has an empty place.
    pub(super) fn missing(&mut self, what: &str) -> Expr {
        self.expected(what);
        self.nothing()
    }

    /// Whether no element of a bracket can stand here.
    pub(super) fn at_close(&self) -> bool {
        ends_elements(self.kind())
    }

    /// Goes over words and signs up to one of some kinds, or to the end of the bracket or line.
    /// Brackets are gone over as a whole.
    pub(super) fn skip_to(&mut self, stop: &[Kind]) {
        let mut open = 0_usize;
        loop {
            match self.kind() {
                Kind::Broken | Kind::Newline | Kind::Indent | Kind::Dedent | Kind::End => return,
                kind if open == 0 && stop.contains(&kind) => return,
                Kind::RParen | Kind::RBracket | Kind::RBrace => match open.checked_sub(1) {
                    Some(less) => open = less,
                    None => return,
                },
                Kind::LParen | Kind::LBracket | Kind::LBrace => open += 1,
                _ => {}
            }
            self.advance();
        }
    }

    /// An element of a bracket. Where it cannot be read, the place up to the next comma or the end
    /// of the bracket.
    pub(super) fn element(&mut self, read: impl FnOnce(&mut Self) -> Read<Expr>) -> Expr {
        let at = self.at;
        let start = self.token().span;
        match read(self) {
            Ok(value) if self.at > at || self.kind() == Kind::Comma || self.at_close() => value,
            Ok(_) | Err(_) => {
                self.skip_to(&[Kind::Comma]);
                Expr { span: self.since(start), kind: ExprKind::Error }
            }
        }
    }

    /// Whether a further element follows in a bracket. Goes over the comma before it, and over
    /// what cannot be read.
    pub(super) fn another(&mut self, close: Kind, what: &str) -> bool {
        if self.eat(Kind::Comma).is_none() {
            if self.kind() == close {
                return false;
            }
            self.not_closed(what);
            if !self.begins_value() {
                self.skip_to(&[Kind::Comma]);
                if self.eat(Kind::Comma).is_none() {
                    return false;
                }
            }
        }
        !self.at_close()
    }

    /// The end of a bracket. Goes over what stands before it.
    pub(super) fn close(&mut self, kind: Kind, what: &str) -> Span {
        if self.kind() != kind {
            self.not_closed(what);
            self.skip_to(&[]);
        }
        self.eat(kind).unwrap_or_else(|| self.behind())
    }

    /// The end of a bracket in which a comma may not be all that is missing.
    pub(super) fn end_of_bracket(&mut self, kind: Kind, what: &str) {
        if self.kind() != kind {
            self.expected(what);
            self.skip_to(&[]);
            self.eat(kind);
            return;
        }
        self.advance();
    }

    /// Whether a value begins here, after which something was read.
    fn begins_value(&self) -> bool {
        matches!(
            self.kind(),
            Kind::Name
                | Kind::Int
                | Kind::Float
                | Kind::Str
                | Kind::LParen
                | Kind::LBracket
                | Kind::LBrace
        )
    }

    /// Notes that a bracket does not end where it should; two values without a comma between them
    /// are a common slip.
    fn not_closed(&mut self, what: &str) {
        if !self.begins_value() {
            return self.expected(what);
        }
        let span = self.token().span;
        let before = self.before();
        let gap = Span::new(before.end, before.end);
        self.fail(
            SyntaxError::new(code::UNEXPECTED, "a comma is missing before this", span)
                .fix(gap, ","),
        );
    }

    /// Goes to the next line after one that could not be read to its end.
    pub(super) fn rest_of_line(&mut self, start: Span, stmts: &mut Vec<Stmt>) {
        self.told = true;
        while !matches!(self.kind(), Kind::Newline | Kind::Broken | Kind::End | Kind::Dedent) {
            self.advance();
        }
        stmts.push(Stmt { span: self.since(start), kind: StmtKind::Error });
        if !matches!(self.kind(), Kind::End | Kind::Dedent) {
            self.advance();
        }
    }

    /// Takes the name before the `=` that is next out of a value: `a = b = 1` in a call is most
    /// likely an `a` that is being written before `b = 1`. Whether there was such a name.
    pub(super) fn give_back_name(&mut self, value: &mut Expr) -> bool {
        let name = self.before();
        let Some(before) = self.at.checked_sub(2).and_then(|at| self.tokens.get(at)) else {
            return false;
        };
        let found = cut(value, name, before.span.end);
        self.at -= usize::from(found);
        found
    }
}

fn ends_elements(kind: Kind) -> bool {
    matches!(
        kind,
        Kind::RParen
            | Kind::RBracket
            | Kind::RBrace
            | Kind::Broken
            | Kind::Newline
            | Kind::Indent
            | Kind::Dedent
            | Kind::End
    )
}

/// Takes the last name out of an expression that then ends earlier.
fn cut(expr: &mut Expr, name: Span, end: u32) -> bool {
    let nothing = Span::new(end, end);
    let found = match &mut expr.kind {
        ExprKind::Name if expr.span == name => {
            *expr = Expr { span: nothing, kind: ExprKind::Error };
            return true;
        }
        ExprKind::Postfix(postfix) => match postfix.ops.last_mut() {
            // Without a gap it is `a.b`.
            Some(op) => match &mut op.kind {
                PostKind::Attr(last) if *last == name && op.span.start + 1 < last.start => {
                    *last = nothing;
                    op.span.end = end;
                    true
                }
                _ => false,
            },
            None => false,
        },
        ExprKind::Chain(chain) => {
            chain.rest.last_mut().is_some_and(|last| cut(&mut last.1, name, end))
        }
        ExprKind::Power(power) => cut(&mut power.2, name, end),
        ExprKind::Unary { operand, .. } => cut(operand, name, end),
        ExprKind::Cond(cond) => cut(&mut cond.2, name, end),
        ExprKind::Lambda(lambda) => cut(&mut lambda.1, name, end),
        _ => false,
    };
    if found {
        expr.span.end = end;
    }
    found
}
