//! Another name for what stands at a place, everywhere it is meant.
//!
//! A new name is right if afterwards exactly the places that were changed mean the same thing. That is
//! looked at in the files as they would be, so that whatever the new name could be mistaken for, or
//! could take the place of, is found by the same rules by which names are looked up.

use std::collections::BTreeSet;
use std::sync::Arc;

use aurora_model::names::GROUPS;
use aurora_syntax::Span;
use aurora_syntax::tree::{ExprKind, StmtKind};

use crate::builtin::builtin;
use crate::entity::{Entity, entity_at};
use crate::names::DefKind;
use crate::references::{Occurrences, occurrences, references_of, sharing};
use crate::resolve::Definitive;
use crate::source::{FileEdit, FileId, Location, Source};
use crate::split::{Hidden, hidden};
use crate::template::{Target, names_at};
use crate::workspace::Snapshot;

/// Lists that the language asks a file for.
const ASKED_FOR: [&str; 2] = ["jobs", "hooks"];
/// Names that references find although nobody binds them.
const KEPT_FOR_REFERENCES: [&str; 4] = ["self", "super", "mesos", "thermos"];
/// The group of names that every object has.
const METHODS: &str = "Methods";

/// Why something is not renamed, for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal(pub String);

impl std::fmt::Display for Refusal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Refusal {}

/// What is to be renamed: its place, and its name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Renamed {
    /// The name at the cursor.
    pub span: Span,
    /// What it says.
    pub name: String,
}

/// What stands at a byte, if that can have another name.
///
/// # Errors
/// Why it cannot.
pub fn prepare(world: &Snapshot, file: &FileId, at: u32) -> Result<Renamed, Refusal> {
    let (_, span, entity) = renamed(world, file, at)?;
    Ok(Renamed { span, name: entity.name().to_owned() })
}

/// The changes that give what stands at a byte another name, in all files, in the order of files and
/// texts.
///
/// # Errors
/// Why it cannot have that name.
pub fn rename(
    world: &Snapshot,
    file: &FileId,
    at: u32,
    name: &str,
) -> Result<Vec<FileEdit>, Refusal> {
    let (source, span, entity) = renamed(world, file, at)?;
    if name == entity.name() {
        return Ok(Vec::new());
    }
    is_fit(&entity, name)?;
    let found = occurrences(world, &entity);
    if let Some(place) = found.doubtful.first() {
        return refuse(format!(
            "{} may mean this `{}` or something else: the text does not tell",
            shown(world, place),
            entity.name()
        ));
    }
    is_loaded_by_others(world, &entity, &found, name)?;
    if let Entity::Bound { source, name } | Entity::Own { class: Definitive { source, .. }, name } =
        &entity
    {
        if let Some((place, why)) = hidden(world, source, name) {
            let place = shown(world, &place);
            return refuse(match why {
                Hidden::InPieces => format!(
                    "{place} refers to `{name}` with its name in pieces: write it in one first"
                ),
                Hidden::MadeLater => format!(
                    "{place} may refer to `{name}`: the name of its reference is only known once it is \
                     evaluated"
                ),
                Hidden::Formatted => {
                    format!("{place} gives `{name}` a value behind `%`: change it by hand")
                }
            });
        }
        if let Some(place) = behind_index(world, source, &found, name) {
            return refuse(format!(
                "{} may mean this `{name}` or something else: nothing tells what stands before it",
                shown(world, &place)
            ));
        }
    }
    let edits: Vec<FileEdit> = found
        .all
        .iter()
        .map(|found| FileEdit { location: found.location.clone(), text: name.to_owned() })
        .collect();
    check(world, &edits, &source.at(span), name)?;
    if let Entity::Bound { .. } = &entity {
        hides_no_field(world, &found, name)?;
    }
    Ok(edits)
}

