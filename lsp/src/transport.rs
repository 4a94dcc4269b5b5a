//! Messages in and out (LSP 3.17, base protocol): frames, order, panics, the end.
//!
//! `tower-lsp` brings a loop of its own, which this one replaces: that one ends at the first message
//! that is no JSON, stays after `exit` until its input ends, and takes no cancellation while four
//! requests run.

use std::io::{BufRead, BufReader, Read, Write};
use std::panic::AssertUnwindSafe;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::{Duration, Instant};

use futures::{FutureExt, SinkExt, StreamExt};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::sync::{Semaphore, mpsc};
use tokio::task::JoinSet;
use tower::Service;
use tower_lsp::jsonrpc::{Error, ErrorCode, Id, Request, Response};
use tower_lsp::{ClientSocket, LanguageServer, LspService};

use crate::log::Log;

/// The longest message, in bytes: a text of the largest size has this room in JSON.
const MAX_MESSAGE: usize = 128 << 20;
/// The longest line of a header.
const MAX_HEADER: u64 = 8 << 10;
/// How many requests may be under way; nothing more is read until one is done.
const MAX_RUNNING: usize = 512;
/// How many of these may be commands, which take as long as what they run.
pub(crate) const MAX_COMMANDS: usize = 8;
/// How many messages may wait for the other side to take them.
const MAX_WAITING: usize = 256;
/// For how long answers are worked out and written after the input has ended.
const LAST_ANSWERS: Duration = Duration::from_secs(2);
const LAST_WRITES: Duration = Duration::from_millis(500);

/// What came in.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Incoming {
    /// A message.
    Message(Vec<u8>),
    /// Something that is none, with the reason.
    Malformed(String),
}

/// How it ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ended {
    /// Whether the client had asked for it: with `shutdown`.
    pub was_asked: bool,
}

/// Reads messages until the input ends, on a thread of its own.
pub(crate) fn read_from(input: impl Read + Send + 'static) -> mpsc::Receiver<Incoming> {
    let (to, from) = mpsc::channel(MAX_WAITING);
    std::thread::spawn(move || {
        let mut input = BufReader::with_capacity(64 << 10, input);
        while let Ok(Some(incoming)) = frame(&mut input) {
            if to.blocking_send(incoming).is_err() {
                break;
            }
        }
    });
    from
}

/// The next message; [`None`] at the end of the input.
fn frame(input: &mut impl BufRead) -> std::io::Result<Option<Incoming>> {
    let mut length = None;
    let mut has_header = false;
    loop {
        let mut line = Vec::new();
        input.by_ref().take(MAX_HEADER).read_until(b'\n', &mut line)?;
        if line.is_empty() {
            return Ok(None);
        }
        let line = line.trim_ascii();
        if line.is_empty() {
            // Blank lines between messages are no harm.
            if has_header {
                break;
            }
            continue;
        }
        has_header = true;
        let line = String::from_utf8_lossy(line);
        if let Some((name, value)) = line.split_once(':')
            && name.trim().eq_ignore_ascii_case("content-length")
        {
            length = value.trim().parse::<usize>().ok();
        }
    }
    let Some(length) = length else {
        return Ok(Some(Incoming::Malformed("a message without Content-Length".to_owned())));
    };
    if length > MAX_MESSAGE {
        std::io::copy(&mut input.take(length as u64), &mut std::io::sink())?;
        let reason = format!("a message of {length} bytes; at most {MAX_MESSAGE} are read");
        return Ok(Some(Incoming::Malformed(reason)));
    }
    let mut body = Vec::new();
    input.take(length as u64).read_to_end(&mut body)?;
    Ok((body.len() == length).then_some(Incoming::Message(body)))
}

/// Writes messages on a thread of its own until all who send them are gone, or nobody takes them.
/// The receiver learns when that is.
pub(crate) fn write_to(
    output: impl Write + Send + 'static,
) -> (mpsc::Sender<String>, std::sync::mpsc::Receiver<()>) {
    let (to, mut from) = mpsc::channel::<String>(MAX_WAITING);
    let (done, is_done) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let mut output = std::io::BufWriter::with_capacity(64 << 10, output);
        while let Some(body) = from.blocking_recv() {
            let mut next = Some(body);
            while let Some(body) = next {
                if write!(output, "Content-Length: {}\r\n\r\n{body}", body.len()).is_err() {
                    return;
                }
                next = from.try_recv().ok();
            }
            if output.flush().is_err() {
                return;
            }
        }
        // Whoever waits for the end may have given up.
        let _ = done.send(());
    });
    (to, is_done)
}

