//! A tree in one line a statement, for tables of what is read of broken texts.
//!
//! A value that could not be read is `?`, with what was gone over; a statement `!`, likewise; a name
//! that is missing `_`.

use aurora_syntax::tree::{
    Arg, Block, Clause, Expr, ExprKind, FPart, ImportName, Param, PostKind, Star, Stmt, StmtKind,
    StrPiece,
};
use aurora_syntax::{Parsed, Span, parse};

/// The statements of a text.
pub(crate) fn shown(text: &str) -> String {
    tree(&parse(text), text)
}

/// The statements that were read of a text.
pub(crate) fn tree(parsed: &Parsed, text: &str) -> String {
    Shown(text).stmts(&parsed.tree)
}

struct Shown<'t>(&'t str);

fn list<T>(items: &[T], show: impl Fn(&T) -> String) -> String {
    items.iter().map(show).collect::<Vec<_>>().join(", ")
}

impl Shown<'_> {
    fn name(&self, span: Span) -> &str {
        let name = span.of(self.0);
        if name.is_empty() { "_" } else { name }
    }

    fn stmts(&self, stmts: &[Stmt]) -> String {
        stmts.iter().map(|stmt| self.stmt(stmt)).collect::<Vec<_>>().join("; ")
    }

    fn block(&self, block: &Block) -> String {
        format!("{{ {} }}", self.stmts(&block.stmts))
    }

    fn orelse(&self, block: Option<&Block>) -> String {
        block.map_or(String::new(), |block| format!(" else {}", self.block(block)))
    }

    fn stmt(&self, stmt: &Stmt) -> String {
        let e = |expr: &Expr| self.expr(expr);
        match &stmt.kind {
            StmtKind::Expr(expr) => e(expr),
            StmtKind::Assign { targets, value } => {
                targets.iter().map(|target| e(target) + " = ").collect::<String>() + &e(value)
            }
            StmtKind::Augmented { target, op, value } => {
                format!("{} {} {}", e(target), op.span.of(self.0), e(value))
            }
            StmtKind::Annotated { target, annotation, value } => {
                let value =
                    value.as_ref().map_or(String::new(), |value| format!(" = {}", e(value)));
                format!("{}: {}{value}", e(target), e(annotation))
            }
            StmtKind::If { branches, orelse } => {
                let branches: Vec<String> = branches
                    .iter()
                    .map(|(test, body)| format!("if {} {}", e(test), self.block(body)))
                    .collect();
                branches.join(" el") + &self.orelse(orelse.as_ref())
            }
            StmtKind::For { target, iterable, body, orelse } => format!(
                "for {} in {} {}{}",
                e(target),
                e(iterable),
                self.block(body),
                self.orelse(orelse.as_ref())
            ),
            StmtKind::While { test, body, .. } => format!("while {} {}", e(test), self.block(body)),
            StmtKind::Def { name, params, body, .. } => {
                format!("def {}({}) {}", self.name(*name), self.params(params), self.block(body))
            }
            StmtKind::Class { name, bases, body } => {
                format!("class {}({}) {}", self.name(*name), list(bases, e), self.block(body))
            }
            StmtKind::Return(value) => {
                format!(
                    "return{}",
                    value.as_ref().map_or(String::new(), |value| format!(" {}", e(value)))
                )
            }
            StmtKind::Pass => "pass".to_owned(),
            StmtKind::Break => "break".to_owned(),
            StmtKind::Continue => "continue".to_owned(),
            StmtKind::Del(values) => format!("del {}", list(values, e)),
            StmtKind::Assert { test, message } => {
                let message =
                    message.as_ref().map_or(String::new(), |message| format!(", {}", e(message)));
                format!("assert {}{message}", e(test))
            }
            StmtKind::Raise(values) => format!("raise {}", list(values, e)),
            StmtKind::Print { values, .. } => format!("print {}", list(values, e)),
            StmtKind::Import(names) => format!("import {}", self.imports(names)),
            StmtKind::From { module, names } => {
                format!("from {} import {}", self.name(*module), self.imports(names))
            }
            StmtKind::Refused(blocks) => {
                format!(
                    "refused{}",
                    blocks
                        .iter()
                        .map(|block| " ".to_owned() + &self.block(block))
                        .collect::<String>()
                )
            }
            StmtKind::Error => format!("!{}", stmt.span.of(self.0)),
        }
    }

    fn imports(&self, names: &[ImportName]) -> String {
        list(names, |import| {
            let alias =
                import.alias.map_or(String::new(), |alias| format!(" as {}", self.name(alias)));
            self.name(import.name).to_owned() + &alias
        })
    }

    fn params(&self, params: &[Param]) -> String {
        list(params, |param| {
            let name = param.name.map_or("", |name| self.name(name));
            let default = param.default.as_ref();
            let default = default.map_or(String::new(), |value| format!("={}", self.expr(value)));
            format!("{}{name}{default}", stars(param.star))
        })
    }

    fn expr(&self, expr: &Expr) -> String {
        let e = |expr: &Expr| self.expr(expr);
        match &expr.kind {
            ExprKind::Name | ExprKind::Int | ExprKind::Float => expr.span.of(self.0).to_owned(),
            ExprKind::Error => format!("?{}", expr.span.of(self.0)),
            ExprKind::Str(pieces) => {
                pieces.iter().map(|piece| self.piece(piece)).collect::<Vec<_>>().join(" ")
            }
            ExprKind::Tuple { items, parens: true } => format!("({},)", list(items, e)),
            ExprKind::Tuple { items, parens: false } => format!("{},", list(items, e)),
            ExprKind::Paren(inner) => format!("({})", e(inner)),
            ExprKind::List(items) => format!("[{}]", list(items, e)),
            ExprKind::Set(items) => format!("{{{}}}", list(items, e)),
            ExprKind::Dict(entries) => {
                format!("{{{}}}", list(entries, |(key, value)| format!("{}: {}", e(key), e(value))))
            }
            ExprKind::Comp(comp) => {
                let value =
                    comp.value.as_ref().map_or(String::new(), |value| format!(": {}", e(value)));
                let clauses: String = comp
                    .clauses
                    .iter()
                    .map(|clause| match clause {
                        Clause::For { target, iterable } => {
                            format!(" for {} in {}", e(target), e(iterable))
                        }
                        Clause::If(test) => format!(" if {}", e(test)),
                    })
                    .collect();
                format!("<{}{value}{clauses}>", e(&comp.element))
            }
            ExprKind::Postfix(postfix) => {
                let ops: String = postfix
                    .ops
                    .iter()
                    .map(|op| match &op.kind {
                        PostKind::Attr(name) => format!(".{}", self.name(*name)),
                        PostKind::Call(args) => format!("({})", self.args(args)),
                        PostKind::Index(index) => format!("[{}]", e(index)),
                        PostKind::Slice(bounds) => {
                            let bounds: Vec<String> = bounds
                                .iter()
                                .map(|bound| bound.as_ref().map_or(String::new(), e))
                                .collect();
                            format!("[{}]", bounds.join(":"))
                        }
                    })
                    .collect();
                e(&postfix.base) + &ops
            }
            ExprKind::Unary { op, operand } => format!("{} {}", op.span.of(self.0), e(operand)),
            ExprKind::Power(power) => format!("{} ** {}", e(&power.0), e(&power.2)),
            ExprKind::Chain(chain) => {
                let rest: String = chain
                    .rest
                    .iter()
                    .map(|(op, right)| format!(" {} {}", op.span.of(self.0), e(right)))
                    .collect();
                e(&chain.first) + &rest
            }
            ExprKind::Cond(cond) => format!("{} if {} else {}", e(&cond.0), e(&cond.1), e(&cond.2)),
            ExprKind::Lambda(lambda) => {
                format!("lambda {}: {}", self.params(&lambda.0), e(&lambda.1))
            }
            ExprKind::Star(inner) => format!("*{}", e(inner)),
            ExprKind::Backtick(inner) => format!("`{}`", e(inner)),
        }
    }

    fn piece(&self, piece: &StrPiece) -> String {
        let Some(parts) = &piece.fields else { return piece.span.of(self.0).to_owned() };
        format!("f'{}'", parts.iter().map(|part| self.part(part)).collect::<String>())
    }

    fn part(&self, part: &FPart) -> String {
        match part {
            FPart::Text(span) => span.of(self.0).to_owned(),
            FPart::Field { value, spec, .. } => {
                let spec: String = spec.iter().map(|part| self.part(part)).collect();
                format!("{{{}|{spec}}}", self.expr(value))
            }
        }
    }

    fn args(&self, args: &[Arg]) -> String {
        list(args, |arg| {
            let name = arg.name.map_or(String::new(), |name| format!("{}=", self.name(name)));
            format!("{}{name}{}", stars(arg.star), self.expr(&arg.value))
        })
    }
}

fn stars(star: Star) -> &'static str {
    match star {
        Star::No => "",
        Star::One => "*",
        Star::Two => "**",
    }
}
