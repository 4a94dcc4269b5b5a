//! The agent's API for people and their tools: files of sandboxes, and commands in containers ([`sessions`]).

use aurora_daemon::beneath;
use aurora_mesos::body::{self, ContentType};
use aurora_mesos::v1;
use aurora_mesos::v1::agent::{Call, Response as Answer, call, response};
use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{DefaultBodyLimit, Request, State};
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::any;
use http_body_util::{BodyExt, Limited};

use super::executors::Executors;
use super::files::{Root, TOTAL};
use super::sessions::Sessions;
use crate::api::{self, Refusal, refuse};

/// The longest call, in bytes. What is streamed has no end, but each record has this one.
const MAX_BODY: usize = 1 << 20;

/// What the API is made of.
#[derive(Clone)]
struct Parts {
    executors: Executors,
    root: Root,
    sessions: Sessions,
    flags: std::sync::Arc<[v1::Flag]>,
}

pub(crate) fn router(
    executors: Executors,
    root: Root,
    sessions: Sessions,
    flags: Vec<v1::Flag>,
) -> Router {
    let parts = Parts { executors, root, sessions, flags: flags.into() };
    Router::new()
        .route("/api/v1", any(operator))
        .route("/slave(1)/api/v1", any(operator))
        .layer(DefaultBodyLimit::max(MAX_BODY))
        .with_state(parts)
}

fn invalid(text: &str) -> Refusal {
    refuse(StatusCode::BAD_REQUEST, format!("Failed to validate agent::Call: {text}"))
}

async fn operator(State(parts): State<Parts>, request: Request) -> Response {
    let (head, body) = request.into_parts();
    let answered = if is_stream(&head.headers) && head.method == Method::POST {
        parts.sessions.attach_input(&head.headers, body).await
    } else {
        take(&parts, &head.method, &head.headers, body).await
    };
    answered.unwrap_or_else(IntoResponse::into_response)
}

/// Whether a call comes as a stream of records.
fn is_stream(headers: &HeaderMap) -> bool {
    let ty = headers.get(header::CONTENT_TYPE).and_then(|ty| ty.to_str().ok()).unwrap_or_default();
    ty.split(';').next().unwrap_or_default().trim().eq_ignore_ascii_case(api::RECORDIO)
}

async fn take(
    parts: &Parts,
    method: &Method,
    headers: &HeaderMap,
    body: Body,
) -> Result<Response, Refusal> {
    let body = Limited::new(body, MAX_BODY).collect().await.map_err(|_| {
        refuse(StatusCode::PAYLOAD_TOO_LARGE, format!("A call has at most {MAX_BODY} bytes"))
    })?;
    let body: Bytes = body.to_bytes();
    let streamed = headers
        .get(header::ACCEPT)
        .is_some_and(|wanted| wanted.to_str().is_ok_and(|wanted| wanted == api::RECORDIO));
    let mut plain = headers.clone();
    if streamed {
        // How the records are to be written is said elsewhere.
        plain.remove(header::ACCEPT);
        if let Some(wanted) = plain.remove(api::MESSAGE_ACCEPT) {
            plain.insert(header::ACCEPT, wanted);
        }
    }
    let call = api::read::<Call>(method, &plain, &body)?;
    let accept = call.accept;
    let call = call.message;
    match call.r#type() {
        call::Type::GetFlags => answer(&flags(parts), accept),
        call::Type::GetContainers => answer(&containers(parts).await?, accept),
        call::Type::ListFiles => {
            let asked = call.list_files.ok_or_else(|| absent("list_files"))?;
            list(parts.root.clone(), asked.path, accept).await
        }
        call::Type::ReadFile => {
            let asked = call.read_file.ok_or_else(|| absent("read_file"))?;
            answer(&read(parts.root.clone(), asked).await?, accept)
        }
        call::Type::LaunchNestedContainerSession => {
            let session = call
                .launch_nested_container_session
                .ok_or_else(|| absent("launch_nested_container_session"))?;
            parts.sessions.launch(&parts.executors, session, accept).await
        }
        call::Type::WaitNestedContainer => {
            let asked =
                call.wait_nested_container.ok_or_else(|| absent("wait_nested_container"))?;
            let status = parts.sessions.wait(&asked.container_id).await?;
            let wait_nested_container = response::WaitNestedContainer { exit_status: status };
            let found = Answer {
                r#type: Some(response::Type::WaitNestedContainer as i32),
                wait_nested_container: Some(wait_nested_container),
                ..Answer::default()
            };
            answer(&found, accept)
        }
        call::Type::KillNestedContainer => {
            let asked =
                call.kill_nested_container.ok_or_else(|| absent("kill_nested_container"))?;
            parts.sessions.kill(&asked.container_id)?;
            Ok(StatusCode::OK.into_response())
        }
        call::Type::AttachContainerInput => {
            Err(invalid("Expecting 'Content-Type' to be application/recordio"))
        }
        call::Type::Unknown => Err(invalid("Expecting 'type' to be present")),
    }
}