/// Waits until all messages are written, or it takes too long.
pub(crate) fn written(is_done: &std::sync::mpsc::Receiver<()>) {
    let _ = is_done.recv_timeout(LAST_WRITES);
}

/// Serves until `exit`, or until the input or the output ends.
///
/// Notifications are carried out one after the other, in order; a request begins in order, too, and
/// what it works with is taken then. So it sees all changes before it, and none after it.
pub(crate) async fn serve<S: LanguageServer>(
    mut service: LspService<S>,
    socket: ClientSocket,
    mut incoming: mpsc::Receiver<Incoming>,
    out: mpsc::Sender<String>,
    log: Arc<Log>,
) -> Ended {
    let (requests, mut responses) = socket.split();
    let to_client = tokio::spawn(forward(requests, out.clone(), log.clone()));
    let running = Arc::new(Semaphore::new(MAX_RUNNING));
    let commands = Arc::new(Semaphore::new(MAX_COMMANDS));
    let mut tasks = JoinSet::new();
    let mut was_asked = false;
    let mut has_exited = false;
    loop {
        while tasks.try_join_next().is_some() {}
        let next = tokio::select! {
            next = incoming.recv() => next,
            // Nobody is there any more who would read an answer.
            () = out.closed() => None,
        };
        let body = match next {
            None => break,
            Some(Incoming::Message(body)) => body,
            Some(Incoming::Malformed(reason)) => {
                log.line(&format!("malformed: {reason}"));
                let error = Error { message: reason.into(), ..Error::parse_error() };
                answer(&out, &log, &Response::from_error(Id::Null, error)).await;
                continue;
            }
        };
        log.body("<-", &body);
        let request = match message(&body) {
            Ok(Message::Request(request)) => request,
            Ok(Message::Response(response)) => {
                // One that nobody waits for is dropped.
                let _ = responses.send(response).await;
                continue;
            }
            Err(Malformed { reason, answer: refusal }) => {
                log.line(&format!("malformed: {reason}"));
                if let Some(refusal) = refusal {
                    answer(&out, &log, &refusal).await;
                }
                continue;
            }
        };
        let begun = Instant::now();
        let method = request.method().to_owned();
        let id = request.id().cloned();
        if method == "exit" {
            has_exited = true;
            break;
        }
        let permit = match (&id, method.as_str()) {
            (None, _) => None,
            (Some(id), "workspace/executeCommand") => match commands.clone().try_acquire_owned() {
                Ok(permit) => Some(permit),
                Err(_) => {
                    let error = Error {
                        message: "several commands are running: wait for one to end".into(),
                        ..Error::new(ErrorCode::ServerError(-32803))
                    };
                    answer(&out, &log, &Response::from_error(id.clone(), error)).await;
                    continue;
                }
            },
            (Some(_), _) => running.clone().acquire_owned().await.ok(),
        };
        let call = AssertUnwindSafe(service.call(request)).catch_unwind();
        let mut call = Box::pin(async move {
            match call.await {
                Ok(Ok(response)) => (response, None),
                // The service has ended: nobody is answered.
                Ok(Err(_)) => (None, None),
                Err(panic) => (None, Some(words_of(&*panic))),
            }
        });
        let finish = {
            let (out, log, method) = (out.clone(), log.clone(), method.clone());
            move |(response, panic): (Option<Response>, Option<String>)| async move {
                let response = match (response, id.clone(), &panic) {
                    (None, Some(id), Some(words)) => {
                        let error =
                            Error { message: words.clone().into(), ..Error::internal_error() };
                        Some(Response::from_error(id, error))
                    }
                    (response, ..) => response,
                };
                let error = response.as_ref().and_then(|response| response.error().cloned());
                log.call(&method, id.as_ref(), begun.elapsed(), panic.as_deref(), error.as_ref());
                if let Some(response) = &response {
                    answer(&out, &log, response).await;
                }
                error.is_none()
            }
        };
        // Life-cycle requests and notifications are done before anything else is looked at.
        let in_order = finish_now(&method) || permit.is_none();
        let first = match in_order {
            true => Some(call.as_mut().await),
            false => match futures::poll!(&mut call) {
                Poll::Ready(result) => Some(result),
                Poll::Pending => None,
            },
        };
        match first {
            Some(result) => {
                let is_ok = finish(result).await;
                was_asked |= method == "shutdown" && is_ok;
            }
            None => {
                tasks.spawn(async move {
                    let _permit = permit;
                    let result = call.await;
                    finish(result).await;
                });
            }
        }
    }
    if has_exited {
        tasks.abort_all();
    }
    let rest = pin!(async { while tasks.join_next().await.is_some() {} });
    // What does not come to an end in this time is given up with the process.
    let _ = tokio::time::timeout(LAST_ANSWERS, rest).await;
    to_client.abort();
    Ended { was_asked }
}

