//! What both HTTP APIs have in common: bodies, streams of events, refusals in Mesos's words.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use aurora_mesos::body::{self, ContentType};
use aurora_mesos::recordio;
use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use prost::{Message, Name};
use tokio::sync::mpsc;
use tokio_stream::StreamExt;
use tokio_stream::wrappers::UnboundedReceiverStream;
use tokio_util::sync::CancellationToken;

/// The media type of a stream of records, and the headers that say what the records are.
pub(crate) const RECORDIO: &str = "application/recordio";
pub(crate) const MESSAGE_ACCEPT: &str = "Message-Accept";
pub(crate) const MESSAGE_CONTENT_TYPE: &str = "Message-Content-Type";
/// How much a client may leave unread before it is taken for dead, in bytes. Counted so, and not
/// in events: one answer to a reconciliation is as many events as there are tasks.
const MAX_UNREAD: usize = 32 << 20;

/// Why a call is not taken.
#[derive(Debug)]
pub(crate) struct Refusal {
    status: StatusCode,
    text: String,
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let mut answer = (self.status, self.text).into_response();
        if self.status == StatusCode::METHOD_NOT_ALLOWED {
            answer.headers_mut().insert(header::ALLOW, header::HeaderValue::from_static("POST"));
        }
        answer
    }
}

/// A refusal.
pub(crate) fn refuse(status: StatusCode, text: impl Into<String>) -> Refusal {
    Refusal { status, text: text.into() }
}

/// What the headers of a call say.
pub(crate) struct Call<M> {
    pub(crate) message: M,
    /// How the answer's events are to be written.
    pub(crate) accept: ContentType,
}

/// Reads a call.
pub(crate) fn read<M: Message + Name + Default>(
    method: &Method,
    headers: &HeaderMap,
    body: &Bytes,
) -> Result<Call<M>, Refusal> {
    if method != Method::POST {
        let text = format!(
            "405 Method Not Allowed. Expecting one of {{ 'POST' }}, but received '{method}'."
        );
        return Err(refuse(StatusCode::METHOD_NOT_ALLOWED, text));
    }
    let text = |name| headers.get(name).and_then(|value: &header::HeaderValue| value.to_str().ok());
    let Some(content_type) = text(header::CONTENT_TYPE) else {
        return Err(refuse(StatusCode::BAD_REQUEST, "Expecting 'Content-Type' to be present"));
    };
    let Some(content_type) = ContentType::of_media_type(content_type) else {
        return Err(refuse(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "Expecting 'Content-Type' of application/json or application/x-protobuf",
        ));
    };
    let accept = match text(header::ACCEPT) {
        None => content_type,
        Some(wanted) => accepted(wanted, content_type).ok_or_else(|| {
            refuse(
                StatusCode::NOT_ACCEPTABLE,
                "Expecting 'Accept' to allow 'application/x-protobuf' or 'application/json'",
            )
        })?,
    };
    let message = body::decode_checked(body, content_type)
        .map_err(|error| refuse(StatusCode::BAD_REQUEST, error.to_string()))?;
    Ok(Call { message, accept })
}

fn accepted(wanted: &str, sent: ContentType) -> Option<ContentType> {
    let types: Vec<&str> = wanted.split(',').map(str::trim).collect();
    let named = types.iter().find_map(|ty| ContentType::of_media_type(ty));
    let any = types.iter().any(|ty| ty.starts_with("*/*") || ty.starts_with("application/*"));
    named.or(any.then_some(sent))
}

/// Whether bytes are a UUID for Mesos: of a version up to 5.
pub(crate) fn is_uuid(bytes: &[u8]) -> bool {
    uuid::Uuid::from_slice(bytes).is_ok_and(|uuid| (1..=5).contains(&uuid.get_version_num()))
}

/// Where a subscriber's events go.
#[derive(Debug, Clone)]
pub(crate) struct Events {
    sender: mpsc::UnboundedSender<Bytes>,
    /// Bytes that were sent and are not read yet.
    unread: Arc<AtomicUsize>,
    ty: ContentType,
    end: CancellationToken,
}

impl Events {
    /// Sends an event; `false` if the subscriber has gone or does not read.
    pub(crate) fn send<M: Message + Name>(&self, event: &M) -> bool {
        let record = match body::encode(event, self.ty) {
            Ok(record) => recordio::frame(&record),
            Err(error) => {
                tracing::error!(%error, "failed to write an event");
                return false;
            }
        };
        if self.unread.load(Ordering::Relaxed) > MAX_UNREAD {
            return false;
        }
        self.unread.fetch_add(record.len(), Ordering::Relaxed);
        self.sender.send(record).is_ok()
    }

