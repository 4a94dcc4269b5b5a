//! What an editor asks of `.aurora` files, as plain functions: completion, documentation,
//! navigation, changes, what is wrong.
//!
//! A [`workspace::Workspace`] holds the files; each function takes a [`workspace::Snapshot`] of it,
//! gives a value, and never fails as a whole: a file that does not parse has a tree with gaps
//! (`aurora-syntax`), and what is not known is left out. What only an evaluation knows is in
//! [`evaluated::Evaluated`], which may be older than the text.
//!
//! Nothing here knows of the protocol of editors, of threads or of time.

#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "a shell crate: it searches folders for files"
)]

pub mod actions;
pub mod builtin;
pub mod calls;
pub mod complete;
pub mod cursor;
pub mod declaration;
pub mod diagnostics;
pub mod docs;
pub mod entity;
pub mod evaluated;
pub mod files;
pub mod folding;
pub mod formatting;
pub mod hints;
pub mod hover;
pub mod index;
pub mod labels;
pub mod lenses;
pub mod linked;
pub mod links;
pub mod names;
pub mod navigate;
pub mod python;
mod reached;
pub mod references;
pub mod rename;
pub mod resolve;
pub mod selection;
pub mod signature;
pub mod source;
mod split;
mod style;
mod sure;
pub mod symbols;
mod taking;
pub mod template;
pub mod text;
pub mod tokens;
pub mod types;
pub mod values;
pub mod workspace;

pub use aurora_syntax::Span;
pub use source::{FileEdit, FileId, Location, Source};
pub use workspace::{Snapshot, Workspace};
