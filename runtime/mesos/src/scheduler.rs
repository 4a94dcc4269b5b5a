//! The scheduler's session with the leading master.
//!
//! [`start`] subscribes and keeps subscribing: it follows redirects to the leader, watches the
//! heartbeats, and comes back with the same framework id after every failure. What happens arrives
//! as [`SessionEvent`]s; [`Calls`] sends calls within the current subscription.

use std::sync::{Arc, RwLock};
use std::time::Duration;

use futures::StreamExt;
use hyper::header::HeaderValue;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::body::{self, ContentType};
use crate::http::{Backoff, CallError, Http, STREAM_ID_HEADER, records};
use crate::v1;
use crate::v1::scheduler::{Call, Event, call, event};

/// How often a redirect is followed before another master is tried.
const MAX_REDIRECTS: usize = 5;
/// How many heartbeats may stay away before the stream is taken for dead.
const MISSED_HEARTBEATS: f64 = 3.0;
/// Events that may wait to be taken.
const EVENT_BUFFER: usize = 1024;

/// A user and a password for the master.
#[derive(Clone)]
pub struct Credential {
    /// The user.
    pub principal: String,
    /// The password.
    pub secret: String,
}

impl std::fmt::Debug for Credential {
    /// Never shows the secret.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Credential").field("principal", &self.principal).finish_non_exhaustive()
    }
}

/// What a session needs to know.
#[derive(Debug, Clone)]
pub struct Config {
    /// Addresses of masters, `host:port`; any of them leads to the leader.
    pub masters: Vec<String>,
    /// Who subscribes. With an id it takes that framework over.
    pub framework: v1::FrameworkInfo,
    /// How messages are written.
    pub content_type: ContentType,
    /// Sent with every call, if given.
    pub credential: Option<Credential>,
    /// How long one call may take, connecting included.
    pub timeout: Duration,
    /// The first wait between attempts to subscribe.
    pub backoff_min: Duration,
    /// The longest.
    pub backoff_max: Duration,
}

impl Config {
    /// A session with usual times: calls of 10 s, attempts after 100 ms to 10 s.
    pub fn new(masters: Vec<String>, framework: v1::FrameworkInfo) -> Self {
        Self {
            masters,
            framework,
            content_type: ContentType::Protobuf,
            credential: None,
            timeout: Duration::from_secs(10),
            backoff_min: Duration::from_millis(100),
            backoff_max: Duration::from_secs(10),
        }
    }
}

/// What happens in a session.
#[derive(Debug, Clone, PartialEq)]
pub enum SessionEvent {
    /// The master has taken the subscription. Nothing is known of what was sent before it.
    Subscribed {
        /// The id under which the master knows this framework.
        framework_id: v1::FrameworkId,
        /// The master, as far as it says.
        master: Option<v1::MasterInfo>,
    },
    /// Something has happened; never SUBSCRIBED, ERROR or HEARTBEAT.
    Event(Box<Event>),
    /// The subscription has broken, or could not be made; it will be tried again.
    Disconnected {
        /// What went wrong.
        reason: String,
    },
    /// The master has ended this framework, or another scheduler has taken it over: the session is
    /// over, this is its last event.
    Ended {
        /// What the master says.
        message: String,
    },
}

struct Subscription {
    url: String,
    stream_id: String,
    framework_id: v1::FrameworkId,
}

/// Sends calls within the current subscription. Cheap to clone.
#[derive(Clone)]
pub struct Calls {
    http: Http,
    current: Arc<RwLock<Option<Subscription>>>,
}

impl std::fmt::Debug for Calls {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Calls").finish_non_exhaustive()
    }
}

