//! What an executor needs in its sandbox before it starts: files of this machine, and files of web servers.

use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use aurora_daemon::text::root;
use aurora_mesos::v1::command_info::Uri;
use axum::http::{Request, Response, StatusCode, header};
use bytes::Bytes;
use http_body_util::{BodyExt as _, Empty};
use hyper::body::{Body as _, Incoming};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use tokio::fs::File;
use tokio::io::AsyncWriteExt as _;
use tokio::time::{Instant, timeout_at};

/// The largest file that is taken from a web server, in bytes.
const MAX_DOWNLOAD: u64 = 1 << 30;
/// What is said of any other address.
const UNKNOWN: &str = "this agent fetches files of its machine, and what http:// addresses have";
/// How often a web server may say that another address has the file.
const MAX_REDIRECTS: usize = 10;

/// Why a file cannot be had.
#[derive(Debug, thiserror::Error)]
#[error("failed to fetch {uri:?}: {reason}")]
pub(crate) struct FetchError {
    uri: String,
    reason: String,
}

impl From<FetchError> for io::Error {
    fn from(error: FetchError) -> Self {
        Self::other(error)
    }
}

/// Whether fetching all of these waits for a web server.
pub(crate) fn waits(uris: &[Uri]) -> bool {
    uris.iter().any(|uri| matches!(source(uri), Source::Web(_)))
}

/// Brings into the sandbox what web servers have of these, and takes no longer than `patience`. A file has
/// its name only when it is whole.
///
/// # Errors
/// A file cannot be had, is larger than 1 GiB, or did not come in time. None of it is left then.
pub(crate) async fn download(
    uris: &[Uri],
    sandbox: &Path,
    patience: Duration,
) -> Result<(), FetchError> {
    let deadline = Instant::now() + patience;
    if let Some(uri) = uris.iter().find(|uri| matches!(source(uri), Source::Unknown)) {
        return Err(failed(uri, UNKNOWN.to_owned()));
    }
    for uri in uris {
        let Source::Web(address) = source(uri) else { continue };
        let target = target(uri, sandbox)?;
        let part = target.with_added_extension("part");
        let file = File::create_new(&part).await.map_err(|error| failed(uri, text(error)))?;
        let part = Part(part);
        let saved = timeout_at(deadline, save(address, file, uri.executable())).await;
        let saved = saved.unwrap_or_else(|_| Err(format!("it did not come within {patience:?}")));
        saved
            .and_then(|()| fs::rename(&part.0, &target).map_err(text))
            .map_err(|reason| failed(uri, reason))?;
    }
    Ok(())
}

/// A file that is not whole, and is nothing without the rest.
struct Part(PathBuf);

impl Drop for Part {
    fn drop(&mut self) {
        // It has got its name, unless something has failed: that is told.
        let _ = fs::remove_file(&self.0);
    }
}

/// Copies into the sandbox what this machine has of these.
///
/// # Errors
/// A file cannot be copied, or lies where this agent cannot get it.
pub(crate) fn copy(uris: &[Uri], sandbox: &Path) -> Result<(), FetchError> {
    for uri in uris {
        match source(uri) {
            Source::Here(path) => {
                let target = target(uri, sandbox)?;
                fs::copy(path, &target).map_err(|error| failed(uri, text(error)))?;
                if uri.executable() {
                    fs::set_permissions(&target, Permissions::from_mode(0o755))
                        .map_err(|error| failed(uri, text(error)))?;
                }
            }
            Source::Web(_) => {}
            Source::Unknown => return Err(failed(uri, UNKNOWN.to_owned())),
        }
    }
    Ok(())
}

enum Source<'a> {
    Here(&'a Path),
    Web(&'a str),
    Unknown,
}

fn source(uri: &Uri) -> Source<'_> {
    match uri.value.split_once("://") {
        None => Source::Here(Path::new(&uri.value)),
        Some(("file", path)) => Source::Here(Path::new(path)),
        Some(("http", _)) => Source::Web(&uri.value),
        Some(_) => Source::Unknown,
    }
}

/// Where a file goes: directly into the sandbox, whatever its address says.
fn target(uri: &Uri, sandbox: &Path) -> Result<PathBuf, FetchError> {
    let value = uri.value.split_once("://").map_or(&*uri.value, |(_, rest)| rest);
    let named = match (&uri.output_file, source(uri)) {
        (Some(file), _) => file,
        (None, Source::Web(_)) => {
            let path = value.split(['?', '#']).next().unwrap_or(value);
            path.split_once('/').map_or("", |(_host, path)| path)
        }
        (None, _) => value,
    };
    let name = Path::new(named).file_name();
    Ok(sandbox.join(name.ok_or_else(|| failed(uri, "it names no file".to_owned()))?))
}

fn failed(uri: &Uri, reason: String) -> FetchError {
    FetchError { uri: uri.value.clone(), reason }
}

fn text(error: impl std::error::Error) -> String {
    error.to_string()
}

async fn save(address: &str, mut file: File, executable: bool) -> Result<(), String> {
    let mut body = ask(address).await?.into_body();
    let bounded = |length: u64| match length {
        0..=MAX_DOWNLOAD => Ok(()),
        _ => Err(format!("it is larger than {MAX_DOWNLOAD} bytes")),
    };
    bounded(body.size_hint().lower())?;
    let mut length = 0;
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame.map_err(|error| root(&error))?.into_data() else { continue };
        length += data.len() as u64;
        bounded(length)?;
        file.write_all(&data).await.map_err(text)?;
    }
    // What could not be written is told here at the latest.
    file.flush().await.map_err(text)?;
    let mode = if executable { 0o755 } else { 0o644 };
    file.set_permissions(Permissions::from_mode(mode)).await.map_err(text)
}

async fn ask(address: &str) -> Result<Response<Incoming>, String> {
    let client: Client<HttpConnector, Empty<Bytes>> =
        Client::builder(TokioExecutor::new()).build_http();
    let mut address = address.to_owned();
    for _ in 0..=MAX_REDIRECTS {
        let request = Request::get(&address)
            .header(header::USER_AGENT, "aurora-agent")
            .body(Empty::new())
            .map_err(text)?;
        let response = client.request(request).await.map_err(|error| root(&error))?;
        let location = response.headers().get(header::LOCATION);
        match (response.status(), location) {
            (StatusCode::OK, _) => return Ok(response),
            (status, Some(location)) if status.is_redirection() => {
                let location = location.to_str().map_err(text)?;
                address = follow(&address, location)?;
            }
            (status, _) => return Err(format!("the answer is {status}")),
        }
    }
    Err(format!("it leads on more than {MAX_REDIRECTS} times"))
}

/// The address that a page leads to.
fn follow(from: &str, location: &str) -> Result<String, String> {
    if location.starts_with("http://") {
        return Ok(location.to_owned());
    }
    let from = from.split(['?', '#']).next().unwrap_or(from);
    let server = from.splitn(4, '/').take(3).collect::<Vec<_>>().join("/");
    if location.starts_with('/') && !location.starts_with("//") {
        return Ok(format!("{server}{location}"));
    }
    Err(format!("{from} leads to {location:?}, and only paths and http:// are followed"))
}

#[cfg(test)]
mod tests;
