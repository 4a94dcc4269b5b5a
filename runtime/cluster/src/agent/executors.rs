//! The executors of an agent, their tasks, and the updates on their way to the frameworks.
//!
//! An update is on disk before the executor is told that it has been taken, and is sent to the
//! master again and again, one at a time for each task, until its framework has acknowledged it.

use std::collections::{BTreeMap, VecDeque};
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use aurora_mesos::v1;
use aurora_mesos::v1::executor::{Call, Event, event};
use bytes::Bytes;
use prost::Message;
use tokio::sync::mpsc;

use super::cgroup;
use super::checkpoint::{self, Folders, VERSION};
use super::launch::{self, Process, Surroundings};
use super::leftovers;
use crate::api::Events;
use crate::master::is_terminal;
use crate::proto::{
    self, AgentMessage, CheckpointedTask, Container, Register, Running, agent_message::Kind,
};

/// When an update is first sent again; the wait doubles, as in Mesos.
const RESEND: Duration = Duration::from_secs(10);
/// The longest wait.
const MAX_RESEND: Duration = Duration::from_secs(600);

/// How many updates of a task are remembered to tell those that come again.
const MAX_RECEIVED: usize = 64;

pub(crate) type Link = mpsc::UnboundedSender<AgentMessage>;

/// The times that matter to an agent.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Times {
    pub(crate) registration: Duration,
    pub(crate) reregistration: Duration,
    pub(crate) shutdown_grace: Duration,
    pub(crate) recovery: Duration,
    pub(crate) gc_delay: Duration,
}

/// Why a call of an executor is refused, in Mesos's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum CallRefused {
    #[error("Framework cannot be found")]
    UnknownFramework,
    #[error("Executor cannot be found")]
    Unknown,
    #[error("Executor is not subscribed")]
    NotSubscribed,
    /// Not in Mesos's words: it ends itself then.
    #[error("The agent cannot write the update down")]
    NotWritten,
}

/// All executors. Cheap to clone.
///
/// What changes is written to disk before anything comes of it, and others wait meanwhile: tasks
/// of the runtime must not, and use [`Executors::blocking`].
#[derive(Clone)]
pub(crate) struct Executors(Arc<Shared>);

struct Shared {
    inner: Mutex<Inner>,
    folders: Folders,
    times: Times,
    address: std::net::SocketAddr,
    /// Where executors get their cgroups.
    cgroups: Option<PathBuf>,
}

type ExecutorKey = (String, String);

struct Inner {
    agent: v1::AgentInfo,
    executors: BTreeMap<ExecutorKey, Executor>,
    link: Option<Link>,
    /// Until then executors from before may come back.
    recovering_until: Option<Instant>,
    /// Whether all executors were told to end: none is started any more.
    closing: bool,
}

struct Executor {
    framework: v1::FrameworkInfo,
    info: v1::ExecutorInfo,
    container: String,
    sandbox: PathBuf,
    meta: PathBuf,
    cgroup: Option<PathBuf>,
    boot_id: String,
    /// None until it was started.
    process: Option<Process>,
    events: Option<Events>,
    /// Whether it has ever subscribed.
    subscribed: bool,
    tasks: BTreeMap<String, Task>,
    ended_ms: i64,
    /// When it is killed, and why.
    deadline: Option<(Instant, Doom)>,
    /// Whether its framework was removed: nobody acknowledges updates.
    forsaken: bool,
}

/// Why an executor is killed when its time is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Doom {
    NeverSubscribed,
    /// After a restart of the agent.
    NeverCameBack,
    ToldToEnd,
}

struct Task {
    info: v1::TaskInfo,
    latest: Option<v1::TaskStatus>,
    pending: VecDeque<v1::TaskStatus>,
    delivered: bool,
    /// The uuids of the last updates, of those too that are acknowledged.
    received: VecDeque<Bytes>,
    resend: Option<(Instant, Duration)>,
}

impl Task {
    fn new(info: v1::TaskInfo) -> Self {
        Self {
            info,
            latest: None,
            pending: VecDeque::new(),
            delivered: false,
            received: VecDeque::new(),
            resend: None,
        }
    }

    fn is_over(&self) -> bool {
        self.latest.as_ref().is_some_and(|status| is_terminal(status.state()))
    }
}

