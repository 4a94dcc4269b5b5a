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
    let error = interpreter_error(&desugared.text);
    assert_eq!(error, None, "of\n{}\nfrom\n{text}", desugared.text);
    desugared
}

/// The files that other tests of the language use, and examples.
pub(crate) fn fixtures() -> Vec<(String, String)> {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let mut files = Vec::new();
    for folder in ["examples", "lang/eval/tests/conformance", "stdlib"] {
        let Ok(entries) = std::fs::read_dir(root.join(folder)) else { continue };
        for path in entries.flatten().map(|entry| entry.path()) {
            if path.extension().is_some_and(|extension| extension == "aurora") {
                let text = std::fs::read_to_string(&path).expect("a file");
                files.push((path.display().to_string(), text));
            }
        }
    }
    assert!(files.len() > 50);
    files
}