/// A reference that has a name behind an index, of which nobody knows whether it is this one.
fn behind_index(
    world: &Snapshot,
    source: &Arc<Source>,
    found: &Occurrences,
    name: &str,
) -> Option<Location> {
    let related = world.related(source);
    for file in related.iter().filter(|file| !file.id.is_std() && file.text.contains(name)) {
        for reference in references_of(file) {
            let written = file.slice(reference.span);
            let Some(index) = written.find(']') else { continue };
            let behind = reference.span.start + crate::text::offset(index);
            let mut parts = reference.parts.iter().filter(|part| part.start > behind);
            let hit = parts.find(|part| file.slice(**part) == name).map(|part| file.at(*part));
            let is_known = |place: &Location| found.all.iter().any(|it| it.location == *place);
            if let Some(place) = hit.filter(|place| !is_known(place)) {
                return Some(place);
            }
        }
    }
    None
}

fn refuse<T>(why: String) -> Result<T, Refusal> {
    Err(Refusal(why))
}

fn renamed(
    world: &Snapshot,
    file: &FileId,
    at: u32,
) -> Result<(Arc<Source>, Span, Entity), Refusal> {
    let Some(source) = world.file(file) else { return refuse(format!("{file} is not known")) };
    if source.id.is_std() {
        return refuse("the library that comes with the program is not changed".to_owned());
    }
    let Some((span, entity)) = entity_at(world, source, at) else {
        return refuse("there is no name here".to_owned());
    };
    let name = entity.name();
    match &entity {
        Entity::Builtin(_) => return refuse(format!("`{name}` is a name of the language")),
        Entity::Field { decl, .. } => {
            return refuse(format!(
                "`{name}` is a field of {}, a struct of the language",
                decl.name
            ));
        }
        Entity::Context(_) => {
            return refuse(format!("`{name}` is what tasks find where they run"));
        }
        Entity::Entry { .. } => {
            return refuse(format!("`{name}` is a key of a table: change it by hand"));
        }
        Entity::File(_) => {
            return refuse("this is the path of a file: rename the file instead".to_owned());
        }
        Entity::Port { .. } => {
            return refuse(format!(
                "`{name}` is the name of a port, which others look for: change it by hand"
            ));
        }
        Entity::Process { .. } if name.contains("{{") => {
            return refuse(
                "the name of this process has references: it is only known later".to_owned(),
            );
        }
        Entity::Process { .. } => {
            if !occurrences(world, &entity).all.iter().any(|found| found.is_declaration) {
                return refuse(format!(
                    "no process in sight is named by the text `{name}`: whoever makes it would have \
                     to be told"
                ));
            }
        }
        Entity::Own { .. } => {}
        Entity::Local { source, scope, .. } => defined(source, *scope, name)?,
        Entity::Global { source, .. } => global(world, source, name)?,
        Entity::Bound { .. } => bound(&occurrences(world, &entity), name)?,
    }
    if let Entity::Own { class, .. } = &entity
        && class.source.id.is_std()
    {
        return refuse(format!("`{name}` is a field of {}, a class of the library", class.name()));
    }
    Ok((source.clone(), span, entity))
}

/// A module has the name that it has, unless it is given another here.
fn defined(source: &Source, scope: usize, name: &str) -> Result<(), Refusal> {
    for (_, found) in source.names.in_scope(&source.text, scope, name) {
        let before = Span::new(found.whole.start, found.name.start);
        let is_own = source.slice(before).trim_end().ends_with(" as");
        if found.kind == DefKind::Module && !is_own {
            return refuse(format!("`{name}` is the name of a module of Python"));
        }
    }
    Ok(())
}

