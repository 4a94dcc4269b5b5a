//! What is told of what the cursor points at: its documentation, and what it comes to in the jobs.

use std::sync::Arc;

use aurora_model::declare::{Doc, FieldDecl, Presence, StructDecl, TypeDecl};
use aurora_syntax::tree::{Arg, Expr, ExprKind};
use aurora_syntax::{Kind as Word, Span};

use crate::builtin::{self, Builtin, documented};
use crate::cursor::{Cursor, OpenCall, reference_at};
use crate::declaration::{self, MAX_VALUE, file_name, one_line};
use crate::docs;
use crate::names::{DefKind, Reference, touches};
use crate::python;
use crate::resolve::{Definitive, Meaning, file_at, meaning_at, nearest, origin};
use crate::source::{FileId, Source};
use crate::template::{Target, targets, visible};
use crate::text::offset;
use crate::types::{self, Fields, Kind};
use crate::values::{
    Grouped, Values, argument_at, code, constant, human, references_in, values_in,
};
use crate::workspace::Snapshot;

/// How many places that bind a name are told.
const MAX_BOUND: usize = 5;
/// How many names of a file are told.
const MAX_NAMES: usize = 30;
/// How many uses of a text are looked at for what it comes to.
const MAX_USES: usize = 20;

/// What is told of a part of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hover {
    /// The part.
    pub span: Span,
    /// What is told, as Markdown.
    pub markdown: String,
}

/// What is told of what stands at a byte.
pub fn hover(world: &Snapshot, file: &FileId, at: u32) -> Option<Hover> {
    let source = world.file(file)?;
    let at = inside(source, at);
    let cursor = Cursor::new(world, source, at);
    if cursor.in_comment() {
        return None;
    }
    let here = Here { world, source, at };
    match cursor.text() {
        Some(text) => here.in_text(text.literal),
        None => here.number().or_else(|| here.word(&cursor)),
    }
}

/// The end of the word that a byte is in, or else right behind. Editors point at the first byte of what
/// they ask of, a cursor stands behind it. Within a text it is the byte itself, moved off its quotes.
fn inside(source: &Source, at: u32) -> u32 {
    let tokens = source.tokens();
    let from = tokens.partition_point(|token| token.span.end <= at);
    let Some(token) = tokens.get(from).filter(|token| token.span.start <= at) else { return at };
    match token.kind {
        Word::Str => {
            let written = source.slice(token.span);
            let prefix = written.find(['"', '\'']).unwrap_or(0);
            let quoted = written.get(prefix..).unwrap_or_default();
            let is_long = quoted.starts_with("\"\"\"") || quoted.starts_with("'''");
            let quotes = if is_long { 3 } else { 1 };
            let first = (token.span.start + offset(prefix) + quotes).min(token.span.end);
            at.clamp(first, token.span.end.saturating_sub(quotes).max(first))
        }
        Word::Name => token.span.end,
        kind if kind.is_word() => token.span.end,
        _ => at,
    }
}

/// A place in a file.
struct Here<'a> {
    world: &'a Snapshot,
    source: &'a Arc<Source>,
    at: u32,
}

impl<'a> Here<'a> {
    fn hover(span: Span, paragraphs: impl IntoIterator<Item = String>) -> Option<Hover> {
        let filled = paragraphs.into_iter().filter(|paragraph| !paragraph.is_empty());
        let markdown = filled.collect::<Vec<_>>().join("\n\n");
        (!markdown.is_empty()).then_some(Hover { span, markdown })
    }

    fn in_text(&self, literal: Span) -> Option<Hover> {
        let (world, source, at) = (self.world, self.source, self.at);
        if let Some((span, target)) = file_at(source, at) {
            return Self::hover(span, [self.file(&target)]);
        }
        if let Some((reference, part)) = reference_at(source, at) {
            return self.reference(literal, reference, part);
        }
        // The names that `load` takes, and what stands in the braces of an f-string.
        if let Some((span, meaning)) = meaning_at(world, source, at) {
            return Self::hover(span, [self.meaning(span, &meaning)]);
        }
        if let Some(hover) = self.bound_name() {
            return Some(hover);
        }
        let (values, place) = self.values_of_literal(literal);
        let (field, page) = match argument_at(source, at) {
            Some((open, arg)) if touches(arg.value.span, at) => self.argument(open, arg, literal),
            _ => (None, String::new()),
        };
        let grouped = values.at(place);
        let field = field.or_else(|| values.field_at(place));
        Self::hover(literal, [page, grouped.markdown(field)])
    }

