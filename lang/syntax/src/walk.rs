//! Going over the tree of a text.

use crate::span::Span;
use crate::tree::{Block, Clause, Expr, ExprKind, FPart, Param, PostKind, Stmt, StmtKind};

/// Visits each expression that is a direct part of a statement, those of the statements under it
/// aside. What a function or comprehension defines is visited, too.
pub fn expressions<'t>(statement: &'t Stmt, visit: &mut dyn FnMut(&'t Expr)) {
    match &statement.kind {
        StmtKind::Expr(value) => visit(value),
        StmtKind::Assign { targets, value } => {
            targets.iter().for_each(&mut *visit);
            visit(value);
        }
        StmtKind::Augmented { target, value, .. } => {
            visit(target);
            visit(value);
        }
        StmtKind::Annotated { target, annotation, value } => {
            visit(target);
            visit(annotation);
            value.iter().for_each(visit);
        }
        StmtKind::If { branches, .. } => branches.iter().for_each(|(test, _)| visit(test)),
        StmtKind::For { target, iterable, .. } => {
            visit(target);
            visit(iterable);
        }
        StmtKind::While { test, .. } => visit(test),
        StmtKind::Def { params, .. } => defaults(params, visit),
        StmtKind::Class { bases, .. } => bases.iter().for_each(visit),
        StmtKind::Return(value) => value.iter().for_each(visit),
        StmtKind::Del(values) | StmtKind::Raise(values) | StmtKind::Print { values, .. } => {
            values.iter().for_each(visit);
        }
        StmtKind::Assert { test, message } => {
            visit(test);
            message.iter().for_each(visit);
        }
        StmtKind::Pass
        | StmtKind::Break
        | StmtKind::Continue
        | StmtKind::Import(_)
        | StmtKind::From { .. }
        | StmtKind::Refused(_)
        | StmtKind::Error => {}
    }
}

/// The blocks under a statement.
pub fn blocks(statement: &Stmt) -> Vec<&Block> {
    match &statement.kind {
        StmtKind::If { branches, orelse } => {
            branches.iter().map(|(_, block)| block).chain(orelse).collect()
        }
        StmtKind::For { body, orelse, .. } | StmtKind::While { body, orelse, .. } => {
            std::iter::once(body).chain(orelse).collect()
        }
        StmtKind::Def { body, .. } | StmtKind::Class { body, .. } => vec![body],
        StmtKind::Refused(blocks) => blocks.iter().collect(),
        _ => Vec::new(),
    }
}

fn defaults<'t>(params: &'t [Param], visit: &mut dyn FnMut(&'t Expr)) {
    params.iter().filter_map(|param| param.default.as_ref()).for_each(visit);
}

/// Visits each expression that is a direct part of another.
pub fn parts<'t>(expression: &'t Expr, visit: &mut dyn FnMut(&'t Expr)) {
    match &expression.kind {
        ExprKind::Str(pieces) => {
            for piece in pieces.iter().filter_map(|piece| piece.fields.as_deref()) {
                fields(piece, visit);
            }
        }
        ExprKind::Tuple { items, .. } | ExprKind::List(items) | ExprKind::Set(items) => {
            items.iter().for_each(visit);
        }
        ExprKind::Paren(inner) | ExprKind::Star(inner) | ExprKind::Backtick(inner) => visit(inner),
        ExprKind::Dict(entries) => entries.iter().for_each(|(key, value)| {
            visit(key);
            visit(value);
        }),
        ExprKind::Comp(comp) => {
            visit(&comp.element);
            comp.value.iter().for_each(&mut *visit);
            for clause in &comp.clauses {
                match clause {
                    Clause::For { target, iterable } => {
                        visit(target);
                        visit(iterable);
                    }
                    Clause::If(test) => visit(test),
                }
            }
        }
        ExprKind::Postfix(postfix) => {
            visit(&postfix.base);
            for op in &postfix.ops {
                match &op.kind {
                    PostKind::Attr(_) => {}
                    PostKind::Call(arguments) => {
                        arguments.iter().for_each(|argument| visit(&argument.value));
                    }
                    PostKind::Index(index) => visit(index),
                    PostKind::Slice(bounds) => bounds.iter().flatten().for_each(&mut *visit),
                }
            }
        }
        ExprKind::Unary { operand, .. } => visit(operand),
        ExprKind::Power(power) => {
            visit(&power.0);
            visit(&power.2);
        }
        ExprKind::Chain(chain) => {
            visit(&chain.first);
            chain.rest.iter().for_each(|(_, operand)| visit(operand));
        }
        ExprKind::Cond(cond) => {
            visit(&cond.0);
            visit(&cond.1);
            visit(&cond.2);
        }
        ExprKind::Lambda(lambda) => {
            defaults(&lambda.0, visit);
            visit(&lambda.1);
        }
        ExprKind::Name | ExprKind::Int | ExprKind::Float | ExprKind::Error => {}
    }
}

