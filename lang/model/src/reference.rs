//! The pages of `docs/reference`, as Markdown.

use std::fmt::Write;

use crate::catalog::{self, ALIASES, AREAS, Area, OBJECTS};
use crate::declare::{FieldDecl, Presence, StructDecl, TypeDecl};
use crate::docs::{in_language, limits};
use crate::names::GROUPS;

/// A page of the reference.
#[derive(Debug)]
pub struct Page {
    /// The name of its file.
    pub file: String,
    /// Its text.
    pub text: String,
}

/// All pages: one for each area, one of functions, and an index.
pub fn pages() -> Vec<Page> {
    let areas = AREAS.iter().map(|area| (area.page, area_page(area)));
    let others = [("functions", functions()), ("README", index())];
    areas.chain(others).map(|(name, text)| Page { file: format!("{name}.md"), text }).collect()
}

fn index() -> String {
    let mut page = "# Reference of the configuration language\n\n\
        Every struct, field and function that a `.aurora` file can use. What a field is, is also \
        told by `aurora config explain`, as in `aurora config explain Job.instances`. How files \
        are written is told in [the guide](../configuration.md).\n\n\
        In the tables, *required* fields must be given and *optional* ones are absent unless they \
        are given. Any text, number or boolean may be a template, as in `\"{{ports}}\"`.\n"
        .to_owned();
    for area in AREAS {
        let _ = write!(page, "\n## [{}]({}.md)\n\n", area.title, area.page);
        for ty in area.types {
            let doc = doc_of(ty);
            let _ = writeln!(page, "- [`{}`]({}): {}", ty.name(), link(area, ty), doc.summary());
        }
    }
    page.push_str("\n## [Functions and other names](functions.md)\n\n");
    for group in GROUPS {
        let names: Vec<String> =
            group.names.iter().map(|decl| format!("`{}`", decl.name)).collect();
        let anchor = anchor(group.title);
        let _ = writeln!(page, "- [{}](functions.md#{anchor}): {}", group.title, names.join(", "));
    }
    page
}

fn doc_of(ty: &TypeDecl) -> crate::declare::Doc {
    match ty {
        TypeDecl::Struct(decl) => decl.doc,
        TypeDecl::Enum(decl) => decl.doc,
        TypeDecl::Choice(decl) => decl.doc,
        _ => crate::declare::Doc(""),
    }
}

fn anchor(title: &str) -> String {
    let letters = title.to_lowercase().replace(' ', "-");
    letters.chars().filter(|c| c.is_alphanumeric() || matches!(c, '-' | '_')).collect()
}

fn link(area: &Area, ty: &TypeDecl) -> String {
    format!("{}.md#{}", area.page, anchor(ty.name()))
}

fn area_page(area: &Area) -> String {
    let mut page = format!("# {}\n\n{}\n", area.title, area.intro);
    for ty in area.types {
        let _ = write!(page, "\n## {}\n\n{}\n", ty.name(), doc_of(ty));
        match ty {
            TypeDecl::Struct(decl) => fields(&mut page, area, decl),
            TypeDecl::Enum(decl) => {
                page.push_str("\n| Value | Meaning |\n| --- | --- |\n");
                for (value, doc) in decl.values {
                    let _ = writeln!(page, "| `\"{value}\"` | {} |", cell(&doc.to_string()));
                }
            }
            TypeDecl::Choice(decl) => {
                page.push_str("\nOne of, tried in this order:\n\n");
                for ty in decl.alternatives {
                    let _ = writeln!(page, "- {}: {}", type_link(area, ty), doc_of(ty).summary());
                }
            }
            _ => {}
        }
    }
    page
}

fn fields(page: &mut String, area: &Area, decl: &StructDecl) {
    for (alias, _) in ALIASES.iter().filter(|(_, aliased)| aliased.name == decl.name) {
        let _ = write!(page, "\nAlso called `{alias}`.\n");
    }
    page.push_str("\n| Field | Type | Default | Meaning |\n| --- | --- | --- | --- |\n");
    for field in decl.fields {
        let _ = writeln!(
            page,
            "| `{}` | {} | {} | {} |",
            field.name,
            type_link(area, &field.ty),
            default(field),
            cell(&meaning(field)),
        );
    }
    for object in OBJECTS.iter().filter(|object| object.ty.name == decl.name) {
        let _ = write!(page, "\n**`{}`** is ready-made. {}\n", object.name, object.doc);
    }
}

fn default(field: &FieldDecl) -> String {
    match field.presence {
        Presence::Required => "*required*".to_owned(),
        Presence::Optional => "*optional*".to_owned(),
        Presence::Default(value) => format!("`{}`", cell(&in_language(field, &value()))),
    }
}

fn meaning(field: &FieldDecl) -> String {
    let limits: Vec<String> = limits(field).collect();
    let doc = field.doc.paragraphs().join(" ");
    let mut limits = limits.join(", ");
    if let Some(first) = limits.get(..1).map(str::to_uppercase) {
        limits.replace_range(..1, &first);
        return format!("{doc} *{limits}.*");
    }
    doc
}

/// Table cells cannot hold a bar or a line break.
fn cell(text: &str) -> String {
    text.replace('|', "\\|").replace("\n\n", " ").replace('\n', " ")
}

fn type_link(here: &Area, ty: &TypeDecl) -> String {
    match ty {
        TypeDecl::List(element) => format!("List of {}", type_link(here, element)),
        TypeDecl::Map(key, value) => {
            format!("Map of {} to {}", type_link(here, key), type_link(here, value))
        }
        TypeDecl::Struct(_) | TypeDecl::Enum(_) | TypeDecl::Choice(_) => {
            let area = catalog::types().find(|(_, known)| known.name() == ty.name());
            let target = match area {
                Some((area, _)) if area.page == here.page => format!("#{}", anchor(ty.name())),
                Some((area, _)) => link(area, ty),
                None => return ty.name().to_owned(),
            };
            format!("[{}]({target})", ty.name())
        }
        scalar => scalar.name().to_owned(),
    }
}

fn functions() -> String {
    let mut page = "# Functions and other names\n\n\
        What files find beside the structs, without loading anything.\n"
        .to_owned();
    for group in GROUPS {
        let _ = write!(page, "\n## {}\n\n{}\n", group.title, group.intro);
        for decl in group.names {
            let _ = write!(page, "\n**`{}`**\n\n{}\n", decl.signature, decl.doc);
            if !decl.also.is_empty() {
                let also: Vec<String> = decl.also.iter().map(|name| format!("`{name}`")).collect();
                let _ = write!(page, "\nAlso called {}.\n", also.join(", "));
            }
        }
    }
    page
}