impl Calls {
    /// Sends a call; its framework id is filled in. Accepted means received: what comes of it
    /// arrives as events.
    ///
    /// # Errors
    /// There is no subscription, the master cannot be reached, or it refuses the call.
    pub async fn send(&self, mut call: Call) -> Result<(), CallError> {
        let (url, stream_id) = {
            let current = self.current.read().unwrap_or_else(std::sync::PoisonError::into_inner);
            let subscription = current.as_ref().ok_or(CallError::NotSubscribed)?;
            call.framework_id = Some(subscription.framework_id.clone());
            (subscription.url.clone(), subscription.stream_id.clone())
        };
        let body = body::encode(&call, self.http.ty)?;
        self.http.post(&url, Some(&stream_id), body).await.map(drop)
    }

    fn set(&self, subscription: Option<Subscription>) {
        *self.current.write().unwrap_or_else(std::sync::PoisonError::into_inner) = subscription;
    }
}

/// Starts a session. It ends when `shutdown` is cancelled, when the receiver is dropped, or with
/// [`SessionEvent::Ended`]; the framework stays registered until its failover timeout.
pub fn start(config: Config, shutdown: CancellationToken) -> (Calls, mpsc::Receiver<SessionEvent>) {
    let authorization = config.credential.as_ref().and_then(|credential| {
        let text = format!("{}:{}", credential.principal, credential.secret);
        let mut value =
            HeaderValue::from_str(&format!("Basic {}", base64(text.as_bytes()))).ok()?;
        value.set_sensitive(true);
        Some(value)
    });
    let http = Http::new(config.content_type, config.timeout, authorization);
    let calls = Calls { http, current: Arc::new(RwLock::new(None)) };
    let (events, receiver) = mpsc::channel(EVENT_BUFFER);
    let session = Session {
        backoff: Backoff::new(config.backoff_min, config.backoff_max),
        framework: config.framework,
        masters: config.masters,
        calls: calls.clone(),
        events,
    };
    tokio::spawn(async move {
        tokio::select! {
            () = session.run() => {}
            () = shutdown.cancelled() => {}
        }
    });
    (calls, receiver)
}

fn base64(bytes: &[u8]) -> String {
    use base64::Engine;
    base64::engine::general_purpose::STANDARD.encode(bytes)
}

struct Session {
    framework: v1::FrameworkInfo,
    masters: Vec<String>,
    calls: Calls,
    events: mpsc::Sender<SessionEvent>,
    backoff: Backoff,
}

/// How one subscription came to its end.
enum End {
    /// It may be tried again.
    Broken(String),
    /// The master wants no more of it.
    Refused(String),
    /// Nobody takes the events any more.
    Unheard,
}

impl Session {
    async fn run(mut self) {
        let mut turn = 0_usize;
        loop {
            let master = self.masters.get(turn % self.masters.len().max(1)).cloned();
            turn = turn.wrapping_add(1);
            let end = match master {
                Some(master) => self.subscribe(&format!("http://{master}/api/v1/scheduler")).await,
                None => End::Refused("no master is configured".to_owned()),
            };
            self.calls.set(None);
            let event = match end {
                End::Broken(reason) => SessionEvent::Disconnected { reason },
                End::Refused(message) => {
                    // Nobody may be left to hear it; the session is over either way.
                    let _ = self.events.send(SessionEvent::Ended { message }).await;
                    return;
                }
                End::Unheard => return,
            };
            if self.events.send(event).await.is_err() {
                return;
            }
            tokio::time::sleep(self.backoff.next()).await;
        }
    }

