//! Doubts about the names of files.

use std::collections::{BTreeMap, BTreeSet};

use aurora_syntax::tree::{Expr, ExprKind, PostKind, Stmt, StmtKind};
use aurora_syntax::{Parsed, Span};
use aurora_template::object::{Bound, Kind, Object, Scope};
use aurora_template::types::Plain;
use aurora_template::{Address, Component};

use crate::codes::Code;
use crate::globals::is_global;
use crate::report::Report;
use crate::sources::Sources;
use aurora_syntax::walk;

/// Names that a file may define although the language knows them: it asks for them by these names.
const ASKED_FOR: [&str; 2] = ["jobs", "hooks"];
/// Functions whose names are the ordinary words for what files keep in variables, as in
/// `for env in ("staging", "prod")`: a later call of the function fails, which says enough.
const ORDINARY: [&str; 2] = ["env", "user"];

/// What is doubtful about the names that files define and bind.
pub(crate) fn of_files(sources: &Sources, jobs: &[&Object]) -> Vec<Report> {
    let mut referred = Referred::default();
    for (_, text) in sources.files() {
        referred.add_text(text);
    }
    let files: Vec<_> =
        sources.files().filter_map(|(file, _)| Some((file, sources.parsed(file)?))).collect();
    let files: Vec<File<'_>> =
        files.iter().map(|(name, (text, parsed))| File { name, text, parsed, sources }).collect();
    let unused = |referred: &Referred| -> Vec<Vec<Report>> {
        files.iter().map(|file| file.unused_bindings(referred)).collect()
    };
    // What the files say is nearly always all; to look through what many jobs have come to takes longer than to
    // evaluate one of them.
    let mut bindings = unused(&referred);
    if bindings.iter().any(|of_file| !of_file.is_empty()) {
        for job in jobs {
            referred.add_object(job);
        }
        bindings = unused(&referred);
    }
    let mut found = Vec::new();
    for (file, bindings) in files.iter().zip(bindings) {
        found.extend(bindings);
        found.extend(file.redefined());
        found.extend(file.shadowed());
    }
    found
}

/// The names that references have somewhere.
#[derive(Default)]
struct Referred {
    names: BTreeSet<String>,
    /// What the names of references begin with that are put together when they are evaluated.
    begun: BTreeSet<String>,
}

impl Referred {
    /// Takes the references of a text, and what becomes one later. Braces of other languages do no
    /// harm: a name too many is only a warning too few.
    fn add_text(&mut self, text: &str) {
        let escaped = aurora_template::escapes(text).map(|(inner, _)| inner.trim_matches('&'));
        for inner in aurora_template::references(text).map(|(inner, _)| inner).chain(escaped) {
            let Ok(address) = inner.parse::<Address>() else { continue };
            for component in address.components() {
                let (Component::Name(name) | Component::Index(name)) = component;
                if !self.names.contains(name) {
                    self.names.insert(name.clone());
                }
            }
        }
        for begun in aurora_template::beginnings(text) {
            let is_open = !begun.ends_with(['.', '[', ']']);
            let mut parts: Vec<&str> = begun.split(['.', '[', ']']).collect();
            if let Some(last) = parts.pop().filter(|last| is_open && !last.is_empty()) {
                self.begun.insert(last.trim_matches('&').to_owned());
            }
            self.names.extend(parts.into_iter().map(|part| part.trim_matches('&').to_owned()));
        }
    }

    fn has(&self, name: &str) -> bool {
        // What begins with nothing may be anything, which tells nothing.
        self.names.contains(name)
            || self.begun.iter().any(|begun| !begun.is_empty() && name.starts_with(&**begun))
    }

