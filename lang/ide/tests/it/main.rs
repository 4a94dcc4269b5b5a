//! What an editor is told, case by case. A case is one or more files in one text: see [`fixture`].

mod actions;
mod base;
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
