//! The way to the scheduler that leads: finding it, connecting, saying who asks, and what answers mean that
//! are none of gRPC (`client.md` 12).
//!
//! A [`Transport`] has a link to one scheduler at a time. When that one is lost the next of those that were
//! found is linked to, and when all have been tried they are looked for anew.

mod auth;
mod connect;
mod netrc;
mod tls;

pub(crate) use connect::Connector;

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use hyper::StatusCode;
use hyper::header::{AUTHORIZATION, HeaderName, HeaderValue, LOCATION};
use hyper::http::{Request, Response};
use tonic::body::Body;
use tonic::transport::{Channel, Endpoint};
use tonic::{Code as Grpc, Status};
use tower::{Service, ServiceExt};

use crate::address::Address;
use crate::discovery::{Cluster, Place};
use crate::error::{Code, Error};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// How long the scheduler may take to answer.
pub(crate) const CALL_TIMEOUT: Duration = Duration::from_secs(60);
const KEEP_ALIVE: Duration = Duration::from_secs(20);
/// By this name a scheduler that does not lead says who does.
pub(crate) const LEADER: &str = "aurora-leader";
/// By this name an answer is marked that is none of gRPC, with its HTTP status.
pub(crate) const HTTP_STATUS: &str = "aurora-http-status";

/// By this name a call asks a scheduler to answer by itself, whether or not it leads.
const BYPASS: HeaderName = HeaderName::from_static("bypass-leader-redirect");

type Pending<T> = std::pin::Pin<Box<dyn Future<Output = T> + Send>>;

/// The way to the scheduler of a cluster, shared by all calls.
#[derive(Debug, Clone)]
pub(crate) struct Transport(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    cluster: Cluster,
    call_timeout: Duration,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    link: Option<Link>,
    /// Who was found and has not been tried yet.
    untried: VecDeque<Address>,
    /// Who answered last.
    leader: Option<Address>,
    /// Who was tried last.
    last: Option<Address>,
    /// All that were found by what is configured: these may know the cluster's token.
    found: Vec<Address>,
    /// Whether who is asked is to answer by itself.
    is_direct: bool,
}

#[derive(Debug, Clone)]
struct Link {
    address: Address,
    channel: Channel,
    authorization: Option<HeaderValue>,
}

impl Transport {
    pub(crate) fn new(cluster: Cluster, call_timeout: Duration) -> Self {
        let state = Mutex::default();
        Self(Arc::new(Shared { cluster, call_timeout, state }))
    }

    pub(crate) fn cluster(&self) -> &Cluster {
        &self.0.cluster
    }

    /// How long one call may take, with the connection and the whole answer.
    pub(crate) fn longest_call(&self) -> Duration {
        CONNECT_TIMEOUT + self.0.call_timeout
    }

    /// From now on whoever is asked is to answer by itself, whether or not it leads.
    pub(crate) fn be_direct(&self) {
        self.state().is_direct = true;
    }

    /// What is said holds after a panic too: it is replaced as a whole.
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Who is asked, for people: the scheduler that is linked to, or where it was looked for.
    pub(crate) fn address(&self) -> String {
        match &self.state().last {
            Some(last) => last.to_string(),
            None => self.0.cluster.place.to_string(),
        }
    }

    /// Sees to it that there is a link. Fails with [`Code::Network`] if that may be tried again.
    pub(crate) async fn prepare(&self) -> Result<(), Error> {
        if self.state().link.is_some() {
            return Ok(());
        }
        let untried = self.state().untried.pop_front();
        let next = match untried {
            Some(next) => next,
            None => self.look().await?,
        };
        self.link_to(next)
    }

