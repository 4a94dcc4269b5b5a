//! Sends a file, or the part of it that is asked for, unless the client has it (`observer.md` 7).

use std::fs::File;
use std::io::{Seek as _, SeekFrom};

use aurora_daemon::web::segment;
use axum::body::Body;
use axum::http::{HeaderMap, HeaderName, StatusCode, header};
use axum::response::{IntoResponse, Response};
use jiff::Timestamp;
use jiff::fmt::rfc2822::{DateTimeParser, DateTimePrinter};
use tokio::io::AsyncReadExt as _;
use tokio_util::io::ReaderStream;

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

/// How a client is to name what it saves: the last part of `path`.
fn disposition(path: &str) -> String {
    let name = path.rsplit('/').next().unwrap_or_default();
    let plain: String = name
        .chars()
        .map(|c| if c.is_ascii_graphic() && !matches!(c, '"' | '\\' | '%') { c } else { '_' })
        .collect();
    if plain == name {
        return format!("attachment; filename=\"{plain}\"");
    }
    format!("attachment; filename=\"{plain}\"; filename*=UTF-8''{}", segment(name))
}

/// The answer to a request for a file, as long as it is now. Blocks for a moment.
///
/// # Errors
/// The file cannot be looked at.
pub(crate) fn answer(mut file: File, path: &str, headers: &HeaderMap) -> std::io::Result<Response> {
    use std::os::unix::fs::MetadataExt as _;
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
    set(header::CONTENT_DISPOSITION, &disposition(path));
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
    *answer.body_mut() = Body::from_stream(ReaderStream::with_capacity(part, 64 << 10));
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
        assert_eq!(disposition("a/b.txt"), "attachment; filename=\"b.txt\"");
        assert_eq!(
            disposition("é\"\r\nx"),
            "attachment; filename=\"____x\"; filename*=UTF-8''%C3%A9%22%0D%0Ax"
        );
    }
}
