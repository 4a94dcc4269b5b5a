//! What goes in and what comes out.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use aurora_model::job::{
    AssignedTask, JobConfiguration, ResourceBag, TaskConfig, TaskEvent, TaskState, Timestamp,
};
use aurora_model::key::{AgentId, FrameworkId, JobKey, OfferId, RequestId, Role, TaskId};
use aurora_model::quota::ResourceAggregate;

use crate::admin::{AdminRequest, AdminResponse};
use crate::cron::{CronOp, CronRequest, CronResponse};
use crate::events::Event;
use crate::maintenance::{InverseOffer, MaintenanceOp, MaintenanceRequest, MaintenanceResponse};
use crate::sla::{CoordinatorAnswer, CoordinatorQuestion, QuestionId};
use crate::state::Misfit;
use crate::updates::{UpdateOp, UpdateRequest, UpdateResponse};

/// The caller's mark on a request, given back with the reply.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Ticket(pub u64);

/// What a client asks for under a request id, in few bytes: the same for the same request of the
/// same user, another one for another. The shell makes it of what the client has sent, in a way that
/// does not depend on the release.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Fingerprint(pub [u8; Self::LENGTH]);

impl Fingerprint {
    /// In bytes: enough that no two requests have the same one by chance.
    pub const LENGTH: usize = 16;
}

/// Makes a request safe to repeat.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestMark {
    /// The client's id of it.
    pub id: RequestId,
    /// What was asked under that id.
    pub fingerprint: Fingerprint,
}

/// Something that happens to the scheduler.
#[derive(Debug, Clone, PartialEq)]
pub enum Input {
    /// It begins, with what its log holds. The seed is where all its randomness comes from.
    Started {
        /// Any number, another one each time.
        seed: u64,
    },
    /// A timer is due: see [`crate::Scheduler::next_wakeup`].
    Wakeup,
    /// The master has taken the subscription.
    Registered {
        /// The id it knows this scheduler by.
        framework_id: FrameworkId,
    },
    /// The master is out of reach; its offers are void.
    Disconnected,
    /// Resources are on offer.
    Offers(Vec<Offer>),
    /// An offer is void.
    Rescinded(OfferId),
    /// A task's state, as Mesos sees it.
    Status(StatusUpdate),
    /// A client asks for something.
    Request {
        /// Given back with the reply.
        ticket: Ticket,
        /// Makes the request safe to repeat.
        mark: Option<RequestMark>,
        /// Who asks.
        user: String,
        /// What for.
        request: Request,
    },
    /// Whether tasks are placed. What is running goes on.
    Launching(bool),
    /// Agents are to be left before their maintenance.
    InverseOffers(Vec<InverseOffer>),
    /// A coordinator has been asked, see [`Effect::AskCoordinator`].
    CoordinatorAnswered {
        /// The question.
        id: QuestionId,
        /// What came of it.
        answer: CoordinatorAnswer,
    },
}

/// What a client can ask for.
#[derive(Debug, Clone, PartialEq)]
pub enum Request {
    /// A new job.
    CreateJob(Box<JobConfiguration>),
    /// The end of instances of a job.
    KillTasks {
        /// The job.
        job: JobKey,
        /// The instances; all if there are none.
        instances: BTreeSet<u32>,
        /// Why.
        message: Option<String>,
    },
    /// More instances of a job.
    AddInstances {
        /// The job.
        job: JobKey,
        /// The active instance that the new ones are like.
        like: u32,
        /// How many.
        count: u32,
    },
    /// Instances of a job that are to begin anew.
    RestartTasks {
        /// The job.
        job: JobKey,
        /// The instances; at least one.
        instances: BTreeSet<u32>,
    },
    /// A job as it would be stored.
    ValidateJob(Box<JobConfiguration>),
    /// Another quota of a role.
    SetQuota {
        /// The role.
        role: Role,
        /// What its production tasks may use together.
        quota: ResourceAggregate,
    },
    /// No quota of its own for a role.
    RemoveQuota {
        /// The role.
        role: Role,
    },
    /// See [`CronRequest`].
    Cron(CronRequest),
    /// See [`UpdateRequest`].
    Update(UpdateRequest),
    /// See [`MaintenanceRequest`].
    Maintenance(MaintenanceRequest),
    /// See [`AdminRequest`].
    Admin(AdminRequest),
}