fn finish_now(method: &str) -> bool {
    matches!(method, "initialize" | "shutdown")
}

/// Sends the client what it is asked and told.
async fn forward(
    mut requests: impl futures::Stream<Item = Request> + Unpin,
    out: mpsc::Sender<String>,
    log: Arc<Log>,
) {
    while let Some(request) = requests.next().await {
        send(&out, &log, &request).await;
    }
}

async fn answer(out: &mpsc::Sender<String>, log: &Log, response: &Response) {
    send(out, log, response).await;
}

async fn send(out: &mpsc::Sender<String>, log: &Log, message: &impl serde::Serialize) {
    match serde_json::to_string(message) {
        Ok(body) => {
            log.body("->", body.as_bytes());
            // Once the output is closed, the loop ends.
            let _ = out.send(body).await;
        }
        Err(error) => log.line(&format!("cannot write a message: {error}")),
    }
}

enum Message {
    Request(Request),
    Response(Response),
}

/// A message that cannot be read.
struct Malformed {
    reason: String,
    /// [`None`] for what answers a request of ours: an answer to it would be taken for that of a
    /// request with the same id.
    answer: Option<Response>,
}

/// Reads a message.
fn message(body: &[u8]) -> Result<Message, Malformed> {
    let mut value: Value = serde_json::from_slice(body).map_err(|error| Malformed {
        reason: error.to_string(),
        answer: Some(Response::from_error(Id::Null, Error::parse_error())),
    })?;
    tidy(&mut value);
    let id = value.get("id").and_then(|id| Id::deserialize(id).ok()).unwrap_or_default();
    if value.get("id").is_some() && value.get("method").is_none() {
        return serde_json::from_value(value)
            .map(Message::Response)
            .map_err(|error| Malformed { reason: error.to_string(), answer: None });
    }
    serde_json::from_value(value).map(Message::Request).map_err(|error| Malformed {
        reason: error.to_string(),
        answer: Some(Response::from_error(id, Error::invalid_request())),
    })
}

/// Takes away what clients say and the protocol has no meaning for, or what cannot be read here.
fn tidy(message: &mut Value) {
    let Some(message) = message.as_object_mut() else { return };
    let method = message.get("method").and_then(Value::as_str).unwrap_or_default();
    // Some say by an empty object or by null that there are none.
    if matches!(method, "shutdown" | "exit") || message.get("params").is_some_and(Value::is_null) {
        message.remove("params");
        return;
    }
    // A file is laid out as the language is: options have no effect, and those with fractions cannot
    // be read, since numbers keep all their digits in this build.
    if matches!(method, "textDocument/formatting" | "textDocument/rangeFormatting")
        && let Some(params) = message.get_mut("params").and_then(Value::as_object_mut)
    {
        params.insert("options".to_owned(), json!({"tabSize": 2, "insertSpaces": true}));
    }
}

/// What a panic says.
pub(crate) fn words_of(panic: &(dyn std::any::Any + Send)) -> String {
    let words = panic.downcast_ref::<&str>().map(|words| (*words).to_owned());
    words
        .or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "it panicked".to_owned())
}
