//! Asks the outside services that decide whether a task may be stopped (`scheduler.md` 11): one POST
//! each, whose answer is a JSON object with the verdict under a key that the job names.

use std::collections::BTreeMap;
use std::time::Duration;

use aurora_model::job::ScheduledTask;
use aurora_scheduler_core::{CoordinatorAnswer, CoordinatorQuestion, Input};
use axum::body::{Body, Bytes};
use axum::http::{Method, Request, StatusCode, Uri, header};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde_json::{Value, json};

use crate::actor::Core;

/// The longest answer that is read, in bytes.
const MAX_ANSWER: usize = 1 << 20;
/// The key of the verdict if the job names none.
const DEFAULT_KEY: &str = "drain";

/// A way to the coordinators. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Coordinators {
    client: Client<HttpConnector, Body>,
    cluster: String,
    timeout: Duration,
}

/// Why there is no verdict.
#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error("{0:?} is not an address that can be asked: use http://host:port/path")]
    Address(String),
    #[error("{0}")]
    Unreachable(String),
    #[error("it did not answer within {0:?}")]
    Timeout(Duration),
    #[error("it answered with status {0}")]
    Status(StatusCode),
    #[error("its answer is not a JSON object: {0}")]
    NotJson(String),
    #[error("its answer has no true or false under {0:?}")]
    NoVerdict(String),
}

impl Coordinators {
    pub(crate) fn new(cluster: String, timeout: Duration) -> Self {
        let mut connector = HttpConnector::new();
        connector.set_connect_timeout(Some(timeout));
        let client = Client::builder(TokioExecutor::new()).build(connector);
        Self { client, cluster, timeout }
    }

    /// Asks, and brings the answer to the core, whatever it is.
    pub(crate) fn ask(&self, question: CoordinatorQuestion, core: Core) {
        let coordinators = self.clone();
        tokio::spawn(async move {
            let id = question.id;
            let answer = coordinators.answer(&question).await;
            // Without a core the scheduler is ending.
            let _ = core.put(Input::CoordinatorAnswered { id, answer }).await;
        });
    }

    async fn answer(&self, question: &CoordinatorQuestion) -> CoordinatorAnswer {
        metrics::counter!("sla_coordinator_attempts").increment(1);
        let asked = tokio::time::timeout(self.timeout, self.post(question)).await;
        let verdict = asked.unwrap_or(Err(Failure::Timeout(self.timeout)));
        let task = question.task.id();
        let url = &question.url;
        match verdict {
            Ok(is_allowed) => {
                metrics::counter!("sla_coordinator_success").increment(1);
                tracing::info!(%task, url, is_allowed, "a coordinator has answered");
                if is_allowed { CoordinatorAnswer::Allowed } else { CoordinatorAnswer::Denied }
            }
            Err(failure) => {
                let counter = match failure {
                    Failure::Status(_) => "sla_coordinator_user_errors",
                    _ => "sla_coordinator_errors",
                };
                metrics::counter!(counter).increment(1);
                tracing::warn!(%task, url, %failure, "a coordinator gave no verdict");
                CoordinatorAnswer::Failed(failure.to_string())
            }
        }
    }

    async fn post(&self, question: &CoordinatorQuestion) -> Result<bool, Failure> {
        let task = format!("{}/{}", self.cluster, question.task.assigned.instance_key());
        let uri = address(&question.url, &task)?;
        let body = body(&task, &question.task, &question.params).to_string();
        let request = Request::builder()
            .method(Method::POST)
            .uri(uri)
            .header(header::CONTENT_TYPE, "application/json")
            .header(header::ACCEPT, "application/json")
            .body(Body::from(body))
            .map_err(|error| Failure::Unreachable(error.to_string()))?;
        let response = self
            .client
            .request(request)
            .await
            .map_err(|error| Failure::Unreachable(chain(&error)))?;
        if response.status() != StatusCode::OK {
            return Err(Failure::Status(response.status()));
        }
        let body = axum::body::to_bytes(Body::new(response.into_body()), MAX_ANSWER)
            .await
            .map_err(|error| Failure::Unreachable(chain(&error)))?;
        verdict(&body, &question.status_key)
    }
}

/// What went wrong, down to its cause: the outermost error of a client says little.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(inner) = source {
        let inner_text = inner.to_string();
        if !text.contains(&inner_text) {
            text.push_str(": ");
            text.push_str(&inner_text);
        }
        source = inner.source();
    }
    text
}

/// The job's address with the task that is meant in its query.
fn address(url: &str, task: &str) -> Result<Uri, Failure> {
    let bad = || Failure::Address(url.to_owned());
    let (base, _fragment) = url.split_once('#').unwrap_or((url, ""));
    let parsed: Uri = base.parse().map_err(|_| bad())?;
    if parsed.scheme_str() != Some("http") || parsed.host().is_none_or(str::is_empty) {
        return Err(bad());
    }
    let separator = match parsed.query() {
        None => "?",
        Some("") => "",
        Some(_) => "&",
    };
    format!("{parsed}{separator}task={}", encoded(task)).parse().map_err(|_| bad())
}

/// A text as it can stand in a query.
fn encoded(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~' | b'/') {
            encoded.push(char::from(byte));
        } else {
            encoded.push_str(&format!("%{byte:02X}"));
        }
    }
    encoded
}

/// What a coordinator is told; `docs/maintenance.md` describes it.
fn body(key: &str, task: &ScheduledTask, params: &BTreeMap<String, String>) -> Value {
    let mut body = json!({ "task": key, "taskConfig": crate::json::task(task) });
    if let Value::Object(body) = &mut body {
        for (name, value) in params {
            body.insert(name.clone(), Value::String(value.clone()));
        }
    }
    body
}

/// What an answer says.
fn verdict(body: &Bytes, key: &str) -> Result<bool, Failure> {
    let key = if key.is_empty() { DEFAULT_KEY } else { key };
    let answer: serde_json::Map<String, Value> = serde_json::from_slice(body)
        .or_else(|error| serde_json::from_slice(&without_python(body)).map_err(|_| error))
        .map_err(|error| Failure::NotJson(error.to_string()))?;
    answer.get(key).and_then(Value::as_bool).ok_or_else(|| Failure::NoVerdict(key.to_owned()))
}

/// The answer of who prints what Python calls a dictionary, which the original understands: `True`, `False` and
/// `None` outside of texts.
fn without_python(body: &[u8]) -> Vec<u8> {
    let mut json = Vec::with_capacity(body.len());
    let (mut in_text, mut escaped) = (false, false);
    let mut rest = body;
    while let Some((byte, after)) = rest.split_first() {
        let words = [("True", "true"), ("False", "false"), ("None", "null")];
        let word =
            words.into_iter().find(|(word, _)| !in_text && rest.starts_with(word.as_bytes()));
        if let Some((word, plain)) = word {
            json.extend_from_slice(plain.as_bytes());
            rest = rest.get(word.len()..).unwrap_or_default();
            continue;
        }
        if *byte == b'"' && !escaped {
            in_text = !in_text;
        }
        escaped = in_text && *byte == b'\\' && !escaped;
        json.push(*byte);
        rest = after;
    }
    json
}

#[cfg(test)]
mod tests;
