//! What is expected at a place: the value of a field, of a parameter, a type, a name.

use aurora_model::declare::{FieldDecl, Rule, StructDecl, TypeDecl};
use aurora_model::names::UNITS;
use aurora_syntax::Kind as Word;

use super::fields;
use super::place::{Bracket, Place};
use super::spec::{SpecType, makes_type, spec};
use crate::builtin::{documented, struct_decl};
use crate::cursor::OpenCall;
use crate::resolve::Definitive;
use crate::types::{self, Fields, Kind};

/// What is expected at a place.
pub(super) enum Expected {
    /// The value of a field of the language, or a part of it.
    Field(&'static StructDecl, &'static FieldDecl, &'static TypeDecl),
    /// The key of a table that a field is.
    Key(&'static StructDecl, &'static FieldDecl),
    /// The name of a field, as the key of a table that becomes a struct.
    FieldName(&'static StructDecl),
    /// The value of a field of a class.
    Spec(SpecType),
    /// A value of a kind.
    Kind(Kind),
    /// A table of names to bind.
    Scope,
    /// Such a name.
    BoundName,
    /// A process or its name.
    Process,
    /// A number of bytes.
    Bytes,
    /// A type.
    Type,
}

/// What is expected where the cursor, or the literal that holds it, stands.
pub(super) fn expected(place: &Place<'_>) -> Option<Expected> {
    if !place.begins_value() {
        return None;
    }
    let brackets = place.brackets_in_call();
    let Some(call) = place.calls.first() else { return outside(place, &brackets) };
    let mut found = of_call(place, call)?;
    for bracket in &brackets {
        found = within(found, bracket)?;
    }
    Some(found)
}

/// What is expected of the argument of a call at the cursor.
pub(super) fn of_call(place: &Place<'_>, call: &OpenCall) -> Option<Expected> {
    match call.argument {
        Some(name) => of_argument(place, call, place.source.slice(name)),
        None => of_position(place, call),
    }
}

/// What is expected where no call is around.
fn outside(place: &Place<'_>, brackets: &[Bracket<'_>]) -> Option<Expected> {
    let assigned = place.assigned()?;
    if place.is_in_class() && brackets.is_empty() {
        return Some(Expected::Type);
    }
    let is_list = matches!(brackets, [bracket] if bracket.kind == Word::LBracket);
    (assigned == "jobs" && is_list).then(a_job).flatten()
}

fn a_job() -> Option<Expected> {
    struct_decl("Job").map(|job| Expected::Kind(Kind::Struct(job)))
}

/// What is expected of an argument by its name.
fn of_argument(place: &Place<'_>, call: &OpenCall, name: &str) -> Option<Expected> {
    match call.fields() {
        Some(Fields::Declared(decl)) => of_field(decl, name),
        Some(Fields::Own(class)) => {
            let fields = types::own_fields(place.world, &class);
            let found = fields.iter().find(|field| field.name() == name)?;
            Some(Expected::Spec(spec(place.world, found).ty))
        }
        None => match &call.callee {
            Kind::Function(function) => {
                let parameters = fields::parameters(function);
                let found = parameters.iter().find(|found| found.name() == name);
                found.and_then(|found| of_parameter(place, found)).or_else(|| {
                    fields::made_by(place.world, function).and_then(|decl| of_field(decl, name))
                })
            }
            Kind::Named(of) if of == "struct_type" => Some(Expected::Type),
            _ => None,
        },
    }
}

fn of_field(decl: &'static StructDecl, name: &str) -> Option<Expected> {
    decl.field(name).map(|field| Expected::Field(decl, field, &field.ty))
}

fn of_parameter(place: &Place<'_>, parameter: &Definitive) -> Option<Expected> {
    let default = parameter.get().value.map_or("", |value| parameter.source.slice(value));
    // `256 * MB`
    if UNITS.iter().any(|(unit, _)| {
        default.ends_with(&format!("*{unit}")) || default.ends_with(&format!("* {unit}"))
    }) {
        return Some(Expected::Bytes);
    }
    match types::kind_of_definition(place.world, parameter) {
        Kind::Unknown => None,
        kind => Some(Expected::Kind(kind)),
    }
}

/// What is expected of an argument by its place.
fn of_position(place: &Place<'_>, call: &OpenCall) -> Option<Expected> {
    if place.dotted(call.open.start).as_deref() == Some("jobs.append") {
        return a_job();
    }
    if call.name.is_some_and(|name| fields::binds(place.source.slice(name))) {
        return Some(Expected::Scope);
    }
    match &call.callee {
        Kind::Function(function) => {
            of_parameter(place, fields::parameters(function).get(call.position)?)
        }
        Kind::Member(of, name) => match (&**of, name.as_str()) {
            (Kind::List(inner), "append") => Some(Expected::Kind((**inner).clone())),
            (Kind::List(_), "extend") => Some(Expected::Kind((**of).clone())),
            _ => None,
        },
        // A table of fields stands before what is given by name.
        Kind::Constructor(decl) => Some(Expected::Kind(Kind::Struct(decl))),
        Kind::Named(name) if name == "order" || name == "Processes.order" => {
            Some(Expected::Process)
        }
        Kind::Named(name) if makes_type(name) && call.position == 0 || name == "Map" => {
            Some(Expected::Type)
        }
        Kind::Named(name) => of_signature(documented(name)?.signature, call.position),
        _ => None,
    }
}

/// What the signature of a function of the language says of an argument: `task, …`, `[task, …]`.
fn of_signature(signature: &str, position: usize) -> Option<Expected> {
    let (inside, _) = signature.split_once('(')?.1.rsplit_once(')')?;
    let parameters: Vec<&str> = inside.split(", ").collect();
    // What stands before the `…` may be repeated.
    let repeated = parameters.iter().position(|parameter| *parameter == "…");
    let last = repeated.and_then(|at| at.checked_sub(1)).unwrap_or(position);
    let parameter = parameters.get(position.min(last))?;
    let of = |name: &str| match name {
        "task" => struct_decl("Task").map(Kind::Struct),
        "resources" => struct_decl("Resources").map(Kind::Struct),
        _ => None,
    };
    let kind = match parameter.strip_prefix('[') {
        Some(inner) => Kind::List(Box::new(of(inner)?)),
        None => of(parameter)?,
    };
    Some(Expected::Kind(kind))
}

/// What is expected in a table that becomes a struct.
fn entry(decl: &'static StructDecl, bracket: &Bracket<'_>) -> Option<Expected> {
    if bracket.is_value { of_field(decl, bracket.key?) } else { Some(Expected::FieldName(decl)) }
}

/// What is expected in a bracket that stands where something is expected.
fn within(outer: Expected, bracket: &Bracket<'_>) -> Option<Expected> {
    Some(match (outer, bracket.kind) {
        (found, Word::LParen) => found,
        (Expected::Field(decl, field, TypeDecl::List(inner)), Word::LBracket) => {
            Expected::Field(decl, field, inner)
        }
        (Expected::Field(decl, field, TypeDecl::Map(_, value)), Word::LBrace) => {
            if bracket.is_value {
                Expected::Field(decl, field, value)
            } else {
                Expected::Key(decl, field)
            }
        }
        (Expected::Field(_, _, TypeDecl::Struct(decl)), Word::LBrace) => entry(decl, bracket)?,
        (Expected::Kind(Kind::Struct(decl)), Word::LBrace) => entry(decl, bracket)?,
        (Expected::Scope, Word::LBrace) if !bracket.is_value => Expected::BoundName,
        (Expected::Spec(SpecType::List(inner)), Word::LBracket) => Expected::Spec(*inner),
        (Expected::Kind(Kind::List(inner)), Word::LBracket) => Expected::Kind(*inner),
        (Expected::Type, Word::LBracket) => Expected::Type,
        _ => return None,
    })
}

/// Whether a value of a kind is what a type of the language holds.
fn fits(kind: &Kind, ty: &TypeDecl) -> bool {
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
            Self::Key(..) | Self::FieldName(_) | Self::BoundName | Self::Type => false,
            // Structs and tables: the fields of both become names.
            Self::Scope => matches!(kind, Kind::Struct(_) | Kind::Own(_) | Kind::Table),
            Self::Bytes => matches!(kind, Kind::Number),
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

    /// Whether it is a number of bytes.
    pub(super) fn is_bytes(&self) -> bool {
        match self {
            Self::Bytes => true,
            Self::Field(_, field, ty) => {
                matches!(ty, TypeDecl::Integer | TypeDecl::Float)
                    && field.rules.contains(&Rule::Bytes)
            }
            _ => false,
        }
    }

    /// The structs that are expected.
    pub(super) fn structs(&self) -> Vec<&'static StructDecl> {
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