    fn add_object(&mut self, object: &Object) {
        for scope in object.scopes() {
            match scope {
                Scope::Object(object) => self.add_object(object),
                Scope::Names(names) => {
                    for (_, bound) in names.iter() {
                        match bound {
                            Bound::Text(text) => self.add_text(text),
                            Bound::Object(object) => self.add_object(object),
                        }
                    }
                }
            }
        }
        match object.kind() {
            Kind::Scalar(value) => self.add_plain(value),
            Kind::Choice(value) => self.add_plain(value),
            Kind::List(items) => items.iter().for_each(|item| self.add_object(item)),
            Kind::Map(entries) => entries.iter().for_each(|(key, value)| {
                self.add_object(key);
                self.add_object(value);
            }),
            Kind::Struct(fields) => {
                fields.iter().flatten().for_each(|field| self.add_object(field))
            }
        }
    }

    fn add_plain(&mut self, value: &Plain) {
        match value {
            Plain::Text(text) => self.add_text(text),
            Plain::Object(object) => self.add_object(object),
            Plain::List(items) => items.iter().for_each(|item| self.add_plain(item)),
            Plain::Map(entries) => entries.iter().for_each(|(key, value)| {
                self.add_plain(key);
                self.add_plain(value);
            }),
            _ => {}
        }
    }
}

struct File<'a> {
    name: &'a str,
    text: &'a str,
    parsed: &'a Parsed,
    sources: &'a Sources,
}

