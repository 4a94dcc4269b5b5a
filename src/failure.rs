//! How commands fail: an exit code and words for people (`client.md` 3).

use std::io::Write;
use std::process::ExitCode;

/// What a script can tell apart. The numbers are the original's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Code {
    /// A daemon or the machine has failed.
    Error = 1,
    /// The command line makes no sense.
    Usage = 2,
    /// The configuration cannot be used, or the cluster is not known.
    InvalidConfiguration = 3,
    /// The command was understood and refused, or did not succeed.
    CommandFailure = 4,
    /// What is named is not there.
    InvalidParameter = 6,
    /// The scheduler cannot be reached.
    Network = 7,
    /// It took too long.
    Timeout = 9,
    /// The scheduler answered with an error.
    Api = 10,
    /// An update was given up, or could go neither on nor back.
    Unfinished = 20,
    /// The scheduler does not let this user in.
    Auth = 30,
    /// Ctrl-C, twice.
    Interrupted = 130,
}

impl Code {
    const ALL: [Self; 11] = [
        Self::Error,
        Self::Usage,
        Self::InvalidConfiguration,
        Self::CommandFailure,
        Self::InvalidParameter,
        Self::Network,
        Self::Timeout,
        Self::Api,
        Self::Unfinished,
        Self::Auth,
        Self::Interrupted,
    ];

    /// The code of a command that ended with this status, if it is one of these.
    pub(crate) fn of(status: i32) -> Option<Self> {
        Self::ALL.into_iter().find(|code| *code as i32 == status)
    }
}

impl From<Code> for ExitCode {
    fn from(code: Code) -> Self {
        Self::from(code as u8)
    }
}

/// A command that failed.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) code: Code,
    words: Words,
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

impl Failure {
    pub(crate) fn new(code: Code, message: impl Into<String>) -> Self {
        Self { code, words: Words::Message(message.into()) }
    }

    /// What cannot be used in a configuration, with its place.
    pub(crate) fn report(report: aurora_eval::Report) -> Self {
        let words = Words::Report(Box::new(miette::Report::new(report)));
        Self { code: Code::InvalidConfiguration, words }
    }

    /// A failure whose reason is on the screen already.
    pub(crate) fn said(code: Code) -> Self {
        Self { code, words: Words::Said }
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
