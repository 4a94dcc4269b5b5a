//! Server sets in ZooKeeper: who serves what, and where (`executor.md` 17).
//!
//! A [`ServerSet`] is a path of an [`Ensemble`]. [`ServerSet::join`] makes a [`Member`] part of it
//! until it leaves, through lost connections, expired sessions and nodes that others delete;
//! [`ServerSet::watch`] tells who is part of it. Both go on for ever: ZooKeeper being away is no
//! error, only a [`State`]. [`Access`] is what an ensemble wants to know of its clients, and what
//! these grant others.
//!
//! Each membership has a session of its own, so that leaving is ending that session: whatever was
//! on its way, no node stays. Nothing here elects a leader, and no secret of an [`Access`] is shown
//! or logged.

#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "a shell crate: it talks to the network"
)]

mod access;
mod backoff;
mod ensemble;
mod join;
mod member;
mod membership;
mod path;
mod session;
#[cfg(feature = "testing")]
pub mod testing;

pub use access::{Access, AccessError, digest};
pub use ensemble::{ConnectStringError, Ensemble, ServerSet};
pub use join::{Joined, State};
pub use member::{Endpoint, MAX_MEMBER_LEN, Member, MemberError, Status};
pub use membership::{Freshness, Membership, View};
pub use path::{NodePath, PathError};