fn absent(field: &str) -> Refusal {
    invalid(&format!("Expecting '{field}' to be present"))
}

fn answer(message: &Answer, accept: ContentType) -> Result<Response, Refusal> {
    let body = body::encode(message, accept)
        .map_err(|error| refuse(StatusCode::INTERNAL_SERVER_ERROR, error.to_string()))?;
    Ok(([(header::CONTENT_TYPE, accept.media_type())], body).into_response())
}

fn flags(parts: &Parts) -> Answer {
    Answer {
        r#type: Some(response::Type::GetFlags as i32),
        get_flags: Some(response::GetFlags { flags: parts.flags.to_vec() }),
        ..Answer::default()
    }
}

async fn containers(parts: &Parts) -> Result<Answer, Refusal> {
    let ending = || refuse(StatusCode::SERVICE_UNAVAILABLE, "The agent is about to end");
    let running = parts.executors.blocking(Executors::running_containers).await;
    let containers = running
        .ok_or_else(ending)?
        .into_iter()
        .map(|(framework, executor, container)| response::get_containers::Container {
            framework_id: v1::FrameworkId { value: framework },
            executor_id: v1::ExecutorId { value: executor },
            container_id: v1::ContainerId { value: container, parent: None },
            ..Default::default()
        })
        .collect();
    Ok(Answer {
        r#type: Some(response::Type::GetContainers as i32),
        get_containers: Some(response::GetContainers { containers }),
        ..Answer::default()
    })
}

async fn list(root: Root, path: String, accept: ContentType) -> Result<Response, Refusal> {
    let asked = path.clone();
    let listed = beneath::blocking(move || root.list(&path)).await;
    let listing = listed.map_err(|error| failed(&error, &asked))?;
    let total = listing.is_cut().then_some(listing.total);
    let file_infos = listing
        .entries
        .into_iter()
        .map(|entry| v1::FileInfo {
            path: format!("{}/{}", asked.trim_end_matches('/'), entry.name.display()),
            nlink: i32::try_from(entry.links).ok(),
            size: Some(entry.size),
            mtime: Some(v1::TimeInfo { nanoseconds: entry.modified.saturating_mul(1_000_000_000) }),
            mode: Some(entry.raw_mode),
            uid: Some(entry.user),
            gid: Some(entry.group),
        })
        .collect();
    let found = Answer {
        r#type: Some(response::Type::ListFiles as i32),
        list_files: Some(response::ListFiles { file_infos }),
        ..Answer::default()
    };
    let mut answer = answer(&found, accept)?;
    if let Some(total) = total {
        answer.headers_mut().insert(TOTAL, total.into());
    }
    Ok(answer)
}

async fn read(root: Root, asked: call::ReadFile) -> Result<Answer, Refusal> {
    let path = asked.path.clone();
    let found = beneath::blocking(move || {
        let file = root.open_file(&asked.path)?;
        let data = beneath::read(&file, asked.offset, asked.length.unwrap_or(beneath::MAX_READ))?;
        Ok(response::ReadFile { size: file.metadata()?.len(), data: data.into() })
    })
    .await;
    Ok(Answer {
        r#type: Some(response::Type::ReadFile as i32),
        read_file: Some(found.map_err(|error| failed(&error, &path))?),
        ..Answer::default()
    })
}

fn failed(error: &std::io::Error, path: &str) -> Refusal {
    match beneath::logged_status(error, path) {
        // In Mesos's words, which are none.
        StatusCode::NOT_FOUND => refuse(StatusCode::NOT_FOUND, ""),
        status => refuse(status, error.to_string()),
    }
}