    /// Finds out who there is. Gives the first to be tried: who answered last, if it is among them.
    async fn look(&self) -> Result<Address, Error> {
        let mut found = match &self.0.cluster.place {
            Place::Addresses(addresses) => addresses.clone(),
            Place::ZooKeeper(announced) => {
                let found = announced.look().await?;
                let shown: Vec<String> = found.iter().map(ToString::to_string).collect();
                tracing::debug!("{announced} announces {}", shown.join(", "));
                found
            }
        };
        let mut state = self.state();
        state.found.clone_from(&found);
        if let Some(leader) = &state.leader {
            found.sort_by_key(|address| address != leader);
        }
        state.untried = found.into();
        // There is always one: an empty set is an error of its own.
        state.untried.pop_front().ok_or_else(|| {
            Error::new(Code::Network, format!("no schedulers detected at {}", self.0.cluster.place))
        })
    }

    /// From now on this one is asked.
    fn link_to(&self, address: Address) -> Result<(), Error> {
        let is_found = self.state().found.iter().any(|found| found.is_same_server(&address));
        let authorization = auth::of(&self.0.cluster, &address, is_found)?;
        let wrong = |error: &dyn std::fmt::Display| {
            Error::new(
                Code::InvalidConfiguration,
                format!("the scheduler's address {address} cannot be used: {error}"),
            )
        };
        let endpoint = Endpoint::from_shared(address.uri().to_string())
            .map_err(|error| wrong(&error))?
            .user_agent(concat!("aurora/", env!("CARGO_PKG_VERSION")))
            .map_err(|error| wrong(&error))?
            .connect_timeout(CONNECT_TIMEOUT)
            .timeout(self.0.call_timeout)
            .http2_keep_alive_interval(KEEP_ALIVE)
            .keep_alive_while_idle(true);
        let connector = connect::Connector::new(&address, &self.0.cluster.tls)?;
        let channel = endpoint.connect_with_connector_lazy(connector);
        let mut state = self.state();
        state.last = Some(address.clone());
        state.link = Some(Link { address, channel, authorization });
        Ok(())
    }

    /// The link is of no use any more. Gives whether there is another one to be tried at once.
    pub(crate) fn lost(&self) -> bool {
        let mut state = self.state();
        state.link = None;
        !state.untried.is_empty()
    }

    /// Who is asked has answered: next time it is asked first.
    pub(crate) fn answered(&self) {
        let mut state = self.state();
        let leader = state.link.as_ref().map(|link| link.address.clone());
        state.leader = leader;
    }

    /// Who was asked says that another one leads.
    pub(crate) fn redirect(&self, leader: &str) -> Result<(), Error> {
        let leader = Address::parse(leader)?;
        tracing::debug!("{} says that {leader} leads", self.address());
        let last = self.state().last.clone();
        if let Some(last) = &last
            && last.is_tls()
            && !leader.is_tls()
            && !self.0.cluster.auth.allow_plain_http
        {
            return Err(Error::new(
                Code::Network,
                format!(
                    "the scheduler at {last} says that {leader} leads, where others can read what is sent: \
                     it was not followed. Let the schedulers announce https://, or set \
                     auth.allow_plain_http = true for the cluster if nobody can listen"
                ),
            ));
        }
        if last.is_some_and(|last| last.is_same_server(&leader)) {
            return Err(Error::new(
                Code::Network,
                format!("the scheduler at {leader} names itself as the one that leads instead"),
            ));
        }
        self.link_to(leader)
    }
}

