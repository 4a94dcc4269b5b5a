//! The text of `.aurora` files: their tokens and tree, how they are laid out, and how they are
//! rewritten into the Starlark that the interpreter takes (`dsl.md` 10, `crates.md` A).
//!
//! Nothing here evaluates, and nothing does I/O.

mod desugar;
mod error;
mod format;
mod lexer;
mod literal;
mod migrate;
mod parser;
mod reparse;
mod shift;
mod span;
mod token;
pub mod tree;
pub mod walk;

pub use desugar::{Desugared, SpanMap, desugar, is_own_module};
pub use error::{CODES, Edit, SyntaxError, code};
pub use format::{format, same_words};
pub use lexer::tokens;
pub use literal::{Literal, value};
pub use migrate::{Migration, Note, migrate};
pub use parser::{MAX_TEXT, Parsed, parse};
pub use reparse::{reparse, tokens_around};
pub use span::Span;
pub use token::{Kind, Token};
