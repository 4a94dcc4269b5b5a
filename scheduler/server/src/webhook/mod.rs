//! Tells an HTTP server of tasks that go to another state (`api-and-http.md` 5.1).
//!
//! Changes are told when they are durable, those of one task in order. A server that does not answer
//! is tried again a few times; what comes up meanwhile waits in queues that have an end. Nothing
//! else waits for it.

mod config;

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;
use std::time::Duration;

use aurora_scheduler_core::Moved;
use axum::body::Bytes;
use axum::http::{HeaderValue, Request, StatusCode};
use http_body_util::{BodyExt, Full, Limited};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde_json::json;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

pub use self::config::Webhook;
use crate::actor::now;
use crate::json;

/// Requests at the same time.
const LANES: usize = 8;
/// Changes that may wait for one lane.
const QUEUE: usize = 1024;
/// The name of the number of changes that wait.
const DEPTH: &str = "webhooks_queue_size";
/// How often a change is sent at most.
const ATTEMPTS: u32 = 5;
/// How long is waited before the second attempt; twice as long before each that follows.
const FIRST_PAUSE: Duration = Duration::from_millis(250);
/// How much of an answer is read, so that the connection can be used again.
const ANSWER: usize = 64 << 10;

/// Where changes of tasks are put that somebody wants to be told of. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Told(Arc<[mpsc::Sender<Moved>]>);

impl Told {
    /// Puts a change in; without room for it, it is counted and left out.
    pub(crate) fn put(&self, moved: Moved) {
        let mut hasher = DefaultHasher::new();
        moved.id.hash(&mut hasher);
        let lane = usize::try_from(hasher.finish() % self.0.len() as u64).unwrap_or(0);
        if self.0.get(lane).is_some_and(|lane| lane.try_send(moved).is_ok()) {
            metrics::gauge!(DEPTH).increment(1.0);
        } else {
            metrics::counter!("webhooks_dropped").increment(1);
        }
    }
}

/// Starts to send, until `stop` is cancelled.
pub(crate) fn start(webhook: Webhook, stop: &CancellationToken) -> Told {
    // The original's names are there from the start, so that what watches them finds them.
    for name in [
        "webhooks_attempts",
        "webhooks_success",
        "webhooks_errors",
        "webhooks_user_errors",
        "webhooks_dropped",
    ] {
        metrics::counter!(name).increment(0);
    }
    metrics::gauge!(DEPTH).set(0.0);
    let mut connector = HttpConnector::new();
    connector.set_connect_timeout(Some(webhook.timeout));
    let client = Client::builder(TokioExecutor::new()).build(connector);
    let webhook = Arc::new(webhook);
    let lanes = (0..LANES).map(|_| {
        let (sender, mut changes) = mpsc::channel::<Moved>(QUEUE);
        let lane = Lane { webhook: webhook.clone(), client: client.clone() };
        let stop = stop.clone();
        tokio::spawn(async move {
            let sending = async {
                while let Some(moved) = changes.recv().await {
                    metrics::gauge!(DEPTH).decrement(1.0);
                    lane.tell(&moved).await;
                }
            };
            tokio::select! {
                () = sending => {}
                () = stop.cancelled() => {}
            }
        });
        sender
    });
    Told(lanes.collect())
}

struct Lane {
    webhook: Arc<Webhook>,
    client: Client<HttpConnector, Full<Bytes>>,
}

/// Why a change was not taken.
enum Refusal {
    /// Nobody answered, or not in time.
    Failed(String),
    Status(StatusCode),
}

impl Refusal {
    /// Whether the same request may be taken later.
    fn may_pass(&self) -> bool {
        match self {
            Self::Failed(_) => true,
            Self::Status(status) => {
                status.is_server_error() || *status == StatusCode::TOO_MANY_REQUESTS
            }
        }
    }
}

impl Lane {
    async fn tell(&self, moved: &Moved) {
        let Some(task) = &moved.task else { return };
        let body = json!({ "task": json::task(task), "oldState": moved.from.name() });
        let body = Bytes::from(body.to_string());
        let mut pause = FIRST_PAUSE;
        for attempt in 1..=ATTEMPTS {
            metrics::counter!("webhooks_attempts").increment(1);
            let refusal = match self.post(body.clone()).await {
                Ok(()) => {
                    metrics::counter!("webhooks_success").increment(1);
                    return;
                }
                Err(refusal) => refusal,
            };
            let reason = match &refusal {
                Refusal::Failed(reason) => {
                    metrics::counter!("webhooks_errors").increment(1);
                    reason.clone()
                }
                Refusal::Status(status) => {
                    metrics::counter!("webhooks_user_errors").increment(1);
                    format!("it answered {status}")
                }
            };
            let target = &self.webhook.target;
            if attempt == ATTEMPTS || !refusal.may_pass() {
                metrics::counter!("webhooks_dropped").increment(1);
                tracing::warn!(%target, task = %moved.id, state = %moved.to, reason, attempt, "a webhook was not taken");
                return;
            }
            tracing::debug!(%target, task = %moved.id, reason, attempt, "a webhook will be sent again");
            tokio::time::sleep(pause).await;
            pause *= 2;
        }
    }

    async fn post(&self, body: Bytes) -> Result<(), Refusal> {
        let mut request = Request::post(self.webhook.target.clone())
            .body(Full::new(body))
            .map_err(|error| Refusal::Failed(error.to_string()))?;
        *request.headers_mut() = self.webhook.headers.clone();
        request.headers_mut().insert("timestamp", HeaderValue::from(now().0));
        let answering = async {
            let answer = self.client.request(request).await.map_err(|error| {
                let cause = std::error::Error::source(&error).map(ToString::to_string);
                Refusal::Failed(cause.unwrap_or_else(|| error.to_string()))
            })?;
            let status = answer.status();
            // A connection is used again only when the answer has been read.
            let _ = Limited::new(answer.into_body(), ANSWER).collect().await;
            if status == StatusCode::OK { Ok(()) } else { Err(Refusal::Status(status)) }
        };
        tokio::time::timeout(self.webhook.timeout, answering)
            .await
            .unwrap_or_else(|_| Err(Refusal::Failed("no answer in time".to_owned())))
    }
}
