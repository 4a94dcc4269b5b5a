//! Mesos's v1 HTTP API, as far as a scheduler, an executor and those who look at an agent's tasks use it: types,
//! wire formats, clients.
//!
//! [`v1`] holds the messages. [`body`] turns them into JSON or protobuf as Mesos does, [`recordio`]
//! frames the streams of events. [`scheduler`] and [`executor`] each keep a
//! subscription alive and hand out events, and send calls. [`agent`] reads sandboxes and runs commands in
//! containers.
//!
//! What the other end means by an event is not decided here: these clients know the protocol's
//! rules, not a scheduler's.

#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "a shell crate: it talks to the network"
)]

pub mod agent;
pub mod body;
pub mod executor;
mod http;
pub mod recordio;
pub mod scheduler;

pub use http::{CallError, STREAM_ID_HEADER};

/// The messages of Mesos's v1 API.
#[expect(missing_docs, reason = "generated; Mesos documents its protocol")]
#[allow(clippy::all, unreachable_pub, reason = "generated")]
pub mod v1 {
    include!(concat!(env!("OUT_DIR"), "/mesos.v1.rs"));

    /// The scheduler's calls and events.
    pub mod scheduler {
        include!(concat!(env!("OUT_DIR"), "/mesos.v1.scheduler.rs"));
    }

    /// The agent's calls and answers: files of sandboxes, commands in containers.
    pub mod agent {
        include!(concat!(env!("OUT_DIR"), "/mesos.v1.agent.rs"));
    }

    /// The executor's calls and events.
    pub mod executor {
        include!(concat!(env!("OUT_DIR"), "/mesos.v1.executor.rs"));
    }
}
