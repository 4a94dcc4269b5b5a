//! Evaluates `.aurora` files: Starlark with Pystachio-style templates becomes typed jobs.
//!
//! [`evaluate`] runs a file and gives a [`Config`], its jobs as they stand; [`EvaluatedJob::ready`]
//! binds, checks and converts one of them into what the scheduler takes. Everything that is wrong
//! is a [`Report`], a `miette` diagnostic with the place in the file.
//!
//! Evaluation is hermetic: files are read through a [`Loader`], and nothing else of the outside is
//! seen: no clock, no environment, no network. Calls, turns of loops, the depth of texts and values
//! and what they come to are bounded, and a file that goes beyond is refused. One operation of the
//! interpreter is not: `"a" * 2000000000` takes its seconds and its memory. So do not evaluate files
//! of people you do not trust in a process that matters.

#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "a shell crate: it reads files"
)]

mod context;
mod globals;
mod job;
mod limits;
mod load;
mod report;
mod schema;
mod values;

pub use aurora_template::object::Origin;
pub use context::{Cancel, Inputs, Reads};
pub use job::{Binding, BindingError, Config, EvaluatedJob, ReadyJob, evaluate};
pub use load::{Disk, Loader, MAX_FILE_LEN};
pub use report::Report;
