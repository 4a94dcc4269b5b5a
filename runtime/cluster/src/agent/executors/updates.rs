//! Updates: from the executor, or made here, to disk; then to the master until they are acknowledged.

use std::time::{Duration, Instant};

use aurora_mesos::v1;
use aurora_mesos::v1::executor::{Event, event};
use bytes::Bytes;
use prost::Message;

use super::{CallRefused, ExecutorKey, Inner, now_ms};
use crate::master::is_terminal;
use crate::proto::{self, AgentMessage, agent_message::Kind};

/// When an update is first sent again; the wait doubles, as in Mesos.
const RESEND: Duration = Duration::from_secs(10);
/// The longest wait.
const MAX_RESEND: Duration = Duration::from_secs(600);

/// How many updates of a task are remembered to tell those that come again.
const MAX_RECEIVED: usize = 64;

/// Whether a task that ends so has failed: neither has it come to its own end, nor was it asked to end.
fn is_failure(state: v1::TaskState) -> bool {
    use v1::TaskState::{TaskFinished, TaskKilled};
    is_terminal(state) && !matches!(state, TaskFinished | TaskKilled)
}

impl Inner {
    pub(super) fn tell(&self, kind: Kind) {
        if let Some(link) = &self.link {
            // A link that has just broken is made again, and then everything is told anew.
            let _ = link.send(AgentMessage { kind: Some(kind) });
        }
    }

    /// Sends the first update that waits, of one task or of each.
    pub(super) fn send_first(&mut self, key: &ExecutorKey, only: Option<&str>) {
        let Some(link) = self.link.clone() else { return };
        let Some(executor) = self.executors.get_mut(key) else { return };
        for (id, task) in &mut executor.tasks {
            if only.is_some_and(|only| only != id) {
                continue;
            }
            let Some(status) = task.pending.front() else { continue };
            let wait = task.resend.map_or(RESEND, |(_, wait)| (wait * 2).min(MAX_RESEND));
            task.resend = Some((Instant::now() + wait, wait));
            let update = proto::Update {
                framework_id: key.0.clone(),
                status: status.encode_to_vec().into(),
            };
            // See `tell`.
            let _ = link.send(AgentMessage { kind: Some(Kind::Update(update)) });
        }
    }

    /// Takes an update that has a uuid: to disk, acknowledged to the executor, on to the master.
    pub(super) fn take_update(
        &mut self,
        key: &ExecutorKey,
        mut status: v1::TaskStatus,
    ) -> Result<(), CallRefused> {
        let agent = self.agent.id.clone();
        let Some(executor) = self.executors.get_mut(key) else { return Ok(()) };
        let id = status.task_id.value.clone();
        let uuid = status.uuid.clone();
        status.agent_id = agent;
        status.executor_id = Some(v1::ExecutorId { value: key.1.clone() });
        status.container_status = Some(v1::ContainerStatus {
            container_id: Some(v1::ContainerId {
                value: executor.container.clone(),
                ..Default::default()
            }),
            executor_pid: executor
                .process
                .as_ref()
                .and_then(|process| u32::try_from(process.pid).ok()),
            ..Default::default()
        });
        let by_executor = status.source() == v1::task_status::Source::Executor;
        let mut forsaken = None;
        // One that is gone was acknowledged by its framework to its end: nothing is left to say.
        if let Some(task) = executor.tasks.get_mut(&id)
            && let Some(uuid) = uuid.clone()
            && !task.received.contains(&uuid)
        {
            let failed_before = executor.failed;
            executor.failed |= is_failure(status.state());
            let before = task.latest.replace(status.clone());
            task.received.push_back(uuid);
            if task.received.len() > MAX_RECEIVED {
                task.received.pop_front();
            }
            if executor.forsaken {
                forsaken = Some(status);
            } else {
                task.pending.push_back(status);
            }
            if let Err(error) = executor.save() {
                executor.log(&error);
                // The agent's own are made anew by the next agent.
                if by_executor && let Some(task) = executor.tasks.get_mut(&id) {
                    task.latest = before;
                    task.received.pop_back();
                    task.pending.pop_back();
                    executor.failed = failed_before;
                    return Err(CallRefused::NotWritten);
                }
            }
        }
        if by_executor && let Some(uuid) = uuid {
            executor.send(&Event {
                r#type: Some(event::Type::Acknowledged as i32),
                acknowledged: Some(event::Acknowledged {
                    task_id: v1::TaskId { value: id.clone() },
                    uuid,
                }),
                ..Event::default()
            });
        }
        let first = executor.tasks.get(&id).is_some_and(|task| task.pending.len() == 1);
        if let Some(status) = forsaken {
            // Nobody acknowledges it: the master hears of it once, for its books.
            if is_terminal(status.state()) {
                executor.tasks.remove(&id);
                executor.save_or_log();
            }
            self.tell(Kind::Update(proto::Update {
                framework_id: key.0.clone(),
                status: status.encode_to_vec().into(),
            }));
        } else if first {
            self.send_first(key, Some(&id));
        }
        Ok(())
    }

    /// Makes an update of the agent's own.
    pub(super) fn make_update(
        &mut self,
        key: &ExecutorKey,
        task: &str,
        state: v1::TaskState,
        message: &str,
        reason: v1::task_status::Reason,
    ) {
        #[expect(clippy::cast_precision_loss, reason = "Mesos gives times as floats")]
        let timestamp = now_ms() as f64 / 1000.0;
        let status = v1::TaskStatus {
            task_id: v1::TaskId { value: task.to_owned() },
            state: state as i32,
            message: Some(message.to_owned()),
            reason: Some(reason as i32),
            source: Some(v1::task_status::Source::Agent as i32),
            timestamp: Some(timestamp),
            uuid: Some(Bytes::copy_from_slice(uuid::Uuid::new_v4().as_bytes())),
            ..v1::TaskStatus::default()
        };
        // Only those of executors are refused.
        let _ = self.take_update(key, status);
    }

    /// A task for which there is no container: what becomes of it is told once, and again when the
    /// scheduler asks.
    pub(super) fn refuse(
        &self,
        framework: &str,
        task: &v1::TaskInfo,
        state: v1::TaskState,
        message: &str,
    ) {
        let status = v1::TaskStatus {
            task_id: task.task_id.clone(),
            state: state as i32,
            message: Some(message.to_owned()),
            reason: Some(v1::task_status::Reason::ContainerLaunchFailed as i32),
            source: Some(v1::task_status::Source::Agent as i32),
            agent_id: self.agent.id.clone(),
            ..v1::TaskStatus::default()
        };
        self.tell(Kind::Update(proto::Update {
            framework_id: framework.to_owned(),
            status: status.encode_to_vec().into(),
        }));
    }

    pub(super) fn executor_ended(
        &mut self,
        key: &ExecutorKey,
        message: &str,
        reason: v1::task_status::Reason,
    ) {
        let Some(executor) = self.executors.get_mut(key) else { return };
        executor.ended_ms = now_ms();
        executor.deadline = None;
        if let Some(events) = executor.events.take() {
            events.end();
        }
        executor.save_or_log();
        let live: Vec<String> = executor
            .tasks
            .iter()
            .filter(|(_, task)| !task.is_over())
            .map(|(id, _)| id.clone())
            .collect();
        for task in live {
            self.make_update(key, &task, v1::TaskState::TaskFailed, message, reason);
        }
        if self.executors.get(key).is_some_and(|executor| executor.tasks.is_empty()) {
            self.forget(key);
        }
    }
}
