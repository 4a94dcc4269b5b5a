//! Text with references: `{{a.b[c]}}` (`dsl.md` 2).
//!
//! [`split`] finds the references of a text, [`Address`] is one, [`interpolate`] replaces those
//! that can be found and says which are left. [`types`] and [`object`] are the values of the language
//! that hold such texts, [`scope`] finds what a reference means in them, [`render`] checks and prints
//! them. [`number`] is how numbers look once they are text.
//!
//! Nothing here does I/O.

mod address;
mod build;
mod coerce;
pub mod environment;
mod find;
mod interpolate;
mod nearest;
pub mod number;
pub mod object;
mod plain;
pub mod problem;
pub mod render;
pub mod scope;
mod split;
mod trace;
pub mod types;

pub use address::{Address, AddressError, Component};
pub use interpolate::{
    InterpolateError, Interpolated, MAX_PASSES, MAX_TEXT_LEN, beginning, interpolate,
};
pub use split::{Fragment, beginnings, escapes, references, split};
