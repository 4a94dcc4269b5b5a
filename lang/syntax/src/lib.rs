//! The text of `.aurora` files: their tokens and tree, how they are laid out, and how they are
//! rewritten into the Starlark that the interpreter takes (`dsl.md` 10, `crates.md` A).
//!
//! Nothing here evaluates, and nothing does I/O.
