//! Rewrites Python, as `.aurora` files use it, into Starlark of the same meaning.
//!
//! What Starlark reads alike is copied. The rest becomes calls of functions whose names begin with
//! `__au_`, which the evaluation defines.

mod expr;
mod literal;
mod map;
mod names;
mod stmt;
mod writer;

use std::collections::BTreeMap;

pub(crate) use expr::is_simple;
pub use map::SpanMap;

use crate::error::SyntaxError;
use crate::parser::Parsed;
use crate::span::Span;
use crate::tree::{Stmt, StmtKind};
use names::Names;
use writer::Writer;

/// A text for the interpreter.
#[derive(Debug, Default)]
pub struct Desugared {
    /// The text; empty if there are errors.
    pub text: String,
    /// Where its parts were written.
    pub map: SpanMap,
    /// What is wrong, and what the language refuses.
    pub errors: Vec<SyntaxError>,
}

/// Rewrites a text that was read. `known` says whether a name is defined in every file.
pub fn desugar(parsed: &Parsed, text: &str, known: &dyn Fn(&str) -> bool) -> Desugared {
    let mut errors: Vec<SyntaxError> =
        parsed.errors.iter().chain(&parsed.refused).cloned().collect();
    errors.sort_by_key(|error| (error.range.start, error.range.end));
    if !errors.is_empty() {
        return Desugared { errors, ..Desugared::default() };
    }
    let mut rewriter = Rewriter::new(parsed, text, known);
    rewriter.stmts(&parsed.tree);
    let mut writer = rewriter.writer;
    writer.copy_to(u32::try_from(text.len()).unwrap_or(u32::MAX));
    if !rewriter.errors.is_empty() {
        return Desugared { errors: rewriter.errors, ..Desugared::default() };
    }
    Desugared { text: writer.out, map: writer.map, errors: Vec::new() }
}

/// Whether a module is one of the language's own, whose names every file has.
pub fn is_own_module(module: &str) -> bool {
    let under = |parent: &str| {
        module.strip_prefix(parent).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
    };
    under("pystachio")
        || under("apache.aurora")
        || under("apache.thermos")
        || under("gen.apache")
        || under("__future__")
        || (under("twitter")
            && module.split('.').any(|part| matches!(part, "aurora" | "thermos" | "mesos")))
}

/// Names that Starlark keeps to itself and Python 2 does not.
pub(crate) fn reserved(name: &str) -> Option<&'static str> {
    match name {
        "load" => Some("__au_load"),
        "async" => Some("__au_async"),
        "await" => Some("__au_await"),
        "nonlocal" => Some("__au_nonlocal"),
        _ => None,
    }
}

/// How a name of the file is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Found {
    /// As it is.
    Plain,
    /// Looked up by `__au_name` when it is needed.
    Late,
}

struct Rewriter<'a> {
    text: &'a str,
    known: &'a dyn Fn(&str) -> bool,
    writer: Writer<'a>,
    errors: Vec<SyntaxError>,
    /// What the file defines.
    file: Names<'a>,
    found: BTreeMap<&'a str, Found>,
    /// What functions and comprehensions around define, innermost last.
    scopes: Vec<Names<'a>>,
    /// The fields so far of the struct that is being declared, and how many scopes are around it.
    fields: Option<(usize, Names<'a>)>,
    /// Whether `/` gives fractions.
    division: bool,
    /// Whether text without prefix is as with `u`.
    unicode: bool,
    /// The column of the block.
    indent: u32,
}

impl<'a> Rewriter<'a> {
    fn new(parsed: &'a Parsed, text: &'a str, known: &'a dyn Fn(&str) -> bool) -> Self {
        let mut file = Names::new();
        names::defined(text, &parsed.tree, &mut file);
        let future = |name: &str| {
            parsed.tree.iter().any(|stmt: &Stmt| match &stmt.kind {
                StmtKind::From { module, names } if module.of(text) == "__future__" => {
                    names.iter().any(|import| import.name.of(text) == name)
                }
                _ => false,
            })
        };
        Self {
            text,
            known,
            writer: Writer::new(text, &parsed.odd),
            errors: Vec::new(),
            file,
            found: BTreeMap::new(),
            scopes: Vec::new(),
            fields: None,
            division: future("division"),
            unicode: future("unicode_literals"),
            indent: 0,
        }
    }

    fn word(&self, span: Span) -> &'a str {
        span.of(self.text)
    }

    fn error(&mut self, error: SyntaxError) {
        if self.errors.len() < crate::lexer::MAX_ERRORS {
            self.errors.push(error);
        }
    }

    /// Whether the name is a field of the struct that is being declared.
    fn is_field(&self, name: &str) -> bool {
        self.fields.as_ref().is_some_and(|(around, fields)| {
            fields.contains(name)
                && !self.scopes.iter().skip(*around).any(|scope| scope.contains(name))
        })
    }

    fn find(&mut self, name: &'a str) -> Found {
        if self.scopes.iter().any(|scope| scope.contains(name)) {
            return Found::Plain;
        }
        if let Some(found) = self.found.get(name) {
            return *found;
        }
        let defined = self.file.contains(name);
        let known = matches!(name, "None" | "True" | "False") || (self.known)(name);
        // What the file defines anew under a known name has its old meaning until then, which the
        // interpreter cannot tell.
        let found = if defined != known { Found::Plain } else { Found::Late };
        self.found.insert(name, found);
        found
    }

    /// Writes a name that is read.
    fn name(&mut self, span: Span) {
        let name = self.word(span);
        if self.is_field(name) {
            self.writer.replace(span, &format!("__au_f_{name}"));
            return;
        }
        match (self.find(name), reserved(name)) {
            (Found::Plain, None) => {}
            (Found::Plain, Some(other)) => self.writer.replace(span, other),
            (Found::Late, other) => {
                let name = other.unwrap_or(name);
                self.writer.replace(span, &format!("__au_name(\"{name}\")"));
            }
        }
    }

    /// Writes a name that is defined.
    fn defines(&mut self, span: Span) {
        if self.fields.as_ref().is_some_and(|(around, _)| *around == self.scopes.len()) {
            self.writer.replace(span, &format!("__au_f_{}", self.word(span)));
        } else if let Some(other) = reserved(self.word(span)) {
            self.writer.replace(span, other);
        }
    }
}
