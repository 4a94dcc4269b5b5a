//! The values that fit where one is expected: texts of which there are a few, truth values, sizes,
//! structs and lists.

use aurora_model::catalog::OBJECTS;
use aurora_model::config::{ENVIRONMENTS, TIERS};
use aurora_model::declare::{FieldDecl, Rule, StructDecl, TypeDecl};
use aurora_model::docs::default_in_language;
use aurora_model::names::UNITS;
use aurora_syntax::{Kind as Word, Span};

use super::describe::Origin;
use super::place::Place;
use super::spec::{Spec, SpecType, makes_type, spec};
use super::{Completion, CompletionKind, List, Rank, fields, given, names, paths, snippets};
use crate::builtin::{builtin, documented, struct_decl};
use crate::cursor::{InText, OpenCall};
use crate::resolve::Definitive;
use crate::style::escaped;
use crate::types::{self, Fields, Kind};

/// Fields whose texts are of no use elsewhere.
const OWN_TEXTS: [&str; 5] = ["name", "cmdline", "shell_command", "data", "cron_schedule"];
/// How placement constraints are named and written, as the field's documentation says.
const CONSTRAINTS: [&str; 3] = ["host", "rack", "dedicated"];

/// What is expected at a place.
pub(super) enum Expected {
    /// The value of a field of the language, or a part of it.
    Field(&'static StructDecl, &'static FieldDecl, &'static TypeDecl),
    /// The key of a table that a field is.
    Key(&'static StructDecl, &'static FieldDecl),
    /// The value of a field of a class.
    Spec(SpecType),
    /// A value of a kind.
    Kind(Kind),
    /// A process or its name.
    Process,
    /// A type.
    Type,
}

/// What is expected where the cursor, or the literal that holds it, stands.
fn expected(place: &Place<'_>) -> Option<Expected> {
    if !place.begins_value() {
        return None;
    }
    let brackets = place.brackets_in_call();
    let Some(call) = place.calls.first() else {
        if place.is_in_class() && brackets.is_empty() && place.assigned().is_some() {
            return Some(Expected::Type);
        }
        let is_jobs = place.assigned() == Some("jobs") && brackets == [Word::LBracket];
        return is_jobs.then(|| struct_decl("Job").map(|job| Expected::Kind(Kind::Struct(job))))?;
    };
    let outer = match call.argument {
        Some(name) => of_argument(place, call, place.source.slice(name)),
        None => of_position(place, call),
    };
    let mut found = outer?;
    for bracket in brackets {
        found = within_bracket(place, found, bracket)?;
    }
    Some(found)
}

/// What is expected of an argument by its name.
fn of_argument(place: &Place<'_>, call: &OpenCall, name: &str) -> Option<Expected> {
    let field = |decl: &'static StructDecl| {
        decl.field(name).map(|field| Expected::Field(decl, field, &field.ty))
    };
    match call.fields() {
        Some(Fields::Declared(decl)) => field(decl),
        Some(Fields::Own(class)) => {
            let fields = types::own_fields(place.world, &class);
            let found = fields.iter().find(|field| field.name() == name)?;
            Some(Expected::Spec(spec(place.world, found).ty))
        }
        None => {
            let Kind::Function(function) = &call.callee else { return None };
            let parameters = fields::parameters(function);
            let found = parameters.iter().find(|found| found.name() == name);
            match found.map(|found| types::kind_of_definition(place.world, found)) {
                Some(Kind::Unknown) | None => {
                    fields::made_by(place.world, function).and_then(field)
                }
                Some(kind) => Some(Expected::Kind(kind)),
            }
        }
    }
}

