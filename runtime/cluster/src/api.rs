//! What both HTTP APIs have in common: bodies, streams of events, refusals in Mesos's words.

use aurora_mesos::body::{self, ContentType};
use aurora_mesos::recordio;
use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use prost::{Message, Name};
use tokio::sync::mpsc;
use tokio_stream::StreamExt;
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::CancellationToken;

/// Events that a client may leave unread before it is taken for dead.
pub(crate) const STREAM_BUFFER: usize = 4096;

/// A refusal.
pub(crate) fn refuse(status: StatusCode, text: impl Into<String>) -> Response {
    (status, text.into()).into_response()
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
) -> Result<Call<M>, Response> {
    if method != Method::POST {
        let text = format!(
            "405 Method Not Allowed. Expecting one of {{ 'POST' }}, but received '{method}'."
        );
        let mut answer = refuse(StatusCode::METHOD_NOT_ALLOWED, text);
        answer.headers_mut().insert(header::ALLOW, header::HeaderValue::from_static("POST"));
        return Err(answer);
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
                "Expecting 'Accept' to allow application/json or application/x-protobuf",
            )
        })?,
    };
    let message = body::decode(body, content_type)
        .map_err(|error| refuse(StatusCode::BAD_REQUEST, error.to_string()))?;
    Ok(Call { message, accept })
}

fn accepted(wanted: &str, sent: ContentType) -> Option<ContentType> {
    let types: Vec<&str> = wanted.split(',').map(str::trim).collect();
    let named = types.iter().find_map(|ty| ContentType::of_media_type(ty));
    let any = types.iter().any(|ty| ty.starts_with("*/*") || ty.starts_with("application/*"));
    named.or(any.then_some(sent))
}

/// Where a subscriber's events go.
#[derive(Debug, Clone)]
pub(crate) struct Events {
    sender: mpsc::Sender<Bytes>,
    ty: ContentType,
    end: CancellationToken,
}

impl Events {
    /// Sends an event; `false` if the subscriber has gone or does not read.
    pub(crate) fn send<M: Message + Name>(&self, event: &M) -> bool {
        match body::encode(event, self.ty) {
            Ok(record) => self.sender.try_send(recordio::frame(&record)).is_ok(),
            Err(error) => {
                tracing::error!(%error, "failed to write an event");
                false
            }
        }
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
    let (sender, receiver) = mpsc::channel(STREAM_BUFFER);
    let body = ReceiverStream::new(receiver).map(Ok::<_, std::convert::Infallible>);
    let answer =
        ([(header::CONTENT_TYPE, ty.media_type())], Body::from_stream(body)).into_response();
    (Events { sender, ty, end: CancellationToken::new() }, answer)
}
