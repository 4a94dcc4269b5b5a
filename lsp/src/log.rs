//! What is written of the server's work, for reports of mistakes: to a file, and to the client if it
//! traces.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::Write;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use serde_json::Value;
use tokio::sync::mpsc;
use tower_lsp::jsonrpc::{Error, Id};
use tower_lsp::lsp_types::{LogTraceParams, TraceValue};

/// How much is written of one message.
const MAX_BODY: usize = 64 << 10;
/// The shortest value of a variable that is left out, in bytes.
const MIN_SECRET: usize = 4;
/// What stands in the place of such a value.
const HIDDEN: &str = "…";
/// How many lines may wait for the client; more are left out.
const MAX_TRACES: usize = 256;

/// Where lines go.
#[derive(Debug, Default)]
pub(crate) struct Log {
    file: Option<Mutex<File>>,
    /// What the client wants: 0 nothing, 1 lines, 2 messages.
    trace: AtomicU8,
    to_client: Option<mpsc::Sender<LogTraceParams>>,
    /// Values of variables of the environment, which are not written.
    secrets: Mutex<BTreeSet<String>>,
}

impl Log {
    /// A log that goes to a file, and whose lines for the client are taken from the receiver.
    pub(crate) fn new(file: Option<File>) -> (Self, mpsc::Receiver<LogTraceParams>) {
        let (to, from) = mpsc::channel(MAX_TRACES);
        let log = Self { file: file.map(Mutex::new), to_client: Some(to), ..Self::default() };
        (log, from)
    }

    /// From now on these values of variables are not written, wherever they stand in a message. Short
    /// ones are no secrets, and would be found everywhere.
    pub(crate) fn hide<'a>(&self, values: impl IntoIterator<Item = &'a str>) {
        let values = values.into_iter().filter(|value| value.len() >= MIN_SECRET);
        let mut secrets = self.secrets.lock().unwrap_or_else(PoisonError::into_inner);
        for value in values {
            if !secrets.contains(value) {
                secrets.insert(value.to_owned());
            }
        }
    }

    /// What the client wants to be told.
    pub(crate) fn set_trace(&self, value: TraceValue) {
        let level = match value {
            TraceValue::Off => 0,
            TraceValue::Messages => 1,
            TraceValue::Verbose => 2,
        };
        self.trace.store(level, Ordering::Relaxed);
    }

    fn level(&self) -> u8 {
        self.trace.load(Ordering::Relaxed)
    }

    /// Writes a line.
    pub(crate) fn line(&self, line: &str) {
        self.trace_line(line);
        self.write(line);
    }

    /// Writes that a request or notification was carried out.
    pub(crate) fn call(
        &self,
        method: &str,
        id: Option<&Id>,
        took: Duration,
        panic: Option<&str>,
        error: Option<&Error>,
    ) {
        if self.file.is_none() && self.level() == 0 && panic.is_none() {
            return;
        }
        let id = id.map(|id| format!(" {}", shown_id(id))).unwrap_or_default();
        let outcome = match (panic, error) {
            (Some(words), _) => format!(" panicked: {words}"),
            (None, Some(error)) => format!(" failed: {} {}", error.code.code(), error.message),
            (None, None) => String::new(),
        };
        self.line(&format!("{method}{id} {:.1} ms{outcome}", took.as_secs_f64() * 1000.0));
    }

    /// Writes a message, if the client traces all there is.
    pub(crate) fn body(&self, direction: &str, body: &[u8]) {
        if self.file.is_some() && self.level() == 2 {
            let mut shown = match serde_json::from_slice(body) {
                Ok(mut message) => {
                    let secrets = self.secrets.lock().unwrap_or_else(PoisonError::into_inner);
                    hide(&mut message, &secrets, false);
                    message.to_string()
                }
                Err(_) => format!("{} bytes that are no JSON", body.len()),
            };
            shown.truncate(shown.floor_char_boundary(MAX_BODY));
            self.write(&format!("{direction} {shown}"));
        }
    }

    fn trace_line(&self, line: &str) {
        if self.level() > 0
            && let Some(to) = &self.to_client
        {
            // A client that does not keep up misses some.
            let _ = to.try_send(LogTraceParams { message: line.to_owned(), verbose: None });
        }
    }

    fn write(&self, line: &str) {
        let Some(file) = &self.file else { return };
        let now = humantime::format_rfc3339_millis(SystemTime::now());
        let mut file = file.lock().unwrap_or_else(PoisonError::into_inner);
        // A full disk must not end the server.
        let _ = writeln!(file, "{now} {line}");
    }
}

/// Takes values of variables out of a message: those of the setting `env`, which tells them, and those
/// that are known wherever they stand.
fn hide(message: &mut Value, secrets: &BTreeSet<String>, is_env: bool) {
    match message {
        Value::String(text) if is_env => HIDDEN.clone_into(text),
        Value::String(text) => {
            for secret in secrets {
                if text.contains(&**secret) {
                    *text = text.replace(&**secret, HIDDEN);
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| hide(item, secrets, is_env)),
        Value::Object(members) => {
            for (name, value) in members {
                hide(value, secrets, is_env || name == "env");
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// An id as it is written.
pub(crate) fn shown_id(id: &Id) -> String {
    match id {
        Id::Number(number) => number.to_string(),
        Id::String(text) => format!("{text:?}"),
        Id::Null => "null".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn values_of_variables_are_not_written() {
        let secrets = BTreeSet::from(["s3cr3t".to_owned()]);
        for (mut message, wanted) in [
            (
                json!({"settings": {"aurora": {"env": {"TOKEN": "abc"}, "user": "me"}}}),
                json!({"settings": {"aurora": {"env": {"TOKEN": "…"}, "user": "me"}}}),
            ),
            (
                json!({"result": [1, null, {"contents": "run --token=s3cr3t now"}]}),
                json!({"result": [1, null, {"contents": "run --token=… now"}]}),
            ),
        ] {
            hide(&mut message, &secrets, false);
            assert_eq!(message, wanted);
        }
    }

    #[test]
    fn a_message_is_written_without_what_is_hidden() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let (log, _traces) = Log::new(Some(file.reopen().unwrap()));
        log.set_trace(TraceValue::Verbose);
        log.hide(["s3cr3t", "no"]);
        log.body("->", br#"{"text":"no s3cr3t"}"#);
        log.body("<-", b"{");
        let written = std::fs::read_to_string(file.path()).unwrap();
        assert!(written.contains(r#"-> {"text":"no …"}"#), "{written}");
        assert!(written.contains("<- 1 bytes that are no JSON"), "{written}");
    }
}
