//! What an editor shows between the words of a text: what texts with references come to, the kinds
//! of names, the defaults that are in force.

use std::collections::BTreeSet;
use std::sync::Arc;

use aurora_model::config::Job;
use aurora_model::declare::FieldDecl;
use aurora_model::docs::default_in_language;
use aurora_syntax::tree::{Arg, ExprKind, PostKind, Postfix, Star};
use aurora_syntax::{Span, walk};

use crate::builtin::Builtin;
use crate::declaration::beginning;
use crate::names::{DefKind, Definition, Template};
use crate::resolve::{Definitive, Meaning, meaning};
use crate::source::{FileId, Source};
use crate::types::{Kind, expression_at, kind_of_definition};
use crate::values::{Values, human, values_in};
use crate::workspace::Snapshot;

/// How much of a value is shown, in bytes.
const MAX_SHOWN: usize = 60;
/// How many hints one answer has.
const MAX_HINTS: usize = 2000;
/// The fields of a job whose defaults are shown: what one asks of a job that does not say it.
const IMPORTANT: [&str; 3] = ["instances", "priority", "max_task_failures"];

/// Something to be shown in the text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hint {
    /// Before which byte.
    pub at: u32,
    /// What is shown.
    pub label: String,
    /// The kind.
    pub kind: HintKind,
    /// What is told when one points at it, as Markdown; may be empty.
    pub docs: String,
}

/// The kinds of hints.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum HintKind {
    /// What a text with references comes to.
    Value,
    /// The default of a field that is not given.
    Default,
    /// The struct that a name means.
    Type,
}

/// Which hints are wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HintOptions {
    /// Those of [`HintKind::Value`].
    pub values: bool,
    /// Those of [`HintKind::Default`].
    pub defaults: bool,
    /// Those of [`HintKind::Type`].
    pub types: bool,
}

impl Default for HintOptions {
    fn default() -> Self {
        Self { values: true, defaults: true, types: true }
    }
}

/// The hints of a part of a file, in the order of the text.
pub fn hints(world: &Snapshot, file: &FileId, part: Span, options: HintOptions) -> Vec<Hint> {
    let Some(source) = world.file(file) else { return Vec::new() };
    let mut found = Vec::new();
    if options.values {
        values(world, source, part, &mut found);
    }
    if options.defaults {
        defaults(world, source, part, &mut found);
    }
    if options.types {
        types(world, source, part, &mut found);
    }
    found.retain(|hint| part.start <= hint.at && hint.at <= part.end);
    found.sort_by_key(|hint| (hint.at, hint.kind));
    found.truncate(MAX_HINTS);
    found
}

fn values(world: &Snapshot, source: &Arc<Source>, part: Span, out: &mut Vec<Hint>) {
    let templates = &source.names.templates;
    let from = templates.partition_point(|template| template.literal.end < part.start);
    let here = |template: &&Template| template.literal.start <= part.end;
    let templates: Vec<&Template> =
        templates.get(from..).unwrap_or_default().iter().take_while(here).collect();
    let (Some(first), Some(last)) = (templates.first(), templates.last()) else { return };
    let all = values_in(world, source, Span::new(first.literal.start, last.literal.end));
    let mut shown = BTreeSet::new();
    for template in templates {
        let Some(text) = text_around(source, template.literal) else { continue };
        // Literals that stand one after the other are one text.
        if shown.insert(text.span.start) {
            out.extend(value_hint(source, text, &all));
        }
    }
}

/// The text that a literal is a part of.
fn text_around(source: &Source, literal: Span) -> Option<&aurora_syntax::tree::Expr> {
    let mut found = None;
    walk::around(&source.parsed.tree, literal, &mut |expr| {
        if matches!(expr.kind, ExprKind::Str(_)) {
            found = Some(expr);
        }
    });
    found
}

fn value_hint(source: &Source, text: &aurora_syntax::tree::Expr, all: &Values<'_>) -> Option<Hint> {
    let ExprKind::Str(pieces) = &text.kind else { return None };
    let written = aurora_syntax::value(&source.text, pieces).value;
    let found = all.at(text.span);
    let field = all.field_at(text.span);
    let label = match found.only() {
        Some(value) if value == written => return None,
        Some(value) => match field.and_then(|field| human(field, value)) {
            Some(human) => format!("= {human}"),
            None => format!("= {}", shortened(value)),
        },
        None if found.is_empty() => return None,
        None => format!("= {} values", found.count()),
    };
    Some(Hint { at: text.span.end, label, kind: HintKind::Value, docs: found.markdown(field) })
}

/// Whether an argument says that a job is a service, or may do so.
fn is_given_service(source: &Source, arg: &Arg) -> bool {
    let is_false = arg.value.kind == ExprKind::Name && source.slice(arg.value.span) == "False";
    arg.name.is_some_and(|name| source.slice(name) == "service") && !is_false
}

