//! The executors of an agent, their tasks (`container`), what they ask of it (`asked`), the updates on their way
//! to the frameworks (`updates`), and what the rest of the agent looks at (`looks`).
//!
//! An update is on disk before the executor is told that it has been taken, and is sent to the
//! master again and again, one at a time for each task, until its framework has acknowledged it.

mod asked;
mod container;
mod looks;
mod updates;

use std::collections::BTreeMap;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use aurora_daemon::beneath;
use aurora_daemon::text::{LAST_LINES, last_lines};
use aurora_mesos::v1;
use aurora_mesos::v1::executor::{Event, event};
use bytes::Bytes;
use prost::Message;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

pub(crate) use self::asked::CallRefused;
use self::container::{Doom, Executor, Task};
pub(crate) use self::looks::Inside;
use super::cgroup;
use super::checkpoint::{self, Folders};
use super::fetch;
use super::launch::{self, Process, Surroundings};
use super::leftovers;
use crate::proto::{self, AgentMessage, Container, Register, Running, agent_message::Kind};

pub(crate) type Link = mpsc::UnboundedSender<AgentMessage>;

/// The times that matter to an agent.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Times {
    pub(crate) registration: Duration,
    pub(crate) reregistration: Duration,
    pub(crate) shutdown_grace: Duration,
    pub(crate) recovery: Duration,
}

/// All executors. Cheap to clone.
///
/// What changes is written to disk before anything comes of it, and others wait meanwhile: tasks
/// of the runtime must not, and use [`Executors::blocking`].
#[derive(Clone)]
pub(crate) struct Executors(Arc<Shared>);

impl std::fmt::Debug for Executors {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Executors").field("address", &self.0.address).finish_non_exhaustive()
    }
}

struct Shared {
    inner: Mutex<Inner>,
    folders: Folders,
    times: Times,
    address: std::net::SocketAddr,
    /// Where executors get their cgroups.
    cgroups: Option<PathBuf>,
    /// What is being fetched for executors that are still to be started.
    fetches: TaskTracker,
    /// Cancelled when this agent ends.
    stop: CancellationToken,
}

type ExecutorKey = (String, String);

