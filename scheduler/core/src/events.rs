//! What has happened, for those who watch: an event for each durable change of a task, a host or a
//! quota.
//!
//! Events are made of ops where these are applied, so that there is none without its change and no
//! change without its event. Each has the version of the state that its op has made
//! ([`State::version`]), and of tasks that are made together each its own: versions grow, go on after a
//! restart, and tell a reader where to continue.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use aurora_model::cron::CronRun;
use aurora_model::job::{ScheduledTask, TaskEvent, TaskState, Timestamp};
use aurora_model::key::{AgentId, JobKey, Role, TaskId};
use aurora_model::maintenance::MaintenanceMode;
use aurora_model::quota::ResourceAggregate;
use aurora_model::update::{InstanceEvent, UpdateEvent, UpdateKey};

use crate::cron::CronOp;
use crate::input::{Op, TaskRecord};
use crate::maintenance::MaintenanceOp;
use crate::settings::Settings;
use crate::state::State;
use crate::updates::UpdateOp;

/// A durable change that somebody may watch for.
#[derive(Debug, Clone, PartialEq)]
pub struct Event {
    /// The version of the state from here on.
    pub version: u64,
    /// When it happened.
    pub at: Timestamp,
    /// What has happened.
    pub change: Change,
}

/// What has happened.
#[derive(Debug, Clone, PartialEq)]
pub enum Change {
    /// A task has gone to another state.
    Task(Moved),
    /// Ended tasks are no longer remembered.
    Forgotten(Vec<Forgotten>),
    /// A host is new, or has other attributes or another agent.
    Host {
        /// The host.
        name: String,
        /// The agent on it.
        agent: AgentId,
        /// Its attributes.
        attributes: BTreeMap<String, BTreeSet<String>>,
    },
    /// A role has another quota.
    Quota {
        /// The role.
        role: Role,
        /// What its production tasks may use together; none if it has been taken away.
        quota: Option<ResourceAggregate>,
    },
    /// A host has gone to another maintenance mode.
    HostMode {
        /// The host.
        host: String,
        /// Its mode.
        mode: MaintenanceMode,
    },
    /// A job update is new, or has gone to another status.
    UpdateStatus {
        /// The update.
        key: UpdateKey,
        /// Which status, when and why.
        event: UpdateEvent,
    },
    /// Something was done to instances for a job update.
    UpdateInstances {
        /// The update.
        key: UpdateKey,
        /// What, oldest first.
        events: Vec<InstanceEvent>,
    },
    /// A cron job is new, or has been replaced.
    CronScheduled(JobKey),
    /// A cron job is no more.
    CronDescheduled(JobKey),
    /// Runs of a cron job have been started or skipped.
    CronRuns {
        /// The job.
        job: JobKey,
        /// The runs, in order.
        runs: Vec<CronRun>,
    },
}

/// A task that has gone to another state.
#[derive(Debug, Clone, PartialEq)]
pub struct Moved {
    /// The task.
    pub id: TaskId,
    /// Its job.
    pub job: JobKey,
    /// Which instance it is.
    pub instance: u32,
    /// Where it was; [`TaskState::Init`] if it is new.
    pub from: TaskState,
    /// Where it is.
    pub to: TaskState,
    /// Why, for people.
    pub message: Option<String>,
    /// The host that has it, or had it.
    pub host: Option<Arc<str>>,
    /// The whole task, if somebody wants it of tasks in this state: see [`Settings::told_whole`].
    pub task: Option<Arc<ScheduledTask>>,
}

/// A task that is no longer remembered.
#[derive(Debug, Clone, PartialEq)]
pub struct Forgotten {
    /// The task.
    pub id: TaskId,
    /// Its job.
    pub job: JobKey,
    /// Which instance it was.
    pub instance: u32,
    /// The state it was in.
    pub state: TaskState,
}

/// What an op is about to change, as far as its event tells of it.
pub(crate) enum Before {
    Nothing,
    Task(TaskState),
    Mode(MaintenanceMode),
    Forgotten(Vec<Forgotten>),
}