/// What a client is told.
#[derive(Debug, Clone, PartialEq)]
pub enum Response {
    /// The job exists.
    Created {
        /// The job.
        key: JobKey,
        /// How many instances it has.
        instances: u32,
    },
    /// These instances have been told to end.
    Killed {
        /// In order.
        instances: Vec<u32>,
    },
    /// The job is acceptable.
    Validated(Box<JobConfiguration>),
    /// These instances have been made.
    Added {
        /// In order.
        instances: Vec<u32>,
    },
    /// These instances have been told to end, and will begin anew.
    Restarted {
        /// In order.
        instances: Vec<u32>,
    },
    /// The role has this quota.
    QuotaSet,
    /// The role has no quota of its own.
    QuotaRemoved,
    /// See [`CronResponse`].
    Cron(CronResponse),
    /// See [`UpdateResponse`].
    Update(UpdateResponse),
    /// See [`MaintenanceResponse`].
    Maintenance(MaintenanceResponse),
    /// See [`AdminResponse`].
    Admin(AdminResponse),
}

/// The part of a [`Response`] that is remembered for repeated requests.
#[derive(Debug, Clone, PartialEq)]
pub enum RecordedResponse {
    /// See [`Response::Created`].
    Created {
        /// The job.
        key: JobKey,
        /// How many instances it has.
        instances: u32,
    },
    /// See [`Response::Killed`].
    Killed {
        /// In order.
        instances: Vec<u32>,
    },
    /// See [`Response::Added`].
    Added {
        /// In order.
        instances: Vec<u32>,
    },
    /// See [`Response::Restarted`].
    Restarted {
        /// In order.
        instances: Vec<u32>,
    },
    /// See [`Response::QuotaSet`].
    QuotaSet,
    /// See [`Response::QuotaRemoved`].
    QuotaRemoved,
    /// See [`CronResponse`].
    Cron(CronResponse),
    /// See [`UpdateResponse`].
    Update(UpdateResponse),
    /// See [`MaintenanceResponse`].
    Maintenance(MaintenanceResponse),
    /// See [`AdminResponse`].
    Admin(AdminResponse),
}

impl RecordedResponse {
    /// What it needs beside its own size, in bytes, about.
    pub(crate) fn bytes(&self) -> usize {
        match self {
            Self::Killed { instances }
            | Self::Added { instances }
            | Self::Restarted { instances } => size_of_val(instances.as_slice()),
            Self::Maintenance(MaintenanceResponse::Hosts { modes, unknown }) => {
                let names = modes.iter().map(|(host, _)| host).chain(unknown);
                // Each with what holds it.
                names.map(|name| name.len() + size_of::<(String, u64)>()).sum()
            }
            Self::Created { .. }
            | Self::QuotaSet
            | Self::QuotaRemoved
            | Self::Cron(_)
            | Self::Update(_)
            | Self::Admin(_) => 0,
        }
    }
}

impl From<RecordedResponse> for Response {
    fn from(recorded: RecordedResponse) -> Self {
        match recorded {
            RecordedResponse::Created { key, instances } => Self::Created { key, instances },
            RecordedResponse::Killed { instances } => Self::Killed { instances },
            RecordedResponse::Added { instances } => Self::Added { instances },
            RecordedResponse::Restarted { instances } => Self::Restarted { instances },
            RecordedResponse::QuotaSet => Self::QuotaSet,
            RecordedResponse::QuotaRemoved => Self::QuotaRemoved,
            RecordedResponse::Cron(response) => Self::Cron(response),
            RecordedResponse::Update(response) => Self::Update(response),
            RecordedResponse::Maintenance(response) => Self::Maintenance(response),
            RecordedResponse::Admin(response) => Self::Admin(response),
        }
    }
}

