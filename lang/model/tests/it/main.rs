//! What is made of the declarations: the pages of the reference and the JSON Schema.

#![allow(clippy::disallowed_methods, reason = "tests read and write files")]
#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::panic,
    reason = "helpers of tests may panic"
)]

mod cron;
mod json_schema;
mod reference;