/// Looks at what an op is about to change.
pub(crate) fn before(state: &State, op: &Op) -> Before {
    match op {
        Op::Transition { id, .. } => {
            state.task(id).map_or(Before::Nothing, |task| Before::Task(task.state))
        }
        Op::Maintenance(MaintenanceOp::Put { host, .. }) => Before::Mode(state.host_mode(host)),
        Op::Remove(ids) => Before::Forgotten(
            ids.iter()
                .filter_map(|id| state.task(id))
                .map(|task| Forgotten {
                    id: task.id().clone(),
                    job: task.job().clone(),
                    instance: task.assigned.instance,
                    state: task.state,
                })
                .collect(),
        ),
        _ => Before::Nothing,
    }
}

/// What tasks tell that have just been made, all by one op: each has a version of its own.
pub(crate) fn made<'a>(
    state: &'a State,
    settings: &'a Settings,
    now: Timestamp,
    tasks: &'a [TaskRecord],
) -> impl Iterator<Item = Event> + 'a {
    let before = state.version() - tasks.len() as u64;
    (before + 1..).zip(tasks).filter_map(move |(version, record)| {
        let change = moved(state, settings, &record.id, TaskState::Init, record.events.last()?)?;
        Some(Event { version, at: now, change })
    })
}

/// A task that has gone to another state.
fn moved(
    state: &State,
    settings: &Settings,
    id: &TaskId,
    from: TaskState,
    event: &TaskEvent,
) -> Option<Change> {
    let task = state.task(id)?;
    let whole = settings.told_whole.contains(&event.state);
    Some(Change::Task(Moved {
        id: id.clone(),
        job: task.job().clone(),
        instance: task.assigned.instance,
        from,
        to: event.state,
        message: event.message.clone(),
        host: task.assigned.agent.as_ref().map(|(_, host)| host.clone()),
        task: whole.then(|| Arc::new(task.clone())),
    }))
}

/// What an op that has just been applied tells, if anything.
pub(crate) fn event(
    state: &State,
    settings: &Settings,
    now: Timestamp,
    op: &Op,
    before: Before,
) -> Option<Event> {
    let change = match (op, before) {
        (Op::Transition { id, event }, Before::Task(from)) => {
            moved(state, settings, id, from, event)?
        }
        (Op::Remove(_), Before::Forgotten(tasks)) => Change::Forgotten(tasks),
        (Op::PutHost { name, agent, attributes, .. }, _) => Change::Host {
            name: name.clone(),
            agent: agent.clone(),
            attributes: attributes.clone(),
        },
        (Op::PutQuota { role, quota }, _) => {
            Change::Quota { role: role.clone(), quota: Some(*quota) }
        }
        (Op::RemoveQuota(role), _) => Change::Quota { role: role.clone(), quota: None },
        (Op::Maintenance(MaintenanceOp::Put { host, .. }), Before::Mode(before)) => {
            let mode = state.host_mode(host);
            if mode == before {
                return None;
            }
            Change::HostMode { host: host.clone(), mode }
        }
        (Op::Update(op), _) => match op {
            UpdateOp::Put(new) => Change::UpdateStatus {
                key: new.update.key.clone(),
                event: new.events.last()?.clone(),
            },
            UpdateOp::Status { key, event, .. } => {
                Change::UpdateStatus { key: key.clone(), event: event.clone() }
            }
            UpdateOp::Events { key, events } if !events.is_empty() => {
                Change::UpdateInstances { key: key.clone(), events: events.clone() }
            }
            _ => return None,
        },
        (Op::Cron(op), _) => match op {
            CronOp::Put { job, .. } => Change::CronScheduled(job.key.clone()),
            CronOp::Remove(job) => Change::CronDescheduled(job.clone()),
            CronOp::Record { job, runs, .. } if !runs.is_empty() => {
                Change::CronRuns { job: job.clone(), runs: runs.clone() }
            }
            CronOp::Record { .. } | CronOp::Due { .. } => return None,
        },
        _ => return None,
    };
    Some(Event { version: state.version(), at: now, change })
}
