//! The scheduler API of the master.

use std::time::Duration;

use aurora_mesos::STREAM_ID_HEADER;
use aurora_mesos::v1;
use aurora_mesos::v1::scheduler::{Call, Event, call, event};
use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode};
use axum::response::{IntoResponse, Json, Response};
use axum::routing::{any, get};

use super::core::Refused;
use super::shell::{Shell, error_event};
use crate::api::{self, Refusal, refuse};

/// How often a stream shows that it lives, as Mesos has it.
const HEARTBEAT: Duration = Duration::from_secs(15);
/// The longest call, in bytes.
const MAX_BODY: usize = 64 << 20;

#[derive(Clone)]
pub(crate) struct Api {
    pub(crate) shell: Shell,
    pub(crate) info: v1::MasterInfo,
}

pub(crate) fn router(api: Api) -> Router {
    Router::new()
        .route("/api/v1/scheduler", any(scheduler))
        .route("/master/api/v1/scheduler", any(scheduler))
        .route("/master/health", get(|| async {}))
        .route("/master/slaves", get(agents))
        .route("/master/frameworks", get(frameworks))
        .layer(DefaultBodyLimit::max(MAX_BODY))
        .with_state(api)
}

fn bad(text: impl Into<String>) -> Refusal {
    refuse(StatusCode::BAD_REQUEST, text)
}

fn invalid(text: &str) -> Refusal {
    bad(format!("Failed to validate scheduler::Call: {text}"))
}

async fn scheduler(
    State(api): State<Api>,
    method: Method,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    match take(&api, &method, &headers, &body) {
        Ok(answer) => answer,
        Err(refusal) => refusal.into_response(),
    }
}

fn take(
    api: &Api,
    method: &Method,
    headers: &HeaderMap,
    body: &Bytes,
) -> Result<Response, Refusal> {
    let call = api::read::<Call>(method, headers, body)?;
    let (message, accept) = (call.message, call.accept);
    let kind = message.r#type();
    if message.r#type.is_none() || kind == call::Type::Unknown {
        return Err(invalid("Expecting 'type' to be present"));
    }
    let stream_id = headers.get(STREAM_ID_HEADER).and_then(|value| value.to_str().ok());
    if kind == call::Type::Subscribe {
        return subscribe(api, message, accept, stream_id);
    }
    let Some(framework) = message.framework_id.as_ref().map(|id| id.value.clone()) else {
        return Err(invalid("Expecting 'framework_id' to be present"));
    };
    if let Some(missing) = missing_body(&message, kind) {
        return Err(invalid(&format!("Expecting '{missing}' to be present")));
    }
    api.shell.with(|inner, now| {
        if !inner.core.knows(&framework) {
            return Err(bad("Framework cannot be found"));
        }
        if !inner.core.is_connected(&framework) {
            return Err(refuse(StatusCode::FORBIDDEN, "Framework is not subscribed"));
        }
        let Some(given) = stream_id else {
            return Err(bad("All non-subscribe calls should include the 'Mesos-Stream-Id' header"));
        };
        if inner.stream_of(&framework) != Some(given) {
            return Err(bad(format!(
                "The stream ID '{given}' included in this request didn't match the stream ID \
                 currently associated with framework ID {framework}"
            )));
        }
        inner.core.call(now, &framework, message).map_err(|refused| match refused {
            Refused::Uuid => invalid(&refused.to_string()),
            Refused::Unsupported(_) => refuse(StatusCode::NOT_IMPLEMENTED, refused.to_string()),
        })?;
        Ok(StatusCode::ACCEPTED.into_response())
    })
}

fn missing_body(call: &Call, kind: call::Type) -> Option<&'static str> {
    use call::Type;
    let (name, is_there) = match kind {
        Type::Accept => ("accept", call.accept.is_some()),
        Type::Decline => ("decline", call.decline.is_some()),
        Type::Kill => ("kill", call.kill.is_some()),
        Type::Acknowledge => ("acknowledge", call.acknowledge.is_some()),
        Type::Reconcile => ("reconcile", call.reconcile.is_some()),
        Type::Shutdown => ("shutdown", call.shutdown.is_some()),
        Type::Message => ("message", call.message.is_some()),
        _ => return None,
    };
    (!is_there).then_some(name)
}

