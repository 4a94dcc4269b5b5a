//! Which parts of an expression are evaluated whenever it is.

use aurora_syntax::Kind::{And, Or};
use aurora_syntax::tree::{Chain, Clause, Expr, ExprKind};
use aurora_syntax::{Span, walk};

/// Visits each direct part of an expression that is evaluated exactly once with it.
pub(crate) fn parts<'t>(expr: &'t Expr, visit: &mut dyn FnMut(&'t Expr)) {
    match &expr.kind {
        ExprKind::Lambda(_) => {}
        ExprKind::Cond(cond) => visit(&cond.1),
        ExprKind::Chain(chain) if is_lazy(chain) => visit(&chain.first),
        ExprKind::Comp(comp) => {
            if let Some(Clause::For { iterable, .. }) = comp.clauses.first() {
                visit(iterable);
            }
        }
        _ => walk::parts(expr, visit),
    }
}

/// Whether what stands behind the first operand may be left out.
fn is_lazy(chain: &Chain) -> bool {
    let is_chosen = chain.rest.iter().any(|(op, _)| matches!(op.kind, And | Or));
    let compares = chain.rest.iter().any(|(op, _)| op.kind.is_comparison());
    is_chosen || (compares && chain.rest.len() > 1)
}

/// Whether a part of an expression is evaluated exactly once with it.
pub(crate) fn is_sure(expr: &Expr, part: Span) -> bool {
    if expr.span == part {
        return true;
    }
    let mut found = false;
    if expr.span.start <= part.start && part.end <= expr.span.end {
        parts(expr, &mut |inner| found |= is_sure(inner, part));
    }
    found
}
