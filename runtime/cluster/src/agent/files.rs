//! Sandboxes over HTTP: `/files/browse`, `/files/read`, `/files/download`. Paths are those of the
//! machine, below the agent's sandboxes, or begin with `/frameworks`, which stands for the sandboxes of this
//! agent; nothing outside of them can be reached, by no link either.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use aurora_daemon::beneath::{self, Listing, MAX_READ, blocking};
use aurora_daemon::download::Downloads;
use axum::Router;
use axum::extract::{Query, State};
use axum::http::{HeaderMap, HeaderName, StatusCode};
use axum::response::{IntoResponse, Json, Response};
use axum::routing::get;
use serde::Deserialize;

/// Says of a list that was cut how many entries the folder has: the list itself has no place for it.
pub(super) const TOTAL: HeaderName = HeaderName::from_static("x-total-count");

/// What a path begins with that stands for a sandbox of this agent, wherever its folder is.
const VIRTUAL: &str = "/frameworks/";

/// The sandboxes. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Root {
    folder: Arc<Path>,
    agent_id: Arc<dyn Fn() -> Option<String> + Send + Sync>,
    downloads: Downloads,
}

impl Root {
    /// The sandboxes below a folder. `agent_id` gives this agent's id as soon as there is one.
    pub(crate) fn new(
        folder: PathBuf,
        agent_id: impl Fn() -> Option<String> + Send + Sync + 'static,
    ) -> Self {
        let downloads = Downloads::default();
        Self { folder: folder.into(), agent_id: Arc::new(agent_id), downloads }
    }

    fn below(&self, path: &str) -> io::Result<PathBuf> {
        let absent = || io::Error::from(io::ErrorKind::NotFound);
        if path.starts_with(VIRTUAL) {
            let agent = (self.agent_id)().ok_or_else(absent)?;
            return Ok(Path::new(&agent).join(path.trim_start_matches('/')));
        }
        Path::new(path).strip_prefix(&self.folder).map(Path::to_owned).map_err(|_| absent())
    }

    pub(crate) fn open_file(&self, path: &str) -> io::Result<File> {
        beneath::open_file(&self.folder, &self.below(path)?)
    }

    pub(crate) fn list(&self, path: &str) -> io::Result<Listing> {
        beneath::list(&self.folder, &self.below(path)?)
    }
}

#[derive(Debug, Deserialize)]
struct Place {
    path: Option<String>,
    offset: Option<i64>,
    length: Option<i64>,
}

pub(crate) fn router(root: Root) -> Router {
    Router::new()
        .route("/files/browse", get(browse))
        .route("/files/read", get(read))
        .route("/files/download", get(download))
        .with_state(root)
}

fn failed(error: &io::Error, path: &str) -> Response {
    match beneath::logged_status(error, path) {
        // In Mesos's words, which are none.
        StatusCode::NOT_FOUND => StatusCode::NOT_FOUND.into_response(),
        status => beneath::later((status, error.to_string()).into_response()),
    }
}

fn no_path() -> Response {
    (StatusCode::BAD_REQUEST, "Expecting 'path=value' in query.\n").into_response()
}

async fn browse(State(root): State<Root>, Query(place): Query<Place>) -> Response {
    let Some(path) = place.path else { return no_path() };
    let asked = path.clone();
    let listed = blocking(move || {
        let listing = root.list(&path)?;
        let total = listing.is_cut().then_some(listing.total);
        let entries = listing.entries.into_iter().map(|entry| {
            serde_json::json!({
                "path": format!("{}/{}", path.trim_end_matches('/'), entry.name.display()),
                "mode": entry.mode,
                "nlink": entry.links,
                "uid": entry.user,
                "gid": entry.group,
                "size": entry.size,
                "mtime": entry.modified,
            })
        });
        Ok((total, entries.collect::<Vec<_>>()))
    })
    .await;
    match listed {
        Ok((None, entries)) => Json(entries).into_response(),
        Ok((Some(total), entries)) => ([(TOTAL, total.to_string())], Json(entries)).into_response(),
        Err(error) => failed(&error, &asked),
    }
}

async fn read(State(root): State<Root>, Query(place): Query<Place>) -> Response {
    let Some(path) = place.path else { return no_path() };
    let (offset, length) = (place.offset.unwrap_or(-1), place.length.unwrap_or(-1));
    if offset < -1 || length < -1 {
        let text = format!("Negative offset or length provided: {offset}, {length}.\n");
        return (StatusCode::BAD_REQUEST, text).into_response();
    }
    let asked = path.clone();
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
        Err(error) => failed(&error, &asked),
    }
}

async fn download(
    State(root): State<Root>,
    Query(place): Query<Place>,
    headers: HeaderMap,
) -> Response {
    let Some(path) = place.path else { return no_path() };
    let asked = path.clone();
    let name = Path::new(&path).file_name().unwrap_or_default().as_encoded_bytes().to_owned();
    let downloads = root.downloads.clone();
    match downloads.send(move || root.open_file(&path), name, headers).await {
        Ok(answer) => answer,
        Err(error) => failed(&error, &asked),
    }
}

