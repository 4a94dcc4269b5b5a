//! The modules of the library, which files load as `@std//name.aurora`.

const MODULES: &[(&str, &str)] = &[];

/// The text of a module.
pub(crate) fn module(name: &str) -> Option<&'static str> {
    MODULES.iter().find(|(known, _)| *known == name).map(|(_, text)| *text)
}

/// The names of the modules.
pub(crate) fn names() -> impl Iterator<Item = &'static str> {
    MODULES.iter().map(|(name, _)| *name)
}
