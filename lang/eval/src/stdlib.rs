//! The modules of the library, which files load as `@std//name.aurora`.

use starlark::codemap::FileSpan;

macro_rules! modules {
    ($($name:literal),* $(,)?) => {
        &[$(($name, include_str!(concat!("../../../stdlib/", $name)))),*]
    };
}

const MODULES: &[(&str, &str)] = modules![
    "batch.aurora",
    "environments.aurora",
    "jvm.aurora",
    "logs.aurora",
    "python.aurora",
    "service.aurora",
    "shell.aurora",
    "sidecars.aurora",
    "task.aurora",
    "updates.aurora",
];

/// What the names of the modules of the library begin with, as files load them.
pub const PREFIX: &str = "@std//";

/// The innermost of these calls that does not stand in the library itself, if the last does: what
/// a module makes, or refuses, is the business of whoever called it.
pub(crate) fn caller<'a>(
    last: &FileSpan,
    calls: impl DoubleEndedIterator<Item = &'a FileSpan>,
) -> Option<&'a FileSpan> {
    if is_in(last) { calls.rev().find(|call| !is_in(call)) } else { None }
}

/// Whether a place is in the library.
pub(crate) fn is_in(place: &FileSpan) -> bool {
    place.filename().starts_with(PREFIX)
}

/// The text of a module of the library, by its name without what modules begin with.
pub fn module(name: &str) -> Option<&'static str> {
    MODULES.iter().find(|(known, _)| *known == name).map(|(_, text)| *text)
}

/// The names of the modules of the library.
pub fn names() -> impl Iterator<Item = &'static str> {
    MODULES.iter().map(|(name, _)| *name)
}