impl Executors {
    /// An agent with what it remembers.
    pub(crate) fn recover(
        agent: v1::AgentInfo,
        folders: Folders,
        times: Times,
        address: std::net::SocketAddr,
    ) -> std::io::Result<Self> {
        let id = agent.id.as_ref().map(|id| id.value.clone());
        let inner = Inner {
            agent,
            executors: BTreeMap::new(),
            link: None,
            recovering_until: None,
            closing: false,
        };
        let cgroups = cgroup::parent();
        let shared = Shared { inner: Mutex::new(inner), folders, times, address, cgroups };
        let all = Self(Arc::new(shared));
        let Some(id) = id else { return Ok(all) };
        let boot = launch::boot_id()?;
        for (meta, container) in all.0.folders.containers(&id)? {
            if let Err(error) = all.take_back(meta.clone(), container, &boot) {
                tracing::error!(%error, path = %meta.display(), "cannot use what is remembered of a container");
            }
        }
        Ok(all)
    }

    fn take_back(
        &self,
        meta: PathBuf,
        container: Container,
        boot: &str,
    ) -> Result<(), prost::DecodeError> {
        let framework = v1::FrameworkInfo::decode(container.framework)?;
        let info = v1::ExecutorInfo::decode(container.executor)?;
        let mut tasks = BTreeMap::new();
        for task in container.tasks {
            let info = v1::TaskInfo::decode(task.task)?;
            let latest = match task.latest.is_empty() {
                true => None,
                false => Some(v1::TaskStatus::decode(task.latest)?),
            };
            let pending =
                task.pending.into_iter().map(v1::TaskStatus::decode).collect::<Result<_, _>>()?;
            tasks.insert(
                info.task_id.value.clone(),
                Task {
                    latest,
                    pending,
                    delivered: task.delivered,
                    received: task.received.into(),
                    ..Task::new(info)
                },
            );
        }
        if container.ended_ms > 0 && tasks.values().all(|task| task.pending.is_empty()) {
            return Ok(());
        }
        let key = (
            framework.id.as_ref().map(|id| id.value.clone()).unwrap_or_default(),
            info.executor_id.value.clone(),
        );
        let process = (container.pid > 0)
            .then_some(Process { pid: container.pid, start_ticks: container.start_ticks });
        let handle = process
            .as_ref()
            .filter(|_| container.boot_id == boot && container.ended_ms == 0)
            .and_then(launch::handle);
        let name = container.container_id.clone();
        let executor = Executor {
            framework,
            info,
            container: container.container_id,
            sandbox: container.sandbox.into(),
            meta,
            cgroup: (!container.cgroup.is_empty()).then(|| container.cgroup.into()),
            boot_id: container.boot_id,
            process,
            events: None,
            subscribed: true,
            tasks,
            ended_ms: container.ended_ms,
            deadline: None,
            forsaken: false,
        };
        let was_running = executor.ended_ms == 0;
        let mut inner = self.lock();
        inner.executors.insert(key.clone(), executor);
        match handle {
            Some(handle) => {
                let until = Instant::now() + self.0.times.reregistration;
                inner.recovering_until = Some(until);
                if let Some(executor) = inner.executors.get_mut(&key) {
                    executor.deadline = Some((until, Doom::NeverCameBack));
                }
                drop(inner);
                self.watch(key, name, handle);
            }
            None => {
                drop(inner);
                if was_running {
                    self.ended(&key, &name, None);
                }
            }
        }
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Runs `act` where it may wait; none if the runtime ends.
    pub(crate) async fn blocking<T: Send + 'static>(
        &self,
        act: impl FnOnce(&Self) -> T + Send + 'static,
    ) -> Option<T> {
        let all = self.clone();
        match tokio::task::spawn_blocking(move || act(&all)).await {
            Ok(result) => Some(result),
            Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
            Err(_) => None,
        }
    }

    fn watch(&self, key: ExecutorKey, container: String, handle: std::os::fd::OwnedFd) {
        let all = self.clone();
        tokio::spawn(async move {
            let status = launch::ended(handle).await;
            // If the process ends meanwhile, the next agent sees to it.
            all.blocking(move |all| all.ended(&key, &container, status)).await;
        });
    }

    /// Whether executors from before may still come back.
    pub(crate) fn is_recovering(&self) -> bool {
        let inner = self.lock();
        let waiting = inner.executors.values().any(|executor| {
            executor.ended_ms == 0 && executor.events.is_none() && executor.deadline.is_some()
        });
        waiting && inner.recovering_until.is_some_and(|until| Instant::now() < until)
    }