fn global(world: &Snapshot, source: &Arc<Source>, name: &str) -> Result<(), Refusal> {
    if ASKED_FOR.contains(&name) {
        return refuse(format!("the language reads the `{name}` of a file by this name"));
    }
    let mut is_defined = false;
    for file in sharing(world, source, name) {
        defined(&file, 0, name)?;
        let is_there = file.names.in_scope(&file.text, 0, name).next().is_some();
        if is_there && file.id.is_std() {
            return refuse(format!(
                "`{name}` is a name of the library: load it as another with \
                 `load(\"{}\", other = \"{name}\")`",
                file.id
            ));
        }
        is_defined |= is_there;
    }
    if !is_defined {
        return refuse(format!("nothing in sight defines `{name}`"));
    }
    if builtin(name).is_some() {
        return refuse(format!(
            "`{name}` is a name of the language, too: the text does not tell which one is meant"
        ));
    }
    Ok(())
}

fn bound(found: &Occurrences, name: &str) -> Result<(), Refusal> {
    if found.all.iter().any(|found| found.is_declaration) {
        return Ok(());
    }
    refuse(format!(
        "no file binds `{name}`: whoever gives it a value, as with `--bind {name}=value`, would have \
         to be told"
    ))
}

/// A reference finds fields of the structs around it before, or instead of, what is bound.
fn hides_no_field(world: &Snapshot, found: &Occurrences, name: &str) -> Result<(), Refusal> {
    for reference in found.all.iter().filter(|found| !found.is_declaration) {
        let location = &reference.location;
        let Some(source) = world.file(&location.file) else { continue };
        let targets = names_at(world, source, location.span.start);
        let field = targets.iter().find(|target| {
            target.name() == name && !matches!(target, Target::Bound(..) | Target::Context(..))
        });
        let of = match field {
            Some(Target::Field(decl, ..)) => decl.name.to_owned(),
            Some(_) => "a class".to_owned(),
            None => continue,
        };
        return refuse(format!(
            "`{name}` is a field of {of}, which the reference in {} would mean",
            shown(world, location)
        ));
    }
    Ok(())
}

/// Whether a text can be the name of such a thing at all.
fn is_fit(entity: &Entity, name: &str) -> Result<(), Refusal> {
    if let Entity::Process { .. } = entity {
        let is_bad = |c: char| c.is_control() || matches!(c, '/' | '"' | '\'' | '\\' | '{' | '}');
        if name.is_empty() || name.starts_with('.') || name.contains(is_bad) {
            return refuse(format!(
                "`{name}` cannot name a process: it must be a name for a file, without `/`, quotes \
                 and braces and not beginning with `.`"
            ));
        }
        return Ok(());
    }
    if !is_identifier(name) {
        return refuse(format!(
            "`{name}` is not a name: letters, digits and `_`, no word of the language"
        ));
    }
    let is_taken = match entity {
        Entity::Global { .. } => builtin(name).is_some() || ASKED_FOR.contains(&name),
        Entity::Bound { .. } => KEPT_FOR_REFERENCES.contains(&name),
        Entity::Own { .. } => is_method(name),
        _ => false,
    };
    if is_taken {
        return refuse(match entity {
            Entity::Own { .. } => format!("every struct has a method `{name}`"),
            _ => format!("`{name}` is a name of the language"),
        });
    }
    Ok(())
}

fn is_method(name: &str) -> bool {
    let methods = GROUPS.iter().filter(|group| group.title == METHODS);
    name == "copy" || methods.flat_map(|group| group.names).any(|method| method.name == name)
}

/// Whether a text can stand where names of variables, parameters and keywords do.
fn is_identifier(name: &str) -> bool {
    let text = format!("{name} = 1\n");
    let parsed = aurora_syntax::parse(&text);
    let whole = Span::new(0, crate::text::offset(name.len()));
    let is_name = matches!(
        parsed.tree.as_slice(),
        [stmt] if matches!(&stmt.kind, StmtKind::Assign { targets, .. }
            if matches!(targets.as_slice(), [target]
                if target.kind == ExprKind::Name && target.span == whole))
    );
    let is_constant = matches!(name, "True" | "False" | "None");
    is_name
        && !is_constant
        && parsed.errors.is_empty()
        && parsed.refused.is_empty()
        && name.is_ascii()
        // What files are rewritten with.
        && !name.starts_with("__au_")
}

