//! How things are declared, in few lines: what stands above their documentation, and the parts of
//! signatures.

use aurora_model::declare::{FieldDecl, TypeDecl};
use aurora_model::docs::default_in_language;
use aurora_syntax::tree::{Param, Stmt, StmtKind};
use aurora_syntax::{Kind as Word, Span, Token, walk};

use crate::names::DefKind;
use crate::resolve::Definitive;
use crate::source::Source;
use crate::types::{Kind, kind_of_definition, own_fields};
use crate::workspace::Snapshot;

/// How much of a value is shown, in bytes.
pub const MAX_VALUE: usize = 160;
/// Signatures with more characters have a line for each parameter.
const MAX_LINE: usize = 80;
/// How many fields of a class are shown.
const MAX_FIELDS: usize = 24;

/// A field of the language as a parameter: `instances: Integer = 1`.
pub fn of_field(field: &FieldDecl) -> String {
    let ty = of_type(&field.ty);
    match default_in_language(field) {
        Some(value) => format!("{}: {ty} = {value}", field.name),
        None => format!("{}: {ty}", field.name),
    }
}

/// A type as a signature has it: `List(Process)`, `Container | Docker | Mesos`.
pub fn of_type(ty: &TypeDecl) -> String {
    match ty {
        TypeDecl::Choice(decl) => {
            decl.alternatives.iter().map(TypeDecl::name).collect::<Vec<_>>().join(" | ")
        }
        other => other.to_string(),
    }
}

/// A definition as it is written, in short: a function up to its colon, a class with its fields, a
/// name with its value.
pub fn of_definition(world: &Snapshot, definitive: &Definitive) -> String {
    let source = &definitive.source;
    let definition = definitive.get();
    let name = definitive.name();
    match definition.kind {
        DefKind::Function => of_function(definitive),
        DefKind::Struct => of_class(world, definitive),
        DefKind::Field => {
            let class = owner(definitive);
            let class = class.as_ref().map_or("", |class| class.name());
            format!("{class}.{}", one_line(source, definition.whole, MAX_VALUE))
        }
        DefKind::Loop => {
            let line = source.lines.span(source.lines.line(definition.name.end), &source.text);
            let start = definition.name.start;
            let whole = Span::new(start, definition.whole.end.min(line.end).max(start));
            let whole = one_line(source, whole, MAX_VALUE);
            format!("{name}{}  # for {}", kind(world, definitive), whole.trim_end_matches(':'))
        }
        DefKind::Variable => {
            let value = definition.value.map(|value| one_line(source, value, MAX_VALUE));
            let value = value.map(|value| format!(" = {value}")).unwrap_or_default();
            format!("{name}{}{value}", kind(world, definitive))
        }
        DefKind::Loaded => format!("load(…, {})", one_line(source, definition.whole, MAX_VALUE)),
        DefKind::Parameter | DefKind::Module => one_line(source, definition.whole, MAX_VALUE),
    }
}

fn kind(world: &Snapshot, definitive: &Definitive) -> String {
    match kind_of_definition(world, definitive) {
        Kind::Function(_) => String::new(),
        kind => kind.shown().map(|kind| format!(": {kind}")).unwrap_or_default(),
    }
}

/// The class of a field, the function of a parameter.
pub fn owner(definitive: &Definitive) -> Option<Definitive> {
    let scope = definitive.get().scope;
    let source = &definitive.source;
    let id = source.names.definitions.iter().position(|other| other.inner == Some(scope))?;
    Some(Definitive { source: source.clone(), id })
}

fn of_class(world: &Snapshot, class: &Definitive) -> String {
    let source = &class.source;
    let definition = class.get();
    let body = definition.inner.map_or(definition.whole, |inner| source.names.scopes[inner].span);
    let head = Span::new(definition.whole.start, body.start.max(definition.whole.start));
    let mut text = one_line(source, head, MAX_VALUE);
    let fields = own_fields(world, class);
    for field in fields.iter().take(MAX_FIELDS) {
        text.push_str("\n    ");
        text.push_str(&one_line(source, field.get().whole, MAX_VALUE));
    }
    if fields.len() > MAX_FIELDS {
        text.push_str("\n    …");
    }
    text
}

/// How a function is written, up to its colon: in one line, or a line for each parameter.
fn of_function(function: &Definitive) -> String {
    let (source, name) = (&function.source, function.name());
    let params: Vec<String> =
        params_of(function).iter().map(|param| one_line(source, param.span, MAX_VALUE)).collect();
    let line = format!("def {name}({})", params.join(", "));
    if line.chars().count() <= MAX_LINE {
        return line;
    }
    format!("def {name}(\n    {},\n)", params.join(",\n    "))
}

/// The parameters of a function, in order.
pub fn params_of(function: &Definitive) -> &[Param] {
    params_in(&function.source.parsed.tree, function.get().name).unwrap_or_default()
}

fn params_in(stmts: &[Stmt], wanted: Span) -> Option<&[Param]> {
    let from = stmts.partition_point(|stmt| stmt.span.end < wanted.end);
    let stmts = stmts.get(from..).unwrap_or_default();
    stmts.iter().take_while(|stmt| stmt.span.start <= wanted.start).find_map(|stmt| {
        match &stmt.kind {
            StmtKind::Def { name, params, .. } if *name == wanted => Some(params.as_slice()),
            _ => walk::blocks(stmt).into_iter().find_map(|block| params_in(&block.stmts, wanted)),
        }
    })
}

/// A part of a text in one line, without comments and at most about so many bytes long.
pub fn one_line(source: &Source, span: Span, room: usize) -> String {
    use Word::{Broken, Dedent, End, Indent, Newline};
    let tokens = source.tokens();
    let from = tokens.partition_point(|token| token.span.start < span.start);
    let tokens = tokens.get(from..).unwrap_or_default();
    let mut out = String::new();
    let mut last: Option<&Token> = None;
    for token in tokens.iter().take_while(|token| token.span.end <= span.end) {
        if matches!(token.kind, Newline | Broken | Indent | Dedent | End) {
            continue;
        }
        if let Some(last) = last {
            let between = source.slice(Span::new(last.span.end, token.span.start));
            let opened = matches!(last.kind, Word::LParen | Word::LBracket | Word::LBrace);
            let closes = matches!(token.kind, Word::RParen | Word::RBracket | Word::RBrace);
            if closes && last.kind == Word::Comma && between.contains('\n') {
                out.pop();
            } else if !between.is_empty() && !opened && !closes {
                out.push(' ');
            }
        }
        let written = source.slice(token.span);
        let left = room.saturating_sub(out.len());
        out.push_str(&flat(beginning(written, left)));
        if written.len() > left {
            out.push('…');
            break;
        }
        last = Some(token);
    }
    out
}

/// At most so many bytes of a text.
pub(crate) fn beginning(text: &str, room: usize) -> &str {
    let mut end = room.min(text.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

/// A literal of several lines in one.
fn flat(literal: &str) -> String {
    literal.replace("\r\n", "\\n").replace(['\n', '\r'], "\\n")
}

/// The name of a file for people: without its folders, unless it is the library's.
pub fn file_name(source: &Source) -> String {
    let name = source.id.path().file_name().filter(|_| !source.id.is_std());
    name.map_or_else(|| source.id.name().to_owned(), |name| name.to_string_lossy().into_owned())
}
