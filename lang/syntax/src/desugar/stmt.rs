//! Statements.

use super::expr::is_simple;
use super::{Rewriter, is_own_module, names};
use crate::span::Span;
use crate::token::Kind;
use crate::tree::{Block, Expr, ExprKind, ImportName, Param, PostKind, Stmt, StmtKind};

/// What an interpreter does before each turn and call: it counts, and looks whether to stop.
const TICK: &str = "__au_tick()";

impl<'a> Rewriter<'a> {
    pub(super) fn stmts(&mut self, stmts: &[Stmt]) {
        stmts.iter().for_each(|stmt| self.stmt(stmt));
    }

    fn stmt(&mut self, stmt: &Stmt) {
        let span = stmt.span;
        match &stmt.kind {
            StmtKind::Expr(expr) => self.expression(expr),
            StmtKind::Assign { targets, value } => match targets.as_slice() {
                [target] => {
                    self.target(target);
                    self.unpacked(target, value);
                }
                targets => self.assign_all(span, targets, value),
            },
            StmtKind::Augmented { target, op, value } => {
                self.augmented(span, target, op.kind, value);
            }
            StmtKind::Annotated { target, value, .. } => match value {
                Some(value) => {
                    self.target(target);
                    let gap = Span::new(target.span.end, value.span.start);
                    self.writer.replace(gap, " = ");
                    self.expr(value);
                }
                None => self.writer.replace(span, "pass"),
            },
            StmtKind::If { branches, orelse } => {
                for (test, body) in branches {
                    self.expr(test);
                    self.block(body, false);
                }
                if let Some(body) = orelse {
                    self.block(body, false);
                }
            }
            StmtKind::For { target, iterable, body, .. } => {
                self.target(target);
                self.iterable(iterable);
                self.block(body, true);
            }
            StmtKind::While { test, body, .. } => self.while_stmt(span, test, body),
            StmtKind::Def { name, params, returns, body } => {
                self.def(*name, params, *returns, body);
            }
            StmtKind::Class { name, bases, body } => self.class(span, *name, bases, body),
            StmtKind::Return(value) => value.iter().for_each(|value| self.expr(value)),
            StmtKind::Pass | StmtKind::Break | StmtKind::Continue => {}
            StmtKind::Del(items) => self.del(span, items),
            StmtKind::Assert { test, message } => self.assert(span, test, message.as_ref()),
            StmtKind::Raise(values) => self.raise(span, values),
            StmtKind::Print { values, .. } => {
                self.writer.before(span, "print(");
                self.list(span, values, true);
                self.writer.write(")", span);
            }
            StmtKind::Import(names) => self.import(span, names),
            StmtKind::From { module, names } => self.from(span, *module, names),
            StmtKind::Refused(_) | StmtKind::Error => {}
        }
    }

    /// A value that is taken apart, which Starlark does to lists and tuples only.
    fn unpacked(&mut self, target: &Expr, value: &Expr) {
        let apart = matches!(target.kind, ExprKind::Tuple { .. } | ExprKind::List(_));
        if apart && !matches!(value.kind, ExprKind::Tuple { .. } | ExprKind::List(_)) {
            self.iterable(value);
        } else {
            self.expr(value);
        }
    }

    fn expression(&mut self, expr: &Expr) {
        if self.scopes.is_empty()
            && let Some(args) = names::load_args(self.text, expr)
        {
            // The interpreter's own statement: only its texts are written anew.
            args.iter().for_each(|arg| self.expr(&arg.value));
            return;
        }
        self.expr(expr);
    }

    /// Values with commas in between, in the place of the rest of a statement.
    fn list(&mut self, span: Span, values: &[Expr], mut first: bool) {
        for value in values {
            if !std::mem::take(&mut first) {
                self.writer.write(", ", span);
            }
            self.elsewhere(value);
        }
        self.writer.skip_to(span.end);
    }

