//! Commands in containers: each is run as the user that the container's task has, in its cgroup and sandbox,
//! and ends with the connection that asked for it.
//!
//! The calls are those of Mesos: a session is launched and prints to the answer, input is attached to it, its
//! end is waited for. What runs is [`process`]'s.

mod process;
mod streams;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use aurora_mesos::body::{self, ContentType};
use aurora_mesos::recordio::{self, RecordIo};
use aurora_mesos::v1;
use aurora_mesos::v1::agent::{Call, ProcessIo, call, process_io};
use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use futures::{StreamExt, TryStreamExt};
use tokio::sync::{mpsc, watch};
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::codec::FramedRead;
use tokio_util::io::StreamReader;
use tokio_util::sync::CancellationToken;

pub(crate) use self::process::end_left;
use self::process::{Process, Request};
use super::executors::Executors;
use crate::api::{self, Refusal, refuse};

/// Commands that run at the same time.
const MAX_RUNNING: usize = 64;
/// Commands that are remembered, and how long those are that have ended.
const MAX_KNOWN: usize = 1024;
const REMEMBERED: Duration = Duration::from_mins(1);
/// How long the last output of a command that has ended waits to be read.
const LAST_WORDS: Duration = Duration::from_mins(10);
/// Records that wait to be read, in either direction: who does not read holds the command up.
const UNREAD: usize = 16;
/// The longest record of input, in bytes.
const MAX_RECORD: usize = 1 << 20;
/// The longest id of a session, in bytes.
const MAX_ID: usize = 128;

/// All sessions of an agent. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Sessions {
    known: Arc<Mutex<BTreeMap<Id, Session>>>,
    /// Whether commands may be run at all.
    allowed: bool,
    stop: CancellationToken,
}

/// The container, and the session in it.
type Id = (String, String);

struct Session {
    /// Gone as soon as somebody has attached.
    input: Option<mpsc::Sender<Input>>,
    /// The wait status, once it has ended.
    status: watch::Receiver<Option<i32>>,
    kill: CancellationToken,
    ended: Option<Instant>,
}

/// What goes to a command.
#[derive(Debug)]
enum Input {
    Bytes(Bytes),
    Size(Size),
}

/// The size of a terminal.
#[derive(Debug, Clone, Copy, Default)]
struct Size {
    rows: u16,
    columns: u16,
}

impl Size {
    fn of(info: &v1::TtyInfo) -> Self {
        let cell = |number: u32| u16::try_from(number).unwrap_or(u16::MAX);
        let size = info.window_size.as_ref();
        size.map_or_else(Self::default, |size| Self {
            rows: cell(size.rows),
            columns: cell(size.columns),
        })
    }
}

fn invalid(text: &str) -> Refusal {
    refuse(StatusCode::BAD_REQUEST, format!("Failed to validate agent::Call: {text}"))
}

/// The container and the session that an id names, which is one level deep.
fn id(container: &v1::ContainerId) -> Result<Id, Refusal> {
    let parent = container
        .parent
        .as_ref()
        .ok_or_else(|| invalid("Expecting 'container_id.parent' to be present"))?;
    let name = &container.value;
    let is_name = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    if name.is_empty() || name.len() > MAX_ID || !name.bytes().all(is_name) {
        return Err(invalid(
            "'container_id.value' must be of A-Z a-z 0-9 _ -, at most 128 of them",
        ));
    }
    if parent.parent.is_some() {
        return Err(refuse(StatusCode::NOT_FOUND, "Container cannot be found"));
    }
    Ok((parent.value.clone(), name.clone()))
}