impl Service<Request<Body>> for Transport {
    type Response = Response<Body>;
    type Error = tower::BoxError;
    type Future = Pending<Result<Response<Body>, tower::BoxError>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), tower::BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, mut request: Request<Body>) -> Self::Future {
        let (link, is_direct) = {
            let state = self.state();
            (state.link.clone(), state.is_direct)
        };
        Box::pin(async move {
            let Some(Link { address, mut channel, authorization }) = link else {
                return Err(Status::unavailable("the link to the scheduler was lost").into());
            };
            if let Some(authorization) = authorization {
                request.headers_mut().insert(AUTHORIZATION, authorization);
            }
            if is_direct {
                request.headers_mut().insert(BYPASS, HeaderValue::from_static("true"));
            }
            let path = request.uri().path().to_owned();
            let began = Instant::now();
            let answered = async { channel.ready().await?.call(request).await }.await;
            let took = began.elapsed().as_millis();
            match answered {
                Ok(answer) => {
                    tracing::debug!("{address}{path}: {} in {took} ms", outcome(&answer));
                    checked(answer)
                }
                Err(error) => {
                    tracing::debug!("{address}{path}: {} in {took} ms", innermost(&error));
                    Err(error.into())
                }
            }
        })
    }
}

/// How a call has ended, as far as the head of its answer tells.
fn outcome(answer: &Response<Body>) -> String {
    match Status::from_header_map(answer.headers()) {
        Some(status) => format!("{:?}", status.code()),
        None if answer.status() == StatusCode::OK => "answered".to_owned(),
        None => format!("HTTP status {}", answer.status().as_u16()),
    }
}

/// An answer, if it is one of gRPC.
fn checked(answer: Response<Body>) -> Result<Response<Body>, tower::BoxError> {
    let http = answer.status();
    if http == StatusCode::OK {
        return Ok(answer);
    }
    let said = format!("it answered with HTTP status {}", http.as_u16());
    let location = answer.headers().get(LOCATION).and_then(|value| value.to_str().ok());
    let mut status = match http {
        StatusCode::UNAUTHORIZED => Status::unauthenticated(said),
        StatusCode::FORBIDDEN => Status::permission_denied(said),
        StatusCode::TEMPORARY_REDIRECT | StatusCode::PERMANENT_REDIRECT => {
            let mut status = Status::unavailable(said);
            if let Some(Ok(leader)) = location.map(server).map(|leader| leader.parse()) {
                status.metadata_mut().insert(LEADER, leader);
            }
            status
        }
        StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_MANY_REQUESTS => Status::unavailable(said),
        _ if http.is_server_error() => Status::unavailable(said),
        _ => Status::new(Grpc::Unknown, format!("{said}; is an Aurora scheduler there?")),
    };
    status.metadata_mut().insert(HTTP_STATUS, http.as_u16().into());
    Err(status.into())
}

/// The server of a URL: the path of a call is no part of it.
fn server(url: &str) -> String {
    let begin = url.find("://").map_or(0, |at| at + 3);
    let end = url[begin..].find(['/', '?', '#']).map_or(url.len(), |at| begin + at);
    url[..end].to_owned()
}

/// The innermost cause: the outer ones only say that a transport has failed.
pub(crate) fn innermost(error: &(dyn std::error::Error + 'static)) -> String {
    let mut error = error;
    while let Some(cause) = error.source() {
        error = cause;
    }
    error.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_that_is_none_of_grpc_has_a_meaning() {
        for (http, location, code, leader) in [
            (401, None, Grpc::Unauthenticated, None),
            (403, None, Grpc::PermissionDenied, None),
            (
                307,
                Some("http://h:1/aurora.v1.Jobs/ListJobs"),
                Grpc::Unavailable,
                Some("http://h:1"),
            ),
            (308, Some("https://h?x"), Grpc::Unavailable, Some("https://h")),
            (307, None, Grpc::Unavailable, None),
            (503, None, Grpc::Unavailable, None),
            (404, None, Grpc::Unknown, None),
        ] {
            let mut answer = Response::builder().status(http);
            if let Some(location) = location {
                answer = answer.header(LOCATION, location);
            }
            let error = checked(answer.body(Body::empty()).unwrap()).unwrap_err();
            let status = error.downcast::<Status>().unwrap();
            assert_eq!(status.code(), code, "{http}");
            let found = status.metadata().get(LEADER).map(|leader| leader.to_str().unwrap());
            assert_eq!(found, leader, "{http}");
        }
    }
}