    /// What the master is told when the agent joins it.
    pub(crate) fn register(&self) -> Register {
        let inner = self.lock();
        let running = inner
            .executors
            .iter()
            .flat_map(|((framework, _), executor)| {
                // Also those whose end is still to be told: the master must not take them for lost.
                let told = |task: &&Task| !task.is_over() || !task.pending.is_empty();
                executor.tasks.values().filter(told).map(|task| Running {
                    framework_id: framework.clone(),
                    task: task.info.encode_to_vec().into(),
                    status: task
                        .latest
                        .as_ref()
                        .map(Message::encode_to_vec)
                        .unwrap_or_default()
                        .into(),
                })
            })
            .collect();
        Register {
            agent: inner.agent.encode_to_vec().into(),
            address: self.0.address.ip().to_string(),
            port: u32::from(self.0.address.port()),
            running,
        }
    }

    /// Takes in that the master has registered the agent, and sends what it has not heard.
    pub(crate) fn registered(&self, id: &str, link: Link) -> std::io::Result<()> {
        let mut inner = self.lock();
        let is_new = inner.agent.id.as_ref().is_none_or(|known| known.value != id);
        if is_new {
            self.0.folders.set_agent_id(id)?;
            inner.agent.id = Some(v1::AgentId { value: id.to_owned() });
        }
        inner.link = Some(link);
        let keys: Vec<ExecutorKey> = inner.executors.keys().cloned().collect();
        for key in keys {
            inner.send_first(&key, None);
        }
        Ok(())
    }

    /// Sends what a framework has not acknowledged without waiting for its time.
    pub(crate) fn resend(&self, framework: &str) {
        let mut inner = self.lock();
        let keys: Vec<ExecutorKey> =
            inner.executors.keys().filter(|key| key.0 == framework).cloned().collect();
        for key in keys {
            for task in inner.executors.get_mut(&key).into_iter().flat_map(|e| e.tasks.values_mut())
            {
                task.resend = None;
            }
            inner.send_first(&key, None);
        }
    }

    /// Takes in that the master is out of reach.
    pub(crate) fn link_lost(&self) {
        self.lock().link = None;
    }

    /// Runs a task, in an executor of its own if there is none for it yet.
    pub(crate) fn launch(&self, framework: v1::FrameworkInfo, task: v1::TaskInfo) {
        let framework_id = framework.id.as_ref().map(|id| id.value.clone()).unwrap_or_default();
        let Some(info) = task.executor.clone() else {
            let message = "This agent runs tasks with an executor only";
            self.lock().refuse(&framework_id, &task, v1::TaskState::TaskFailed, message);
            return;
        };
        let key = (framework_id, info.executor_id.value.clone());
        let entry = Task::new(task);
        let mut inner = self.lock();
        if inner.closing {
            let message = "This agent is ending all its executors";
            inner.refuse(&key.0, &entry.info, v1::TaskState::TaskDropped, message);
            return;
        }
        if let Some(executor) = inner.executors.get_mut(&key)
            && executor.ended_ms == 0
        {
            let task = entry.info.clone();
            executor.tasks.insert(task.task_id.value.clone(), entry);
            match executor.save() {
                Ok(()) => executor.deliver(),
                Err(error) => {
                    executor.tasks.remove(&task.task_id.value);
                    let message = format!("Failed to write the task down: {error}");
                    inner.refuse(&key.0, &task, v1::TaskState::TaskFailed, &message);
                }
            }
            return;
        }
        let agent_id = inner.agent.id.as_ref().map(|id| id.value.clone()).unwrap_or_default();
        let container = uuid::Uuid::new_v4().to_string();
        let task = entry.info.clone();
        let made = self.make(framework, info, &agent_id, &key, &container, entry);
        let (executor, join) = match made {
            Ok(made) => made,
            Err(error) => {
                let message = format!("Failed to make the sandbox: {error}");
                inner.refuse(&key.0, &task, v1::TaskState::TaskFailed, &message);
                return;
            }
        };
        let surroundings = Surroundings {
            agent_address: self.0.address,
            agent_id,
            shutdown_grace: self.0.times.shutdown_grace,
            recovery_timeout: self.0.times.recovery,
        };
        let (framework, info) = (executor.framework.clone(), executor.info.clone());
        let sandbox = executor.sandbox.clone();
        inner.executors.insert(key.clone(), executor);
        // What is fetched may be large, and others need not wait for it.
        drop(inner);
        let started = launch::start(&framework, &info, &sandbox, join, &surroundings);
        let handle = match self.lock().started(&key, started) {
            Some(process) => launch::handle(&process),
            None => return,
        };
        match handle {
            Some(handle) => self.watch(key, container, handle),
            // It has ended before it could be looked at.
            None => self.ended(&key, &container, None),
        }
    }

