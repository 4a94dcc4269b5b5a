//! Requests to the task itself, on its own machine: health checks and the wish that it end
//! (`executor.md` 15.2 and 16).

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use aurora_daemon::text::root;
use bytes::{Bytes, BytesMut};
use http_body_util::{BodyExt as _, Empty};
use hyper::header::{CONNECTION, HOST, LOCATION, USER_AGENT};
use hyper::{Method, Request, Response, StatusCode, Uri};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

/// The most that is read of an answer, in bytes.
pub(crate) const MAX_BODY: usize = 64 << 10;

/// How often an answer may say that another page has it.
const MAX_REDIRECTS: usize = 10;

/// There is no answer.
#[derive(Debug, thiserror::Error)]
#[error("Failed to signal {url}: {cause}")]
pub(crate) struct HttpError {
    /// What was asked.
    url: String,
    cause: Cause,
}

/// Why there is none.
#[derive(Debug, thiserror::Error)]
enum Cause {
    #[error("Error within timeout")]
    Timeout,
    #[error("{0}")]
    Connect(std::io::Error),
    #[error("{}", root(.0))]
    Protocol(#[from] hyper::Error),
    #[error("invalid address: {0}")]
    Address(#[from] hyper::http::Error),
    #[error("it leads to {0}, which is not on the same port of this machine")]
    Elsewhere(String),
    #[error("it leads on and on")]
    Circles,
}

/// An answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    /// Its beginning, some [`MAX_BODY`] bytes; empty unless the status tells of success.
    pub(crate) body: Bytes,
}

/// Connects to a port of this machine, of whichever kind of address listens there.
pub(crate) async fn connect(port: u16) -> std::io::Result<TcpStream> {
    let first = match TcpStream::connect(SocketAddr::from((Ipv4Addr::LOCALHOST, port))).await {
        Ok(stream) => return Ok(stream),
        Err(error) => error,
    };
    TcpStream::connect(SocketAddr::from((Ipv6Addr::LOCALHOST, port))).await.map_err(|_| first)
}

/// A path from the root: a job may leave out the slash.
fn rooted(path: &str) -> String {
    format!("{}{path}", if path.starts_with('/') { "" } else { "/" })
}

/// Waits for what is asked of a path, but no longer than this.
async fn within<T>(
    timeout: Duration,
    port: u16,
    path: &str,
    asked: impl Future<Output = Result<T, Cause>>,
) -> Result<T, HttpError> {
    let answer = tokio::time::timeout(timeout, asked).await.unwrap_or(Err(Cause::Timeout));
    let url = || format!("http://localhost:{port}{}", rooted(path));
    answer.map_err(|cause| HttpError { url: url(), cause })
}

/// Asks for a page. Where it leads to another page of this port, that one answers.
///
/// # Errors
/// There is no answer within `timeout`.
pub(crate) async fn get(port: u16, path: &str, timeout: Duration) -> Result<Answer, HttpError> {
    within(timeout, port, path, follow(port, path)).await
}

/// Posts nothing. Any answer will do: it is not read.
///
/// # Errors
/// There is none within `timeout`.
pub(crate) async fn post(port: u16, path: &str, timeout: Duration) -> Result<u16, HttpError> {
    let asked = async { Ok(request(Method::POST, port, path).await?.status().as_u16()) };
    within(timeout, port, path, asked).await
}

async fn follow(port: u16, path: &str) -> Result<Answer, Cause> {
    let mut path = path.to_owned();
    for _ in 0..=MAX_REDIRECTS {
        let response = request(Method::GET, port, &path).await?;
        let status = response.status();
        if let Some(location) = location(&response) {
            path = same_server(port, &path, &location)?;
            continue;
        }
        let body = if status.is_success() { body(response).await? } else { Bytes::new() };
        return Ok(Answer { status: status.as_u16(), body });
    }
    Err(Cause::Circles)
}

fn location<B>(response: &Response<B>) -> Option<String> {
    let leads_on = matches!(
        response.status(),
        StatusCode::MOVED_PERMANENTLY
            | StatusCode::FOUND
            | StatusCode::SEE_OTHER
            | StatusCode::TEMPORARY_REDIRECT
            | StatusCode::PERMANENT_REDIRECT
    );
    let location = leads_on.then(|| response.headers().get(LOCATION))??;
    Some(location.to_str().ok()?.to_owned())
}

/// The path that a page leads to, if it is one of the same server.
fn same_server(port: u16, from: &str, location: &str) -> Result<String, Cause> {
    let elsewhere = || Cause::Elsewhere(location.chars().take(200).collect());
    if location.starts_with('/') && !location.starts_with("//") {
        return Ok(location.to_owned());
    }
    let Some((scheme, _)) = location.split_once("://") else {
        let folder = from.split('?').next().unwrap_or_default();
        let folder = folder.rsplit_once('/').map_or("", |(folder, _)| folder);
        return if location.starts_with("//") {
            Err(elsewhere())
        } else {
            Ok(format!("{folder}/{location}"))
        };
    };
    let uri: Uri = location.parse().map_err(|_| elsewhere())?;
    let here = matches!(uri.host(), Some("localhost" | "127.0.0.1" | "[::1]"));
    if scheme != "http" || !here || uri.port_u16().unwrap_or(80) != port {
        return Err(elsewhere());
    }
    Ok(uri.path_and_query().map_or_else(|| "/".to_owned(), ToString::to_string))
}

async fn request(
    method: Method,
    port: u16,
    path: &str,
) -> Result<Response<hyper::body::Incoming>, Cause> {
    let request = Request::builder()
        .method(method)
        .uri(rooted(path))
        .header(HOST, format!("localhost:{port}"))
        .header(USER_AGENT, "aurora-executor")
        .header(CONNECTION, "close")
        .body(Empty::<Bytes>::new())?;
    let stream = connect(port).await.map_err(Cause::Connect)?;
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    // It ends when the answer is read or dropped; its errors come with the answer.
    tokio::spawn(connection);
    Ok(sender.send_request(request).await?)
}

/// The beginning of a body: what comes after it makes no difference to anybody.
async fn body(response: Response<hyper::body::Incoming>) -> Result<Bytes, Cause> {
    let mut incoming = response.into_body();
    let mut body = BytesMut::new();
    while let Some(frame) = incoming.frame().await {
        if let Ok(data) = frame?.into_data() {
            body.extend_from_slice(&data);
        }
        if body.len() > MAX_BODY {
            break;
        }
    }
    Ok(body.freeze())
}