    fn block(&mut self, block: &Block, tick: bool) {
        let indent = std::mem::replace(&mut self.indent, block.indent);
        if tick && let Some(first) = block.stmts.first() {
            self.writer.copy_to(first.span.start);
            self.tick(block, first);
        }
        self.stmts(&block.stmts);
        self.indent = indent;
    }

    fn tick(&mut self, block: &Block, first: &Stmt) {
        self.writer.write(TICK, block.colon);
        if is_compound(first) {
            self.line(block.indent, block.colon);
        } else {
            self.writer.write("; ", block.colon);
        }
    }

    fn line(&mut self, indent: u32, source: Span) {
        let blanks = " ".repeat(indent as usize);
        self.writer.write(&format!("\n{blanks}"), source);
    }

    /// `a = b = value`.
    fn assign_all(&mut self, span: Span, targets: &[Expr], value: &Expr) {
        self.writer.before(span, "__au_v = ");
        self.elsewhere(value);
        for target in targets {
            self.writer.write("; ", target.span);
            self.writer.skip_to(target.span.start);
            self.target(target);
            self.writer.copy_to(target.span.end);
            self.writer.write(" = __au_v", target.span);
        }
        self.writer.skip_to(span.end);
    }

    fn augmented(&mut self, span: Span, target: &Expr, op: Kind, value: &Expr) {
        let function = match op {
            Kind::PlusEq => Some("__au_iadd"),
            Kind::MinusEq => self.function(Kind::Minus),
            Kind::StarEq => self.function(Kind::Star),
            Kind::SlashEq => self.function(Kind::Slash),
            Kind::SlashSlashEq => self.function(Kind::SlashSlash),
            Kind::PercentEq => self.function(Kind::Percent),
            Kind::LShiftEq => self.function(Kind::LShift),
            Kind::StarStarEq => Some("__au_pow"),
            _ => None,
        };
        let Some(function) = function else {
            self.target(target);
            return self.expr(value);
        };
        self.writer.copy_to(span.start);
        // The parts of the target are computed once.
        let parts = match &target.kind {
            ExprKind::Postfix(postfix) => postfix.ops.split_last().and_then(|(last, ops)| {
                let PostKind::Index(index) = &last.kind else { return None };
                let simple = ops.iter().all(|op| matches!(op.kind, PostKind::Attr(_)))
                    && is_simple(&postfix.base)
                    && is_simple(index);
                (!simple).then_some((&postfix.base, ops, &**index))
            }),
            _ => None,
        };
        if let Some((base, ops, index)) = parts {
            self.writer.write("__au_o = ", target.span);
            self.writer.skip_to(base.span.start);
            self.postfix(base, ops);
            self.writer.copy_to(ops.last().map_or(base.span.end, |op| op.span.end));
            self.writer.write("; __au_k = ", index.span);
            self.writer.skip_to(index.span.start);
            self.value(index);
            self.writer.copy_to(index.span.end);
            let assign = format!("; __au_o[__au_k] = {function}(__au_o[__au_k], ");
            self.writer.write(&assign, span);
        } else {
            self.writer.skip_to(target.span.start);
            self.target(target);
            self.writer.copy_to(target.span.end);
            self.writer.write(&format!(" = {function}("), span);
            self.elsewhere(target);
            self.writer.write(", ", span);
        }
        self.writer.skip_to(value.span.start);
        self.value(value);
        self.writer.copy_to(value.span.end);
        self.writer.write(")", span);
    }

    fn while_stmt(&mut self, span: Span, test: &Expr, body: &Block) {
        let head = Span::new(span.start, body.colon.end);
        self.writer.replace(head, "for __au_w in __au_forever():");
        let Some(first) = body.stmts.first() else { return };
        let indent = if body.inline { self.indent + 1 } else { body.indent };
        if body.inline {
            self.line(indent, head);
        } else {
            self.writer.copy_to(first.span.start);
        }
        self.writer.write("if not (", test.span);
        self.elsewhere(test);
        self.writer.write("): break", test.span);
        self.line(indent, test.span);
        self.writer.skip_to(first.span.start);
        let indent = std::mem::replace(&mut self.indent, indent);
        self.tick(body, first);
        self.stmts(&body.stmts);
        self.indent = indent;
    }

