//! What the call around the cursor takes: its parameters, and which of them is being written.

use aurora_model::declare::{Presence, StructDecl};
use aurora_syntax::Span;
use aurora_syntax::tree::{Param, Star};

use crate::builtin::{self, Builtin, documented};
use crate::cursor::{Cursor, OpenCall};
use crate::declaration::{self, MAX_VALUE, one_line, params_of};
use crate::docs;
use crate::names::touches;
use crate::python;
use crate::resolve::Definitive;
use crate::source::{FileId, Source};
use crate::text::offset;
use crate::types::{self, Fields, Kind, own_fields};
use crate::workspace::Snapshot;

/// How a call is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signature {
    /// The whole in one line: `Process(name: String, cmdline: String, …)`.
    pub label: String,
    /// What it is, as Markdown.
    pub docs: String,
    /// The parameters, in order.
    pub parameters: Vec<Parameter>,
    /// The parameter at the cursor.
    pub active: Option<usize>,
}

/// A parameter of a [`Signature`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parameter {
    /// Its bytes in the label.
    pub label: Span,
    /// What it is, as Markdown; may be empty.
    pub docs: String,
}

/// What the innermost call takes whose brackets hold a byte.
pub fn signature(world: &Snapshot, file: &FileId, at: u32) -> Option<Signature> {
    let source = world.file(file)?;
    let cursor = Cursor::new(world, source, at);
    if cursor.in_comment() {
        return None;
    }
    let call = cursor.calls().into_iter().next()?;
    let given: Vec<&str> = call.named.iter().map(|name| source.slice(*name)).collect();
    let name = call.name.map(|name| source.slice(name));
    let place = Place {
        position: call.position,
        argument: call.argument.map(|name| source.slice(name)),
        // A name that is being written is not given.
        given: call
            .named
            .iter()
            .filter(|name| !touches(**name, at))
            .map(|name| source.slice(*name))
            .collect(),
        begun: if call.at_name { source.slice(cursor.word()) } else { "" },
        at_name: call.at_name,
    };
    if let Some(fields) = call.fields() {
        let is_copy = matches!(call.callee, Kind::Struct(_) | Kind::Own(_))
            && name.is_none_or(|name| !types::is_object(name));
        return Some(match &fields {
            Fields::Declared(decl) => of_struct(&call, name, decl, is_copy, &place),
            Fields::Own(class) => of_class(world, name, class, &place),
        });
    }
    match &call.callee {
        Kind::Function(function) => {
            let makes = types::result_of_call(world, source, call.callee.clone()).decl();
            Some(of_function(function, makes, &place, &given))
        }
        Kind::Named(name) => match (documented(name), builtin::builtin(name)) {
            // What a module is imported for has the line that does so.
            (Some(decl), _) if decl.signature.starts_with("import ") => {
                let text = python::of_module(name)?;
                Some(of_text(text, decl.doc.to_string(), &place))
            }
            (Some(decl), _) => Some(of_text(decl.signature, decl.doc.to_string(), &place)),
            (None, Some(Builtin::Python)) => {
                let decl = python::python(name)?;
                Some(of_text(decl.signature, decl.doc.to_owned(), &place))
            }
            _ => None,
        },
        Kind::Member(of, name) => {
            let kind = match **of {
                Kind::Text => Some("text"),
                Kind::List(_) => Some("list"),
                Kind::Table => Some("dict"),
                _ => None,
            };
            if let Some(decl) = kind.and_then(|kind| python::method(Some(kind), name)) {
                return Some(of_text(decl.signature, decl.doc.to_owned(), &place));
            }
            if let Some(decl) = builtin::method(name) {
                return Some(of_text(decl.signature, decl.doc.to_string(), &place));
            }
            let decl = python::method(None, name).filter(|_| matches!(**of, Kind::Unknown))?;
            Some(of_text(decl.signature, decl.doc.to_owned(), &place))
        }
        _ => None,
    }
}

/// Where in a call the cursor stands.
struct Place<'a> {
    /// How many arguments stand before.
    position: usize,
    /// The name of the argument, if the cursor is behind it.
    argument: Option<&'a str>,
    /// The names of all other arguments.
    given: Vec<&'a str>,
    /// What is written of a name.
    begun: &'a str,
    /// Whether a name may come.
    at_name: bool,
}