    /// What the text that stands in a literal comes to, and where it is a value of a job.
    fn values_of_literal(&self, literal: Span) -> (Values<'a>, Span) {
        let source = self.source;
        let place = self.text_at(literal).map_or(literal, |expr| expr.span);
        let values = values_in(self.world, source, place);
        if !values.at(place).is_empty() {
            return (values, place);
        }
        // Perhaps it has a name, and that is the value of a field.
        let names = &source.names;
        let named = names.definitions.iter().find(|definition| {
            definition.kind == DefKind::Variable && definition.value == Some(place)
        });
        let Some(named) = named else { return (values, place) };
        let name = source.slice(named.name);
        let uses = names.uses.iter().filter(|used| source.slice(used.name) == name);
        for used in uses.take(MAX_USES) {
            let scope = names.around(used.scope).find(|scope| {
                *scope == named.scope || names.in_scope(&source.text, *scope, name).next().is_some()
            });
            if scope != Some(named.scope) {
                continue;
            }
            let values = values_in(self.world, source, used.name);
            if !values.at(used.name).is_empty() {
                return (values, used.name);
            }
        }
        (values, place)
    }

    /// The text of which a literal is a part.
    fn text_at(&self, literal: Span) -> Option<&'a Expr> {
        let mut found = None;
        aurora_syntax::walk::around(&self.source.parsed.tree, literal, &mut |expr| {
            if matches!(expr.kind, ExprKind::Str(_)) {
                found = Some(expr);
            }
        });
        found
    }

    /// What is told of an argument where its value stands, and its field.
    fn argument(
        &self,
        open: u32,
        arg: &Arg,
        literal: Span,
    ) -> (Option<&'static FieldDecl>, String) {
        let callee = types::callee(self.world, self.source, open);
        let Some(name) = arg.name.map(|name| self.source.slice(name)) else {
            return (None, String::new());
        };
        let Some(Fields::Declared(decl)) = types::fields_of(&callee) else {
            return (None, String::new());
        };
        let Some(field) = decl.field(name) else { return (None, String::new()) };
        if arg.value.span == literal
            && let Some(page) = self.value_of_enum(&field.ty, &arg.value)
        {
            return (Some(field), page);
        }
        let mut page =
            format!("**{}.{}**: {}", decl.name, field.name, declaration::of_type(&field.ty));
        if let Some(number) = constant(self.world, self.source, &arg.value) {
            let number = number.to_string();
            if let Some(human) = human(field, &number) {
                page.push_str(&format!("\n\n{human}"));
            }
        }
        (Some(field), page)
    }

    fn value_of_enum(&self, ty: &TypeDecl, value: &Expr) -> Option<String> {
        let TypeDecl::Enum(decl) = ty else { return None };
        let ExprKind::Str(pieces) = &value.kind else { return None };
        docs::of_value(decl, &aurora_syntax::value(&self.source.text, pieces).value)
    }

    /// A number, or a calculation of numbers and units, that is given for a field.
    fn number(&self) -> Option<Hover> {
        let tokens = self.source.tokens();
        let from = tokens.partition_point(|token| token.span.end < self.at);
        let token = tokens.get(from..)?.iter().take(2).find(|token| {
            touches(token.span, self.at) && matches!(token.kind, Word::Int | Word::Float)
        })?;
        let (open, arg) = argument_at(self.source, self.at)?;
        let (field, page) = self.argument(open, arg, token.span);
        let values = self.values_of(arg);
        let field = field.or_else(|| values.field_at(arg.value.span));
        Self::hover(arg.value.span, [page, values.at(arg.value.span).markdown(field)])
    }

    fn values_of(&self, arg: &Arg) -> Values<'a> {
        values_in(self.world, self.source, arg.value.span)
    }

    fn word(&self, cursor: &Cursor<'_>) -> Option<Hover> {
        let word = cursor.word();
        if word.is_empty() {
            return None;
        }
        if let Some(hover) = cursor.call_here().and_then(|call| self.argument_name(&call)) {
            return Some(hover);
        }
        if let Some(owner) = cursor.owner() {
            return Self::hover(word, [self.member(&owner, self.source.slice(word))?]);
        }
        let (span, meaning) = meaning_at(self.world, self.source, self.at)?;
        let page = self.meaning(span, &meaning);
        // A name may be all of a field's value.
        let given = argument_at(self.source, self.at).filter(|(_, arg)| arg.value.span == span);
        let values = given.map(|(_, arg)| {
            let values = self.values_of(arg);
            values.at(arg.value.span).markdown(values.field_at(arg.value.span))
        });
        Self::hover(span, [page, values.unwrap_or_default()])
    }

    /// The name of an argument: a field, a parameter, a name that is bound.
    fn argument_name(&self, call: &OpenCall) -> Option<Hover> {
        let span = *call.named.iter().find(|name| touches(**name, self.at))?;
        let name = self.source.slice(span);
        if let Some(bound) = self.bound_name() {
            return Some(bound);
        }
        let arg = argument_at(self.source, self.at).filter(|(_, arg)| arg.name == Some(span));
        let told = |field: Option<&FieldDecl>| {
            let Some((_, arg)) = arg else { return String::new() };
            let grouped = self.values_of(arg).at(arg.value.span);
            if grouped.is_empty() {
                let number = constant(self.world, self.source, &arg.value);
                return number
                    .and_then(|number| human(field?, &number.to_string()))
                    .unwrap_or_default();
            }
            grouped.markdown(field)
        };
        let page = match field_named(self.world, self.source, &call.callee, name)? {
            Named::Field(decl, field) => {
                return Self::hover(span, [field_page(decl, field), told(Some(field))]);
            }
            Named::Defined(definitive) => docs::of_definition_whole(self.world, &definitive),
            Named::Function(page) => page,
        };
        Self::hover(span, [page, told(None)])
    }

    /// What stands after a dot.
    fn member(&self, owner: &Kind, name: &str) -> Option<String> {
        let field = |fields: Fields, name: &str| match &fields {
            Fields::Declared(decl) => decl.field(name).map(|field| field_page(decl, field)),
            Fields::Own(class) => types::own_field(self.world, class, name)
                .map(|field| docs::of_definition_whole(self.world, &field)),
        };
        if let Kind::Named(space) = owner
            && let Some(decl) = documented(&format!("{space}.{name}"))
        {
            return Some(docs::of_name(decl));
        }
        let of = match owner {
            Kind::Text => Some("text"),
            Kind::List(_) => Some("list"),
            Kind::Table => Some("dict"),
            _ => None,
        };
        if let Some(decl) = of.and_then(|of| python::method(Some(of), name)) {
            return Some(docs::of_method(decl));
        }
        let is_struct = !matches!(owner, Kind::Named(_));
        if is_struct && let Some(fields) = types::fields_of(owner) {
            let asked =
                name.strip_prefix("has_").filter(|rest| field(fields.clone(), rest).is_some());
            if let Some(page) = field(fields, asked.unwrap_or(name)) {
                return Some(page);
            }
        }
        if let Some(decl) = builtin::method(name) {
            return Some(docs::of_name(decl));
        }
        match owner {
            Kind::Unknown | Kind::Member(..) => python::method(None, name).map(docs::of_method),
            Kind::Named(of) if builtin::builtin(of).is_none() => {
                python::method(None, name).map(docs::of_method)
            }
            _ => None,
        }
    }

    /// What a name means where it stands.
    fn meaning(&self, span: Span, meaning: &Meaning) -> String {
        let all = match meaning {
            Meaning::Builtin(name, builtin) => {
                let page = docs::of_builtin(name, *builtin);
                return match builtin {
                    Builtin::Struct(decl) => format!("{page}\n\n{}", fields_of(decl)),
                    Builtin::Object(object) => format!("{page}\n\n{}", fields_of(object.ty)),
                    _ => page,
                };
            }
            Meaning::Defined(all) => all,
        };
        let here =
            all.iter().find(|found| found.source.id == self.source.id && found.get().name == span);
        let Some(found) = here.or_else(|| nearest(self.source, span, all)) else {
            return String::new();
        };
        let first = origin(self.world, found);
        let mut page = docs::of_definition_whole(self.world, &first);
        // The lists that a file defines for the evaluation.
        if first.get().scope == 0
            && first.get().kind == DefKind::Variable
            && let Some(decl) =
                documented(first.name()).filter(|decl| decl.signature.contains(" = ["))
        {
            page.push_str(&format!("\n\n{}", decl.doc));
        }
        if first.source.id != self.source.id {
            page.push_str(&format!("\n\nin `{}`", file_name(&first.source)));
        }
        page
    }

    /// A name that a call binds, where it is bound.
    fn bound_name(&self) -> Option<Hover> {
        let all = &self.source.names.bound;
        let from = all.partition_point(|bound| bound.name.end < self.at);
        let bound = all.get(from).filter(|bound| touches(bound.name, self.at))?;
        let target = Target::Bound(self.source.clone(), bound.clone());
        let name = self.source.slice(bound.name);
        let said = format!("Bound: templates refer to it as `{{{{{name}}}}}`.");
        Self::hover(bound.name, [self.target(&target), said])
    }

    /// The file that is included or loaded.
    fn file(&self, id: &FileId) -> String {
        let Some(file) = self.world.file(id) else {
            return format!("`{id}` is not known");
        };
        let names = file.names.definitions.iter().filter(|definition| {
            definition.scope == 0 && !matches!(definition.kind, DefKind::Module | DefKind::Loaded)
        });
        let mut shown: Vec<String> = Vec::new();
        for definition in names {
            let name = format!("`{}`", file.slice(definition.name));
            if !name.starts_with("`_") && !shown.contains(&name) {
                shown.push(name);
            }
            if shown.len() > MAX_NAMES {
                shown[MAX_NAMES] = "…".to_owned();
                break;
            }
        }
        let mut page = format!("`{id}`");
        let said = docs::of_file(file);
        if !said.is_empty() {
            page.push_str(&format!("\n\n{said}"));
        }
        if !shown.is_empty() {
            page.push_str(&format!("\n\nDefines {}", shown.join(", ")));
        }
        page
    }

    /// A reference of a text: what it means, and its value.
    fn reference(&self, literal: Span, reference: &Reference, part: usize) -> Option<Hover> {
        let parts: Vec<&str> =
            reference.parts.iter().map(|part| self.source.slice(*part)).collect();
        let address = parts.get(..=part)?.join(".");
        let mut page = match documented(&address).filter(|decl| decl.signature.starts_with("{{")) {
            Some(decl) => docs::of_name(decl),
            None => self.targets(&parts, part),
        };
        if let ["thermos", "ports", port] = parts.as_slice() {
            let ports = targets(self.world, self.source, self.at, &parts, 1);
            page = ports.first().map(|target| self.target(target)).unwrap_or_default();
            page = format!("**{port}**: a port\n\n{page}");
        }
        let is_last = part + 1 == parts.len();
        let value = if is_last { self.value_of(literal, reference.span) } else { String::new() };
        Self::hover(reference.parts[part], [page, value])
    }

    fn targets(&self, parts: &[&str], part: usize) -> String {
        let all = targets(self.world, self.source, self.at, parts, part);
        let all = visible(self.world, self.source, self.at, all);
        let Some(first) = all.first() else { return String::new() };
        if !matches!(first, Target::Bound(..)) {
            return self.target(first);
        }
        let mut told: Vec<String> = Vec::new();
        for target in all.iter().filter(|target| matches!(target, Target::Bound(..))) {
            let text = self.target(target);
            if told.len() < MAX_BOUND && !told.contains(&text) {
                told.push(text);
            }
        }
        told.join("\n\n")
    }

    /// What a reference may mean.
    fn target(&self, target: &Target) -> String {
        match target {
            Target::Bound(source, bound) => {
                let value = one_line(source, bound.value, MAX_VALUE);
                let line = docs::code(&format!("{} = {value}", source.slice(bound.name)));
                match source.id == self.source.id {
                    true => line,
                    false => format!("{line}\n\nin `{}`", file_name(source)),
                }
            }
            Target::Own(field) => docs::of_definition_whole(self.world, field),
            Target::Field(decl, field, given) => {
                let page = field_page(decl, field);
                let value = given.as_ref().and_then(|given| {
                    let (_, arg) = argument_at(self.source, given.span.start)?;
                    (arg.name == Some(given.span)).then(|| {
                        let value = one_line(self.source, arg.value.span, MAX_VALUE);
                        docs::code(&format!("{} = {value}", field.name))
                    })
                });
                value.map(|value| format!("{value}\n\n{page}")).unwrap_or(page)
            }
            Target::Context(name, decl) => {
                let fields = decl
                    .fields
                    .iter()
                    .map(|field| format!("- `{name}.{}`: {}", field.name, field.doc.summary()));
                let fields = fields.collect::<Vec<_>>().join("\n");
                format!("**{name}**: {}\n\n{}\n\n{fields}", decl.name, decl.doc)
            }
        }
    }

    /// What a reference comes to in the jobs, or else what its text comes to.
    fn value_of(&self, literal: Span, reference: Span) -> String {
        let (values, place) = self.values_of_literal(literal);
        let whole = values.at(place);
        let Some(text) = self.text_at(literal) else { return String::new() };
        let written = self.source.slice(reference);
        let alone: Grouped = whole.map(|whole| {
            let found = references_in(self.source, text, whole);
            found.into_iter().find(|(span, _)| *span == reference).map(|(_, value)| value)
        });
        match alone.only() {
            // It stays as it is until the task runs.
            Some(value) if value == written => String::new(),
            _ if alone.is_empty() && !whole.is_empty() => {
                format!("The text comes to:\n\n{}", whole.markdown(None))
            }
            _ => alone.markdown(None),
        }
    }
}

