//! The executor's session with its agent.
//!
//! [`start`] subscribes and comes back after the agent has been away, with the tasks and updates
//! that the agent has not acknowledged, for as long as the agent promised to come back
//! ([`Environment::recovery_timeout`]). [`Updates`] sends task updates in their order. One that
//! cannot be sent now is sent again, or goes with the next subscription, so none is lost while this
//! process lives.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use futures::StreamExt;
use tokio::sync::{Notify, mpsc};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::body::{self, ContentType};
use crate::http::{Backoff, CallError, Http, records};
use crate::v1;
use crate::v1::executor::{Call, Event, call, event};

/// How long the first agent may take to accept the first subscription.
const FIRST_SUBSCRIPTION: Duration = Duration::from_secs(60);
/// How long one call may take.
const CALL_TIMEOUT: Duration = Duration::from_secs(10);
/// The shortest wait between two attempts to send an update.
const RESEND: Duration = Duration::from_millis(100);
/// Events that may wait to be taken.
const EVENT_BUFFER: usize = 64;

/// What an agent tells an executor through its environment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Environment {
    /// The agent's address, `host:port`.
    pub agent: String,
    /// The framework.
    pub framework_id: String,
    /// This executor.
    pub executor_id: String,
    /// The sandbox.
    pub sandbox: PathBuf,
    /// Whether the agent remembers this executor over its own restart.
    pub checkpoint: bool,
    /// How long the executor waits for its agent to come back.
    pub recovery_timeout: Duration,
    /// The longest wait between two attempts to subscribe.
    pub backoff_max: Duration,
    /// How long the executor has between SHUTDOWN and being killed.
    pub shutdown_grace: Duration,
}

/// Why an environment is not that of an executor.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EnvironmentError {
    /// A variable is not set.
    #[error("{0} is not set: an executor is started by a Mesos agent")]
    Missing(&'static str),
    /// A variable holds something else than it should.
    #[error("{name} is {value:?}, which is not {expected}")]
    Invalid {
        /// The variable.
        name: &'static str,
        /// What it holds.
        value: String,
        /// What it should hold.
        expected: &'static str,
    },
}

impl Environment {
    /// Reads the variables that a Mesos agent sets.
    ///
    /// # Errors
    /// One is missing or malformed.
    pub fn from_vars(
        vars: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Self, EnvironmentError> {
        let vars: BTreeMap<String, String> =
            vars.into_iter().filter(|(name, _)| name.starts_with("MESOS_")).collect();
        let text = |name: &'static str| -> Result<String, EnvironmentError> {
            vars.get(name)
                .filter(|value| !value.is_empty())
                .cloned()
                .ok_or(EnvironmentError::Missing(name))
        };
        let duration = |name: &'static str, default: Duration| match vars.get(name) {
            None => Ok(default),
            Some(value) => parse_duration(value).ok_or_else(|| EnvironmentError::Invalid {
                name,
                value: value.clone(),
                expected: "a duration such as 5secs",
            }),
        };
        Ok(Self {
            agent: text("MESOS_AGENT_ENDPOINT")?,
            framework_id: text("MESOS_FRAMEWORK_ID")?,
            executor_id: text("MESOS_EXECUTOR_ID")?,
            sandbox: PathBuf::from(text("MESOS_SANDBOX").or_else(|_| text("MESOS_DIRECTORY"))?),
            checkpoint: vars.get("MESOS_CHECKPOINT").is_some_and(|value| value == "1"),
            recovery_timeout: duration("MESOS_RECOVERY_TIMEOUT", Duration::ZERO)?,
            backoff_max: duration("MESOS_SUBSCRIPTION_BACKOFF_MAX", Duration::from_secs(2))?,
            shutdown_grace: duration(
                "MESOS_EXECUTOR_SHUTDOWN_GRACE_PERIOD",
                Duration::from_secs(5),
            )?,
        })
    }
}

