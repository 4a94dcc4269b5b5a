//! Expressions.

use super::{Failed, Parser, Read};
use crate::error::{SyntaxError, code};
use crate::span::Span;
use crate::token::Kind;
use crate::tree::{Chain, Clause, Comp, CompKind, Expr, ExprKind, Op, StrPiece};

/// How many operators of one rank may follow one another.
const MAX_CHAIN: usize = 1000;

const OR: u8 = 1;
const AND: u8 = 2;
const NOT: u8 = 3;
const COMPARE: u8 = 4;
const BIT_OR: u8 = 5;
const UNARY: u8 = 11;

/// How tightly an operator binds.
fn rank(kind: Kind) -> Option<u8> {
    Some(match kind {
        Kind::Or => OR,
        Kind::And => AND,
        kind if kind.is_comparison() => COMPARE,
        Kind::Pipe => BIT_OR,
        Kind::Caret => 6,
        Kind::Amp => 7,
        Kind::LShift | Kind::RShift => 8,
        Kind::Plus | Kind::Minus => 9,
        Kind::Star | Kind::Slash | Kind::SlashSlash | Kind::Percent | Kind::At => 10,
        _ => return None,
    })
}

impl Parser<'_> {
    /// Whether an expression can begin here.
    fn at_expression(&self) -> bool {
        matches!(
            self.kind(),
            Kind::Name
                | Kind::Int
                | Kind::Float
                | Kind::Str
                | Kind::BadStr
                | Kind::LParen
                | Kind::LBracket
                | Kind::LBrace
                | Kind::Backtick
                | Kind::Minus
                | Kind::Plus
                | Kind::Tilde
                | Kind::Not
                | Kind::Lambda
                | Kind::Ellipsis
                | Kind::Star
                | Kind::Yield
        )
    }

    /// Expressions with commas between them: a tuple, if there is a comma.
    pub(super) fn test_list(&mut self) -> Read<Expr> {
        let first = self.star_or_test()?;
        if self.kind() != Kind::Comma {
            return Ok(first);
        }
        let start = first.span;
        let mut items = vec![first];
        while self.eat(Kind::Comma).is_some() && self.at_expression() {
            items.push(self.star_or_test()?);
        }
        let span = start.to(self.before());
        Ok(Expr { span, kind: ExprKind::Tuple { items, parens: false } })
    }

    pub(super) fn star_or_test(&mut self) -> Read<Expr> {
        if !matches!(self.kind(), Kind::Star | Kind::StarStar) {
            return self.test();
        }
        let star = self.advance();
        let value = self.deeper(Self::test)?;
        let span = star.span.to(value.span);
        let help = if star.kind == Kind::Star {
            "join lists by +: [a] + rest; take parts by their place: first = list[0], \
             rest = list[1:]"
        } else {
            "join tables by dict(first, **second)"
        };
        self.refuse(code::STAR, "only a call's arguments are unpacked by `*`", help, span);
        Ok(Expr { span, kind: ExprKind::Star(Box::new(value)) })
    }

    /// What a loop assigns to, up to `in`.
    pub(super) fn targets(&mut self, until: &str) -> Read<Expr> {
        let mut items = Vec::new();
        let start = self.token().span;
        let mut comma = false;
        while self.at_expression() {
            let item = match self.eat(Kind::Star) {
                Some(star) => {
                    self.refuse(
                        code::STAR,
                        "a loop's names take one value each",
                        "take the parts by their place: rest = item[1:]",
                        star,
                    );
                    self.binary(BIT_OR)?
                }
                None => self.binary(BIT_OR)?,
            };
            self.check_target(&item);
            items.push(item);
            comma = self.eat(Kind::Comma).is_some();
            if !comma {
                break;
            }
        }
        let span = start.to(self.before());
        match (items.pop(), comma || !items.is_empty()) {
            (Some(item), false) => Ok(item),
            (Some(item), true) => {
                items.push(item);
                Ok(Expr { span, kind: ExprKind::Tuple { items, parens: false } })
            }
            (None, _) => Ok(self.missing(&format!("a name before {until}"))),
        }
    }

    /// An expression without commas.
    pub(super) fn test(&mut self) -> Read<Expr> {
        if self.kind() == Kind::Lambda {
            return self.deeper(Self::lambda);
        }
        let value = self.binary(OR)?;
        match self.kind() {
            Kind::If => {}
            Kind::Walrus => {
                let span = self.advance().span;
                self.refuse(
                    code::WALRUS,
                    "the language has no `:=`",
                    "assign on a line of its own before",
                    span,
                );
                self.deeper(Self::test)?;
                return Ok(Expr { span: value.span.to(self.before()), kind: ExprKind::Error });
            }
            _ => return Ok(value),
        }
        self.advance();
        let test = self.binary(OR)?;
        let other = if self.eat(Kind::Else).is_some() {
            self.deeper(Self::test)?
        } else {
            self.missing("`else`: a value chosen by `if` is value if test else other")
        };
        let span = value.span.to(other.span);
        Ok(Expr { span, kind: ExprKind::Cond(Box::new((value, test, other))) })
    }

    fn lambda(&mut self) -> Read<Expr> {
        let start = self.advance().span;
        let params = self.params(Kind::Colon)?;
        let body = if self.eat(Kind::Colon).is_some() {
            self.test()?
        } else {
            self.missing("`:` after the parameters of a lambda")
        };
        let span = start.to(body.span);
        Ok(Expr { span, kind: ExprKind::Lambda(Box::new((params, body))) })
    }

    pub(super) fn refuse_matrix(&mut self, span: Span) {
        self.refuse(
            code::OPERATOR,
            "the language has no matrices, so no `@` between values",
            "`*` multiplies",
            span,
        );
    }

    /// Operands with operators of at least a rank between them.
    fn binary(&mut self, least: u8) -> Read<Expr> {
        let mut left = self.unary(least)?;
        loop {
            let Some(rank) = self.operator_rank().filter(|rank| *rank >= least) else {
                return Ok(left);
            };
            let mut rest = Vec::new();
            while self.operator_rank() == Some(rank) {
                let op = self.operator();
                if op.kind == Kind::At {
                    self.refuse_matrix(op.span);
                }
                let right = self.binary(rank + 1)?;
                if rest.len() >= MAX_CHAIN {
                    self.fail(
                        SyntaxError::new(
                            code::TOO_LONG,
                            format!("more than {MAX_CHAIN} operators follow one another"),
                            op.span,
                        )
                        .help("give the parts names, or join a list"),
                    );
                    return Err(Failed);
                }
                rest.push((op, right));
            }
            let span = left.span.to(self.before());
            left = Expr { span, kind: ExprKind::Chain(Box::new(Chain { first: left, rest })) };
        }
    }

    fn operator_rank(&self) -> Option<u8> {
        let kind = self.kind();
        if kind == Kind::Not && self.ahead(1).kind != Kind::In {
            return None;
        }
        rank(kind)
    }

    fn operator(&mut self) -> Op {
        let token = self.advance();
        let mut span = token.span;
        if token.kind == Kind::Not {
            span = span.to(self.advance().span);
        }
        Op { kind: token.kind, span }
    }

    fn unary(&mut self, least: u8) -> Read<Expr> {
        let token = self.token();
        let rank = match token.kind {
            Kind::Not if least <= NOT => NOT,
            Kind::Minus | Kind::Plus | Kind::Tilde => UNARY,
            _ => return self.power(),
        };
        self.advance();
        // `-a ** b` is `-(a ** b)`.
        let operand = self.deeper(|parser| parser.binary(rank))?;
        let span = token.span.to(operand.span);
        let op = Op { kind: token.kind, span: token.span };
        Ok(Expr { span, kind: ExprKind::Unary { op, operand: Box::new(operand) } })
    }

    fn power(&mut self) -> Read<Expr> {
        if self.is_word("await") && self.ahead(1).kind == Kind::Name {
            let span = self.advance().span;
            self.refuse(
                code::ASYNC,
                "the language has no `await`",
                "an evaluation does nothing in parallel: leave the word out",
                span,
            );
        }
        let base = self.postfix()?;
        if self.kind() != Kind::StarStar {
            return Ok(base);
        }
        let op = self.operator();
        let exponent = self.deeper(|parser| parser.unary(UNARY))?;
        let span = base.span.to(exponent.span);
        Ok(Expr { span, kind: ExprKind::Power(Box::new((base, op, exponent))) })
    }

    pub(super) fn atom(&mut self) -> Read<Expr> {
        let token = self.token();
        let kind = match token.kind {
            Kind::Name => ExprKind::Name,
            Kind::Int => ExprKind::Int,
            Kind::Float => ExprKind::Float,
            Kind::BadStr => ExprKind::Error,
            Kind::Str => return self.strings(),
            Kind::LParen => return self.deeper(Self::parens),
            Kind::LBracket => return self.deeper(Self::list),
            Kind::LBrace => return self.deeper(Self::braces),
            Kind::Backtick => {
                self.advance();
                let value = self.deeper(Self::test_list)?;
                let end = self.expect(Kind::Backtick, "a closing backtick");
                let span = token.span.to(end);
                return Ok(Expr { span, kind: ExprKind::Backtick(Box::new(value)) });
            }
            Kind::Ellipsis => {
                self.refuse(
                    code::OPERATOR,
                    "the language has no `...`",
                    "an empty block is written `pass`",
                    token.span,
                );
                ExprKind::Error
            }
            _ => return Ok(self.missing("a value")),
        };
        self.advance();
        Ok(Expr { span: token.span, kind })
    }

    fn strings(&mut self) -> Read<Expr> {
        let start = self.token().span;
        let mut pieces = Vec::with_capacity(1);
        while self.kind() == Kind::Str {
            let span = self.advance().span;
            pieces.push(self.piece(span)?);
        }
        let span = start.to(self.before());
        Ok(Expr { span, kind: ExprKind::Str(pieces.into_boxed_slice()) })
    }

    fn piece(&mut self, span: Span) -> Read<StrPiece> {
        let bytes = span.of(self.text).as_bytes();
        let prefix = bytes.iter().take_while(|b| b.is_ascii_alphabetic()).count();
        let quote = bytes.get(prefix);
        let triple = bytes.len() >= prefix + 6
            && bytes.get(prefix + 1) == quote
            && bytes.get(prefix + 2) == quote;
        let has = |letter: u8| bytes[..prefix].iter().any(|b| b.to_ascii_lowercase() == letter);
        let (raw, unicode, formatted) = (has(b'r'), has(b'u'), has(b'f'));
        let mut piece = StrPiece {
            span,
            prefix: u8::try_from(prefix).unwrap_or(0),
            quotes: if triple { 3 } else { 1 },
            raw,
            unicode,
            fields: None,
        };
        if formatted {
            piece.fields = Some(self.deeper(|parser| parser.fields(piece.inner(), raw))?);
        } else if !raw {
            self.check_escapes(&piece);
        }
        Ok(piece)
    }

    fn parens(&mut self) -> Read<Expr> {
        let start = self.advance().span;
        if let Some(end) = self.eat(Kind::RParen) {
            let kind = ExprKind::Tuple { items: Vec::new(), parens: true };
            return Ok(Expr { span: start.to(end), kind });
        }
        if let Some(span) = self.eat(Kind::Yield) {
            self.refuse_yield(span);
            if self.kind() == Kind::RParen {
                let end = self.advance().span;
                return Ok(Expr { span: start.to(end), kind: ExprKind::Error });
            }
        }
        let inside = self.token().span;
        let mut items = vec![self.element(Self::star_or_test)];
        let comma = self.kind() == Kind::Comma;
        while self.kind() != Kind::For && self.another(Kind::RParen, "`,` or `)`") {
            if self.kind() == Kind::For {
                break;
            }
            if !self.at_expression() {
                self.expected("`,` or `)`");
            }
            items.push(self.element(Self::star_or_test));
        }
        let only = if comma || items.len() > 1 { None } else { items.pop() };
        let kind = if self.kind() == Kind::For {
            let element = only.unwrap_or(Expr {
                span: self.since(inside),
                kind: ExprKind::Tuple { items, parens: false },
            });
            self.comprehension(CompKind::Generator, element, None)?
        } else if let Some(only) = only {
            ExprKind::Paren(Box::new(only))
        } else {
            ExprKind::Tuple { items, parens: true }
        };
        let end = self.close(Kind::RParen, "`,` or `)`");
        Ok(Expr { span: start.to(end), kind })
    }

    fn list(&mut self) -> Read<Expr> {
        let start = self.advance().span;
        let mut items = Vec::new();
        while !self.at_close() {
            let item = self.element(Self::star_or_test);
            if self.kind() == Kind::For && items.is_empty() {
                let kind = self.comprehension(CompKind::List, item, None)?;
                let end = self.close(Kind::RBracket, "`]`");
                return Ok(Expr { span: start.to(end), kind });
            }
            items.push(item);
            if !self.another(Kind::RBracket, "`,` or `]`") {
                break;
            }
        }
        let end = self.close(Kind::RBracket, "`,` or `]`");
        Ok(Expr { span: start.to(end), kind: ExprKind::List(items) })
    }

    fn braces(&mut self) -> Read<Expr> {
        let start = self.advance().span;
        let mut entries: Vec<(Expr, Option<Expr>)> = Vec::new();
        let (mut is_dict, mut is_set) = (false, false);
        while !self.at_close() {
            let key = self.element(Self::star_or_test);
            if matches!(key.kind, ExprKind::Star(_)) {
                // Refused already; which of the two it stands in does not matter.
            } else if self.kind() == Kind::Colon {
                if is_set {
                    self.expected("`,` or `}`");
                }
                self.advance();
                let value = self.element(Self::test);
                if self.kind() == Kind::For && entries.is_empty() {
                    let kind = self.comprehension(CompKind::Dict, key, Some(value))?;
                    let end = self.close(Kind::RBrace, "`}`");
                    return Ok(Expr { span: start.to(end), kind });
                }
                is_dict = true;
                entries.push((key, Some(value)));
            } else if is_dict {
                let what = if self.kind() == Kind::Eq {
                    "`:` between key and value"
                } else {
                    "`:` and a value, as in the entries before"
                };
                self.expected(what);
                let value = self.eat(Kind::Eq).map(|_| self.element(Self::test));
                entries.push((key, value));
            } else {
                if self.kind() == Kind::For && entries.is_empty() {
                    let kind = self.comprehension(CompKind::Set, key, None)?;
                    let end = self.close(Kind::RBrace, "`}`");
                    return Ok(Expr { span: start.to(end), kind });
                }
                is_set = true;
                entries.push((key, None));
            }
            if !self.another(Kind::RBrace, "`,` or `}`") {
                break;
            }
        }
        let span = start.to(self.close(Kind::RBrace, "`,` or `}`"));
        let kind = if is_dict || !is_set {
            let entries = entries.into_iter().map(|(key, value)| {
                let end = Span::new(key.span.end, key.span.end);
                (key, value.unwrap_or(Expr { span: end, kind: ExprKind::Error }))
            });
            ExprKind::Dict(entries.collect())
        } else {
            ExprKind::Set(entries.into_iter().map(|(item, _)| item).collect())
        };
        Ok(Expr { span, kind })
    }

    pub(super) fn comprehension(
        &mut self,
        kind: CompKind,
        element: Expr,
        value: Option<Expr>,
    ) -> Read<ExprKind> {
        let mut clauses = Vec::new();
        loop {
            match self.kind() {
                Kind::For => {
                    self.advance();
                    let target = self.targets("`in`")?;
                    let mut iterable = if self.eat(Kind::In).is_some() {
                        self.binary(OR)?
                    } else {
                        self.missing("`in`")
                    };
                    if kind == CompKind::List && self.kind() == Kind::Comma {
                        // Python 2 takes a tuple without parentheses in a list's brackets.
                        let start = iterable.span;
                        let mut items = vec![iterable];
                        while self.eat(Kind::Comma).is_some() && self.at_expression() {
                            items.push(self.binary(OR)?);
                        }
                        let span = start.to(self.before());
                        iterable = Expr { span, kind: ExprKind::Tuple { items, parens: false } };
                    }
                    clauses.push(Clause::For { target, iterable });
                }
                Kind::If => {
                    self.advance();
                    let test = if self.kind() == Kind::Lambda {
                        self.deeper(Self::lambda)?
                    } else {
                        self.binary(OR)?
                    };
                    clauses.push(Clause::If(test));
                }
                _ => break,
            }
        }
        Ok(ExprKind::Comp(Box::new(Comp { kind, element, value, clauses })))
    }
}