/// The names of the fields of a struct: those that must be given, and the others.
fn fields_of(decl: &StructDecl) -> String {
    let named = |is_wanted: &dyn Fn(&FieldDecl) -> bool| {
        let fields = decl.fields.iter().filter(|field| is_wanted(field));
        fields.map(|field| format!("`{}`", field.name)).collect::<Vec<_>>().join(", ")
    };
    let is_required = |field: &FieldDecl| matches!(field.presence, Presence::Required);
    let lines = [
        ("Must be given", named(&is_required)),
        ("May be given", named(&|field| !is_required(field))),
    ];
    let lines = lines.iter().filter(|(_, names)| !names.is_empty());
    lines.map(|(what, names)| format!("{what}: {names}")).collect::<Vec<_>>().join("\n\n")
}

/// A field of the language, with what its values may be.
fn field_page(decl: &StructDecl, field: &FieldDecl) -> String {
    let page = docs::of_field(decl, field);
    let item = |name: &str, doc: Doc| format!("- {}: {}", code(name), doc.summary());
    let may_be: Vec<String> = match &field.ty {
        TypeDecl::Enum(decl) => {
            decl.values.iter().map(|(value, doc)| item(&format!("{value:?}"), *doc)).collect()
        }
        TypeDecl::Choice(_) => {
            field.ty.structs().into_iter().map(|decl| item(decl.name, decl.doc)).collect()
        }
        _ => return page,
    };
    format!("{page}\n\n{}", may_be.join("\n"))
}

