//! What is documented of names, as Markdown: what the language's declarations say, and what files say
//! of what they define, in the text that begins a function or class and in comments.

use aurora_model::catalog::ObjectDecl;
use aurora_model::declare::{EnumDecl, FieldDecl, StructDecl};
use aurora_model::docs::{facts, type_in_words};
use aurora_model::names::NameDecl;
use aurora_syntax::tree::{ExprKind, Stmt, StmtKind};

use crate::builtin::{Builtin, members};
use crate::declaration;
use crate::names::{DefKind, Definition};
use crate::python::{MethodDecl, python};
use crate::resolve::{Definitive, origin};
use crate::source::Source;
use crate::types::body_of;
use crate::workspace::Snapshot;

/// How many lines of comments above a definition belong to it at most.
const MAX_COMMENT: usize = 40;

/// What is documented of a field of the language: type, whether it must be given, limits, meaning.
pub fn of_field(decl: &StructDecl, field: &FieldDecl) -> String {
    let facts: Vec<String> = facts(field).collect();
    let ty = type_in_words(&field.ty);
    format!("**{}.{}**: {ty}, {}\n\n{}", decl.name, field.name, facts.join(", "), field.doc)
}

/// What is documented of a struct.
pub fn of_struct(decl: &StructDecl) -> String {
    format!("**{}**\n\n{}", decl.name, decl.doc)
}

/// What is documented of an enumeration, with its values.
pub fn of_enum(decl: &EnumDecl) -> String {
    let values = decl.values.iter().map(|(value, doc)| format!("\n- `{value:?}`: {doc}"));
    format!("**{}**\n\n{}\n{}", decl.name, decl.doc, values.collect::<String>())
}

/// What is documented of an object that is there ready-made.
pub fn of_object(object: &ObjectDecl) -> String {
    format!("**{}**: {}\n\n{}", object.name, object.ty.name, object.doc)
}

/// What is documented of a function, type or constant.
pub fn of_name(decl: &NameDecl) -> String {
    let also = decl.also.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
    let also = if also.is_empty() { also } else { format!("\n\nAlso called {also}.") };
    format!("{}\n\n{}{also}", code(decl.signature), decl.doc)
}

/// What is documented of a name of the language. Of Python's own functions it is a line, or why
/// configurations cannot use them.
pub fn of_builtin(name: &str, builtin: Builtin) -> String {
    match builtin {
        Builtin::Struct(decl) => of_struct(decl),
        Builtin::Enum(decl) => of_enum(decl),
        Builtin::Object(object) => of_object(object),
        Builtin::Name(decl) => of_name(decl),
        Builtin::Python => of_python(name),
    }
}

fn of_python(name: &str) -> String {
    if let Some(decl) = python(name) {
        return format!("{}\n\n{}", code(decl.signature), decl.doc);
    }
    if let Some((why, instead)) = aurora_eval::refused(name) {
        return format!("**{name}** is not there: {why}.\n\nInstead: {instead}.");
    }
    let members: String = members(name)
        .map(|(member, decl)| format!("\n- `{name}.{member}`: {}", decl.doc.summary()))
        .collect();
    match members.is_empty() {
        true => format!("**{name}**"),
        false => format!("**{name}**\n{members}"),
    }
}

/// What is documented of a value of an enumeration.
pub fn of_value(decl: &EnumDecl, value: &str) -> Option<String> {
    let (_, doc) = decl.values.iter().find(|(known, _)| *known == value)?;
    Some(format!("**{}** `{value:?}`\n\n{doc}", decl.name))
}

/// What is documented of a method of Python's texts, lists, dicts and sets.
pub fn of_method(decl: &MethodDecl) -> String {
    format!("{}\n\n{}", code(&format!("{}.{}", decl.of, decl.signature)), decl.doc)
}

/// A definition as it is written and what its file says of it. What is loaded is told as the file
/// has it that it comes from.
pub fn of_definition_whole(world: &Snapshot, definitive: &Definitive) -> String {
    let definitive = origin(world, definitive);
    let code = code(&declaration::of_definition(world, &definitive));
    let said = of_definition(&definitive).markdown();
    match said.is_empty() {
        true => code,
        false => format!("{code}\n\n{said}"),
    }
}

/// A piece of a file, for Markdown.
pub fn code(text: &str) -> String {
    format!("```aurora\n{text}\n```")
}

/// What a file says of what it defines.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Written {
    /// What it is, as Markdown; empty if nothing is said.
    pub text: String,
    /// What is said of its parameters: their names, and the text.
    pub parameters: Vec<(Vec<String>, String)>,
}

impl Written {
    /// What is said of a parameter.
    pub fn parameter(&self, name: &str) -> Option<&str> {
        let (_, text) =
            self.parameters.iter().find(|(names, _)| names.iter().any(|n| n == name))?;
        Some(text)
    }

    /// All of it, the parameters as a list.
    pub fn markdown(&self) -> String {
        let mut all = self.text.clone();
        for (at, (names, text)) in self.parameters.iter().enumerate() {
            let names: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
            all.push_str(if at == 0 { "\n\n" } else { "\n" });
            all.push_str(&format!("- {}: {text}", names.join(", ")));
        }
        all
    }
}