impl Sessions {
    /// None yet. They end when `stop` is cancelled.
    pub(crate) fn new(allowed: bool, stop: CancellationToken) -> Self {
        Self { known: Arc::default(), allowed, stop }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<Id, Session>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Runs a command; the answer is what it prints.
    pub(crate) async fn launch(
        &self,
        executors: &Executors,
        asked: call::LaunchNestedContainerSession,
        accept: ContentType,
    ) -> Result<Response, Refusal> {
        if !self.allowed {
            let text = "This agent runs no commands in containers: it was started with --no-exec";
            return Err(refuse(StatusCode::FORBIDDEN, text));
        }
        let id = id(&asked.container_id)?;
        let container = id.0.clone();
        let inside = executors.blocking(move |all| all.inside(&container)).await.flatten();
        let inside =
            inside.ok_or_else(|| refuse(StatusCode::NOT_FOUND, "Container cannot be found"))?;
        let command = asked.command.unwrap_or_default();
        let terminal = asked.container.and_then(|container| container.tty_info);
        let (status, ended) = watch::channel(None);
        let (input, inputs) = mpsc::channel(UNREAD);
        let kill = self.stop.child_token();
        self.remember(
            &id,
            Session { input: Some(input), status: ended, kill: kill.clone(), ended: None },
        )?;
        let request = Request {
            id: id.1.clone(),
            inside,
            command,
            terminal: terminal.as_ref().map(Size::of),
        };
        // A client that goes meanwhile must not leave a command behind that nobody attends.
        let begun = self.clone().begin(id, request, inputs, accept, kill, status);
        let ending = || refuse(StatusCode::SERVICE_UNAVAILABLE, "The agent is about to end");
        tokio::spawn(begun).await.map_err(|_| ending())?
    }

    async fn begin(
        self,
        id: Id,
        request: Request,
        inputs: mpsc::Receiver<Input>,
        accept: ContentType,
        kill: CancellationToken,
        status: watch::Sender<Option<i32>>,
    ) -> Result<Response, Refusal> {
        let process = match process::start(request).await {
            Ok(process) => process,
            Err(error) => {
                self.lock().remove(&id);
                let status = match error.kind() {
                    std::io::ErrorKind::PermissionDenied => StatusCode::FORBIDDEN,
                    _ => StatusCode::INTERNAL_SERVER_ERROR,
                };
                return Err(refuse(status, format!("Failed to run the command: {error}")));
            }
        };
        tracing::info!(container = id.0, session = id.1, user = process.user, "runs a command");
        let (events, answer) = mpsc::channel(UNREAD);
        tokio::spawn(self.attend(id, process, inputs, events, accept, kill, status));
        let body =
            Body::from_stream(ReceiverStream::new(answer).map(Ok::<_, std::convert::Infallible>));
        let headers = [
            (header::CONTENT_TYPE.as_str(), api::RECORDIO),
            ("message-content-type", accept.media_type()),
        ];
        Ok((headers, body).into_response())
    }

    fn remember(&self, id: &Id, session: Session) -> Result<(), Refusal> {
        let mut known = self.lock();
        known.retain(|_, session| session.ended.is_none_or(|at| at.elapsed() < REMEMBERED));
        let running = known.values().filter(|session| session.ended.is_none()).count();
        if running >= MAX_RUNNING {
            let text = format!("This agent runs {MAX_RUNNING} commands at a time; try again later");
            return Err(refuse(StatusCode::SERVICE_UNAVAILABLE, text));
        }
        if known.contains_key(id) {
            return Err(refuse(StatusCode::CONFLICT, "There is such a container already"));
        }
        if known.len() >= MAX_KNOWN {
            let ended = known.iter().filter_map(|(id, session)| Some((session.ended?, id)));
            if let Some((_, oldest)) = ended.min() {
                let oldest = oldest.clone();
                known.remove(&oldest);
            }
        }
        known.insert(id.clone(), session);
        Ok(())
    }

    /// Sees a command through: passes on what it prints and is sent, until it or its reader has gone.
    #[expect(clippy::too_many_arguments, reason = "the parts of one session, each used once")]
    async fn attend(
        self,
        id: Id,
        process: Process,
        inputs: mpsc::Receiver<Input>,
        events: mpsc::Sender<Bytes>,
        accept: ContentType,
        kill: CancellationToken,
        status: watch::Sender<Option<i32>>,
    ) {
        let Process { streams, mut end, user: _ } = process;
        let record = move |ty, bytes| output(ty, bytes, accept);
        let over = CancellationToken::new();
        let passing = streams.pass(inputs, events.clone(), record, over.clone());
        tokio::pin!(passing);
        let mut passed = false;
        let mut exit = loop {
            tokio::select! {
                exit = end.exited() => break exit,
                // Who asked for it has gone.
                () = events.closed(), if !end.is_killed() => end.kill().await,
                () = kill.cancelled(), if !end.is_killed() => end.kill().await,
                // It has closed all of its output, and may go on.
                () = &mut passing, if !passed => passed = true,
            }
        };
        // What it has started ends with it: what it has printed is all that there is.
        end.finish().await;
        over.cancel();
        if !passed {
            tokio::select! {
                () = passing => {}
                () = kill.cancelled() => {}
                // Who has not got all of it must not take it for all.
                () = tokio::time::sleep(LAST_WORDS) => exit = None,
            }
        }
        if let Some(session) = self.lock().get_mut(&id) {
            session.ended = Some(Instant::now());
            session.input = None;
        }
        // Nobody may wait for it.
        let _ = status.send(Some(exit.unwrap_or(process::UNKNOWN)));
        tracing::info!(container = id.0, session = id.1, status = exit, "a command has ended");
    }

    /// Passes on what a client sends to a command.
    pub(crate) async fn attach_input(
        &self,
        headers: &HeaderMap,
        body: Body,
    ) -> Result<Response, Refusal> {
        let ty = headers
            .get(api::MESSAGE_CONTENT_TYPE)
            .and_then(|ty| ContentType::of_media_type(ty.to_str().ok()?))
            .ok_or_else(|| {
                let text = "Expecting 'Message-Content-Type' of application/json or application/x-protobuf";
                refuse(StatusCode::UNSUPPORTED_MEDIA_TYPE, text)
            })?;
        let bytes = StreamReader::new(body.into_data_stream().map_err(std::io::Error::other));
        let mut records = FramedRead::new(bytes, RecordIo::new(MAX_RECORD));
        let first = match records.next().await {
            Some(record) => attached(record, ty)?,
            None => return Err(invalid("Expecting 'attach_container_input' to be present")),
        };
        let container =
            first.container_id.ok_or_else(|| invalid("Expecting 'container_id' to be present"))?;
        let input = match self.lock().get_mut(&id(&container)?) {
            None => return Err(refuse(StatusCode::NOT_FOUND, "Container cannot be found")),
            Some(session) => session.input.take(),
        };
        let Some(input) = input else {
            let text = "The container has ended, or somebody is attached to it";
            return Err(refuse(StatusCode::CONFLICT, text));
        };
        while let Some(record) = records.next().await {
            let Some(io) = attached(record, ty)?.process_io else { continue };
            let Some(came) = came(&io) else { continue };
            let is_last = matches!(&came, Input::Bytes(bytes) if bytes.is_empty());
            // One that has ended reads no more.
            if is_last || input.send(came).await.is_err() {
                break;
            }
        }
        Ok(StatusCode::OK.into_response())
    }

    /// Waits for the end of a command. Gives its wait status; none if nobody knows it.
    pub(crate) async fn wait(&self, container: &v1::ContainerId) -> Result<Option<i32>, Refusal> {
        let absent = || refuse(StatusCode::NOT_FOUND, "Container cannot be found");
        let id = id(container)?;
        let status = self.lock().get(&id).map(|session| session.status.clone());
        let mut status = status.ok_or_else(absent)?;
        let ended = status.wait_for(Option::is_some).await.map_err(|_| absent())?;
        Ok(ended.filter(|status| *status != process::UNKNOWN))
    }

    /// Ends a command.
    pub(crate) fn kill(&self, container: &v1::ContainerId) -> Result<(), Refusal> {
        match self.lock().get(&id(container)?) {
            None => Err(refuse(StatusCode::NOT_FOUND, "Container cannot be found")),
            Some(session) => {
                session.kill.cancel();
                Ok(())
            }
        }
    }
}

/// A record of what is sent to a command.
fn attached(
    record: Result<Bytes, recordio::RecordIoError>,
    ty: ContentType,
) -> Result<call::AttachContainerInput, Refusal> {
    let bad = |text: String| refuse(StatusCode::BAD_REQUEST, text);
    let record = record.map_err(|error| bad(error.to_string()))?;
    let call: Call = body::decode_checked(&record, ty).map_err(|error| bad(error.to_string()))?;
    call.attach_container_input
        .ok_or_else(|| invalid("Expecting 'attach_container_input' to be present"))
}

/// What a record means for a command; nothing if it is only a sign of life.
fn came(io: &ProcessIo) -> Option<Input> {
    match io.r#type() {
        process_io::Type::Data => {
            let data = io.data.as_ref()?;
            let is_input = data.r#type() == process_io::data::Type::Stdin;
            is_input.then(|| Input::Bytes(data.data.clone().unwrap_or_default()))
        }
        process_io::Type::Control => {
            let info = io.control.as_ref()?.tty_info.as_ref()?;
            Some(Input::Size(Size::of(info)))
        }
        process_io::Type::Unknown => None,
    }
}

