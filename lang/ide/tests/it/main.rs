//! What an editor is told, case by case. A case is one or more files in one text: see [`fixture`].

#![allow(
    clippy::disallowed_methods,
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::panic,
    reason = "the tests read fixtures, and fail by panicking"
)]

mod actions;
mod base;
mod broken;
mod calls;
mod complete;
mod diagnostics;
mod fixture;
mod folding;
mod formatting;
mod hints;
mod hover;
mod lenses;
mod navigate;
mod references;
mod rename;
mod selection;
mod signature;
mod symbols;
mod tokens;
