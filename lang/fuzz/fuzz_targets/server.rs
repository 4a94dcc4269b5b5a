//! Any messages, and any bytes between them: nothing panics, every request is answered, and the
//! server ends.

#![no_main]

use std::io::{Cursor, Write};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use aurora_lsp::{Offline, Options};
use libfuzzer_sys::arbitrary::{self, Arbitrary};
use libfuzzer_sys::fuzz_target;
use serde_json::{Value, json};

const METHODS: [&str; 21] = [
    "textDocument/hover",
    "textDocument/completion",
    "textDocument/signatureHelp",
    "textDocument/definition",
    "textDocument/references",
    "textDocument/documentHighlight",
    "textDocument/documentSymbol",
    "textDocument/codeAction",
    "textDocument/codeLens",
    "textDocument/documentLink",
    "textDocument/formatting",
    "textDocument/rangeFormatting",
    "textDocument/rename",
    "textDocument/prepareRename",
    "textDocument/foldingRange",
    "textDocument/selectionRange",
    "textDocument/semanticTokens/full",
    "textDocument/semanticTokens/full/delta",
    "textDocument/linkedEditingRange",
    "textDocument/inlayHint",
    "textDocument/prepareCallHierarchy",
];

#[derive(Debug, Arbitrary)]
enum Step<'a> {
    Open(bool, &'a str),
    Close(bool),
    Change(bool, Option<[u8; 4]>, &'a str),
    Ask(u8, bool, u8, u8),
    Cancel(u8),
    Bytes(&'a [u8]),
}

/// What the server writes.
#[derive(Clone, Default)]
struct Output(Arc<Mutex<Vec<u8>>>);

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// Adds a message as the protocol has it.
fn frame(to: &mut Vec<u8>, mut message: Value) {
    message["jsonrpc"] = "2.0".into();
    let body = message.to_string();
    to.extend_from_slice(format!("Content-Length: {}\r\n\r\n{body}", body.len()).as_bytes());
}

fn uri(is_first: bool) -> &'static str {
    if is_first { "file:///nowhere/a.aurora" } else { "file:///nowhere/b.aurora" }
}

fn range([line, column, end_line, end_column]: [u8; 4]) -> Value {
    json!({"start": {"line": line, "character": column}, "end": {"line": end_line, "character": end_column}})
}

fuzz_target!(|steps: Vec<Step<'_>>| {
    let mut input = Vec::new();
    frame(&mut input, json!({"id": 0, "method": "initialize", "params": {"capabilities": {}}}));
    frame(&mut input, json!({"method": "initialized", "params": {}}));
    let mut asked = Vec::new();
    let mut is_clean = true;
    for (step, n) in steps.into_iter().take(40).zip(1i64..) {
        let message = match step {
            Step::Open(file, text) => json!({"method": "textDocument/didOpen", "params": {"textDocument":
                {"uri": uri(file), "languageId": "aurora", "version": n, "text": text}}}),
            Step::Close(file) => json!({"method": "textDocument/didClose", "params":
                {"textDocument": {"uri": uri(file)}}}),
            Step::Change(file, place, text) => {
                let change = match place {
                    Some(place) => json!({"range": range(place), "text": text}),
                    None => json!({"text": text}),
                };
                json!({"method": "textDocument/didChange", "params": {"textDocument":
                    {"uri": uri(file), "version": n}, "contentChanges": [change]}})
            }
            Step::Ask(method, file, line, column) => {
                asked.push(n);
                let place = json!({"line": line, "character": column});
                json!({"id": n, "method": METHODS[usize::from(method) % METHODS.len()], "params": {
                    "textDocument": {"uri": uri(file)}, "position": place, "positions": [place],
                    "range": range([0, 0, line, column]), "context": {"includeDeclaration": true, "diagnostics": []},
                    "options": {"tabSize": 2, "insertSpaces": true}, "newName": "another",
                    "previousResultId": "1"}})
            }
            Step::Cancel(id) => json!({"method": "$/cancelRequest", "params": {"id": id}}),
            Step::Bytes(bytes) => {
                is_clean = false;
                input.extend_from_slice(bytes);
                continue;
            }
        };
        frame(&mut input, message);
    }
    // The end of the input is the end: what was asked before is answered, which `exit` would not wait for.
    frame(&mut input, json!({"id": -1, "method": "shutdown"}));
    let output = Output::default();
    let options = Options {
        user: "me".to_owned(),
        cache: None,
        log: None,
        pages: None,
        program: PathBuf::from("false"),
        inspect: |job| job.name.to_string(),
        clusters: |_| Ok(Vec::new()),
        schedulers: Arc::new(Offline),
    };
    let ended = aurora_lsp::run(Cursor::new(input), output.clone(), options).expect("it starts");
    let written = output.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
    let written = String::from_utf8(written).expect("it writes text");
    assert!(!written.contains("\"code\":-32603"), "something has panicked: {written}");
    if is_clean {
        assert!(ended.was_asked, "{written}");
        for id in asked {
            assert!(written.contains(&format!("\"id\":{id}")), "{id} has no answer: {written}");
        }
    }
});
