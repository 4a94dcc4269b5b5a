//! Server sets in ZooKeeper: who serves what, and where (`executor.md` 17).
//!
//! A [`ServerSet`] is a path of an [`Ensemble`]. [`ServerSet::join`] makes a [`Member`] part of it
//! until it leaves, through lost connections, expired sessions and nodes that others delete;
//! [`ServerSet::watch`] tells who is part of it. Both go on for ever: ZooKeeper being away is no
//! error, only a [`State`]. [`Access`] is what an ensemble wants to know of its clients, and what
//! these grant others.
//!
//! ```no_run
//! # async fn serve() -> Result<(), Box<dyn std::error::Error>> {
//! use aurora_zookeeper::{Endpoint, Ensemble, Member, NodePath, Status};
//!
//! let set = Ensemble::new("zk1:2181,zk2:2181")?.server_set(NodePath::new("/aurora/www/prod/hello")?);
//! let here = Endpoint::new("box", 31_000);
//! let member = Member {
//!     status: Status::Alive,
//!     additional_endpoints: [("http".to_owned(), here.clone())].into(),
//!     service_endpoint: here,
//!     shard: Some(0),
//! };
//! let joined = set.join(&member)?;
//! let membership = set.watch();
//! let mut view = membership.view();
//! view.wait_for(|view| view.members.values().any(|seen| *seen == member)).await?;
//! joined.leave().await;
//! # Ok(())
//! # }
//! ```
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

pub use access::{Access, AccessError, ParseError};
pub use ensemble::{ConnectStringError, Ensemble, ServerSet};
pub use join::{Joined, State};
pub use member::{Endpoint, Member, MemberError, Status};
pub use membership::{Freshness, Membership, View};
pub use path::{NodePath, PathError};