/// What an argument of a call is named after.
enum Named {
    /// A field of a struct of the language.
    Field(&'static StructDecl, &'static FieldDecl),
    /// A field of a class, or a parameter.
    Defined(Definitive),
    /// An argument of a function of the language, which is told of as a whole.
    Function(String),
}

/// What an argument of a call of such a value is.
fn field_named(world: &Snapshot, source: &Arc<Source>, callee: &Kind, name: &str) -> Option<Named> {
    match types::fields_of(callee) {
        Some(Fields::Declared(decl)) => {
            return decl.field(name).map(|field| Named::Field(decl, field));
        }
        Some(Fields::Own(class)) => {
            return types::own_field(world, &class, name).map(Named::Defined);
        }
        None => {}
    }
    match callee {
        Kind::Function(function) => {
            if let Some(param) = param(function, name) {
                return Some(Named::Defined(param));
            }
            // What it takes beside its parameters is most often meant for what it makes.
            let decl = types::result_of_call(world, source, callee.clone()).decl()?;
            decl.field(name).map(|field| Named::Field(decl, field))
        }
        Kind::Named(function) => match documented(function) {
            Some(decl) => Some(Named::Function(docs::of_name(decl))),
            None => builtin::builtin(function)
                .map(|builtin| Named::Function(docs::of_builtin(function, builtin))),
        },
        Kind::Member(_, method) => {
            builtin::method(method).map(|decl| Named::Function(docs::of_name(decl)))
        }
        _ => None,
    }
}

fn param(function: &Definitive, name: &str) -> Option<Definitive> {
    let names = &function.source.names;
    let scope = function.get().inner?;
    let mut all = names.in_scope(&function.source.text, scope, name);
    let (id, _) = all.find(|(_, definition)| definition.kind == DefKind::Parameter)?;
    Some(Definitive { source: function.source.clone(), id })
}