    /// Makes and remembers a container that is still to be started.
    fn make(
        &self,
        framework: v1::FrameworkInfo,
        info: v1::ExecutorInfo,
        agent_id: &str,
        key: &ExecutorKey,
        container: &str,
        task: Task,
    ) -> std::io::Result<(Executor, Option<File>)> {
        let (sandbox, meta) = self.0.folders.container(agent_id, &key.0, &key.1, container)?;
        checkpoint::make(&sandbox, &meta, container)?;
        let made = self.0.cgroups.as_ref().map(|parent| cgroup::make(parent, container));
        let (cgroup, join) = match made {
            Some(Ok((cgroup, join))) => (Some(cgroup), Some(join)),
            Some(Err(error)) => {
                tracing::warn!(%error, executor = key.1, "the executor gets no cgroup");
                (None, None)
            }
            None => (None, None),
        };
        let executor = Executor {
            framework,
            info,
            container: container.to_owned(),
            sandbox,
            meta,
            cgroup,
            boot_id: launch::boot_id()?,
            process: None,
            events: None,
            subscribed: false,
            tasks: BTreeMap::from([(task.info.task_id.value.clone(), task)]),
            ended_ms: 0,
            deadline: Some((Instant::now() + self.0.times.registration, Doom::NeverSubscribed)),
            forsaken: false,
        };
        if let Err(error) = executor.save() {
            end_cgroup(executor.cgroup.as_deref(), &executor.container);
            // The first failure is the one to report.
            let _ = checkpoint::remove(&executor.sandbox, &executor.meta);
            return Err(error);
        }
        Ok((executor, join))
    }

    /// Takes in the end of an executor's process: ends what is left of it, fails its tasks.
    fn ended(&self, key: &ExecutorKey, container: &str, status: Option<i32>) {
        let (sandbox, cgroup) = {
            let inner = self.lock();
            match inner.executors.get(key) {
                Some(executor) if executor.container == container && executor.ended_ms == 0 => {
                    (executor.sandbox.clone(), executor.cgroup.clone())
                }
                _ => return,
            }
        };
        end_cgroup(cgroup.as_deref(), container);
        match leftovers::end(&sandbox) {
            Ok(0) => {}
            Ok(count) => {
                tracing::info!(executor = key.1, count, "ended what an executor had left behind")
            }
            Err(error) => {
                tracing::error!(%error, executor = key.1, "failed to look for what an executor has left behind")
            }
        }
        let mut inner = self.lock();
        let doom =
            inner.executors.get(key).and_then(|executor| executor.deadline).map(|(_, doom)| doom);
        let how = match status {
            None => "Executor terminated".to_owned(),
            Some(status) if status & 0x7f == 0 => {
                format!("Executor exited with status {}", status >> 8)
            }
            Some(status) => format!("Executor was killed by signal {}", status & 0x7f),
        };
        let (message, reason) = match doom {
            Some(Doom::NeverSubscribed) => (
                format!("{how} before it had subscribed at the agent"),
                v1::task_status::Reason::ExecutorRegistrationTimeout,
            ),
            Some(Doom::NeverCameBack) => (
                format!("{how} before it had subscribed at the restarted agent"),
                v1::task_status::Reason::ExecutorReregistrationTimeout,
            ),
            Some(Doom::ToldToEnd) | None => (how, v1::task_status::Reason::ExecutorTerminated),
        };
        inner.executor_ended(key, &message, reason);
        inner.tell(Kind::ExecutorEnded(proto::ExecutorEnded {
            framework_id: key.0.clone(),
            executor_id: key.1.clone(),
            status: status.unwrap_or(-1),
        }));
    }

