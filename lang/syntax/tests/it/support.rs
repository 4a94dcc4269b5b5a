//! What the tests share.

use starlark_syntax::dialect::{Dialect, DialectTypes};
use starlark_syntax::syntax::AstModule;

/// A few of the names that every file has.
pub(crate) fn known(name: &str) -> bool {
    const NAMES: &[&str] = &[
        "Default", "GB", "Integer", "Job", "MB", "Process", "Required", "String", "Struct", "Task",
        "dict", "len", "order", "print", "range", "repr", "sorted", "str", "x", "y", "z", "f", "d",
    ];
    NAMES.contains(&name)
}

/// The interpreter's complaint about a text, if it has one.
pub(crate) fn interpreter_error(text: &str) -> Option<String> {
    let dialect = Dialect {
        enable_def: true,
        enable_lambda: true,
        enable_load: true,
        enable_load_reexport: true,
        enable_keyword_only_arguments: true,
        enable_positional_only_arguments: true,
        enable_types: DialectTypes::ParseOnly,
        enable_top_level_stmt: true,
        ..Dialect::Standard
    };
    AstModule::parse("test", text.to_owned(), &dialect).err().map(|error| format!("{error:#}"))
}

/// The rewritten text, which the interpreter takes.
pub(crate) fn desugared(text: &str) -> aurora_syntax::Desugared {
    let parsed = aurora_syntax::parse(text);
    let desugared = aurora_syntax::desugar(&parsed, text, &known);
    assert!(desugared.errors.is_empty(), "{text}\n{:#?}", desugared.errors);
    if let Some(error) = interpreter_error(&desugared.text) {
        panic!("{error}\n--- of\n{}\n--- from\n{text}", desugared.text);
    }
    desugared
}