impl File<'_> {
    fn report(&self, code: Code, span: Span, message: String) -> Report {
        Report::new(code, message).at(self.sources, self.name, span.range(), "here")
    }

    fn unused_bindings(&self, referred: &Referred) -> Vec<Report> {
        let mut found = Vec::new();
        walk::everything(&self.parsed.tree, &mut |expression| {
            let ExprKind::Postfix(postfix) = &expression.kind else { return };
            for pair in postfix.ops.windows(2) {
                if let [name, call] = pair
                    && let (PostKind::Attr(name), PostKind::Call(arguments)) =
                        (&name.kind, &call.kind)
                    && name.of(self.text) == "bind"
                {
                    let unused = arguments
                        .iter()
                        .filter_map(|argument| argument.name)
                        .filter(|name: &Span| !referred.has(name.of(self.text)));
                    found.extend(unused.map(|name| self.unused(name, referred)));
                }
            }
        });
        found
    }

    fn unused(&self, name: Span, referred: &Referred) -> Report {
        let text = name.of(self.text);
        let message = format!("`{text}` is bound, but nothing refers to {{{{{text}}}}}");
        let report = self.report(Code::UnusedBinding, name, message);
        let known = referred.names.iter().map(String::as_str);
        match aurora_template::types::nearest(text, known) {
            Some(near) => {
                report.with_help(format!("did you mean `{near}`?")).with_suggestion_for(text)
            }
            None => report.with_help(format!(
                "write {{{{{text}}}}} where its value belongs, or leave it out"
            )),
        }
    }

    /// Names at the top of the file that are defined anew before anything could use them.
    fn redefined(&self) -> Vec<Report> {
        let mut last: BTreeMap<&str, Span> = BTreeMap::new();
        let mut found = Vec::new();
        let in_functions = self.in_functions();
        for statement in &self.parsed.tree {
            let mut defined = Vec::new();
            self.definitions(statement, &mut defined);
            // Who calls a function uses the names in it, wherever that is.
            defined.retain(|(name, _)| !in_functions.contains(name));
            let is_plain = matches!(
                statement.kind,
                StmtKind::Assign { .. } | StmtKind::Def { .. } | StmtKind::Class { .. }
            );
            // An include sees all names.
            let uses = self.uses(statement);
            if uses.contains("include") || uses.contains("globals") || uses.contains("vars") {
                last.clear();
            }
            for name in &uses {
                last.remove(name);
            }
            if !is_plain {
                for (name, _) in defined {
                    last.remove(name);
                }
                continue;
            }
            for (name, span) in defined {
                if let Some(before) = last.insert(name, span) {
                    let message = format!("`{name}` is defined twice: this value is never used");
                    found.push(
                        self.report(Code::RedefinedName, before, message)
                            .near(self.sources, self.name, span.range(), "defined again here")
                            .with_help("give one of the two another name, or take one away"),
                    );
                }
            }
        }
        found
    }

    /// The names that functions read.
    fn in_functions(&self) -> BTreeSet<&str> {
        let mut found = BTreeSet::new();
        for statement in &self.parsed.tree {
            self.functions(statement, &mut found);
        }
        walk::everything(&self.parsed.tree, &mut |expression| {
            if let ExprKind::Lambda(_) = expression.kind {
                walk::all(expression, &mut |part| {
                    if part.kind == ExprKind::Name {
                        found.insert(part.span.of(self.text));
                    }
                });
            }
        });
        found
    }

    fn functions<'s>(&'s self, statement: &Stmt, into: &mut BTreeSet<&'s str>) {
        if let StmtKind::Def { .. } = statement.kind {
            into.extend(self.uses(statement));
        } else {
            for block in walk::blocks(statement) {
                block.stmts.iter().for_each(|inner| self.functions(inner, into));
            }
        }
    }

    /// Names of the language that the file defines for itself.
    fn shadowed(&self) -> Vec<Report> {
        let mut found = Vec::new();
        let mut seen = BTreeSet::new();
        for statement in &self.parsed.tree {
            let mut defined = Vec::new();
            self.definitions(statement, &mut defined);
            for (name, span) in defined {
                let is_free = ASKED_FOR.contains(&name) || ORDINARY.contains(&name);
                if is_global(name) && !is_free && seen.insert(name) {
                    let message = format!("`{name}` is a name of the language: this hides it");
                    found.push(
                        self.report(Code::ShadowedName, span, message)
                            .with_help("choose another name"),
                    );
                }
            }
        }
        found
    }

    /// The names that a statement defines at the top of the file.
    fn definitions<'s>(&'s self, statement: &Stmt, into: &mut Vec<(&'s str, Span)>) {
        let mut add = |span: Span| into.push((span.of(self.text), span));
        match &statement.kind {
            StmtKind::Assign { targets, .. } => {
                targets.iter().for_each(|target| names_in(target, &mut add));
            }
            StmtKind::Annotated { target, .. } => names_in(target, &mut add),
            StmtKind::Def { name, .. } | StmtKind::Class { name, .. } => add(*name),
            StmtKind::For { target, body, .. } => {
                names_in(target, &mut add);
                body.stmts.iter().for_each(|inner| self.definitions(inner, into));
            }
            StmtKind::If { .. } | StmtKind::While { .. } => {
                for block in walk::blocks(statement) {
                    block.stmts.iter().for_each(|inner| self.definitions(inner, into));
                }
            }
            _ => {}
        }
    }

    /// The names that a statement reads, and those under it.
    fn uses(&self, statement: &Stmt) -> BTreeSet<&str> {
        let mut found = BTreeSet::new();
        let mut visit = |expression: &Expr| {
            walk::all(expression, &mut |part| {
                if part.kind == ExprKind::Name {
                    found.insert(part.span.of(self.text));
                }
            });
        };
        match &statement.kind {
            // Being assigned to is no use, unless a part of it is.
            StmtKind::Assign { targets, value } => {
                targets.iter().filter(|t| t.kind != ExprKind::Name).for_each(&mut visit);
                visit(value);
            }
            _ => walk::expressions(statement, &mut |expression| visit(expression)),
        }
        for block in walk::blocks(statement) {
            for inner in &block.stmts {
                found.extend(self.uses(inner));
            }
        }
        found
    }
}

/// The names in what is assigned to.
fn names_in(target: &Expr, visit: &mut dyn FnMut(Span)) {
    match &target.kind {
        ExprKind::Name => visit(target.span),
        ExprKind::Tuple { items, .. } | ExprKind::List(items) => {
            items.iter().for_each(|item| names_in(item, visit));
        }
        ExprKind::Paren(inner) => names_in(inner, visit),
        _ => {}
    }
}