/// What is expected of an argument by its place.
fn of_position(place: &Place<'_>, call: &OpenCall) -> Option<Expected> {
    match &call.callee {
        Kind::Function(function) => {
            let parameters = fields::parameters(function);
            let kind = types::kind_of_definition(place.world, parameters.get(call.position)?);
            Some(Expected::Kind(kind))
        }
        Kind::Named(name) if name == "order" || name == "Processes.order" => {
            Some(Expected::Process)
        }
        Kind::Named(name) if makes_type(name) && call.position == 0 => Some(Expected::Type),
        Kind::Named(name) if name == "Map" => Some(Expected::Type),
        Kind::Named(name) => {
            let (inside, _) = documented(name)?.signature.split_once('(')?.1.rsplit_once(')')?;
            let parameters: Vec<&str> = inside.split(", ").collect();
            let at = call.position.min(parameters.iter().position(|p| *p == "…").unwrap_or(99));
            let parameter = parameters.get(at).or(parameters.first())?;
            let of = |name: &str| match name {
                "task" => struct_decl("Task").map(Kind::Struct),
                "resources" => struct_decl("Resources").map(Kind::Struct),
                _ => None,
            };
            match parameter.strip_prefix('[') {
                Some(inner) => Some(Expected::Kind(Kind::List(Box::new(of(inner)?)))),
                None => Some(Expected::Kind(of(if *parameter == "…" {
                    parameters.first()?
                } else {
                    parameter
                })?)),
            }
        }
        _ => None,
    }
}

fn within_bracket(place: &Place<'_>, outer: Expected, bracket: Word) -> Option<Expected> {
    Some(match (outer, bracket) {
        (found, Word::LParen) => found,
        (Expected::Field(decl, field, TypeDecl::List(inner)), Word::LBracket) => {
            Expected::Field(decl, field, inner)
        }
        (Expected::Field(decl, field, TypeDecl::Map(_, value)), Word::LBrace) => {
            if place.is_behind_colon() {
                Expected::Field(decl, field, value)
            } else {
                Expected::Key(decl, field)
            }
        }
        (Expected::Spec(SpecType::List(inner)), Word::LBracket) => Expected::Spec(*inner),
        (Expected::Kind(Kind::List(inner)), Word::LBracket) => Expected::Kind(*inner),
        (Expected::Type, Word::LBracket) => Expected::Type,
        _ => return None,
    })
}

/// Whether a value of a kind is what a type of the language holds.
pub(super) fn fits(kind: &Kind, ty: &TypeDecl) -> bool {
    match ty {
        TypeDecl::String | TypeDecl::Enum(_) => matches!(kind, Kind::Text),
        TypeDecl::Integer | TypeDecl::Float => matches!(kind, Kind::Number),
        TypeDecl::Boolean => matches!(kind, Kind::Boolean),
        TypeDecl::Map(..) => matches!(kind, Kind::Table),
        TypeDecl::List(inner) => match kind {
            Kind::List(held) => matches!(**held, Kind::Unknown) || fits(held, inner),
            _ => false,
        },
        TypeDecl::Struct(decl) => matches!(kind, Kind::Struct(found) if found.name == decl.name),
        TypeDecl::Choice(decl) => decl.alternatives.iter().any(|ty| fits(kind, ty)),
    }
}

impl Expected {
    /// Whether a value of a kind is what is expected.
    pub(super) fn takes(&self, kind: &Kind) -> bool {
        match self {
            Self::Field(_, _, ty) => fits(kind, ty),
            Self::Key(..) | Self::Type => false,
            Self::Spec(ty) => is_of(kind, ty),
            Self::Process => matches!(kind, Kind::Struct(found) if found.name == "Process"),
            Self::Kind(wanted) => is_same(kind, wanted),
        }
    }

    /// Whether functions of the library make what is expected.
    pub(super) fn is_made(&self) -> bool {
        let is_list =
            matches!(self, Self::Field(_, _, TypeDecl::List(_)) | Self::Spec(SpecType::List(_)));
        is_list || !self.structs().is_empty()
    }

    /// The structs that are expected.
    fn structs(&self) -> Vec<&'static StructDecl> {
        match self {
            Self::Field(_, _, TypeDecl::Struct(decl)) => vec![decl],
            Self::Field(_, _, TypeDecl::Choice(decl)) => {
                decl.alternatives.iter().flat_map(TypeDecl::structs).collect()
            }
            Self::Spec(SpecType::Struct(decl)) | Self::Kind(Kind::Struct(decl)) => vec![decl],
            Self::Process => struct_decl("Process").into_iter().collect(),
            _ => Vec::new(),
        }
    }
}

fn is_of(kind: &Kind, ty: &SpecType) -> bool {
    match ty {
        SpecType::Text | SpecType::Enum(_) => matches!(kind, Kind::Text),
        SpecType::Number => matches!(kind, Kind::Number),
        SpecType::Boolean => matches!(kind, Kind::Boolean),
        SpecType::Map => matches!(kind, Kind::Table),
        SpecType::List(inner) => match kind {
            Kind::List(held) => matches!(**held, Kind::Unknown) || is_of(held, inner),
            _ => false,
        },
        SpecType::Struct(decl) => matches!(kind, Kind::Struct(found) if found.name == decl.name),
        SpecType::Own(class) => {
            matches!(kind, Kind::Own(found) if found.location() == class.location())
        }
        SpecType::Unknown => false,
    }
}

