//! The agent: runs executors in sandboxes and remembers them.

mod cgroup;
mod checkpoint;
mod collect;
mod executors;
mod fetch;
mod files;
mod flags;
mod http;
mod launch;
mod leftovers;
mod link;
mod operator;
mod sessions;
mod start;

pub use collect::plan::Share;
pub use flags::{Config, Flags};
pub use start::{Error, Handle, start};