/// A duration as Mesos writes it: a number and a unit, `5secs`, `1.5mins`.
pub fn parse_duration(text: &str) -> Option<Duration> {
    const UNITS: [(&str, f64); 8] = [
        ("ns", 1e-9),
        ("us", 1e-6),
        ("ms", 1e-3),
        ("secs", 1.0),
        ("mins", 60.0),
        ("hrs", 3600.0),
        ("days", 86_400.0),
        ("weeks", 604_800.0),
    ];
    let split = text.find(|c: char| c.is_ascii_alphabetic())?;
    let (number, unit) = text.split_at(split);
    let scale = UNITS.iter().find(|(name, _)| *name == unit)?.1;
    let seconds = number.trim().parse::<f64>().ok()? * scale;
    (seconds.is_finite() && (0.0..1e12).contains(&seconds))
        .then(|| Duration::from_secs_f64(seconds))
}

/// What happens in a session.
#[derive(Debug, Clone, PartialEq)]
pub enum SessionEvent {
    /// The agent has taken the subscription.
    Subscribed(Box<event::Subscribed>),
    /// A task is to be run.
    Launch(Box<v1::TaskInfo>),
    /// A task is to be ended.
    Kill {
        /// The task.
        task_id: v1::TaskId,
        /// How long it has, if the scheduler said so.
        grace: Option<Duration>,
    },
    /// The agent has an update.
    Acknowledged {
        /// The task.
        task_id: v1::TaskId,
        /// The update's uuid.
        uuid: Bytes,
    },
    /// The executor is to end, and all its tasks with it.
    Shutdown,
    /// The agent is gone for good, or never was: the session is over, this is its last event.
    Lost {
        /// What went wrong.
        reason: String,
    },
}

#[derive(Debug, Default)]
struct Unacknowledged {
    /// In the order they were launched.
    tasks: Vec<v1::TaskInfo>,
    /// In the order they were made.
    updates: Vec<Update>,
}

#[derive(Debug)]
struct Update {
    status: v1::TaskStatus,
    /// Whether the agent has taken it, though not acknowledged it.
    sent: bool,
}

/// Sends task updates. Cheap to clone.
#[derive(Clone)]
pub struct Updates {
    http: Http,
    url: String,
    executor_id: v1::ExecutorId,
    framework_id: v1::FrameworkId,
    unacknowledged: Arc<Mutex<Unacknowledged>>,
    /// Told when there is something to send.
    more: Arc<Notify>,
}

impl std::fmt::Debug for Updates {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Updates").field("url", &self.url).finish_non_exhaustive()
    }
}

impl Updates {
    /// Has an update sent, again and again until the agent acknowledges it. Its uuid, source and
    /// executor are filled in; the uuid is returned.
    pub fn send(&self, mut status: v1::TaskStatus) -> Bytes {
        let uuid = Bytes::copy_from_slice(uuid::Uuid::new_v4().as_bytes());
        status.uuid = Some(uuid.clone());
        status.source = Some(v1::task_status::Source::Executor as i32);
        status.executor_id = Some(self.executor_id.clone());
        self.lock().updates.push(Update { status, sent: false });
        self.more.notify_one();
        uuid
    }

    /// Sends what is to be sent, one after the other, for ever.
    async fn deliver(&self, mut backoff: Backoff) {
        loop {
            let next = self
                .lock()
                .updates
                .iter()
                .find(|update| !update.sent)
                .map(|update| (update.status.uuid.clone(), update.status.clone()));
            let Some((uuid, status)) = next else {
                self.more.notified().await;
                continue;
            };
            let call = Call {
                r#type: Some(call::Type::Update as i32),
                update: Some(call::Update { status }),
                ..self.call()
            };
            let sent = match body::encode(&call, self.http.ty) {
                Ok(body) => self.http.post(&self.url, None, body).await.map(drop),
                Err(error) => Err(error.into()),
            };
            match sent {
                Ok(()) => {
                    self.mark_sent(&[uuid]);
                    backoff.reset();
                }
                // Saying it again does not make it better; those after it may be.
                Err(error @ CallError::Refused { status: 400, .. }) => {
                    tracing::error!(%error, "the agent does not understand an update");
                    self.mark_sent(&[uuid]);
                }
                Err(error) => {
                    let wait = backoff.next();
                    tracing::warn!(%error, ?wait, "failed to send an update, trying again");
                    tokio::time::sleep(wait).await;
                }
            }
        }
    }

