//! Values that are written for fields which nobody has given yet: such that the file evaluates.

use aurora_model::declare::{FieldDecl, Presence, Rule, StructDecl, TypeDecl};

use super::Place;

/// How deep structs are written in structs.
const MAX_DEPTH: usize = 4;
/// Fields that a job must have, although a struct by itself need not.
const NEEDED: [(&str, &[&str]); 1] = [("Task", &["processes", "resources"])];
/// What is written for texts; for others it is the field's name.
const TEXTS: [(&str, &str); 3] =
    [("role", "www-data"), ("environment", "devel"), ("cmdline", "echo hello")];

/// The fields that must be given to make a struct.
pub(super) fn needed(decl: &'static StructDecl) -> impl Iterator<Item = &'static FieldDecl> {
    let more = NEEDED.iter().find(|(name, _)| *name == decl.name).map(|(_, fields)| *fields);
    decl.fields.iter().filter(move |field| {
        matches!(field.presence, Presence::Required)
            || more.is_some_and(|fields| fields.contains(&field.name))
    })
}

/// A field as an argument, with a value to begin with.
pub(super) fn argument(place: &Place<'_>, field: &FieldDecl) -> String {
    written(place, field, MAX_DEPTH)
}

fn written(place: &Place<'_>, field: &FieldDecl, depth: usize) -> String {
    format!("{}{}{}", field.name, place.style.equals, value(place, field, &field.ty, depth))
}

fn value(place: &Place<'_>, field: &FieldDecl, ty: &TypeDecl, depth: usize) -> String {
    match ty {
        TypeDecl::String => place.style.quoted(&text(place, field)),
        TypeDecl::Integer | TypeDecl::Float => number(place, field),
        TypeDecl::Boolean => "False".to_owned(),
        TypeDecl::Enum(decl) => {
            place.style.quoted(decl.values.first().map_or("", |(value, _)| value))
        }
        TypeDecl::List(inner) if !inner.structs().is_empty() => {
            format!("[{}]", value(place, field, inner, depth))
        }
        TypeDecl::List(_) => "[]".to_owned(),
        TypeDecl::Map(..) => "{}".to_owned(),
        TypeDecl::Struct(decl) => structure(place, decl, depth),
        TypeDecl::Choice(decl) => match decl.alternatives.first() {
            Some(first) => value(place, field, first, depth),
            None => "None".to_owned(),
        },
    }
}

/// A struct with what must be given to it.
fn structure(place: &Place<'_>, decl: &'static StructDecl, depth: usize) -> String {
    let Some(depth) = depth.checked_sub(1) else { return format!("{}()", decl.name) };
    let fields: Vec<String> = needed(decl).map(|field| written(place, field, depth)).collect();
    format!("{}({})", decl.name, fields.join(", "))
}

fn text(place: &Place<'_>, field: &FieldDecl) -> String {
    if field.name == "cluster"
        && let Some(first) = place.world.clusters().first()
    {
        return first.clone();
    }
    let known = TEXTS.iter().find(|(name, _)| *name == field.name);
    known.map_or(field.name, |(_, text)| text).to_owned()
}

fn number(place: &Place<'_>, field: &FieldDecl) -> String {
    let least = field.rules.iter().find_map(|rule| match rule {
        Rule::AtLeast(least) => Some(*least),
        Rule::MoreThan(least) => Some(least + 1),
        _ => None,
    });
    if field.rules.contains(&Rule::Bytes) {
        let sign = place.style.times();
        return match place.is_language("MB") {
            true => format!("64{sign}MB"),
            false => (64 << 20).to_string(),
        };
    }
    least.unwrap_or(1).max(1).to_string()
}