impl Place<'_> {
    /// The parameter that is meant if all are given by name: the one that is named, or the one whose
    /// name is being written, or the next that is not there.
    fn by_name<'n>(&self, mut names: impl Iterator<Item = &'n str>) -> Option<usize> {
        if let Some(argument) = self.argument {
            return names.position(|name| name == argument);
        }
        if !self.at_name {
            return None;
        }
        names.position(|name| name.starts_with(self.begun) && !self.given.contains(&name))
    }
}

/// Puts a label together.
struct Label {
    text: String,
    parameters: Vec<Parameter>,
}

impl Label {
    fn new(name: &str) -> Self {
        Self { text: format!("{name}("), parameters: Vec::new() }
    }

    fn add(&mut self, parameter: &str, docs: String) {
        if !self.parameters.is_empty() {
            self.text.push_str(", ");
        }
        let start = offset(self.text.len());
        self.text.push_str(parameter);
        let label = Span::new(start, offset(self.text.len()));
        self.parameters.push(Parameter { label, docs });
    }

    fn end(mut self, docs: String, active: Option<usize>) -> Signature {
        self.text.push(')');
        Signature { label: self.text, docs, parameters: self.parameters, active }
    }
}

fn of_struct(
    call: &OpenCall,
    name: Option<&str>,
    decl: &'static StructDecl,
    is_copy: bool,
    place: &Place<'_>,
) -> Signature {
    // What must be given comes first, as in completion.
    let is_required = |presence: &Presence| matches!(presence, Presence::Required);
    let made = types::made_fields(&call.callee);
    let mut fields: Vec<_> =
        decl.fields.iter().filter(|field| !made.contains(&field.name)).collect();
    fields.sort_by_key(|field| !is_required(&field.presence));
    let name = match &call.callee {
        Kind::Constructor(decl) => decl.name,
        _ => name.unwrap_or(decl.name),
    };
    let mut label = Label::new(name);
    let takes_tasks = types::takes_tasks(&call.callee);
    if takes_tasks {
        label.add("task", String::new());
        label.add("…", String::new());
    }
    let tasks = label.parameters.len();
    for field in &fields {
        label.add(&declaration::of_field(field), docs::of_field(decl, field));
    }
    let said = match (&call.callee, is_copy) {
        (Kind::Named(function), _) => documented(function).map(|decl| decl.doc.to_string()),
        (_, true) => Some(format!("A copy of the `{}`, with other fields.", decl.name)),
        (_, false) => None,
    };
    let said = said.unwrap_or_else(|| match name == decl.name {
        true => decl.doc.to_string(),
        false => {
            let object = aurora_model::catalog::OBJECTS.iter().find(|object| object.name == name);
            object.map_or(decl.doc, |object| object.doc).to_string()
        }
    });
    let active = place.by_name(fields.iter().map(|field| field.name));
    // The fields of a struct have no order.
    let active = active.filter(|_| place.argument.is_some() || !place.begun.is_empty());
    let next = || {
        let mut wanted = fields.iter();
        wanted.position(|field| {
            is_required(&field.presence) && !place.given.contains(&field.name) && !is_copy
        })
    };
    let is_task =
        takes_tasks && place.argument.is_none() && place.given.is_empty() && place.begun.is_empty();
    let active = match active.or_else(|| place.at_name.then(next).flatten()) {
        _ if is_task => Some(place.position.min(tasks - 1)),
        active => active.map(|at| at + tasks),
    };
    label.end(said, active)
}

fn of_class(
    world: &Snapshot,
    name: Option<&str>,
    class: &Definitive,
    place: &Place<'_>,
) -> Signature {
    let source = &class.source;
    let fields = own_fields(world, class);
    let mut label = Label::new(name.unwrap_or(class.name()));
    for field in &fields {
        let definition = field.get();
        let ty = definition.value.map(|value| one_line(source, value, MAX_VALUE));
        let text = ty.map_or(field.name().to_owned(), |ty| format!("{}: {ty}", field.name()));
        label.add(&text, docs::of_definition(field).markdown());
    }
    let active = place.by_name(fields.iter().map(Definitive::name));
    label.end(docs::of_definition(class).text, active)
}

