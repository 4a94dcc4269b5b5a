//! A proxy in front of a real scheduler that counts calls, keeps what was sent, and can spoil single calls.
//!
//! Methods are named by their last part, as `CreateJob`. What is to go wrong is planned before the command
//! runs; calls that nothing was planned for are forwarded and their answers passed on, streams too.
//!
//! ```text
//! let proxy = Proxy::before(&cluster.scheduler_address());
//! proxy.plan("CreateJob", 1, Fault::refuse(Code::Unavailable, "the storage is not ready"));
//! proxy.run(&cluster.home, &["job", "create", …]).expect(0);
//! assert_eq!(proxy.calls("CreateJob"), 2);
//! let sent: Vec<v1::CreateJobRequest> = proxy.sent("CreateJob");
//! ```

use std::convert::Infallible;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::{Buf, Bytes};
use http_body_util::{BodyExt, Empty, Full, combinators::UnsyncBoxBody};
use hyper::body::Incoming;
use hyper::header::{HeaderMap, HeaderValue};
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode, Uri};
use hyper_util::client::legacy::{Client, connect::HttpConnector};
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use prost::Message;
use rustls::ServerConfig;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tonic::Code;

use super::{Home, Ran};

type Body = UnsyncBoxBody<Bytes, hyper::Error>;

