//! A small Mesos: a master and an agent that speak the same v1 HTTP API as the real ones.
//!
//! [`master`] offers the agents' resources to schedulers and passes tasks and updates on; what it
//! decides is decided in `master::core`, without I/O. [`agent`] runs executors in sandboxes, keeps
//! what it knows on disk, and finds its executors again after it was restarted. The two talk gRPC.
//!
//! There is no isolation: executors are ordinary processes, and their resources are counted, not
//! enforced. Where cgroups v2 can be made each executor has one, but only so that it ends as a
//! whole. For more, use a real Mesos: schedulers and executors do not notice the difference.

#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "a shell crate: it owns sockets, processes, files and the clock"
)]

pub mod agent;
mod api;
pub mod master;
pub mod resources;

#[allow(
    clippy::all,
    missing_docs,
    unreachable_pub,
    reason = "generated; the protocol file documents it"
)]
mod proto {
    tonic::include_proto!("aurora.cluster.v1");
}
