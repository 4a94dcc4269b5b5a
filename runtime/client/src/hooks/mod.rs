//! Programs that are told what is about to be done, and may refuse it (`client.md` 14).
//!
//! `hooks.toml`, the machine's and the user's, names them and the events that they are told of. A project's
//! files name none: nobody's checkout makes programs run unasked.

mod calls;
mod event;
mod file;
mod run;

pub use calls::Method;
pub(crate) use calls::around;
pub use event::{Event, When};
pub use run::{Done, Trouble};

use std::time::Duration;

use serde::Serialize;

use crate::error::Error;

/// A program and what it is told of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hook {
    /// By this name it is skipped, and named in messages.
    pub name: String,
    /// The program and its arguments.
    pub(crate) run: Vec<String>,
    pub(crate) on: Vec<Event>,
    pub(crate) timeout: Duration,
}

impl Hook {
    /// Whether it is told of this.
    pub fn is_on(&self, event: &Event) -> bool {
        self.on.iter().any(|on| on.covers(event))
    }

    /// Tells it.
    pub async fn tell(&self, what: &impl Serialize) -> Result<Done, Trouble> {
        run::run(&self.run, self.timeout, what).await
    }
}

/// All hooks: the machine's, then the user's, each in the order of its file.
pub fn read() -> Result<Vec<Hook>, Error> {
    let mut hooks = Vec::new();
    for folder in crate::clusters::folders() {
        hooks.extend(file::read(&folder.join("hooks.toml"))?);
    }
    Ok(hooks)
}