/// What goes wrong with a call.
#[derive(Debug, Clone)]
pub(crate) enum Fault {
    /// The scheduler is not asked; this is the answer, with these headers.
    Refuse(Code, String, Vec<(&'static str, String)>),
    /// The scheduler is not asked; this message is the answer, encoded.
    Answer(Bytes),
    /// The scheduler is not asked; this HTTP status is the answer, with this `location` if there is one.
    Http(u16, Option<String>),
    /// The connection is lost before the scheduler hears of the call.
    LostBefore,
    /// The scheduler has acted, and the connection is lost before its answer comes.
    LostAfter,
    /// The call is forwarded so much later.
    Late(Duration),
    /// There is no answer at all, and the scheduler is not asked.
    Silent,
}

impl Fault {
    /// The scheduler is not asked; this is the answer.
    pub(crate) fn refuse(code: Code, message: &str) -> Self {
        Self::Refuse(code, message.to_owned(), Vec::new())
    }

    /// The scheduler is not asked; this is the answer.
    pub(crate) fn answer(message: &impl Message) -> Self {
        Self::Answer(message.encode_to_vec().into())
    }
}

/// A call that came.
#[derive(Debug, Clone)]
pub(crate) struct Call {
    /// As `/aurora.v1.Jobs/CreateJob`.
    pub(crate) path: String,
    pub(crate) headers: HeaderMap,
    /// The message, encoded.
    message: Bytes,
}

#[derive(Debug)]
struct Plan {
    method: String,
    /// How many calls are left that it is for.
    left: usize,
    fault: Fault,
}

#[derive(Debug, Default)]
struct State {
    calls: Vec<Call>,
    plans: Vec<Plan>,
    connections: usize,
    /// Calls without this header are answered with HTTP 401.
    required: Option<(&'static str, String)>,
    /// Where the calls go.
    scheduler: Option<SocketAddr>,
}

/// A proxy, which ends with this.
#[derive(Debug)]
pub(crate) struct Proxy {
    address: String,
    state: Arc<Mutex<State>>,
    stop: CancellationToken,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Proxy {
    /// Stands before a scheduler, whose address is as `http://127.0.0.1:8081`.
    pub(crate) fn before(scheduler: &str) -> Self {
        let proxy = Self::alone();
        proxy.forward_to(scheduler);
        proxy
    }

    /// Stands before a scheduler, and speaks TLS to who asks; its address is as `https://127.0.0.1:8081`.
    pub(crate) fn with_tls(scheduler: &str, tls: Arc<ServerConfig>) -> Self {
        let proxy = Self::start(Some(TlsAcceptor::from(tls)));
        proxy.forward_to(scheduler);
        proxy
    }

    /// Stands before nobody: a call that nothing was planned for is refused.
    pub(crate) fn alone() -> Self {
        Self::start(None)
    }

    fn start(tls: Option<TlsAcceptor>) -> Self {
        let state = Arc::new(Mutex::new(State::default()));
        let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        listener.set_nonblocking(true).unwrap();
        let scheme = if tls.is_some() { "https" } else { "http" };
        let address = format!("{scheme}://{}", listener.local_addr().unwrap());
        let stop = CancellationToken::new();
        let (shared, stopped) = (Arc::clone(&state), stop.clone());
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            let serve =
                async move { serve(TcpListener::from_std(listener).unwrap(), tls, shared).await };
            runtime.unwrap().block_on(stopped.run_until_cancelled(serve));
        });
        Self { address, state, stop, thread: Some(thread) }
    }

    /// As commands take it.
    pub(crate) fn address(&self) -> String {
        self.address.clone()
    }

    /// From now on another scheduler gets the calls.
    pub(crate) fn forward_to(&self, scheduler: &str) {
        let scheduler = scheduler.trim_start_matches("http://").parse().unwrap();
        self.state.lock().unwrap().scheduler = Some(scheduler);
    }

    /// So many next calls of a method go wrong like this; `*` means every method. What was planned first
    /// comes first.
    pub(crate) fn plan(&self, method: &str, times: usize, fault: Fault) {
        let plan = Plan { method: method.to_owned(), left: times, fault };
        self.state.lock().unwrap().plans.push(plan);
    }

    /// From now on calls without this header are answered with HTTP 401.
    pub(crate) fn require(&self, header: &'static str, value: &str) {
        self.state.lock().unwrap().required = Some((header, value.to_owned()));
    }

    /// Runs a command against the scheduler behind this.
    pub(crate) fn run(&self, home: &Home, words: &[&str]) -> Ran {
        let mut words = words.to_vec();
        words.extend(["--scheduler", &self.address]);
        home.run(&words)
    }

    /// All calls that came, in order.
    pub(crate) fn all(&self) -> Vec<Call> {
        self.state.lock().unwrap().calls.clone()
    }

    /// The calls of a method.
    pub(crate) fn of(&self, method: &str) -> Vec<Call> {
        self.all().into_iter().filter(|call| is_of(&call.path, method)).collect()
    }

    /// How many calls of a method came, those that went wrong too.
    pub(crate) fn calls(&self, method: &str) -> usize {
        self.of(method).len()
    }

    /// What the calls of a method asked for.
    pub(crate) fn sent<M: Message + Default>(&self, method: &str) -> Vec<M> {
        self.of(method).into_iter().map(|call| M::decode(call.message).unwrap()).collect()
    }

    /// How many connections came.
    pub(crate) fn connections(&self) -> usize {
        self.state.lock().unwrap().connections
    }

    /// Forgets the calls so far.
    pub(crate) fn forget(&self) {
        self.state.lock().unwrap().calls.clear();
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.stop.cancel();
        let ended = self.thread.take().map(std::thread::JoinHandle::join);
        // A test that fails already says why.
        assert!(!matches!(ended, Some(Err(_))) || std::thread::panicking(), "the proxy has failed");
    }
}

fn is_of(path: &str, method: &str) -> bool {
    method == "*" || path.rsplit('/').next() == Some(method)
}

async fn serve(listener: TcpListener, tls: Option<TlsAcceptor>, state: Arc<Mutex<State>>) {
    let client = Client::builder(TokioExecutor::new()).http2_only(true).build_http();
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        state.lock().unwrap().connections += 1;
        let (tls, state, client) = (tls.clone(), Arc::clone(&state), client.clone());
        tokio::spawn(async move {
            match tls {
                // Who is not trusted hangs up.
                Some(tls) => {
                    if let Ok(stream) = tls.accept(stream).await {
                        connection(stream, state, client).await;
                    }
                }
                None => connection(stream, state, client).await,
            }
        });
    }
}

async fn connection(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    state: Arc<Mutex<State>>,
    client: Client<HttpConnector, Full<Bytes>>,
) {
    let lost = CancellationToken::new();
    let service = service_fn(|request| {
        let (state, client, lost) = (Arc::clone(&state), client.clone(), lost.clone());
        async move { Ok::<_, Infallible>(answer(request, &state, client, &lost).await) }
    });
    let builder = auto::Builder::new(TokioExecutor::new());
    let serving = builder.serve_connection(TokioIo::new(stream), service);
    // That the other side hangs up is its right.
    let _ = lost.run_until_cancelled(serving).await;
}

async fn answer(
    request: Request<Incoming>,
    state: &Mutex<State>,
    client: Client<HttpConnector, Full<Bytes>>,
    lost: &CancellationToken,
) -> Response<Body> {
    let (head, body) = request.into_parts();
    // The other side may hang up while it asks.
    let Ok(body) = body.collect().await else { return http(StatusCode::BAD_REQUEST) };
    let body = body.to_bytes();
    let path = head.uri.path().to_owned();
    let (fault, scheduler) = {
        let mut state = state.lock().unwrap();
        // The message comes after a byte that says whether it is compressed, and its length.
        let mut message = body.clone();
        message.advance(5.min(message.len()));
        let headers = head.headers.clone();
        state.calls.push(Call { path: path.clone(), headers, message });
        if let Some((name, value)) = &state.required
            && head.headers.get(*name).is_none_or(|found| found != value)
        {
            return http(StatusCode::UNAUTHORIZED);
        }
        let plan = state.plans.iter_mut().find(|plan| plan.left > 0 && is_of(&path, &plan.method));
        let fault = plan.map(|plan| {
            plan.left -= 1;
            plan.fault.clone()
        });
        (fault, state.scheduler)
    };
    match &fault {
        Some(Fault::Refuse(code, message, headers)) => return refusal(*code, message, headers),
        Some(Fault::Answer(message)) => return answer_of(message),
        Some(Fault::Http(status, location)) => {
            let mut answer = http(StatusCode::from_u16(*status).unwrap());
            if let Some(location) = location {
                answer.headers_mut().insert("location", location.parse().unwrap());
            }
            return answer;
        }
        Some(Fault::LostBefore) => lost.cancel(),
        Some(Fault::Late(pause)) => tokio::time::sleep(*pause).await,
        Some(Fault::Silent) => return std::future::pending().await,
        Some(Fault::LostAfter) | None => {}
    }
    let Some(scheduler) = scheduler.filter(|_| !lost.is_cancelled()) else {
        return refusal(Code::Unavailable, "there is no scheduler", &[]);
    };
    let mut forwarded = Request::new(Full::new(body));
    *forwarded.method_mut() = head.method;
    *forwarded.headers_mut() = head.headers;
    *forwarded.uri_mut() = format!("http://{scheduler}{path}").parse::<Uri>().unwrap();
    let answered = client.request(forwarded).await;
    if matches!(fault, Some(Fault::LostAfter)) {
        // The scheduler is done with it when the last of its answer is here.
        if let Ok(answer) = answered {
            let _ = answer.into_body().collect().await;
        }
        lost.cancel();
        return http(StatusCode::BAD_GATEWAY);
    }
    match answered {
        Ok(answer) => answer.map(BodyExt::boxed_unsync),
        Err(error) => refusal(Code::Unavailable, &format!("no scheduler behind: {error}"), &[]),
    }
}

fn http(status: StatusCode) -> Response<Body> {
    let mut answer = Response::new(Empty::new().map_err(|never| match never {}).boxed_unsync());
    *answer.status_mut() = status;
    answer
}

/// A call's only answer, as gRPC has it.
fn answer_of(message: &[u8]) -> Response<Body> {
    let mut framed = vec![0];
    framed.extend(u32::try_from(message.len()).unwrap().to_be_bytes());
    framed.extend(message);
    let mut trailers = HeaderMap::new();
    trailers.insert("grpc-status", HeaderValue::from_static("0"));
    let body = Full::new(Bytes::from(framed)).with_trailers(async { Some(Ok(trailers)) });
    let mut answer = Response::new(body.map_err(|never| match never {}).boxed_unsync());
    answer.headers_mut().insert("content-type", HeaderValue::from_static("application/grpc"));
    answer
}

/// A call's failure, as gRPC has it.
fn refusal(code: Code, message: &str, headers: &[(&'static str, String)]) -> Response<Body> {
    let mut answer = http(StatusCode::OK);
    let status = tonic::Status::new(code, message);
    answer.headers_mut().insert("content-type", HeaderValue::from_static("application/grpc"));
    status.add_header(answer.headers_mut()).unwrap();
    for (name, value) in headers {
        answer.headers_mut().insert(*name, value.parse().unwrap());
    }
    answer
}