    fn def(&mut self, name: Span, params: &[Param], returns: Option<Span>, body: &Block) {
        self.defines(name);
        self.params(params);
        if let Some(returns) = returns {
            self.writer.replace(returns, "");
        }
        let mut scope = names::Names::new();
        names::parameters(self.text, params, &mut scope);
        names::defined(self.text, &body.stmts, &mut scope);
        self.scopes.push(scope);
        self.block(body, true);
        self.scopes.pop();
    }

    /// A struct: each field becomes a variable, and all of them the arguments of one call.
    fn class(&mut self, span: Span, name: Span, bases: &[Expr], body: &Block) {
        let head = Span::new(span.start, body.colon.end);
        self.writer.replace(head, "");
        if body.inline {
            self.writer.skip_to(body.stmts.first().map_or(head.end, |stmt| stmt.span.start));
        }
        let outer = self.fields.replace((self.scopes.len(), names::Names::new()));
        let mut fields: Vec<&str> = Vec::new();
        let mut line = 0;
        for (at, stmt) in body.stmts.iter().enumerate() {
            let begins = self.text[..stmt.span.start as usize]
                .rfind(['\n', '\r'])
                .map_or(0, |newline| u32::try_from(newline + 1).unwrap_or(0));
            if !body.inline && (at == 0 || begins != line) {
                // The line moves to the column of the class.
                self.writer.copy_to(begins);
                self.writer.skip_to(stmt.span.start);
                self.writer.write(&" ".repeat(self.indent as usize), stmt.span);
                line = begins;
            } else {
                self.writer.copy_to(stmt.span.start);
            }
            self.field(stmt, &mut fields);
            self.writer.copy_to(stmt.span.end);
        }
        self.fields = outer;
        let own = super::reserved(self.word(name)).unwrap_or(self.word(name));
        if !body.stmts.is_empty() {
            self.writer.write("; ", head);
        }
        self.writer.write(&format!("{own} = __au_class(\"{}\", (", self.word(name)), head);
        for base in bases {
            self.elsewhere(base);
            self.writer.write(", ", base.span);
        }
        self.writer.write("), [", head);
        for field in fields {
            self.writer.write(&format!("(\"{field}\", __au_f_{field}), "), head);
        }
        self.writer.write("])", head);
        self.writer.skip_to(body.stmts.last().map_or(body.colon.end, |stmt| stmt.span.end));
    }

    /// A field, whose variable has a name of its own.
    fn field(&mut self, stmt: &Stmt, order: &mut Vec<&'a str>) {
        let targets = match &stmt.kind {
            StmtKind::Assign { targets, .. } => targets.as_slice(),
            StmtKind::Annotated { target, value: Some(_), .. } => std::slice::from_ref(target),
            StmtKind::Pass => return,
            // Neither comments in quotes nor methods make fields.
            _ => return self.writer.replace(stmt.span, "pass"),
        };
        self.stmt(stmt);
        let mut defined = names::Names::new();
        targets.iter().for_each(|target| names::assigned(self.text, target, &mut defined));
        if let Some((_, fields)) = &mut self.fields {
            order.extend(defined.into_iter().filter(|name| fields.insert(name)));
        }
    }

    fn del(&mut self, span: Span, items: &[Expr]) {
        for (at, item) in items.iter().enumerate() {
            let ExprKind::Postfix(postfix) = &item.kind else { continue };
            let Some((last, ops)) = postfix.ops.split_last() else { continue };
            let PostKind::Index(index) = &last.kind else { continue };
            self.writer.copy_to(span.start);
            if at > 0 {
                self.writer.write("; ", item.span);
            }
            self.writer.skip_to(item.span.start);
            self.postfix(&postfix.base, ops);
            self.writer.copy_to(last.span.start);
            self.writer.write(".pop(", item.span);
            self.writer.skip_to(index.span.start);
            self.value(index);
            self.writer.copy_to(index.span.end);
            self.writer.write(")", item.span);
        }
        self.writer.skip_to(span.end);
    }

