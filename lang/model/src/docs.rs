//! What is declared, for people: `aurora config explain` and the pages of `docs/reference`.

use std::fmt::Write;

use serde_json::Value;

use crate::catalog::{self, ALIASES, OBJECTS, ObjectDecl};
use crate::declare::{FieldDecl, Presence, Rule, StructDecl, TypeDecl};
use crate::names::{self, NameDecl};

pub use crate::reference::{Page, pages};

/// How wide explanations are, in columns.
const WIDTH: usize = 88;
/// How many near names are suggested.
const SUGGESTIONS: usize = 3;
/// The longest name that near ones are looked up of, in bytes.
const MAX_NAME: usize = 100;

/// What can be explained.
enum Topic {
    Type(&'static TypeDecl),
    Field(&'static StructDecl, &'static FieldDecl),
    Object(&'static ObjectDecl),
    Name(&'static NameDecl),
}

/// Explains a struct (`Process`), a field (`Job.instances`, `task.resources.ram`, or `instances` of
/// whatever struct has it), or another name of the language (`order`, `MB`), as text for a terminal.
///
/// # Errors
/// Nothing is called so. The names that are most like it, best first; maybe none.
pub fn explain(name: &str) -> Result<String, Vec<String>> {
    let name = name.trim().trim_end_matches("()");
    let topics = topics();
    let named = |is_it: &dyn Fn(&str) -> bool| {
        let matching = topics.iter().filter(|(known, _)| is_it(known));
        matching.map(|(_, topic)| text_of(topic)).collect::<Vec<_>>()
    };
    let mut found = named(&|known| known == name);
    if found.is_empty() {
        found = named(&|known| known.eq_ignore_ascii_case(name));
    }
    if found.is_empty() {
        found = along(&topics, name).iter().map(text_of).collect();
    }
    if found.is_empty() {
        return Err(suggestions(name, topics.iter().map(|(known, _)| known.as_str())));
    }
    Ok(found.join("\n\n"))
}

/// The fields at the end of a path through several structs, as in `Job.task.resources.ram`.
fn along(topics: &[(String, Topic)], path: &str) -> Vec<Topic> {
    let mut steps = path.split('.').map(|step| step.split('[').next().unwrap_or(step));
    let first = steps.next().unwrap_or_default();
    let mut here: Vec<&'static StructDecl> = Vec::new();
    for (_, topic) in topics.iter().filter(|(known, _)| known == first) {
        match topic {
            Topic::Type(ty) => here.extend(ty.structs()),
            Topic::Field(_, field) => here.extend(field.ty.structs()),
            Topic::Object(object) => here.push(object.ty),
            Topic::Name(_) => {}
        }
    }
    let mut fields = Vec::new();
    for step in steps {
        fields = here
            .iter()
            .filter_map(|decl| Some((*decl, decl.field(step)?)))
            .collect::<Vec<(&StructDecl, &FieldDecl)>>();
        here = fields.iter().flat_map(|(_, field)| field.ty.structs()).collect();
    }
    fields.into_iter().map(|(decl, field)| Topic::Field(decl, field)).collect()
}

/// Every name under which something is explained; a field has two.
fn topics() -> Vec<(String, Topic)> {
    let mut topics = Vec::new();
    for (_, ty) in catalog::types() {
        topics.push((ty.name().to_owned(), Topic::Type(ty)));
        if let Some(space) = space_of(ty.name()) {
            topics.push((space.to_owned(), Topic::Type(ty)));
        }
    }
    for decl in catalog::structs() {
        for field in decl.fields {
            topics.push((format!("{}.{}", decl.name, field.name), Topic::Field(decl, field)));
            topics.push((field.name.to_owned(), Topic::Field(decl, field)));
            if let Some(space) = space_of(decl.name) {
                topics.push((format!("{space}.{}", field.name), Topic::Field(decl, field)));
            }
        }
    }
    for (alias, decl) in ALIASES {
        for (_, ty) in catalog::types().filter(|(_, ty)| ty.name() == decl.name) {
            topics.push(((*alias).to_owned(), Topic::Type(ty)));
        }
    }
    for object in OBJECTS {
        topics.push((object.name.to_owned(), Topic::Object(object)));
    }
    for decl in names::names() {
        for name in std::iter::once(&decl.name).chain(decl.also) {
            topics.push(((*name).to_owned(), Topic::Name(decl)));
        }
    }
    topics
}

/// The name under which templates find a context, as in `{{mesos.instance}}`.
fn space_of(decl: &str) -> Option<&'static str> {
    match decl {
        "MesosContext" => Some("mesos"),
        "ThermosContext" => Some("thermos"),
        _ => None,
    }
}

/// The names that are most like `name`.
fn suggestions<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> Vec<String> {
    if name.len() > MAX_NAME {
        return Vec::new();
    }
    let lower = name.to_ascii_lowercase();
    let mut near: Vec<(usize, &str)> = known
        .filter_map(|known| {
            let candidate = known.to_ascii_lowercase();
            let slips = aurora_template::types::slips(&lower, &candidate);
            // Part of a name, as in `sla` for `sla_policy`.
            let is_part = lower.len() > 2 && candidate.contains(&lower);
            slips.or_else(|| is_part.then(|| candidate.len() - lower.len())).map(|d| (d, known))
        })
        .collect();
    near.sort_unstable();
    near.dedup();
    near.into_iter().take(SUGGESTIONS).map(|(_, known)| known.to_owned()).collect()
}

fn text_of(topic: &Topic) -> String {
    match topic {
        Topic::Type(TypeDecl::Struct(decl)) => {
            let mut text = format!("{}\n\n{}", decl.name, paragraphs(decl.doc));
            text.push_str("\n\n");
            text.push_str(&fields_of(decl));
            let example = decl.fields.last().map_or("", |field| field.name);
            let _ = write!(text, "\nMore about one: {}.{example}", decl.name);
            text
        }
        Topic::Type(TypeDecl::Enum(decl)) => {
            let mut text = format!("{}\n\n{}\n", decl.name, paragraphs(decl.doc));
            for (value, doc) in decl.values {
                let _ = write!(text, "\n  {value}  {}", doc.summary());
            }
            text
        }
        Topic::Type(ty) => {
            let mut text = format!("{ty}");
            if let TypeDecl::Choice(decl) = ty {
                let names: Vec<String> =
                    decl.alternatives.iter().map(|ty| format!("  {ty}")).collect();
                let doc = paragraphs(decl.doc);
                let _ = write!(text, "\n\n{doc}\n\nOne of\n{}", names.join("\n"));
            }
            text
        }
        Topic::Field(decl, field) => {
            let facts = std::iter::once(type_in_words(&field.ty)).chain(facts(field));
            let facts: Vec<String> = facts.collect();
            let place = format!("{}.{}", decl.name, field.name);
            format!("{place}\n{}\n\n{}", wrapped(&facts.join(", ")), paragraphs(field.doc))
        }
        Topic::Object(decl) => {
            format!("{}: a {}\n\n{}", decl.name, decl.ty.name, paragraphs(decl.doc))
        }
        Topic::Name(decl) => {
            let mut text = format!("{}\n\n{}", decl.signature, paragraphs(decl.doc));
            if !decl.also.is_empty() {
                let _ = write!(text, "\n\nAlso called {}", decl.also.join(", "));
            }
            text
        }
    }
}

/// A line for each field: its name, what holds if it is not given, what it is.
fn fields_of(decl: &StructDecl) -> String {
    let presences: Vec<String> = decl
        .fields
        .iter()
        .map(|field| match field.presence {
            Presence::Required => "required".to_owned(),
            Presence::Optional => "optional".to_owned(),
            Presence::Default(value) => format!("= {}", in_language(field, &value())),
        })
        .collect();
    let widest = |texts: &mut dyn Iterator<Item = usize>| texts.max().unwrap_or(0);
    let name = widest(&mut decl.fields.iter().map(|field| field.name.len()));
    let presence = widest(&mut presences.iter().map(String::len));
    let mut text = String::new();
    for (field, given) in decl.fields.iter().zip(&presences) {
        let summary = shortened(&field.doc.summary(), WIDTH.saturating_sub(name + presence + 6));
        let line = format!("  {:name$}  {given:presence$}  {summary}", field.name);
        let _ = writeln!(text, "{}", line.trim_end());
    }
    text
}

/// A type as a person would say it; the alternatives of a choice one by one.
pub fn type_in_words(ty: &TypeDecl) -> String {
    match ty {
        TypeDecl::Choice(decl) => {
            let names: Vec<&str> = decl.alternatives.iter().map(TypeDecl::name).collect();
            match names.split_last() {
                Some((last, rest)) if !rest.is_empty() => {
                    format!("{} or {last}", rest.join(", "))
                }
                _ => names.concat(),
            }
        }
        other => other.to_string(),
    }
}

/// What holds for a field beside its type: whether it must be given, unit and limits.
pub fn facts(field: &FieldDecl) -> impl Iterator<Item = String> {
    let presence = match field.presence {
        Presence::Required => "required".to_owned(),
        Presence::Optional => "optional".to_owned(),
        Presence::Default(value) => format!("default {}", in_language(field, &value())),
    };
    std::iter::once(presence).chain(limits(field))
}

/// Unit and limits of a field.
pub(crate) fn limits(field: &FieldDecl) -> impl Iterator<Item = String> {
    let is_bytes = field.rules.contains(&Rule::Bytes);
    field.rules.iter().filter_map(move |rule| {
        let number = |limit: &i64| if is_bytes { bytes(*limit) } else { limit.to_string() };
        Some(match rule {
            Rule::Bytes => "in bytes".to_owned(),
            Rule::Seconds => "in seconds".to_owned(),
            Rule::Cores => "in cores".to_owned(),
            Rule::Percent => "in percent".to_owned(),
            Rule::AtLeast(limit) => format!("at least {}", number(limit)),
            Rule::AtMost(limit) => format!("at most {}", number(limit)),
            Rule::MoreThan(limit) => format!("more than {}", number(limit)),
            Rule::Identifier => "of letters, digits, `_`, `-` and `.`".to_owned(),
            Rule::FileName => "without `/` and without a leading `.`".to_owned(),
            Rule::AnyCaseOf(values) => format!("one of {} in any letter case", values.join(", ")),
            Rule::Deprecated(instead) => format!("deprecated: {instead}"),
            Rule::Optional => return None,
        })
    })
}

/// The default of a field as a file would have it.
pub fn default_in_language(field: &FieldDecl) -> Option<String> {
    field.default().map(|value| in_language(field, &value))
}

/// A default as a file would have it.
pub(crate) fn in_language(field: &FieldDecl, value: &Value) -> String {
    match (&field.ty, value) {
        (TypeDecl::Struct(decl), value) => struct_in_language(decl, value),
        (_, Value::Number(number)) if field.rules.contains(&Rule::Bytes) => {
            number.as_i64().map_or_else(|| number.to_string(), bytes)
        }
        (_, Value::Bool(true)) => "True".to_owned(),
        (_, Value::Bool(false)) => "False".to_owned(),
        (_, Value::Object(entries)) => {
            let entries = entries.iter().map(|(key, value)| format!("{key:?}: {value}"));
            format!("{{{}}}", entries.collect::<Vec<_>>().join(", "))
        }
        (_, other) => other.to_string(),
    }
}

/// A whole struct: by the name of the ready-made object it equals, or as a call.
fn struct_in_language(decl: &StructDecl, value: &Value) -> String {
    let is = |fields: &Value| with_defaults(decl, fields) == *value;
    let object =
        OBJECTS.iter().find(|object| object.ty.name == decl.name && is(&(object.fields)()));
    match object {
        Some(object) => object.name.to_owned(),
        None => format!("{}()", decl.name),
    }
}

/// A struct with the defaults of what is not given.
fn with_defaults(decl: &StructDecl, given: &Value) -> Value {
    let mut whole = serde_json::Map::new();
    for field in decl.fields {
        let value = match (given.get(field.name), &field.ty) {
            (Some(inner), TypeDecl::Struct(decl)) => Some(with_defaults(decl, inner)),
            (Some(value), _) => Some(value.clone()),
            (None, _) => field.default(),
        };
        whole.extend(value.map(|value| (field.name.to_owned(), value)));
    }
    Value::Object(whole)
}

/// A size with the largest unit that fits.
fn bytes(size: i64) -> String {
    let mut units = names::UNITS.iter().filter(|(_, unit)| *unit > 1).rev();
    let fits = units.find(|(_, unit)| size >= *unit && size % unit == 0);
    fits.map_or_else(|| size.to_string(), |(name, unit)| format!("{} * {name}", size / unit))
}

fn paragraphs(doc: crate::declare::Doc) -> String {
    doc.paragraphs().iter().map(|text| wrapped(text)).collect::<Vec<_>>().join("\n\n")
}

/// A text in lines that are not too long for a terminal.
fn wrapped(text: &str) -> String {
    let mut lines = vec![String::new()];
    for word in text.split(' ') {
        let Some(last) = lines.last_mut() else { break };
        if !last.is_empty() && last.chars().count() + 1 + word.chars().count() > WIDTH {
            lines.push(word.to_owned());
        } else {
            if !last.is_empty() {
                last.push(' ');
            }
            last.push_str(word);
        }
    }
    lines.join("\n")
}

/// A text that is no longer than that.
fn shortened(text: &str, room: usize) -> String {
    if text.chars().count() <= room {
        return text.to_owned();
    }
    let beginning: String = text.chars().take(room.saturating_sub(1)).collect();
    let end = beginning.rfind(' ').unwrap_or(beginning.len());
    format!("{}…", beginning.get(..end).unwrap_or(&beginning).trim_end_matches([',', ':', ' ']))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn structs_fields_and_functions_are_explained() {
        for (name, said) in [
            ("Job.instances", &["Job.instances\nInteger, default 1, at least 1", "numbered"][..]),
            ("instances", &["Job.instances"]),
            ("max_failures", &["Task.max_failures", "Process.max_failures"]),
            (
                "process",
                &["Process\n", "\n  cmdline       required  What bash", "More about one: Process."],
            ),
            ("Resources.ram", &["at least 1 * MB", "in bytes"]),
            ("job.lifecycle", &["default DefaultLifecycleConfig"]),
            ("HealthCheckConfig.health_checker", &["default DefaultHealthChecker"]),
            ("update_config", &["default UpdateConfig()"]),
            ("Process.final", &["default False"]),
            ("container", &["Container, Docker or Mesos, optional"]),
            ("MesosJob", &["Job\n"]),
            ("Service", &["Service: a Job"]),
            ("order()", &["order(first, second", "Also called Processes.order"]),
            ("Tasks.concat", &["one after the other"]),
            ("mesos.instance", &["MesosContext.instance"]),
            ("LoggerMode", &["  rotate  "]),
            ("SlaPolicy", &["One of", "  CountSlaPolicy"]),
            ("MB", &["MB = 1024 * KB"]),
            ("Job.task.resources.ram", &["Resources.ram\n"]),
            ("task.processes[0].name", &["Process.name\n"]),
            ("container.volumes.mode", &["Volume.mode\nMode, required"]),
            ("thermos", &["ThermosContext\n"]),
            ("mesos.role", &["{{mesos.role}}"]),
            ("portmap", &["default {\"aurora\": \"{{primary_port}}\"}"]),
        ] {
            let text = explain(name).unwrap_or_else(|near| panic!("{name}: {near:?}"));
            for part in said {
                assert!(text.contains(part), "{name}: {part:?} is not in\n{text}");
            }
            assert!(text.lines().all(|line| line.chars().count() <= WIDTH), "{text}");
        }
    }

    #[test]
    fn what_is_unknown_is_answered_with_what_is_near() {
        for (name, near) in [
            ("Job.instancs", "Job.instances"),
            ("instence", "instances"),
            ("sla", "sla_aware"),
            ("Task.combine", "Tasks.combine"),
            ("Proces", "Process"),
        ] {
            let suggestions = explain(name).unwrap_err();
            assert!(suggestions.iter().any(|known| known == near), "{name}: {suggestions:?}");
        }
        assert!(explain("").unwrap_err().is_empty());
        assert!(explain("qqqqqqqqq").unwrap_err().is_empty());
        assert!(explain(&"x".repeat(1_000_000)).unwrap_err().is_empty());
    }
}