fn is_same(kind: &Kind, wanted: &Kind) -> bool {
    match (kind, wanted) {
        (Kind::Struct(a), Kind::Struct(b)) => a.name == b.name,
        (Kind::Own(a), Kind::Own(b)) => a.location() == b.location(),
        (Kind::List(a), Kind::List(b)) => {
            matches!(**a, Kind::Unknown) || matches!(**b, Kind::Unknown) || is_same(a, b)
        }
        (Kind::Text, Kind::Text)
        | (Kind::Number, Kind::Number)
        | (Kind::Boolean, Kind::Boolean)
        | (Kind::Table, Kind::Table) => true,
        _ => false,
    }
}

/// A text that fits.
struct Text {
    value: String,
    detail: String,
    origin: Option<Origin>,
    rank: Rank,
}

fn text(value: impl Into<String>, detail: impl Into<String>, rank: Rank) -> Text {
    Text { value: value.into(), detail: detail.into(), origin: None, rank }
}

/// Whether there are texts to propose for a field.
pub(super) fn has_texts(decl: &StructDecl, field: &FieldDecl) -> bool {
    let is_few = field.rules.iter().any(|rule| matches!(rule, Rule::AnyCaseOf(_)));
    is_few
        || matches!(field.ty, TypeDecl::Enum(_))
        || matches!(
            (decl.name, field.name),
            ("Job", "cluster" | "tier" | "environment" | "role" | "constraints")
                | ("Announcer", "primary_port" | "portmap")
                | ("HttpLifecycleConfig", "port")
                | ("Constraint", "order")
        )
}

/// The texts that fit.
fn texts(place: &Place<'_>, expected: &Expected) -> Vec<Text> {
    let mut found = match expected {
        Expected::Field(decl, field, ty) => of_field(place, decl, field, ty),
        Expected::Key(decl, field) => {
            let keys: &[&str] = match (decl.name, field.name) {
                ("Job", "constraints") => &CONSTRAINTS,
                ("Announcer", "portmap") => &["health", "aurora"],
                _ => &[],
            };
            keys.iter().map(|key| text(*key, "", Rank::Fitting)).collect()
        }
        Expected::Spec(SpecType::Enum(values)) => {
            values.iter().map(|value| text(value, "", Rank::Fitting)).collect()
        }
        Expected::Process => {
            let all = given::processes(place).into_iter();
            all.map(|name| text(name, "process", Rank::Made)).collect()
        }
        _ => Vec::new(),
    };
    let mut seen = std::collections::BTreeSet::new();
    found.retain(|text| seen.insert(text.value.clone()));
    found
}

