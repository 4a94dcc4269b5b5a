//! What comes to a file, as it comes: `/follow/…` and `/followfile/…`, server-sent events.
//!
//! | event | data | |
//! | --- | --- | --- |
//! | `text` | `{"text": …, "offset": …}` | what has come, and the offset behind it |
//! | `restart` | `{"why": "truncated"}` or `"rotated"` | what follows is from the beginning of the file, or of the new one |
//! | `end` | `{}` | the task has ended, and all was sent |
//! | `problem` | `{"error": …}` | the file cannot be read; nothing follows |
//!
//! The id of an event is where the next one begins, so that a client that was cut off goes on there.

use std::convert::Infallible;
use std::fs::File;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::sync::Arc;
use std::time::Duration;

use aurora_daemon::beneath::{self, blocking};
use aurora_thermos::view::Task;
use axum::Router;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use serde::Deserialize;
use serde_json::json;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;

use crate::files;
use crate::place::Place;
use crate::tasks::Observed;

/// How often a file that does not grow is looked at.
const POLL: Duration = Duration::from_millis(300);
/// How often it is asked whether the task still lives, in polls.
const POLLS_PER_LOOK: u32 = 10;
/// How often a client that nothing comes for is told that the observer is there.
const KEEP_ALIVE: Duration = Duration::from_secs(15);
/// The most of a file that one event tells, in bytes.
const CHUNK: u64 = 64 << 10;
/// Events that wait for a slow client; the file is not read on meanwhile.
const WAITING: usize = 4;

type App = State<Arc<Observed>>;

pub(crate) fn router(observed: Arc<Observed>) -> Router {
    Router::new()
        .route("/follow/{id}/{process}/{run}/{stream}", get(log))
        .route("/followfile/{id}/{*path}", get(file))
        .with_state(observed)
}

/// Turns bytes that come in pieces into text: a character that is not whole yet waits for its rest.
#[derive(Debug, Default)]
struct Decoder {
    rest: Vec<u8>,
}

impl Decoder {
    fn decode(&mut self, bytes: &[u8]) -> String {
        self.rest.extend_from_slice(bytes);
        let whole = self.rest.len() - unfinished(&self.rest);
        let rest = self.rest.split_off(whole);
        let text = String::from_utf8_lossy(&self.rest).into_owned();
        self.rest = rest;
        text
    }
}

/// How many bytes at the end may be the beginning of a character.
pub(crate) fn unfinished(bytes: &[u8]) -> usize {
    for (count, byte) in bytes.iter().rev().take(3).enumerate().map(|(i, byte)| (i + 1, byte)) {
        let wanted = match byte {
            0x80..=0xbf => continue,
            0xc2..=0xdf => 2,
            0xe0..=0xef => 3,
            0xf0..=0xf4 => 4,
            _ => return 0,
        };
        return if count < wanted { count } else { 0 };
    }
    0
}

/// Something to tell a client.
#[derive(Debug, PartialEq, Eq)]
enum Said {
    Text(String),
    Restart(&'static str),
}

/// A file that is followed by its name.
#[derive(Debug)]
struct Following {
    place: Place,
    held: Option<(File, u64)>,
    offset: u64,
    decoder: Decoder,
}

impl Following {
    /// Follows a file from an offset on. `inode` is that of the file that the offset is of, if that
    /// is known.
    fn new(place: Place, offset: u64, inode: Option<u64>) -> io::Result<(Self, Option<Said>)> {
        let mut following = Self { place, held: None, offset, decoder: Decoder::default() };
        let mut said = None;
        if let Some(file) = following.look()?
            && inode.is_some_and(|known| known != file.1)
        {
            following.offset = 0;
            said = Some(Said::Restart("rotated"));
        }
        Ok((following, said))
    }

