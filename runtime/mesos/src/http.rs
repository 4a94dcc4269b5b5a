//! One request, one answer or one stream of records, over HTTP/1.1.

use std::time::Duration;

use bytes::Bytes;
use futures::{Stream, StreamExt, TryStreamExt};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderValue, LOCATION};
use hyper::{Method, Request, Response, StatusCode, Uri};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use tokio_util::codec::FramedRead;
use tokio_util::io::StreamReader;

use crate::body::ContentType;
use crate::recordio::{RecordIo, RecordIoError};

/// The header that ties calls to a subscription.
pub const STREAM_ID_HEADER: &str = "Mesos-Stream-Id";

/// The longest text of a refusal that is kept, in bytes.
const MAX_REFUSAL_LEN: usize = 64 << 10;

/// Why a call was not accepted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CallError {
    /// There is no subscription to call within.
    #[error("not subscribed")]
    NotSubscribed,
    /// The other end cannot be reached.
    #[error("failed to reach {url}: {reason}")]
    Unreachable {
        /// What was asked.
        url: String,
        /// What went wrong.
        reason: String,
    },
    /// The other end did not answer in time.
    #[error("{url} did not answer within {after:?}")]
    Timeout {
        /// What was asked.
        url: String,
        /// How long it had.
        after: Duration,
    },
    /// The master asked does not lead.
    #[error("{url} redirects to {location}")]
    Redirected {
        /// What was asked.
        url: String,
        /// Where it points to.
        location: String,
    },
    /// The call was refused.
    #[error("{url} refused the call: {status}: {text}")]
    Refused {
        /// What was asked.
        url: String,
        /// The HTTP status.
        status: u16,
        /// Why.
        text: String,
    },
    /// The call cannot be written.
    #[error("failed to write the call: {0}")]
    Body(#[from] crate::body::BodyError),
}

/// Sends calls.
#[derive(Clone)]
pub(crate) struct Http {
    client: Client<HttpConnector, Full<Bytes>>,
    authorization: Option<HeaderValue>,
    pub(crate) timeout: Duration,
    pub(crate) ty: ContentType,
}

impl Http {
    pub(crate) fn new(
        ty: ContentType,
        timeout: Duration,
        authorization: Option<HeaderValue>,
    ) -> Self {
        let connector = connector(timeout);
        let client = Client::builder(TokioExecutor::new())
            .pool_idle_timeout(Duration::from_secs(30))
            .build(connector);
        Self { client, authorization, timeout, ty }
    }

    /// Sends a body and gives the answer's head, once it is one of success.
    pub(crate) async fn post(
        &self,
        url: &str,
        stream_id: Option<&str>,
        body: Bytes,
    ) -> Result<Response<Incoming>, CallError> {
        let unreachable = |reason: String| CallError::Unreachable { url: url.to_owned(), reason };
        let uri: Uri =
            url.parse().map_err(|e: hyper::http::uri::InvalidUri| unreachable(e.to_string()))?;
        let mut request = Request::builder()
            .method(Method::POST)
            .uri(uri)
            .header(CONTENT_TYPE, self.ty.media_type())
            .header(ACCEPT, self.ty.media_type());
        if let Some(id) = stream_id {
            request = request.header(STREAM_ID_HEADER, id);
        }
        if let Some(authorization) = &self.authorization {
            request = request.header(AUTHORIZATION, authorization);
        }
        let request =
            request.body(Full::new(body)).map_err(|error| unreachable(error.to_string()))?;
        let answer = tokio::time::timeout(self.timeout, self.client.request(request))
            .await
            .map_err(|_| CallError::Timeout { url: url.to_owned(), after: self.timeout })?
            .map_err(|error| unreachable(chain(&error)))?;
        accepted(url, self.timeout, answer).await
    }
}

/// What makes connections, each within so much time.
pub(crate) fn connector(timeout: Duration) -> HttpConnector {
    let mut connector = HttpConnector::new();
    connector.set_connect_timeout(Some(timeout));
    connector.set_keepalive(Some(Duration::from_secs(15)));
    connector.set_nodelay(true);
    connector
}

/// The answer, if it is one of success.
pub(crate) async fn accepted(
    url: &str,
    timeout: Duration,
    answer: Response<Incoming>,
) -> Result<Response<Incoming>, CallError> {
    let status = answer.status();
    if status.is_success() {
        return Ok(answer);
    }
    if status.is_redirection() && status != StatusCode::NOT_MODIFIED {
        let location = answer
            .headers()
            .get(LOCATION)
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default()
            .to_owned();
        return Err(CallError::Redirected { url: url.to_owned(), location });
    }
    let text =
        tokio::time::timeout(timeout, Limited::new(answer.into_body(), MAX_REFUSAL_LEN).collect())
            .await
            .ok()
            .and_then(Result::ok)
            .map(|body| String::from_utf8_lossy(&body.to_bytes()).into_owned())
            .unwrap_or_default();
    Err(CallError::Refused { url: url.to_owned(), status: status.as_u16(), text })
}

/// The records of an answer.
pub(crate) fn records(
    body: Incoming,
) -> impl Stream<Item = Result<Bytes, RecordIoError>> + Unpin + Send {
    let body = body.into_data_stream().map_err(std::io::Error::other);
    FramedRead::new(StreamReader::new(body), RecordIo::default()).boxed()
}

/// An error with what caused it.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        text.push_str(": ");
        text.push_str(&inner.to_string());
        cause = inner.source();
    }
    text
}

/// A wait between attempts: doubling from `min` to `max`, each time between half and all of it, so
/// that many clients do not come back at the same moment.
#[derive(Debug, Clone)]
pub(crate) struct Backoff {
    min: Duration,
    max: Duration,
    next: Duration,
}

impl Backoff {
    pub(crate) fn new(min: Duration, max: Duration) -> Self {
        Self { min, max, next: min }
    }

    pub(crate) fn reset(&mut self) {
        self.next = self.min;
    }

    pub(crate) fn next(&mut self) -> Duration {
        let full = self.next.min(self.max);
        self.next = full.saturating_mul(2).min(self.max);
        let random = u32::from(uuid::Uuid::new_v4().as_bytes()[0]);
        full / 2 + (full / 2).saturating_mul(random) / 255
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn backoff_doubles_up_to_its_limit() {
        let mut backoff = Backoff::new(Duration::from_millis(100), Duration::from_millis(300));
        for full in [100, 200, 300, 300] {
            let wait = backoff.next().as_millis();
            assert!((full / 2..=full).contains(&wait), "{wait} of {full}");
        }
        backoff.reset();
        assert!(backoff.next().as_millis() <= 100);
    }
}
