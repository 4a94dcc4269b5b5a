//! The values that fit where one is expected: texts of which there are a few, truth values, sizes,
//! structs and lists.

use aurora_model::catalog::OBJECTS;
use aurora_model::config::{ENVIRONMENTS, TIERS};
use aurora_model::declare::{FieldDecl, Rule, StructDecl, TypeDecl};
use aurora_model::docs::default_in_language;
use aurora_model::names::UNITS;

use super::describe::Origin;
use super::expected::{Expected, expected, of_call};
use super::place::Place;
use super::spec::{Spec, SpecType};
use super::{Completion, CompletionKind, List, Rank, fields, given, names, paths, snippets};
use crate::builtin::builtin;
use crate::cursor::InText;
use crate::resolve::Definitive;
use crate::style::escaped;
use crate::types::Kind;

/// Fields whose texts are of no use elsewhere.
const OWN_TEXTS: [&str; 5] = ["name", "cmdline", "shell_command", "data", "cron_schedule"];
/// How placement constraints are named and written, as the field's documentation says.
const CONSTRAINTS: [&str; 3] = ["host", "rack", "dedicated"];

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
        Expected::FieldName(decl) => {
            let name = |field: &FieldDecl| Text {
                origin: Some(Origin::Field {
                    of: decl.name.to_owned(),
                    name: field.name.to_owned(),
                }),
                ..text(field.name, fields::detail(field), Rank::Fitting)
            };
            decl.fields.iter().map(name).collect()
        }
        Expected::Spec(SpecType::Enum(values)) => {
            values.iter().map(|value| text(value, "", Rank::Fitting)).collect()
        }
        Expected::BoundName => {
            let all = fields::unbound(place).into_iter();
            all.map(|(name, detail, rank)| text(name, detail, rank)).collect()
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
        ("Job", "constraints") if is_dedicated(place) => {
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

/// Whether the cursor stands at the value of the constraint that asks for machines set aside.
fn is_dedicated(place: &Place<'_>) -> bool {
    place.brackets_in_call().last().is_some_and(|bracket| bracket.key == Some("dedicated"))
}

/// Proposes texts for what stands between quotes.
pub(super) fn within(place: &Place<'_>, literal: InText) -> Option<List> {
    let expected = expected(place)?;
    let written = place.source.slice(literal.inner);
    let (replaced, quote) = place.between_quotes(literal);
    if written.contains("{{") || place.source.slice(replaced).contains(['\n', '\r']) {
        return None;
    }
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
        Expected::Bytes => sizes(place, list),
        Expected::Key(..)
        | Expected::FieldName(_)
        | Expected::Scope
        | Expected::BoundName
        | Expected::Type
        | Expected::Process => {}
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
            sizes(place, list);
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

/// Sizes to begin with.
fn sizes(place: &Place<'_>, list: &mut List) {
    let times = place.style.times();
    for (unit, amount) in [("MB", 256), ("GB", 1)] {
        let size = Completion::new(format!("{amount}{times}{unit}"), CompletionKind::Snippet)
            .snippet(format!("${{1:{amount}}}{times}{unit}"))
            .of(Origin::Builtin(unit.to_owned()));
        list.push(Rank::Fitting, size);
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

/// Proposes units behind a number of bytes, and behind a number and `*`.
pub(super) fn units(place: &Place<'_>) -> Option<List> {
    let number = place.number();
    if number.is_none() && !place.is_behind_times() {
        return None;
    }
    let call = place.calls.first().filter(|_| place.brackets_in_call().is_empty())?;
    if !of_call(place, call)?.is_bytes() {
        return None;
    }
    let touched = number.filter(|number| number.end == place.at && place.word.is_empty());
    let mut list = List::new(place, touched.unwrap_or(place.word));
    for (unit, size) in UNITS.iter().filter(|(_, size)| *size > 1) {
        let label = match (touched, number) {
            (Some(number), _) => {
                format!("{}{}{unit}", place.source.slice(number), place.style.times())
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
            let unit = field.rules.contains(&Rule::Bytes).then(|| place.style.times());
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