    /// Subscribes at `url`, or where it redirects to, and passes events on until that ends.
    async fn subscribe(&mut self, url: &str) -> End {
        let call = Call {
            framework_id: self.framework.id.clone(),
            r#type: Some(call::Type::Subscribe as i32),
            subscribe: Some(call::Subscribe {
                framework_info: self.framework.clone(),
                suppressed_roles: Vec::new(),
            }),
            ..Call::default()
        };
        let body = match body::encode(&call, self.calls.http.ty) {
            Ok(body) => body,
            Err(error) => return End::Refused(error.to_string()),
        };
        let mut url = url.to_owned();
        for _ in 0..=MAX_REDIRECTS {
            match self.calls.http.post(&url, None, body.clone()).await {
                Ok(answer) => return self.follow(&url, answer).await,
                Err(CallError::Redirected { location, .. }) => match redirected(&location) {
                    Some(next) => url = next,
                    None => return End::Broken(format!("{url} redirects to {location:?}")),
                },
                Err(error @ CallError::Refused { status: 400 | 401 | 403, .. }) => {
                    return End::Refused(error.to_string());
                }
                Err(error) => return End::Broken(error.to_string()),
            }
        }
        End::Broken(format!("{url} was reached by more than {MAX_REDIRECTS} redirects"))
    }

    async fn follow(&mut self, url: &str, answer: hyper::Response<hyper::body::Incoming>) -> End {
        let stream_id = answer
            .headers()
            .get(STREAM_ID_HEADER)
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default()
            .to_owned();
        let mut records = records(answer.into_body());
        let mut patience = self.calls.http.timeout;
        loop {
            let record = match tokio::time::timeout(patience, records.next()).await {
                Err(_) => return End::Broken(format!("{url} has been silent for {patience:?}")),
                Ok(None) => return End::Broken(format!("{url} has ended the stream")),
                Ok(Some(Err(error))) => return End::Broken(format!("{url}: {error}")),
                Ok(Some(Ok(record))) => record,
            };
            let event: Event = match body::decode(&record, self.calls.http.ty) {
                Ok(event) => event,
                Err(error) => {
                    return End::Broken(format!("{url} sent an unreadable event: {error}"));
                }
            };
            let passed_on = match event.r#type() {
                event::Type::Subscribed => {
                    let Some(subscribed) = event.subscribed else {
                        return End::Broken(format!("{url} sent an empty SUBSCRIBED"));
                    };
                    if let Some(seconds) = subscribed.heartbeat_interval_seconds
                        && seconds > 0.0
                        && seconds < 86_400.0
                    {
                        patience = Duration::from_secs_f64(seconds * MISSED_HEARTBEATS);
                    }
                    self.backoff.reset();
                    self.framework.id = Some(subscribed.framework_id.clone());
                    self.calls.set(Some(Subscription {
                        url: url.to_owned(),
                        stream_id: stream_id.clone(),
                        framework_id: subscribed.framework_id.clone(),
                    }));
                    SessionEvent::Subscribed {
                        framework_id: subscribed.framework_id,
                        master: subscribed.master_info,
                    }
                }
                event::Type::Error => {
                    return End::Refused(
                        event.error.map(|error| error.message).unwrap_or_default(),
                    );
                }
                event::Type::Heartbeat | event::Type::Unknown => continue,
                _ => SessionEvent::Event(Box::new(event)),
            };
            if self.events.send(passed_on).await.is_err() {
                return End::Unheard;
            }
        }
    }
}

/// The address a redirect points to; masters give it without a scheme.
fn redirected(location: &str) -> Option<String> {
    let rest = location.strip_prefix("http:").unwrap_or(location);
    let rest = rest.strip_prefix("//")?;
    let host = rest.split('/').next().filter(|host| !host.is_empty())?;
    Some(format!("http://{host}/api/v1/scheduler"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn redirects_point_to_the_leader() {
        for location in ["//leader:5050/master/api/v1/scheduler", "http://leader:5050"] {
            assert_eq!(
                redirected(location).as_deref(),
                Some("http://leader:5050/api/v1/scheduler")
            );
        }
        for location in ["", "/x", "//", "https://leader"] {
            assert_eq!(redirected(location), None, "{location}");
        }
    }

    #[test]
    fn a_credential_never_shows_its_secret() {
        let credential = Credential { principal: "aurora".into(), secret: "hunter2".into() };
        assert!(!format!("{credential:?}").contains("hunter2"));
    }
}
