//! The executor API of the agent.

use aurora_mesos::body::ContentType;
use aurora_mesos::v1;
use aurora_mesos::v1::executor::{Call, call};
use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::{HeaderMap, Method, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::any;

use super::executors::{CallRefused, Executors};
use crate::api::{self, Refusal, refuse};

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

fn invalid(text: &str) -> Refusal {
    refuse(StatusCode::BAD_REQUEST, format!("Failed to validate Executor::Call: {text}"))
}

impl From<CallRefused> for Refusal {
    fn from(error: CallRefused) -> Self {
        let status = match error {
            CallRefused::UnknownFramework | CallRefused::Unknown => StatusCode::BAD_REQUEST,
            CallRefused::NotSubscribed => StatusCode::FORBIDDEN,
            CallRefused::NotWritten => StatusCode::SERVICE_UNAVAILABLE,
        };
        refuse(status, error.to_string())
    }
}

async fn executor(
    State(executors): State<Executors>,
    method: Method,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let taken = match api::read::<Call>(&method, &headers, &body) {
        Ok(call) => take(executors, call.message, call.accept).await,
        Err(refusal) => Err(refusal),
    };
    match taken {
        Ok(answer) => answer,
        Err(refusal) => refusal.into_response(),
    }
}

async fn take(
    executors: Executors,
    message: Call,
    accept: ContentType,
) -> Result<Response, Refusal> {
    let kind = message.r#type();
    if message.r#type.is_none() || kind == call::Type::Unknown {
        return Err(invalid("Expecting 'type' to be present"));
    }
    let key = (message.framework_id.value.clone(), message.executor_id.value.clone());
    if kind == call::Type::Subscribe {
        if message.subscribe.is_none() {
            return Err(invalid("Expecting 'subscribe' to be present"));
        }
        let (events, answer) = api::stream(accept);
        let subscriber = events.clone();
        blocking(&executors, move |all| all.subscribe(message, subscriber)).await??;
        tokio::spawn(async move {
            events.closed().await;
            executors.blocking(move |all| all.stream_closed(&key, &events)).await;
        });
        return Ok(answer);
    }
    if kind == call::Type::Update {
        let Some(update) = &message.update else {
            return Err(invalid("Expecting 'update' to be present"));
        };
        if let Some(text) = bad_update(&message, &update.status) {
            return Err(invalid(&text));
        }
        blocking(&executors, move |all| all.update(message)).await??;
    } else {
        blocking(&executors, move |all| all.check(&key.0, &key.1)).await??;
    }
    Ok(StatusCode::ACCEPTED.into_response())
}

/// Executors write to disk, and wait for each other while they do: that must not stop others.
async fn blocking<T: Send + 'static>(
    executors: &Executors,
    act: impl FnOnce(&Executors) -> T + Send + 'static,
) -> Result<T, Refusal> {
    let ending = || refuse(StatusCode::SERVICE_UNAVAILABLE, "The agent is about to end");
    executors.blocking(act).await.ok_or_else(ending)
}

fn bad_update(call: &Call, status: &v1::TaskStatus) -> Option<String> {
    let Some(uuid) = status.uuid.as_deref() else {
        return Some("Expecting 'uuid' to be present".to_owned());
    };
    if !api::is_uuid(uuid) {
        return Some("Not a valid UUID".to_owned());
    }
    (status.source() != v1::task_status::Source::Executor).then(|| {
        format!(
            "Received Call from executor {} of framework {} with invalid source, expecting \
             'SOURCE_EXECUTOR'",
            call.executor_id.value, call.framework_id.value
        )
    })
}
