//! The JSON Schema (draft 2020-12) of jobs written as JSON, as `--read-json` takes them.
//!
//! A template may stand wherever a scalar may, so every number and boolean may also be a text
//! with a reference.

use serde_json::{Map, Value, json};

use crate::catalog;
use crate::config::Job;
use crate::declare::{Declared, FieldDecl, Presence, Rule, StructDecl, TypeDecl};

/// A text with a reference.
const TEMPLATE: &str = r"\{\{";

/// The schema of a file: one job, or `{"jobs": [job, …]}`.
pub fn json_schema() -> Value {
    let definitions: Map<String, Value> = catalog::structs()
        .map(|decl| (decl.name.to_owned(), struct_schema(decl)))
        .chain(catalog::choices().map(|decl| {
            let alternatives: Vec<Value> =
                decl.alternatives.iter().map(|ty| type_schema(ty, &[])).collect();
            let schema = json!({"description": decl.doc.to_string(), "anyOf": alternatives});
            (decl.name.to_owned(), schema)
        }))
        .chain(catalog::enums().map(|decl| {
            let values: Vec<&str> = decl.values.iter().map(|(value, _)| *value).collect();
            let schema = json!({
                "description": decl.doc.to_string(),
                "anyOf": [{"enum": values}, template()],
            });
            (decl.name.to_owned(), schema)
        }))
        .collect();
    let job = type_schema(&Job::TYPE, &[]);
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Jobs of Aurora",
        "description": "One job, or a table with a list of jobs.",
        "type": "object",
        "if": {"required": ["jobs"]},
        "then": {
            "properties": {"jobs": {
                "description": "The jobs.",
                "type": "array",
                "items": job,
            }},
            "additionalProperties": false,
        },
        "else": job,
        "$defs": definitions,
    })
}

fn struct_schema(decl: &StructDecl) -> Value {
    let properties: Map<String, Value> =
        decl.fields.iter().map(|field| (field.name.to_owned(), field_schema(field))).collect();
    let required: Vec<&str> = decl
        .fields
        .iter()
        .filter(|field| matches!(field.presence, Presence::Required))
        .map(|field| field.name)
        .collect();
    json!({
        "description": decl.doc.to_string(),
        "type": "object",
        "properties": properties,
        "required": required,
        "additionalProperties": false,
    })
}

fn field_schema(decl: &FieldDecl) -> Value {
    let mut schema = type_schema(&decl.ty, decl.rules);
    if let Value::Object(entries) = &mut schema {
        entries.insert("description".to_owned(), decl.doc.to_string().into());
        if let Some(default) = decl.default() {
            entries.insert("default".to_owned(), default);
        }
        if decl.rules.iter().any(|rule| matches!(rule, Rule::Deprecated(_))) {
            entries.insert("deprecated".to_owned(), true.into());
        }
    }
    schema
}

fn template() -> Value {
    json!({"type": "string", "pattern": TEMPLATE})
}

/// A number or boolean, or what becomes one: a text of it, or a template.
fn or_text(scalar: Value, pattern: &str) -> Value {
    json!({"anyOf": [scalar, {"type": "string", "pattern": format!("{TEMPLATE}|{pattern}")}]})
}

fn type_schema(ty: &TypeDecl, rules: &[Rule]) -> Value {
    match ty {
        TypeDecl::String => text(rules),
        TypeDecl::Integer => or_text(number("integer", rules), r"^\s*[+-]?[0-9]+\s*$"),
        TypeDecl::Float => or_text(
            number("number", rules),
            r"^\s*[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?\s*$",
        ),
        TypeDecl::Boolean => {
            or_text(json!({"type": "boolean"}), "^([Tt][Rr][Uu][Ee]|[Ff][Aa][Ll][Ss][Ee]|0|1)$")
        }
        TypeDecl::List(element) => {
            json!({"type": "array", "items": type_schema(element, rules)})
        }
        TypeDecl::Map(_, value) => {
            json!({"type": "object", "additionalProperties": type_schema(value, &[])})
        }
        TypeDecl::Enum(_) | TypeDecl::Struct(_) | TypeDecl::Choice(_) => {
            json!({"$ref": format!("#/$defs/{}", ty.name())})
        }
    }
}

/// Numbers and booleans are taken as text, too.
fn text(rules: &[Rule]) -> Value {
    for rule in rules {
        let pattern = match rule {
            Rule::Identifier => "^[A-Za-z0-9_.-]+$".to_owned(),
            Rule::FileName => "^[^./][^/]*$".to_owned(),
            Rule::AnyCaseOf(values) => format!("^({})$", any_case(values)),
            _ => continue,
        };
        return json!({
            "type": ["string", "number", "boolean"],
            "pattern": format!("{TEMPLATE}|{pattern}"),
        });
    }
    json!({"type": ["string", "number", "boolean"]})
}

fn any_case(values: &[&str]) -> String {
    let letter = |letter: char| match letter.is_ascii_alphabetic() {
        true => format!("[{}{}]", letter.to_ascii_uppercase(), letter.to_ascii_lowercase()),
        false => letter.to_string(),
    };
    let values = values.iter().map(|value| value.chars().map(letter).collect::<String>());
    values.collect::<Vec<_>>().join("|")
}

fn number(kind: &str, rules: &[Rule]) -> Value {
    let mut schema = json!({"type": kind});
    for rule in rules {
        let (key, limit) = match rule {
            Rule::AtLeast(limit) => ("minimum", limit),
            Rule::AtMost(limit) => ("maximum", limit),
            Rule::MoreThan(limit) => ("exclusiveMinimum", limit),
            _ => continue,
        };
        schema[key] = (*limit).into();
    }
    schema
}
