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
use std::io;
use std::sync::Arc;
use std::time::Duration;

use aurora_daemon::beneath::{self, blocking};
use aurora_thermos::logs::{Came, Follower, Restart};
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
use crate::place::{Named, Place};
use crate::tasks::Observed;

/// How often a file that does not grow is looked at.
const POLL: Duration = Duration::from_millis(300);
/// How often it is asked whether the task still lives, in polls.
const POLLS_PER_LOOK: u32 = 10;
/// How often a client that nothing comes for is told that the observer is there.
const KEEP_ALIVE: Duration = Duration::from_secs(15);
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

/// A file that is followed, as text.
#[derive(Debug)]
struct Following {
    file: Follower,
    decoder: Decoder,
}

impl Following {
    /// Begins where `from` says. Blocks.
    ///
    /// # Errors
    /// The file is there but cannot be opened.
    fn new(place: Place, from: &From) -> io::Result<Self> {
        let size = match place.open().and_then(|file| file.metadata()) {
            Ok(found) => found.len(),
            // It may come yet.
            Err(error) if error.kind() == io::ErrorKind::NotFound => 0,
            Err(error) => return Err(error),
        };
        let offset = from.offset.unwrap_or(size);
        let file = Follower::of(move || place.open(), offset, from.inode);
        Ok(Self { file, decoder: Decoder::default() })
    }

    /// What has come since the last step. Blocks.
    ///
    /// # Errors
    /// The file is there but cannot be read.
    fn step(&mut self) -> io::Result<Option<Event>> {
        let Some(came) = self.file.step()? else { return Ok(None) };
        let (event, data) = match came {
            Came::Bytes(bytes) => {
                let text = self.decoder.decode(&bytes);
                ("text", json!({ "text": text, "offset": self.next() }))
            }
            Came::Restart(why) => {
                self.decoder = Decoder::default();
                let why = match why {
                    Restart::Truncated => "truncated",
                    Restart::Rotated => "rotated",
                };
                ("restart", json!({ "why": why }))
            }
        };
        let inode = self.file.inode().unwrap_or(0);
        let id = format!("{inode}-{}", self.next());
        Ok(Some(Event::default().event(event).id(id).data(data.to_string())))
    }

    /// The offset behind what was told.
    fn next(&self) -> u64 {
        self.file.offset() - self.decoder.rest.len() as u64
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
    .unwrap_or_else(|error| refused(&error))
}

async fn file(
    State(observed): App,
    Named { id, path }: Named,
    Query(from): Query<From>,
    headers: HeaderMap,
) -> Response {
    follow(observed, id, resumed(&headers).unwrap_or(from), |task| Place::in_sandbox(task, path))
        .await
        .unwrap_or_else(|error| refused(&error))
}

fn refused(error: &io::Error) -> Response {
    let status = beneath::logged_status(error, "a file to follow");
    beneath::later((status, error.to_string()).into_response())
}

async fn follow(
    observed: Arc<Observed>,
    id: String,
    from: From,
    place: impl FnOnce(&Task) -> io::Result<Place>,
) -> io::Result<Response> {
    let Some(task) = observed.task(&id).await? else {
        return Err(io::Error::new(io::ErrorKind::NotFound, format!("Failed to find task {id}.")));
    };
    let permit = observed.limits.follower()?;
    let place = place(&task)?;
    let following = blocking(move || Following::new(place, &from)).await?;
    let (send, receive) = mpsc::channel(WAITING);
    tokio::spawn(async move {
        let _permit = permit;
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
    Ok(answer)
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
            let event = following.step();
            Ok((following, event))
        });
        let event = match step.await {
            Ok((back, Ok(event))) => {
                following = back;
                event
            }
            Ok((_, Err(error))) | Err(error) => {
                let data = json!({ "error": error.to_string() }).to_string();
                // A client that has gone need not know.
                let _ = send.send(Ok(Event::default().event("problem").data(data))).await;
                return;
            }
        };
        if let Some(event) = event {
            if send.send(Ok(event)).await.is_err() {
                return;
            }
            continue;
        }
        if is_over {
            let _ = send.send(Ok(Event::default().event("end").data("{}"))).await;
            return;
        }
        if polls % POLLS_PER_LOOK == 0 {
            // What was printed last is looked for once more.
            is_over = match observed.task(id).await {
                Ok(task) => !task.is_some_and(|task| task.is_live()),
                Err(error) => {
                    // It is looked at again.
                    tracing::warn!(%error, task = id, "failed to look at a task that is followed");
                    false
                }
            };
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
