//! An editor, as far as the server can tell.

use std::collections::{BTreeMap, VecDeque};
use std::io::{BufRead, BufReader, PipeReader, PipeWriter, Read, Write, pipe};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use aurora_lsp::{Ended, Offline, Options};
use serde_json::{Value, json};

/// How long anything may take on a machine that is busy.
const DEADLINE: Duration = Duration::from_secs(60);

/// A client with a server of its own.
pub(crate) struct Client {
    to: Option<PipeWriter>,
    from: Receiver<Value>,
    server: Option<JoinHandle<std::io::Result<Ended>>>,
    next_id: i64,
    answers: BTreeMap<i64, Value>,
    /// What the server has told and nobody has looked at.
    pub(crate) told: VecDeque<Value>,
    /// What the server was answered when it asked for settings.
    pub(crate) settings: Value,
    pub(crate) folder: tempfile::TempDir,
}

fn read(from: PipeReader) -> Receiver<Value> {
    let (to, messages) = channel();
    std::thread::spawn(move || {
        let mut from = BufReader::new(from);
        loop {
            let mut length = 0;
            loop {
                let mut line = String::new();
                if from.read_line(&mut line).unwrap() == 0 {
                    return;
                }
                match line.trim_end().strip_prefix("Content-Length: ") {
                    Some(number) => length = number.parse().unwrap(),
                    None if line.trim_end().is_empty() => break,
                    None => panic!("{line:?} is no header"),
                }
            }
            let mut body = vec![0; length];
            from.read_exact(&mut body).unwrap();
            if to.send(serde_json::from_slice(&body).unwrap()).is_err() {
                return;
            }
        }
    });
    messages
}

