//! The scheduler from the outside: inputs in, ops and effects out.

mod properties;
mod scenarios;
mod table;
mod world;
