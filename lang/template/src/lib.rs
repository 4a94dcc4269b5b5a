//! Text with references: `{{a.b[c]}}` (`dsl.md` 2).
//!
//! [`split`] finds the references of a text, [`Address`] is one, [`interpolate`] replaces those
//! that can be found and says which are left. What a reference means is the caller's business: it
//! gives a function. [`number`] is how numbers look once they are text.
//!
//! Nothing here does I/O.

mod address;
mod interpolate;
pub mod number;
mod split;

pub use address::{Address, AddressError, Component};
pub use interpolate::{
    InterpolateError, Interpolated, MAX_PASSES, MAX_TEXT_LEN, beginning, interpolate,
};
pub use split::{Fragment, references, split};
