//! What nobody needs, and what is there for old files only.

use std::collections::HashSet;

use aurora_model::declare::Rule;
use aurora_syntax::tree::{ExprKind, PostKind};
use aurora_syntax::{Span, walk};

use super::{About, Diagnostic, Tag};
use crate::builtin::old_fields;
use crate::names::{DefKind, ScopeKind};
use crate::sure::{Certain, scope_of};

/// Functions that see all names around them.
const SEES_ALL: [&str; 4] = ["locals", "vars", "globals", "include"];

/// Hints about a file.
pub(super) fn hints(about: &About<'_>, certain: &mut Certain<'_>, found: &mut Vec<Diagnostic>) {
    unused(about, found);
    deprecated(about, certain, found);
}

/// Names that are loaded, and variables of functions, which nothing reads.
fn unused(about: &About<'_>, found: &mut Vec<Diagnostic>) {
    let source = about.source;
    if !source.parsed.errors.is_empty() {
        return;
    }
    let uses = || source.names.uses.iter();
    if uses().any(|used| SEES_ALL.contains(&source.slice(used.name))) {
        return;
    }
    let used: HashSet<&str> = uses().map(|used| source.slice(used.name)).collect();
    let is_included = about.world.includers(&source.id).any(|(_, is_include)| is_include);
    // Others may load from here what was loaded here.
    let loaded_on = loaded_from(about);
    for definition in &source.names.definitions {
        let name = source.slice(definition.name);
        if name.starts_with('_') || name.is_empty() || used.contains(name) {
            continue;
        }
        let is_local = source.names.scopes.get(definition.scope).map(|scope| scope.kind)
            == Some(ScopeKind::Function);
        let message = match definition.kind {
            DefKind::Loaded if !is_included && !loaded_on.contains(name) => {
                format!("`{name}` is loaded and never used")
            }
            DefKind::Variable if is_local => format!("`{name}` is never used"),
            _ => continue,
        };
        found.push(Diagnostic::hint(source, definition.name, Tag::Unnecessary, message));
    }
}

/// The names that other files load from a file.
fn loaded_from<'a>(about: &About<'a>) -> HashSet<&'a str> {
    let id = &about.source.id;
    let loaders = about.world.includers(id).filter(|(_, is_include)| !is_include);
    let names = loaders.flat_map(|(file, _)| {
        let all = file.names.inclusions.iter().zip(&file.targets);
        let from_here = all.filter(|(_, target)| target.as_ref() == Some(id));
        from_here
            .flat_map(|(inclusion, _)| inclusion.loaded.iter().flatten())
            .map(|name| file.slice(name.original))
    });
    names.collect()
}

/// Fields that are there for old files only.
fn deprecated(about: &About<'_>, certain: &mut Certain<'_>, found: &mut Vec<Diagnostic>) {
    let source = about.source;
    let names = old_fields();
    walk::everything(&source.parsed.tree, &mut |expr| {
        let ExprKind::Postfix(postfix) = &expr.kind else { return };
        let scope = scope_of(source, &postfix.base);
        for (at, op) in postfix.ops.iter().enumerate() {
            let PostKind::Call(args) = &op.kind else { continue };
            let is_old = |name: Span| names.contains(source.slice(name));
            if !args.iter().filter_map(|arg| arg.name).any(is_old) {
                continue;
            }
            let kind = certain.before(scope, &postfix.base, &postfix.ops[..at]);
            let Some(decl) = kind.and_then(|kind| kind.decl()) else { continue };
            for name in args.iter().filter_map(|arg| arg.name) {
                let field = decl.field(source.slice(name));
                let rules = field.into_iter().flat_map(|field| field.rules);
                for rule in rules {
                    if let Rule::Deprecated(instead) = rule {
                        let message = format!("`{}` is for old files", source.slice(name));
                        let hint = Diagnostic::hint(source, name, Tag::Deprecated, message);
                        found.push(hint.help(*instead));
                    }
                }
            }
        }
    });
}
