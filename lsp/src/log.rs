//! What is written of the server's work, for reports of mistakes: to a file, and to the client if it
//! traces.

use std::fs::File;
use std::io::Write;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use tokio::sync::mpsc;
use tower_lsp::jsonrpc::{Error, Id};
use tower_lsp::lsp_types::{LogTraceParams, TraceValue};

/// How much is written of one message.
const MAX_BODY: usize = 64 << 10;
/// How many lines may wait for the client; more are left out.
const MAX_TRACES: usize = 256;

/// Where lines go.
#[derive(Debug, Default)]
pub(crate) struct Log {
    file: Option<Mutex<File>>,
    /// What the client wants: 0 nothing, 1 lines, 2 messages.
    trace: AtomicU8,
    to_client: Option<mpsc::Sender<LogTraceParams>>,
}

impl Log {
    /// A log that goes to a file, and whose lines for the client are taken from the receiver.
    pub(crate) fn new(file: Option<File>) -> (Self, mpsc::Receiver<LogTraceParams>) {
        let (to, from) = mpsc::channel(MAX_TRACES);
        let log = Self { file: file.map(Mutex::new), trace: AtomicU8::new(0), to_client: Some(to) };
        (log, from)
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
        self.trace_line(line, None);
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
        // Told of itself, the trace would have no end.
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
            let shown = body.get(..MAX_BODY).unwrap_or(body);
            self.write(&format!("{direction} {}", String::from_utf8_lossy(shown)));
        }
    }

    fn trace_line(&self, line: &str, verbose: Option<String>) {
        if self.level() > 0
            && let Some(to) = &self.to_client
        {
            // A client that does not keep up misses some.
            let _ = to.try_send(LogTraceParams { message: line.to_owned(), verbose });
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

/// An id as it is written.
pub(crate) fn shown_id(id: &Id) -> String {
    match id {
        Id::Number(number) => number.to_string(),
        Id::String(text) => format!("{text:?}"),
        Id::Null => "null".to_owned(),
    }
}