fn subscribe(
    api: &Api,
    call: Call,
    accept: aurora_mesos::body::ContentType,
    stream_id: Option<&str>,
) -> Result<Response, Refusal> {
    let Some(subscribe) = call.subscribe else {
        return Err(invalid("Expecting 'subscribe' to be present"));
    };
    if stream_id.is_some() {
        return Err(bad("Subscribe calls should not include the 'Mesos-Stream-Id' header"));
    }
    if call.framework_id != subscribe.framework_info.id {
        return Err(invalid("'framework_id' differs from 'subscribe.framework_info.id'"));
    }
    let suppressed = !subscribe.suppressed_roles.is_empty();
    let info = subscribe.framework_info;
    let name = info.name.clone();
    let (events, mut answer) = api::stream(accept);
    let id = uuid::Uuid::new_v4().to_string();
    let result = api.shell.with(|inner, now| {
        // The stream must be there before the first event is made.
        let provisional = info.id.as_ref().map(|id| id.value.clone());
        if let Some(framework) = &provisional
            && !inner.core.was_removed(framework)
        {
            inner.open_stream(framework, id.clone(), events.clone());
        }
        let seconds = HEARTBEAT.as_secs_f64();
        let result = inner.core.subscribe(now, info, suppressed, api.info.clone(), seconds);
        if let Ok(framework) = &result
            && provisional.is_none()
        {
            inner.open_stream(framework, id.clone(), events.clone());
        }
        result
    });
    match result {
        Ok(framework) => {
            tracing::info!(framework, name, "a framework has subscribed");
            tokio::spawn(attend(api.shell.clone(), framework, events));
        }
        Err(message) => {
            events.send(&error_event(&message));
        }
    }
    if let Ok(value) = HeaderValue::from_str(&id) {
        answer.headers_mut().insert(STREAM_ID_HEADER, value);
    }
    Ok(answer)
}

/// Sends heartbeats as long as the stream is open.
async fn attend(shell: Shell, framework: String, events: api::Events) {
    let heartbeat = Event { r#type: Some(event::Type::Heartbeat as i32), ..Event::default() };
    let mut timer = tokio::time::interval(HEARTBEAT);
    loop {
        tokio::select! {
            () = events.closed() => break,
            _ = timer.tick() => {
                if !events.send(&heartbeat) {
                    break;
                }
            }
        }
    }
    tracing::info!(framework, "a framework's stream has ended");
    shell.with(|inner, now| inner.stream_closed(now, &framework, &events));
}

async fn agents(State(api): State<Api>) -> Response {
    let found: Vec<serde_json::Value> = api.shell.with(|inner, _| {
        inner
            .core
            .agents()
            .map(|(info, connected)| {
                serde_json::json!({
                    "id": info.id.as_ref().map(|id| id.value.clone()),
                    "hostname": info.hostname,
                    "port": info.port,
                    "active": connected,
                })
            })
            .collect()
    });
    Json(serde_json::json!({ "slaves": found })).into_response()
}

async fn frameworks(State(api): State<Api>) -> Response {
    let found: Vec<serde_json::Value> = api.shell.with(|inner, _| {
        inner
            .core
            .frameworks()
            .map(|(info, connected)| {
                serde_json::json!({
                    "id": info.id.as_ref().map(|id| id.value.clone()),
                    "name": info.name,
                    "active": connected,
                    "connected": connected,
                })
            })
            .collect()
    });
    Json(serde_json::json!({ "frameworks": found })).into_response()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use http_body_util::BodyExt;

    use super::*;
    use crate::api::recorded;
    use crate::master::core::Times;

    fn api(folder: &std::path::Path) -> Api {
        let times = Times { agent_timeout: 0, reregistration: 0 };
        let registry = folder.join("registry.json");
        let shell = Shell::new("M".to_owned(), BTreeSet::new(), times, registry);
        Api { shell, info: v1::MasterInfo { id: "M".to_owned(), ..Default::default() } }
    }

    #[tokio::test]
    async fn refusals_are_those_of_mesos() {
        let folder = tempfile::tempdir().unwrap();
        let router = router(api(folder.path()));
        let subscribe = r#"{"type": "SUBSCRIBE", "subscribe":
            {"framework_info": {"user": "root", "name": "test"}}}"#;
        let mut stream = recorded::send(&router, recorded::post("scheduler", subscribe)).await;
        let id = stream.headers()[STREAM_ID_HEADER].to_str().unwrap().to_owned();
        let first = stream.frame().await.unwrap().unwrap().into_data().unwrap();
        let first = String::from_utf8_lossy(&first);
        let (_, first) = first.split_once('\n').unwrap();
        let first: serde_json::Value = serde_json::from_str(first).unwrap();
        let framework = first["subscribed"]["framework_id"]["value"].as_str().unwrap();
        recorded::replay(&router, "scheduler", framework, &id).await;

        let teardown =
            format!(r#"{{"type": "TEARDOWN", "framework_id": {{"value": "{framework}"}}}}"#);
        let mut request = recorded::post("scheduler", &teardown);
        request.headers_mut().insert(STREAM_ID_HEADER, HeaderValue::from_str(&id).unwrap());
        let answer = recorded::send(&router, request.clone()).await;
        assert_eq!(answer.status(), StatusCode::ACCEPTED);
        let answer = recorded::send(&router, request).await;
        assert_eq!(answer.status(), StatusCode::BAD_REQUEST);
        let text = answer.into_body().collect().await.unwrap().to_bytes();
        assert_eq!(text, "Framework cannot be found");
        while let Some(frame) = stream.frame().await {
            frame.unwrap();
        }
    }
}