    /// Has a task ended.
    pub(crate) fn kill(&self, framework: &str, task: &str, policy: Option<v1::KillPolicy>) {
        let mut inner = self.lock();
        let found = inner
            .executors
            .iter_mut()
            .find(|(key, executor)| key.0 == framework && executor.tasks.contains_key(task));
        let Some((key, executor)) = found else { return };
        let key = key.clone();
        let delivered = executor.tasks.get(task).is_some_and(|task| task.delivered);
        if delivered {
            let event = Event {
                r#type: Some(event::Type::Kill as i32),
                kill: Some(event::Kill {
                    task_id: v1::TaskId { value: task.to_owned() },
                    kill_policy: policy,
                }),
                ..Event::default()
            };
            // Lost if the executor is not there; the scheduler says it again.
            executor.send(&event);
            return;
        }
        let is_alone = executor.tasks.iter().all(|(id, other)| id == task || other.is_over());
        // The executor never hears of it.
        inner.make_update(
            &key,
            task,
            v1::TaskState::TaskKilled,
            "Killed before delivery to the executor",
            v1::task_status::Reason::TaskKilledDuringLaunch,
        );
        let deadline = Instant::now() + self.0.times.shutdown_grace;
        if is_alone && let Some(executor) = inner.executors.get_mut(&key) {
            executor.shut_down(deadline);
        }
    }

    /// Takes a framework's acknowledgement of an update.
    pub(crate) fn acknowledge(&self, framework: &str, task: &str, uuid: &Bytes) {
        let mut inner = self.lock();
        let found = inner
            .executors
            .iter_mut()
            .find(|(key, executor)| key.0 == framework && executor.tasks.contains_key(task));
        let Some((key, executor)) = found else { return };
        let key = key.clone();
        if let Some(entry) = executor.tasks.get_mut(task) {
            if entry.pending.front().and_then(|status| status.uuid.as_ref()) != Some(uuid) {
                return;
            }
            entry.pending.pop_front();
            entry.resend = None;
            if entry.is_over() && entry.pending.is_empty() {
                executor.tasks.remove(task);
            }
        }
        // What cannot be written is sent, and acknowledged, once more after a restart.
        executor.save_or_log();
        if executor.ended_ms > 0 && executor.tasks.is_empty() {
            inner.executors.remove(&key);
            return;
        }
        inner.send_first(&key, Some(task));
    }

    /// Has all executors of a framework end.
    pub(crate) fn shut_down_framework(&self, framework: &str) {
        let deadline = Instant::now() + self.0.times.shutdown_grace;
        let mut inner = self.lock();
        for (_, executor) in inner.executors.iter_mut().filter(|(key, _)| key.0 == framework) {
            executor.forsaken = true;
            for task in executor.tasks.values_mut() {
                task.pending.clear();
                task.resend = None;
            }
            executor.tasks.retain(|_, task| !task.is_over());
            executor.save_or_log();
            executor.shut_down(deadline);
        }
        inner.executors.retain(|key, executor| {
            key.0 != framework || executor.ended_ms == 0 || !executor.tasks.is_empty()
        });
    }

    /// Removes the sandboxes of executors that ended long enough ago.
    pub(crate) fn collect(&self) {
        let Some(agent) = self.lock().agent.id.as_ref().map(|id| id.value.clone()) else { return };
        let containers = match self.0.folders.containers(&agent) {
            Ok(containers) => containers,
            Err(error) => {
                tracing::warn!(%error, "failed to look for old sandboxes");
                return;
            }
        };
        for (meta, container) in containers {
            let age = u64::try_from(now_ms().saturating_sub(container.ended_ms)).unwrap_or(0);
            if container.ended_ms == 0
                || Duration::from_millis(age) < self.0.times.gc_delay
                || container.tasks.iter().any(|task| !task.pending.is_empty())
            {
                continue;
            }
            let sandbox = PathBuf::from(container.sandbox);
            match checkpoint::remove(&sandbox, &meta) {
                Ok(()) => {
                    // Held, so that no container is made meanwhile.
                    let _inner = self.lock();
                    checkpoint::prune(&sandbox);
                    checkpoint::prune(&meta);
                }
                Err(error) => {
                    tracing::warn!(%error, path = %sandbox.display(), "failed to remove an old sandbox");
                }
            }
        }
    }

    /// Has all executors end, with this much time to do so, and starts none from here on.
    pub(crate) fn shut_down_all(&self, grace: Duration) {
        let deadline = Instant::now() + grace;
        let mut inner = self.lock();
        inner.closing = true;
        for executor in inner.executors.values_mut() {
            executor.shut_down(deadline);
        }
    }

    /// Kills all executors.
    pub(crate) fn kill_all(&self) {
        for executor in self.lock().executors.values() {
            executor.kill();
        }
    }