    /// Whether two are the same subscriber's.
    pub(crate) fn is(&self, other: &Self) -> bool {
        self.sender.same_channel(&other.sender)
    }

    /// Returns when the subscriber has gone, or the stream was ended.
    pub(crate) async fn closed(&self) {
        tokio::select! {
            () = self.sender.closed() => {}
            () = self.end.cancelled() => {}
        }
    }

    /// Ends the stream: what was sent before still arrives. Who holds [`Events`] of it must let go
    /// of them when [`Events::closed`] returns.
    pub(crate) fn end(&self) {
        self.end.cancel();
    }
}

/// A stream of events and the answer that carries it.
pub(crate) fn stream(ty: ContentType) -> (Events, Response) {
    let (sender, receiver) = mpsc::unbounded_channel();
    let unread = Arc::new(AtomicUsize::new(0));
    let events = Events { sender, unread: unread.clone(), ty, end: CancellationToken::new() };
    let body = UnboundedReceiverStream::new(receiver).map(move |record: Bytes| {
        unread.fetch_sub(record.len(), Ordering::Relaxed);
        Ok::<_, std::convert::Infallible>(record)
    });
    let answer =
        ([(header::CONTENT_TYPE, ty.media_type())], Body::from_stream(body)).into_response();
    (events, answer)
}

#[cfg(test)]
mod tests {
    use aurora_mesos::v1::scheduler::{Event, event};
    use http_body_util::BodyExt;

    use super::*;

    #[tokio::test]
    async fn many_events_wait_but_not_without_end() {
        let (events, answer) = stream(ContentType::Protobuf);
        let small = Event { r#type: Some(event::Type::Heartbeat as i32), ..Event::default() };
        for _ in 0..50_000 {
            assert!(events.send(&small));
        }
        let mut body = answer.into_body();
        for _ in 0..50_000 {
            assert!(body.frame().await.is_some());
        }
        assert_eq!(events.unread.load(Ordering::Relaxed), 0);

        let message = "x".repeat(1 << 20);
        let large = Event { error: Some(event::Error { message }), ..small };
        assert_eq!((0..100).filter(|_| events.send(&large)).count(), 32);
    }
}

/// Calls that were made on a real Mesos, and its refusals.
#[cfg(test)]
pub(crate) mod recorded {
    use axum::Router;
    use axum::http::Request;
    use http_body_util::BodyExt;
    use tower::ServiceExt;

    use super::*;

    #[derive(serde::Deserialize)]
    struct Exchange {
        label: String,
        method: String,
        path: String,
        headers: std::collections::BTreeMap<String, String>,
        body: String,
        status: u16,
        text: String,
    }

    pub(crate) async fn send(router: &Router, request: Request<String>) -> Response {
        router.clone().oneshot(request.map(Body::from)).await.unwrap()
    }

    pub(crate) fn post(api: &str, body: &str) -> Request<String> {
        Request::post(format!("/api/v1/{api}"))
            .header(header::CONTENT_TYPE, "application/json")
            .body(body.to_owned())
            .unwrap()
    }

    /// Makes the calls of one API for this framework, and compares the answers.
    pub(crate) async fn replay(router: &Router, api: &str, framework: &str, stream: &str) {
        let all = include_str!("../tests/data/refusals.json");
        let mut all: std::collections::BTreeMap<String, Vec<Exchange>> =
            serde_json::from_str(all).unwrap();
        for exchange in all.remove(api).unwrap() {
            let fill =
                |text: &str| text.replace("{framework}", framework).replace("{stream}", stream);
            let mut request = Request::builder().method(&*exchange.method).uri(exchange.path);
            for (name, value) in &exchange.headers {
                request = request.header(name, fill(value));
            }
            let answer = send(router, request.body(fill(&exchange.body)).unwrap()).await;
            assert_eq!(answer.status().as_u16(), exchange.status, "{}", exchange.label);
            let text = answer.into_body().collect().await.unwrap().to_bytes();
            let text = String::from_utf8_lossy(&text).into_owned();
            let text = match exchange.status {
                200 => text.split_once('\n').unwrap().1,
                _ => &text,
            };
            assert_eq!(text, fill(&exchange.text), "{}", exchange.label);
        }
    }
}
