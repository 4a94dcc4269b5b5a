//! The master: offers agents' resources to frameworks, and carries messages between them.

pub mod core;
mod flags;
mod http;
mod shell;
mod start;

pub(crate) use self::core::is_terminal;
pub use flags::{Config, Flags, FlagsError};
pub use start::{Error, Handle, start};
