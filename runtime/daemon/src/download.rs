//! Sends files to be saved: as a whole, or the part that is asked for, unless the client has it. One
//! implementation for all daemons, with one limit.

use std::fs::File;
use std::io::{self, Seek as _, SeekFrom};
use std::os::unix::fs::MetadataExt as _;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::body::Body;
use axum::http::{HeaderMap, HeaderName, StatusCode, header};
use axum::response::{IntoResponse, Response};
use jiff::Timestamp;
use jiff::fmt::rfc2822::{DateTimeParser, DateTimePrinter};
use tokio::io::{AsyncRead, AsyncReadExt as _, ReadBuf, Take};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::io::ReaderStream;

use crate::beneath::blocking;
use crate::web::segment;

/// How many files are sent at a time, each of which is open.
pub const MAX_OPEN: usize = 128;
/// How much of a file is read at a time, in bytes.
const CHUNK: usize = 64 << 10;

/// Sends files, at most so many at a time.
#[derive(Debug, Clone)]
pub struct Downloads(Arc<Semaphore>);

impl Default for Downloads {
    fn default() -> Self {
        Self::at_most(MAX_OPEN)
    }
}

impl Downloads {
    /// Sends at most so many files at a time.
    pub fn at_most(files: usize) -> Self {
        Self(Arc::new(Semaphore::new(files)))
    }

    /// The answer to a request for a file, as long as it is when `open` opens it. It is to be saved
    /// under `name`. Of `headers`, `Range` with one range, `If-Range` and `If-Modified-Since` are
    /// understood (RFC 9110, 13 and 14).
    ///
    /// # Errors
    /// The file cannot be opened, or too many are sent at the moment ([`io::ErrorKind::ResourceBusy`]).
    pub async fn send(
        &self,
        open: impl FnOnce() -> io::Result<File> + Send + 'static,
        name: Vec<u8>,
        headers: HeaderMap,
    ) -> io::Result<Response> {
        let Ok(permit) = Arc::clone(&self.0).try_acquire_owned() else {
            return Err(io::Error::new(
                io::ErrorKind::ResourceBusy,
                "too many files are downloaded at the moment; try again shortly",
            ));
        };
        blocking(move || answer(open()?, permit, &name, &headers)).await
    }
}

/// The part of a file that is sent, and the right to send it.
#[derive(Debug)]
struct Sending {
    part: Take<tokio::fs::File>,
    _permit: OwnedSemaphorePermit,
}

impl AsyncRead for Sending {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.part).poll_read(context, buffer)
    }
}

/// What of a file is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sent {
    /// All of it.
    Whole,
    /// The bytes from the first to the last.
    Part(u64, u64),
    /// Nothing of what is asked for is there.
    Nothing,
}

/// What `Range` asks for of a file (RFC 9110, 14). What is not understood counts for nothing, as do
/// several ranges.
fn wanted(range: Option<&str>, length: u64) -> Sent {
    let Some((first, last)) = range
        .and_then(|range| range.strip_prefix("bytes="))
        .filter(|range| !range.contains(','))
        .and_then(|range| range.trim().split_once('-'))
    else {
        return Sent::Whole;
    };
    match (first.parse::<u64>(), last.parse::<u64>()) {
        (Ok(first), Ok(last)) if first > last => Sent::Whole,
        (Ok(first), _) if first >= length => match last.is_empty() || last.parse::<u64>().is_ok() {
            true => Sent::Nothing,
            false => Sent::Whole,
        },
        (Ok(first), Ok(last)) => Sent::Part(first, last.min(length - 1)),
        (Ok(first), Err(_)) if last.is_empty() => Sent::Part(first, length - 1),
        (Err(_), Ok(0)) if first.is_empty() => Sent::Nothing,
        (Err(_), Ok(_)) if first.is_empty() && length == 0 => Sent::Nothing,
        (Err(_), Ok(count)) if first.is_empty() => {
            Sent::Part(length.saturating_sub(count), length - 1)
        }
        _ => Sent::Whole,
    }
}

fn text(headers: &HeaderMap, name: HeaderName) -> Option<&str> {
    headers.get(name)?.to_str().ok()
}

/// A time that a client names, in whole seconds since the Unix epoch.
fn time(headers: &HeaderMap, name: HeaderName) -> Option<i64> {
    let text = text(headers, name)?;
    Some(DateTimeParser::new().parse_timestamp(text).ok()?.as_second())
}

/// How a client is to name what it saves.
fn disposition(name: &[u8]) -> String {
    let text = String::from_utf8_lossy(name);
    let plain: String = text
        .chars()
        .map(|c| if c.is_ascii_graphic() && !matches!(c, '"' | '\\' | '%') { c } else { '_' })
        .collect();
    if plain == text {
        return format!("attachment; filename=\"{plain}\"");
    }
    format!("attachment; filename=\"{plain}\"; filename*=UTF-8''{}", segment(text.as_ref()))
}

