//! Imports: the language's own names need none, and functions stand for parts of other modules.

use std::collections::BTreeMap;

use super::Migrator;
use crate::desugar::is_own_module;
use crate::span::Span;
use crate::tree::{Expr, ExprKind, ImportName, PostKind, Stmt, StmtKind};
use crate::walk::{Node, nodes};

/// Whether `from __future__ import name` stands in a file.
pub(super) fn future(tree: &[Stmt], text: &str, name: &str) -> bool {
    tree.iter().any(|stmt| match &stmt.kind {
        StmtKind::From { module, names } if module.of(text) == "__future__" => {
            names.iter().any(|import| import.name.of(text) == name)
        }
        _ => false,
    })
}

/// What the names that imports define stand for.
pub(super) fn modules<'a>(tree: &[Stmt], text: &'a str) -> BTreeMap<&'a str, String> {
    let mut modules = BTreeMap::new();
    nodes(tree, &mut |node| {
        let Node::Stmt(stmt) = node else { return true };
        match &stmt.kind {
            StmtKind::Import(names) => {
                for import in names {
                    let path = import.name.of(text);
                    let top = path.split('.').next().unwrap_or(path);
                    match import.alias {
                        Some(alias) => modules.insert(alias.of(text), path.to_owned()),
                        None => modules.insert(top, top.to_owned()),
                    };
                }
            }
            StmtKind::From { module, names } => {
                for import in names {
                    let name = import.alias.unwrap_or(import.name).of(text);
                    let path = format!("{}.{}", module.of(text), import.name.of(text));
                    modules.insert(name, path);
                }
            }
            _ => {}
        }
        true
    });
    modules
}

impl Migrator<'_> {
    /// The module's part that a name and attributes stand for, and how many attributes belong to it.
    pub(super) fn module_path(&self, expr: &Expr) -> Option<(String, usize)> {
        let (base, attributes) = match &expr.kind {
            ExprKind::Name => (expr.span, &[][..]),
            ExprKind::Postfix(postfix) => match postfix.base.kind {
                ExprKind::Name => (postfix.base.span, postfix.ops.as_slice()),
                _ => return None,
            },
            _ => return None,
        };
        let name = self.word(base);
        if self.assigned.contains(name) {
            return None;
        }
        let mut path = self.modules.get(name)?.clone();
        let mut count = 0;
        for op in attributes {
            let PostKind::Attr(name) = op.kind else { break };
            path.push('.');
            path.push_str(self.word(name));
            count += 1;
        }
        Some((path, count))
    }

    /// Removes the imports that nothing needs any more.
    pub(super) fn imports(&mut self, tree: &[Stmt]) {
        let mut found: Vec<(Span, Vec<String>, bool)> = Vec::new();
        nodes(tree, &mut |node| {
            let Node::Block(stmts) = node else { return true };
            let top = std::ptr::eq(stmts, tree);
            for stmt in stmts {
                let only = stmts.len() == 1 && !top;
                if let Some(kept) = self.kept(stmt) {
                    found.push((stmt.span, kept, only));
                }
            }
            true
        });
        for (span, kept, only) in found {
            if self
                .replaced
                .iter()
                .any(|replaced| replaced.range().contains(&(span.start as usize)))
            {
                continue;
            }
            if kept.is_empty() {
                self.remove(span, only);
            } else {
                self.edit(span, kept.join("; "));
            }
        }
    }

    /// What stays of an import, if something goes.
    fn kept(&self, stmt: &Stmt) -> Option<Vec<String>> {
        let written = |import: &ImportName| match import.alias {
            Some(alias) => format!("{} as {}", self.word(import.name), self.word(alias)),
            None => self.word(import.name).to_owned(),
        };
        match &stmt.kind {
            StmtKind::Import(names) => {
                let kept: Vec<String> = names
                    .iter()
                    .filter(|import| {
                        let path = self.word(import.name);
                        let top = path.split('.').next().unwrap_or(path);
                        let name = import.alias.map_or(top, |alias| self.word(alias));
                        let used = self.uses.get(name).is_some_and(|(uses, _)| *uses > 0);
                        let own = is_own_module(path) && !used;
                        !own && !self.is_spent(name)
                    })
                    .map(written)
                    .collect();
                (kept.len() < names.len()).then(|| {
                    if kept.is_empty() { kept } else { vec![format!("import {}", kept.join(", "))] }
                })
            }
            StmtKind::From { module, names } => {
                let module = self.word(*module);
                let own = is_own_module(module);
                if names.is_empty() {
                    return own.then(Vec::new);
                }
                let kept: Vec<String> = names
                    .iter()
                    .filter(|import| {
                        let name = self.word(import.alias.unwrap_or(import.name));
                        if module == "__future__" {
                            return name == "division" && self.divides;
                        }
                        let needless = own && import.alias.is_none();
                        !needless && !self.is_spent(name)
                    })
                    .map(written)
                    .collect();
                (kept.len() < names.len()).then(|| {
                    if kept.is_empty() {
                        kept
                    } else {
                        vec![format!("from {module} import {}", kept.join(", "))]
                    }
                })
            }
            _ => None,
        }
    }

    /// Whether every use of an imported name was rewritten.
    fn is_spent(&self, name: &str) -> bool {
        self.uses.get(name).is_some_and(|(uses, rewritten)| uses == rewritten && *uses > 0)
    }

    /// Notes that a use of the module's name at a place is gone.
    pub(super) fn spend(&mut self, base: Span) {
        let name = self.word(base);
        if let Some((_, rewritten)) = self.uses.get_mut(name) {
            *rewritten += 1;
        }
    }
}
