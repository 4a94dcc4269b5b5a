//! The core with its connections: what it wants sent is sent.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use aurora_mesos::v1;
use prost::Message;
use tokio::sync::{Notify, mpsc};
use tonic::Status;

use super::core::{Core, Output, Times};
use crate::api::Events;
use crate::proto;
use crate::proto::master_message::Kind;

/// Frameworks that are remembered as removed.
const MAX_REMOVED: usize = 10_000;

type ToAgent = mpsc::UnboundedSender<Result<proto::MasterMessage, Status>>;

/// A master. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Shell(Arc<Shared>);

struct Shared {
    inner: Mutex<Inner>,
    changed: Notify,
    began: Instant,
}

pub(crate) struct Inner {
    pub(crate) core: Core,
    /// By framework: the id of its stream and where its events go.
    streams: BTreeMap<String, (String, Events)>,
    agents: BTreeMap<String, ToAgent>,
    registry: PathBuf,
    removed: BTreeSet<String>,
}

impl Shell {
    pub(crate) fn new(
        id: String,
        removed: BTreeSet<String>,
        times: Times,
        registry: PathBuf,
    ) -> Self {
        let core = Core::new(id, removed.clone(), times);
        let inner =
            Inner { core, streams: BTreeMap::new(), agents: BTreeMap::new(), registry, removed };
        Self(Arc::new(Shared {
            inner: Mutex::new(inner),
            changed: Notify::new(),
            began: Instant::now(),
        }))
    }

    /// Lets `act` use the core at the present time, and sends what comes of it.
    pub(crate) fn with<T>(&self, act: impl FnOnce(&mut Inner, u64) -> T) -> T {
        let now = u64::try_from(self.0.began.elapsed().as_millis()).unwrap_or(u64::MAX);
        let mut inner = self.lock();
        inner.core.wall_ns = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .map_or(0, |since| i64::try_from(since.as_nanos()).unwrap_or(i64::MAX));
        let result = act(&mut inner, now);
        inner.flush(now);
        drop(inner);
        self.0.changed.notify_one();
        result
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets time pass, for ever.
    pub(crate) async fn run(self) {
        loop {
            let wakeup = self.lock().core.next_wakeup();
            let sleep = async {
                match wakeup {
                    Some(at) => {
                        tokio::time::sleep_until((self.0.began + Duration::from_millis(at)).into())
                            .await;
                    }
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = sleep => self.with(|inner, now| inner.core.tick(now)),
                () = self.0.changed.notified() => {}
            }
        }
    }
}

impl Inner {
    /// The id of a framework's present stream.
    pub(crate) fn stream_of(&self, framework: &str) -> Option<&str> {
        self.streams.get(framework).map(|(id, _)| id.as_str())
    }

    /// Makes a stream a framework's, and ends the one it had.
    pub(crate) fn open_stream(&mut self, framework: &str, id: String, events: Events) {
        if let Some((_, old)) = self.streams.insert(framework.to_owned(), (id, events)) {
            old.send(&error_event("Framework failed over"));
            old.end();
        }
    }

    /// Takes in that a stream has ended, if it is still the framework's.
    pub(crate) fn stream_closed(&mut self, now: u64, framework: &str, events: &Events) {
        let is_present = self.streams.get(framework).is_some_and(|(_, known)| known.is(events));
        if is_present {
            self.streams.remove(framework);
            self.core.disconnected(now, framework);
        }
    }

    pub(crate) fn agent_joined(&mut self, id: &str, sender: ToAgent) {
        self.agents.insert(id.to_owned(), sender);
    }

    /// Takes in that an agent's connection has ended, if it is still the agent's.
    pub(crate) fn agent_left(&mut self, now: u64, id: &str, sender: &ToAgent) {
        let is_present = self.agents.get(id).is_some_and(|known| known.same_channel(sender));
        if is_present {
            self.agents.remove(id);
            self.core.agent_disconnected(now, id);
        }
    }

    fn flush(&mut self, now: u64) {
        // A framework that does not read is disconnected, which may make more output.
        for _ in 0..64 {
            let output = self.core.take_output();
            if output.is_empty() {
                return;
            }
            for item in output {
                self.send(now, item);
            }
        }
    }

    fn send(&mut self, now: u64, output: Output) {
        let (agent, kind) = match output {
            Output::Event { framework, event } => {
                let sent =
                    self.streams.get(&framework).is_some_and(|(_, events)| events.send(&*event));
                if !sent && let Some((_, events)) = self.streams.remove(&framework) {
                    tracing::warn!(framework, "the scheduler does not read its events");
                    events.end();
                    self.core.disconnected(now, &framework);
                }
                return;
            }
            Output::Close { framework } => {
                if let Some((_, events)) = self.streams.remove(&framework) {
                    events.end();
                }
                return;
            }
            Output::Remember { removed } => {
                self.remember(removed);
                return;
            }
            Output::Launch { agent, framework, task } => (
                agent,
                Kind::Launch(proto::Launch {
                    framework: framework.encode_to_vec().into(),
                    task: task.encode_to_vec().into(),
                }),
            ),
            Output::Kill { agent, framework, task, policy } => (
                agent,
                Kind::Kill(proto::Kill {
                    framework_id: framework,
                    task_id: task,
                    policy: policy.map(|policy| policy.encode_to_vec()).unwrap_or_default().into(),
                }),
            ),
            Output::Acknowledge { agent, framework, task, uuid } => (
                agent,
                Kind::Acknowledge(proto::Acknowledge {
                    framework_id: framework,
                    task_id: task,
                    uuid,
                }),
            ),
            Output::Shutdown { agent, framework } => (
                agent,
                Kind::ShutdownFramework(proto::ShutdownFramework { framework_id: framework }),
            ),
            Output::Resend { agent, framework } => {
                (agent, Kind::Resend(proto::Resend { framework_id: framework }))
            }
        };
        if let Some(sender) = self.agents.get(&agent) {
            // An agent that has just gone says what it runs when it comes back.
            let _ = sender.send(Ok(proto::MasterMessage { kind: Some(kind) }));
        }
    }

    /// Writes down that a framework is removed, so that no master takes it again.
    fn remember(&mut self, id: String) {
        self.removed.insert(id);
        while self.removed.len() > MAX_REMOVED {
            self.removed.pop_first();
        }
        let written = serde_json::to_vec(&serde_json::json!({ "removed": self.removed }))
            .map_err(std::io::Error::other)
            .and_then(|text| aurora_daemon::fsutil::write_atomically(&self.registry, &text));
        if let Err(error) = written {
            tracing::error!(%error, path = %self.registry.display(), "failed to write the registry");
        }
    }
}

/// An ERROR event, after which a stream ends.
pub(crate) fn error_event(message: &str) -> v1::scheduler::Event {
    use v1::scheduler::event;
    v1::scheduler::Event {
        r#type: Some(event::Type::Error as i32),
        error: Some(event::Error { message: message.to_owned() }),
        ..Default::default()
    }
}
