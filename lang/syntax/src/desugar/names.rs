//! Which names a file, function or comprehension defines.

use std::collections::BTreeSet;

use super::is_own_module;
use crate::tree::{Arg, Clause, Expr, ExprKind, ImportName, Param, PostKind, Stmt, StmtKind};

/// The names of one scope.
pub(super) type Names<'a> = BTreeSet<&'a str>;

/// Adds what statements define, those of functions within them aside.
pub(super) fn defined<'a>(text: &'a str, stmts: &[Stmt], names: &mut Names<'a>) {
    for stmt in stmts {
        match &stmt.kind {
            StmtKind::Assign { targets, .. } => {
                targets.iter().for_each(|target| assigned(text, target, names));
            }
            StmtKind::Augmented { target, .. } | StmtKind::Annotated { target, .. } => {
                assigned(text, target, names);
            }
            StmtKind::If { branches, orelse } => {
                branches.iter().for_each(|(_, body)| defined(text, &body.stmts, names));
                orelse.iter().for_each(|body| defined(text, &body.stmts, names));
            }
            StmtKind::For { target, body, orelse, .. } => {
                assigned(text, target, names);
                defined(text, &body.stmts, names);
                orelse.iter().for_each(|body| defined(text, &body.stmts, names));
            }
            StmtKind::While { body, .. } => defined(text, &body.stmts, names),
            StmtKind::Def { name, .. } | StmtKind::Class { name, .. } => {
                names.insert(name.of(text));
            }
            StmtKind::Import(imports) => {
                names.extend(imports.iter().filter_map(|import| {
                    let own = import.alias.is_none() && is_own_module(import.name.of(text));
                    (!own).then(|| import_name(text, import))
                }));
            }
            StmtKind::From { module, names: imports } => {
                let own = is_own_module(module.of(text));
                let kept = imports.iter().filter(|import| !own || import.alias.is_some());
                names.extend(kept.map(|import| import_name(text, import)));
            }
            StmtKind::Refused(bodies) => {
                bodies.iter().for_each(|body| defined(text, &body.stmts, names));
            }
            StmtKind::Expr(expr) => loaded(text, expr, names),
            _ => {}
        }
    }
}

/// The name that an import defines: the first of a dotted one.
pub(super) fn import_name<'a>(text: &'a str, import: &ImportName) -> &'a str {
    let name = import.alias.unwrap_or(import.name).of(text);
    name.split('.').next().unwrap_or(name)
}

/// The arguments of `load("file", "name", other="name")`.
pub(super) fn load_args<'a>(text: &str, expr: &'a Expr) -> Option<&'a [Arg]> {
    let ExprKind::Postfix(postfix) = &expr.kind else { return None };
    let [op] = postfix.ops.as_slice() else { return None };
    let PostKind::Call(args) = &op.kind else { return None };
    let named = matches!(postfix.base.kind, ExprKind::Name) && postfix.base.span.of(text) == "load";
    let texts = args.iter().all(|arg| matches!(arg.value.kind, ExprKind::Str(_)));
    (named && texts && !args.is_empty()).then_some(args)
}

fn loaded<'a>(text: &'a str, expr: &Expr, names: &mut Names<'a>) {
    for arg in load_args(text, expr).into_iter().flatten().skip(1) {
        if let Some(name) = arg.name {
            names.insert(name.of(text));
        } else if let ExprKind::Str(pieces) = &arg.value.kind
            && let [piece] = &**pieces
        {
            names.insert(piece.inner().of(text));
        }
    }
}

/// Adds the names that are assigned to.
pub(super) fn assigned<'a>(text: &'a str, target: &Expr, names: &mut Names<'a>) {
    match &target.kind {
        ExprKind::Name => {
            names.insert(target.span.of(text));
        }
        ExprKind::Tuple { items, .. } | ExprKind::List(items) => {
            items.iter().for_each(|item| assigned(text, item, names));
        }
        ExprKind::Paren(inner) | ExprKind::Star(inner) => assigned(text, inner, names),
        _ => {}
    }
}

/// Adds the names of parameters.
pub(super) fn parameters<'a>(text: &'a str, params: &[Param], names: &mut Names<'a>) {
    names.extend(params.iter().filter_map(|param| param.name).map(|name| name.of(text)));
}

/// Adds the names that the clauses of a comprehension define.
pub(super) fn clauses<'a>(text: &'a str, clauses: &[Clause], names: &mut Names<'a>) {
    for clause in clauses {
        if let Clause::For { target, .. } = clause {
            assigned(text, target, names);
        }
    }
}
