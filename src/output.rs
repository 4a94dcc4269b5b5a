//! What commands print: text for people, or one JSON or YAML document for programs.

mod yaml;

use std::io::{ErrorKind, Write};
use std::sync::atomic::{AtomicBool, Ordering};

use serde::Serialize;

use crate::failure::{Code, Failure};
use crate::live::above;

/// The form of a command's result.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub(crate) enum Format {
    /// For people.
    #[default]
    Text,
    /// One JSON document.
    Json,
    /// One YAML document, of the same shape.
    Yaml,
}

/// Chooses the form.
#[derive(Debug, Clone, Copy, clap::Args)]
pub(crate) struct Output {
    /// The form of the result on standard output.
    #[arg(long, short = 'o', value_enum, default_value_t, global = true, value_name = "FORM")]
    pub(crate) output: Format,
}

impl Output {
    /// Whether a program reads the result.
    pub(crate) fn is_data(self) -> bool {
        self.output != Format::Text
    }

    /// Warns as a part of the result, as the original's client does; beside it where programs read it.
    pub(crate) fn warn(self, text: &str) -> Result<(), Failure> {
        if self.is_data() {
            warn(text);
            return Ok(());
        }
        print(&format!("WARNING: {text}\n"))
    }

    /// Prints a result for programs, in the form that was asked for.
    pub(crate) fn print(self, value: &impl Serialize) -> Result<(), Failure> {
        match self.output {
            Format::Yaml => print(&yaml::write(value)?),
            Format::Text | Format::Json => print_json(value),
        }
    }
}

/// Prints a result. A reader that has seen enough and hung up is no error.
pub(crate) fn print(text: &str) -> Result<(), Failure> {
    print_on(text).map(drop)
}

/// Prints a part of a result that goes on. Gives whether anybody reads on.
pub(crate) fn print_on(text: &str) -> Result<bool, Failure> {
    let mut out = anstream::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(false),
        Err(error) => {
            Err(Failure::new(Code::Error, format!("failed to print the result: {error}")))
        }
    }
}

/// Prints a result as JSON, indented by two.
pub(crate) fn print_json(value: &impl Serialize) -> Result<(), Failure> {
    match serde_json::to_string_pretty(value) {
        Ok(text) => print(&(text + "\n")),
        Err(error) => {
            Err(Failure::new(Code::Error, format!("failed to print the result: {error}")))
        }
    }
}

/// A time of UTC in whole seconds, as the original's client shows it.
pub(crate) fn utc(ms: i64) -> String {
    jiff::Timestamp::from_millisecond(ms)
        .map_or_else(|_| ms.to_string(), |time| time.strftime("%Y-%m-%dT%H:%M:%S").to_string())
}

/// Whether nothing is told beside results and failures.
static HUSHED: AtomicBool = AtomicBool::new(false);

/// From now on nothing is told beside results and failures.
pub(crate) fn hush() {
    HUSHED.store(true, Ordering::Relaxed);
}

/// Tells something beside the result.
pub(crate) fn note(text: &str) {
    if HUSHED.load(Ordering::Relaxed) {
        return;
    }
    // Without a stderr nobody listens.
    above(|| drop(writeln!(anstream::stderr().lock(), "{text}")));
}

/// Warns of something.
pub(crate) fn warn(text: &str) {
    let yellow = anstyle::AnsiColor::Yellow.on_default().bold();
    note(&format!("{yellow}warning:{yellow:#} {text}"));
}