impl Client {
    /// Starts a server and does not say anything.
    pub(crate) fn silent() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (server_input, to) = pipe().unwrap();
        let (from, server_output) = pipe().unwrap();
        let options = Options {
            user: "me".to_owned(),
            cache: Some(folder.path().join("cache")),
            log: None,
            pages: None,
            program: PathBuf::from("false"),
            inspect: |job| format!("the job {}\n", job.name),
            clusters: |_| Ok(vec!["devcluster".to_owned()]),
            schedulers: Arc::new(Offline),
        };
        let server =
            std::thread::spawn(move || aurora_lsp::run(server_input, server_output, options));
        Self {
            to: Some(to),
            from: read(from),
            server: Some(server),
            next_id: 0,
            answers: BTreeMap::new(),
            told: VecDeque::new(),
            settings: Value::Null,
            folder,
        }
    }

    /// Starts a server and tells it what the client can; files are written first.
    pub(crate) fn new(files: &[(&str, &str)]) -> Self {
        Self::with(files, json!({}))
    }

    /// The same with capabilities.
    pub(crate) fn with(files: &[(&str, &str)], capabilities: Value) -> Self {
        let mut client = Self::silent();
        for (name, text) in files {
            client.write(name, text);
        }
        client.initialize(capabilities);
        client
    }

    pub(crate) fn initialize(&mut self, capabilities: Value) -> Value {
        let folder = self.uri("");
        let answer = self.ask(
            "initialize",
            json!({
                "processId": null, "rootUri": null, "capabilities": capabilities,
                "workspaceFolders": [{"uri": folder.trim_end_matches('/'), "name": "project"}],
            }),
        );
        self.tell("initialized", json!({}));
        answer
    }

    /// The path of a file of the project.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join("project").join(name)
    }

    pub(crate) fn uri(&self, name: &str) -> String {
        format!("file://{}", self.path(name).display())
    }

    pub(crate) fn write(&self, name: &str, text: &str) {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    pub(crate) fn raw(&mut self, bytes: &[u8]) {
        let to = self.to.as_mut().unwrap();
        to.write_all(bytes).unwrap();
        to.flush().unwrap();
    }

    pub(crate) fn message(&mut self, message: &Value) {
        let body = message.to_string();
        self.raw(format!("Content-Length: {}\r\n\r\n{body}", body.len()).as_bytes());
    }

    pub(crate) fn tell(&mut self, method: &str, params: Value) {
        self.message(&json!({"jsonrpc": "2.0", "method": method, "params": params}));
    }

    /// Asks something and does not wait for the answer.
    pub(crate) fn begin(&mut self, method: &str, params: Value) -> i64 {
        self.next_id += 1;
        let id = self.next_id;
        self.message(&json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params}));
        id
    }

    pub(crate) fn cancel(&mut self, id: i64) {
        self.tell("$/cancelRequest", json!({"id": id}));
    }

    /// The whole answer to what was asked.
    pub(crate) fn answer(&mut self, id: i64) -> Value {
        let until = Instant::now() + DEADLINE;
        loop {
            if let Some(answer) = self.answers.remove(&id) {
                return answer;
            }
            assert!(self.receive(until), "no answer to {id}; told {:?}", self.told);
        }
    }

    /// Whether an answer to this has come.
    pub(crate) fn is_answered(&self, id: i64) -> bool {
        self.answers.contains_key(&id)
    }

    /// The result of a request, which must have one.
    pub(crate) fn ask(&mut self, method: &str, params: Value) -> Value {
        let id = self.begin(method, params);
        let mut answer = self.answer(id);
        assert!(answer.get("error").is_none(), "{method}: {answer}");
        answer["result"].take()
    }

    /// Takes one message; whether there was one before the time was over.
    pub(crate) fn receive(&mut self, until: Instant) -> bool {
        let left = until.saturating_duration_since(Instant::now());
        let message = match self.from.recv_timeout(left) {
            Ok(message) => message,
            Err(RecvTimeoutError::Timeout) => return false,
            Err(RecvTimeoutError::Disconnected) => panic!("the server has hung up"),
        };
        match (message.get("method").and_then(Value::as_str), message.get("id")) {
            (Some(method), Some(id)) => {
                let result = match method {
                    "workspace/configuration" => json!([self.settings]),
                    _ => Value::Null,
                };
                let answer = json!({"jsonrpc": "2.0", "id": id, "result": result});
                self.told.push_back(message);
                self.message(&answer);
            }
            (Some(_), None) => self.told.push_back(message),
            (None, id) => {
                let id = id.and_then(Value::as_i64).unwrap_or(-1);
                let twice = self.answers.insert(id, message);
                assert!(id == -1 || twice.is_none(), "{id} was answered twice");
            }
        }
        true
    }

    /// What the server tells next that fits.
    pub(crate) fn wait<T>(&mut self, mut fits: impl FnMut(&Value) -> Option<T>) -> T {
        let until = Instant::now() + DEADLINE;
        let mut seen = VecDeque::new();
        loop {
            while let Some(told) = self.told.pop_front() {
                if let Some(found) = fits(&told) {
                    return found;
                }
                seen.push_back(told);
            }
            assert!(self.receive(until), "the server told {seen:#?} only");
        }
    }

    /// Opens a file, which is written to disk if it is not there.
    pub(crate) fn open(&mut self, name: &str, text: &str) {
        if !self.path(name).exists() {
            self.write(name, text);
        }
        let uri = self.uri(name);
        self.tell(
            "textDocument/didOpen",
            json!({"textDocument":
                {"uri": uri, "languageId": "aurora", "version": 1, "text": text}}),
        );
    }

    /// Replaces all of the text.
    pub(crate) fn replace(&mut self, name: &str, version: i32, text: &str) {
        self.edit(name, version, json!([{"text": text}]));
    }

    pub(crate) fn edit(&mut self, name: &str, version: i32, changes: Value) {
        let uri = self.uri(name);
        self.tell(
            "textDocument/didChange",
            json!({"textDocument": {"uri": uri, "version": version}, "contentChanges": changes}),
        );
    }

    pub(crate) fn close(&mut self, name: &str) {
        let uri = self.uri(name);
        self.tell("textDocument/didClose", json!({"textDocument": {"uri": uri}}));
    }

    /// Waits until the codes of what is told of a file are these.
    pub(crate) fn wait_codes(&mut self, name: &str, wanted: &[&str]) -> Value {
        let uri = self.uri(name);
        self.wait(|told| {
            let params = published(told, &uri)?;
            (codes(params) == wanted).then(|| params.clone())
        })
    }

    /// `shutdown` and `exit`, with what became of it.
    pub(crate) fn end(&mut self) -> Ended {
        self.ask("shutdown", Value::Null);
        self.tell("exit", Value::Null);
        self.ended()
    }

    /// Closes the server's input.
    pub(crate) fn hang_up(&mut self) {
        self.to = None;
    }

    /// How the server has ended, which it must by itself.
    pub(crate) fn ended(&mut self) -> Ended {
        self.server.take().unwrap().join().unwrap().unwrap()
    }
}

/// What is published of a file, if this is about it.
pub(crate) fn published<'a>(told: &'a Value, uri: &str) -> Option<&'a Value> {
    let params = &told["params"];
    let is_it = told["method"] == "textDocument/publishDiagnostics" && params["uri"] == uri;
    is_it.then_some(params)
}

/// The codes of published diagnostics.
pub(crate) fn codes(params: &Value) -> Vec<String> {
    let all = params["diagnostics"].as_array().unwrap();
    all.iter().map(|it| it["code"].as_str().unwrap_or("hint").to_owned()).collect()
}

/// A place in parameters, with what layout is asked for with.
pub(crate) fn place(uri: &str, line: u32, character: u32) -> Value {
    json!({"textDocument": {"uri": uri}, "position": {"line": line, "character": character},
        "options": {"tabSize": 2, "insertSpaces": true}})
}

/// The path behind a URI.
pub(crate) fn path_of(uri: &str) -> &Path {
    Path::new(uri.strip_prefix("file://").unwrap())
}