/// What kind of refusal an error is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorKind {
    /// The request itself is wrong.
    Invalid,
    /// It is about something that is not there.
    NotFound,
    /// It asks for something that is there already.
    AlreadyExists,
    /// It cannot be done as things are now.
    FailedPrecondition,
    /// The job is being updated, which this would disturb.
    JobUpdating,
    /// It asks for more than the role may use.
    QuotaExceeded,
    /// Another request was carried out under its id.
    RequestIdReused,
}

/// Why a request is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct RequestError {
    /// What kind of refusal it is.
    pub kind: ErrorKind,
    /// Why, for people.
    pub message: String,
}

impl RequestError {
    pub(crate) fn invalid(message: impl Into<String>) -> Self {
        Self { kind: ErrorKind::Invalid, message: message.into() }
    }
}

/// Port numbers from `begin` to `end`, both included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PortRange {
    /// The first.
    pub begin: u16,
    /// The last.
    pub end: u16,
}

/// Resources of one agent that may be used.
#[derive(Debug, Clone, PartialEq)]
pub struct Offer {
    /// Its id.
    pub id: OfferId,
    /// The agent.
    pub agent: AgentId,
    /// The agent's host.
    pub host: String,
    /// Where the agent listens, as host:port; empty if the master does not say.
    pub address: String,
    /// The host's attributes.
    pub attributes: BTreeMap<String, BTreeSet<String>>,
    /// Resources that stay; ports are counted in [`Offer::ports`].
    pub fixed: ResourceBag,
    /// Resources that may be taken away.
    pub revocable: ResourceBag,
    /// Port numbers.
    pub ports: Vec<PortRange>,
    /// When the host goes into maintenance.
    pub unavailable_from: Option<Timestamp>,
}

/// A task's state, as Mesos sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StatusUpdate {
    /// The task.
    pub task: TaskId,
    /// What Mesos's state means here.
    pub state: TaskState,
    /// Where it is.
    pub agent: Option<AgentId>,
    /// Why, for people.
    pub message: Option<String>,
    /// Mesos's reason, by its name there.
    pub reason: Option<&'static str>,
    /// Set if the update is to be acknowledged.
    pub uuid: Option<Vec<u8>>,
}

/// What a task is apart from its configuration.
#[derive(Debug, Clone, PartialEq)]
pub struct TaskRecord {
    /// This run.
    pub id: TaskId,
    /// Which instance of the job it is.
    pub instance: u32,
    /// Where it is in its life.
    pub state: TaskState,
    /// Its agent and that agent's host.
    pub agent: Option<(AgentId, String)>,
    /// The numbers of its ports.
    pub ports: BTreeMap<String, u16>,
    /// Failed runs.
    pub failure_count: u32,
    /// How often it was partitioned away.
    pub times_partitioned: u32,
    /// What happened to it.
    pub events: Vec<TaskEvent>,
    /// The run it replaces.
    pub ancestor: Option<TaskId>,
}

impl TaskRecord {
    /// A run that has just been made.
    pub(crate) fn new(id: TaskId, instance: u32) -> Self {
        Self {
            id,
            instance,
            state: TaskState::Init,
            agent: None,
            ports: BTreeMap::new(),
            failure_count: 0,
            times_partitioned: 0,
            events: Vec::new(),
            ancestor: None,
        }
    }
}