#[cfg(test)]
mod tests {
    use axum::body::Body;
    use axum::http::Request;
    use http_body_util::BodyExt;
    use tower::ServiceExt;

    use super::*;

    #[tokio::test]
    async fn sandboxes_are_read_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let root = std::fs::canonicalize(folder.path()).unwrap();
        let (slaves, run) = (root.join("slaves"), root.join("slaves/runs/1"));
        std::fs::create_dir_all(&run).unwrap();
        std::fs::write(run.join("out"), "0123456789").unwrap();
        std::fs::write(root.join("secret"), "secret").unwrap();
        std::os::unix::fs::symlink("1", slaves.join("runs/latest")).unwrap();
        std::os::unix::fs::symlink("../../../secret", run.join("relative")).unwrap();
        std::os::unix::fs::symlink(root.join("secret"), run.join("absolute")).unwrap();

        let router = router(Root::new(slaves.clone(), || None));
        let get = |what: &str, path: &str, rest: &str| {
            let uri = format!("/files/{what}?path={}/{path}{rest}", slaves.display());
            let router = router.clone();
            async move {
                let request = Request::get(uri).body(Body::empty()).unwrap();
                let answer = router.oneshot(request).await.unwrap();
                let status = answer.status().as_u16();
                let body = answer.into_body().collect().await.unwrap().to_bytes();
                (status, String::from_utf8(body.to_vec()).unwrap())
            }
        };
        let read = get("read", "runs/latest/out", "&offset=2&length=3").await;
        assert_eq!(read, (200, r#"{"data":"234","offset":2}"#.to_owned()));
        let size = get("read", "runs/1/out", "&offset=-1").await;
        assert_eq!(size, (200, r#"{"data":"","offset":10}"#.to_owned()));
        assert_eq!(get("read", "runs/1/out", "&offset=-2").await.0, 400);
        let download = get("download", "runs/latest/out", "").await;
        assert_eq!(download, (200, "0123456789".to_owned()));
        let (status, list) = get("browse", "runs/latest", "").await;
        let list: Vec<serde_json::Value> = serde_json::from_str(&list).unwrap();
        let path = format!("{}/runs/latest/out", slaves.display());
        assert!(list.iter().any(|entry| entry["path"] == path && entry["size"] == 10), "{list:?}");
        assert_eq!(status, 200);

        for what in ["read", "download", "browse"] {
            for path in ["runs/1/relative", "runs/1/absolute", "../secret", "runs/none", ".."] {
                let (status, body) = get(what, path, "&offset=0").await;
                assert_eq!((status, body.as_str()), (404, ""), "{what} {path}");
            }
        }
    }
    async fn ask(router: &Router, uri: String, range: &str) -> Response {
        let request = Request::get(uri).header("range", range).body(Body::empty()).unwrap();
        router.clone().oneshot(request).await.unwrap()
    }

    #[tokio::test]
    async fn files_are_sent_in_parts_too() {
        let folder = tempfile::tempdir().unwrap();
        let root = std::fs::canonicalize(folder.path()).unwrap();
        std::fs::write(root.join("out"), "0123456789").unwrap();
        let router = router(Root::new(root.clone(), || None));
        let uri = format!("/files/download?path={}/out", root.display());
        let part = ask(&router, uri, "bytes=2-4").await;
        assert_eq!(part.status(), StatusCode::PARTIAL_CONTENT);
        assert_eq!(part.headers()["content-disposition"], "attachment; filename=\"out\"");
        assert_eq!(part.into_body().collect().await.unwrap().to_bytes(), "234");
    }

    #[tokio::test]
    async fn a_list_that_is_cut_says_of_how_many() {
        let folder = tempfile::tempdir().unwrap();
        let root = std::fs::canonicalize(folder.path()).unwrap();
        for number in 0..=beneath::MAX_ENTRIES {
            std::fs::write(root.join(number.to_string()), "").unwrap();
        }
        let router = router(Root::new(root.clone(), || None));
        let uri = format!("/files/browse?path={}", root.display());
        let cut = ask(&router, uri.clone(), "").await;
        assert_eq!(cut.headers()[TOTAL], "10001");
        let entries = cut.into_body().collect().await.unwrap().to_bytes();
        let entries: Vec<serde_json::Value> = serde_json::from_slice(&entries).unwrap();
        assert_eq!(entries.len(), beneath::MAX_ENTRIES);
        std::fs::remove_file(root.join("7")).unwrap();
        assert_eq!(ask(&router, uri, "").await.headers().get(TOTAL), None);
    }

    #[tokio::test]
    async fn what_may_not_be_read_is_refused_and_not_missing() {
        // A file that nobody may read, not even root.
        let router = router(Root::new("/proc/sys/vm".into(), || None));
        for what in ["read", "download"] {
            let uri = format!("/files/{what}?path=/proc/sys/vm/compact_memory&offset=0");
            assert_eq!(ask(&router, uri, "").await.status(), StatusCode::FORBIDDEN, "{what}");
        }
    }
}
