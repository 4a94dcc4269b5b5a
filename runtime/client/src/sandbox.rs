//! The sandboxes of tasks, read through their agents, be they ours or Mesos's.
//!
//! An agent serves a sandbox for as long as it has it, of ended tasks too, under a path that names the
//! framework and the executor: nobody has to know where the agent's folders are.

use std::collections::BTreeMap;
use std::time::Duration;

use aurora_api::v1;
use aurora_mesos::CallError;
use aurora_mesos::agent::Agent;
use bytes::Bytes;
use futures::StreamExt as _;
use futures::stream;

use crate::error::{Code, Error};
use crate::scheduler::Scheduler;

/// How long a connection to an agent may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// Agents that the scheduler is asked for at once.
const MAX_AGENTS: usize = 1000;
/// Agents that are reached at once.
const MAX_AT_ONCE: usize = 32;
/// The most of a file that is asked for at once, in bytes.
pub const MAX_READ: u64 = 64 << 10;

/// The sandbox of a task.
#[derive(Debug, Clone)]
pub struct Sandbox {
    /// The task.
    pub task_id: String,
    /// Which instance of its job it is.
    pub instance: u32,
    /// The host of its agent.
    pub host: String,
    pub(crate) agent: Agent,
    pub(crate) address: String,
    pub(crate) framework_id: String,
}

/// What lies in a folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its name.
    pub name: String,
    /// Its size in bytes.
    pub size: u64,
    /// When it was changed, in nanoseconds since the epoch; an agent of Mesos tells whole seconds.
    pub modified_ns: i64,
    /// Kind and permissions, as `st_mode` has them.
    pub mode: u32,
}

impl Entry {
    /// Whether it is a folder.
    pub fn is_folder(&self) -> bool {
        self.mode & 0o170_000 == 0o040_000
    }

    /// Whether it is a regular file.
    pub fn is_file(&self) -> bool {
        self.mode & 0o170_000 == 0o100_000
    }
}

/// A part of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// How long the whole file is.
    pub size: u64,
    /// The part; less than was asked for at the end, or if the agent likes.
    pub bytes: Bytes,
}

/// The sandboxes of tasks, in their order. Each may be out of reach by itself.
///
/// # Errors
/// The scheduler does not tell where they are.
pub async fn of_tasks(
    scheduler: &Scheduler,
    tasks: &[v1::ScheduledTask],
) -> Result<Vec<Result<Sandbox, Error>>, Error> {
    let assigned: Vec<v1::AssignedTask> =
        tasks.iter().map(|task| task.assigned.clone().unwrap_or_default()).collect();
    let mut places: Vec<(String, String)> = assigned
        .iter()
        .filter(|task| !task.agent_id.is_empty())
        .map(|task| (task.agent_id.clone(), task.agent_host.clone()))
        .collect();
    places.sort_unstable();
    places.dedup();
    let mut framework_id = String::new();
    let mut agents = BTreeMap::new();
    for some in places.chunks(MAX_AGENTS) {
        let located = scheduler.locate_agents(some).await?;
        framework_id = located.framework_id;
        let reached = stream::iter(located.agents)
            .map(|place| async move {
                let reached = reach(&place).await;
                ((place.agent_id, place.host), reached)
            })
            .buffer_unordered(MAX_AT_ONCE);
        agents.extend(reached.collect::<Vec<_>>().await);
    }
    let sandbox = |task: v1::AssignedTask| {
        let instance = task.instance;
        if task.agent_id.is_empty() {
            return Err(Error::new(
                Code::InvalidParameter,
                format!("instance {instance} has not begun to run: it has no sandbox yet"),
            ));
        }
        let unknown = || Err(Error::new(Code::Api, "the scheduler has forgotten an agent"));
        let place = (task.agent_id, task.agent_host);
        let (agent, address) = agents.get(&place).cloned().unwrap_or_else(unknown)?;
        Ok(Sandbox {
            task_id: task.task_id,
            instance,
            host: place.1,
            agent,
            address,
            framework_id: framework_id.clone(),
        })
    };
    Ok(assigned.into_iter().map(sandbox).collect())
}

/// The agent at a place: by its host's name, or by the address that it has told its master.
async fn reach(place: &v1::AgentPlace) -> Result<(Agent, String), Error> {
    let host = &place.host;
    let Some((_, port)) = place.address.rsplit_once(':') else {
        return Err(Error::new(
            Code::Api,
            format!(
                "the scheduler does not know where the agent of {host} listens: no offer of it has \
                 come since it began to remember that"
            ),
        ));
    };
    let by_name =
        if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") };
    let mut failure = String::new();
    let mut candidates = vec![by_name];
    if !candidates.contains(&place.address) {
        candidates.push(place.address.clone());
    }
    for address in candidates {
        let connect = tokio::net::TcpStream::connect(&address);
        let reason = match tokio::time::timeout(CONNECT_TIMEOUT, connect).await {
            Ok(Ok(_)) => return Ok((Agent::at(&address), address)),
            Ok(Err(error)) => error.to_string(),
            Err(_) => format!("it does not answer within {CONNECT_TIMEOUT:?}"),
        };
        if !failure.is_empty() {
            failure.push_str("; ");
        }
        failure.push_str(&format!("{address}: {reason}"));
    }
    Err(Error::new(Code::Network, format!("failed to reach the agent of {host} at {failure}")))
}

