//! The modules of the library, which files load as `@std//name.aurora`.

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

/// The text of a module.
pub(crate) fn module(name: &str) -> Option<&'static str> {
    MODULES.iter().find(|(known, _)| *known == name).map(|(_, text)| *text)
}

/// The names of the modules.
pub(crate) fn names() -> impl Iterator<Item = &'static str> {
    MODULES.iter().map(|(name, _)| *name)
}
