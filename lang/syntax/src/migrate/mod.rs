//! Rewrites a file as Python 2 has it into the plain form of the language, which an editor, a
//! reader and Starlark's own tools understand. Comments and layout stay, and what the file means.

mod expr;
mod imports;
mod structs;

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use crate::error::{Edit, SyntaxError};
use crate::parser::{Parsed, parse};
use crate::span::Span;
use crate::tree::{Expr, ExprKind, Stmt, StmtKind};
use crate::walk::{Node, nodes};

/// What became of a file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Migration {
    /// The new text.
    pub text: String,
    /// What was changed, in order, in places of the old text.
    pub edits: Vec<Edit>,
    /// What a person must see to.
    pub notes: Vec<Note>,
}

/// What a person must see to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    /// Where, in the old text.
    pub range: Range<usize>,
    /// What, and how.
    pub message: String,
}

/// Rewrites a file into the plain form of the language.
///
/// # Errors
/// What is wrong with the text. What the language refuses is no error here: the notes tell of it.
pub fn migrate(text: &str) -> Result<Migration, Vec<SyntaxError>> {
    let parsed = parse(text);
    if !parsed.errors.is_empty() {
        return Err(parsed.errors);
    }
    let mut migrator = Migrator::new(&parsed, text);
    migrator.layout(&parsed);
    nodes(&parsed.tree, &mut |node| migrator.node(node));
    migrator.imports(&parsed.tree);
    for error in &parsed.refused {
        let handled = migrator
            .replaced
            .iter()
            .any(|span| span.range().contains(&error.range.start) || span.range() == error.range);
        if !handled {
            let help = error.help.as_ref().map_or(String::new(), |help| format!(": {help}"));
            migrator.notes.push(Note {
                range: error.range.clone(),
                message: format!("{}{help}", error.message),
            });
        }
    }
    Ok(migrator.finish())
}

struct Migrator<'a> {
    text: &'a str,
    /// Each with its rank among those at one place.
    edits: Vec<(i64, Edit)>,
    notes: Vec<Note>,
    /// What names of modules and their parts are called here.
    modules: BTreeMap<&'a str, String>,
    /// How often each of them is used, and how often that was rewritten.
    uses: BTreeMap<&'a str, (usize, usize)>,
    /// Every name that is defined anywhere, imports aside.
    assigned: BTreeSet<&'a str>,
    /// Names that are given something that is no type.
    constants: BTreeSet<&'a str>,
    /// Where texts and comparisons are operands, and need parentheses.
    operands: BTreeSet<u32>,
    /// Whether text without prefix is as with `u`.
    unicode: bool,
    /// Whether `/` gives fractions.
    division: bool,
    /// Whether there is a `/`.
    divides: bool,
    /// Statements that were replaced as a whole.
    replaced: Vec<Span>,
}

impl<'a> Migrator<'a> {
    fn new(parsed: &Parsed, text: &'a str) -> Self {
        let mut migrator = Self {
            text,
            edits: Vec::new(),
            notes: Vec::new(),
            modules: imports::modules(&parsed.tree, text),
            uses: BTreeMap::new(),
            assigned: BTreeSet::new(),
            constants: BTreeSet::new(),
            operands: BTreeSet::new(),
            unicode: imports::future(&parsed.tree, text, "unicode_literals"),
            division: imports::future(&parsed.tree, text, "division"),
            divides: false,
            replaced: Vec::new(),
        };
        nodes(&parsed.tree, &mut |node| {
            migrator.survey(node);
            true
        });
        migrator
    }

    /// Notes what is defined and used.
    fn survey(&mut self, node: Node<'_>) {
        match node {
            Node::Param(param) => {
                self.assigned.extend(param.name.map(|name| name.of(self.text)));
            }
            Node::Stmt(stmt) => match &stmt.kind {
                StmtKind::Def { name, .. } | StmtKind::Class { name, .. } => {
                    self.assigned.insert(name.of(self.text));
                }
                StmtKind::Assign { targets, value } => {
                    targets.iter().for_each(|target| self.define(target));
                    if structs::is_no_type(self.text, value) {
                        let names = targets.iter().filter(|target| target.kind == ExprKind::Name);
                        self.constants.extend(names.map(|name| name.span.of(self.text)));
                    }
                }
                StmtKind::For { target, .. }
                | StmtKind::Augmented { target, .. }
                | StmtKind::Annotated { target, .. } => self.define(target),
                _ => {}
            },
            Node::Expr(expr) => match &expr.kind {
                ExprKind::Name => {
                    let name = expr.span.of(self.text);
                    if self.modules.contains_key(name) {
                        self.uses.entry(name).or_default().0 += 1;
                    }
                }
                ExprKind::Comp(comp) => {
                    for clause in &comp.clauses {
                        if let crate::tree::Clause::For { target, .. } = clause {
                            self.define(target);
                        }
                    }
                }
                ExprKind::Chain(chain) => {
                    self.divides |=
                        chain.rest.iter().any(|(op, _)| op.kind == crate::token::Kind::Slash);
                }
                _ => {}
            },
            Node::Block(_) => {}
        }
    }

    fn define(&mut self, target: &Expr) {
        match &target.kind {
            ExprKind::Name => {
                self.assigned.insert(target.span.of(self.text));
            }
            ExprKind::Tuple { items, .. } | ExprKind::List(items) => {
                items.iter().for_each(|item| self.define(item));
            }
            ExprKind::Paren(inner) => self.define(inner),
            _ => {}
        }
    }