    fn unknown(inner: &Inner, key: &ExecutorKey) -> CallRefused {
        let is_framework = |(known, executor): (&ExecutorKey, &Executor)| {
            known.0 == key.0 && executor.ended_ms == 0
        };
        match inner.executors.iter().any(is_framework) {
            true => CallRefused::Unknown,
            false => CallRefused::UnknownFramework,
        }
    }

    /// How many executors there are.
    pub(crate) fn running(&self) -> usize {
        self.lock().executors.values().filter(|executor| executor.ended_ms == 0).count()
    }

    /// How many updates no framework has acknowledged.
    pub(crate) fn unacknowledged(&self) -> usize {
        self.lock()
            .executors
            .values()
            .flat_map(|executor| executor.tasks.values())
            .map(|task| task.pending.len())
            .sum()
    }

    /// Takes an executor's subscription.
    pub(crate) fn subscribe(&self, call: Call, events: Events) -> Result<(), CallRefused> {
        let key = (call.framework_id.value, call.executor_id.value);
        let mut inner = self.lock();
        let agent = inner.agent.clone();
        let unknown = Self::unknown(&inner, &key);
        let executor = inner
            .executors
            .get_mut(&key)
            .filter(|executor| executor.ended_ms == 0)
            .ok_or(unknown)?;
        if let Some(old) = executor.events.replace(events) {
            old.end();
        }
        executor.subscribed = true;
        if let Some((_, Doom::NeverSubscribed | Doom::NeverCameBack)) = executor.deadline {
            executor.deadline = None;
        }
        executor.send(&Event {
            r#type: Some(event::Type::Subscribed as i32),
            subscribed: Some(event::Subscribed {
                executor_info: executor.info.clone(),
                framework_info: executor.framework.clone(),
                agent_info: agent,
                container_id: Some(v1::ContainerId {
                    value: executor.container.clone(),
                    ..Default::default()
                }),
            }),
            ..Event::default()
        });
        let subscribe = call.subscribe.unwrap_or_default();
        let told: Vec<String> =
            subscribe.unacknowledged_tasks.iter().map(|task| task.task_id.value.clone()).collect();
        for update in subscribe.unacknowledged_updates {
            if let Err(refused) = inner.take_update(&key, update.status) {
                // It has to come again, and say it again.
                if let Some(executor) = inner.executors.get_mut(&key) {
                    executor.events = None;
                }
                return Err(refused);
            }
        }
        // A task that was sent, but of which the executor knows nothing, never arrived.
        let lost: Vec<String> = inner
            .executors
            .get(&key)
            .into_iter()
            .flat_map(|executor| &executor.tasks)
            .filter(|(id, task)| task.delivered && task.latest.is_none() && !told.contains(id))
            .map(|(id, _)| id.clone())
            .collect();
        for task in lost {
            inner.make_update(
                &key,
                &task,
                v1::TaskState::TaskDropped,
                "The executor never received the task",
                v1::task_status::Reason::AgentRestarted,
            );
        }
        if let Some(executor) = inner.executors.get_mut(&key) {
            for (id, task) in &mut executor.tasks {
                task.delivered |= told.contains(id);
            }
            executor.deliver();
        }
        Ok(())
    }

    /// Takes in that an executor's stream has ended, if it is still the executor's.
    pub(crate) fn stream_closed(&self, key: &ExecutorKey, events: &Events) {
        let mut inner = self.lock();
        if let Some(executor) = inner.executors.get_mut(key)
            && executor.events.as_ref().is_some_and(|known| known.is(events))
        {
            executor.events = None;
        }
    }

    /// Takes an executor's update.
    pub(crate) fn update(&self, call: Call) -> Result<(), CallRefused> {
        let key = (call.framework_id.value, call.executor_id.value);
        let mut inner = self.lock();
        inner.check(&key)?;
        match call.update {
            Some(update) => inner.take_update(&key, update.status),
            None => Ok(()),
        }
    }

    /// Whether an executor is known, and whether it has ever subscribed.
    pub(crate) fn check(&self, framework: &str, executor: &str) -> Result<(), CallRefused> {
        self.lock().check(&(framework.to_owned(), executor.to_owned()))
    }

