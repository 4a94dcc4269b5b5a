//! Names that nothing defines.

use std::collections::{BTreeSet, HashMap};

use aurora_eval::{Code, is_global};
use aurora_syntax::tree::{Expr, ExprKind, Stmt, StmtKind};
use aurora_syntax::{Span, walk};
use aurora_template::types::nearest;

use super::{About, Diagnostic};
use crate::index::{is_whole, perhaps_defined};
use crate::names::Use;
use crate::reached;

/// What the evaluation says of a name that it does not know.
const HELP: &str = "define it above, or include() the file that does; names are of this file and \
                    those it includes";

/// For how many of them a known name is looked for that may be meant.
pub(super) const MAX_SUGGESTIONS: usize = 20;

/// The names of a file that nothing defines.
pub(super) fn names(about: &About<'_>, found: &mut Vec<Diagnostic>) {
    let source = about.source;
    let mut of_all: HashMap<&str, bool> = HashMap::new();
    let mut is_unknown = |used: &&Use| {
        let name = source.slice(used.name);
        let is_of_all = *of_all.entry(name).or_insert_with(|| {
            name.is_empty()
                || matches!(name, "True" | "False" | "None")
                || is_global(name)
                || crate::builtin::builtin(name).is_some()
                || !about.index.at_top(name).is_empty()
        });
        !is_of_all && about.index.find(used.scope, name).is_empty()
    };
    let uses = source.names.uses.iter();
    let unknown: Vec<Span> = uses.filter(|used| is_unknown(used)).map(|used| used.name).collect();
    if unknown.is_empty() || !is_whole(about.world, about.files) || may_be_included(about) {
        return;
    }
    let perhaps: BTreeSet<&str> =
        about.files.iter().flat_map(|source| perhaps_defined(source)).collect();
    let reached = Reached::of(&source.parsed.tree);
    let builtins = crate::builtin::builtins().map(|(name, _)| name);
    let known: BTreeSet<&str> = about.index.names().chain(builtins).collect();
    for (at, name) in unknown.into_iter().take(super::MAX_DIAGNOSTICS).enumerate() {
        let text = source.slice(name);
        if perhaps.contains(text) || reached.is_annotation(name) {
            continue;
        }
        let is_suggested = at < MAX_SUGGESTIONS;
        let near = is_suggested.then(|| nearest(text, known.iter().copied())).flatten();
        let message = format!("name '{text}' is not defined");
        found.push(
            Diagnostic::new(source, name, Code::UnknownName, message)
                .help(HELP)
                .meant(source, name, near)
                .if_reached(reached.is_sure(name)),
        );
    }
}

/// Whether a file that computes what it includes may include this one, which is none by itself.
fn may_be_included(about: &About<'_>) -> bool {
    about.index.at_top("jobs").is_empty()
        && about.world.files().any(|source| {
            let mut includes = source.names.inclusions.iter();
            includes.any(|inclusion| inclusion.loaded.is_none() && inclusion.path.is_none())
        })
}

/// The names that are read whenever a file is evaluated, and those that never are.
#[derive(Default)]
pub(super) struct Reached {
    /// Where the expressions stand that are evaluated for sure, in order.
    sure: Vec<Span>,
    annotations: Vec<Span>,
}

impl Reached {
    pub(super) fn of(stmts: &[Stmt]) -> Self {
        let mut reached = Self::default();
        reached.top(stmts);
        reached.annotations(stmts);
        reached.sure.sort_unstable();
        reached.annotations.sort_unstable();
        reached
    }

    /// Whether what stands at a place is evaluated for sure.
    pub(super) fn is_sure(&self, place: Span) -> bool {
        holds(&self.sure, place)
    }

    fn is_annotation(&self, place: Span) -> bool {
        holds(&self.annotations, place)
    }

    fn top(&mut self, stmts: &[Stmt]) {
        for stmt in stmts {
            match &stmt.kind {
                StmtKind::If { branches, .. } => {
                    branches.iter().take(1).for_each(|(test, _)| self.expression(test));
                }
                StmtKind::Assert { test, .. } => self.expression(test),
                StmtKind::For { iterable, .. } => self.expression(iterable),
                StmtKind::While { test, .. } => self.expression(test),
                _ => walk::expressions(stmt, &mut |expr| self.expression(expr)),
            }
        }
    }

    fn expression(&mut self, expr: &Expr) {
        // Names are asked for, and the calls of files that are not there.
        if matches!(expr.kind, ExprKind::Name | ExprKind::Postfix(_)) {
            self.sure.push(expr.span);
        }
        reached::parts(expr, &mut |part| self.expression(part));
    }

    fn annotations(&mut self, stmts: &[Stmt]) {
        for stmt in stmts {
            if let StmtKind::Annotated { annotation, .. } = &stmt.kind {
                walk::all(annotation, &mut |part| self.annotations.push(part.span));
            }
            walk::blocks(stmt).iter().for_each(|block| self.annotations(&block.stmts));
        }
    }
}

fn holds(sorted: &[Span], place: Span) -> bool {
    sorted.binary_search(&place).is_ok()
}
