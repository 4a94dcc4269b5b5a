//! Following something that goes on by itself, until it ends, the time is over, or somebody interrupts.

use std::io::IsTerminal as _;
use std::time::Duration;

use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::ask::answer;
use crate::failure::{Code, Failure};
use crate::output::note;

/// What becomes of what goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Choice {
    /// It goes on by itself.
    Leave,
    /// It begins nothing more until it is resumed.
    Pause,
    /// It is given up; the job stays what it is at that moment.
    Abort,
}

/// How long it is followed, and what happens then.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    pub(super) timeout: Option<Duration>,
    pub(super) on_timeout: Choice,
    pub(super) on_interrupt: Option<Choice>,
    pub(super) can_ask: bool,
}

/// How the following has ended.
#[derive(Debug)]
pub(super) enum Outcome<T> {
    /// What was followed has ended.
    Ended(T),
    /// The time is over.
    TimedOut,
    /// Somebody has interrupted, and chosen this.
    Interrupted(Choice),
}

/// Follows to whichever end comes first.
pub(super) async fn accompany<T>(
    limits: &Limits,
    signals: &mut Signals,
    followed: impl Future<Output = Result<T, Failure>>,
) -> Result<Outcome<T>, Failure> {
    tokio::pin!(followed);
    let deadline = async {
        match limits.timeout {
            Some(timeout) => tokio::time::sleep(timeout).await,
            None => std::future::pending().await,
        }
    };
    tokio::select! {
        ended = &mut followed => return ended.map(Outcome::Ended),
        () = deadline => return Ok(Outcome::TimedOut),
        () = signals.next() => {}
    }
    if let Some(choice) = limits.on_interrupt {
        return Ok(Outcome::Interrupted(choice));
    }
    if !limits.can_ask {
        return Ok(Outcome::Interrupted(Choice::Leave));
    }
    loop {
        let question = "It goes on by itself. Shall it be [l]eft, [p]aused or [a]borted? ";
        tokio::select! {
            ended = &mut followed => return ended.map(Outcome::Ended),
            () = signals.next() => return Ok(Outcome::Interrupted(Choice::Leave)),
            line = answer(question) => match read(&line?) {
                Some(choice) => return Ok(Outcome::Interrupted(choice)),
                None => note("Type l, p or a."),
            },
        }
    }
}

/// What a typed line means; at the end of the input it is left.
fn read(line: &str) -> Option<Choice> {
    if line.is_empty() {
        return Some(Choice::Leave);
    }
    match line.trim().to_ascii_lowercase().as_str() {
        "l" | "leave" => Some(Choice::Leave),
        "p" | "pause" => Some(Choice::Pause),
        "a" | "abort" => Some(Choice::Abort),
        _ => None,
    }
}

/// Ctrl-C, and what ends a step of a pipeline, from the beginning of a deployment on.
#[derive(Debug)]
pub(super) struct Signals {
    interrupt: Signal,
    terminate: Signal,
    /// Somebody has interrupted while it could not be heeded.
    is_due: bool,
}

impl Signals {
    pub(super) fn listen() -> Result<Self, Failure> {
        let listen = |kind| {
            signal(kind).map_err(|error| {
                Failure::new(Code::Error, format!("failed to listen for signals: {error}"))
            })
        };
        Ok(Self {
            interrupt: listen(SignalKind::interrupt())?,
            terminate: listen(SignalKind::terminate())?,
            is_due: false,
        })
    }

    async fn next(&mut self) {
        if std::mem::take(&mut self.is_due) {
            return;
        }
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
        // Behind what the terminal shows of the key, and maybe behind a question.
        if std::io::stderr().is_terminal() {
            note("");
        }
    }

    /// Does what changes nothing, unless somebody interrupts.
    pub(super) async fn unless_interrupted<T>(
        &mut self,
        command: impl Future<Output = Result<T, Failure>>,
    ) -> Result<T, Failure> {
        tokio::select! {
            result = command => result,
            () = self.next() => {
                Err(Failure::new(Code::Interrupted, "interrupted before anything was begun"))
            }
        }
    }

    /// Begins something: only the answer tells whether it has begun, so an interruption is heeded once that is known.
    /// Whoever interrupts again does not want to know.
    pub(super) async fn begin<T>(
        &mut self,
        begin: impl Future<Output = Result<T, Failure>>,
        unknown: impl FnOnce() -> String,
    ) -> Result<T, Failure> {
        tokio::pin!(begin);
        tokio::select! {
            result = &mut begin => return result,
            () = self.next() => note("It is being asked for: interrupt again not to wait for the answer"),
        }
        tokio::select! {
            result = begin => {
                self.is_due = true;
                result
            }
            () = self.next() => Err(Failure::new(Code::Interrupted, unknown())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_a_letter_or_a_word() {
        for (line, choice) in [
            ("l\n", Some(Choice::Leave)),
            (" Pause \n", Some(Choice::Pause)),
            ("A\n", Some(Choice::Abort)),
            ("", Some(Choice::Leave)),
            ("\n", None),
            ("yes\n", None),
        ] {
            assert_eq!(read(line), choice, "{line:?}");
        }
    }
}
