//! Tests of what reads, rewrites and lays out the text of `.aurora` files.

mod desugar;
mod errors;
mod properties;
mod support;
