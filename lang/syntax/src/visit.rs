//! Goes through a tree.

use crate::tree::{
    Arg, Block, Clause, Expr, ExprKind, FPart, Param, PostKind, PostOp, Stmt, StmtKind,
};

/// A part of a tree.
#[derive(Debug, Clone, Copy)]
pub enum Node<'t> {
    /// Statements one after the other.
    Block(&'t [Stmt]),
    /// A statement.
    Stmt(&'t Stmt),
    /// An expression, targets of assignments among them.
    Expr(&'t Expr),
    /// A parameter.
    Param(&'t Param),
}

/// Calls a function for every part of statements, outer ones first. Where it says no, what stands
/// within is left out.
pub fn visit<'t>(stmts: &'t [Stmt], f: &mut dyn FnMut(Node<'t>) -> bool) {
    if f(Node::Block(stmts)) {
        stmts.iter().for_each(|stmt| visit_stmt(stmt, f));
    }
}

fn block<'t>(block: &'t Block, f: &mut dyn FnMut(Node<'t>) -> bool) {
    visit(&block.stmts, f);
}

fn visit_stmt<'t>(stmt: &'t Stmt, f: &mut dyn FnMut(Node<'t>) -> bool) {
    if !f(Node::Stmt(stmt)) {
        return;
    }
    match &stmt.kind {
        StmtKind::Expr(expr) => visit_expr(expr, f),
        StmtKind::Assign { targets, value } => {
            targets.iter().for_each(|target| visit_expr(target, f));
            visit_expr(value, f);
        }
        StmtKind::Augmented { target, value, .. } => {
            visit_expr(target, f);
            visit_expr(value, f);
        }
        StmtKind::Annotated { target, value, .. } => {
            visit_expr(target, f);
            value.iter().for_each(|value| visit_expr(value, f));
        }
        StmtKind::If { branches, orelse } => {
            for (test, body) in branches {
                visit_expr(test, f);
                block(body, f);
            }
            orelse.iter().for_each(|body| block(body, f));
        }
        StmtKind::For { target, iterable, body, orelse } => {
            visit_expr(target, f);
            visit_expr(iterable, f);
            block(body, f);
            orelse.iter().for_each(|body| block(body, f));
        }
        StmtKind::While { test, body, orelse } => {
            visit_expr(test, f);
            block(body, f);
            orelse.iter().for_each(|body| block(body, f));
        }
        StmtKind::Def { params, body, .. } => {
            visit_params(params, f);
            block(body, f);
        }
        StmtKind::Class { bases, body, .. } => {
            bases.iter().for_each(|base| visit_expr(base, f));
            block(body, f);
        }
        StmtKind::Return(value) => value.iter().for_each(|value| visit_expr(value, f)),
        StmtKind::Del(values) | StmtKind::Raise(values) | StmtKind::Print { values, .. } => {
            values.iter().for_each(|value| visit_expr(value, f));
        }
        StmtKind::Assert { test, message } => {
            visit_expr(test, f);
            message.iter().for_each(|message| visit_expr(message, f));
        }
        StmtKind::Refused(bodies) => bodies.iter().for_each(|body| block(body, f)),
        StmtKind::Pass
        | StmtKind::Break
        | StmtKind::Continue
        | StmtKind::Import(_)
        | StmtKind::From { .. }
        | StmtKind::Error => {}
    }
}

fn visit_params<'t>(params: &'t [Param], f: &mut dyn FnMut(Node<'t>) -> bool) {
    for param in params {
        if f(Node::Param(param)) {
            param.default.iter().for_each(|default| visit_expr(default, f));
        }
    }
}

fn visit_expr<'t>(expr: &'t Expr, f: &mut dyn FnMut(Node<'t>) -> bool) {
    if !f(Node::Expr(expr)) {
        return;
    }
    match &expr.kind {
        ExprKind::Name | ExprKind::Int | ExprKind::Float | ExprKind::Error => {}
        ExprKind::Str(pieces) => {
            for piece in pieces {
                piece.fields.iter().flatten().for_each(|part| visit_part(part, f));
            }
        }
        ExprKind::Tuple { items, .. } | ExprKind::List(items) | ExprKind::Set(items) => {
            items.iter().for_each(|item| visit_expr(item, f));
        }
        ExprKind::Paren(inner) | ExprKind::Star(inner) | ExprKind::Backtick(inner) => {
            visit_expr(inner, f);
        }
        ExprKind::Dict(entries) => {
            for (key, value) in entries {
                visit_expr(key, f);
                visit_expr(value, f);
            }
        }
        ExprKind::Comp(comp) => {
            visit_expr(&comp.element, f);
            comp.value.iter().for_each(|value| visit_expr(value, f));
            for clause in &comp.clauses {
                match clause {
                    Clause::For { target, iterable } => {
                        visit_expr(target, f);
                        visit_expr(iterable, f);
                    }
                    Clause::If(test) => visit_expr(test, f),
                }
            }
        }
        ExprKind::Postfix(postfix) => {
            visit_expr(&postfix.base, f);
            postfix.ops.iter().for_each(|op| visit_op(op, f));
        }
        ExprKind::Unary { operand, .. } => visit_expr(operand, f),
        ExprKind::Power(power) => {
            visit_expr(&power.0, f);
            visit_expr(&power.2, f);
        }
        ExprKind::Chain(chain) => {
            visit_expr(&chain.first, f);
            chain.rest.iter().for_each(|(_, operand)| visit_expr(operand, f));
        }
        ExprKind::Cond(cond) => {
            visit_expr(&cond.0, f);
            visit_expr(&cond.1, f);
            visit_expr(&cond.2, f);
        }
        ExprKind::Lambda(lambda) => {
            visit_params(&lambda.0, f);
            visit_expr(&lambda.1, f);
        }
    }
}

fn visit_part<'t>(part: &'t FPart, f: &mut dyn FnMut(Node<'t>) -> bool) {
    if let FPart::Field { value, spec, .. } = part {
        visit_expr(value, f);
        spec.iter().for_each(|part| visit_part(part, f));
    }
}

fn visit_op<'t>(op: &'t PostOp, f: &mut dyn FnMut(Node<'t>) -> bool) {
    match &op.kind {
        PostKind::Attr(_) => {}
        PostKind::Call(args) => {
            args.iter().map(|arg: &Arg| &arg.value).for_each(|value| visit_expr(value, f));
        }
        PostKind::Index(index) => visit_expr(index, f),
        PostKind::Slice(bounds) => {
            bounds.iter().flatten().for_each(|bound| visit_expr(bound, f));
        }
    }
}