fn answer(
    mut file: File,
    permit: OwnedSemaphorePermit,
    name: &[u8],
    headers: &HeaderMap,
) -> io::Result<Response> {
    let found = file.metadata()?;
    let (length, changed) = (found.len(), found.mtime());
    let printed = Timestamp::from_second(changed)
        .and_then(|time| DateTimePrinter::new().timestamp_to_rfc9110_string(&time));
    let mut answer = Response::new(Body::empty());
    let mut set = |name: HeaderName, text: &str| {
        if let Ok(value) = text.parse() {
            answer.headers_mut().insert(name, value);
        }
    };
    if let Ok(printed) = &printed {
        set(header::LAST_MODIFIED, printed);
    }
    set(header::ACCEPT_RANGES, "bytes");
    // Another moment later it may be another file.
    set(header::CACHE_CONTROL, "no-cache");
    if time(headers, header::IF_MODIFIED_SINCE).is_some_and(|since| changed <= since) {
        *answer.status_mut() = StatusCode::NOT_MODIFIED;
        return Ok(answer);
    }
    set(header::CONTENT_TYPE, "application/octet-stream");
    set(header::X_CONTENT_TYPE_OPTIONS, "nosniff");
    set(header::CONTENT_DISPOSITION, &disposition(name));
    // A part belongs to the rest that the client has, or it gets all.
    let is_same =
        headers.get(header::IF_RANGE).is_none() || time(headers, header::IF_RANGE) == Some(changed);
    let range = text(headers, header::RANGE).filter(|_| is_same);
    let (first, count) = match wanted(range, length) {
        Sent::Whole => (0, length),
        Sent::Part(first, last) => {
            set(header::CONTENT_RANGE, &format!("bytes {first}-{last}/{length}"));
            *answer.status_mut() = StatusCode::PARTIAL_CONTENT;
            (first, last - first + 1)
        }
        Sent::Nothing => {
            let range = [(header::CONTENT_RANGE, format!("bytes */{length}"))];
            return Ok((StatusCode::RANGE_NOT_SATISFIABLE, range).into_response());
        }
    };
    if let Ok(count) = count.to_string().parse() {
        answer.headers_mut().insert(header::CONTENT_LENGTH, count);
    }
    file.seek(SeekFrom::Start(first))?;
    let part = tokio::fs::File::from_std(file).take(count);
    let sending = Sending { part, _permit: permit };
    *answer.body_mut() = Body::from_stream(ReaderStream::with_capacity(sending, CHUNK));
    Ok(answer)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_those_of_http() {
        for (range, length, sent) in [
            (None, 10, Sent::Whole),
            (Some("bytes=2-4"), 10, Sent::Part(2, 4)),
            (Some("bytes=2-"), 10, Sent::Part(2, 9)),
            (Some("bytes=-3"), 10, Sent::Part(7, 9)),
            (Some("bytes=-30"), 10, Sent::Part(0, 9)),
            (Some("bytes=8-99"), 10, Sent::Part(8, 9)),
            (Some("bytes=10-"), 10, Sent::Nothing),
            (Some("bytes=10-12"), 10, Sent::Nothing),
            (Some("bytes=-0"), 10, Sent::Nothing),
            (Some("bytes=0-"), 0, Sent::Nothing),
            (Some("bytes=-5"), 0, Sent::Nothing),
            (Some("bytes=4-2"), 10, Sent::Whole),
            (Some("bytes=1-2,4-5"), 10, Sent::Whole),
            (Some("bytes=x-2"), 10, Sent::Whole),
            (Some("bytes=20-x"), 10, Sent::Whole),
            (Some("bytes=2-x"), 10, Sent::Whole),
            (Some("bytes=-"), 10, Sent::Whole),
            (Some("lines=1-2"), 10, Sent::Whole),
            (Some("bytes=99999999999999999999-"), 10, Sent::Whole),
        ] {
            assert_eq!(wanted(range, length), sent, "{range:?}");
        }
    }

    #[test]
    fn names_cannot_break_out_of_their_header() {
        assert_eq!(disposition(b"b.txt"), "attachment; filename=\"b.txt\"");
        assert_eq!(
            disposition("é\"\r\nx".as_bytes()),
            "attachment; filename=\"____x\"; filename*=UTF-8''%C3%A9%22%0D%0Ax"
        );
    }

    #[tokio::test]
    async fn no_more_files_are_sent_at_a_time_than_may_be() {
        let downloads = Downloads::at_most(1);
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        std::fs::write(&path, "0123456789").unwrap();
        let send = || {
            let path = path.clone();
            downloads.send(move || File::open(path), b"file".to_vec(), HeaderMap::new())
        };
        let first = send().await.unwrap();
        let busy = send().await.unwrap_err();
        assert_eq!(crate::beneath::status(&busy), StatusCode::SERVICE_UNAVAILABLE, "{busy}");
        let body = axum::body::to_bytes(first.into_body(), 100).await.unwrap();
        assert_eq!(body, "0123456789");
        // It was sent: another may be, and who goes away in the middle is forgotten.
        drop(send().await.unwrap());
        send().await.unwrap();
        let gone = downloads.send(|| File::open("/nowhere"), Vec::new(), HeaderMap::new()).await;
        assert_eq!(crate::beneath::status(&gone.unwrap_err()), StatusCode::NOT_FOUND);
        send().await.unwrap();
    }
}
