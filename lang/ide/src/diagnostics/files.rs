//! Files that are included and not there, and names that the loaded file does not have.

use std::collections::BTreeSet;

use aurora_eval::{Code, STD};
use aurora_syntax::Span;
use aurora_template::types::nearest;

use super::unknown::{MAX_SUGGESTIONS, Reached};
use super::{About, Diagnostic, Fix};
use crate::index::perhaps_defined;
use crate::names::{Inclusion, LoadedName};
use crate::source::{FileEdit, Source};

/// What is wrong with the files that a file includes and loads.
pub(super) fn inclusions(about: &About<'_>, found: &mut Vec<Diagnostic>) {
    let source = about.source;
    let mut reached = None;
    // What is beyond the limit may be there.
    let is_full = about.world.is_full();
    let mut suggested = 0;
    for (inclusion, target) in source.names.inclusions.iter().zip(&source.targets) {
        let Some(path) = &inclusion.path else { continue };
        let target = target.as_ref();
        let is_module = target.is_some_and(|target| target.is_std());
        let known = target.and_then(|target| about.world.file(target));
        match (known, &inclusion.loaded) {
            (Some(file), Some(names)) => {
                missing(source, names, file, &mut suggested, found);
            }
            (Some(_), None) if is_module => {
                found.push(included_module(source, inclusion, path));
            }
            (None, Some(_)) if is_module => found.push(no_module(source, inclusion, path)),
            (None, _) if !is_full => {
                let reached = reached.get_or_insert_with(|| Reached::of(&source.parsed.tree));
                let message = match target {
                    Some(target) => format!("cannot read {target}: there is no such file"),
                    None => format!("cannot read {path:?}: it names no file"),
                };
                found.push(
                    Diagnostic::new(source, inclusion.whole, Code::UnreadableFile, message)
                        .if_reached(reached.is_sure(inclusion.whole)),
                );
            }
            _ => {}
        }
    }
}

/// The names that a file does not have. `suggested` is for how many of them one was looked for that
/// may be meant.
fn missing(
    source: &Source,
    names: &[LoadedName],
    file: &Source,
    suggested: &mut usize,
    found: &mut Vec<Diagnostic>,
) {
    let is_unknown = |name: &&LoadedName| {
        let wanted = source.slice(name.original);
        !wanted.is_empty() && file.names.in_scope(&file.text, 0, wanted).next().is_none()
    };
    let unknown: Vec<&LoadedName> = names.iter().filter(is_unknown).collect();
    if unknown.is_empty() {
        return;
    }
    let perhaps: BTreeSet<&str> = perhaps_defined(file).into_iter().collect();
    let at_top = file.names.definitions.iter().filter(|definition| definition.scope == 0);
    let known: BTreeSet<&str> = at_top.map(|definition| file.slice(definition.name)).collect();
    for name in unknown.into_iter().take(super::MAX_DIAGNOSTICS) {
        let wanted = source.slice(name.original);
        if perhaps.contains(wanted) {
            continue;
        }
        *suggested += 1;
        let is_suggested = *suggested <= MAX_SUGGESTIONS;
        let near = is_suggested.then(|| nearest(wanted, known.iter().copied())).flatten();
        let message = format!("the module defines no `{wanted}`");
        let diagnostic = Diagnostic::new(source, name.original, Code::UnknownName, message);
        found.push(diagnostic.meant(source, name.original, near));
    }
}

fn no_module(source: &Source, inclusion: &Inclusion, path: &str) -> Diagnostic {
    let message = format!("there is no module {path} in the library");
    let found = Diagnostic::new(source, inclusion.whole, Code::UnreadableFile, message);
    let name = path.strip_prefix(STD).unwrap_or(path);
    let Some(near) = nearest(name, aurora_eval::std_modules()) else {
        let all: Vec<&str> = aurora_eval::std_modules().collect();
        return found.help(format!("the library has {}", all.join(", ")));
    };
    let mut found = found.help(format!("did you mean {STD}{near}?"));
    if let Some(at) = source.slice(inclusion.literal).find(path) {
        let start = inclusion.literal.start + crate::text::offset(at);
        let part = Span::new(start, start + crate::text::offset(path.len()));
        let text = format!("{STD}{near}");
        let edits = vec![FileEdit { location: source.at(part), text: text.clone() }];
        found.fixes.push(Fix { title: format!("write `{text}`"), edits });
    }
    found
}

fn included_module(source: &Source, inclusion: &Inclusion, path: &str) -> Diagnostic {
    let message = format!("cannot read {path}: modules of the library are loaded, not included");
    Diagnostic::new(source, inclusion.whole, Code::UnreadableFile, message)
        .help(format!("write load(\"{path}\", \"name\")"))
}
