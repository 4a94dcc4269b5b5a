//! An agent, for those who look at its tasks: the files of sandboxes, and commands in containers.

use std::convert::Infallible;
use std::time::Duration;

use bytes::Bytes;
use futures::{Stream, StreamExt};
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Full, Limited, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::header::{ACCEPT, CONTENT_TYPE, HeaderMap};
use hyper::{Method, Request, Response, Uri};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use prost::Message as _;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;

use crate::CallError;
use crate::body::{self, ContentType};
use crate::http::{accepted, chain, connector, records};
use crate::recordio;
use crate::v1;
use crate::v1::agent::{Call, ProcessIo, call, response};

/// How long the agent may take to be reached, and to begin its answer.
const TIMEOUT: Duration = Duration::from_secs(10);
/// The longest answer, in bytes.
const MAX_ANSWER: usize = 16 << 20;
/// The media type of a stream of records, and the headers that say what the records are.
const RECORDIO: &str = "application/recordio";
const MESSAGE_ACCEPT: &str = "Message-Accept";
const MESSAGE_CONTENT_TYPE: &str = "Message-Content-Type";
/// Says of a list that was cut how many entries the folder has.
const TOTAL: &str = "x-total-count";

/// What a folder holds, as an agent tells it.
#[derive(Debug, Clone, Default)]
pub struct Listing {
    /// Its entries, or some of them.
    pub files: Vec<v1::FileInfo>,
    /// How many it has, if not all of them are told.
    pub total: Option<u64>,
}

/// An agent that can be asked. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Agent {
    client: Client<HttpConnector, BoxBody<Bytes, Infallible>>,
    url: String,
}

impl Agent {
    /// The agent at `host:port`. Nothing is sent yet.
    pub fn at(address: &str) -> Self {
        let client = Client::builder(TokioExecutor::new())
            .pool_idle_timeout(Duration::from_secs(30))
            .build(connector(TIMEOUT));
        Self { client, url: format!("http://{address}/slave(1)/api/v1") }
    }

    /// What a folder holds.
    ///
    /// # Errors
    /// [`CallError::Refused`] with status 404 if there is no such folder.
    pub async fn list(&self, path: &str) -> Result<Listing, CallError> {
        let call = Call {
            r#type: Some(call::Type::ListFiles as i32),
            list_files: Some(call::ListFiles { path: path.to_owned() }),
            ..Call::default()
        };
        let (headers, answer) = self.answer(&call, Some(TIMEOUT)).await?;
        let total = headers.get(TOTAL).and_then(|total| total.to_str().ok()?.parse().ok());
        Ok(Listing { files: answer.list_files.unwrap_or_default().file_infos, total })
    }

    /// A part of a file, and how long all of it is. The agent may give less than was asked for.
    ///
    /// # Errors
    /// [`CallError::Refused`] with status 404 if there is no such file.
    pub async fn read(
        &self,
        path: &str,
        offset: u64,
        length: u64,
    ) -> Result<response::ReadFile, CallError> {
        let read_file = call::ReadFile { path: path.to_owned(), offset, length: Some(length) };
        let call = Call {
            r#type: Some(call::Type::ReadFile as i32),
            read_file: Some(read_file),
            ..Call::default()
        };
        Ok(self.ask(&call, Some(TIMEOUT)).await?.read_file.unwrap_or_default())
    }

