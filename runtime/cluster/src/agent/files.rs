//! Sandboxes over HTTP: `/files/browse`, `/files/read`, `/files/download`. Paths are those of the
//! machine, below the agent's sandboxes; nothing outside of them can be reached, by no link either.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use aurora_daemon::beneath::{self, MAX_READ, blocking};
use axum::Router;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Json, Response};
use axum::routing::get;
use serde::Deserialize;

#[derive(Clone)]
struct Root(Arc<Path>);

impl Root {
    fn below<'a>(&self, path: &'a str) -> io::Result<&'a Path> {
        Path::new(path).strip_prefix(&self.0).map_err(|_| io::ErrorKind::NotFound.into())
    }

    fn open_file(&self, path: &str) -> io::Result<File> {
        beneath::open_file(&self.0, self.below(path)?)
    }
}

#[derive(Debug, Deserialize)]
struct Place {
    path: Option<String>,
    offset: Option<i64>,
    length: Option<i64>,
}

pub(crate) fn router(slaves: PathBuf) -> Router {
    Router::new()
        .route("/files/browse", get(browse))
        .route("/files/read", get(read))
        .route("/files/download", get(download))
        .with_state(Root(slaves.into()))
}

fn failed(error: &io::Error) -> Response {
    match error.kind() {
        io::ErrorKind::PermissionDenied => StatusCode::FORBIDDEN.into_response(),
        _ => StatusCode::NOT_FOUND.into_response(),
    }
}

fn no_path() -> Response {
    (StatusCode::BAD_REQUEST, "Expecting 'path=value' in query.\n").into_response()
}

async fn browse(State(root): State<Root>, Query(place): Query<Place>) -> Response {
    let Some(path) = place.path else { return no_path() };
    let listed = blocking(move || {
        let entries = beneath::list(&root.0, root.below(&path)?)?;
        Ok(entries
            .into_iter()
            .map(|entry| {
                serde_json::json!({
                    "path": format!("{}/{}", path.trim_end_matches('/'), entry.name),
                    "mode": entry.mode,
                    "nlink": entry.links,
                    "uid": entry.user,
                    "gid": entry.group,
                    "size": entry.size,
                    "mtime": entry.modified,
                })
            })
            .collect::<Vec<_>>())
    })
    .await;
    match listed {
        Ok(entries) => Json(entries).into_response(),
        Err(error) => failed(&error),
    }
}

async fn read(State(root): State<Root>, Query(place): Query<Place>) -> Response {
    let Some(path) = place.path else { return no_path() };
    let (offset, length) = (place.offset.unwrap_or(-1), place.length.unwrap_or(-1));
    if offset < -1 || length < -1 {
        let text = format!("Negative offset or length provided: {offset}, {length}.\n");
        return (StatusCode::BAD_REQUEST, text).into_response();
    }
    let found = blocking(move || {
        let file = root.open_file(&path)?;
        let Ok(offset) = u64::try_from(offset) else {
            return Ok(serde_json::json!({ "data": "", "offset": file.metadata()?.len() }));
        };
        let bytes = beneath::read(&file, offset, u64::try_from(length).unwrap_or(MAX_READ))?;
        Ok(serde_json::json!({ "data": String::from_utf8_lossy(&bytes), "offset": offset }))
    })
    .await;
    match found {
        Ok(found) => Json(found).into_response(),
        Err(error) => failed(&error),
    }
}

async fn download(State(root): State<Root>, Query(place): Query<Place>) -> Response {
    let Some(path) = place.path else { return no_path() };
    let name = path.clone();
    match blocking(move || root.open_file(&path)).await {
        Ok(file) => beneath::download(file, &name),
        Err(error) => failed(&error),
    }
}