/// A record of what a command has printed.
fn output(ty: process_io::data::Type, bytes: Bytes, accept: ContentType) -> Bytes {
    let data = process_io::Data { r#type: Some(ty as i32), data: Some(bytes) };
    let io = ProcessIo {
        r#type: Some(process_io::Type::Data as i32),
        data: Some(data),
        ..ProcessIo::default()
    };
    match body::encode(&io, accept) {
        Ok(record) => recordio::frame(&record),
        Err(error) => {
            tracing::error!(%error, "failed to write what a command has printed");
            Bytes::new()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn session(ended: Option<Instant>) -> Session {
        let (_, status) = watch::channel(None);
        Session { input: None, status, kill: CancellationToken::new(), ended }
    }

    #[test]
    fn the_oldest_that_have_ended_are_forgotten_and_those_that_run_are_counted() {
        let all = Sessions::new(true, CancellationToken::new());
        let id = |number: usize| ("container".to_owned(), number.to_string());
        for number in 0..=MAX_KNOWN {
            all.remember(&id(number), session(Some(Instant::now()))).unwrap();
        }
        let is_known = |number| all.lock().contains_key(&id(number));
        assert!(!is_known(0) && is_known(1) && is_known(MAX_KNOWN));
        assert_eq!(all.lock().len(), MAX_KNOWN);
        for number in 0..MAX_RUNNING {
            all.remember(&("other".to_owned(), number.to_string()), session(None)).unwrap();
        }
        let refused = all.remember(&id(0), session(None)).unwrap_err();
        assert_eq!(refused.into_response().status(), StatusCode::SERVICE_UNAVAILABLE);
    }
}
