//! The API of the scheduler, `aurora.v1`: the protocol files in `proto/`, the types generated from
//! them ([`v1`]) and their conversion to and from the job model ([`convert`] and, for single
//! features, [`cron`] and [`maintenance`]).
//!
//! Nothing here decides anything: what a request means is the scheduler's business, what a job
//! means the model's. A message becomes a model type in one place, and what cannot become one is
//! refused there, with the name of the field.

#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "a shell crate: generated code may use what the core must not"
)]

pub mod convert;
pub mod cron;
pub mod maintenance;
pub mod updates;

/// The generated messages, clients and servers of `aurora.v1`.
///
/// Their fields are documented in the protocol files.
#[expect(missing_docs, reason = "generated; the protocol files document it")]
#[allow(clippy::all, unreachable_pub, reason = "generated")]
pub mod v1 {
    tonic::include_proto!("aurora.v1");
}

/// The descriptors of every protocol file, encoded, as a gRPC reflection service wants them.
pub const FILE_DESCRIPTOR_SET: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/aurora.v1.fds"));
