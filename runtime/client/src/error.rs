//! How what was asked of a cluster fails: an exit code and words for people (`client.md` 3).

use std::process::ExitCode;

/// What a script can tell apart. The numbers are the original's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Code {
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
    /// Ctrl-C.
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
    pub fn of(status: i32) -> Option<Self> {
        Self::ALL.into_iter().find(|code| *code as i32 == status)
    }
}

impl From<Code> for ExitCode {
    fn from(code: Code) -> Self {
        Self::from(code as u8)
    }
}

/// Something that failed.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{message}")]
pub struct Error {
    /// What kind of failure it is.
    pub code: Code,
    message: String,
}

impl Error {
    /// A failure of this kind, in words for people.
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        Self { code, message: message.into() }
    }

    /// The same of a question that was asked on the way: that it is refused is no mistake of who has given the
    /// command.
    #[must_use]
    pub fn on_the_way(self) -> Self {
        let code = if self.code == Code::InvalidParameter { Code::Api } else { self.code };
        Self { code, ..self }
    }

    /// The same after something was done that is not undone: whoever reads only that it failed would do it again.
    #[must_use]
    pub fn after(self, done: impl std::fmt::Display) -> Self {
        Self { message: format!("{done}; {}", self.message), ..self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_is_in_the_table_that_scripts_are_written_by() {
        let table =
            include_str!("../../../docs/commands.md").split("## Exit codes").nth(1).unwrap();
        let told: Vec<i32> = table
            .lines()
            .filter_map(|line| line.strip_prefix("| ")?.split(' ').next()?.parse().ok())
            .collect();
        let mut codes: Vec<i32> = Code::ALL.into_iter().map(|code| code as i32).collect();
        codes.insert(0, 0);
        assert_eq!(told, codes);
        for code in Code::ALL {
            assert_eq!(Code::of(code as i32), Some(code));
        }
    }
}
