//! The names of a file and of its namespace in one table, for what looks at all names of a file.

use std::cmp::Ordering;
use std::sync::Arc;

use aurora_syntax::tree::{Stmt, StmtKind};
use aurora_syntax::{Kind as Word, is_own_module, walk};

use crate::files::Files;
use crate::names::{DefId, Definition, ScopeId};
use crate::source::Source;
use crate::workspace::Snapshot;

/// The names that can be seen from the first of some files, which share a namespace.
#[derive(Debug)]
pub struct Index<'a> {
    files: &'a [Arc<Source>],
    shared: Arc<Files>,
    /// Which of the shared files the first is.
    own: Option<usize>,
}

impl<'a> Index<'a> {
    /// The names of `files`: those of [`Snapshot::namespace`] of the first.
    pub fn new(world: &Snapshot, files: &'a [Arc<Source>]) -> Self {
        let Some(first) = files.first() else {
            return Self { files, shared: Arc::default(), own: None };
        };
        let shared = world.namespace_files(first);
        let own = shared.iter().position(|file| Arc::ptr_eq(file, first));
        Self { files, shared, own }
    }

    /// The definitions of a name that is read in a scope of the first file, as places among the
    /// files and their definitions.
    pub fn find(&self, scope: ScopeId, name: &str) -> Vec<(usize, DefId)> {
        let Some(source) = self.files.first() else { return Vec::new() };
        for scope in source.names.around(scope).filter(|scope| *scope != 0) {
            let found = source.names.in_scope(&source.text, scope, name);
            let found: Vec<_> = found.map(|(id, _)| (0, id)).collect();
            if !found.is_empty() {
                return found;
            }
        }
        self.at_top(name)
    }

    /// The definitions of a name at the top of the files.
    pub fn at_top(&self, name: &str) -> Vec<(usize, DefId)> {
        // The first file comes first here, wherever it stands among those that are shared.
        let own = self.own.unwrap_or(self.shared.len());
        let place = |file: usize| match file.cmp(&own) {
            Ordering::Less => file + 1,
            Ordering::Equal => 0,
            Ordering::Greater => file,
        };
        let mut found: Vec<_> =
            self.shared.at_top(name).map(|(file, id)| (place(file), id)).collect();
        found.sort_unstable();
        found
    }

    /// A definition that was found.
    pub fn get(&self, (file, id): (usize, DefId)) -> (&'a Arc<Source>, &'a Definition) {
        let source = &self.files[file];
        (source, &source.names.definitions[id])
    }

    /// The names that the files define at their top; several times if they are defined so.
    pub fn names(&self) -> impl Iterator<Item = &'a str> {
        self.files.iter().flat_map(|source| {
            let all = source.names.definitions.iter().filter(|definition| definition.scope == 0);
            all.map(|definition| source.slice(definition.name))
        })
    }

    /// The first of the files.
    pub fn source(&self) -> Option<&'a Arc<Source>> {
        self.files.first()
    }
}

/// Whether the names of a namespace are all that the files define: not if one of them includes what
/// is not known or only computed, or takes all names of a module.
pub fn is_whole(world: &Snapshot, files: &[Arc<Source>]) -> bool {
    files.iter().all(|source| {
        let names = &source.names;
        let mut includes = 0;
        for (inclusion, target) in names.inclusions.iter().zip(&source.targets) {
            if inclusion.loaded.is_some() {
                continue;
            }
            includes += 1;
            let target = target.as_ref().filter(|target| !target.is_std());
            if target.is_none_or(|target| world.file(target).is_none()) {
                return false;
            }
        }
        let is_include = |used: &&crate::names::Use| source.slice(used.name) == "include";
        let mentioned = names.uses.iter().filter(is_include).count();
        mentioned == includes && !takes_all(source, &source.parsed.tree)
    })
}

/// Whether statements take all names of a module.
fn takes_all(source: &Source, stmts: &[Stmt]) -> bool {
    stmts.iter().any(|stmt| match &stmt.kind {
        StmtKind::From { module, names } => {
            names.is_empty() && !is_own_module(source.slice(*module))
        }
        _ => walk::blocks(stmt).iter().any(|block| takes_all(source, &block.stmts)),
    })
}

/// The names that a text seems to define in parts that cannot be read, or that the language refuses.
pub fn perhaps_defined(source: &Source) -> Vec<&str> {
    if source.parsed.errors.is_empty() && source.parsed.refused.is_empty() {
        return Vec::new();
    }
    let tokens = source.tokens();
    let is_definition = |at: usize| {
        let before = at.checked_sub(1).and_then(|before| tokens.get(before)).map(|t| t.kind);
        let after = tokens.get(at + 1).map(|token| token.kind);
        matches!(before, Some(Word::Def | Word::Class | Word::As | Word::For | Word::Import))
            || matches!(after, Some(Word::Eq | Word::Walrus | Word::Comma | Word::In))
    };
    let all = tokens.iter().enumerate();
    all.filter(|(at, token)| token.kind == Word::Name && is_definition(*at))
        .map(|(_, token)| source.slice(token.span))
        .collect()
}