/// The beginning of a value, in one line.
fn shortened(value: &str) -> String {
    let mut lines = value.trim().lines();
    let first = lines.next().unwrap_or_default();
    let cut = beginning(first, MAX_SHOWN);
    let is_all = cut.len() == first.len() && lines.next().is_none();
    format!("{cut}{}", if is_all { "" } else { "…" })
}

fn defaults(world: &Snapshot, source: &Arc<Source>, part: Span, out: &mut Vec<Hint>) {
    let statements = &source.parsed.tree;
    let from = statements.partition_point(|statement| statement.span.end < part.start);
    let here = statements.get(from..).unwrap_or_default();
    let count = here.partition_point(|statement| statement.span.start <= part.end);
    walk::everything(&here[..count], &mut |expr| {
        let touches = expr.span.start <= part.end && part.start <= expr.span.end;
        if let ExprKind::Postfix(postfix) = &expr.kind
            && touches
        {
            out.extend(default_hint(world, source, postfix));
        }
    });
}

/// The defaults of a job that is made from nothing; a copy has what its original has.
fn default_hint(world: &Snapshot, source: &Arc<Source>, postfix: &Postfix) -> Option<Hint> {
    let op = postfix.ops.first()?;
    let PostKind::Call(args) = &op.kind else { return None };
    if postfix.base.kind != ExprKind::Name || args.iter().any(|arg| arg.star != Star::No) {
        return None;
    }
    let scope = source.names.scope_at(postfix.base.span.start);
    let is_service = match meaning(world, source, scope, source.slice(postfix.base.span))? {
        Meaning::Builtin(_, Builtin::Struct(decl)) if decl.name == Job::DECL.name => false,
        Meaning::Builtin(_, Builtin::Object(object)) if object.ty.name == Job::DECL.name => true,
        _ => return None,
    };
    // An unfinished call has no bracket to stand before.
    let close = op.span.end.checked_sub(1)?;
    if source.slice(Span::new(close, op.span.end)) != ")" {
        return None;
    }
    let given: Vec<&str> = args.iter().filter_map(|arg| Some(source.slice(arg.name?))).collect();
    let is_service = is_service || args.iter().any(|arg| is_given_service(source, arg));
    let is_missing = |field: &&FieldDecl| {
        let matters = field.name != "max_task_failures" || !is_service;
        IMPORTANT.contains(&field.name) && matters && !given.contains(&field.name)
    };
    let missing: Vec<&FieldDecl> = Job::DECL.fields.iter().filter(is_missing).collect();
    let told = missing
        .iter()
        .filter_map(|field| Some(format!("{} = {}", field.name, default_in_language(field)?)));
    let label = told.collect::<Vec<_>>().join(", ");
    if label.is_empty() {
        return None;
    }
    let docs = missing.iter().map(|field| crate::docs::of_field(Job::DECL, field));
    let docs = docs.collect::<Vec<_>>().join("\n\n");
    Some(Hint { at: close, label, kind: HintKind::Default, docs })
}

fn types(world: &Snapshot, source: &Arc<Source>, part: Span, out: &mut Vec<Hint>) {
    let all = &source.names.definitions;
    let from = all.partition_point(|definition| definition.name.end < part.start);
    let here = all.iter().enumerate().skip(from);
    for (id, definition) in here.take_while(|(_, other)| other.name.start <= part.end) {
        let is_name = matches!(definition.kind, DefKind::Variable | DefKind::Loop);
        if !is_name || is_made_here(world, source, definition) || out.len() >= MAX_HINTS {
            continue;
        }
        let kind = kind_of_definition(world, &Definitive { source: source.clone(), id });
        let name = match &kind {
            Kind::Struct(decl) => decl.name.to_owned(),
            Kind::Own(class) => class.name().to_owned(),
            _ => continue,
        };
        let docs = match &kind {
            Kind::Struct(decl) => crate::docs::of_struct(decl),
            Kind::Own(class) => crate::docs::of_definition(class).text,
            _ => String::new(),
        };
        let label = format!(": {name}");
        out.push(Hint { at: definition.name.end, label, kind: HintKind::Type, docs });
    }
}

/// Whether the value begins with the name of the struct that it is, so that everybody sees it; or
/// there is no telling what it is.
fn is_made_here(world: &Snapshot, source: &Arc<Source>, definition: &Definition) -> bool {
    let Some(value) = definition.value else { return definition.kind != DefKind::Loop };
    let Some(expr) = expression_at(source, value) else { return true };
    let base = match &expr.kind {
        ExprKind::Postfix(postfix) if postfix.base.kind == ExprKind::Name => postfix.base.span,
        ExprKind::Postfix(_) | ExprKind::Name | ExprKind::Cond(_) => return false,
        _ => return true,
    };
    match meaning(world, source, definition.scope, source.slice(base)) {
        Some(Meaning::Builtin(_, Builtin::Struct(_) | Builtin::Object(_))) => true,
        Some(Meaning::Defined(all)) => all.iter().any(|found| found.get().kind == DefKind::Struct),
        _ => false,
    }
}
