//! Statements that have others under them, and how reading goes on after an error.

use std::collections::BTreeSet;

use super::{Failed, Line, Parser, Read};
use crate::error::{SyntaxError, code};
use crate::span::Span;
use crate::token::Kind;
use crate::tree::{Block, Expr, ExprKind, Param, Star, Stmt, StmtKind};

/// How many `elif` an `if` may have.
const MAX_BRANCHES: usize = 500;

impl Parser<'_> {
    /// The statements up to a word, and where among them reading can begin.
    pub(super) fn file(&mut self, end: usize) -> (Vec<Stmt>, Vec<Line>) {
        let mut stmts = Vec::new();
        let mut lines = Vec::new();
        while self.at < end && self.kind() != Kind::End {
            if self.begins_anew() {
                let (errors, refused) = (self.errors.len(), self.refused.len());
                lines.push(Line { token: self.token(), stmts: stmts.len(), errors, refused });
            }
            self.line(&mut stmts);
        }
        (stmts, lines)
    }

    /// Whether the word here is the first of a line, and stands at its first column.
    fn begins_anew(&self) -> bool {
        use Kind::{Broken, Dedent, End, Indent, Newline};
        let token = self.token();
        let after_line = self
            .at
            .checked_sub(1)
            .is_none_or(|before| matches!(self.tokens[before].kind, Newline | Broken | Dedent));
        let before = self.text.get(..token.span.start as usize).unwrap_or_default();
        after_line
            && (matches!(before, "" | "\u{feff}") || before.ends_with(['\n', '\r']))
            && !matches!(token.kind, Newline | Broken | Indent | Dedent | End)
    }

    /// Reads one line, with what stands under it.
    fn line(&mut self, stmts: &mut Vec<Stmt>) {
        self.told = false;
        self.first = self.at;
        match self.kind() {
            Kind::Newline | Kind::Broken | Kind::Dedent => {
                self.advance();
            }
            Kind::Indent => self.unexpected_block(stmts),
            _ => {
                let start = self.token().span;
                match self.compound() {
                    Ok(Some(stmt)) => stmts.push(stmt),
                    Ok(None) => self.simple_line(stmts),
                    Err(Failed) => self.rest_of_line(start, stmts),
                }
                // What stands under a line that is wrong is read as statements of its own.
                if self.told && self.eat(Kind::Indent).is_some() {
                    self.indented(stmts);
                }
            }
        }
    }

    fn unexpected_block(&mut self, stmts: &mut Vec<Stmt>) {
        let indent = self.advance();
        let after = self.token();
        self.error(
            SyntaxError::new(
                code::INDENT,
                "this line stands further right than the one before, which does not end with `:`",
                indent.span,
            )
            .help(format!("begin it where the line before begins, before {}", after.kind.shown())),
        );
        self.indented(stmts);
    }

    /// Lines up to the end of their block.
    fn indented(&mut self, stmts: &mut Vec<Stmt>) {
        while !matches!(self.kind(), Kind::Dedent | Kind::End) {
            self.line(stmts);
        }
        self.eat(Kind::Dedent);
    }

    fn compound(&mut self) -> Read<Option<Stmt>> {
        let token = self.token();
        let kind = match token.kind {
            Kind::If => self.if_stmt()?,
            Kind::For => self.for_stmt()?,
            Kind::While => self.while_stmt()?,
            Kind::Def => self.def()?,
            Kind::Class => self.class()?,
            Kind::Try => self.try_stmt()?,
            Kind::With => self.with()?,
            Kind::At => self.decorator()?,
            Kind::Elif | Kind::Else | Kind::Except | Kind::Finally => {
                let word = token.kind.shown();
                self.fail(SyntaxError::new(
                    code::UNEXPECTED,
                    format!("{word} belongs to no statement before it"),
                    token.span,
                ));
                return Err(Failed);
            }
            Kind::Name
                if self.is_word("async")
                    && matches!(self.ahead(1).kind, Kind::Def | Kind::For | Kind::With) =>
            {
                self.refuse(
                    code::ASYNC,
                    "the language has no `async`",
                    "an evaluation does nothing in parallel: leave the word out",
                    token.span,
                );
                self.advance();
                return self.compound();
            }
            _ => return Ok(None),
        };
        Ok(Some(Stmt { span: token.span.to(self.end_of(&kind)), kind }))
    }

    /// Where the last statement of a compound one ends.
    fn end_of(&self, kind: &StmtKind) -> Span {
        let block = match kind {
            StmtKind::If { branches, orelse } => {
                orelse.as_ref().or(branches.last().map(|branch| &branch.1))
            }
            StmtKind::For { body, orelse, .. } | StmtKind::While { body, orelse, .. } => {
                orelse.as_ref().or(Some(body))
            }
            StmtKind::Def { body, .. } | StmtKind::Class { body, .. } => Some(body),
            StmtKind::Refused(blocks) => blocks.last(),
            _ => None,
        };
        block
            .map_or(self.before(), |block| block.stmts.last().map_or(block.colon, |stmt| stmt.span))
    }

    fn block(&mut self, after: &str) -> Block {
        let colon = self.colon(after);
        let mut stmts = Vec::new();
        if !matches!(self.kind(), Kind::Newline | Kind::Broken) {
            self.simple_line(&mut stmts);
            return Block { colon, inline: true, indent: 0, stmts };
        }
        self.advance();
        if self.kind() != Kind::Indent {
            let span = self.token().span;
            self.error(
                SyntaxError::new(
                    code::NO_INDENT,
                    format!("expected a line further right after {after}"),
                    if span.is_empty() { colon } else { span },
                )
                .help("a block without statements is written `pass`"),
            );
            return Block { colon, inline: true, indent: 0, stmts };
        }
        let first = self.advance().span;
        let mut indent = 0;
        for byte in first.of(self.text).bytes() {
            match byte {
                b'\t' => indent = (indent / 8 + 1) * 8,
                b'\x0c' => indent = 0,
                _ => indent += 1,
            }
        }
        let told = self.told;
        self.indented(&mut stmts);
        self.told = told;
        Block { colon, inline: false, indent, stmts }
    }

    /// The colon before a block. If it is missing, what stands before it or the line's end is gone
    /// over.
    fn colon(&mut self, after: &str) -> Span {
        if let Some(colon) = self.eat(Kind::Colon) {
            return colon;
        }
        self.expected(&format!("`:` after {after}"));
        let behind = self.behind();
        self.skip_to(&[Kind::Colon]);
        self.eat(Kind::Colon).unwrap_or(behind)
    }

    fn loop_block(&mut self, after: &str) -> Block {
        self.loops += 1;
        let block = self.block(after);
        self.loops -= 1;
        block
    }

    fn if_stmt(&mut self) -> Read<StmtKind> {
        let mut branches = Vec::new();
        let mut orelse = None;
        loop {
            let word = self.advance();
            let test = self.condition()?;
            branches.push((test, self.block("the condition")));
            if branches.len() > MAX_BRANCHES {
                self.fail(SyntaxError::new(
                    code::TOO_LONG,
                    format!("an `if` has more than {MAX_BRANCHES} times `elif`"),
                    word.span,
                ));
                return Err(Failed);
            }
            match self.kind() {
                Kind::Elif => self.told = false,
                Kind::Else => {
                    self.told = false;
                    self.advance();
                    if self.kind() == Kind::If {
                        let span = self.before().to(self.token().span);
                        self.error(
                            SyntaxError::new(code::UNEXPECTED, "`else if` is written `elif`", span)
                                .fix(span, "elif"),
                        );
                        continue;
                    }
                    orelse = Some(self.block("`else`"));
                    break;
                }
                _ => break,
            }
        }
        Ok(StmtKind::If { branches, orelse })
    }

    /// A condition; `=` in it is most likely meant as `==`.
    fn condition(&mut self) -> Read<Expr> {
        let test = self.test()?;
        if self.kind() == Kind::Eq {
            let span = self.token().span;
            self.error(
                SyntaxError::new(code::UNEXPECTED, "`=` assigns: `==` compares", span)
                    .fix(span, "=="),
            );
            self.advance();
            self.test()?;
        }
        Ok(test)
    }

    fn for_stmt(&mut self) -> Read<StmtKind> {
        self.advance();
        let target = self.targets("`in`")?;
        let iterable =
            if self.eat(Kind::In).is_some() { self.test_list()? } else { self.missing("`in`") };
        let body = self.loop_block("the loop's head");
        let orelse = self.loop_else();
        Ok(StmtKind::For { target, iterable, body, orelse })
    }

    fn while_stmt(&mut self) -> Read<StmtKind> {
        self.advance();
        let test = self.condition()?;
        let body = self.loop_block("the condition");
        let orelse = self.loop_else();
        Ok(StmtKind::While { test, body, orelse })
    }

    fn loop_else(&mut self) -> Option<Block> {
        let span = self.eat(Kind::Else)?;
        self.told = false;
        self.refuse(
            code::LOOP_ELSE,
            "a loop has no `else`",
            "set a variable before `break`, and ask it after the loop",
            span,
        );
        Some(self.block("`else`"))
    }

    fn def(&mut self) -> Read<StmtKind> {
        self.advance();
        let name = self.name("the function's name");
        let mut params = Vec::new();
        if self.eat(Kind::LParen).is_some() {
            params = self.params(Kind::RParen)?;
            self.end_of_bracket(Kind::RParen, "`)` after the parameters");
        } else {
            self.expected("`(` after the function's name");
        }
        let mut returns = None;
        if let Some(arrow) = self.eat(Kind::Arrow) {
            let value = self.test()?;
            returns = Some(arrow.to(value.span));
        }
        let loops = std::mem::take(&mut self.loops);
        self.functions += 1;
        let body = self.block("the parameters");
        self.functions -= 1;
        self.loops = loops;
        Ok(StmtKind::Def { name, params, returns, body })
    }

    /// Parameters up to a `)` or `:`.
    pub(super) fn params(&mut self, end: Kind) -> Read<Vec<Param>> {
        let mut params: Vec<Param> = Vec::new();
        let mut names = BTreeSet::new();
        let mut optional = false;
        let mut starred = false;
        while self.kind() != end {
            if self.at_close() {
                self.expected("a parameter's name");
                break;
            }
            let start = self.token().span;
            let star = match self.kind() {
                Kind::Star => Star::One,
                Kind::StarStar => Star::Two,
                _ => Star::No,
            };
            let mut name = None;
            let (mut annotation, mut default) = (None, None);
            if star != Star::No {
                self.advance();
            }
            match self.kind() {
                Kind::Slash if star == Star::No => {
                    self.advance();
                }
                Kind::Comma | Kind::RParen | Kind::Colon if star == Star::One => {}
                Kind::LParen if star == Star::No => {
                    let tuple = self.deeper(Self::atom)?;
                    self.refuse(
                        code::PARAMETER,
                        "a parameter is one name",
                        "take the pair as one parameter, and its parts as pair[0] and pair[1]",
                        tuple.span,
                    );
                }
                _ => name = Some(self.name("a parameter's name")),
            }
            if end == Kind::RParen
                && let Some(colon) = self.eat(Kind::Colon)
            {
                annotation = Some(colon.to(self.test()?.span));
            }
            if self.eat(Kind::Eq).is_some() {
                default = Some(self.test()?);
            }
            let span = self.since(start);
            let wrong = if params.last().is_some_and(|last| last.star == Star::Two) {
                Some("nothing follows a parameter with `**`")
            } else if star == Star::One && starred {
                Some("only one parameter has a `*`")
            } else if star == Star::No
                && name.is_some()
                && default.is_none()
                && optional
                && !starred
            {
                Some("a parameter without a default stands before those with one")
            } else if name.is_some_and(|name| !names.insert(name.of(self.text))) {
                Some("two parameters have this name")
            } else {
                None
            };
            if let Some(message) = wrong {
                self.error(SyntaxError::new(code::ARGUMENTS, message, span));
            }
            optional |= default.is_some();
            starred |= star == Star::One;
            params.push(Param { span, star, name, annotation, default });
            if self.eat(Kind::Comma).is_none() && !self.another_param(end) {
                break;
            }
        }
        Ok(params)
    }

    /// Whether a parameter follows although there is no comma. Goes over what is none.
    fn another_param(&mut self, end: Kind) -> bool {
        if self.kind() == end || self.at_close() {
            return false;
        }
        self.expected(if end == Kind::RParen {
            "`)` after the parameters"
        } else {
            "`:` after the parameters of a lambda"
        });
        if self.kind() == Kind::Name {
            return true;
        }
        self.skip_to(&[Kind::Comma, end]);
        self.eat(Kind::Comma).is_some()
    }

    fn class(&mut self) -> Read<StmtKind> {
        let word = self.advance();
        let name = self.name("the struct's name");
        if self.classes > 0 {
            self.refuse(
                code::CLASS,
                "a struct is not declared within another",
                "declare it before the outer one, and use its name there",
                word.span.to(name),
            );
        }
        let mut bases = Vec::new();
        if self.eat(Kind::LParen).is_some() {
            while !self.at_close() {
                if self.kind() == Kind::Name && self.ahead(1).kind == Kind::Eq {
                    let span = self.token().span;
                    self.refuse(
                        code::CLASS,
                        "a struct has no metaclass",
                        "write class Name(Struct):",
                        span,
                    );
                    self.advance();
                    self.advance();
                }
                bases.push(self.element(Self::test));
                if self.eat(Kind::Comma).is_none() {
                    break;
                }
            }
            self.end_of_bracket(Kind::RParen, "`)`");
        }
        if bases.is_empty() {
            self.refuse_with(
                SyntaxError::new(code::CLASS, "a class declares a struct", name)
                    .help(format!("write class {}(Struct):", self.word(name))),
            );
        }
        let (loops, functions) =
            (std::mem::take(&mut self.loops), std::mem::take(&mut self.functions));
        self.classes += 1;
        let body = self.block("the struct's name and base");
        self.classes -= 1;
        (self.loops, self.functions) = (loops, functions);
        for stmt in &body.stmts {
            if !matches!(
                stmt.kind,
                StmtKind::Expr(_)
                    | StmtKind::Assign { .. }
                    | StmtKind::Annotated { .. }
                    | StmtKind::Def { .. }
                    | StmtKind::Class { .. }
                    | StmtKind::Pass
                    | StmtKind::Error
            ) {
                self.refuse(
                    code::CLASS,
                    "a struct has fields and nothing else",
                    "write name = Type, name = Required(Type) or name = Default(Type, value); \
                     compute values before the class",
                    stmt.span,
                );
            }
        }
        Ok(StmtKind::Class { name, bases, body })
    }

    fn try_stmt(&mut self) -> Read<StmtKind> {
        let word = self.advance();
        self.refuse(
            code::TRY,
            "the language has no `try`",
            "ask before: `if key in table`, table.get(key, other), hasattr(value, \"name\"), \
             env(\"NAME\", other)",
            word.span,
        );
        let mut blocks = vec![self.block("`try`")];
        while matches!(self.kind(), Kind::Except | Kind::Finally | Kind::Else) {
            self.told = false;
            if self.advance().kind == Kind::Except && self.kind() != Kind::Colon {
                self.test()?;
                if self.eat(Kind::As).is_some() || self.eat(Kind::Comma).is_some() {
                    self.test()?;
                }
            }
            blocks.push(self.block("`except`"));
        }
        Ok(StmtKind::Refused(blocks))
    }

    fn with(&mut self) -> Read<StmtKind> {
        let word = self.advance();
        let start = self.at;
        let mut opened = false;
        loop {
            let value = self.test()?;
            opened |= matches!(&value.kind, ExprKind::Postfix(postfix)
                if matches!(postfix.base.span.of(self.text), "open" | "file"));
            if self.eat(Kind::As).is_some() {
                self.deeper(Self::atom)?;
            }
            if self.eat(Kind::Comma).is_none() {
                break;
            }
        }
        let block = self.block("`with`");
        let hashes = self.tokens[start..self.at]
            .iter()
            .any(|token| token.kind == Kind::Name && token.span.of(self.text) == "hashlib");
        let help = if opened && hashes {
            "the checksum of a file is file_digest(path, \"md5\")"
        } else if opened {
            "an evaluation reads no files but those it includes; the checksum of a file is \
             file_digest(path, \"md5\")"
        } else {
            "leave the line out, and begin its block where it began"
        };
        self.refuse(code::WITH, "the language has no `with`", help, word.span);
        Ok(StmtKind::Refused(vec![block]))
    }

    fn decorator(&mut self) -> Read<StmtKind> {
        let at = self.advance();
        let name = self.test()?;
        self.refuse(
            code::DECORATOR,
            "the language has no decorators",
            "after the function, write name = decorator(name)",
            at.span.to(name.span),
        );
        if self.eat(Kind::Newline).is_none() {
            self.expected("the end of the line");
            return Err(Failed);
        }
        // The definition below stands for itself.
        Ok(StmtKind::Refused(Vec::new()))
    }
}