    fn word(&self, span: Span) -> &'a str {
        span.of(self.text)
    }

    fn edit(&mut self, span: Span, text: impl Into<String>) {
        let rank = i64::try_from(self.edits.len()).unwrap_or(i64::MAX);
        self.edits.push((rank, Edit { range: span.range(), text: text.into() }));
    }

    /// Writes something before what begins at a place; outer parts say so first.
    fn before(&mut self, at: u32, text: &str) {
        self.edit(Span::new(at, at), text);
    }

    /// Writes something after what ends at a place, and after what inner parts will write there.
    fn after(&mut self, at: u32, text: &str) {
        let rank = -i64::try_from(self.edits.len()).unwrap_or(i64::MAX) - 1;
        let at = at as usize;
        self.edits.push((rank, Edit { range: at..at, text: text.to_owned() }));
    }

    fn note(&mut self, span: Span, message: impl Into<String>) {
        self.notes.push(Note { range: span.range(), message: message.into() });
    }

    /// Whether the file leaves a name of the language as it is.
    fn is_free(&mut self, name: &'static str, span: Span) -> bool {
        let free = !self.assigned.contains(name);
        if !free {
            self.note(span, format!("the file uses the name `{name}`, which would be used here"));
        }
        free
    }

    /// Tabs and other signs that are no plain blanks.
    fn layout(&mut self, parsed: &Parsed) {
        for odd in &parsed.odd {
            let newline = if odd.newline { "\n" } else { "" };
            self.edit(odd.span, format!("{newline}{}", " ".repeat(odd.spaces as usize)));
        }
    }

    fn node(&mut self, node: Node<'_>) -> bool {
        match node {
            Node::Stmt(stmt) => self.stmt(stmt),
            Node::Expr(expr) => self.expr(expr),
            Node::Param(_) | Node::Block(_) => true,
        }
    }

    fn stmt(&mut self, stmt: &Stmt) -> bool {
        match &stmt.kind {
            StmtKind::Class { name, bases, body } => {
                self.class(stmt.span, *name, bases, body);
            }
            StmtKind::Print { values, .. } => {
                let head = Span::new(stmt.span.start, stmt.span.start + 5);
                let refused = self.word(stmt.span)[5..].trim_start().starts_with(">>");
                if refused {
                    return true;
                }
                match (values.first(), values.last()) {
                    (Some(first), Some(last)) => {
                        self.edit(Span::new(head.end, first.span.start), "(");
                        self.edit(Span::new(last.span.end, stmt.span.end), ")");
                    }
                    _ => self.after(head.end, "()"),
                }
            }
            StmtKind::Refused(_) => return !self.checksum(stmt),
            StmtKind::Raise(values) => {
                if let [name, value] = values.as_slice()
                    && matches!(name.kind, ExprKind::Name)
                {
                    self.edit(Span::new(name.span.end, value.span.start), "(");
                    self.after(value.span.end, ")");
                }
            }
            _ => {}
        }
        true
    }

    /// The line of a statement, if nothing else stands on it, its comment and end included.
    fn whole_line(&self, span: Span) -> Option<Span> {
        let before = self.text.get(..span.start as usize)?;
        let start = before.rfind(['\n', '\r']).map_or(0, |at| at + 1);
        let indentation = before.get(start..)?.trim_start_matches('\u{feff}');
        let after = self.text.get(span.end as usize..)?;
        let length = after.find('\n').map_or(after.len(), |at| at + 1);
        let rest = after.get(..length)?;
        let alone = indentation.trim().is_empty() && rest.trim().is_empty();
        let end = span.end + u32::try_from(length).unwrap_or(0);
        alone.then(|| Span::new(u32::try_from(start).unwrap_or(0), end))
    }

    /// Removes a statement, or puts `pass` in its place.
    fn remove(&mut self, stmt: Span, only: bool) {
        match self.whole_line(stmt) {
            Some(line) if !only => self.edit(line, ""),
            _ => self.edit(stmt, "pass"),
        }
    }

    fn finish(mut self) -> Migration {
        // Of those that begin together, what is only inserted comes first, then what reaches farther.
        self.edits.sort_by_key(|(rank, edit)| {
            let Range { start, end } = edit.range;
            (start, start < end, Reverse(end), *rank)
        });
        let mut text = String::with_capacity(self.text.len());
        let mut edits: Vec<Edit> = Vec::with_capacity(self.edits.len());
        let mut at = 0;
        for (_, edit) in self.edits {
            // What stands in something that was replaced is gone with it.
            if edit.range.start < at {
                continue;
            }
            text.push_str(self.text.get(at..edit.range.start).unwrap_or_default());
            text.push_str(&edit.text);
            at = edit.range.end;
            if self.text.get(edit.range.clone()) != Some(&edit.text) {
                edits.push(edit);
            }
        }
        text.push_str(self.text.get(at..).unwrap_or_default());
        self.notes.sort_by_key(|note| (note.range.start, note.range.end));
        self.notes.dedup();
        if parse(&text).errors.is_empty() {
            return Migration { text, edits, notes: self.notes };
        }
        let message = "this file cannot be rewritten by itself".to_owned();
        self.notes.insert(0, Note { range: 0..0, message });
        Migration { text: self.text.to_owned(), edits: Vec::new(), notes: self.notes }
    }
}
