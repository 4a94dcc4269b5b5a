//! The program that is measured, as a process.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use serde::Deserialize;
use serde_json::{Value, json};

const PATIENCE: Duration = Duration::from_secs(20);

pub(crate) struct Server {
    child: Child,
    to: ChildStdin,
    from: Receiver<(Instant, Vec<u8>)>,
    next_id: i64,
}

/// Something that came from the server, and when.
pub(crate) enum Came {
    /// The answer of a request.
    Answer(i64, Instant),
    /// The diagnostics of a file.
    Diagnostics(Value, Instant),
    Other,
}

/// What tells messages apart.
#[derive(Deserialize)]
struct Head {
    id: Option<i64>,
    method: Option<String>,
    error: Option<Value>,
}

impl Server {
    pub(crate) fn start(program: &Path, home: &Path) -> Self {
        let mut child = Command::new(program)
            .arg("lsp")
            .env("XDG_CACHE_HOME", home.join("cache"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let to = child.stdin.take().unwrap();
        let mut out = BufReader::with_capacity(1 << 20, child.stdout.take().unwrap());
        let (send, from) = channel();
        std::thread::spawn(move || {
            // Nothing is looked at here: when something came must not depend on what it is.
            while let Some(body) = frame(&mut out) {
                if send.send((Instant::now(), body)).is_err() {
                    return;
                }
            }
        });
        Self { child, to, from, next_id: 0 }
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    fn message(&mut self, message: &Value) {
        let body = message.to_string();
        let framed = format!("Content-Length: {}\r\n\r\n{body}", body.len());
        self.to.write_all(framed.as_bytes()).unwrap();
    }

    pub(crate) fn tell(&mut self, method: &str, params: Value) {
        self.message(&json!({"jsonrpc": "2.0", "method": method, "params": params}));
    }

    /// Asks something; the answer comes with this number.
    pub(crate) fn begin(&mut self, method: &str, params: Value) -> i64 {
        self.next_id += 1;
        let id = self.next_id;
        self.message(&json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params}));
        id
    }

    /// Waits for what comes next; [`None`] if nothing has come by then.
    pub(crate) fn receive_by(&mut self, by: Instant) -> Option<Came> {
        let left = by.saturating_duration_since(Instant::now());
        let (at, body) = self.from.recv_timeout(left).ok()?;
        let head: Head = serde_json::from_slice(&body).unwrap();
        assert!(head.error.is_none(), "{}", String::from_utf8_lossy(&body));
        Some(match (head.id, head.method.as_deref()) {
            (Some(id), None) => Came::Answer(id, at),
            (Some(id), Some(_)) => {
                self.message(&json!({"jsonrpc": "2.0", "id": id, "result": null}));
                Came::Other
            }
            (None, Some("textDocument/publishDiagnostics")) => {
                let message: Value = serde_json::from_slice(&body).unwrap();
                Came::Diagnostics(message["params"].clone(), at)
            }
            (None, _) => Came::Other,
        })
    }

    /// Waits for what comes next, which there must be.
    pub(crate) fn receive(&mut self) -> Came {
        self.receive_by(Instant::now() + PATIENCE).expect("the server says nothing")
    }

    /// Ends the program, and says how it ended and how long that took.
    pub(crate) fn end(mut self) -> (ExitStatus, Duration) {
        let id = self.begin("shutdown", Value::Null);
        while !matches!(self.receive(), Came::Answer(answered, _) if answered == id) {}
        let begun = Instant::now();
        self.tell("exit", Value::Null);
        (self.child.wait().unwrap(), begun.elapsed())
    }
}

/// The body of the next message; [`None`] at the end.
fn frame(out: &mut impl BufRead) -> Option<Vec<u8>> {
    let mut length = 0;
    loop {
        let mut line = String::new();
        if out.read_line(&mut line).unwrap_or(0) == 0 {
            return None;
        }
        match line.trim_end().strip_prefix("Content-Length: ") {
            Some(number) => length = number.parse().unwrap(),
            None if line.trim_end().is_empty() => break,
            None => {}
        }
    }
    let mut body = vec![0; length];
    out.read_exact(&mut body).ok()?;
    Some(body)
}