/// A name with a `_` in front is its module's own: no other can load it.
fn is_loaded_by_others(
    world: &Snapshot,
    entity: &Entity,
    found: &Occurrences,
    name: &str,
) -> Result<(), Refusal> {
    if !matches!(entity, Entity::Global { .. }) || !name.starts_with('_') {
        return Ok(());
    }
    let load = found.all.iter().find(|found| {
        world.file(&found.location.file).is_some_and(|source| {
            let mut names =
                source.names.inclusions.iter().flat_map(|it| it.loaded.iter().flatten());
            names.any(|loaded| loaded.original == found.location.span)
        })
    });
    match load {
        Some(load) => refuse(format!(
            "{} loads it, and a name that begins with `_` cannot be loaded",
            shown(world, &load.location)
        )),
        None => Ok(()),
    }
}

/// Whether the places that are changed, and no others, mean the same afterwards.
fn check(world: &Snapshot, edits: &[FileEdit], here: &Location, name: &str) -> Result<(), Refusal> {
    let Some(after) = world.edited(edits) else {
        return refuse("two places to be changed overlap".to_owned());
    };
    let changed = moved(edits, name);
    let Some(start) = edits.iter().position(|edit| edit.location == *here) else {
        return refuse(format!("{} is not renamed with the others", shown(world, here)));
    };
    let Some(there) = changed.get(start) else { return Ok(()) };
    let source = after.file(&there.file);
    let entity = source.and_then(|source| entity_at(&after, source, there.span.start));
    let meant: BTreeSet<Location> = match &entity {
        Some((span, entity)) if *span == there.span => {
            let found = occurrences(&after, entity);
            found.all.into_iter().map(|found| found.location).chain(found.doubtful).collect()
        }
        _ => BTreeSet::new(),
    };
    let changed: BTreeSet<Location> = changed.into_iter().collect();
    if let Some(other) = meant.difference(&changed).next() {
        return refuse(format!("`{name}` is in use already: {}", shown(&after, other)));
    }
    if let Some(lost) = changed.difference(&meant).next() {
        return refuse(format!("`{name}` means something else in {}", shown(&after, lost)));
    }
    Ok(())
}

/// Where the new names stand afterwards, for edits in the order of files and texts.
fn moved(edits: &[FileEdit], name: &str) -> Vec<Location> {
    let mut places = Vec::with_capacity(edits.len());
    let (mut file, mut by) = (None, 0i64);
    for edit in edits {
        let Location { file: here, span } = &edit.location;
        if file != Some(here) {
            (file, by) = (Some(here), 0);
        }
        let at = |at: i64| u32::try_from(at).unwrap_or_default();
        let start = i64::from(span.start) + by;
        let length = i64::try_from(name.len()).unwrap_or_default();
        places
            .push(Location { file: here.clone(), span: Span::new(at(start), at(start + length)) });
        by += length - i64::from(span.end - span.start);
    }
    places
}

/// A place for people.
fn shown(world: &Snapshot, place: &Location) -> String {
    let line = world.file(&place.file).map_or(0, |source| source.lines.line(place.span.start));
    let path = place.file.path();
    let name = path.file_name().map_or(place.file.name().into(), |name| name.to_string_lossy());
    format!("{name}, line {}", line + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_told_from_other_texts() {
        for name in ["a", "_a1", "Process", "async", "load"] {
            assert!(is_identifier(name), "{name}");
        }
        for text in [
            "", "1a", "a b", "a.b", "if", "lambda", "True", "None", "a-b", "\u{e9}", "a\n",
            "a = b", "__au_x",
        ] {
            assert!(!is_identifier(text), "{text}");
        }
        assert!(is_method("bind") && is_method("json_dumps") && !is_method("name"));
    }
}
