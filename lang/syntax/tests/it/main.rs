//! Tests of what reads, rewrites and lays out the text of `.aurora` files.

#![allow(clippy::disallowed_methods, reason = "the tests read their fixtures")]
#![allow(clippy::expect_used, reason = "helpers of tests are tests")]

mod desugar;
mod errors;
mod format;
mod migrate;
mod properties;
mod recovery;
mod reparse;
mod shown;
mod support;