struct Inner {
    agent: v1::AgentInfo,
    executors: BTreeMap<ExecutorKey, Executor>,
    /// Containers that have ended and are told, but could not be written down as such: when, and whether a task
    /// of theirs failed. Without them a disk that is full would never lose what has filled it.
    unwritten: BTreeMap<String, (i64, bool)>,
    link: Option<Link>,
    /// Until then executors from before may come back.
    recovering_until: Option<Instant>,
    /// Whether all executors were told to end: none is started any more.
    closing: bool,
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
            unwritten: BTreeMap::new(),
            link: None,
            recovering_until: None,
            closing: false,
        };
        let cgroups = cgroup::parent();
        let shared = Shared {
            inner: Mutex::new(inner),
            folders,
            times,
            address,
            cgroups,
            fetches: TaskTracker::new(),
            stop: CancellationToken::new(),
        };
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
            failed: container.failed,
            ended_ms: container.ended_ms,
            deadline: None,
            forsaken: false,
            written: true,
            unwanted: CancellationToken::new(),
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
            let message = "This agent is about to end";
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
        let start = Start {
            framework: executor.framework.clone(),
            info: executor.info.clone(),
            sandbox: executor.sandbox.clone(),
            join,
            surroundings: self.surroundings(agent_id),
        };
        let unwanted = executor.unwanted.clone();
        inner.executors.insert(key.clone(), executor);
        // What is fetched may be large, and others need not wait for it.
        drop(inner);
        let uris = start.info.command.as_ref().map(|command| command.uris.clone());
        match uris.filter(|uris| fetch::waits(uris)) {
            None => self.start(key, container, Ok(start)),
            Some(uris) => {
                let fetching = self.clone().fetch(uris, key, container, start, unwanted);
                self.0.fetches.spawn(fetching);
            }
        }
    }

    /// Fetches what an executor needs and starts it, unless it is not to run any more.
    async fn fetch(
        self,
        uris: Vec<v1::command_info::Uri>,
        key: ExecutorKey,
        container: String,
        start: Start,
        unwanted: CancellationToken,
    ) {
        let sandbox = start.sandbox.clone();
        let start = tokio::select! {
            // The next agent in this folder finds that it was never started.
            () = self.0.stop.cancelled() => return,
            () = unwanted.cancelled() => Err(std::io::Error::other("it is not to run any more")),
            fetched = fetch::download(&uris, &sandbox, self.0.times.registration) => {
                fetched.map(|()| start).map_err(std::io::Error::from)
            }
        };
        self.blocking(move |all| all.start(key, container, start)).await;
    }

    fn surroundings(&self, agent_id: String) -> Surroundings {
        Surroundings {
            agent_address: self.0.address,
            agent_id,
            shutdown_grace: self.0.times.shutdown_grace,
            recovery_timeout: self.0.times.recovery,
        }
    }

    /// Starts and fetches nothing any more, and waits until what was fetched is started or given up. Executors
    /// run on.
    pub(crate) async fn close(&self) {
        self.blocking(|all| all.lock().closing = true).await;
        self.0.stop.cancel();
        self.0.fetches.close();
        self.0.fetches.wait().await;
    }

    /// Starts an executor that is remembered, or fails its tasks.
    fn start(&self, key: ExecutorKey, container: String, start: std::io::Result<Start>) {
        let started = start.and_then(|start| {
            let Start { framework, info, sandbox, join, surroundings } = start;
            launch::start(&framework, &info, &sandbox, join, &surroundings)
        });
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
            failed: false,
            ended_ms: 0,
            deadline: Some((Instant::now() + self.0.times.registration, Doom::NeverSubscribed)),
            forsaken: false,
            written: true,
            unwanted: CancellationToken::new(),
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
        let (sandbox, cgroup, subscribed) = {
            let inner = self.lock();
            match inner.executors.get(key) {
                Some(executor) if executor.container == container && executor.ended_ms == 0 => {
                    (executor.sandbox.clone(), executor.cgroup.clone(), executor.subscribed)
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
        // One that has subscribed says what is wrong itself.
        let said = if subscribed { String::new() } else { last_words(&sandbox) };
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
                format!("{how} before it had subscribed at the agent{said}"),
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
            inner.forget(&key);
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
        let over: Vec<ExecutorKey> = inner
            .executors
            .iter()
            .filter(|(key, executor)| {
                key.0 == framework && executor.ended_ms > 0 && executor.tasks.is_empty()
            })
            .map(|(key, _)| key.clone())
            .collect();
        for key in over {
            inner.forget(&key);
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

    /// Lets time pass: executors whose time is over are killed, updates are sent again.
    pub(crate) fn tick(&self) {
        let now = Instant::now();
        let mut inner = self.lock();
        let mut due = Vec::new();
        for (key, executor) in &mut inner.executors {
            if executor.is_late(now) {
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

/// All that the start of an executor needs.
struct Start {
    framework: v1::FrameworkInfo,
    info: v1::ExecutorInfo,
    sandbox: PathBuf,
    join: Option<File>,
    surroundings: Surroundings,
}

impl Inner {
    /// Has nothing to do any more with an executor that has ended and is told.
    fn forget(&mut self, key: &ExecutorKey) {
        let Some(executor) = self.executors.remove(key) else { return };
        if !executor.written {
            let ended = (executor.ended_ms, executor.failed);
            self.unwritten.insert(executor.container, ended);
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
}

/// What an executor wrote to its standard error last, as the end of a message; nothing if it has none. The
/// sandbox is its job's, who may have put anything there.
fn last_words(sandbox: &Path) -> String {
    let tail = beneath::open_file(sandbox, Path::new("stderr")).and_then(|file| {
        let length = file.metadata()?.len();
        beneath::read(&file, length.saturating_sub(LAST_LINES), LAST_LINES)
    });
    match tail.map(|tail| last_lines(&tail)) {
        Ok(words) if !words.is_empty() => format!("; its stderr ends: {words}"),
        _ => String::new(),
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

pub(crate) fn now_ms() -> i64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}

#[cfg(test)]
mod tests;