    /// The message is computed only if it is needed.
    fn assert(&mut self, span: Span, test: &Expr, message: Option<&Expr>) {
        self.writer.before(span, if message.is_some() { "(" } else { "__au_assert(" });
        self.elsewhere(test);
        if let Some(message) = message {
            self.writer.write(") or __au_assert(False, ", span);
            self.elsewhere(message);
            self.writer.write(")", span);
        } else {
            self.writer.write(", None)", span);
        }
        self.writer.skip_to(span.end);
    }

    fn raise(&mut self, span: Span, values: &[Expr]) {
        self.writer.copy_to(span.start);
        let Some((first, rest)) = values.split_first() else { return };
        let (name, args): (&str, &[_]) = match &first.kind {
            ExprKind::Name => (self.word(first.span), &[]),
            ExprKind::Postfix(postfix) => match postfix.ops.split_last() {
                Some((last, ops)) => match &last.kind {
                    PostKind::Call(args) => {
                        let end = ops.last().map_or(postfix.base.span.end, |op| op.span.end);
                        (self.word(Span::new(first.span.start, end)), args.as_slice())
                    }
                    _ => (self.word(first.span), &[]),
                },
                None => (self.word(first.span), &[]),
            },
            _ => ("", &[]),
        };
        let plain = name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '.');
        let name = if plain { name } else { "" };
        self.writer.write(&format!("__au_raise(\"{name}\""), span);
        if let (Some(from), Some(to)) = (args.first(), args.last()) {
            self.writer.write(", ", span);
            self.writer.skip_to(from.span.start);
            self.args(args);
            self.writer.copy_to(to.span.end);
        } else if name.is_empty() {
            self.writer.write(", ", span);
            self.elsewhere(first);
        }
        self.list(span, rest, false);
        self.writer.write(")", span);
    }

    fn import(&mut self, span: Span, names: &[ImportName]) {
        let calls = names.iter().filter_map(|import| {
            let module = self.word(import.name);
            match import.alias {
                Some(alias) => {
                    let name = self.word(alias);
                    let name = super::reserved(name).unwrap_or(name);
                    Some(format!("{name} = __au_import(\"{module}\", None)"))
                }
                None if is_own_module(module) => None,
                None => {
                    let top = module.split('.').next().unwrap_or(module);
                    Some(format!("{top} = __au_import(\"{top}\", None)"))
                }
            }
        });
        let calls: Vec<String> = calls.collect();
        self.imports(span, &calls);
    }

    fn from(&mut self, span: Span, module: Span, names: &[ImportName]) {
        let module = self.word(module).split_whitespace().collect::<String>();
        let own = is_own_module(&module);
        let mut calls = Vec::new();
        if names.is_empty() && !own {
            calls.push(format!("__au_import(\"{module}\", \"*\")"));
        }
        for import in names {
            let name = self.word(import.name);
            let alias = import.alias.map_or(name, |alias| self.word(alias));
            let alias = super::reserved(alias).unwrap_or(alias);
            if !own {
                calls.push(format!("{alias} = __au_import(\"{module}\", \"{name}\")"));
            } else if import.alias.is_some() && (self.known)(name) {
                calls.push(format!("{alias} = {name}"));
            } else if import.alias.is_some() {
                calls.push(format!("{alias} = __au_name(\"{name}\")"));
            }
        }
        self.imports(span, &calls);
    }

    fn imports(&mut self, span: Span, calls: &[String]) {
        let text = if calls.is_empty() { "pass".to_owned() } else { calls.join("; ") };
        self.writer.replace(span, &text);
    }
}

fn is_compound(stmt: &Stmt) -> bool {
    matches!(
        stmt.kind,
        StmtKind::If { .. }
            | StmtKind::For { .. }
            | StmtKind::While { .. }
            | StmtKind::Def { .. }
            | StmtKind::Class { .. }
    )
}