    fn look(&self) -> io::Result<Option<(File, u64)>> {
        match self.place.open() {
            Ok(file) => {
                let inode = file.metadata()?.ino();
                Ok(Some((file, inode)))
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// What has come since the last step; nothing if there is nothing.
    fn step(&mut self) -> io::Result<Vec<Said>> {
        // Looked up before the old file is read: after that nothing comes to the old one.
        let current = self.look()?;
        let mut said = Vec::new();
        if let (Some(held), Some(new)) = (&self.held, &current)
            && held.1 != new.1
        {
            let rest = beneath::read(&held.0, self.offset, CHUNK)?;
            if !rest.is_empty() {
                said.push(self.take(&rest));
                return Ok(said);
            }
            said.push(self.restart("rotated"));
        }
        if let Some(new) = current {
            self.held = Some(new);
        }
        let Some((file, _)) = &self.held else { return Ok(said) };
        if file.metadata()?.len() < self.offset {
            said.push(Said::Restart("truncated"));
            (self.offset, self.decoder) = (0, Decoder::default());
        }
        let bytes = beneath::read(file, self.offset, CHUNK)?;
        if !bytes.is_empty() {
            said.push(self.take(&bytes));
        }
        Ok(said)
    }

    fn take(&mut self, bytes: &[u8]) -> Said {
        self.offset += bytes.len() as u64;
        Said::Text(self.decoder.decode(bytes))
    }

    fn restart(&mut self, why: &'static str) -> Said {
        (self.offset, self.decoder) = (0, Decoder::default());
        Said::Restart(why)
    }

    fn event(&self, said: &Said) -> Event {
        let next = self.offset - self.decoder.rest.len() as u64;
        let inode = self.held.as_ref().map_or(0, |(_, inode)| *inode);
        match said {
            Said::Text(text) => Event::default()
                .event("text")
                .id(format!("{inode}-{next}"))
                .data(json!({ "text": text, "offset": next }).to_string()),
            Said::Restart(why) => Event::default()
                .event("restart")
                .id(format!("{inode}-0"))
                .data(json!({ "why": why }).to_string()),
        }
    }
}

/// Where to begin: the end of the file if nothing is said.
#[derive(Debug, Deserialize)]
struct From {
    offset: Option<u64>,
    inode: Option<u64>,
}

/// Where a client that was cut off goes on: the id of the last event that it got.
fn resumed(headers: &HeaderMap) -> Option<From> {
    let (inode, offset) = headers.get("last-event-id")?.to_str().ok()?.split_once('-')?;
    Some(From { offset: Some(offset.parse().ok()?), inode: Some(inode.parse().ok()?) })
}

async fn log(
    State(observed): App,
    Path((id, process, run, name)): Path<(String, String, String, String)>,
    Query(from): Query<From>,
    headers: HeaderMap,
) -> Response {
    let (Some(stream), Ok(run)) = (files::stream(&name), run.parse::<i64>()) else {
        return StatusCode::NOT_FOUND.into_response();
    };
    follow(observed, id, resumed(&headers).unwrap_or(from), |task| {
        Place::of_log(task, &process, run, stream)
    })
    .await
}

async fn file(
    State(observed): App,
    Path((id, path)): Path<(String, String)>,
    Query(from): Query<From>,
    headers: HeaderMap,
) -> Response {
    follow(observed, id, resumed(&headers).unwrap_or(from), |task| Place::in_sandbox(task, &path))
        .await
}

async fn follow(
    observed: Arc<Observed>,
    id: String,
    from: From,
    place: impl FnOnce(&Task) -> io::Result<Place>,
) -> Response {
    let Ok(Some(task)) = observed.task(&id).await else {
        return (StatusCode::NOT_FOUND, format!("Failed to find task {id}.")).into_response();
    };
    let Ok(permit) = Arc::clone(&observed.limits.followers).try_acquire_owned() else {
        let later = [(header::RETRY_AFTER, "10")];
        let text = "too many files are followed at the moment";
        return (StatusCode::SERVICE_UNAVAILABLE, later, text).into_response();
    };
    let place = place(&task);
    let begun = blocking(move || {
        let place = place?;
        let size = || place.open().and_then(|file| file.metadata()).map_or(0, |found| found.len());
        let offset = from.offset.unwrap_or_else(size);
        Following::new(place, offset, from.inode)
    });
    let (following, said) = match begun.await {
        Ok(begun) => begun,
        Err(error) => return (StatusCode::NOT_FOUND, error.to_string()).into_response(),
    };
    let (send, receive) = mpsc::channel(WAITING);
    tokio::spawn(async move {
        let _permit = permit;
        let first = said.map(|said| following.event(&said));
        if let Some(event) = first
            && send.send(Ok(event)).await.is_err()
        {
            return;
        }
        let stop = observed.stop.clone();
        tokio::select! {
            () = stop.cancelled() => {}
            () = send.closed() => {}
            () = tell(&observed, &id, following, &send) => {}
        }
    });
    let answer = Sse::new(ReceiverStream::new(receive));
    let mut answer = answer.keep_alive(KeepAlive::new().interval(KEEP_ALIVE)).into_response();
    // A proxy that collects answers would keep them all.
    answer.headers_mut().insert("x-accel-buffering", header::HeaderValue::from_static("no"));
    answer
}

/// Sends what comes until the task has ended, the client has gone, or the file cannot be read.
async fn tell(
    observed: &Observed,
    id: &str,
    mut following: Following,
    send: &mpsc::Sender<Result<Event, Infallible>>,
) {
    let (mut polls, mut is_over) = (0, false);
    loop {
        let step = blocking(move || {
            let said = following.step();
            let events =
                said.map(|said| said.iter().map(|said| following.event(said)).collect::<Vec<_>>());
            Ok((following, events))
        });
        let events = match step.await {
            Ok((back, Ok(events))) => {
                following = back;
                events
            }
            Ok((_, Err(error))) | Err(error) => {
                let data = json!({ "error": error.to_string() }).to_string();
                // A client that has gone need not know.
                let _ = send.send(Ok(Event::default().event("problem").data(data))).await;
                return;
            }
        };
        let is_empty = events.is_empty();
        for event in events {
            if send.send(Ok(event)).await.is_err() {
                return;
            }
        }
        if !is_empty {
            continue;
        }
        if is_over {
            let _ = send.send(Ok(Event::default().event("end").data("{}"))).await;
            return;
        }
        if polls % POLLS_PER_LOOK == 0 {
            // What was printed last is looked for once more.
            is_over = !matches!(observed.task(id).await, Ok(Some(task)) if task.is_live());
        }
        polls += 1;
        if !is_over {
            tokio::time::sleep(POLL).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn characters_that_come_in_pieces_are_whole() {
        let bytes = "aé€😀\n".as_bytes();
        for cut in 0..=bytes.len() {
            let (first, second) = bytes.split_at(cut);
            let mut decoder = Decoder::default();
            let text = decoder.decode(first) + &decoder.decode(second);
            assert_eq!(text.as_bytes(), bytes, "{cut}");
            assert!(decoder.rest.is_empty());
        }
        let mut decoder = Decoder::default();
        assert_eq!(decoder.decode(b"\xff\x80a\xc3"), "\u{fffd}\u{fffd}a");
        assert_eq!(decoder.decode(b"x"), "\u{fffd}x");
    }
}
