//! Hooks of commands (`client.md` 14): told before a command, and after it. Hooks of calls are the client's.

use std::ffi::OsString;
use std::process::ExitCode;

use aurora_client::hooks::{self, Done, Event, Hook, Trouble, When};
use serde_json::{Value, json};

use crate::failure::{Code, Failure};
use crate::output::note;
use crate::runtime::block_on;

/// The hooks of this user, or why they cannot be read: nobody who only asks for help needs to know.
pub(crate) struct Hooks(Result<Vec<Hook>, aurora_client::Error>);

/// The hooks of one command.
pub(crate) struct OfCommand {
    hooks: Vec<Hook>,
    noun: String,
    verb: String,
    words: Vec<String>,
}

/// The words of a command line for hooks, without the program's name.
fn texts(words: &[OsString]) -> Vec<String> {
    words.iter().skip(1).map(|word| word.to_string_lossy().into_owned()).collect()
}

impl Hooks {
    pub(crate) fn read() -> Self {
        Self(hooks::read())
    }

    /// Lets hooks write a command line anew, one after the other.
    pub(crate) fn dispatch(&self, words: Vec<OsString>) -> Result<Vec<OsString>, Failure> {
        let Ok(hooks) = &self.0 else { return Ok(words) };
        let mut words = words;
        for hook in hooks.iter().filter(|hook| hook.is_on(&Event::Dispatch)) {
            let told = json!({
                "version": 1, "event": Event::Dispatch.name(), "arguments": texts(&words),
            });
            let done = tell(hook, &told).map_err(|trouble| failed(hook, &trouble))?;
            if !done.agrees() {
                return Err(refusal(hook, "the command", &done));
            }
            if done.out.trim().is_empty() {
                continue;
            }
            let answer: Value = serde_json::from_str(&done.out).unwrap_or_default();
            let arguments: Option<Vec<OsString>> = answer["arguments"]
                .as_array()
                .and_then(|all| all.iter().map(|word| word.as_str().map(OsString::from)).collect());
            let Some(arguments) = arguments else {
                return Err(Failure::new(
                    Code::Error,
                    format!(
                        "hook {} has written what is no {{\"arguments\": [\"…\"]}}: it may write \
                         that or nothing",
                        hook.name
                    ),
                ));
            };
            words.truncate(1);
            words.extend(arguments);
        }
        Ok(words)
    }

    /// Those of a command that are not skipped.
    pub(crate) fn of_command(
        self,
        skipped: &[String],
        words: &[OsString],
        (noun, verb): (String, String),
    ) -> Result<OfCommand, Failure> {
        let is_skipped =
            |hook: &Hook| skipped.iter().any(|name| name == "all" || *name == hook.name);
        let mut hooks = self.0?;
        hooks.retain(|hook| !is_skipped(hook));
        Ok(OfCommand { hooks, noun, verb, words: texts(words) })
    }
}

impl OfCommand {
    /// Asks whether the command may be carried out: the first that has something against it ends it with its
    /// own status.
    pub(crate) fn before(&self) -> Result<(), Failure> {
        let event = self.event(When::Before);
        for hook in self.hooks.iter().filter(|hook| hook.is_on(&event)) {
            let done = tell(hook, &self.told(&event)).map_err(|trouble| failed(hook, &trouble))?;
            if !done.agrees() {
                return Err(refusal(hook, &event.to_string(), &done));
            }
        }
        Ok(())
    }

    /// Tells how the command has ended. What hooks say to that changes nothing.
    pub(crate) fn after(&self, result: &Result<ExitCode, Failure>) {
        let (after, finish) = (self.event(When::After), Event::Finish);
        let is_done = matches!(result, Ok(status) if *status == ExitCode::SUCCESS);
        for hook in &self.hooks {
            for event in [&after, &finish] {
                if !hook.is_on(event) || (*event == after && !is_done) {
                    continue;
                }
                let mut told = self.told(event);
                told["succeeded"] = is_done.into();
                if let Err(failure) = result {
                    told["error"] = failure.to_string().into();
                }
                let why = match tell(hook, &told) {
                    Ok(done) if done.agrees() => continue,
                    Ok(done) => done.why(),
                    Err(trouble) => trouble.to_string(),
                };
                tracing::warn!("hook {} failed on {}: {why}", hook.name, event.name());
            }
        }
    }

    fn event(&self, when: When) -> Event {
        Event::Command(when, self.noun.clone(), self.verb.clone())
    }

    fn told(&self, event: &Event) -> Value {
        json!({
            "version": 1, "event": event.name(), "noun": self.noun, "verb": self.verb,
            "arguments": self.words,
        })
    }
}

/// Tells a hook. What it has to say besides agreeing is passed on.
fn tell(hook: &Hook, told: &Value) -> Result<Done, Trouble> {
    let said = block_on(async { Ok(hook.tell(told).await) });
    let done = said.unwrap_or_else(|failure| {
        let source = std::io::Error::other(failure.to_string());
        Err(Trouble::Run { program: hook.name.clone(), source })
    })?;
    if done.agrees() && !done.err.trim().is_empty() {
        note(done.err.trim_end());
    }
    Ok(done)
}

fn failed(hook: &Hook, trouble: &Trouble) -> Failure {
    Failure::new(Code::Error, format!("hook {}: {trouble}; nothing was done", hook.name))
}

/// A command ends with the status of the hook that refuses it.
fn refusal(hook: &Hook, what: &str, done: &Done) -> Failure {
    let message = format!("hook {} refuses {what}: {}; nothing was done", hook.name, done.why());
    Failure::ended(done.status, message)
}
