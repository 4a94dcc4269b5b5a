//! Logs and sandboxes as data: `/logdata`, `/filedata`, `/download` (`observer.md` 7).

use std::fs::File;
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::sync::Arc;
use std::time::Duration;

use aurora_daemon::beneath::{self, MAX_READ, blocking};
use aurora_thermos::view::{Stream, Task};
use axum::Router;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Json, Response};
use axum::routing::get;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::pages;
use crate::place::{Named, Place};
use crate::tasks::Observed;

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

/// `{}` is what the original answers for whatever is not there; only that is.
fn answer(found: io::Result<Option<Value>>) -> Response {
    match found {
        Ok(found) => Json(found.unwrap_or_else(|| json!({}))).into_response(),
        Err(error) => match beneath::logged_status(&error, "a part of a file") {
            StatusCode::NOT_FOUND => Json(json!({})).into_response(),
            status => {
                let error = json!({ "error": error.to_string() });
                beneath::later((status, Json(error)).into_response())
            }
        },
    }
}

/// A part of the file at a place in a task. Large parts are given to a few at a time.
async fn part_of(
    observed: &Observed,
    id: &str,
    wanted: Part,
    place: impl FnOnce(&Task) -> io::Result<Place>,
) -> io::Result<Option<Value>> {
    let Some(task) = observed.task(id).await? else { return Ok(None) };
    let place = place(&task)?;
    let is_small = |length: &String| length.parse().is_ok_and(|length: u64| length <= MAX_READ);
    let _permit = match wanted.length.as_ref() {
        Some(length) if is_small(length) => None,
        _ => Some(observed.limits.read(WAIT).await?),
    };
    blocking(move || part(&place.open()?, &wanted)).await
}

async fn log_data(
    State(observed): App,
    Path((id, process, run, name)): Path<(String, String, String, String)>,
    Query(wanted): Query<Part>,
) -> Response {
    let (Some(stream), Ok(run)) = (stream(&name), run.parse::<i64>()) else {
        return answer(Ok(None));
    };
    answer(part_of(&observed, &id, wanted, |task| Place::of_log(task, &process, run, stream)).await)
}

async fn file_data(
    State(observed): App,
    Named { id, path }: Named,
    Query(wanted): Query<Part>,
) -> Response {
    answer(part_of(&observed, &id, wanted, |task| Place::in_sandbox(task, path)).await)
}

async fn download(State(observed): App, Named { id, path }: Named, headers: HeaderMap) -> Response {
    let name = path.file_name().map_or_else(Vec::new, |name| name.as_bytes().to_owned());
    let sent = async {
        let task = observed.task(&id).await?.ok_or(io::ErrorKind::NotFound)?;
        let place = Place::in_sandbox(&task, path)?;
        observed.limits.downloads.send(move || place.open(), name, headers).await
    };
    sent.await.unwrap_or_else(|error| {
        let is_folder = error.kind() == io::ErrorKind::IsADirectory;
        pages::failed(&error, if is_folder { "File does not exist." } else { "No such file" })
    })
}
