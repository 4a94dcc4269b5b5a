//! What Python has and the interpreter has not (`dsl.md` 10): operators, methods, builtins and
//! modules with Python 2's meaning. What the desugaring writes begins with `__au_`.
//!
//! Whatever a function makes is measured before it is made, so that no single call can take much
//! time or memory.

mod builtins;
mod call;
mod comparing;
pub(crate) mod digest;
mod format;
mod methods;
mod modules;
mod native;
mod number;
mod operators;
mod outside;
mod percent;
mod refused;
mod runtime;
mod spec;
mod text;
mod types;

use starlark::environment::GlobalsBuilder;

use native::{Kind, Native};

/// Functions, by the names under which files know them.
type Table = &'static [(&'static str, Kind)];

const TABLES: [Table; 6] = [
    comparing::TABLE,
    operators::TABLE,
    runtime::TABLE,
    builtins::TABLE,
    refused::TABLE,
    outside::TABLE,
];

/// Defines the names of this module.
pub(crate) fn add(builder: &mut GlobalsBuilder) {
    for table in TABLES {
        for (name, kind) in table {
            builder.set(name, Native::new(name, *kind));
        }
    }
    for ty in types::ALL {
        builder.set(ty.name(), types::PyType(ty));
    }
}

/// Why a configuration cannot use a function of Python, and what to write instead.
pub(crate) fn refused(name: &str) -> Option<(&'static str, &'static str)> {
    refused::TABLE.iter().find_map(|(known, kind)| match kind {
        Kind::Refused(why, instead) if *known == name => Some((*why, *instead)),
        _ => None,
    })
}

#[cfg(test)]
mod tests;
