//! The executor API of the agent.

use aurora_mesos::v1;
use aurora_mesos::v1::executor::{Call, call};
use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::{HeaderMap, Method, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::any;

use super::executors::{CallRefused, Executors};
use crate::api::{self, refuse};

/// The longest call, in bytes.
const MAX_BODY: usize = 16 << 20;

pub(crate) fn router(executors: Executors) -> Router {
    Router::new()
        .route("/api/v1/executor", any(executor))
        .route("/slave(1)/api/v1/executor", any(executor))
        .route("/slave(1)/health", axum::routing::get(|| async {}))
        .layer(DefaultBodyLimit::max(MAX_BODY))
        .with_state(executors)
}

fn invalid(text: &str) -> Response {
    refuse(StatusCode::BAD_REQUEST, format!("Failed to validate executor::Call: {text}"))
}

fn refused(error: CallRefused) -> Response {
    let status = match error {
        CallRefused::Unknown => StatusCode::BAD_REQUEST,
        CallRefused::NotSubscribed => StatusCode::FORBIDDEN,
    };
    refuse(status, error.to_string())
}

async fn executor(
    State(executors): State<Executors>,
    method: Method,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let call = match api::read::<Call>(&method, &headers, &body) {
        Ok(call) => call,
        Err(answer) => return answer,
    };
    let (message, accept) = (call.message, call.accept);
    let kind = message.r#type();
    if message.r#type.is_none() || kind == call::Type::Unknown {
        return invalid("Expecting 'type' to be present");
    }
    let key = (message.framework_id.value.clone(), message.executor_id.value.clone());
    if kind == call::Type::Subscribe {
        if message.subscribe.is_none() {
            return invalid("Expecting 'subscribe' to be present");
        }
        let (events, answer) = api::stream(accept);
        if let Err(error) = executors.subscribe(message, events.clone()) {
            return refused(error);
        }
        tokio::spawn(async move {
            events.closed().await;
            executors.stream_closed(&key, &events);
        });
        return answer;
    }
    if let Err(error) = executors.check(&key.0, &key.1) {
        return refused(error);
    }
    if kind == call::Type::Update {
        let Some(update) = &message.update else {
            return invalid("Expecting 'update' to be present");
        };
        if let Some(text) = bad_update(&update.status) {
            return invalid(&text);
        }
        if let Err(error) = executors.update(message) {
            return refused(error);
        }
    }
    StatusCode::ACCEPTED.into_response()
}

fn bad_update(status: &v1::TaskStatus) -> Option<String> {
    let uuid = status.uuid.as_deref().unwrap_or_default();
    let is_uuid = uuid::Uuid::from_slice(uuid).is_ok_and(|uuid| uuid.get_version().is_some());
    if status.uuid.is_none() {
        return Some("Expecting 'uuid' to be present".to_owned());
    }
    if !is_uuid {
        return Some("Not a valid UUID".to_owned());
    }
    (status.source() != v1::task_status::Source::Executor).then(|| {
        format!(
            "Received Call from executor with invalid source, expecting 'SOURCE_EXECUTOR', got '{}'",
            status.source().as_str_name()
        )
    })
}
