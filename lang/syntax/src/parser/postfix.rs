//! Attributes, calls and indices.

use std::collections::BTreeSet;

use super::{Failed, Parser, Read};
use crate::error::{SyntaxError, code};
use crate::span::Span;
use crate::token::Kind;
use crate::tree::{Arg, CompKind, Expr, ExprKind, PostKind, PostOp, Postfix, Star};

/// How much may follow one value: attributes, calls, indices.
const MAX_POSTFIX: usize = 1000;

impl Parser<'_> {
    pub(super) fn postfix(&mut self) -> Read<Expr> {
        let base = self.atom()?;
        if !matches!(self.kind(), Kind::LParen | Kind::LBracket | Kind::Dot) {
            return Ok(base);
        }
        let start = base.span;
        let mut ops = Vec::with_capacity(1);
        loop {
            let op = match self.kind() {
                Kind::Dot => self.attribute(),
                Kind::LParen => self.deeper(Self::call)?,
                Kind::LBracket => self.deeper(Self::index)?,
                _ => break,
            };
            if ops.len() >= MAX_POSTFIX {
                self.fail(SyntaxError::new(
                    code::TOO_LONG,
                    format!("more than {MAX_POSTFIX} calls follow one another"),
                    op.span,
                ));
                return Err(Failed);
            }
            ops.push(op);
        }
        let span = start.to(self.before());
        Ok(Expr { span, kind: ExprKind::Postfix(Box::new(Postfix { base, ops })) })
    }

    fn attribute(&mut self) -> PostOp {
        let dot = self.advance().span;
        let name = self.name("a name after the dot");
        PostOp { span: dot.to(name), kind: PostKind::Attr(name) }
    }

    fn call(&mut self) -> Read<PostOp> {
        let start = self.advance().span;
        let mut args: Vec<Arg> = Vec::new();
        while !self.at_close() {
            let mut arg = self.argument();
            if self.kind() == Kind::Colon && matches!(arg.value.kind, ExprKind::Name) {
                let span = self.token().span;
                self.fail(
                    SyntaxError::new(code::UNEXPECTED, "a field is given by `=`, not by `:`", span)
                        .fix(span, "="),
                );
                self.advance();
                arg.name.get_or_insert(arg.value.span);
                arg.value = self.element(Self::test);
                arg.span = self.since(arg.span);
            }
            args.push(arg);
            if !self.another(Kind::RParen, "`,` or `)`") {
                break;
            }
        }
        let end = self.close(Kind::RParen, "`,` or `)`");
        if let [_, .., _] = args.as_slice()
            && let Some(bare) = args.iter().find(|arg| {
                matches!(&arg.value.kind, ExprKind::Comp(comp) if comp.kind == CompKind::Argument)
            })
        {
            self.error(
                SyntaxError::new(
                    code::ARGUMENTS,
                    "a comprehension beside other arguments stands in brackets",
                    bare.span,
                )
                .fix(Span::new(bare.span.start, bare.span.start), "[")
                .fix(Span::new(bare.span.end, bare.span.end), "]"),
            );
        }
        self.check_order(&args);
        Ok(PostOp { span: start.to(end), kind: PostKind::Call(args) })
    }

    fn argument(&mut self) -> Arg {
        let start = self.token().span;
        let star = match self.kind() {
            Kind::Star => Star::One,
            Kind::StarStar => Star::Two,
            _ => Star::No,
        };
        if star != Star::No {
            self.advance();
        }
        let mut name = None;
        if star == Star::No && self.ahead(1).kind == Kind::Eq {
            let word = self.kind().is_word();
            if word {
                self.expected("an argument's name");
            }
            if word || self.kind() == Kind::Name {
                name = Some(self.advance().span);
                self.advance();
            }
        }
        let mut value = self.element(|parser| {
            let value = parser.test()?;
            if parser.kind() != Kind::For || star != Star::No || name.is_some() {
                return Ok(value);
            }
            let kind = parser.comprehension(CompKind::Argument, value, None)?;
            Ok(Expr { span: parser.since(start), kind })
        });
        if self.kind() == Kind::Eq {
            if name.is_some() {
                self.expected("`,` or `)`");
            } else {
                let error = SyntaxError::new(
                    code::UNEXPECTED,
                    "what stands before `=` is not an argument's name",
                    value.span,
                );
                self.fail(match value.kind {
                    ExprKind::Str(_) => {
                        error.help("an argument's name has no quotes; `==` compares")
                    }
                    _ => error.help("`==` compares"),
                });
            }
            if !self.give_back_name(&mut value) && name.is_none() {
                self.advance();
                value = self.element(Self::test);
            }
        }
        Arg { span: self.since(start), star, name, value }
    }

    /// Notes arguments in the wrong order, and names given twice.
    fn check_order(&mut self, args: &[Arg]) {
        let mut names = BTreeSet::new();
        let (mut lists, mut tables) = (0, 0);
        for arg in args {
            match (arg.star, arg.name) {
                (Star::No, Some(name)) => {
                    let text = name.of(self.text);
                    if !names.insert(text) {
                        let message = format!("`{text}` is given twice");
                        self.error(
                            SyntaxError::new(code::ARGUMENTS, message, name)
                                .help("remove one of the two"),
                        );
                    }
                }
                (Star::No, None) if !names.is_empty() || tables > 0 => self.error(
                    SyntaxError::new(
                        code::ARGUMENTS,
                        "an argument without a name stands before those with one",
                        arg.span,
                    )
                    .help("give it its name: name=value"),
                ),
                (Star::No, None) if lists > 0 => self.refuse(
                    code::STAR,
                    "nothing without a name follows `*` in a call",
                    "join the list first: *(list + [value])",
                    arg.span,
                ),
                (Star::No, None) => {}
                (star, _) => {
                    let seen = if star == Star::One { &mut lists } else { &mut tables };
                    *seen += 1;
                    if *seen > 1 {
                        self.refuse(
                            code::STAR,
                            "a call takes one list and one table to unpack",
                            "join them first: *(first + second), **dict(first, **second)",
                            arg.span,
                        );
                    }
                }
            }
        }
    }

    fn index(&mut self) -> Read<PostOp> {
        let start = self.advance().span;
        let first = match self.kind() {
            Kind::Colon => None,
            Kind::RBracket => Some(self.missing("an index")),
            _ => Some(self.element(Self::test_list)),
        };
        let kind = match first {
            Some(first) if self.kind() != Kind::Colon => PostKind::Index(Box::new(first)),
            first => {
                let mut bounds = [first, None, None];
                let mut at = 0;
                while self.eat(Kind::Colon).is_some() {
                    at += 1;
                    let Some(bound) = bounds.get_mut(at) else {
                        self.expected("`]`: a slice has at most two colons");
                        break;
                    };
                    if !matches!(self.kind(), Kind::Colon | Kind::RBracket) {
                        *bound = Some(self.element(Self::test));
                    }
                }
                PostKind::Slice(Box::new(bounds))
            }
        };
        if self.kind() == Kind::Comma {
            let span = self.token().span;
            self.refuse(
                code::OPERATOR,
                "a list has one index",
                "index one list after the other: table[a][b]",
                span,
            );
            self.told = true;
        }
        let end = self.close(Kind::RBracket, "`]`");
        Ok(PostOp { span: start.to(end), kind })
    }
}
