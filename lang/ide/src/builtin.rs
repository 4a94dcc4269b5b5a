//! The names that every file knows, with what is documented of them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use aurora_model::catalog::{self, ALIASES, OBJECTS, ObjectDecl};
use aurora_model::declare::{EnumDecl, Rule, StructDecl};
use aurora_model::names::{GROUPS, NameDecl, names};

/// The group of names that are methods.
const METHODS: &str = "Methods";

/// A name of the language.
#[derive(Debug, Clone, Copy)]
pub enum Builtin {
    /// A struct: its constructor.
    Struct(&'static StructDecl),
    /// An enumeration.
    Enum(&'static EnumDecl),
    /// An object that is there ready-made.
    Object(&'static ObjectDecl),
    /// A function, type or constant.
    Name(&'static NameDecl),
    /// A function of Python, which has no page of ours.
    Python,
}

static BY_NAME: LazyLock<BTreeMap<&'static str, Builtin>> = LazyLock::new(|| {
    let mut all: BTreeMap<&'static str, Builtin> =
        aurora_eval::global_names().map(|name| (name, Builtin::Python)).collect();
    for decl in names() {
        for name in std::iter::once(&decl.name).chain(decl.also) {
            if all.contains_key(name) || *name == "load" {
                all.insert(name, Builtin::Name(decl));
            }
        }
    }
    for decl in catalog::structs().filter(|decl| aurora_eval::is_global(decl.name)) {
        all.insert(decl.name, Builtin::Struct(decl));
    }
    for decl in catalog::enums().filter(|decl| aurora_eval::is_global(decl.name)) {
        all.insert(decl.name, Builtin::Enum(decl));
    }
    for (alias, decl) in ALIASES {
        all.insert(alias, Builtin::Struct(decl));
    }
    for object in OBJECTS {
        all.insert(object.name, Builtin::Object(object));
    }
    all
});

/// The names of fields that are there for old files only, of whatever struct.
static OLD_FIELDS: LazyLock<BTreeSet<&'static str>> = LazyLock::new(|| {
    let fields = catalog::structs().flat_map(|decl| decl.fields);
    fields
        .filter(|field| field.rules.iter().any(|rule| matches!(rule, Rule::Deprecated(_))))
        .map(|field| field.name)
        .collect()
});

/// The names of fields that some struct has for old files only.
pub(crate) fn old_fields() -> &'static BTreeSet<&'static str> {
    &OLD_FIELDS
}

/// What a name means in every file.
pub fn builtin(name: &str) -> Option<Builtin> {
    BY_NAME.get(name).copied()
}

/// Every name that all files know, in the order of the alphabet.
pub fn builtins() -> impl Iterator<Item = (&'static str, Builtin)> {
    BY_NAME.iter().map(|(name, builtin)| (*name, *builtin))
}

/// A name that every file knows, with what it means.
pub fn builtins_named(name: &str) -> Option<(&'static str, Builtin)> {
    BY_NAME.get_key_value(name).map(|(name, builtin)| (*name, *builtin))
}

/// Whether every file knows a name.
pub(crate) fn is_known(name: &str) -> bool {
    BY_NAME.contains_key(name)
}

/// What is documented under a name with dots, such as `Tasks.concat`, or as a method.
pub fn documented(name: &str) -> Option<&'static NameDecl> {
    names().find(|decl| decl.name == name || decl.also.contains(&name))
}

/// What every struct, list and scalar of the language can be asked for after a dot, as `bind`.
pub fn methods() -> impl Iterator<Item = &'static NameDecl> {
    GROUPS.iter().filter(|group| group.title == METHODS).flat_map(|group| group.names)
}

/// A method by its name.
pub fn method(name: &str) -> Option<&'static NameDecl> {
    methods().find(|decl| decl.name == name)
}

/// The names after the dot of a namespace such as `Tasks`, with their documentation.
pub fn members(space: &str) -> impl Iterator<Item = (&'static str, &'static NameDecl)> {
    let after = move |name: &'static str| name.strip_prefix(space)?.strip_prefix('.');
    names().flat_map(move |decl| {
        std::iter::once(&decl.name)
            .chain(decl.also)
            .filter_map(move |name| Some((after(name)?, decl)))
            .collect::<Vec<_>>()
    })
}

/// A struct by its name.
pub fn struct_decl(name: &str) -> Option<&'static StructDecl> {
    match builtin(name)? {
        Builtin::Struct(decl) => Some(decl),
        _ => None,
    }
}
