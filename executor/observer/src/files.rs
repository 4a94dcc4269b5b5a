//! Logs and sandboxes as data: `/logdata`, `/filedata`, `/download` (`observer.md` 7).

use std::fs::File;
use std::io;
use std::path::{Path as FilePath, PathBuf};
use std::sync::Arc;

use aurora_daemon::beneath::{self, MAX_READ, blocking};
use aurora_thermos::view::{Stream, Task};
use axum::Router;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Json, Response};
use axum::routing::get;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::tasks::{Observed, run_numbered};

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

/// Opens what a run printed. The job owns the folder it lies in, so it is opened like any file of
/// a sandbox, from the sandbox on.
pub(crate) fn open_log(
    task: &Task,
    process: &str,
    run: i64,
    stream: Stream,
) -> io::Result<(File, PathBuf)> {
    let run = run_numbered(task.runs(process), run).ok_or(io::ErrorKind::NotFound)?;
    let place = task.log_place(process, run.number, stream);
    let (root, below) = place.ok_or(io::ErrorKind::NotFound)?;
    Ok((beneath::open_file(&root, &below)?, below))
}

/// Opens a file of a task's sandbox.
fn open_file(task: &Task, path: &str) -> io::Result<File> {
    let header = task.header().ok_or(io::ErrorKind::NotFound)?;
    beneath::open_file(&header.sandbox, FilePath::new(path))
}

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
    let bytes = beneath::read(file, offset, u64::try_from(length).unwrap_or(MAX_READ))?;
    if bytes.is_empty() {
        return Ok(Some(json!({ "offset": offset, "length": 0 })));
    }
    let data = escape(&String::from_utf8_lossy(&bytes));
    Ok(Some(json!({ "offset": offset, "length": bytes.len(), "data": data })))
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

async fn log_data(
    State(observed): App,
    Path((id, process, run, name)): Path<(String, String, String, String)>,
    Query(wanted): Query<Part>,
) -> Response {
    let (Some(stream), Ok(run)) = (stream(&name), run.parse::<i64>()) else {
        return answer(&Ok(None));
    };
    let Ok(Some(task)) = observed.task(&id).await else { return answer(&Ok(None)) };
    answer(&blocking(move || part(&open_log(&task, &process, run, stream)?.0, &wanted)).await)
}

async fn file_data(
    State(observed): App,
    Path((id, path)): Path<(String, String)>,
    Query(wanted): Query<Part>,
) -> Response {
    let Ok(Some(task)) = observed.task(&id).await else { return answer(&Ok(None)) };
    answer(&blocking(move || part(&open_file(&task, &path)?, &wanted)).await)
}

async fn download(State(observed): App, Path((id, path)): Path<(String, String)>) -> Response {
    let missing = || (StatusCode::NOT_FOUND, "No such file").into_response();
    let Ok(Some(task)) = observed.task(&id).await else { return missing() };
    let name = path.clone();
    match blocking(move || open_file(&task, &path)).await {
        Ok(file) => beneath::download(file, &name),
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
            (StatusCode::FORBIDDEN, "the observer may not read this file").into_response()
        }
        Err(_) => missing(),
    }
}