    /// The containers that run.
    ///
    /// # Errors
    /// It does not tell.
    pub async fn containers(&self) -> Result<Vec<response::get_containers::Container>, CallError> {
        let call = Call { r#type: Some(call::Type::GetContainers as i32), ..Call::default() };
        let found = self.ask(&call, Some(TIMEOUT)).await?.get_containers;
        Ok(found.unwrap_or_default().containers)
    }

    /// What the agent was started with.
    ///
    /// # Errors
    /// It does not tell.
    pub async fn flags(&self) -> Result<Vec<v1::Flag>, CallError> {
        let call = Call { r#type: Some(call::Type::GetFlags as i32), ..Call::default() };
        Ok(self.ask(&call, Some(TIMEOUT)).await?.get_flags.unwrap_or_default().flags)
    }

    /// Runs a command in a container until it ends, or what is returned is dropped. Gives what it prints.
    ///
    /// # Errors
    /// The agent cannot or will not run it.
    pub async fn session(
        &self,
        session: call::LaunchNestedContainerSession,
    ) -> Result<impl Stream<Item = std::io::Result<ProcessIo>> + Unpin + Send + use<>, CallError>
    {
        let call = Call {
            r#type: Some(call::Type::LaunchNestedContainerSession as i32),
            launch_nested_container_session: Some(session),
            ..Call::default()
        };
        let request = self
            .request()
            .header(CONTENT_TYPE, ContentType::Protobuf.media_type())
            .header(ACCEPT, RECORDIO)
            .header(MESSAGE_ACCEPT, ContentType::Protobuf.media_type());
        let body = Full::new(call.encode_to_vec().into()).boxed();
        let answer = self.send(request, body, Some(TIMEOUT)).await?;
        Ok(records(answer.into_body()).map(|record| {
            let record = record.map_err(std::io::Error::other)?;
            ProcessIo::decode(record).map_err(std::io::Error::other)
        }))
    }

    /// Sends what comes through `input` to a command. Returns when the agent takes no more: then it has ended,
    /// or all of `input` is sent.
    ///
    /// # Errors
    /// The agent does not know the command, or is gone.
    pub async fn attach_input(
        &self,
        container: v1::ContainerId,
        input: mpsc::Receiver<ProcessIo>,
    ) -> Result<(), CallError> {
        let attach = |ty, container_id, process_io| {
            let input =
                call::AttachContainerInput { r#type: Some(ty as i32), container_id, process_io };
            let call = Call {
                r#type: Some(call::Type::AttachContainerInput as i32),
                attach_container_input: Some(input),
                ..Call::default()
            };
            recordio::frame(&call.encode_to_vec())
        };
        use call::attach_container_input::Type;
        let first = attach(Type::ContainerId, Some(container), None);
        let rest =
            ReceiverStream::new(input).map(move |io| attach(Type::ProcessIo, None, Some(io)));
        let all = futures::stream::iter([first]).chain(rest);
        let body = StreamBody::new(all.map(|bytes| Ok::<_, Infallible>(Frame::data(bytes))));
        let request = self
            .request()
            .header(CONTENT_TYPE, RECORDIO)
            .header(MESSAGE_CONTENT_TYPE, ContentType::Protobuf.media_type())
            .header(ACCEPT, ContentType::Protobuf.media_type());
        self.send(request, BodyExt::boxed(body), None).await.map(drop)
    }

    /// Waits for the end of a command and gives its wait status, if it is known.
    ///
    /// # Errors
    /// The agent does not know the command, or is gone.
    pub async fn wait(&self, container: v1::ContainerId) -> Result<Option<i32>, CallError> {
        let call = Call {
            r#type: Some(call::Type::WaitNestedContainer as i32),
            wait_nested_container: Some(call::WaitNestedContainer { container_id: container }),
            ..Call::default()
        };
        let answer = self.ask(&call, None).await?;
        Ok(answer.wait_nested_container.and_then(|waited| waited.exit_status))
    }

    async fn ask(
        &self,
        call: &Call,
        timeout: Option<Duration>,
    ) -> Result<v1::agent::Response, CallError> {
        self.answer(call, timeout).await.map(|(_, answer)| answer)
    }

    async fn answer(
        &self,
        call: &Call,
        timeout: Option<Duration>,
    ) -> Result<(HeaderMap, v1::agent::Response), CallError> {
        let ty = ContentType::Protobuf;
        let request =
            self.request().header(CONTENT_TYPE, ty.media_type()).header(ACCEPT, ty.media_type());
        let answer =
            self.send(request, Full::new(call.encode_to_vec().into()).boxed(), timeout).await?;
        let (head, body) = answer.into_parts();
        let body = tokio::time::timeout(TIMEOUT, Limited::new(body, MAX_ANSWER).collect())
            .await
            .map_err(|_| CallError::Timeout { url: self.url.clone(), after: TIMEOUT })?
            .map_err(|error| self.unreachable(error.to_string()))?;
        Ok((head.headers, body::decode(&body.to_bytes(), ty)?))
    }

    fn request(&self) -> hyper::http::request::Builder {
        Request::builder().method(Method::POST)
    }

    fn unreachable(&self, reason: String) -> CallError {
        CallError::Unreachable { url: self.url.clone(), reason }
    }

    /// Sends a call and gives the answer, once its head is one of success.
    async fn send(
        &self,
        request: hyper::http::request::Builder,
        body: BoxBody<Bytes, Infallible>,
        timeout: Option<Duration>,
    ) -> Result<Response<Incoming>, CallError> {
        let uri: Uri = self
            .url
            .parse()
            .map_err(|e: hyper::http::uri::InvalidUri| self.unreachable(e.to_string()))?;
        let request =
            request.uri(uri).body(body).map_err(|error| self.unreachable(error.to_string()))?;
        let sent = self.client.request(request);
        let answer = match timeout {
            None => sent.await,
            Some(after) => tokio::time::timeout(after, sent)
                .await
                .map_err(|_| CallError::Timeout { url: self.url.clone(), after })?,
        };
        let answer = answer.map_err(|error| self.unreachable(chain(&error)))?;
        accepted(&self.url, TIMEOUT, answer).await
    }
}