fn of_function(
    function: &Definitive,
    makes: Option<&'static StructDecl>,
    place: &Place<'_>,
    given: &[&str],
) -> Signature {
    let source = &function.source;
    let params = params_of(function);
    let said = docs::of_definition(function);
    let mut label = Label::new(function.name());
    // What is given by names that no parameter has, and meant for the fields of what is made.
    let field =
        place.argument.and_then(|name| makes.and_then(|decl| Some((decl, decl.field(name)?))));
    for param in params {
        let name = param.name.map(|name| source.slice(name)).unwrap_or_default();
        let about = match (param.star, field) {
            (Star::Two, Some((decl, field))) => docs::of_field(decl, field),
            _ => said.parameter(name).unwrap_or_default().to_owned(),
        };
        label.add(&one_line(source, param.span, MAX_VALUE), about);
    }
    let name = |param: &Param| param.name.map(|name| source.slice(name)).unwrap_or_default();
    let star = |star: Star| params.iter().position(|param| param.star == star);
    let active = match place.argument {
        Some(wanted) => params
            .iter()
            .position(|param| param.star == Star::No && name(param) == wanted)
            .or_else(|| star(Star::Two)),
        // Behind a named argument there are only named ones.
        None if !given.is_empty() && place.position > 0 || !place.begun.is_empty() => {
            // `*` and `/`, which part positional from named ones, are none of them.
            let is_named = |param: &Param| param.star == Star::No && param.name.is_some();
            let named: Vec<usize> = (0..params.len()).filter(|at| is_named(&params[*at])).collect();
            let found = place.by_name(named.iter().map(|at| name(&params[*at])));
            found
                .and_then(|at| named.get(at).copied())
                .or_else(|| by_position(source, params, place.position))
        }
        None => by_position(source, params, place.position),
    };
    label.end(said.text, active)
}

fn by_position(source: &Source, params: &[Param], position: usize) -> Option<usize> {
    let plain = params.iter().enumerate().take_while(|(_, param)| param.star == Star::No);
    let mut taking = plain.filter(|(_, param)| source.slice(param.span) != "/");
    taking
        .nth(position)
        .map(|(at, _)| at)
        .or_else(|| params.iter().position(|param| param.star == Star::One && param.name.is_some()))
}

/// A signature that is written in our documentation, as `order(first, second, …) -> [Constraint]`.
fn of_text(text: &str, docs: String, place: &Place<'_>) -> Signature {
    let parameters: Vec<Span> = parts_of(text);
    let shown = |part: &Span| part.of(text);
    let name_of = |part: &Span| shown(part).split_once(" = ").map(|(name, _)| name);
    let rest = parameters.iter().rposition(|part| shown(part) == "…");
    let active = match place.argument {
        Some(name) => parameters
            .iter()
            .position(|part| name_of(part) == Some(name) || shown(part) == name)
            // `name = value, …`: any name.
            .or_else(|| parameters.iter().rposition(|part| shown(part) == "name = value"))
            .or(rest),
        None => {
            let first_rest = parameters.iter().position(|part| shown(part) == "…");
            match (first_rest, parameters.get(place.position)) {
                (Some(rest), _) if place.position >= rest => Some(rest),
                (_, Some(_)) => Some(place.position),
                (_, None) => None,
            }
        }
    };
    let parameters =
        parameters.into_iter().map(|label| Parameter { label, docs: String::new() }).collect();
    Signature { label: text.to_owned(), docs, parameters, active }
}

/// The parts between the commas of the first brackets of a text.
fn parts_of(text: &str) -> Vec<Span> {
    let Some(open) = text.find('(') else { return Vec::new() };
    let mut parts = Vec::new();
    let (mut depth, mut start, mut in_text) = (0usize, open + 1, false);
    let mut add = |start: usize, end: usize| {
        let part = text.get(start..end).unwrap_or_default();
        let blanks = part.len() - part.trim_start().len();
        if !part.trim().is_empty() {
            let start = start + blanks;
            parts.push(Span::new(offset(start), offset(start + part.trim().len())));
        }
    };
    for (at, c) in text.char_indices().skip_while(|(at, _)| *at < open) {
        match c {
            '"' => in_text = !in_text,
            _ if in_text => {}
            '(' | '[' | '{' => depth += 1,
            ')' | ']' | '}' => {
                depth = depth.saturating_sub(1);
                if depth == 0 {
                    add(start, at);
                    break;
                }
            }
            ',' if depth == 1 => {
                add(start, at);
                start = at + 1;
            }
            _ => {}
        }
    }
    parts
}
