//! What files evaluate to, and what is said when they do not.

#![allow(clippy::disallowed_methods, reason = "the tests read fixtures")]

mod conformance;
mod diagnostics;
mod examples;