fn of_field(
    place: &Place<'_>,
    decl: &'static StructDecl,
    field: &'static FieldDecl,
    ty: &'static TypeDecl,
) -> Vec<Text> {
    let default = field.default();
    let default = default.as_ref().and_then(|value| value.as_str());
    let said = |value: &str| if default == Some(value) { "default" } else { "" };
    if let TypeDecl::Enum(of) = ty {
        let value = |(value, doc): &(&str, aurora_model::declare::Doc)| Text {
            origin: Some(Origin::Value { of: of.name.to_owned(), value: (*value).to_owned() }),
            ..text(
                *value,
                if default == Some(*value) { "default".to_owned() } else { doc.summary() },
                Rank::Fitting,
            )
        };
        return of.values.iter().map(value).collect();
    }
    if !matches!(ty, TypeDecl::String) {
        return Vec::new();
    }
    let few = |values: &[&str], detail: &str| -> Vec<Text> {
        values.iter().map(|value| text(*value, detail, Rank::Fitting)).collect()
    };
    let mut found = Vec::new();
    for rule in field.rules {
        if let Rule::AnyCaseOf(values) = rule {
            found.extend(values.iter().map(|value| text(*value, said(value), Rank::Fitting)));
        }
    }
    match (decl.name, field.name) {
        ("Job", "cluster") => {
            let all = place.world.clusters().iter();
            found.extend(all.map(|name| text(name, "cluster", Rank::Fitting)));
        }
        ("Job", "tier") => found.extend(few(&TIERS, "tier")),
        ("Job", "environment") => found.extend(few(&ENVIRONMENTS, "")),
        ("Job", "constraints") if place.key() == Some("dedicated") => {
            found.extend(given::jobs(place).into_iter().map(|job| text(job, "job", Rank::Fitting)));
        }
        ("Job", "constraints") => found.extend(few(&["limit:1", "limit:2"], "")),
        ("Constraint", "order") => {
            let all = given::processes(place).into_iter();
            found.extend(all.map(|name| text(name, "process", Rank::Fitting)));
        }
        ("Announcer", "primary_port" | "portmap") | ("HttpLifecycleConfig", "port") => {
            let all = given::ports(place).into_iter();
            found.extend(all.map(|name| text(name, "port", Rank::Fitting)));
        }
        _ => {}
    }
    // Where the value is part of a list or table, the texts of the field are something else.
    if std::ptr::eq(ty, &field.ty) && !OWN_TEXTS.contains(&field.name) {
        let all = given::texts(place, field.name).into_iter();
        found.extend(all.map(|value| text(value, "given elsewhere", Rank::Made)));
    }
    if let Some(default) = default.filter(|text| !text.contains("{{") && !text.is_empty()) {
        found.push(text(default, "default", Rank::Made));
    }
    found
}

/// Proposes texts for what stands between quotes.
pub(super) fn within(place: &Place<'_>, literal: InText) -> Option<List> {
    let expected = expected(place)?;
    let written = place.source.slice(literal.inner);
    let is_closed = literal.literal.end > literal.inner.end;
    let typed = Span::new(literal.inner.start, place.at);
    let replaced = if is_closed {
        literal.inner
    } else {
        let rest = Span::new(place.at, literal.inner.end);
        let is_part = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '/' | '.' | ':');
        let rest = place.source.slice(rest);
        let length = rest.find(|c| !is_part(c)).unwrap_or(rest.len());
        Span::new(typed.start, place.at + crate::text::offset(length))
    };
    if written.contains("{{") || place.source.slice(replaced).contains(['\n', '\r']) {
        return None;
    }
    let quote = if is_closed {
        ""
    } else {
        let opening = Span::new(literal.literal.start, literal.inner.start);
        place.source.slice(opening).trim_start_matches(char::is_alphabetic)
    };
    let mut list = List::new(place, replaced);
    for Text { value, detail, origin, rank } in texts(place, &expected) {
        let mut proposal = Completion::new(&value, CompletionKind::Value)
            .detail(detail)
            .inserts(format!("{value}{quote}"));
        proposal.origin = origin;
        list.push(rank, proposal);
    }
    Some(list)
}

/// Proposes what may stand where a value is expected, and every name.
pub(super) fn expressions(place: &Place<'_>, list: &mut List) {
    if paths::quoted(place, list) {
        return;
    }
    if place.is_in_bases() {
        names::types(place, list, true);
        return;
    }
    match expected(place) {
        Some(Expected::Type) => names::types(place, list, false),
        Some(expected) => {
            fitting(place, list, &expected);
            names::all(place, list, &names::Wanted::Value(Some(expected)));
        }
        None => names::all(place, list, &names::Wanted::Value(None)),
    }
    // Who has been given what fits types a letter to see more.
    if !list.typed.is_empty() || list.found.is_empty() {
        snippets::words(list);
    }
}