/// A durable change.
#[derive(Debug, Clone, PartialEq)]
pub enum Op {
    /// The id the master knows this scheduler by.
    SaveFrameworkId(FrameworkId),
    /// Tasks of one configuration: new ones, which wait for a place, or as a snapshot has them.
    PutTasks {
        /// What they are.
        config: Arc<TaskConfig>,
        /// Which they are.
        tasks: Vec<TaskRecord>,
    },
    /// A run that replaces another and is what that was.
    Reschedule {
        /// The run that is replaced.
        ancestor: TaskId,
        /// The new run.
        id: TaskId,
    },
    /// A task goes to another state.
    Transition {
        /// The task.
        id: TaskId,
        /// Where to, when and why.
        event: TaskEvent,
    },
    /// A task gets its place.
    Assign {
        /// The task.
        id: TaskId,
        /// The agent.
        agent: AgentId,
        /// Its host.
        host: String,
        /// The numbers of its ports.
        ports: BTreeMap<String, u16>,
    },
    /// A task has failed once more.
    CountFailure(TaskId),
    /// Tasks are no longer remembered.
    Remove(Vec<TaskId>),
    /// A host's attributes.
    PutHost {
        /// The host.
        name: String,
        /// The agent on it.
        agent: AgentId,
        /// Where the agent listens; empty if it is not known.
        address: String,
        /// The attributes.
        attributes: BTreeMap<String, BTreeSet<String>>,
    },
    /// What the production tasks of a role may use together.
    PutQuota {
        /// The role.
        role: Role,
        /// The amounts.
        quota: ResourceAggregate,
    },
    /// A role has no quota of its own any more.
    RemoveQuota(Role),
    /// See [`CronOp`].
    Cron(CronOp),
    /// See [`UpdateOp`].
    Update(UpdateOp),
    /// See [`MaintenanceOp`].
    Maintenance(MaintenanceOp),
    /// How many changes the ones before stand for: the end of a snapshot.
    Version(u64),
    /// A request that must not be carried out twice.
    PutRequest {
        /// Its id.
        id: RequestId,
        /// What was asked; not known of requests that were written down without it.
        fingerprint: Option<Fingerprint>,
        /// When it was carried out; the same goes for this.
        at: Option<Timestamp>,
        /// How it was answered.
        response: RecordedResponse,
    },
}

/// Something the shell is to do.
#[derive(Debug, Clone, PartialEq)]
pub enum Effect {
    /// Answer a request.
    Reply {
        /// Which one.
        ticket: Ticket,
        /// With what.
        result: Result<Response, RequestError>,
    },
    /// Accept offers of one agent with these tasks. What is left of the offers goes back.
    Launch {
        /// The offers.
        offers: Vec<OfferId>,
        /// The tasks.
        tasks: Vec<AssignedTask>,
    },
    /// Give an offer back.
    Decline(OfferId),
    /// Ask Mesos to end a task.
    Kill {
        /// The task.
        task: TaskId,
        /// Where it is, as far as known.
        agent: Option<AgentId>,
    },
    /// Tell Mesos that an update has been taken.
    Acknowledge {
        /// The task.
        task: TaskId,
        /// The agent that sent it.
        agent: AgentId,
        /// The update.
        uuid: Vec<u8>,
    },
    /// Ask Mesos for the state of these tasks, or of all if there are none.
    Reconcile(Vec<(TaskId, Option<AgentId>)>),
    /// A task has changed, or is gone.
    Changed(TaskId),
    /// Agree to leave an agent.
    AcceptInverse(OfferId),
    /// Ask an outside service; its answer is [`Input::CoordinatorAnswered`].
    AskCoordinator(Box<CoordinatorQuestion>),
    /// Tell operators that a change was to be made of something that is not there, and was not: a
    /// mistake of this program, which goes on without it.
    Misfit(Misfit),
}

/// What comes of an input.
#[derive(Debug, Clone, Default, PartialEq)]
#[must_use = "ops are to be stored, effects to be carried out"]
pub struct Step {
    /// To be stored, all or none.
    pub ops: Vec<Op>,
    /// To be carried out, in order, once the ops are durable.
    pub effects: Vec<Effect>,
    /// What those who watch may be told once the ops are durable.
    pub events: Vec<Event>,
}
