//! How commands fail: an exit code and words for people (`client.md` 3).

use std::io::Write;
use std::process::ExitCode;

pub(crate) use aurora_client::Code;

/// A command that failed.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) code: Code,
    words: Words,
    /// The status of a program that has decided how this one ends, in place of the code.
    status: Option<u8>,
}

#[derive(Debug)]
enum Words {
    Message(String),
    Report(Box<miette::Report>),
    /// All has been said.
    Said,
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.words {
            Words::Message(message) => f.write_str(message),
            Words::Report(report) => write!(f, "{report}"),
            Words::Said => f.write_str("it failed"),
        }
    }
}

impl From<aurora_client::Error> for Failure {
    fn from(error: aurora_client::Error) -> Self {
        Self::new(error.code, error.to_string())
    }
}

impl Failure {
    pub(crate) fn new(code: Code, message: impl Into<String>) -> Self {
        Self { code, words: Words::Message(message.into()), status: None }
    }

    /// What cannot be used in a configuration, with its place.
    pub(crate) fn report(report: aurora_eval::Report) -> Self {
        let words = Words::Report(Box::new(miette::Report::new(report)));
        Self { code: Code::InvalidConfiguration, words, status: None }
    }

    /// The same after something was done that is not undone: whoever reads only that it failed would do it again.
    pub(crate) fn after(self, done: impl std::fmt::Display) -> Self {
        match self.words {
            Words::Message(message) => {
                Self { words: Words::Message(format!("{done}; {message}")), ..self }
            }
            words => Self { words, ..self },
        }
    }

    /// A failure whose reason is on the screen already.
    pub(crate) fn said(code: Code) -> Self {
        Self { code, words: Words::Said, status: None }
    }

    /// A program has decided that this one ends with its status.
    pub(crate) fn ended(status: i32, message: impl Into<String>) -> Self {
        let status = u8::try_from(status).ok().filter(|status| *status != 0);
        Self { status, ..Self::new(Code::Error, message) }
    }

    /// How the process ends.
    pub(crate) fn status(&self) -> ExitCode {
        self.status.map_or_else(|| self.code.into(), ExitCode::from)
    }

    /// Tells the user.
    pub(crate) fn print(&self) {
        let red = anstyle::AnsiColor::Red.on_default().bold();
        // Where nobody reads any more there is nobody to tell: the exit code says it still.
        let _ = match &self.words {
            Words::Message(message) => {
                writeln!(anstream::stderr(), "{red}error:{red:#} {message}")
            }
            Words::Report(report) => writeln!(std::io::stderr(), "{report:?}"),
            Words::Said => Ok(()),
        };
    }
}
