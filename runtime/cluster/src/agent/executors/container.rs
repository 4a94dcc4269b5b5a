//! One executor with its tasks: what is known of it, what is written down, what it is told.

use std::collections::{BTreeMap, VecDeque};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use aurora_mesos::v1;
use aurora_mesos::v1::executor::{Event, event};
use bytes::Bytes;
use prost::Message;
use tokio_util::sync::CancellationToken;

use crate::agent::checkpoint::{self, VERSION};
use crate::agent::launch::{self, Process};
use crate::api::Events;
use crate::master::is_terminal;
use crate::proto::{CheckpointedTask, Container};

pub(super) struct Executor {
    pub(super) framework: v1::FrameworkInfo,
    pub(super) info: v1::ExecutorInfo,
    pub(super) container: String,
    pub(super) sandbox: PathBuf,
    pub(super) meta: PathBuf,
    pub(super) cgroup: Option<PathBuf>,
    pub(super) boot_id: String,
    /// None until it was started.
    pub(super) process: Option<Process>,
    pub(super) events: Option<Events>,
    /// Whether it has ever subscribed.
    pub(super) subscribed: bool,
    pub(super) tasks: BTreeMap<String, Task>,
    /// Whether one of its tasks failed, be it remembered or not.
    pub(super) failed: bool,
    pub(super) ended_ms: i64,
    /// When it is killed, and why.
    pub(super) deadline: Option<(Instant, Doom)>,
    /// Whether its framework was removed: nobody acknowledges updates.
    pub(super) forsaken: bool,
    /// Whether all that is to be remembered is on disk.
    pub(super) written: bool,
    /// Cancelled if it is not to run any more: then what it needs is fetched no further.
    pub(super) unwanted: CancellationToken,
}

/// Why an executor is killed when its time is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Doom {
    NeverSubscribed,
    /// After a restart of the agent.
    NeverCameBack,
    ToldToEnd,
}

pub(super) struct Task {
    pub(super) info: v1::TaskInfo,
    pub(super) latest: Option<v1::TaskStatus>,
    pub(super) pending: VecDeque<v1::TaskStatus>,
    pub(super) delivered: bool,
    /// The uuids of the last updates, of those too that are acknowledged.
    pub(super) received: VecDeque<Bytes>,
    pub(super) resend: Option<(Instant, Duration)>,
}

impl Task {
    pub(super) fn new(info: v1::TaskInfo) -> Self {
        Self {
            info,
            latest: None,
            pending: VecDeque::new(),
            delivered: false,
            received: VecDeque::new(),
            resend: None,
        }
    }

    pub(super) fn is_over(&self) -> bool {
        self.latest.as_ref().is_some_and(|status| is_terminal(status.state()))
    }
}

impl Executor {
    pub(super) fn send(&mut self, event: &Event) -> bool {
        let sent = self.events.as_ref().is_some_and(|events| events.send(event));
        // One that misses an event has to subscribe anew.
        if !sent && let Some(events) = self.events.take() {
            tracing::warn!(container = self.container, "the executor does not read its events");
            events.end();
        }
        sent
    }

    pub(super) fn is_running(&self) -> bool {
        self.process.is_some() && self.ended_ms == 0
    }

    /// Whether it has said of a task that it runs.
    pub(super) fn has_begun(&self) -> bool {
        let mut latest = self.tasks.values().filter_map(|task| task.latest.as_ref());
        latest.any(|status| {
            status.state() == v1::TaskState::TaskRunning
                && status.source() == v1::task_status::Source::Executor
        })
    }

    /// Gives the executor the tasks it does not have yet.
    pub(super) fn deliver(&mut self) {
        if self.events.is_none() {
            return;
        }
        let waiting: Vec<String> = self
            .tasks
            .iter()
            .filter(|(_, task)| !task.delivered && task.latest.is_none())
            .map(|(id, _)| id.clone())
            .collect();
        for id in waiting {
            let Some(info) = self.tasks.get(&id).map(|task| task.info.clone()) else { continue };
            let sent = self.send(&Event {
                r#type: Some(event::Type::Launch as i32),
                launch: Some(event::Launch { task: info }),
                ..Event::default()
            });
            if sent && let Some(task) = self.tasks.get_mut(&id) {
                task.delivered = true;
                // What cannot be written is put right by the executor: it says what it has.
                self.save_or_log();
            }
        }
    }

    /// Tells the executor to end; it is killed if it has not by the deadline.
    pub(super) fn shut_down(&mut self, deadline: Instant) {
        if self.ended_ms > 0 || matches!(self.deadline, Some((_, Doom::ToldToEnd))) {
            return;
        }
        self.deadline = Some((deadline, Doom::ToldToEnd));
        let told =
            self.send(&Event { r#type: Some(event::Type::Shutdown as i32), ..Event::default() });
        if !told {
            self.kill();
        }
    }

    /// Whether it should have subscribed, come back or ended by now. What it needs has the same time to be
    /// fetched, and tells itself why it did not come.
    pub(super) fn is_late(&self, now: Instant) -> bool {
        let is_fetching = self.process.is_none();
        self.ended_ms == 0
            && self.deadline.is_some_and(|(at, doom)| {
                at <= now && !(is_fetching && doom == Doom::NeverSubscribed)
            })
    }

    pub(super) fn kill(&self) {
        self.unwanted.cancel();
        let Some(process) = self.process.as_ref().filter(|_| self.ended_ms == 0) else { return };
        if let Some(handle) = launch::handle(process) {
            // It may have ended meanwhile.
            let _ = rustix::process::pidfd_send_signal(handle, rustix::process::Signal::KILL);
        }
    }

    /// Writes down what is to be remembered; what cannot be written is forgotten by a restart.
    pub(super) fn save_or_log(&mut self) {
        let saved = self.save();
        self.written = saved.is_ok();
        if let Err(error) = saved {
            self.log(&error);
        }
    }

    pub(super) fn log(&self, error: &std::io::Error) {
        tracing::error!(%error, path = %self.meta.display(), "failed to write down the state of a container");
    }

    /// Writes down what is to be remembered.
    pub(super) fn save(&self) -> std::io::Result<()> {
        let tasks = self
            .tasks
            .values()
            .map(|task| CheckpointedTask {
                task: task.info.encode_to_vec().into(),
                latest: task.latest.as_ref().map(Message::encode_to_vec).unwrap_or_default().into(),
                pending: task.pending.iter().map(|status| status.encode_to_vec().into()).collect(),
                delivered: task.delivered,
                received: task.received.iter().cloned().collect(),
            })
            .collect();
        let container = Container {
            version: VERSION,
            container_id: self.container.clone(),
            framework: self.framework.encode_to_vec().into(),
            executor: self.info.encode_to_vec().into(),
            sandbox: self.sandbox.to_string_lossy().into_owned(),
            pid: self.process.as_ref().map_or(0, |process| process.pid),
            start_ticks: self.process.as_ref().map_or(0, |process| process.start_ticks),
            boot_id: self.boot_id.clone(),
            tasks,
            ended_ms: self.ended_ms,
            failed: self.failed,
            cgroup: self
                .cgroup
                .as_ref()
                .map(|cgroup| cgroup.to_string_lossy().into_owned())
                .unwrap_or_default(),
        };
        checkpoint::write(&self.meta, &container)
    }
}