fn fields<'t>(parts: &'t [FPart], visit: &mut dyn FnMut(&'t Expr)) {
    for part in parts {
        if let FPart::Field { value, spec, .. } = part {
            visit(value);
            fields(spec, visit);
        }
    }
}

/// Visits an expression and all that it is made of.
pub fn all<'t>(expression: &'t Expr, visit: &mut dyn FnMut(&'t Expr)) {
    visit(expression);
    parts(expression, &mut |part| all(part, visit));
}

/// Visits each expression of statements, and of those under them.
pub fn everything<'t>(statements: &'t [Stmt], visit: &mut dyn FnMut(&'t Expr)) {
    for statement in statements {
        expressions(statement, &mut |expression| all(expression, visit));
        for block in blocks(statement) {
            everything(&block.stmts, visit);
        }
    }
}

/// Visits each expression that holds a place, outer ones first. Statements that do not touch the
/// place are not looked at.
pub fn around<'t>(statements: &'t [Stmt], place: Span, visit: &mut dyn FnMut(&'t Expr)) {
    let from = statements.partition_point(|statement| statement.span.end < place.end);
    for statement in statements.get(from..).unwrap_or_default() {
        if statement.span.start > place.start {
            break;
        }
        expressions(statement, &mut |expression| within(expression, place, visit));
        for block in blocks(statement) {
            around(&block.stmts, place, visit);
        }
    }
}

fn within<'t>(expression: &'t Expr, place: Span, visit: &mut dyn FnMut(&'t Expr)) {
    let Span { start, end } = expression.span;
    if start <= place.start && place.end <= end {
        visit(expression);
        parts(expression, &mut |part| within(part, place, visit));
    }
}

/// A part of a tree.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Node<'t> {
    /// Statements one after the other.
    Block(&'t [Stmt]),
    /// A statement.
    Stmt(&'t Stmt),
    /// An expression, targets of assignments among them.
    Expr(&'t Expr),
    /// A parameter.
    Param(&'t Param),
}

/// Calls a function for every part of statements, outer ones first, the expressions of a statement
/// before its blocks. Where it says no, what stands within is left out.
pub(crate) fn nodes<'t>(statements: &'t [Stmt], visit: &mut dyn FnMut(Node<'t>) -> bool) {
    if !visit(Node::Block(statements)) {
        return;
    }
    for statement in statements {
        if !visit(Node::Stmt(statement)) {
            continue;
        }
        match &statement.kind {
            StmtKind::Def { params, .. } => nodes_of_params(params, visit),
            _ => expressions(statement, &mut |expression| nodes_of(expression, visit)),
        }
        for block in blocks(statement) {
            nodes(&block.stmts, visit);
        }
    }
}

fn nodes_of<'t>(expression: &'t Expr, visit: &mut dyn FnMut(Node<'t>) -> bool) {
    if !visit(Node::Expr(expression)) {
        return;
    }
    match &expression.kind {
        ExprKind::Lambda(lambda) => {
            nodes_of_params(&lambda.0, visit);
            nodes_of(&lambda.1, visit);
        }
        _ => parts(expression, &mut |part| nodes_of(part, visit)),
    }
}

fn nodes_of_params<'t>(params: &'t [Param], visit: &mut dyn FnMut(Node<'t>) -> bool) {
    for param in params {
        if visit(Node::Param(param)) {
            param.default.iter().for_each(|default| nodes_of(default, visit));
        }
    }
}
