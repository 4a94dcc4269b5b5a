//! Logs and sandboxes as data: `/logdata`, `/filedata`, `/download` (`observer.md` 7).

use std::fs::File;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use aurora_daemon::beneath::{self, MAX_READ, blocking};
use aurora_thermos::view::Stream;
use axum::Router;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Json, Response};
use axum::routing::get;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::place::Place;
use crate::tasks::Observed;
use crate::{download, pages};

type App = State<Arc<Observed>>;

pub(crate) fn router(observed: Arc<Observed>) -> Router {
    Router::new()
        .route("/logdata/{id}/{process}/{run}/{stream}", get(log_data))
        .route("/filedata/{id}/{*path}", get(file_data))
        .route("/download/{id}/{*path}", get(download))
        .with_state(observed)
}

/// The stream of this name.
pub(crate) fn stream(name: &str) -> Option<Stream> {
    Stream::ALL.into_iter().find(|stream| stream.name() == name)
}

/// How long who wants a large part may wait for others to get theirs.
const WAIT: Duration = Duration::from_secs(10);
/// The most that one answer gives of a file, in bytes.
const MAX_PART: u64 = 16 << 20;

/// Which part of a file is wanted. As text, because what is no number is answered with `{}`.
#[derive(Debug, Deserialize)]
struct Part {
    offset: Option<String>,
    length: Option<String>,
}

/// Reads a part of a file as the viewers of the original want it: `None` is an answer of `{}`.
fn part(file: &File, part: &Part) -> io::Result<Option<Value>> {
    let number = |text: &Option<String>| match text.as_deref() {
        None | Some("") => Ok(-1),
        Some(text) => text.parse::<i64>(),
    };
    let (Ok(offset), Ok(length)) = (number(&part.offset), number(&part.length)) else {
        return Ok(None);
    };
    let size = file.metadata()?.len();
    let offset = match u64::try_from(offset) {
        Ok(offset) => offset,
        Err(_) if offset == -1 => size,
        Err(_) => return Ok(None),
    };
    // Behind the end, after the file was cut: the viewer starts again from there.
    if offset >= size {
        return Ok(Some(json!({ "offset": size, "length": 0 })));
    }
    let bytes = read(file, offset, u64::try_from(length).unwrap_or(MAX_PART).min(MAX_PART))?;
    if bytes.is_empty() {
        return Ok(Some(json!({ "offset": offset, "length": 0 })));
    }
    let data = escape(&String::from_utf8_lossy(&bytes));
    Ok(Some(json!({ "offset": offset, "length": bytes.len(), "data": data })))
}

fn read(file: &File, offset: u64, length: u64) -> io::Result<Vec<u8>> {
    let mut bytes = beneath::read(file, offset, length)?;
    loop {
        let count = bytes.len() as u64;
        let more = match length - count {
            0 => return Ok(bytes),
            left => beneath::read(file, offset + count, left)?,
        };
        if more.is_empty() {
            return Ok(bytes);
        }
        bytes.extend_from_slice(&more);
    }
}

/// The original's viewers put the text into a page as it comes.
fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

/// `{}` is what the original answers for whatever cannot be read.
fn answer(found: &io::Result<Option<Value>>) -> Response {
    match found {
        Ok(Some(found)) => Json(found).into_response(),
        Ok(None) | Err(_) => Json(json!({})).into_response(),
    }
}

/// Answers with a part of the file at a place. Large parts are given to a few at a time.
async fn answer_part(observed: Arc<Observed>, wanted: Part, place: io::Result<Place>) -> Response {
    let is_small = |length: &String| length.parse().is_ok_and(|length: u64| length <= MAX_READ);
    let _permit = match wanted.length.as_ref() {
        Some(length) if is_small(length) => None,
        _ => {
            let permit = Arc::clone(&observed.limits.reads).acquire_owned();
            let Ok(Ok(permit)) = tokio::time::timeout(WAIT, permit).await else {
                return (StatusCode::SERVICE_UNAVAILABLE, Json(json!({}))).into_response();
            };
            Some(permit)
        }
    };
    answer(&blocking(move || part(&place?.open()?, &wanted)).await)
}

async fn log_data(
    State(observed): App,
    Path((id, process, run, name)): Path<(String, String, String, String)>,
    Query(wanted): Query<Part>,
) -> Response {
    let (Some(stream), Ok(run)) = (stream(&name), run.parse::<i64>()) else {
        return answer(&Ok(None));
    };
    let Ok(Some(task)) = observed.task(&id).await else { return answer(&Ok(None)) };
    answer_part(observed, wanted, Place::of_log(&task, &process, run, stream)).await
}

async fn file_data(
    State(observed): App,
    Path((id, path)): Path<(String, String)>,
    Query(wanted): Query<Part>,
) -> Response {
    let Ok(Some(task)) = observed.task(&id).await else { return answer(&Ok(None)) };
    answer_part(observed, wanted, Place::in_sandbox(&task, &path)).await
}

async fn download(
    State(observed): App,
    Path((id, path)): Path<(String, String)>,
    headers: HeaderMap,
) -> Response {
    let missing = |text| pages::missing(text);
    let Ok(Some(task)) = observed.task(&id).await else { return missing("No such file") };
    let answered = blocking(move || {
        let place = Place::in_sandbox(&task, &path)?;
        match place.open() {
            Ok(file) => download::answer(file, &path, &headers),
            Err(error) if place.list().is_ok() => {
                Err(io::Error::new(io::ErrorKind::IsADirectory, error))
            }
            Err(error) => Err(error),
        }
    });
    match answered.await.map_err(|error| error.kind()) {
        Ok(answer) => answer,
        Err(io::ErrorKind::IsADirectory) => missing("File does not exist."),
        Err(io::ErrorKind::PermissionDenied) => {
            pages::refused("The observer may not read this file.")
        }
        Err(_) => missing("No such file"),
    }
}
