//! Statements of one line.

use super::{Failed, Parser, Read};
use crate::error::{SyntaxError, code};
use crate::span::Span;
use crate::token::Kind;
use crate::tree::{Expr, ExprKind, ImportName, Op, PostKind, Stmt, StmtKind};

impl Parser<'_> {
    /// Statements with `;` between them, to the end of the line.
    pub(super) fn simple_line(&mut self, stmts: &mut Vec<Stmt>) {
        loop {
            self.first = self.at;
            let start = self.token().span;
            let kind = match self.simple() {
                Ok(kind) => kind,
                Err(Failed) => return self.rest_of_line(start, stmts),
            };
            if self.at > self.first {
                stmts.push(Stmt { span: self.since(start), kind });
            }
            let more = self.eat(Kind::Semi).is_some();
            match self.kind() {
                Kind::Newline | Kind::Broken => {
                    self.advance();
                    return;
                }
                Kind::End | Kind::Dedent => return,
                _ if more => {}
                _ => {
                    self.after_statement(stmts);
                    let rest = self.token().span;
                    return self.rest_of_line(rest, stmts);
                }
            }
        }
    }

    /// Says what is wrong with what follows a complete statement.
    fn after_statement(&mut self, stmts: &[Stmt]) {
        let token = self.token();
        let last = stmts.last().map(|stmt| &stmt.kind);
        let word = match last {
            Some(StmtKind::Expr(Expr { kind: ExprKind::Name, span })) => self.word(*span),
            _ => "",
        };
        if word == "exec" {
            self.refuse(
                code::EXEC,
                "the language has no `exec`",
                "include(\"file\") runs another file",
                token.span,
            );
            return;
        }
        if token.kind == Kind::Colon
            && let Some(StmtKind::Expr(_)) = last
        {
            return self.fail(
                SyntaxError::new(code::UNEXPECTED, "`:` begins no block here", token.span)
                    .help("a field is given as name = value, an entry of a table as {key: value}"),
            );
        }
        self.expected("the end of the statement");
    }

    fn simple(&mut self) -> Read<StmtKind> {
        let token = self.token();
        match token.kind {
            Kind::Pass => self.just(StmtKind::Pass),
            Kind::Break | Kind::Continue => {
                if self.loops == 0 {
                    let message = format!("{} stands outside of a loop", token.kind.shown());
                    self.error(SyntaxError::new(code::PLACE, message, token.span));
                }
                let kind =
                    if token.kind == Kind::Break { StmtKind::Break } else { StmtKind::Continue };
                self.just(kind)
            }
            Kind::Return => {
                if self.functions == 0 {
                    self.error(SyntaxError::new(
                        code::PLACE,
                        "`return` stands outside of a function",
                        token.span,
                    ));
                }
                self.advance();
                let value = if self.at_end() { None } else { Some(self.test_list()?) };
                Ok(StmtKind::Return(value))
            }
            Kind::Del => self.del(),
            Kind::Assert => {
                self.advance();
                let test = self.test()?;
                let message =
                    if self.eat(Kind::Comma).is_some() { Some(self.test()?) } else { None };
                Ok(StmtKind::Assert { test, message })
            }
            Kind::Raise => self.raise(),
            Kind::Import => Ok(self.import()),
            Kind::From => Ok(self.from()),
            Kind::Global => Ok(self.global()),
            Kind::Yield => {
                self.advance();
                self.refuse_yield(token.span);
                self.eat(Kind::From);
                if !self.at_end() {
                    self.test_list()?;
                }
                Ok(StmtKind::Refused(Vec::new()))
            }
            Kind::Name => match self.word(token.span) {
                "print" if self.print_is_statement() => self.print(),
                "nonlocal" if self.ahead(1).kind == Kind::Name => Ok(self.global()),
                _ => self.expression(),
            },
            _ => self.expression(),
        }
    }

    fn just(&mut self, kind: StmtKind) -> Read<StmtKind> {
        self.advance();
        Ok(kind)
    }

    pub(super) fn at_end(&self) -> bool {
        matches!(self.kind(), Kind::Newline | Kind::Broken | Kind::Semi | Kind::End | Kind::Dedent)
    }

    pub(super) fn refuse_yield(&mut self, span: Span) {
        self.refuse(
            code::YIELD,
            "the language has no `yield`",
            "collect the values in a list, and return it",
            span,
        );
    }

    fn global(&mut self) -> StmtKind {
        let word = self.advance();
        self.refuse(
            code::GLOBAL,
            "a function does not assign to names outside of it",
            "return the value, or keep it in a list or table of the file",
            word.span,
        );
        loop {
            self.name("a name");
            if self.eat(Kind::Comma).is_none() {
                return StmtKind::Refused(Vec::new());
            }
        }
    }

    fn del(&mut self) -> Read<StmtKind> {
        self.advance();
        let value = self.test_list()?;
        let items = match value.kind {
            ExprKind::Tuple { items, .. } => items,
            _ => vec![value],
        };
        for item in &items {
            let element = matches!(&item.kind, ExprKind::Postfix(postfix)
                if matches!(postfix.ops.last().map(|op| &op.kind), Some(PostKind::Index(_))));
            if !element {
                self.refuse(
                    code::DEL,
                    "`del` removes an element: del table[key]",
                    "a name need not be removed; assign the list without the part to its name",
                    item.span,
                );
            }
        }
        Ok(StmtKind::Del(items))
    }

    fn raise(&mut self) -> Read<StmtKind> {
        let word = self.advance();
        let mut values = Vec::new();
        if self.at_end() {
            self.refuse(
                code::RAISE,
                "there is no exception to raise again",
                "raise ValueError(\"what is wrong\")",
                word.span,
            );
            return Ok(StmtKind::Raise(values));
        }
        loop {
            values.push(self.test()?);
            if self.eat(Kind::Comma).is_none() {
                break;
            }
        }
        if self.eat(Kind::From).is_some() {
            self.test()?;
        }
        Ok(StmtKind::Raise(values))
    }

    /// Whether `print` is Python 2's statement: something follows that continues no expression.
    fn print_is_statement(&self) -> bool {
        match self.ahead(1).kind {
            Kind::LParen | Kind::Dot | Kind::Eq | Kind::Comma | Kind::RParen => false,
            Kind::Newline | Kind::Semi | Kind::RShift | Kind::Minus | Kind::Plus | Kind::Tilde => {
                true
            }
            Kind::Not => self.ahead(2).kind != Kind::In,
            kind => matches!(
                kind,
                Kind::Name
                    | Kind::Int
                    | Kind::Float
                    | Kind::Str
                    | Kind::BadStr
                    | Kind::LBracket
                    | Kind::LBrace
                    | Kind::Backtick
                    | Kind::Lambda
            ),
        }
    }

    fn print(&mut self) -> Read<StmtKind> {
        let word = self.advance();
        if let Some(arrow) = self.eat(Kind::RShift) {
            self.refuse(
                code::PRINT,
                "`print` writes to no file",
                "write print(value)",
                word.span.to(arrow),
            );
        }
        let mut values = Vec::new();
        let mut comma = false;
        while !self.at_end() {
            values.push(self.test()?);
            comma = self.eat(Kind::Comma).is_some();
            if !comma {
                break;
            }
        }
        Ok(StmtKind::Print { values, comma })
    }

    fn dotted(&mut self, what: &str) -> Span {
        let mut span = self.name(what);
        while self.eat(Kind::Dot).is_some() {
            span = span.to(self.name("a name after the dot"));
        }
        span
    }

    fn alias(&mut self) -> Option<Span> {
        self.eat(Kind::As).map(|_| self.name("a name after `as`"))
    }

    fn import(&mut self) -> StmtKind {
        self.advance();
        let mut names = Vec::new();
        loop {
            let name = self.dotted("a module's name");
            names.push(ImportName { name, alias: self.alias() });
            if self.eat(Kind::Comma).is_none() {
                return StmtKind::Import(names);
            }
        }
    }

    fn from(&mut self) -> StmtKind {
        self.advance();
        let start = self.token().span;
        let relative = matches!(self.kind(), Kind::Dot | Kind::Ellipsis);
        while matches!(self.kind(), Kind::Dot | Kind::Ellipsis) {
            self.advance();
        }
        let module = if self.kind() == Kind::Import {
            start.to(self.before())
        } else {
            start.to(self.dotted("a module's name"))
        };
        if relative {
            self.refuse(
                code::IMPORT,
                "the language imports no Python file",
                "include(\"file.aurora\") brings the names of another file",
                module,
            );
        }
        if self.eat(Kind::Import).is_none() {
            self.expected("`import`");
            let names = vec![ImportName { name: self.behind(), alias: None }];
            return StmtKind::From { module, names };
        }
        if self.eat(Kind::Star).is_some() {
            return StmtKind::From { module, names: Vec::new() };
        }
        let parens = self.eat(Kind::LParen).is_some();
        let mut names = Vec::new();
        loop {
            let name = self.name("a name to import");
            names.push(ImportName { name, alias: self.alias() });
            if self.eat(Kind::Comma).is_none() || (parens && self.kind() == Kind::RParen) {
                break;
            }
        }
        if parens {
            self.end_of_bracket(Kind::RParen, "`)`");
        }
        StmtKind::From { module, names }
    }

    fn expression(&mut self) -> Read<StmtKind> {
        let first = self.test_list()?;
        let token = self.token();
        match token.kind {
            Kind::Eq => self.assignment(first),
            Kind::Colon if is_place(&first) && !matches!(first.kind, ExprKind::Tuple { .. }) => {
                let next = self.ahead(1).kind;
                if matches!(next, Kind::Newline | Kind::Broken) {
                    return Ok(StmtKind::Expr(first));
                }
                self.advance();
                let annotation = self.test()?;
                let value = match self.eat(Kind::Eq) {
                    Some(_) => Some(self.test_list()?),
                    None => None,
                };
                Ok(StmtKind::Annotated { target: first, annotation, value })
            }
            Kind::PlusEq
            | Kind::MinusEq
            | Kind::StarEq
            | Kind::StarStarEq
            | Kind::SlashEq
            | Kind::SlashSlashEq
            | Kind::PercentEq
            | Kind::AmpEq
            | Kind::PipeEq
            | Kind::CaretEq
            | Kind::LShiftEq
            | Kind::RShiftEq
            | Kind::AtEq => {
                let op = Op { kind: token.kind, span: token.span };
                self.check_target(&first);
                if matches!(first.kind, ExprKind::Tuple { .. } | ExprKind::List(_)) {
                    self.error(SyntaxError::new(
                        code::TARGET,
                        format!("{} changes one thing", token.kind.shown()),
                        first.span,
                    ));
                }
                self.advance();
                if token.kind == Kind::AtEq {
                    self.refuse_matrix(token.span);
                }
                let value = self.test_list()?;
                Ok(StmtKind::Augmented { target: first, op, value })
            }
            _ => Ok(StmtKind::Expr(first)),
        }
    }

    fn assignment(&mut self, first: Expr) -> Read<StmtKind> {
        let mut targets = vec![first];
        loop {
            self.advance();
            let value = if self.kind() == Kind::Yield {
                let span = self.advance().span;
                self.refuse_yield(span);
                if self.at_end() { Expr { span, kind: ExprKind::Error } } else { self.test_list()? }
            } else {
                self.test_list()?
            };
            if self.kind() != Kind::Eq {
                for target in &targets {
                    self.check_target(target);
                }
                return Ok(StmtKind::Assign { targets, value });
            }
            targets.push(value);
        }
    }

    /// Notes what cannot be assigned to.
    pub(super) fn check_target(&mut self, target: &Expr) {
        match &target.kind {
            ExprKind::Tuple { items, .. } | ExprKind::List(items) => {
                for item in items {
                    self.check_target(item);
                }
            }
            ExprKind::Paren(inner) => self.check_target(inner),
            ExprKind::Name if matches!(self.word(target.span), "None" | "True" | "False") => {
                let message = format!("{} has a fixed value", self.word(target.span));
                self.error(SyntaxError::new(code::TARGET, message, target.span));
            }
            ExprKind::Star(_) | ExprKind::Error => {}
            ExprKind::Postfix(postfix)
                if matches!(postfix.ops.last().map(|op| &op.kind), Some(PostKind::Slice(_))) =>
            {
                self.error(
                    SyntaxError::new(code::TARGET, "a slice cannot be assigned to", target.span)
                        .help("make the list anew: items = items[:1] + more + items[2:]"),
                );
            }
            _ if is_place(target) => {}
            ExprKind::Chain(_) => self.error(
                SyntaxError::new(code::TARGET, "an expression cannot be assigned to", target.span)
                    .help("`==` compares"),
            ),
            _ => self.error(
                SyntaxError::new(
                    code::TARGET,
                    "only a name, an element or an attribute can be assigned to",
                    target.span,
                )
                .help("write name = value"),
            ),
        }
    }
}

fn is_place(target: &Expr) -> bool {
    match &target.kind {
        ExprKind::Name | ExprKind::Tuple { .. } => true,
        ExprKind::Postfix(postfix) => {
            !matches!(postfix.ops.last().map(|op| &op.kind), Some(PostKind::Call(_)))
        }
        _ => false,
    }
}