    /// Lets time pass: executors whose time is over are killed, updates are sent again.
    pub(crate) fn tick(&self) {
        let now = Instant::now();
        let mut inner = self.lock();
        let mut due = Vec::new();
        for (key, executor) in &mut inner.executors {
            if executor.ended_ms == 0 && executor.deadline.is_some_and(|(at, _)| at <= now) {
                executor.kill();
            }
            for (id, task) in &executor.tasks {
                if task.resend.is_some_and(|(at, _)| at <= now) {
                    due.push((key.clone(), id.clone()));
                }
            }
        }
        for (key, task) in due {
            inner.send_first(&key, Some(&task));
        }
    }
}

impl Inner {
    fn tell(&self, kind: Kind) {
        if let Some(link) = &self.link {
            // A link that has just broken is made again, and then everything is told anew.
            let _ = link.send(AgentMessage { kind: Some(kind) });
        }
    }

    /// Sends the first update that waits, of one task or of each.
    fn send_first(&mut self, key: &ExecutorKey, only: Option<&str>) {
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

    fn check(&self, key: &ExecutorKey) -> Result<(), CallRefused> {
        match self.executors.get(key) {
            Some(executor) if executor.ended_ms == 0 && executor.subscribed => Ok(()),
            Some(executor) if executor.ended_ms == 0 => Err(CallRefused::NotSubscribed),
            _ => Err(Executors::unknown(self, key)),
        }
    }

    /// Takes in how the start of an executor went. Gives its process.
    fn started(&mut self, key: &ExecutorKey, started: std::io::Result<Process>) -> Option<Process> {
        let process = match started {
            Ok(process) => process,
            Err(error) => {
                let message = format!("Failed to launch container: {error}");
                let reason = v1::task_status::Reason::ContainerLaunchFailed;
                if let Some(executor) = self.executors.get(key) {
                    end_cgroup(executor.cgroup.as_deref(), &executor.container);
                }
                self.executor_ended(key, &message, reason);
                return None;
            }
        };
        let executor = self.executors.get_mut(key)?;
        executor.process = Some(process.clone());
        // What cannot be written is found by its marks after a restart, and ended.
        executor.save_or_log();
        let told_to_end = matches!(executor.deadline, Some((_, Doom::ToldToEnd)));
        if told_to_end && executor.events.is_none() {
            executor.kill();
        }
        Some(process)
    }

    /// Takes an update that has a uuid: to disk, acknowledged to the executor, on to the master.
    fn take_update(
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
    fn make_update(
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
    fn refuse(&self, framework: &str, task: &v1::TaskInfo, state: v1::TaskState, message: &str) {
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

    fn executor_ended(
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
            self.executors.remove(key);
        }
    }
}

impl Executor {
    fn send(&mut self, event: &Event) -> bool {
        let sent = self.events.as_ref().is_some_and(|events| events.send(event));
        // One that misses an event has to subscribe anew.
        if !sent && let Some(events) = self.events.take() {
            tracing::warn!(container = self.container, "the executor does not read its events");
            events.end();
        }
        sent
    }

    /// Gives the executor the tasks it does not have yet.
    fn deliver(&mut self) {
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
    fn shut_down(&mut self, deadline: Instant) {
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

    fn kill(&self) {
        let Some(process) = self.process.as_ref().filter(|_| self.ended_ms == 0) else { return };
        if let Some(handle) = launch::handle(process) {
            // It may have ended meanwhile.
            let _ = rustix::process::pidfd_send_signal(handle, rustix::process::Signal::KILL);
        }
    }

    /// Writes down what is to be remembered; what cannot be written is forgotten by a restart.
    fn save_or_log(&self) {
        if let Err(error) = self.save() {
            self.log(&error);
        }
    }

    fn log(&self, error: &std::io::Error) {
        tracing::error!(%error, path = %self.meta.display(), "failed to write down the state of a container");
    }

    /// Writes down what is to be remembered.
    fn save(&self) -> std::io::Result<()> {
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
            cgroup: self
                .cgroup
                .as_ref()
                .map(|cgroup| cgroup.to_string_lossy().into_owned())
                .unwrap_or_default(),
        };
        checkpoint::write(&self.meta, &container)
    }
}

/// Ends what is in a container's cgroup, if it has one.
fn end_cgroup(folder: Option<&Path>, container: &str) {
    match folder.map_or(Ok(false), cgroup::end) {
        Ok(false) => {}
        Ok(true) => tracing::info!(container, "ended what was left in a cgroup"),
        Err(error) => tracing::error!(%error, container, "failed to end a cgroup"),
    }
}

fn now_ms() -> i64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}

#[cfg(test)]
mod tests;
