//! What hooks are told of.

use std::fmt;
use std::str::FromStr;

/// Before or after.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum When {
    /// Before it is done: it may be refused.
    Before,
    /// After it was done.
    After,
    /// After it has failed.
    Failed,
}

/// Something that happens. In a hook's list each name may be `*`, which stands for all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// The words of a command line come in; nothing of them has been read.
    Dispatch,
    /// A command is carried out, by its noun and verb.
    Command(When, String, String),
    /// A command has ended, however it did.
    Finish,
    /// The scheduler is asked to change something, by the original's name of the call.
    Call(When, String),
}

/// What a hook's list may hold.
const KNOWN: &str = "dispatch, finish, pre-command NOUN VERB, post-command NOUN VERB, \
                     pre-call METHOD, post-call METHOD and err-call METHOD";

impl Event {
    /// Whether this, of a hook's list, means that event.
    pub(crate) fn covers(&self, event: &Self) -> bool {
        let fits = |on: &str, name: &str| on == "*" || on == name;
        match (self, event) {
            (Self::Dispatch, Self::Dispatch) | (Self::Finish, Self::Finish) => true,
            (Self::Command(on, noun, verb), Self::Command(when, of_noun, of_verb)) => {
                on == when && fits(noun, of_noun) && fits(verb, of_verb)
            }
            (Self::Call(on, method), Self::Call(when, of)) => on == when && fits(method, of),
            _ => false,
        }
    }

    /// Its first word, by which hooks know what they are told of.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Dispatch => "dispatch",
            Self::Finish => "finish",
            Self::Command(When::Before, ..) => "pre-command",
            Self::Command(..) => "post-command",
            Self::Call(When::Before, _) => "pre-call",
            Self::Call(When::After, _) => "post-call",
            Self::Call(When::Failed, _) => "err-call",
        }
    }
}

impl FromStr for Event {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let words: Vec<&str> = text.split_whitespace().collect();
        let when = |first: &str| match first.split_once('-') {
            Some(("pre", _)) => When::Before,
            Some(("post", _)) => When::After,
            _ => When::Failed,
        };
        match words.as_slice() {
            ["dispatch"] => Ok(Self::Dispatch),
            ["finish"] => Ok(Self::Finish),
            [first @ ("pre-command" | "post-command"), noun, verb @ ..] if verb.len() < 2 => {
                let verb = verb.first().unwrap_or(&"*");
                Ok(Self::Command(when(first), (*noun).to_owned(), (*verb).to_owned()))
            }
            [first @ ("pre-call" | "post-call" | "err-call"), method]
                if *method == "*" || super::Method::named(method).is_some() =>
            {
                Ok(Self::Call(when(first), (*method).to_owned()))
            }
            ["pre-call" | "post-call" | "err-call", method] => Err(format!(
                "there is no call {method:?}: known are {}",
                super::Method::ALL.map(super::Method::name).join(", ")
            )),
            _ => Err(format!("{text:?} is no event: known are {KNOWN}")),
        }
    }
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Dispatch | Self::Finish => f.write_str(self.name()),
            Self::Command(_, noun, verb) => write!(f, "{noun} {verb}"),
            Self::Call(_, method) => f.write_str(method),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(text: &str) -> Event {
        text.parse().unwrap()
    }

    #[test]
    fn a_star_covers_all() {
        for (on, of, covers) in [
            ("pre-command job create", "pre-command job create", true),
            ("pre-command job", "pre-command job create", true),
            ("pre-command * create", "pre-command job create", true),
            ("pre-command job create", "post-command job create", false),
            ("pre-command job kill", "pre-command job create", false),
            ("pre-call *", "pre-call kill_job", true),
            ("err-call kill_job", "post-call kill_job", false),
            ("dispatch", "dispatch", true),
            ("dispatch", "finish", false),
        ] {
            assert_eq!(event(on).covers(&event(of)), covers, "{on} {of}");
        }
    }

    #[test]
    fn what_is_no_event_is_answered_with_what_is() {
        for (text, wanted) in [
            ("", "is no event: known are dispatch"),
            ("pre-call", "is no event"),
            (
                "pre-call creat_job",
                "there is no call \"creat_job\": known are create_job, add_inst",
            ),
            ("pre-command a b c", "is no event"),
            ("err-command a b", "is no event"),
        ] {
            let wrong = text.parse::<Event>().unwrap_err();
            assert!(wrong.contains(wanted), "{wrong}");
        }
    }
}