impl Sandbox {
    /// The executor of the task.
    pub(crate) fn executor_id(&self) -> String {
        format!("thermos-{}", self.task_id)
    }

    fn path(&self, below: &str) -> String {
        let (framework, executor) = (&self.framework_id, self.executor_id());
        let root = format!("/frameworks/{framework}/executors/{executor}/runs/latest/sandbox");
        if below.is_empty() { root } else { format!("{root}/{below}") }
    }

    /// What a folder below holds; the sandbox itself for an empty path. Nothing if there is no such folder.
    ///
    /// # Errors
    /// The agent is out of reach or does not tell, or not of all that the folder holds.
    pub async fn list(&self, below: &str) -> Result<Option<Vec<Entry>>, Error> {
        let Some((entries, total)) = self.listed(below).await? else { return Ok(None) };
        match total {
            Some(total) => Err(self.cut(below, entries.len(), total)),
            None => Ok(Some(entries)),
        }
    }

    /// What a folder below holds by this name; nothing if it does not, or is none.
    ///
    /// # Errors
    /// As of [`Self::list`]; of a folder that is not told whole only if it is not among what is told.
    pub async fn find(&self, below: &str, name: &str) -> Result<Option<Entry>, Error> {
        let Some((entries, total)) = self.listed(below).await? else { return Ok(None) };
        let told = entries.len();
        match (entries.into_iter().find(|entry| entry.name == name), total) {
            (None, Some(total)) => Err(self.cut(below, told, total)),
            (found, _) => Ok(found),
        }
    }

    /// Whether there is a folder below.
    ///
    /// # Errors
    /// The agent is out of reach or does not tell.
    pub async fn has_folder(&self, below: &str) -> Result<bool, Error> {
        Ok(self.listed(below).await?.is_some())
    }

    fn cut(&self, below: &str, told: usize, total: u64) -> Error {
        let (task, host) = (&self.task_id, &self.host);
        let folder = if below.is_empty() { "the sandbox" } else { below };
        Error::new(
            Code::CommandFailure,
            format!(
                "{folder} of task {task} has {total} entries, of which the agent of {host} tells {told}: \
                 pack them with `aurora task exec` and copy the archive"
            ),
        )
    }

    /// The entries of a folder that are told, and how many it has if that is not all.
    async fn listed(&self, below: &str) -> Result<Option<(Vec<Entry>, Option<u64>)>, Error> {
        let Some(found) = self.known(self.agent.list(&self.path(below)).await)? else {
            return Ok(None);
        };
        let entry = |info: aurora_mesos::v1::FileInfo| Entry {
            name: info.path.rsplit('/').next().unwrap_or_default().to_owned(),
            size: info.size.unwrap_or(0),
            modified_ns: info.mtime.map_or(0, |time| time.nanoseconds),
            mode: info.mode.unwrap_or(0),
        };
        Ok(Some((found.files.into_iter().map(entry).collect(), found.total)))
    }

    /// A part of a file below, at most [`MAX_READ`] bytes. Nothing if there is no such file.
    ///
    /// # Errors
    /// The agent is out of reach or does not tell.
    pub async fn read(&self, below: &str, offset: u64, length: u64) -> Result<Option<Part>, Error> {
        let read = self.agent.read(&self.path(below), offset, length.min(MAX_READ)).await;
        Ok(self.known(read)?.map(|part| Part { size: part.size, bytes: part.data }))
    }

    /// The folder on the agent's machine that holds its sandboxes.
    ///
    /// # Errors
    /// The agent is out of reach or does not tell.
    pub async fn work_dir(&self) -> Result<String, Error> {
        let flags = self.agent.flags().await.map_err(|error| self.failure(&error))?;
        let found = flags.into_iter().find(|flag| flag.name == "work_dir");
        found.and_then(|flag| flag.value).ok_or_else(|| {
            let address = &self.address;
            Error::new(Code::Api, format!("the agent at {address} does not tell its work_dir"))
        })
    }

    fn known<T>(&self, answer: Result<T, CallError>) -> Result<Option<T>, Error> {
        match answer {
            Ok(found) => Ok(Some(found)),
            Err(CallError::Refused { status: 404, .. }) => Ok(None),
            Err(error) => Err(self.failure(&error)),
        }
    }

    pub(crate) fn failure(&self, error: &CallError) -> Error {
        let (host, address) = (&self.host, &self.address);
        match error {
            CallError::Unreachable { reason, .. } => Error::new(
                Code::Network,
                format!("failed to reach the agent of {host} at {address}: {reason}"),
            ),
            CallError::Timeout { after, .. } => Error::new(
                Code::Timeout,
                format!("the agent of {host} at {address} did not answer within {after:?}"),
            ),
            CallError::Refused { status: 401, text, .. } => Error::new(
                Code::Auth,
                format!("the agent of {host} at {address} refuses access: {text}"),
            ),
            CallError::Refused { status: 403, text, .. } => Error::new(
                Code::Auth,
                format!("the agent of {host} at {address} does not allow it: {text}"),
            ),
            CallError::Refused { text, .. } if !text.is_empty() => {
                Error::new(Code::Api, format!("the agent of {host} at {address} refuses: {text}"))
            }
            _ => Error::new(Code::Api, format!("the agent of {host} at {address}: {error}")),
        }
    }
}
