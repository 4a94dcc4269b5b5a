//! Says in ZooKeeper where a task serves, while it is well (`executor.md` 17).
//!
//! [`Settings`] are what the operator has chosen, by [`AnnounceFlags`]; an [`Announcement`] is what
//! they and a task make together. Its [`check`](Announcement::check) is the one of
//! [`Checks`](crate::checks::Checks) that keeps the task announced.

mod announcement;
mod check;
mod flags;

pub(crate) use announcement::{AnnounceError, Announced, Announcement};
pub(crate) use flags::Settings;
pub use flags::{AnnounceFlags, AnnounceFlagsError};