fn fitting(place: &Place<'_>, list: &mut List, expected: &Expected) {
    for Text { value, detail, origin, rank } in texts(place, expected) {
        let mut proposal = Completion::new(place.style.quoted(&value), CompletionKind::Value)
            .detail(detail)
            .filter(value);
        proposal.origin = origin;
        list.push(rank, proposal);
    }
    match expected {
        Expected::Field(_, field, ty) => skeletons(place, list, field, ty),
        Expected::Key(..) | Expected::Type | Expected::Process => {}
        Expected::Spec(ty) => match ty {
            SpecType::Boolean => booleans(list, None),
            SpecType::List(_) => brackets(list, "[$0]"),
            SpecType::Map => brackets(list, "{$0}"),
            SpecType::Own(class) => {
                let make = Completion::new(class.name(), CompletionKind::Struct)
                    .snippet(format!("{}($0)", escaped(class.name())))
                    .of(Origin::defined(class))
                    .again();
                list.push(Rank::Made, make);
            }
            SpecType::Text | SpecType::Number | SpecType::Enum(_) | SpecType::Struct(_) => {}
            SpecType::Unknown => {}
        },
        Expected::Kind(kind) => match kind {
            Kind::Boolean => booleans(list, None),
            Kind::List(_) => brackets(list, "[$0]"),
            Kind::Table => brackets(list, "{$0}"),
            _ => {}
        },
    }
    for decl in expected.structs() {
        let objects = OBJECTS.iter().filter(|object| object.ty.name == decl.name);
        for object in objects {
            let proposal = names::builtin_proposal(place, object.name, builtin(object.name));
            list.push(Rank::Made, proposal);
        }
        let name = decl.name;
        if builtin(name).is_some() && !list.has(name) {
            let mut proposal = names::builtin_proposal(place, name, builtin(name));
            proposal.is_deprecated = is_deprecated(decl);
            let rank = if proposal.is_deprecated { Rank::Deprecated } else { Rank::Made };
            list.push(rank, proposal);
        }
    }
}

/// Whether a struct is only there for old files: all that it has is.
fn is_deprecated(decl: &StructDecl) -> bool {
    let is_old = |field: &FieldDecl| field.rules.iter().any(|r| matches!(r, Rule::Deprecated(_)));
    !decl.fields.is_empty() && decl.fields.iter().all(is_old)
}

fn skeletons(place: &Place<'_>, list: &mut List, field: &'static FieldDecl, ty: &TypeDecl) {
    match ty {
        TypeDecl::Boolean => {
            booleans(list, field.default().and_then(|default| default.as_bool()));
        }
        TypeDecl::Integer | TypeDecl::Float if field.rules.contains(&Rule::Bytes) => {
            for (unit, amount) in [("MB", 256), ("GB", 1)] {
                let times = times(place);
                let label = format!("{amount}{times}{unit}");
                let size = Completion::new(label, CompletionKind::Snippet)
                    .snippet(format!("${{1:{amount}}}{times}{unit}"))
                    .of(Origin::Builtin(unit.to_owned()));
                list.push(Rank::Fitting, size);
            }
        }
        TypeDecl::Integer | TypeDecl::Float if std::ptr::eq(ty, &raw const field.ty) => {
            if let Some(default) = default_in_language(field) {
                let number = Completion::new(default, CompletionKind::Value).detail("default");
                list.push(Rank::Made, number);
            }
        }
        TypeDecl::List(inner) => {
            if inner.name() == "Constraint" {
                list.push(Rank::Fitting, names::builtin_proposal(place, "order", builtin("order")));
            }
            brackets(list, "[$0]");
        }
        TypeDecl::Map(..) => brackets(list, "{$0}"),
        _ => {}
    }
}

fn booleans(list: &mut List, default: Option<bool>) {
    for (name, value) in [("True", true), ("False", false)] {
        let detail = if default == Some(value) { "default" } else { "" };
        let proposal = Completion::new(name, CompletionKind::Constant)
            .detail(detail)
            .of(Origin::Builtin(name.to_owned()));
        // Who writes the field wants to change it.
        let rank = if default == Some(value) { Rank::Made } else { Rank::Fitting };
        list.push(rank, proposal);
    }
}

fn brackets(list: &mut List, snippet: &str) {
    let label = snippet.replace("$0", "…");
    let proposal = Completion::new(label, CompletionKind::Snippet).snippet(snippet).filter(snippet);
    list.push(Rank::Made, proposal.again());
}

