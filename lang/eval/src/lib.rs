//! Evaluates `.aurora` files: Starlark with Pystachio-style templates becomes typed jobs.
//!
//! [`evaluate`] runs a file and gives a [`Config`], its jobs as they stand; [`EvaluatedJob::ready`]
//! binds, checks and converts one of them into what the scheduler takes. Everything that is wrong
//! is a [`Report`], a `miette` diagnostic with the place in the file.
//!
//! Evaluation is hermetic: files are read through a [`Loader`], and of the rest of the outside only
//! the declared [`Inputs`] are seen: no clock, no network. Calls, turns of loops, memory, the depth
//! of texts and values and what they come to are bounded, and a file that goes beyond is refused.
//! An [`Engine`] evaluates what has not changed only once.

#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "a shell crate: it reads files"
)]

mod codes;
mod context;
mod dialect;
mod engine;
mod export;
mod exported;
mod globals;
mod helpers;
mod job;
mod limits;
mod load;
mod project;
mod python;
mod report;
mod run;
mod schema;
mod sources;
mod stdlib;
mod values;
mod warnings;

pub use aurora_template::object::Origin;
pub use codes::{Code, Severity};
pub use context::{Cancel, Inputs, Reads};
pub use dialect::syntax_report;
pub use engine::{Engine, Options, evaluate, evaluate_text};
pub use export::{ExportOptions, export};
pub use globals::{global_names, is_global, refused};
pub use job::{
    Binding, BindingError, Config, EvaluatedJob, ReadyJob, Stage, UnboundImage, UpdateSettings,
    UpdateStrategy, WrittenValue, evaluate_json,
};
pub use load::{Disk, Loader, MAX_FILE_LEN, text_of};
pub use project::Project;
pub use report::{Checked, Edit, Finding, Fix, Label, Location, Position, Report, Summary, sarif};
pub use stdlib::{PREFIX as STD, module as std_module, names as std_modules};