/// What a file says of a definition: the text that a function or class begins with, or the comment
/// above it, or behind it on its line; of a parameter what its function's text says.
pub fn of_definition(definitive: &Definitive) -> Written {
    let source = &definitive.source;
    let definition = definitive.get();
    if matches!(definition.kind, DefKind::Function | DefKind::Struct)
        && let Some(body) = body_of(&source.parsed.tree, definition.name)
        && let Some(text) = docstring(source, body)
    {
        return written(&text);
    }
    let of_function = (definition.kind == DefKind::Parameter)
        .then(|| declaration::owner(definitive))
        .flatten()
        .and_then(|function| {
            of_definition(&function).parameter(definitive.name()).map(str::to_owned)
        });
    let text = of_function.unwrap_or_else(|| comment(source, definition));
    Written { text, parameters: Vec::new() }
}

/// What a file says of itself: the text that it begins with.
pub fn of_file(source: &Source) -> String {
    docstring(source, &source.parsed.tree).map(|text| written(&text).text).unwrap_or_default()
}

/// The text that statements begin with.
fn docstring(source: &Source, body: &[Stmt]) -> Option<String> {
    let StmtKind::Expr(first) = &body.first()?.kind else { return None };
    let ExprKind::Str(pieces) = &first.kind else { return None };
    Some(aurora_syntax::value(&source.text, pieces).value)
}

/// Takes a text apart: paragraphs, and lines such as `name, other: what they are`.
fn written(text: &str) -> Written {
    let mut lines = text.lines();
    let first = lines.next().unwrap_or_default().trim();
    let rest: Vec<&str> = lines.collect();
    let blanks = |line: &&str| line.chars().take_while(|c| c.is_whitespace()).count();
    let filled = rest.iter().filter(|line| !line.trim().is_empty());
    let indent = filled.map(blanks).min().unwrap_or(0);
    let mut out = Written { text: first.to_owned(), parameters: Vec::new() };
    let mut in_code = false;
    let mut in_parameter = false;
    for line in rest {
        let cut = line.char_indices().nth(indent).map_or(line.len(), |(at, _)| at);
        let line = line.get(cut..).unwrap_or_default().trim_end();
        let last = out.parameters.last_mut().filter(|_| in_parameter);
        if let Some((names, about)) = parameter(line) {
            out.parameters.push((names, about));
            in_parameter = true;
        } else if let Some((_, about)) = last.filter(|_| line.starts_with(char::is_whitespace)) {
            // A line further in goes on with what was said before.
            about.push(' ');
            about.push_str(line.trim_start());
        } else {
            in_parameter = false;
            let is_code = line.starts_with("  ");
            if is_code != in_code && !line.is_empty() {
                out.text.push_str(if is_code { "\n```aurora" } else { "```\n" });
                in_code = is_code;
            }
            out.text.push('\n');
            out.text.push_str(line);
        }
    }
    out.text.truncate(out.text.trim_end().len());
    if in_code {
        out.text.push_str("\n```");
    }
    out.text = out.text.trim_start().to_owned();
    out
}

fn parameter(line: &str) -> Option<(Vec<String>, String)> {
    let (names, about) = line.split_once(": ")?;
    let is_name = |name: &str| {
        name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
            && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
    };
    let names: Vec<String> = names.split(", ").map(str::to_owned).collect();
    names.iter().all(|name| is_name(name)).then(|| (names, about.trim().to_owned()))
}

/// The comment right above a definition, or behind it on the line where it ends.
fn comment(source: &Source, definition: &Definition) -> String {
    let text = |at: usize| {
        let comment = source.parsed.comments[at];
        source.slice(comment).trim_start_matches('#').trim().to_owned()
    };
    let comments = &source.parsed.comments;
    let line_of = |at: u32| source.lines.line(at);
    let stands_alone = |at: usize| {
        let start = source.lines.start(line_of(comments[at].start), &source.text);
        let before = aurora_syntax::Span::new(start, comments[at].start);
        source.slice(before).trim().is_empty()
    };
    let mut line = line_of(definition.whole.start);
    let mut above = comments.partition_point(|comment| comment.start < definition.whole.start);
    let mut found = Vec::new();
    while let Some(at) = above.checked_sub(1)
        && found.len() < MAX_COMMENT
        && line_of(comments[at].start) + 1 == line
        && stands_alone(at)
    {
        found.push(text(at));
        (above, line) = (at, line - 1);
    }
    if found.is_empty() {
        let behind = comments.partition_point(|comment| comment.start < definition.whole.end);
        let is_here =
            |comment: &aurora_syntax::Span| line_of(comment.start) == line_of(definition.whole.end);
        return comments
            .get(behind)
            .filter(|c| is_here(c))
            .map(|_| text(behind))
            .unwrap_or_default();
    }
    found.reverse();
    found.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_taken_apart_into_paragraphs_and_parameters() {
        let found = written(
            "A service.\n\n    More of it:\n\n        x = 1\n\n    Done.\n\n    name: the name.\n    \
             cpu, ram: what\n      it needs.\n    ",
        );
        assert_eq!(found.text, "A service.\n\nMore of it:\n\n```aurora\n    x = 1\n```\n\nDone.");
        assert_eq!(found.parameter("ram"), Some("what it needs."));
        assert_eq!(found.parameter("disk"), None);
        assert!(
            found
                .markdown()
                .ends_with("Done.\n\n- `name`: the name.\n- `cpu`, `ram`: what it needs.")
        );
        // What stands behind the parameters is none of the last of them.
        let found = written("A.\n\n  name: the\n    name.\n\n  It ends.\n  \u{a0}Really.");
        assert_eq!(found.parameter("name"), Some("the name."));
        assert_eq!(found.text, "A.\n\n\nIt ends.\n\u{a0}Really.");
    }
}
