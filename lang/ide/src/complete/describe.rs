//! Where a proposal comes from, and what is said of it: worked out only for the one that somebody
//! looks at.

use aurora_model::catalog;
use serde::{Deserialize, Serialize};

use crate::builtin::{builtin, documented, struct_decl};
use crate::docs;
use crate::python::METHODS;
use crate::resolve::Definitive;
use crate::source::FileId;
use crate::workspace::Snapshot;

/// Where a proposal comes from. It is kept with the proposal, as JSON if need be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Origin {
    /// A field of a struct of the language.
    Field {
        /// The struct.
        of: String,
        /// The field.
        name: String,
    },
    /// A value of an enumeration of the language.
    Value {
        /// The enumeration.
        of: String,
        /// The value.
        value: String,
    },
    /// A name that every file knows.
    Builtin(String),
    /// What is documented under a name with dots, or as a method.
    Named(String),
    /// A method of Python's texts, lists, dicts or sets.
    Method {
        /// What it is a method of.
        of: String,
        /// The method.
        name: String,
    },
    /// What a file defines.
    Defined {
        /// The file.
        file: String,
        /// The name.
        name: String,
        /// Where the name stood.
        at: u32,
    },
    /// A file.
    File(String),
}

impl Origin {
    pub(super) fn defined(definitive: &Definitive) -> Self {
        Self::Defined {
            file: definitive.source.id.name().to_owned(),
            name: definitive.name().to_owned(),
            at: definitive.get().name.start,
        }
    }
}

/// What is said of a proposal, as Markdown.
pub fn documentation(world: &Snapshot, origin: &Origin) -> Option<String> {
    match origin {
        Origin::Field { of, name } => {
            let decl = struct_decl(of).or_else(|| catalog::structs().find(|d| d.name == of))?;
            Some(docs::of_field(decl, decl.field(name)?))
        }
        Origin::Value { of, value } => {
            let decl = catalog::enums().find(|decl| decl.name == of)?;
            docs::of_value(decl, value)
        }
        Origin::Builtin(name) => Some(docs::of_builtin(name, builtin(name)?)),
        Origin::Named(name) => Some(docs::of_name(documented(name)?)),
        Origin::Method { of, name } => {
            let mut all = METHODS.iter();
            all.find(|decl| decl.of == of && decl.name == name).map(docs::of_method)
        }
        Origin::Defined { file, name, at } => {
            let source = world.file(&FileId::new(file))?;
            // The text may have changed since: the nearest of the name is meant.
            let all = source.names.definitions.iter().enumerate();
            let named = all.filter(|(_, found)| source.slice(found.name) == name);
            let (id, _) = named.min_by_key(|(_, found)| found.name.start.abs_diff(*at))?;
            let found = Definitive { source: source.clone(), id };
            Some(docs::of_definition_whole(world, &found))
        }
        Origin::File(file) => {
            let said = docs::of_file(world.file(&FileId::new(file))?);
            (!said.is_empty()).then_some(said)
        }
    }
}