/// How the file writes a product.
fn times(place: &Place<'_>) -> &'static str {
    if place.style.equals == "=" { "*" } else { " * " }
}

/// Proposes units behind a number of bytes, and behind a number and `*`.
pub(super) fn units(place: &Place<'_>) -> Option<List> {
    let number = place.number();
    if number.is_none() && !place.is_behind_times() {
        return None;
    }
    let call = place.calls.first()?;
    let is_here = place.brackets_in_call().is_empty();
    let name = call.argument.filter(|_| is_here)?;
    match of_argument(place, call, place.source.slice(name))? {
        Expected::Field(_, field, _) if field.rules.contains(&Rule::Bytes) => {}
        _ => return None,
    }
    let touched = number.filter(|number| number.end == place.at && place.word.is_empty());
    let mut list = List::new(place, touched.unwrap_or(place.word));
    for (unit, size) in UNITS.iter().filter(|(_, size)| *size > 1) {
        let label = match (touched, number) {
            (Some(number), _) => {
                format!("{}{}{unit}", place.source.slice(number), times(place))
            }
            (None, Some(_)) => format!("* {unit}"),
            (None, None) => (*unit).to_owned(),
        };
        let rank = if matches!(*unit, "MB" | "GB") { Rank::Fitting } else { Rank::Made };
        let proposal = Completion::new(label, CompletionKind::Constant)
            .detail(format!("{size} bytes"))
            .of(Origin::Builtin((*unit).to_owned()));
        list.push(rank, proposal);
    }
    Some(list)
}

/// What a field of a class is expected to be, for those who write it.
pub(super) fn skeleton_of_spec(place: &Place<'_>, spec: &Spec) -> (String, bool) {
    let quote = place.style.quote;
    match &spec.ty {
        SpecType::Text => (format!("{quote}$0{quote}"), false),
        SpecType::Enum(_) => (format!("{quote}$0{quote}"), true),
        SpecType::Boolean => {
            let other = if spec.default.as_deref() == Some("True") { "False" } else { "True" };
            (format!("${{1:{other}}}"), false)
        }
        SpecType::List(_) => ("[$0]".to_owned(), true),
        SpecType::Map => ("{$0}".to_owned(), false),
        SpecType::Struct(decl) => (format!("{}($0)", decl.name), true),
        SpecType::Own(class) => (format!("{}($0)", escaped(class.name())), true),
        SpecType::Number | SpecType::Unknown => match &spec.default {
            Some(default) => (format!("${{1:{}}}", escaped(default)), false),
            None => ("$0".to_owned(), true),
        },
    }
}

/// A value to begin with for a field of the language, and whether there is more to complete in it.
pub(super) fn skeleton(
    place: &Place<'_>,
    decl: &StructDecl,
    field: &FieldDecl,
    is_at_hand: impl Fn(&StructDecl) -> bool,
) -> (String, bool) {
    let quote = place.style.quote;
    match &field.ty {
        TypeDecl::String | TypeDecl::Enum(_) => {
            (format!("{quote}$0{quote}"), has_texts(decl, field))
        }
        TypeDecl::Integer | TypeDecl::Float => {
            let unit = if field.rules.contains(&Rule::Bytes) { Some(times(place)) } else { None };
            match (unit, default_in_language(field)) {
                (Some(times), _) => (format!("${{1:256}}{times}${{2:MB}}"), false),
                (None, Some(default)) => (format!("${{1:{}}}", escaped(&default)), false),
                (None, None) => ("$0".to_owned(), false),
            }
        }
        TypeDecl::Boolean => {
            let default = field.default().and_then(|default| default.as_bool());
            let other = if default == Some(true) { "False" } else { "True" };
            (format!("${{1:{other}}}"), false)
        }
        TypeDecl::List(_) => ("[$0]".to_owned(), true),
        TypeDecl::Map(..) => ("{$0}".to_owned(), has_texts(decl, field)),
        TypeDecl::Struct(decl) if !is_at_hand(decl) => (format!("{}($0)", decl.name), true),
        // Which of several, or what is there already: the list of values says.
        TypeDecl::Struct(_) | TypeDecl::Choice(_) => ("$0".to_owned(), true),
    }
}

/// A value to begin with for a parameter whose value is otherwise the default.
pub(super) fn skeleton_of_parameter(
    place: &Place<'_>,
    parameter: &Definitive,
    kind: &Kind,
) -> (String, bool) {
    let quote = place.style.quote;
    let default = parameter.get().value.map(|value| parameter.source.slice(value));
    match (kind, default) {
        (Kind::Text, _) => (format!("{quote}$0{quote}"), false),
        (Kind::Boolean, Some("True")) => ("${1:False}".to_owned(), false),
        (Kind::Boolean, _) => ("${1:True}".to_owned(), false),
        (Kind::List(_), _) => ("[$0]".to_owned(), true),
        (Kind::Table, _) => ("{$0}".to_owned(), false),
        (Kind::Number, Some(default)) => (format!("${{1:{}}}", escaped(default)), false),
        _ => ("$0".to_owned(), true),
    }
}