    fn mark_sent(&self, uuids: &[Option<Bytes>]) {
        for update in &mut self.lock().updates {
            update.sent |= uuids.contains(&update.status.uuid);
        }
    }

    fn call(&self) -> Call {
        Call {
            executor_id: self.executor_id.clone(),
            framework_id: self.framework_id.clone(),
            ..Call::default()
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Unacknowledged> {
        self.unacknowledged.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    fn acknowledge(&self, task_id: &v1::TaskId, uuid: &Bytes) {
        let mut waiting = self.lock();
        waiting.updates.retain(|update| update.status.uuid.as_ref() != Some(uuid));
        waiting.tasks.retain(|task| task.task_id != *task_id);
    }

    fn subscribe_call(&self) -> Call {
        let waiting = self.lock();
        Call {
            r#type: Some(call::Type::Subscribe as i32),
            subscribe: Some(call::Subscribe {
                unacknowledged_tasks: waiting.tasks.clone(),
                unacknowledged_updates: waiting
                    .updates
                    .iter()
                    .map(|update| call::Update { status: update.status.clone() })
                    .collect(),
            }),
            ..self.call()
        }
    }
}

/// Starts a session. It ends when `shutdown` is cancelled, when the receiver is dropped, or with
/// [`SessionEvent::Lost`].
pub fn start(
    environment: &Environment,
    content_type: ContentType,
    shutdown: CancellationToken,
) -> (Updates, mpsc::Receiver<SessionEvent>) {
    let updates = Updates {
        http: Http::new(content_type, CALL_TIMEOUT, None),
        url: format!("http://{}/api/v1/executor", environment.agent),
        executor_id: v1::ExecutorId { value: environment.executor_id.clone() },
        framework_id: v1::FrameworkId { value: environment.framework_id.clone() },
        unacknowledged: Arc::default(),
        more: Arc::default(),
    };
    let (events, receiver) = mpsc::channel(EVENT_BUFFER);
    let session = Session {
        updates: updates.clone(),
        events,
        recovery: if environment.checkpoint {
            environment.recovery_timeout
        } else {
            Duration::ZERO
        },
        backoff: Backoff::new(Duration::from_millis(20), environment.backoff_max),
    };
    let (deliverer, backoff) = (updates.clone(), Backoff::new(RESEND, environment.backoff_max));
    tokio::spawn(async move {
        tokio::select! {
            () = session.run() => {}
            () = deliverer.deliver(backoff) => {}
            () = shutdown.cancelled() => {}
        }
    });
    (updates, receiver)
}

struct Session {
    updates: Updates,
    events: mpsc::Sender<SessionEvent>,
    recovery: Duration,
    backoff: Backoff,
}

impl Session {
    async fn run(mut self) {
        let mut give_up_at = Instant::now() + FIRST_SUBSCRIPTION;
        loop {
            let (was_subscribed, reason) = self.subscribe().await;
            let Some(reason) = reason else { return };
            if was_subscribed {
                give_up_at = Instant::now() + self.recovery;
                self.backoff.reset();
            }
            let wait = self.backoff.next();
            if Instant::now() + wait >= give_up_at {
                // Nobody may be left to hear it; the session is over either way.
                let _ = self.events.send(SessionEvent::Lost { reason }).await;
                return;
            }
            tracing::info!(agent = %self.updates.url, %reason, ?wait, "not subscribed, trying again");
            tokio::time::sleep(wait).await;
        }
    }

    /// Subscribes and passes events on until that ends. Gives whether it was subscribed, and why
    /// it is no more; no reason if nobody takes the events.
    async fn subscribe(&mut self) -> (bool, Option<String>) {
        let http = self.updates.http.clone();
        let url = self.updates.url.clone();
        let call = self.updates.subscribe_call();
        let answer = match body::encode(&call, http.ty) {
            Ok(body) => http.post(&url, None, body).await,
            Err(error) => Err(error.into()),
        };
        let mut records = match answer {
            Ok(answer) => records(answer.into_body()),
            Err(error) => return (false, Some(error.to_string())),
        };
        let told =
            call.subscribe.into_iter().flat_map(|subscribe| subscribe.unacknowledged_updates);
        self.updates.mark_sent(&told.map(|update| update.status.uuid).collect::<Vec<_>>());
        let mut subscribed = false;
        // Agents send no heartbeats to executors: a dead connection shows by TCP keep-alive.
        while let Some(record) = records.next().await {
            let record = match record {
                Ok(record) => record,
                Err(error) => return (subscribed, Some(format!("{url}: {error}"))),
            };
            let event: Event = match body::decode(&record, http.ty) {
                Ok(event) => event,
                Err(error) => {
                    return (subscribed, Some(format!("{url} sent an unreadable event: {error}")));
                }
            };
            subscribed = true;
            if let Some(event) = self.passed_on(event)
                && self.events.send(event).await.is_err()
            {
                return (subscribed, None);
            }
        }
        (subscribed, Some(format!("{url} has ended the stream")))
    }

    fn passed_on(&self, event: Event) -> Option<SessionEvent> {
        match event.r#type() {
            event::Type::Subscribed => {
                event.subscribed.map(|inner| SessionEvent::Subscribed(Box::new(inner)))
            }
            event::Type::Launch => {
                let task = event.launch?.task;
                self.updates.lock().tasks.push(task.clone());
                Some(SessionEvent::Launch(Box::new(task)))
            }
            event::Type::Kill => {
                let kill = event.kill?;
                let grace = kill.kill_policy.and_then(|policy| policy.grace_period).map(|period| {
                    Duration::from_nanos(u64::try_from(period.nanoseconds).unwrap_or(0))
                });
                Some(SessionEvent::Kill { task_id: kill.task_id, grace })
            }
            event::Type::Acknowledged => {
                let acknowledged = event.acknowledged?;
                self.updates.acknowledge(&acknowledged.task_id, &acknowledged.uuid);
                Some(SessionEvent::Acknowledged {
                    task_id: acknowledged.task_id,
                    uuid: acknowledged.uuid,
                })
            }
            event::Type::Shutdown => Some(SessionEvent::Shutdown),
            event::Type::Error => {
                let message = event.error.map(|error| error.message).unwrap_or_default();
                tracing::warn!(agent = %self.updates.url, %message, "the agent reports an error");
                None
            }
            event::Type::LaunchGroup
            | event::Type::Message
            | event::Type::Heartbeat
            | event::Type::Unknown => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn vars() -> Vec<(String, String)> {
        [
            ("MESOS_AGENT_ENDPOINT", "127.0.0.1:5051"),
            ("MESOS_FRAMEWORK_ID", "F"),
            ("MESOS_EXECUTOR_ID", "E"),
            ("MESOS_SANDBOX", "/s"),
            ("MESOS_CHECKPOINT", "1"),
            ("MESOS_RECOVERY_TIMEOUT", "15mins"),
            ("HOME", "/root"),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .to_vec()
    }

    #[test]
    fn the_environment_is_read() {
        let environment = Environment::from_vars(vars()).unwrap();
        assert_eq!(environment.recovery_timeout, Duration::from_secs(900));
        assert_eq!(environment.shutdown_grace, Duration::from_secs(5));
        assert!(environment.checkpoint);
    }

    #[test]
    fn a_bad_environment_names_the_variable() {
        let without = vars().into_iter().filter(|(name, _)| name != "MESOS_EXECUTOR_ID");
        let error = Environment::from_vars(without).unwrap_err().to_string();
        assert!(error.contains("MESOS_EXECUTOR_ID is not set"), "{error}");
        let bad = vars().into_iter().chain([("MESOS_RECOVERY_TIMEOUT".into(), "soon".into())]);
        let error = Environment::from_vars(bad).unwrap_err().to_string();
        assert!(error.contains("MESOS_RECOVERY_TIMEOUT is \"soon\""), "{error}");
    }

    #[test]
    fn durations_have_units() {
        for (text, millis) in
            [("5secs", 5000), ("1.5mins", 90_000), ("10ms", 10), ("1hrs", 3_600_000)]
        {
            assert_eq!(parse_duration(text), Some(Duration::from_millis(millis)), "{text}");
        }
        for text in ["", "5", "secs", "-1secs", "1e400secs", "5parsecs"] {
            assert_eq!(parse_duration(text), None, "{text}");
        }
    }
}
