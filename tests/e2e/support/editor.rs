//! An editor, as far as the built language server can tell.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Instant;

use serde_json::{Value, json};

use super::{Home, PATIENCE};

/// A client with a server of its own, which is asked for lenses again.
#[derive(Debug)]
pub(crate) struct Editor {
    server: Child,
    to: ChildStdin,
    from: Receiver<Value>,
    asked: i64,
    /// Whether the server has said that lenses are to be asked for again.
    is_stale: bool,
}

impl Editor {
    /// Starts a server with settings.
    pub(crate) fn start(home: &Home, settings: &Value) -> Self {
        let mut command = home.aurora(&["lsp"]);
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut server = command.spawn().unwrap();
        let (sender, from) = channel();
        let mut out = BufReader::new(server.stdout.take().unwrap());
        std::thread::spawn(move || {
            while let Some(message) = read(&mut out) {
                if sender.send(message).is_err() {
                    break;
                }
            }
        });
        let to = server.stdin.take().unwrap();
        let mut editor = Self { server, to, from, asked: 0, is_stale: false };
        editor.ask(
            "initialize",
            json!({
                "processId": null, "rootUri": null, "initializationOptions": settings,
                "capabilities": {"workspace": {"codeLens": {"refreshSupport": true}}},
            }),
        );
        editor.tell("initialized", json!({}));
        editor
    }

    fn message(&mut self, message: &Value) {
        let body = message.to_string();
        write!(self.to, "Content-Length: {}\r\n\r\n{body}", body.len()).unwrap();
        self.to.flush().unwrap();
    }

    pub(crate) fn tell(&mut self, method: &str, params: Value) {
        self.message(&json!({"jsonrpc": "2.0", "method": method, "params": params}));
    }

    /// Takes the next message, and answers it if the server waits for that.
    #[track_caller]
    fn receive(&mut self, until: Instant, what: &str) -> Value {
        let left = until.saturating_duration_since(Instant::now());
        let Ok(message) = self.from.recv_timeout(left) else { panic!("waited in vain for {what}") };
        if message.get("method").is_some()
            && let Some(id) = message.get("id")
        {
            self.message(&json!({"jsonrpc": "2.0", "id": id, "result": null}));
            self.is_stale |= message["method"] == "workspace/codeLens/refresh";
        }
        message
    }

    /// The result of a request, which must have one.
    #[track_caller]
    pub(crate) fn ask(&mut self, method: &str, params: Value) -> Value {
        self.asked += 1;
        let id = self.asked;
        self.message(&json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params}));
        let until = Instant::now() + PATIENCE;
        loop {
            let mut message = self.receive(until, method);
            if message.get("method").is_none() && message["id"] == id {
                assert!(message.get("error").is_none(), "{method}: {message}");
                return message["result"].take();
            }
        }
    }

    pub(crate) fn open(&mut self, path: &Path) {
        let text = std::fs::read_to_string(path).unwrap();
        let document =
            json!({"uri": uri(path), "languageId": "aurora", "version": 1, "text": text});
        self.tell("textDocument/didOpen", json!({"textDocument": document}));
    }

    /// Replaces all of the text on the screen.
    pub(crate) fn replace(&mut self, path: &Path, version: i32, text: &str) {
        let document = json!({"uri": uri(path), "version": version});
        self.tell(
            "textDocument/didChange",
            json!({"textDocument": document, "contentChanges": [{"text": text}]}),
        );
    }

    /// The titles of the lenses of a file as they are now.
    pub(crate) fn lenses(&mut self, path: &Path) -> Vec<String> {
        let file = json!({"textDocument": {"uri": uri(path)}});
        let lenses = self.ask("textDocument/codeLens", file);
        let title = |lens: &Value| lens["command"]["title"].as_str().unwrap().to_owned();
        lenses.as_array().unwrap().iter().map(title).collect()
    }

    /// Waits until the titles of the lenses fit, asking for them when the server says so.
    #[track_caller]
    pub(crate) fn wait_lenses(
        &mut self,
        path: &Path,
        what: &str,
        fits: impl Fn(&[String]) -> bool,
    ) {
        let until = Instant::now() + PATIENCE;
        loop {
            self.is_stale = false;
            let titles = self.lenses(path);
            if fits(&titles) {
                return;
            }
            let what = format!("{what} in {titles:?}");
            while !self.is_stale {
                self.receive(until, &what);
            }
        }
    }

    /// Waits until a lens has this title.
    #[track_caller]
    pub(crate) fn wait_lens(&mut self, path: &Path, title: &str) {
        self.wait_lenses(path, title, |titles| titles.iter().any(|it| it == title));
    }

    /// What a command about a job comes to.
    pub(crate) fn command(&mut self, name: &str, path: &Path, job: &str) -> Value {
        let argument = json!({"uri": uri(path), "job": job});
        self.ask("workspace/executeCommand", json!({"command": name, "arguments": [argument]}))
    }
}

impl Drop for Editor {
    fn drop(&mut self) {
        // It may have ended.
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

pub(crate) fn uri(path: &Path) -> String {
    format!("file://{}", path.display())
}

/// The next message; [`None`] at the end.
fn read(from: &mut impl BufRead) -> Option<Value> {
    let mut length = 0;
    loop {
        let mut line = String::new();
        if from.read_line(&mut line).ok()? == 0 {
            return None;
        }
        match line.trim_end().strip_prefix("Content-Length: ") {
            Some(number) => length = number.parse().unwrap(),
            None if line.trim_end().is_empty() => break,
            None => panic!("{line:?} is no header"),
        }
    }
    let mut body = vec![0; length];
    from.read_exact(&mut body).ok()?;
    Some(serde_json::from_slice(&body).unwrap())
}
