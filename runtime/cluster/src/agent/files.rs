//! Sandboxes over HTTP: `/files/browse`, `/files/read`, `/files/download`. Paths are those of the
//! machine, below the agent's sandboxes; nothing outside of them can be reached, by no link either.

use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{Query, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Json, Response};
use axum::routing::get;
use rustix::fs::{CWD, Mode, OFlags, ResolveFlags, openat2};
use serde::Deserialize;
use tokio_util::io::ReaderStream;

/// The most that one read gives, in bytes.
const MAX_READ: usize = 1 << 20;
/// The most entries of one folder.
const MAX_ENTRIES: usize = 10_000;

#[derive(Clone)]
struct Root(Arc<Path>);

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

fn open(root: &Path, path: &str, flags: OFlags) -> io::Result<OwnedFd> {
    let below = Path::new(path).strip_prefix(root).map_err(|_| io::ErrorKind::NotFound)?;
    let folder = openat2(
        CWD,
        root,
        OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC,
        Mode::empty(),
        ResolveFlags::empty(),
    )?;
    let below = if below.as_os_str().is_empty() { Path::new(".") } else { below };
    Ok(openat2(
        folder,
        below,
        // A fifo in a sandbox must not stop the agent.
        flags | OFlags::CLOEXEC | OFlags::NONBLOCK,
        Mode::empty(),
        ResolveFlags::BENEATH | ResolveFlags::NO_MAGICLINKS,
    )?)
}

fn open_file(root: &Path, path: &str) -> io::Result<File> {
    let file = File::from(open(root, path, OFlags::RDONLY)?);
    if file.metadata()?.is_file() { Ok(file) } else { Err(io::ErrorKind::NotFound.into()) }
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

async fn blocking<T: Send + 'static>(
    act: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> io::Result<T> {
    tokio::task::spawn_blocking(act).await.unwrap_or_else(|error| Err(io::Error::other(error)))
}

async fn browse(State(Root(root)): State<Root>, Query(place): Query<Place>) -> Response {
    let Some(path) = place.path else { return no_path() };
    let listed = blocking(move || {
        let folder = open(&root, &path, OFlags::RDONLY | OFlags::DIRECTORY)?;
        let mut entries = Vec::new();
        for entry in rustix::fs::Dir::read_from(&folder)?.take(MAX_ENTRIES) {
            let entry = entry?;
            let name = entry.file_name().to_string_lossy().into_owned();
            if name == "." || name == ".." {
                continue;
            }
            let flags = rustix::fs::AtFlags::SYMLINK_NOFOLLOW;
            let Ok(stat) = rustix::fs::statat(&folder, entry.file_name(), flags) else { continue };
            entries.push(serde_json::json!({
                "path": format!("{}/{name}", path.trim_end_matches('/')),
                "mode": mode_text(stat.st_mode),
                "nlink": stat.st_nlink,
                "uid": user_name(stat.st_uid),
                "gid": group_name(stat.st_gid),
                "size": stat.st_size,
                "mtime": stat.st_mtime,
            }));
        }
        entries.sort_by_key(|entry| entry["path"].to_string());
        Ok(entries)
    })
    .await;
    match listed {
        Ok(entries) => Json(entries).into_response(),
        Err(error) => failed(&error),
    }
}

fn user_name(uid: u32) -> String {
    let user = nix::unistd::User::from_uid(nix::unistd::Uid::from_raw(uid));
    user.ok().flatten().map_or_else(|| uid.to_string(), |user| user.name)
}

fn group_name(gid: u32) -> String {
    let group = nix::unistd::Group::from_gid(nix::unistd::Gid::from_raw(gid));
    group.ok().flatten().map_or_else(|| gid.to_string(), |group| group.name)
}

/// As `ls` shows it.
fn mode_text(mode: u32) -> String {
    let kind = match mode & 0o170_000 {
        0o040_000 => 'd',
        0o120_000 => 'l',
        0o010_000 => 'p',
        0o140_000 => 's',
        0o020_000 => 'c',
        0o060_000 => 'b',
        _ => '-',
    };
    let bits = "rwxrwxrwx"
        .chars()
        .enumerate()
        .map(|(place, letter)| if mode & (0o400 >> place) == 0 { '-' } else { letter });
    std::iter::once(kind).chain(bits).collect()
}

async fn read(State(Root(root)): State<Root>, Query(place): Query<Place>) -> Response {
    let Some(path) = place.path else { return no_path() };
    let (offset, length) = (place.offset.unwrap_or(-1), place.length.unwrap_or(-1));
    if offset < -1 || length < -1 {
        let text = format!("Negative offset or length provided: {offset}, {length}.\n");
        return (StatusCode::BAD_REQUEST, text).into_response();
    }
    let found = blocking(move || {
        let file = open_file(&root, &path)?;
        let size = file.metadata()?.size();
        let Ok(offset) = u64::try_from(offset) else {
            return Ok(serde_json::json!({ "data": "", "offset": size }));
        };
        let wanted = usize::try_from(length).unwrap_or(MAX_READ).min(MAX_READ);
        let mut bytes = vec![0; wanted];
        let count = file.read_at(&mut bytes, offset)?;
        bytes.truncate(count);
        Ok(serde_json::json!({ "data": String::from_utf8_lossy(&bytes), "offset": offset }))
    })
    .await;
    match found {
        Ok(found) => Json(found).into_response(),
        Err(error) => failed(&error),
    }
}

async fn download(State(Root(root)): State<Root>, Query(place): Query<Place>) -> Response {
    let Some(path) = place.path else { return no_path() };
    let name: String = path
        .rsplit('/')
        .next()
        .unwrap_or("file")
        .chars()
        .map(|c| if c.is_ascii_graphic() && !matches!(c, '"' | '\\') { c } else { '_' })
        .collect();
    match blocking(move || open_file(&root, &path)).await {
        Ok(file) => (
            [
                (header::CONTENT_TYPE, "application/octet-stream".to_owned()),
                (header::CONTENT_DISPOSITION, format!("attachment; filename=\"{name}\"")),
                (header::X_CONTENT_TYPE_OPTIONS, "nosniff".to_owned()),
            ],
            Body::from_stream(ReaderStream::new(tokio::fs::File::from_std(file))),
        )
            .into_response(),
        Err(error) => failed(&error),
    }
}
